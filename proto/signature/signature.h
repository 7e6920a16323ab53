/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/base/arena.h"
#include "proto/base/bytes.h"
#include "proto/base/crypto.h"
#include "proto/envelope.pb-c.h"
#include "proto/envelope/envelope.h"
#include "proto/identity/key.h"

/*
 * Batch signature (design section 6, decided): leaves SHA-256(0x00 || item), RFC 6962 tree of 1..32,
 * Ed25519 over domain text "dienstweg/v1/<domain>\0" || u8 length || bus id || u32be size || root.
 */
enum signature_domain {
	SIGNATURE_MESSAGE, /* "dienstweg/v1/message": items are h */
	SIGNATURE_ACK,     /* "dienstweg/v1/acknowledgement": items are ack digests */
	SIGNATURE_CANCEL,  /* "dienstweg/v1/cancellation": items are cancellation digests */
};

enum {
	SIGNATURE_BAD = 1,  /* well-formed, but does not verify */
	SIGNATURE_FORM = 2, /* size, index, path length or root length impossible */
};

enum { SIGNATURE_PATH_MAX = 5, SIGNATURE_CORE_MAX = 16 + 4 + 4 + 1 + 5 * 32 + 64 };

/**
 * signature_sign() - sign a batch
 * @domain: what is signed
 * @bus:    bus id
 * @key:    a sign key
 * @items:  @count 32-byte items
 * @count:  1..32
 * @ret:    @count signatures filled in place; their bytes live in @arena
 * @arena:  owns the bytes
 * Return: 0 or -ENOMEM.
 */
int signature_sign(enum signature_domain domain, struct bytes bus, const struct key_secret *key,
	const uint8_t (*items)[HASH_SIZE], size_t count, Dienstweg__Signature *ret,
	struct arena *arena);

/* Remembers verified roots under (domain, bus, public key, size, root, signature): fixed size, one thread. */
struct signature_cache;
int signature_cache_new(size_t slots, struct signature_cache **ret);
void signature_cache_free(struct signature_cache *cache);
DEFINE_CLEANUP(struct signature_cache *, signature_cache_free);

/**
 * signature_verify() - does this signature hold for this item under this public key?
 * @cache:  may be NULL
 * @domain: what was signed
 * @bus:    bus id, a legal name
 * @public: the signer's Ed25519 key
 * @item:   32 bytes (h, or an acknowledgement digest)
 * @sig:    untrusted; NULL (a field that was not there) is SIGNATURE_FORM
 *
 * sig->key_id is compared with nothing: the caller has found @public by it.
 *
 * Return: 0, SIGNATURE_BAD, SIGNATURE_FORM.
 */
int signature_verify(struct signature_cache *cache, enum signature_domain domain, struct bytes bus,
	const uint8_t public[SIGN_PUBLIC_SIZE], const uint8_t item[HASH_SIZE],
	const Dienstweg__Signature *sig) _must_use_;

/**
 * signature_verify_whole() - the same for a whole batch whose items are all at hand (acknowledgements)
 * @cache:  may be NULL
 * @domain: what was signed
 * @bus:    bus id
 * @public: the signer's key
 * @items:  @count items
 * @count:  1..32, else SIGNATURE_FORM
 * @root_signature: must be 64 bytes, else SIGNATURE_FORM
 * Return: 0, SIGNATURE_BAD, SIGNATURE_FORM.
 */
int signature_verify_whole(struct signature_cache *cache, enum signature_domain domain,
	struct bytes bus, const uint8_t public[SIGN_PUBLIC_SIZE], const uint8_t (*items)[HASH_SIZE],
	size_t count, struct bytes root_signature) _must_use_;

/**
 * signature_core() - the flat form committed to in the journal (proto/journal.proto)
 * @sig: well-formed
 * @buf: at least SIGNATURE_CORE_MAX bytes
 * Return: bytes written.
 */
size_t signature_core(const Dienstweg__Signature *sig, uint8_t buf[SIGNATURE_CORE_MAX]);

/**
 * signature_from_core() - and back
 * @core:  flat form
 * @arena: owns the result's bytes
 * @ret:   filled
 * Return: 0, SIGNATURE_FORM, -ENOMEM.
 */
int signature_from_core(struct bytes core, struct arena *arena, Dienstweg__Signature *ret);

/**
 * acknowledgement_digest() - the 32-byte item an acknowledgement signs
 * @bus:       bus id
 * @recipient: party
 * @sequence:  of the message
 * @h:         of the message
 * @accepted:  outcome
 * @code:      may be empty; this and the three others of free length must have at most 255 bytes: what
 *             comes from a frame is checked first (proto/frame.proto, message Ack)
 * @text:      may be empty
 * @ret:       SHA-256("dienstweg/v1/ack\0" || u8 len || bus || u8 len || recipient || u64be sequence || h ||
 *             u8 accepted || u8 len || code || u8 len || text)
 */
void acknowledgement_digest(struct bytes bus, struct bytes recipient, uint64_t sequence,
	const uint8_t h[HASH_SIZE], bool accepted, struct bytes code, struct bytes text,
	uint8_t ret[HASH_SIZE]);

/**
 * cancellation_digest() - the 32-byte item a cancellation signs
 * @bus:        bus id
 * @sender:     party
 * @message_id: of the message
 * @recipient:  for whom; may be empty. This and the three others of free length: as above
 * @reason:     code; may be empty
 * @ret:        SHA-256("dienstweg/v1/cancel\0" || u8 len || bus || u8 len || sender || message_id || u8 len ||
 *              recipient || u8 len || reason)
 */
void cancellation_digest(struct bytes bus, struct bytes sender, const uint8_t message_id[16],
	struct bytes recipient, struct bytes reason, uint8_t ret[HASH_SIZE]);
