/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Attachments go through the reactor piece by piece and through a thread of their own, the porter, that reads
 * and writes files: a second clerk. How much of them may be in memory is bounded three times: by what a
 * session may have under way each way, by what the porter takes at all, and, towards a peer that does not
 * read, by marks: a piece that was sent counts until a later request repeats its mark, which nobody can who
 * has not read it.
 */
#include "broker/transport/room.h"

#include <errno.h>
#include <stdlib.h>

#include "broker/field.h"
#include "proto/base/log.h"
#include "proto/envelope/envelope.h"

enum {
	PUTS_MAX = 8,                /* pieces of a session under way; its window */
	PUTS_IGNORED_MAX = 64 << 20, /* bytes; then it is a flooder */
	RETRY_FULL_MS = 10000,
	SWEEP_MS = 60000,
};

struct blob_errand {
	struct errand errand; /* first */
	struct transport *transport;
	uint32_t slot;
	uint64_t serial;
	int result;
	struct blob_upload upload; /* PutBlob */
	struct blob_state state;
	struct blob_hashing *hashing;
	struct blob_piece piece; /* GetBlob */
	bool more;               /* sweep */
	struct blob_counts counts;
	uint64_t offset;
	size_t len;
	uint8_t data[];
};

static void blob_errand_free(struct blob_errand *errand)
{
	if (!errand)
		return;
	free(errand->hashing);
	free(errand);
}
DEFINE_CLEANUP(struct blob_errand *, blob_errand_free);

static struct blob_errand *errand_new(
	struct transport *transport, const struct session *session, size_t room)
{
	struct blob_errand *errand = calloc(1, sizeof(*errand) + room);
	if (!errand)
		return NULL;
	errand->transport = transport;
	errand->slot = session ? session->slot : 0;
	errand->serial = session ? session->serial : 0;
	return errand;
}

/* The party of the session that a frame names, or NULL. */
static const char *party_of(const struct session *session, struct bytes name)
{
	for (size_t i = 0; i < session->outlet.count; i++) {
		if (bytes_equal(BYTES_STR(session->outlet.recipients[i]->name), name))
			return session->outlet.recipients[i]->name;
	}
	return NULL;
}

/* A disk that fails concerns whoever uses attachments, and nobody else: the broker goes on. */
static void failure_log(const struct blob_errand *errand, const char *what)
{
	if (transport_tells(errand->transport, errand->upload.party))
		log_error(
			"blobs", what, F_STR("party", errand->upload.party), F_ERR(errand->result));
}

/* ---- PutBlob ---- */

static void stored_send(struct transport *transport, struct session *session,
	const struct blob_upload *upload, const struct blob_state *state, const char *reason,
	uint32_t retry_ms)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__BlobStored body = DIENSTWEG__BLOB_STORED__INIT;
	bool crowded = clerk_out(transport->options.porter) > PORTER_ERRANDS_MAX / 2;
	body.party = field_text(upload->party);
	body.digest = field_bytes(BYTES(upload->digest, HASH_SIZE));
	body.offset = state->offset;
	body.window = (uint64_t)(crowded ? 1 : PUTS_MAX) * BLOB_PIECE_MAX;
	body.complete = state->complete;
	body.reason = field_text(reason);
	body.retry_ms = retry_ms;
	frame.body_case = DIENSTWEG__FRAME__BODY_BLOB_STORED;
	frame.blob_stored = &body;
	transport->counters.blob_put_off += reason[0] != '\0';
	transport_send(transport, session, &frame);
}

static void put_run(struct errand *base, struct journal_reader *reader)
{
	struct blob_errand *errand = (struct blob_errand *)base;
	struct blob_store *blobs = errand->transport->options.blobs;
	journal_reader_end(reader); /* nothing to look up, and writing may take its time */
	if (errand->hashing)
		errand->result = blob_hash_step(
			blobs, &errand->upload, errand->hashing, &errand->state);
	else
		errand->result = blob_put(blobs, &errand->upload, errand->offset,
			BYTES(errand->data, errand->len), &errand->state);
}

static void put_answer(
	struct transport *transport, struct session *session, const struct blob_errand *errand)
{
	static const char *const reasons[] = {
		[0] = "",
		[BLOB_OFFSET] = "offset",
		[BLOB_FULL] = "full",
		[BLOB_QUOTA] = "quota",
		[BLOB_DIGEST] = "digest",
		[BLOB_SIZE] = "size",
	};
	bool full = errand->result == BLOB_FULL || errand->result == BLOB_QUOTA ||
		    errand->result < 0;
	if (errand->result < 0)
		failure_log(errand, "a piece of an attachment cannot be stored");
	transport->counters.blob_pieces_in += errand->result == 0 && errand->len > 0;
	stored_send(transport, session, &errand->upload, &errand->state,
		errand->result < 0 ? "full" : reasons[errand->result],
		full                  ? RETRY_FULL_MS
		: errand->result == 0 ? 0
				      : BUSY_RETRY_MS);
}

