/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "proto/base/bytes.h"
#include "proto/base/cleanup.h"

/*
 * A bump allocator with a budget. protobuf-c inflates hostile input 50 to 76 times (docs/security.md);
 * unpacking into an arena turns that into a clean NULL, and freeing into one reset. One arena has one
 * owner at a time and belongs to no thread.
 */
struct arena;

/**
 * arena_new() - make an arena
 * @budget: most bytes ever handed out between two resets, each piece rounded up to 16; the heap held
 *          for it is less than twice that
 * Return: the arena, or NULL without memory.
 */
struct arena *arena_new(size_t budget);

/**
 * arena_free() - free it and everything handed out
 * @arena: the arena or NULL
 */
void arena_free(struct arena *arena);
DEFINE_CLEANUP(struct arena *, arena_free);

/**
 * arena_reset() - forget everything handed out; keeps the first block for reuse
 * @arena: the arena
 */
void arena_reset(struct arena *arena);

/**
 * arena_alloc() - hand out uninitialised memory, aligned to 16 bytes, valid until reset or free
 * @arena: the arena
 * @size:  bytes; 0 gives a valid unique pointer
 * Return: the memory, or NULL when the budget (or the machine) has no more.
 */
void *arena_alloc(struct arena *arena, size_t size);

/**
 * arena_zalloc() - the same, zeroed
 * @arena: the arena
 * @size:  bytes
 * Return: as arena_alloc().
 */
void *arena_zalloc(struct arena *arena, size_t size);

/**
 * arena_copy() - copy bytes into the arena
 * @arena: the arena
 * @src:   what to copy
 * @ret:   the copy
 * Return: 0 or -ENOMEM.
 */
int arena_copy(struct arena *arena, struct bytes src, struct bytes *ret);

/**
 * arena_used() - bytes handed out since the last reset
 * @arena: the arena
 * Return: bytes.
 */
size_t arena_used(const struct arena *arena);

/**
 * arena_left() - bytes that the budget still allows
 * @arena: the arena
 * Return: bytes; single allocations are rounded up to 16.
 */
size_t arena_left(const struct arena *arena);

/**
 * arena_allocator() - the arena as protobuf-c sees it; free is a no-op
 * @arena: the arena, which must outlive every use of the allocator
 * Return: an allocator owned by the arena.
 */
ProtobufCAllocator *arena_allocator(struct arena *arena);
