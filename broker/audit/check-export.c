/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * One walk over the bundles, in order. A changed byte must be one finding and not one for everything behind
 * it, so where an entry and its hash on level 0 differ, the hash above both decides with which of
 * them to go on; at the ragged end, where there is none above, the root does.
 */
#include "broker/audit/check-export.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/audit/export-tiles.h"

enum { NOTE_FILE_MAX = PROOF_FILE_MAX };

/* 256 entries, or the rest. */
struct block {
	uint64_t index;
	size_t width;
	bool has_entries, has_hashes;
	struct merkle_hash of_entries[EXPORT_WIDTH]; /* leaf hashes of the bundle */
	struct merkle_hash hashes[EXPORT_WIDTH];     /* the tile of level 0 */
};

struct held {
	struct checkpoint checkpoint;
	bool pending;
};

struct checker {
	const struct audit_trust *trust;
	const char *dir;
	int dir_fd;
	struct audit_report *report;
	struct export_checked *result;
	struct export_tiles tiles; /* as they follow from the entries */
	struct merkle_edge edge;
	struct block block;
	struct held held[CHECK_HELD_MAX];
	uint8_t file[EXPORT_BUNDLE_MAX];
};

static int parse_note(struct bytes note, struct checkpoint *ret)
{
	const uint8_t *end = note.len ? memmem(note.data, note.len, "\n\n", 2) : NULL;
	return end ? checkpoint_parse(BYTES(note.data, end + 1 - note.data), ret) : NOTE_MALFORMED;
}

/* ---- checkpoints ---- */

static int judge_checkpoint(struct checker *c, struct bytes note)
{
	struct export_checked *result = c->result;
	struct proof_fault fault;
	if (parse_note(note, &result->checkpoint) != 0) {
		result->checkpoint = (struct checkpoint){};
		audit_report_finding(
			c->report, 0, "checkpoint-missing", "the file checkpoint is no checkpoint");
		return 0;
	}
	char origin[CHECKPOINT_ORIGIN_MAX + 1];
	memcpy(origin, result->checkpoint.origin, sizeof(origin));
	int r = audit_trust_checkpoint(
		c->trust, note, origin, &result->checkpoint, &result->witnessed, &fault);
	result->counts = r == 0;
	if (r > 0)
		audit_report_finding(
			c->report, 0, "checkpoint-signature", "the checkpoint %s", fault.why);
	return r < 0 ? r : 0;
}

static int read_checkpoint(struct checker *c)
{
	_cleanup_(heap_free) uint8_t *note = malloc(NOTE_FILE_MAX);
	size_t len;
	if (!note)
		return -ENOMEM;
	int r = export_get(c->dir_fd, "checkpoint", note, NOTE_FILE_MAX, &len);
	if (r == 0)
		return judge_checkpoint(c, BYTES(note, len));
	if (r < 0 && r != -ENOENT && r != -EINVAL)
		return r;
	audit_report_finding(c->report, 0, "checkpoint-missing",
		r > 0 ? "the file checkpoint is too large" : "there is no file checkpoint");
	return 0;
}

static void take_held(struct checker *c, struct bytes note, struct held *ret)
{
	struct checkpoint claimed;
	struct cosignatures witnessed;
	struct proof_fault fault;
	const char *why = "it is none";
	if (parse_note(note, &claimed) == 0) {
		int r = audit_trust_checkpoint(
			c->trust, note, claimed.origin, &ret->checkpoint, &witnessed, &fault);
		why = r ? fault.why : NULL;
		if (!why && !epoch_same_bus(claimed.origin, c->result->checkpoint.origin))
			why = "it is of another log";
	}
	if (why)
		audit_report_finding(c->report, 0, "held-checkpoint",
			"the given checkpoint does not count: %s", why);
	else if (ret->checkpoint.size > c->result->checkpoint.size)
		audit_report_finding(c->report, c->result->checkpoint.size, "entries-missing",
			"the export ends after %" PRIu64
			" entries, the given checkpoint is of %" PRIu64
			": it is older, or the log has been cut",
			c->result->checkpoint.size, ret->checkpoint.size);
	else
		ret->pending = true;
}

/* A given checkpoint of the tree as it is now. */
static void judge_held(struct checker *c)
{
	struct merkle_hash root;
	for (size_t i = 0; i < CHECK_HELD_MAX; i++) {
		struct held *held = &c->held[i];
		if (!held->pending || held->checkpoint.size != c->edge.size)
			continue;
		held->pending = false;
		merkle_edge_root(&c->edge, &root);
		if (memcmp(&root, &held->checkpoint.root, sizeof(root)) == 0)
			c->result->held++;
		else
			audit_report_finding(c->report, c->edge.size ? c->edge.size - 1 : 0,
				"root-differs",
				"the log signed another root for %" PRIu64
				" entries: its history was forked or rewritten. Keep the export "
				"and the "
				"given checkpoint, together they are the evidence",
				c->edge.size);
	}
}

