/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Content is laid out once, at its final length, and encrypted where it lies: protobuf-c would copy a
 * 256 KiB document twice more. Everything random of a message is drawn at once, because each draw is a
 * system call. The X25519 of a batch's ephemeral key with a recipient costs more than all the rest, and
 * a batch mostly goes to few recipients: the batch remembers some. Who sent to somebody is likely to send there again, so the
 * next batch's key meets that recipient's while nothing waits for it. Its ephemeral secret, these shared
 * secrets and the keys at work all lie in its one block of secret memory.
 */
#include "proto/sealing/sealing.h"

#include <assert.h>
#include <errno.h>

#include "proto/envelope/payload.h"
#include "proto/envelope/wire.h"
#include "proto/sealing/binding.h"
#include "proto/sealing/exchange.h"

enum {
	PADDED_MIN = SEALED_PLAIN_MIN,
	PADDING_MARK = 0x80,
};

/* Random bytes of one message; the content key is the only secret. */
struct draw {
	uint8_t content_key[CONTENT_KEY_SIZE];
	uint8_t salt[CONTENT_SALT_SIZE];
	uint8_t nonce[AEAD_NONCE_SIZE];
	uint8_t wrap_nonces[SEALED_RECIPIENTS_MAX][AEAD_NONCE_SIZE];
};

struct sealing_batch {
	bool met; /* `last` is the public key that something was sealed for last; it outlives the batch */
	uint8_t last[BOX_KEY_SIZE];
	bool ready, used; /* its key is there; something was sealed with it */
	uint8_t secret[BOX_KEY_SIZE];
	uint8_t public[BOX_KEY_SIZE];
	struct exchange exchange;
	uint8_t wrap_keys[SEALED_RECIPIENTS_MAX][AEAD_KEY_SIZE];
	struct draw draw;
};

/* Lengths of the parts, inside out. */
struct layout {
	size_t content; /* serialized Content */
	size_t padded;  /* sealed: with padding */
	size_t wrap;    /* sealed: one Wrap */
	size_t form;    /* Content or SealedContent */
	size_t payload; /* all */
};

int sealing_batch_new(struct sealing_batch **ret)
{
	struct sealing_batch *batch = secret_alloc(sizeof(*batch));
	if (!batch)
		return -ENOMEM;
	memset(batch, 0, sizeof(*batch));
	sealing_batch_prepare(batch);
	*ret = batch;
	return 0;
}

void sealing_batch_prepare(struct sealing_batch *batch)
{
	if (batch->ready)
		return;
	random_fill(batch->secret, sizeof(batch->secret));
	x25519_public(batch->secret, batch->public);
	batch->ready = true;
	if (batch->met)
		(void)exchange_shared(&batch->exchange, batch->secret, batch->public, batch->last);
}

void sealing_batch_forget(struct sealing_batch *batch)
{
	size_t kept = offsetof(struct sealing_batch, ready);
	if (batch->used)
		secret_wipe((uint8_t *)batch + kept, sizeof(*batch) - kept);
}

void sealing_batch_free(struct sealing_batch *batch)
{
	secret_free(batch);
}

/* Padme: only the top log2(log2(length)) bits of a length show. */
size_t sealing_padded_length(size_t length)
{
	if (length <= PADDED_MIN)
		return PADDED_MIN;
	unsigned int exponent = 63 - (unsigned int)__builtin_clzll(length);
	unsigned int shown = 32 - (unsigned int)__builtin_clz(exponent);
	size_t mask = ((size_t)1 << (exponent - shown)) - 1;
	return (length + mask) & ~mask;
}

static size_t content_size(const struct sealing_content *content)
{
	size_t size = wire_size(CONTENT_SALT, CONTENT_SALT_SIZE) + content->attachments.len;
	return content->body.len > 0 ? size + wire_size(CONTENT_BODY, content->body.len) : size;
}

