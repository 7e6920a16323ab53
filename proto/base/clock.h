/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdint.h>

/*
 * Time comes through this, so that tests can step it. Wall time is milliseconds since 1970 UTC (what
 * headers and batches carry); monotonic time is nanoseconds (what leases and latencies use).
 * A clock is read from any thread; a fake one is set by its owner only.
 */
struct clock {
	uint64_t (*wall_ms)(const struct clock *clock);
	uint64_t (*mono_ns)(const struct clock *clock);
	uint64_t fake_wall_ms; /* used by clock_fake() only */
	uint64_t fake_mono_ns;
};

/**
 * clock_system() - the machine's clocks
 * Return: a constant clock, never freed.
 */
const struct clock *clock_system(void);

/**
 * clock_fake_init() - a clock that stands still until told
 * @clock:   to set up
 * @wall_ms: its wall time; monotonic time starts at 1 s
 */
void clock_fake_init(struct clock *clock, uint64_t wall_ms);

/**
 * clock_fake_advance() - move both times forward
 * @clock: a fake clock
 * @ms:    by how much
 */
void clock_fake_advance(struct clock *clock, uint64_t ms);

/**
 * clock_wall_ms() - wall time; may jump either way
 * @clock: the clock
 * Return: milliseconds since 1970 UTC.
 */
static inline uint64_t clock_wall_ms(const struct clock *clock)
{
	return clock->wall_ms(clock);
}

/**
 * clock_mono_ns() - time that only grows, from an unknown beginning
 * @clock: the clock
 * Return: nanoseconds.
 */
static inline uint64_t clock_mono_ns(const struct clock *clock)
{
	return clock->mono_ns(clock);
}

/**
 * clock_format_utc() - "2026-11-21T13:05:07.123Z"
 * @wall_ms: time; from the year 10000 on, the last millisecond before it is printed
 * @buf:     at least 25 bytes
 */
void clock_format_utc(uint64_t wall_ms, char buf[25]);

/**
 * clock_day() - days since 1970-01-01 UTC
 * @wall_ms: time
 * Return: the day number.
 */
static inline uint32_t clock_day(uint64_t wall_ms)
{
	return (uint32_t)(wall_ms / 86400000u);
}

/**
 * clock_parse_date() - "2021-07-01" to ms at 00:00 UTC
 * @text:  exactly ten characters and NUL, from 1970 on
 * @ret:   the time
 * Return: 0, or 1 when it is no calendar date.
 */
int clock_parse_date(const char *text, uint64_t *ret);

/**
 * clock_parse_utc() - "2026-11-21T13:05:07Z" to ms
 * @text: exactly twenty characters and NUL
 * @ret:  the time
 * Return: 0, or 1 when it is no such time.
 */
int clock_parse_utc(const char *text, uint64_t *ret);
