/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The thread through the whole house, told as people live it: an application is recorded while the
 * jobcenter is closed, survives the broker's death, is taken over once, answered, and every side holds
 * proof.
 */
#include <signal.h>

#include "test/kit/check.h"
#include "test/kit/party.h"

static void an_application_survives_everything(void)
{
	struct bus bus;
	struct party city, jobcenter;

	bus_init_usual(&bus, check_subdir());
	bus_write(&bus);
	bus_start(&bus);

	/* The city hands in an application; the jobcenter is not there yet. */
	party_init(&city, &bus, "city");
	party_connect(&city, NULL);
	struct party_draft application = {.region = "051240000000", .body = BYTES_STR("the form")};
	struct party_answer first = *party_send(&city, &application);
	CHECK_INT(first.kind, ANSWER_RECEIPT);

	/* The broker dies without a chance to say anything, and comes back. */
	bus_end(&bus, SIGKILL);
	bus_start(&bus);

	/* The jobcenter opens, gets the application, takes it over. */
	party_init(&jobcenter, &bus, "jobcenter");
	party_connect(&jobcenter, NULL);
	party_until(&jobcenter, jobcenter.deliveries_count == 1, 10000);
	CHECK(jobcenter.deliveries[0].opened);
	CHECK_STR((char *)jobcenter.deliveries[0].body, "the form");
	CHECK_STR(jobcenter.deliveries[0].sender, "city");
	CHECK_INT(jobcenter.deliveries[0].sequence, first.sequence);
	CHECK_MEM(jobcenter.deliveries[0].h, first.h, 32);
	party_until(&jobcenter, jobcenter.acknowledged_count == 1, 10000);

	/* The city, reconnected by itself, is told how it ended. */
	party_until(&city, city.outcomes_count == 1, 20000);
	CHECK_STR(city.outcomes[0].state, "accepted");
	CHECK_INT(city.outcomes[0].sequence, first.sequence);

	/* The jobcenter's decision goes the other way. */
	struct party_draft decision = {
		.service = "alg2.decision", .recipient = "city", .body = BYTES_STR("granted")};
	CHECK_INT(party_send(&jobcenter, &decision)->kind, ANSWER_RECEIPT);
	party_until(&city, city.deliveries_count == 1, 10000);
	CHECK_STR((char *)city.deliveries[0].body, "granted");

	party_deinit(&city);
	party_deinit(&jobcenter);
	CHECK_INT(bus_end(&bus, SIGTERM), 0);
	bus_deinit(&bus);
}

CHECK_MAIN(CHECK_CASE(an_application_survives_everything))
