/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Results go to standard output, progress to standard error: a script gets the one without the other, and
 * a person who waits ten minutes for a verdict sees that it is coming.
 */
#include "broker/admin/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "proto/base/clock.h"

enum { EVERY_MS = 200 };
static const uint64_t NS_PER_MS = 1000000;

void progress_begin(struct progress *progress)
{
	*progress = (struct progress){
		.shown = isatty(STDERR_FILENO), .start_ns = clock_mono_ns(clock_system())};
}

double progress_seconds(const struct progress *progress)
{
	return (double)(clock_mono_ns(clock_system()) - progress->start_ns) / 1e9;
}

/* "1 h 5 min", "2 min 10 s", "12 s": nobody waits more exactly. */
static void format_left(double seconds, char *buf, size_t size)
{
	uint64_t s = seconds < 1e9 ? (uint64_t)(seconds + 0.5) : UINT64_C(1000000000);
	if (s >= 3600)
		snprintf(buf, size, "%" PRIu64 " h %" PRIu64 " min", s / 3600, s % 3600 / 60);
	else if (s >= 60)
		snprintf(buf, size, "%" PRIu64 " min %" PRIu64 " s", s / 60, s % 60);
	else
		snprintf(buf, size, "%" PRIu64 " s", s);
}

void progress_step(void *context, uint64_t done, uint64_t total)
{
	struct progress *progress = context;
	uint64_t now_ns = clock_mono_ns(clock_system());
	char left[48];
	if (!progress->stepped) {
		progress->stepped = true;
		progress->first = done;
		progress->first_ns = now_ns;
	}
	if (!progress->shown || now_ns - progress->last_ns < EVERY_MS * NS_PER_MS ||
		done <= progress->first || done > total)
		return;
	double rate = (double)(done - progress->first) * 1e9 / (double)(now_ns - progress->first_ns);
	format_left((double)(total - done) / rate, left, sizeof(left));
	progress->last_ns = now_ns;
	progress->drawn = true;
	fprintf(stderr,
		"\r  %" PRIu64 " of %" PRIu64 " entries (%u %%), %.0f a second, %s left\033[K",
		done, total, (unsigned int)(done * 100 / total), rate, left);
}

void progress_clear(struct progress *progress)
{
	if (progress->drawn)
		fprintf(stderr, "\r\033[K");
	progress->drawn = false;
}
