/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Nothing here is durable but the outbox: after a crash or a lost session the oldest unanswered message is
 * sent again, byte for byte, and the broker answers with the receipt it gave before. So an answer may be
 * lost at any point without a message being lost or doubled.
 *
 * A Submit that the broker put off unread is put back whole, with everything after it, and the next Submit
 * says `resume`: order is the broker's to keep, as long as we do not send around the gap. Deferrals of
 * single messages go through the window (adapters/sdk/window.h).
 */
#include "adapters/sdk/sender.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "adapters/sdk/notices.h"
#include "adapters/sdk/settle.h"
#include "adapters/sdk/window.h"
#include "proto/base/log.h"

enum {
	DEFERRED_MAX = 8192, /* known beyond the flight */
	LOAD_STEP = 256,     /* rows taken into the window at once */
	FRAME_SLACK = 512,
	ENVELOPE_SLACK = 128, /* tags and lengths of one envelope */
	RETRY_MIN_MS = 50,
	RETRY_USUAL_MS = 1000,
	RETRY_MAX_MS = 10 * 60 * 1000,
	REFUSED_PAUSE_MS = 5000, /* a whole frame was no good */
	FLUSH_FRAMES_MAX = 32,   /* then other things get their turn */
	FRAME_ARENA_BUDGET = 8 << 20,
};

struct sender {
	struct sender_options options;
	struct window *window;
	struct settle *settle;
	struct arena *arena;
	Dienstweg__Envelope *envelopes; /* of the frame being made */
	Dienstweg__Envelope **pointers;
	Dienstweg__Signature *signatures;
	struct window_entry **entries;
	uint64_t loaded;       /* numbers up to here are, or were, in the window */
	uint64_t frame;        /* number of the last Submit */
	uint64_t resumed_at;   /* frames before this one were put back */
	bool resume;           /* the next Submit says so */
	uint64_t paused_until; /* monotonic ns */
	struct sender_counts counts;
	struct notices notices;
};

static uint64_t now_ns(const struct sender *sender)
{
	return clock_mono_ns(sender->options.clock);
}

static int window_make(struct sender *sender)
{
	return window_new(
		(size_t)sender->options.config->flight.messages + DEFERRED_MAX, &sender->window);
}

int sender_new(const struct sender_options *options, struct sender **ret)
{
	_cleanup_(sender_free) struct sender *sender = calloc(1, sizeof(*sender));
	if (!sender)
		return -ENOMEM;
	sender->options = *options;
	struct settle_options settle = {
		.store = options->store,
		.outbox = options->outbox,
		.again = options->again,
		.trust = options->trust,
		.reporter = options->reporter,
		.spool = options->spool,
	};
	int r = window_make(sender);
	if (r == 0)
		r = settle_new(&settle, &sender->settle);
	if (r)
		return r;
	sender->arena = arena_new(FRAME_ARENA_BUDGET);
	sender->envelopes = calloc(SUBMIT_MAX, sizeof(sender->envelopes[0]));
	sender->pointers = calloc(SUBMIT_MAX, sizeof(sender->pointers[0]));
	sender->signatures = calloc(SUBMIT_MAX, sizeof(sender->signatures[0]));
	sender->entries = calloc(SUBMIT_MAX, sizeof(sender->entries[0]));
	if (!sender->arena || !sender->envelopes || !sender->pointers || !sender->signatures ||
		!sender->entries)
		return -ENOMEM;
	*ret = steal(&sender);
	return 0;
}

void sender_free(struct sender *sender)
{
	if (!sender)
		return;
	window_free(sender->window);
	settle_free(sender->settle);
	arena_free(sender->arena);
	free(sender->envelopes);
	free(sender->pointers);
	free(sender->signatures);
	free(sender->entries);
	free(sender);
}

void sender_restart(struct sender *sender)
{
	window_put_back(sender->window, 0);
	sender->frame = 0;
	sender->resumed_at = 0;
	sender->resume = false;
	sender->paused_until = 0;
}

