/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The policy is made from the roots' own files and not from a registry: it is what a registry is
 * measured by, so it must not come from one.
 */
#include <stdio.h>
#include <string.h>

#include "conf/cli/cli.h"
#include "conf/cli/registry-file.h"
#include "proto/base/file.h"
#include "proto/base/text.h"
#include "proto/identity/keyfile.h"

static const char help[] =
	"usage: dienstweg registry policy ROOT.keys ROOT.keys ROOT.keys [--out FILE]\n"
	"                                 [--witness WITNESS.keys... --quorum NUMBER]\n"
	"\n"
	"Prints (or writes) the policy that pins the three roots of a bus. Give it to every "
	"broker, adapter\n"
	"and auditor by a way that nobody can tamper with, and let them compare it with a printed "
	"copy.\n"
	"\n"
	"  --witness FILE   a witness that is trusted to cosign checkpoints; once for each\n"
	"  --quorum NUMBER  so many of them make a receipt final; of n that are not run by the "
	"bus's operator,\n"
	"                   more than (n + f) / 2 when f of them may be bad\n";

enum { ROOTS = 3 };

/* What the policy is made of. */
struct pinned {
	struct note_key roots[ROOTS];
	struct note_key witnesses[POLICY_KEYS_MAX];
	size_t witnesses_count;
	uint64_t quorum;
};

static int read_key(const char *path, enum key_use use, struct note_key *ret)
{
	struct keyring_public ring;
	char why[WHY_SIZE] = "";
	int r = keyfile_read_public(path, &ring, why, sizeof(why));
	if (r < 0)
		return cli_fail(CLI_FAILED, "%s: %s", path, strerrordesc_np(-r));
	if (r)
		return cli_fail(CLI_NEGATIVE, "%s", why);
	if (ring.count != 1 || ring.keys[0].use != use)
		return cli_fail(CLI_NEGATIVE, "%s: holds no %s key, or more than one key", path,
			key_use_name(use));
	r = use == KEY_ROOT ? note_key_init(ret, BYTES_STR(ring.owner), ring.keys[0].public)
			    : note_key_init_witness(ret, BYTES_STR(ring.owner), ring.keys[0].public);
	return r ? cli_fail(CLI_NEGATIVE, "%s: its owner's name cannot stand in a policy", path) : 0;
}

/* @count files into @keys, all different. */
static int read_keys(const char *const *paths, size_t count, enum key_use use, struct note_key *keys)
{
	for (size_t i = 0; i < count; i++) {
		int code = read_key(paths[i], use, &keys[i]);
		if (code)
			return code;
		for (size_t k = 0; k < i; k++)
			if (memcmp(keys[k].public, keys[i].public, SIGN_PUBLIC_SIZE) == 0)
				return cli_fail(CLI_NEGATIVE, "%s and %s hold the same %s",
					paths[k], paths[i], key_use_name(use));
	}
	return 0;
}

static size_t print_witnesses(const struct pinned *pinned, char *text, size_t size)
{
	char vkey[NOTE_VKEY_SIZE];
	size_t n = 0;
	for (size_t i = 0; i < pinned->witnesses_count; i++) {
		note_key_format(&pinned->witnesses[i], vkey);
		n += (size_t)snprintf(
			text + n, size - n, "witness %s %s\n", pinned->witnesses[i].name, vkey);
	}
	n += (size_t)snprintf(
		text + n, size - n, "group witnesses %llu", (unsigned long long)pinned->quorum);
	for (size_t i = 0; i < pinned->witnesses_count; i++)
		n += (size_t)snprintf(text + n, size - n, " %s", pinned->witnesses[i].name);
	return n + (size_t)snprintf(text + n, size - n, "\nquorum witnesses\n");
}

static int write_policy(const struct pinned *pinned, const char *out)
{
	char text[(ROOTS + POLICY_KEYS_MAX) * (NOTE_VKEY_SIZE + 256) + 256], vkey[NOTE_VKEY_SIZE];
	size_t n = (size_t)snprintf(
		text, sizeof(text), "# Two of these three roots sign every registry.\n");
	for (int i = 0; i < ROOTS; i++) {
		note_key_format(&pinned->roots[i], vkey);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "root %s\n", vkey);
	}
	n += (size_t)snprintf(text + n, sizeof(text) - n, "root-quorum %d\n", REGISTRY_ROOT_QUORUM);
	if (pinned->witnesses_count > 0)
		n += print_witnesses(pinned, text + n, sizeof(text) - n);
	else
		n += (size_t)snprintf(text + n, sizeof(text) - n, "quorum none\n");
	if (out)
		return registry_file_write(out, BYTES(text, n));
	fputs(text, stdout);
	return cli_flush(CLI_DONE);
}

int registry_policy_run(int argc, char **argv)
{
	const char *out = NULL, *quorum = NULL, *items[ROOTS], *witnesses[POLICY_KEYS_MAX];
	struct cli_list words = {.items = items, .max = ROOTS};
	struct cli_list listed = {.items = witnesses, .max = POLICY_KEYS_MAX};
	const struct cli_option options[] = {{"--out", .value = &out},
		{"--witness", .list = &listed}, {"--quorum", .value = &quorum}};
	const struct cli_verb verb = {"registry policy", help, options, ARRAY_LEN(options), &words};
	struct pinned pinned = {.quorum = 0};
	int code;
	if (!cli_parse(&verb, argc, argv, &code))
		return code;
	if (words.count != ROOTS)
		return cli_usage(&verb, "needs exactly three files");
	if ((listed.count > 0) != (quorum != NULL))
		return cli_usage(&verb, "--witness and --quorum go together");
	if (quorum && (text_parse_u64(BYTES_STR(quorum), &pinned.quorum) || pinned.quorum < 1 ||
			      pinned.quorum > listed.count))
		return cli_usage(&verb, "--quorum is a number from 1 to that of the witnesses");
	code = read_keys(items, ROOTS, KEY_ROOT, pinned.roots);
	if (code == 0)
		code = read_keys(witnesses, listed.count, KEY_WITNESS, pinned.witnesses);
	pinned.witnesses_count = listed.count;
	return code ? code : write_policy(&pinned, out);
}
