/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A journal that lost entries and went on: everything that was restored and everything that came since verifies,
 * replays, is proven and exported; what was lost is named to whoever holds a checkpoint of it; and nothing that is
 * said of the epoch can be changed.
 */
#include <stdlib.h>

#include "broker/audit/export.h"
#include "broker/audit/prove.h"
#include "broker/audit/replay.h"
#include "broker/audit/test-proven.h"
#include "broker/audit/verified.h"
#include "proto/base/file.h"
#include "test/kit/check.h"

struct loss {
	struct life life;
	struct journal_order order;
	uint64_t left; /* entries that were restored */
	uint8_t older[CHECKPOINT_NOTE_MAX], lost[CHECKPOINT_NOTE_MAX];
	size_t older_len, lost_len;   /* checkpoints that somebody kept: of what is left, of more */
	struct verified from, beyond; /* verifications from before the loss */
};

static struct audit_verify_result verify(const struct life *life, const char *dir,
	struct audit_verify_options options, struct found *found)
{
	struct audit_verify_result result;
	_cleanup_(audit_close) struct audit audit;
	options.depth = AUDIT_FULL;
	options.workers = 2;
	life_open(life, dir, &audit);
	found_init(found);
	CHECK_INT(audit_verify(&audit, &options, &found->report, &result), 0);
	return result;
}

static size_t checkpoint(const struct life *life, uint8_t note[CHECKPOINT_NOTE_MAX])
{
	struct key key = key_u64(life->size);
	uint8_t value[VALUE_MAX];
	size_t len;
	life_get(life->journal.dir, "checkpoint", KEY_BYTES_OF(key), value, &len);
	memcpy(note, value, len);
	return len;
}

static void data_copy(const char *from, const char *to)
{
	char path[320];
	uint8_t *data = NULL;
	size_t len;
	snprintf(path, sizeof(path), "%s/data.mdb", from);
	CHECK_INT(file_read(path, 256 << 20, &data, &len), 0);
	snprintf(path, sizeof(path), "%s/data.mdb", to);
	CHECK_INT(file_replace(path, BYTES(data, len), 0600), 0);
	free(data);
}

static void loss_init(struct loss *loss, const char *name)
{
	struct life *life = &loss->life;
	char copy[300], copied[64];
	struct found found;
	snprintf(copied, sizeof(copied), "%s-copy", name);
	life_init(life, check_tmpdir(), name);
	verify(life, life->journal.dir, (struct audit_verify_options){.remember = &loss->from},
		&found);
	found_none(&found);
	loss->left = life->size;
	loss->older_len = checkpoint(life, loss->older);
	life_copy(life, copied, copy);
	life_grow(life, 3, 20);
	life_measure(life);
	loss->lost_len = checkpoint(life, loss->lost);
	verify(life, life->journal.dir, (struct audit_verify_options){.remember = &loss->beyond},
		&found);
	found_none(&found);
	data_copy(copy, life->journal.dir);
	loss->order = (struct journal_order){1, 1000, "order 7"};
	life->journal.options.order = &loss->order;
	life_grow(life, 5, 20);
	life->journal.options.order = NULL;
	life_grow(life, 5, 20);
	life_measure(life);
}

static void loss_deinit(struct loss *loss)
{
	life_deinit(&loss->life);
}
DEFINE_CLEANUP_PTR(struct loss, loss_deinit);

static void it_verifies_and_replays(struct loss *loss)
{
	struct found found;
	const char *dir = loss->life.journal.dir;
	struct audit_verify_result result = verify(
		&loss->life, dir, (struct audit_verify_options){}, &found);
	found_none(&found);
	CHECK_STR(result.newest.origin, "test.demo/1");
	CHECK_INT(result.epochs.count, 1);
	CHECK_INT(result.epochs.all[0].epoch, 1);
	CHECK_INT(result.epochs.all[0].size, loss->left);
	/* What was verified before the loss is a good place to go on from; what was lost is none. */
	result = verify(
		&loss->life, dir, (struct audit_verify_options){.from = &loss->from}, &found);
	found_none(&found);
	CHECK_INT(result.before, loss->left);
	CHECK_INT(result.epochs.count, 1);
	_cleanup_(audit_close) struct audit audit;
	struct audit_verify_options beyond = {.depth = AUDIT_FULL, .from = &loss->beyond};
	char why[512];
	life_open(&loss->life, dir, &audit);
	CHECK_INT(audit_verify_continues(&audit, &beyond, why, sizeof(why)), AUDIT_REFUSED);
	struct audit_replay_result replayed;
	struct audit_replay_options options = {.work = check_tmpdir(), .findings_max = 100};
	found_init(&found);
	CHECK_INT(audit_replay(&audit, &options, &found.report, &replayed), 0);
	found_none(&found);
	CHECK(replayed.complete);
	CHECK_INT(replayed.entries, loss->life.size);
}

