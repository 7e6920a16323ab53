/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What witnesses add to a proof: that it is final, and between which times its entry was recorded. A journal
 * with three witnesses, of which two are a quorum, cosigned twice; proofs of what was recorded before,
 * between and after.
 */
#include "broker/audit/check.h"
#include "broker/audit/entry.h"
#include "broker/audit/export.h"
#include "broker/audit/prove.h"
#include "broker/audit/report.h"
#include "broker/journal/test-fixture.h"
#include "proto/base/file.h"
#include "proto/receipt/proof-file.h"
#include "test/kit/check.h"

enum { MINUTE_MS = 60000 };

struct world {
	struct journal_fixture f;
	struct audit audit;
	struct audit_trust trust;
	struct arena *arena;
	char policy[300];
	uint64_t between, after;    /* messages: between the cosignatures, and after both */
	uint64_t first_s, second_s; /* times of the cosignatures */
	uint64_t witnessed;         /* entry that notes the first */
};

static uint64_t size_now(struct journal_fixture *f)
{
	struct journal_stats stats;
	journal_stats(f->journal, &stats);
	return stats.tree_size;
}

static uint64_t submit(struct journal_fixture *f)
{
	struct parcel *parcel = journal_fixture_submit(
		f, &(struct fixture_load){.count = 3, .content_bytes = 20});
	journal_fixture_run(f, parcel);
	uint64_t sequence = parcel->submits[1].proof.sequence;
	parcel_free(parcel);
	return sequence;
}

static uint64_t cosign(struct journal_fixture *f, const char *witnesses)
{
	uint64_t now_s = clock_wall_ms(&f->clock) / 1000;
	struct parcel *parcel = journal_fixture_cosigned(f, witnesses, now_s);
	journal_fixture_run(f, parcel);
	parcel_free(parcel);
	return now_s;
}

static void pass_minutes(struct journal_fixture *f)
{
	clock_fake_advance(&f->clock, 2 * MINUTE_MS);
}

static void write_policy(struct world *w)
{
	struct journal_fixture *f = &w->f;
	struct policy policy;
	struct note_key log;
	char text[4096], vkey[NOTE_VKEY_SIZE];
	CHECK_INT(note_key_init(&log, BYTES_STR("test.demo/0"), f->options.log_keys[0]->pub.public),
		0);
	note_key_format(&log, vkey);
	int n = snprintf(text, sizeof(text), "log %s\n", vkey);
	registry_witnesses(f->registry, &policy);
	CHECK_INT(policy.witnesses_count, 3);
	for (size_t i = 0; i < policy.witnesses_count; i++) {
		note_key_format(&policy.witnesses[i], vkey);
		n += snprintf(text + n, sizeof(text) - (size_t)n, "witness w%zu %s\n", i, vkey);
	}
	n += snprintf(text + n, sizeof(text) - (size_t)n, "group all 2 w0 w1 w2\nquorum all\n");
	snprintf(w->policy, sizeof(w->policy), "%s-policy", f->dir);
	CHECK_INT(file_replace(w->policy, BYTES(text, n), 0644), 0);
}

static void live(struct world *w)
{
	struct journal_fixture *f = &w->f;
	submit(f);
	cosign(f, "city");
	w->witnessed = size_now(f);
	w->first_s = cosign(f, "ministry");
	CHECK_INT(size_now(f), w->witnessed + 1);
	pass_minutes(f);
	w->between = submit(f);
	w->second_s = cosign(f, "city,jobcenter");
	pass_minutes(f);
	w->after = submit(f);
	cosign(f, "city"); /* too few */
}

static void world_init(struct world *w, const char *name)
{
	char why[512] = "";
	*w = (struct world){.arena = arena_new(4 * ENTRY_ARENA)};
	CHECK(w->arena);
	journal_fixture_init_witnessed(&w->f, check_memdir(), name, 2);
	journal_fixture_start(&w->f);
	write_policy(w);
	live(w);
	journal_fixture_stop(&w->f);
	struct audit_paths paths = {.journal = w->f.dir,
		.keyring = w->f.keys,
		.master_key = w->f.master,
		.policy = w->policy};
	if (audit_open(&paths, &w->audit, why, sizeof(why)) ||
		audit_trust_open(w->policy, NULL, &w->trust, why, sizeof(why)))
		CHECK_FAIL("%s", why);
}

static void world_deinit(struct world *w)
{
	audit_close(&w->audit);
	audit_trust_close(&w->trust);
	journal_fixture_deinit(&w->f);
	arena_free(w->arena);
}
DEFINE_CLEANUP_PTR(struct world, world_deinit);

static struct audit_proof prove(struct world *w, uint64_t sequence, const struct audit_proof *under)
{
	struct audit_proof proof;
	char why[512] = "";
	int r = audit_prove(&w->audit, sequence, under, w->arena, &proof, why, sizeof(why));
	if (r)
		CHECK_FAIL("entry %llu: %s", (unsigned long long)sequence, why);
	return proof;
}

