/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Tiles are made of the stubs and not of the stored tree: so the export's root is computed anew from what is
 * in its bundles, and a journal whose stubs do not give the signed root is never exported as if they
 * did. What lies before the last checkpoint of the folder is taken over; the root shows whether it belongs
 * before the rest.
 */
#include "broker/audit/exporter.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "broker/audit/entry.h"
#include "proto/base/file.h"

enum { NOTE_FILE_MAX = 64 * 1024 };

int exporter_refuse(struct exporter *exporter, int verdict, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(exporter->reterr, exporter->reterr_size, format, args);
	va_end(args);
	return verdict;
}

static int parse_note(struct bytes note, struct checkpoint *ret)
{
	const uint8_t *end = note.len ? memmem(note.data, note.len, "\n\n", 2) : NULL;
	return end ? checkpoint_parse(BYTES(note.data, end + 1 - note.data), ret) : NOTE_MALFORMED;
}

/* ---- what there is ---- */

static int open_folder(struct exporter *e)
{
	const char *dir = e->options->dir;
	int r = dir_make(dir, 0755);
	if (r == 0) {
		e->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = e->dir_fd < 0 ? -errno : 0;
	}
	if (r)
		return exporter_refuse(e, EXPORT_REFUSED, "%s: %s", dir, strerrordesc_np(-r));
	if (flock(e->dir_fd, LOCK_EX | LOCK_NB) < 0)
		return exporter_refuse(
			e, EXPORT_REFUSED, "%s: another export is writing there: wait for it", dir);
	return 0;
}

static int take_checkpoint(struct exporter *e)
{
	struct bytes note;
	int r = audit_refresh(e->audit);
	if (r == 0)
		r = journal_read_checkpoint(e->audit->reader, e->options->size, &note);
	if (r == 0 && parse_note(note, &e->checkpoint) != 0)
		return exporter_refuse(e, EXPORT_DAMAGED,
			"the journal's checkpoint cannot be read: audit verify tells more");
	if (r == READER_NOT_FOUND ||
		(r == 0 && e->options->size && e->checkpoint.size != e->options->size))
		return exporter_refuse(e, EXPORT_REFUSED,
			"the journal keeps no checkpoint of %" PRIu64
			" entries%s: leave the size out to take the newest",
			e->options->size, e->options->size ? "" : ", or none at all");
	if (r == 0)
		r = journal_read_pruned(e->audit->reader, &e->pruned);
	if (r > 0)
		return exporter_refuse(e, EXPORT_DAMAGED,
			"what the journal says of pruned entries is damaged: audit verify tells "
			"more");
	return r ? r : arena_copy(e->arena, note, &e->note);
}

/* Does the folder hold an earlier state of this very log? */
static int compare_before(struct exporter *e)
{
	char origin[CHECKPOINT_ORIGIN_MAX + 1];
	struct merkle_hash root;
	unsigned int level = 0;
	audit_origin_at(e->audit, e->before.size, origin);
	if (epoch_same_bus(e->before.origin, origin) && strcmp(e->before.origin, origin) != 0)
		return exporter_refuse(e, EXPORT_REFUSED,
			"%s: holds %" PRIu64
			" entries of %s, of which this journal lost some: keep it, it proves "
			"them, and choose another folder",
			e->options->dir, e->before.size, e->before.origin);
	if (strcmp(e->before.origin, origin) != 0)
		return exporter_refuse(e, EXPORT_REFUSED,
			"%s: holds the log %s, this journal is of %s: choose another folder",
			e->options->dir, e->before.origin, e->checkpoint.origin);
	if (e->before.size > e->checkpoint.size)
		return exporter_refuse(e, EXPORT_REFUSED,
			"%s: holds %" PRIu64
			" entries, the checkpoint to be exported is of %" PRIu64
			": if no older one was asked for, the journal has been cut",
			e->options->dir, e->before.size, e->checkpoint.size);
	if (e->before.size == 0)
		return 0;
	while ((e->before.size - 1) >> level > 0)
		level++;
	int r = journal_read_node(e->audit->reader, e->before.size, level, 0, &root);
	if (r < 0)
		return r;
	/* Unreadable in a pruned journal: then the root of the new tree has to tell. */
	if (r == 0 && memcmp(&root, &e->before.root, sizeof(root)) != 0)
		return exporter_refuse(e, EXPORT_REFUSED,
			"%s: its checkpoint of %" PRIu64
			" entries is not one of this journal, although the name of the log is the "
			"same: "
			"one of the two was forked or rewritten. Keep both",
			e->options->dir, e->before.size);
	return 0;
}

/* Files of the same names mean something else elsewhere: a state folder's `policy` pins the roots. What an
   interrupted run left behind has tiles. */
