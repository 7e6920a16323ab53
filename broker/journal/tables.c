/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The format version has a row of its own, so that every later format can be told from this one before
 * anything else is understood. Everything that changes with each commit is one row: one put.
 */
#include "broker/journal/tables.h"

#include <errno.h>

#include "broker/journal/journal.h"

enum { HEAD_FIXED = 4 + 8 + 8 + 8, HEAD_SIZE = HEAD_FIXED + 63 };

int journal_put_error(int r)
{
	return r == DB_FULL ? -ENOSPC : r;
}

int journal_tables_open(struct journal_tables *tables, struct db_txn *txn)
{
	const struct {
		const char *name;
		db_table_id *id;
	} all[] = {
		{"meta", &tables->meta},
		{"stub", &tables->stub},
		{"record", &tables->record},
		{"content", &tables->content},
		{"tile", &tables->tile},
		{"checkpoint", &tables->checkpoint},
		{"registry", &tables->registry},
		{"seal", &tables->seal},
		{"instructed", &tables->instructed},
	};
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		int r = db_table_open(txn, all[i].name, all[i].id);
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
