/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "test/sim/ledger.h"

/* The ledger from inside; between the ledger*.c files. */

/* Look-ups: NULL, or UINT64_MAX, where there is none. */
struct ledger_entry *ledger_entry_at(struct ledger *ledger, uint64_t sequence);
struct leg *ledger_leg_at(struct ledger *ledger, uint64_t message, uint8_t recipient);
uint64_t ledger_find(const struct ledger *ledger, const uint8_t *h);
/* The leg that @what speaks of: it is committed, and (unless NULL) of this h; else that is a violation. */
struct leg *ledger_leg_named(struct ledger *ledger, const char *what, uint64_t message,
	uint8_t recipient, const uint8_t *h);

/* ---- ledger-hold.c ---- */
void ledger_check_hold(
	struct ledger *ledger, const struct leg *leg, uint64_t message); /* it leaves */

/* ---- ledger-asked.c ---- */

/* Of every message that was accepted, and of every end: what that means for an enquiry, or a reminder. */
void ledger_asked(struct ledger *ledger, uint64_t sequence, const struct ledger_accepted *what);
void ledger_asked_ended(struct ledger *ledger, uint64_t message, enum end_state end);
/* A frame tells a sender that its message is overdue, or soon will be. */
void ledger_saw_reminder(struct ledger *ledger, uint8_t sender, uint64_t entry, uint64_t message);