static void checkpoints_from_elsewhere_are_judged_by_their_epoch(struct loss *loss)
{
	struct found found;
	const char *dir = loss->life.journal.dir;
	verify(&loss->life, dir,
		(struct audit_verify_options){.held = BYTES(loss->older, loss->older_len)}, &found);
	found_none(&found);
	verify(&loss->life, dir,
		(struct audit_verify_options){.held = BYTES(loss->lost, loss->lost_len)}, &found);
	found_one(&found, "entries-lost", loss->left);
}

static void nothing_said_of_it_can_be_changed(struct loss *loss)
{
	struct found found;
	char dir[300];
	struct key entry = key_u64(loss->left);
	life_copy(&loss->life, "record", dir);
	life_flip(dir, "record", KEY_BYTES_OF(entry), 150);
	verify(&loss->life, dir, (struct audit_verify_options){}, &found);
	found_some(&found, "epoch-wrong", loss->left);
	found_some(&found, "record-changed", loss->left);
	life_copy(&loss->life, "number", dir);
	life_flip(dir, "meta", BYTES_STR("epochs"), 3);
	verify(&loss->life, dir, (struct audit_verify_options){}, &found);
	found_some(&found, "head-epoch", loss->life.size);
	life_copy(&loss->life, "size", dir);
	life_flip(dir, "meta", BYTES_STR("epochs"), 11);
	verify(&loss->life, dir, (struct audit_verify_options){}, &found);
	found_some(&found, "head-epoch", loss->life.size);
	life_copy(&loss->life, "row", dir);
	life_remove(dir, "meta", BYTES_STR("epochs"));
	verify(&loss->life, dir, (struct audit_verify_options){}, &found);
	found_some(&found, "head-epoch", loss->life.size);
	life_copy(&loss->life, "head", dir);
	life_flip(dir, "meta", BYTES_STR("head"), 3);
	verify(&loss->life, dir, (struct audit_verify_options){}, &found);
	found_some(&found, "head-epoch", loss->life.size);
}

/* The checkpoint of the old epoch is one of the old one's only, and stays. */
static void the_old_checkpoint_stays(struct loss *loss)
{
	struct found found;
	uint8_t value[VALUE_MAX];
	char dir[300];
	size_t len;
	struct key old = key_u64(loss->left);
	life_get(loss->life.journal.dir, "checkpoint", KEY_BYTES_OF(old), value, &len);
	CHECK_INT(len, loss->older_len);
	CHECK_MEM(value, loss->older, len);
	/* One of the new epoch in its place is none of this log as it was then. */
	struct key new = key_u64(loss->life.size);
	life_get(loss->life.journal.dir, "checkpoint", KEY_BYTES_OF(new), value, &len);
	life_copy(&loss->life, "swapped", dir);
	life_put(dir, "checkpoint", KEY_BYTES_OF(old), BYTES(value, len));
	verify(&loss->life, dir, (struct audit_verify_options){}, &found);
	found_some(&found, "checkpoint-signature", loss->left - 1);
	life_copy(&loss->life, "gone", dir);
	life_remove(dir, "checkpoint", KEY_BYTES_OF(old));
	verify(&loss->life, dir, (struct audit_verify_options){}, &found);
	found_one(&found, "checkpoint-missing", loss->left - 1);
}

static void export_to(const struct loss *loss, const char *folder, int expected)
{
	_cleanup_(audit_close) struct audit audit;
	struct audit_export_result result;
	struct audit_export_options options = {.dir = folder};
	struct found found;
	char why[512] = "";
	life_open(&loss->life, loss->life.journal.dir, &audit);
	found_init(&found);
	int r = audit_export(&audit, &options, &found.report, &result, why, sizeof(why));
	if (r != expected)
		CHECK_FAIL("%d: %s", r, why);
	if (expected)
		CHECK(strstr(why, "lost some"));
}

