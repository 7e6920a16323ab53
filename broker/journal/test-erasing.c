/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The attacker does what the program would not: takes a row and tries every key on it, whatever label it
 * bears. That a key of another day does not open it is the cipher's promise; that the key itself is nowhere is
 * ours.
 */
#include "broker/journal/test-erasing.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "broker/journal/keyring-use.h"
#include "proto/base/file.h"
#include "test/kit/check.h"

static void told(void *context, enum erase_told step)
{
	struct erasing *erasing = context;
	if (++erasing->steps == erasing->kill_at)
		raise(SIGKILL);
	if (step == ERASE_TOLD_RESEALED && erasing->cheat)
		erasing->cheat(erasing);
	if (step == ERASE_TOLD_DONE)
		CHECK_INT(eventfd_write(erasing->done_fd, 1), 0);
}

void erasing_init(struct erasing *erasing, const char *name)
{
	*erasing = (struct erasing){};
	journal_fixture_init(&erasing->journal, check_memdir(), name);
	erasing->done_fd = eventfd(0, EFD_CLOEXEC);
	CHECK(erasing->done_fd >= 0);
	erasing->journal.options.erase_told = told;
	erasing->journal.options.erase_told_context = erasing;
}

void erasing_deinit(struct erasing *erasing)
{
	journal_fixture_deinit(&erasing->journal);
	fd_close_at(&erasing->done_fd);
}

struct parcel *erasing_submit(struct erasing *erasing, const struct fixture_load *load)
{
	struct parcel *parcel = journal_fixture_submit(&erasing->journal, load);
	journal_fixture_run(&erasing->journal, parcel);
	for (size_t i = 0; i < parcel->submits_count; i++)
		CHECK_INT(parcel->submits[i].decision.result, SUBMIT_ACCEPTED);
	return parcel;
}

uint64_t erasing_acknowledge(
	struct erasing *erasing, const char *recipient, const struct parcel *sent)
{
	struct journal_fixture *f = &erasing->journal;
	struct parcel *acks = journal_fixture_acks(f, recipient, sent);
	uint64_t last = 0;
	journal_fixture_run(f, acks);
	CHECK(acks->acks_count > 0);
	for (size_t i = 0; i < acks->acks_count; i++) {
		CHECK(acks->acks[i].decision.append);
		last = acks->acks[i].proof.sequence;
	}
	parcel_free(acks);
	return last;
}

void erasing_confirm(struct erasing *erasing, uint64_t sequence)
{
	struct parcel *confirm = journal_fixture_act(&erasing->journal, PARCEL_CONFIRM);
	confirm->sequence = sequence;
	confirm->party = 1; /* city: parties are numbered in order of their names */
	journal_fixture_run(&erasing->journal, confirm);
	parcel_free(confirm);
}

void erasing_deliver(struct erasing *erasing, const char *recipient, const struct parcel *sent)
{
	erasing_confirm(erasing, erasing_acknowledge(erasing, recipient, sent));
}

struct operator_act erasing_operate(struct erasing *erasing, const struct operator_act *act)
{
	struct parcel *parcel = journal_fixture_act(&erasing->journal, PARCEL_OPERATE);
	struct operator_act copy = *act;
	parcel->act = &copy;
	journal_fixture_run(&erasing->journal, parcel);
	parcel_free(parcel);
	return copy;
}

void erasing_wait(struct erasing *erasing)
{
	struct journal_fixture *f = &erasing->journal;
	struct pollfd wait[] = {{.fd = erasing->done_fd, .events = POLLIN},
		{.fd = queue_fd(f->done), .events = POLLIN}};
	eventfd_t times;
	do { /* timers go on meanwhile */
		CHECK(poll(wait, ARRAY_LEN(wait), FIXTURE_WAIT_MS) > 0);
		if (wait[1].revents)
			journal_return(f->journal, journal_fixture_wait(f));
	} while (!wait[0].revents);
	CHECK_INT(eventfd_read(erasing->done_fd, &times), 0);
}

void erasing_later(struct erasing *erasing, uint32_t days)
{
	clock_fake_advance(&erasing->journal.clock, (uint64_t)days * ERASING_DAY_MS);
	erasing_operate(erasing, &(struct operator_act){.what = OPERATOR_ERASE_DUE});
	erasing_wait(erasing);
}

/* ---- reading ---- */

/* What a reader gets of each: called with 0 or READER_*. */
static void read_all(struct erasing *erasing, bool content, const uint64_t *rows, size_t count,
	void (*got)(void *context, int r), void *context)
{
	_cleanup_(journal_reader_free) struct journal_reader *reader = NULL;
	_cleanup_(arena_free) struct arena *arena = arena_new(4 << 20);
	struct journal_fixture *f = &erasing->journal;
	Dienstweg__Row *row;
	struct bytes bytes;
	CHECK(arena);
	CHECK_INT(journal_reader_new(journal_env(f->journal), f->keyring, &reader), 0);
	CHECK_INT(journal_reader_begin(reader), 0);
	for (size_t i = 0; i < count; i++) {
		arena_reset(arena);
		got(context, content ? journal_read_content(reader, rows[i], arena, &bytes)
				     : journal_read_row(reader, rows[i], arena, &row));
	}
}

static void keep_result(void *context, int r)
{
	*(int *)context = r;
}

static void count_result(void *context, int r)
{
	CHECK(r == 0 || r == READER_ERASED);
	*(size_t *)context += r == 0;
}

int erasing_read_record(struct erasing *erasing, uint64_t sequence)
{
	int r;
	read_all(erasing, false, &sequence, 1, keep_result, &r);
	return r;
}

int erasing_read_content(struct erasing *erasing, uint64_t sequence)
{
	int r;
	read_all(erasing, true, &sequence, 1, keep_result, &r);
	return r;
}

