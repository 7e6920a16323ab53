/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Two years of a journal are erased by the broker, exported, and pruned; killed at every commit, too. What is left
 * has to verify, replay, prove and go on as before, and nobody may hide a deletion behind the same words.
 */
#include "broker/audit/prune.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/audit/bridge.h"
#include "broker/audit/export.h"
#include "broker/audit/index.h"
#include "broker/audit/prove-archive.h"
#include "broker/audit/replay.h"
#include "broker/audit/test-life.h"
#include "broker/audit/verified.h"
#include "broker/audit/verify.h"
#include "broker/journal/highwater.h"
#include "broker/journal/test-erasing.h"
#include "broker/journal/tile.h"
#include "proto/base/file.h"
#include "test/kit/check.h"

enum { COUNT = 200, LATER = 40, SLICE = 1 };

struct world {
	struct erasing e;
	char archive[320];
	uint64_t first_left; /* the first entry that is not erased */
	uint64_t before;     /* the same, in whole rows */
	uint64_t size;
};

/* ---- asking ---- */

static void open_audit(
	const struct world *w, const char *dir, const char *archive, struct audit *ret)
{
	char error[512] = "";
	const struct audit_paths paths = {.journal = dir,
		.keyring = w->e.journal.keys,
		.master_key = w->e.journal.master,
		.archive = archive};
	if (audit_open(&paths, ret, error, sizeof(error)))
		CHECK_FAIL("%s", error);
}

static struct audit_verify_result verify_to(const struct world *w, enum audit_depth depth,
	const char *dir, const char *archive, struct found *found)
{
	_cleanup_(audit_close) struct audit audit = {};
	struct audit_verify_result result;
	const struct audit_verify_options options = {.depth = depth, .workers = 2};
	open_audit(w, dir, archive, &audit);
	found_init(found);
	CHECK_INT(audit_verify(&audit, &options, &found->report, &result), 0);
	return result;
}

static struct audit_verify_result verify(
	const struct world *w, const char *dir, const char *archive, struct found *found)
{
	return verify_to(w, AUDIT_FULL, dir, archive, found);
}

/* Without findings, with the archive and without. */
static void verifies(const struct world *w, uint64_t before)
{
	struct found found;
	struct audit_verify_result result = verify(w, w->e.journal.dir, NULL, &found);
	found_none(&found);
	CHECK_INT(result.pruned, before);
	CHECK(!result.archive);
	result = verify(w, w->e.journal.dir, w->archive, &found);
	found_none(&found);
	CHECK(result.archive);
	CHECK_INT(result.entries, result.newest.size);
}

static int prune(struct world *w, const char *dir, uint64_t before,
	const struct audit_prune_options *how, struct audit_prune_result *ret, char why[512])
{
	struct audit_prune_options options = *how;
	struct found found;
	const struct audit_paths paths = {.journal = dir, .archive = w->archive};
	options.before = before;
	options.slice_rows = SLICE;
	found_init(&found);
	return audit_prune(&paths, &options, &found.report, ret, why, 512);
}

static struct audit_prune_result prune_all(struct world *w)
{
	struct audit_prune_result result;
	char why[512];
	if (prune(w, w->e.journal.dir, w->first_left, &(struct audit_prune_options){}, &result, why))
		CHECK_FAIL("%s", why);
	return result;
}

static void refuses(struct world *w, const char *dir, uint64_t before, const char *expected)
{
	struct audit_prune_result result;
	char why[512];
	CHECK_INT(prune(w, dir, before, &(struct audit_prune_options){}, &result, why),
		PRUNE_REFUSED);
	if (!strstr(why, expected))
		CHECK_FAIL("expected \"%s\", it says: %s", expected, why);
}

static int export(struct world *w, const char *dir, char why[512])
{
	_cleanup_(audit_close) struct audit audit = {};
	struct audit_export_result result;
	struct found found;
	const struct audit_export_options options = {.dir = dir};
	open_audit(w, w->e.journal.dir, NULL, &audit);
	found_init(&found);
	return audit_export(&audit, &options, &found.report, &result, why, 512);
}