/* Numbers in the window only rise, so it begins anew, with the oldest of the outbox. */
int sender_reload(struct sender *sender)
{
	window_free(steal(&sender->window));
	sender->loaded = 0;
	return window_make(sender);
}

bool sender_has_room(const struct sender *sender)
{
	return window_left(sender->window) > 0;
}

void sender_again(struct sender *sender)
{
	window_put_back(sender->window, 0);
	sender->paused_until = now_ns(sender) + REFUSED_PAUSE_MS * UINT64_C(1000000);
}

void sender_new_registry(struct sender *sender)
{
	window_hurry_reseals(sender->window);
}

/* ---- sending ---- */

static int load_one(void *context, uint64_t number, const struct outbox_row *row)
{
	struct sender *sender = context;
	struct window_entry entry = {
		.number = number,
		.case_gate = be64_get(row->case_id),
		.place_gate = row->place,
		.bytes = (uint32_t)(row->header.len + row->content.len),
	};
	if (window_left(sender->window) == 0 || number >= again_limit(sender->options.again))
		return 1;
	envelope_header_hash(row->header, entry.h);
	window_add(sender->window, &entry);
	sender->loaded = number;
	return number % LOAD_STEP == 0;
}

/* Take more rows into the window, when there are any. */
static int load(struct sender *sender, bool *ret_loaded)
{
	size_t before = window_count(sender->window);
	*ret_loaded = false;
	if (window_left(sender->window) == 0 || sender->options.outbox->count <= before)
		return 0;
	int r = outbox_scan(sender->options.outbox, sender->loaded + 1, load_one, sender);
	*ret_loaded = window_count(sender->window) > before;
	return r < 0 ? r : 0;
}

struct room {
	size_t envelopes;
	uint64_t bytes;
};

