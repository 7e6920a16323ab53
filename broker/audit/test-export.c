/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * An export is written, continued, interrupted and damaged, and checked each time with nothing but the
 * folder and pinned keys. Every file of it is damaged in turn: one changed byte is found, with the entry that it
 * is about, and does not drown in what follows from it.
 */
#include "broker/audit/export.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/audit/prove-archive.h"
#include "broker/audit/check-export.h"
#include "broker/audit/entry.h"
#include "broker/audit/export-tiles.h"
#include "broker/audit/test-proven.h"
#include "proto/base/file.h"
#include "test/kit/check.h"

/* A journal with something in every tile of level 0, and its export. */
struct world {
	struct life life;
	struct audit_trust trust;
	char dir[320];
	uint64_t size;
};

static struct audit_export_result export(struct world *w, const struct audit_export_options *options)
{
	_cleanup_(audit_close) struct audit audit;
	struct audit_export_result result;
	struct found found;
	char why[512] = "";
	struct audit_export_options all = *options;
	all.dir = w->dir;
	life_open(&w->life, w->life.journal.dir, &audit);
	found_init(&found);
	int r = audit_export(&audit, &all, &found.report, &result, why, sizeof(why));
	if (r)
		CHECK_FAIL("%d: %s", r, why);
	return result;
}

static int export_fails(struct world *w, const struct audit_export_options *options, char why[512])
{
	_cleanup_(audit_close) struct audit audit;
	struct audit_export_result result;
	struct found found;
	struct audit_export_options all = *options;
	all.dir = w->dir;
	life_open(&w->life, w->life.journal.dir, &audit);
	found_init(&found);
	return audit_export(&audit, &all, &found.report, &result, why, 512);
}

static struct export_checked check(
	const struct world *w, const struct bytes *held, size_t held_count, struct found *found)
{
	struct export_checked checked;
	found_init(found);
	CHECK_INT(audit_check_export(&w->trust, w->dir, held, held_count, &found->report, &checked),
		0);
	return checked;
}

/* So many messages more, in the journal that the life left closed. */
static void grow(struct world *w, size_t count)
{
	struct journal_fixture *f = &w->life.journal;
	journal_fixture_start(f);
	for (size_t done = 0; done < count;) {
		size_t some = count - done < 512 ? count - done : 512;
		struct parcel *parcel = journal_fixture_submit(
			f, &(struct fixture_load){.count = some, .content_bytes = 10});
		journal_fixture_run(f, parcel);
		parcel_free(parcel);
		done += some;
	}
	journal_fixture_stop(f);
	_cleanup_(audit_close) struct audit audit;
	struct journal_meta meta;
	life_open(&w->life, f->dir, &audit);
	CHECK_INT(journal_read_meta(audit.reader, &meta), 0);
	w->size = meta.size;
}

static void world_init(struct world *w, const char *name, size_t messages)
{
	*w = (struct world){};
	life_init(&w->life, check_memdir(), name);
	proven_trust(&w->life, &w->trust);
	w->size = w->life.size;
	if (messages > 0)
		grow(w, messages);
	CHECK(snprintf(w->dir, sizeof(w->dir), "%s/%s-export", check_memdir(), name) < 320);
}

static void world_deinit(struct world *w)
{
	audit_trust_close(&w->trust);
	life_deinit(&w->life);
}
DEFINE_CLEANUP_PTR(struct world, world_deinit);

static void path_of(const struct world *w, const char *name, char path[480])
{
	CHECK(snprintf(path, 480, "%s/%s", w->dir, name) < 480);
}

static bool exists(const struct world *w, const char *name)
{
	char path[480];
	path_of(w, name, path);
	return access(path, F_OK) == 0;
}

/* ---- written and continued ---- */

static void is_what_was_signed(void)
{
	_cleanup_(world_deinit) struct world w;
	struct found found;
	world_init(&w, "signed", 0);
	struct audit_export_result result = export(&w, &(struct audit_export_options){});
	CHECK_INT(result.before, 0);
	CHECK_INT(result.checkpoint.size, w.size);
	struct export_checked checked = check(&w, NULL, 0, &found);
	found_none(&found);
	CHECK(checked.counts);
	CHECK_INT(checked.entries, w.size);
	CHECK_INT(checked.kinds[DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED], 1);
	CHECK_INT(checked.kinds[DIENSTWEG__ENTRY_KIND__ENTRY_REGISTRY], 2);
	CHECK(!exists(&w, "disclosed"));
	/* Its own policy is one that can be read, and pins the log's key. */
	struct audit_trust trust;
	char path[480], why[512] = "";
	path_of(&w, "policy", path);
	CHECK_INT(audit_trust_open(path, NULL, &trust, why, sizeof(why)), 0);
	CHECK_INT(trust.policy.logs_count, 1);
	audit_trust_close(&trust);
}