static void proofs_and_exports_go_on(void)
{
	_cleanup_(loss_deinit) struct loss loss = {};
	_cleanup_(audit_trust_close) struct audit_trust trust = {};
	_cleanup_(arena_free) struct arena *arena = arena_new(8 << 20);
	char older[320], lost[320], copy[300], policy[320], why[512] = "";
	snprintf(older, sizeof(older), "%s/export-older", check_tmpdir());
	snprintf(lost, sizeof(lost), "%s/export-lost", check_tmpdir());
	life_init(&loss.life, check_tmpdir(), "export");
	loss.left = loss.life.size;
	export_to(&loss, older, 0);
	life_copy(&loss.life, "export-copy", copy);
	life_grow(&loss.life, 2, 20);
	export_to(&loss, lost, 0);
	data_copy(copy, loss.life.journal.dir);
	loss.order = (struct journal_order){1, 1000, "order 7"};
	loss.life.journal.options.order = &loss.order;
	life_grow(&loss.life, 4, 20);
	export_to(&loss, older, 0);
	export_to(&loss, lost, EXPORT_REFUSED);
	/* A policy that pins the log's first name knows it under the next one. */
	proven_policy(&loss.life, "test.demo/0", 1, policy);
	CHECK_INT(audit_trust_open(policy, NULL, &trust, why, sizeof(why)), 0);
	_cleanup_(audit_close) struct audit audit;
	life_open(&loss.life, loss.life.journal.dir, &audit);
	const uint64_t entries[] = {loss.life.first_message, loss.left, loss.left + 3};
	for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
		struct audit_proof proof;
		struct audit_checked checked;
		struct proof_fault fault;
		struct audit_held held = {};
		CHECK_INT(audit_prove(&audit, entries[i], NULL, arena, &proof, why, sizeof(why)), 0);
		CHECK_INT(audit_check_proof(&trust, proof.text, &held, arena, &checked, &fault), 0);
		CHECK_STR(checked.checkpoint.origin, "test.demo/1");
	}
}

/* Of one journal: making it is what takes time. */
static void a_journal_that_lost_entries(void)
{
	_cleanup_(loss_deinit) struct loss loss = {};
	loss_init(&loss, "loss");
	it_verifies_and_replays(&loss);
	checkpoints_from_elsewhere_are_judged_by_their_epoch(&loss);
	nothing_said_of_it_can_be_changed(&loss);
	the_old_checkpoint_stays(&loss);
}

/* ---- a chain of them ---- */

/* A checkpoint that somebody kept, and what an audit says of it. */
struct kept {
	uint8_t note[CHECKPOINT_NOTE_MAX];
	size_t len;
};

static void keep(const struct life *life, struct kept *ret)
{
	ret->len = checkpoint(life, ret->note);
}

static struct audit_verify_result holds(
	const struct life *life, const struct kept *kept, uint64_t lost_from)
{
	struct found found;
	struct audit_verify_result result = verify(life, life->journal.dir,
		(struct audit_verify_options){.held = BYTES(kept->note, kept->len)}, &found);
	if (lost_from == 0)
		found_none(&found);
	else
		found_one(&found, "entries-lost", lost_from);
	return result;
}

/* More is written and lost; what is left goes on under a new origin. @lost: the checkpoint of what was lost. */
static void lose(struct life *life, const char *copy, uint32_t epoch, struct kept *lost)
{
	struct journal_order order = {epoch, 1000, "order 8"};
	life_grow(life, 1, 20);
	keep(life, lost);
	data_copy(copy, life->journal.dir);
	life->journal.options.order = &order;
	life_grow(life, 2, 20);
	life->journal.options.order = NULL;
}

static void proves_all(const struct loss *loss, const uint64_t *entries, size_t count)
{
	_cleanup_(audit_trust_close) struct audit_trust trust = {};
	_cleanup_(arena_free) struct arena *arena = arena_new(8 << 20);
	_cleanup_(audit_close) struct audit audit;
	char policy[320], why[512] = "";
	proven_policy(&loss->life, "test.demo/0", 1, policy);
	CHECK_INT(audit_trust_open(policy, NULL, &trust, why, sizeof(why)), 0);
	life_open(&loss->life, loss->life.journal.dir, &audit);
	for (size_t i = 0; i < count; i++) {
		struct audit_proof proof;
		struct audit_checked checked;
		struct proof_fault fault;
		struct audit_held held = {};
		CHECK_INT(audit_prove(&audit, entries[i], NULL, arena, &proof, why, sizeof(why)), 0);
		CHECK_INT(audit_check_proof(&trust, proof.text, &held, arena, &checked, &fault), 0);
		CHECK_STR(checked.checkpoint.origin, "test.demo/4");
	}
}