static uint64_t min_of(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* What one more frame may hold. A single message always may when nothing else is out. */
static struct room room_of(const struct sender *sender, const Dienstweg__Limits *limits)
{
	const struct config_flight *flight = &sender->options.config->flight;
	uint64_t messages = window_sent_count(sender->window);
	uint64_t bytes = window_sent_bytes(sender->window);
	uint64_t bytes_max = limits->party_bytes ? min_of(flight->bytes, limits->party_bytes)
						 : flight->bytes;
	uint64_t frame = limits->frame_bytes ? min_of(limits->frame_bytes, FRAME_BYTES_MAX)
					     : FRAME_BYTES_MAX;
	uint64_t batch = limits->batch ? min_of(limits->batch, SUBMIT_MAX) : SUBMIT_MAX;
	struct room room = {
		.envelopes = flight->messages > messages
				     ? (size_t)min_of(batch, flight->messages - messages)
				     : 0,
		.bytes = bytes_max > bytes ? min_of(bytes_max - bytes, frame - FRAME_SLACK) : 0,
	};
	if (messages == 0)
		room = (struct room){room.envelopes ? room.envelopes : 1, frame - FRAME_SLACK};
	if (flight->batch_max)
		room.envelopes = (size_t)min_of(room.envelopes, flight->batch_max);
	return room;
}

static ProtobufCBinaryData pb(struct bytes view)
{
	return (ProtobufCBinaryData){.len = view.len, .data = (uint8_t *)(uintptr_t)view.data};
}

/* Header and content stay where the database has them, until the frame is packed. */
static int envelope_fill(struct sender *sender, struct window_entry *entry, size_t index)
{
	struct outbox_row row;
	Dienstweg__Envelope *envelope = &sender->envelopes[index];
	Dienstweg__Signature *signature = &sender->signatures[index];
	int r = outbox_get(sender->options.outbox, entry->number, &row);
	if (r == 0)
		r = outbox_load_content(sender->options.outbox, entry->number, sender->arena, &row);
	if (r)
		return r < 0 ? r : -EBADMSG;
	dienstweg__signature__init(signature);
	r = signature_from_core(row.core, sender->arena, signature);
	if (r)
		return r < 0 ? r : -EBADMSG;
	dienstweg__envelope__init(envelope);
	envelope->header = pb(row.header);
	envelope->content = pb(row.content);
	envelope->signature = signature;
	sender->pointers[index] = envelope;
	sender->entries[index] = entry;
	return 0;
}

static int next_entry(struct sender *sender, struct window_entry **ret)
{
	bool loaded = true;
	while (loaded) {
		*ret = window_next(sender->window, now_ns(sender));
		if (*ret)
			return 0;
		int r = load(sender, &loaded);
		if (r)
			return r;
	}
	return 0;
}

/* A retry may fall due while a frame is filled; the walk then begins anew, and comes by what is in the frame. */
static bool is_in_frame(const struct sender *sender, const struct window_entry *entry, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (sender->entries[i] == entry)
			return true;
	return false;
}

/* Return: 0, or negative errno; *ret_count: envelopes in the frame. */
static int frame_fill(struct sender *sender, struct room room, size_t *ret_count)
{
	size_t count = 0;
	struct window_entry *entry;
	arena_reset(sender->arena);
	while (count < room.envelopes) {
		int r = next_entry(sender, &entry);
		if (r)
			return r;
		if (!entry)
			break;
		uint64_t bytes = entry->bytes + SIGNATURE_CORE_MAX + ENVELOPE_SLACK;
		if (bytes > room.bytes || is_in_frame(sender, entry, count)) {
			window_rewind(sender->window);
			break;
		}
		r = envelope_fill(sender, entry, count);
		if (r)
			return r;
		room.bytes -= bytes;
		count++;
	}
	*ret_count = count;
	return 0;
}

static int frame_send(struct sender *sender, struct client *client, size_t count)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Submit submit = DIENSTWEG__SUBMIT__INIT;
	submit.number = sender->frame + 1;
	submit.resume = sender->resume;
	submit.n_envelopes = count;
	submit.envelopes = sender->pointers;
	frame.body_case = DIENSTWEG__FRAME__BODY_SUBMIT;
	frame.submit = &submit;
	int r = client_send(client, &frame);
	if (r) {
		window_rewind(sender->window);
		return r == CLIENT_TOO_LARGE ? -EMSGSIZE : r;
	}
	sender->frame = submit.number;
	if (sender->resume)
		sender->resumed_at = submit.number;
	sender->resume = false;
	for (size_t i = 0; i < count; i++)
		window_sent(sender->window, sender->entries[i], submit.number);
	return 0;
}

int sender_flush(struct sender *sender, struct client *client)
{
	if (client_state(client) != CLIENT_READY || now_ns(sender) < sender->paused_until)
		return 0;
	for (int i = 0; i < FLUSH_FRAMES_MAX; i++) {
		size_t count = 0;
		struct room room = room_of(sender, client_limits(client));
		if (room.envelopes == 0 || room.bytes == 0)
			return 0;
		int r = frame_fill(sender, room, &count);
		if (r || count == 0)
			return r;
		r = frame_send(sender, client, count);
		if (r)
			return r < 0 ? r : 0;
	}
	return 0;
}

int sender_timeout_ms(const struct sender *sender)
{
	uint64_t now = now_ns(sender), due = window_due_ns(sender->window);
	if (sender->paused_until > now)
		due = sender->paused_until;
	if (due == UINT64_MAX)
		return -1;
	return due <= now ? 0 : (int)min_of((due - now) / 1000000u + 1, RETRY_MAX_MS);
}

const struct notices *sender_notices(const struct sender *sender)
{
	return &sender->notices;
}

void sender_counts(const struct sender *sender, struct sender_counts *ret)
{
	*ret = sender->counts;
	ret->unanswered = window_sent_count(sender->window);
	ret->known = window_count(sender->window);
}

