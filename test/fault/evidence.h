/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "test/fault/sender.h"
#include "test/kit/bus.h"

/* What a journal says afterwards, read as an auditor would: the broker is not running. */

/**
 * evidence_check() - does the journal bear out what the sender was told?
 * @bus:     its broker has ended
 * @letters: of the sender
 * @count:   how many
 *
 * Every receipt's sequence holds that very message, accepted; no message stands there twice; nothing is
 * there that was never sent; and `audit verify` says yes. Fails the test otherwise.
 */
void evidence_check(const struct bus *bus, const struct letter *letters, size_t count);

/**
 * evidence_handed_over() - was every recorded message handed over, and no other, and once?
 * @ids:     message ids in any order, 16 bytes each; sorted by this
 * @taken:   how many
 * @letters: of the sender
 * @count:   how many
 */
void evidence_handed_over(
	uint8_t (*ids)[16], size_t taken, const struct letter *letters, size_t count);
