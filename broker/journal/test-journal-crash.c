/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A child journals as fast as it can and tells every receipt through a pipe; it is killed somewhere in
 * the middle. Whatever came through the pipe must be in the journal, byte for byte provable, and the
 * journal must open again without anybody's help. A pipe holds what was written before the kill, so
 * there is no receipt that the test does not know of.
 */
#include "broker/journal/test-fixture.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/kit/check.h"

enum { ROUNDS = 12, IN_FLIGHT = 8, TOLD_MAX = 1 << 16 };

/* What a receipt told: fixed size, below PIPE_BUF, so it is there whole or not at all. */
struct told {
	uint64_t sequence;
	uint8_t h[HASH_SIZE];
	uint8_t nonce[32];
};

static void tell(int fd, const struct parcel *parcel)
{
	for (size_t i = 0; i < parcel->submits_count; i++) {
		const struct parcel_submit *submit = &parcel->submits[i];
		struct told told = {.sequence = submit->proof.sequence};
		CHECK_INT(submit->decision.result, SUBMIT_ACCEPTED);
		memcpy(told.h, submit->facts.h, sizeof(told.h));
		memcpy(told.nonce, submit->proof.nonce, sizeof(told.nonce));
		CHECK_INT(write(fd, &told, sizeof(told)), sizeof(told));
	}
}

/* The child: messages and acknowledgements without end. */
static void journal_until_killed(struct journal_fixture *f, int fd)
{
	uint64_t round = 0;
	size_t out = 0; /* what has come back counts until it is taken */
	journal_fixture_start(f);
	for (;;) {
		struct fixture_load load = {
			.count = 1 + round % 40, .content_bytes = 100 * (round % 60)};
		if (out < IN_FLIGHT) {
			out++;
			journal_push(f->journal, journal_fixture_submit(f, &load));
			clock_fake_advance(&f->clock, 1 + round % 7);
			round++;
			continue;
		}
		struct parcel *back = journal_fixture_wait(f);
		if (back->kind == PARCEL_TICK) {
			journal_return(f->journal, back);
			continue;
		}
		out--;
		if (back->kind == PARCEL_SUBMIT) {
			out++;
			tell(fd, back);
			journal_push(f->journal, journal_fixture_acks(f, "ministry", back));
		}
		parcel_free(back);
	}
}

/* Kill it once it told @enough; then take all it told. Return: how many. */
static size_t listen_and_kill(pid_t child, int fd, size_t enough, struct told *told)
{
	size_t bytes = 0;
	bool killed = false;
	for (;;) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		CHECK(poll(&wait, 1, FIXTURE_WAIT_MS) == 1);
		ssize_t n = read(fd, (uint8_t *)told + bytes, TOLD_MAX * sizeof(*told) - bytes);
		CHECK(n >= 0);
		bytes += (size_t)n;
		if (n == 0)
			break;
		if (!killed && bytes >= enough * sizeof(*told)) {
			CHECK_INT(kill(child, SIGKILL), 0);
			killed = true;
		}
	}
	int status;
	CHECK_INT(waitpid(child, &status, 0), child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	return bytes / sizeof(*told);
}

static void check_told(struct journal_fixture *f, const struct told *told, size_t count)
{
	_cleanup_(journal_reader_free) struct journal_reader *reader = NULL;
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 20);
	struct merkle_hash path[MERKLE_LEVELS];
	struct journal_meta meta;
	size_t steps;
	CHECK_INT(journal_reader_new(journal_env(f->journal), f->keyring, &reader), 0);
	CHECK_INT(journal_reader_begin(reader), 0);
	CHECK_INT(journal_read_meta(reader, &meta), 0);
	for (size_t i = 0; i < count; i++) {
		struct disclosed disclosed;
		struct bytes content;
		Dienstweg__Row *row;
		arena_reset(arena);
		CHECK_INT(journal_read_row(reader, told[i].sequence, arena, &row), 0);
		CHECK_MEM(row->nonce.data, told[i].nonce, 32);
		CHECK_INT(disclosed_decode(BYTES_PB(row->disclosed), &disclosed), 0);
		CHECK_MEM(disclosed.digest, told[i].h, HASH_SIZE);
		CHECK_INT(journal_read_content(reader, told[i].sequence, arena, &content), 0);
		CHECK_INT(journal_read_path(reader, told[i].sequence, meta.size, path, &steps), 0);
	}
	/* Nothing between the entries, either: every stub, every row. */
	for (uint64_t i = 0; i < meta.size; i++) {
		Dienstweg__Row *row;
		arena_reset(arena);
		CHECK_INT(journal_read_row(reader, i, arena, &row), 0);
	}
}

static void survives_being_killed(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	struct told *told = malloc(TOLD_MAX * sizeof(*told));
	size_t count = 0;
	uint64_t size_before = 0;
	CHECK(told);
	journal_fixture_init(&f, check_memdir(), "journal");
	for (int round = 0; round < ROUNDS; round++) {
		int fds[2];
		CHECK_INT(pipe(fds), 0);
		fflush(NULL);
		pid_t child = fork();
		CHECK(child >= 0);
		if (child == 0) {
			close(fds[0]);
			journal_until_killed(&f, fds[1]);
			_exit(2);
		}
		close(fds[1]);
		count += listen_and_kill(child, fds[0], 1 + (size_t)round * 53, told + count);
		close(fds[0]);
		CHECK(count < TOLD_MAX / 2);
		/* The child made keys, and used some of our message ids. */
		CHECK_INT(keyring_reload(f.keyring), 0);
		f.ids.last_ms += 1000000;
		clock_fake_advance(&f.clock, 10000000);

		journal_fixture_start(&f);
		struct journal_stats stats;
		journal_stats(f.journal, &stats);
		check_told(&f, told, count);
		struct fixture_load load = {.count = 5, .content_bytes = 100};
		struct parcel *parcel = journal_fixture_submit(&f, &load);
		journal_fixture_run(&f, parcel);
		CHECK_INT(journal_fixture_check_receipts(&f, parcel), 5);
		parcel_free(parcel);
		journal_stats(f.journal, &stats);
		CHECK(stats.tree_size > size_before);
		size_before = stats.tree_size;
		journal_fixture_stop(&f);
	}
	printf("# %zu receipts over %d kills\n", count, ROUNDS);
	CHECK(count > ROUNDS);
	free(told);
}

CHECK_MAIN(CHECK_CASE(survives_being_killed))
