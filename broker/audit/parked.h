/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/audit/open.h"
#include "broker/routing/rows.h"

/* Messages that wait for a person: dead letters, and what is held. From the live tables and the entries that put
   them there. */
struct parked {
	bool dead; /* else held */
	uint64_t sequence;
	uint32_t party;
	char name[64]; /* of the party */
	uint8_t lane;
	struct queue_row row;
	uint64_t entry; /* that put it there */
	/* out of that entry; empty and 0 when it cannot be read (any more) */
	char cause[64];   /* dead */
	char service[64]; /* held: for the sake of this service */
	uint64_t since_ms;
	uint32_t account; /* held: by whom */
};

struct parked_list {
	struct parked *items; /* in order of sequence */
	size_t count;
	size_t size;
};

/**
 * parked_list_read() - find them all
 * @audit: open; without a keyring nothing is known out of the entries
 * @ret:   parked_list_deinit()
 * Return: 0, -EBADMSG (a table is damaged), negative errno.
 */
int parked_list_read(struct audit *audit, struct parked_list *ret);
void parked_list_deinit(struct parked_list *list);
DEFINE_CLEANUP_PTR(struct parked_list, parked_list_deinit);
