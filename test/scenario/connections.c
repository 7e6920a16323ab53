/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Connections die in every way there is: cut while both ends live, frozen half-open, replaced by a newer
 * process. Sessions notice, deliveries come again, and nothing is lost or ended twice.
 */
#include <signal.h>

#include "test/kit/check.h"
#include "test/kit/party.h"
#include "test/kit/proxy.h"

static const struct party_draft application = {.region = "051240000000"};

static void world_open(struct bus *bus)
{
	bus_init_usual(bus, check_subdir());
	bus_write(bus);
	bus_start(bus);
}

static void a_cut_cable_costs_nothing(void)
{
	struct bus bus;
	struct proxy proxy;
	struct party city, jobcenter;

	world_open(&bus);
	proxy_start(&proxy, bus.port);
	party_init(&city, &bus, "city");
	party_connect(&city, NULL);
	party_init(&jobcenter, &bus, "jobcenter");
	jobcenter.manual = true;
	party_connect(&jobcenter, proxy.endpoint);

	/* An application is under way at the jobcenter when the cable goes. */
	CHECK_INT(party_send(&city, &application)->kind, ANSWER_RECEIPT);
	party_until(&jobcenter, jobcenter.deliveries_count == 1, 10000);
	proxy_cut(&proxy);

	/* The session notices, comes back by itself, and the application is handed out again. */
	party_until(&jobcenter, jobcenter.deliveries_count == 2, 40000);
	CHECK_MEM(jobcenter.deliveries[1].h, jobcenter.deliveries[0].h, 32);
	CHECK(jobcenter.deliveries[1].attempt > jobcenter.deliveries[0].attempt);

	/* Both copies acknowledged: it ends once, the city hears once. */
	party_acknowledge(&jobcenter, 0, 1, NULL);
	party_acknowledge(&jobcenter, 1, 1, NULL);
	party_until(&jobcenter, jobcenter.acknowledged_count == 2, 10000);
	party_until(&city, city.outcomes_count == 1, 10000);
	CHECK_INT(party_send(&city, &application)->kind, ANSWER_RECEIPT);
	CHECK_INT(city.outcomes_count, 1);

	party_deinit(&jobcenter);
	party_deinit(&city);
	proxy_end(&proxy);
	CHECK_INT(bus_end(&bus, SIGTERM), 0);
	bus_deinit(&bus);
}

static void a_newer_process_takes_over(void)
{
	struct bus bus;
	struct party city, old, new;

	world_open(&bus);
	party_init(&city, &bus, "city");
	party_connect(&city, NULL);
	party_init(&old, &bus, "jobcenter");
	old.manual = true;
	party_connect(&old, NULL);
	CHECK_INT(party_send(&city, &application)->kind, ANSWER_RECEIPT);
	party_until(&old, old.deliveries_count == 1, 10000);

	party_init(&new, &bus, "jobcenter");
	party_connect(&new, NULL);
	party_until(&new, new.deliveries_count == 1, 10000);
	party_until(&old, client_state(old.client) == CLIENT_REPLACED, 10000);
	CHECK_MEM(new.deliveries[0].h, old.deliveries[0].h, 32);
	party_until(&city, city.outcomes_count == 1, 10000);

	party_deinit(&old);
	party_deinit(&new);
	party_deinit(&city);
	CHECK_INT(bus_end(&bus, SIGTERM), 0);
	bus_deinit(&bus);
}

static void not_now_means_later(void)
{
	struct bus bus;
	struct party city, jobcenter;

	world_open(&bus);
	party_init(&city, &bus, "city");
	party_connect(&city, NULL);
	party_init(&jobcenter, &bus, "jobcenter");
	jobcenter.manual = true;
	party_connect(&jobcenter, NULL);
	CHECK_INT(party_send(&city, &application)->kind, ANSWER_RECEIPT);
	party_until(&jobcenter, jobcenter.deliveries_count == 1, 10000);

	long long then = now_ms();
	party_nak(&jobcenter, jobcenter.deliveries[0].sequence, 700);
	party_until(&jobcenter, jobcenter.deliveries_count == 2, 10000);
	CHECK(now_ms() - then >= 650);
	CHECK_INT(jobcenter.deliveries[1].attempt, 2);

	/* Attempts survive the broker. */
	bus_end(&bus, SIGKILL);
	bus_start(&bus);
	party_until(&jobcenter, jobcenter.deliveries_count == 3, 40000);
	CHECK(jobcenter.deliveries[2].attempt >= 2);

	party_acknowledge(&jobcenter, 2, 1, "not-responsible");
	party_until(&city, city.outcomes_count == 1, 20000);
	CHECK_STR(city.outcomes[0].state, "rejected");
	CHECK_STR(city.outcomes[0].code, "not-responsible");

	party_deinit(&jobcenter);
	party_deinit(&city);
	CHECK_INT(bus_end(&bus, SIGTERM), 0);
	bus_deinit(&bus);
}

CHECK_MAIN(CHECK_CASE(a_cut_cable_costs_nothing), CHECK_CASE(a_newer_process_takes_over),
	CHECK_CASE(not_now_means_later))
