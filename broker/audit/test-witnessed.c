/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The words of witnesses under audit: a journal that has them verifies, replays and bounds the times of its
 * entries; one in which somebody changed a word of a witness does not pass.
 */
#include "broker/audit/replay.h"
#include "broker/audit/test-life.h"
#include "broker/audit/witnessed.h"
#include "proto/base/file.h"
#include "proto/note/cosignature.h"
#include "test/kit/check.h"

struct town {
	struct journal_fixture journal;
	uint64_t first;     /* a message before any quorum */
	uint64_t size;      /* of the first cosigned tree; the entry "witnessed" stands there */
	uint64_t seen_s;    /* when that was */
	uint64_t second;    /* a message after it */
	uint64_t last_size; /* of the newest cosigned tree */
	size_t note_len;    /* of the first one's note */
};

static uint64_t size_now(struct town *town)
{
	struct journal_stats stats;
	journal_stats(town->journal.journal, &stats);
	return stats.tree_size;
}

static uint64_t message(struct town *town)
{
	struct parcel *parcel = journal_fixture_submit(
		&town->journal, &(struct fixture_load){.count = 1});
	journal_fixture_run(&town->journal, parcel);
	uint64_t sequence = parcel->submits[0].proof.sequence;
	parcel_free(parcel);
	town->journal.clock.fake_wall_ms += 90 * 1000;
	town->journal.clock.fake_mono_ns += UINT64_C(90000000000);
	return sequence;
}

static void cosign(struct town *town)
{
	struct parcel *parcel = journal_fixture_cosigned(
		&town->journal, "city,ministry", clock_wall_ms(&town->journal.clock) / 1000);
	journal_fixture_run(&town->journal, parcel);
	parcel_free(parcel);
}

static void town_init(struct town *town, const char *name)
{
	journal_fixture_init_witnessed(&town->journal, check_memdir(), name, 2);
	journal_fixture_start(&town->journal);
	town->first = message(town);
	town->size = size_now(town);
	town->seen_s = clock_wall_ms(&town->journal.clock) / 1000;
	cosign(town);
	uint8_t note[COSIGNED_NOTE_MAX];
	town->note_len = journal_cosigned(town->journal.journal, note, sizeof(note), NULL);
	town->second = message(town);
	town->last_size = size_now(town);
	cosign(town);
	(void)message(town);
	journal_fixture_stop(&town->journal);
}

static void town_open(const struct town *town, struct audit *ret)
{
	char error[512] = "";
	struct audit_paths paths = {
		.journal = town->journal.dir,
		.keyring = town->journal.keys,
		.master_key = town->journal.master,
	};
	int r = audit_open(&paths, ret, error, sizeof(error));
	if (r)
		CHECK_FAIL("audit_open() is %d: %s", r, error);
}

static void verify(const struct town *town, struct found *found)
{
	_cleanup_(audit_close) struct audit audit = {};
	struct audit_verify_options options = {.depth = AUDIT_FULL};
	struct audit_verify_result result;
	found_init(found);
	town_open(town, &audit);
	CHECK_INT(audit_verify(&audit, &options, &found->report, &result), 0);
}

static struct bytes size_key(uint64_t size, uint8_t buf[8])
{
	be64_put(buf, size);
	return BYTES(buf, 8);
}

static void a_witnessed_journal_is_in_order(void)
{
	struct town town;
	struct found found;
	town_init(&town, "order");
	verify(&town, &found);
	found_none(&found);
	journal_fixture_deinit(&town.journal);
}

static void entries_lie_between_the_words_of_witnesses(void)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(8 << 20);
	struct town town;
	struct policy policy, none = {};
	struct witnessed_bounds bounds;
	town_init(&town, "between");
	{
		_cleanup_(audit_close) struct audit audit = {};
		town_open(&town, &audit);
		CHECK_INT(audit_refresh(&audit), 0);
		CHECK_INT(witnessed_policy(&audit, arena, &policy), 0);
		CHECK_INT(policy.witness_quorum, 2);
		CHECK_INT(witnessed_bounds_find(&audit, &policy, town.first, arena, &bounds), 0);
		CHECK(!bounds.after && bounds.before);
		CHECK_INT(bounds.before_size, town.size);
		CHECK_INT(bounds.before_s, town.seen_s);
		CHECK_INT(witnessed_bounds_find(&audit, &policy, town.second, arena, &bounds), 0);
		CHECK(bounds.after && bounds.before);
		CHECK_INT(bounds.after_entry, town.size);
		CHECK_INT(bounds.after_s, town.seen_s);
		CHECK_INT(bounds.before_size, town.last_size);
		CHECK_INT(witnessed_bounds_find(&audit, &none, town.second, arena, &bounds), 0);
		CHECK(bounds.after && !bounds.before);
		CHECK_INT(witnessed_bounds_find(&audit, &policy, town.last_size + 1, arena, &bounds),
			0);
		CHECK(bounds.after && !bounds.before);
	}
	journal_fixture_deinit(&town.journal);
}

