/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The operator of the broker turns bad. The adapters are the real programs, started as agencies start them,
 * with keys and a policy on which the operator has no influence; the broker is a desk that lies, one for each
 * face that it shows. Whatever it tries, the next exchange with one of the two gives it away: the adapter
 * refuses, tells people, and does not start again before one of them has looked.
 */
#include <signal.h>

#include "proto/base/file.h"
#include "test/kit/bus.h"
#include "test/kit/check.h"
#include "test/kit/desk.h"

enum { FACES = 2, LONG_MS = 40000 };

/* An agency, and the face that the broker shows it. */
struct face {
	const char *party;
	struct desk *desk;
	struct process adapter;
	char log[512];
};

struct story {
	struct bus bus;
	struct face city, jobcenter;
};

static void adapter_start(struct story *story, struct face *face)
{
	char program[512], config[64];
	snprintf(config, sizeof(config), "%s.yaml", face->party);
	const char *const argv[] = {
		program_path("adapters/jobcenter/dienstweg-jobcenter", program, sizeof(program)),
		"--config", bus_path(&story->bus, config), "--demo", NULL};
	process_start(&face->adapter, face->log, argv);
}

static void face_init(struct story *story, struct face *face, const char *party)
{
	char lines[160], log[64];
	face->party = party;
	face->desk = calloc(1, sizeof(*face->desk));
	CHECK(face->desk);
	desk_init(face->desk, story->bus.fixture, "test.demo");
	desk_open(face->desk);
	/* It pings often, because what the broker says in between is what gives it away. */
	snprintf(lines, sizeof(lines),
		"witness: keys/%s.witness.secret\nreconnect:\n  ping: 500 ms\n", party);
	story->bus.adapter_extra = lines;
	bus_adapter_write(&story->bus, party, face->desk->endpoint);
	story->bus.adapter_extra = "";
	snprintf(log, sizeof(log), "logs/%s.log", party);
	snprintf(face->log, sizeof(face->log), "%s", bus_path(&story->bus, log));
}

/* Let the broker answer both for a moment. */
static void serve(struct story *story)
{
	desk_step(story->city.desk, 10);
	desk_step(story->jobcenter.desk, 10);
}

