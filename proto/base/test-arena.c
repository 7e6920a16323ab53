/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The hostile input is a real frame: one Deliver with as many empty items as fit into the largest
 * legal frame, which is what inflates most.
 */
#include "proto/base/arena.h"

#include "proto/frame.pb-c.h"
#include "test/kit/check.h"

#include <errno.h>

enum { FRAME_BYTES = 1000000 };

static void alloc_is_aligned_and_distinct(void)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(4096);
	uint8_t *last = NULL;
	for (size_t size = 0; size < 40; size++) {
		uint8_t *p = arena_alloc(arena, size);
		CHECK(p && (uintptr_t)p % 16 == 0);
		CHECK(!last || p >= last + (size > 1 ? size - 1 : 1));
		memset(p, (int)size, size);
		last = p;
	}
}

static void budget_is_exact(void)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(100 * 1000);
	size_t given = 0;
	while (arena_alloc(arena, 1000 - 8))
		given += 992;
	CHECK_INT(given, 100 * 1000 / 992 * 992);
	CHECK_INT(arena_used(arena), given);
	CHECK(arena_alloc(arena, 100 * 1000 - given + 1) == NULL);
	CHECK(arena_alloc(arena, 100 * 1000 - given) != NULL);
	CHECK_INT(arena_used(arena), 100 * 1000);
	CHECK(arena_alloc(arena, 0) == NULL);
}

static void absurd_sizes_are_refused(void)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 20);
	CHECK(arena_alloc(arena, SIZE_MAX) == NULL);
	CHECK(arena_alloc(arena, SIZE_MAX - 15) == NULL);
	CHECK(arena_alloc(arena, (1 << 20) + 1) == NULL);
	CHECK_INT(arena_used(arena), 0);
	CHECK(arena_alloc(arena, 1 << 20) != NULL); /* the whole budget in one piece */

	_cleanup_(arena_free) struct arena *none = arena_new(0);
	CHECK(arena_alloc(none, 0) == NULL);
	CHECK(arena_alloc(none, 1) == NULL);
}

static void growth_moves_nothing(void)
{
	enum { COUNT = 5000 };
	static uint32_t *numbers[COUNT];
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 20);
	for (uint32_t i = 0; i < COUNT; i++) {
		numbers[i] = arena_alloc(arena, sizeof(uint32_t) * (1 + i % 32));
		CHECK(numbers[i]);
		for (uint32_t j = 0; j <= i % 32; j++)
			numbers[i][j] = i;
	}
	for (uint32_t i = 0; i < COUNT; i++)
		for (uint32_t j = 0; j <= i % 32; j++)
			CHECK_INT(numbers[i][j], i);
}

static void reset_keeps_the_first_block(void)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 20);
	void *first = arena_alloc(arena, 100);
	for (int i = 0; i < 100; i++)
		CHECK(arena_alloc(arena, 10000));
	arena_reset(arena);
	CHECK_INT(arena_used(arena), 0);
	CHECK(arena_alloc(arena, 100) == first);
	for (int i = 0; i < 100; i++)
		CHECK(arena_alloc(arena, 10000));
}

static void zalloc_and_copy(void)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(512);
	memset(arena_alloc(arena, 256), 0xff, 256);
	arena_reset(arena);
	uint8_t *zeroed = arena_zalloc(arena, 256);
	for (int i = 0; i < 256; i++)
		CHECK_INT(zeroed[i], 0);
	struct bytes copy;
	CHECK_INT(arena_copy(arena, BYTES("abc", 3), &copy), 0);
	CHECK(bytes_equal(copy, BYTES("abc", 3)));
	CHECK_INT(arena_copy(arena, BYTES(NULL, 0), &copy), 0);
	CHECK(copy.data && copy.len == 0);
	CHECK_INT(arena_copy(arena, BYTES(zeroed, 256), &copy), -ENOMEM);
	arena_free(NULL);
}

static size_t put_varint(uint8_t *p, uint64_t value)
{
	size_t len = 0;
	for (; value > 127; value >>= 7)
		p[len++] = (uint8_t)(value | 0x80);
	p[len++] = (uint8_t)value;
	return len;
}

