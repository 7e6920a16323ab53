/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/routing/rows.h"
#include "broker/routing/rules.h"
#include "broker/routing/state.h"

/* Totals in `counter`. Every function: 0 or negative errno (-EBADMSG: the journal is damaged). */

/* What is open for a recipient: messages, bytes. Absent counts as zero. */
int total_queue_get(struct state *state, uint32_t party, struct total_row *ret);
int total_queue_put(struct state *state, uint32_t party, const struct total_row *row);

/* Take away what ended; less than nothing is a damaged journal. */
int total_queue_sub(struct state *state, uint32_t party, uint64_t messages, uint64_t bytes);

/* The most that may be open for a recipient: the registry's word about it, or else the limits'. */
void total_queue_max(
	const struct rules_limits *limits, const Dienstweg__Party *party, struct total_row *ret);

/* How much of the most is used, by messages or by bytes, whichever is more; at most 100. */
uint32_t total_percent(const struct total_row *used, const struct total_row *max);

/* Messages of an agreement in a month (quota_month()). */
int total_quota_get(struct state *state, uint32_t month, struct bytes agreement, uint64_t *ret);
int total_quota_put(struct state *state, uint32_t month, struct bytes agreement, uint64_t messages);
