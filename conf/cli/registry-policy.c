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
#include "proto/identity/keyfile.h"

static const char help[] =
	"usage: dienstweg registry policy ROOT.keys ROOT.keys ROOT.keys [--out FILE]\n"
	"\n"
	"Prints (or writes) the policy that pins the three roots of a bus. Give it to every "
	"broker, adapter\n"
	"and auditor by a way that nobody can tamper with, and let them compare it with a printed "
	"copy.\n";

enum { ROOTS = 3 };

static int read_root(const char *path, struct note_key *ret)
{
	struct keyring_public ring;
	char why[WHY_SIZE] = "";
	int r = keyfile_read_public(path, &ring, why, sizeof(why));
	if (r < 0)
		return cli_fail(CLI_FAILED, "%s: %s", path, strerrordesc_np(-r));
	if (r)
		return cli_fail(CLI_NEGATIVE, "%s", why);
	if (ring.count != 1 || ring.keys[0].use != KEY_ROOT ||
		note_key_init(ret, BYTES_STR(ring.owner), ring.keys[0].public))
		return cli_fail(CLI_NEGATIVE, "%s: holds no root key, or more than one key", path);
	return 0;
}

static int write_policy(const struct note_key roots[ROOTS], const char *out)
{
	char text[ROOTS * (NOTE_VKEY_SIZE + 8) + 256], vkey[NOTE_VKEY_SIZE];
	int n = snprintf(text, sizeof(text), "# Two of these three roots sign every registry.\n");
	for (int i = 0; i < ROOTS; i++) {
		note_key_format(&roots[i], vkey);
		n += snprintf(text + n, sizeof(text) - (size_t)n, "root %s\n", vkey);
	}
	n += snprintf(text + n, sizeof(text) - (size_t)n, "root-quorum %d\nquorum none\n",
		REGISTRY_ROOT_QUORUM);
	if (out)
		return registry_file_write(out, BYTES(text, n));
	fputs(text, stdout);
	return cli_flush(CLI_DONE);
}

int registry_policy_run(int argc, char **argv)
{
	const char *out = NULL, *items[ROOTS];
	struct cli_list words = {.items = items, .max = ROOTS};
	const struct cli_option options[] = {{"--out", .value = &out}};
	const struct cli_verb verb = {"registry policy", help, options, ARRAY_LEN(options), &words};
	struct note_key roots[ROOTS];
	int code;
	if (!cli_parse(&verb, argc, argv, &code))
		return code;
	if (words.count != ROOTS)
		return cli_usage(&verb, "needs exactly three files");
	for (size_t i = 0; i < ROOTS; i++) {
		code = read_root(items[i], &roots[i]);
		if (code)
			return code;
		for (size_t k = 0; k < i; k++)
			if (memcmp(roots[k].public, roots[i].public, SIGN_PUBLIC_SIZE) == 0)
				return cli_fail(CLI_NEGATIVE, "%s and %s hold the same root",
					items[k], items[i]);
	}
	return write_policy(roots, out);
}
