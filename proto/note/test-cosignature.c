/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A cosignature must mean the same to every verifier in the world, so ours are checked against one made by
 * another program from the specification, and against one that a public witness put under the checkpoint of
 * a public log. The rest asks what a quorum is worth: who counts, how often, and which times follow.
 */
#include "proto/note/cosignature.h"

#include "proto/base/text.h"
#include "test/kit/check.h"

#define DASH "\xe2\x80\x94 "
#define TEXT "wuppertal.demo/0\n1001\nwvVFy6CaYx1p86lD8ezt1bRchw1Sp2O+AKMyYF9z9B0=\n"

struct signer {
	struct note_key key;
	uint8_t secret[SIGN_SECRET_SIZE];
};

static struct signer witness_of(const char *name, uint8_t seed_byte)
{
	struct signer signer;
	uint8_t seed[SIGN_SEED_SIZE], public[SIGN_PUBLIC_SIZE];
	memset(seed, seed_byte, sizeof(seed));
	ed25519_from_seed(seed, public, signer.secret);
	CHECK_INT(note_key_init_witness(&signer.key, BYTES_STR(name), public), 0);
	return signer;
}

/* A note under work. */
struct sheet {
	size_t len;
	uint8_t note[COSIGNED_NOTE_MAX];
};

static struct signer log_signer(void)
{
	struct signer log = witness_of("wuppertal.demo/0", 99);
	CHECK_INT(note_key_init(&log.key, BYTES_STR("wuppertal.demo/0"), log.key.public), 0);
	return log;
}

static struct sheet sheet_new(void)
{
	struct sheet sheet;
	struct signer log = log_signer();
	struct checkpoint checkpoint = {.origin = "wuppertal.demo/0", .size = 1001};
	size_t len;
	CHECK_INT(text_unbase64(BYTES_STR("wvVFy6CaYx1p86lD8ezt1bRchw1Sp2O+AKMyYF9z9B0="),
			  checkpoint.root.bytes, HASH_SIZE, &len),
		0);
	sheet.len = checkpoint_sign(&checkpoint, &log.key, log.secret, sheet.note);
	return sheet;
}

static struct bytes note_of(const struct sheet *sheet)
{
	return BYTES(sheet->note, sheet->len);
}

static int add(struct sheet *sheet, struct bytes line)
{
	uint8_t larger[COSIGNED_NOTE_MAX];
	int r = cosignature_add(note_of(sheet), line, larger, &sheet->len);
	if (r == 0)
		memcpy(sheet->note, larger, sheet->len);
	return r;
}

static void cosign(struct sheet *sheet, const struct signer *by, uint64_t time_s)
{
	uint8_t line[COSIGNATURE_LINE_MAX];
	size_t len = cosignature_sign(BYTES_STR(TEXT), time_s, &by->key, by->secret, line);
	CHECK_INT(add(sheet, BYTES(line, len)), 0);
}

/* Witnesses w0, w1 ... of whom @quorum must sign. */
static struct policy policy_of(size_t count, size_t quorum)
{
	struct policy policy = {.witnesses_count = count, .witness_quorum = quorum};
	for (size_t i = 0; i < count; i++) {
		char name[24];
		snprintf(name, sizeof(name), "w%zu", i);
		policy.witnesses[i] = witness_of(name, (uint8_t)(i + 1)).key;
	}
	return policy;
}

static void cosign_as(struct sheet *sheet, size_t index, uint64_t time_s)
{
	char name[8];
	snprintf(name, sizeof(name), "w%zu", index);
	struct signer signer = witness_of(name, (uint8_t)(index + 1));
	cosign(sheet, &signer, time_s);
}

/* ---- other programs ---- */