/*
 * Whoever has the disk can write another note into the entry, with its stub: then it is consistent in itself, and only
 * the signatures in it are wrong. That no bound rests on it must not depend on a verification before.
 */
static void forge_witnessed(const struct town *town, uint64_t sequence)
{
	uint8_t value[VALUE_MAX], stub[STUB_SIZE], digest[HASH_SIZE], packed[VALUE_MAX + 1] = {0};
	uint8_t nonce[STUB_NONCE_SIZE], salt[STUB_SALT_SIZE], private[HASH_SIZE];
	struct key key = key_u64(sequence);
	size_t len;
	life_get(town->journal.dir, "record", KEY_BYTES_OF(key), value, &len);
	Dienstweg__Row *row = dienstweg__row__unpack(NULL, len - 1, value + 1);
	CHECK(row != NULL);
	uint8_t *end = row->original.data + row->original.len;
	end[-20] = end[-20] == 'A' ? 'B' : 'A'; /* of the last signature */
	sha256_of(BYTES_PB(row->original), digest);
	memcpy(row->disclosed.data + 17, digest, HASH_SIZE);
	len = 1 + dienstweg__row__pack(row, packed + 1);
	stub_open_secret(row->secret.data, nonce, salt);
	stub_private_digest(salt, BYTES_PB(row->private_), private);
	stub_make(DIENSTWEG__ENTRY_KIND__ENTRY_WITNESSED, 0, nonce, BYTES_PB(row->disclosed),
		private, stub);
	dienstweg__row__free_unpacked(row, NULL);
	life_put(town->journal.dir, "record", KEY_BYTES_OF(key), BYTES(packed, len));
	life_put(town->journal.dir, "stub", KEY_BYTES_OF(key), BYTES(stub, STUB_SIZE));
}

static void no_bound_rests_on_a_forged_note(void)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(2 * ENTRY_ARENA);
	struct town town;
	struct policy policy;
	struct witnessed_bounds bounds;
	town_init(&town, "forged");
	uint64_t last = town.last_size; /* the second entry of its kind; the first stands at town.size */
	for (int forged = 0; forged < 3; forged++) {
		_cleanup_(audit_close) struct audit audit = {};
		town_open(&town, &audit);
		CHECK_INT(witnessed_policy(&audit, arena, &policy), 0);
		CHECK_INT(witnessed_bounds_find(&audit, &policy, last + 1, arena, &bounds), 0);
		CHECK_INT(bounds.after, forged < 2);
		if (forged < 2)
			CHECK_INT(bounds.after_entry, forged == 0 ? last : town.size);
		audit_close(&audit);
		audit = (struct audit){};
		if (forged < 2)
			forge_witnessed(&town, forged == 0 ? last : town.size);
	}
	journal_fixture_deinit(&town.journal);
}

/* ---- keys change ---- */

static void change_key(struct town *town, const char *name)
{
	struct registry_fixture *parties = town->journal.parties;
	Dienstweg__RegistryContent *content = registry_fixture_content(parties);
	for (size_t i = 0; i < content->n_witnesses; i++)
		if (bytes_equal(BYTES_PB(content->witnesses[i]->name), BYTES_STR(name)))
			content->witnesses[i]->key = registry_fixture_key(
				parties, name, KEY_WITNESS);
}

static void cosign_old(struct town *town, uint64_t size, struct bytes note, const char *name)
{
	uint8_t buf[COSIGNED_NOTE_MAX];
	struct journal_fixture *f = &town->journal;
	struct parcel *parcel = journal_fixture_act(f, PARCEL_COSIGN);
	size_t len = journal_fixture_cosign(f, note, name, clock_wall_ms(&f->clock) / 1000, buf);
	parcel->tree_size = size;
	CHECK_INT(arena_copy(parcel->arena, BYTES(buf, len), &parcel->checkpoint), 0);
	journal_fixture_run(f, parcel);
	parcel_free(parcel);
}