static int check(struct world *w, struct bytes text, const struct audit_held *held,
	struct audit_checked *ret, struct proof_fault *fault)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 16);
	*fault = (struct proof_fault){};
	return audit_check_proof(&w->trust, text, held, arena, ret, fault);
}

static void is_final_and_between_two_times(void)
{
	_cleanup_(world_deinit) struct world w;
	struct audit_checked checked;
	struct proof_fault fault;
	char why[512];
	uint64_t before;
	world_init(&w, "between");
	struct audit_proof proof = prove(&w, w.between, NULL);
	CHECK(proof.final);
	CHECK_INT(audit_find_witnessed(&w.audit, w.between, &before, why, sizeof(why)), 0);
	CHECK_INT(before, w.witnessed);
	struct audit_proof witnessed = prove(&w, before, &proof);
	struct audit_held held = {.after = witnessed.text, .after_note = witnessed.original};
	CHECK_INT(check(&w, proof.text, &held, &checked, &fault), 0);
	CHECK(checked.witnessed.quorum);
	CHECK_INT(checked.witnessed.count, 2);
	CHECK_INT(checked.witnessed.seen_s, w.second_s);
	CHECK_INT(checked.after, w.witnessed);
	CHECK_INT(checked.after_s, w.first_s);
	/* The entry that notes cosignatures is one like others, too. */
	CHECK_INT(check(&w, witnessed.text, &(struct audit_held){}, &checked, &fault), 0);
	CHECK_INT(checked.after, UINT64_MAX);

	/* Before the first quorum, nothing bounds the time from below; after the last, from above. */
	CHECK_INT(audit_find_witnessed(&w.audit, 2, &before, why, sizeof(why)), PROVE_NOT_FOUND);
	proof = prove(&w, w.after, NULL);
	CHECK(!proof.final);
	CHECK_INT(check(&w, proof.text, &(struct audit_held){}, &checked, &fault), 0);
	CHECK(!checked.witnessed.quorum);
}

/* Every bit of it: it fails, or it is final no more. */
static void finality_hangs_on_every_bit(void)
{
	_cleanup_(world_deinit) struct world w;
	struct audit_checked checked;
	struct proof_fault fault;
	static uint8_t copy[8192];
	world_init(&w, "bits");
	struct bytes text = prove(&w, w.between, NULL).text;
	CHECK(text.len < sizeof(copy));
	memcpy(copy, text.data, text.len);
	for (size_t i = 0; i < text.len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			copy[i] ^= (uint8_t)(1 << bit);
			int r = check(&w, BYTES(copy, text.len), &(struct audit_held){}, &checked,
				&fault);
			if (r == 0 && checked.witnessed.quorum)
				CHECK_FAIL("bit %d of byte %zu may change", bit, i);
			CHECK(r == 0 || (fault.field[0] && fault.why[0]));
			copy[i] ^= (uint8_t)(1 << bit);
		}
	}
}

static void bounds_are_not_taken_on_trust(void)
{
	_cleanup_(world_deinit) struct world w;
	struct audit_checked checked;
	struct proof_fault fault;
	world_init(&w, "bounds");
	struct audit_proof proof = prove(&w, w.between, NULL);
	struct audit_proof witnessed = prove(&w, w.witnessed, &proof);
	struct audit_proof elsewhere = prove(&w, w.witnessed, NULL);
	struct audit_proof other = prove(&w, w.between + 1, &proof);
	struct bytes note;
	CHECK_INT(arena_copy(w.arena, witnessed.original, &note), 0);
	uint8_t *flipped = memmem(note.data, note.len, "\n\n", 2);
	CHECK(flipped);
	flipped[-3] ^= 1;
	const struct {
		struct bytes text, after, after_note;
	} lies[] = {
		{proof.text, witnessed.text, note}, /* other cosignatures */
		{proof.text, witnessed.text, BYTES_STR("a letter")},
		{proof.text, witnessed.text, BYTES(NULL, 0)},
		{proof.text, other.text, witnessed.original}, /* no such entry */
		{proof.text, BYTES_STR("a letter"), witnessed.original},
		{witnessed.text, witnessed.text, witnessed.original}, /* not before it */
		{prove(&w, w.witnessed - 1, &proof).text, witnessed.text, witnessed.original},
	};
	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		struct audit_held held = {.after = lies[i].after, .after_note = lies[i].after_note};
		int r = check(&w, lies[i].text, &held, &checked, &fault);
		if (r != PROOF_BYTES || strcmp(fault.field, "after") != 0)
			CHECK_FAIL("lie %zu: %d, %s: %s", i, r, fault.field, fault.why);
	}
	/* Two proofs under two checkpoints do not say which of their entries came first. */
	struct audit_proof newest = prove(&w, w.after, NULL);
	struct audit_held held = {.after = elsewhere.text, .after_note = elsewhere.original};
	CHECK_INT(check(&w, newest.text, &held, &checked, &fault), PROOF_BYTES);
	CHECK(strstr(fault.why, "at once"));
}

