/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The format version has a row of its own, so that every later format can be told from this one before
 * anything else is understood. Everything that changes with each commit is one row: one put.
 */
#include "broker/journal/tables.h"

#include <errno.h>
#include <stddef.h>

#include "broker/journal/journal.h"
#include "broker/journal/reader.h"

enum { HEAD_FIXED = 4 + 8 + 8 + 8, HEAD_SIZE = HEAD_FIXED + 63, PRUNED_FIXED = 8 + 8 };

int journal_put_error(int r)
{
	return r == DB_FULL ? -ENOSPC : r;
}

/* Primary tables, in the order in which they are opened. */
static const struct {
	const char *name;
	size_t offset;
} primary[] = {
	{"meta", offsetof(struct journal_tables, meta)},
	{"stub", offsetof(struct journal_tables, stub)},
	{"record", offsetof(struct journal_tables, record)},
	{"content", offsetof(struct journal_tables, content)},
	{"tile", offsetof(struct journal_tables, tile)},
	{"checkpoint", offsetof(struct journal_tables, checkpoint)},
	{"cosignature", offsetof(struct journal_tables, cosignature)},
	{"registry", offsetof(struct journal_tables, registry)},
	{"seal", offsetof(struct journal_tables, seal)},
	{"instructed", offsetof(struct journal_tables, instructed)},
};

const char *journal_table_name(size_t index)
{
	return index < ARRAY_LEN(primary) ? primary[index].name : NULL;
}

int journal_tables_open(struct journal_tables *tables, struct db_txn *txn)
{
	for (size_t i = 0; i < ARRAY_LEN(primary); i++) {
		db_table_id *id = (db_table_id *)((char *)tables + primary[i].offset);
		int r = db_table_open(txn, primary[i].name, id);
		if (r)
			return r == DB_NOT_FOUND ? -ENOENT : journal_put_error(r);
	}
	return 0;
}

int head_get(struct db_txn *txn, const struct journal_tables *tables, struct journal_head *ret,
	uint32_t *ret_format)
{
	struct bytes value;
	int r = db_get(txn, tables->meta, BYTES_STR("format"), &value);
	if (r)
		return r;
	if (value.len != 4)
		return -EBADMSG;
	*ret_format = be32_get(value.data);
	if (*ret_format != JOURNAL_FORMAT_VERSION)
		return HEAD_FORMAT;
	r = db_get(txn, tables->meta, BYTES_STR("head"), &value);
	if (r || value.len <= HEAD_FIXED || value.len > HEAD_SIZE)
		return r < 0 ? r : -EBADMSG;
	*ret = (struct journal_head){
		.epoch = be32_get(value.data),
		.size = be64_get(value.data + 4),
		.batch_ms = be64_get(value.data + 12),
		.registry_sequence = be64_get(value.data + 20),
	};
	memcpy(ret->bus, value.data + HEAD_FIXED, value.len - HEAD_FIXED);
	return 0;
}

int head_create(struct db_txn *txn, const struct journal_tables *tables)
{
	uint8_t format[4];
	be32_put(format, JOURNAL_FORMAT_VERSION);
	return db_add(txn, tables->meta, BYTES_STR("format"), BYTES(format, 4));
}

int head_put(
	struct db_txn *txn, const struct journal_tables *tables, const struct journal_head *head)
{
	uint8_t buf[HEAD_SIZE];
	size_t bus = strlen(head->bus);
	be32_put(buf, head->epoch);
	be64_put(buf + 4, head->size);
	be64_put(buf + 12, head->batch_ms);
	be64_put(buf + 20, head->registry_sequence);
	memcpy(buf + HEAD_FIXED, head->bus, bus);
	return db_put(txn, tables->meta, BYTES_STR("head"), BYTES(buf, HEAD_FIXED + bus));
}

/* ---- marks ---- */

static struct bytes confirmed_key(uint32_t party, uint8_t buf[16])
{
	static const char name[] = "confirmed";
	memcpy(buf, name, sizeof(name) - 1);
	be32_put(buf + sizeof(name) - 1, party);
	return BYTES(buf, sizeof(name) - 1 + 4);
}

