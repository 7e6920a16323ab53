/* SPDX-License-Identifier: EUPL-1.2 */

/* What is signed is shown first, in the words of the registry: a root signs what it has read. */
#include <stdio.h>

#include "conf/cli/cli.h"
#include "conf/cli/registry-file.h"

static const char help[] = "usage: dienstweg registry sign --in FILE --key SECRET [--out FILE]\n"
			   "\n"
			   "Adds a root's signature to a registry; two of the three are needed "
			   "before anybody accepts it.\n"
			   "Look at it before you sign: dienstweg registry show FILE.\n"
			   "\n"
			   "  --in FILE     the registry, made by dienstweg registry build\n"
			   "  --key SECRET  NAME.secret of a root\n"
			   "  --out FILE    the result; without it, FILE of --in is replaced\n";

static int sign(const char *in, const char *secret, const char *out, struct arena *arena)
{
	struct registry_head head;
	struct bytes bytes, after, names[3];
	Dienstweg__RegistryContent *content;
	const char *name;
	int code = registry_file_peek(in, arena, &bytes, &head, &content);
	if (code == 0)
		code = registry_file_add_signature(bytes, content, secret, arena, &after, &name);
	if (code == 0)
		code = registry_file_write(out, after);
	if (code)
		return code;
	size_t signers = registry_file_signers(after, content, names);
	printf("%s: version %llu of %s, signed by %s: %zu of 3 roots%s\n", out,
		(unsigned long long)head.version, head.bus, name, signers,
		signers < REGISTRY_ROOT_QUORUM ? "; one more is needed" : "");
	return cli_flush(CLI_DONE);
}

int registry_sign_run(int argc, char **argv)
{
	const char *in = NULL, *key = NULL, *out = NULL;
	const struct cli_option options[] = {
		{"--in", .value = &in}, {"--key", .value = &key}, {"--out", .value = &out}};
	const struct cli_verb verb = {"registry sign", help, options, ARRAY_LEN(options), NULL};
	int code;
	if (!cli_parse(&verb, argc, argv, &code))
		return code;
	if (!in || !key)
		return cli_usage(&verb, "needs --in FILE and --key SECRET");
	struct arena *arena = arena_new(REGISTRY_MEMORY);
	code = arena ? sign(in, key, out ? out : in, arena) : cli_fail(CLI_FAILED, "out of memory");
	arena_free(arena);
	return code;
}
