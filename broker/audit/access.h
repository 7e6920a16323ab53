/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/audit/timeline.h"

/*
 * What of a case one party may see: subject access (Art. 15 GDPR), answered by the bus for the party that has
 * the case. Pure: events of a timeline in, in their order, and a verdict on each.
 *
 * A party sees what it sent, what was sent to it, and what became of these. It never sees another recipient of
 * an event: not its name, not its answer, not that there is one.
 */
struct access_message {
	uint64_t sequence;
	bool sent;      /* by the party */
	bool received;  /* it is a recipient */
	bool to_many;   /* an event */
	char other[64]; /* sent to one: its recipient */
};

struct access {
	struct bytes party;
	struct access_message *messages;
	size_t count, room;
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
 * @access: its party set, everything else zeroed before the first; access_deinit()
 * @event:  of timeline_walk()
 * @ret:    how it is shown; views of @event, and of @access until its next event
 * Return: 0 or -ENOMEM.
 */
int access_judge(struct access *access, const struct timeline_event *event, struct access_view *ret);
void access_deinit(struct access *access);
DEFINE_CLEANUP_PTR(struct access, access_deinit);
