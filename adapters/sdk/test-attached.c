/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What happens to an attachment on either side's disk, without a broker in between: sealed piece by piece,
 * fetched in pieces, opened; what is cut off, in the wrong place or of somebody else is found out.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters/sdk/sealer.h"
#include "adapters/sdk/transfer.h"
#include "proto/base/file.h"
#include "proto/identity/uuid.h"
#include "test/kit/check.h"

enum { SIZE = 5 * 1000 * 1000 + 3 };

struct world {
	char dir[256], file[300];
	struct store *store;
	struct outbox outbox;
	struct spool *spool;
	struct sealer *sealer;
	uint8_t *bytes;
};

static void world_open(struct world *w)
{
	char why[512];
	CHECK_INT(store_open(w->dir, 8 << 20, "test.demo", "city", &w->store, why, sizeof(why)), 0);
	CHECK_INT(outbox_open(&w->outbox, w->store), 0);
	CHECK_INT(spool_open(w->dir, 64 << 20, &w->outbox, &w->spool), 0);
	CHECK_INT(sealer_new(w->spool, NULL, NULL, &w->sealer), 0);
}

static void world_close(struct world *w)
{
	sealer_free(w->sealer);
	spool_free(w->spool);
	store_free(w->store);
}

static void world_init(struct world *w)
{
	CHECK_INT(crypto_init(), 0);
	*w = (struct world){.bytes = malloc(SIZE)};
	CHECK(w->bytes);
	random_fill(w->bytes, SIZE);
	snprintf(w->dir, sizeof(w->dir), "%s", check_subdir());
	snprintf(w->file, sizeof(w->file), "%s/plan.pdf", w->dir);
	CHECK_INT(file_replace(w->file, BYTES(w->bytes, SIZE), 0600), 0);
	world_open(w);
}

static void world_deinit(struct world *w)
{
	world_close(w);
	free(w->bytes);
}

static struct dw_message message_of(const struct world *w, struct dw_attachment *attachment)
{
	*attachment = (struct dw_attachment){.path = w->file,
		.name = BYTES("plan.pdf", 8),
		.content_type = BYTES("application/pdf", 15)};
	return (struct dw_message){.key = BYTES("1", 1),
		.sender = BYTES("city", 4),
		.attachments = attachment,
		.attachments_count = 1};
}

static int seal(struct world *w, const struct dw_message *message,
	const struct sealed_attachment **ret, size_t *ret_turns)
{
	char why[512];
	int r;
	*ret_turns = 0;
	while ((r = sealer_take(w->sealer, message, ret, why, sizeof(why))) == DW_SEALING) {
		CHECK_INT(sealer_step(w->sealer), 0);
		(*ret_turns)++;
	}
	return r;
}

/* The ciphertext, and what header and content would say. */
struct sent {
	uint8_t *cipher;
	size_t len;
	Dienstweg__Attachment attachment;
	uint8_t digest[HASH_SIZE];
	struct attachment_key key;
};

static void send(struct world *w, struct sent *ret)
{
	const struct sealed_attachment *sealed;
	struct dw_attachment attachment;
	struct dw_message message = message_of(w, &attachment);
	char path[PATH_MAX];
	size_t turns;
	CHECK_INT(seal(w, &message, &sealed, &turns), 0);
	CHECK(turns > 1);
	CHECK_INT(spool_path(w->spool, SPOOL_OUT, sealed->digest, 0, path), 0);
	CHECK_INT(file_read(path, 2 * SIZE, &ret->cipher, &ret->len), 0);
	CHECK_INT(ret->len, sealed->size);
	CHECK_INT(spool_bytes(w->spool), sealed->size);
	memcpy(ret->digest, sealed->digest, HASH_SIZE);
	dienstweg__attachment__init(&ret->attachment);
	ret->attachment.digest = (ProtobufCBinaryData){.data = ret->digest, .len = HASH_SIZE};
	ret->attachment.size = sealed->size;
	ret->key = sealed->key;
	ret->key.name = BYTES("plan.pdf", 8);
	ret->key.content_type = BYTES("application/pdf", 15);
	sealer_done(w->sealer, true);
}

static void fetch(struct transfer *transfer, const struct sent *sent)
{
	CHECK_INT(transfer_begin(transfer), 0);
	while (transfer->state == TRANSFER_FETCHING) {
		size_t len = sent->len - transfer->have;
		len = len < ATTACHMENT_PIECE ? len : ATTACHMENT_PIECE;
		CHECK_INT(
			transfer_append(transfer, transfer->have + 1, BYTES(sent->cipher, len)), 1);
		CHECK_INT(transfer_append(transfer, transfer->have,
				  BYTES(sent->cipher + transfer->have, len)),
			0);
	}
	while (transfer->state == TRANSFER_OPENING)
		CHECK_INT(transfer_open_some(transfer), 0);
}

