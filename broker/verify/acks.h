/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/parcel.h"
#include "proto/signature/signature.h"

enum {
	ACK_BATCH_BYTES_MAX = 3000, /* must fit a record row (proto/frame.proto) */
	ACK_TEXT_BYTES_MAX = 200,
	VERIFY_BATCH_ITEMS = 2, /* number of the items' field, in every kind of signed batch */
};

/**
 * verify_batch_wire() - has a signed batch one reading only?
 * @descriptor: of the batch
 * @items:      of its items
 * @batch:      as received
 * Return: false when it is not strict protobuf.
 */
bool verify_batch_wire(const ProtobufCMessageDescriptor *descriptor,
	const ProtobufCMessageDescriptor *items, struct bytes batch);

/**
 * verify_acks() - facts of one batch of acknowledgements
 * @cache:  this thread's
 * @parcel: whose registry and speaker count
 * @facts:  batch and batch_bytes are set; the rest is filled
 *
 * Form: strict protobuf (no field twice or unknown), 1..BATCH_MAX acks, at most ACK_BATCH_BYTES_MAX bytes,
 * every length right, a code exactly when rejected, text printable.
 */
void verify_acks(
	struct signature_cache *cache, const struct parcel *parcel, struct ack_facts *facts);
