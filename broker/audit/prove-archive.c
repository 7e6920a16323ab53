/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A tile holds every eighth level, so a node between them is at most 128 hashes away, all in one file; at the
 * ragged edge of a tree it is made of the complete ones below it. Whatever is read is only believed
 * when the proof made of it leads to the export's checkpoint.
 */
#include "broker/audit/prove-archive.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "broker/audit/export-tiles.h"
#include "proto/receipt/proof-check.h"
#include "proto/receipt/receipt.h"

enum { ARCHIVE_DAMAGED = 100, NOTE_FILE_MAX = PROOF_FILE_MAX };

struct archive {
	int dir_fd;
	struct bytes note;
	struct checkpoint checkpoint;
	uint8_t file[EXPORT_BUNDLE_MAX];
};

static int archive_open(
	const char *dir, struct arena *arena, struct archive *ret, char *reterr, size_t size)
{
	uint8_t *note = arena_alloc(arena, NOTE_FILE_MAX);
	size_t len = 0;
	ret->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!note || ret->dir_fd < 0)
		return note ? -errno : -ENOMEM;
	int r = export_get(ret->dir_fd, "checkpoint", note, NOTE_FILE_MAX, &len);
	if (r < 0 && r != -ENOENT)
		return r;
	const uint8_t *end = r == 0 ? memmem(note, len, "\n\n", 2) : NULL;
	ret->note = BYTES(note, len);
	if (end && checkpoint_parse(BYTES(note, end + 1 - note), &ret->checkpoint) == 0)
		return 0;
	snprintf(reterr, size, "%s: is no exported log: it has no checkpoint", dir);
	return PROVE_REFUSED;
}

static void archive_close(struct archive *archive)
{
	if (archive->dir_fd >= 0)
		close(archive->dir_fd);
}
DEFINE_CLEANUP_PTR(struct archive, archive_close);

/* A file with so many items before its end, into archive->file. */
static int read_tile(struct archive *archive, int level, uint64_t index, size_t item)
{
	char path[EXPORT_PATH_MAX];
	unsigned int height = level > 0 ? 8 * (unsigned int)level : 0;
	uint64_t count = archive->checkpoint.size >> height;
	size_t width = index < count / EXPORT_WIDTH ? EXPORT_WIDTH : (size_t)(count % EXPORT_WIDTH),
	       len;
	if (width == 0 || index > count / EXPORT_WIDTH)
		return ARCHIVE_DAMAGED;
	export_path(level, index, width, path);
	int r = export_get(archive->dir_fd, path, archive->file, sizeof(archive->file), &len);
	if (r == -ENOENT || r > 0 || (r == 0 && len != width * item))
		return ARCHIVE_DAMAGED;
	return r;
}

/* A node whose leaves are all there. */
static int complete_node(
	struct archive *archive, unsigned int level, uint64_t index, struct merkle_hash *ret)
{
	struct merkle_hash nodes[EXPORT_WIDTH / 2];
	size_t count = (size_t)1 << level % 8;
	uint64_t first = index << level % 8;
	int r = read_tile(archive, (int)(level / 8), first / EXPORT_WIDTH, HASH_SIZE);
	if (r)
		return r;
	memcpy(nodes, archive->file + first % EXPORT_WIDTH * HASH_SIZE, count * HASH_SIZE);
	for (; count > 1; count /= 2)
		for (size_t i = 0; i < count / 2; i++)
			merkle_node(&nodes[2 * i], &nodes[2 * i + 1], &nodes[i]);
	*ret = nodes[0];
	return 0;
}

/* A node of the tree of @size leaves. */
static int tree_node(struct archive *archive, uint64_t size, unsigned int level, uint64_t index,
	struct merkle_hash *ret)
{
	struct merkle_hash right, left;
	bool some = false;
	if (index < size >> level)
		return complete_node(archive, level, index, ret);
	/* Complete subtrees below it, one per set bit, smallest and rightmost first. */
	for (unsigned int l = 0; l < level; l++) {
		if (!(size >> l & 1))
			continue;
		int r = complete_node(archive, l, (size >> l) - 1, some ? &left : &right);
		if (r)
			return r;
		if (some)
			merkle_node(&left, &right, &right);
		some = true;
	}
	*ret = right;
	return 0;
}

