/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A lease is machine hand-over under way: whoever has the message may be writing it into a system this moment, and its
 * sender must not be told that it was taken back. So only what is free is kept back, and everything else is for the
 * sender to ask about again. A recipient that nobody spoke for since the start is remembered from here on, or
 * it could be sent the message while it ends.
 */
#include "broker/delivery/delivery.h"

#include "broker/delivery/room.h"

/* An answer of its recipient that is on its way to the journal (LEASE_SETTLING) comes before us, too. */
static bool keep_back(struct delivery *delivery, const struct cancel_leg *leg)
{
	if (delivery_recipient_ensure(delivery, leg->party, leg->recipient) < 0)
		return false;
	struct recipient *recipient = delivery_recipient(delivery, leg->party);
	return recipient_hold(recipient, leg->sequence) == 0;
}

size_t delivery_keep_back(struct delivery *delivery, struct parcel *parcel)
{
	struct parcel_cancel *cancel = parcel->cancel;
	for (size_t i = 0; i < cancel->legs_count; i++) {
		struct cancel_leg *leg = &cancel->legs[i];
		leg->kept = leg->place.open && keep_back(delivery, leg);
		cancel->kept += leg->kept;
	}
	return cancel->kept;
}