static void put_done(struct errand *base)
{
	_cleanup_(blob_errand_free) struct blob_errand *errand = (struct blob_errand *)base;
	struct transport *transport = errand->transport;
	struct session *session = sessions_at(transport->sessions, errand->slot, errand->serial);
	if (base->result < 0) {
		transport->options.failed(transport->options.failed_context, base->result);
		return;
	}
	if (errand->result == BLOB_HASHING && session && !transport->draining) {
		if (!errand->hashing)
			errand->hashing = blob_hashing_new();
		if (errand->hashing && clerk_send(transport->options.porter, base) == 0) {
			(void)steal(&errand);
			return;
		}
		errand->state.offset = 0;
	}
	if (!session)
		return;
	session->blob_puts--;
	/* All is there, but nobody could read it once more: the next question tries again. */
	if (errand->result == BLOB_HASHING)
		stored_send(transport, session, &errand->upload, &errand->state, "busy",
			DRAINING_RETRY_MS);
	else
		put_answer(transport, session, errand);
}

/* Return: false when the frame cannot be meant. */
static bool put_read(
	const struct session *session, const Dienstweg__PutBlob *frame, struct blob_upload *ret)
{
	const char *party = party_of(session, BYTES_PB(frame->party));
	if (!party || frame->digest.len != HASH_SIZE || frame->size == 0 ||
		frame->size > ATTACHMENT_BYTES_MAX || frame->offset > frame->size ||
		frame->data.len > BLOB_PIECE_MAX || frame->data.len > frame->size - frame->offset)
		return false;
	/* Whole pieces but for the last: small ones would cost as much. */
	if (frame->data.len > 0 && frame->data.len < BLOB_PIECE_MAX &&
		frame->data.len != frame->size - frame->offset)
		return false;
	*ret = (struct blob_upload){.size = frame->size};
	memcpy(ret->party, party, strlen(party));
	memcpy(ret->digest, frame->digest.data, HASH_SIZE);
	return true;
}

/* More than it was granted: not read, and after a while not borne. */
static void put_ignore(struct transport *transport, struct session *session,
	const struct incoming *incoming, const struct blob_upload *upload)
{
	session->blob_ignored += incoming->raw->payload.len;
	if (session->blob_ignored > PUTS_IGNORED_MAX)
		transport_shut_out(transport, session, incoming,
			"pieces of attachments came on and on beyond the window: keep to "
			"BlobStored.window");
	else
		stored_send(
			transport, session, upload, &(struct blob_state){0}, "busy", BUSY_RETRY_MS);
}

void put_blob_handle(struct transport *transport, struct session *session, struct incoming *incoming)
{
	const Dienstweg__PutBlob *frame = incoming->frame->put_blob;
	struct blob_upload upload;
	if (!put_read(session, frame, &upload)) {
		transport->counters.malformed++;
		session_error(transport, session, "malformed", "put_blob",
			"party of this session, digest of 32 bytes, size of 1 to 2 GiB, pieces of "
			"65,536 "
			"bytes but for the last, none beyond the size");
		return;
	}
	if (session->blob_puts >= PUTS_MAX) {
		put_ignore(transport, session, incoming, &upload);
		return;
	}
	_cleanup_(blob_errand_free) struct blob_errand *errand = errand_new(
		transport, session, frame->data.len);
	if (errand) {
		errand->errand = (struct errand){.run = put_run, .done = put_done};
		errand->upload = upload;
		errand->offset = frame->offset;
		errand->len = frame->data.len;
		if (errand->len > 0)
			memcpy(errand->data, frame->data.data, errand->len);
	}
	if (!errand || transport->draining ||
		clerk_send(transport->options.porter, &errand->errand) != 0) {
		stored_send(transport, session, &upload, &(struct blob_state){0}, "busy",
			BUSY_RETRY_MS);
		return;
	}
	session->blob_puts++;
	(void)steal(&errand);
}

/* ---- GetBlob ---- */

static void data_send(struct transport *transport, struct session *session,
	const struct blob_piece *piece, struct bytes data, const char *reason)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__BlobData body = DIENSTWEG__BLOB_DATA__INIT;
	body.party = field_text(piece->party);
	body.sequence = piece->sequence;
	body.index = piece->index;
	body.offset = piece->offset;
	body.data = field_bytes(data);
	body.reason = field_text(reason);
	body.retry_ms = strcmp(reason, "busy") == 0 ? BUSY_RETRY_MS : 0;
	if (data.len > 0) {
		random_fill(&body.mark, sizeof(body.mark));
		body.mark |= 1; /* 0 says: none yet */
		session->blob_marks[session->blob_marks_count++] = body.mark;
		transport->counters.blob_pieces_out++;
	}
	frame.body_case = DIENSTWEG__FRAME__BODY_BLOB_DATA;
	frame.blob_data = &body;
	transport_send(transport, session, &frame);
}

static void get_run(struct errand *base, struct journal_reader *reader)
{
	struct blob_errand *errand = (struct blob_errand *)base;
	errand->result = blob_get(errand->transport->options.blobs, reader, &errand->piece,
		errand->data, &errand->len);
}

