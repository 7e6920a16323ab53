/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * An operator. Orders go the way that dienstweg-admin's do, through the broker's socket, as a process that can be left
 * without an answer.
 */
#include <inttypes.h>
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

static void operator_main(struct proc *process)
{
	struct town *town = process->context;
	char *answer = NULL;
	int r = ask(town->config->admin_socket, town->order, &answer);
	town_tell(town, "the operator's \"%.40s\": %d %s", town->order, r, r == 0 ? answer : "");
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
	text_hex(BYTES(letter->case_id, sizeof(letter->case_id)), id);
	text_hex(BYTES(letter->h, HASH_SIZE), ground);
	int n = snprintf(town->order, sizeof(town->order), "%s %s %s", verb, id, ground);
	if (strcmp(verb, "erase case") == 0 && letter->state == LETTER_RECORDED)
		snprintf(town->order + n, sizeof(town->order) - (size_t)n, " %" PRIu64,
			letter->sequence);
}

/* As many of the dead letters as fit into a line. */
static bool order_dead(struct town *town, const char *verb)
{
	struct ledger *ledger = &town->ledger;
	uint64_t message = 0;
	uint8_t recipient = 0;
	size_t at = (size_t)snprintf(town->order, sizeof(town->order), "%s", verb), empty = at;
	while (at + ITEM_TEXT_MAX < sizeof(town->order) &&
		ledger_next_dead(ledger, &message, &recipient)) {
		at += (size_t)snprintf(town->order + at, sizeof(town->order) - at,
			" %" PRIu64 "/%" PRIu32, message, town->numbers[recipient]);
		recipient++;
	}
	return at > empty;
}

static void order(struct town *town)
{
	town_tell(town, "the operator orders \"%.40s\"", town->order);
	proc_start(&town->operator);
}

void operator_retry(struct town *town)
{
	if (!town->operator.alive && town->broker && order_dead(town, "dead retry -"))
		order(town);
}

void operator_act(struct town *town)
{
	static const char *const about[] = {"hold", "release", "erase case", "erase case"};
	static const char *const others[] = {
		"erase due", "erase now holidays", "inspect operator operation 1 3 2"};
	const struct letter *letter = any_letter(town);
	if (town->operator.alive || !letter)
		return;
	if (town->ledger.dead > 0 && machine_chance(2))
		order_dead(town, machine_chance(3) ? "dead discard pointless" : "dead retry -");
	else if (machine_chance(3))
		snprintf(town->order, sizeof(town->order), "%s",
			others[machine_between(0, ARRAY_LEN(others) - 1)]);
	else
		order_about(town, letter, about[machine_between(0, ARRAY_LEN(about) - 1)]);
	order(town);
}