static void measure(struct world *w)
{
	_cleanup_(audit_close) struct audit audit = {};
	struct journal_meta meta;
	open_audit(w, w->e.journal.dir, NULL, &audit);
	CHECK_INT(journal_read_meta(audit.reader, &meta), 0);
	w->size = meta.size;
}

/* ---- writing ---- */

static struct parcel *send(struct world *w, size_t count)
{
	struct parcel *sent = erasing_submit(
		&w->e, &(struct fixture_load){.count = count, .content_bytes = 100});
	erasing_deliver(&w->e, "ministry", sent);
	return sent;
}

/* The log goes on under a new origin, as after a loss. */
static void begin_epoch(struct world *w, uint32_t epoch)
{
	struct journal_fixture *f = &w->e.journal;
	struct journal_order order = {epoch, 1000, "order 7"};
	if (epoch == 0)
		return;
	journal_fixture_stop(f);
	f->options.order = &order;
	journal_fixture_start(f);
	f->options.order = NULL;
}

/* Two years of it are over and erased; some entries are not. The journal is stopped. @epochs: two, or 0. */
static void world_init_in(struct world *w, const char *name, const uint32_t epochs[2])
{
	char why[512];
	*w = (struct world){};
	erasing_init(&w->e, name);
	journal_fixture_start(&w->e.journal);
	parcel_free(send(w, COUNT));
	erasing_later(&w->e, 22);
	begin_epoch(w, epochs[0]);
	parcel_free(send(w, COUNT));
	erasing_later(&w->e, 760);
	struct parcel *left = send(w, LATER);
	w->first_left = left->submits[0].proof.sequence;
	w->before = w->first_left / 32 * 32;
	parcel_free(left);
	begin_epoch(w, epochs[1]);
	journal_state_request(w->e.journal.journal);
	journal_fixture_wait_state(&w->e.journal, w->first_left + LATER);
	journal_fixture_stop(&w->e.journal);
	CHECK(snprintf(w->archive, sizeof(w->archive), "%s-archive", w->e.journal.dir) < 320);
	CHECK_INT(export(w, w->archive, why), 0);
	measure(w);
}

static void world_init(struct world *w, const char *name)
{
	world_init_in(w, name, (const uint32_t[2]){});
}

static void world_deinit(struct world *w)
{
	erasing_deinit(&w->e);
}
DEFINE_CLEANUP_PTR(struct world, world_deinit);

/* The broker is started, does something, and is stopped. */
static void broker_runs(struct world *w)
{
	struct journal_fixture *f = &w->e.journal;
	journal_fixture_start(f);
	struct parcel *sent = send(w, LATER);
	CHECK(journal_fixture_check_receipts(f, sent) == LATER);
	parcel_free(sent);
	journal_fixture_stop(f);
	measure(w);
}

/* ---- what works afterwards ---- */

static void replays(struct world *w, const char *name)
{
	_cleanup_(audit_close) struct audit audit = {};
	struct audit_replay_result result;
	struct found found;
	char work[400];
	struct audit_replay_options options = {.work = work};
	CHECK(snprintf(work, sizeof(work), "%s-work-%s", w->e.journal.dir, name) < 400);
	CHECK_INT(dir_make(work, 0700), 0);
	open_audit(w, w->e.journal.dir, NULL, &audit);
	found_init(&found);
	CHECK_INT(audit_replay(&audit, &options, &found.report, &result), 0);
	found_none(&found);
	CHECK(result.complete && result.from >= w->before);
}

static uint64_t permanent(struct audit *audit, uint64_t sequence)
{
	struct stub stub;
	while (journal_read_stub(audit->reader, sequence, &stub) != 0)
		sequence++;
	CHECK_INT(stub.class, 0);
	return sequence;
}

