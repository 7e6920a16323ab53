/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Two messages meet in few ways: on the same way, at the same end, from the same beginning, one for
 * many, one that waits, one that expires, one that is another under the same name. Each way is a scenario;
 * what operators, senders who change their minds and clocks do is explored with one message where it can be, and first,
 * because that is quick; faults that have little to say to each other are explored apart, because worlds multiply.
 */
#include "test/fault/explorer/scenarios.h"

enum { CITY = 0, JOBCENTER = 1 };

/* Insides of a struct fixture_message. */
#define TO_JOBCENTER        .recipient = "jobcenter", .sealed_for = "jobcenter"
#define PLAIN(number)       TO_JOBCENTER, .id = (number)
#define EXPIRING(number)    PLAIN(number), .expires_ms = FIXTURE_NOW_MS + 1500
#define LATER(number)       EXPIRING(number), .not_before_ms = FIXTURE_NOW_MS + 500
#define BULK(number)        PLAIN(number), .priority = LANE_BULK
#define CLEAR(number)       .recipient = "jobcenter", .id = (number)
#define OTHER_BYTES(number) PLAIN(number), .variant = 1
#define OF_CASE(number)     PLAIN(number), .case_id = (number)
#define OF_CASE_1(number)   PLAIN(number), .case_id = 1
#define SOON(number)        OF_CASE_1(number), .not_before_ms = FIXTURE_NOW_MS + 500
#define OF_TOWN(number)     PLAIN(number), .sender = "town", .speaker = "cooperative"
#define FIGURES(number)     .recipient = "ministry", .service = "figures", .id = (number)
#define NOTICE(number)      .service = "death.notice", .id = (number)

#define QUESTION(number)                                                                           \
	OF_CASE_1(number), .service = "question", .kind = DIENSTWEG__KIND__KIND_ENQUIRY
#define REFERRAL(number) OF_CASE_1(number), .service = "referral"
#define BACK(number)                                                                               \
	.sender = "jobcenter", .recipient = "city", .sealed_for = "city", .id = (number),          \
	.case_id = 1
#define ANSWERED(number) BACK(number), .service = "question", .kind = DIENSTWEG__KIND__KIND_ANSWER
#define REPLIED(number)  BACK(number), .service = "referral", .kind = DIENSTWEG__KIND__KIND_REPLY

#define ASKED(back)                                                                                \
	.parties = {"city", "jobcenter"}, .legs = {{"jobcenter", 0, back}, {"city", 1, false}},    \
	.waits = WAITS_FOR_ANSWER, .messages = {{QUESTION(1)}, {ANSWERED(2)}}
#define REFERRED(back)                                                                             \
	.parties = {"city", "jobcenter"}, .legs = {{"jobcenter", 0, back}, {"city", 1, false}},    \
	.waits = WAITS_FOR_REPLY, .messages = {{REFERRAL(1)}, {REPLIED(2)}}
#define CITY_TO_JOBCENTER                                                                          \
	.parties = {"city", "jobcenter"}, .legs = {{"jobcenter", 0, false}, {"jobcenter", 1, true}}
#define ALONE .parties = {"city", "jobcenter"}, .legs = {{"jobcenter", 0, true}}, .alone = true
#define CITY_TO_TWO                                                                                \
	.parties = {"city", "jobcenter", "ministry"}, .messages = {{PLAIN(1)}, {FIGURES(2)}},      \
	.legs = {{"jobcenter", 0, true}, {"ministry", 1, false}}

