/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * How long receipts wait is measured in marks of ten seconds: the largest tree under which receipts came in
 * that time. A row per receipt would cost a write for each, twice, to tell the same. The oldest mark is kept in the
 * store: an adapter that is started anew every five minutes must not wait for ten without ever saying so.
 */
#include "adapters/sdk/final.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/base/log.h"
#include "proto/note/cosignature.h"

enum {
	ASK_MS = 2000,
	MARK_MS = 10 * 1000,
	MARKS_MAX = FINAL_PATIENCE_MS / MARK_MS + 2,
	TELL_MS = 10 * 60 * 1000,
};
#define STORE_NAME BYTES_STR("checkpoint final")
#define WAITS_NAME BYTES_STR("final waits")

struct mark {
	uint64_t size;
	uint64_t since_ns;
};

struct final {
	struct final_options options;
	struct head head;
	size_t marks_count;
	struct mark marks[MARKS_MAX]; /* oldest first, beyond `head` */
	uint64_t marked;              /* size up to which receipts have a mark */
	struct mark kept;             /* in the store; size 0: none */
	uint64_t asked_ns;            /* 0: never */
	uint64_t told_ns;
};

static uint64_t ms_since(const struct final *final, uint64_t then_ns)
{
	return (clock_mono_ns(final->options.clock) - then_ns) / 1000000u;
}

bool final_is_asked(const struct final *final)
{
	return trust_policy(final->options.trust)->witness_quorum > 0;
}

uint64_t final_size(const struct final *final)
{
	return final->head.set ? final->head.checkpoint.size : 0;
}

uint64_t final_waiting_seconds(const struct final *final)
{
	return final->marks_count ? ms_since(final, final->marks[0].since_ns) / 1000 : 0;
}

/* ---- opening ---- */

int final_read(struct store *store, struct head *ret)
{
	struct bytes note;
	*ret = (struct head){};
	int r = store_get(store, STORE_META, STORE_NAME, &note);
	return r ? r : head_restore(ret, note);
}

static struct bytes before_name(uint32_t epoch, char buf[40])
{
	snprintf(buf, 40, "checkpoint final %" PRIu32, epoch);
	return BYTES_STR(buf);
}

int final_read_before(struct store *store, uint32_t epoch, struct head *ret)
{
	char name[40];
	struct bytes note;
	*ret = (struct head){};
	int r = store_get(store, STORE_META, before_name(epoch, name), &note);
	return r ? r : head_restore(ret, note);
}

int final_cross(struct final *final, uint32_t before, uint64_t kept)
{
	char name[40];
	struct store *store = final->options.store;
	int r = 0;
	if (final_size(final) > kept) {
		r = store_put(store, STORE_META, before_name(before, name), head_note(&final->head));
		if (r == 0)
			r = store_delete(store, STORE_META, STORE_NAME);
		final->head.set = false;
	}
	final->marks_count = 0;
	final->marked = final_size(final);
	return r;
}

/* u64be size, u64be wall clock since when it waits. That clock may have been set: it never waits less than nothing. */
static int waits_read(struct final *final)
{
	const struct clock *clock = final->options.clock;
	uint64_t now_ms = clock_wall_ms(clock);
	struct bytes row;
	int r = store_get(final->options.store, STORE_META, WAITS_NAME, &row);
	if (r)
		return r == STORE_NOT_FOUND ? 0 : r;
	if (row.len != 16)
		return -EBADMSG;
	uint64_t size = be64_get(row.data), since_ms = be64_get(row.data + 8);
	uint64_t waited_ms = since_ms < now_ms ? now_ms - since_ms : 0;
	final->kept = (struct mark){size, clock_mono_ns(clock) - waited_ms * 1000000u};
	if (size > final_size(final))
		final->marks[final->marks_count++] = final->kept;
	return 0;
}

static int waits_save(struct final *final)
{
	const struct mark oldest = final->marks_count ? final->marks[0] : (struct mark){};
	uint8_t row[16];
	if (oldest.size == final->kept.size && oldest.since_ns == final->kept.since_ns)
		return 0;
	final->kept = oldest;
	if (oldest.size == 0)
		return store_delete(final->options.store, STORE_META, WAITS_NAME);
	be64_put(row, oldest.size);
	be64_put(row + 8, clock_wall_ms(final->options.clock) - ms_since(final, oldest.since_ns));
	return store_put(final->options.store, STORE_META, WAITS_NAME, BYTES(row, sizeof(row)));
}