static void proves(struct world *w)
{
	_cleanup_(audit_close) struct audit audit = {};
	_cleanup_(arena_free) struct arena *arena = arena_new(32 << 20);
	struct proof_consistency trees;
	struct audit_proof proof;
	struct stub stub;
	char why[512] = "";
	uint64_t pruned = 100; /* no entry of its row is permanent */
	CHECK(arena);
	open_audit(w, w->e.journal.dir, NULL, &audit);
	for (uint64_t i = w->before; i < w->size; i++, arena_reset(arena))
		CHECK_INT(audit_prove(&audit, i, NULL, arena, &proof, why, sizeof(why)), 0);
	for (uint64_t i = w->before; i <= w->size; i++)
		CHECK_INT(
			audit_prove_consistency(&audit, i, w->size, arena, &trees, why, sizeof(why)),
			0);
	/* Permanent entries below, and none of the others. */
	CHECK_INT(audit_prove(&audit, permanent(&audit, 0), NULL, arena, &proof, why, sizeof(why)),
		0);
	CHECK_INT(
		audit_prove(&audit, permanent(&audit, COUNT), NULL, arena, &proof, why, sizeof(why)),
		0);
	CHECK_INT(journal_read_stub(audit.reader, pruned, &stub), READER_NOT_FOUND);
	CHECK_INT(audit_prove(&audit, pruned, NULL, arena, &proof, why, sizeof(why)),
		PROVE_NOT_FOUND);
	CHECK(strstr(why, "archive"));
	CHECK_INT(audit_prove_consistency(
			  &audit, pruned + 1, w->size, arena, &trees, why, sizeof(why)),
		PROVE_REFUSED);
	CHECK(strstr(why, "archive"));
	/* Those the archive proves, and what lies between the trees. */
	CHECK_INT(prove_archive_entry(w->archive, pruned, arena, &proof, why, sizeof(why)), 0);
	CHECK_INT(prove_archive_trees(
			  w->archive, pruned + 1, w->before, arena, &trees, why, sizeof(why)),
		0);
}

/* What an adapter needs that was away for long. */
static void bridges(struct world *w)
{
	_cleanup_(audit_close) struct audit audit = {};
	_cleanup_(arena_free) struct arena *arena = arena_new(32 << 20);
	struct merkle_hash proof[2 * MERKLE_LEVELS], root;
	struct proof_consistency trees;
	char why[512] = "", away[420];
	size_t count;
	CHECK(arena);
	open_audit(w, w->e.journal.dir, NULL, &audit);
	CHECK_INT(journal_read_root(audit.reader, w->size, &root), 0);
	for (uint64_t old = 1; old < w->size; old++, arena_reset(arena)) {
		CHECK_INT(bridge_consistency(audit.reader, old, w->size, proof, &count), 0);
		if (old > w->before)
			continue;
		CHECK_INT(prove_archive_trees(
				  w->archive, old, w->before, arena, &trees, why, sizeof(why)),
			0);
		CHECK_INT(
			merkle_consistency_check(old, &trees.old.root, w->size, &root, proof, count),
			0);
	}
	/* The archive is away, or somebody changed it: only what was kept can be proven. */
	CHECK(snprintf(away, sizeof(away), "%s-away", w->archive) < 420);
	CHECK_INT(rename(w->archive, away), 0);
	CHECK_INT(bridge_consistency(audit.reader, 101, w->size, proof, &count), BRIDGE_PRUNED);
	CHECK_INT(bridge_consistency(audit.reader, 128, w->size, proof, &count), 0);
	CHECK_INT(bridge_consistency(audit.reader, w->size + 1, w->size + 2, proof, &count),
		READER_NOT_FOUND);
	CHECK_INT(rename(away, w->archive), 0);
}

static void indexes(struct world *w)
{
	_cleanup_(audit_close) struct audit audit = {};
	struct case_index *index;
	struct found found;
	char path[400], why[512] = "";
	CHECK(snprintf(path, sizeof(path), "%s-index", w->e.journal.dir) < 400);
	open_audit(w, w->e.journal.dir, NULL, &audit);
	CHECK_INT(case_index_open(path, &index, why, sizeof(why)), 0);
	found_init(&found);
	CHECK_INT(case_index_update(index, &audit, false, &found.report), 0);
	CHECK_INT(case_index_update(index, &audit, true, &found.report), 0);
	found_none(&found);
	case_index_free(index);
}

/* ---- cases ---- */