/* Two lines under one checkpoint: one by a key that only the older registry has, one that only the newer has. */
static void a_key_changes_while_lines_are_collected(void)
{
	struct town town;
	struct found found;
	struct journal_fixture *f = &town.journal;
	uint8_t note[COSIGNED_NOTE_MAX];
	uint64_t size;
	town_init(&town, "change");
	journal_fixture_start(f);
	(void)message(&town);
	size_t len = journal_checkpoint(f->journal, note, sizeof(note), &size);
	cosign_old(&town, size, BYTES(note, len), "city");
	change_key(&town, "city");
	change_key(&town, "jobcenter");
	struct registry *next = registry_fixture_load(
		f->parties, registry_version(f->registry) + 1, f->registry);
	struct parcel *parcel = journal_fixture_act(f, PARCEL_REGISTRY);
	parcel->registry = registry_ref(next);
	journal_fixture_run(f, parcel);
	CHECK_INT(parcel->verdict, 0);
	parcel_free(parcel);
	registry_unref(f->registry);
	f->registry = next;
	cosign_old(&town, size, BYTES(note, len), "jobcenter");
	journal_fixture_stop(f);
	uint8_t key[8], value[VALUE_MAX];
	life_get(f->dir, "cosignature", size_key(size, key), value, &len);
	CHECK_INT(cosignature_lines(BYTES(value, len), "test.demo/0"), 2);
	verify(&town, &found);
	found_none(&found);
	journal_fixture_deinit(f);
}

/* ---- tampering ---- */

/* Every byte of a kept cosigned checkpoint matters. */
static void no_byte_of_a_cosignature_can_be_changed(void)
{
	struct town town;
	struct found found;
	uint8_t key[8];
	town_init(&town, "byte");
	for (size_t at = 0; at < town.note_len; at += 7) {
		life_flip(town.journal.dir, "cosignature", size_key(town.size, key), at);
		verify(&town, &found);
		if (found.report.findings == 0)
			CHECK_FAIL("byte %zu of a cosigned checkpoint is not missed", at);
		CHECK_INT(found.items[0].sequence, town.size - 1);
		life_flip(town.journal.dir, "cosignature", size_key(town.size, key), at);
	}
	verify(&town, &found);
	found_none(&found);
	journal_fixture_deinit(&town.journal);
}

/* u64 size of the newest quorum, u64 beginning of its minute, u64 last entry that notes one. */
static void no_byte_of_the_mark_is_free(void)
{
	struct town town;
	struct found found;
	town_init(&town, "mark");
	for (size_t at = 0; at < 3 * 8; at++) {
		if (at >= 10 && at < 16)
			continue; /* it may have begun earlier */
		life_flip(town.journal.dir, "meta", BYTES_STR("cosigned"), at);
		verify(&town, &found);
		found_one(&found, "mark-wrong", town.last_size);
		life_flip(town.journal.dir, "meta", BYTES_STR("cosigned"), at);
	}
	life_remove(town.journal.dir, "meta", BYTES_STR("cosigned"));
	verify(&town, &found);
	found_one(&found, "mark-wrong", town.last_size);
	journal_fixture_deinit(&town.journal);
}

/* Good signatures, but about another tree: the log's key was used for two. */
static void a_cosigned_fork_is_found(void)
{
	struct town town;
	struct found found;
	uint8_t key[8], note[CHECKPOINT_NOTE_MAX], cosigned[COSIGNED_NOTE_MAX];
	struct checkpoint other = {.origin = "test.demo/0"};
	struct note_key log;
	town_init(&town, "fork");
	const struct key_secret *secret = registry_fixture_secret(
		town.journal.parties, "test.demo", KEY_LOG);
	other.size = town.size;
	CHECK_INT(note_key_init(&log, BYTES_STR("test.demo/0"), secret->pub.public), 0);
	size_t len = checkpoint_sign(&other, &log, secret->ed25519, note);
	len = journal_fixture_cosign(
		&town.journal, BYTES(note, len), "city,ministry", town.seen_s, cosigned);
	life_put(town.journal.dir, "cosignature", size_key(town.size, key), BYTES(cosigned, len));
	verify(&town, &found);
	found_one(&found, "cosigned-other-tree", town.size - 1);
	journal_fixture_deinit(&town.journal);
}

CHECK_MAIN(CHECK_CASE(a_witnessed_journal_is_in_order),
	CHECK_CASE(entries_lie_between_the_words_of_witnesses),
	CHECK_CASE(no_bound_rests_on_a_forged_note),
	CHECK_CASE(a_key_changes_while_lines_are_collected), CHECK_CASE(no_byte_of_the_mark_is_free),
	CHECK_CASE(no_byte_of_a_cosignature_can_be_changed), CHECK_CASE(a_cosigned_fork_is_found))
