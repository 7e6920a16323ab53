/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/parcel.h"
#include "proto/signature/signature.h"

enum { CANCEL_BATCH_BYTES_MAX = 3000 };

/**
 * verify_cancel() - facts of a batch of cancellations
 * @cache:  this thread's
 * @parcel: whose registry and speaker count
 * @facts:  batch and batch_bytes are set; the rest is filled
 *
 * Form: strict protobuf (no field twice or unknown), 1..BATCH_MAX items, at most CANCEL_BATCH_BYTES_MAX bytes, every
 * length right, recipients and reason empty or names.
 */
void verify_cancel(
	struct signature_cache *cache, const struct parcel *parcel, struct cancel_facts *facts);
