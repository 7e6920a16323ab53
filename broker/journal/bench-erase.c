/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What an erasure costs the traffic: messages a second before it, beside it, and afterwards in a file full of
 * holes, because every eighth message survives. Messages are made, signed and verified before the clock
 * starts. Built with the tests and run by hand:
 *   bench-erase DIR [MESSAGES]
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>

#include "broker/journal/test-fixture.h"
#include "proto/base/text.h"

enum {
	PER_PARCEL = 256,
	IN_FLIGHT = 4,
	PROBE = 100,
	BESIDE = 300,
	SURVIVES = 8,
	CONTENT_BYTES = 1024 - 40
};

static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void told(void *context, enum erase_told step)
{
	if (step == ERASE_TOLD_DONE && eventfd_write(*(int *)context, 1))
		exit(1);
}

static struct parcel *make(struct journal_fixture *f)
{
	return journal_fixture_submit(
		f, &(struct fixture_load){.count = PER_PARCEL, .content_bytes = CONTENT_BYTES});
}

/* All but every eighth are taken by their recipient. */
static void deliver(struct journal_fixture *f, const struct parcel *sent)
{
	struct parcel some = *sent;
	struct parcel_submit submits[PER_PARCEL];
	some.submits = submits;
	some.submits_count = 0;
	for (size_t i = 0; i < sent->submits_count; i++)
		if (i % SURVIVES != 0)
			submits[some.submits_count++] = sent->submits[i];
	struct parcel *acks = journal_fixture_acks(f, "ministry", &some);
	struct parcel *confirm = journal_fixture_act(f, PARCEL_CONFIRM);
	journal_fixture_run(f, acks);
	confirm->party = 1;
	confirm->sequence = acks->acks[acks->acks_count - 1].proof.sequence;
	journal_fixture_run(f, confirm);
	parcel_free(confirm);
	parcel_free(acks);
}

static void fill(struct journal_fixture *f, size_t messages)
{
	for (size_t i = 0; i < messages / PER_PARCEL; i++) {
		struct parcel *sent = make(f);
		journal_fixture_run(f, sent);
		deliver(f, sent);
		parcel_free(sent);
	}
}

static struct parcel **make_some(struct journal_fixture *f, size_t count)
{
	struct parcel **parcels = calloc(count, sizeof(struct parcel *));
	for (size_t i = 0; i < count; i++)
		parcels[i] = make(f);
	return parcels;
}

/* Return: messages a second over @count parcels, or until the run ends when that is sooner. */
static double push(struct journal_fixture *f, struct parcel **parcels, size_t count, int done_fd)
{
	struct pollfd done = {.fd = done_fd, .events = POLLIN};
	size_t pushed = 0, back = 0, most = count;
	uint64_t ns = now_ns();
	while (back < most) {
		while (pushed < most && pushed - back < IN_FLIGHT)
			journal_push(f->journal, parcels[pushed++]);
		struct parcel *one = journal_fixture_wait(f);
		if (one->kind == PARCEL_TICK) {
			journal_return(f->journal, one);
			continue;
		}
		back++;
		if (done_fd >= 0 && poll(&done, 1, 0) == 1)
			most = pushed; /* only what is under way still comes back */
	}
	ns = now_ns() - ns;
	for (size_t i = 0; i < count; i++)
		parcel_free(parcels[i]);
	free(parcels);
	return (double)(back * PER_PARCEL) * 1e9 / (double)ns;
}

int main(int argc, char **argv)
{
	struct journal_fixture f;
	struct erase_stats stats;
	uint64_t messages = 100000;
	int done = eventfd(0, EFD_CLOEXEC);
	if (argc < 2 || done < 0 || (argc > 2 && text_parse_u64(BYTES_STR(argv[2]), &messages))) {
		fprintf(stderr, "usage: bench-erase DIR [MESSAGES]\n");
		return 2;
	}
	journal_fixture_init(&f, argv[1], "erase");
	f.options.map_bytes = UINT64_C(64) << 30;
	f.options.erase_told = told;
	f.options.erase_told_context = &done;
	journal_fixture_start(&f);
	fill(&f, messages);
	double before = push(&f, make_some(&f, PROBE), PROBE, -1);
	struct parcel **for_beside = make_some(&f, BESIDE), **for_after = make_some(&f, PROBE);
	clock_fake_advance(&f.clock, UINT64_C(22) * 86400000);
	struct parcel *order = journal_fixture_act(&f, PARCEL_OPERATE);
	struct operator_act act = {.what = OPERATOR_ERASE_DUE};
	order->act = &act;
	uint64_t ns = now_ns();
	journal_fixture_run(&f, order);
	double beside = push(&f, for_beside, BESIDE, done);
	struct pollfd wait = {.fd = done, .events = POLLIN};
	poll(&wait, 1, -1);
	ns = now_ns() - ns;
	journal_erase_stats(f.journal, &stats);
	double after = push(&f, for_after, PROBE, -1);
	printf("%llu messages, every %dth survives: a run of %.1f s removed %llu contents and kept "
	       "%llu; messages/s before %.0f, beside it %.0f, after it %.0f\n",
		(unsigned long long)messages, SURVIVES, (double)ns / 1e9,
		(unsigned long long)stats.last_erased, (unsigned long long)stats.resealed, before,
		beside, after);
	parcel_free(order);
	journal_fixture_stop(&f);
	journal_fixture_deinit(&f);
	return 0;
}
