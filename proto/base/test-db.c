/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The wrapper on a real environment: what it promises about order, failure and snapshots. Processes
 * that die and disks that are full are in test-db-faults.c.
 */
#include "proto/base/db.h"

#include "test/kit/check.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

enum { MIB = 1 << 20 };

/* A fresh folder for each case. */
static const char *folder(void)
{
	static char path[PATH_MAX];
	static int number;
	snprintf(path, sizeof(path), "%s/%d", check_tmpdir(), number++);
	CHECK_INT(mkdir(path, 0700), 0);
	return path;
}

static struct db_env *open_env(const char *dir, uint64_t map_bytes)
{
	struct db_options options = {.map_bytes = map_bytes, .tables_max = 4, .readers_max = 8};
	struct db_env *env = NULL;
	CHECK_INT(db_env_open(dir, &options, &env), 0);
	return env;
}

static struct db_txn *begin(struct db_env *env, bool write)
{
	struct db_txn *txn = NULL;
	CHECK_INT(db_begin(env, write, &txn), 0);
	return txn;
}

static db_table_id make_table(struct db_env *env, const char *name)
{
	db_table_id table;
	struct db_txn *txn = begin(env, true);
	CHECK_INT(db_table_open(txn, name, &table), 0);
	CHECK_INT(db_commit(txn), 0);
	return table;
}

static struct bytes key_of(uint64_t number)
{
	static _Thread_local uint8_t keys[4][8];
	static _Thread_local unsigned int turn;
	uint8_t *key = keys[turn++ % 4];
	be64_put(key, number);
	return BYTES(key, 8);
}

static void fill(struct db_env *env, db_table_id table, uint64_t count)
{
	struct db_txn *txn = begin(env, true);
	for (uint64_t i = 0; i < count; i++)
		CHECK_INT(db_append(txn, table, key_of(i), key_of(i * i)), 0);
	CHECK_INT(db_commit(txn), 0);
}

static uint64_t count_of(struct db_env *env, db_table_id table)
{
	uint64_t count = 0;
	_cleanup_(db_abort) struct db_txn *txn = begin(env, false);
	CHECK_INT(db_count(txn, table, &count), 0);
	return count;
}

static void rows_come_back(void)
{
	_cleanup_(db_env_close) struct db_env *env = open_env(folder(), MIB);
	db_table_id table = make_table(env, "rows");
	struct bytes value = BYTES("untouched", 9);
	struct db_txn *txn = begin(env, true);
	CHECK_INT(db_get(txn, table, BYTES_STR("a"), &value), DB_NOT_FOUND);
	CHECK(bytes_equal(value, BYTES_STR("untouched")));
	CHECK_INT(db_put(txn, table, BYTES_STR("a"), BYTES_STR("one")), 0);
	CHECK_INT(db_put(txn, table, BYTES_STR("a"), BYTES_STR("two")), 0);
	CHECK_INT(db_add(txn, table, BYTES_STR("a"), BYTES_STR("three")), DB_EXISTS);
	CHECK_INT(db_add(txn, table, BYTES_STR("b"), BYTES(NULL, 0)), 0);
	CHECK_INT(db_delete(txn, table, BYTES_STR("c")), DB_NOT_FOUND);
	CHECK_INT(db_put(txn, table, BYTES("\0", 1), BYTES("\0\0", 2)), 0);
	CHECK_INT(db_commit(txn), 0); /* verdicts have spoilt nothing */

	txn = begin(env, true);
	CHECK_INT(db_get(txn, table, BYTES_STR("a"), &value), 0);
	CHECK(bytes_equal(value, BYTES_STR("two")));
	CHECK_INT(db_get(txn, table, BYTES_STR("b"), &value), 0);
	CHECK_INT(value.len, 0);
	CHECK_INT(db_get(txn, table, BYTES("\0", 1), &value), 0);
	CHECK_INT(value.len, 2);
	CHECK_INT(db_delete(txn, table, BYTES_STR("a")), 0);
	CHECK_INT(db_get(txn, table, BYTES_STR("a"), &value), DB_NOT_FOUND);
	CHECK_INT(db_commit(txn), 0);
	CHECK_INT(count_of(env, table), 2);
}

