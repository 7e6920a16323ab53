/* SPDX-License-Identifier: EUPL-1.2 */

/* For auditors: the broker itself has read the whole once, before it took the message. */
#include "broker/blob/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "broker/blob/name.h"
#include "proto/base/cleanup.h"
#include "proto/base/text.h"

enum { READ_BYTES = 256 << 10 };

static int digest_of(int fd, uint64_t *ret_size, uint8_t ret[HASH_SIZE])
{
	_cleanup_(heap_free) uint8_t *buf = malloc(READ_BYTES);
	struct blake2b state;
	ssize_t n;
	*ret_size = 0;
	if (!buf)
		return -ENOMEM;
	blake2b_init(&state, BYTES(NULL, 0));
	while ((n = read(fd, buf, READ_BYTES)) > 0) {
		blake2b_add(&state, BYTES(buf, (size_t)n));
		*ret_size += (uint64_t)n;
	}
	blake2b_finish(&state, ret);
	return n < 0 ? -errno : 0;
}

int blob_check(const char *dir, struct bytes party, uint64_t sequence, uint32_t index,
	const Dienstweg__Attachment *attachment)
{
	char name[BLOB_NAME_SIZE];
	uint8_t digest[HASH_SIZE];
	uint64_t size;
	blob_kept_name(sequence, index, name);
	if (!text_is_name(party))
		return BLOB_CHECK_MISSING;
	_cleanup_(fd_close) int folder = blob_party_open(dir, party, false);
	if (folder < 0)
		return folder == -ENOENT ? BLOB_CHECK_MISSING : folder;
	_cleanup_(fd_close) int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? BLOB_CHECK_MISSING : -errno;
	int r = digest_of(fd, &size, digest);
	if (r)
		return r;
	return size == attachment->size &&
			       bytes_equal(BYTES_PB(attachment->digest), BYTES(digest, HASH_SIZE))
		       ? 0
		       : BLOB_CHECK_CHANGED;
}
