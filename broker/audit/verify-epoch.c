/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * From the entry "continues" on, the log is signed under another origin. That it may be is said by the entry alone,
 * so it is judged like a checkpoint: by the log's key of the registry in force, over the very tree that stands
 * before it. What the head and its table say of epochs only saves others the search, and is compared at the end.
 */
#include <inttypes.h>

#include "broker/audit/verifier.h"
#include "proto/receipt/continuation.h"

static void origin_set(struct verifier *v)
{
	epoch_origin(BYTES_STR(v->audit->bus), epochs_newest(&v->epochs), v->origin);
}

/* NULL, or what is wrong with the checkpoint that it goes on from. */
static const char *before_is_wrong(const struct verifier *v, uint64_t sequence, struct bytes note,
	const struct merkle_hash *root)
{
	struct note_key keys[NOTE_KEYS_MAX];
	struct checkpoint before;
	uint32_t epoch;
	size_t count = chain_log_keys(&v->chain, v->origin, keys);
	int r = continuation_note_open(note, BYTES_STR(v->audit->bus), keys, count, &before, &epoch);
	if (r == EPOCH_OTHER)
		return "the checkpoint in it is none of this log";
	if (r)
		return "no log key of the registry in force signed the checkpoint in it";
	if (epoch != epochs_newest(&v->epochs))
		return "the checkpoint in it is not of the epoch before";
	if (before.size != sequence ||
		(root && memcmp(&before.root, root, sizeof(before.root)) != 0))
		return "the checkpoint in it is not of the entries before it";
	return NULL;
}

static const char *entry_is_wrong(
	struct verifier *v, const struct audit_entry *entry, const struct merkle_hash *root)
{
	const Dienstweg__Decision *decision = entry->decision;
	if (entry->stub.class != 0)
		return "it is not permanent";
	const char *why = before_is_wrong(v, entry->sequence, BYTES_PB(entry->row->original), root);
	/* Also when its checkpoint is wrong: what follows is signed under this one. */
	if (epochs_add(&v->epochs, decision->epoch, entry->sequence) != 0 && !why)
		why = "the epoch that it begins does not lie above the one before";
	v->result->lost_to = decision->marked_size;
	origin_set(v);
	return why;
}

/* The checkpoint that it repeats is kept, so that who reads checkpoints alone finds it, too. */
static int kept_look(struct verifier *v, const struct audit_entry *entry)
{
	struct bytes note;
	uint64_t size;
	int r = journal_read_next_checkpoint(v->audit->reader, entry->sequence, &size, &note);
	if (r < 0)
		return r;
	if (r > 0 || size != entry->sequence || !bytes_equal(note, BYTES_PB(entry->row->original)))
		audit_report_finding(v->report, entry->sequence - 1, "checkpoint-missing",
			"the last checkpoint of the epoch before is not kept");
	return 0;
}

int verify_epoch(struct verifier *v, uint64_t sequence, const struct merkle_hash *before)
{
	struct audit_entry entry;
	arena_reset(v->arena);
	int r = audit_entry_read(v->audit->reader, sequence, v->arena, &entry);
	if (r < 0)
		return r;
	const char *why = r > 0 ? "its record cannot be read" : entry_is_wrong(v, &entry, before);
	if (why)
		audit_report_finding(v->report, sequence, "epoch-wrong",
			"this entry begins an epoch of the log, and %s", why);
	return why ? 0 : kept_look(v, &entry);
}

void verify_epochs_resume(struct verifier *v, uint64_t size)
{
	const struct epochs *all = &v->audit->epochs;
	v->epochs = (struct epochs){};
	for (size_t i = 0; i < all->count && all->all[i].size < size; i++)
		v->epochs.all[v->epochs.count++] = all->all[i];
	origin_set(v);
}

int verify_epochs_head(struct verifier *v, uint32_t newest)
{
	struct epochs said;
	int r = journal_read_epochs(v->audit->reader, &said);
	if (r < 0)
		return r;
	if (r > 0 || newest != epochs_newest(&v->epochs) ||
		epochs_common(&said, &v->epochs) != UINT64_MAX)
		audit_report_finding(v->report, v->size, "head-epoch",
			"the journal's head or its table of epochs says something else than its "
			"entries: the newest epoch is %" PRIu32,
			epochs_newest(&v->epochs));
	return 0;
}
