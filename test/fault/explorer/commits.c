/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Group commit around the real rules: acts are decided in an open transaction, in any order, and only its
 * commit makes them durable and lets anything leave. The model puts no order on acts that wait, so every
 * order that real queues could give is among those explored.
 */
#include "test/fault/explorer/world.h"

static uint32_t entry_time(const struct lab *lab, const struct world *world)
{
	return lab->breakage == BREAK_TIME_UNRECORDED ? world->now : world->batch_open;
}

struct world_entry txn_entry(
	const struct lab *lab, const struct world *world, Dienstweg__EntryKind kind)
{
	struct world_entry entry;
	memset(&entry, 0, sizeof(entry));
	entry.parent = world->journal_open;
	entry.batch = entry_time(lab, world);
	entry.kind = (uint8_t)kind;
	return entry;
}

void txn_append(
	struct lab *lab, struct world *world, struct txn *txn, const struct world_entry *entry)
{
	if (entry->parent != 0 && lab->entries[entry->parent - 1].batch > entry->batch)
		lab_violate(lab, "time runs backwards in the journal");
	world->journal_open = lab_append(lab, entry);
	txn->rules.sequence++;
	lab_must(txn->rules.sequence < UINT8_MAX, "the journal is too long");
}

static uint8_t leg_of(
	const struct lab *lab, const struct world *world, uint32_t number, uint64_t sequence)
{
	for (uint8_t i = 0; i < lab->legs_count; i++)
		if (lab->numbers[lab->recipients[i]] == number &&
			lab_sequence(lab, world->journal_open, lab->scenario->legs[i].message) ==
				(int)sequence)
			return i;
	lab_must(false, "an effect about no leg");
	return 0;
}

static uint8_t party_of_number(const struct lab *lab, uint32_t number)
{
	for (uint8_t i = 0; i < lab->parties_count; i++)
		if (lab->numbers[i] == number)
			return i;
	lab_must(false, "an effect about no party");
	return 0;
}

/* Effects are kept for the commit; the real ones live in an arena that the next step resets. */
static void keep_effects(struct lab *lab, struct world *world, const struct rules *rules)
{
	for (const struct effect *e = rules->effects; e; e = e->next) {
		if (e->type == EFFECT_OUTCOME || e->type == EFFECT_OVERDUE ||
			e->type == EFFECT_DUE_SOON)
			continue; /* outcomes are read from the queue, the others were said */
		lab_must(world->effects_count < WORLD_EFFECTS, "too many effects");
		world->effects[world->effects_count++] = (struct world_effect){
			.type = e->type,
			.leg = e->type == EFFECT_HELD || e->type == EFFECT_RELEASED
				       ? party_of_number(lab, e->party)
				       : leg_of(lab, world, e->party, e->sequence),
			.attempts = (uint8_t)e->row.attempts,
		};
	}
	if (lab->breakage == BREAK_DELIVER_BEFORE_COMMIT)
		reactor_commit(lab, world);
}

static void run_tick(struct lab *lab, struct world *world, struct txn *txn)
{
	struct tick_cursor cursor = {.set = world->cursor_set};
	struct items_decision decision;
	int handled;
	memcpy(cursor.key, world->cursor, sizeof(cursor.key));
	do {
		handled = rules_tick(&txn->rules, 8, &cursor, &decision);
		lab_must(handled >= 0, "rules_tick() failed");
		if (decision.append) {
			struct world_entry entry = txn_entry(
				lab, world, DIENSTWEG__ENTRY_KIND__ENTRY_REFUSALS_SUMMED);
			txn_append(lab, world, txn, &entry);
		}
	} while (handled > 0);
	memcpy(world->cursor, cursor.key, sizeof(cursor.key));
	world->cursor_set = cursor.set;
	waits_say(lab, world, txn);
}

void txn_begin(struct lab *lab, struct world *world, struct txn *txn)
{
	bool fresh = world->open == 0;
	if (fresh) {
		world->open = world->durable;
		world->journal_open = world->journal;
		world->batch_open = lab->breakage == BREAK_TIME_BACKWARDS ? world->now
									  : lab_now(world);
	}
	lab_must(state_memory_copy(lab->snapshots[world->open - 1], &txn->memory) == 0,
		"out of memory");
	arena_reset(lab->scratch);
	txn->rules = (struct rules){
		.version = RULES_VERSION,
		.state = state_memory_state(txn->memory),
		.registry = lab->fixture.registry,
		.limits = &lab->fixture.limits,
		.batch_ms = lab_time(world->batch_open),
		.sequence = lab_entries(lab, world->journal_open),
		.arena = lab->scratch,
	};
	if (fresh && world->clock_set) {
		struct world_entry entry = txn_entry(
			lab, world, DIENSTWEG__ENTRY_KIND__ENTRY_CLOCK_STEP);
		txn_append(lab, world, txn, &entry);
		world->clock_set = 0;
	}
	if (fresh)
		run_tick(lab, world, txn);
}

