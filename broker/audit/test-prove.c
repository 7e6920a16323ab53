/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A proof is checked as its holder would: out of a file, with pinned keys and no journal. What is honest
 * holds; what has a single changed bit, a byte too few or the wrong bytes beside it does not, and says
 * where. No bit is left out.
 */
#include "broker/audit/prove.h"

#include <unistd.h>

#include "broker/audit/check.h"
#include "broker/audit/entry.h"
#include "broker/audit/test-life.h"
#include "broker/audit/test-proven.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "test/kit/check.h"

/* ---- what is honest ---- */

static void prove(
	struct audit *audit, uint64_t sequence, struct arena *arena, struct audit_proof *ret)
{
	char why[512] = "";
	int r = audit_prove(audit, sequence, NULL, arena, ret, why, sizeof(why));
	if (r)
		CHECK_FAIL("entry %llu: %d: %s", (unsigned long long)sequence, r, why);
}

static int check(const struct audit_trust *trust, struct bytes text, const struct audit_held *held,
	struct arena *arena, struct audit_checked *ret, struct proof_fault *fault)
{
	*fault = (struct proof_fault){};
	int r = audit_check_proof(trust, text, held, arena, ret, fault);
	CHECK(r >= 0);
	if (r > 0)
		CHECK(fault->field[0] && fault->why[0]);
	return r;
}

static void proves_every_entry(void)
{
	_cleanup_(life_deinit) struct life life;
	_cleanup_(audit_close) struct audit audit;
	_cleanup_(audit_trust_close) struct audit_trust trust;
	_cleanup_(arena_free) struct arena *arena = arena_new(2 * ENTRY_ARENA);
	struct audit_checked checked;
	struct proof_fault fault;
	life_init(&life, check_memdir(), "every");
	proven_trust(&life, &trust);
	life_open(&life, life.journal.dir, &audit);
	for (uint64_t i = 0; i < life.size; i++) {
		struct audit_proof proof;
		arena_reset(arena);
		prove(&audit, i, arena, &proof);
		uint8_t kind = proof.entry.stub[1];
		struct audit_held held = {};
		if (kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED)
			held.batch = proof.original;
		else if (kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED)
			held.header = proof.original;
		if (check(&trust, proof.text, &held, arena, &checked, &fault))
			CHECK_FAIL("entry %llu: %s: %s", (unsigned long long)i, fault.field,
				fault.why);
		CHECK(checked.file.entry.whole && checked.checkpoint.size == life.size);
		CHECK_INT(checked.disclosed.kind, kind);
		/* The registry given is version 2: it judges what happened under it, and nothing else. */
		CHECK_INT(checked.signed_by_party,
			i > life.second_registry && (held.batch.data || held.header.data));
	}
}

static uint64_t find(struct audit *audit, const char *word)
{
	char why[512] = "";
	uint64_t sequence;
	int r = audit_find(audit, word, &sequence, why, sizeof(why));
	if (r)
		CHECK_FAIL("%s: %s", word, why);
	return sequence;
}