static void it_comes_back_as_it_was(void)
{
	struct world w;
	struct sent sent = {};
	static struct transfer transfer;
	uint8_t *opened = NULL;
	size_t len = 0;
	world_init(&w);
	send(&w, &sent);
	CHECK_INT(transfer_init(&transfer, w.spool, 1, &sent.attachment, &sent.key), 0);
	fetch(&transfer, &sent);
	CHECK_INT(transfer.state, TRANSFER_READY);
	CHECK_INT(file_read(transfer.plain, 2 * SIZE, &opened, &len), 0);
	CHECK_INT(len, SIZE);
	CHECK_MEM(opened, w.bytes, SIZE);
	/* Its place; the second one goes when the delivery is over. */
	struct dw_arrived arrived = {.path = transfer.plain};
	CHECK_INT(dw_arrived_keep(&arrived, w.file), 0);
	CHECK_INT(dw_arrived_keep(&arrived, w.file), 0);
	transfer_deinit(&transfer);
	CHECK_INT(faccessat(AT_FDCWD, transfer.plain, F_OK, 0), -1);
	CHECK_INT(faccessat(AT_FDCWD, w.file, F_OK, 0), 0);
	free(opened);
	free(sent.cipher);
	world_deinit(&w);
}

static void it_goes_on_after_a_crash(void)
{
	struct world w;
	struct sent sent = {};
	static struct transfer transfer;
	char path[PATH_MAX];
	world_init(&w);
	send(&w, &sent);
	CHECK_INT(transfer_init(&transfer, w.spool, 1, &sent.attachment, &sent.key), 0);
	CHECK_INT(transfer_begin(&transfer), 0);
	CHECK_INT(transfer_append(&transfer, 0, BYTES(sent.cipher, ATTACHMENT_PIECE)), 0);
	transfer_deinit(&transfer);
	/* Nobody's message names what was sealed; what arrives may be asked for again. */
	world_close(&w);
	world_open(&w);
	CHECK_INT(spool_path(w.spool, SPOOL_OUT, sent.digest, 0, path), 0);
	CHECK_INT(faccessat(AT_FDCWD, path, F_OK, 0), -1);
	CHECK_INT(spool_bytes(w.spool), 0);
	CHECK_INT(transfer_init(&transfer, w.spool, 1, &sent.attachment, &sent.key), 0);
	CHECK_INT(transfer_begin(&transfer), 0);
	CHECK_INT(transfer.have, ATTACHMENT_PIECE);
	fetch(&transfer, &sent);
	CHECK_INT(transfer.state, TRANSFER_READY);
	transfer_deinit(&transfer);
	free(sent.cipher);
	world_deinit(&w);
}

static bool is_there(const struct world *w, const struct sent *sent)
{
	char path[PATH_MAX];
	CHECK_INT(spool_path(w->spool, SPOOL_OUT, sent->digest, 0, path), 0);
	return access(path, F_OK) == 0;
}

static ProtobufCBinaryData pb(const void *data, size_t len)
{
	return (ProtobufCBinaryData){.len = len, .data = (uint8_t *)(uintptr_t)data};
}

/* Of a message with this one attachment. */
static struct bytes header_of(struct sent *sent, uint8_t *buf, size_t size)
{
	Dienstweg__Header header = DIENSTWEG__HEADER__INIT;
	Dienstweg__Attachment *attached[] = {&sent->attachment};
	uint8_t id[UUID_SIZE], hash[HASH_SIZE] = {1};
	uuid_next(&(struct uuid_source){}, 1, id);
	header.bus = pb("test.demo", 9);
	header.message_id = header.case_id = pb(id, sizeof(id));
	header.sender = pb("city", 4);
	header.recipient = pb("jobcenter", 9);
	header.service = pb("alg2.application", 16);
	header.content_type = pb("text/plain", 10);
	header.content_hash = header.body_commitment = pb(hash, sizeof(hash));
	header.kind = DIENSTWEG__KIND__KIND_SUBMISSION;
	header.content_length = header.created_ms = 1;
	header.attachments = attached;
	header.n_attachments = 1;
	CHECK(dienstweg__header__get_packed_size(&header) <= size);
	return BYTES(buf, dienstweg__header__pack(&header, buf));
}