/* ---- sealing and signing anew ---- */

int sender_prepare(struct sender *sender)
{
	struct window_entry *entry;
	while ((entry = window_next_reseal(sender->window, now_ns(sender)))) {
		uint8_t h[HASH_SIZE];
		uint32_t bytes = entry->bytes;
		int r = entry->resign ? turn_resign(sender->options.turn, entry->number)
				      : turn_reseal(sender->options.turn,
						trust_registry(sender->options.trust),
						entry->number, h, &bytes);
		if (r < 0)
			return r;
		/* Routed nowhere any more: sent as it is, the broker's refusal says why. */
		if (entry->resign || r == DW_UNROUTABLE)
			memcpy(h, entry->h, HASH_SIZE);
		window_resealed(sender->window, entry, h, bytes);
	}
	return 0;
}

/* ---- answers ---- */

/* The message of ours that an answer is about; NULL when it has had its answer. */
static struct window_entry *answered(struct sender *sender, ProtobufCBinaryData h)
{
	struct window_entry *entry = h.len == HASH_SIZE ? window_find(sender->window, h.data) : NULL;
	return entry && entry->state == WINDOW_SENT ? entry : NULL;
}

static int receipts_take(struct sender *sender, const Dienstweg__Answer *answer)
{
	int r = answer->n_receipts ? settle_start(sender->settle, answer) : 0;
	for (size_t i = 0; i < answer->n_receipts && r == 0; i++) {
		const Dienstweg__Receipt *receipt = answer->receipts[i];
		struct window_entry *entry = answered(sender, receipt->h);
		if (!entry)
			continue;
		r = settle_receipt(sender->settle, entry->number, entry->h, receipt);
		if (r)
			return r;
		window_remove(sender->window, entry);
		sender->counts.recorded++;
	}
	return r;
}

static int refusals_take(struct sender *sender, const Dienstweg__Answer *answer)
{
	for (size_t i = 0; i < answer->n_refusals; i++) {
		const Dienstweg__Refusal *refusal = answer->refusals[i];
		struct window_entry *entry = answered(sender, refusal->h);
		if (!entry)
			continue;
		int r = settle_refusal(sender->settle, entry->number, entry->h, refusal);
		if (r)
			return r;
		window_remove(sender->window, entry);
		sender->counts.refused++;
	}
	return 0;
}

static uint64_t retry_at(const struct sender *sender, uint32_t retry_ms)
{
	uint64_t ms = retry_ms ? retry_ms : RETRY_USUAL_MS;
	if (ms < RETRY_MIN_MS)
		ms = RETRY_MIN_MS;
	if (ms > RETRY_MAX_MS)
		ms = RETRY_MAX_MS;
	return now_ns(sender) + ms * 1000000u;
}

/*
 * Sent before, lost by the bus, and its recipient has revoked the key since that it is sealed for: what it was sealed
 * from is not kept, and another seal would be another message to a recipient that has this one.
 */
static int give_up(
	struct sender *sender, struct window_entry *entry, const Dienstweg__Deferral *deferral)
{
	Dienstweg__Refusal refusal = DIENSTWEG__REFUSAL__INIT;
	refusal.h = deferral->h;
	refusal.code = deferral->reason;
	refusal.field = deferral->field;
	refusal.detail = deferral->detail;
	log_error("outbox",
		"ALARM: a message that the bus lost cannot be sent again, for it is sealed for a "
		"key that is revoked: send it anew",
		F_U64("number", entry->number));
	int r = settle_refusal(sender->settle, entry->number, entry->h, &refusal);
	if (r == 0) {
		window_remove(sender->window, entry);
		sender->counts.refused++;
	}
	return r;
}

/* May it be sealed anew? 0 or 1, negative errno. */
static int is_bare(struct sender *sender, const struct window_entry *entry)
{
	struct outbox_row row;
	int r = outbox_get(sender->options.outbox, entry->number, &row);
	return r ? (r < 0 ? r : -EBADMSG) : row.bare;
}

