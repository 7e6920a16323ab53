/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "adapters/sdk/core.h"
#include "proto/base/clock.h"
#include "test/kit/desk.h"

/*
 * For tests: an adapter of the party "city" (which also operates "library") with all its rooms and files,
 * facing a desk that can lie; both run in turn in one thread, so a test sees every step. What the ops are
 * called with is kept as lines: "submitted KEY", "recorded KEY", "refused KEY CODE", "ended KEY RECIPIENT
 * STATE", "overdue KEY RECIPIENT", "delivery SENDER BODY", "answered KEY BODY", "unanswered KEY CODE".
 */
enum { WORLD_LINES_MAX = 4096, WORLD_LETTERS_MAX = 2048 };

/* What the legacy system wants to send; the next intake submits it. */
struct world_letter {
	const char *key;
	const char *recipient; /* or region; both NULL: jobcenter */
	const char *region;
	const char *service; /* NULL: alg2.application */
	const char *sender;  /* NULL: city */
	struct bytes body;
	const uint8_t *case_id;
	bool asks;            /* dw_ask() instead of dw_submit() */
	uint32_t patience_ms; /* its */
	int *ret;             /* NULL, or what dw_submit() gave */
	char *why;
};

struct world {
	struct registry_fixture *fixture;
	struct desk *desk;
	struct clock clock; /* the machine's, moved by world_wait_over() */
	char dir[400];
	char paths[8][512];
	const char *key_files[2];
	const char *operates[1];
	struct config_adapter config;
	struct dw_adapter adapter;
	bool open;
	int failed; /* of a step: the adapter has to end */

	size_t lines_count;
	char *lines[WORLD_LINES_MAX];
	size_t letters_count, letters_done;
	struct world_letter letters[WORLD_LETTERS_MAX];
	struct dw_verdict verdict; /* to_agency() gives it */
	const char *answer_key;    /* to_agency() submits a reply under it */
	const char *answer;        /* enquiries are answered with it */
	int op_fails;              /* to_agency() gives this */
};

/* The world. Everything fails the test rather than returning. */
struct world *world_new(void);      /* with fixture, desk and files; the adapter is not open */
struct world *world_new_shut(void); /* without a thread yet: desk_open() opens its desk */
struct world *world_new_witnessed(
	void); /* and it is a witness, with jobcenter and ministry; two are a quorum */
void world_free(struct world *world);
DEFINE_CLEANUP(struct world *, world_free);

/* The adapter's life. */
int world_open(struct world *world, char *why, size_t size); /* start the adapter: core_open()'s */
void world_start(struct world *world);                       /* the same, and it must work */
void world_stop(struct world *world);                        /* end in order */
void world_connect(struct world *world);                     /* start, and until it is ready */

/* Let the legacy system hand something over; take a turn; look at what the ops were called with. */
void world_submit(struct world *world, const struct world_letter *letter);
void world_step(struct world *world); /* one turn of both; failed tells */
bool world_saw(const struct world *world, const char *line);
size_t world_count(const struct world *world, const char *line); /* lines that begin so */
void world_wait_over(struct world *world, uint64_t ms); /* the adapter's clock moves forward */
bool world_alarmed(const struct world *world);          /* STATE/ALARM is there */
char *world_file(const struct world *world, const char *name); /* malloc'd text of a file in STATE */

/* Step until the condition holds. */
#define world_until(world, condition)                                                              \
	do {                                                                                       \
		int world_left = 4000;                                                             \
		while (!(condition)) {                                                             \
			if (world_left-- == 0)                                                     \
				CHECK_FAIL("waited in vain for: %s", #condition);                  \
			world_step(world);                                                         \
		}                                                                                  \
	} while (0)

/* Step for a while, in which the condition must hold. */
#define world_while(world, condition)                                                              \
	do {                                                                                       \
		for (int world_left = 0; world_left < 30; world_left++) {                          \
			world_step(world);                                                         \
			CHECK(condition);                                                          \
		}                                                                                  \
	} while (0)