/* A receipt of the time is under a checkpoint that nobody cosigned; the log grew into one that is. */
static void a_later_checkpoint_makes_it_final(void)
{
	_cleanup_(world_deinit) struct world w;
	struct audit_checked checked;
	struct proof_fault fault;
	struct proof_consistency trees;
	struct bytes text, other;
	char why[512] = "";
	world_init(&w, "grown");
	struct audit_proof newest = prove(&w, w.after, NULL);
	/* The newest of before, as a receipt would have it: made by taking its place as "under". */
	struct audit_proof under = newest;
	CHECK_INT(audit_prove_consistency(
			  &w.audit, w.between, PROVE_TO_FINAL, w.arena, &trees, why, sizeof(why)),
		0);
	under.checkpoint.size = w.between;
	under.checkpoint.root = trees.old.root;
	static uint8_t note[CHECKPOINT_NOTE_MAX];
	struct note_key key;
	CHECK_INT(note_key_init(&key, BYTES_STR("test.demo/0"), w.f.options.log_keys[0]->pub.public),
		0);
	size_t len = checkpoint_sign(
		&under.checkpoint, &key, w.f.options.log_keys[0]->ed25519, note);
	under.note = BYTES(note, len);
	struct audit_proof receipt = prove(&w, w.between - 1, &under);
	CHECK_INT(check(&w, receipt.text, &(struct audit_held){}, &checked, &fault), 0);
	CHECK(!checked.witnessed.quorum && checked.grown == 0);
	CHECK_INT(proof_consistency_write(&trees, w.arena, &text), 0);
	struct audit_held held = {.grown = text};
	CHECK_INT(check(&w, receipt.text, &held, &checked, &fault), 0);
	CHECK(checked.witnessed.quorum && checked.grown > w.between);
	CHECK_INT(checked.witnessed.seen_s, w.second_s);
	/* Of another tree, or with a bit changed. */
	CHECK_INT(audit_prove_consistency(&w.audit, w.between - 1, PROVE_TO_FINAL, w.arena, &trees,
			  why, sizeof(why)),
		0);
	CHECK_INT(proof_consistency_write(&trees, w.arena, &other), 0);
	held.grown = other;
	CHECK_INT(check(&w, receipt.text, &held, &checked, &fault), PROOF_BYTES);
	CHECK_STR(fault.field, "grown");
	CHECK_INT(arena_copy(w.arena, text, &other), 0);
	*(uint8_t *)memmem(other.data, other.len, "\nnew ", 5) ^= 1;
	held.grown = other;
	CHECK_INT(check(&w, receipt.text, &held, &checked, &fault), PROOF_BYTES);
	/* Nothing is cosigned behind the last quorum. */
	CHECK_INT(audit_prove_consistency(
			  &w.audit, w.after, PROVE_TO_FINAL, w.arena, &trees, why, sizeof(why)),
		PROVE_NOT_FOUND);
}

/* An auditor without a policy of his own: the registry's witnesses choose the checkpoint. */
static void the_registry_names_witnesses(void)
{
	_cleanup_(world_deinit) struct world w;
	char why[512] = "";
	world_init(&w, "registry");
	audit_close(&w.audit);
	struct audit_paths paths = {.journal = w.f.dir};
	CHECK_INT(audit_open(&paths, &w.audit, why, sizeof(why)), 0);
	CHECK(prove(&w, w.between, NULL).final);
	CHECK(!prove(&w, w.after, NULL).final);
}

/* The export's own policy says whose cosignatures count. */
static void an_export_names_its_witnesses(void)
{
	_cleanup_(world_deinit) struct world w;
	struct audit_export_result result;
	struct audit_report report = {};
	struct policy policy;
	char dir[320], path[340], why[512] = "";
	world_init(&w, "names");
	snprintf(dir, sizeof(dir), "%s-export", w.f.dir);
	snprintf(path, sizeof(path), "%s/policy", dir);
	struct audit_export_options options = {.dir = dir};
	CHECK_INT(audit_export(&w.audit, &options, &report, &result, why, sizeof(why)), 0);
	if (policy_read(path, &policy, why, sizeof(why)))
		CHECK_FAIL("%s", why);
	CHECK_INT(policy.witnesses_count, 3);
	CHECK_INT(policy.witness_quorum, 2);
	CHECK_INT(policy.logs_count, 1);
}

CHECK_MAIN(CHECK_CASE(is_final_and_between_two_times), CHECK_CASE(finality_hangs_on_every_bit),
	CHECK_CASE(bounds_are_not_taken_on_trust), CHECK_CASE(a_later_checkpoint_makes_it_final),
	CHECK_CASE(the_registry_names_witnesses), CHECK_CASE(an_export_names_its_witnesses))