static void finds_what_is_meant(void)
{
	_cleanup_(life_deinit) struct life life;
	_cleanup_(audit_close) struct audit audit;
	_cleanup_(arena_free) struct arena *arena = arena_new(2 * ENTRY_ARENA);
	struct audit_proof proof;
	struct disclosed disclosed;
	char word[UUID_TEXT_SIZE], hex[2 * HASH_SIZE + 1], why[512];
	uint64_t sequence;
	life_init(&life, check_memdir(), "find");
	life_open(&life, life.journal.dir, &audit);
	CHECK_INT(find(&audit, "7"), 7);
	uuid_format(life.message_id, word);
	CHECK_INT(find(&audit, word), life.first_notice);
	prove(&audit, life.first_notice, arena, &proof);
	CHECK_INT(disclosed_decode(
			  BYTES(proof.entry.disclosed, proof.entry.disclosed_len), &disclosed),
		0);
	text_hex(BYTES(disclosed.digest, HASH_SIZE), hex);
	CHECK_INT(find(&audit, hex), life.first_notice);

	CHECK_INT(
		audit_find_end(&audit, life.first_notice, "jobcenter", &sequence, why, sizeof(why)),
		0);
	CHECK_INT(sequence, life.acknowledged);
	CHECK_INT(audit_find_end(&audit, life.first_notice, "ministry", &sequence, why, sizeof(why)),
		PROVE_NOT_FOUND);
	CHECK_INT(
		audit_find_end(&audit, life.first_message, "ministry", &sequence, why, sizeof(why)),
		PROVE_NOT_FOUND);
	CHECK_INT(audit_find_end(&audit, life.first_notice, "nobody", &sequence, why, sizeof(why)),
		PROVE_NOT_FOUND);
	hex[0] = hex[0] == '0' ? '1' : '0';
	CHECK_INT(audit_find(&audit, hex, &sequence, why, sizeof(why)), PROVE_NOT_FOUND);
	word[0] = word[0] == '0' ? '1' : '0';
	CHECK_INT(audit_find(&audit, word, &sequence, why, sizeof(why)), PROVE_NOT_FOUND);
	CHECK_INT(audit_find(&audit, "the letter", &sequence, why, sizeof(why)), PROVE_REFUSED);
	CHECK_INT(audit_find(&audit, "007", &sequence, why, sizeof(why)), PROVE_REFUSED);
	CHECK_INT(audit_prove(&audit, life.size, NULL, arena, &proof, why, sizeof(why)),
		PROVE_NOT_FOUND);
}

/* As after an erasure, or for an auditor without keys: the stub stands where it stood. */
static void proves_the_stub_alone(void)
{
	_cleanup_(life_deinit) struct life life;
	_cleanup_(audit_close) struct audit audit;
	_cleanup_(audit_trust_close) struct audit_trust trust;
	_cleanup_(arena_free) struct arena *arena = arena_new(2 * ENTRY_ARENA);
	struct audit_proof proof;
	struct audit_checked checked;
	struct proof_fault fault;
	char error[256];
	life_init(&life, check_memdir(), "keyless");
	struct audit_paths paths = {.journal = life.journal.dir};
	proven_trust(&life, &trust);
	CHECK_INT(audit_open(&paths, &audit, error, sizeof(error)), 0);
	prove(&audit, life.first_notice, arena, &proof);
	CHECK(!proof.entry.whole && proof.original.len == 0);
	CHECK_INT(check(&trust, proof.text, &(struct audit_held){}, arena, &checked, &fault), 0);
	CHECK_INT(checked.file.entry.stub[1], DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED);
	CHECK_INT(checked.disclosed.kind, 0);
	struct audit_held held = {.header = BYTES_STR("whatever")};
	CHECK_INT(check(&trust, proof.text, &held, arena, &checked, &fault), PROOF_BYTES);
	CHECK_STR(fault.field, "header");
	/* Permanent entries are in clear. */
	prove(&audit, life.second_registry, arena, &proof);
	CHECK(proof.entry.whole);
}

/* ---- what is not ---- */

/* Every bit of a text, every length of it, and a byte more: none of them may hold. Return: how many. */
static size_t refuses_all_changes(const struct audit_trust *trust, struct bytes text,
	int (*holds)(const struct audit_trust *trust, struct bytes text))
{
	static uint8_t copy[16384];
	size_t tried = 0;
	CHECK(text.len < sizeof(copy));
	CHECK_INT(holds(trust, text), 0);
	memcpy(copy, text.data, text.len);
	for (size_t i = 0; i < text.len; i++) {
		for (int bit = 0; bit < 8; bit++, tried++) {
			copy[i] ^= (uint8_t)(1 << bit);
			if (holds(trust, BYTES(copy, text.len)) == 0)
				CHECK_FAIL("bit %d of byte %zu may change", bit, i);
			copy[i] ^= (uint8_t)(1 << bit);
		}
	}
	for (size_t len = 0; len < text.len; len++, tried++)
		if (holds(trust, BYTES(copy, len)) == 0)
			CHECK_FAIL("may be cut at %zu", len);
	for (int c = 0; c < 256; c++, tried++) {
		copy[text.len] = (uint8_t)c;
		if (holds(trust, BYTES(copy, text.len + 1)) == 0)
			CHECK_FAIL("byte %d may follow", c);
	}
	return tried;
}

