/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The journal is what counts: an entry is known here from the moment its commit is on disk, and from then on
 * it can be held against whatever anybody says. Order is judged over what was never sent before: a
 * redelivery may overtake, as design section 3 says.
 */
#include "test/sim/ledger-inside.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/journal.pb-c.h"
#include "test/kit/check.h"

enum {
	ACCEPTED = DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED,
	REFUSED = DIENSTWEG__ENTRY_KIND__ENTRY_REFUSED,
	SLOTS_MIN = 1024,
};

struct slot {
	uint64_t sequence; /* plus one; 0: free */
	uint8_t h[HASH_SIZE];
};

void ledger_init(struct ledger *ledger)
{
	*ledger = (struct ledger){.slots_mask = SLOTS_MIN - 1};
	ledger->slots = calloc(SLOTS_MIN, sizeof(*ledger->slots));
	CHECK(ledger->slots);
}

void ledger_deinit(struct ledger *ledger)
{
	for (size_t i = 0; i < ledger->count; i++)
		free(ledger->entries[i].legs);
	free(ledger->entries);
	free(ledger->slots);
}

void ledger_violate(struct ledger *ledger, const char *format, ...)
{
	va_list args;
	if (ledger->violation[0])
		return;
	va_start(args, format);
	vsnprintf(ledger->violation, sizeof(ledger->violation), format, args);
	va_end(args);
}

uint8_t ledger_party(struct ledger *ledger, struct bytes name)
{
	size_t i = 0;
	while (i < ledger->parties_count && !bytes_equal(BYTES_STR(ledger->parties[i]), name))
		i++;
	if (i < ledger->parties_count)
		return (uint8_t)i;
	CHECK(i < LEDGER_PARTIES_MAX && name.len < sizeof(ledger->parties[0]));
	memcpy(ledger->parties[ledger->parties_count++], name.data, name.len);
	return (uint8_t)i;
}

void ledger_careless(struct ledger *ledger, uint8_t party)
{
	ledger->by_party[party].careless = true;
}

/* ---- by h ---- */

static struct slot *slot_of(struct slot *slots, size_t mask, const uint8_t *h)
{
	uint64_t at;
	memcpy(&at, h, sizeof(at));
	for (;; at++) {
		struct slot *slot = &slots[at & mask];
		if (slot->sequence == 0 || memcmp(slot->h, h, HASH_SIZE) == 0)
			return slot;
	}
}

static void slots_grow(struct ledger *ledger)
{
	size_t mask = ledger->slots_mask * 2 + 1;
	struct slot *slots = calloc(mask + 1, sizeof(*slots));
	CHECK(slots);
	for (size_t i = 0; i <= ledger->slots_mask; i++)
		if (ledger->slots[i].sequence)
			*slot_of(slots, mask, ledger->slots[i].h) = ledger->slots[i];
	free(ledger->slots);
	ledger->slots = slots;
	ledger->slots_mask = mask;
}

/* A header has one entry for ever. */
static void header_put(struct ledger *ledger, const uint8_t *h, uint64_t sequence)
{
	if (ledger->slots_count * 2 > ledger->slots_mask)
		slots_grow(ledger);
	struct slot *slot = slot_of(ledger->slots, ledger->slots_mask, h);
	if (slot->sequence != 0) {
		ledger_violate(ledger, "one header has two entries: %" PRIu64 " and %" PRIu64,
			slot->sequence - 1, sequence);
		return;
	}
	slot->sequence = sequence + 1;
	memcpy(slot->h, h, HASH_SIZE);
	ledger->slots_count++;
}

uint64_t ledger_find(const struct ledger *ledger, const uint8_t *h)
{
	const struct slot *slot = slot_of(ledger->slots, ledger->slots_mask, h);
	return slot->sequence - 1;
}

/* ---- look-ups ---- */

struct ledger_entry *ledger_entry_at(struct ledger *ledger, uint64_t sequence)
{
	return sequence < ledger->count ? &ledger->entries[sequence] : NULL;
}

struct leg *ledger_leg_at(struct ledger *ledger, uint64_t message, uint8_t recipient)
{
	struct ledger_entry *entry = ledger_entry_at(ledger, message);
	for (size_t i = 0; entry && i < entry->legs_count; i++)
		if (entry->legs[i].recipient == recipient)
			return &entry->legs[i];
	return NULL;
}