void txn_end(struct lab *lab, struct world *world, struct txn *txn)
{
	world->open = lab_keep(lab, txn->memory);
	keep_effects(lab, world, &txn->rules);
}

/* ---- acts ---- */

/* The outbox takes an answer. */
static void answer(struct lab *lab, struct world_message *message)
{
	if (message->known != ANSWER_NONE &&
		(message->known != message->decided || message->known_at != message->decided_at))
		lab_violate(lab, "the same header was answered differently");
	message->known = message->decided;
	message->known_at = message->decided_at;
}

static void decided(
	struct lab *lab, struct world_message *message, enum answer answer_of, uint64_t at)
{
	message->decided = (uint8_t)answer_of;
	message->decided_at = (uint8_t)at;
	if (lab->breakage == BREAK_RECEIPT_BEFORE_COMMIT)
		answer(lab, message);
}

/* One header, one entry; but another under a used id is refused each time it comes. */
static void check_once(
	struct lab *lab, const struct world *world, uint8_t number, const struct submit_decision *d)
{
	if (d->result == SUBMIT_REFUSED && strcmp(d->code, "id-reused") == 0)
		return;
	for (uint32_t at = world->journal_open; at != 0; at = lab->entries[at - 1].parent) {
		const struct world_entry *entry = &lab->entries[at - 1];
		if ((entry->kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED ||
			    entry->kind == DIENSTWEG__ENTRY_KIND__ENTRY_REFUSED) &&
			entry->message == number)
			lab_violate(lab, "the same header was recorded twice");
	}
}

static bool submit(struct lab *lab, struct world *world, uint8_t number)
{
	struct world_message *message = &world->messages[number];
	struct submit_decision d;
	struct txn txn;
	if (message->sent || message->known != ANSWER_NONE || !waits_may_submit(lab, world, number))
		return false;
	message->sent = 1;
	txn_begin(lab, world, &txn);
	lab_must(rules_submit(&txn.rules, lab->facts[number], &d) == 0, "rules_submit() failed");
	bool accepted = d.result == SUBMIT_ACCEPTED;
	uint64_t at = d.result == SUBMIT_DUPLICATE ? d.earlier : txn.rules.sequence;
	if (d.result == SUBMIT_DEFERRED || (d.result == SUBMIT_REFUSED && !d.append))
		lab_violate(lab, "a message was put off, or refused without an entry: %s", d.detail);
	if (d.result == SUBMIT_DUPLICATE)
		accepted = d.earlier_kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED;
	if (d.append) {
		check_once(lab, world, number, &d);
		struct world_entry entry = txn_entry(lab, world,
			accepted ? DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED
				 : DIENSTWEG__ENTRY_KIND__ENTRY_REFUSED);
		entry.message = number;
		txn_append(lab, world, &txn, &entry);
	}
	txn_end(lab, world, &txn);
	decided(lab, message, accepted ? ANSWER_RECEIPT : ANSWER_REFUSAL, at);
	return true;
}

static void add_ack(struct lab *lab, struct world *world, uint8_t leg, Dienstweg__AckBatch *batch,
	struct world_entry *entry)
{
	uint8_t message = lab->scenario->legs[leg].message;
	int sequence = lab_sequence(lab, world->journal_open, message);
	Dienstweg__Ack *ack = arena_alloc(lab->scratch, sizeof(*ack));
	lab_must(ack && sequence >= 0, "an acknowledgement of nothing");
	dienstweg__ack__init(ack);
	ack->sequence = (uint64_t)sequence;
	ack->h.len = HASH_SIZE;
	ack->h.data = arena_alloc(lab->scratch, HASH_SIZE);
	lab_must(ack->h.data, "out of memory");
	memcpy(ack->h.data, lab->facts[message]->h, HASH_SIZE);
	ack->accepted = !lab->scenario->legs[leg].rejects;
	batch->acks[batch->n_acks++] = ack;
	entry->items[entry->count++].leg = leg;
}

static void decide_acks(struct lab *lab, struct world *world, struct txn *txn,
	Dienstweg__AckBatch *batch, struct world_entry *entry)
{
	struct ack_decision d;
	struct ack_facts facts = {.batch = batch,
		.form_ok = true,
		.signature_ok = true,
		.speaker = BYTES_PB(batch->recipient)};
	lab_must(rules_acknowledge(&txn->rules, &facts, &d) == 0, "rules_acknowledge() failed");
	if (d.refused)
		lab_violate(lab, "acknowledgements were refused: %s", d.detail);
	for (size_t i = 0; i < entry->count; i++) {
		struct world_leg *leg = &world->legs[entry->items[i].leg];
		entry->items[i].verdict = (uint8_t)d.verdicts[i];
		if (d.verdicts[i] == DIENSTWEG__ACK_VERDICT__ACK_UNKNOWN)
			lab_violate(lab, "an acknowledgement of a delivered message was unknown");
		leg->ack_taken = leg->ack_pending;
		leg->ack_pending = 0;
		if (lab->breakage == BREAK_ACKNOWLEDGED_BEFORE_COMMIT)
			leg->acknowledged = 1;
	}
	if (d.append)
		txn_append(lab, world, txn, entry);
}

