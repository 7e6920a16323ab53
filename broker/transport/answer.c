/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The frame is collected item by item and leaves when the next item would not fit: too large, too many,
 * another checkpoint, or the other kind of frame. Sizes are estimated from above, because protobuf-c
 * would walk the whole frame to tell, once per item.
 */
#include "broker/transport/answer.h"

#include <errno.h>
#include <stdlib.h>

#include "broker/field.h"
#include "broker/transport/nodes.h"
#include "proto/envelope/envelope.h"
#include "proto/receipt/receipt.h"

enum {
	ARENA_BUDGET = 16 << 20,
	RECEIPT_BYTES = 160, /* fixed fields and their tags */
	SIGNATURE_BYTES = 16 + 5 * 32 + 64 + 32,
	REFUSAL_BYTES = 160,
	STATE_BYTES = 100,
	NOTICES_MAX = 16,                /* of an Answer; others come with the next one */
	PATH_STEP_BYTES = HASH_SIZE + 3, /* its node, if new, and its index */
};

struct answer {
	struct arena *arena;
	struct nodes *nodes;
	const struct answer_port *port;
	bool acknowledges; /* what is being collected: Acknowledged, else Answer */
	size_t items;
	size_t bytes;
	size_t receipts_count, ack_receipts_count, refusals_count, deferrals_count, states_count;
	Dienstweg__Receipt *receipts[ANSWER_ITEMS_MAX];
	Dienstweg__AckReceipt *ack_receipts[ANSWER_ITEMS_MAX];
	Dienstweg__Refusal *refusals[ANSWER_ITEMS_MAX];
	Dienstweg__Deferral *deferrals[ANSWER_ITEMS_MAX];
	Dienstweg__AckState *states[ANSWER_ITEMS_MAX];
	size_t notices_count;
	Dienstweg__Notice *notices[NOTICES_MAX];
};

int answer_new(struct answer **ret)
{
	_cleanup_(answer_free) struct answer *answer = calloc(1, sizeof(*answer));
	if (!answer)
		return -ENOMEM;
	answer->arena = arena_new(ARENA_BUDGET);
	if (!answer->arena)
		return -ENOMEM;
	int r = nodes_new(&answer->nodes);
	if (r == 0)
		*ret = steal(&answer);
	return r;
}

void answer_free(struct answer *answer)
{
	if (!answer)
		return;
	arena_free(answer->arena);
	nodes_free(answer->nodes);
	free(answer);
}

/* ---- the frame ---- */

static void frame_start(struct answer *answer)
{
	arena_reset(answer->arena);
	nodes_start(answer->nodes);
	answer->items = answer->bytes = 0;
	answer->receipts_count = answer->ack_receipts_count = answer->refusals_count = 0;
	answer->deferrals_count = answer->states_count = answer->notices_count = 0;
}

static void answer_emit(struct answer *answer)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Answer body = DIENSTWEG__ANSWER__INIT;
	body.checkpoint = field_bytes(nodes_checkpoint(answer->nodes));
	body.nodes = field_bytes(nodes_nodes(answer->nodes));
	body.receipts = answer->receipts;
	body.n_receipts = answer->receipts_count;
	body.refusals = answer->refusals;
	body.n_refusals = answer->refusals_count;
	body.deferrals = answer->deferrals;
	body.n_deferrals = answer->deferrals_count;
	body.notices = answer->notices;
	body.n_notices = answer->notices_count;
	frame.body_case = DIENSTWEG__FRAME__BODY_ANSWER;
	frame.answer = &body;
	answer->port->emit(answer->port->context, &frame);
}

static void acknowledged_emit(struct answer *answer)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Acknowledged body = DIENSTWEG__ACKNOWLEDGED__INIT;
	body.checkpoint = field_bytes(nodes_checkpoint(answer->nodes));
	body.nodes = field_bytes(nodes_nodes(answer->nodes));
	body.receipts = answer->ack_receipts;
	body.n_receipts = answer->ack_receipts_count;
	body.refusals = answer->refusals;
	body.n_refusals = answer->refusals_count;
	body.states = answer->states;
	body.n_states = answer->states_count;
	frame.body_case = DIENSTWEG__FRAME__BODY_ACKNOWLEDGED;
	frame.acknowledged = &body;
	answer->port->emit(answer->port->context, &frame);
}

