/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * An entry that tells how a message ended names only its sequence, so what a party had to do with it is
 * remembered from the message's own entry, which comes first. What was not seen (erased, or not of this party)
 * concerns nobody here: silence is the safe side.
 */
#include "broker/access/view.h"

static const struct timeline_recipient *own_part(
	const struct access *access, const struct timeline_event *event)
{
	for (size_t i = 0; i < event->recipients_count; i++)
		if (bytes_equal(event->recipients[i].name, access->party))
			return &event->recipients[i];
	return NULL;
}

static void judge_recorded(
	struct access *access, const struct timeline_event *event, struct access_view *ret)
{
	const struct timeline_recipient *own = own_part(access, event);
	access->message = event->sequence;
	access->sent = bytes_equal(event->who, access->party);
	access->known = access->sent || own;
	access->to_many = event->header->kind == DIENSTWEG__KIND__KIND_EVENT;
	if (!access->known)
		return;
	ret->shown = true;
	ret->from = event->who;
	ret->recipient = own;
	ret->to = own ? own->name : BYTES(NULL, 0);
	if (access->sent && !access->to_many && event->recipients_count == 1) {
		ret->recipient = &event->recipients[0];
		ret->to = event->recipients[0].name;
	}
}

/* How a message ended, or did not yet: told by, or of, its recipient. */
static void judge_ending(
	const struct access *access, const struct timeline_event *event, struct access_view *ret)
{
	bool own = bytes_equal(event->who, access->party);
	if (!access->known || access->message != event->message || (!own && !access->sent))
		return;
	if (!own && access->to_many) /* a subscriber, and that is already too much */
		return;
	ret->shown = true;
	ret->words = true;
	ret->from = event->who;
}

void access_judge(struct access *access, const struct timeline_event *event, struct access_view *ret)
{
	*ret = (struct access_view){};
	switch (event->what) {
	case TIMELINE_RECORDED:
		judge_recorded(access, event, ret);
		return;
	case TIMELINE_REFUSED:
		/* Who brought it, not whom its header names: that may be a lie. */
		ret->shown = bytes_equal(event->who, access->party);
		ret->words = ret->shown;
		ret->from = event->who;
		return;
	case TIMELINE_ACCEPTED:
	case TIMELINE_REJECTED:
	case TIMELINE_LATE:
	case TIMELINE_FAILED:
	case TIMELINE_EXPIRED:
	case TIMELINE_DEAD:
	case TIMELINE_RETRIED:
	case TIMELINE_DISCARDED:
	case TIMELINE_HELD:
	case TIMELINE_RELEASED:
	case TIMELINE_CANCELLED:
	case TIMELINE_OVERDUE:
	case TIMELINE_DUE_SOON:
		judge_ending(access, event, ret);
		return;
	}
}
