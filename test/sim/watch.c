/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A frame is looked at when it leaves the broker, not when it arrives: what must not leave must not leave even if
 * it is lost. The journal is read when a disk has been synced since the last look, so that it is always known what
 * was committed before anything can leave because of it.
 */
#include "test/sim/watch.h"

#include <errno.h>
#include <inttypes.h>

#include "broker/journal/store.h"
#include "broker/routing/invariants.h"
#include "broker/routing/rules.h"
#include "proto/envelope/envelope.h"
#include "proto/frame.pb-c.h"
#include "proto/note/cosignature.h"
#include "test/kit/check.h"
#include "test/sim/disk.h"
#include "test/sim/net.h"

enum { ARENA_BYTES = 16 << 20, WALK_EVERY = 128, LOG_KEYS_MAX = 16 };

#define ORIGIN "test.demo/0"

/* ---- entries ---- */

struct seen {
	struct watch *watch;
	uint64_t sequence;
	const Dienstweg__Row *row;
	const Dienstweg__Decision *decision;
	struct disclosed disclosed;
};

static uint8_t party(const struct seen *seen, struct bytes name)
{
	return ledger_party(&seen->watch->town->ledger, name);
}

/* When an enquiry is over, or a submission overdue; 0: never. */
static uint64_t due_of(
	const struct seen *seen, const Dienstweg__Header *header, const Dienstweg__Service *service)
{
	const Dienstweg__Decision *decision = seen->decision;
	uint64_t at_ms = seen->disclosed.batch_ms, last = at_ms + service->answer_s * UINT64_C(1000);
	if (header->kind == DIENSTWEG__KIND__KIND_ENQUIRY)
		return header->expires_ms && header->expires_ms < last ? header->expires_ms : last;
	if (header->kind != DIENSTWEG__KIND__KIND_SUBMISSION || service->overdue_ms == 0)
		return 0;
	return (decision->due_ms ? decision->due_ms : at_ms) + service->overdue_ms;
}

static void accepted_enter(const struct seen *seen)
{
	Dienstweg__Header *header = NULL;
	const char *field;
	struct ledger_accepted what = {
		.h = seen->disclosed.digest, .delayed = seen->decision->due_ms != 0};
	CHECK_INT(envelope_header_parse(
			  seen->watch->arena, BYTES_PB(seen->row->original), &header, &field),
		0);
	what.sender = party(seen, BYTES_PB(header->sender));
	what.lane = (uint8_t)header->priority;
	const Dienstweg__Service *service = registry_service(
		seen->watch->town->bus.registry, BYTES_PB(header->service));
	CHECK(service); /* services do not change */
	what.service = BYTES_PB(header->service);
	what.kind = (uint8_t)header->kind;
	what.case_id = header->case_id.data;
	what.in_reply_to = header->in_reply_to.len == HASH_SIZE ? header->in_reply_to.data : NULL;
	what.at_ms = seen->disclosed.batch_ms;
	what.due_ms = due_of(seen, header, service);
	what.pending_max = service->pending_max;
	what.event = header->kind == DIENSTWEG__KIND__KIND_EVENT;
	what.timed = header->expires_ms != 0 || header->not_before_ms != 0 ||
		     header->kind == DIENSTWEG__KIND__KIND_ENQUIRY;
	for (size_t i = 0; i < seen->decision->n_recipients; i++)
		what.recipients[what.recipients_count++] = party(
			seen, BYTES_PB(seen->decision->recipients[i]));
	ledger_accepted(&seen->watch->town->ledger, seen->sequence, &what);
	enclosures_recorded(seen->watch->town, seen->sequence, header);
}

static void acknowledged_enter(const struct seen *seen)
{
	struct ledger *ledger = &seen->watch->town->ledger;
	Dienstweg__AckBatch *batch = dienstweg__ack_batch__unpack(
		arena_allocator(seen->watch->arena), seen->row->original.len,
		seen->row->original.data);
	CHECK(batch && batch->n_acks == seen->decision->n_verdicts);
	uint8_t recipient = party(seen, BYTES_PB(batch->recipient));
	for (size_t i = 0; i < batch->n_acks; i++) {
		const Dienstweg__Ack *ack = batch->acks[i];
		switch (seen->decision->verdicts[i]) {
		case DIENSTWEG__ACK_VERDICT__ACK_CLOSED:
			ledger_ended(ledger, seen->sequence, ack->sequence, recipient,
				ack->accepted ? END_ACCEPTED : END_REJECTED);
			break;
		case DIENSTWEG__ACK_VERDICT__ACK_LATE:
			ledger_late(ledger, seen->sequence, ack->sequence, recipient);
			break;
		case DIENSTWEG__ACK_VERDICT__ACK_ALREADY:
			ledger_already(ledger, seen->sequence, ack->sequence, recipient);
			break;
		default:
			ledger_unknown(ledger, recipient, ack->sequence);
		}
	}
}

