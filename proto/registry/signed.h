/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "proto/base/arena.h"
#include "proto/registry/head.h"
#include "proto/registry/registry.h"

/*
 * The outer form of a registry, taken apart in the order in which trust grows: form, note text, then
 * (after the caller has checked signatures) content. Inside this folder only.
 */
struct signed_registry {
	struct bytes note;    /* views into the unpacked message */
	struct bytes text;    /* of the note, without signatures */
	struct bytes content; /* serialized, not yet parsed */
	struct registry_head head;
};

enum { REGISTRY_ARENA_BUDGET = 96 << 20 };

/**
 * signed_registry_open() - unpack, read the note's text, compare the content's digest
 * @bytes:  a serialized SignedRegistry, untrusted
 * @arena:  owns what @ret points to
 * @ret:    the parts
 * @reterr: room for a sentence
 * @size:   of @reterr
 * Return: 0, REGISTRY_MALFORMED, REGISTRY_DIGEST, -ENOMEM.
 */
int signed_registry_open(struct bytes bytes, struct arena *arena, struct signed_registry *ret,
	char *reterr, size_t size);

/**
 * signed_registry_content() - parse and check the content
 * @parts:  opened, and trusted by now
 * @arena:  owns the content
 * @ret:    the content
 * @reterr: room for a sentence
 * @size:   of @reterr
 * Return: 0, REGISTRY_MALFORMED, REGISTRY_INVALID, -ENOMEM.
 */
int signed_registry_content(const struct signed_registry *parts, struct arena *arena,
	Dienstweg__RegistryContent **ret, char *reterr, size_t size);