static void goes_on_where_it_was(void)
{
	_cleanup_(world_deinit) struct world w;
	struct found found;
	struct stat before, after;
	char path[480];
	world_init(&w, "goes-on", 0);
	/* As of the first day, then as of now, then with three complete tiles and a rest. */
	CHECK_INT(export(&w, &(struct audit_export_options){.size = w.life.day_end}).checkpoint.size,
		w.life.day_end);
	check(&w, NULL, 0, &found);
	found_none(&found);
	CHECK_INT(export(&w, &(struct audit_export_options){}).before, w.life.day_end);
	grow(&w, 700);
	struct audit_export_result result = export(&w, &(struct audit_export_options){});
	CHECK_INT(result.checkpoint.size, w.size);
	CHECK(w.size > 3 * 256 && w.size % 256 > 0);
	CHECK_INT(result.files, 3 + 1 + 3 + 1 + 1);
	check(&w, NULL, 0, &found);
	found_none(&found);
	CHECK(exists(&w, "tile/0/000") && exists(&w, "tile/entries/002"));
	CHECK(!exists(&w, "tile/0/000.p") && !exists(&w, "tile/entries/000.p"));
	/* Again, with nothing new: nothing is written. */
	path_of(&w, "tile/0/000", path);
	CHECK_INT(stat(path, &before), 0);
	CHECK_INT(export(&w, &(struct audit_export_options){}).files, 0);
	grow(&w, 300);
	export(&w, &(struct audit_export_options){});
	CHECK_INT(stat(path, &after), 0);
	CHECK_INT(before.st_ino, after.st_ino);
	CHECK_INT(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	check(&w, NULL, 0, &found);
	found_none(&found);
}

/* Tiles of three levels: more than 65,536 entries. */
static void has_levels(void)
{
	_cleanup_(world_deinit) struct world w;
	struct found found;
	world_init(&w, "levels", 66000);
	export(&w, &(struct audit_export_options){});
	struct export_checked checked = check(&w, NULL, 0, &found);
	found_none(&found);
	CHECK_INT(checked.entries, w.size);
	CHECK(exists(&w, "tile/0/256") && exists(&w, "tile/1/000") && exists(&w, "tile/2/000.p/1"));
	/* It goes on from there with hashes of all levels at hand. */
	grow(&w, 600);
	export(&w, &(struct audit_export_options){});
	check(&w, NULL, 0, &found);
	found_none(&found);
}

/* What the folder holds is not asked of the journal again: it may have been pruned. */
static void needs_only_what_is_new(void)
{
	_cleanup_(world_deinit) struct world w;
	struct found found;
	char why[512], path[480], name[64];
	world_init(&w, "pruned", 700);
	export(&w, &(struct audit_export_options){});
	uint64_t before = w.size;
	grow(&w, 100);
	for (uint64_t i = 0; i < before; i++) {
		uint8_t key[8];
		be64_put(key, i);
		if (i == 0 || i == w.life.second_registry)
			continue; /* in force: the log's key stands there */
		life_remove(w.life.journal.dir, "stub", BYTES(key, sizeof(key)));
	}
	/* But it is believed only as far as the new root goes. */
	snprintf(name, sizeof(name), "tile/entries/%03u.p/%u", (unsigned int)(before / 256),
		(unsigned int)(before % 256));
	path_of(&w, name, path);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	uint8_t byte;
	CHECK(fd >= 0 && pread(fd, &byte, 1, 20) == 1);
	byte ^= 1;
	CHECK_INT(pwrite(fd, &byte, 1, 20), 1);
	CHECK_INT(export_fails(&w, &(struct audit_export_options){}, why), EXPORT_DAMAGED);
	CHECK(strstr(why, "what the folder held"));
	byte ^= 1;
	CHECK_INT(pwrite(fd, &byte, 1, 20), 1);
	CHECK_INT(close(fd), 0);
	export(&w, &(struct audit_export_options){});
	CHECK_INT(check(&w, NULL, 0, &found).entries, w.size);
	found_none(&found);
}

/* ---- interrupted ---- */

static void survives_an_interruption(void)
{
	_cleanup_(world_deinit) struct world w;
	struct found found;
	char path[480], why[512];
	world_init(&w, "broken-off", 600);
	/* As if it had stopped before the checkpoint, with a torn file among those put there. */
	export(&w, &(struct audit_export_options){});
	path_of(&w, "checkpoint", path);
	CHECK_INT(unlink(path), 0);
	path_of(&w, "tile/0/001", path);
	CHECK_INT(truncate(path, 100), 0);
	path_of(&w, "tile/1/000.p/2", path);
	CHECK_INT(unlink(path), 0);
	check(&w, NULL, 0, &found);
	found_one(&found, "checkpoint-missing", 0);
	CHECK_INT(export(&w, &(struct audit_export_options){}).files, 2);
	check(&w, NULL, 0, &found);
	found_none(&found);
	/* A whole file with other content is no remains of ours. */
	path_of(&w, "checkpoint", path);
	CHECK_INT(unlink(path), 0);
	path_of(&w, "tile/0/001", path);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	CHECK(fd >= 0 && pwrite(fd, "x", 1, 77) == 1 && close(fd) == 0);
	CHECK_INT(export_fails(&w, &(struct audit_export_options){}, why), EXPORT_REFUSED);
	CHECK(strstr(why, "tile/0/001"));
}

static void keeps_out_of_other_logs(void)
{
	_cleanup_(world_deinit) struct world one, other;
	struct found found;
	char why[512];
	world_init(&one, "one", 0);
	world_init(&other, "other", 10);
	export(&one, &(struct audit_export_options){});
	/* The same name and another history: a fork, and the folder stays as it was. */
	memcpy(other.dir, one.dir, sizeof(one.dir));
	CHECK_INT(export_fails(&other, &(struct audit_export_options){}, why), EXPORT_REFUSED);
	CHECK(strstr(why, "forked"));
	check(&one, NULL, 0, &found);
	found_none(&found);
	/* An older state is not exported over a newer one; a size without a checkpoint not at all. */
	CHECK_INT(export_fails(&one, &(struct audit_export_options){.size = one.life.day_end}, why),
		EXPORT_REFUSED);
	CHECK_INT(
		export_fails(&one, &(struct audit_export_options){.size = 3}, why), EXPORT_REFUSED);
	/* Two at once. */
	int fd = open(one.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(fd >= 0 && flock(fd, LOCK_EX) == 0);
	CHECK_INT(export_fails(&one, &(struct audit_export_options){}, why), EXPORT_REFUSED);
	CHECK(strstr(why, "another export"));
	close(fd);
}

/* A folder of something else, whose policy pins somebody's roots, say. What an interrupted run left is ours. */
static void keeps_out_of_other_folders(void)
{
	_cleanup_(world_deinit) struct world w;
	struct found found;
	char why[512], path[480];
	world_init(&w, "folder", 0);
	CHECK_INT(mkdir(w.dir, 0700), 0);
	path_of(&w, "policy", path);
	CHECK_INT(file_replace(path, BYTES_STR("root pinned\n"), 0600), 0);
	CHECK_INT(export_fails(&w, &(struct audit_export_options){}, why), EXPORT_REFUSED);
	CHECK(strstr(why, "holds policy and is no export: name an empty folder"));
	_cleanup_(heap_free) uint8_t *data = NULL;
	size_t len;
	CHECK_INT(file_read(path, 100, &data, &len), 0);
	CHECK_INT(len, strlen("root pinned\n"));
	CHECK_INT(unlink(path), 0);
	export(&w, &(struct audit_export_options){});
	path_of(&w, "checkpoint", path);
	CHECK_INT(unlink(path), 0);
	export(&w, &(struct audit_export_options){});
	check(&w, NULL, 0, &found);
	found_none(&found);
}

/* A journal whose stubs are not the signed ones is not exported as if they were. */
static void exports_no_damage(void)
{
	_cleanup_(world_deinit) struct world w;
	char why[512], copy[300];
	uint8_t key[8];
	world_init(&w, "damage", 0);
	life_copy(&w.life, "flipped", copy);
	be64_put(key, 5);
	life_flip(copy, "stub", BYTES(key, sizeof(key)), 10);
	memcpy(w.life.journal.dir, copy, sizeof(w.life.journal.dir));
	CHECK_INT(export_fails(&w, &(struct audit_export_options){}, why), EXPORT_DAMAGED);
	CHECK(!exists(&w, "checkpoint"));
	life_remove(copy, "stub", BYTES(key, sizeof(key)));
	CHECK_INT(export_fails(&w, &(struct audit_export_options){}, why), EXPORT_DAMAGED);
	CHECK(strstr(why, "entry 5"));
}

/* ---- disclosed ---- */

static struct bytes read_file(const struct world *w, const char *name, uint8_t **buf)
{
	char path[480];
	size_t len;
	path_of(w, name, path);
	CHECK_INT(file_read(path, 1 << 20, buf, &len), 0);
	return BYTES(*buf, len);
}

static void discloses_what_was_asked_for(void)
{
	_cleanup_(world_deinit) struct world w;
	_cleanup_(heap_free) uint8_t *proof = NULL, *batch = NULL, *decision = NULL, *ranges = NULL;
	_cleanup_(arena_free) struct arena *arena = arena_new(16 << 20);
	struct audit_checked checked;
	struct proof_fault fault;
	char name[EXPORT_PATH_MAX], why[512];
	uint8_t digest[HASH_SIZE];
	world_init(&w, "disclosed", 0);
	struct audit_export_options options = {
		.disclose = true, .first = w.life.first_notice, .last = w.life.acknowledged};
	struct audit_export_result result = export(&w, &options);
	CHECK_INT(result.disclosed, options.last - options.first + 1);
	CHECK_INT(result.closed, 0);
	snprintf(name, sizeof(name), "disclosed/%03u.tlog-proof", (unsigned int)options.last);
	struct bytes text = read_file(&w, name, &proof);
	snprintf(name, sizeof(name), "disclosed/%03u.batch", (unsigned int)options.last);
	struct audit_held held = {.batch = read_file(&w, name, &batch)};
	CHECK_INT(audit_check_proof(&w.trust, text, &held, arena, &checked, &fault), 0);
	CHECK(checked.batch);
	/* The decision with its salt is what the stub commits to. */
	snprintf(name, sizeof(name), "disclosed/%03u.decision", (unsigned int)options.last);
	struct bytes whole = read_file(&w, name, &decision);
	CHECK(whole.len > STUB_SALT_SIZE);
	stub_private_digest(
		whole.data, BYTES(whole.data + STUB_SALT_SIZE, whole.len - STUB_SALT_SIZE), digest);
	CHECK_MEM(digest, checked.file.entry.private_digest, HASH_SIZE);
	held.decision = whole;
	CHECK_INT(audit_check_proof(&w.trust, text, &held, arena, &checked, &fault), 0);
	CHECK(checked.decision && checked.decision->n_verdicts == 5);
	for (size_t i = 0; i < whole.len; i++) {
		decision[i] ^= 1;
		CHECK_INT(audit_check_proof(&w.trust, text, &held, arena, &checked, &fault),
			PROOF_BYTES);
		CHECK_STR(fault.field, "decision");
		decision[i] ^= 1;
	}
	CHECK(strstr((const char *)read_file(&w, "disclosed/ranges", &ranges).data, "disclosed"));
	snprintf(name, sizeof(name), "disclosed/%03u.tlog-proof", (unsigned int)options.last + 1);
	CHECK(!exists(&w, name));
	options.last = w.size;
	CHECK_INT(export_fails(&w, &options, why), EXPORT_REFUSED);
}

/* ---- proven out of it ---- */

static int entry_holds(const struct world *w, struct bytes text)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 20);
	struct audit_checked checked;
	struct proof_fault fault;
	return audit_check_proof(&w->trust, text, &(struct audit_held){}, arena, &checked, &fault);
}

