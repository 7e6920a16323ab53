/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Raw samples of one run, in memory shared between producer and consumer processes, so that medians and
 * percentiles are of all messages and the raw numbers can be kept.
 */
enum { SAMPLES_MAX = 4 << 20 };

struct samples {
	_Atomic uint64_t count; /* taken; those beyond SAMPLES_MAX are counted, not kept */
	uint32_t us[SAMPLES_MAX];
};

struct samples *samples_new(void);          /* shared, zeroed; fails the program without memory */
void samples_free(struct samples *samples); /* takes NULL */
void samples_add(struct samples *samples, uint64_t ns); /* one more; kept in microseconds */
void samples_clear(struct samples *samples);            /* forget all */

/* Sorts; the value below which @share (0..1) of the samples lie, in microseconds; 0 without samples. */
uint32_t samples_percentile(struct samples *samples, double share);

/* The median of @count > 0 rounds' values, which it sorts. */
double samples_median(double *values, size_t count);
