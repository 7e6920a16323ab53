/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What witnesses say about checkpoints. The lines of one checkpoint come one by one, from as many parties, and
 * are worth something once they are a quorum: so a row per tree size collects them. The newest quorum makes
 * all smaller rows superfluous, but for one a minute, which bounds the time of what came before it: a busy log
 * gives one a second, and ten years of those would be larger than the journal of a quiet one.
 *
 * Once a minute a quorum becomes an entry: from then on its time is part of the log itself, and whatever
 * follows is younger. A log in which nothing else happens would go on for ever by noting that it was noted;
 * so an entry is written only when something else lies between.
 */
#include "broker/journal/writer.h"

#include <errno.h>

#include "proto/base/log.h"

enum {
	WINDOW_MS = 60 * 1000,
	META_SIZE = 8 + 8 + 8, /* size of the newest quorum, its window, entry + 1 */
};

#define META_KEY BYTES_STR("cosigned")

/* ---- rows ---- */

static int row_get(const struct journal *journal, uint64_t size, struct bytes *ret)
{
	struct key key = key_u64(size);
	return db_get(journal->log.txn, journal->tables.cosignature, KEY_BYTES_OF(key), ret);
}

static int row_put(const struct journal *journal, uint64_t size, struct bytes note)
{
	struct key key = key_u64(size);
	return journal_put_error(
		db_put(journal->log.txn, journal->tables.cosignature, KEY_BYTES_OF(key), note));
}

static int meta_put(const struct journal *journal)
{
	const struct cosigned *cosigned = &journal->cosigned;
	uint8_t buf[META_SIZE];
	be64_put(buf, cosigned->size);
	be64_put(buf + 8, cosigned->window_ms);
	be64_put(buf + 16, cosigned->witnessed);
	return journal_put_error(
		db_put(journal->log.txn, journal->tables.meta, META_KEY, BYTES(buf, sizeof(buf))));
}

int cosign_load(struct journal *journal, struct db_txn *txn)
{
	struct cosigned *cosigned = &journal->cosigned;
	struct bytes value, note;
	int r = db_get(txn, journal->tables.meta, META_KEY, &value);
	if (r)
		return r == DB_NOT_FOUND ? 0 : r;
	if (value.len != META_SIZE)
		return -EBADMSG;
	struct key key = {.len = 8};
	memcpy(key.bytes, value.data, 8);
	r = db_get(txn, journal->tables.cosignature, KEY_BYTES_OF(key), &note);
	if (r || note.len > sizeof(cosigned->note))
		return r < 0 ? r : -EBADMSG;
	cosigned->size = be64_get(value.data);
	cosigned->window_ms = be64_get(value.data + 8);
	cosigned->witnessed = be64_get(value.data + 16);
	cosigned->len = note.len;
	memcpy(cosigned->note, note.data, note.len);
	memcpy(journal->shared.cosigned, note.data, note.len);
	journal->shared.cosigned_len = note.len;
	journal->shared.cosigned_size = cosigned->size;
	return 0;
}

/* Rows of trees from @from on and smaller than @end: superfluous. */
static int rows_drop(const struct journal *journal, uint64_t from, uint64_t end)
{
	_cleanup_(db_cursor_close) struct db_cursor *cursor = NULL;
	struct key key = key_u64(from);
	struct bytes found;
	int r = db_cursor_open(journal->log.txn, journal->tables.cosignature, &cursor);
	if (r == 0)
		r = db_cursor_seek(cursor, KEY_BYTES_OF(key), &found, NULL);
	while (r == 0 && found.len == 8 && be64_get(found.data) < end) {
		r = db_cursor_delete(cursor);
		if (r == 0)
			r = db_cursor_next(cursor, &found, NULL);
	}
	return r == DB_NOT_FOUND ? 0 : r;
}

/* ---- a cosignature ---- */

