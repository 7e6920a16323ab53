/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Whether a party may read is asked for every piece, of the message's record: a look-up costs a hundredth of
 * the piece, and nothing has to be remembered of who asked before. Who is no party of a message learns no
 * more than who names one that does not exist.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "broker/blob/inside.h"
#include "proto/envelope/envelope.h"

static bool is_party(
	const Dienstweg__Header *header, const Dienstweg__Decision *decision, struct bytes name)
{
	bool found = bytes_equal(BYTES_PB(header->sender), name);
	for (size_t i = 0; i < decision->n_recipients; i++)
		found |= bytes_equal(BYTES_PB(decision->recipients[i]), name);
	return found;
}

/* The header of an accepted message that this party may see. Return: 0, BLOB_*, negative errno. */
static int header_find(struct blob_store *store, struct journal_reader *reader,
	const struct blob_piece *piece, Dienstweg__Header **ret)
{
	struct stub stub;
	Dienstweg__Row *row;
	Dienstweg__Decision *decision;
	const char *field;
	arena_reset(store->arena);
	int r = journal_read_stub(reader, piece->sequence, &stub);
	if (r == READER_NOT_FOUND || (r == 0 && stub.kind != DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED))
		return BLOB_UNKNOWN;
	if (r == 0)
		r = journal_read_row(reader, piece->sequence, store->arena, &row);
	if (r == READER_ERASED)
		return BLOB_UNKNOWN; /* whose it was is not known any more */
	if (r == 0)
		r = journal_row_decision(row, store->arena, &decision);
	if (r == 0)
		r = envelope_header_parse(store->arena, BYTES_PB(row->original), ret, &field);
	if (r)
		return r < 0 ? r : -EBADMSG;
	return is_party(*ret, decision, BYTES_STR(piece->party)) ? 0 : BLOB_UNKNOWN;
}

static int piece_read(int fd, uint64_t offset, uint8_t *buf, size_t *ret_len)
{
	size_t len = 0;
	while (len < BLOB_PIECE_MAX) {
		ssize_t n = pread(fd, buf + len, BLOB_PIECE_MAX - len, (off_t)(offset + len));
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*ret_len = len;
	return 0;
}

int blob_get(struct blob_store *store, struct journal_reader *reader,
	const struct blob_piece *piece, uint8_t *buf, size_t *ret_len)
{
	char name[BLOB_NAME_SIZE];
	Dienstweg__Header *header = NULL;
	uint64_t found = 0;
	int r = header_find(store, reader, piece, &header);
	if (r)
		return r;
	if (piece->index >= header->n_attachments ||
		piece->offset >= header->attachments[piece->index]->size)
		return BLOB_UNKNOWN;
	r = journal_read_primary(reader, JOURNAL_CONTENT, piece->sequence, &found);
	if (r < 0)
		return r;
	if (r != 0 || found != piece->sequence)
		return BLOB_ERASED;
	blob_kept_name(piece->sequence, piece->index, name);
	_cleanup_(fd_close) int folder = blob_party_open(
		store->dir, BYTES_PB(header->sender), false);
	_cleanup_(fd_close) int fd = folder < 0 ? folder
						: openat(folder, name,
							  O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return BLOB_ABSENT;
	return piece_read(fd, piece->offset, buf, ret_len);
}