static void made_by_another_program(void)
{
	static const char line[] = DASH
		"witness.demo wizcvwAAAABrCbvAgIqJBJW6BJ2Gj4YU3nj5Llu2ylBb7ZQyOrwobquPHYsE/37sLUvY"
		"+ISbAkEQZEvOWHqh8BsSzPQ02GsLqtubCA==\n";
	struct signer witness;
	uint8_t seed[SIGN_SEED_SIZE], public[SIGN_PUBLIC_SIZE], ours[COSIGNATURE_LINE_MAX];
	char vkey[NOTE_VKEY_SIZE];
	for (size_t i = 0; i < sizeof(seed); i++)
		seed[i] = (uint8_t)i;
	ed25519_from_seed(seed, public, witness.secret);
	CHECK_INT(note_key_init_witness(&witness.key, BYTES_STR("witness.demo"), public), 0);
	note_key_format(&witness.key, vkey);
	CHECK_STR(vkey, "witness.demo+c22cdcbf+BAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4");
	size_t len = cosignature_sign(
		BYTES_STR(TEXT), 1795800000, &witness.key, witness.secret, ours);
	CHECK(bytes_equal(BYTES(ours, len), BYTES_STR(line)));
}

/* A checkpoint of a certificate transparency log, with signatures of kinds that we do not check. */
static void of_a_public_log(void)
{
	static const char note[] =
		"arche2025h1.staging.ct.transparency.dev\n1432088532\n"
		"U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=\n\n" DASH
		"arche2025h1.staging.ct.transparency.dev "
		"zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6ho"
		"GREPMHbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=\n" DASH
		"remora.n621.de "
		"2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobW"
		"X9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==\n";
	static const char vkey[] =
		"remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2";
	struct note_key key;
	uint64_t time_s;
	char other[sizeof(note)];
	CHECK_INT(note_key_parse_witness(BYTES_STR(vkey), &key), 0);
	CHECK_INT(cosignature_find(BYTES_STR(note), &key, &time_s, NULL), 0);
	CHECK_INT(time_s, 0x6a122120);
	memcpy(other, note, sizeof(note));
	other[strlen("arche2025h1.staging.ct.transparency.dev\n")] = '2';
	CHECK_INT(cosignature_find(BYTES_STR(other), &key, &time_s, NULL), NOTE_BAD_SIGNATURE);
}

/* ---- one line ---- */

static void what_is_cosigned_is_found(void)
{
	struct sheet sheet = sheet_new();
	struct signer w = witness_of("w", 1), x = witness_of("x", 2), other = witness_of("w", 2);
	struct bytes line;
	uint64_t time_s = 7;
	CHECK_INT(cosignature_find(note_of(&sheet), &w.key, &time_s, &line), NOTE_UNVERIFIED);
	CHECK_INT(time_s, 7);
	cosign(&sheet, &w, 0);
	cosign(&sheet, &x, INT64_MAX);
	CHECK_INT(cosignature_find(note_of(&sheet), &w.key, &time_s, &line), 0);
	CHECK_INT(time_s, 0);
	CHECK_INT(cosignature_find(note_of(&sheet), &x.key, &time_s, &line), 0);
	CHECK(time_s == INT64_MAX);
	CHECK(line.data + line.len == sheet.note + sheet.len);
	CHECK_INT(cosignature_find(note_of(&sheet), &other.key, NULL, NULL), NOTE_UNVERIFIED);
}

static void every_flipped_bit_is_noticed(void)
{
	struct sheet sheet = sheet_new(), flipped;
	struct signer w = witness_of("w", 1);
	cosign(&sheet, &w, 1795800000);
	for (size_t i = 0; i < sheet.len * 8; i++) {
		flipped = sheet;
		flipped.note[i / 8] ^= (uint8_t)(1 << i % 8);
		struct bytes text = BYTES(flipped.note, sizeof(TEXT) - 1);
		bool of_others = i / 8 >= sizeof(TEXT) && i / 8 < sheet.len - 111;
		int r = cosignature_find(note_of(&flipped), &w.key, NULL, NULL);
		if (r == 0 && !(of_others && bytes_equal(text, BYTES_STR(TEXT))))
			CHECK_FAIL("bit %zu is not noticed", i);
	}
}