static void affected_enter(const struct seen *seen, enum end_state end)
{
	struct ledger *ledger = &seen->watch->town->ledger;
	for (size_t i = 0; i < seen->decision->n_affected; i++) {
		const Dienstweg__Affected *item = seen->decision->affected[i];
		uint8_t recipient = party(seen, BYTES_PB(item->party));
		if (end != END_DELAYED)
			ledger_ended(ledger, seen->sequence, item->sequence, recipient, end);
		else
			ledger_failed(ledger, seen->sequence, item->sequence, recipient, true);
	}
}

static void dead_enter(const struct seen *seen, bool dead)
{
	for (size_t i = 0; i < seen->decision->n_affected; i++)
		ledger_dead(&seen->watch->town->ledger, seen->sequence,
			seen->decision->affected[i]->sequence,
			party(seen, BYTES_PB(seen->decision->affected[i]->party)), dead);
}

static void due_soon_enter(const struct seen *seen)
{
	for (size_t i = 0; i < seen->decision->n_affected; i++)
		ledger_due_soon(&seen->watch->town->ledger, seen->sequence,
			seen->decision->affected[i]->sequence, seen->disclosed.batch_ms);
}

static void overdue_enter(const struct seen *seen)
{
	for (size_t i = 0; i < seen->decision->n_affected; i++)
		ledger_overdue(&seen->watch->town->ledger, seen->sequence,
			seen->decision->affected[i]->sequence,
			party(seen, BYTES_PB(seen->decision->affected[i]->party)),
			seen->disclosed.batch_ms);
}

/* Of messages, or of a queue or a service as such: then it names no message. */
static void held_enter(const struct seen *seen, bool held)
{
	struct ledger *ledger = &seen->watch->town->ledger;
	const Dienstweg__Decision *decision = seen->decision;
	for (size_t i = 0; i < decision->n_affected; i++)
		ledger_held(ledger, seen->sequence, decision->affected[i]->sequence,
			party(seen, BYTES_PB(decision->affected[i]->party)), held);
	if (decision->held_party.len > 0)
		ledger_held_queue(
			ledger, seen->sequence, party(seen, BYTES_PB(decision->held_party)), held);
	else if (decision->n_affected == 0)
		ledger_held_service(ledger, seen->sequence, BYTES_PB(decision->held_service), held);
}

static void entry_enter(const struct seen *seen)
{
	struct ledger *ledger = &seen->watch->town->ledger;
	switch (seen->disclosed.kind) {
	case DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED:
		accepted_enter(seen);
		break;
	case DIENSTWEG__ENTRY_KIND__ENTRY_REFUSED:
		ledger_refused(ledger, seen->sequence, seen->disclosed.digest,
			rules_refusal_is_final(
				BYTES_PB(seen->decision->code), BYTES_PB(seen->decision->field)));
		break;
	case DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED:
		acknowledged_enter(seen);
		break;
	case DIENSTWEG__ENTRY_KIND__ENTRY_ATTEMPTS_FAILED:
		affected_enter(seen, END_DELAYED);
		break;
	case DIENSTWEG__ENTRY_KIND__ENTRY_DEAD:
	case DIENSTWEG__ENTRY_KIND__ENTRY_RETRIED:
		affected_enter(seen, END_DELAYED);
		dead_enter(seen, seen->disclosed.kind == DIENSTWEG__ENTRY_KIND__ENTRY_DEAD);
		break;
	case DIENSTWEG__ENTRY_KIND__ENTRY_HELD:
	case DIENSTWEG__ENTRY_KIND__ENTRY_RELEASED:
		held_enter(seen, seen->disclosed.kind == DIENSTWEG__ENTRY_KIND__ENTRY_HELD);
		break;
	case DIENSTWEG__ENTRY_KIND__ENTRY_DUE_SOON:
		due_soon_enter(seen);
		break;
	case DIENSTWEG__ENTRY_KIND__ENTRY_OVERDUE:
		overdue_enter(seen);
		break;
	case DIENSTWEG__ENTRY_KIND__ENTRY_EXPIRED:
		affected_enter(seen, END_EXPIRED);
		break;
	case DIENSTWEG__ENTRY_KIND__ENTRY_CANCELLED:
		affected_enter(seen, END_CANCELLED);
		break;
	case DIENSTWEG__ENTRY_KIND__ENTRY_DISCARDED:
		affected_enter(seen, END_DISCARDED);
		break;
	default:
		break;
	}
}