/* Should the bus lose it, it is sent once more; until then it is in nobody's way. */
static void what_was_sent_is_kept_with_its_message(void)
{
	struct world w;
	struct sent sent = {};
	uint8_t bytes[512];
	world_init(&w);
	send(&w, &sent);
	const struct bytes packed = header_of(&sent, bytes, sizeof(bytes));
	CHECK_INT(spool_message(w.spool, packed, SPOOL_RETAIN), 0);
	CHECK_INT(spool_bytes(w.spool), 0);
	CHECK(is_there(&w, &sent) && !spool_keeps_too_much(w.spool));
	CHECK_INT(spool_message(w.spool, packed, SPOOL_RETURN), 0);
	CHECK_INT(spool_bytes(w.spool), sent.attachment.size);
	CHECK_INT(spool_message(w.spool, packed, SPOOL_RETAIN), 0);
	CHECK_INT(spool_message(w.spool, packed, SPOOL_FORGET), 0);
	CHECK(!is_there(&w, &sent));
	/* What is gone is not counted. */
	CHECK_INT(spool_message(w.spool, packed, SPOOL_RETURN), 0);
	CHECK_INT(spool_bytes(w.spool), 0);
	free(sent.cipher);
	world_deinit(&w);
}

/* Once it may have been our disk; the second time it is not what was sealed. */
static void other_bytes_are_found_out(void)
{
	struct world w;
	struct sent sent = {};
	static struct transfer transfer;
	world_init(&w);
	send(&w, &sent);
	sent.cipher[sent.len / 2] ^= 1;
	CHECK_INT(transfer_init(&transfer, w.spool, 1, &sent.attachment, &sent.key), 0);
	fetch(&transfer, &sent);
	CHECK_INT(transfer.state, TRANSFER_FETCHING);
	CHECK_INT(transfer.have, 0);
	fetch(&transfer, &sent);
	CHECK_INT(transfer.state, TRANSFER_BROKEN);
	transfer_deinit(&transfer);
	sent.cipher[sent.len / 2] ^= 1;
	/* A size that does not go with the file's: nothing needs to be fetched to know. */
	sent.key.size += 1 << 20;
	CHECK_INT(transfer_init(&transfer, w.spool, 2, &sent.attachment, &sent.key), 0);
	CHECK_INT(transfer.state, TRANSFER_BROKEN);
	transfer_deinit(&transfer);
	free(sent.cipher);
	world_deinit(&w);
}

static void what_cannot_be_sealed_is_told(void)
{
	struct world w;
	const struct sealed_attachment *sealed;
	struct dw_attachment attachment;
	struct dw_message message;
	char why[512];
	size_t turns;
	world_init(&w);
	message = message_of(&w, &attachment);
	attachment.path = "/nonexistent/plan";
	CHECK_INT(seal(&w, &message, &sealed, &turns), DW_INVALID);
	attachment.path = w.dir;
	CHECK_INT(seal(&w, &message, &sealed, &turns), DW_INVALID);
	attachment.path = w.file;
	attachment.name = BYTES("a/b", 3);
	CHECK_INT(seal(&w, &message, &sealed, &turns), DW_INVALID);
	attachment.name = BYTES("plan", 4);
	/* It grows while it is read. */
	CHECK_INT(sealer_take(w.sealer, &message, &sealed, why, sizeof(why)), DW_SEALING);
	CHECK_INT(sealer_step(w.sealer), 0);
	CHECK_INT(truncate(w.file, SIZE + 1), 0);
	CHECK_INT(seal(&w, &message, &sealed, &turns), DW_INVALID);
	/* More than may wait, when something waits already. */
	CHECK_INT(seal(&w, &message, &sealed, &turns), 0);
	sealer_done(w.sealer, true);
	CHECK_INT(truncate(w.file, 100 << 20), 0);
	message.key = BYTES("2", 1);
	CHECK_INT(seal(&w, &message, &sealed, &turns), DW_FULL);
	CHECK_INT(truncate(w.file, (off_t)3 << 30), 0);
	CHECK_INT(seal(&w, &message, &sealed, &turns), DW_INVALID);
	world_deinit(&w);
}

CHECK_MAIN(CHECK_CASE(it_comes_back_as_it_was), CHECK_CASE(it_goes_on_after_a_crash),
	CHECK_CASE(what_was_sent_is_kept_with_its_message), CHECK_CASE(other_bytes_are_found_out),
	CHECK_CASE(what_cannot_be_sealed_is_told))