#define until(story, condition)                                                                    \
	do {                                                                                       \
		long long until_end = now_ms() + LONG_MS;                                          \
		while (!(condition)) {                                                             \
			if (now_ms() > until_end)                                                  \
				CHECK_FAIL("waited in vain for: %s", #condition);                  \
			serve(story);                                                              \
		}                                                                                  \
	} while (0)

static bool logged(const struct face *face, const char *text)
{
	return wait_for_line(face->log, text, 0, 0) >= 0;
}

/* Two agencies, each a witness of the bus; a third one, the ministry, is elsewhere. Both are connected. */
static void story_begin(struct story *story)
{
	*story = (struct story){};
	bus_init_usual(&story->bus, check_subdir());
	registry_fixture_party(story->bus.fixture, "ministry", NULL);
	registry_fixture_witness(story->bus.fixture, "city");
	registry_fixture_witness(story->bus.fixture, "jobcenter");
	registry_fixture_witness(story->bus.fixture, "ministry");
	registry_fixture_content(story->bus.fixture)->witness_quorum = 2;
	bus_write(&story->bus);
	face_init(story, &story->city, "city");
	face_init(story, &story->jobcenter, "jobcenter");
}

/* The same history for both, as an honest broker has it. */
static void agree(struct story *story)
{
	const struct desk *from = story->city.desk;
	struct desk *to = story->jobcenter.desk;
	memcpy(to->leaves, from->leaves, sizeof(to->leaves));
	memcpy(to->entries, from->entries, sizeof(to->entries));
	to->size = from->size;
}

static void both_connect(struct story *story)
{
	adapter_start(story, &story->city);
	adapter_start(story, &story->jobcenter);
	until(story, story->city.desk->hellos > 0 && story->jobcenter.desk->hellos > 0);
}

static void both_cosign(struct story *story)
{
	size_t city = story->city.desk->cosigns, jobcenter = story->jobcenter.desk->cosigns;
	desk_candidate(story->city.desk);
	desk_candidate(story->jobcenter.desk);
	until(story, story->city.desk->cosigns > city && story->jobcenter.desk->cosigns > jobcenter);
}

static void story_end(struct story *story)
{
	struct face *faces[FACES] = {&story->city, &story->jobcenter};
	for (size_t i = 0; i < FACES; i++) {
		process_end(&faces[i]->adapter, SIGTERM);
		desk_deinit(faces[i]->desk);
		free(faces[i]->desk);
	}
	bus_deinit(&story->bus);
}

/* It has stopped, a person finds out why, and it does not start before. */
static void refuses(struct story *story, struct face *face, const char *why)
{
	char path[64];
	uint8_t *text = NULL;
	size_t len;
	until(story, !process_running(&face->adapter));
	CHECK_INT(process_wait(&face->adapter, LONG_MS), 1);
	snprintf(path, sizeof(path), "%s/state/ALARM", face->party);
	CHECK_INT(file_read(bus_path(&story->bus, path), 1 << 16, &text, &len), 0);
	if (!memmem(text, len, why, strlen(why)))
		CHECK_FAIL("%s says: %.*s", path, (int)len, (char *)text);
	free(text);
	adapter_start(story, face);
	CHECK_INT(process_wait(&face->adapter, LONG_MS), 1);
	CHECK(logged(face, "ALARM is there"));
}

/* Two histories, each consistent in itself. Only one of them can find a quorum. */
static void it_shows_two_histories(void)
{
	struct story story;
	story_begin(&story);
	both_connect(&story);
	both_cosign(&story);

	/* To make city's history final it needs jobcenter's word for it. */
	desk_grow(story.city.desk, 5);
	agree(&story);
	desk_candidate(story.jobcenter.desk);
	refuses(&story, &story.jobcenter, "forked");
	CHECK_INT(story.jobcenter.desk->cosigns, 1);

	/* City gets nobody's word but its own, so nothing of it is final, and it goes on asking. */
	CHECK(process_running(&story.city.adapter));
	story_end(&story);
}

/* The fork reaches the other side as a cosigned checkpoint: the quorum itself was betrayed. */
static void it_has_bad_witnesses_cosign_a_fork(void)
{
	struct story story;
	story_begin(&story);
	agree(&story);
	both_connect(&story);
	both_cosign(&story);
	desk_fork(story.city.desk, 1);
	desk_grow(story.city.desk, 1);
	desk_candidate(story.city.desk);
	refuses(&story, &story.city, "forked");
	CHECK(process_running(&story.jobcenter.adapter));
	story_end(&story);
}

static void it_forgets_what_it_recorded(void)
{
	struct story story;
	story_begin(&story);
	desk_grow(story.city.desk, 20);
	both_connect(&story);
	both_cosign(&story);
	desk_roll_back(story.city.desk, 10);
	desk_forget_session(story.city.desk);
	refuses(&story, &story.city, "rolled back");
	story_end(&story);
}

static void it_withholds_proofs(void)
{
	struct story story;
	story_begin(&story);
	both_connect(&story);
	both_cosign(&story);
	story.city.desk->deaf_to_proofs = true;
	desk_grow(story.city.desk, 5);
	desk_candidate(story.city.desk);
	until(&story, logged(&story.city, "does not answer a demand for a consistency proof"));
	CHECK_INT(story.city.desk->cosigns, 1); /* no proof, no signature */
	CHECK(process_running(&story.city.adapter));
	story_end(&story);
}

static void it_signs_with_a_key_that_nobody_entered(void)
{
	struct story story;
	story_begin(&story);
	both_connect(&story);
	both_cosign(&story);
	story.jobcenter.desk->mood = DESK_STRANGE_KEY;
	desk_grow(story.jobcenter.desk, 1);
	desk_candidate(story.jobcenter.desk);
	refuses(&story, &story.jobcenter, "signed by none of the log keys");
	story_end(&story);
}

/* Version 2 for one, another version 2 for the other, and then one successor for both. */
static void it_serves_two_registries(void)
{
	struct story story;
	struct face *const faces[FACES] = {&story.city, &story.jobcenter};
	story_begin(&story);
	struct registry *first = registry_ref(story.city.desk->registry);
	struct registry *two[FACES];
	for (size_t i = 0; i < FACES; i++) {
		registry_fixture_service(story.bus.fixture, i == 0 ? "one.service" : "two.service");
		two[i] = registry_fixture_load(story.bus.fixture, 2, first);
		registry_unref(faces[i]->desk->registry);
		faces[i]->desk->registry = registry_ref(two[i]);
	}
	both_connect(&story);
	until(&story, logged(&story.city, "a newer registry is in force"));
	until(&story, logged(&story.jobcenter, "a newer registry is in force"));

	struct registry *three = registry_fixture_load(story.bus.fixture, 3, two[0]);
	for (size_t i = 0; i < FACES; i++) {
		registry_unref(faces[i]->desk->registry);
		faces[i]->desk->registry = registry_ref(three);
		desk_forget_session(faces[i]->desk);
	}
	until(&story, logged(&story.jobcenter, "ALARM: a registry from the broker is refused"));
	CHECK(!logged(&story.city, "ALARM"));
	registry_unref(three);
	registry_unref(two[0]);
	registry_unref(two[1]);
	registry_unref(first);
	story_end(&story);
}

CHECK_MAIN(CHECK_CASE(it_shows_two_histories), CHECK_CASE(it_has_bad_witnesses_cosign_a_fork),
	CHECK_CASE(it_forgets_what_it_recorded), CHECK_CASE(it_withholds_proofs),
	CHECK_CASE(it_signs_with_a_key_that_nobody_entered), CHECK_CASE(it_serves_two_registries))
