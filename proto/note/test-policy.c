/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A policy that is read more generously than it was written is worse than none. Each refusal is checked
 * with the line it names, because a person has to find it.
 */
#include "proto/note/policy.h"

#include <errno.h>

#include "proto/base/file.h"
#include "proto/base/text.h"
#include "test/kit/check.h"

/* Texts of keys made from a seed byte: root and log keys, and witnesses. */
struct pool {
	char key[8][NOTE_VKEY_SIZE];
	char witness[8][NOTE_VKEY_SIZE];
};

static void witness_text(const struct note_key *key, char buf[NOTE_VKEY_SIZE])
{
	uint8_t blob[128], hash[HASH_SIZE];
	size_t name_len = strlen(key->name);
	memcpy(blob, key->name, name_len);
	blob[name_len] = '\n';
	blob[name_len + 1] = 0x04;
	memcpy(blob + name_len + 2, key->public, SIGN_PUBLIC_SIZE);
	sha256_of(BYTES(blob, name_len + 2 + SIGN_PUBLIC_SIZE), hash);
	char base64[TEXT_BASE64_SIZE(1 + SIGN_PUBLIC_SIZE)];
	text_base64(BYTES(blob + name_len + 1, 1 + SIGN_PUBLIC_SIZE), base64);
	snprintf(buf, NOTE_VKEY_SIZE, "%.40s+%08x+%s", key->name, be32_get(hash), base64);
}

static struct pool pool_new(void)
{
	struct pool pool;
	for (uint8_t i = 0; i < 8; i++) {
		uint8_t seed[SIGN_SEED_SIZE], public[SIGN_PUBLIC_SIZE], secret[SIGN_SECRET_SIZE];
		struct note_key key;
		char name[32];
		memset(seed, i + 1, sizeof(seed));
		ed25519_from_seed(seed, public, secret);
		snprintf(name, sizeof(name), "key%d.demo", i);
		CHECK_INT(note_key_init(&key, BYTES_STR(name), public), 0);
		note_key_format(&key, pool.key[i]);
		witness_text(&key, pool.witness[i]);
	}
	return pool;
}

/* Parses a text in which %1..%7 stand for keys and $1..$7 for witnesses. */
static int parse(const char *pattern, struct policy *ret, char reterr[256])
{
	struct pool pool = pool_new();
	char text[16384];
	size_t len = 0;
	for (const char *p = pattern; *p; p++) {
		if ((*p == '%' || *p == '$') && p[1] >= '0' && p[1] <= '7') {
			const char *key = *p == '%' ? pool.key[p[1] - '0']
						    : pool.witness[p[1] - '0'];
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", key);
			p++;
		} else {
			text[len++] = *p;
		}
		CHECK(len < sizeof(text) - NOTE_VKEY_SIZE);
	}
	return policy_parse(BYTES(text, len), ret, reterr, 256);
}

static void check_refused(const char *pattern, const char *begin, const char *contains)
{
	struct policy policy = {.root_quorum = 99};
	char error[256] = "";
	CHECK_INT(parse(pattern, &policy, error), POLICY_MALFORMED);
	CHECK_INT(policy.root_quorum, 99); /* untouched */
	if (strncmp(error, begin, strlen(begin)) != 0 || !strstr(error, contains))
		CHECK_FAIL("\"%s\" gives \"%s\", expected \"%s ... %s\"", pattern, error, begin,
			contains);
}

#define ROOTS "root %1\nroot %2\nroot %3\nroot-quorum 2\n"

static void a_whole_policy(void)
{
	struct policy policy;
	char error[256];
	CHECK_INT(parse("# pinned on paper, 2026\n\n" ROOTS
			"  log %4 \nlog\t%5\thttps://log.example/\n"
			"witness W1 $1\nwitness W2 $2 https://w2.example/\nwitness W3 $3\n"
			"group quorate 2 W1 W2 W3\nquorum quorate\n",
			  &policy, error),
		0);
	CHECK_INT(policy.roots_count, 3);
	CHECK_INT(policy.root_quorum, 2);
	CHECK_INT(policy.logs_count, 2);
	CHECK_STR(policy.logs[0].name, "key4.demo");
	CHECK_INT(policy.logs[0].algorithm, NOTE_ED25519);
	CHECK_INT(policy.witnesses_count, 3);
	CHECK_INT(policy.witness_quorum, 2);
	CHECK_STR(policy.witnesses[2].name, "key3.demo");
	CHECK_INT(policy.witnesses[2].algorithm, NOTE_COSIGNATURE);
}

static void quorums(void)
{
	struct policy policy;
	char error[256];
	CHECK_INT(parse("quorum none\n", &policy, error), 0);
	CHECK_INT(policy.witness_quorum, 0);
	CHECK_INT(policy.root_quorum, 0);
	CHECK_INT(parse(ROOTS "witness W1 $1\nquorum none\n", &policy, error), 0);
	CHECK_INT(policy.witnesses_count, 1);
	CHECK_INT(policy.witness_quorum, 0);
	CHECK_INT(parse("witness W1 $1\nwitness W2 $2\nquorum W2\n", &policy, error), 0);
	CHECK_INT(policy.witnesses_count, 1);
	CHECK_STR(policy.witnesses[0].name, "key2.demo");
	CHECK_INT(policy.witness_quorum, 1);
	CHECK_INT(parse("witness A $1\nwitness B $2\ngroup G all A B\nquorum G\n", &policy, error),
		0);
	CHECK_INT(policy.witness_quorum, 2);
	CHECK_INT(parse("witness A $1\nwitness B $2\ngroup G any A B\nquorum G\n", &policy, error),
		0);
	CHECK_INT(policy.witness_quorum, 1);
}