static void proves_without_a_journal(void)
{
	_cleanup_(world_deinit) struct world w;
	_cleanup_(arena_free) struct arena *arena = arena_new(16 << 20);
	struct audit_checked_trees trees;
	struct audit_proof proof;
	struct proof_consistency grown;
	struct proof_fault fault;
	struct bytes text;
	char why[512] = "", path[480];
	world_init(&w, "archive", 66000);
	export(&w, &(struct audit_export_options){});
	for (uint64_t i = 0; i < w.size; i += i < 600 || i > w.size - 300 ? 1 : 977) {
		arena_reset(arena);
		CHECK_INT(prove_archive_entry(w.dir, i, arena, &proof, why, sizeof(why)), 0);
		CHECK_INT(entry_holds(&w, proof.text), 0);
		CHECK_INT(prove_archive_trees(w.dir, i + 1, 0, arena, &grown, why, sizeof(why)), 0);
		CHECK_INT(proof_consistency_write(&grown, arena, &text), 0);
		CHECK_INT(audit_check_trees(&w.trust, text, NULL, 0, &trees, &fault), 0);
	}
	CHECK_INT(prove_archive_trees(w.dir, 300, 65537, arena, &grown, why, sizeof(why)), 0);
	CHECK_INT(grown.note.len, 0);
	CHECK_INT(prove_archive_entry(w.dir, w.size, arena, &proof, why, sizeof(why)),
		PROVE_NOT_FOUND);
	CHECK_INT(
		prove_archive_trees(w.dir, 0, 0, arena, &grown, why, sizeof(why)), PROVE_NOT_FOUND);
	CHECK_INT(prove_archive_trees(w.dir, 9, w.size + 1, arena, &grown, why, sizeof(why)),
		PROVE_NOT_FOUND);
	CHECK_INT(prove_archive_entry(w.life.journal.dir, 0, arena, &proof, why, sizeof(why)),
		PROVE_REFUSED);
	/* What is damaged is not proven, what lies elsewhere still is. */
	path_of(&w, "tile/0/001", path);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	CHECK(fd >= 0 && pwrite(fd, "x", 1, 5 * HASH_SIZE) == 1 && close(fd) == 0);
	CHECK_INT(prove_archive_entry(w.dir, 256 + 4, arena, &proof, why, sizeof(why)),
		PROVE_REFUSED);
	CHECK_INT(prove_archive_entry(w.dir, 9, arena, &proof, why, sizeof(why)), 0);
	CHECK_INT(unlink(path), 0);
	CHECK_INT(prove_archive_entry(w.dir, 256 + 4, arena, &proof, why, sizeof(why)),
		PROVE_REFUSED);
}

