/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/cleanup.h"

/*
 * Log lines that a party can bring about: so many a minute for each, and then one that tells how many were left out,
 * as refusals are summed up in the journal. Reactor only; times are of the monotonic clock.
 */
enum {
	LINES_A_MINUTE = 20,
	LINES_PARTIES_MAX = 1024, /* remembered at once: sessions there may be more, noisy ones are few */
};

struct lines;

int lines_new(struct lines **ret);    /* 0 or -ENOMEM */
void lines_free(struct lines *lines); /* takes NULL */
DEFINE_CLEANUP(struct lines *, lines_free);

/**
 * lines_may() - may one more line about this party be written? If not, it is counted
 * @lines:  what was written lately
 * @party:  its name
 * @now_ns: now
 * Return: true to write it.
 */
bool lines_may(struct lines *lines, const char *party, uint64_t now_ns);

/* Now and then: tell what was left out in minutes that are over. */
void lines_tick(struct lines *lines, uint64_t now_ns);
