/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "test/fault/recipient.h"
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
 * there that was never sent; `audit verify` and `audit replay` say yes. Fails the test otherwise.
 */
void evidence_check(const struct bus *bus, const struct letter *letters, size_t count);

/**
 * evidence_handed_over() - was every recorded message handed over, and no other, and once?
 * @all:     what the legacy system got; sorted by this
 * @letters: of the sender
 * @count:   how many
 */
void evidence_handed_over(struct handed_over *all, const struct letter *letters, size_t count);
