/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/audit/timeline.h"

/*
 * What of a case one party may see: subject access (Art. 15 GDPR), answered by the bus for the party that has
 * the case. Pure: events of a timeline in, message by message, and a verdict on each.
 *
 * A party sees what it sent, what was sent to it, and what became of these. It never sees another recipient of
 * an event: not its name, not its answer, not that there is one.
 */
struct access {
	struct bytes party;
	/* The message at hand, and what the party has to do with it. */
	uint64_t message;
	bool known;   /* sent or received by the party */
	bool sent;    /* by the party */
	bool to_many; /* an event */
};

/* How an event is shown. */
struct access_view {
	bool shown;
	struct bytes from,
		to; /* parties; empty where there is nothing to say, or nothing that may be said */
	const struct timeline_recipient *recipient; /* recorded: whose state may be told, or NULL */
	bool words; /* the recipient's code and sentence may be told */
};

/**
 * access_judge() - the next event of the case
 * @access: its party set, everything else zeroed before the first
 * @event:  of timeline_message(): a message's own event comes before those about it
 * @ret:    how it is shown; views of @event
 */
void access_judge(
	struct access *access, const struct timeline_event *event, struct access_view *ret);
