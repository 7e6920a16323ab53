/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Whether the bytes are right is found out while they are opened: every piece by its tag, the whole by its
 * digest. A file that power loss left with a hole fails there, so it is fetched anew once; a second time it
 * is the sender's doing.
 */
#include "adapters/sdk/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/file.h"

enum { STEP_BYTES = 4 << 20, WRITE_BACK_BYTES = 1 << 20, AGAIN_MAX = 1 };

int transfer_init(struct transfer *transfer, struct spool *spool, uint64_t number,
	const Dienstweg__Attachment *attachment, const struct attachment_key *key)
{
	*transfer = (struct transfer){
		.spool = spool, .size = attachment->size, .key = *key, .fd = -1, .plain_fd = -1};
	memcpy(transfer->digest, attachment->digest.data, HASH_SIZE);
	memcpy(transfer->name, key->name.data, key->name.len);
	memcpy(transfer->type, key->content_type.data, key->content_type.len);
	transfer->key.name = BYTES(transfer->name, key->name.len);
	transfer->key.content_type = BYTES(transfer->type, key->content_type.len);
	/* A size that cannot be: nothing of it needs to be fetched. */
	if (attachment_sealed_size(key->size) != attachment->size)
		transfer->state = TRANSFER_BROKEN;
	int r = spool_path(spool, SPOOL_IN, transfer->digest, 0, transfer->cipher);
	return r ? r : spool_path(spool, SPOOL_IN, transfer->digest, number, transfer->plain);
}

static void transfer_close(struct transfer *transfer)
{
	fd_close_at(&transfer->fd);
	fd_close_at(&transfer->plain_fd);
	attachment_open_free(steal(&transfer->work));
}

void transfer_deinit(struct transfer *transfer)
{
	transfer_close(transfer);
	if (transfer->state >= TRANSFER_OPENING)
		unlink(transfer->plain);
	secret_wipe(transfer->key.key, sizeof(transfer->key.key));
}

static void whole_look(struct transfer *transfer)
{
	if (transfer->have < transfer->size)
		return;
	transfer->state = TRANSFER_OPENING;
	transfer->read = transfer->opened = 0;
}

int transfer_begin(struct transfer *transfer)
{
	struct stat st;
	if (transfer->begun)
		return 0;
	if (transfer->fd < 0)
		transfer->fd = open(
			transfer->cipher, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (transfer->fd < 0 || fstat(transfer->fd, &st) != 0)
		return -errno;
	/* Longer than it can be: somebody else's doing. */
	if ((uint64_t)st.st_size > transfer->size && ftruncate(transfer->fd, 0) != 0)
		return -errno;
	transfer->have = (uint64_t)st.st_size > transfer->size ? 0 : (uint64_t)st.st_size;
	transfer->asked = transfer->have;
	transfer->begun = true;
	whole_look(transfer);
	return 0;
}

int transfer_append(struct transfer *transfer, uint64_t offset, struct bytes data)
{
	size_t done = 0;
	if (!transfer->begun || offset != transfer->have || data.len == 0 ||
		data.len > transfer->size - transfer->have)
		return 1;
	while (done < data.len) {
		ssize_t n = pwrite(
			transfer->fd, data.data + done, data.len - done, (off_t)(offset + done));
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	if (done < data.len) {
		int r = errno ? -errno : -EIO;
		return ftruncate(transfer->fd, (off_t)offset) != 0 ? -errno : r;
	}
	transfer->have += data.len;
	whole_look(transfer);
	return file_write_back(transfer->fd, offset, transfer->have, WRITE_BACK_BYTES);
}

/* ---- opening ---- */

static int plain_begin(struct transfer *transfer)
{
	int r = attachment_open_new(&transfer->key, &transfer->work);
	if (r)
		return r;
	transfer->read = transfer->opened = 0;
	transfer->plain_fd = open(
		transfer->plain, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	return transfer->plain_fd < 0 ? -errno : 0;
}

static int write_all(int fd, struct bytes data)
{
	while (data.len > 0) {
		ssize_t n = write(fd, data.data, data.len);
		if (n < 0)
			return -errno;
		data = BYTES(data.data + n, data.len - (size_t)n);
	}
	return 0;
}

/* Return: 0, 1 when it does not open, negative errno. */
static int piece_open(struct transfer *transfer)
{
	uint8_t cipher[STREAM_HEAD_SIZE + ATTACHMENT_PIECE];
	struct bytes plain;
	size_t wanted = attachment_open_wants(transfer->work), len = 0;
	while (len < wanted) {
		ssize_t n = pread(
			transfer->fd, cipher + len, wanted - len, (off_t)(transfer->read + len));
		if (n <= 0)
			return n == 0 ? 1 : -errno;
		len += (size_t)n;
	}
	transfer->read += len;
	if (attachment_open_piece(transfer->work, BYTES(cipher, len), &plain) != 0)
		return 1;
	transfer->opened += plain.len;
	return write_all(transfer->plain_fd, plain);
}

static void broken(struct transfer *transfer)
{
	unsigned int again = transfer->again + 1;
	transfer_close(transfer);
	unlink(transfer->plain);
	unlink(transfer->cipher);
	transfer->again = again;
	transfer->begun = false;
	transfer->have = transfer->asked = 0;
	transfer->state = again > AGAIN_MAX ? TRANSFER_BROKEN : TRANSFER_FETCHING;
}

static int plain_finish(struct transfer *transfer)
{
	if (attachment_open_finish(transfer->work, transfer->digest) != 0) {
		broken(transfer);
		return 0;
	}
	if (fsync(transfer->plain_fd) != 0)
		return -errno;
	transfer_close(transfer);
	transfer->state = TRANSFER_READY;
	return 0;
}

int transfer_open_some(struct transfer *transfer)
{
	int r = transfer->work ? 0 : plain_begin(transfer);
	uint64_t before = transfer->opened;
	for (size_t done = 0;
		r == 0 && done < STEP_BYTES && attachment_open_wants(transfer->work) > 0;
		done += ATTACHMENT_PLAIN)
		r = piece_open(transfer);
	if (r == 0 && attachment_open_wants(transfer->work) == 0)
		r = plain_finish(transfer);
	else if (r == 0)
		r = file_write_back(transfer->plain_fd, before, transfer->opened, WRITE_BACK_BYTES);
	if (r < 0) { /* from the start, when there is room */
		fd_close_at(&transfer->plain_fd);
		attachment_open_free(steal(&transfer->work));
		unlink(transfer->plain);
	}
	if (r == 1) {
		broken(transfer);
		r = 0;
	}
	return r;
}
