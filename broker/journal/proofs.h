/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/journal/tree.h"
#include "broker/parcel.h"

/* Audit paths for the receipts of a parcel, every node once. Inside this folder only; one thread. */
struct proofs {
	struct merkle_hash *nodes; /* scratch, kept from parcel to parcel */
	size_t count, room;
};

/* Free the scratch. */
void proofs_deinit(struct proofs *proofs);

/* Does this one get a receipt? */
bool proofs_wanted_submit(const struct parcel_submit *submit);

/**
 * proofs_build() - paths and node table of a parcel under the tree as it is now
 * @proofs: scratch
 * @tree:   closed, or unchanged since it was settled
 * @source: rows as the transaction sees them
 * @parcel: decided; its nodes and the paths of its proofs are filled in
 * Return: number of proofs, -ENOMEM, or as tile_node().
 */
int proofs_build(struct proofs *proofs, const struct tree *tree, const struct tile_source *source,
	struct parcel *parcel);