/* ---- files ---- */

/* A file of the export. false: reported. */
static bool read_file(struct checker *c, int level, uint64_t index, size_t width, size_t expected,
	uint64_t first, int *ret_error)
{
	bool bundle = level == EXPORT_ENTRIES;
	char path[EXPORT_PATH_MAX];
	size_t len;
	export_path(level, index, width, path);
	int r = export_get(c->dir_fd, path, c->file, sizeof(c->file), &len);
	c->result->files += r >= 0;
	*ret_error = r < 0 && r != -ENOENT && r != -EINVAL && r != -ENOTDIR ? r : 0;
	if (*ret_error)
		return false;
	if (r < 0)
		audit_report_finding(c->report, first, bundle ? "bundle-missing" : "tile-missing",
			"the file %s is missing", path);
	else if (r > 0 || len != expected)
		audit_report_finding(c->report, first, bundle ? "bundle-form" : "tile-form",
			"the file %s has not the %zu bytes that it must have", path, expected);
	return r == 0 && len == expected;
}

static int read_entries(struct checker *c)
{
	struct block *block = &c->block;
	uint64_t first = block->index * EXPORT_WIDTH;
	struct stub stub;
	int error;
	block->has_entries = read_file(c, EXPORT_ENTRIES, block->index, block->width,
		block->width * EXPORT_ENTRY_SIZE, first, &error);
	for (size_t i = 0; block->has_entries && i < block->width; i++) {
		const uint8_t *entry = c->file + i * EXPORT_ENTRY_SIZE;
		if (be16_get(entry) != STUB_SIZE ||
			stub_decode(BYTES(entry + 2, STUB_SIZE), &stub) != 0) {
			audit_report_finding(c->report, first + i, "entry-form",
				"its entry in the bundle has not the form of a stub");
			stub.kind = 0;
		}
		c->result->kinds[stub.kind]++;
		merkle_leaf(BYTES(entry + 2, STUB_SIZE), &block->of_entries[i]);
	}
	return error;
}

static int read_hashes(struct checker *c)
{
	struct block *block = &c->block;
	int error;
	block->has_hashes = read_file(c, 0, block->index, block->width, block->width * HASH_SIZE,
		block->index * EXPORT_WIDTH, &error);
	if (block->has_hashes)
		memcpy(block->hashes, c->file, block->width * HASH_SIZE);
	return error;
}

/* ---- which of the two was changed ---- */

/* Does the root follow when the last, incomplete block has these leaves? */
static bool gives_root(const struct checker *c, const struct merkle_hash *leaves)
{
	struct merkle_edge edge = c->edge;
	struct merkle_hash root;
	for (size_t i = 0; i < c->block.width; i++)
		merkle_edge_append(&edge, &leaves[i], NULL);
	merkle_edge_root(&edge, &root);
	return edge.size == c->result->checkpoint.size &&
	       memcmp(&root, &c->result->checkpoint.root, sizeof(root)) == 0;
}

/* What the level above says that a complete block hashes to; false when it cannot be read. */
static bool read_above(struct checker *c, struct merkle_hash *ret)
{
	uint64_t count = c->result->checkpoint.size / EXPORT_WIDTH; /* hashes on level 1 */
	uint64_t tile = c->block.index / EXPORT_WIDTH;
	size_t at = c->block.index % EXPORT_WIDTH, width = EXPORT_WIDTH, len;
	char path[EXPORT_PATH_MAX];
	if (tile == count / EXPORT_WIDTH)
		width = count % EXPORT_WIDTH;
	export_path(1, tile, width, path);
	if (export_get(c->dir_fd, path, c->file, sizeof(c->file), &len) != 0 ||
		len != width * HASH_SIZE)
		return false;
	memcpy(ret->bytes, c->file + at * HASH_SIZE, HASH_SIZE);
	return true;
}

static bool leads_up(struct checker *c, const struct merkle_hash *leaves)
{
	struct merkle_hash above, root;
	if (c->block.width < EXPORT_WIDTH)
		return gives_root(c, leaves);
	if (!read_above(c, &above))
		return false;
	export_tile_root(leaves, &root);
	return memcmp(&root, &above, sizeof(root)) == 0;
}

