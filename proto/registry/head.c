/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The text is signed, so it must have one form only: parsing reads the fields, writes them again and
 * compares. Whatever slips through a lenient field reader (a leading zero, a lower-case 't', other
 * base64) differs then.
 */
#include "proto/registry/head.h"

#include <stdio.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"

#define HEAD_MAGIC "dienstweg/v1/registry"
enum { HEAD_LINES = 7, TIME_SIZE = sizeof("2026-11-21T13:05:07Z") };

static void time_format(uint64_t ms, char buf[TIME_SIZE])
{
	char full[25];
	clock_format_utc(ms, full);
	memcpy(buf, full, TIME_SIZE - 2);
	buf[TIME_SIZE - 2] = 'Z';
	buf[TIME_SIZE - 1] = 0;
}

static bool time_parse(struct bytes text, uint64_t *ret)
{
	char copy[TIME_SIZE] = "";
	if (text.len != TIME_SIZE - 1)
		return false;
	memcpy(copy, text.data, text.len);
	return clock_parse_utc(copy, ret) == 0;
}

size_t registry_head_format(const struct registry_head *head, char buf[REGISTRY_HEAD_SIZE])
{
	char previous[TEXT_BASE64_SIZE(HASH_SIZE)] = "-", content[TEXT_BASE64_SIZE(HASH_SIZE)];
	char issued[TIME_SIZE], stale[TIME_SIZE];
	if (!head->first)
		text_base64(BYTES(head->previous, HASH_SIZE), previous);
	text_base64(BYTES(head->content, HASH_SIZE), content);
	time_format(head->issued_ms, issued);
	time_format(head->stale_after_ms, stale);
	int n = snprintf(buf, REGISTRY_HEAD_SIZE, HEAD_MAGIC "\n%s\n%llu\n%s\n%s\n%s\n%s\n",
		head->bus, (unsigned long long)head->version, previous, issued, stale, content);
	return (size_t)n;
}

/* Splits into exactly HEAD_LINES lines, each ended by a newline. */
static bool split(struct bytes text, struct bytes lines[HEAD_LINES])
{
	for (size_t i = 0; i < HEAD_LINES; i++) {
		const uint8_t *end = text.len ? memchr(text.data, '\n', text.len) : NULL;
		if (!end)
			return false;
		lines[i] = BYTES(text.data, end - text.data);
		text = BYTES(end + 1, text.len - lines[i].len - 1);
	}
	return text.len == 0;
}

static bool digest_parse(struct bytes text, uint8_t ret[HASH_SIZE])
{
	size_t len = 0;
	return text_unbase64(text, ret, HASH_SIZE, &len) == 0 && len == HASH_SIZE;
}

static bool fields_parse(const struct bytes lines[HEAD_LINES], struct registry_head *ret)
{
	if (!text_is_name(lines[1]))
		return false;
	memcpy(ret->bus, lines[1].data, lines[1].len);
	ret->first = bytes_equal(lines[3], BYTES_STR("-"));
	return text_parse_u64(lines[2], &ret->version) == 0 &&
	       (ret->first || digest_parse(lines[3], ret->previous)) &&
	       time_parse(lines[4], &ret->issued_ms) &&
	       time_parse(lines[5], &ret->stale_after_ms) && digest_parse(lines[6], ret->content);
}

int registry_head_parse(struct bytes text, struct registry_head *ret)
{
	struct bytes lines[HEAD_LINES];
	struct registry_head head = {0};
	char again[REGISTRY_HEAD_SIZE];
	if (text.len >= REGISTRY_HEAD_SIZE || !split(text, lines) || !fields_parse(lines, &head))
		return REGISTRY_HEAD_MALFORMED;
	if (head.version == 0 || head.stale_after_ms <= head.issued_ms)
		return REGISTRY_HEAD_MALFORMED;
	size_t len = registry_head_format(&head, again);
	if (!bytes_equal(text, BYTES(again, len)))
		return REGISTRY_HEAD_MALFORMED;
	*ret = head;
	return 0;
}
