/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Bad input is only half a test; the other half is everybody else. So every story asks the same two
 * questions after each piece of nonsense, in one place.
 */
#include "test/scenario/bystanders.h"

#include <signal.h>

#include "test/kit/check.h"
#include "test/kit/usage.h"

/*
 * What memory may grow by. A parcel's arena keeps its first block, ZeroMQ its pipes, glibc what it was
 * given back in pieces.
 */
enum { MEMORY_SLACK = (64 << 20) + USAGE_SANITIZER_BYTES };
enum { FILES_SLACK = 4, WARM_UP = 20 };

static void message_passes(struct bystanders *all)
{
	static const struct party_draft application = {
		.region = "051240000000", .body = {(const uint8_t *)"ok", 2}};
	size_t before = all->jobcenter.deliveries_count;

	CHECK_INT(party_send(&all->city, &application)->kind, ANSWER_RECEIPT);
	party_until(&all->jobcenter, all->jobcenter.deliveries_count > before, 20000);
	CHECK(all->jobcenter.deliveries[before].opened);
}

void bystanders_open(struct bystanders *all, const char *extra)
{
	/* meson sets it, and it touches every page that malloc gives: no measure of what a broker takes. */
	unsetenv("MALLOC_PERTURB_");
	*all = (struct bystanders){0};
	bus_init_usual(&all->bus, check_subdir());
	struct registry_fixture *f = all->bus.fixture;
	registry_fixture_party(f, "ministry", NULL);
	registry_fixture_service(f, "uvg.figures");
	Dienstweg__Agreement *figures = registry_fixture_agreement(f, "figures", "2021-01-01", NULL);
	registry_fixture_flow(f, figures, "uvg.figures", "ministry", "city", NULL);
	registry_fixture_flow(f, figures, "uvg.figures", "city", "ministry", NULL);
	all->bus.extra = extra;
	bus_write(&all->bus);
	bus_start(&all->bus);
	party_init(&all->city, &all->bus, "city");
	party_init(&all->jobcenter, &all->bus, "jobcenter");
	party_init(&all->ministry, &all->bus, "ministry");
	party_connect(&all->city, NULL);
	party_connect(&all->jobcenter, NULL);
	for (int i = 0; i < WARM_UP; i++)
		message_passes(all);
	all->memory = usage_anonymous_bytes(all->bus.broker.pid);
	all->files = usage_files(all->bus.broker.pid);
}

void bystanders_close(struct bystanders *all)
{
	printf("# the broker's anonymous memory: %llu KiB, at most %llu KiB afterwards\n",
		(unsigned long long)all->memory >> 10, (unsigned long long)all->memory_most >> 10);
	party_deinit(&all->ministry);
	party_deinit(&all->city);
	party_deinit(&all->jobcenter);
	CHECK_INT(bus_end(&all->bus, SIGTERM), 0);
	bus_deinit(&all->bus);
}

void bystanders_undisturbed(struct bystanders *all)
{
	message_passes(all);
	uint64_t memory = usage_anonymous_bytes(all->bus.broker.pid);
	if (memory > all->memory_most)
		all->memory_most = memory;
	if (memory > all->memory + MEMORY_SLACK)
		CHECK_FAIL("the broker grew from %llu to %llu KiB",
			(unsigned long long)all->memory >> 10, (unsigned long long)memory >> 10);
}

void bystanders_files_closed(struct bystanders *all)
{
	size_t most = all->files + FILES_SLACK;
	party_until(&all->city, usage_files(all->bus.broker.pid) <= most, 30000);
}

void expect_error(struct wire *wire, struct bytes frame, const char *code)
{
	CHECK(wire_send(wire, frame, 20000));
	const Dienstweg__Error *error = wire_reply(wire, DIENSTWEG__FRAME__BODY_ERROR)->error;
	if (!bytes_equal(BYTES_PB(error->code), BYTES_STR(code)))
		CHECK_FAIL("the error is \"%.*s\" (%.*s), expected \"%s\"", (int)error->code.len,
			(const char *)error->code.data, (int)error->detail.len,
			(const char *)error->detail.data, code);
	CHECK(error->field.len > 0);
	CHECK(error->detail.len > 10); /* a sentence */
}
