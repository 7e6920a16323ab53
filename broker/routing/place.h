/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/routing/rules.h"

/*
 * Where a message is for one recipient: in `queue`, in `timer` (delayed), or ended. The functions that
 * move it keep it in exactly one place. Every function: 0 or negative errno (-EBADMSG: damaged journal).
 */
enum place_where {
	PLACE_NONE, /* never was for this recipient */
	PLACE_QUEUE,
	PLACE_TIMER, /* delayed */
	PLACE_ENDED,
};

struct place {
	enum place_where where;
	uint8_t lane;
	uint64_t due_ms;      /* PLACE_TIMER */
	struct queue_row row; /* PLACE_QUEUE, PLACE_TIMER */
};

/* Find it. */
int place_find(struct state *state, const struct rules_item *item, struct place *ret);

/* Put it (back) into the queue, or rewrite its row there. */
int place_queue(struct state *state, const struct rules_item *item, uint8_t lane,
	const struct queue_row *row);

/* Put it into the timer. It must not be in the queue (place_remove()). */
int place_delay(struct state *state, const struct rules_item *item, uint64_t due_ms, uint8_t lane,
	const struct queue_row *row);

/* Take it from where it was found. */
int place_remove(struct state *state, const struct rules_item *item, const struct place *place);
