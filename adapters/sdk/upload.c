/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Every piece is answered, so the pieces out are counted, not timed. When one was not taken, those behind it
 * were not either: all answers are waited for, and then the broker is asked where it stands.
 */
#include "adapters/sdk/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/base/log.h"
#include "proto/sealing/attachment.h"

enum {
	WANTS_MAX = 64,
	OUT_MAX = 8, /* pieces under way, whatever window the broker grants */
	RETRY_MIN_MS = 50,
	RETRY_MAX_MS = 60000,
	DAMAGED_MS = 60000,
	TELL_MS = 10000,
};

struct want {
	char party[64];
	uint8_t digest[HASH_SIZE];
	uint64_t size;
};

struct upload {
	struct upload_options options;
	struct want wants[WANTS_MAX]; /* the first is under way */
	size_t count;
	int fd;
	bool asked; /* how much is there, in this session */
	bool known; /* and it was answered */
	bool again; /* a piece was not taken: ask once the rest is answered */
	size_t out; /* not answered */
	uint64_t there, sent, window;
	uint64_t paused_until; /* monotonic ns */
	uint64_t told_ns;
	uint64_t uploaded;
	uint8_t buf[ATTACHMENT_PIECE];
};

static uint64_t now_ns(const struct upload *upload)
{
	return clock_mono_ns(upload->options.clock);
}

int upload_new(const struct upload_options *options, struct upload **ret)
{
	struct upload *upload = calloc(1, sizeof(*upload));
	if (!upload)
		return -ENOMEM;
	upload->options = *options;
	upload->fd = -1;
	*ret = upload;
	return 0;
}

void upload_free(struct upload *upload)
{
	if (!upload)
		return;
	fd_close_at(&upload->fd);
	free(upload);
}

void upload_want(
	struct upload *upload, struct bytes party, const uint8_t digest[HASH_SIZE], uint64_t size)
{
	for (size_t i = 0; i < upload->count; i++) {
		if (memcmp(upload->wants[i].digest, digest, HASH_SIZE) == 0)
			return;
	}
	if (upload->count == WANTS_MAX || party.len >= sizeof(upload->wants[0].party))
		return;
	struct want *want = &upload->wants[upload->count++];
	*want = (struct want){.size = size};
	memcpy(want->party, party.data, party.len);
	memcpy(want->digest, digest, HASH_SIZE);
}

static void begin_anew(struct upload *upload)
{
	upload->asked = upload->known = upload->again = false;
	upload->there = upload->sent = 0;
}

void upload_restart(struct upload *upload)
{
	begin_anew(upload);
	upload->out = 0;
	upload->paused_until = 0;
}

/* The first one is over; the next one's turn. */
static void next(struct upload *upload)
{
	fd_close_at(&upload->fd);
	memmove(upload->wants, upload->wants + 1, --upload->count * sizeof(upload->wants[0]));
	begin_anew(upload);
}

/* ---- out ---- */

static ProtobufCBinaryData pb(const void *data, size_t len)
{
	return (ProtobufCBinaryData){.len = len, .data = (uint8_t *)(uintptr_t)data};
}

/* Return: as client_send(). */
static int piece_send(struct upload *upload, struct client *client, uint64_t offset, size_t len)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__PutBlob put = DIENSTWEG__PUT_BLOB__INIT;
	const struct want *want = &upload->wants[0];
	put.party = pb(want->party, strlen(want->party));
	put.digest = pb(want->digest, HASH_SIZE);
	put.size = want->size;
	put.offset = offset;
	put.data = pb(upload->buf, len);
	frame.body_case = DIENSTWEG__FRAME__BODY_PUT_BLOB;
	frame.put_blob = &put;
	int r = client_send(client, &frame);
	if (r == 0)
		upload->out++;
	return r;
}

static int file_open(struct upload *upload)
{
	char path[PATH_MAX];
	int r = spool_path(upload->options.spool, SPOOL_OUT, upload->wants[0].digest, 0, path);
	if (r)
		return r;
	upload->fd = open(path, O_RDONLY | O_CLOEXEC);
	return upload->fd < 0 ? -errno : 0;
}

static int piece_read(struct upload *upload, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pread(
			upload->fd, upload->buf + done, len - done, (off_t)(upload->sent + done));
		if (n <= 0)
			return n == 0 ? -ENODATA : -errno;
		done += (size_t)n;
	}
	return 0;
}

/* Its message was answered meanwhile, or somebody was in the state folder. */
static void file_lost(struct upload *upload, int error)
{
	log_error("attachments",
		error == -ENOENT ? "a sealed attachment that the broker misses is not here any "
				   "more: send its "
				   "message anew"
				 : "a sealed attachment cannot be read",
		F_HEX("digest", BYTES(upload->wants[0].digest, HASH_SIZE)), F_ERR(error));
	next(upload);
}

