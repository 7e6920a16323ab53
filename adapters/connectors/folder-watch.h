/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/connectors/item.h"
#include "proto/base/cleanup.h"

/*
 * Watches a folder and tells what rests in it: what looked the same for settle_ms, has no writer, and has
 * no name of an unfinished file. One thread. Each turn is bounded; what does not fit waits for the next.
 */
enum {
	FOLDER_WATCH_MAX = 1024,          /* items watched at a time */
	FOLDER_WATCH_REST_MS = 60 * 1000, /* so long a case folder with unfinished names may rest */
};

struct folder_watch;

struct folder_watch_options {
	const char *path; /* exists; outlives the watch */
	uint64_t settle_ms;
	uint64_t poll_ms; /* longest time between two looks */
};

/**
 * folder_watch_open() - open and begin to watch
 * @options: copied
 * @ret:     the watch
 * Return: 0 or negative errno.
 */
int folder_watch_open(const struct folder_watch_options *options, struct folder_watch **ret);
void folder_watch_free(struct folder_watch *watch); /* takes NULL */
DEFINE_CLEANUP(struct folder_watch *, folder_watch_free);

int folder_watch_fd(const struct folder_watch *watch);  /* readable when it is time for a turn */
int folder_watch_dir(const struct folder_watch *watch); /* the folder itself, until the next turn */

struct folder_resting {
	char name[ITEM_NAME_MAX + 1];
	int64_t mtime_ns;
};
int folder_resting_compare(const void *a, const void *b); /* order of arrival, for qsort() */

/**
 * folder_watch_turn() - what rests?
 * @watch:     the watch
 * @ret:       room for @max, filled in order of arrival (time of last change, then name)
 * @max:       most wanted
 * @ret_count: how many rest
 * @ret_more:  set when there is more to look at, at once
 *
 * What is not taken away is told again in the next turn.
 *
 * Return: 0 or negative errno.
 */
int folder_watch_turn(struct folder_watch *watch, struct folder_resting *ret, size_t max,
	size_t *ret_count, bool *ret_more);

void folder_watch_forget(struct folder_watch *watch, const char *name); /* it was taken away */
void folder_watch_leave(struct folder_watch *watch, const char *name);  /* until it changes */