static void abort_forgets_and_the_environment_goes_on(void)
{
	const char *dir = folder();
	struct db_env *env = open_env(dir, MIB);
	db_table_id table = make_table(env, "rows");
	fill(env, table, 100);
	struct db_txn *txn = begin(env, true);
	for (uint64_t i = 0; i < 100; i += 2)
		CHECK_INT(db_delete(txn, table, key_of(i)), 0);
	CHECK_INT(db_put(txn, table, key_of(1000), key_of(1)), 0);
	db_abort(txn);
	CHECK_INT(count_of(env, table), 100);
	txn = begin(env, true);
	CHECK_INT(db_put(txn, table, key_of(1000), key_of(2)), 0);
	CHECK_INT(db_commit(txn), 0);
	txn = begin(env, true);
	CHECK_INT(db_put(txn, table, key_of(1001), key_of(3)), 0);
	db_abort(txn);
	db_env_close(env);

	env = open_env(dir, MIB);
	txn = begin(env, false);
	struct bytes value;
	CHECK_INT(db_table_open(txn, "rows", &table), 0);
	CHECK_INT(db_get(txn, table, key_of(1000), &value), 0);
	CHECK_INT(be64_get(value.data), 2);
	CHECK_INT(db_get(txn, table, key_of(1001), &value), DB_NOT_FOUND);
	CHECK_INT(db_table_open(txn, "absent", &table), DB_NOT_FOUND);
	db_abort(txn);
	db_abort(NULL);
	db_env_close(env);
	db_env_close(NULL);
}

static void appending_out_of_order_fails(void)
{
	_cleanup_(db_env_close) struct db_env *env = open_env(folder(), MIB);
	db_table_id table = make_table(env, "rows");
	fill(env, table, 10);
	uint8_t *room;
	struct db_txn *txn = begin(env, true);
	CHECK_INT(db_append(txn, table, key_of(9), key_of(0)), -EINVAL);
	CHECK_INT(db_commit(txn), -EINVAL);
	txn = begin(env, true);
	CHECK_INT(db_reserve(txn, table, key_of(3), 5, true, &room), -EINVAL);
	db_abort(txn);
	txn = begin(env, true);
	CHECK_INT(db_append(txn, table, key_of(10), key_of(0)), 0);
	CHECK_INT(db_commit(txn), 0);
	CHECK_INT(count_of(env, table), 11);
}

/* Nobody can commit half of what was meant. */
static void first_failure_sticks(void)
{
	_cleanup_(db_env_close) struct db_env *env = open_env(folder(), MIB);
	db_table_id table = make_table(env, "rows");
	struct bytes value;
	struct db_cursor *cursor;
	uint64_t count;
	struct db_txn *txn = begin(env, true);
	CHECK_INT(db_put(txn, table, key_of(1), key_of(1)), 0);
	CHECK_INT(db_put(txn, table, BYTES(NULL, 0), key_of(1)), -EINVAL);
	CHECK_INT(db_put(txn, table, key_of(2), key_of(1)), -EINVAL);
	CHECK_INT(db_add(txn, table, key_of(1), key_of(1)), -EINVAL);
	CHECK_INT(db_delete(txn, table, key_of(7)), -EINVAL);
	CHECK_INT(db_get(txn, table, key_of(1), &value), -EINVAL);
	CHECK_INT(db_count(txn, table, &count), -EINVAL);
	CHECK_INT(db_cursor_open(txn, table, &cursor), -EINVAL);
	CHECK_INT(db_commit(txn), -EINVAL);
	CHECK_INT(count_of(env, table), 0);
}

static void keys_are_1_to_511_bytes(void)
{
	_cleanup_(db_env_close) struct db_env *env = open_env(folder(), MIB);
	db_table_id table = make_table(env, "rows");
	uint8_t key[512] = {1};
	struct bytes value;
	struct db_txn *txn = begin(env, true);
	CHECK_INT(db_put(txn, table, BYTES(key, 511), BYTES_STR("long")), 0);
	CHECK_INT(db_get(txn, table, BYTES(key, 511), &value), 0);
	CHECK_INT(db_get(txn, table, BYTES(key, 510), &value), DB_NOT_FOUND);
	CHECK_INT(db_put(txn, table, BYTES(key, 512), BYTES_STR("longer")), -EINVAL);
	db_abort(txn);
	txn = begin(env, false);
	CHECK_INT(db_get(txn, table, BYTES(NULL, 0), &value), -EINVAL);
	CHECK_INT(db_get(txn, table, BYTES(key, 1), &value), DB_NOT_FOUND);
	db_abort(txn);
}