static int pieces_send(struct upload *upload, struct client *client)
{
	while (upload->known && !upload->again && upload->out < OUT_MAX &&
		upload->sent < upload->wants[0].size &&
		upload->sent - upload->there < upload->window) {
		uint64_t left = upload->wants[0].size - upload->sent;
		size_t len = left < ATTACHMENT_PIECE ? (size_t)left : ATTACHMENT_PIECE;
		int r = upload->fd < 0 ? file_open(upload) : 0;
		if (r == 0)
			r = piece_read(upload, len);
		if (r) {
			file_lost(upload, r);
			return 0;
		}
		r = piece_send(upload, client, upload->sent, len);
		if (r)
			return r < 0 ? r : 0;
		upload->sent += len;
	}
	return 0;
}

int upload_flush(struct upload *upload, struct client *client)
{
	if (upload->count == 0 || client_state(client) != CLIENT_READY ||
		now_ns(upload) < upload->paused_until)
		return 0;
	if (upload->again && upload->out == 0)
		begin_anew(upload);
	if (!upload->asked) {
		if (upload->out > 0)
			return 0; /* of the one before */
		int r = piece_send(upload, client, 0, 0);
		upload->asked = r == 0;
		return r < 0 ? r : 0;
	}
	return pieces_send(upload, client);
}

int upload_timeout_ms(const struct upload *upload)
{
	uint64_t now = now_ns(upload);
	if (upload->count == 0 || upload->paused_until <= now)
		return -1;
	return (int)((upload->paused_until - now) / 1000000u + 1);
}

/* ---- in ---- */

static void tell(struct upload *upload, bool now)
{
	struct dw_progress progress = {DW_SENT, upload->there, upload->wants[0].size};
	if (upload->options.progress)
		upload->options.progress(upload->options.context, &progress);
	if (!now && now_ns(upload) - upload->told_ns < TELL_MS * UINT64_C(1000000))
		return;
	upload->told_ns = now_ns(upload);
	log_info("attachments", now ? "an attachment is at the broker" : "sending an attachment",
		F_HEX("digest", BYTES(upload->wants[0].digest, HASH_SIZE)),
		F_U64("bytes", progress.done), F_U64("of", progress.total));
}

/* Why a piece was not taken; people have to do something only about some of it. */
static void reason_log(const struct upload *upload, struct bytes reason, uint64_t ms)
{
	struct bytes digest = BYTES(upload->wants[0].digest, HASH_SIZE);
	if (bytes_equal(reason, BYTES_STR("full")) || bytes_equal(reason, BYTES_STR("quota")))
		log_warn("attachments",
			"the broker has no room for an attachment: its operator has to make some",
			F_BYTES("reason", reason), F_HEX("digest", digest), F_U64("retry_ms", ms));
	else
		log_info("attachments", "the broker does not take a piece now",
			F_BYTES("reason", reason), F_HEX("digest", digest), F_U64("retry_ms", ms));
}

static void not_taken(struct upload *upload, const Dienstweg__BlobStored *frame)
{
	struct bytes reason = BYTES_PB(frame->reason);
	uint64_t ms = frame->retry_ms;
	if (ms < RETRY_MIN_MS)
		ms = RETRY_MIN_MS;
	if (ms > RETRY_MAX_MS)
		ms = RETRY_MAX_MS;
	if (bytes_equal(reason, BYTES_STR("digest")) || bytes_equal(reason, BYTES_STR("size"))) {
		ms = DAMAGED_MS;
		log_error("attachments",
			"the broker got other bytes than were sealed: is the disk of the state "
			"folder in order? It is sent again",
			F_HEX("digest", BYTES(upload->wants[0].digest, HASH_SIZE)));
	} else if (!upload->again) {
		reason_log(upload, reason, ms);
	}
	upload->again = true;
	upload->paused_until = now_ns(upload) + ms * UINT64_C(1000000);
}

void upload_stored(struct upload *upload, const Dienstweg__BlobStored *frame)
{
	const struct want *want = &upload->wants[0];
	if (upload->out > 0)
		upload->out--;
	if (upload->count == 0 ||
		!bytes_equal(BYTES_PB(frame->digest), BYTES(want->digest, HASH_SIZE)) ||
		!bytes_equal(BYTES_PB(frame->party), BYTES_STR(want->party)) ||
		frame->offset > want->size)
		return;
	if (frame->reason.len > 0) {
		not_taken(upload, frame);
		return;
	}
	if (!upload->known)
		upload->sent = frame->offset;
	upload->known = true;
	upload->window = frame->window;
	if (frame->offset > upload->there)
		upload->there = frame->offset;
	if (upload->sent < upload->there)
		upload->sent = upload->there;
	tell(upload, frame->complete);
	if (!frame->complete)
		return;
	uint8_t digest[HASH_SIZE];
	memcpy(digest, want->digest, HASH_SIZE);
	upload->uploaded++;
	next(upload);
	upload->options.arrived(upload->options.context, digest);
}

void upload_counts(const struct upload *upload, struct upload_counts *ret)
{
	*ret = (struct upload_counts){
		.waiting = upload->count,
		.done = upload->count ? upload->there : 0,
		.total = upload->count ? upload->wants[0].size : 0,
		.uploaded = upload->uploaded,
	};
}
