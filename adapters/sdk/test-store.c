/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Real files, and a real second process where one matters. A store that forgets a committed row, or keeps
 * one of a turn that failed, would lose or double messages.
 */
#include "adapters/sdk/store.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/kit/check.h"

enum { MAP = 16 << 20 };

static struct store *open_store(const char *dir)
{
	char why[512] = "";
	struct store *store = NULL;
	int r = store_open(dir, MAP, "test.demo", "city", &store, why, sizeof(why));
	if (r)
		CHECK_FAIL("store: %d %s", r, why);
	return store;
}

static void put(struct store *store, const char *key, const char *value)
{
	CHECK_INT(store_put(store, STORE_META, BYTES_STR(key), BYTES_STR(value)), 0);
}

static void has(struct store *store, const char *key, const char *value)
{
	struct bytes found;
	int r = store_get(store, STORE_META, BYTES_STR(key), &found);
	CHECK_INT(r, value ? 0 : STORE_NOT_FOUND);
	CHECK(!value || bytes_equal(found, BYTES_STR(value)));
}

static void a_turn_is_all_or_nothing(void)
{
	const char *dir = check_subdir();
	char path[512];
	snprintf(path, sizeof(path), "%s", dir);
	struct store *store = open_store(path);
	CHECK(!store_changed(store));
	put(store, "a", "1");
	CHECK(store_changed(store));
	CHECK_INT(store_commit(store), 0);
	put(store, "b", "2");
	has(store, "b", "2");
	store_abort(store);
	has(store, "b", NULL);
	put(store, "c", "3");
	store_free(store); /* not committed */
	store = open_store(path);
	has(store, "a", "1");
	has(store, "b", NULL);
	has(store, "c", NULL);
	store_free(store);
}

static void a_killed_process_keeps_what_it_committed(void)
{
	char path[512];
	int pipes[2];
	char byte;
	snprintf(path, sizeof(path), "%s", check_subdir());
	CHECK_INT(pipe(pipes), 0);
	pid_t child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		struct store *store = open_store(path);
		put(store, "kept", "yes");
		CHECK_INT(store_commit(store), 0);
		put(store, "open", "no");
		CHECK_INT(write(pipes[1], "x", 1), 1);
		pause();
		_exit(0);
	}
	CHECK_INT(read(pipes[0], &byte, 1), 1);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	struct store *store = open_store(path);
	has(store, "kept", "yes");
	has(store, "open", NULL);
	store_free(store);
}

static void another_bus_or_party_is_refused(void)
{
	char path[512], why[512] = "";
	struct store *store = NULL;
	snprintf(path, sizeof(path), "%s", check_subdir());
	store_free(open_store(path));
	CHECK_INT(store_open(path, MAP, "other.demo", "city", &store, why, sizeof(why)),
		STORE_REFUSED);
	CHECK(strstr(why, "another bus"));
	CHECK_INT(store_open(path, MAP, "test.demo", "ministry", &store, why, sizeof(why)),
		STORE_REFUSED);
	CHECK(strstr(why, "another party"));
}

static void large_values_are_joined_again(void)
{
	enum { LARGE = 300000 };
	_cleanup_(heap_free) uint8_t *data = malloc(LARGE);
	CHECK(data);
	char path[512];
	struct bytes back;
	_cleanup_(arena_free) struct arena *arena = arena_new(4 << 20);
	snprintf(path, sizeof(path), "%s", check_subdir());
	_cleanup_(store_free) struct store *store = open_store(path);
	for (size_t i = 0; i < LARGE; i++)
		data[i] = (uint8_t)(i / 251);
	static const size_t sizes[] = {0, 1, 3999, 4000, 4001, 8000, 262144, LARGE};
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct bytes whole = BYTES(data, sizes[i]);
		uint64_t rows;
		CHECK_INT(store_chunks_put(store, i, STORE_PART_BODY, whole), 0);
		CHECK_INT(store_commit(store), 0);
		CHECK_INT(store_chunks_get(store, i, STORE_PART_BODY, sizes[i], arena, &back), 0);
		CHECK(bytes_equal(back, whole));
		CHECK_INT(store_chunks_get(store, i, STORE_PART_BODY, sizes[i] + 1, arena, &back),
			-EBADMSG);
		CHECK_INT(store_chunks_delete(store, i, STORE_PART_BODY, sizes[i]), 0);
		CHECK_INT(store_count(store, STORE_CONTENT, &rows), 0);
		CHECK_INT(rows, 0);
		arena_reset(arena);
	}
}