static struct bytes stub_read(
	struct watch *watch, uint64_t sequence, uint8_t buf[STUB_SIZE], struct stub *stub)
{
	CHECK_INT(journal_read_stub(watch->reader, sequence, stub), 0);
	buf[0] = stub->version;
	buf[1] = stub->kind;
	buf[2] = stub->class;
	memcpy(buf + 3, stub->commitment, HASH_SIZE);
	return BYTES(buf, STUB_SIZE);
}

static void entry_read(struct watch *watch, uint64_t sequence)
{
	uint8_t buf[STUB_SIZE];
	struct stub stub;
	struct seen seen = {.watch = watch, .sequence = sequence};
	Dienstweg__Row *row = NULL;
	Dienstweg__Decision *decision = NULL;
	struct bytes bytes = stub_read(watch, sequence, buf, &stub);
	arena_reset(watch->arena);
	CHECK_INT(journal_read_row(watch->reader, sequence, watch->arena, &row), 0);
	CHECK_INT(journal_row_decision(row, watch->arena, &decision), 0);
	CHECK_INT(disclosed_decode(BYTES_PB(row->disclosed), &seen.disclosed), 0);
	seen.row = row;
	seen.decision = decision;
	ledger_commit(&watch->town->ledger, sequence, stub.kind, bytes);
	entry_enter(&seen);
}

/* ---- the journal ---- */

static void totals_check(struct watch *watch)
{
	struct ledger *ledger = &watch->town->ledger;
	struct state *state = &journal_reader_store(watch->reader)->state;
	for (uint8_t i = 0; i < ledger->parties_count; i++) {
		uint8_t key[TOTAL_KEY_SIZE];
		struct bytes value;
		struct total_row row = {};
		uint32_t number;
		CHECK_INT(rules_party_number(state, BYTES_STR(ledger->parties[i]), &number), 0);
		watch->town->numbers[i] = number;
		total_key_encode(COUNTER_QUEUE, number, key);
		if (state_get(state, STATE_COUNTER, BYTES(key, sizeof(key)), &value) == 0)
			CHECK_INT(total_row_decode(value, &row), 0);
		ledger_total(ledger, i, row.first);
	}
}

static void tables_walk(struct watch *watch)
{
	char why[200] = "";
	struct state *state = &journal_reader_store(watch->reader)->state;
	watch->walks++;
	if (state_invariants(state, why, sizeof(why)) != 0)
		ledger_violate(&watch->town->ledger, "the tables contradict each other: %s", why);
}

void watch_walk(struct watch *watch)
{
	if (!watch->reader)
		return;
	CHECK_INT(journal_reader_begin(watch->reader), 0);
	tables_walk(watch);
	journal_reader_end(watch->reader);
}

/* Everything that was there before the restart is there and the same. */
static void after_restart(struct watch *watch, uint64_t size)
{
	struct ledger *ledger = &watch->town->ledger;
	ledger_size(ledger, size);
	ledger_binds(ledger, size);
	for (uint64_t i = 0; i < size && i < ledger->count; i++) {
		uint8_t buf[STUB_SIZE];
		struct stub stub;
		ledger_again(ledger, i, stub_read(watch, i, buf, &stub));
	}
	tables_walk(watch);
}

static void journal_look(struct watch *watch, bool restarted)
{
	struct ledger *ledger = &watch->town->ledger;
	struct journal_meta meta;
	CHECK_INT(journal_reader_begin(watch->reader), 0);
	CHECK_INT(journal_read_meta(watch->reader, &meta), 0);
	if (restarted)
		after_restart(watch, meta.size);
	if (meta.size > ledger->count) {
		uint64_t first = ledger->count;
		while (ledger->count < meta.size)
			entry_read(watch, ledger->count);
		town_tell(watch->town, "entries %" PRIu64 " to %" PRIu64 " are committed", first,
			meta.size - 1);
		watch->commits++;
	}
	totals_check(watch);
	if (watch->commits % WALK_EVERY == WALK_EVERY - 1)
		tables_walk(watch);
	journal_reader_end(watch->reader);
}

