/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Each limit is told once, and again when it matters; what a broker makes up cannot grow anything.
 */
#include "adapters/sdk/notices.h"

#include <stdio.h>
#include <string.h>

#include "proto/base/log.h"
#include "test/kit/check.h"

static const uint64_t HOUR = 3600 * UINT64_C(1000000000);

static size_t take(struct notices *notices, const char *code, const char *name, uint32_t percent,
	uint64_t now_ns)
{
	Dienstweg__Answer answer = DIENSTWEG__ANSWER__INIT;
	Dienstweg__Notice notice = DIENSTWEG__NOTICE__INIT, *all = &notice;
	notice.code = (ProtobufCBinaryData){strlen(code), (uint8_t *)(uintptr_t)code};
	notice.name = (ProtobufCBinaryData){strlen(name), (uint8_t *)(uintptr_t)name};
	notice.percent = percent;
	answer.n_notices = 1;
	answer.notices = &all;
	return notices_take(notices, &answer, now_ns);
}

static void old_news_is_not_told(void)
{
	struct notices notices = {0};
	CHECK_INT(take(&notices, "queue", "archive", 80, HOUR), 1);
	CHECK_INT(take(&notices, "queue", "archive", 81, HOUR + 1), 0);
	CHECK_INT(take(&notices, "quota", "archive", 81, HOUR + 1), 1);
	CHECK_INT(take(&notices, "queue", "archive", 96, HOUR + 2), 1); /* worse */
	CHECK_INT(take(&notices, "queue", "archive", 100, HOUR + 3), 0);
	CHECK_INT(take(&notices, "queue", "archive", 90, 2 * HOUR + 2), 1); /* an hour later */
	CHECK_INT(notices.count, 2);
}

static void status_lists_what_came_within_the_hour(void)
{
	struct notices notices = {0};
	char text[NOTICES_JSON_MAX];
	notices_json(&notices, HOUR, text, sizeof(text));
	CHECK_STR(text, "[]");
	CHECK_INT(take(&notices, "queue", "archive", 80, HOUR), 1);
	CHECK_INT(take(&notices, "queue", "archive", 85, HOUR + HOUR / 2), 0);
	CHECK_INT(take(&notices, "quota", "a-2021", 90, HOUR), 1);
	notices_json(&notices, HOUR + HOUR / 2, text, sizeof(text));
	CHECK_STR(text, "[{\"limit\":\"queue\",\"name\":\"archive\",\"percent\":85},"
			"{\"limit\":\"quota\",\"name\":\"a-2021\",\"percent\":90}]");
	notices_json(&notices, 2 * HOUR + 1, text, sizeof(text));
	CHECK_STR(text, "[{\"limit\":\"queue\",\"name\":\"archive\",\"percent\":85}]");
	notices_json(&notices, 3 * HOUR, text, sizeof(text));
	CHECK_STR(text, "[]");
}

/* As many as there may be, with names as long as names get. */
static void the_longest_list_fits(void)
{
	struct notices notices = {0};
	char name[64], text[NOTICES_JSON_MAX];
	memset(name, 'a', sizeof(name));
	name[62] = '\0';
	for (int i = 0; i < NOTICES_MAX; i++) {
		name[0] = (char)('a' + i);
		CHECK_INT(take(&notices, name, name, 100, HOUR), 1);
	}
	notices_json(&notices, HOUR, text, sizeof(text));
	CHECK(strlen(text) > (size_t)NOTICES_MAX * 2 * 62);
}

static void what_is_no_name_is_passed_over(void)
{
	struct notices notices = {0};
	char longer[100];
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	CHECK_INT(take(&notices, "queue", "", 80, HOUR), 0);
	CHECK_INT(take(&notices, "queue", "new\nline", 80, HOUR), 0);
	CHECK_INT(take(&notices, "queue", longer, 80, HOUR), 0);
	CHECK_INT(take(&notices, longer, "archive", 80, HOUR), 0);
	CHECK_INT(notices.count, 0);
}

static void many_are_bounded(void)
{
	struct notices notices = {0};
	char name[16];
	for (int i = 0; i < 3 * NOTICES_MAX; i++) {
		snprintf(name, sizeof(name), "party%d", i);
		CHECK_INT(take(&notices, "queue", name, 80, HOUR + (uint64_t)i), 1);
	}
	CHECK_INT(notices.count, NOTICES_MAX);
	CHECK_INT(take(&notices, "queue", name, 80, 2 * HOUR - 1), 0);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {CHECK_CASE(old_news_is_not_told),
		CHECK_CASE(status_lists_what_came_within_the_hour),
		CHECK_CASE(the_longest_list_fits), CHECK_CASE(what_is_no_name_is_passed_over),
		CHECK_CASE(many_are_bounded)};
	log_init("test-notices", LOG_ERROR, 2);
	return check_run(argc, argv, cases, sizeof(cases) / sizeof(cases[0]));
}
