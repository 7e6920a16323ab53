/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The broker keeps no place for us between two stretches: each question names where it begins. So nothing can get lost
 * but a question or an answer, and then the same question is asked again.
 */
#include "adapters/sdk/rerun.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/base/log.h"

enum { SOON_MS = 100, LATER_MS = 1000 };

struct rerun {
	struct rerun_options options;
	bool under_way;
	bool asked; /* in this session */
	size_t party;
	uint64_t from, from_ms;
	uint64_t not_before_ns;
};

int rerun_new(const struct rerun_options *options, struct rerun **ret)
{
	struct rerun *replay = calloc(1, sizeof(*replay));
	if (!replay)
		return -ENOMEM;
	replay->options = *options;
	*ret = replay;
	return 0;
}

void rerun_free(struct rerun *replay)
{
	free(replay);
}

int rerun_begin(struct rerun *replay, const struct dw_replay *what)
{
	const struct parties *parties = replay->options.parties;
	size_t party = what->party.len ? parties_find(parties, what->party) : 0;
	if (replay->under_way)
		return DW_BUSY;
	if (party == PARTIES_NONE)
		return DW_INVALID;
	*replay = (struct rerun){
		.options = replay->options,
		.under_way = true,
		.party = party,
		.from = what->from,
		.from_ms = what->from_ms,
	};
	return 0;
}

static void put_off(struct rerun *replay, uint64_t ms)
{
	replay->asked = false;
	replay->not_before_ns = clock_mono_ns(replay->options.clock) + ms * UINT64_C(1000000);
}

void rerun_restart(struct rerun *replay)
{
	replay->asked = false;
	replay->not_before_ns = 0;
}

void rerun_put_off(struct rerun *replay)
{
	if (replay->asked)
		put_off(replay, LATER_MS);
}

/* 0, INBOX_LATER with the place to go on from, negative errno. */
static int take_items(struct rerun *replay, const Dienstweg__Replayed *frame, uint64_t *ret_bytes)
{
	int r = 0;
	*ret_bytes = 0;
	for (size_t i = 0; i < frame->n_items; i++) {
		const Dienstweg__Item *item = frame->items[i];
		if (!item->envelope)
			continue;
		*ret_bytes += item->envelope->header.len + item->envelope->content.len;
		if (r == 0 && item->sequence >= replay->from)
			r = inbox_replay(replay->options.inbox, replay->party, item);
		if (r == INBOX_LATER && replay->from < item->sequence)
			replay->from = item->sequence;
		if (r < 0)
			return r;
	}
	return r;
}

int rerun_take(struct rerun *replay, const Dienstweg__Replayed *frame, struct client *client)
{
	uint64_t bytes, from = replay->from;
	if (!replay->under_way || !replay->asked)
		return 0;
	int r = take_items(replay, frame, &bytes);
	if (r < 0)
		return r;
	if (r == INBOX_LATER) {
		put_off(replay, LATER_MS);
		return client_credit_add(client, frame->n_items, bytes);
	}
	r = client_credit_add(client, frame->n_items, bytes);
	if (r < 0)
		return r;
	replay->asked = false;
	replay->from = frame->next > from ? frame->next : from;
	if (!frame->end && replay->from == from)
		put_off(replay, SOON_MS); /* it did not fit into the credit of that moment */
	if (!frame->end)
		return 0;
	replay->under_way = false;
	return replay->options.ended(replay->options.context, replay->from);
}

int rerun_flush(struct rerun *replay, struct client *client)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Replay body = DIENSTWEG__REPLAY__INIT;
	if (rerun_timeout_ms(replay) != 0)
		return 0;
	struct bytes name = BYTES_STR(replay->options.parties->names[replay->party]);
	body.party = (ProtobufCBinaryData){.len = name.len, .data = (uint8_t *)(uintptr_t)name.data};
	body.from = replay->from;
	body.from_ms = replay->from_ms;
	frame.body_case = DIENSTWEG__FRAME__BODY_REPLAY;
	frame.replay = &body;
	int r = client_send(client, &frame);
	replay->asked = r == 0;
	return r < 0 ? r : 0;
}

int rerun_timeout_ms(const struct rerun *replay)
{
	if (!replay->under_way || replay->asked)
		return -1;
	uint64_t now_ns = clock_mono_ns(replay->options.clock);
	return now_ns >= replay->not_before_ns
		       ? 0
		       : (int)((replay->not_before_ns - now_ns) / 1000000 + 1);
}
