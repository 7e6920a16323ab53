/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The AEAD alone would let a wrap or a whole content travel to another message, and does not commit to
 * its key: one box could open to two bodies for two recipients. The context in every hash and as
 * associated data stops the first, the commitment in the signed header the second.
 */
#include "proto/sealing/binding.h"

#include "proto/envelope/payload.h"
#include "proto/envelope/wire.h"

static const char body_domain[] = "dienstweg/v1/body";
static const char attached_domain[] = "dienstweg/v1/body-attached";
static const char wrap_domain[] = "dienstweg/v1/wrap";

void binding_init(struct binding *binding, const Dienstweg__Header *header)
{
	binding->len = envelope_context(header, binding->context);
}

static void part_add(struct blake2b *state, struct bytes part)
{
	uint8_t len[4];
	be32_put(len, (uint32_t)part.len);
	blake2b_add(state, BYTES(len, sizeof(len)));
	blake2b_add(state, part);
}

void binding_commitment(const struct binding *binding, struct bytes salt, struct bytes body,
	struct bytes fields, uint8_t ret[HASH_SIZE])
{
	struct blake2b state;
	struct bytes key;
	bool attached = wire_field(fields, CONTENT_ATTACHMENTS, 0, &key) == 0;
	blake2b_init(&state, BYTES(NULL, 0));
	blake2b_add(&state, attached ? BYTES(attached_domain, sizeof(attached_domain))
				     : BYTES(body_domain, sizeof(body_domain)));
	blake2b_add(&state, binding_context(binding));
	blake2b_add(&state, salt);
	if (attached)
		part_add(&state, body);
	else
		blake2b_add(&state, body);
	for (size_t i = 0; wire_field(fields, CONTENT_ATTACHMENTS, i, &key) == 0; i++)
		part_add(&state, key);
	blake2b_finish(&state, ret);
}

void binding_wrap_key(const struct binding *binding, const uint8_t shared[BOX_KEY_SIZE],
	const uint8_t ephemeral[BOX_KEY_SIZE], const uint8_t recipient[BOX_KEY_SIZE],
	uint8_t ret[AEAD_KEY_SIZE])
{
	struct blake2b state;
	blake2b_init(&state, BYTES(NULL, 0));
	blake2b_add(&state, BYTES(wrap_domain, sizeof(wrap_domain)));
	blake2b_add(&state, BYTES(shared, BOX_KEY_SIZE));
	blake2b_add(&state, BYTES(ephemeral, BOX_KEY_SIZE));
	blake2b_add(&state, BYTES(recipient, BOX_KEY_SIZE));
	blake2b_add(&state, binding_context(binding));
	blake2b_finish(&state, ret);
	secret_wipe(&state, sizeof(state));
}
