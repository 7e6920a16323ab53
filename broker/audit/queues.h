/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/audit/open.h"
#include "broker/routing/rows.h"

/* What waits for whom, from the live tables. */
struct queue_sum {
	uint64_t messages;
	uint64_t bytes;
};

struct queue_figures {
	uint32_t number;
	char name[64];
	struct queue_sum lanes[LANE_OUTCOME]; /* deliverable, maybe out for delivery */
	struct queue_sum delayed;             /* not before a time, or after a failed attempt */
	struct queue_sum dead;                /* dead letters */
	struct queue_sum held;                /* by an operator, each by itself */
	bool stopped;                         /* its whole queue is held by an operator */
	uint64_t overdue;                     /* submissions that it has not replied to in time */
	uint64_t outcomes;                    /* rows of outcomes that it has not confirmed */
	uint64_t oldest; /* sequence of the oldest waiting message; UINT64_MAX: none */
	uint64_t oldest_ms; /* when it was recorded; without a keyring, when its sender says it was made */
};

struct queue_list {
	struct queue_figures *items; /* in order of names; a party without anything waiting is there too */
	size_t count;
};

/**
 * queue_list_read() - look at every queue
 * @audit: open
 * @ret:   the list; queue_list_deinit()
 *
 * Long queues are read in several snapshots, so figures of a busy broker need not be of one instant.
 *
 * Return: 0, -EBADMSG (a table is damaged), negative errno.
 */
int queue_list_read(struct audit *audit, struct queue_list *ret);
void queue_list_deinit(struct queue_list *list);
DEFINE_CLEANUP_PTR(struct queue_list, queue_list_deinit);
