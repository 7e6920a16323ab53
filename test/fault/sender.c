/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The outbox of the SDK has tests of its own; this one is here to be strict. It is in memory and never
 * dies, so whatever it was promised once it can hold against the broker until the end.
 */
#include "test/fault/sender.h"

#include <stdlib.h>

#include "proto/base/clock.h"
#include "proto/merkle/merkle.h"
#include "proto/receipt/receipt.h"
#include "test/kit/check.h"

enum { RING = 8, BATCH_ARENA = 16 << 20, KEYS_MAX = 4 };
static const char origin[] = "test.demo/0";

/* Messages under one signature, as long as any of them may have to be sent again. */
struct batch {
	struct arena *arena;
	Dienstweg__Envelope **envelopes;
	size_t first; /* of its letters */
	size_t answered;
	bool sent; /* in this session */
};

struct sender {
	struct sender_options options;
	struct party party;
	struct receipt_checker *checker;
	struct note_key log_keys[KEYS_MAX];
	size_t log_keys_count;
	struct batch ring[RING];
	size_t ring_first, ring_end; /* numbers of batches; the oldest may be answered whole */
	struct letter *letters;
	size_t letters_room;
	struct checkpoint linked; /* proven to extend all before it */
	struct checkpoint seen;   /* the newest; in this session, not yet linked */
	struct checkpoint asked;  /* a proof from linked to this one is under way; size 0: none */
	struct sender_counts counts;
	uint64_t number;
	struct party_answer deferral; /* the last */
	bool resting;
	bool put_off; /* by the broker, until `again_ms` */
	bool resume;  /* says the next Submit */
	long long again_ms;
};

static struct batch *batch_at(struct sender *s, size_t number)
{
	return &s->ring[number % RING];
}

/* ---- letters ---- */

static struct letter *letter_new(struct sender *s)
{
	if (s->counts.composed == s->letters_room) {
		s->letters_room = s->letters_room ? 2 * s->letters_room : 4096;
		s->letters = realloc(s->letters, s->letters_room * sizeof(*s->letters));
		CHECK(s->letters);
	}
	struct letter *letter = &s->letters[s->counts.composed++];
	*letter = (struct letter){0};
	return letter;
}

static void batch_compose(struct sender *s)
{
	struct party_draft draft = {
		.region = "051240000000", .content_type = s->options.content_type};
	struct batch *batch = batch_at(s, s->ring_end++);

	arena_reset(batch->arena);
	batch->first = s->counts.composed;
	batch->answered = 0;
	batch->sent = false;
	batch->envelopes = party_compose(&s->party, &draft, BATCH_MAX, batch->arena);
	for (size_t i = 0; i < BATCH_MAX; i++) {
		struct bytes header = BYTES_PB(batch->envelopes[i]->header);
		struct letter *letter = letter_new(s);
		Dienstweg__Header *parsed;
		const char *field;
		envelope_header_hash(header, letter->h);
		CHECK_INT(envelope_header_parse(batch->arena, header, &parsed, &field), 0);
		memcpy(letter->message_id, parsed->message_id.data, 16);
	}
}

/* By h, among those that may still be answered. */
static struct letter *letter_find(struct sender *s, ProtobufCBinaryData h, struct batch **ret)
{
	CHECK_INT(h.len, 32);
	for (size_t n = s->ring_first; n < s->ring_end; n++) {
		struct batch *batch = batch_at(s, n);
		for (size_t i = 0; i < BATCH_MAX; i++) {
			struct letter *letter = &s->letters[batch->first + i];
			if (memcmp(letter->h, h.data, 32) == 0) {
				*ret = batch;
				return letter;
			}
		}
	}
	CHECK_FAIL("an answer to a message that was never sent, or long ago");
}

/* ---- the log only grows ---- */

static struct checkpoint checkpoint_take(const struct sender *s, ProtobufCBinaryData note)
{
	struct checkpoint checkpoint;