static void reserved_room_is_the_value(void)
{
	_cleanup_(db_env_close) struct db_env *env = open_env(folder(), MIB);
	db_table_id table = make_table(env, "rows");
	static const size_t sizes[] = {0, 1, 100, 4000, 40000};
	uint8_t *room;
	struct bytes value;
	struct db_txn *txn = begin(env, true);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		CHECK_INT(db_reserve(txn, table, key_of(i), sizes[i], true, &room), 0);
		memset(room, (int)i + 1, sizes[i]);
	}
	CHECK_INT(db_commit(txn), 0);
	txn = begin(env, false);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		CHECK_INT(db_get(txn, table, key_of(i), &value), 0);
		CHECK_INT(value.len, sizes[i]);
		for (size_t j = 0; j < sizes[i]; j++)
			CHECK_INT(value.data[j], i + 1);
	}
	db_abort(txn);
}

static void cursors_walk_in_order(void)
{
	_cleanup_(db_env_close) struct db_env *env = open_env(folder(), 4 * MIB);
	db_table_id table = make_table(env, "rows"), empty = make_table(env, "empty");
	struct bytes key, value;
	fill(env, table, 3000);
	_cleanup_(db_abort) struct db_txn *txn = begin(env, false);
	_cleanup_(db_cursor_close) struct db_cursor *cursor = NULL;
	CHECK_INT(db_cursor_open(txn, table, &cursor), 0);
	for (uint64_t i = 0; i < 3000; i++) {
		CHECK_INT(db_cursor_next(cursor, &key, &value), 0);
		CHECK_INT(be64_get(key.data), i);
		CHECK_INT(be64_get(value.data), i * i);
	}
	CHECK_INT(db_cursor_next(cursor, &key, NULL), DB_NOT_FOUND);
	CHECK_INT(db_cursor_next(cursor, &key, NULL), DB_NOT_FOUND);
	CHECK_INT(db_cursor_first(cursor, &key, NULL), 0);
	CHECK_INT(be64_get(key.data), 0);
	CHECK_INT(db_cursor_last(cursor, &key, NULL), 0);
	CHECK_INT(be64_get(key.data), 2999);
	CHECK_INT(db_cursor_seek(cursor, key_of(1500), NULL, &value), 0);
	CHECK_INT(be64_get(value.data), 1500 * 1500);
	CHECK_INT(db_cursor_seek(cursor, BYTES(key_of(1500).data, 7), &key, NULL), 0);
	CHECK_INT(be64_get(key.data), 1280); /* 0x500: the first with these seven bytes */
	CHECK_INT(db_cursor_seek(cursor, BYTES(NULL, 0), &key, NULL), 0);
	CHECK_INT(be64_get(key.data), 0);
	CHECK_INT(db_cursor_seek(cursor, key_of(3000), &key, &value), DB_NOT_FOUND);
	db_cursor_close(steal(&cursor));
	CHECK_INT(db_cursor_open(txn, empty, &cursor), 0);
	CHECK_INT(db_cursor_first(cursor, &key, &value), DB_NOT_FOUND);
	CHECK_INT(db_cursor_last(cursor, &key, &value), DB_NOT_FOUND);
	CHECK_INT(db_cursor_seek(cursor, key_of(0), &key, &value), DB_NOT_FOUND);
	CHECK_INT(db_cursor_next(cursor, &key, &value), DB_NOT_FOUND);
	db_cursor_close(NULL);
}