/* The leg that someone speaks of, when it is committed and of this h. */
struct leg *ledger_leg_named(struct ledger *ledger, const char *what, uint64_t message,
	uint8_t recipient, const uint8_t *h)
{
	struct leg *leg = ledger_leg_at(ledger, message, recipient);
	if (!leg)
		ledger_violate(ledger, "%s of %" PRIu64 " for %s, which is not committed", what,
			message, ledger->parties[recipient]);
	else if (h && memcmp(ledger->entries[message].h, h, HASH_SIZE) != 0)
		ledger_violate(ledger, "%s of %" PRIu64 " names another message", what, message);
	return leg;
}

/* ---- what was committed ---- */

struct ledger_entry *ledger_commit(
	struct ledger *ledger, uint64_t sequence, uint8_t kind, struct bytes stub)
{
	CHECK(sequence == ledger->count);
	if (ledger->count == ledger->room) {
		ledger->room = ledger->room ? ledger->room * 2 : 1024;
		ledger->entries = realloc(ledger->entries, ledger->room * sizeof(*ledger->entries));
		CHECK(ledger->entries);
	}
	struct ledger_entry *entry = &ledger->entries[ledger->count++];
	*entry = (struct ledger_entry){.kind = kind};
	CHECK_INT(stub.len, sizeof(entry->stub));
	memcpy(entry->stub, stub.data, stub.len);
	struct merkle_hash leaf;
	merkle_leaf(stub, &leaf);
	merkle_edge_append(&ledger->edge, &leaf, NULL);
	merkle_edge_root(&ledger->edge, &entry->root);
	if (kind == ACCEPTED)
		ledger->accepted = ledger->count;
	return entry;
}

uint8_t ledger_service(struct ledger *ledger, struct bytes name)
{
	size_t i = 0;
	while (i < ledger->services_count && !bytes_equal(BYTES_STR(ledger->services[i].name), name))
		i++;
	if (i < ledger->services_count)
		return (uint8_t)i;
	CHECK(i < LEDGER_SERVICES_MAX && name.len < sizeof(ledger->services[0].name));
	if (name.len > 0)
		memcpy(ledger->services[ledger->services_count].name, name.data, name.len);
	ledger->services_count++;
	return (uint8_t)i;
}

void ledger_accepted(struct ledger *ledger, uint64_t sequence, const struct ledger_accepted *what)
{
	struct ledger_entry *entry = ledger_entry_at(ledger, sequence);
	CHECK(entry && entry->kind == ACCEPTED);
	header_put(ledger, what->h, sequence);
	memcpy(entry->h, what->h, HASH_SIZE);
	entry->sender = what->sender;
	entry->lane = what->lane;
	entry->timed = what->timed;
	entry->event = what->event;
	entry->message_kind = what->kind;
	entry->service = ledger_service(ledger, what->service);
	if (what->case_id)
		memcpy(entry->case_id, what->case_id, sizeof(entry->case_id));
	entry->legs_count = what->recipients_count;
	entry->legs = calloc(what->recipients_count + 1, sizeof(*entry->legs));
	CHECK(entry->legs);
	if (what->recipients_count == 0)
		ledger_violate(ledger, "message %" PRIu64 " was accepted for nobody", sequence);
	const struct ledger_hold *hold = &ledger->services[entry->service].hold;
	for (size_t i = 0; i < what->recipients_count; i++) {
		if (memchr(what->recipients, what->recipients[i], i))
			ledger_violate(
				ledger, "message %" PRIu64 " has a recipient twice", sequence);
		entry->legs[i] = (struct leg){.recipient = what->recipients[i],
			.delayed = what->delayed || hold->held,
			.held = hold->held,
			.held_by = sequence};
		ledger->held += entry->legs[i].held;
		ledger->by_party[what->recipients[i]].open++;
		ledger->open++;
	}
	ledger_asked(ledger, sequence, what);
}

void ledger_refused(struct ledger *ledger, uint64_t sequence, const uint8_t *h, bool final)
{
	struct ledger_entry *entry = ledger_entry_at(ledger, sequence);
	CHECK(entry && entry->kind == REFUSED);
	memcpy(entry->h, h, HASH_SIZE);
	if (final)
		header_put(ledger, h, sequence);
}