/* A log's signature is none of a witness, and the other way round, even by one and the same key. */
static void kinds_of_signatures_are_not_mixed(void)
{
	struct sheet sheet = sheet_new();
	struct signer log = log_signer(), w = witness_of("wuppertal.demo/0", 99);
	struct checkpoint checkpoint;
	CHECK_MEM(w.key.public, log.key.public, SIGN_PUBLIC_SIZE);
	CHECK_INT(cosignature_find(note_of(&sheet), &w.key, NULL, NULL), NOTE_UNVERIFIED);
	uint8_t line[COSIGNATURE_LINE_MAX], note[COSIGNED_NOTE_MAX];
	size_t len = cosignature_sign(BYTES_STR(TEXT), 1, &w.key, w.secret, line);
	uint8_t *p = mempcpy(note, TEXT "\n", sizeof(TEXT));
	p = mempcpy(p, line, len);
	CHECK_INT(
		checkpoint_open(BYTES(note, p - note), &log.key, 1, "wuppertal.demo/0", &checkpoint),
		NOTE_UNVERIFIED);
}

static void a_time_out_of_range_is_a_bad_signature(void)
{
	struct sheet sheet = sheet_new();
	struct signer w = witness_of("w", 1);
	uint8_t said[256], stamped[8 + SIGNATURE_SIZE], blob[4 + sizeof(stamped)];
	char base64[TEXT_BASE64_SIZE(sizeof(blob))], line[256];
	uint64_t time_s = UINT64_C(1) << 63;
	int n = snprintf(
		(char *)said, sizeof(said), "cosignature/v1\ntime 9223372036854775808\n%s", TEXT);
	be64_put(stamped, time_s);
	ed25519_sign(BYTES(said, n), w.secret, stamped + 8);
	be32_put(blob, w.key.hash);
	memcpy(blob + 4, stamped, sizeof(stamped));
	text_base64(BYTES(blob, sizeof(blob)), base64);
	n = snprintf(line, sizeof(line), DASH "w %s\n", base64);
	CHECK_INT(add(&sheet, BYTES(line, n)), 0);
	CHECK_INT(cosignature_find(note_of(&sheet), &w.key, NULL, NULL), NOTE_BAD_SIGNATURE);
}

static void a_witness_signs_once(void)
{
	struct sheet sheet = sheet_new();
	struct signer w = witness_of("w", 1);
	uint64_t time_s;
	cosign(&sheet, &w, 5);
	size_t len = sheet.len;
	cosign(&sheet, &w, 6);
	CHECK_INT(sheet.len, len);
	CHECK_INT(cosignature_find(note_of(&sheet), &w.key, &time_s, NULL), 0);
	CHECK_INT(time_s, 5);
	CHECK_INT(add(&sheet, BYTES_STR("")), NOTE_MALFORMED);
	CHECK_INT(add(&sheet, BYTES_STR("w AAAAAAAA\n")), NOTE_MALFORMED);
	CHECK_INT(add(&sheet, BYTES_STR(DASH "w AAAAAAAA\n" DASH "x AAAAAAAA\n")), NOTE_MALFORMED);
}

static void there_is_an_end_to_lines(void)
{
	struct sheet sheet = sheet_new();
	int r = 0;
	size_t count = 0;
	for (; r == 0 && count < 100; count += r == 0) {
		char name[128];
		snprintf(name, sizeof(name), "a-witness-with-quite-a-long-name-%zu", count);
		struct signer w = witness_of(name, (uint8_t)count);
		uint8_t line[COSIGNATURE_LINE_MAX];
		size_t len = cosignature_sign(BYTES_STR(TEXT), 1, &w.key, w.secret, line);
		r = add(&sheet, BYTES(line, len));
	}
	CHECK_INT(r, NOTE_MALFORMED);
	CHECK(count >= POLICY_KEYS_MAX && sheet.len <= COSIGNED_NOTE_MAX);
}

/* ---- quorums ---- */

static void a_quorum_is_so_many_of_its_members(void)
{
	struct policy policy = policy_of(3, 2), none = policy_of(3, 0);
	struct sheet sheet = sheet_new();
	struct signer stranger = witness_of("stranger", 77);
	struct cosignatures judged;
	cosign(&sheet, &stranger, 10);
	cosign_as(&sheet, 0, 10);
	CHECK_INT(cosignatures_judge(note_of(&sheet), &policy, &judged), 0);
	CHECK_INT(judged.count, 1);
	CHECK(!judged.quorum && judged.by[0] && !judged.by[1] && !judged.by[2]);
	cosign_as(&sheet, 2, 20);
	CHECK_INT(cosignatures_judge(note_of(&sheet), &policy, &judged), 0);
	CHECK(judged.quorum && judged.by[2]);
	CHECK_INT(judged.time_s[2], 20);
	CHECK_INT(cosignatures_judge(note_of(&sheet), &none, &judged), 0);
	CHECK(!judged.quorum);
}