/* In a log that lost entries twice: once in what is pruned, and once behind it. */
static void is_left_whole(void)
{
	_cleanup_(world_deinit) struct world w;
	struct found found;
	char elsewhere[400], why[512];
	world_init_in(&w, "whole", (const uint32_t[2]){2, 5});
	indexes(&w);
	verify(&w, w.e.journal.dir, NULL, &found);
	found_none(&found);
	struct audit_prune_result result = prune_all(&w);
	CHECK_INT(result.before, w.before);
	CHECK(result.stubs > 2 * COUNT && result.rows > 2 * COUNT / 32 - 6 && result.kept > 3);
	CHECK_INT(result.stubs + result.kept, w.before);
	/* Until the broker has been started, no entry says so. */
	verify(&w, w.e.journal.dir, NULL, &found);
	found_one(&found, "pruned-unsaid", w.before);
	broker_runs(&w);
	verifies(&w, w.before);
	broker_runs(&w);
	verifies(&w, w.before);
	proves(&w);
	bridges(&w);
	replays(&w, "whole");
	indexes(&w);
	CHECK(snprintf(elsewhere, sizeof(elsewhere), "%s-elsewhere", w.e.journal.dir) < 400);
	CHECK_INT(export(&w, elsewhere, why), EXPORT_REFUSED);
	CHECK(strstr(why, w.archive));
	/* The archive grows with the journal all the same, and later more is pruned. */
	CHECK_INT(export(&w, w.archive, why), 0);
	verifies(&w, w.before);
	uint64_t first = w.before;
	journal_fixture_start(&w.e.journal);
	erasing_later(&w.e, 760);
	struct parcel *left = send(&w, LATER);
	w.first_left = left->submits[0].proof.sequence;
	w.before = w.first_left / 32 * 32;
	parcel_free(left);
	journal_state_request(w.e.journal.journal);
	journal_fixture_wait_state(&w.e.journal, w.first_left + LATER);
	journal_fixture_stop(&w.e.journal);
	refuses(&w, w.e.journal.dir, w.first_left + LATER, "bring it up to date");
	CHECK_INT(export(&w, w.archive, why), 0);
	result = prune_all(&w);
	CHECK(result.before > first && result.stubs > 0);
	broker_runs(&w);
	verifies(&w, w.before);
	proves(&w);
	replays(&w, "again");
}

/* The child: prunes until its nth commit. */
static void killer(void *context)
{
	int *left = context;
	if (--*left == 0)
		raise(SIGKILL);
}

static bool child_prunes(struct world *w, int kill_at)
{
	int status;
	fflush(NULL);
	pid_t child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		const struct audit_prune_options how = {.committed = killer, .context = &kill_at};
		struct audit_prune_result result;
		char why[512];
		_exit(prune(w, w->e.journal.dir, w->first_left, &how, &result, why));
	}
	CHECK_INT(waitpid(child, &status, 0), child);
	CHECK(WIFEXITED(status) ? WEXITSTATUS(status) == 0 : WTERMSIG(status) == SIGKILL);
	return WIFSIGNALED(status);
}

static void goes_on_wherever_it_was_killed(void)
{
	_cleanup_(world_deinit) struct world w;
	struct found found;
	int step = 0;
	world_init(&w, "killed");
	while (child_prunes(&w, ++step)) {
		/* Each run comes one commit further, because those before it find nothing to do. */
		verify(&w, w.e.journal.dir, NULL, &found);
		found_one(&found, "pruned-unsaid", w.before);
		verify(&w, w.e.journal.dir, w.archive, &found);
		found_one(&found, "pruned-unsaid", w.before);
	}
	CHECK_INT(step, (int)(w.before / 32) + 2);
	CHECK_INT(prune_all(&w).stubs, 0);
	broker_runs(&w);
	verifies(&w, w.before);
	proves(&w);
}

/* A broker that starts on half of it. */
static void a_broker_runs_in_between(void)
{
	_cleanup_(world_deinit) struct world w;
	world_init(&w, "between");
	CHECK(child_prunes(&w, 4));
	broker_runs(&w);
	verifies(&w, w.before);
	CHECK(prune_all(&w).stubs > 0);
	verifies(&w, w.before); /* the entry that says so is there already */
	proves(&w);
}

