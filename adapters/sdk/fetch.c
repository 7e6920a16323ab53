/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Requests go round all deliveries that wait, so that each of their leases is kept alive by what is asked for
 * it, and a small attachment need not wait for a large one. A piece is appended where the file ends and
 * nowhere else: what comes out of order is asked for again.
 */
#include "adapters/sdk/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters/sdk/transfer.h"
#include "proto/base/log.h"
#include "proto/envelope/envelope.h"

enum {
	OUT_MAX = 6, /* pieces asked for; the broker sends at most 8 that were not read */
	KEEP_ALIVE_MS = 15000,
	RETRY_MAX_MS = 60000,
	DISK_FULL_MS = 10000,
	TELL_MS = 10000,
	ASK_NONE = 100,
};

struct waiting {
	struct waiting *next;
	uint8_t *item;
	size_t len;
	size_t party;
	uint64_t sequence;
	uint8_t case_id[UUID_SIZE];
	uint64_t asked_ns; /* for the lease */
	bool over;         /* handed over, or not wanted: files go with the next sweep */
	bool keep;         /* ... what was fetched stays */
	bool given;        /* by fetch_next(): being taken */
	size_t count;
	struct transfer *transfers;
};

struct fetch {
	struct fetch_options options;
	struct waiting *first, **last; /* in order of arrival */
	size_t out;
	uint64_t mark;
	uint64_t paused_until;
	uint64_t told_ns;
	uint64_t fetched;
	uint64_t opened;      /* numbers of the files that are opened into */
	struct waiting *turn; /* whom a piece is asked for next */
};

static uint64_t now_ns(const struct fetch *fetch)
{
	return clock_mono_ns(fetch->options.clock);
}

int fetch_new(const struct fetch_options *options, struct fetch **ret)
{
	struct fetch *fetch = calloc(1, sizeof(*fetch));
	if (!fetch)
		return -ENOMEM;
	fetch->options = *options;
	fetch->last = &fetch->first;
	*ret = fetch;
	return 0;
}

static void waiting_free(struct waiting *waiting)
{
	for (size_t i = 0; i < waiting->count; i++)
		transfer_deinit(&waiting->transfers[i]);
	free(waiting->transfers);
	if (waiting->item)
		secret_wipe(waiting->item, waiting->len);
	free(waiting->item);
	free(waiting);
}

/* Take it out of the list. */
static void waiting_remove(struct fetch *fetch, struct waiting *waiting)
{
	struct waiting **at = &fetch->first;
	while (*at != waiting)
		at = &(*at)->next;
	*at = waiting->next;
	if (fetch->last == &waiting->next)
		fetch->last = at;
	if (fetch->turn == waiting)
		fetch->turn = waiting->next;
	waiting_free(waiting);
}

void fetch_free(struct fetch *fetch)
{
	if (!fetch)
		return;
	while (fetch->first)
		waiting_remove(fetch, fetch->first);
	free(fetch);
}

void fetch_restart(struct fetch *fetch)
{
	fetch->out = 0;
	fetch->mark = 0;
	fetch->paused_until = 0;
	for (struct waiting *w = fetch->first, *next; w; w = next) {
		next = w->next;
		if (!w->over)
			waiting_remove(fetch, w);
	}
}

static struct waiting *find(const struct fetch *fetch, size_t party, uint64_t sequence)
{
	for (struct waiting *w = fetch->first; w; w = w->next) {
		if (w->party == party && w->sequence == sequence && !w->over)
			return w;
	}
	return NULL;
}

/* Does an earlier one of its case wait? Then its turn has not come. */
static bool is_behind(
	const struct fetch *fetch, size_t party, uint64_t sequence, const uint8_t *case_id)
{
	for (const struct waiting *w = fetch->first; w; w = w->next) {
		if (!w->over && w->party == party && w->sequence < sequence &&
			memcmp(w->case_id, case_id, UUID_SIZE) == 0)
			return true;
	}
	return false;
}

/* ---- deliveries ---- */

static int item_copy(struct waiting *waiting, const Dienstweg__Item *item)
{
	waiting->len = dienstweg__item__get_packed_size(item);
	waiting->item = malloc(waiting->len);
	if (!waiting->item)
		return -ENOMEM;
	dienstweg__item__pack(item, waiting->item);
	return 0;
}