/* The leaves to go on with; NULL: there are none. */
static const struct merkle_hash *judge_block(struct checker *c)
{
	struct block *block = &c->block;
	if (!block->has_entries || !block->has_hashes)
		return block->has_entries  ? block->of_entries
		       : block->has_hashes ? block->hashes
					   : NULL;
	bool differ = memcmp(block->of_entries, block->hashes, block->width * HASH_SIZE) != 0;
	if (!differ)
		return block->of_entries;
	bool entries_lead = leads_up(c, block->of_entries);
	bool hashes_lead = !entries_lead && leads_up(c, block->hashes);
	for (size_t i = 0; i < block->width; i++) {
		if (memcmp(&block->of_entries[i], &block->hashes[i], HASH_SIZE) == 0)
			continue;
		audit_report_finding(c->report, block->index * EXPORT_WIDTH + i,
			entries_lead  ? "tile-changed"
			: hashes_lead ? "entry-changed"
				      : "entry-or-tile-changed",
			entries_lead
				? "its hash in the tile of level 0 was changed: entry and tree "
				  "agree"
			: hashes_lead
				? "its entry in the bundle was changed: the tree holds another "
				  "one"
				: "its entry in the bundle and its hash in the tile differ, and "
				  "neither leads to the root");
	}
	return hashes_lead ? block->hashes : block->of_entries;
}

/* ---- tiles ---- */

/* A tile as it follows from the entries; level 0 has been compared. */
static int compare_tile(void *context, int level, const struct export_level *tile)
{
	struct checker *c = context;
	unsigned int height = 8 * (unsigned int)level;
	uint64_t first = tile->index * EXPORT_WIDTH << height;
	int error;
	if (level == 0)
		return 0;
	if (!read_file(c, level, tile->index, tile->width, tile->width * HASH_SIZE, first, &error))
		return error;
	for (size_t i = 0; i < tile->width; i++)
		if (memcmp(c->file + i * HASH_SIZE, &tile->hash[i], HASH_SIZE) != 0)
			audit_report_finding(c->report, first + ((uint64_t)i << height),
				"tile-changed",
				"the hash of level %d over the entries that begin here does not "
				"follow "
				"from them",
				level);
	return 0;
}

static int push_block(struct checker *c, const struct merkle_hash *leaves)
{
	int r = 0;
	for (size_t i = 0; i < c->block.width && r == 0; i++) {
		merkle_edge_append(&c->edge, &leaves[i], NULL);
		judge_held(c);
		r = export_tiles_push(&c->tiles, &leaves[i]);
	}
	return r;
}

/* 0, 1 at the end, negative errno. */
static int check_block(struct checker *c, uint64_t size)
{
	struct block *block = &c->block;
	uint64_t left = size - c->edge.size;
	block->index = c->edge.size / EXPORT_WIDTH;
	block->width = left < EXPORT_WIDTH ? (size_t)left : EXPORT_WIDTH;
	int r = read_entries(c);
	if (r == 0)
		r = read_hashes(c);
	if (r)
		return r;
	const struct merkle_hash *leaves = judge_block(c);
	if (!leaves) {
		audit_report_finding(c->report, c->edge.size, "entries-missing",
			"neither the entries nor their hashes are there from here on: nothing "
			"behind "
			"can be checked");
		return 1;
	}
	r = push_block(c, leaves);
	audit_report_progress(c->report, c->edge.size, size);
	return r;
}

static int check_all(struct checker *c)
{
	const struct checkpoint *checkpoint = &c->result->checkpoint;
	struct merkle_hash root;
	int r = 0;
	judge_held(c);
	while (r == 0 && c->edge.size < checkpoint->size)
		r = check_block(c, checkpoint->size);
	c->result->entries = c->edge.size;
	if (r)
		return r < 0 ? r : 0;
	r = export_tiles_finish(&c->tiles);
	merkle_edge_root(&c->edge, &root);
	if (r == 0 && memcmp(&root, &checkpoint->root, sizeof(root)) != 0)
		audit_report_finding(c->report, checkpoint->size ? checkpoint->size - 1 : 0,
			"root-differs",
			"the entries do not give the root that the checkpoint names: this export "
			"is "
			"not what was signed");
	return r;
}

static void checker_free(struct checker *c)
{
	if (c && c->dir_fd >= 0)
		close(c->dir_fd);
	free(c);
}
DEFINE_CLEANUP(struct checker *, checker_free);

int audit_check_export(const struct audit_trust *trust, const char *dir, const struct bytes *held,
	size_t held_count, struct audit_report *report, struct export_checked *ret)
{
	*ret = (struct export_checked){};
	_cleanup_(checker_free) struct checker *c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->trust = trust;
	c->report = report;
	c->result = ret;
	c->tiles.sink = (struct export_sink){.tile = compare_tile, .context = c};
	c->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->dir_fd < 0)
		return -errno;
	int r = read_checkpoint(c);
	for (size_t i = 0; i < held_count && r == 0 && ret->checkpoint.origin[0]; i++)
		take_held(c, held[i], &c->held[i]);
	return r || !ret->checkpoint.origin[0] ? r : check_all(c);
}