void watch_look(struct watch *watch)
{
	struct town *town = watch->town;
	bool restarted = false;
	if (!town->process.alive)
		town->broker = NULL;
	if (watch->reader && (!town->broker || watch->life != town->process.life)) {
		journal_reader_free(steal(&watch->reader));
		town_tell(town, "the broker is gone");
	}
	if (!town->broker)
		return;
	if (!watch->reader) {
		CHECK_INT(broker_reader(town->broker, &watch->reader), 0);
		watch->life = town->process.life;
		restarted = true;
	} else if (watch->syncs == disk_counts()->syncs) {
		return;
	}
	watch->syncs = disk_counts()->syncs;
	journal_look(watch, restarted);
}

/* ---- frames ---- */

static void answer_look(struct ledger *ledger, const Dienstweg__Answer *answer)
{
	for (size_t i = 0; i < answer->n_receipts; i++)
		ledger_saw_receipt(
			ledger, answer->receipts[i]->h.data, answer->receipts[i]->sequence);
	for (size_t i = 0; i < answer->n_refusals; i++)
		ledger_saw_refusal(
			ledger, answer->refusals[i]->h.data, answer->refusals[i]->sequence);
}

/* Every tree head that leaves is one of this journal's. */
static void checkpoint_look(struct watch *watch, struct bytes note)
{
	const struct registry *registry = watch->town->bus.registry;
	struct checkpoint checkpoint;
	struct cosignatures who;
	struct policy policy;
	struct note_key keys[LOG_KEYS_MAX];
	if (note.len == 0)
		return;
	size_t count = registry_log_keys(registry, ORIGIN, keys, ARRAY_LEN(keys));
	registry_witnesses(registry, &policy);
	if (checkpoint_judge(note, keys, count, ORIGIN, &policy, &checkpoint, &who) != 0)
		ledger_violate(&watch->town->ledger, "a checkpoint is not the log's");
	else
		ledger_saw_checkpoint(
			&watch->town->ledger, checkpoint.size, &checkpoint.root, who.quorum);
}

static void item_look(struct watch *watch, const Dienstweg__Item *item)
{
	struct ledger *ledger = &watch->town->ledger;
	uint8_t to = ledger_party(ledger, BYTES_PB(item->party));
	uint8_t h[HASH_SIZE];
	if (item->envelope) {
		envelope_header_hash(BYTES_PB(item->envelope->header), h);
		ledger_saw_delivery(ledger, to, item->sequence, h);
	} else if (item->outcome) {
		const Dienstweg__Outcome *outcome = item->outcome;
		ledger_saw_outcome(ledger, to, item->sequence, outcome->message_sequence,
			outcome->h.data, ledger_party(ledger, BYTES_PB(outcome->recipient)),
			BYTES_PB(outcome->state));
	}
}

static void replayed_look(struct ledger *ledger, const Dienstweg__Replayed *replayed)
{
	uint8_t party = ledger_party(ledger, BYTES_PB(replayed->party));
	uint8_t h[HASH_SIZE];
	for (size_t i = 0; i < replayed->n_items; i++) {
		const Dienstweg__Item *item = replayed->items[i];
		envelope_header_hash(BYTES_PB(item->envelope->header), h);
		ledger_saw_replayed(ledger, party, item->sequence, h, item->attempt > 0);
	}
}

static void acknowledged_look(struct ledger *ledger, const Dienstweg__Acknowledged *frame)
{
	for (size_t i = 0; i < frame->n_states; i++) {
		const Dienstweg__AckState *state = frame->states[i];
		uint8_t recipient = ledger_party(ledger, BYTES_PB(state->party));
		if (bytes_equal(BYTES_PB(state->state), BYTES_STR("unknown")))
			ledger_unknown(ledger, recipient, state->sequence);
		else
			ledger_saw_acknowledged(ledger, recipient, state->sequence);
	}
}