static struct layout layout_make(const struct sealing_content *content, size_t count)
{
	struct layout layout = {.content = content_size(content)};
	if (count == 0) {
		layout.form = layout.content;
		layout.payload = wire_size(PAYLOAD_CLEAR, layout.form);
		return layout;
	}
	layout.padded = sealing_padded_length(layout.content + 1);
	layout.wrap = wire_size(WRAP_KEY_ID, KEY_ID_SIZE) + wire_size(WRAP_NONCE, AEAD_NONCE_SIZE) +
		      wire_size(WRAP_BOX, WRAP_BOX_SIZE);
	layout.form = wire_size(SEALED_EPHEMERAL, BOX_KEY_SIZE) +
		      count * wire_size(SEALED_WRAPS, layout.wrap) +
		      wire_size(SEALED_NONCE, AEAD_NONCE_SIZE) +
		      wire_size(SEALED_BOX, layout.padded + AEAD_TAG_SIZE);
	layout.payload = wire_size(PAYLOAD_SEALED, layout.form);
	return layout;
}

static uint8_t *content_put(
	uint8_t *p, const uint8_t salt[CONTENT_SALT_SIZE], const struct sealing_content *content)
{
	p = wire_put(p, CONTENT_SALT, BYTES(salt, CONTENT_SALT_SIZE));
	if (content->body.len > 0)
		p = wire_put(p, CONTENT_BODY, content->body);
	if (content->attachments.len > 0)
		memcpy(p, content->attachments.data, content->attachments.len);
	return p + content->attachments.len;
}

/* All wrap keys before anything is written: a bad recipient must not leave half a content. */
static int wrap_keys_make(struct sealing_batch *batch, const struct binding *binding,
	const struct sealing_recipient *recipients, size_t count)
{
	batch->met = count == 1;
	memcpy(batch->last, recipients[0].public, BOX_KEY_SIZE);
	for (size_t i = 0; i < count; i++) {
		const uint8_t *shared = exchange_shared(
			&batch->exchange, batch->secret, batch->public, recipients[i].public);
		if (!shared)
			return SEALING_BROKEN;
		binding_wrap_key(
			binding, shared, batch->public, recipients[i].public, batch->wrap_keys[i]);
	}
	return 0;
}

static uint8_t *wrap_put(uint8_t *p, const struct sealing_batch *batch,
	const struct binding *binding, const struct sealing_recipient *recipient, size_t index)
{
	const struct draw *draw = &batch->draw;
	p = wire_put(p, WRAP_KEY_ID, BYTES(recipient->key_id, KEY_ID_SIZE));
	p = wire_put(p, WRAP_NONCE, BYTES(draw->wrap_nonces[index], AEAD_NONCE_SIZE));
	p = wire_put_head(p, WRAP_BOX, WRAP_BOX_SIZE);
	aead_seal(p, BYTES(draw->content_key, CONTENT_KEY_SIZE), binding_context(binding),
		draw->wrap_nonces[index], batch->wrap_keys[index]);
	return p + WRAP_BOX_SIZE;
}

static void sealed_put(uint8_t *p, const struct layout *layout, const struct sealing_batch *batch,
	const struct binding *binding, const struct sealing_content *body,
	const struct sealing_recipient *recipients, size_t count)
{
	const struct draw *draw = &batch->draw;
	p = wire_put_head(p, PAYLOAD_SEALED, layout->form);
	p = wire_put(p, SEALED_EPHEMERAL, BYTES(batch->public, BOX_KEY_SIZE));
	for (size_t i = 0; i < count; i++) {
		p = wire_put_head(p, SEALED_WRAPS, layout->wrap);
		p = wrap_put(p, batch, binding, &recipients[i], i);
	}
	p = wire_put(p, SEALED_NONCE, BYTES(draw->nonce, AEAD_NONCE_SIZE));
	p = wire_put_head(p, SEALED_BOX, layout->padded + AEAD_TAG_SIZE);
	uint8_t *end = content_put(p, draw->salt, body);
	*end++ = PADDING_MARK;
	memset(end, 0, layout->padded - (size_t)(end - p));
	aead_seal(p, BYTES(p, layout->padded), binding_context(binding), draw->nonce,
		draw->content_key);
}

/* What the header needs of memory, so that it is changed only when nothing can fail any more. */
struct summary {
	uint8_t hash[HASH_SIZE];
	uint8_t commitment[HASH_SIZE];
	ProtobufCBinaryData *ids; /* one for each recipient */
	uint8_t (*id_bytes)[KEY_ID_SIZE];
};