static int waiting_fill(struct fetch *fetch, struct waiting *waiting, const struct fetch_want *want)
{
	const Dienstweg__Header *header = want->header;
	waiting->party = want->party;
	waiting->sequence = want->item->sequence;
	memcpy(waiting->case_id, header->case_id.data, UUID_SIZE);
	waiting->transfers = calloc(header->n_attachments + 1, sizeof(waiting->transfers[0]));
	int r = waiting->transfers ? item_copy(waiting, want->item) : -ENOMEM;
	for (size_t i = 0; i < header->n_attachments && r == 0; i++, waiting->count++)
		r = transfer_init(&waiting->transfers[i], fetch->options.spool, ++fetch->opened,
			header->attachments[i], &want->keys[i]);
	return r;
}

static int waiting_new(struct fetch *fetch, const struct fetch_want *want)
{
	struct waiting *waiting = calloc(1, sizeof(*waiting));
	if (!waiting)
		return -ENOMEM;
	int r = waiting_fill(fetch, waiting, want);
	if (r) {
		waiting_free(waiting);
		return r;
	}
	waiting->asked_ns = now_ns(fetch);
	*fetch->last = waiting;
	fetch->last = &waiting->next;
	return FETCH_WAITING;
}

/* Return: 0 when all are there, FETCH_*. */
static int state_of(const struct waiting *waiting)
{
	int worst = 0;
	for (size_t i = 0; i < waiting->count; i++) {
		enum transfer_state state = waiting->transfers[i].state;
		if (state == TRANSFER_BROKEN)
			return FETCH_BROKEN;
		if (state == TRANSFER_MISSING)
			return FETCH_MISSING;
		if (state != TRANSFER_READY)
			worst = FETCH_WAITING;
	}
	return worst;
}

static void arrived_fill(const struct waiting *waiting, struct dw_arrived *ret)
{
	for (size_t i = 0; i < waiting->count; i++) {
		const struct transfer *transfer = &waiting->transfers[i];
		ret[i] = (struct dw_arrived){
			.name = transfer->key.name,
			.content_type = transfer->key.content_type,
			.size = transfer->key.size,
			.path = transfer->plain,
		};
	}
}

int fetch_look(struct fetch *fetch, const struct fetch_want *want, struct dw_arrived *ret)
{
	uint64_t sequence = want->item->sequence;
	struct waiting *waiting = find(fetch, want->party, sequence);
	if (!waiting && want->header->n_attachments == 0 &&
		(!fetch->first ||
			!is_behind(fetch, want->party, sequence, want->header->case_id.data)))
		return 0;
	if (!waiting)
		return waiting_new(fetch, want);
	int r = state_of(waiting);
	if (r == 0 && is_behind(fetch, want->party, sequence, waiting->case_id))
		r = FETCH_WAITING;
	if (r == 0)
		arrived_fill(waiting, ret);
	return r;
}

void fetch_over(struct fetch *fetch, size_t party, uint64_t sequence, bool keep)
{
	struct waiting *waiting = find(fetch, party, sequence);
	if (!waiting)
		return;
	waiting->over = true;
	waiting->keep = keep;
}

struct bytes fetch_next(struct fetch *fetch)
{
	for (struct waiting *w = fetch->first; w; w = w->next) {
		if (w->over || w->given || state_of(w) == FETCH_WAITING ||
			is_behind(fetch, w->party, w->sequence, w->case_id))
			continue;
		w->given = true; /* once: who does not want it says fetch_over() */
		return BYTES(w->item, w->len);
	}
	return BYTES(NULL, 0);
}

static bool is_needed(
	const struct fetch *fetch, const struct waiting *but, const uint8_t digest[HASH_SIZE])
{
	for (const struct waiting *w = fetch->first; w; w = w->next) {
		for (size_t i = 0; w != but && i < w->count; i++) {
			if (memcmp(w->transfers[i].digest, digest, HASH_SIZE) == 0)
				return true;
		}
	}
	return false;
}

void fetch_sweep(struct fetch *fetch)
{
	for (struct waiting *w = fetch->first, *next; w; w = next) {
		next = w->next;
		if (!w->over)
			continue;
		for (size_t i = 0; i < w->count && !w->keep; i++) {
			if (!is_needed(fetch, w, w->transfers[i].digest))
				spool_drop(
					fetch->options.spool, SPOOL_IN, w->transfers[i].digest, 0);
		}
		waiting_remove(fetch, w);
	}
}

/* ---- pieces ---- */

static ProtobufCBinaryData pb_text(const char *text)
{
	return (ProtobufCBinaryData){.len = strlen(text), .data = (uint8_t *)(uintptr_t)text};
}