	CHECK_INT(
		checkpoint_open(BYTES_PB(note), s->log_keys, s->log_keys_count, origin, &checkpoint),
		0);
	if (checkpoint.size < s->seen.size)
		CHECK_FAIL("the log shrank from %llu to %llu entries",
			(unsigned long long)s->seen.size, (unsigned long long)checkpoint.size);
	if (checkpoint.size == s->seen.size && s->seen.size > 0)
		CHECK_MEM(&checkpoint.root, &s->seen.root, HASH_SIZE);
	return checkpoint;
}

static void consistent(struct sender *s, const struct checkpoint *old, const struct checkpoint *new,
	ProtobufCBinaryData proof)
{
	struct merkle_hash path[2 * MERKLE_LEVELS];

	CHECK(proof.len % HASH_SIZE == 0 && proof.len <= sizeof(path));
	if (proof.len)
		memcpy(path, proof.data, proof.len);
	CHECK_INT(merkle_consistency_check(old->size, &old->root, new->size, &new->root, path,
			  proof.len / HASH_SIZE),
		0);
	s->counts.proofs++;
}

static void on_hello(void *context, Dienstweg__Hello *hello)
{
	struct sender *s = context;

	hello->newest_size = s->seen.size;
	if (s->seen.size)
		hello->newest_root = (ProtobufCBinaryData){
			.len = HASH_SIZE, .data = s->seen.root.bytes};
}

/* What came in the last session is linked by a question of its own. */
static void link_ask(struct sender *s)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__GetProof question = DIENSTWEG__GET_PROOF__INIT;

	s->asked.size = 0;
	if (s->linked.size == 0 || s->linked.size == s->seen.size)
		return;
	question.old_size = s->linked.size;
	question.new_size = s->seen.size;
	frame.body_case = DIENSTWEG__FRAME__BODY_GET_PROOF;
	frame.get_proof = &question;
	if (client_send(s->party.client, &frame) == 0)
		s->asked = s->seen;
}

static void link_take(struct sender *s, const Dienstweg__CheckpointFrame *answer)
{
	if (s->asked.size == 0)
		return;
	CHECK_INT(answer->old_size, s->linked.size);
	CHECK_INT(answer->new_size, s->asked.size);
	consistent(s, &s->linked, &s->asked, answer->consistency);
	s->linked = s->asked;
	s->asked.size = 0;
}

static void on_ready(void *context, const Dienstweg__Welcome *welcome)
{
	struct sender *s = context;
	struct checkpoint now = checkpoint_take(s, welcome->checkpoint);

	if (s->seen.size)
		consistent(s, &s->seen, &now, welcome->consistency);
	else
		s->linked = now;
	link_ask(s);
	s->seen = now;
	s->counts.sessions++;
	s->number = 0;
	s->put_off = s->resume = false;
	for (size_t n = s->ring_first; n < s->ring_end; n++)
		batch_at(s, n)->sent = false;
}

/* ---- answers ---- */

static void receipt_take(struct sender *s, const Dienstweg__Receipt *receipt)
{
	struct batch *batch;
	struct letter *letter = letter_find(s, receipt->h, &batch);
	uint8_t core[SIGNATURE_CORE_MAX];
	size_t len = signature_core(
		batch->envelopes[letter - s->letters - (ptrdiff_t)batch->first]->signature, core);

	CHECK_INT(receipt_check_message(s->checker, receipt, letter->h, BYTES(core, len)), 0);
	if (letter->recorded) {
		CHECK_INT(receipt->sequence, letter->sequence);
		s->counts.again++;
		return;
	}
	letter->recorded = true;
	letter->sequence = receipt->sequence;
	s->counts.recorded++;
	batch->answered++;
}

static void try_again(struct sender *s, uint32_t retry_ms)
{
	CHECK(s->options.deferral_fine);
	s->counts.deferred++;
	s->put_off = true;
	s->again_ms = now_ms() + retry_ms;
}

