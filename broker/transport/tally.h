/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/base/cleanup.h"

/*
 * Bytes that were handed to ZeroMQ for one connection and that it has not begun to write yet: what waits for a peer
 * that does not read. Frames on their way keep it, so it may be let go of at any time. Any thread.
 */
struct tally;

struct tally *tally_new(void);                 /* held once; NULL without memory */
struct tally *tally_hold(struct tally *tally); /* held once more */
void tally_drop(struct tally *tally);          /* takes NULL */
DEFINE_CLEANUP(struct tally *, tally_drop);

/**
 * tally_add() - a frame is handed over; its bytes count until tally_take(), which lets go of the tally as well
 * @tally: held once more for the frame
 * @bytes: of the frame
 */
void tally_add(struct tally *tally, size_t bytes);
void tally_take(struct tally *tally, size_t bytes);
uint64_t tally_bytes(const struct tally *tally);