void ledger_ended(struct ledger *ledger, uint64_t entry, uint64_t message, uint8_t recipient,
	enum end_state end)
{
	struct leg *leg = ledger_leg_named(ledger, "an end", message, recipient, NULL);
	if (!leg)
		return;
	if (leg->end != 0) {
		ledger_violate(ledger,
			"message %" PRIu64 " ended twice for %s: at %" PRIu64 " and at %" PRIu64,
			message, ledger->parties[recipient], leg->ended_by, entry);
		return;
	}
	if (end == END_ACCEPTED && leg->handed == 0)
		ledger_violate(ledger, "message %" PRIu64 " ended as accepted, but %s has it not",
			message, ledger->parties[recipient]);
	leg->end = (uint8_t)end;
	leg->ended_by = entry;
	ledger->dead -= leg->dead;
	ledger->held -= leg->held;
	leg->dead = leg->held = false;
	ledger_asked_ended(ledger, message, end);
	if (ledger->by_party[ledger->entries[message].sender].careless) {
		leg->told = true;
		ledger->told++;
	}
	ledger->by_party[recipient].open--;
	ledger->open--;
	ledger->ended++;
}

void ledger_already(struct ledger *ledger, uint64_t entry, uint64_t message, uint8_t recipient)
{
	const struct leg *leg = ledger_leg_named(ledger, "a late end", message, recipient, NULL);
	if (leg && leg->end == 0)
		ledger_violate(ledger,
			"entry %" PRIu64 " says that message %" PRIu64 " had ended, it had not",
			entry, message);
}

void ledger_late(struct ledger *ledger, uint64_t entry, uint64_t message, uint8_t recipient)
{
	struct leg *leg = ledger_leg_named(ledger, "a late word", message, recipient, NULL);
	if (!leg)
		return;
	if (!end_state_is_unheard(leg->end) || leg->heard)
		ledger_violate(ledger,
			"entry %" PRIu64 " says that message %" PRIu64
			" had ended without %s, which it had not, or had said so before",
			entry, message, ledger->parties[recipient]);
	leg->heard = true;
}

void ledger_failed(
	struct ledger *ledger, uint64_t entry, uint64_t message, uint8_t recipient, bool waits)
{
	struct leg *leg = ledger_leg_named(ledger, "a failed attempt", message, recipient, NULL);
	if (leg && leg->end != 0)
		ledger_violate(ledger,
			"entry %" PRIu64 " tells a failed attempt of message %" PRIu64
			", which had ended",
			entry, message);
	if (leg)
		leg->delayed |= waits;
}

void ledger_dead(
	struct ledger *ledger, uint64_t entry, uint64_t message, uint8_t recipient, bool dead)
{
	struct leg *leg = ledger_leg_named(ledger, "a dead letter", message, recipient, NULL);
	if (!leg)
		return;
	if (leg->dead == dead)
		ledger_violate(ledger, "entry %" PRIu64 " %s message %" PRIu64 ", which %s dead",
			entry, dead ? "buries" : "revives", message, dead ? "is" : "is not");
	ledger->dead += dead;
	ledger->dead -= leg->dead;
	leg->dead = dead;
}

void ledger_unknown(struct ledger *ledger, uint8_t recipient, uint64_t message)
{
	if (!ledger->by_party[recipient].careless)
		ledger_violate(ledger,
			"%s acknowledged %" PRIu64 ", and the journal knows of nothing",
			ledger->parties[recipient], message);
}

/* ---- after a restart ---- */

void ledger_again(struct ledger *ledger, uint64_t sequence, struct bytes stub)
{
	const struct ledger_entry *entry = ledger_entry_at(ledger, sequence);
	if (entry && !bytes_equal(stub, BYTES(entry->stub, sizeof(entry->stub))))
		ledger_violate(ledger, "entry %" PRIu64 " is another one after a restart", sequence);
}

void ledger_size(struct ledger *ledger, uint64_t size)
{
	if (size < ledger->count)
		ledger_violate(ledger,
			"%zu entries were committed, %" PRIu64 " are left after a restart",
			ledger->count, size);
}

void ledger_total(struct ledger *ledger, uint8_t recipient, uint64_t messages)
{
	if (messages != ledger->by_party[recipient].open)
		ledger_violate(ledger,
			"the journal counts %" PRIu64
			" open messages of %s, its entries say %" PRIu64,
			messages, ledger->parties[recipient], ledger->by_party[recipient].open);
}

/* ---- what left the broker ---- */