int final_open(const struct final_options *options, struct final **ret, char *reterr, size_t size)
{
	_cleanup_(final_free) struct final *final = calloc(1, sizeof(*final));
	if (!final)
		return -ENOMEM;
	final->options = *options;
	int r = final_read(options->store, &final->head);
	if (r == STORE_NOT_FOUND)
		r = 0;
	if (r == 0)
		r = waits_read(final);
	if (r == 0)
		r = store_commit(options->store);
	if (r) {
		snprintf(reterr, size, "the final checkpoint in the store: %s", strerrordesc_np(-r));
		return r;
	}
	final->marked = final->marks_count ? final->kept.size : final_size(final);
	*ret = steal(&final);
	return 0;
}

void final_free(struct final *final)
{
	free(final);
}

/* ---- what waits ---- */

static void marks_set(struct final *final)
{
	uint64_t size = trust_rested_size(final->options.trust);
	struct mark *last = final->marks_count ? &final->marks[final->marks_count - 1] : NULL;
	if (size <= final->marked)
		return;
	final->marked = size;
	if (last && (final->marks_count == MARKS_MAX || ms_since(final, last->since_ns) < MARK_MS))
		last->size = size;
	else
		final->marks[final->marks_count++] = (struct mark){
			size, clock_mono_ns(final->options.clock)};
}

static void marks_clear(struct final *final)
{
	size_t done = 0;
	while (done < final->marks_count && final->marks[done].size <= final_size(final))
		done++;
	final->marks_count -= done;
	memmove(final->marks, final->marks + done, final->marks_count * sizeof(final->marks[0]));
}

static void marks_tell(struct final *final)
{
	if (final->marks_count == 0 ||
		ms_since(final, final->marks[0].since_ns) < FINAL_PATIENCE_MS ||
		(final->told_ns && ms_since(final, final->told_ns) < TELL_MS))
		return;
	final->told_ns = clock_mono_ns(final->options.clock);
	log_error("final",
		"ALARM: receipts are not final: no quorum of witnesses has cosigned a checkpoint "
		"at "
		"or beyond theirs; traffic goes on, ask the operators of bus and witnesses",
		F_U64("seconds", final_waiting_seconds(final)), F_U64("final", final_size(final)),
		F_U64("receipts_to", final->marked));
}

/* ---- the conversation ---- */

int final_take(struct final *final, const Dienstweg__CheckpointFrame *frame)
{
	struct bytes note = BYTES_PB(frame->checkpoint);
	struct checkpoint checkpoint;
	struct cosignatures judged;
	if (!final_is_asked(final) || note.len == 0 || note.len > HEAD_NOTE_MAX ||
		head_parse(note, &checkpoint) != 0 || checkpoint.size <= final_size(final) ||
		!trust_is_current(final->options.trust, &checkpoint))
		return 0; /* one of an epoch that is over: the broker has no newer one yet */
	int r = cosignatures_judge(note, trust_policy(final->options.trust), &judged);
	if (r == NOTE_BAD_SIGNATURE)
		log_error("final", "a cosignature under the broker's checkpoint does not verify",
			F_U64("size", checkpoint.size));
	if (r != 0 || !judged.quorum)
		return 0; /* final by the broker's witnesses perhaps, not by ours */
	return trust_aside(final->options.trust, HEADS_COSIGNED, note);
}

int final_save(struct final *final)
{
	const struct head *linked = trust_linked(final->options.trust, HEADS_COSIGNED);
	int r = 0;
	if (linked && linked->checkpoint.size > final_size(final)) {
		final->head = *linked;
		log_debug("final", "receipts are final", F_U64("up_to", final_size(final)));
		r = store_put(final->options.store, STORE_META, STORE_NAME, head_note(linked));
	}
	if (final_is_asked(final))
		marks_set(final);
	marks_clear(final);
	return r ? r : waits_save(final);
}

int final_step(struct final *final, struct client *client)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__GetCheckpoint question = DIENSTWEG__GET_CHECKPOINT__INIT;
	if (!final_is_asked(final))
		return 0;
	marks_set(final);
	marks_tell(final);
	if (final->marks_count == 0 || client_state(client) != CLIENT_READY ||
		(final->asked_ns && ms_since(final, final->asked_ns) < ASK_MS))
		return 0;
	question.cosigned = true;
	frame.body_case = DIENSTWEG__FRAME__BODY_GET_CHECKPOINT;
	frame.get_checkpoint = &question;
	int r = client_send(client, &frame);
	if (r == 0)
		final->asked_ns = clock_mono_ns(final->options.clock);
	return r < 0 ? r : 0;
}