/* The broker misses what is attached: upload it, and send the message again when it is there. */
static int attachments_want(struct sender *sender, struct window_entry *entry)
{
	struct outbox_row row;
	Dienstweg__Header *header;
	const char *field;
	arena_reset(sender->arena);
	int r = outbox_get(sender->options.outbox, entry->number, &row);
	if (r == 0)
		r = envelope_header_parse(sender->arena, row.header, &header, &field);
	if (r)
		return r < 0 ? r : -EBADMSG;
	for (size_t i = 0; i < header->n_attachments; i++)
		upload_want(sender->options.upload, BYTES_PB(header->sender),
			header->attachments[i]->digest.data, header->attachments[i]->size);
	entry->upload = true;
	return 0;
}

void sender_attachment_arrived(struct sender *sender)
{
	window_hurry_uploads(sender->window);
}

static int deferral_take(struct sender *sender, const Dienstweg__Deferral *deferral)
{
	struct bytes reason = BYTES_PB(deferral->reason);
	uint64_t until = retry_at(sender, deferral->retry_ms);
	enum window_reach reach = WINDOW_ALONE;
	struct window_entry *entry = answered(sender, deferral->h);
	int r = 0;
	if (!entry)
		return 0;
	log_info("outbox", "the broker put a message off", F_BYTES("reason", reason),
		F_BYTES("field", BYTES_PB(deferral->field)), F_U64("retry_ms", deferral->retry_ms));
	sender->counts.deferred++;
	if (bytes_equal(reason, BYTES_STR("full")) || bytes_equal(reason, BYTES_STR("held")))
		reach = WINDOW_PLACE;
	if (bytes_equal(reason, BYTES_STR("registry-outdated"))) {
		entry->resign = bytes_equal(BYTES_PB(deferral->field), BYTES_STR("key_id"));
		r = entry->resign ? 0 : is_bare(sender, entry);
		if (r)
			return r < 0 ? r : give_up(sender, entry, deferral);
		entry->reseal = true;
		trust_want_registry(sender->options.trust);
	}
	/* Our clock, or the broker's state: the next message would fare the same. */
	if (bytes_equal(reason, BYTES_STR("clock")) || bytes_equal(reason, BYTES_STR("draining")) ||
		bytes_equal(reason, BYTES_STR("busy")))
		sender->paused_until = until;
	entry->upload = false;
	if (bytes_equal(reason, BYTES_STR("attachments")))
		r = attachments_want(sender, entry);
	window_defer(sender->window, entry, until, reach);
	return r;
}

static void frame_deferral_take(struct sender *sender, const Dienstweg__FrameDeferral *deferral)
{
	/* Later frames come back as well; they were put back with the first one. */
	if (sender->resume || deferral->number < sender->resumed_at || deferral->number == 0 ||
		deferral->number > sender->frame)
		return;
	log_info("outbox", "the broker put a whole frame off",
		F_BYTES("reason", BYTES_PB(deferral->reason)),
		F_U64("retry_ms", deferral->retry_ms));
	window_put_back(sender->window, deferral->number);
	sender->resume = true;
	sender->paused_until = retry_at(sender, deferral->retry_ms);
	sender->counts.deferred++;
}

int sender_answer(struct sender *sender, const Dienstweg__Answer *answer)
{
	(void)notices_take(&sender->notices, answer, now_ns(sender));
	int r = receipts_take(sender, answer);
	if (r == 0)
		r = refusals_take(sender, answer);
	if (r)
		return r;
	for (size_t i = 0; i < answer->n_deferrals && r == 0; i++)
		r = deferral_take(sender, answer->deferrals[i]);
	if (r == 0 && answer->frame)
		frame_deferral_take(sender, answer->frame);
	return r;
}