int confirmed_get(struct db_txn *txn, const struct journal_tables *tables, uint32_t party,
	uint64_t *ret_sequence)
{
	uint8_t buf[16];
	struct bytes value;
	*ret_sequence = 0;
	int r = db_get(txn, tables->meta, confirmed_key(party, buf), &value);
	if (r)
		return r == DB_NOT_FOUND ? 0 : r;
	if (value.len != 8)
		return -EBADMSG;
	*ret_sequence = be64_get(value.data);
	return 0;
}

int confirmed_put(
	struct db_txn *txn, const struct journal_tables *tables, uint32_t party, uint64_t sequence)
{
	uint8_t buf[16], value[8];
	be64_put(value, sequence);
	return db_put(txn, tables->meta, confirmed_key(party, buf), BYTES(value, sizeof(value)));
}

int state_mark_get(
	struct db_txn *txn, const struct journal_tables *tables, struct journal_state_mark *ret)
{
	struct bytes value;
	int r = db_get(txn, tables->meta, BYTES_STR("state"), &value);
	if (r)
		return r;
	if (value.len != 24)
		return -EBADMSG;
	ret->sequence = be64_get(value.data);
	ret->size = be64_get(value.data + 8);
	ret->batch_ms = be64_get(value.data + 16);
	return 0;
}

int state_mark_put(struct db_txn *txn, const struct journal_tables *tables,
	const struct journal_state_mark *mark)
{
	uint8_t value[24];
	be64_put(value, mark->sequence);
	be64_put(value + 8, mark->size);
	be64_put(value + 16, mark->batch_ms);
	return db_put(txn, tables->meta, BYTES_STR("state"), BYTES(value, sizeof(value)));
}

int pruned_get(struct db_txn *txn, const struct journal_tables *tables, struct journal_pruned *ret)
{
	struct bytes value;
	*ret = (struct journal_pruned){};
	int r = db_get(txn, tables->meta, BYTES_STR("pruned"), &value);
	if (r)
		return r == DB_NOT_FOUND ? 0 : r;
	if (value.len < PRUNED_FIXED || value.len - PRUNED_FIXED >= sizeof(ret->archive))
		return -EBADMSG;
	ret->before = be64_get(value.data);
	ret->said = be64_get(value.data + 8);
	memcpy(ret->archive, value.data + PRUNED_FIXED, value.len - PRUNED_FIXED);
	return 0;
}

int pruned_put(struct db_txn *txn, const struct journal_tables *tables,
	const struct journal_pruned *pruned)
{
	uint8_t value[PRUNED_FIXED + PRUNED_PATH_MAX];
	size_t len = strlen(pruned->archive);
	be64_put(value, pruned->before);
	be64_put(value + 8, pruned->said);
	memcpy(value + PRUNED_FIXED, pruned->archive, len);
	return db_put(txn, tables->meta, BYTES_STR("pruned"), BYTES(value, PRUNED_FIXED + len));
}

int epochs_get(struct db_txn *txn, const struct journal_tables *tables, struct epochs *ret)
{
	struct bytes value;
	*ret = (struct epochs){};
	int r = db_get(txn, tables->meta, BYTES_STR("epochs"), &value);
	if (r)
		return r == DB_NOT_FOUND ? 0 : r;
	return epochs_decode(value, ret) == 0 ? 0 : -EBADMSG;
}

int epochs_put(struct db_txn *txn, const struct journal_tables *tables, const struct epochs *epochs)
{
	uint8_t value[EPOCHS_ROW_MAX];
	size_t len = epochs_encode(epochs, value);
	return db_put(txn, tables->meta, BYTES_STR("epochs"), BYTES(value, len));
}

int unfinished_get(struct db_txn *txn, const struct journal_tables *tables, bool *ret)
{
	struct bytes value;
	int r = db_get(txn, tables->meta, BYTES_STR("unfinished"), &value);
	*ret = r == 0;
	return r < 0 ? r : 0;
}

int unfinished_put(struct db_txn *txn, const struct journal_tables *tables, bool unfinished)
{
	static const uint8_t one = 1;
	if (unfinished)
		return db_put(txn, tables->meta, BYTES_STR("unfinished"), BYTES(&one, 1));
	int r = db_delete(txn, tables->meta, BYTES_STR("unfinished"));
	return r == DB_NOT_FOUND ? 0 : r;
}