/* Every other number has a row: what is there is found and nothing else, however one jumps about. */
static void a_cursor_looks_up_what_is_there(void)
{
	enum { ROWS = 3000 };
	static const uint64_t strides[] = {1, 2, 3, 700, 2 * ROWS - 1, 3001};
	_cleanup_(db_env_close) struct db_env *env = open_env(folder(), 4 * MIB);
	db_table_id table = make_table(env, "rows");
	struct bytes value;
	struct db_txn *txn = begin(env, true);
	for (uint64_t i = 0; i < ROWS; i++)
		CHECK_INT(db_append(txn, table, key_of(2 * i), key_of(i)), 0);
	CHECK_INT(db_commit(txn), 0);
	txn = begin(env, false);
	struct db_cursor *cursor = NULL;
	CHECK_INT(db_cursor_open(txn, table, &cursor), 0);
	for (size_t s = 0; s < ARRAY_LEN(strides); s++) {
		for (uint64_t i = 0, at = 0; i < 3 * ROWS; i++, at += strides[s]) {
			uint64_t number = at % (2 * ROWS + 10);
			bool there = number % 2 == 0 && number < 2 * ROWS;
			CHECK_INT(db_cursor_get(cursor, key_of(number), &value),
				there ? 0 : DB_NOT_FOUND);
			if (there)
				CHECK_INT(be64_get(value.data), number / 2);
		}
	}
	CHECK_INT(db_cursor_get(cursor, BYTES(key_of(4).data, 7), &value), DB_NOT_FOUND);
	db_cursor_close(cursor);
	db_abort(txn);
}

/* Deletes every row whose number is a multiple of @step and checks that all others stay. */
static void delete_by_cursor(uint64_t count, uint64_t step)
{
	_cleanup_(db_env_close) struct db_env *env = open_env(folder(), 16 * MIB);
	db_table_id table = make_table(env, "rows");
	struct db_cursor *cursor;
	struct bytes key;
	int r;
	fill(env, table, count);
	struct db_txn *txn = begin(env, true);
	CHECK_INT(db_cursor_open(txn, table, &cursor), 0);
	uint64_t expected = 0;
	while ((r = db_cursor_next(cursor, &key, NULL)) == 0) {
		CHECK_INT(be64_get(key.data), expected++); /* no row is skipped or met twice */
		if (be64_get(key.data) % step == 0)
			CHECK_INT(db_cursor_delete(cursor), 0);
	}
	CHECK_INT(r, DB_NOT_FOUND);
	CHECK_INT(expected, count);
	db_cursor_close(cursor);
	CHECK_INT(db_commit(txn), 0);

	txn = begin(env, false);
	CHECK_INT(db_cursor_open(txn, table, &cursor), 0);
	for (uint64_t i = 0; i < count; i++) {
		if (i % step == 0)
			continue;
		CHECK_INT(db_cursor_next(cursor, &key, NULL), 0);
		CHECK_INT(be64_get(key.data), i);
	}
	CHECK_INT(db_cursor_next(cursor, &key, NULL), DB_NOT_FOUND);
	db_cursor_close(cursor);
	db_abort(txn);
}

static void cursors_delete_exactly(void)
{
	static const uint64_t steps[] = {1, 2, 3, 7, 100};
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		delete_by_cursor(10000, steps[i]);
	delete_by_cursor(1, 1);
}

static void a_cursor_deletes_one_row_at_a_place(void)
{
	_cleanup_(db_env_close) struct db_env *env = open_env(folder(), MIB);
	db_table_id table = make_table(env, "rows");
	struct db_cursor *cursor;
	struct bytes key;
	fill(env, table, 5);
	struct db_txn *txn = begin(env, true);
	CHECK_INT(db_cursor_open(txn, table, &cursor), 0);
	CHECK_INT(db_cursor_seek(cursor, key_of(2), &key, NULL), 0);
	CHECK_INT(db_cursor_delete(cursor), 0);
	CHECK_INT(db_cursor_next(cursor, &key, NULL), 0);
	CHECK_INT(be64_get(key.data), 3);
	CHECK_INT(db_cursor_delete(cursor), 0);
	CHECK_INT(db_cursor_delete(cursor), -EINVAL); /* not row 4 */
	db_cursor_close(cursor);
	db_abort(txn);
	txn = begin(env, true);
	CHECK_INT(db_cursor_open(txn, table, &cursor), 0);
	CHECK_INT(db_cursor_delete(cursor), -EINVAL); /* on no row yet */
	db_cursor_close(cursor);
	db_abort(txn);
	CHECK_INT(count_of(env, table), 5);
}

