/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Messages that somebody waits for a word on: enquiries, which are answered once, in time, by whom they went to; and
 * submissions whose senders are told once when nobody replied in time. Times are those of the journal's batches.
 */
#include "test/sim/ledger-inside.h"

#include <inttypes.h>

#include "proto/envelope.pb-c.h"
#include "test/kit/check.h"

static bool is_enquiry(const struct ledger_entry *entry)
{
	return entry->message_kind == DIENSTWEG__KIND__KIND_ENQUIRY;
}

static bool is_submission(const struct ledger_entry *entry)
{
	return entry->message_kind == DIENSTWEG__KIND__KIND_SUBMISSION;
}

/* Does its sender wait to be told that nobody replied? */
static bool awaits_reminder(const struct ledger_entry *entry)
{
	uint8_t end = entry->legs_count > 0 ? entry->legs[0].end : 0;
	return is_submission(entry) && entry->due_ms != 0 && entry->replied_by == 0 &&
	       entry->reminded_by == 0 && (end == 0 || end == END_ACCEPTED);
}

/* Does it wait for an answer at this time? */
static bool awaits_answer(const struct ledger_entry *entry, uint64_t at_ms)
{
	uint8_t end = entry->legs_count > 0 ? entry->legs[0].end : 0;
	return is_enquiry(entry) && entry->replied_by == 0 && at_ms < entry->due_ms &&
	       (end == 0 || end == END_ACCEPTED);
}

static void check_pending(
	struct ledger *ledger, uint64_t sequence, const struct ledger_accepted *what)
{
	const struct ledger_entry *entry = &ledger->entries[sequence];
	uint64_t count = 0;
	for (uint64_t i = 0; i <= sequence; i++)
		count += ledger->entries[i].sender == entry->sender &&
			 ledger->entries[i].service == entry->service &&
			 awaits_answer(&ledger->entries[i], what->at_ms);
	if (count > what->pending_max)
		ledger_violate(ledger,
			"enquiry %" PRIu64 " of %s was accepted as the %" PRIu64
			"th that waits, %" PRIu64 " may",
			sequence, ledger->parties[entry->sender], count, what->pending_max);
}

/* The message that a reply names, when it is one of its recipient's to its sender in the same case. */
static struct ledger_entry *named(
	struct ledger *ledger, const struct ledger_entry *entry, const struct ledger_accepted *what)
{
	uint64_t at = what->in_reply_to ? ledger_find(ledger, what->in_reply_to) : UINT64_MAX;
	struct ledger_entry *asked = ledger_entry_at(ledger, at);
	if (!asked || asked->legs_count != 1 || asked->legs[0].recipient != entry->sender ||
		asked->sender != entry->legs[0].recipient ||
		memcmp(asked->case_id, entry->case_id, sizeof(entry->case_id)) != 0)
		return NULL;
	return asked;
}

static void answer(struct ledger *ledger, uint64_t sequence, const struct ledger_accepted *what)
{
	const struct ledger_entry *entry = &ledger->entries[sequence];
	struct ledger_entry *asked = named(ledger, entry, what);
	if (!asked || !is_enquiry(asked) || asked->service != entry->service)
		ledger_violate(
			ledger, "answer %" PRIu64 " was accepted, and nobody asked that", sequence);
	else if (asked->replied_by != 0)
		ledger_violate(ledger, "one enquiry has two answers: %" PRIu64 " and %" PRIu64,
			asked->replied_by, sequence);
	else if (!awaits_answer(asked, what->at_ms))
		ledger_violate(ledger,
			"answer %" PRIu64 " was accepted at %" PRIu64
			", nobody waits for it since %" PRIu64,
			sequence, what->at_ms, asked->due_ms);
	else
		asked->replied_by = sequence;
}

static void reply(struct ledger *ledger, uint64_t sequence, const struct ledger_accepted *what)
{
	struct ledger_entry *asked = named(ledger, &ledger->entries[sequence], what);
	if (!asked || !awaits_reminder(asked))
		return;
	asked->replied_by = sequence;
	ledger->waiting--;
}

