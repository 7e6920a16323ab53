/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Content as a recipient gets it from a hostile sender: the header fits whatever the content is, length,
 * hash and list of keys, and the wraps may truly be for the recipient's key. The seal key and the header's
 * other fields are fixed, so that the corpus can hold content that opens. The header commits to one body:
 * whatever opens must be that one.
 */
#include "proto/envelope/envelope.h"
#include "proto/envelope/payload.h"
#include "proto/envelope/test-sample.h"
#include "proto/sealing/binding.h"
#include "proto/sealing/sealing.h"
#include "test/fuzz/target.h"
#include "test/kit/check.h"

enum { BUDGET = 4 << 20 };

static const uint8_t seed[SIGN_SEED_SIZE] = "a seed that is not secret at all";
static const char known_salt[] = "ssssssssssssssssssssssssssssssss";
static const char known_body[] = "<antrag>Hallo</antrag>";

static bool inside(struct bytes part, struct bytes whole)
{
	return part.len <= whole.len && part.data >= whole.data &&
	       part.data + part.len <= whole.data + whole.len;
}

static void header_fit(Dienstweg__Header *header, struct bytes content,
	const struct payload *payload, ProtobufCBinaryData ids[SEALED_RECIPIENTS_MAX],
	uint8_t hash[HASH_SIZE])
{
	blake2b_of(content, hash);
	header->content_length = (uint32_t)content.len;
	header->content_hash = sample_bytes(hash, HASH_SIZE);
	for (size_t i = 0; i < payload->wraps_count; i++)
		ids[i] = sample_bytes(payload->wraps[i].key_id.data, KEY_ID_SIZE);
	header->sealed_recipients = ids;
	header->n_sealed_recipients = payload->wraps_count;
}

static void header_commit(Dienstweg__Header *header, struct bytes salt, struct bytes body,
	struct bytes fields, uint8_t commitment[HASH_SIZE])
{
	struct binding binding;
	binding_init(&binding, header);
	binding_commitment(&binding, salt, body, fields, commitment);
	header->body_commitment = sample_bytes(commitment, HASH_SIZE);
}

static void check_clear(struct arena *arena, Dienstweg__Header *header, struct bytes content,
	const struct payload *payload)
{
	struct bytes body;
	uint8_t commitment[HASH_SIZE];
	CHECK_INT(sealing_open(header, content, NULL, 0, arena, &body), SEALING_COMMITMENT);
	header_commit(header, payload->clear.salt, payload->clear.body, payload->clear.fields,
		commitment);
	bool whole = payload->clear.attachments == header->n_attachments;
	CHECK_INT(sealing_open(header, content, NULL, 0, arena, &body), whole ? 0 : SEALING_BROKEN);
	CHECK(!whole || inside(body, content));
}

static void check_sealed(struct arena *arena, Dienstweg__Header *header, struct bytes content)
{
	_cleanup_(key_secret_free) struct key_secret *key = NULL;
	uint8_t commitment[HASH_SIZE];
	struct bytes body;
	CHECK_INT(key_from_seed(KEY_SEAL, BYTES("jobcenter", 9), seed, &key), 0);
	const struct key_secret *keys[] = {key};
	header_commit(
		header, BYTES_STR(known_salt), BYTES_STR(known_body), BYTES(NULL, 0), commitment);
	int r = sealing_open(header, content, keys, 1, arena, &body);
	CHECK(r == 0 || r == SEALING_NOT_FOR_US || r == SEALING_BROKEN || r == SEALING_COMMITMENT);
	CHECK(r != 0 || bytes_equal(body, BYTES_STR(known_body)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(BUDGET);
	Dienstweg__Header header = sample_header();
	ProtobufCBinaryData ids[SEALED_RECIPIENTS_MAX];
	struct bytes content = BYTES(data, size);
	struct payload payload = {0};
	const char *field = "", *same = "";
	uint8_t hash[HASH_SIZE];
	CHECK_INT(crypto_init(), 0);
	CHECK(arena != NULL);
	int r = payload_parse(arena, content, &payload, &field);
	CHECK(r == 0 || (r == ENVELOPE_MALFORMED && field[0] != '\0'));
	header_fit(&header, content, &payload, ids, hash);
	CHECK_INT(envelope_content_check(arena, &header, content, &same), r);
	CHECK_STR(same, field);
	if (r == 0 && payload.sealed)
		check_sealed(arena, &header, content);
	else if (r == 0)
		check_clear(arena, &header, content, &payload);
	return 0;
}
