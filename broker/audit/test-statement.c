/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A report in somebody's hands is worth what its signature is worth: whoever changes a byte of it, or signs with
 * another key or under another name, is found out by who has pinned the log's key.
 */
#include "broker/audit/statement.h"
#include "broker/audit/test-proven.h"
#include "proto/base/text.h"
#include "test/kit/check.h"

enum { ARENA_BYTES = 1 << 20 };

static const char words[] = "What the bus holds of a case\n\n2026-11-27 recorded: entry 7\n";

static const struct key_secret *log_key_of(const struct life *life)
{
	return life->journal.options.log_keys[0];
}

static struct bytes sign(
	const struct key_secret *key, const char *origin, const char *text, struct arena *arena)
{
	struct bytes note;
	CHECK_INT(statement_sign(BYTES_STR(text), origin, &key, 1, arena, &note), 0);
	return note;
}

static int check(const struct audit_trust *trust, struct bytes note, const char *field)
{
	struct statement statement;
	struct proof_fault fault = {};
	int r = statement_check(trust, note, &statement, &fault);
	if (r == 0) {
		CHECK_STR(statement.origin, "test.demo/0");
		CHECK_STR(statement.signer, "test.demo/0/report");
		CHECK_MEM(statement.text.data, words, statement.text.len);
		CHECK_INT(statement.text.len, sizeof(words) - 1);
	} else if (field) {
		CHECK_STR(fault.field, field);
	}
	return r;
}

static void every_byte_counts(void)
{
	_cleanup_(life_deinit) struct life life;
	_cleanup_(audit_trust_close) struct audit_trust trust = {};
	_cleanup_(arena_free) struct arena *arena = arena_new(ARENA_BYTES);
	uint8_t changed[2048];
	life_init(&life, check_memdir(), "bytes");
	proven_trust(&life, &trust);
	struct bytes note = sign(log_key_of(&life), "test.demo/0", words, arena);
	CHECK(statement_is(note) && note.len < sizeof(changed));
	CHECK_INT(check(&trust, note, NULL), 0);
	for (size_t i = 0; i < note.len; i++) {
		memcpy(changed, note.data, note.len);
		changed[i] ^= 1;
		CHECK(check(&trust, BYTES(changed, note.len), NULL) > 0);
	}
	for (size_t len = 0; len < note.len; len++)
		CHECK(check(&trust, BYTES(note.data, len), NULL) > 0);
}

static void others_do_not_speak_for_the_log(void)
{
	_cleanup_(life_deinit) struct life life;
	_cleanup_(audit_trust_close) struct audit_trust trust = {};
	_cleanup_(arena_free) struct arena *arena = arena_new(ARENA_BYTES);
	_cleanup_(key_secret_free) struct key_secret *other = NULL;
	struct bytes note;
	life_init(&life, check_memdir(), "others");
	proven_trust(&life, &trust);
	CHECK_INT(key_generate(KEY_LOG, BYTES_STR("test.demo"), &other), 0);
	CHECK_INT(check(&trust, sign(other, "test.demo/0", words, arena), "signature"),
		PROOF_CHECKPOINT);
	CHECK_INT(check(&trust, sign(log_key_of(&life), "other.demo/0", words, arena), "signature"),
		PROOF_CHECKPOINT);
	CHECK_INT(check(&trust, BYTES_STR("dienstweg/v1/report \nx\n"), "first line"),
		PROOF_MALFORMED);
	CHECK_INT(statement_sign(BYTES_STR(words), "test.demo/0", NULL, 0, arena, &note),
		NOTE_MALFORMED);
}

static void names_the_text_for_programs(void)
{
	char text[512];
	struct bytes json = BYTES_STR("{\"entries\": []}"), other = BYTES_STR("{\"entries\": [1]}");
	uint8_t hash[HASH_SIZE];
	char hex[2 * HASH_SIZE + 1];
	sha256_of(json, hash);
	text_hex(BYTES(hash, sizeof(hash)), hex);
	snprintf(text, sizeof(text), "%s" STATEMENT_JSON "%s\n", words, hex);
	CHECK(statement_has_json(BYTES_STR(text), json));
	CHECK(!statement_has_json(BYTES_STR(text), other));
	CHECK(!statement_has_json(BYTES_STR(words), json));
	/* Only as its last line: a text of somebody else inside it says nothing. */
	size_t len = strlen(text);
	snprintf(text + len, sizeof(text) - len, "and more\n");
	CHECK(!statement_has_json(BYTES_STR(text), json));
}

/* The log's key under the log's name signs checkpoints: such a note is no report, whatever it says. */
static void a_checkpoint_is_no_report(void)
{
	_cleanup_(life_deinit) struct life life;
	_cleanup_(audit_trust_close) struct audit_trust trust = {};
	_cleanup_(arena_free) struct arena *arena = arena_new(ARENA_BYTES);
	struct note_key key;
	struct bytes note;
	life_init(&life, check_memdir(), "checkpoint");
	proven_trust(&life, &trust);
	CHECK_INT(note_key_init(&key, BYTES_STR("test.demo/0"), log_key_of(&life)->pub.public), 0);
	CHECK_INT(note_sign(BYTES_STR("dienstweg/v1/report test.demo/0\nwords\n"), &key,
			  log_key_of(&life)->ed25519, arena, &note),
		0);
	CHECK_INT(check(&trust, note, "signature"), PROOF_CHECKPOINT);
}

CHECK_MAIN(CHECK_CASE(every_byte_counts), CHECK_CASE(others_do_not_speak_for_the_log),
	CHECK_CASE(names_the_text_for_programs), CHECK_CASE(a_checkpoint_is_no_report))
