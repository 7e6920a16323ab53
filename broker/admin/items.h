/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/admin/order.h"
#include "broker/audit/parked.h"

/* What the verbs about dead letters and held messages share. */

/* Messages to be ordered something about. */
struct order_items {
	struct {
		uint64_t sequence;
		uint32_t party;
	} * items;
	size_t count, size;
};
void order_items_deinit(struct order_items *items);
DEFINE_CLEANUP_PTR(struct order_items, order_items_deinit);

/* Add one. 0 or -ENOMEM. */
int order_items_add(struct order_items *items, uint64_t sequence, uint32_t party);

/**
 * order_items_send() - have the broker carry out an order about them, in slices; complains
 * @folders: found
 * @order:   beginning of the line (broker/admin/operate.h)
 * @items:   which
 * @ret:     how many were changed; the others were not as the order supposes
 * Return: 0, or an exit code.
 */
int order_items_send(const struct folders *folders, const char *order,
	const struct order_items *items, uint64_t *ret);

/**
 * items_read() - open the journal and find what is parked; complains
 * @folders: found
 * @audit:   audit_close()
 * @ret:     parked_list_deinit()
 * Return: 0, or an exit code.
 */
int items_read(const struct folders *folders, struct audit *audit, struct parked_list *ret);

/* The number in a word: complains unless it is one. 0 or CLI_USAGE. */
int items_sequence(const struct cli_verb *verb, const char *word, uint64_t *ret);
