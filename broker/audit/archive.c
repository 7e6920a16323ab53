/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A bundle of 256 entries is one file, so the last one read is kept: a walk opens each once.
 */
#include "broker/audit/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/audit/export-tiles.h"
#include "proto/note/checkpoint.h"
#include "proto/receipt/proof-file.h"

struct archive_stubs {
	int dir_fd;
	uint64_t size;
	uint64_t bundle; /* one more than the number of the one at hand */
	uint8_t file[EXPORT_BUNDLE_MAX];
};

static int read_size(struct archive_stubs *archive)
{
	_cleanup_(heap_free) uint8_t *note = malloc(PROOF_FILE_MAX);
	struct checkpoint checkpoint;
	size_t len;
	if (!note)
		return -ENOMEM;
	int r = export_get(archive->dir_fd, "checkpoint", note, PROOF_FILE_MAX, &len);
	if (r)
		return r == -ENOENT ? ARCHIVE_MISSING : r;
	const uint8_t *end = len ? memmem(note, len, "\n\n", 2) : NULL;
	if (!end || checkpoint_parse(BYTES(note, (size_t)(end - note) + 1), &checkpoint))
		return ARCHIVE_MISSING;
	archive->size = checkpoint.size;
	return 0;
}

int archive_stubs_open(const char *dir, struct archive_stubs **ret)
{
	_cleanup_(archive_stubs_free) struct archive_stubs *archive = calloc(1, sizeof(*archive));
	if (!archive)
		return -ENOMEM;
	archive->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (archive->dir_fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? ARCHIVE_MISSING : -errno;
	int r = read_size(archive);
	if (r == 0)
		*ret = steal(&archive);
	return r;
}

void archive_stubs_free(struct archive_stubs *archive)
{
	if (archive && archive->dir_fd >= 0)
		close(archive->dir_fd);
	free(archive);
}

uint64_t archive_stubs_size(const struct archive_stubs *archive)
{
	return archive->size;
}

static int read_bundle(struct archive_stubs *archive, uint64_t index)
{
	char path[EXPORT_PATH_MAX];
	uint64_t left = archive->size - index * EXPORT_WIDTH;
	size_t width = left < EXPORT_WIDTH ? (size_t)left : EXPORT_WIDTH, len;
	archive->bundle = 0;
	export_path(EXPORT_ENTRIES, index, width, path);
	int r = export_get(archive->dir_fd, path, archive->file, sizeof(archive->file), &len);
	if (r == -ENOENT || r == -ENOTDIR || r == -EINVAL || r > 0 ||
		(r == 0 && len != width * EXPORT_ENTRY_SIZE))
		return ARCHIVE_MISSING;
	if (r == 0)
		archive->bundle = index + 1;
	return r;
}

int archive_stubs_read(struct archive_stubs *archive, uint64_t sequence, struct stub *ret)
{
	uint64_t index = sequence / EXPORT_WIDTH;
	if (sequence >= archive->size)
		return ARCHIVE_MISSING;
	int r = archive->bundle == index + 1 ? 0 : read_bundle(archive, index);
	if (r)
		return r;
	const uint8_t *entry = archive->file + sequence % EXPORT_WIDTH * EXPORT_ENTRY_SIZE;
	return stub_decode(BYTES(entry + 2, STUB_SIZE), ret) ? ARCHIVE_MISSING : 0;
}
