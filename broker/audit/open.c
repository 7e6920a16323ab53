/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * An auditor may hold the journal without its keys, an operator may hold everything; both use the same
 * commands. So only the journal is required here, and who needs more asks for it where it is needed.
 */
#include "broker/audit/open.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int open_keyring(
	const struct audit_paths *paths, struct audit *audit, char *reterr, size_t size)
{
	if (!paths->keyring || !paths->master_key)
		return 0;
	int r = keyring_open(paths->keyring, paths->master_key, false, &audit->keyring);
	if (r == KEYRING_BROKEN)
		snprintf(reterr, size,
			"%s: does not open with the master key %s: give the key that belongs to it",
			paths->keyring, paths->master_key);
	else if (r < 0)
		snprintf(reterr, size,
			"%s, %s: %s: keyring and master key must be readable by this account, and "
			"by no "
			"other",
			paths->keyring, paths->master_key, strerrordesc_np(-r));
	return r > 0 ? AUDIT_REFUSED : r;
}

static int open_policy(
	const struct audit_paths *paths, struct audit *audit, char *reterr, size_t size)
{
	char why[256];
	if (!paths->policy)
		return 0;
	int r = policy_read(paths->policy, &audit->policy, why, sizeof(why));
	if (r > 0)
		snprintf(reterr, size, "%s: %s", paths->policy, why);
	else if (r < 0)
		snprintf(reterr, size, "%s: %s", paths->policy, strerrordesc_np(-r));
	audit->has_policy = r == 0;
	return r > 0 ? AUDIT_REFUSED : r;
}

int audit_take_log(struct audit *audit)
{
	struct journal_meta meta;
	int r = journal_read_meta(audit->reader, &meta);
	if (r)
		return r;
	memcpy(audit->bus, meta.bus, sizeof(audit->bus));
	epoch_origin(BYTES_STR(audit->bus), meta.epoch, audit->origin);
	/* Whether they are true is for verification to say; damaged ones leave the first. */
	r = journal_read_epochs(audit->reader, &audit->epochs);
	return r < 0 ? r : 0;
}

void audit_origin_at(const struct audit *audit, uint64_t size, char ret[CHECKPOINT_ORIGIN_MAX + 1])
{
	epoch_origin(BYTES_STR(audit->bus), epochs_at(&audit->epochs, size), ret);
}

static int open_journal(
	const struct audit_paths *paths, struct audit *audit, char *reterr, size_t size)
{
	int r = journal_reader_open(paths->journal, audit->keyring, &audit->reader);
	if (r == 0)
		r = audit_refresh(audit);
	if (r == 0)
		r = audit_take_log(audit);
	if (r == 0)
		return 0;
	if (r == READER_FORMAT)
		snprintf(reterr,
			size, "%s: of a format that this program does not know: use the version that wrote it",
			paths->journal);
	else if (r > 0)
		snprintf(reterr, size, "%s: its head cannot be read: restore it from a backup",
			paths->journal);
	else
		snprintf(reterr, size,
			"%s: no journal can be read here, there is none or it is damaged: %s",
			paths->journal, strerrordesc_np(-r));
	return r > 0 ? AUDIT_REFUSED : r;
}

int audit_open(const struct audit_paths *paths, struct audit *ret, char *reterr, size_t size)
{
	*ret = (struct audit){.archive = paths->archive, .blobs = paths->blobs};
	int r = open_policy(paths, ret, reterr, size);
	if (r == 0)
		r = open_keyring(paths, ret, reterr, size);
	if (r || !paths->journal)
		return r;
	return open_journal(paths, ret, reterr, size);
}

void audit_close(struct audit *audit)
{
	journal_reader_free(steal(&audit->reader));
	keyring_free(steal(&audit->keyring));
}

int audit_refresh(struct audit *audit)
{
	journal_reader_end(audit->reader);
	int r = journal_reader_begin(audit->reader);
	return r ? r : journal_reader_in_order(audit->reader);
}