static void frame_finish(struct answer *answer)
{
	if (answer->items == 0)
		return;
	if (answer->acknowledges)
		acknowledged_emit(answer);
	else
		answer_emit(answer);
	frame_start(answer);
}

/* Make room for an item; @proof: NULL, or what it is proven by. */
static void frame_reserve(struct answer *answer, const struct parcel *parcel, size_t bytes,
	const struct parcel_proof *proof)
{
	bool acknowledges = parcel->kind == PARCEL_ACKNOWLEDGE;
	if (proof)
		bytes += proof->path_count * (size_t)PATH_STEP_BYTES;
	bool fits = answer->acknowledges == acknowledges && answer->items < ANSWER_ITEMS_MAX &&
		    answer->bytes + bytes <= ANSWER_BYTES_MAX &&
		    (!proof || nodes_fit(answer->nodes, parcel));
	if (!fits)
		frame_finish(answer);
	answer->acknowledges = acknowledges;
	answer->items++;
	answer->bytes += bytes;
}

static int path_take(struct answer *answer, const struct parcel *parcel,
	const struct parcel_proof *proof, uint32_t **ret)
{
	*ret = arena_alloc(answer->arena, proof->path_count * sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	nodes_add(answer->nodes, parcel, proof, *ret);
	return 0;
}

/* ---- submits ---- */

static int receipt_add(
	struct answer *answer, const struct parcel *parcel, const struct parcel_submit *submit)
{
	const struct parcel_proof *proof = &submit->proof;
	frame_reserve(answer, parcel,
		RECEIPT_BYTES + (submit->recorded_signature ? SIGNATURE_BYTES : 0), proof);
	Dienstweg__Receipt *receipt = arena_alloc(answer->arena, sizeof(*receipt));
	uint32_t *path;
	if (!receipt || path_take(answer, parcel, proof, &path) < 0)
		return -ENOMEM;
	dienstweg__receipt__init(receipt);
	receipt->h = field_bytes(BYTES(submit->facts.h, HASH_SIZE));
	receipt->sequence = proof->sequence;
	receipt->batch_ms = proof->batch_ms;
	receipt->registry_version = proof->registry_version;
	receipt->nonce = field_bytes(BYTES(proof->nonce, sizeof(proof->nonce)));
	receipt->private_digest = field_bytes(
		BYTES(proof->private_digest, sizeof(proof->private_digest)));
	receipt->class_ = proof->class;
	receipt->path = path;
	receipt->n_path = proof->path_count;
	receipt->signature = submit->recorded_signature;
	answer->receipts[answer->receipts_count++] = receipt;
	return 0;
}

/* Once an Answer for each queue or quota, as it stands now. */
static int notice_add(struct answer *answer, const struct submit_notice *notice)
{
	Dienstweg__Notice *made;
	for (size_t i = 0; i < answer->notices_count; i++) {
		made = answer->notices[i];
		if (bytes_equal(BYTES_PB(made->code), BYTES_STR(notice->code)) &&
			bytes_equal(BYTES_PB(made->name), notice->name)) {
			made->percent = notice->percent;
			return 0;
		}
	}
	if (answer->notices_count == NOTICES_MAX)
		return 0;
	made = arena_alloc(answer->arena, sizeof(*made));
	if (!made)
		return -ENOMEM;
	dienstweg__notice__init(made);
	made->code = field_text(notice->code);
	made->name = field_bytes(notice->name);
	made->percent = notice->percent;
	answer->notices[answer->notices_count++] = made;
	return 0;
}

static int accepted_add(
	struct answer *answer, const struct parcel *parcel, const struct parcel_submit *submit)
{
	const struct submit_decision *decision = &submit->decision;
	int r = receipt_add(answer, parcel, submit);
	for (size_t i = 0; r == 0 && i < decision->notices_count; i++)
		r = notice_add(answer, &decision->notices[i]);
	return r;
}

static size_t text_size(const char *text)
{
	return text ? strlen(text) : 0;
}

static ProtobufCBinaryData text_field(const char *text)
{
	return field_bytes(BYTES(text, text_size(text)));
}

static int refusal_add(struct answer *answer, const struct parcel *parcel, struct bytes h,
	const char *code, const char *field, const char *detail, uint64_t sequence)
{
	frame_reserve(answer, parcel,
		REFUSAL_BYTES + text_size(code) + text_size(field) + text_size(detail), NULL);
	Dienstweg__Refusal *refusal = arena_alloc(answer->arena, sizeof(*refusal));
	if (!refusal)
		return -ENOMEM;
	dienstweg__refusal__init(refusal);
	refusal->h = field_bytes(h);
	refusal->code = text_field(code);
	refusal->field = text_field(field);
	refusal->detail = text_field(detail);
	refusal->sequence = sequence;
	answer->refusals[answer->refusals_count++] = refusal;
	return 0;
}

static int deferral_add(
	struct answer *answer, const struct parcel *parcel, const struct parcel_submit *submit)
{
	const struct submit_decision *decision = &submit->decision;
	frame_reserve(answer, parcel,
		REFUSAL_BYTES + text_size(decision->field) + text_size(decision->detail), NULL);
	Dienstweg__Deferral *deferral = arena_alloc(answer->arena, sizeof(*deferral));
	if (!deferral)
		return -ENOMEM;
	dienstweg__deferral__init(deferral);
	deferral->h = field_bytes(BYTES(submit->facts.h, HASH_SIZE));
	deferral->reason = text_field(decision->code);
	deferral->field = text_field(decision->field);
	deferral->detail = text_field(decision->detail);
	deferral->retry_ms = decision->retry_ms;
	answer->deferrals[answer->deferrals_count++] = deferral;
	return 0;
}

static int submit_refused_add(
	struct answer *answer, const struct parcel *parcel, const struct parcel_submit *submit)
{
	const struct submit_decision *decision = &submit->decision;
	uint64_t sequence = 0;
	if (decision->result == SUBMIT_DUPLICATE)
		sequence = decision->earlier;
	else if (decision->append)
		sequence = submit->proof.sequence;
	return refusal_add(answer, parcel, BYTES(submit->facts.h, HASH_SIZE), decision->code,
		decision->field, decision->detail, sequence);
}

static int submit_add(
	struct answer *answer, const struct parcel *parcel, const struct parcel_submit *submit)
{
	const struct submit_decision *decision = &submit->decision;
	switch (decision->result) {
	case SUBMIT_ACCEPTED:
		return accepted_add(answer, parcel, submit);
	case SUBMIT_DUPLICATE:
		if (decision->earlier_kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED)
			return receipt_add(answer, parcel, submit);
		return submit_refused_add(answer, parcel, submit);
	case SUBMIT_REFUSED:
		return submit_refused_add(answer, parcel, submit);
	case SUBMIT_DEFERRED:
		return deferral_add(answer, parcel, submit);
	}
	return 0;
}

/* ---- acknowledgements ---- */

static int ack_receipt_add(struct answer *answer, const struct parcel *parcel,
	const struct parcel_ack *ack, struct bytes digest)
{
	const struct parcel_proof *proof = &ack->proof;
	frame_reserve(answer, parcel, RECEIPT_BYTES, proof);
	Dienstweg__AckReceipt *receipt = arena_alloc(answer->arena, sizeof(*receipt));
	struct bytes copy;
	uint32_t *path;
	if (!receipt || arena_copy(answer->arena, digest, &copy) < 0 ||
		path_take(answer, parcel, proof, &path) < 0)
		return -ENOMEM;
	dienstweg__ack_receipt__init(receipt);
	receipt->digest = field_bytes(copy);
	receipt->sequence = proof->sequence;
	receipt->batch_ms = proof->batch_ms;
	receipt->registry_version = proof->registry_version;
	receipt->nonce = field_bytes(BYTES(proof->nonce, sizeof(proof->nonce)));
	receipt->private_digest = field_bytes(
		BYTES(proof->private_digest, sizeof(proof->private_digest)));
	receipt->class_ = proof->class;
	receipt->path = path;
	receipt->n_path = proof->path_count;
	answer->ack_receipts[answer->ack_receipts_count++] = receipt;
	return 0;
}

static const char *verdict_state(Dienstweg__AckVerdict verdict)
{
	switch (verdict) {
	case DIENSTWEG__ACK_VERDICT__ACK_CLOSED:
		return "recorded";
	case DIENSTWEG__ACK_VERDICT__ACK_ALREADY:
	case DIENSTWEG__ACK_VERDICT__ACK_LATE:
		return "already";
	default:
		return "unknown";
	}
}

static int state_add(struct answer *answer, const struct parcel *parcel,
	const struct parcel_ack *ack, size_t nth)
{
	frame_reserve(answer, parcel, STATE_BYTES, NULL);
	Dienstweg__AckState *state = arena_alloc(answer->arena, sizeof(*state));
	if (!state)
		return -ENOMEM;
	dienstweg__ack_state__init(state);
	state->party = ack->batch->recipient;
	state->sequence = ack->batch->acks[nth]->sequence;
	state->state = text_field(verdict_state(ack->decision.verdicts[nth]));
	answer->states[answer->states_count++] = state;
	return 0;
}

static int ack_add(struct answer *answer, const struct parcel *parcel, const struct parcel_ack *ack)
{
	const struct ack_decision *decision = &ack->decision;
	uint8_t digest[HASH_SIZE];
	struct bytes copy;
	receipt_ack_batch_digest(ack->facts.batch_bytes, digest);
	if (decision->refused) {
		/* In the parcel's arena: a frame may be finished before this one is. */
		if (arena_copy(parcel->arena, BYTES(digest, HASH_SIZE), &copy) < 0)
			return -ENOMEM;
		return refusal_add(
			answer, parcel, copy, decision->code, decision->field, decision->detail, 0);
	}
	int r = decision->append ? ack_receipt_add(answer, parcel, ack, BYTES(digest, HASH_SIZE))
				 : 0;
	for (size_t i = 0; r == 0 && i < ack->batch->n_acks; i++)
		r = state_add(answer, parcel, ack, i);
	return r;
}

/* ---- both ---- */

static void spoilt_emit(struct answer *answer, const struct parcel *parcel)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Error error = DIENSTWEG__ERROR__INIT;
	frame_finish(answer);
	error.code = field_text("malformed");
	error.field = field_text(parcel->kind == PARCEL_SUBMIT ? "submit" : "acknowledge");
	error.detail = field_text("the frame unpacks to more than it may");
	frame.body_case = DIENSTWEG__FRAME__BODY_ERROR;
	frame.error = &error;
	answer->port->emit(answer->port->context, &frame);
}

static int parcel_add(struct answer *answer, const struct parcel *parcel)
{
	int r = 0;
	if (parcel->spoilt) {
		spoilt_emit(answer, parcel);
		return 0;
	}
	for (size_t i = 0; r == 0 && i < parcel->submits_count; i++)
		r = submit_add(answer, parcel, &parcel->submits[i]);
	for (size_t i = 0; r == 0 && i < parcel->acks_count; i++)
		r = ack_add(answer, parcel, &parcel->acks[i]);
	return r;
}

int answer_make(struct answer *answer, const struct parcel *parcels, const struct answer_port *port)
{
	int r = 0;
	answer->port = port;
	frame_start(answer);
	for (const struct parcel *parcel = parcels; r == 0 && parcel; parcel = parcel->next)
		r = parcel_add(answer, parcel);
	frame_finish(answer);
	return r;
}
