/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/arena.h"
#include "proto/base/bytes.h"
#include "proto/identity/key.h"
#include "proto/registry/head.h"
#include "proto/registry/registry.h"

/* Making a registry: compose it once, then let two roots sign, each on a machine of its own. */

/**
 * registry_compose() - check content and put an unsigned note in front of it
 * @content: sorted (registry_content_sort())
 * @head:    bus and content digest are filled in here; the rest is the caller's
 * @arena:   owns the result
 * @ret:     a serialized SignedRegistry whose note has no signatures yet
 * @reterr:  room for a sentence
 * @size:    of @reterr
 * Return: 0, REGISTRY_INVALID, -ENOMEM.
 */
int registry_compose(const Dienstweg__RegistryContent *content, struct registry_head *head,
	struct arena *arena, struct bytes *ret, char *reterr, size_t size);

/**
 * registry_sign() - add one root's signature
 * @signed_bytes: with or without signatures
 * @name:         the root's name
 * @root:         its secret, of use KEY_ROOT
 * @arena:        owns the result
 * @ret:          a serialized SignedRegistry
 * Return: 0, REGISTRY_MALFORMED, -ENOMEM.
 */
int registry_sign(struct bytes signed_bytes, struct bytes name, const struct key_secret *root,
	struct arena *arena, struct bytes *ret);

/**
 * registry_signed_by() - did this root sign?
 * @signed_bytes: a SignedRegistry
 * @root:         a root as verifier key
 * Return: true when a good signature of it is there.
 */
bool registry_signed_by(struct bytes signed_bytes, const struct note_key *root);

/**
 * registry_peek() - look at a registry without trusting it: for the people who sign it
 * @signed_bytes: with or without signatures
 * @arena:        owns the results
 * @ret_head:     the note's fields
 * @ret_content:  the content, its digest and rules checked
 * @reterr:       room for a sentence
 * @size:         of @reterr
 * Return: 0, REGISTRY_MALFORMED, REGISTRY_DIGEST, REGISTRY_INVALID, -ENOMEM.
 */
int registry_peek(struct bytes signed_bytes, struct arena *arena, struct registry_head *ret_head,
	Dienstweg__RegistryContent **ret_content, char *reterr, size_t size);
