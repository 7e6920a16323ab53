/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/frame.pb-c.h"

/*
 * What the broker says about limits that are nearly used up, for the people who run an adapter: each of them once an
 * hour, and again when it is used up. A plain value, zeroed at first; one thread.
 */
enum { NOTICES_MAX = 16, NOTICE_NAME_MAX = 64 };

struct notices {
	size_t count;
	struct told_notice {
		char code[NOTICE_NAME_MAX];
		char name[NOTICE_NAME_MAX];
		uint32_t percent;
		uint64_t told_ns;
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