static void get_done(struct errand *base)
{
	_cleanup_(blob_errand_free) struct blob_errand *errand = (struct blob_errand *)base;
	struct transport *transport = errand->transport;
	struct session *session = sessions_at(transport->sessions, errand->slot, errand->serial);
	if (base->result < 0) {
		transport->options.failed(transport->options.failed_context, base->result);
		return;
	}
	if (!session)
		return;
	session->blob_gets--;
	bool unreadable = errand->result < 0 || errand->result == BLOB_ABSENT ||
			  (errand->result == 0 && errand->len == 0);
	if (unreadable && transport_tells(transport, session->speaker))
		log_error("blobs", "an attachment that the journal names cannot be read",
			F_U64("sequence", errand->piece.sequence),
			F_U64("index", errand->piece.index), F_ERR(errand->result));
	if (errand->result == 0 && errand->len > 0)
		data_send(transport, session, &errand->piece, BYTES(errand->data, errand->len), "");
	else
		data_send(transport, session, &errand->piece, BYTES(NULL, 0),
			errand->result == BLOB_UNKNOWN  ? "unknown"
			: errand->result == BLOB_ERASED ? "erased"
							: "missing");
}

/* Everything up to the piece with this mark has been read. */
static void marks_take(struct session *session, uint64_t mark)
{
	uint32_t read = 0;
	for (uint32_t i = 0; i < session->blob_marks_count; i++) {
		if (session->blob_marks[i] == mark)
			read = i + 1;
	}
	session->blob_marks_count -= read;
	memmove(session->blob_marks, session->blob_marks + read,
		session->blob_marks_count * sizeof(session->blob_marks[0]));
}

void get_blob_handle(struct transport *transport, struct session *session, struct incoming *incoming)
{
	const Dienstweg__GetBlob *frame = incoming->frame->get_blob;
	const char *party = party_of(session, BYTES_PB(frame->party));
	if (!party) {
		transport->counters.malformed++;
		session_error(transport, session, "malformed", "get_blob",
			"party: name one of this session's");
		return;
	}
	struct blob_piece piece = {
		.sequence = frame->sequence, .index = frame->index, .offset = frame->offset};
	memcpy(piece.party, party, strlen(party));
	delivery_fetching(&session->outlet, BYTES_STR(party), frame->sequence);
	marks_take(session, frame->mark);
	_cleanup_(blob_errand_free) struct blob_errand *errand = NULL;
	if (session->blob_marks_count + session->blob_gets < BLOB_MARKS_MAX)
		errand = errand_new(transport, session, BLOB_PIECE_MAX);
	if (errand) {
		errand->errand = (struct errand){.run = get_run, .done = get_done};
		errand->piece = piece;
	}
	if (!errand || clerk_send(transport->options.porter, &errand->errand) != 0) {
		data_send(transport, session, &piece, BYTES(NULL, 0), "busy");
		return;
	}
	session->blob_gets++;
	(void)steal(&errand);
}

/* ---- what nobody needs any more ---- */

static void sweep_run(struct errand *base, struct journal_reader *reader)
{
	struct blob_errand *errand = (struct blob_errand *)base;
	struct transport *transport = errand->transport;
	errand->more = false;
	errand->result = blob_sweep(transport->options.blobs, reader,
		clock_wall_ms(transport->options.clock), &errand->more);
	blob_counts(transport->options.blobs, &errand->counts);
}

static void sweep_done(struct errand *base)
{
	_cleanup_(blob_errand_free) struct blob_errand *errand = (struct blob_errand *)base;
	struct transport *transport = errand->transport;
	if (base->result < 0) {
		transport->options.failed(transport->options.failed_context, base->result);
		return;
	}
	if (errand->result < 0)
		log_error("blobs", "the folder of attachments cannot be looked through",
			F_ERR(errand->result));
	transport->counters.blobs = errand->counts;
	if (errand->result == 0 && errand->more && !transport->draining &&
		clerk_send(transport->options.porter, base) == 0)
		(void)steal(&errand);
	else
		transport->sweeping = false;
}

void blob_tick(struct transport *transport, uint64_t now_ns)
{
	struct erase_stats erase;
	journal_erase_stats(transport->options.journal, &erase);
	bool due = transport->swept_ns == 0 ||
		   now_ns - transport->swept_ns >= SWEEP_MS * UINT64_C(1000000) ||
		   erase.finished_ms != transport->swept_erase;
	if (!due || transport->sweeping || transport->draining || transport->hold.on)
		return;
	_cleanup_(blob_errand_free) struct blob_errand *errand = errand_new(transport, NULL, 0);
	if (!errand)
		return;
	errand->errand = (struct errand){.run = sweep_run, .done = sweep_done};
	if (clerk_send(transport->options.porter, &errand->errand) != 0)
		return;
	transport->sweeping = true;
	transport->swept_ns = now_ns;
	transport->swept_erase = erase.finished_ms;
	(void)steal(&errand);
}