static void refuses_what_lives(void)
{
	_cleanup_(world_deinit) struct world w;
	struct world other;
	char copy[300], path[400], archive[300];
	const uint8_t digest[HASH_SIZE] = {0};
	uint8_t seen[SEEN_ROW_SIZE], key[SEEN_KEY_SIZE] = {1};
	struct seen_row row = {.sequence = 40, .kind = 1};
	world_init(&w, "lives");
	refuses(&w, w.e.journal.dir, w.first_left + 32, "still has its record");
	refuses(&w, w.e.journal.dir, w.size + 64, "state entry");
	refuses(&w, w.e.journal.dir, 31, "fewer than 32");
	seen_row_encode(&row, seen);
	erasing_backup(&w.e, "seen", copy);
	life_put(copy, "seen", BYTES(key, sizeof(key)), BYTES(seen, sizeof(seen)));
	refuses(&w, copy, w.first_left, "message id");
	erasing_backup(&w.e, "instructed", copy);
	life_put(copy, "instructed", KEY_BYTES_OF(key_u64(41)), BYTES(digest, sizeof(digest)));
	refuses(&w, copy, w.first_left, "instruction");
	/* A journal that does not verify. */
	erasing_backup(&w.e, "damaged", copy);
	life_flip(copy, "stub", KEY_BYTES_OF(key_u64(12)), 5);
	refuses(&w, copy, w.first_left, "audit verify has findings");
	/* A broker that runs. */
	journal_fixture_start(&w.e.journal);
	char why[512];
	struct audit_prune_result result;
	CHECK_INT(prune(&w, w.e.journal.dir, w.first_left, &(struct audit_prune_options){}, &result,
			  why),
		PRUNE_REFUSED);
	CHECK(strstr(why, "stop it first"));
	journal_fixture_stop(&w.e.journal);
	/* Archives of another log, or damaged, or none. */
	CHECK(snprintf(archive, sizeof(archive), "%s", w.archive) < (int)sizeof(archive));
	world_init(&other, "other");
	snprintf(w.archive, sizeof(w.archive), "%s", other.archive);
	refuses(&w, w.e.journal.dir, w.first_left, "has findings");
	world_deinit(&other);
	snprintf(w.archive, sizeof(w.archive), "%s-none", archive);
	refuses(&w, w.e.journal.dir, w.first_left, "no such folder");
	snprintf(w.archive, sizeof(w.archive), "%s", archive);
	CHECK(snprintf(path, sizeof(path), "%s/tile/entries/000", archive) < 400);
	CHECK_INT(unlink(path), 0);
	refuses(&w, w.e.journal.dir, w.first_left, "has findings");
	/* After all that the journal is what it was. */
	struct found found;
	CHECK_INT(verify(&w, w.e.journal.dir, NULL, &found).pruned, 0);
	found_none(&found);
}

static void remove_stubs(const char *dir, uint64_t first, uint64_t end)
{
	for (uint64_t i = first; i < end; i++)
		life_remove(dir, "stub", KEY_BYTES_OF(key_u64(i)));
}

static void put_mark(const char *dir, uint64_t before, uint64_t said)
{
	uint8_t value[17];
	be64_put(value, before);
	be64_put(value + 8, said);
	value[16] = '/';
	life_put(dir, "meta", BYTES_STR("pruned"), BYTES(value, sizeof(value)));
}

static uint64_t said_in(const char *dir)
{
	uint8_t value[VALUE_MAX];
	size_t len;
	life_get(dir, "meta", BYTES_STR("pruned"), value, &len);
	return be64_get(value + 8);
}

/* Everything of it: stub, record, content. */
static void remove_entry(const struct world *w, const char *dir, uint64_t sequence, size_t chunks)
{
	life_remove(dir, "stub", KEY_BYTES_OF(key_u64(sequence)));
	life_remove(dir, "record", KEY_BYTES_OF(key_u64(sequence)));
	for (size_t i = 0; i < chunks; i++)
		life_remove(dir, "content", KEY_BYTES_OF(key_chunk(sequence, (uint16_t)i)));
	CHECK(sequence < w->before);
}

