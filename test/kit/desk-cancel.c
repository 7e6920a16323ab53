/* SPDX-License-Identifier: EUPL-1.2 */

/* Cancellations at the desk: it looks at who signed, and says what the test wants it to. */
#include "proto/identity/uuid.h"
#include "proto/receipt/receipt.h"
#include "proto/signature/signature.h"
#include "test/kit/check.h"
#include "test/kit/desk.h"

static ProtobufCBinaryData pb(struct bytes view)
{
	return (ProtobufCBinaryData){.len = view.len, .data = (uint8_t *)(uintptr_t)view.data};
}

static bool cancel_good(struct desk *desk, const Dienstweg__CancelBatch *batch)
{
	uint8_t items[BATCH_MAX][HASH_SIZE];
	const Dienstweg__Key *key = registry_key(desk->registry, BYTES_PB(batch->key_id), NULL);
	CHECK(batch->n_items >= 1 && batch->n_items <= BATCH_MAX);
	for (size_t i = 0; i < batch->n_items; i++) {
		CHECK_INT(batch->items[i]->message_id.len, UUID_SIZE);
		cancellation_digest(BYTES_STR(desk->bus), BYTES_PB(batch->sender),
			batch->items[i]->message_id.data, BYTES_PB(batch->items[i]->recipient),
			BYTES_PB(batch->reason), items[i]);
	}
	return key && signature_verify_whole(NULL, SIGNATURE_CANCEL, BYTES_STR(desk->bus),
			      key->public_.data, (const uint8_t(*)[HASH_SIZE])items, batch->n_items,
			      BYTES_PB(batch->root)) == 0;
}

void desk_cancel_take(struct desk *desk, const Dienstweg__CancelBatch *batch)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Cancelled answer = DIENSTWEG__CANCELLED__INIT;
	Dienstweg__CancelState state = DIENSTWEG__CANCEL_STATE__INIT, *states = &state;
	Dienstweg__Refusal refusal = DIENSTWEG__REFUSAL__INIT, *refusals = &refusal;
	size_t len = dienstweg__cancel_batch__get_packed_size(batch);
	uint8_t *bytes = desk_take(desk, len);
	dienstweg__cancel_batch__pack(batch, bytes);
	receipt_cancel_batch_digest(BYTES(bytes, len), desk->cancel_digest);
	desk->cancels++;
	desk->cancels_signed += cancel_good(desk, batch);
	if (desk->deaf_to_cancels)
		return;
	state.party = batch->sender;
	state.message_id = batch->items[0]->message_id;
	state.recipient = pb(BYTES_STR("jobcenter"));
	state.sequence = 7;
	refusal.h = pb(BYTES(desk->cancel_digest, HASH_SIZE));
	refusal.code = pb(BYTES_STR("key-not-active"));
	if (desk->cancel_state) {
		state.state = pb(BYTES_STR(desk->cancel_state));
		answer.states = &states;
		answer.n_states = 1;
	} else {
		answer.refusals = &refusals;
		answer.n_refusals = 1;
	}
	frame.body_case = DIENSTWEG__FRAME__BODY_CANCELLED;
	frame.cancelled = &answer;
	desk_send(desk, &frame);
}
