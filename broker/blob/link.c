/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A name that is there already was left by a commit that never came about: sequences are given out in
 * order, and nobody but the writer makes these names. Such a name is replaced.
 */
#include "broker/blob/link.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/blob/name.h"
#include "proto/base/cleanup.h"

static int link_one(
	int folder, const Dienstweg__Attachment *attachment, uint64_t sequence, uint32_t index)
{
	char whole[BLOB_NAME_SIZE], kept[BLOB_NAME_SIZE];
	struct stat st;
	blob_whole_name(attachment->digest.data, whole);
	blob_kept_name(sequence, index, kept);
	if (fstatat(folder, whole, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? BLOB_MISSING : -errno;
	if ((uint64_t)st.st_size != attachment->size)
		return BLOB_MISSING;
	if (linkat(folder, whole, folder, kept, 0) == 0)
		return 0;
	if (errno == EEXIST && unlinkat(folder, kept, 0) == 0 &&
		linkat(folder, whole, folder, kept, 0) == 0)
		return 0;
	/* Orphans are removed beside us; and a file can have so many names only. */
	return errno == ENOENT || errno == EMLINK ? BLOB_MISSING : -errno;
}

static void unlink_first(int folder, size_t count, uint64_t sequence)
{
	char kept[BLOB_NAME_SIZE];
	for (size_t i = 0; i < count; i++) {
		blob_kept_name(sequence, (uint32_t)i, kept);
		unlinkat(folder, kept, 0);
	}
}

int blob_link(const char *dir, const Dienstweg__Header *header, uint64_t sequence)
{
	_cleanup_(fd_close) int folder = blob_party_open(dir, BYTES_PB(header->sender), false);
	if (folder < 0)
		return folder == -ENOENT ? BLOB_MISSING : folder;
	for (size_t i = 0; i < header->n_attachments; i++) {
		int r = link_one(folder, header->attachments[i], sequence, (uint32_t)i);
		if (r == 0)
			continue;
		unlink_first(folder, i, sequence);
		return r;
	}
	return 0;
}

void blob_unlink(const char *dir, const Dienstweg__Header *header, uint64_t sequence)
{
	_cleanup_(fd_close) int folder = blob_party_open(dir, BYTES_PB(header->sender), false);
	if (folder >= 0)
		unlink_first(folder, header->n_attachments, sequence);
}

int blob_sync(const char *dir, struct bytes party)
{
	_cleanup_(fd_close) int folder = blob_party_open(dir, party, false);
	if (folder < 0)
		return folder;
	return fsync(folder) != 0 ? -errno : 0;
}
