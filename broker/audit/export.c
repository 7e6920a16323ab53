/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Tiles are made of the stubs and not of the stored tree: so the export's root is computed anew from what is
 * in its bundles, and a journal whose stubs do not give the signed root is never exported as if they
 * did. Only what lies before the last checkpoint of the folder is taken over, after that checkpoint
 * was found in the journal's tree.
 */
#include "broker/audit/exporter.h"

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
	return r ? r : arena_copy(e->arena, note, &e->note);
}

/* Does the folder hold an earlier state of this very log? */
static int compare_before(struct exporter *e)
{
	struct merkle_hash root;
	unsigned int level = 0;
	if (strcmp(e->before.origin, e->checkpoint.origin) != 0)
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
	if (r > 0 || memcmp(&root, &e->before.root, sizeof(root)) != 0)
		return exporter_refuse(e, EXPORT_REFUSED,
			"%s: its checkpoint of %" PRIu64
			" entries is not one of this journal, although the name of the log is the "
			"same: "
			"one of the two was forked or rewritten. Keep both",
			e->options->dir, e->before.size);
	return 0;
}

static int take_before(struct exporter *e)
{
	uint8_t *buf = arena_alloc(e->arena, NOTE_FILE_MAX);
	size_t len;
	if (!buf)
		return -ENOMEM;
	int r = export_get(e->dir_fd, "checkpoint", buf, NOTE_FILE_MAX, &len);
	if (r == -ENOENT)
		return 0;
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
	r = export_put(e->dir_fd, path, data);
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

/* Complete subtrees before @start, a multiple of a tile's width. */
static int resume(struct exporter *e, uint64_t start)
{
	int r = 0;
	e->edge.size = start;
	for (unsigned int bit = 0; bit < 64 && r == 0; bit++)
		if (start >> bit & 1)
			r = journal_read_node(e->audit->reader, start, bit, (start >> bit) - 1,
				&e->edge.node[bit]);
	for (int l = 0; l < EXPORT_LEVELS && r == 0; l++) {
		struct export_level *level = &e->tiles.level[l];
		unsigned int height = 8 * (unsigned int)l;
		uint64_t count = start >> height;
		level->index = count / EXPORT_WIDTH;
		for (; level->width < count % EXPORT_WIDTH && r == 0; level->width++)
			r = journal_read_node(e->audit->reader, start, height,
				level->index * EXPORT_WIDTH + level->width,
				&level->hash[level->width]);
	}
	return r > 0 ? exporter_refuse(e, EXPORT_DAMAGED,
			       "the journal's stored tree is damaged: audit verify tells more")
		     : r;
}

static int push_entry(struct exporter *e)
{
	uint8_t *place = e->bundle + e->bundle_width * EXPORT_ENTRY_SIZE, *bytes = place + 2;
	struct merkle_hash leaf;
	struct stub stub;
	uint64_t sequence = e->edge.size;
	int r = journal_read_stub(e->audit->reader, sequence, &stub);
	if (r)
		return r < 0 ? r
			     : exporter_refuse(e, EXPORT_DAMAGED,
				       "the stub of entry %" PRIu64
				       " is missing or damaged: audit verify tells more",
				       sequence);
	be16_put(place, STUB_SIZE);
	bytes[0] = stub.version;
	bytes[1] = stub.kind;
	bytes[2] = stub.class;
	memcpy(bytes + 3, stub.commitment, HASH_SIZE);
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
	int r = resume(e, e->before.size - e->before.size % EXPORT_WIDTH);
	while (r == 0 && e->edge.size < size) {
		r = audit_refresh(e->audit);
		for (size_t i = 0; r == 0 && i < AUDIT_SLICE && e->edge.size < size; i++)
			r = push_entry(e);
		audit_report_progress(e->report, e->edge.size, size);
	}
	merkle_edge_root(&e->edge, &root);
	if (r == 0 && memcmp(&root, &e->checkpoint.root, sizeof(root)) != 0)
		return exporter_refuse(e, EXPORT_DAMAGED,
			"the journal's stubs do not give the root that was signed over them: audit "
			"verify tells which. The checkpoint was not written");
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