/* ---- damaged ---- */

enum damage { FLIP, CUT, REMOVE };

/* Damage a file, check, mend. */
static void damage(
	const struct world *w, const char *name, enum damage how, size_t at, struct found *ret)
{
	_cleanup_(heap_free) uint8_t *data = NULL;
	char path[480];
	struct bytes whole = read_file(w, name, &data);
	path_of(w, name, path);
	CHECK(at < whole.len);
	data[at] ^= 1;
	if (how == REMOVE)
		CHECK_INT(unlink(path), 0);
	else
		CHECK_INT(file_replace(path, how == CUT ? BYTES(data, at) : whole, 0644), 0);
	check(w, NULL, 0, ret);
	data[at] ^= 1;
	CHECK_INT(file_replace(path, whole, 0644), 0);
}

static void finds_damage_in_every_file(void)
{
	enum { ENTRY = EXPORT_ENTRY_SIZE };
	static const struct {
		const char *file;
		enum damage how;
		size_t at;
		const char *code;
		uint64_t sequence;
	} damages[] = {
		/* An entry: its length, version, kind, class, commitment. */
		{"tile/entries/000", FLIP, 7 * ENTRY + 1, "entry-form", 7},
		{"tile/entries/000", FLIP, 7 * ENTRY + 2, "entry-form", 7},
		{"tile/entries/000", FLIP, 7 * ENTRY + 3, "entry-changed", 7},
		{"tile/entries/000", FLIP, 7 * ENTRY + 4, "entry-changed", 7},
		{"tile/entries/001", FLIP, 9 * ENTRY + 30, "entry-changed", 265},
		{"tile/entries/002.p/%zu", FLIP, 3 * ENTRY + 30, "entry-changed", 515},
		{"tile/entries/001", CUT, 5 * ENTRY, "bundle-form", 256},
		{"tile/entries/001", REMOVE, 0, "bundle-missing", 256},
		/* A hash of each level. */
		{"tile/0/000", FLIP, 7 * HASH_SIZE, "tile-changed", 7},
		{"tile/0/002.p/%zu", FLIP, 4 * HASH_SIZE + 31, "tile-changed", 516},
		{"tile/0/001", CUT, 32, "tile-form", 256},
		{"tile/0/001", REMOVE, 0, "tile-missing", 256},
		{"tile/1/000.p/2", FLIP, HASH_SIZE + 1, "tile-changed", 256},
		{"tile/1/000.p/2", CUT, 32, "tile-form", 0},
		{"tile/1/000.p/2", REMOVE, 0, "tile-missing", 0},
		/* The checkpoint: origin, signature; as a whole. */
		{"checkpoint", FLIP, 0, "checkpoint-signature", 0},
		{"checkpoint", FLIP, 110, "checkpoint-signature", 0},
		{"checkpoint", CUT, 20, "checkpoint-missing", 0},
		{"checkpoint", REMOVE, 0, "checkpoint-missing", 0},
	};
	_cleanup_(world_deinit) struct world w;
	struct found found;
	world_init(&w, "damaged", 0);
	grow(&w, 700 - w.size);
	export(&w, &(struct audit_export_options){});
	for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
		char name[EXPORT_PATH_MAX];
		snprintf(name, sizeof(name), "%s", damages[i].file);
		char *width = strstr(name, "%zu");
		if (width)
			snprintf(width, 8, "%zu", (size_t)(w.size % EXPORT_WIDTH));
		damage(&w, name, damages[i].how, damages[i].at, &found);
		if (strcmp(damages[i].code, "entry-form") == 0)
			found_some(&found, damages[i].code, damages[i].sequence);
		else
			found_one(&found, damages[i].code, damages[i].sequence);
	}
	check(&w, NULL, 0, &found);
	found_none(&found);
}