static void cancelled_look(struct ledger *ledger, const Dienstweg__Cancelled *frame)
{
	/* Its key may have been exchanged meanwhile; anything else is wrong. */
	for (size_t i = 0; i < frame->n_refusals; i++)
		if (!bytes_equal(BYTES_PB(frame->refusals[i]->code), BYTES_STR("key-not-active")) &&
			!bytes_equal(BYTES_PB(frame->refusals[i]->code), BYTES_STR("unknown-key")))
			ledger_violate(ledger, "a cancellation is refused: %.*s",
				(int)frame->refusals[i]->code.len,
				(const char *)frame->refusals[i]->code.data);
	for (size_t i = 0; i < frame->n_states; i++) {
		const Dienstweg__CancelState *state = frame->states[i];
		if (state->recipient.len > 0)
			ledger_saw_cancelled(ledger, ledger_party(ledger, BYTES_PB(state->party)),
				state->sequence, ledger_party(ledger, BYTES_PB(state->recipient)),
				BYTES_PB(state->state));
	}
}

static void frame_look(void *context, const struct proc *process, struct bytes raw)
{
	struct watch *watch = context;
	arena_reset(watch->arena);
	Dienstweg__Frame *frame = dienstweg__frame__unpack(
		arena_allocator(watch->arena), raw.len, raw.data);
	CHECK(frame);
	switch (frame->body_case) {
	case DIENSTWEG__FRAME__BODY_WELCOME:
		checkpoint_look(watch, BYTES_PB(frame->welcome->checkpoint));
		break;
	case DIENSTWEG__FRAME__BODY_CHECKPOINT:
		checkpoint_look(watch, BYTES_PB(frame->checkpoint->checkpoint));
		break;
	case DIENSTWEG__FRAME__BODY_CANDIDATE:
		checkpoint_look(watch, BYTES_PB(frame->candidate->checkpoint));
		break;
	case DIENSTWEG__FRAME__BODY_ANSWER:
		checkpoint_look(watch, BYTES_PB(frame->answer->checkpoint));
		answer_look(&watch->town->ledger, frame->answer);
		town_tell(watch->town,
			"broker to %s: answer, %zu receipts, %zu refusals, %zu deferrals%s",
			process->name, frame->answer->n_receipts, frame->answer->n_refusals,
			frame->answer->n_deferrals, frame->answer->frame ? ", put off" : "");
		break;
	case DIENSTWEG__FRAME__BODY_DELIVER:
		for (size_t i = 0; i < frame->deliver->n_items; i++)
			item_look(watch, frame->deliver->items[i]);
		town_tell(watch->town, "broker to %s: %zu items from %" PRIu64 " on", process->name,
			frame->deliver->n_items, frame->deliver->items[0]->sequence);
		break;
	case DIENSTWEG__FRAME__BODY_REPLAYED:
		replayed_look(&watch->town->ledger, frame->replayed);
		town_tell(watch->town, "broker to %s: %zu replayed", process->name,
			frame->replayed->n_items);
		break;
	case DIENSTWEG__FRAME__BODY_ACKNOWLEDGED:
		checkpoint_look(watch, BYTES_PB(frame->acknowledged->checkpoint));
		acknowledged_look(&watch->town->ledger, frame->acknowledged);
		town_tell(watch->town, "broker to %s: %zu acknowledged, %zu refused", process->name,
			frame->acknowledged->n_states, frame->acknowledged->n_refusals);
		break;
	case DIENSTWEG__FRAME__BODY_CANCELLED:
		cancelled_look(&watch->town->ledger, frame->cancelled);
		town_tell(watch->town, "broker to %s: %zu looked at to be cancelled, the first %.*s",
			process->name, frame->cancelled->n_states,
			frame->cancelled->n_states ? (int)frame->cancelled->states[0]->state.len : 0,
			frame->cancelled->n_states
				? (const char *)frame->cancelled->states[0]->state.data
				: "");
		break;
	case DIENSTWEG__FRAME__BODY_ERROR:
		town_tell(watch->town, "broker to %s: error %.*s: %.*s", process->name,
			(int)frame->error->code.len, (const char *)frame->error->code.data,
			(int)frame->error->detail.len, (const char *)frame->error->detail.data);
		break;
	default:
		break;
	}
}

void watch_init(struct watch *watch, struct town *town)
{
	*watch = (struct watch){.town = town, .arena = arena_new(ARENA_BYTES)};
	CHECK(watch->arena);
	net_now()->tap = frame_look;
	net_now()->tap_context = watch;
}

void watch_deinit(struct watch *watch)
{
	journal_reader_free(watch->reader);
	arena_free(watch->arena);
}
