/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/routing/rules.h"

/* How often a message may fail; between the files that end its attempts. */

/**
 * attempts_are_over() - was this failure its last one?
 * @rules: context
 * @item:  that failed
 * @row:   as it was before
 * Return: true: it goes to the dead letters.
 */
bool attempts_are_over(
	const struct rules *rules, const struct rules_item *item, const struct queue_row *row);

/* Count one failure in its row. */
void attempts_add(const struct rules *rules, const struct rules_item *item, struct queue_row *row);
