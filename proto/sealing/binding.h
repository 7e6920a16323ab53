/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/base/bytes.h"
#include "proto/base/crypto.h"
#include "proto/envelope.pb-c.h"
#include "proto/envelope/envelope.h"

/*
 * What ties content to its message, computed alike by who seals and who opens. A binding is public; wrap
 * keys are secret and the caller's to wipe.
 */
struct binding {
	uint8_t context[ENVELOPE_CONTEXT_MAX];
	size_t len;
};

/**
 * binding_init() - take the context from a header
 * @binding: to set up
 * @header:  bus, sender, message_id, case_id, service set
 */
void binding_init(struct binding *binding, const Dienstweg__Header *header);

static inline struct bytes binding_context(const struct binding *binding)
{
	return BYTES(binding->context, binding->len);
}

/**
 * binding_commitment() - what the header commits to
 * @binding: context
 * @salt:    32 bytes of the Content
 * @body:    the document
 * @fields:  the Content, or of it the keys of attachments; empty: it has none
 * @ret:     BLAKE2b-256("dienstweg/v1/body\0" || context || salt || body); with attachments
 *           BLAKE2b-256("dienstweg/v1/body-attached\0" || context || salt || u32be length || body, and for
 *           each AttachmentKey u32be length || its bytes)
 */
void binding_commitment(const struct binding *binding, struct bytes salt, struct bytes body,
	struct bytes fields, uint8_t ret[HASH_SIZE]);

/**
 * binding_wrap_key() - the key that wraps a content key
 * @binding:   context
 * @shared:    X25519 of the two keys below; secret
 * @ephemeral: public key of the batch
 * @recipient: public seal key
 * @ret:       BLAKE2b-256("dienstweg/v1/wrap\0" || shared || ephemeral || recipient || context); secret
 */
void binding_wrap_key(const struct binding *binding, const uint8_t shared[BOX_KEY_SIZE],
	const uint8_t ephemeral[BOX_KEY_SIZE], const uint8_t recipient[BOX_KEY_SIZE],
	uint8_t ret[AEAD_KEY_SIZE]);