static int entry_holds(const struct audit_trust *trust, struct bytes text)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 16);
	struct audit_checked checked;
	struct proof_fault fault;
	return check(trust, text, &(struct audit_held){}, arena, &checked, &fault);
}

static void refuses_every_change_of_a_proof(void)
{
	_cleanup_(life_deinit) struct life life;
	_cleanup_(audit_close) struct audit audit, keyless;
	_cleanup_(audit_trust_close) struct audit_trust trust;
	_cleanup_(arena_free) struct arena *arena = arena_new(4 * ENTRY_ARENA);
	struct audit_proof proof;
	char error[256];
	life_init(&life, check_memdir(), "bits");
	proven_trust(&life, &trust);
	life_open(&life, life.journal.dir, &audit);
	const uint64_t entries[] = {life.first_notice + 1, life.acknowledged, life.refused, 0};
	for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
		prove(&audit, entries[i], arena, &proof);
		CHECK(refuses_all_changes(&trust, proof.text, entry_holds) > 5000);
	}
	audit_close(&audit);
	struct audit_paths paths = {.journal = life.journal.dir};
	CHECK_INT(audit_open(&paths, &keyless, error, sizeof(error)), 0);
	prove(&keyless, life.first_message, arena, &proof);
	CHECK(refuses_all_changes(&trust, proof.text, entry_holds) > 5000);
}

/* The field that is at fault is the one that was changed. */
static void names_the_field(void)
{
	static const struct {
		const char *at; /* the byte behind this text is changed */
		size_t skip;
		int verdict;
		const char *field;
	} changes[] = {
		{"c2sp.org/tlog-proof@v", 0, PROOF_MALFORMED, "first line"},
		{"\nextra", 0, PROOF_MALFORMED, "extra"},
		{"\nextra ", 1, PROOF_MALFORMED, "extra"}, /* form */
		{"\nextra ", 20, PROOF_ENTRY, "extra"},    /* commitment */
		{"\nextra ", 60, PROOF_ENTRY, "extra"},    /* nonce */
		{"\nextra ", 100, PROOF_ENTRY, "extra"},   /* private digest */
		{"\nextra ", 150, PROOF_ENTRY, "extra"},   /* time */
		{"\nindex ", 0, PROOF_PATH, "hash"},
		{"test.demo/", 0, PROOF_CHECKPOINT, "checkpoint"},
		{"test.demo/0\n", 0, PROOF_CHECKPOINT, "checkpoint"},              /* size */
		{"\xe2\x80\x94 test.demo/0 ", 1, PROOF_CHECKPOINT, "checkpoint"},  /* key hash */
		{"\xe2\x80\x94 test.demo/0 ", 40, PROOF_CHECKPOINT, "checkpoint"}, /* signature */
	};
	_cleanup_(life_deinit) struct life life;
	_cleanup_(audit_close) struct audit audit;
	_cleanup_(audit_trust_close) struct audit_trust trust;
	_cleanup_(arena_free) struct arena *arena = arena_new(2 * ENTRY_ARENA);
	struct audit_proof proof;
	struct audit_checked checked;
	struct proof_fault fault;
	life_init(&life, check_memdir(), "fields");
	proven_trust(&life, &trust);
	life_open(&life, life.journal.dir, &audit);
	prove(&audit, life.first_notice, arena, &proof);
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		struct bytes copy;
		CHECK_INT(arena_copy(arena, proof.text, &copy), 0);
		uint8_t *at = memmem(copy.data, copy.len, changes[i].at, strlen(changes[i].at));
		CHECK(at);
		at += strlen(changes[i].at) + changes[i].skip;
		*at = *at == '2'   ? '3'
		      : *at == '1' ? '2'
		      : *at == 'A' ? 'B'
		      : *at >= 'a' ? 'A'
				   : '1';
		int r = check(&trust, copy, &(struct audit_held){}, arena, &checked, &fault);
		if (r != changes[i].verdict || strcmp(fault.field, changes[i].field) != 0)
			CHECK_FAIL("behind \"%s\": %d, %s: %s", changes[i].at, r, fault.field,
				fault.why);
	}
}

