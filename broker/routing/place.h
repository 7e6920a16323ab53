/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/routing/rules.h"

/*
 * Where a message is for one recipient: in `queue`, in `timer` (delayed, held, or a dead letter), or ended.
 * The functions that move it keep it in exactly one place, and, since version 1 of the rules, a row of `order` for
 * each that is delayed or held: it holds back later ones of its sender and case in its lane. Every
 * function: 0 or negative errno (-EBADMSG: damaged journal).
 */
enum place_where {
	PLACE_NONE, /* never was for this recipient */
	PLACE_QUEUE,
	PLACE_TIMER, /* delayed */
	PLACE_DEAD,  /* a dead letter: for an operator to retry or to discard */
	PLACE_HELD,  /* held by an operator */
	PLACE_ENDED,
};

struct place {
	enum place_where where;
	uint8_t lane;
	uint8_t end;     /* PLACE_ENDED: enum end_state */
	bool heard;      /* PLACE_ENDED: as in struct end_row */
	uint8_t index;   /* PLACE_DEAD, PLACE_HELD, PLACE_ENDED: of the item in that entry */
	uint64_t due_ms; /* PLACE_TIMER; PLACE_HELD: when released, 0: at once */
	uint64_t entry;  /* PLACE_DEAD, PLACE_HELD: that put it there; PLACE_ENDED: that ended it */
	struct queue_row row; /* open */
};

/* Find it. */
int place_find(struct state *state, const struct rules_item *item, struct place *ret);

/* Does it wait for something, wherever? */
static inline bool place_is_open(const struct place *place)
{
	return place->where != PLACE_NONE && place->where != PLACE_ENDED;
}

/* Put it (back) into the queue, or rewrite its row there. */
int place_queue(struct state *state, const struct rules_item *item, uint8_t lane,
	const struct queue_row *row);

/* Put it into the timer. It must be nowhere else (place_remove()). */
int place_delay(const struct rules *rules, const struct rules_item *item, uint64_t due_ms,
	uint8_t lane, const struct queue_row *row);

/* Put it among the dead letters, or hold it (PLACE_HELD): where, lane, row, entry and index are given, and when
   it would have been due. It must be nowhere else. */
int place_park(const struct rules *rules, const struct rules_item *item, const struct place *place);

/* It ended without its recipient, who says now what became of it: note that, once. As it was found, PLACE_ENDED. */
int place_hear(struct state *state, const struct rules_item *item, const struct place *place);

/* Take it from where it was found. */
int place_remove(
	const struct rules *rules, const struct rules_item *item, const struct place *place);

/**
 * place_is_held_back() - does an earlier message of its sender and case wait in the timer?
 * @state: the state
 * @item:  message and recipient
 * @lane:  its lane
 * @row:   its row
 * @ret:   the answer
 * Return: 0 or negative errno.
 */
int place_is_held_back(struct state *state, const struct rules_item *item, uint8_t lane,
	const struct queue_row *row, bool *ret);
