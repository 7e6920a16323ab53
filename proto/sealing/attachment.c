/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Pieces are as long on the wire as they are when sealed, so that whoever reads one has one to open. The
 * file's own length is in the sealed content and the padding hides it, as it does for content. Key material
 * lies apart from the buffers: locked memory is scarce.
 */
#include "proto/sealing/attachment.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "proto/envelope.pb-c.h"
#include "proto/envelope/envelope.h"
#include "proto/envelope/payload.h"
#include "proto/envelope/wire.h"
#include "proto/note/utf8.h"
#include "proto/sealing/sealing.h"

struct secrets {
	struct blake2b hash;
	struct stream stream;
	uint8_t key[AEAD_KEY_SIZE];
};

struct attachment_seal {
	struct secrets *secrets;
	uint64_t size, padded; /* of the plaintext */
	uint64_t taken;        /* of the file */
	uint64_t sealed;       /* of the plaintext */
	uint8_t plain[ATTACHMENT_PLAIN];
	uint8_t cipher[STREAM_HEAD_SIZE + ATTACHMENT_PIECE];
};

struct attachment_open {
	struct secrets *secrets;
	uint64_t size, padded;
	uint64_t opened;
	uint8_t plain[ATTACHMENT_PLAIN];
};

static uint64_t min_of(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t attachment_sealed_size(uint64_t size)
{
	uint64_t padded = sealing_padded_length((size_t)size);
	uint64_t pieces = (padded + ATTACHMENT_PLAIN - 1) / ATTACHMENT_PLAIN;
	return STREAM_HEAD_SIZE + padded + pieces * STREAM_PIECE_EXTRA;
}

bool attachment_name_ok(struct bytes name)
{
	if (name.len < 1 || name.len > ATTACHMENT_NAME_MAX || !utf8_is_text(name) ||
		bytes_equal(name, BYTES_STR(".")) || bytes_equal(name, BYTES_STR("..")))
		return false;
	for (size_t i = 0; i < name.len; i++) {
		if (name.data[i] < ' ' || name.data[i] == 0x7f || name.data[i] == '/')
			return false;
	}
	return true;
}

static bool type_ok(struct bytes type)
{
	for (size_t i = 0; i < type.len; i++) {
		if (type.data[i] <= ' ' || type.data[i] > '~')
			return false;
	}
	return type.len >= 1 && type.len <= ATTACHMENT_TYPE_MAX;
}

/* ---- keys ---- */

static ProtobufCBinaryData pb(struct bytes view)
{
	return (ProtobufCBinaryData){.len = view.len, .data = (uint8_t *)(uintptr_t)view.data};
}

static Dienstweg__AttachmentKey message_of(const struct attachment_key *key)
{
	Dienstweg__AttachmentKey message = DIENSTWEG__ATTACHMENT_KEY__INIT;
	message.key = pb(BYTES(key->key, AEAD_KEY_SIZE));
	message.size = key->size;
	message.name = pb(key->name);
	message.content_type = pb(key->content_type);
	return message;
}

int attachment_keys_encode(
	const struct attachment_key *keys, size_t count, struct arena *arena, struct bytes *ret)
{
	size_t len = 0;
	assert(count <= ATTACHMENTS_MAX);
	for (size_t i = 0; i < count; i++) {
		Dienstweg__AttachmentKey message = message_of(&keys[i]);
		len += wire_size(
			CONTENT_ATTACHMENTS, dienstweg__attachment_key__get_packed_size(&message));
	}
	uint8_t *buf = arena_alloc(arena, len + 1);
	uint8_t *p = buf;
	if (!buf)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		Dienstweg__AttachmentKey message = message_of(&keys[i]);
		size_t size = dienstweg__attachment_key__get_packed_size(&message);
		p = wire_put_head(p, CONTENT_ATTACHMENTS, size);
		p += dienstweg__attachment_key__pack(&message, p);
	}
	*ret = BYTES(buf, len);
	return 0;
}

int attachment_key_decode(
	struct bytes fields, size_t nth, struct arena *arena, struct attachment_key *ret)
{
	struct bytes view;
	const char *field;
	if (wire_field(fields, CONTENT_ATTACHMENTS, nth, &view) != 0 ||
		wire_check(&dienstweg__attachment_key__descriptor, view, &field) != 0)
		return SEALING_BROKEN;
	Dienstweg__AttachmentKey *message = dienstweg__attachment_key__unpack(
		arena_allocator(arena), view.len, view.data);
	if (!message)
		return -ENOMEM; /* its form was checked */
	ret->size = message->size;
	ret->name = BYTES_PB(message->name);
	ret->content_type = BYTES_PB(message->content_type);
	if (message->key.len != AEAD_KEY_SIZE || !attachment_name_ok(ret->name) ||
		!type_ok(ret->content_type) || ret->size > ATTACHMENT_BYTES_MAX)
		return SEALING_BROKEN;
	memcpy(ret->key, message->key.data, AEAD_KEY_SIZE);
	return 0;
}

/* ---- sealing ---- */

static int secrets_new(struct secrets **ret)
{
	struct secrets *secrets = secret_alloc(sizeof(*secrets));
	if (!secrets)
		return -ENOMEM;
	memset(secrets, 0, sizeof(*secrets));
	blake2b_init(&secrets->hash, BYTES(NULL, 0));
	*ret = secrets;
	return 0;
}