static void replays(const struct life *life)
{
	_cleanup_(audit_close) struct audit audit;
	struct audit_replay_result replayed;
	struct audit_replay_options options = {.work = check_tmpdir(), .findings_max = 100};
	struct found found;
	life_open(life, life->journal.dir, &audit);
	found_init(&found);
	CHECK_INT(audit_replay(&audit, &options, &found.report, &replayed), 0);
	found_none(&found);
	CHECK(replayed.complete);
}

/* A second loss from a copy of the epoch before, and then one from a copy that knows of none. */
static void a_log_that_lost_entries_again(void)
{
	_cleanup_(loss_deinit) struct loss loss = {};
	struct life *life = &loss.life;
	struct kept older, lost, first, lost_again, last;
	struct found found;
	char copies[2][300], folder[320], dir[300];
	snprintf(folder, sizeof(folder), "%s/export-chain", check_tmpdir());
	life_init(life, check_tmpdir(), "chain");
	uint64_t left = life->size;
	keep(life, &older);
	export_to(&loss, folder, 0);
	verify(life, life->journal.dir, (struct audit_verify_options){.remember = &loss.from},
		&found);
	life_copy(life, "chain-copy-0", copies[0]);
	lose(life, copies[0], 1, &lost);
	export_to(&loss, folder, 0);
	keep(life, &first);
	uint64_t again = life->size;
	verify(life, life->journal.dir, (struct audit_verify_options){.remember = &loss.beyond},
		&found);
	life_copy(life, "chain-copy-1", copies[1]);
	lose(life, copies[1], 4, &lost_again);

	struct audit_verify_result result = holds(life, &older, 0);
	CHECK_STR(result.newest.origin, "test.demo/4");
	CHECK_INT(result.epochs.count, 2);
	CHECK_INT(result.epochs.all[1].epoch, 4);
	CHECK_INT(result.epochs.all[1].size, again);
	holds(life, &first, 0);
	holds(life, &lost, left);
	holds(life, &lost_again, again);
	/* What was verified in either epoch goes on, and so does an export. */
	const struct verified *before[] = {&loss.from, &loss.beyond};
	for (size_t i = 0; i < ARRAY_LEN(before); i++) {
		result = verify(life, life->journal.dir,
			(struct audit_verify_options){.from = before[i]}, &found);
		found_none(&found);
		CHECK_INT(result.epochs.count, 2);
	}
	export_to(&loss, folder, 0);
	const uint64_t entries[] = {life->first_message, left, left + 3, again, again + 3};
	proves_all(&loss, entries, ARRAY_LEN(entries));
	replays(life);
	/* The first of two is as bound as the last. */
	life_copy(life, "chain-changed", dir);
	life_flip(dir, "record", KEY_BYTES_OF(key_u64(left)), 150);
	verify(life, dir, (struct audit_verify_options){}, &found);
	found_some(&found, "epoch-wrong", left);
	life_copy(life, "chain-gone", dir);
	life_remove(dir, "checkpoint", KEY_BYTES_OF(key_u64(again)));
	verify(life, dir, (struct audit_verify_options){}, &found);
	found_one(&found, "checkpoint-missing", again - 1);

	/* From before the first loss: the epochs between are of no history that is left. */
	lose(life, copies[0], 5, &last);
	result = holds(life, &older, 0);
	CHECK_INT(result.epochs.count, 1);
	CHECK_INT(result.epochs.all[0].epoch, 5);
	holds(life, &lost, left);
	holds(life, &first, left);
	holds(life, &last, left);
	replays(life);
	/* A copy that knows nothing of an epoch is no newer for having no finding of its own. */
	data_copy(copies[0], life->journal.dir);
	verify(life, life->journal.dir,
		(struct audit_verify_options){.held = BYTES(first.note, first.len)}, &found);
	CHECK(found.report.findings > 0);
}

CHECK_MAIN(CHECK_CASE(a_journal_that_lost_entries), CHECK_CASE(proofs_and_exports_go_on),
	CHECK_CASE(a_log_that_lost_entries_again))
