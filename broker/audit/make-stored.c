/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Makes the stored journal of the rules as they are now. Built with the tests and run by hand, once for each
 * version of the rules, before the version is released:
 *   TMPDIR=$(mktemp -d) build/gcc/broker/make-stored broker/audit/stored/rules-N.journal
 * Parties are made up, keys are made for it and used nowhere else. Contents are random bytes.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/audit/test-life.h"
#include "broker/audit/test-stored.h"
#include "broker/journal/store.h"
#include "proto/base/file.h"

static void put_row(FILE *out, const char *table, struct bytes key, struct bytes value)
{
	uint8_t len[4];
	putc((int)strlen(table), out);
	fputs(table, out);
	be16_put(len, (uint16_t)key.len);
	fwrite(len, 2, 1, out);
	fwrite(key.data, key.len, 1, out);
	be32_put(len, (uint32_t)value.len);
	fwrite(len, 4, 1, out);
	fwrite(value.data, value.len, 1, out);
}

static void put_file(FILE *out, const char *dir, const char *name)
{
	char path[512];
	uint8_t *data = NULL;
	size_t len;
	if (path_join(path, sizeof(path), dir, name) || file_read(path, 1 << 20, &data, &len))
		exit(1);
	put_row(out, STORED_FILES, BYTES_STR(name), BYTES(data, len));
	free(data);
}

static void put_folder(FILE *out, const char *dir)
{
	DIR *folder = opendir(dir);
	for (struct dirent *at; folder && (at = readdir(folder));)
		if (at->d_name[0] != '.')
			put_file(out, dir, at->d_name);
	if (folder)
		closedir(folder);
}

/* Permanent content is what replay reads: registries and states. */
static bool is_wanted(const char *table, struct bytes value)
{
	return strcmp(table, "content") != 0 || (value.len > 0 && value.data[0] == 0);
}

static void put_table(FILE *out, struct db_txn *txn, const char *table)
{
	struct db_cursor *cursor;
	struct bytes key, value;
	db_table_id id;
	if (db_table_open(txn, table, &id) || db_cursor_open(txn, id, &cursor))
		exit(1);
	while (db_cursor_next(cursor, &key, &value) == 0)
		if (is_wanted(table, value))
			put_row(out, table, key, value);
	db_cursor_close(cursor);
}

static void put_journal(FILE *out, const char *dir)
{
	struct db_options options = {.tables_max = TABLES_MAX, .readers_max = 4, .read_only = true};
	struct db_env *env;
	struct db_txn *txn;
	if (db_env_open(dir, &options, &env) || db_begin(env, false, &txn))
		exit(1);
	for (size_t i = 0; journal_table_name(i); i++)
		put_table(out, txn, journal_table_name(i));
	for (enum state_table table = 0; table < STATE_TABLES; table++)
		put_table(out, txn, state_table_name(table));
	db_abort(txn);
	db_env_close(env);
}

int main(int argc, char **argv)
{
	const char *dir = getenv("TMPDIR");
	struct life life;
	if (argc != 2 || !dir) {
		fprintf(stderr, "usage: TMPDIR=DIR make-stored FILE\n");
		return 2;
	}
	life_init(&life, dir, "stored");
	FILE *out = fopen(argv[1], "wb");
	if (!out)
		return 1;
	fputs(STORED_MAGIC, out);
	put_folder(out, life.journal.keys);
	put_file(out, life.journal.dir, "../master");
	put_journal(out, life.journal.dir);
	life_deinit(&life);
	return fclose(out) == 0 ? 0 : 1;
}