/* Every bit of the smallest export: none goes unnoticed. */
static void finds_every_changed_bit(void)
{
	_cleanup_(world_deinit) struct world w;
	struct found found;
	world_init(&w, "bits", 0);
	export(&w, &(struct audit_export_options){});
	char entries[64], tile[64];
	snprintf(entries, sizeof(entries), "tile/entries/000.p/%zu", (size_t)w.size);
	snprintf(tile, sizeof(tile), "tile/0/000.p/%zu", (size_t)w.size);
	const char *const files[] = {"checkpoint", entries, tile};
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		_cleanup_(heap_free) uint8_t *data = NULL;
		size_t len = read_file(&w, files[i], &data).len;
		for (size_t at = 0; at < len; at++) {
			damage(&w, files[i], FLIP, at, &found);
			if (found.report.findings == 0)
				CHECK_FAIL("%s: byte %zu may change", files[i], at);
		}
	}
}

/* An operator with the log's key, who rewrote history and exported it all anew. */
static void compares_with_a_held_checkpoint(void)
{
	_cleanup_(world_deinit) struct world w;
	_cleanup_(heap_free) uint8_t *data = NULL;
	struct found found;
	uint8_t first[CHECKPOINT_NOTE_MAX], second[CHECKPOINT_NOTE_MAX];
	world_init(&w, "held", 0);
	export(&w, &(struct audit_export_options){.size = w.life.day_end});
	struct bytes day = read_file(&w, "checkpoint", &data);
	export(&w, &(struct audit_export_options){});
	CHECK_INT(check(&w, &day, 1, &found).held, 1);
	found_none(&found);
	struct merkle_hash other = {{7}};
	struct bytes held[2] = {proven_sign(&w.life, 11, &other, first),
		proven_sign(&w.life, w.size + 1, &other, second)};
	check(&w, held, 2, &found);
	found_some(&found, "root-differs", 10);
	found_some(&found, "entries-missing", w.size);
	held[0] = BYTES_STR("a letter");
	check(&w, held, 1, &found);
	found_one(&found, "held-checkpoint", 0);
}

CHECK_MAIN(CHECK_CASE(is_what_was_signed), CHECK_CASE(goes_on_where_it_was), CHECK_CASE(has_levels),
	CHECK_CASE(needs_only_what_is_new), CHECK_CASE(survives_an_interruption),
	CHECK_CASE(keeps_out_of_other_logs), CHECK_CASE(keeps_out_of_other_folders),
	CHECK_CASE(exports_no_damage), CHECK_CASE(discloses_what_was_asked_for),
	CHECK_CASE(proves_without_a_journal), CHECK_CASE(finds_damage_in_every_file),
	CHECK_CASE(finds_every_changed_bit), CHECK_CASE(compares_with_a_held_checkpoint))