static struct summary *summary_new(struct arena *arena, size_t count)
{
	struct summary *summary = arena_alloc(arena, sizeof(*summary));
	if (!summary)
		return NULL;
	summary->ids = arena_alloc(arena, count * sizeof(*summary->ids));
	summary->id_bytes = arena_alloc(arena, count * sizeof(*summary->id_bytes));
	return summary->ids && summary->id_bytes ? summary : NULL;
}

static void header_finish(Dienstweg__Header *header, struct summary *summary, struct bytes content,
	const struct sealing_recipient *recipients, size_t count)
{
	blake2b_of(content, summary->hash);
	for (size_t i = 0; i < count; i++) {
		memcpy(summary->id_bytes[i], recipients[i].key_id, KEY_ID_SIZE);
		summary->ids[i] = (ProtobufCBinaryData){
			.data = summary->id_bytes[i], .len = KEY_ID_SIZE};
	}
	header->content_length = (uint32_t)content.len;
	header->content_hash = (ProtobufCBinaryData){.data = summary->hash, .len = HASH_SIZE};
	header->body_commitment = (ProtobufCBinaryData){
		.data = summary->commitment, .len = HASH_SIZE};
	header->sealed_recipients = count > 0 ? summary->ids : NULL;
	header->n_sealed_recipients = count;
}

static int seal_with(struct sealing_batch *batch, const struct layout *layout,
	const struct binding *binding, const struct sealing_content *body,
	const struct sealing_recipient *recipients, size_t count, uint8_t *content,
	struct summary *summary)
{
	sealing_batch_prepare(batch);
	batch->used = true;
	int r = wrap_keys_make(batch, binding, recipients, count);
	if (r == 0) {
		random_fill(&batch->draw, offsetof(struct draw, wrap_nonces[count]));
		binding_commitment(binding, BYTES(batch->draw.salt, CONTENT_SALT_SIZE), body->body,
			body->attachments, summary->commitment);
		sealed_put(content, layout, batch, binding, body, recipients, count);
	}
	secret_wipe(batch->wrap_keys, count * sizeof(batch->wrap_keys[0]));
	secret_wipe(batch->draw.content_key, sizeof(batch->draw.content_key));
	return r;
}

static void leave_clear(const struct layout *layout, const struct binding *binding,
	const struct sealing_content *body, uint8_t *content, struct summary *summary)
{
	uint8_t salt[CONTENT_SALT_SIZE];
	random_fill(salt, sizeof(salt));
	binding_commitment(binding, BYTES(salt, sizeof(salt)), body->body, body->attachments,
		summary->commitment);
	content_put(wire_put_head(content, PAYLOAD_CLEAR, layout->form), salt, body);
}

int sealing_seal(struct sealing_batch *batch, Dienstweg__Header *header, struct bytes body,
	const struct sealing_recipient *recipients, size_t count, struct arena *arena,
	struct bytes *ret)
{
	return sealing_seal_content(batch, header, &(struct sealing_content){.body = body},
		recipients, count, arena, ret);
}

int sealing_seal_content(struct sealing_batch *batch, Dienstweg__Header *header,
	const struct sealing_content *body, const struct sealing_recipient *recipients,
	size_t count, struct arena *arena, struct bytes *ret)
{
	struct binding binding;
	assert(count == 0 || batch);
	if (body->body.len > CONTENT_BYTES_MAX || count > SEALED_RECIPIENTS_MAX)
		return SEALING_TOO_LARGE;
	struct layout layout = layout_make(body, count);
	if (layout.payload > CONTENT_BYTES_MAX)
		return SEALING_TOO_LARGE;
	struct summary *summary = summary_new(arena, count);
	uint8_t *content = arena_alloc(arena, layout.payload);
	if (!summary || !content)
		return -ENOMEM;
	binding_init(&binding, header);
	if (count == 0) {
		leave_clear(&layout, &binding, body, content, summary);
	} else {
		int r = seal_with(
			batch, &layout, &binding, body, recipients, count, content, summary);
		if (r != 0)
			return r;
	}
	*ret = BYTES(content, layout.payload);
	header_finish(header, summary, *ret, recipients, count);
	return 0;
}
