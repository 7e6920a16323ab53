/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The bytes of a batch are journaled as they came and read again by replay and by auditors, perhaps with
 * another protobuf library. So they must have one reading: they are scanned strictly before anybody
 * relies on what protobuf-c made of them. The batch is whole, so its signature needs no paths.
 */
#include "broker/verify/acks.h"

#include "proto/base/text.h"
#include "proto/envelope/wire.h"

static bool text_is_printable(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < 0x20 || text.data[i] == 0x7f)
			return false;
	}
	return true;
}

static bool ack_form_ok(const Dienstweg__Ack *ack)
{
	if (ack->h.len != HASH_SIZE)
		return false;
	if (ack->accepted)
		return ack->code.len == 0 && ack->text.len == 0;
	return text_is_name(BYTES_PB(ack->code)) && ack->text.len <= ACK_TEXT_BYTES_MAX &&
	       text_is_printable(BYTES_PB(ack->text));
}

bool verify_batch_wire(const ProtobufCMessageDescriptor *descriptor,
	const ProtobufCMessageDescriptor *items, struct bytes batch)
{
	const char *field;
	struct bytes item;
	if (wire_check(descriptor, batch, &field) != 0)
		return false;
	for (size_t i = 0; wire_field(batch, VERIFY_BATCH_ITEMS, i, &item) == 0; i++) {
		if (wire_check(items, item, &field) != 0)
			return false;
	}
	return true;
}

static bool batch_form_ok(const struct ack_facts *facts)
{
	const Dienstweg__AckBatch *batch = facts->batch;
	if (facts->batch_bytes.len > ACK_BATCH_BYTES_MAX ||
		!verify_batch_wire(&dienstweg__ack_batch__descriptor, &dienstweg__ack__descriptor,
			facts->batch_bytes))
		return false;
	if (batch->n_acks < 1 || batch->n_acks > BATCH_MAX ||
		!text_is_name(BYTES_PB(batch->recipient)))
		return false;
	if (batch->key_id.len != KEY_ID_SIZE || batch->root.len != SIGNATURE_SIZE)
		return false;
	for (size_t i = 0; i < batch->n_acks; i++) {
		if (!ack_form_ok(batch->acks[i]))
			return false;
	}
	return true;
}

static bool batch_signature_ok(struct signature_cache *cache, const struct parcel *parcel,
	const Dienstweg__AckBatch *batch)
{
	uint8_t items[BATCH_MAX][HASH_SIZE];
	struct bytes bus = registry_bus(parcel->registry);
	const Dienstweg__Key *key = registry_key(parcel->registry, BYTES_PB(batch->key_id), NULL);
	if (!key || key->use != DIENSTWEG__KEY_USE__KEY_USE_SIGN)
		return false;
	for (size_t i = 0; i < batch->n_acks; i++) {
		const Dienstweg__Ack *ack = batch->acks[i];
		acknowledgement_digest(bus, BYTES_PB(batch->recipient), ack->sequence, ack->h.data,
			ack->accepted, BYTES_PB(ack->code), BYTES_PB(ack->text), items[i]);
	}
	return signature_verify_whole(cache, SIGNATURE_ACK, bus, key->public_.data,
		       (const uint8_t(*)[HASH_SIZE])items, batch->n_acks,
		       BYTES_PB(batch->root)) == 0;
}

void verify_acks(struct signature_cache *cache, const struct parcel *parcel, struct ack_facts *facts)
{
	facts->speaker = BYTES_STR(parcel->origin.speaker);
	facts->form_ok = batch_form_ok(facts);
	facts->signature_ok = facts->form_ok && batch_signature_ok(cache, parcel, facts->batch);
}
