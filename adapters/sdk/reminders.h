/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "adapters/sdk/report.h"
#include "adapters/sdk/rows.h"
#include "adapters/sdk/store.h"

/*
 * Reminders of our own messages that are no ends (enum dw_event): each is told once, after the receipt. That it was told
 * stands in the row of the message (struct sent_row, reminded); one that comes before the receipt is kept until that is there,
 * the newest of them. All within the turn; everything 0 or negative errno.
 */

/* Was it told, or kept, before? Else it is from now on: the caller stores the row. */
bool reminder_is_new(struct sent_row *sent, enum dw_event event);

/**
 * reminder_keep() - the receipt is still missing
 * @store:  the store
 * @report: to be told then; message id, event, sequence, time and recipient are kept
 * Return: 0 or negative errno.
 */
int reminder_keep(struct store *store, const struct dw_report *report);

/**
 * reminder_tell() - the receipt is there: tell what was kept, if anything
 * @store:    the store
 * @reporter: whom
 * @report:   ids, key and service of the message are filled in
 * Return: 0 or negative errno.
 */
int reminder_tell(
	struct store *store, const struct reporter *reporter, const struct dw_report *report);

/* There will be no receipt: what was kept is dropped. */
int reminder_drop(struct store *store, const uint8_t message_id[UUID_SIZE]);
