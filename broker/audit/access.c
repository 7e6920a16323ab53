/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * An entry that tells how a message ended names only its sequence, so what a party had to do with it is
 * remembered from the message's own entry. What was never seen (erased, or not of this party) concerns nobody
 * here: silence is the safe side.
 */
#include "broker/audit/access.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct access_message *remember(struct access *access)
{
	if (access->count == access->room) {
		size_t room = access->room ? 2 * access->room : 64;
		void *more = reallocarray(access->messages, room, sizeof(access->messages[0]));
		if (!more)
			return NULL;
		access->messages = more;
		access->room = room;
	}
	return &access->messages[access->count++];
}

static const struct access_message *find(const struct access *access, uint64_t sequence)
{
	for (size_t i = 0; i < access->count; i++)
		if (access->messages[i].sequence == sequence)
			return &access->messages[i];
	return NULL;
}

static const struct timeline_recipient *own_part(
	const struct access *access, const struct timeline_event *event)
{
	for (size_t i = 0; i < event->recipients_count; i++)
		if (bytes_equal(event->recipients[i].name, access->party))
			return &event->recipients[i];
	return NULL;
}

static int judge_recorded(
	struct access *access, const struct timeline_event *event, struct access_view *ret)
{
	const struct timeline_recipient *own = own_part(access, event);
	struct access_message message = {
		.sequence = event->sequence,
		.sent = bytes_equal(event->who, access->party),
		.received = own != NULL,
		.to_many = event->header->kind == DIENSTWEG__KIND__KIND_EVENT,
	};
	if (!message.sent && !message.received)
		return 0;
	ret->shown = true;
	ret->from = event->who;
	ret->recipient = own;
	ret->to = own ? own->name : BYTES(NULL, 0);
	if (message.sent && !message.to_many && event->recipients_count == 1) {
		ret->recipient = &event->recipients[0];
		ret->to = event->recipients[0].name;
		snprintf(message.other, sizeof(message.other), "%.*s", (int)ret->to.len,
			(const char *)ret->to.data);
	}
	struct access_message *kept = remember(access);
	if (!kept)
		return -ENOMEM;
	*kept = message;
	return 0;
}

/* How a message ended, or did not yet: told by, or of, its recipient. */
static void judge_ending(
	const struct access *access, const struct timeline_event *event, struct access_view *ret)
{
	const struct access_message *message = find(access, event->message);
	bool own = bytes_equal(event->who, access->party);
	if (!message || (!own && !message->sent))
		return;
	if (!own && message->to_many) /* a subscriber, and that is already too much */
		return;
	ret->shown = true;
	ret->words = true;
	ret->from = event->who;
}

int access_judge(struct access *access, const struct timeline_event *event, struct access_view *ret)
{
	*ret = (struct access_view){};
	switch (event->what) {
	case TIMELINE_RECORDED:
		return judge_recorded(access, event, ret);
	case TIMELINE_REFUSED:
		/* Who brought it, not whom its header names: that may be a lie. */
		ret->shown = bytes_equal(event->who, access->party);
		ret->words = ret->shown;
		ret->from = event->who;
		return 0;
	case TIMELINE_ACCEPTED:
	case TIMELINE_REJECTED:
	case TIMELINE_LATE:
	case TIMELINE_FAILED:
	case TIMELINE_EXPIRED:
		judge_ending(access, event, ret);
		return 0;
	}
	return 0;
}

void access_deinit(struct access *access)
{
	free(access->messages);
	*access = (struct access){};
}