static int check_ours(struct exporter *e)
{
	static const char *const ours[] = {"tile", "policy", "disclosed"};
	const char *other = NULL;
	bool tile = faccessat(e->dir_fd, "tile", F_OK, 0) == 0;
	int fd = openat(e->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int r = 0;
	if (!dir)
		return fd < 0 ? -errno : (close(fd), -ENOMEM);
	for (struct dirent *entry; !other && (entry = readdir(dir));) {
		bool known = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
		for (size_t i = 0; tile && !known && i < ARRAY_LEN(ours); i++)
			known = strcmp(entry->d_name, ours[i]) == 0;
		other = known ? NULL : entry->d_name;
	}
	if (other)
		r = exporter_refuse(e, EXPORT_REFUSED,
			"%s: holds %s and is no export: name an empty folder, or a new one",
			e->options->dir, other);
	closedir(dir);
	return r;
}

static int take_before(struct exporter *e)
{
	uint8_t *buf = arena_alloc(e->arena, NOTE_FILE_MAX);
	size_t len;
	if (!buf)
		return -ENOMEM;
	int r = export_get(e->dir_fd, "checkpoint", buf, NOTE_FILE_MAX, &len);
	if (r == -ENOENT)
		return check_ours(e);
	if (r < 0)
		return r;
	if (r > 0 || parse_note(BYTES(buf, len), &e->before) != 0)
		return exporter_refuse(e, EXPORT_REFUSED,
			"%s: the file checkpoint in it is none: choose another folder",
			e->options->dir);
	e->result->before = e->before.size;
	return compare_before(e);
}

/* ---- tiles ---- */

/* Behind the last checkpoint a file may be of a run that was interrupted. */
static int put_once(struct exporter *e, const char *path, struct bytes data)
{
	uint8_t there[EXPORT_BUNDLE_MAX];
	size_t len;
	int r = export_get(e->dir_fd, path, there, sizeof(there), &len);
	if (r == 0 && len == data.len) {
		if (memcmp(there, data.data, len) == 0)
			return 0;
		return exporter_refuse(e, EXPORT_REFUSED,
			"%s/%s: holds something else than this journal: it is of another log, or "
			"damaged. Remove it, or choose another folder",
			e->options->dir, path);
	}
	if (r < 0 && r != -ENOENT)
		return r;
	r = export_put(e->dir_fd, path, data, 0644);
	e->result->files += r == 0;
	return r;
}

static int put_tile(void *context, int level, const struct export_level *tile)
{
	struct exporter *e = context;
	char path[EXPORT_PATH_MAX];
	export_path(level, tile->index, tile->width, path);
	return put_once(e, path, BYTES(tile->hash, tile->width * HASH_SIZE));
}

static int put_bundle(struct exporter *e, uint64_t index)
{
	char path[EXPORT_PATH_MAX];
	size_t width = e->bundle_width;
	e->bundle_width = 0;
	export_path(EXPORT_ENTRIES, index, width, path);
	return put_once(e, path, BYTES(e->bundle, width * EXPORT_ENTRY_SIZE));
}

/* A complete subtree of 2^level leaves at the right end. */
static void edge_push(struct merkle_edge *edge, unsigned int level, const struct merkle_hash *hash)
{
	struct merkle_hash node = *hash;
	unsigned int at = level;
	for (uint64_t size = edge->size >> level; size & 1; size >>= 1, at++)
		merkle_node(&edge->node[at], &node, &node);
	edge->node[at] = node;
	edge->size += UINT64_C(1) << level;
}

/* A partial file of the checkpoint before. */
static int get_partial(
	struct exporter *e, int level, uint64_t index, size_t width, uint8_t *buf, size_t expected)
{
	char path[EXPORT_PATH_MAX];
	size_t len;
	export_path(level, index, width, path);
	int r = export_get(e->dir_fd, path, buf, expected, &len);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r != 0 || len != expected)
		return exporter_refuse(e, EXPORT_REFUSED,
			"%s/%s: is missing, or not as the checkpoint beside it wants it: export to "
			"an "
			"empty folder",
			e->options->dir, path);
	return 0;
}

/*
 * Take up the right edge of what the folder holds: from the folder, because the journal may have
 * been pruned since. Whether it is true, the root will tell.
 */
static int resume(struct exporter *e)
{
	uint64_t size = e->before.size;
	int r = 0;
	for (int l = EXPORT_LEVELS - 1; l >= 1 && r == 0; l--) {
		struct export_level *level = &e->tiles.level[l];
		unsigned int height = 8 * (unsigned int)l;
		level->index = (size >> height) / EXPORT_WIDTH;
		level->width = (size_t)((size >> height) % EXPORT_WIDTH);
		if (level->width > 0)
			r = get_partial(e, l, level->index, level->width, (uint8_t *)level->hash,
				level->width * HASH_SIZE);
		for (size_t i = 0; r == 0 && i < level->width; i++)
			edge_push(&e->edge, height, &level->hash[i]);
	}
	e->tiles.level[0].index = size / EXPORT_WIDTH;
	size_t width = (size_t)(size % EXPORT_WIDTH);
	if (r == 0 && width > 0)
		r = get_partial(e, EXPORT_ENTRIES, size / EXPORT_WIDTH, width, e->bundle,
			width * EXPORT_ENTRY_SIZE);
	return r;
}

