/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A recipient hands over nothing that it has not checked, so this takes no caller's word for anything: the
 * content is compared with its header again before it is opened. Whatever was decrypted and then refused
 * is wiped, as are the keys on the way.
 */
#include "proto/sealing/sealing.h"

#include <assert.h>
#include <errno.h>

#include "proto/envelope/payload.h"
#include "proto/sealing/binding.h"
#include "proto/sealing/exchange.h"

enum { PADDING_MARK = 0x80 };

struct sealing_opener {
	struct exchange exchange;
};

/* The first of our keys that the content is wrapped for. */
static const struct key_secret *find_key(const struct payload *payload,
	const struct key_secret *const *keys, size_t count, const struct payload_wrap **ret_wrap)
{
	for (size_t i = 0; i < payload->wraps_count; i++) {
		for (size_t j = 0; j < count; j++) {
			struct bytes id = BYTES(keys[j]->pub.id, KEY_ID_SIZE);
			if (keys[j]->pub.use != KEY_SEAL ||
				!bytes_equal(id, payload->wraps[i].key_id))
				continue;
			*ret_wrap = &payload->wraps[i];
			return keys[j];
		}
	}
	return NULL;
}

static int unwrap(struct exchange *exchange, const struct binding *binding,
	const struct payload *payload, const struct payload_wrap *wrap,
	const struct key_secret *key, uint8_t content_key[CONTENT_KEY_SIZE])
{
	uint8_t wrap_key[AEAD_KEY_SIZE];
	const uint8_t *shared = exchange_shared(
		exchange, key->x25519, key->pub.public, payload->ephemeral.data);
	if (!shared)
		return SEALING_BROKEN;
	binding_wrap_key(binding, shared, payload->ephemeral.data, key->pub.public, wrap_key);
	int bad = aead_open(
		content_key, wrap->box, binding_context(binding), wrap->nonce.data, wrap_key);
	secret_wipe(wrap_key, sizeof(wrap_key));
	return bad ? SEALING_BROKEN : 0;
}

/* Content || 0x80 || zeros: exactly one way to take it off. */
static int padding_strip(struct bytes *plain)
{
	size_t len = plain->len;
	while (len > 0 && plain->data[len - 1] == 0)
		len--;
	if (len == 0 || plain->data[len - 1] != PADDING_MARK)
		return SEALING_BROKEN;
	plain->len = len - 1;
	return 0;
}

static int commitment_check(const struct binding *binding, const Dienstweg__Header *header,
	const struct payload_content *content)
{
	uint8_t commitment[HASH_SIZE];
	binding_commitment(binding, content->salt, content->body, content->fields, commitment);
	struct bytes said = BYTES_PB(header->body_commitment);
	if (!bytes_equal(said, BYTES(commitment, sizeof(commitment))))
		return SEALING_COMMITMENT;
	/* Of a sender who means it there is one key for each. */
	return content->attachments == header->n_attachments ? 0 : SEALING_BROKEN;
}

static int plain_check(const struct binding *binding, const Dienstweg__Header *header,
	struct bytes plain, struct payload_content *ret)
{
	struct payload_content content;
	const char *field;
	if (padding_strip(&plain) != 0 || payload_content_parse(plain, &content, &field) != 0)
		return SEALING_BROKEN;
	int r = commitment_check(binding, header, &content);
	if (r == 0)
		*ret = content;
	return r;
}

static int sealed_open(struct exchange *exchange, const struct binding *binding,
	const Dienstweg__Header *header, const struct payload *payload,
	const struct payload_wrap *wrap, const struct key_secret *key, struct arena *arena,
	struct payload_content *ret)
{
	uint8_t content_key[CONTENT_KEY_SIZE];
	size_t len = payload->box.len - AEAD_TAG_SIZE;
	uint8_t *plain = arena_alloc(arena, len);
	if (!plain)
		return -ENOMEM;
	int r = unwrap(exchange, binding, payload, wrap, key, content_key);
	if (r == 0 && aead_open(plain, payload->box, binding_context(binding), payload->nonce.data,
			      content_key) != 0)
		r = SEALING_BROKEN;
	else if (r == 0)
		r = plain_check(binding, header, BYTES(plain, len), ret);
	secret_wipe(content_key, sizeof(content_key));
	if (r != 0)
		secret_wipe(plain, len);
	return r;
}

static int open_with(struct exchange *exchange, const Dienstweg__Header *header,
	struct bytes content, const struct key_secret *const *keys, size_t count,
	struct arena *arena, struct payload_content *ret)
{
	struct binding binding;
	struct payload payload;
	const char *field;
	int r = payload_read(arena, header, content, &payload, &field);
	if (r != 0)
		return r < 0 ? r : SEALING_BROKEN;
	binding_init(&binding, header);
	if (!payload.sealed) {
		r = commitment_check(&binding, header, &payload.clear);
		if (r == 0)
			*ret = payload.clear;
		return r;
	}
	const struct payload_wrap *wrap = NULL;
	const struct key_secret *key = find_key(&payload, keys, count, &wrap);
	if (!key)
		return SEALING_NOT_FOR_US;
	return sealed_open(exchange, &binding, header, &payload, wrap, key, arena, ret);
}

int sealing_opener_new(struct sealing_opener **ret)
{
	struct sealing_opener *opener = secret_alloc(sizeof(*opener));
	if (!opener)
		return -ENOMEM;
	memset(opener, 0, sizeof(*opener));
	*ret = opener;
	return 0;
}

void sealing_opener_free(struct sealing_opener *opener)
{
	secret_free(opener);
}

int sealing_opener_open(struct sealing_opener *opener, const Dienstweg__Header *header,
	struct bytes content, const struct key_secret *const *keys, size_t count,
	struct arena *arena, struct payload_content *ret)
{
	return open_with(&opener->exchange, header, content, keys, count, arena, ret);
}

int sealing_open(const Dienstweg__Header *header, struct bytes content,
	const struct key_secret *const *keys, size_t count, struct arena *arena, struct bytes *ret)
{
	struct exchange exchange;
	struct payload_content opened;
	exchange.added = 0;
	int r = open_with(&exchange, header, content, keys, count, arena, &opened);
	secret_wipe(&exchange, sizeof(exchange));
	if (r == 0)
		*ret = opened.body;
	return r;
}