/* The tree does not miss what is permanent once everything of it is gone; the states do. */
static void nobody_takes_a_permanent_entry(void)
{
	_cleanup_(world_deinit) struct world w;
	_cleanup_(audit_close) struct audit audit = {};
	uint64_t state = 0, start = 1;
	struct found found;
	struct stub stub;
	char copy[300];
	world_init(&w, "taken");
	prune_all(&w);
	broker_runs(&w);
	open_audit(&w, w.e.journal.dir, NULL, &audit);
	for (uint64_t i = 0; i < w.before && state == 0; i++)
		if (journal_read_stub(audit.reader, i, &stub) == 0 &&
			stub.kind == DIENSTWEG__ENTRY_KIND__ENTRY_STATE)
			state = i;
	audit_close(&audit);
	CHECK(state > 0);
	const uint64_t taken[] = {start, state};
	for (size_t i = 0; i < ARRAY_LEN(taken); i++) {
		erasing_backup(&w.e, "altogether", copy);
		remove_entry(&w, copy, taken[i], i);
		verify(&w, copy, w.archive, &found);
		found_some(&found, "stub-missing", taken[i]);
		verify(&w, copy, NULL, &found);
		found_one(&found, "stub-missing", taken[i]);
		CHECK(strstr(found.items[0].reason, "state entry"));
		verify_to(&w, AUDIT_TREE, copy, NULL, &found); /* without any keys, too */
		found_one(&found, "stub-missing", taken[i]);
	}
}

static void nobody_hides_behind_it(void)
{
	_cleanup_(world_deinit) struct world w;
	struct found found;
	char copy[300], path[400];
	world_init(&w, "hidden");
	/* A number that somebody wrote, with no entry, or with one that says nothing of it. */
	erasing_backup(&w.e, "written", copy);
	put_mark(copy, 32, 0);
	remove_stubs(copy, 8, 12);
	verify(&w, copy, NULL, &found);
	found_one(&found, "pruned-unsaid", 32);
	put_mark(copy, 32, w.size);
	verify(&w, copy, NULL, &found);
	found_one(&found, "pruned-unsaid", 32);
	put_mark(copy, 33, 0);
	verify(&w, copy, NULL, &found);
	found_some(&found, "pruned-false", 0);
	/* Stubs that are removed without it. */
	erasing_backup(&w.e, "removed", copy);
	remove_stubs(copy, 8, 9);
	verify(&w, copy, NULL, &found);
	found_one(&found, "stub-missing", 8);

	prune_all(&w);
	broker_runs(&w);
	/* A number that was raised afterwards, to hide what is behind it. */
	erasing_backup(&w.e, "raised", copy);
	put_mark(copy, w.before + 32, said_in(copy));
	remove_stubs(copy, w.before, w.before + 1);
	verify(&w, copy, NULL, &found);
	found_some(&found, "pruned-unsaid", w.before + 32);
	/* Permanent entries: changed, or taken away. */
	erasing_backup(&w.e, "changed", copy);
	life_flip(copy, "stub", KEY_BYTES_OF(key_u64(1)), 7);
	verify(&w, copy, NULL, &found);
	found_some(&found, "stub-changed", 1);
	erasing_backup(&w.e, "gone", copy);
	remove_stubs(copy, 1, 2);
	verify(&w, copy, w.archive, &found);
	found_one(&found, "stub-missing", 1);
	verify(&w, copy, NULL, &found);
	found_one(&found, "stub-missing", 1);
	/* The hashes that are kept over what was pruned. */
	uint8_t tile[TILE_KEY_SIZE];
	erasing_backup(&w.e, "tile", copy);
	edge_key(5, tile);
	life_flip(copy, "meta", BYTES(tile, EDGE_KEY_SIZE), 3);
	verify(&w, copy, w.archive, &found);
	found_some(&found, "archive-differs", 0);
	verify(&w, copy, NULL, &found);
	CHECK(found.report.findings > 0);
	/* Another archive than the one that was verified then. */
	CHECK(snprintf(path, sizeof(path), "%s/tile/entries/000", w.archive) < 400);
	uint8_t *bundle = NULL;
	size_t len;
	CHECK_INT(file_read(path, 1 << 20, &bundle, &len), 0);
	bundle[100 * 37 + 20] ^= 1;
	CHECK_INT(file_replace(path, BYTES(bundle, len), 0644), 0);
	free(bundle);
	verify(&w, w.e.journal.dir, w.archive, &found);
	found_some(&found, "archive-differs", 96);
}