void ledger_saw_receipt(struct ledger *ledger, const uint8_t *h, uint64_t sequence)
{
	const struct ledger_entry *entry = ledger_entry_at(ledger, sequence);
	if (!entry)
		ledger_violate(ledger, "a receipt of %" PRIu64 " left before its commit", sequence);
	else if (entry->kind != ACCEPTED || memcmp(entry->h, h, HASH_SIZE) != 0)
		ledger_violate(
			ledger, "a receipt names %" PRIu64 ", which is another entry", sequence);
}

void ledger_saw_refusal(struct ledger *ledger, const uint8_t *h, uint64_t sequence)
{
	const struct ledger_entry *entry = ledger_entry_at(ledger, sequence);
	if (sequence == 0)
		return; /* summed up with others */
	if (!entry)
		ledger_violate(ledger, "a refusal of %" PRIu64 " left before its commit", sequence);
	else if (entry->kind != REFUSED || memcmp(entry->h, h, HASH_SIZE) != 0)
		ledger_violate(
			ledger, "a refusal names %" PRIu64 ", which is another entry", sequence);
}

void ledger_saw_checkpoint(
	struct ledger *ledger, uint64_t size, const struct merkle_hash *root, bool final)
{
	struct merkle_hash is;
	merkle_empty_root(&is);
	if (size > ledger->count) {
		ledger_violate(ledger,
			"a checkpoint of %" PRIu64 " entries left before their commit", size);
		return;
	}
	if (size > 0)
		is = ledger->entries[size - 1].root;
	if (memcmp(&is, root, sizeof(is)) != 0)
		ledger_violate(
			ledger, "a checkpoint of %" PRIu64 " entries is of another tree", size);
	if (final && size > ledger->final)
		ledger->final = size;
}

/* Nothing earlier of the same sender, recipient and lane that could go was never on its way. */
static void check_order(struct ledger *ledger, uint64_t message, uint8_t recipient)
{
	const struct ledger_entry *late = &ledger->entries[message];
	uint64_t *first = &ledger->by_party[recipient].first[late->lane];
	bool passed = true;
	for (uint64_t at = *first; at < message; at++) {
		const struct ledger_entry *entry = &ledger->entries[at];
		const struct leg *leg = ledger_leg_at(ledger, at, recipient);
		bool waits = leg && entry->lane == late->lane && leg->end == 0 && !leg->delivered &&
			     !leg->delayed && !entry->timed;
		if (waits && entry->sender == late->sender)
			ledger_violate(ledger,
				"message %" PRIu64 " overtook %" PRIu64 " on its way to %s",
				message, at, ledger->parties[recipient]);
		passed &= !waits;
		if (passed)
			*first = at + 1;
	}
}

void ledger_saw_delivery(
	struct ledger *ledger, uint8_t recipient, uint64_t message, const uint8_t *h)
{
	struct leg *leg = ledger_leg_named(ledger, "a delivery", message, recipient, h);
	if (!leg)
		return;
	if (leg->end != 0)
		ledger_violate(ledger, "message %" PRIu64 " was delivered to %s after its end",
			message, ledger->parties[recipient]);
	ledger_check_hold(ledger, leg, message);
	if (!leg->delivered)
		check_order(ledger, message, recipient);
	leg->delivered = true;
}

void ledger_saw_replayed(
	struct ledger *ledger, uint8_t party, uint64_t message, const uint8_t *h, bool taken)
{
	const struct ledger_entry *entry = ledger_entry_at(ledger, message);
	const struct leg *leg = ledger_leg_at(ledger, message, party);
	if (!entry || entry->kind != ACCEPTED || memcmp(entry->h, h, HASH_SIZE) != 0)
		ledger_violate(ledger, "a replay of %" PRIu64 ", which is not committed", message);
	else if (taken && (!leg || (leg->end != END_ACCEPTED && leg->end != END_REJECTED)))
		ledger_violate(ledger,
			"message %" PRIu64 " is replayed to %s as taken, which it was not", message,
			ledger->parties[party]);
	else if (!taken && (leg || !entry->event))
		ledger_violate(ledger,
			"message %" PRIu64 " is replayed to %s, who has no right to it", message,
			ledger->parties[party]);
}

static void check_told(struct ledger *ledger, const char *what, const struct leg *leg,
	uint64_t message, uint8_t sender, struct bytes state)
{
	const char *end = leg->end != 0 ? end_state_name(leg->end) : "open";
	if (ledger->entries[message].sender != sender)
		ledger_violate(ledger, "%s of %" PRIu64 " for %s, who did not send it", what,
			message, ledger->parties[sender]);
	else if (!bytes_equal(BYTES_STR(end), state))
		ledger_violate(ledger, "%s of %" PRIu64 " says %.*s, the journal has %s", what,
			message, (int)state.len, (const char *)state.data, end);
}