static int ask(struct fetch *fetch, struct client *client, struct waiting *waiting, uint32_t index,
	uint64_t offset)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__GetBlob get = DIENSTWEG__GET_BLOB__INIT;
	get.party = pb_text(fetch->options.parties[waiting->party]);
	get.sequence = waiting->sequence;
	get.index = index;
	get.offset = offset;
	get.mark = fetch->mark;
	frame.body_case = DIENSTWEG__FRAME__BODY_GET_BLOB;
	frame.get_blob = &get;
	int r = client_send(client, &frame);
	if (r)
		return r;
	fetch->out++;
	waiting->asked_ns = now_ns(fetch);
	return 0;
}

/* Somebody else's delivery has the same attachment under way: one of them is enough. */
static bool is_under_way(const struct fetch *fetch, const struct waiting *but, const uint8_t *digest)
{
	for (const struct waiting *w = fetch->first; w && w != but; w = w->next) {
		for (size_t i = 0; i < w->count; i++) {
			if (memcmp(w->transfers[i].digest, digest, HASH_SIZE) == 0 &&
				w->transfers[i].state <= TRANSFER_OPENING)
				return true;
		}
	}
	return false;
}

/* All that the first ones may have on the disk; those behind wait for room. */
static bool has_room(const struct fetch *fetch, const struct waiting *until)
{
	uint64_t bytes = 0;
	for (const struct waiting *w = fetch->first; w; w = w->next) {
		for (size_t i = 0; i < w->count; i++)
			bytes += w->transfers[i].size;
		if (w == until)
			return w == fetch->first || bytes <= fetch->options.bytes_max;
	}
	return false;
}

/* Return: 0 when a piece was asked for, ASK_NONE when there is none to ask for, else as client_send(). */
static int ask_next(struct fetch *fetch, struct client *client, struct waiting *waiting)
{
	if (waiting->over || !has_room(fetch, waiting))
		return ASK_NONE;
	for (size_t i = 0; i < waiting->count; i++) {
		struct transfer *transfer = &waiting->transfers[i];
		if (transfer->state != TRANSFER_FETCHING || transfer->asked >= transfer->size ||
			is_under_way(fetch, waiting, transfer->digest))
			continue;
		if (transfer_begin(transfer) != 0)
			continue;
		if (transfer->state != TRANSFER_FETCHING)
			continue;
		int r = ask(fetch, client, waiting, (uint32_t)i, transfer->asked);
		if (r)
			return r;
		transfer->asked += ATTACHMENT_PIECE;
		transfer->out++;
		return 0;
	}
	return ASK_NONE;
}

/* A lease that nothing is fetched for at the moment. */
static int leases_keep(struct fetch *fetch, struct client *client)
{
	uint64_t now = now_ns(fetch);
	for (struct waiting *w = fetch->first; w; w = w->next) {
		if (w->over || now - w->asked_ns < KEEP_ALIVE_MS * UINT64_C(1000000))
			continue;
		int r = ask(fetch, client, w, DW_ATTACHMENTS_MAX, 0); /* there is none: "unknown" */
		if (r)
			return r < 0 ? r : 0;
	}
	return 0;
}

static size_t waiting_count(const struct fetch *fetch)
{
	size_t count = 0;
	for (const struct waiting *w = fetch->first; w; w = w->next)
		count++;
	return count;
}

int fetch_flush(struct fetch *fetch, struct client *client)
{
	if (!fetch->first || client_state(client) != CLIENT_READY)
		return 0;
	int r = leases_keep(fetch, client);
	size_t idle = 0, count = waiting_count(fetch);
	if (r || now_ns(fetch) < fetch->paused_until)
		return r;
	while (fetch->out < OUT_MAX && idle < count) {
		if (!fetch->turn)
			fetch->turn = fetch->first;
		r = ask_next(fetch, client, fetch->turn);
		if (r != 0 && r != ASK_NONE)
			return r < 0 ? r : 0;
		idle = r == ASK_NONE ? idle + 1 : 0;
		fetch->turn = fetch->turn->next;
	}
	return 0;
}

static void pause_until(struct fetch *fetch, uint64_t ms)
{
	if (ms > RETRY_MAX_MS)
		ms = RETRY_MAX_MS;
	fetch->paused_until = now_ns(fetch) + ms * UINT64_C(1000000);
}