/* The stub of the next entry: of the folder's last bundle, or the journal's. */
static int next_stub(struct exporter *e, uint8_t bytes[STUB_SIZE])
{
	struct stub stub;
	uint64_t sequence = e->edge.size;
	if (sequence < e->before.size)
		return 0; /* it stands in the bundle already */
	int r = journal_read_stub(e->audit->reader, sequence, &stub);
	if (r == READER_NOT_FOUND && sequence < e->pruned.before)
		return exporter_refuse(e, EXPORT_REFUSED,
			"the entries before %" PRIu64
			" were pruned from this journal; their archive was %s. Copy that folder "
			"and export into the copy, which adds what is newer",
			e->pruned.before, e->pruned.archive);
	if (r)
		return r < 0 ? r
			     : exporter_refuse(e, EXPORT_DAMAGED,
				       "the stub of entry %" PRIu64
				       " is missing or damaged: audit verify tells more",
				       sequence);
	bytes[0] = stub.version;
	bytes[1] = stub.kind;
	bytes[2] = stub.class;
	memcpy(bytes + 3, stub.commitment, HASH_SIZE);
	return 0;
}

static int push_entry(struct exporter *e)
{
	uint8_t *place = e->bundle + e->bundle_width * EXPORT_ENTRY_SIZE, *bytes = place + 2;
	struct merkle_hash leaf;
	uint64_t sequence = e->edge.size;
	int r = next_stub(e, bytes);
	if (r)
		return r;
	be16_put(place, STUB_SIZE);
	stub_leaf(bytes, &leaf);
	merkle_edge_append(&e->edge, &leaf, NULL);
	if (++e->bundle_width == EXPORT_WIDTH)
		r = put_bundle(e, sequence / EXPORT_WIDTH);
	return r ? r : export_tiles_push(&e->tiles, &leaf);
}

static int write_tiles(struct exporter *e)
{
	uint64_t size = e->checkpoint.size;
	struct merkle_hash root;
	int r = resume(e);
	while (r == 0 && e->edge.size < size) {
		r = audit_refresh(e->audit);
		for (size_t i = 0; r == 0 && i < AUDIT_SLICE && e->edge.size < size; i++)
			r = push_entry(e);
		audit_report_progress(e->report, e->edge.size, size);
	}
	merkle_edge_root(&e->edge, &root);
	if (r == 0 && memcmp(&root, &e->checkpoint.root, sizeof(root)) != 0)
		return exporter_refuse(e, EXPORT_DAMAGED,
			"the journal's stubs%s do not give the root that was signed over them: "
			"audit "
			"verify tells which%s. The checkpoint was not written",
			e->before.size ? " and what the folder held before" : "",
			e->before.size ? ", audit check does so for the folder" : "");
	if (r == 0 && e->bundle_width > 0)
		r = put_bundle(e, size / EXPORT_WIDTH);
	return r ? r : export_tiles_finish(&e->tiles);
}

/* The partial tiles of the checkpoint before: the new ones stand in for them. */
static void remove_before(struct exporter *e)
{
	for (int l = EXPORT_ENTRIES; l < EXPORT_LEVELS; l++) {
		unsigned int height = l > 0 ? 8 * (unsigned int)l : 0;
		uint64_t was = e->before.size >> height, is = e->checkpoint.size >> height;
		if (was % EXPORT_WIDTH > 0 && was != is)
			export_remove_partial(e->dir_fd, l, was / EXPORT_WIDTH, was % EXPORT_WIDTH);
	}
}

/* ---- the whole ---- */

static int finish(struct exporter *e)
{
	char path[4096];
	int r = syncfs(e->dir_fd) < 0 ? -errno : 0;
	if (r == 0)
		r = path_join(path, sizeof(path), e->options->dir, "checkpoint");
	if (r == 0)
		r = file_replace(path, e->note, 0644);
	if (r == 0)
		remove_before(e);
	e->result->checkpoint = e->checkpoint;
	return r;
}

static void exporter_free(struct exporter *e)
{
	if (!e)
		return;
	if (e->dir_fd >= 0)
		close(e->dir_fd);
	arena_free(e->arena);
	free(e);
}
DEFINE_CLEANUP(struct exporter *, exporter_free);

int audit_export(struct audit *audit, const struct audit_export_options *options,
	struct audit_report *report, struct audit_export_result *ret, char *reterr, size_t size)
{
	*ret = (struct audit_export_result){};
	_cleanup_(exporter_free) struct exporter *e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->audit = audit;
	e->options = options;
	e->report = report;
	e->result = ret;
	e->reterr = reterr;
	e->reterr_size = size;
	e->dir_fd = -1;
	e->tiles.sink = (struct export_sink){.tile = put_tile, .context = e};
	e->arena = arena_new(ENTRY_ARENA);
	int r = e->arena ? take_checkpoint(e) : -ENOMEM;
	if (r == 0)
		r = open_folder(e);
	if (r == 0)
		r = take_before(e);
	if (r == 0)
		r = write_tiles(e);
	if (r == 0)
		r = export_policy(e);
	if (r == 0 && options->disclose)
		r = export_disclose(e);
	return r ? r : finish(e);
}
