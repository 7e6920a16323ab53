/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A registry is composed on one machine and signed on others, so the unsigned form is a file like the
 * signed one, only with a note that is still its text alone. Nothing but the note changes when a root
 * signs: the digest in it keeps the content still.
 */
#include "proto/registry/compose.h"

#include <errno.h>
#include <stdio.h>

#include "proto/registry/content.h"
#include "proto/registry/signed.h"

static int pack(struct bytes note, struct bytes content, struct arena *arena, struct bytes *ret)
{
	Dienstweg__SignedRegistry message = DIENSTWEG__SIGNED_REGISTRY__INIT;
	message.note = (ProtobufCBinaryData){
		.len = note.len, .data = (uint8_t *)(uintptr_t)note.data};
	message.content = (ProtobufCBinaryData){
		.len = content.len, .data = (uint8_t *)(uintptr_t)content.data};
	size_t len = dienstweg__signed_registry__get_packed_size(&message);
	uint8_t *data = arena_alloc(arena, len);
	if (!data)
		return -ENOMEM;
	dienstweg__signed_registry__pack(&message, data);
	*ret = BYTES(data, len);
	return 0;
}

int registry_compose(const Dienstweg__RegistryContent *content, struct registry_head *head,
	struct arena *arena, struct bytes *ret, char *reterr, size_t size)
{
	char text[REGISTRY_HEAD_SIZE];
	int r = registry_content_check(content, reterr, size);
	if (r)
		return r;
	size_t len = dienstweg__registry_content__get_packed_size(content);
	if (len > REGISTRY_BYTES_MAX - 8 * REGISTRY_HEAD_SIZE) { /* room for the note and signatures */
		snprintf(reterr, size, "content of %zu bytes does not fit into a frame", len);
		return REGISTRY_INVALID;
	}
	uint8_t *packed = arena_alloc(arena, len);
	if (!packed)
		return -ENOMEM;
	dienstweg__registry_content__pack(content, packed);
	memset(head->bus, 0, sizeof(head->bus));
	memcpy(head->bus, content->bus.data, content->bus.len); /* a checked name: at most 63 bytes */
	sha256_of(BYTES(packed, len), head->content);
	size_t text_len = registry_head_format(head, text);
	return pack(BYTES(text, text_len), BYTES(packed, len), arena, ret);
}

int registry_sign(struct bytes signed_bytes, struct bytes name, const struct key_secret *root,
	struct arena *arena, struct bytes *ret)
{
	struct signed_registry parts;
	struct note_key key;
	struct bytes note;
	char ignored[256];
	int r = signed_registry_open(signed_bytes, arena, &parts, ignored, sizeof(ignored));
	if (r)
		return r < 0 ? r : REGISTRY_MALFORMED;
	if (root->pub.use != KEY_ROOT || note_key_init(&key, name, root->pub.public))
		return REGISTRY_MALFORMED;
	r = note_sign(parts.note, &key, root->ed25519, arena, &note);
	if (r)
		return r < 0 ? r : REGISTRY_MALFORMED;
	return pack(note, parts.content, arena, ret);
}

bool registry_signed_by(struct bytes signed_bytes, const struct note_key *root)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(REGISTRY_ARENA_BUDGET);
	struct signed_registry parts;
	struct bytes text;
	char ignored[256];
	if (!arena || signed_registry_open(signed_bytes, arena, &parts, ignored, sizeof(ignored)))
		return false;
	return note_open(parts.note, root, 1, 1, &text, NULL) == 0;
}

int registry_peek(struct bytes signed_bytes, struct arena *arena, struct registry_head *ret_head,
	Dienstweg__RegistryContent **ret_content, char *reterr, size_t size)
{
	struct signed_registry parts;
	int r = signed_registry_open(signed_bytes, arena, &parts, reterr, size);
	if (r == 0)
		r = signed_registry_content(&parts, arena, ret_content, reterr, size);
	if (r == 0)
		*ret_head = parts.head;
	return r;
}
