/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Replay is reading: a thread of its own does it, below all others, and one stretch at a time, so that a party that
 * asks for years costs those who work nothing but the disk. That messages go out once more stands in the journal before
 * they do: an entry *inspected* that names the party. Those entries are bounded like others that cost their cause
 * nothing.
 */
#include "broker/transport/replay.h"

#include <errno.h>
#include <stdlib.h>

#include "broker/delivery/replay.h"
#include "broker/field.h"
#include "broker/transport/room.h"

enum { SCRATCH_ARENA = 1 << 20, ITEMS_ARENA = 4 << 20 };

/* A stretch that is being looked at. */
struct replay {
	struct errand errand; /* first */
	struct transport *transport;
	struct replay *next; /* while idle */
	struct arena *scratch, *arena;
	uint32_t slot;
	uint64_t serial;
	char name[64];
	struct registry *registry; /* referenced */
	struct replay_question question;
	int result;
	struct replay_found found;
};

static void replay_run(struct errand *errand, struct journal_reader *reader);
static void replay_done(struct errand *errand);

int replays_init(struct replays *replays)
{
	for (size_t i = 0; i < REPLAYS_MAX; i++) {
		struct replay *replay = calloc(1, sizeof(*replay));
		if (!replay)
			return -ENOMEM;
		replays->all[i] = replay;
		replay->next = replays->idle;
		replays->idle = replay;
		replay->scratch = arena_new(SCRATCH_ARENA);
		replay->arena = arena_new(ITEMS_ARENA);
		if (!replay->scratch || !replay->arena)
			return -ENOMEM;
	}
	return 0;
}

void replays_deinit(struct replays *replays)
{
	for (size_t i = 0; i < REPLAYS_MAX && replays->all[i]; i++) {
		registry_unref(replays->all[i]->registry);
		arena_free(replays->all[i]->scratch);
		arena_free(replays->all[i]->arena);
		free(replays->all[i]);
	}
}

/* ---- on its thread ---- */

static void replay_run(struct errand *errand, struct journal_reader *reader)
{
	struct replay *replay = (struct replay *)errand;
	arena_reset(replay->arena);
	replay->result = replay_read(
		&replay->question, reader, replay->scratch, replay->arena, &replay->found);
}

/* ---- back ---- */

static struct session *session_find(const struct replay *replay)
{
	struct session *session = sessions_at(
		replay->transport->sessions, replay->slot, replay->serial);
	return session && !session->ending ? session : NULL;
}

static struct recipient *recipient_find(const struct session *session, struct bytes name)
{
	for (size_t i = 0; i < session->outlet.count; i++)
		if (bytes_equal(BYTES_STR(session->outlet.recipients[i]->name), name))
			return session->outlet.recipients[i];
	return NULL;
}

static void replay_end(struct replay *replay, struct session *session)
{
	struct replays *replays = &replay->transport->replays;
	if (session) {
		session->replaying = false;
		window_release(&session->outlet.window, replay->question.messages_max,
			replay->question.bytes_max);
	}
	registry_unref(steal(&replay->registry));
	replay->next = replays->idle;
	replays->idle = replay;
}

static void replay_send(const struct replay *replay, struct session *session)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Replayed replayed = DIENSTWEG__REPLAYED__INIT;
	const struct replay_found *found = &replay->found;
	for (size_t i = 0; i < found->count; i++) {
		const Dienstweg__Envelope *envelope = found->items[i]->envelope;
		window_spend(&session->outlet.window, envelope->header.len + envelope->content.len);
	}
	replayed.party = field_text(replay->name);
	replayed.n_items = found->count;
	replayed.items = (Dienstweg__Item **)(uintptr_t)found->items;
	replayed.next = found->next;
	replayed.end = found->end;
	frame.body_case = DIENSTWEG__FRAME__BODY_REPLAYED;
	frame.replayed = &replayed;
	transport_send(replay->transport, session, &frame);
}

