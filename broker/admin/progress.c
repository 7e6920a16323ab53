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

void progress_step(void *context, uint64_t done, uint64_t total)
{
	struct progress *progress = context;
	uint64_t now_ns = clock_mono_ns(clock_system());
	if (!progress->shown || now_ns - progress->last_ns < EVERY_MS * NS_PER_MS)
		return;
	double seconds = progress_seconds(progress);
	progress->last_ns = now_ns;
	progress->drawn = true;
	fprintf(stderr, "\r  %" PRIu64 " of %" PRIu64 " entries (%u %%), %.0f a second\033[K", done,
		total, total ? (unsigned int)(done * 100 / total) : 100,
		seconds > 0 ? (double)done / seconds : 0);
}

void progress_clear(struct progress *progress)
{
	if (progress->drawn)
		fprintf(stderr, "\r\033[K");
	progress->drawn = false;
}