void ledger_saw_outcome(struct ledger *ledger, uint8_t sender, uint64_t entry, uint64_t message,
	const uint8_t *h, uint8_t recipient, struct bytes state)
{
	const struct leg *leg = ledger_leg_named(ledger, "an outcome", message, recipient, h);
	if (!leg)
		return;
	if (bytes_equal(state, BYTES_STR(end_state_name(END_OVERDUE))) ||
		bytes_equal(state, BYTES_STR(end_state_name(END_DUE_SOON)))) {
		ledger_saw_reminder(ledger, sender, entry, message);
		return;
	}
	check_told(ledger, "an outcome", leg, message, sender, state);
	if (leg->end != 0 && leg->ended_by != entry)
		ledger_violate(ledger,
			"an outcome of %" PRIu64 " names entry %" PRIu64 ", it ended at %" PRIu64,
			message, entry, leg->ended_by);
}

void ledger_saw_acknowledged(struct ledger *ledger, uint8_t recipient, uint64_t message)
{
	const struct leg *leg = ledger_leg_named(
		ledger, "an Acknowledged", message, recipient, NULL);
	if (leg && leg->end == 0)
		ledger_violate(ledger,
			"%s may forget message %" PRIu64 ", whose end is not committed",
			ledger->parties[recipient], message);
}

void ledger_recalled(struct ledger *ledger, uint64_t message)
{
	if (message < ledger->count)
		ledger->entries[message].timed = true;
}

void ledger_saw_cancelled(struct ledger *ledger, uint8_t sender, uint64_t message,
	uint8_t recipient, struct bytes state)
{
	if (bytes_equal(state, BYTES_STR("unknown")) ||
		bytes_equal(state, BYTES_STR("under-delivery")))
		return;
	const struct leg *leg = ledger_leg_named(ledger, "a Cancelled", message, recipient, NULL);
	if (leg)
		check_told(ledger, "a Cancelled", leg, message, sender, state);
}

/* ---- legacy systems ---- */

void ledger_recorded(struct ledger *ledger, uint8_t sender, const uint8_t *h, uint64_t sequence)
{
	ledger_saw_receipt(ledger, h, sequence);
	if (sequence < ledger->count && ledger->entries[sequence].sender != sender)
		ledger_violate(ledger, "%s holds a receipt of somebody else's message %" PRIu64,
			ledger->parties[sender], sequence);
}

void ledger_told(struct ledger *ledger, uint8_t sender, const uint8_t *h, uint8_t recipient,
	struct bytes state, uint64_t life)
{
	uint64_t message = ledger_find(ledger, h);
	struct leg *leg = ledger_leg_at(ledger, message, recipient);
	if (!leg) {
		ledger_violate(ledger, "%s was told of a message that is not committed",
			ledger->parties[sender]);
		return;
	}
	check_told(ledger, "what the sender was told", leg, message, sender, state);
	if (leg->told && leg->told_life == life)
		ledger_violate(ledger, "the end of message %" PRIu64 " for %s was told twice",
			message, ledger->parties[recipient]);
	ledger->told += !leg->told;
	leg->told = true;
	leg->told_life = life;
}

void ledger_handed(
	struct ledger *ledger, uint8_t recipient, uint64_t message, const uint8_t *h, uint64_t life)
{
	struct leg *leg = ledger_leg_named(ledger, "a hand-over", message, recipient, h);
	if (!leg)
		return;
	if (leg->handed == life)
		ledger_violate(ledger, "message %" PRIu64 " was handed over to %s twice", message,
			ledger->parties[recipient]);
	leg->handed = life;
}

void ledger_rest(struct ledger *ledger)
{
	for (size_t at = 0; at < ledger->count; at++) {
		const struct ledger_entry *entry = &ledger->entries[at];
		for (size_t i = 0; i < entry->legs_count; i++) {
			const struct leg *leg = &entry->legs[i];
			if (leg->end == 0)
				ledger_violate(ledger, "message %zu never ended for %s", at,
					ledger->parties[leg->recipient]);
			else if (!leg->told)
				ledger_violate(
					ledger, "the sender of message %zu was never told how it ended for %s",
					at, ledger->parties[leg->recipient]);
		}
	}
}