static void options_are_obeyed(void)
{
	const char *dir = folder();
	char path[PATH_MAX];
	struct stat st;
	struct db_options options = {.map_bytes = MIB + 1, .tables_max = 1, .readers_max = 2};
	struct db_env *env = NULL;
	CHECK_INT(db_env_open(dir, &options, &env), -EINVAL);
	options.map_bytes = 0;
	CHECK_INT(db_env_open(dir, &options, &env), -EINVAL);
	options = (struct db_options){.read_only = true, .tables_max = 1, .readers_max = 2};
	CHECK_INT(db_env_open(dir, &options, &env), -ENOENT);
	CHECK_INT(db_env_open("/absent/folder", &options, &env), -ENOENT);
	CHECK(env == NULL);
	options = (struct db_options){.map_bytes = MIB, .tables_max = 1, .readers_max = 2};
	CHECK_INT(db_env_open(dir, &options, &env), 0);
	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	CHECK_INT(stat(path, &st), 0);
	CHECK_INT(st.st_mode & 0777, 0600);

	db_table_id table;
	struct db_txn *txn = begin(env, true);
	CHECK_INT(db_table_open(txn, "one", &table), 0);
	CHECK_INT(db_commit(txn), 0);
	txn = begin(env, true);
	CHECK_INT(db_table_open(txn, "two", &table), -EMFILE);
	CHECK_INT(db_commit(txn), -EMFILE);
	struct db_txn *readers[8];
	unsigned int count = 0;
	int r = 0;
	while (count < 8 && (r = db_begin(env, false, &readers[count])) == 0)
		count++;
	CHECK(count >= 2 && r == -EUSERS);
	db_abort(readers[0]);
	readers[0] = begin(env, false); /* slots are given back */
	while (count > 0)
		db_abort(readers[--count]);
	db_env_close(env);
}

static void a_foreign_file_is_refused(void)
{
	const char *dir = folder();
	char path[PATH_MAX];
	struct db_options options = {.map_bytes = MIB, .tables_max = 1, .readers_max = 2};
	struct db_env *env = NULL;
	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	FILE *file = fopen(path, "w");
	for (int i = 0; i < 10000; i++)
		CHECK(fputs("no database ", file) >= 0);
	fclose(file);
	CHECK_INT(db_env_open(dir, &options, &env), -EBADMSG);
	CHECK(env == NULL);
}

static void usage_counts_pages(void)
{
	_cleanup_(db_env_close) struct db_env *env = open_env(folder(), 16 * MIB);
	db_table_id table = make_table(env, "rows");
	struct db_usage before, full, after;
	CHECK_INT(db_env_usage(env, &before), 0);
	CHECK_INT(before.map_bytes, 16 * MIB);
	CHECK(before.page_bytes >= 4096 && before.used_bytes <= 16 * before.page_bytes);
	uint8_t value[1000] = {0};
	struct db_txn *txn = begin(env, true);
	for (uint64_t i = 0; i < 4000; i++)
		CHECK_INT(db_append(txn, table, key_of(i), BYTES(value, sizeof(value))), 0);
	CHECK_INT(db_commit(txn), 0);
	CHECK_INT(db_env_usage(env, &full), 0);
	CHECK(full.used_bytes > 4000 * 1000 && full.used_bytes < 2 * 4000 * 1000);
	CHECK(full.free_bytes < MIB / 4);
	txn = begin(env, true);
	for (uint64_t i = 0; i < 4000; i++)
		CHECK_INT(db_delete(txn, table, key_of(i)), 0);
	CHECK_INT(db_commit(txn), 0);
	CHECK_INT(db_env_usage(env, &after), 0);
	CHECK(after.used_bytes >= full.used_bytes);
	CHECK(after.free_bytes > 4000 * 1000 && after.free_bytes < after.used_bytes);
	CHECK(after.readers >= 1);
}

