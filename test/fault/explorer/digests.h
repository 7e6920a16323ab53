/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/bytes.h"
#include "proto/base/cleanup.h"

/* A set that numbers what it holds: things are told apart by 16 bytes of their BLAKE2b. */
struct digests;

/* An empty set; ends the program without memory. */
struct digests *digests_new(void);
void digests_free(struct digests *digests); /* takes NULL */
DEFINE_CLEANUP(struct digests *, digests_free);

/**
 * digests_add() - the number of a thing
 * @digests: the set
 * @thing:   its bytes
 * @ret_new: NULL, or whether it was not there before
 * Return: from 0, in order of arrival.
 */
uint32_t digests_add(struct digests *digests, struct bytes thing, bool *ret_new);

/* How many there are. */
uint32_t digests_count(const struct digests *digests);
