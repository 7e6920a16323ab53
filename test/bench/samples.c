/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Histograms hide what matters at p99 of a commit-bound system (two commits or three?), so every sample is
 * kept: four million take 16 MiB.
 */
#include "test/bench/samples.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct samples *samples_new(void)
{
	struct samples *samples = mmap(
		NULL, sizeof(*samples), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (samples == MAP_FAILED) {
		fputs("no memory for samples\n", stderr);
		exit(3);
	}
	return samples;
}

void samples_free(struct samples *samples)
{
	if (samples)
		munmap(samples, sizeof(*samples));
}

void samples_add(struct samples *samples, uint64_t ns)
{
	uint64_t i = samples->count++;
	if (i < SAMPLES_MAX)
		samples->us[i] = ns / 1000 > UINT32_MAX ? UINT32_MAX : (uint32_t)(ns / 1000);
}

void samples_clear(struct samples *samples)
{
	samples->count = 0;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

uint32_t samples_percentile(struct samples *samples, double share)
{
	size_t count = samples->count < SAMPLES_MAX ? samples->count : SAMPLES_MAX;
	if (count == 0)
		return 0;
	qsort(samples->us, count, sizeof(samples->us[0]), compare);
	size_t i = (size_t)(share * (double)(count - 1));
	return samples->us[i];
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

double samples_median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), by_value);
	return values[count / 2];
}
