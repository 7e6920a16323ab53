/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>

#include "broker/routing/rules.h"

/**
 * refusals_count() - charge a refusal to the party that spoke
 * @rules:     context
 * @speaker:   its number; 0: a stranger, nothing is charged or journaled
 * @wants_entry: whether this kind of refusal is worth an entry of its own
 * @ret:       whether to append one: it wanted one, and the party has some left in this minute
 * Return: 0 or negative errno.
 */
int refusals_count(struct rules *rules, uint32_t speaker, bool wants_entry, bool *ret);

/**
 * refusals_sum_up() - a minute of a party is over: forget its counter
 * @rules:  context
 * @party:  whose
 * @minute: which
 * @ret:    appended when refusals had been left without an entry
 * Return: 0 or negative errno.
 */
int refusals_sum_up(
	struct rules *rules, uint32_t party, uint64_t minute, struct items_decision *ret);
