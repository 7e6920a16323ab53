/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/frame.pb-c.h"

/*
 * What the broker says about limits that are nearly used up, for the people who run an adapter: each of them once an
 * hour, and again when it is used up. A plain value, zeroed at first; one thread.
 */
enum {
	NOTICES_MAX = 16,
	NOTICE_NAME_MAX = 64,
	NOTICES_JSON_MAX = 3 + NOTICES_MAX * (2 * NOTICE_NAME_MAX + 48),
};

struct notices {
	size_t count;
	struct told_notice {
		char code[NOTICE_NAME_MAX];
		char name[NOTICE_NAME_MAX];
		uint32_t percent; /* as it was told */
		uint32_t latest;
		uint64_t told_ns;
		uint64_t came_ns; /* last */
	} all[NOTICES_MAX];
};

/**
 * notices_take() - tell what is new
 * @notices: told so far; with no room the one that was told longest ago goes
 * @answer:  the broker's: its bytes may be anything
 * @now_ns:  monotonic
 * Return: how many were told.
 */
size_t notices_take(struct notices *notices, const Dienstweg__Answer *answer, uint64_t now_ns);

/**
 * notices_json() - what came within the last hour, as a list for status.json
 * @notices: told so far
 * @now_ns:  monotonic
 * @buf:     the text
 * @size:    NOTICES_JSON_MAX
 */
void notices_json(const struct notices *notices, uint64_t now_ns, char *buf, size_t size);
