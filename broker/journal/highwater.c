/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The file holds the signed note itself: whoever finds a journal that falls short of it holds the proof that
 * something was lost. It is written at most once a second and when the journal stops, because a second fsync
 * per commit would halve the speed of a lone message. So it may lag behind by a second, never run ahead: a
 * journal that was merely killed always reaches it.
 */
#include "broker/journal/highwater.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/journal/tile.h"
#include "broker/journal/writer.h"
#include "proto/base/file.h"
#include "proto/base/log.h"

enum {
	WRITE_MS = 1000,
	FIRST_COMMIT_MAX = 2, /* entries of the commit that begins an epoch: *continues*, a registry */
};

static int note_read(
	const char *path, uint8_t buf[CHECKPOINT_NOTE_MAX], size_t *ret_len, struct checkpoint *ret)
{
	_cleanup_(heap_free) uint8_t *data = NULL;
	int r = file_read(path, CHECKPOINT_NOTE_MAX, &data, ret_len);
	if (r)
		return r == -ENOENT ? HIGHWATER_MISSING : r < 0 ? r : HIGHWATER_BROKEN;
	const uint8_t *end = memmem(data, *ret_len, "\n\n", 2);
	if (!end || checkpoint_parse(BYTES(data, (size_t)(end - data) + 1), ret) != 0)
		return HIGHWATER_BROKEN;
	memcpy(buf, data, *ret_len);
	return 0;
}

int highwater_read(const char *path, struct checkpoint *ret)
{
	uint8_t buf[CHECKPOINT_NOTE_MAX];
	size_t len;
	return note_read(path, buf, &len, ret);
}

int highwater_write(const char *path, struct bytes note)
{
	return file_replace(path, note, 0600);
}

/* ---- at start ---- */

/*
 * The mark of an epoch before this one was overruled by an operator, and is replaced with the first commit of the
 * new one. A crash between the two leaves it behind, next to a journal in which nothing but that commit has come.
 */
static bool has_just_begun(const struct journal *journal)
{
	const struct epochs *epochs = &journal->epochs;
	return epochs->count > 0 &&
	       journal->head.size <= epochs->all[epochs->count - 1].size + FIRST_COMMIT_MAX;
}

static int judge(struct journal *journal, const struct checkpoint *mark, enum journal_doubt *ret)
{
	struct db_txn *txn = NULL;
	struct merkle_hash root;
	*ret = JOURNAL_BEHIND;
	if (epoch_of(mark->origin, BYTES_STR(journal->head.bus), &journal->marked_epoch) != 0)
		return 0;
	if (journal->marked_epoch < journal->head.epoch) {
		*ret = has_just_begun(journal) ? JOURNAL_SURE : JOURNAL_BEHIND;
		return 0;
	}
	if (journal->marked_epoch > journal->head.epoch || mark->size > journal->head.size)
		return 0;
	int r = db_begin(journal->env, false, &txn);
	struct tile_source source = {
		.txn = txn, .tables = &journal->tables, .size = journal->head.size};
	if (r == 0)
		r = tile_root(&source, mark->size, &root);
	if (r == 0 && memcmp(&root, &mark->root, sizeof(root)) == 0)
		*ret = JOURNAL_SURE;
	db_abort(txn);
	/* Pruned since, or damaged: that the journal extends the mark cannot be shown. */
	return r == -EBADMSG ? 0 : r;
}

int highwater_look(struct journal *journal)
{
	const char *path = journal->options.highwater;
	struct onward *onward = &journal->onward;
	struct checkpoint mark = {};
	if (!path || journal->head.size == 0)
		return 0;
	int r = note_read(path, onward->marked, &onward->marked_len, &mark);
	if (r < 0)
		return r;
	if (r > 0) {
		onward->marked_len = 0;
		mark = (struct checkpoint){};
		journal->doubt = JOURNAL_UNMARKED;
	} else {
		r = judge(journal, &mark, &journal->doubt);
	}
	if (r < 0)
		return r;
	journal->marked_size = mark.size;
	if (journal->doubt == JOURNAL_SURE)
		return 0;
	log_error("journal",
		journal->doubt == JOURNAL_UNMARKED
			? "HOLD: the high-water file is missing: is this journal the newest? "
			  "Nothing is "
			  "signed before witnesses or an operator have said so"
			: "HOLD: this journal is older than what was signed, or another one: "
			  "nothing is "
			  "signed",
		F_STR("file", path), F_U64("entries", journal->head.size),
		F_U64("signed", mark.size), F_U64("next_epoch", epoch_next(journal)));
	return 0;
}

/* ---- afterwards ---- */

void highwater_keep(struct journal *journal, bool now)
{
	uint64_t mono_ns = clock_mono_ns(journal->options.clock);
	if (!journal->options.highwater || journal->note_len == 0)
		return;
	if (!now && journal->marked_ns && mono_ns - journal->marked_ns < WRITE_MS * UINT64_C(1000000))
		return;
	journal->marked_ns = mono_ns;
	int r = highwater_write(journal->options.highwater, BYTES(journal->note, journal->note_len));
	if (r)
		log_error("journal", "the high-water file cannot be written",
			F_STR("file", journal->options.highwater), F_ERR(r));
}