/* Frame.deliver is field 42, Deliver.items field 1; an empty item is two bytes. */
static size_t hostile_frame(uint8_t *frame)
{
	size_t len = put_varint(frame, 42 << 3 | 2);
	len += put_varint(frame + len, FRAME_BYTES - 6);
	size_t items = (FRAME_BYTES - len) / 2;
	len = put_varint(frame, 42 << 3 | 2);
	len += put_varint(frame + len, items * 2);
	for (size_t i = 0; i < items; i++) {
		frame[len++] = 1 << 3 | 2;
		frame[len++] = 0;
	}
	return len;
}

static void hostile_frame_meets_the_budget(void)
{
	static uint8_t frame[FRAME_BYTES + 16];
	size_t len = hostile_frame(frame);
	CHECK(len <= FRAME_BYTES && len > FRAME_BYTES - 4);

	_cleanup_(arena_free) struct arena *small = arena_new(4 << 20);
	CHECK(!dienstweg__frame__unpack(arena_allocator(small), len, frame));
	CHECK(arena_used(small) <= 4 << 20);
	/* The arena is as good as new afterwards. */
	arena_reset(small);
	CHECK(arena_alloc(small, 4 << 20));

	/* What it would have cost: the reason for the budget. */
	_cleanup_(arena_free) struct arena *large = arena_new(256 << 20);
	Dienstweg__Frame *parsed = dienstweg__frame__unpack(arena_allocator(large), len, frame);
	CHECK(parsed && parsed->body_case == DIENSTWEG__FRAME__BODY_DELIVER);
	CHECK_INT(parsed->deliver->n_items, (len - 5) / 2);
	printf("# %zu bytes unpack to %zu, %zu-fold\n", len, arena_used(large),
		arena_used(large) / len);
	CHECK(arena_used(large) > 20 * len);
	/* Free is a no-op, so this must not touch the heap. */
	dienstweg__frame__free_unpacked(parsed, arena_allocator(large));
}

/* Every budget from nothing to enough: NULL or the message, never a crash. */
static void every_budget_is_survived(void)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Hello hello = DIENSTWEG__HELLO__INIT;
	uint32_t versions[3] = {0, 1, 2};
	ProtobufCBinaryData parties[40];
	for (size_t i = 0; i < ARRAY_LEN(parties); i++)
		parties[i] = (ProtobufCBinaryData){.data = (uint8_t *)versions, .len = i % 12};
	hello.n_versions = 3;
	hello.versions = versions;
	hello.n_parties = ARRAY_LEN(parties);
	hello.parties = parties;
	frame.body_case = DIENSTWEG__FRAME__BODY_HELLO;
	frame.hello = &hello;
	uint8_t packed[1024];
	size_t len = dienstweg__frame__get_packed_size(&frame);
	CHECK(len <= sizeof(packed));
	dienstweg__frame__pack(&frame, packed);

	size_t refused = 0, budget = 0;
	for (;; budget += 16, refused++) {
		_cleanup_(arena_free) struct arena *arena = arena_new(budget);
		Dienstweg__Frame *parsed = dienstweg__frame__unpack(
			arena_allocator(arena), len, packed);
		if (!parsed)
			continue;
		CHECK_INT(parsed->hello->n_parties, ARRAY_LEN(parties));
		CHECK_INT(parsed->hello->parties[39].len, 39 % 12);
		break;
	}
	CHECK(refused > 40 && budget < 8192);
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ASAN_BUILD 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define ASAN_BUILD 1
#endif

#ifdef ASAN_BUILD
#include <sanitizer/asan_interface.h>
static void what_is_not_handed_out_is_poisoned(void)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(4096);
	uint8_t *p = arena_alloc(arena, 24);
	CHECK(!__asan_address_is_poisoned(p + 23));
	CHECK(__asan_address_is_poisoned(p + 24));
	CHECK(__asan_address_is_poisoned(p + 32));
	arena_reset(arena);
	CHECK(__asan_address_is_poisoned(p));
}
#else
static void what_is_not_handed_out_is_poisoned(void)
{
	printf("# poisoning is for AddressSanitizer builds\n");
}
#endif

CHECK_MAIN(CHECK_CASE(alloc_is_aligned_and_distinct), CHECK_CASE(budget_is_exact),
	CHECK_CASE(absurd_sizes_are_refused), CHECK_CASE(growth_moves_nothing),
	CHECK_CASE(reset_keeps_the_first_block), CHECK_CASE(zalloc_and_copy),
	CHECK_CASE(hostile_frame_meets_the_budget), CHECK_CASE(every_budget_is_survived),
	CHECK_CASE(what_is_not_handed_out_is_poisoned))