/* A cosignature by a witness who is not in the quorum must not be counted towards it. */
static void only_members_of_the_quorum_stay(void)
{
	struct policy policy;
	char error[256];
	CHECK_INT(parse("witness A $1\nwitness B $2\nwitness C $3\nwitness D $4\n"
			"group two 2 B D\ngroup rest any A C\nquorum two\n",
			  &policy, error),
		0);
	CHECK_INT(policy.witnesses_count, 2);
	CHECK_STR(policy.witnesses[0].name, "key2.demo");
	CHECK_STR(policy.witnesses[1].name, "key4.demo");
	CHECK_INT(policy.witness_quorum, 2);
}

static void refusals_name_their_line(void)
{
	check_refused("", "line 0: ", "quorum none");
	check_refused("\n\nroot\n", "line 3: ", "root <vkey>");
	check_refused("root %1 x\n", "line 1: ", "root <vkey>");
	check_refused("root $1\n", "line 1: ", "not a verifier key");
	check_refused("log $1\n", "line 1: ", "not a verifier key");
	check_refused("witness W %1\n", "line 1: ", "not a verifier key");
	check_refused("root %1x\n", "line 1: ", "not a verifier key");
	check_refused("root %1\nroot %2\nroot %1\n", "line 3: ", "key1.demo above");
	check_refused("witness A $1\nwitness B $1\n", "line 2: ", "the same key");
	check_refused("witness A $1\nwitness A $2\n", "line 2: ", "\"A\" is defined above");
	check_refused("witness none $1\n", "line 1: ", "not a name");
	check_refused("root-quorum 0\n", "line 1: ", "root-quorum <how many");
	check_refused("root-quorum two\n", "line 1: ", "root-quorum <how many");
	check_refused("root-quorum 2\nroot-quorum 2\n", "line 2: ", "second");
	check_refused("root %1\nquorum none\n", "line 2: ", "root-quorum 2");
	check_refused("root %1\nroot-quorum 2\nquorum none\n", "line 3: ", "root-quorum is 2");
	check_refused("root-quorum 2\nquorum none\n", "line 2: ", "0 roots");
	check_refused(ROOTS, "line 4: ", "no quorum line");
	check_refused("quorum W\n", "line 1: ", "\"W\" is not defined");
	check_refused("quorum none\nquorum none\n", "line 2: ", "second quorum");
	check_refused("group G 1\n", "line 1: ", "group <name>");
	check_refused("group G any A\n", "line 1: ", "\"A\" is not defined");
	check_refused("witness A $1\ngroup G 2 A\n", "line 2: ", "from 1 to 1");
	check_refused("witness A $1\ngroup G 0 A\n", "line 2: ", "from 1 to 1");
	check_refused("witness A $1\ngroup G most A\n", "line 2: ", "\"any\", \"all\"");
	check_refused("witness A $1\ngroup G any A A\n", "line 2: ", "member already");
	check_refused("witness A $1\ngroup G any A\ngroup H any A\n", "line 3: ", "member already");
	check_refused("witness A $1\ngroup G any A\ngroup H any G\n", "line 3: ", "is a group");
	check_refused("witness A $1\ngroup A any A\n", "line 2: ", "defined above");
	check_refused("roots %1\n", "line 1: ", "\"roots\" is none of");
	check_refused("quorum none\r\n", "line 1: ", "control character");
	check_refused("quorum none\n# cut off", "line 2: ", "newline");
	check_refused(
		"#\n1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20\n", "line 2: ", "words");
}

static void too_many_keys(void)
{
	char text[32768], error[256];
	struct policy policy;
	size_t len = 0;
	for (uint8_t i = 0; i <= POLICY_KEYS_MAX; i++) {
		struct note_key key;
		uint8_t public[SIGN_PUBLIC_SIZE] = {i};
		char vkey[NOTE_VKEY_SIZE];
		CHECK_INT(note_key_init(&key, BYTES_STR("k"), public), 0);
		note_key_format(&key, vkey);
		len += (size_t)snprintf(text + len, sizeof(text) - len, "log %s\n", vkey);
	}
	CHECK_INT(policy_parse(BYTES(text, len), &policy, error, sizeof(error)), POLICY_MALFORMED);
	CHECK(strncmp(error, "line 17: more than 16", 21) == 0);
	CHECK_INT(policy_parse(BYTES(text, len), &policy, error, 5), POLICY_MALFORMED);
	CHECK_INT(policy_parse(BYTES(text, len), &policy, NULL, 0), POLICY_MALFORMED);
}

static void from_a_file(void)
{
	struct policy policy;
	char path[512], error[256];
	CHECK_INT(path_join(path, sizeof(path), check_tmpdir(), "policy"), 0);
	CHECK_INT(policy_read(path, &policy, error, sizeof(error)), -ENOENT);
	CHECK(strstr(error, "No such file"));
	CHECK_INT(
		file_replace(path,
			BYTES_STR("# a comment of many words, so many that no line of keys could "
				  "ever have as many of them as this one has in it\nquorum none\n"),
			0600),
		0);
	CHECK_INT(policy_read(path, &policy, error, sizeof(error)), 0);

	char *large = calloc(1, 70000);
	CHECK(large);
	memset(large, '\n', 70000);
	CHECK_INT(file_replace(path, BYTES(large, 70000), 0600), 0);
	CHECK_INT(policy_read(path, &policy, error, sizeof(error)), POLICY_MALFORMED);
	CHECK(strstr(error, "not a policy"));
	free(large);
}

CHECK_MAIN(CHECK_CASE(a_whole_policy), CHECK_CASE(quorums),
	CHECK_CASE(only_members_of_the_quorum_stay), CHECK_CASE(refusals_name_their_line),
	CHECK_CASE(too_many_keys), CHECK_CASE(from_a_file))
