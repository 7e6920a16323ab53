/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/parcel.h"

/*
 * What the receipts of one frame share: one checkpoint, and every tree node once. Parcels of the same
 * commit bring their own node tables; their receipts are renumbered into this one.
 */
enum { NODES_MAX = 16384 };

struct nodes;

int nodes_new(struct nodes **ret);    /* 0 or -ENOMEM */
void nodes_free(struct nodes *nodes); /* takes NULL */
DEFINE_CLEANUP(struct nodes *, nodes_free);

void nodes_start(struct nodes *nodes); /* forget everything */

/* Does this parcel's checkpoint go with what is inside, and is there room for one more path? */
bool nodes_fit(const struct nodes *nodes, const struct parcel *parcel);

/**
 * nodes_add() - take over a path
 * @nodes: fits
 * @parcel: whose nodes and checkpoint it refers to; borrowed until the next start
 * @proof:  the path
 * @ret:    room for @proof's path_count indexes into the common nodes
 */
void nodes_add(struct nodes *nodes, const struct parcel *parcel, const struct parcel_proof *proof,
	uint32_t *ret);

struct bytes nodes_checkpoint(const struct nodes *nodes); /* empty without a path */
struct bytes nodes_nodes(const struct nodes *nodes);      /* 32 bytes each */