static int tree_nodes(struct archive *archive, uint64_t size, const struct merkle_coordinate *at,
	size_t count, struct merkle_hash *ret)
{
	int r = 0;
	for (size_t i = 0; i < count && r == 0; i++)
		r = tree_node(archive, size, at[i].level, at[i].index, &ret[i]);
	return r;
}

static int tree_root(struct archive *archive, uint64_t size, struct proof_tree *ret)
{
	unsigned int level = 0;
	while ((size - 1) >> level > 0)
		level++;
	ret->size = size;
	return tree_node(archive, size, level, 0, &ret->root);
}

static int refuse(int r, char *reterr, size_t size)
{
	if (r <= 0)
		return r;
	snprintf(reterr, size, "the export is damaged there: audit check tells more");
	return PROVE_REFUSED;
}

/* ---- an entry ---- */

static int read_parts(struct archive *archive, uint64_t sequence, struct proof_file *ret)
{
	struct merkle_coordinate at[MERKLE_LEVELS];
	uint64_t size = archive->checkpoint.size;
	int r = read_tile(archive, EXPORT_ENTRIES, sequence / EXPORT_WIDTH, EXPORT_ENTRY_SIZE);
	if (r)
		return r;
	memcpy(ret->entry.stub, archive->file + sequence % EXPORT_WIDTH * EXPORT_ENTRY_SIZE + 2,
		STUB_SIZE);
	ret->index = sequence;
	ret->steps = merkle_path_coordinates(sequence, size, at);
	return tree_nodes(archive, size, at, ret->steps, ret->path);
}

int prove_archive_entry(const char *dir, uint64_t sequence, struct arena *arena,
	struct audit_proof *ret, char *reterr, size_t size)
{
	_cleanup_(archive_close) struct archive archive = {.dir_fd = -1};
	struct proof_file file = {};
	struct proof_fault fault;
	uint8_t extra[PROOF_EXTRA_MAX];
	int r = archive_open(dir, arena, &archive, reterr, size);
	if (r)
		return r;
	if (sequence >= archive.checkpoint.size) {
		snprintf(reterr, size, "%s: ends before entry %" PRIu64, dir, sequence);
		return PROVE_NOT_FOUND;
	}
	r = read_parts(&archive, sequence, &file);
	if (r == 0)
		r = proof_check_path(&file, &archive.checkpoint, &fault);
	if (r)
		return refuse(r, reterr, size);
	*ret = (struct audit_proof){.sequence = sequence,
		.entry = file.entry,
		.checkpoint = archive.checkpoint,
		.note = archive.note};
	return receipt_tlog_proof(archive.note, sequence, file.path, file.steps,
		BYTES(extra, proof_entry_encode(&file.entry, extra)), arena, &ret->text);
}

/* ---- two trees ---- */

int prove_archive_trees(const char *dir, uint64_t from, uint64_t to, struct arena *arena,
	struct proof_consistency *ret, char *reterr, size_t size)
{
	_cleanup_(archive_close) struct archive archive = {.dir_fd = -1};
	struct merkle_coordinate at[2 * MERKLE_LEVELS];
	struct proof_fault fault;
	*ret = (struct proof_consistency){};
	int r = archive_open(dir, arena, &archive, reterr, size);
	if (r)
		return r;
	if (to == 0)
		to = archive.checkpoint.size;
	if (from == 0 || from > to || to > archive.checkpoint.size) {
		snprintf(reterr, size, "%s: sizes are from 1 to %" PRIu64 ", the older one first",
			dir, archive.checkpoint.size);
		return PROVE_NOT_FOUND;
	}
	r = tree_root(&archive, from, &ret->old);
	if (r == 0)
		r = tree_root(&archive, to, &ret->new);
	ret->steps = merkle_consistency_coordinates(from, to, at);
	if (r == 0)
		r = tree_nodes(&archive, to, at, ret->steps, ret->path);
	if (r == 0 && to == archive.checkpoint.size)
		ret->note = archive.note;
	if (r == 0 && ret->note.len > 0 &&
		memcmp(&ret->new.root, &archive.checkpoint.root, sizeof(ret->new.root)) != 0)
		r = ARCHIVE_DAMAGED;
	if (r == 0)
		r = proof_check_consistency(ret, &fault);
	return refuse(r, reterr, size);
}
