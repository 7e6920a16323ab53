/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Dates are computed here rather than by the C library: gmtime_r() takes the time-zone lock, and every
 * log line of every thread passes here. A fake clock is read by the threads under test while its
 * owner steps it, hence the atomic loads and stores.
 */
#include "proto/base/clock.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

enum { MS_PER_DAY = 86400000 };

static uint64_t clock_read(clockid_t id, uint64_t per_second)
{
	struct timespec now;
	clock_gettime(id, &now); /* cannot fail for these two clocks */
	uint64_t ns_per_unit = UINT64_C(1000000000) / per_second;
	return (uint64_t)now.tv_sec * per_second + (uint64_t)now.tv_nsec / ns_per_unit;
}

static uint64_t system_wall_ms(const struct clock *clock)
{
	(void)clock;
	return clock_read(CLOCK_REALTIME, 1000);
}

static uint64_t system_mono_ns(const struct clock *clock)
{
	(void)clock;
	return clock_read(CLOCK_MONOTONIC, 1000000000);
}

const struct clock *clock_system(void)
{
	static const struct clock system = {.wall_ms = system_wall_ms, .mono_ns = system_mono_ns};
	return &system;
}

static uint64_t fake_wall_ms(const struct clock *clock)
{
	return __atomic_load_n(&clock->fake_wall_ms, __ATOMIC_ACQUIRE);
}

static uint64_t fake_mono_ns(const struct clock *clock)
{
	return __atomic_load_n(&clock->fake_mono_ns, __ATOMIC_ACQUIRE);
}

void clock_fake_init(struct clock *clock, uint64_t wall_ms)
{
	*clock = (struct clock){
		.wall_ms = fake_wall_ms,
		.mono_ns = fake_mono_ns,
		.fake_wall_ms = wall_ms,
		.fake_mono_ns = 1000000000,
	};
}

void clock_fake_advance(struct clock *clock, uint64_t ms)
{
	__atomic_add_fetch(&clock->fake_wall_ms, ms, __ATOMIC_RELEASE);
	__atomic_add_fetch(&clock->fake_mono_ns, ms * 1000000, __ATOMIC_RELEASE);
}

static bool year_is_leap(uint32_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static uint32_t month_days(uint32_t year, uint32_t month)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	return days[month - 1] + (month == 2 && year_is_leap(year));
}

/* Days from 1970-01-01 to 1 January of @year: 365 a year and the leap days since. */
static uint32_t year_start(uint32_t year)
{
	uint32_t y = year - 1;
	enum { LEAP_DAYS_UNTIL_1969 = 1969 / 4 - 1969 / 100 + 1969 / 400 };
	return (year - 1970) * 365 + y / 4 - y / 100 + y / 400 - LEAP_DAYS_UNTIL_1969;
}

static void put_digits(char *buf, uint32_t value, int width)
{
	for (int i = width - 1; i >= 0; i--, value /= 10)
		buf[i] = (char)('0' + value % 10);
}

void clock_format_utc(uint64_t wall_ms, char buf[25])
{
	const uint64_t last_ms = (uint64_t)year_start(10000) * MS_PER_DAY - 1;
	if (wall_ms > last_ms)
		wall_ms = last_ms;
	uint32_t day = clock_day(wall_ms);
	uint32_t year = 1970 + day / 366; /* never too late, at most a few years early */
	while (year_start(year + 1) <= day)
		year++;
	day -= year_start(year);
	uint32_t month = 1;
	while (day >= month_days(year, month))
		day -= month_days(year, month++);
	uint32_t ms = (uint32_t)(wall_ms % MS_PER_DAY);

	memcpy(buf, "0000-00-00T00:00:00.000Z", 25);
	put_digits(buf, year, 4);
	put_digits(buf + 5, month, 2);
	put_digits(buf + 8, day + 1, 2);
	put_digits(buf + 11, ms / 3600000, 2);
	put_digits(buf + 14, ms / 60000 % 60, 2);
	put_digits(buf + 17, ms / 1000 % 60, 2);
	put_digits(buf + 20, ms % 1000, 3);
}

static bool take_digits(const char *text, int width, uint32_t *ret)
{
	uint32_t value = 0;
	for (int i = 0; i < width; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (uint32_t)(text[i] - '0');
	}
	*ret = value;
	return true;
}

int clock_parse_date(const char *text, uint64_t *ret)
{
	uint32_t year, month, day;
	if (strnlen(text, 11) != 10 || text[4] != '-' || text[7] != '-')
		return 1;
	if (!take_digits(text, 4, &year) || !take_digits(text + 5, 2, &month) ||
		!take_digits(text + 8, 2, &day))
		return 1;
	if (year < 1970 || month < 1 || month > 12 || day < 1 || day > month_days(year, month))
		return 1;
	uint32_t days = year_start(year) + day - 1;
	for (uint32_t m = 1; m < month; m++)
		days += month_days(year, m);
	*ret = (uint64_t)days * MS_PER_DAY;
	return 0;
}

int clock_parse_utc(const char *text, uint64_t *ret)
{
	char date[11] = "";
	uint32_t hour, minute, second;
	uint64_t day;
	if (strnlen(text, 21) != 20 || text[10] != 'T' || text[13] != ':' || text[16] != ':' ||
		text[19] != 'Z')
		return 1;
	memcpy(date, text, 10);
	if (clock_parse_date(date, &day) || !take_digits(text + 11, 2, &hour) ||
		!take_digits(text + 14, 2, &minute) || !take_digits(text + 17, 2, &second) ||
		hour > 23 || minute > 59 || second > 59)
		return 1;
	*ret = day + ((hour * 60 + minute) * 60 + second) * UINT64_C(1000);
	return 0;
}