/* One leg's acknowledgement, or (@leg is WORLD_LEGS) all that wait of a party. */
static bool acknowledge(struct lab *lab, struct world *world, uint8_t party, uint8_t leg)
{
	Dienstweg__AckBatch batch = DIENSTWEG__ACK_BATCH__INIT;
	Dienstweg__Ack *acks[WORLD_LEGS];
	struct txn txn;
	size_t waiting = 0;
	for (size_t i = 0; i < lab->legs_count; i++)
		waiting += lab->recipients[i] == party && world->legs[i].ack_pending != 0;
	if (leg == WORLD_LEGS ? waiting < 2 : world->legs[leg].ack_pending == 0)
		return false;
	txn_begin(lab, world, &txn);
	struct world_entry entry = txn_entry(lab, world, DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED);
	const Dienstweg__Party *recipient = registry_party(
		lab->fixture.registry, BYTES_STR(lab->scenario->parties[party]));
	entry.party = party;
	batch.recipient = recipient->name;
	batch.key_id = registry_party_key(recipient, KEY_SIGN)->id;
	batch.acks = acks;
	for (uint8_t i = 0; i < lab->legs_count; i++)
		if (lab->recipients[i] == party && world->legs[i].ack_pending != 0 &&
			(leg == WORLD_LEGS || leg == i))
			add_ack(lab, world, i, &batch, &entry);
	decide_acks(lab, world, &txn, &batch, &entry);
	txn_end(lab, world, &txn);
	return true;
}

struct rules_item txn_item(const struct lab *lab, const struct world *world, uint8_t leg)
{
	int sequence = lab_sequence(lab, world->journal_open, lab->scenario->legs[leg].message);
	lab_must(sequence >= 0, "an act about nothing");
	return (struct rules_item){lab->numbers[lab->recipients[leg]], (uint64_t)sequence};
}

static void append_item(struct lab *lab, struct world *world, struct txn *txn, uint8_t leg,
	Dienstweg__EntryKind kind, const struct items_decision *d)
{
	struct world_entry entry = txn_entry(lab, world, kind);
	if (!d->append)
		return;
	const Dienstweg__Affected *affected = d->decision->affected[0];
	entry.count = 1;
	entry.items[0].leg = leg;
	entry.items[0].attempts = (uint8_t)affected->attempts;
	if (lab->breakage != BREAK_STRIKES_UNTOLD)
		entry.items[0].strikes = (uint8_t)affected->strikes;
	if (affected->due_ms != 0)
		entry.items[0].due = (uint32_t)(affected->due_ms - FIXTURE_NOW_MS);
	txn_append(lab, world, txn, &entry);
}

static bool expire(struct lab *lab, struct world *world, uint8_t number)
{
	struct world_leg *leg = &world->legs[number];
	struct items_decision d;
	struct txn txn;
	if (!leg->expire_pending)
		return false;
	txn_begin(lab, world, &txn);
	struct rules_item item = txn_item(lab, world, number);
	lab_must(rules_expire(&txn.rules, &item, 1, &d) == 0, "rules_expire() failed");
	append_item(lab, world, &txn, number, DIENSTWEG__ENTRY_KIND__ENTRY_EXPIRED, &d);
	leg->expire_pending = 0;
	leg->expire_taken = 1;
	txn_end(lab, world, &txn);
	return true;
}

/* As the journal does it: a failure that is the message's own may have been its last one. */
static bool fail(struct lab *lab, struct world *world, uint8_t number)
{
	struct world_leg *leg = &world->legs[number];
	struct items_decision d;
	struct txn txn;
	if (!leg->fail_pending)
		return false;
	txn_begin(lab, world, &txn);
	struct rules_item item = txn_item(lab, world, number);
	item.counted = leg->fail_pending == 2;
	if (item.counted) {
		lab_must(rules_bury(&txn.rules, &item, 1, "nak", &d) == 0, "rules_bury() failed");
		append_item(lab, world, &txn, number, DIENSTWEG__ENTRY_KIND__ENTRY_DEAD, &d);
	}
	lab_must(rules_fail(&txn.rules, &item, 1, "session-lost", 0, item.counted, &d) == 0,
		"rules_fail() failed");
	append_item(lab, world, &txn, number, DIENSTWEG__ENTRY_KIND__ENTRY_ATTEMPTS_FAILED, &d);
	leg->fail_pending = 0;
	leg->fail_taken = 1;
	txn_end(lab, world, &txn);
	return true;
}