static const struct scenario scenarios[] = {
	{"dead letters", ALONE, .messages = {{PLAIN(1)}}, .attempts = 2,
		.budget = {[EDGE_CRASH] = 1, [EDGE_NAK] = 3}},
	{"dead letter expires", ALONE, .messages = {{EXPIRING(1)}}, .attempts = 1,
		.budget = {[EDGE_CRASH] = 1, [EDGE_NAK] = 2}},
	{"held and nak", ALONE, .messages = {{PLAIN(1)}},
		.budget = {[EDGE_NAK] = 1, [EDGE_HOLD] = 1}},
	{"held twice", ALONE, .messages = {{PLAIN(1)}}, .budget = {[EDGE_HOLD] = 2}},
	{"held and crash", ALONE, .messages = {{PLAIN(1)}},
		.budget = {[EDGE_CRASH] = 1, [EDGE_HOLD] = 1}},
	{"held before its time", ALONE, .messages = {{LATER(1)}},
		.budget = {[EDGE_CRASH] = 1, [EDGE_HOLD] = 1}},
	{"cancelled", ALONE, .messages = {{PLAIN(1)}},
		.budget = {[EDGE_CRASH] = 1, [EDGE_NAK] = 1, [EDGE_CANCEL] = 2}},
	{"cancelled, recipient breaks off", ALONE, .messages = {{PLAIN(1)}},
		.budget = {[EDGE_LOSS] = 2, [EDGE_CANCEL] = 2}, .shaky = JOBCENTER},
	{"cancelled before its time", ALONE, .messages = {{LATER(1)}},
		.budget = {[EDGE_CRASH] = 1, [EDGE_CANCEL] = 2}},
	{"cancelled, held or dead", ALONE, .messages = {{PLAIN(1)}}, .attempts = 1,
		.budget = {[EDGE_NAK] = 1, [EDGE_HOLD] = 1, [EDGE_CANCEL] = 2}},
	{"cancelled beside another", CITY_TO_JOBCENTER, .messages = {{PLAIN(1)}, {PLAIN(2)}},
		.budget = {[EDGE_CANCEL] = 1}},
	{"cancelled, an event", .parties = {"city", "jobcenter", "ministry"},
		.messages = {{NOTICE(1)}}, .alone = true,
		.legs = {{"jobcenter", 0, true}, {"ministry", 0, false}},
		.budget = {[EDGE_CANCEL] = 2}},
	{"asked and answered", ASKED(false)},
	{"asked, crash", ASKED(false), .budget = {[EDGE_CRASH] = 1}},
	{"asked and sent back", ASKED(true), .budget = {[EDGE_NAK] = 1}},
	{"referred and replied", REFERRED(false)},
	{"referred, crash", REFERRED(false), .budget = {[EDGE_CRASH] = 1}},
	{"referred and sent back", REFERRED(true), .budget = {[EDGE_NAK] = 1}},
	{"referred and cancelled", REFERRED(false), .budget = {[EDGE_CANCEL] = 1}},
	{"one case, not before", CITY_TO_JOBCENTER, .messages = {{SOON(1)}, {OF_CASE_1(2)}},
		.budget = {[EDGE_CRASH] = 1}},
	{"one case, nak", CITY_TO_JOBCENTER, .messages = {{OF_CASE_1(1)}, {OF_CASE_1(2)}},
		.budget = {[EDGE_NAK] = 1}},
	{"one case, held", CITY_TO_JOBCENTER, .messages = {{OF_CASE_1(1)}, {OF_CASE_1(2)}},
		.budget = {[EDGE_HOLD] = 1}},
	{"one case, cancelled", CITY_TO_JOBCENTER, .messages = {{SOON(1)}, {OF_CASE_1(2)}},
		.budget = {[EDGE_CANCEL] = 1}},
	{"one case, dead letter", CITY_TO_JOBCENTER, .attempts = 1,
		.messages = {{OF_CASE_1(1)}, {OF_CASE_1(2)}}, .budget = {[EDGE_NAK] = 1}},
	{"legal hold", CITY_TO_JOBCENTER, .messages = {{PLAIN(1)}, {OF_CASE(2)}},
		.budget = {[EDGE_LEGAL] = 2}},
	{"legal hold, crash and nak", ALONE, .messages = {{PLAIN(1)}},
		.budget = {[EDGE_CRASH] = 2, [EDGE_NAK] = 1, [EDGE_LEGAL] = 3}},
	{"clock set, nak", ALONE, .messages = {{PLAIN(1)}},
		.budget = {[EDGE_CRASH] = 1, [EDGE_NAK] = 2, [EDGE_CLOCK] = 2}},
	{"clock set, expiry and nak", ALONE, .messages = {{EXPIRING(1)}},
		.budget = {[EDGE_CRASH] = 1, [EDGE_NAK] = 1, [EDGE_CLOCK] = 2}},
	{"clock set, expiry, recipient breaks off", ALONE, .messages = {{EXPIRING(1)}},
		.budget = {[EDGE_LOSS] = 1, [EDGE_CLOCK] = 2}, .shaky = JOBCENTER},
	{"clock set, not before", ALONE, .messages = {{LATER(1)}},
		.budget = {[EDGE_CRASH] = 1, [EDGE_CLOCK] = 2}},
	{"same way, two crashes", CITY_TO_JOBCENTER, .messages = {{PLAIN(1)}, {PLAIN(2)}},
		.budget = {[EDGE_CRASH] = 2}},
	{"same way, recipient breaks off", CITY_TO_JOBCENTER, .messages = {{PLAIN(1)}, {PLAIN(2)}},
		.budget = {[EDGE_CRASH] = 1, [EDGE_LOSS] = 1}, .shaky = JOBCENTER},
	{"same way, sender breaks off", CITY_TO_JOBCENTER, .messages = {{PLAIN(1)}, {PLAIN(2)}},
		.budget = {[EDGE_CRASH] = 1, [EDGE_LOSS] = 1}, .shaky = CITY},
	{"same way, nak and crash", CITY_TO_JOBCENTER, .messages = {{PLAIN(1)}, {PLAIN(2)}},
		.budget = {[EDGE_CRASH] = 1, [EDGE_NAK] = 1}},
	{"same way, nak and break", CITY_TO_JOBCENTER, .messages = {{PLAIN(1)}, {PLAIN(2)}},
		.budget = {[EDGE_LOSS] = 1, [EDGE_NAK] = 1}, .shaky = JOBCENTER},
	{"two lanes", CITY_TO_JOBCENTER, .messages = {{BULK(1)}, {PLAIN(2)}},
		.budget = {[EDGE_CRASH] = 2}},
	{"same id, other bytes", CITY_TO_JOBCENTER, .messages = {{PLAIN(1)}, {OTHER_BYTES(1)}},
		.budget = {[EDGE_CRASH] = 2}},
	{"refused beside accepted", .parties = {"city", "jobcenter"},
		.messages = {{PLAIN(1)}, {CLEAR(2)}}, .legs = {{"jobcenter", 0, false}},
		.budget = {[EDGE_CRASH] = 2, [EDGE_LOSS] = 1}, .shaky = CITY},
	{"two senders", .parties = {"city", "jobcenter", "town"},
		.messages = {{PLAIN(1)}, {OF_TOWN(1)}},
		.legs = {{"jobcenter", 0, false}, {"jobcenter", 1, true}},
		.budget = {[EDGE_CRASH] = 2}},
	{"two recipients", CITY_TO_TWO, .budget = {[EDGE_CRASH] = 2}},
	{"two recipients, one breaks off twice", CITY_TO_TWO,
		.budget = {[EDGE_CRASH] = 1, [EDGE_LOSS] = 2}, .shaky = JOBCENTER},
	{"event", .parties = {"city", "jobcenter", "ministry"}, .messages = {{NOTICE(1)}, {PLAIN(2)}},
		.legs = {{"jobcenter", 0, true}, {"ministry", 0, false}, {"jobcenter", 1, false}},
		.budget = {[EDGE_CRASH] = 1}},
	{"expiry, nak and crash", CITY_TO_JOBCENTER, .messages = {{EXPIRING(1)}, {PLAIN(2)}},
		.budget = {[EDGE_CRASH] = 1, [EDGE_NAK] = 1}},
	{"expiry, recipient breaks off", CITY_TO_JOBCENTER, .messages = {{EXPIRING(1)}, {PLAIN(2)}},
		.budget = {[EDGE_LOSS] = 1}, .shaky = JOBCENTER},
	{"not before, then expiry", CITY_TO_JOBCENTER, .messages = {{LATER(1)}, {PLAIN(2)}},
		.budget = {[EDGE_CRASH] = 1}},
};

size_t scenarios_count(void)
{
	return ARRAY_LEN(scenarios);
}

const struct scenario *scenario_get(size_t nth)
{
	return &scenarios[nth];
}