static void a_bad_line_of_a_member_spoils_the_note(void)
{
	struct policy policy = policy_of(2, 1);
	struct sheet sheet = sheet_new();
	struct cosignatures judged;
	cosign_as(&sheet, 0, 10);
	cosign_as(&sheet, 1, 10);
	sheet.note[sheet.len - 8] ^= 1;
	CHECK_INT(cosignatures_judge(note_of(&sheet), &policy, &judged), NOTE_BAD_SIGNATURE);
}

/* Of 4 with a quorum of 3, one may be bad: whichever it is, the bounds hold for the three honest ones. */
static void one_liar_does_not_move_the_bounds(void)
{
	struct policy policy = policy_of(4, 3);
	const uint64_t lies[] = {0, 1, 149, 151, 1000000, INT64_MAX};
	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		struct sheet sheet = sheet_new();
		struct cosignatures judged;
		cosign_as(&sheet, 0, 100);
		cosign_as(&sheet, 1, lies[i]);
		cosign_as(&sheet, 2, 150);
		CHECK_INT(cosignatures_judge(note_of(&sheet), &policy, &judged), 0);
		CHECK(judged.quorum);
		CHECK(judged.seen_s >= 100 && judged.seen_s <= 150);
		CHECK(judged.signed_s >= 100 && judged.signed_s <= 150);
	}
	/* None may be bad among 3 of whom 2 sign: first and last time are it. */
	struct policy small = policy_of(3, 2);
	struct sheet sheet = sheet_new();
	struct cosignatures judged;
	cosign_as(&sheet, 0, 100);
	cosign_as(&sheet, 1, 150);
	CHECK_INT(cosignatures_judge(note_of(&sheet), &small, &judged), 0);
	CHECK_INT(judged.seen_s, 100);
	CHECK_INT(judged.signed_s, 150);
	/* All must sign: any one of them is enough to be honest. */
	struct policy all = policy_of(2, 2);
	CHECK_INT(cosignatures_judge(note_of(&sheet), &all, &judged), 0);
	CHECK_INT(judged.seen_s, 150);
	CHECK_INT(judged.signed_s, 100);
}

static void a_checkpoint_is_judged_whole(void)
{
	struct policy policy = policy_of(1, 1);
	struct sheet sheet = sheet_new();
	struct signer log = log_signer();
	struct checkpoint checkpoint;
	struct cosignatures judged;
	cosign_as(&sheet, 0, 10);
	CHECK_INT(checkpoint_judge(note_of(&sheet), &log.key, 1, "wuppertal.demo/0", &policy,
			  &checkpoint, &judged),
		0);
	CHECK_INT(checkpoint.size, 1001);
	CHECK(judged.quorum);
	CHECK_INT(checkpoint_judge(note_of(&sheet), &log.key, 1, "wuppertal.demo/1", &policy,
			  &checkpoint, &judged),
		NOTE_UNVERIFIED);
	sheet.note[sizeof(TEXT) + 60] ^= 1;
	int r = checkpoint_judge(
		note_of(&sheet), &log.key, 1, "wuppertal.demo/0", &policy, &checkpoint, &judged);
	CHECK(r == NOTE_BAD_SIGNATURE || r == NOTE_MALFORMED);
}

CHECK_MAIN(CHECK_CASE(made_by_another_program), CHECK_CASE(of_a_public_log),
	CHECK_CASE(what_is_cosigned_is_found), CHECK_CASE(every_flipped_bit_is_noticed),
	CHECK_CASE(kinds_of_signatures_are_not_mixed),
	CHECK_CASE(a_time_out_of_range_is_a_bad_signature), CHECK_CASE(a_witness_signs_once),
	CHECK_CASE(there_is_an_end_to_lines), CHECK_CASE(a_quorum_is_so_many_of_its_members),
	CHECK_CASE(a_bad_line_of_a_member_spoils_the_note),
	CHECK_CASE(one_liar_does_not_move_the_bounds), CHECK_CASE(a_checkpoint_is_judged_whole))
