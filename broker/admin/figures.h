/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/journal/reader.h"
#include "broker/routing/total.h"
#include "conf/config.h"
#include "proto/base/clock.h"
#include "proto/registry/registry.h"

/* What the journal's tables tell an operator: each queue, and what agreements have used of their quotas. */
struct queue_figures {
	char party[64];
	uint64_t messages;
	uint64_t bytes;
	uint64_t overdue;   /* submissions that it has not replied to in time */
	uint64_t oldest_ms; /* batch time of the oldest waiting message, 0: none or unreadable */
	uint32_t number;
	bool held; /* by an operator */
	struct total_row max;
	uint32_t percent;
};

struct quota_figures {
	const char *agreement; /* the registry's */
	size_t len;
	uint64_t used, max;
};

struct figures {
	const struct config_broker *config; /* these three by the caller */
	const struct clock *clock;
	struct registry *registry; /* in force; let go of by figures_deinit() */
	struct queue_figures *queues;
	size_t count;
	struct quota_figures *quotas;
	size_t quotas_count;
};

/**
 * figures_read() - read them all
 * @figures: zeroed but for what the caller gives
 * @reader:  begun
 * Return: 0, READER_*, negative errno.
 */
int figures_read(struct figures *figures, struct journal_reader *reader);
void figures_deinit(struct figures *figures);