static void deferral_take(struct sender *s, const Dienstweg__Deferral *deferral)
{
	struct party_answer *last = &s->deferral;

	try_again(s, deferral->retry_ms);
	last->kind = ANSWER_DEFERRAL;
	snprintf(last->code, sizeof(last->code), "%.*s", (int)deferral->reason.len,
		(const char *)deferral->reason.data);
	snprintf(last->detail, sizeof(last->detail), "%.*s", (int)deferral->detail.len,
		(const char *)deferral->detail.data);
}

static void answer_take(struct sender *s, const Dienstweg__Answer *answer)
{
	CHECK_INT(answer->n_refusals, 0);
	if (answer->n_receipts) {
		s->seen = checkpoint_take(s, answer->checkpoint);
		CHECK_INT(receipt_checker_start(s->checker, &s->seen, BYTES_PB(answer->nodes)), 0);
	}
	for (size_t i = 0; i < answer->n_receipts; i++)
		receipt_take(s, answer->receipts[i]);
	for (size_t i = 0; i < answer->n_deferrals; i++)
		deferral_take(s, answer->deferrals[i]);
	if (answer->frame) {
		s->resume = true;
		try_again(s, answer->frame->retry_ms);
	}
}

/* An outcome may overtake its receipt. Those of long ago were confirmed long ago: look from the end. */
static void outcome_take(struct sender *s, const Dienstweg__Outcome *outcome)
{
	CHECK(bytes_equal(BYTES_PB(outcome->state), BYTES_STR("accepted")));
	CHECK_INT(outcome->h.len, 32);
	for (size_t i = s->counts.composed; i-- > 0;) {
		struct letter *letter = &s->letters[i];
		if (memcmp(letter->h, outcome->h.data, 32) != 0)
			continue;
		if (letter->recorded)
			CHECK_INT(outcome->message_sequence, letter->sequence);
		s->counts.ended += !letter->ended;
		letter->ended = true;
		return;
	}
	CHECK_FAIL("an outcome of a message that was never sent");
}

static void deliver_take(struct sender *s, const Dienstweg__Deliver *deliver)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Confirm confirm = DIENSTWEG__CONFIRM__INIT;

	for (size_t i = 0; i < deliver->n_items; i++) {
		CHECK(deliver->items[i]->outcome);
		outcome_take(s, deliver->items[i]->outcome);
		confirm.sequence = deliver->items[i]->sequence;
	}
	CHECK(client_credit_add(s->party.client, deliver->n_items, 0) >= 0);
	confirm.party = (ProtobufCBinaryData){
		.len = strlen(s->party.name), .data = (uint8_t *)s->party.name};
	frame.body_case = DIENSTWEG__FRAME__BODY_CONFIRM;
	frame.confirm = &confirm;
	CHECK(client_send(s->party.client, &frame) >= 0);
}

static void on_frame(void *context, const Dienstweg__Frame *frame)
{
	struct sender *s = context;

	if (frame->body_case == DIENSTWEG__FRAME__BODY_ANSWER)
		answer_take(s, frame->answer);
	if (frame->body_case == DIENSTWEG__FRAME__BODY_DELIVER)
		deliver_take(s, frame->deliver);
	if (frame->body_case == DIENSTWEG__FRAME__BODY_CHECKPOINT)
		link_take(s, frame->checkpoint);
}

/* ---- sending ---- */

/* One whole batch stays behind the oldest that is open: it will be sent again, too. */
static void ring_turn(struct sender *s)
{
	while (s->ring_end - s->ring_first > 1 && batch_at(s, s->ring_first)->answered == BATCH_MAX &&
		batch_at(s, s->ring_first + 1)->answered == BATCH_MAX)
		s->ring_first++;
	while (!s->resting && s->ring_end - s->ring_first < RING &&
		s->counts.composed - s->counts.recorded + BATCH_MAX <= s->options.window &&
		s->counts.composed - s->counts.ended + BATCH_MAX <= s->options.open_max)
		batch_compose(s);
}