static void parked_readers_see_news_when_renewed(void)
{
	_cleanup_(db_env_close) struct db_env *env = open_env(folder(), MIB);
	db_table_id table = make_table(env, "rows");
	uint64_t count;
	struct db_txn *reader = begin(env, false);
	fill(env, table, 10);
	CHECK_INT(db_count(reader, table, &count), 0);
	CHECK_INT(count, 0); /* a snapshot */
	db_reset(reader);
	CHECK_INT(db_renew(reader), 0);
	CHECK_INT(db_count(reader, table, &count), 0);
	CHECK_INT(count, 10);
	db_reset(reader);
	db_abort(reader);
}

struct shared {
	struct db_env *env;
	db_table_id table;
	atomic_bool stop;
	atomic_uint reads;
};

/*
 * Both rows are written in one transaction, so no snapshot may show them apart. And time never goes
 * back: a reader that had seen a state before its commit was done would find an older one next.
 */
static void *read_snapshots(void *arg)
{
	struct shared *shared = arg;
	struct db_txn *txn = begin(shared->env, false);
	uint64_t last = 0;
	while (!atomic_load(&shared->stop)) {
		struct bytes a, b;
		CHECK_INT(db_get(txn, shared->table, key_of(0), &a), 0);
		CHECK_INT(db_get(txn, shared->table, key_of(1), &b), 0);
		CHECK_INT(be64_get(a.data), be64_get(b.data));
		CHECK(be64_get(a.data) >= last);
		last = be64_get(a.data);
		db_reset(txn);
		atomic_fetch_add(&shared->reads, 1);
		CHECK_INT(db_renew(txn), 0);
	}
	db_abort(txn);
	return NULL;
}

static void write_pair(struct shared *shared, uint64_t number)
{
	struct db_txn *txn = begin(shared->env, true);
	for (uint64_t i = 0; i < 2; i++)
		CHECK_INT(db_put(txn, shared->table, key_of(i), key_of(number)), 0);
	CHECK_INT(db_commit(txn), 0);
}

static void readers_see_whole_transactions(void)
{
	_cleanup_(db_env_close) struct db_env *env = open_env(folder(), 256 * MIB);
	/* Room enough: a reader that is descheduled holds back every page freed meanwhile. */
	struct shared shared = {.env = env, .table = make_table(env, "rows")};
	pthread_t threads[4];
	write_pair(&shared, 1);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		CHECK_INT(pthread_create(&threads[i], NULL, read_snapshots, &shared), 0);
	for (uint64_t i = 2; i < 3000 || atomic_load(&shared.reads) < 1000; i++)
		write_pair(&shared, i);
	atomic_store(&shared.stop, true);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
}

static void *take_over(void *arg)
{
	struct db_txn *txn = arg;
	CHECK_INT(db_renew(txn), 0);
	db_abort(txn);
	return NULL;
}

static void a_reader_is_handed_over(void)
{
	_cleanup_(db_env_close) struct db_env *env = open_env(folder(), MIB);
	db_table_id table = make_table(env, "rows");
	struct bytes value;
	fill(env, table, 1);
	struct db_txn *first = begin(env, false),
		      *second = begin(env, false); /* two in one thread */
	CHECK_INT(db_get(first, table, key_of(0), &value), 0);
	CHECK_INT(db_get(second, table, key_of(0), &value), 0);
	db_reset(first);
	pthread_t thread;
	CHECK_INT(pthread_create(&thread, NULL, take_over, first), 0);
	pthread_join(thread, NULL);
	db_abort(second);
}

CHECK_MAIN(CHECK_CASE(rows_come_back), CHECK_CASE(abort_forgets_and_the_environment_goes_on),
	CHECK_CASE(appending_out_of_order_fails), CHECK_CASE(first_failure_sticks),
	CHECK_CASE(keys_are_1_to_511_bytes), CHECK_CASE(reserved_room_is_the_value),
	CHECK_CASE(cursors_walk_in_order), CHECK_CASE(a_cursor_looks_up_what_is_there),
	CHECK_CASE(cursors_delete_exactly), CHECK_CASE(a_cursor_deletes_one_row_at_a_place),
	CHECK_CASE(options_are_obeyed), CHECK_CASE(a_foreign_file_is_refused),
	CHECK_CASE(usage_counts_pages), CHECK_CASE(parked_readers_see_news_when_renewed),
	CHECK_CASE(readers_see_whole_transactions), CHECK_CASE(a_reader_is_handed_over))