int attachment_seal_new(uint64_t size, struct attachment_seal **ret)
{
	_cleanup_(attachment_seal_free) struct attachment_seal *seal = calloc(1, sizeof(*seal));
	if (!seal)
		return -ENOMEM;
	int r = secrets_new(&seal->secrets);
	if (r)
		return r;
	random_fill(seal->secrets->key, AEAD_KEY_SIZE);
	seal->size = size;
	seal->padded = sealing_padded_length((size_t)size);
	*ret = steal(&seal);
	return 0;
}

void attachment_seal_free(struct attachment_seal *seal)
{
	if (!seal)
		return;
	secret_free(seal->secrets);
	secret_wipe(seal->plain, sizeof(seal->plain));
	free(seal);
}

size_t attachment_seal_wants(const struct attachment_seal *seal)
{
	return (size_t)min_of(seal->size - seal->taken, ATTACHMENT_PLAIN);
}

bool attachment_seal_done(const struct attachment_seal *seal)
{
	return seal->sealed == seal->padded;
}

struct bytes attachment_seal_piece(struct attachment_seal *seal, struct bytes file)
{
	struct secrets *secrets = seal->secrets;
	size_t plain = (size_t)min_of(seal->padded - seal->sealed, ATTACHMENT_PLAIN);
	uint8_t *out = seal->cipher;
	assert(plain > 0 && file.len == attachment_seal_wants(seal));
	if (seal->sealed == 0) {
		stream_seal_init(&secrets->stream, secrets->key, out);
		out += STREAM_HEAD_SIZE;
	}
	if (file.len > 0)
		memcpy(seal->plain, file.data, file.len);
	memset(seal->plain + file.len, 0, plain - file.len);
	seal->taken += file.len;
	seal->sealed += plain;
	stream_seal(&secrets->stream, out, BYTES(seal->plain, plain), attachment_seal_done(seal));
	struct bytes cipher = BYTES(
		seal->cipher, (size_t)(out - seal->cipher) + plain + STREAM_PIECE_EXTRA);
	blake2b_add(&secrets->hash, cipher);
	return cipher;
}

void attachment_seal_finish(
	struct attachment_seal *seal, uint8_t ret_key[AEAD_KEY_SIZE], uint8_t ret_digest[HASH_SIZE])
{
	assert(attachment_seal_done(seal));
	memcpy(ret_key, seal->secrets->key, AEAD_KEY_SIZE);
	blake2b_finish(&seal->secrets->hash, ret_digest);
}

/* ---- opening ---- */

int attachment_open_new(const struct attachment_key *key, struct attachment_open **ret)
{
	_cleanup_(attachment_open_free) struct attachment_open *open = calloc(1, sizeof(*open));
	if (!open)
		return -ENOMEM;
	int r = secrets_new(&open->secrets);
	if (r)
		return r;
	memcpy(open->secrets->key, key->key, AEAD_KEY_SIZE);
	open->size = key->size;
	open->padded = sealing_padded_length((size_t)key->size);
	*ret = steal(&open);
	return 0;
}

void attachment_open_free(struct attachment_open *open)
{
	if (!open)
		return;
	secret_free(open->secrets);
	secret_wipe(open->plain, sizeof(open->plain));
	free(open);
}

static size_t plain_next(const struct attachment_open *open)
{
	return (size_t)min_of(open->padded - open->opened, ATTACHMENT_PLAIN);
}

size_t attachment_open_wants(const struct attachment_open *open)
{
	size_t plain = plain_next(open);
	if (plain == 0)
		return 0;
	return plain + STREAM_PIECE_EXTRA + (open->opened == 0 ? STREAM_HEAD_SIZE : 0);
}

static bool is_zero(const uint8_t *data, size_t len)
{
	uint8_t any = 0;
	for (size_t i = 0; i < len; i++)
		any |= data[i];
	return any == 0;
}

int attachment_open_piece(struct attachment_open *open, struct bytes cipher, struct bytes *ret)
{
	struct secrets *secrets = open->secrets;
	size_t plain = plain_next(open), file = 0;
	assert(plain > 0 && cipher.len == attachment_open_wants(open));
	blake2b_add(&secrets->hash, cipher);
	if (open->opened == 0) {
		stream_unseal_init(&secrets->stream, secrets->key, cipher.data);
		cipher = BYTES(cipher.data + STREAM_HEAD_SIZE, cipher.len - STREAM_HEAD_SIZE);
	}
	if (open->opened < open->size)
		file = (size_t)min_of(open->size - open->opened, plain);
	bool last = open->opened + plain == open->padded;
	if (stream_unseal(&secrets->stream, open->plain, cipher, last) != 0 ||
		!is_zero(open->plain + file, plain - file))
		return SEALING_BROKEN;
	open->opened += plain;
	*ret = BYTES(open->plain, file);
	return 0;
}

int attachment_open_finish(struct attachment_open *open, const uint8_t *digest)
{
	uint8_t hash[HASH_SIZE];
	assert(attachment_open_wants(open) == 0);
	blake2b_finish(&open->secrets->hash, hash);
	return memcmp(hash, digest, HASH_SIZE) == 0 ? 0 : SEALING_BROKEN;
}