/* The row of this checkpoint with whatever the parcel adds. @buf: COSIGNED_NOTE_MAX bytes. */
static int row_merge(const struct journal *journal, const struct parcel *parcel,
	const struct policy *policy, uint8_t *buf, struct bytes *ret)
{
	uint8_t other[COSIGNED_NOTE_MAX];
	struct bytes row, line, note = parcel->checkpoint;
	int r = row_get(journal, parcel->tree_size, &row);
	if (r < 0)
		return r;
	if (r == DB_NOT_FOUND || row.len > COSIGNED_NOTE_MAX) {
		memcpy(buf, note.data, note.len);
		*ret = note;
		return 0;
	}
	size_t len = row.len;
	memcpy(buf, row.data, row.len);
	for (size_t i = 0; i < policy->witnesses_count; i++) {
		if (cosignature_find(note, &policy->witnesses[i], NULL, &line) != 0)
			continue;
		memcpy(other, buf, len);
		if (cosignature_add(BYTES(other, len), line, buf, &len) != 0)
			return -EMSGSIZE;
	}
	*ret = BYTES(buf, len);
	return 0;
}

static int append_witnessed(
	struct journal *journal, struct batch *batch, const struct cosignatures *judged)
{
	struct cosigned *cosigned = &journal->cosigned;
	Dienstweg__Decision decision = DIENSTWEG__DECISION__INIT;
	struct entry entry = {
		.kind = DIENSTWEG__ENTRY_KIND__ENTRY_WITNESSED,
		.decision = &decision,
		.original = BYTES(cosigned->note, cosigned->len),
	};
	decision.rules_version = RULES_VERSION;
	decision.witnessed_size = cosigned->size;
	decision.witnessed_seen_s = judged->seen_s;
	decision.witnessed_signed_s = judged->signed_s;
	sha256_of(entry.original, entry.digest);
	cosigned->witnessed = journal->log.sequence + 1;
	return batch_append(journal, batch, &entry, NULL);
}

/* A newer quorum: rows below it go, the last one of each minute stays. */
static int quorum_take(struct journal *journal, struct batch *batch, uint64_t size,
	struct bytes note, const struct cosignatures *judged)
{
	struct cosigned *cosigned = &journal->cosigned;
	uint64_t now_ms = journal->log.batch_ms, before = cosigned->size;
	bool next = before == 0 || now_ms - cosigned->window_ms >= WINDOW_MS;
	/* Everything but the note of the last time itself? */
	bool news = cosigned->witnessed == 0 || size > cosigned->witnessed;
	int r = rows_drop(journal, next ? before + 1 : before, size);
	cosigned->size = size;
	cosigned->len = note.len;
	memcpy(cosigned->note, note.data, note.len);
	if (next)
		cosigned->window_ms = now_ms;
	if (r == 0 && next && news)
		r = append_witnessed(journal, batch, judged);
	return r ? r : meta_put(journal);
}

int cosign_decide(struct journal *journal, struct batch *batch, struct parcel *parcel)
{
	uint8_t buf[COSIGNED_NOTE_MAX];
	struct policy policy;
	struct cosignatures judged;
	struct bytes note;
	uint64_t size = parcel->tree_size;
	batch->stage = "cosignature";
	registry_witnesses(journal->registry, &policy);
	/* Late ones are of no use; the tree is the committed one, which this batch only adds to. */
	if (size <= journal->cosigned.size || size > journal->head.size ||
		parcel->checkpoint.len > sizeof(buf))
		return 0;
	int r = row_merge(journal, parcel, &policy, buf, &note);
	if (r == 0)
		r = cosignatures_judge(note, &policy, &judged);
	if (r != 0 || judged.count == 0) {
		log_warn("journal", "a cosignature counts for nothing under the registry in force",
			F_U64("size", size), F_I64("verdict", r));
		return r < 0 && r != -EMSGSIZE ? r : 0;
	}
	r = row_put(journal, size, note);
	batch->cosigned = true;
	if (r == 0 && judged.quorum)
		r = quorum_take(journal, batch, size, note, &judged);
	return r;
}
