/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The note's text ends where its signatures begin, at the last empty line; a registry that nobody has
 * signed yet is its text alone. Signatures are not looked at here: registry.c asks for the pinned roots,
 * and the people who sign look before they do.
 */
#include "proto/registry/signed.h"

#include <stdio.h>

#include "proto/registry/content.h"

static int say(char *reterr, size_t size, int verdict, const char *text)
{
	snprintf(reterr, size, "%s", text);
	return verdict;
}

static struct bytes text_of(struct bytes note)
{
	for (size_t i = note.len; i >= 2; i--)
		if (note.data[i - 2] == '\n' && note.data[i - 1] == '\n')
			return BYTES(note.data, i - 1);
	return note;
}

int signed_registry_open(struct bytes bytes, struct arena *arena, struct signed_registry *ret,
	char *reterr, size_t size)
{
	uint8_t digest[HASH_SIZE];
	if (bytes.len > REGISTRY_BYTES_MAX)
		return say(reterr, size, REGISTRY_MALFORMED,
			"too large: at most 900000 bytes travel in one frame");
	const Dienstweg__SignedRegistry *message = dienstweg__signed_registry__unpack(
		arena_allocator(arena), bytes.len, bytes.data);
	if (!message)
		return say(reterr, size, REGISTRY_MALFORMED,
			"not a signed registry: take a file made by dienstweg registry build");
	*ret = (struct signed_registry){.note = BYTES_PB(message->note),
		.text = text_of(BYTES_PB(message->note)),
		.content = BYTES_PB(message->content)};
	if (registry_head_parse(ret->text, &ret->head))
		return say(reterr, size, REGISTRY_MALFORMED,
			"its note is not that of a registry: take a file made by dienstweg "
			"registry build");
	sha256_of(ret->content, digest);
	if (memcmp(digest, ret->head.content, HASH_SIZE) != 0)
		return say(reterr, size, REGISTRY_DIGEST,
			"content differs from what was signed: the file was changed, fetch it "
			"again");
	return 0;
}

int signed_registry_content(const struct signed_registry *parts, struct arena *arena,
	Dienstweg__RegistryContent **ret, char *reterr, size_t size)
{
	Dienstweg__RegistryContent *content = dienstweg__registry_content__unpack(
		arena_allocator(arena), parts->content.len, parts->content.data);
	if (!content)
		return say(reterr, size, REGISTRY_MALFORMED, "its content cannot be read");
	int r = registry_content_check(content, reterr, size);
	if (r)
		return r;
	if (!bytes_equal(BYTES_PB(content->bus), BYTES_STR(parts->head.bus)))
		return say(reterr, size, REGISTRY_INVALID,
			"its note and its content name different buses: build it anew");
	*ret = content;
	return 0;
}