static void held_checkpoints_need_the_archive(void)
{
	_cleanup_(world_deinit) struct world w;
	_cleanup_(audit_close) struct audit audit = {};
	struct audit_verify_result result;
	struct audit_verify_options options = {.depth = AUDIT_TREE};
	struct found found;
	struct bytes note;
	uint8_t held[CHECKPOINT_NOTE_MAX];
	uint64_t size;
	world_init(&w, "held");
	prune_all(&w);
	broker_runs(&w);
	open_audit(&w, w.e.journal.dir, NULL, &audit);
	CHECK_INT(journal_read_next_checkpoint(audit.reader, 1, &size, &note), 0);
	CHECK(size < w.before);
	memcpy(held, note.data, note.len);
	options.held = BYTES(held, note.len);
	found_init(&found);
	CHECK_INT(audit_verify(&audit, &options, &found.report, &result), 0);
	found_one(&found, "held-checkpoint", size);
	audit.archive = w.archive;
	found_init(&found);
	CHECK_INT(audit_verify(&audit, &options, &found.report, &result), 0);
	found_none(&found);
}

static void what_was_verified_before_goes_on(void)
{
	_cleanup_(world_deinit) struct world w;
	_cleanup_(audit_close) struct audit before = {}, audit = {};
	struct verified verified = {};
	struct audit_verify_result result;
	struct audit_verify_options options = {.depth = AUDIT_TREE, .remember = &verified};
	struct found found;
	char why[512];
	world_init(&w, "verified");
	open_audit(&w, w.e.journal.dir, NULL, &before);
	found_init(&found);
	CHECK_INT(audit_verify(&before, &options, &found.report, &result), 0);
	CHECK(verified.note_len > 0);
	audit_close(&before);
	prune_all(&w);
	broker_runs(&w);
	/* It ended behind what was pruned since. */
	options = (struct audit_verify_options){.depth = AUDIT_TREE, .from = &verified};
	open_audit(&w, w.e.journal.dir, NULL, &audit);
	CHECK_INT(audit_verify_continues(&audit, &options, why, sizeof(why)), 0);
	found_init(&found);
	CHECK_INT(audit_verify(&audit, &options, &found.report, &result), 0);
	found_none(&found);
	CHECK_INT(result.before, verified.edge.size);
	/* One that ended within it needs the archive. */
	verified.edge.size = w.before - 1;
	CHECK_INT(audit_verify_continues(&audit, &options, why, sizeof(why)), AUDIT_REFUSED);
	CHECK(strstr(why, "--archive"));
	audit.archive = w.archive;
	CHECK_INT(audit_verify_continues(&audit, &options, why, sizeof(why)), 0);
}

/* A mark from before: that the journal extends it cannot be shown any more, so nothing is signed. */
static void an_old_mark_holds_it(void)
{
	_cleanup_(world_deinit) struct world w;
	struct journal_fixture *f = &w.e.journal;
	struct checkpoint mark = {.origin = "test.demo/0", .size = 101};
	uint8_t note[CHECKPOINT_NOTE_MAX];
	struct note_key key;
	char path[320];
	world_init(&w, "mark");
	const struct key_secret *log = f->options.log_keys[0];
	CHECK_INT(note_key_init(&key, BYTES_STR(mark.origin), log->pub.public), 0);
	size_t len = checkpoint_sign(&mark, &key, log->ed25519, note);
	CHECK(snprintf(path, sizeof(path), "%s-mark", f->dir) < (int)sizeof(path));
	CHECK_INT(highwater_write(path, BYTES(note, len)), 0);
	prune_all(&w);
	f->options.highwater = path;
	CHECK_INT(journal_fixture_open(f), 0);
	CHECK_INT(journal_doubt(f->journal), JOURNAL_BEHIND);
	journal_free(steal(&f->journal));
}

CHECK_MAIN(CHECK_CASE(is_left_whole), CHECK_CASE(goes_on_wherever_it_was_killed),
	CHECK_CASE(a_broker_runs_in_between), CHECK_CASE(refuses_what_lives),
	CHECK_CASE(nobody_hides_behind_it), CHECK_CASE(nobody_takes_a_permanent_entry),
	CHECK_CASE(held_checkpoints_need_the_archive), CHECK_CASE(what_was_verified_before_goes_on),
	CHECK_CASE(an_old_mark_holds_it))