static void binds_the_holders_bytes(void)
{
	_cleanup_(life_deinit) struct life life;
	_cleanup_(audit_close) struct audit audit;
	_cleanup_(audit_trust_close) struct audit_trust trust;
	_cleanup_(arena_free) struct arena *arena = arena_new(4 * ENTRY_ARENA);
	struct audit_proof notice, other, acks;
	struct audit_checked checked;
	struct proof_fault fault;
	struct bytes content;
	life_init(&life, check_memdir(), "holder");
	proven_trust(&life, &trust);
	life_open(&life, life.journal.dir, &audit);
	prove(&audit, life.first_notice, arena, &notice);
	prove(&audit, life.first_notice + 1, arena, &other);
	prove(&audit, life.acknowledged, arena, &acks);
	CHECK_INT(audit_refresh(&audit), 0);
	CHECK_INT(journal_read_content(audit.reader, life.first_notice, arena, &content), 0);

	/* The whole message, and one with another content, and what is none. */
	Dienstweg__Envelope envelope = DIENSTWEG__ENVELOPE__INIT;
	envelope.header = (ProtobufCBinaryData){
		.data = (uint8_t *)(uintptr_t)notice.original.data, .len = notice.original.len};
	envelope.content = (ProtobufCBinaryData){
		.data = (uint8_t *)(uintptr_t)content.data, .len = content.len};
	static uint8_t packed[16384];
	CHECK(dienstweg__envelope__get_packed_size(&envelope) <= sizeof(packed));
	size_t len = dienstweg__envelope__pack(&envelope, packed);
	struct audit_held held = {.envelope = BYTES(packed, len)};
	CHECK_INT(check(&trust, notice.text, &held, arena, &checked, &fault), 0);
	CHECK(checked.header);
	CHECK_INT(check(&trust, other.text, &held, arena, &checked, &fault), PROOF_BYTES);
	packed[len - 1] ^= 1;
	CHECK_INT(check(&trust, notice.text, &held, arena, &checked, &fault), PROOF_BYTES);
	CHECK_STR(fault.field, "message");
	held.envelope = BYTES_STR("\xff\xff");
	CHECK_INT(check(&trust, notice.text, &held, arena, &checked, &fault), PROOF_BYTES);

	/* Another header, acknowledgements instead of a message and the other way round, and nothing. */
	held = (struct audit_held){.header = other.original};
	CHECK_INT(check(&trust, notice.text, &held, arena, &checked, &fault), PROOF_BYTES);
	CHECK_STR(fault.field, "header");
	held = (struct audit_held){.batch = acks.original};
	CHECK_INT(check(&trust, notice.text, &held, arena, &checked, &fault), PROOF_BYTES);
	CHECK_STR(fault.field, "batch");
	held = (struct audit_held){.header = notice.original};
	CHECK_INT(check(&trust, acks.text, &held, arena, &checked, &fault), PROOF_BYTES);
	held = (struct audit_held){.header = BYTES("", 0)};
	CHECK_INT(check(&trust, notice.text, &held, arena, &checked, &fault), PROOF_BYTES);
}