static bool tick(struct lab *lab, struct world *world)
{
	struct tick_cursor cursor = {.set = world->cursor_set};
	struct txn txn;
	uint64_t due;
	if (world->open != 0)
		return false;
	memcpy(cursor.key, world->cursor, sizeof(cursor.key));
	lab_must(rules_next_due(state_memory_state(lab->snapshots[world->durable - 1]), &cursor,
			 &due) == 0,
		"rules_next_due() failed");
	if (due > lab_time(lab_now(world)))
		return false;
	txn_begin(lab, world, &txn);
	txn_end(lab, world, &txn);
	return true;
}

/* An operator's act about the case of a message: the other way round each time. */
static bool legal(struct lab *lab, struct world *world, uint8_t message)
{
	struct case_act act = {.account = 1000};
	struct items_decision d;
	struct txn txn;
	if (!lab_spend(lab, world, EDGE_LEGAL))
		return false;
	txn_begin(lab, world, &txn);
	bool hold = !lab_is_held(lab, world->open, message);
	memcpy(act.case_id, lab->facts[message]->header->case_id.data, CASE_ID_BYTES);
	lab_must(rules_hold(&txn.rules, &act, !hold, &d) == 0 && !d.append,
		"an act that changes nothing is no entry");
	lab_must(rules_hold(&txn.rules, &act, hold, &d) == 0 && d.append, "rules_hold() failed");
	struct world_entry entry = txn_entry(lab, world,
		hold ? DIENSTWEG__ENTRY_KIND__ENTRY_LEGAL_HOLD
		     : DIENSTWEG__ENTRY_KIND__ENTRY_LEGAL_RELEASE);
	entry.message = message;
	txn_append(lab, world, &txn, &entry);
	txn_end(lab, world, &txn);
	return true;
}

static void commit_to_disk(struct world *world)
{
	world->durable = world->open;
	world->journal = world->journal_open;
	world->batch = world->batch_open;
	world->open = 0;
	world->journal_open = 0;
	world->batch_open = 0;
}

static bool commit(struct lab *lab, struct world *world)
{
	if (world->open == 0)
		return false;
	commit_to_disk(world);
	for (size_t i = 0; i < WORLD_MESSAGES; i++) {
		struct world_message *message = &world->messages[i];
		if (message->decided != ANSWER_NONE)
			answer(lab, message);
		message->decided = ANSWER_NONE;
		message->decided_at = 0;
	}
	for (size_t i = 0; i < lab->legs_count; i++) {
		struct world_leg *leg = &world->legs[i];
		if (leg->ack_taken != 1)
			continue;
		leg->acknowledged = leg->deliver != 0;
		leg->done |= leg->deliver == 0;
	}
	for (size_t i = 0; i < lab->legs_count; i++)
		if (world->legs[i].cancel == CANCEL_LOOKED)
			world->legs[i].cancel = CANCEL_BACK;
	reactor_commit(lab, world);
	return true;
}

/* Touches nothing that another act reads: a commit of its own stands for all that it could share. */
static bool confirm(struct lab *lab, struct world *world, uint8_t party)
{
	struct txn txn;
	if (world->confirm_pending[party] == 0 || world->open != 0)
		return false;
	txn_begin(lab, world, &txn);
	lab_must(rules_confirm(
			 &txn.rules, lab->numbers[party], world->confirm_pending[party] - 1u) == 0,
		"rules_confirm() failed");
	world->confirm_pending[party] = 0;
	txn_end(lab, world, &txn);
	return commit(lab, world);
}

static bool commit_crash(struct lab *lab, struct world *world)
{
	if (world->open == 0 || !lab_spend(lab, world, EDGE_CRASH))
		return false;
	commit_to_disk(world);
	world_crash(lab, world);
	return true;
}

bool journal_step(struct lab *lab, struct world *world, struct action action)
{
	uint8_t n = action.subject;
	switch (action.kind) {
	case ACTION_SUBMIT:
		return submit(lab, world, n);
	case ACTION_ACKNOWLEDGE:
		return acknowledge(lab, world, lab->recipients[n], n);
	case ACTION_ACKNOWLEDGE_ALL:
		return acknowledge(lab, world, n, WORLD_LEGS);
	case ACTION_FAIL:
		return fail(lab, world, n);
	case ACTION_EXPIRE:
		return expire(lab, world, n);
	case ACTION_CONFIRM:
		return confirm(lab, world, n);
	case ACTION_TICK:
		return tick(lab, world);
	case ACTION_LEGAL:
		return legal(lab, world, n);
	case ACTION_COMMIT:
		return commit(lab, world);
	default: /* ACTION_COMMIT_CRASH */
		return commit_crash(lab, world);
	}
}