static void replay_committed(struct operator_act *act)
{
	struct replay *replay = act->context;
	struct session *session = session_find(replay);
	if (session)
		replay_send(replay, session);
	replay_end(replay, session);
}

/* Return: false when nothing may be recorded now. */
static bool replay_record(struct replay *replay, struct session *session)
{
	struct transport *transport = replay->transport;
	const struct replay_found *found = &replay->found;
	struct recipient *recipient = recipient_find(session, replay->question.name);
	if (!recipient || transport->stopping ||
		!recipient_may_fail(recipient, clock_mono_ns(transport->options.clock)))
		return false;
	struct parcel *parcel = parcel_take(transport->options.pool, PARCEL_OPERATE);
	struct operator_act *act = parcel ? arena_zalloc(parcel->arena, sizeof(*act)) : NULL;
	if (!act) {
		parcel_give(transport->options.pool, parcel);
		return false;
	}
	*act = (struct operator_act){
		.what = OPERATOR_INSPECT,
		.inspection = {.role = "recipient",
			.ground = "replay",
			.first = found->items[0]->sequence,
			.last = found->items[found->count - 1]->sequence,
			.count = found->count},
		.done = replay_committed,
		.context = replay,
	};
	memcpy(act->inspection.party, replay->name, sizeof(replay->name));
	parcel->act = act;
	transport_act(transport, parcel);
	return true;
}

static void replay_done(struct errand *errand)
{
	struct replay *replay = (struct replay *)errand;
	struct transport *transport = replay->transport;
	struct session *session = session_find(replay);
	int r = errand->result ? errand->result : replay->result;
	if (r != 0)
		transport->options.failed(transport->options.failed_context, r < 0 ? r : -EBADMSG);
	else if (session && replay->found.count == 0)
		replay_send(replay, session);
	else if (session && replay_record(replay, session))
		return;
	else if (session)
		session_error(transport, session, "busy", "replay",
			"too many replays in a short time: ask again in a second");
	replay_end(replay, session);
}

/* ---- Replay comes in ---- */

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void replay_ask(struct replay *replay, struct session *session,
	const struct recipient *recipient, const Dienstweg__Replay *frame)
{
	struct transport *transport = replay->transport;
	uint64_t messages, bytes;
	window_room(&session->outlet.window, &messages, &bytes);
	replay->slot = session->slot;
	replay->serial = session->serial;
	memcpy(replay->name, recipient->name, sizeof(replay->name));
	replay->registry = registry_ref(transport->registry);
	replay->question = (struct replay_question){
		.registry = replay->registry,
		.name = BYTES_STR(replay->name),
		.party = recipient->number,
		.from = frame->from,
		.from_ms = frame->from_ms,
		.now_ms = clock_wall_ms(transport->options.clock),
		.messages_max = (size_t)least(messages, BATCH_ITEMS_MAX),
		.bytes_max = least(bytes, BATCH_BYTES_MAX),
	};
	window_reserve(
		&session->outlet.window, replay->question.messages_max, replay->question.bytes_max);
	session->replaying = true;
}

void replay_handle(struct transport *transport, struct session *session, struct incoming *incoming)
{
	const Dienstweg__Replay *frame = incoming->frame->replay;
	const struct recipient *recipient = recipient_find(session, BYTES_PB(frame->party));
	struct replay *replay = transport->replays.idle;
	if (!recipient) {
		session_error(transport, session, "not-operated", "party",
			"name a party of this session");
		return;
	}
	if (session->replaying || !replay || transport->draining ||
		!window_fits(&session->outlet.window, 1)) {
		session_error(transport, session, "busy", "replay",
			"one stretch at a time, and with credit: ask again in a second");
		return;
	}
	transport->replays.idle = replay->next;
	replay->transport = transport;
	replay->errand = (struct errand){.run = replay_run, .done = replay_done};
	replay_ask(replay, session, recipient, frame);
	if (clerk_send(transport->options.replayer, &replay->errand) == 0)
		return;
	session_error(transport, session, "busy", "replay", "ask again in a second");
	replay_end(replay, session);
}
