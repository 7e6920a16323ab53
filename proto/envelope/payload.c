/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The broker looks at the form of every content and at the inside of none, so this reads what protobuf-c
 * would copy. A view is taken only after wire_check() has passed its message: wire_field() then meets
 * each singular field at most once.
 */
#include "proto/envelope/payload.h"

#include <errno.h>

#include "proto/envelope/envelope.h"
#include "proto/envelope/wire.h"
#include "proto/identity/key.h"

static int malformed(const char **ret_field, const char *field)
{
	*ret_field = field;
	return ENVELOPE_MALFORMED;
}

/* A field that must be there with exactly this length. */
static bool field_of_size(struct bytes data, uint32_t number, size_t size, struct bytes *ret)
{
	return wire_field(data, number, 0, ret) == 0 && ret->len == size;
}

static bool form_is(const ProtobufCMessageDescriptor *descriptor, struct bytes data)
{
	const char *inner;
	return wire_check(descriptor, data, &inner) == 0;
}

int payload_content_parse(struct bytes data, struct payload_content *ret, const char **ret_field)
{
	struct payload_content content = {0};
	struct bytes key;
	if (!form_is(&dienstweg__content__descriptor, data))
		return malformed(ret_field, "content");
	if (!field_of_size(data, CONTENT_SALT, CONTENT_SALT_SIZE, &content.salt))
		return malformed(ret_field, "salt");
	if (wire_field(data, CONTENT_BODY, 0, &content.body) != 0)
		content.body = BYTES(data.data + data.len, 0);
	content.fields = data;
	while (wire_field(data, CONTENT_ATTACHMENTS, content.attachments, &key) == 0) {
		if (++content.attachments > ATTACHMENTS_MAX ||
			!form_is(&dienstweg__attachment_key__descriptor, key))
			return malformed(ret_field, "attachments");
	}
	*ret = content;
	return 0;
}

static int wrap_parse(struct bytes data, struct payload_wrap *ret)
{
	bool good = form_is(&dienstweg__wrap__descriptor, data) &&
		    field_of_size(data, WRAP_KEY_ID, KEY_ID_SIZE, &ret->key_id) &&
		    field_of_size(data, WRAP_NONCE, AEAD_NONCE_SIZE, &ret->nonce) &&
		    field_of_size(data, WRAP_BOX, WRAP_BOX_SIZE, &ret->box);
	return good ? 0 : ENVELOPE_MALFORMED;
}

static int wraps_parse(
	struct arena *arena, struct bytes sealed, struct payload *payload, const char **ret_field)
{
	struct bytes view;
	size_t count = 0;
	while (count <= SEALED_RECIPIENTS_MAX && wire_field(sealed, SEALED_WRAPS, count, &view) == 0)
		count++;
	if (count < 1 || count > SEALED_RECIPIENTS_MAX)
		return malformed(ret_field, "wraps");
	struct payload_wrap *wraps = arena_zalloc(arena, count * sizeof(*wraps));
	if (!wraps)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		if (wire_field(sealed, SEALED_WRAPS, i, &view) != 0 ||
			wrap_parse(view, &wraps[i]) != 0)
			return malformed(ret_field, "wraps");
	}
	payload->wraps = wraps;
	payload->wraps_count = count;
	return 0;
}

static int sealed_parse(
	struct arena *arena, struct bytes sealed, struct payload *payload, const char **ret_field)
{
	payload->sealed = true;
	if (!form_is(&dienstweg__sealed_content__descriptor, sealed))
		return malformed(ret_field, "sealed");
	if (!field_of_size(sealed, SEALED_EPHEMERAL, BOX_KEY_SIZE, &payload->ephemeral))
		return malformed(ret_field, "ephemeral");
	if (!field_of_size(sealed, SEALED_NONCE, AEAD_NONCE_SIZE, &payload->nonce))
		return malformed(ret_field, "nonce");
	if (wire_field(sealed, SEALED_BOX, 0, &payload->box) != 0 ||
		payload->box.len < SEALED_PLAIN_MIN + AEAD_TAG_SIZE)
		return malformed(ret_field, "box");
	return wraps_parse(arena, sealed, payload, ret_field);
}

int payload_parse(
	struct arena *arena, struct bytes content, struct payload *ret, const char **ret_field)
{
	struct payload payload = {0};
	struct bytes form;
	int r;
	if (!form_is(&dienstweg__payload__descriptor, content))
		return malformed(ret_field, "content");
	if (wire_field(content, PAYLOAD_CLEAR, 0, &form) == 0)
		r = payload_content_parse(form, &payload.clear, ret_field);
	else if (wire_field(content, PAYLOAD_SEALED, 0, &form) == 0)
		r = sealed_parse(arena, form, &payload, ret_field);
	else
		r = malformed(ret_field, "content");
	if (r == 0)
		*ret = payload;
	return r;
}

static int mismatch(const char **ret_field, const char *field)
{
	*ret_field = field;
	return ENVELOPE_CONTENT;
}

/* Clear content has no wraps, and its header must list no keys. */
static int wraps_match(
	const Dienstweg__Header *header, const struct payload *payload, const char **ret_field)
{
	if (payload->wraps_count != header->n_sealed_recipients)
		return mismatch(ret_field, "sealed_recipients");
	for (size_t i = 0; i < payload->wraps_count; i++) {
		struct bytes listed = BYTES_PB(header->sealed_recipients[i]);
		if (!bytes_equal(listed, payload->wraps[i].key_id))
			return mismatch(ret_field, "sealed_recipients");
	}
	return 0;
}

int payload_read(struct arena *arena, const Dienstweg__Header *header, struct bytes content,
	struct payload *ret, const char **ret_field)
{
	uint8_t hash[HASH_SIZE];
	struct payload payload;
	if (content.len != header->content_length)
		return mismatch(ret_field, "content_length");
	blake2b_of(content, hash);
	if (!bytes_equal(BYTES(hash, sizeof(hash)), BYTES_PB(header->content_hash)))
		return mismatch(ret_field, "content_hash");
	int r = payload_parse(arena, content, &payload, ret_field);
	if (r == 0)
		r = wraps_match(header, &payload, ret_field);
	if (r == 0)
		*ret = payload;
	return r;
}
