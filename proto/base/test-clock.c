/* SPDX-License-Identifier: EUPL-1.2 */

/* Our calendar against the C library's, day by day over four centuries and at the edges. */
#include "proto/base/clock.h"

#include "test/kit/check.h"

#include <time.h>

static void system_clock_runs(void)
{
	const struct clock *clock = clock_system();
	uint64_t before = clock_mono_ns(clock), now = (uint64_t)time(NULL);
	uint64_t wall = clock_wall_ms(clock) / 1000;
	CHECK(wall >= now && wall <= now + 2);
	while (clock_mono_ns(clock) == before)
		;
	CHECK(clock_mono_ns(clock) > before);
}

static void fake_clock_stands_still(void)
{
	struct clock clock;
	clock_fake_init(&clock, 1625097600000);
	CHECK_INT(clock_wall_ms(&clock), 1625097600000);
	CHECK_INT(clock_mono_ns(&clock), 1000000000);
	clock_fake_advance(&clock, 1500);
	CHECK_INT(clock_wall_ms(&clock), 1625097601500);
	CHECK_INT(clock_mono_ns(&clock), 2500000000);
}

static void formats_as_the_c_library(void)
{
	char ours[25], theirs[32];
	for (uint64_t day = 0; day < 150000; day++) {
		uint64_t ms = day * 86400000 + (day * 7919 * 1013) % 86400000;
		time_t seconds = (time_t)(ms / 1000);
		struct tm tm;
		gmtime_r(&seconds, &tm);
		size_t len = strftime(theirs, sizeof(theirs), "%Y-%m-%dT%H:%M:%S", &tm);
		snprintf(theirs + len, sizeof(theirs) - len, ".%03uZ", (unsigned)(ms % 1000));
		clock_format_utc(ms, ours);
		CHECK_STR(ours, theirs);
		theirs[10] = '\0';
		uint64_t parsed = 0;
		CHECK_INT(clock_parse_date(theirs, &parsed), 0);
		CHECK_INT(parsed, day * 86400000);
		CHECK_INT(clock_day(ms), day);
	}
}

static void formats_the_edges(void)
{
	char text[25];
	clock_format_utc(0, text);
	CHECK_STR(text, "1970-01-01T00:00:00.000Z");
	clock_format_utc(253402300799999, text);
	CHECK_STR(text, "9999-12-31T23:59:59.999Z");
	clock_format_utc(253402300800000, text); /* more than four digits: the last that fits */
	CHECK_STR(text, "9999-12-31T23:59:59.999Z");
	clock_format_utc(UINT64_MAX, text);
	CHECK_STR(text, "9999-12-31T23:59:59.999Z");
}

static void refuses_what_is_no_date(void)
{
	static const char *const wrong[] = {"", "2021", "2021-07-0", "2021-07-011", "2021-7-01x",
		"2021/07/01", "2021-00-01", "2021-13-01", "2021-01-00", "2021-01-32", "2021-04-31",
		"2021-02-29", "2100-02-29", "1900-02-29", "1969-12-31", "0000-01-01", "+021-01-01",
		"2021-+1-01", "2021-01- 1", "2021-01-01T00:00"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		uint64_t untouched = 7;
		if (clock_parse_date(wrong[i], &untouched) != 1)
			CHECK_FAIL("taken as a date: \"%s\"", wrong[i]);
		CHECK_INT(untouched, 7);
	}
	uint64_t ms;
	CHECK_INT(clock_parse_date("2000-02-29", &ms), 0);
	CHECK_INT(ms, 951782400000);
	CHECK_INT(clock_parse_date("2021-07-01", &ms), 0);
	CHECK_INT(ms, 1625097600000);
	CHECK_INT(clock_parse_date("9999-12-31", &ms), 0);
}

CHECK_MAIN(CHECK_CASE(system_clock_runs), CHECK_CASE(fake_clock_stands_still),
	CHECK_CASE(formats_as_the_c_library), CHECK_CASE(formats_the_edges),
	CHECK_CASE(refuses_what_is_no_date))
