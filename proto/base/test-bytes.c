/* SPDX-License-Identifier: EUPL-1.2 */

/* Keys sort as numbers only if comparing and storing agree; that is what is checked. */
#include "proto/base/bytes.h"

#include "test/kit/check.h"

static int sign(int value)
{
	return (value > 0) - (value < 0);
}

static void equal_and_compare(void)
{
	CHECK(bytes_equal(BYTES(NULL, 0), BYTES("", 0)));
	CHECK(bytes_equal(BYTES("a\0b", 3), BYTES("a\0b", 3)));
	CHECK(!bytes_equal(BYTES("a\0b", 3), BYTES("a\0c", 3)));
	CHECK(!bytes_equal(BYTES("ab", 2), BYTES("ab", 1)));
	CHECK_INT(bytes_compare(BYTES(NULL, 0), BYTES("", 0)), 0);
	CHECK_INT(sign(bytes_compare(BYTES("ab", 2), BYTES("abc", 3))), -1);
	CHECK_INT(sign(bytes_compare(BYTES("b", 1), BYTES("abc", 3))), 1);
	CHECK_INT(sign(bytes_compare(BYTES("\x80", 1), BYTES("\x7f", 1))), 1); /* unsigned */
	CHECK(bytes_equal(BYTES_STR("xy"), BYTES("xy", 2)));
}

static void stores_are_big_endian(void)
{
	uint8_t b[8];
	be16_put(b, 0x0102);
	CHECK_MEM(b, "\1\2", 2);
	CHECK_INT(be16_get(b), 0x0102);
	be32_put(b, 0xfffefdfc);
	CHECK_MEM(b, "\xff\xfe\xfd\xfc", 4);
	CHECK(be32_get(b) == 0xfffefdfc);
	be64_put(b, 0xf102030405060708);
	CHECK_MEM(b, "\xf1\2\3\4\5\6\7\10", 8);
	CHECK(be64_get(b) == 0xf102030405060708);
}

static void stored_numbers_sort_as_numbers(void)
{
	static const uint64_t numbers[] = {0, 1, 255, 256, 65535, 65536, UINT32_MAX,
		(uint64_t)UINT32_MAX + 1, INT64_MAX, UINT64_MAX};
	uint8_t low[8], high[8];
	for (size_t i = 1; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		be64_put(low, numbers[i - 1]);
		be64_put(high, numbers[i]);
		CHECK_INT(sign(bytes_compare(BYTES(low, 8), BYTES(high, 8))), -1);
	}
}

static void hashes_are_fnv_1a(void)
{
	CHECK_INT(bytes_hash(BYTES(NULL, 0)), 0x811c9dc5);
	CHECK_INT(bytes_hash(BYTES_STR("a")), 0xe40c292c);
	CHECK_INT(bytes_hash(BYTES_STR("foobar")), 0xbf9cf968);
}

CHECK_MAIN(CHECK_CASE(hashes_are_fnv_1a), CHECK_CASE(equal_and_compare),
	CHECK_CASE(stores_are_big_endian), CHECK_CASE(stored_numbers_sort_as_numbers))