static void needs_pinned_keys(void)
{
	_cleanup_(life_deinit) struct life life;
	_cleanup_(audit_close) struct audit audit;
	_cleanup_(audit_trust_close) struct audit_trust trust = {}, other = {};
	_cleanup_(arena_free) struct arena *arena = arena_new(2 * ENTRY_ARENA);
	struct audit_proof proof;
	struct audit_checked checked;
	struct proof_fault fault;
	char path[320], registry[320], why[512] = "";
	life_init(&life, check_memdir(), "pinned");
	proven_registry(&life, registry);
	life_open(&life, life.journal.dir, &audit);
	prove(&audit, 3, arena, &proof);
	/* Roots alone do not name the log's key; with a registry they do; another bus's do not. */
	CHECK_INT(audit_trust_open(life.policy, NULL, &trust, why, sizeof(why)), AUDIT_REFUSED);
	CHECK(strstr(why, "--registry"));
	CHECK_INT(audit_trust_open(life.policy, registry, &trust, why, sizeof(why)), 0);
	CHECK_INT(check(&trust, proof.text, &(struct audit_held){}, arena, &checked, &fault), 0);
	proven_policy(&life, "another.demo/0", 1, path);
	CHECK_INT(audit_trust_open(path, NULL, &other, why, sizeof(why)), 0);
	CHECK_INT(check(&other, proof.text, &(struct audit_held){}, arena, &checked, &fault),
		PROOF_CHECKPOINT);
	audit_trust_close(&other);
	/* The right name and another key. */
	proven_policy(&life, "test.demo/0", 2, path);
	CHECK_INT(audit_trust_open(path, NULL, &other, why, sizeof(why)), 0);
	CHECK_INT(check(&other, proof.text, &(struct audit_held){}, arena, &checked, &fault),
		PROOF_CHECKPOINT);
}

static void is_checked_in_no_time(void)
{
	enum { ROUNDS = 200, MOST_US = 10000 };
	_cleanup_(life_deinit) struct life life;
	_cleanup_(audit_close) struct audit audit;
	_cleanup_(audit_trust_close) struct audit_trust trust;
	_cleanup_(arena_free) struct arena *arena = arena_new(2 * ENTRY_ARENA);
	struct audit_proof proof;
	life_init(&life, check_memdir(), "quick");
	proven_trust(&life, &trust);
	life_open(&life, life.journal.dir, &audit);
	prove(&audit, 3, arena, &proof);
	uint64_t begin_ns = clock_mono_ns(clock_system());
	for (int i = 0; i < ROUNDS; i++)
		CHECK_INT(entry_holds(&trust, proof.text), 0);
	uint64_t each_us = (clock_mono_ns(clock_system()) - begin_ns) / 1000 / ROUNDS;
	printf("# one proof is checked in %llu us\n", (unsigned long long)each_us);
	CHECK(each_us < MOST_US);
}

/* ---- two trees ---- */

static int trees_hold(const struct audit_trust *trust, struct bytes text)
{
	struct audit_checked_trees trees;
	struct proof_fault fault = {};
	int r = audit_check_trees(trust, text, NULL, 0, &trees, &fault);
	CHECK(r >= 0);
	CHECK(r == 0 || (fault.field[0] && fault.why[0]));
	return r;
}

