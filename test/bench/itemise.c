/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Counted row by row, in one snapshot: what a file has grown by says nothing of where it went, and a page
 * that is half empty belongs to somebody too.
 */
#include "test/bench/itemise.h"

#include <stdint.h>
#include <stdio.h>

#include "proto/base/db.h"
#include "test/kit/check.h"

enum { PAGE_BYTES = 4096, TABLES_MAX = 32, READERS_MAX = 126 };

/* All that grow with the messages; what waits in `queue` and `timer` is gone when a message ends. */
static const char *const tables[] = {"record", "content", "stub", "tile", "seen", "end"};

struct item {
	uint64_t rows, bytes, pages;
};

static void count_rows(struct db_txn *txn, const char *name, struct item *ret)
{
	_cleanup_(db_cursor_close) struct db_cursor *cursor = NULL;
	struct bytes key, value;
	db_table_id table;

	*ret = (struct item){0};
	CHECK_INT(db_table_open(txn, name, &table), 0);
	CHECK_INT(db_table_pages(txn, table, &ret->pages), 0);
	CHECK_INT(db_cursor_open(txn, table, &cursor), 0);
	while (db_cursor_next(cursor, &key, &value) == 0) {
		ret->rows++;
		ret->bytes += key.len + value.len;
	}
}

static void item_print(const char *name, double rows, double disk, bool json)
{
	if (json)
		printf(",\"%s\":{\"rows\":%.1f,\"disk\":%.1f}", name, rows, disk);
	else
		printf("  %-28s %8.1f %8.1f\n", name, rows, disk);
}

void itemise_print(const char *dir, const struct itemise_message *message, bool json)
{
	const struct db_options options = {
		.tables_max = TABLES_MAX, .readers_max = READERS_MAX, .read_only = true};
	_cleanup_(db_env_close) struct db_env *env = NULL;
	double came = (double)(message->header + message->content);
	struct item items[ARRAY_LEN(tables)];
	double rows = 0, disk = 0;
	struct db_txn *txn;

	CHECK_INT(db_env_open(dir, &options, &env), 0);
	CHECK_INT(db_begin(env, false, &txn), 0);
	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		count_rows(txn, tables[i], &items[i]);
	db_abort(txn);
	double messages = (double)items[4].rows; /* one row of `seen` each */
	CHECK(messages > 0);
	printf(json ? "{\"header\":%zu,\"content\":%zu"
		    : "journal bytes a message (header %zu, content %zu)   rows     disk\n",
		message->header, message->content);
	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		double item_rows = (double)items[i].bytes / messages;
		double item_disk = (double)(items[i].pages * PAGE_BYTES) / messages;
		rows += item_rows;
		disk += item_disk;
		item_print(tables[i], item_rows, item_disk, json);
	}
	item_print("beyond header and content", rows - came, disk - came, json);
	printf(json ? "}\n" : "");
}
