/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Blocks double, so a large frame costs a handful of mallocs and a small one none: the first block
 * stays. The budget is on what is handed out, rounded up to the alignment. What a full block leaves
 * unused at its end is smaller than the allocation that did not fit, so the heap held is always below
 * twice the budget.
 *
 * Under AddressSanitizer what is not handed out is poisoned, because to it a whole block would
 * otherwise look like one healthy allocation.
 */
#include "proto/base/arena.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISONS 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISONS 1
#endif

#ifdef ARENA_POISONS
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

enum {
	ARENA_ALIGN = 16,
	ARENA_FIRST_BYTES = 16 * 1024, /* a frame with a few small envelopes */
};

struct arena_block {
	struct arena_block *older;
	size_t size;
	size_t used;
	_Alignas(ARENA_ALIGN) uint8_t data[];
};

struct arena {
	struct arena_block *block; /* the newest; the oldest is the one that stays */
	size_t budget;
	size_t used;
	ProtobufCAllocator allocator;
};

static void *arena_pb_alloc(void *data, size_t size)
{
	return arena_alloc(data, size);
}

static void arena_pb_free(void *data, void *pointer)
{
	(void)data, (void)pointer;
}

static struct arena_block *arena_block_new(size_t size, struct arena_block *older)
{
	struct arena_block *block = malloc(sizeof(*block) + size);
	if (!block)
		return NULL;
	block->older = older;
	block->size = size;
	block->used = 0;
	ASAN_POISON_MEMORY_REGION(block->data, size);
	return block;
}

static void arena_block_free(struct arena_block *block)
{
	ASAN_UNPOISON_MEMORY_REGION(block->data, block->size);
	free(block);
}

struct arena *arena_new(size_t budget)
{
	struct arena *arena = malloc(sizeof(*arena));
	if (!arena)
		return NULL;
	size_t first = budget < ARENA_FIRST_BYTES ? budget : ARENA_FIRST_BYTES;
	*arena = (struct arena){
		.block = arena_block_new(first, NULL),
		.budget = budget,
		.allocator = {.alloc = arena_pb_alloc, .free = arena_pb_free, .allocator_data = arena},
	};
	if (!arena->block) {
		free(arena);
		return NULL;
	}
	return arena;
}

void arena_reset(struct arena *arena)
{
	while (arena->block->older) {
		struct arena_block *older = arena->block->older;
		arena_block_free(arena->block);
		arena->block = older;
	}
	arena->block->used = 0;
	ASAN_POISON_MEMORY_REGION(arena->block->data, arena->block->size);
	arena->used = 0;
}

void arena_free(struct arena *arena)
{
	if (!arena)
		return;
	arena_reset(arena);
	arena_block_free(arena->block);
	free(arena);
}

/* Twice the last block, but no more than may still be handed out and no less than is asked for. */
static bool arena_grow(struct arena *arena, size_t need)
{
	size_t left = arena->budget - arena->used;
	size_t size = arena->block->size > left / 2 ? left : arena->block->size * 2;
	if (size < need)
		size = need;
	struct arena_block *block = arena_block_new(size, arena->block);
	if (!block)
		return false;
	arena->block = block;
	return true;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	if (size > SIZE_MAX - ARENA_ALIGN)
		return NULL;
	size_t need = size ? (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1) : ARENA_ALIGN;
	if (need > arena->budget - arena->used)
		return NULL;
	if (need > arena->block->size - arena->block->used && !arena_grow(arena, need))
		return NULL;
	uint8_t *p = arena->block->data + arena->block->used;
	arena->block->used += need;
	arena->used += need;
	ASAN_UNPOISON_MEMORY_REGION(p, size);
	return p;
}

void *arena_zalloc(struct arena *arena, size_t size)
{
	void *p = arena_alloc(arena, size);
	return p ? memset(p, 0, size) : NULL;
}

int arena_copy(struct arena *arena, struct bytes src, struct bytes *ret)
{
	uint8_t *p = arena_alloc(arena, src.len);
	if (!p)
		return -ENOMEM;
	if (src.len > 0)
		memcpy(p, src.data, src.len);
	*ret = BYTES(p, src.len);
	return 0;
}

size_t arena_used(const struct arena *arena)
{
	return arena->used;
}

size_t arena_left(const struct arena *arena)
{
	return arena->budget - arena->used;
}

ProtobufCAllocator *arena_allocator(struct arena *arena)
{
	return &arena->allocator;
}