static bool batch_send(struct sender *s, struct batch *batch)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Submit submit = DIENSTWEG__SUBMIT__INIT;

	submit.number = ++s->number;
	submit.resume = s->resume;
	submit.envelopes = batch->envelopes;
	submit.n_envelopes = BATCH_MAX;
	frame.body_case = DIENSTWEG__FRAME__BODY_SUBMIT;
	frame.submit = &submit;
	int r = client_send(s->party.client, &frame);
	CHECK(r == 0 || r == CLIENT_BUSY);
	batch->sent = r == 0;
	s->resume = s->resume && r != 0;
	return r == 0;
}

static void ring_send(struct sender *s)
{
	if (client_state(s->party.client) != CLIENT_READY || (s->put_off && now_ms() < s->again_ms))
		return;
	for (size_t n = s->ring_first; s->put_off && n < s->ring_end; n++)
		batch_at(s, n)->sent = batch_at(s, n)->answered == BATCH_MAX;
	s->put_off = false;
	for (size_t n = s->ring_first; n < s->ring_end; n++)
		if (!batch_at(s, n)->sent && !batch_send(s, batch_at(s, n)))
			return;
}

void sender_step(struct sender *sender, int wait_ms)
{
	ring_turn(sender);
	ring_send(sender);
	party_step(&sender->party, wait_ms);
}

void sender_rest(struct sender *sender)
{
	sender->resting = true;
}

/* ---- life ---- */

static void sender_connect(struct sender *s)
{
	const struct bus *bus = s->options.bus;
	struct client_options options = {
		.endpoint = bus->endpoint,
		.transport_key = s->party.transport,
		.parties = s->party.names,
		.parties_count = 1,
		.software = "sender",
		.clock = clock_system(),
		.credit_messages = 4096,
		.credit_bytes = 16 << 20,
		.reconnect_min_ms = 10,
		.reconnect_max_ms = 50,
		.ping_ms = s->options.ping_ms,
	};
	struct client_handler handler = {
		.context = s, .hello = on_hello, .ready = on_ready, .frame = on_frame};

	memcpy(options.broker_key,
		registry_fixture_secret(bus->fixture, "test.demo", KEY_TRANSPORT)->pub.public,
		BOX_KEY_SIZE);
	CHECK_INT(client_new(&options, &handler, &s->party.client), 0);
}

struct sender *sender_new(const struct sender_options *options)
{
	struct sender *s = calloc(1, sizeof(*s));

	CHECK(s && options->window % BATCH_MAX == 0 && options->window / BATCH_MAX + 2 <= RING);
	s->options = *options;
	party_init(&s->party, options->bus, options->name);
	CHECK_INT(receipt_checker_new(&s->checker), 0);
	s->log_keys_count = registry_log_keys(options->bus->registry, origin, s->log_keys, KEYS_MAX);
	CHECK(s->log_keys_count > 0);
	for (size_t i = 0; i < RING; i++) {
		s->ring[i].arena = arena_new(BATCH_ARENA);
		CHECK(s->ring[i].arena);
	}
	sender_connect(s);
	return s;
}

void sender_free(struct sender *sender)
{
	if (!sender)
		return;
	for (size_t i = 0; i < RING; i++)
		arena_free(sender->ring[i].arena);
	receipt_checker_free(sender->checker);
	party_deinit(&sender->party);
	free(sender->letters);
	free(sender);
}

const struct letter *sender_letters(const struct sender *sender, size_t *ret_count)
{
	*ret_count = sender->counts.composed;
	return sender->letters;
}

void sender_counts(const struct sender *sender, struct sender_counts *ret)
{
	*ret = sender->counts;
}

const struct party_answer *sender_deferral(const struct sender *sender)
{
	return sender->deferral.kind ? &sender->deferral : NULL;
}
