/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Whoever reads this on a screen must be able to believe the screen: names out of a journal are bytes
 * that somebody sent, so no control character of theirs reaches a terminal.
 */
#include "broker/admin/out.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/audit/words.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/registry/content.h"

const char *out_time(uint64_t wall_ms, char buf[OUT_TEXT_MAX])
{
	char text[25];
	if (wall_ms == 0)
		return "-";
	clock_format_utc(wall_ms, text);
	snprintf(buf, OUT_TEXT_MAX, "%.10s %.8s UTC", text, text + 11);
	return buf;
}

const char *out_age(uint64_t seconds, char buf[OUT_TEXT_MAX])
{
	if (seconds < 120)
		snprintf(buf, OUT_TEXT_MAX, "%" PRIu64 " s", seconds);
	else if (seconds < 2 * 3600)
		snprintf(buf, OUT_TEXT_MAX, "%" PRIu64 " min", seconds / 60);
	else if (seconds < 48 * 3600)
		snprintf(buf, OUT_TEXT_MAX, "%" PRIu64 " h", seconds / 3600);
	else
		snprintf(buf, OUT_TEXT_MAX, "%" PRIu64 " days", seconds / 86400);
	return buf;
}

const char *out_bytes(uint64_t bytes, char buf[OUT_TEXT_MAX])
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes / 1024;
	size_t unit = 0;
	if (bytes < 1024) {
		snprintf(buf, OUT_TEXT_MAX, "%" PRIu64 " B", bytes);
		return buf;
	}
	for (; value >= 1024 && unit + 1 < ARRAY_LEN(units); unit++)
		value /= 1024;
	snprintf(buf, OUT_TEXT_MAX, "%.1f %s", value, units[unit]);
	return buf;
}

const char *out_name(struct bytes name, char buf[OUT_TEXT_MAX])
{
	struct words words;
	words_init(&words, buf, OUT_TEXT_MAX);
	words_name(&words, name);
	return buf;
}

void out_put(json_t *object, const char *name, uint64_t value)
{
	json_object_set_new(object, name, json_integer((json_int_t)value));
}

void out_put_text(json_t *object, const char *name, const char *text)
{
	json_object_set_new(object, name, json_string(text));
}

void out_put_name(json_t *object, const char *name, struct bytes value)
{
	char buf[OUT_TEXT_MAX];
	out_put_text(object, name, out_name(value, buf));
}

void out_put_line(json_t *object, const char *name, struct bytes text)
{
	if (content_text_ok(text, OUT_TEXT_MAX))
		json_object_set_new(object, name, json_stringn((const char *)text.data, text.len));
	else
		out_put_name(object, name, text);
}

void out_put_hex(json_t *object, const char *name, struct bytes value)
{
	char hex[OUT_TEXT_MAX];
	if (value.len >= OUT_TEXT_MAX / 2)
		value.len = OUT_TEXT_MAX / 2 - 1;
	text_hex(value, hex);
	out_put_text(object, name, hex);
}

void out_put_time(json_t *object, const char *name, uint64_t wall_ms)
{
	char text[25];
	if (wall_ms == 0)
		return;
	clock_format_utc(wall_ms, text);
	out_put_text(object, name, text);
}

void out_line(json_t *object)
{
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(object);
}

void out_pruned(const struct journal_pruned *pruned)
{
	char path[OUT_TEXT_MAX];
	if (pruned->before > 0)
		printf("Its entries before %" PRIu64
		       " were pruned and are not in it; their archive was %s: keep that as well.\n",
			pruned->before, out_name(BYTES_STR(pruned->archive), path));
}