static void a_full_store_says_so_and_keeps_the_rest(void)
{
	const uint8_t block[4000] = {};
	char path[512];
	uint8_t key[8];
	int r = 0;
	snprintf(path, sizeof(path), "%s", check_subdir());
	struct store *store = open_store(path);
	put(store, "before", "1");
	CHECK_INT(store_commit(store), 0);
	for (uint64_t i = 0; r == 0 && i < 100000; i++) {
		be64_put(key, i);
		r = store_put(store, STORE_CONTENT, BYTES(key, 8), BYTES(block, sizeof(block)));
	}
	CHECK_INT(r, -ENOSPC);
	CHECK_INT(store_commit(store), -ENOSPC);
	has(store, "before", "1");
	uint64_t rows;
	CHECK_INT(store_count(store, STORE_CONTENT, &rows), 0);
	CHECK_INT(rows, 0);
	store_free(store);
}

static void nearly_full_is_told_in_time(void)
{
	const uint8_t block[4000] = {};
	char path[512];
	uint8_t key[8];
	snprintf(path, sizeof(path), "%s", check_subdir());
	struct store *store = open_store(path);
	CHECK(!store_is_full(store));
	for (uint64_t i = 0; i < MAP / 4096 * 92 / 100; i++) {
		be64_put(key, i);
		CHECK_INT(store_put(store, STORE_CONTENT, BYTES(key, 8), BYTES(block, 4000)), 0);
	}
	CHECK_INT(store_commit(store), 0);
	store_free(store);
	store = open_store(path); /* looks again only after a while: a new one does at once */
	CHECK(store_is_full(store));
	store_free(store);
}

static void a_reader_sees_what_a_writer_committed(void)
{
	char path[512];
	int to_child[2], to_parent[2], status;
	char byte;
	snprintf(path, sizeof(path), "%s", check_subdir());
	CHECK_INT(pipe(to_child) + pipe(to_parent), 0);
	pid_t child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		struct store *reader = NULL;
		CHECK_INT(read(to_child[0], &byte, 1), 1);
		CHECK_INT(store_open_reader(path, &reader), 0);
		has(reader, "a", "1");
		store_free(reader);
		_exit(0);
	}
	struct store *store = open_store(path);
	put(store, "a", "1");
	CHECK_INT(store_commit(store), 0);
	put(store, "a", "not yet");
	CHECK_INT(write(to_child[1], "x", 1), 1);
	CHECK_INT(waitpid(child, &status, 0), child);
	CHECK_INT(status, 0);
	store_free(store);
	struct store *none = NULL;
	CHECK_INT(store_open_reader(check_subdir(), &none), -ENOENT);
}

static int stop_at_b(void *context, struct bytes key, struct bytes value)
{
	int *seen = context;
	(*seen)++;
	return bytes_equal(key, BYTES_STR("b")) ? 7 : 0;
}

static void a_scan_goes_in_order_and_stops(void)
{
	char path[512];
	int seen = 0;
	snprintf(path, sizeof(path), "%s", check_subdir());
	_cleanup_(store_free) struct store *store = open_store(path);
	CHECK_INT(store_put(store, STORE_SENT, BYTES_STR("c"), BYTES_STR("3")), 0);
	CHECK_INT(store_put(store, STORE_SENT, BYTES_STR("a"), BYTES_STR("1")), 0);
	CHECK_INT(store_put(store, STORE_SENT, BYTES_STR("b"), BYTES_STR("2")), 0);
	CHECK_INT(store_scan(store, STORE_SENT, BYTES(NULL, 0), stop_at_b, &seen), 7);
	CHECK_INT(seen, 2);
	seen = 0;
	CHECK_INT(store_scan(store, STORE_SENT, BYTES_STR("bb"), stop_at_b, &seen), 0);
	CHECK_INT(seen, 1);
}

CHECK_MAIN(CHECK_CASE(a_turn_is_all_or_nothing),
	CHECK_CASE(a_killed_process_keeps_what_it_committed),
	CHECK_CASE(another_bus_or_party_is_refused), CHECK_CASE(large_values_are_joined_again),
	CHECK_CASE(a_full_store_says_so_and_keeps_the_rest),
	CHECK_CASE(nearly_full_is_told_in_time), CHECK_CASE(a_reader_sees_what_a_writer_committed),
	CHECK_CASE(a_scan_goes_in_order_and_stops))
