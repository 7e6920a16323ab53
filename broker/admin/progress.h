/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* How far long work is: a line on standard error that rewrites itself, when that is a terminal. */
struct progress {
	bool shown; /* standard error is a terminal */
	bool drawn; /* there is a line to clear */
	uint64_t start_ns, last_ns;
	bool stepped;
	uint64_t first, first_ns; /* of the first step: it may not have begun at 0 */
};

/* The clock starts. */
void progress_begin(struct progress *progress);

/**
 * progress_step() - audit_report.progress for a context whose first member is a struct progress
 * @context: begins with a struct progress
 * @done:    entries
 * @total:   entries
 */
void progress_step(void *context, uint64_t done, uint64_t total);

/* Clear the line, before anything else is printed. */
void progress_clear(struct progress *progress);

/* Seconds since the beginning. */
double progress_seconds(const struct progress *progress);
