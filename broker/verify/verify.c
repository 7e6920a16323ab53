/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Facts, no opinions: whether a key counts, whether a sender may send, is decided by the rules at the
 * final sequence. A key id is the hash of its public half, so "verifies under the key of that id" stays
 * true whichever registry is in force when the rules look. That is why these facts may be found early,
 * in parallel, with a registry snapshot that is a little old.
 *
 * The signature is checked even when the content does not match: a refusal is recorded under the
 * message id only when the sender really signed it, so nobody can spoil another's ids.
 */
#include "broker/verify/verify.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "broker/verify/acks.h"
#include "broker/verify/cancels.h"
#include "proto/envelope/payload.h"
#include "proto/signature/signature.h"

enum { VERIFY_CACHE_SLOTS = 1024 };

struct verify_worker_state {
	struct signature_cache *cache;
	struct schema_library *schemas;
};

int verify_state_new(struct schema_library *schemas, struct verify_worker_state **ret)
{
	struct verify_worker_state *state = calloc(1, sizeof(*state));
	if (!state)
		return -ENOMEM;
	int r = signature_cache_new(VERIFY_CACHE_SLOTS, &state->cache);
	if (r < 0) {
		free(state);
		return r;
	}
	state->schemas = schemas;
	*ret = state;
	return 0;
}

void verify_state_free(struct verify_worker_state *state)
{
	if (!state)
		return;
	signature_cache_free(state->cache);
	free(state);
}

static void facts_fault(struct submit_facts *facts, int verdict, const char *field)
{
	if (facts->verdict != ENVELOPE_OK)
		return;
	facts->verdict = verdict;
	facts->field = field;
}

/* An unknown key id is checked against a key that verifies nothing: the form must be judged all the same. */
static void verify_signature(struct verify_worker_state *state, const struct parcel *parcel,
	const Dienstweg__Signature *signature, struct submit_facts *facts)
{
	static const uint8_t nobody[SIGN_PUBLIC_SIZE];
	if (!signature || signature->key_id.len != KEY_ID_SIZE) {
		facts_fault(facts, ENVELOPE_SIGNATURE_FORM, "signature");
		return;
	}
	const Dienstweg__Key *key = registry_key(
		parcel->registry, BYTES_PB(signature->key_id), NULL);
	bool known = key && key->use == DIENSTWEG__KEY_USE__KEY_USE_SIGN;
	int r = signature_verify(known ? state->cache : NULL, SIGNATURE_MESSAGE,
		registry_bus(parcel->registry), known ? key->public_.data : nobody, facts->h,
		signature);
	if (r == SIGNATURE_FORM) {
		facts_fault(facts, ENVELOPE_SIGNATURE_FORM, "signature");
		return;
	}
	facts->signature = signature;
	facts->signature_ok = r == 0 && known;
}

static int verify_header(
	struct parcel *parcel, const Dienstweg__Envelope *envelope, struct submit_facts *facts)
{
	const char *field = "";
	Dienstweg__Header *header = NULL;
	if (envelope->header.len > HEADER_BYTES_MAX) {
		facts_fault(facts, ENVELOPE_TOO_LARGE, "header");
		return 0;
	}
	int r = envelope_header_parse(parcel->arena, facts->header_bytes, &header, &field);
	if (r < 0)
		return r;
	if (r > 0)
		facts_fault(facts, r, field);
	else
		facts->header = header;
	return 0;
}

static int verify_content(
	struct parcel *parcel, const Dienstweg__Envelope *envelope, struct submit_facts *facts)
{
	const char *field = "";
	if (envelope->content.len > CONTENT_BYTES_MAX) {
		facts_fault(facts, ENVELOPE_TOO_LARGE, "content");
		return 0;
	}
	int r = envelope_content_check(
		parcel->arena, facts->header, BYTES_PB(envelope->content), &field);
	if (r < 0)
		return r;
	if (r > 0)
		facts_fault(facts, r, field);
	return 0;
}

/* Only what its sender really signed, and the broker may read, is worth looking into. */
static int verify_schema(const struct verify_worker_state *state, struct parcel *parcel,
	const Dienstweg__Envelope *envelope, struct submit_facts *facts)
{
	struct payload payload;
	struct schema_fault *fault;
	const char *field;
	const Dienstweg__Service *service = registry_service(
		parcel->registry, BYTES_PB(facts->header->service));
	const struct schema *schema = service && state->schemas
					      ? schema_library_find(state->schemas, service)
					      : NULL;
	if (!schema || facts->verdict != ENVELOPE_OK || !facts->signature_ok ||
		facts->header->n_sealed_recipients != 0)
		return 0;
	int r = payload_parse(parcel->arena, BYTES_PB(envelope->content), &payload, &field);
	assert(r <= 0); /* verify_content() parsed it before */
	if (r < 0)
		return r;
	fault = arena_alloc(parcel->arena, sizeof(*fault));
	r = fault ? schema_check(schema, payload.clear.body, fault) : -ENOMEM;
	if (r < 0)
		return r;
	facts->schema = r == 0 ? SUBMIT_SCHEMA_FOLLOWED : SUBMIT_SCHEMA_BROKEN;
	facts->schema_field = r == 0 ? "" : fault->field;
	facts->schema_reason = r == 0 ? "" : fault->reason;
	return 0;
}

static int verify_submit(
	struct verify_worker_state *state, struct parcel *parcel, struct parcel_submit *submit)
{
	const Dienstweg__Envelope *envelope = submit->envelope;
	struct submit_facts *facts = &submit->facts;
	*facts = (struct submit_facts){
		.verdict = ENVELOPE_OK,
		.field = "",
		.header_bytes = BYTES_PB(envelope->header),
		.content_length = (uint32_t)envelope->content.len,
		.speaker = BYTES_STR(parcel->origin.speaker),
	};
	envelope_header_hash(facts->header_bytes, facts->h);
	int r = verify_header(parcel, envelope, facts);
	if (r < 0 || !facts->header)
		return r;
	r = verify_content(parcel, envelope, facts);
	if (r < 0)
		return r;
	verify_signature(state, parcel, envelope->signature, facts);
	return verify_schema(state, parcel, envelope, facts);
}

int verify_parcel(struct verify_worker_state *state, struct parcel *parcel)
{
	for (size_t i = 0; i < parcel->submits_count; i++) {
		int r = verify_submit(state, parcel, &parcel->submits[i]);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < parcel->acks_count; i++)
		verify_acks(state->cache, parcel, &parcel->acks[i].facts);
	if (parcel->cancel)
		verify_cancel(state->cache, parcel, &parcel->cancel->facts);
	return 0;
}