static void tell(struct fetch *fetch, const struct transfer *transfer)
{
	bool all = transfer->have == transfer->size;
	struct dw_progress progress = {DW_FETCHED, transfer->have, transfer->size};
	if (fetch->options.progress)
		fetch->options.progress(fetch->options.context, &progress);
	fetch->fetched += all;
	if (!all && now_ns(fetch) - fetch->told_ns < TELL_MS * UINT64_C(1000000))
		return;
	fetch->told_ns = now_ns(fetch);
	log_info("attachments", all ? "an attachment is here" : "fetching an attachment",
		F_HEX("digest", BYTES(transfer->digest, HASH_SIZE)), F_U64("bytes", transfer->have),
		F_U64("of", transfer->size));
}

static void piece_take(
	struct fetch *fetch, struct transfer *transfer, const Dienstweg__BlobData *frame)
{
	struct bytes reason = BYTES_PB(frame->reason);
	if (reason.len == 0) {
		int r = transfer_append(transfer, frame->offset, BYTES_PB(frame->data));
		if (r < 0) {
			log_error("attachments",
				"no room for an attachment that arrives, or the disk fails: make "
				"room in the state folder",
				F_ERR(r));
			pause_until(fetch, DISK_FULL_MS);
		} else if (r == 0) {
			tell(fetch, transfer);
		}
	} else if (bytes_equal(reason, BYTES_STR("busy"))) {
		pause_until(fetch, frame->retry_ms);
	} else {
		log_error("attachments", "the broker does not have an attachment of a delivery",
			F_U64("sequence", frame->sequence), F_BYTES("reason", reason));
		transfer->state = TRANSFER_MISSING;
	}
	/* What was lost on the way is asked for again, once nothing of it is under way. */
	if (transfer->out == 0 && transfer->asked > transfer->have)
		transfer->asked = transfer->have;
}

void fetch_data(struct fetch *fetch, const Dienstweg__BlobData *frame)
{
	if (fetch->out > 0)
		fetch->out--;
	if (frame->mark)
		fetch->mark = frame->mark;
	for (struct waiting *w = fetch->first; w; w = w->next) {
		if (w->over || w->sequence != frame->sequence || frame->index >= w->count ||
			!bytes_equal(BYTES_PB(frame->party),
				BYTES_STR(fetch->options.parties[w->party])))
			continue;
		struct transfer *transfer = &w->transfers[frame->index];
		if (transfer->out > 0)
			transfer->out--;
		if (transfer->state == TRANSFER_FETCHING)
			piece_take(fetch, transfer, frame);
		return;
	}
}

/* ---- opening ---- */

static struct transfer *opening(const struct fetch *fetch)
{
	for (const struct waiting *w = fetch->first; w; w = w->next) {
		for (size_t i = 0; !w->over && i < w->count; i++) {
			if (w->transfers[i].state == TRANSFER_OPENING)
				return &w->transfers[i];
		}
	}
	return NULL;
}

void fetch_step(struct fetch *fetch)
{
	struct transfer *transfer = opening(fetch);
	if (!transfer)
		return;
	int r = transfer_open_some(transfer);
	if (r < 0) {
		log_error("attachments", "an attachment cannot be written: make room on the disk",
			F_ERR(r));
		pause_until(fetch, DISK_FULL_MS);
		return;
	}
	struct dw_progress progress = {DW_OPENED, transfer->opened, transfer->key.size};
	if (fetch->options.progress)
		fetch->options.progress(fetch->options.context, &progress);
	if (transfer->state == TRANSFER_BROKEN)
		log_error("attachments", "an attachment is not what its message says",
			F_HEX("digest", BYTES(transfer->digest, HASH_SIZE)));
}

bool fetch_is_busy(const struct fetch *fetch)
{
	return opening(fetch) != NULL && now_ns(fetch) >= fetch->paused_until;
}

int fetch_timeout_ms(const struct fetch *fetch)
{
	uint64_t now = now_ns(fetch);
	if (!fetch->first || fetch->paused_until <= now)
		return -1;
	return (int)((fetch->paused_until - now) / 1000000u + 1);
}

void fetch_counts(const struct fetch *fetch, struct fetch_counts *ret)
{
	*ret = (struct fetch_counts){.fetched = fetch->fetched};
	for (const struct waiting *w = fetch->first; w; w = w->next) {
		ret->waiting += !w->over;
		for (size_t i = 0; !w->over && i < w->count; i++) {
			ret->done += w->transfers[i].have;
			ret->total += w->transfers[i].size;
		}
	}
}