static void proves_that_trees_grow(void)
{
	_cleanup_(life_deinit) struct life life;
	_cleanup_(audit_close) struct audit audit;
	_cleanup_(audit_trust_close) struct audit_trust trust;
	_cleanup_(arena_free) struct arena *arena = arena_new(2 * ENTRY_ARENA);
	char why[512];
	life_init(&life, check_memdir(), "trees");
	proven_trust(&life, &trust);
	life_open(&life, life.journal.dir, &audit);
	for (uint64_t from = 1; from <= life.size; from++) {
		struct proof_consistency proof;
		struct bytes text;
		arena_reset(arena);
		CHECK_INT(audit_prove_consistency(&audit, from, 0, arena, &proof, why, sizeof(why)),
			0);
		CHECK_INT(proof_consistency_write(&proof, arena, &text), 0);
		CHECK_INT(trees_hold(&trust, text), 0);
		if (from == life.day_end || from == 64)
			refuses_all_changes(&trust, text, trees_hold);
	}
	struct proof_consistency proof;
	CHECK_INT(audit_prove_consistency(&audit, 0, 0, arena, &proof, why, sizeof(why)),
		PROVE_NOT_FOUND);
	CHECK_INT(audit_prove_consistency(&audit, 3, life.size + 1, arena, &proof, why, sizeof(why)),
		PROVE_NOT_FOUND);
	CHECK_INT(audit_prove_consistency(&audit, 9, 8, arena, &proof, why, sizeof(why)),
		PROVE_NOT_FOUND);
}

/* Between sizes of which no checkpoint is kept, the holder's own has to speak. */
static void asks_for_a_checkpoint(void)
{
	_cleanup_(life_deinit) struct life life;
	_cleanup_(audit_close) struct audit audit;
	_cleanup_(audit_trust_close) struct audit_trust trust;
	_cleanup_(arena_free) struct arena *arena = arena_new(2 * ENTRY_ARENA);
	struct audit_checked_trees trees;
	struct proof_consistency proof;
	struct proof_fault fault;
	struct bytes text, held, newest;
	char why[512];
	life_init(&life, check_memdir(), "held");
	proven_trust(&life, &trust);
	life_open(&life, life.journal.dir, &audit);
	CHECK_INT(audit_prove_consistency(&audit, 5, 20, arena, &proof, why, sizeof(why)), 0);
	CHECK_INT(proof.note.len, 0);
	CHECK_INT(proof_consistency_write(&proof, arena, &text), 0);
	CHECK_INT(trees_hold(&trust, text), PROOF_CHECKPOINT);
	uint8_t note[CHECKPOINT_NOTE_MAX];
	held = proven_sign(&life, 20, &proof.new.root, note);
	CHECK_INT(audit_check_trees(&trust, text, &held, 1, &trees, &fault), 0);
	CHECK(trees.new_signed && !trees.old_signed);
	/* Another root for the same size, signed by the log: a fork. */
	struct merkle_hash other = proof.new.root;
	other.bytes[31] ^= 1;
	held = proven_sign(&life, 20, &other, note);
	CHECK_INT(audit_check_trees(&trust, text, &held, 1, &trees, &fault), PROOF_BYTES);
	CHECK(strstr(fault.why, "fork"));
	held = proven_sign(&life, 21, &other, note);
	CHECK_INT(audit_check_trees(&trust, text, &held, 1, &trees, &fault), PROOF_BYTES);
	/* From the first day's checkpoint to the newest, both at hand. */
	CHECK_INT(audit_prove_consistency(&audit, life.day_end, 0, arena, &proof, why, sizeof(why)),
		0);
	CHECK_INT(proof_consistency_write(&proof, arena, &text), 0);
	CHECK_INT(audit_refresh(&audit), 0);
	CHECK_INT(journal_read_checkpoint(audit.reader, life.day_end, &newest), 0);
	CHECK_INT(audit_check_trees(&trust, text, &newest, 1, &trees, &fault), 0);
	CHECK(trees.new_signed && trees.old_signed);
}

CHECK_MAIN(CHECK_CASE(proves_every_entry), CHECK_CASE(finds_what_is_meant),
	CHECK_CASE(proves_the_stub_alone), CHECK_CASE(refuses_every_change_of_a_proof),
	CHECK_CASE(names_the_field), CHECK_CASE(binds_the_holders_bytes),
	CHECK_CASE(needs_pinned_keys), CHECK_CASE(is_checked_in_no_time),
	CHECK_CASE(proves_that_trees_grow), CHECK_CASE(asks_for_a_checkpoint))