size_t erasing_count_records(struct erasing *erasing, const uint64_t *rows, size_t count)
{
	size_t found = 0;
	read_all(erasing, false, rows, count, count_result, &found);
	return found;
}

size_t erasing_count_contents(struct erasing *erasing, const uint64_t *rows, size_t count)
{
	size_t found = 0;
	read_all(erasing, true, rows, count, count_result, &found);
	return found;
}

bool erasing_has_row(struct erasing *erasing, const char *table, uint64_t sequence)
{
	struct key key = key_u64(sequence);
	struct bytes value;
	struct db_txn *txn;
	db_table_id id;
	CHECK_INT(db_begin(journal_env(erasing->journal.journal), false, &txn), 0);
	CHECK_INT(db_table_open(txn, table, &id), 0);
	int r = db_get(txn, id, KEY_BYTES_OF(key), &value);
	CHECK(r == 0 || r == DB_NOT_FOUND);
	db_abort(txn);
	return r == 0;
}

/* ---- the attacker ---- */

const char *erasing_backup(struct erasing *erasing, const char *name, char buf[300])
{
	char path[400];
	uint8_t *data = NULL;
	size_t len;
	CHECK_INT(path_join(path, sizeof(path), erasing->journal.dir, "data.mdb"), 0);
	CHECK_INT(file_read(path, 1 << 30, &data, &len), 0);
	CHECK(snprintf(buf, 300, "%s-%s", erasing->journal.dir, name) < 300);
	CHECK_INT(dir_make(buf, 0700), 0);
	CHECK_INT(path_join(path, sizeof(path), buf, "data.mdb"), 0);
	CHECK_INT(file_replace(path, BYTES(data, len), 0600), 0);
	free(data);
	return buf;
}

enum { KEYS_MAX = 4096, CLASSES = 2, DAYS_BACK = 800, DAYS_AHEAD = 4000, GENERATIONS = 4 };

static size_t all_keys(struct keyring *keyring, uint8_t keys[KEYS_MAX][AEAD_KEY_SIZE])
{
	uint32_t now = clock_day(FIXTURE_NOW_MS);
	size_t count = 0;
	for (uint8_t class = 1; class <= CLASSES; class ++)
		for (uint32_t day = now - DAYS_BACK; day < now + DAYS_AHEAD; day++)
			for (uint32_t generation = 0; generation < GENERATIONS; generation++)
				if (keyring_find(keyring, class, label_make(day, generation),
					    keys[count]) == 0)
					CHECK(++count < KEYS_MAX);
	CHECK(count > 0);
	return count;
}

static bool opens(struct bytes value, const char *table, uint64_t sequence, uint8_t class,
	uint8_t keys[KEYS_MAX][AEAD_KEY_SIZE], size_t count)
{
	enum { FRONT = 1 + 4 + AEAD_NONCE_SIZE };
	uint8_t aad[64], plain[VALUE_MAX];
	size_t name = strlen(table);
	CHECK(value.len > FRONT && value.len <= VALUE_MAX && value.data[0] == 1);
	memcpy(aad, table, name);
	be64_put(aad + name, sequence);
	be16_put(aad + name + 8, 0);
	aad[name + 10] = class;
	memcpy(aad + name + 11, value.data + 1, 4);
	for (size_t i = 0; i < count; i++)
		if (aead_open(plain, BYTES(value.data + FRONT, value.len - FRONT),
			    BYTES(aad, name + 15), value.data + 5, keys[i]) == 0)
			return true;
	return false;
}

size_t erasing_attack(const char *dir, struct keyring *keyring, const char *table,
	const uint64_t *rows, size_t count)
{
	const struct db_options options = {
		.tables_max = TABLES_MAX, .readers_max = 4, .read_only = true};
	uint8_t(*keys)[AEAD_KEY_SIZE] = calloc(KEYS_MAX, AEAD_KEY_SIZE);
	bool content = strcmp(table, "content") == 0;
	db_table_id id, stubs;
	struct db_env *env;
	struct db_txn *txn;
	size_t opened = 0;
	CHECK(keys);
	size_t keys_count = all_keys(keyring, keys);
	CHECK_INT(db_env_open(dir, &options, &env), 0);
	CHECK_INT(db_begin(env, false, &txn), 0);
	CHECK_INT(db_table_open(txn, table, &id), 0);
	CHECK_INT(db_table_open(txn, "stub", &stubs), 0);
	for (size_t i = 0; i < count; i++) {
		struct key stub_key = key_u64(rows[i]);
		struct key key = content ? key_chunk(rows[i], 0) : stub_key;
		struct bytes value, stub;
		CHECK_INT(db_get(txn, stubs, KEY_BYTES_OF(stub_key), &stub), 0);
		CHECK_INT(db_get(txn, id, KEY_BYTES_OF(key), &value), 0);
		opened += opens(value, table, rows[i], stub.data[2], keys, keys_count);
	}
	db_abort(txn);
	db_env_close(env);
	free(keys);
	return opened;
}

bool erasing_grep(const char *dir, const char *text)
{
	DIR *entries = opendir(dir);
	const struct dirent *entry;
	bool found = false;
	CHECK(entries);
	while ((entry = readdir(entries)) != NULL) {
		char path[700];
		uint8_t *data = NULL;
		size_t len;
		if (entry->d_type != DT_REG)
			continue;
		CHECK_INT(path_join(path, sizeof(path), dir, entry->d_name), 0);
		CHECK_INT(file_read(path, 1 << 30, &data, &len), 0);
		found = found || memmem(data, len, text, strlen(text)) != NULL;
		free(data);
	}
	closedir(entries);
	return found;
}
