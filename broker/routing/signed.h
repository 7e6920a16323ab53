/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/routing/codes.h"
#include "broker/routing/rules.h"

/* Batches that one signature covers (acknowledgements, cancellations) are judged whole before their items are. */
enum { SIGNED_REFUSED = 1 };

struct signed_batch {
	struct bytes signer; /* as the batch says */
	struct bytes speaker;
	struct bytes key_id;
	bool form_ok, signature_ok;
};

/* What each fault is called of this kind of batch; those of the key itself are the same for all. */
struct signed_codes {
	enum routing_code malformed, unknown, not_operated, foreign_key, bad_signature;
};

struct signed_refusal {
	const char *code, *field;
	const char *detail; /* in the arena */
};

/**
 * signed_check() - may this batch be looked into? A refusal is counted for its speaker
 * @rules: context
 * @batch: the facts
 * @codes: its kind's
 * @ret:   why not
 *
 * Order: form; signer; speaker; key and signature.
 *
 * Return: 0, SIGNED_REFUSED, negative errno.
 */
int signed_check(struct rules *rules, const struct signed_batch *batch,
	const struct signed_codes *codes, struct signed_refusal *ret);
