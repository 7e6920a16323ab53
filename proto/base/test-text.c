/* SPDX-License-Identifier: EUPL-1.2 */

/* Known answers (RFC 4648 section 10), every length, and every single wrong byte. */
#include "proto/base/text.h"

#include "test/kit/check.h"

static void hex_both_ways(void)
{
	char text[513];
	uint8_t all[256], back[256];
	for (int i = 0; i < 256; i++)
		all[i] = (uint8_t)i;
	text_hex(BYTES(all, 256), text);
	CHECK_INT(strlen(text), 512);
	CHECK(strncmp(text, "000102", 6) == 0 && strcmp(text + 506, "fdfeff") == 0);
	CHECK_INT(text_unhex(text, back, 256), 0);
	CHECK_MEM(back, all, 256);
	CHECK_INT(text_unhex("DEADbeef", back, 4), 0);
	CHECK_MEM(back, "\xde\xad\xbe\xef", 4);
	text_hex(BYTES(NULL, 0), text);
	CHECK_STR(text, "");
	CHECK_INT(text_unhex("", back, 0), 0);
}

static void hex_is_exact(void)
{
	uint8_t buf[4];
	CHECK_INT(text_unhex("deadbee", buf, 4), 1);
	CHECK_INT(text_unhex("deadbeef0", buf, 4), 1);
	CHECK_INT(text_unhex("deadbeef00", buf, 4), 1);
	CHECK_INT(text_unhex("", buf, 4), 1);
	CHECK_INT(text_unhex("0", buf, 0), 1);
	for (int c = 1; c < 256; c++) {
		char text[9] = "00000000";
		text[c % 8] = (char)c;
		bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
			     (c >= 'A' && c <= 'F');
		CHECK_INT(text_unhex(text, buf, 4), digit ? 0 : 1);
	}
}

static void base64_known_answers(void)
{
	static const char *const pairs[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="},
		{"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"}, {"\xfb\xff\xbf", "+/+/"}};
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		char text[16];
		uint8_t back[8];
		size_t len = 99;
		text_base64(BYTES_STR(pairs[i][0]), text);
		CHECK_STR(text, pairs[i][1]);
		CHECK_INT(text_unbase64(BYTES_STR(text), back, sizeof(back), &len), 0);
		CHECK(bytes_equal(BYTES(back, len), BYTES_STR(pairs[i][0])));
	}
}

static void base64_every_length(void)
{
	uint8_t data[256], back[256];
	char text[TEXT_BASE64_SIZE(256)];
	for (size_t len = 0; len <= 256; len++) {
		for (size_t i = 0; i < len; i++)
			data[i] = (uint8_t)(i * 37 + len * 11);
		text_base64(BYTES(data, len), text);
		CHECK_INT(strlen(text) + 1, TEXT_BASE64_SIZE(len));
		size_t got = 0;
		CHECK_INT(text_unbase64(BYTES_STR(text), back, len, &got), 0);
		CHECK_INT(got, len);
		CHECK_MEM(back, data, len);
		if (len > 0)
			CHECK_INT(text_unbase64(BYTES_STR(text), back, len - 1, &got), 1);
	}
}

static void base64_is_strict(void)
{
	static const char *const wrong[] = {"Z", "Zg", "Zg=", "Zm9vYg", "====", "=m9v",
		"Z===", "Zg==Zg==", "Zm8=Zm9v", "Zm9v\n", "Zm9vZm9v ", " Zm9", "Zm-_",
		"Zh==", "Zm9=", "Zm9vZm9vZ=g=", "Zm9vZm9vZ==="};
	uint8_t buf[32];
	size_t len = 7;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (text_unbase64(BYTES_STR(wrong[i]), buf, sizeof(buf), &len) != 1)
			CHECK_FAIL("taken as base64: \"%s\"", wrong[i]);
	CHECK_INT(text_unbase64(BYTES("Zm9\0", 4), buf, sizeof(buf), &len), 1);
	CHECK_INT(len, 7);
	/* Exactly one text for each single byte. */
	int taken = 0;
	for (int a = 0; a < 256; a++)
		for (int b = 0; b < 256; b++) {
			char text[4] = {(char)a, (char)b, '=', '='};
			taken += text_unbase64(BYTES(text, 4), buf, sizeof(buf), &len) == 0;
		}
	CHECK_INT(taken, 256);
}

static void numbers(void)
{
	static const char *const wrong[] = {"", "00", "01", "+1", "-1", " 1", "1 ", "1\n", "0x1",
		"1e3", "18446744073709551616", "18446744073709551620", "99999999999999999999",
		"1,000", "/", ":"};
	uint64_t value = 7;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (text_parse_u64(BYTES_STR(wrong[i]), &value) != 1)
			CHECK_FAIL("taken as a number: \"%s\"", wrong[i]);
	CHECK_INT(text_parse_u64(BYTES("1\0", 2), &value), 1);
	CHECK_INT(value, 7);
	CHECK_INT(text_parse_u64(BYTES_STR("0"), &value), 0);
	CHECK_INT(value, 0);
	CHECK_INT(text_parse_u64(BYTES_STR("18446744073709551615"), &value), 0);
	CHECK(value == UINT64_MAX);
	CHECK_INT(text_parse_u64(BYTES("1234", 3), &value), 0); /* views need no NUL */
	CHECK_INT(value, 123);
}

static void names(void)
{
	static const char *const good[] = {"a", "0", "city.wuppertal", "a-b", "a..b",
		"uvg.application",
		"123456789012345678901234567890123456789012345678901234567890123"};
	static const char *const bad[] = {"", ".", "-", ".a", "a.", "-a", "a-", "A", "a_b", "a b",
		"a/b", "\xc3\xa4",
		"1234567890123456789012345678901234567890123456789012345678901234"};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!text_is_name(BYTES_STR(good[i])))
			CHECK_FAIL("not taken as a name: \"%s\"", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (text_is_name(BYTES_STR(bad[i])))
			CHECK_FAIL("taken as a name: \"%s\"", bad[i]);
	CHECK(!text_is_name(BYTES("a\0b", 3)));
	CHECK(!text_is_name(BYTES(NULL, 0)));
}

CHECK_MAIN(CHECK_CASE(hex_both_ways), CHECK_CASE(hex_is_exact), CHECK_CASE(base64_known_answers),
	CHECK_CASE(base64_every_length), CHECK_CASE(base64_is_strict), CHECK_CASE(numbers),
	CHECK_CASE(names))
