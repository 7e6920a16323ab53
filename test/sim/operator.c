/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * An operator. Orders go the way that dienstweg-admin's do, through the broker's socket, as a process that can be left
 * without an answer.
 */
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "broker/admin/ask.h"
#include "proto/base/file.h"
#include "proto/base/text.h"
#include "proto/journal.pb-c.h"
#include "test/kit/check.h"
#include "test/sim/town.h"

enum { ITEM_TEXT_MAX = 32, NEWEST = 30 };

/* From the answer on it is as was ordered. What it may say instead is that it has no time. */
static void answered(struct town *town, const char *answer)
{
	json_t *object = json_loads(answer, 0, NULL);
	const json_t *sequence = json_object_get(object, "sequence");
	const char *error = json_string_value(json_object_get(object, "error"));
	if (!object || (error && strncmp(error, "busy", strlen("busy")) != 0))
		ledger_violate(
			&town->ledger, "the broker answers \"%.60s\" with %s", town->order, answer);
	if (json_is_integer(sequence))
		ledger_binds(&town->ledger, (uint64_t)json_integer_value(sequence) + 1);
	json_decref(object);
}

static void operator_main(struct proc *process)
{
	struct town *town = process->context;
	char *answer = NULL;
	int r = ask(town->config->admin_socket, town->order, &answer);
	town_tell(town, "the operator's \"%.40s\": %d %s", town->order, r, r == 0 ? answer : "");
	if (r == 0 && answer[0]) /* or it died over it */
		answered(town, answer);
	free(answer);
}

void operator_init(struct town *town)
{
	sigset_t set;
	/* The signal waits for whom it is meant for: coroutines have masks of their own. */
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	CHECK_INT(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	town->operator=(struct proc){.name = "operator", .main = operator_main, .context = town};
	proc_add(&town->machine, &town->operator);
}

/* A letter of anybody, or NULL. */
static const struct letter *any_letter(struct town *town)
{
	struct chance *chance = &town->machine.chance;
	const struct agency
		*agency = &town->agencies[chance_below(chance, (uint32_t)town->agencies_count)];
	if (agency->letters_count == 0)
		return NULL;
	/* Of what is not over yet most can go wrong. */
	size_t count = agency->letters_count, newest = machine_chance(2) ? count : NEWEST;
	newest = newest < count ? newest : count;
	return &agency->letters[count - 1 - chance_below(chance, (uint32_t)newest)];
}

static void order_about(struct town *town, const struct letter *letter, const char *verb)
{
	char id[2 * 16 + 1], ground[2 * HASH_SIZE + 1];
	bool erase = strcmp(verb, "erase case") == 0;
	if (erase && letter->state != LETTER_RECORDED)
		verb = "hold"; /* nothing of it is known to be there */
	text_hex(BYTES(letter->case_id, sizeof(letter->case_id)), id);
	text_hex(BYTES(letter->h, HASH_SIZE), ground);
	int n = snprintf(town->order, sizeof(town->order), "%s %s %s", verb, id, ground);
	if (erase && letter->state == LETTER_RECORDED)
		snprintf(town->order + n, sizeof(town->order) - (size_t)n, " %" PRIu64,
			letter->sequence);
}

/* As many as fit into a line of the messages in such a place; chance passes over some. */
static bool order_items(
	struct town *town, const char *order, enum ledger_place place, uint64_t from, bool all)
{
	struct ledger *ledger = &town->ledger;
	uint64_t message = from;
	uint8_t recipient = 0;
	size_t at = (size_t)snprintf(town->order, sizeof(town->order), "%s", order), empty = at;
	for (; at + ITEM_TEXT_MAX < sizeof(town->order) &&
		ledger_next(ledger, place, &message, &recipient);
		recipient++)
		if (all || machine_chance(2))
			at += (size_t)snprintf(town->order + at, sizeof(town->order) - at,
				" %" PRIu64 "/%" PRIu32, message, town->numbers[recipient]);
	return at > empty;
}

static void order(struct town *town)
{
	town_tell(town, "the operator orders \"%.60s\"", town->order);
	proc_start(&town->operator);
}

/* ---- holds ---- */

/* A queue or a service that is held: an order to release it. */
static bool order_release(struct town *town)
{
	const struct ledger *ledger = &town->ledger;
	for (size_t i = 0; i < ledger->parties_count; i++)
		if (ledger->by_party[i].hold.held) {
			snprintf(town->order, sizeof(town->order), "queue release party %s",
				ledger->parties[i]);
			return true;
		}
	for (size_t i = 0; i < ledger->services_count; i++)
		if (ledger->services[i].hold.held) {
			snprintf(town->order, sizeof(town->order), "queue release service %s",
				ledger->services[i].name);
			return true;
		}
	return false;
}

static bool order_hold(struct town *town)
{
	static const char *const services[] = {"alg2.application", "figures", "death.notice"};
	const struct ledger *ledger = &town->ledger;
	uint64_t newest = ledger->count > NEWEST ? ledger->count - NEWEST : 0;
	switch (machine_between(0, 3)) {
	case 0:
		snprintf(town->order, sizeof(town->order), "queue hold party %s",
			ledger->parties[chance_below(
				&town->machine.chance, (uint32_t)ledger->parties_count)]);
		return true;
	case 1:
		snprintf(town->order, sizeof(town->order), "queue hold service %s",
			services[machine_between(0, ARRAY_LEN(services) - 1)]);
		return true;
	default:
		return order_items(town, "queue hold items -", LEDGER_QUEUED, newest, false);
	}
}

/* Whoever holds something lets it go sooner or later. */
static bool order_about_queues(struct town *town)
{
	if (machine_chance(2))
		return order_hold(town);
	if (town->ledger.held > 0 && machine_chance(2))
		return order_items(town, "queue release items -", LEDGER_HELD, 0, false);
	return order_release(town);
}

/* ---- acts ---- */

void operator_settle(struct town *town)
{
	const struct ledger *ledger = &town->ledger;
	if (town->operator.alive || !town->broker)
		return;
	if (order_release(town) ||
		(ledger->held > 0 &&
			order_items(town, "queue release items -", LEDGER_HELD, 0, true)) ||
		(ledger->dead > 0 && order_items(town, "dead retry -", LEDGER_DEAD, 0, true)))
		order(town);
}

static bool order_anything(struct town *town, const struct letter *letter)
{
	static const char *const about[] = {"hold", "release", "erase case", "erase case"};
	static const char *const others[] = {
		"erase due", "erase now holidays", "inspect operator operation 1 3 2"};
	if (town->ledger.dead > 0 && machine_chance(2))
		return order_items(town,
			machine_chance(3) ? "dead discard pointless" : "dead retry -", LEDGER_DEAD,
			0, machine_chance(2));
	if (machine_chance(3))
		return order_about_queues(town);
	if (machine_chance(3))
		snprintf(town->order, sizeof(town->order), "%s",
			others[machine_between(0, ARRAY_LEN(others) - 1)]);
	else
		order_about(town, letter, about[machine_between(0, ARRAY_LEN(about) - 1)]);
	return true;
}

void operator_act(struct town *town)
{
	const struct letter *letter = any_letter(town);
	if (!town->operator.alive && letter && order_anything(town, letter))
		order(town);
}
