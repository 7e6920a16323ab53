/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * As with acknowledgements: the bytes are journaled as they came and read again by others, so they must have one
 * reading before anybody relies on it.
 */
#include "broker/verify/cancels.h"

#include "broker/verify/acks.h"
#include "proto/base/text.h"

static bool is_name_or_empty(ProtobufCBinaryData field)
{
	return field.len == 0 || text_is_name(BYTES_PB(field));
}

static bool batch_form_ok(const struct cancel_facts *facts)
{
	const Dienstweg__CancelBatch *batch = facts->batch;
	if (facts->batch_bytes.len > CANCEL_BATCH_BYTES_MAX ||
		!verify_batch_wire(&dienstweg__cancel_batch__descriptor,
			&dienstweg__cancel_item__descriptor, facts->batch_bytes))
		return false;
	if (batch->n_items < 1 || batch->n_items > BATCH_MAX ||
		!text_is_name(BYTES_PB(batch->sender)) || !is_name_or_empty(batch->reason))
		return false;
	if (batch->key_id.len != KEY_ID_SIZE || batch->root.len != SIGNATURE_SIZE)
		return false;
	for (size_t i = 0; i < batch->n_items; i++) {
		if (batch->items[i]->message_id.len != UUID_SIZE ||
			!is_name_or_empty(batch->items[i]->recipient))
			return false;
	}
	return true;
}

static bool batch_signature_ok(struct signature_cache *cache, const struct parcel *parcel,
	const Dienstweg__CancelBatch *batch)
{
	uint8_t items[BATCH_MAX][HASH_SIZE];
	struct bytes bus = registry_bus(parcel->registry);
	const Dienstweg__Key *key = registry_key(parcel->registry, BYTES_PB(batch->key_id), NULL);
	if (!key || key->use != DIENSTWEG__KEY_USE__KEY_USE_SIGN)
		return false;
	for (size_t i = 0; i < batch->n_items; i++)
		cancellation_digest(bus, BYTES_PB(batch->sender), batch->items[i]->message_id.data,
			BYTES_PB(batch->items[i]->recipient), BYTES_PB(batch->reason), items[i]);
	return signature_verify_whole(cache, SIGNATURE_CANCEL, bus, key->public_.data,
		       (const uint8_t(*)[HASH_SIZE])items, batch->n_items,
		       BYTES_PB(batch->root)) == 0;
}

void verify_cancel(
	struct signature_cache *cache, const struct parcel *parcel, struct cancel_facts *facts)
{
	facts->speaker = BYTES_STR(parcel->origin.speaker);
	facts->form_ok = batch_form_ok(facts);
	facts->signature_ok = facts->form_ok && batch_signature_ok(cache, parcel, facts->batch);
}