void ledger_asked(struct ledger *ledger, uint64_t sequence, const struct ledger_accepted *what)
{
	struct ledger_entry *entry = &ledger->entries[sequence];
	entry->due_ms = what->due_ms;
	ledger->waiting += awaits_reminder(entry);
	if (is_enquiry(entry))
		check_pending(ledger, sequence, what);
	else if (entry->message_kind == DIENSTWEG__KIND__KIND_ANSWER)
		answer(ledger, sequence, what);
	else if (entry->message_kind == DIENSTWEG__KIND__KIND_REPLY)
		reply(ledger, sequence, what);
}

void ledger_asked_ended(struct ledger *ledger, uint64_t message, enum end_state end)
{
	struct ledger_entry *entry = &ledger->entries[message];
	ledger->waiting -= end != END_ACCEPTED && is_submission(entry) && entry->due_ms != 0 &&
			   entry->replied_by == 0 && entry->reminded_by == 0;
}

/* ---- reminders ---- */

void ledger_overdue(
	struct ledger *ledger, uint64_t entry, uint64_t message, uint8_t recipient, uint64_t at_ms)
{
	if (!ledger_leg_named(ledger, "a reminder", message, recipient, NULL))
		return;
	struct ledger_entry *asked = &ledger->entries[message];
	if (!awaits_reminder(asked))
		ledger_violate(ledger,
			"entry %" PRIu64 " says that %" PRIu64
			" is overdue, which nobody waits for",
			entry, message);
	else if (at_ms < asked->due_ms)
		ledger_violate(ledger,
			"entry %" PRIu64 " says that %" PRIu64 " is overdue at %" PRIu64
			", its time is over at %" PRIu64,
			entry, message, at_ms, asked->due_ms);
	else
		ledger->waiting--;
	asked->reminded_by = entry;
	ledger->reminders++;
	if (ledger->by_party[asked->sender].careless)
		ledger->reminded++;
}

void ledger_due_soon(struct ledger *ledger, uint64_t entry, uint64_t message, uint64_t at_ms)
{
	struct ledger_entry *asked = ledger_entry_at(ledger, message);
	if (!asked || !awaits_reminder(asked) || asked->warned_by != 0 || at_ms >= asked->due_ms) {
		ledger_violate(ledger,
			"entry %" PRIu64 " warns of %" PRIu64 ", which is not due soon", entry,
			message);
		return;
	}
	asked->warned_by = entry;
}

void ledger_warned(struct ledger *ledger, uint8_t sender, const uint8_t *h, uint64_t life)
{
	uint64_t message = ledger_find(ledger, h);
	struct ledger_entry *asked = ledger_entry_at(ledger, message);
	if (!asked || asked->sender != sender || asked->warned_by == 0)
		ledger_violate(ledger, "%s was told that something is due soon, which is not",
			ledger->parties[sender]);
	else if (asked->warned == life)
		ledger_violate(
			ledger, "that message %" PRIu64 " is due soon was told twice", message);
	else
		asked->warned = life;
}

void ledger_saw_reminder(struct ledger *ledger, uint8_t sender, uint64_t entry, uint64_t message)
{
	const struct ledger_entry *asked = ledger_entry_at(ledger, message);
	if (!asked || asked->sender != sender ||
		(asked->reminded_by != entry && asked->warned_by != entry))
		ledger_violate(ledger,
			"%s is reminded of %" PRIu64 " by %" PRIu64 ", which does not say so",
			ledger->parties[sender], message, entry);
}

void ledger_reminded(
	struct ledger *ledger, uint8_t sender, const uint8_t *h, uint8_t recipient, uint64_t life)
{
	uint64_t message = ledger_find(ledger, h);
	struct ledger_entry *asked = ledger_entry_at(ledger, message);
	if (!asked || asked->sender != sender || asked->reminded_by == 0 ||
		!ledger_leg_at(ledger, message, recipient)) {
		ledger_violate(ledger, "%s was told that something is overdue, which is not",
			ledger->parties[sender]);
		return;
	}
	if (asked->reminded == life)
		ledger_violate(
			ledger, "that message %" PRIu64 " is overdue was told twice", message);
	ledger->reminded += asked->reminded == 0;
	asked->reminded = life;
}

void ledger_answered(struct ledger *ledger, uint8_t sender, const uint8_t *h, uint64_t answer)
{
	const struct ledger_entry *asked = ledger_entry_at(ledger, ledger_find(ledger, h));
	if (!asked || asked->sender != sender || asked->replied_by != answer)
		ledger_violate(ledger,
			"%s was told that %" PRIu64 " answers what it asked, which it does not",
			ledger->parties[sender], answer);
}
