/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/routing/place.h"

/*
 * Messages that end by one entry, the next one: their rows go, their end state is written, and the
 * outcomes are gathered into one row per sender. Every function: 0 or negative errno.
 */
struct ending {
	struct rules *rules;
	uint32_t party; /* whose totals are not yet written */
	uint64_t messages;
	uint64_t bytes;
	size_t count;
	uint32_t senders[OUTCOME_ITEMS_MAX];
	struct outcome_item items[OUTCOME_ITEMS_MAX];
};

/* Begin; nothing has ended yet. */
void ending_init(struct ending *ending, struct rules *rules);

/**
 * ending_add() - end a message for a recipient; at most OUTCOME_ITEMS_MAX times
 * @ending: begun
 * @item:   message and recipient
 * @place:  where it was found: queue or timer
 * @state:  how it ends
 * @index:  of the ack or the affected item in the entry
 * Return: 0 or negative errno.
 */
int ending_add(struct ending *ending, const struct rules_item *item, const struct place *place,
	enum end_state state, uint8_t index);

/* Write totals and outcome rows. */
int ending_finish(struct ending *ending);
