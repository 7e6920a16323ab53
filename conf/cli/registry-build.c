/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The version before is verified by its own roots, because its digest becomes a link of the chain that
 * every broker and adapter will hold the new one to: built on a file that nobody accepts, the new
 * registry would be accepted by nobody either.
 */
#include <stdio.h>
#include <string.h>

#include "conf/cli/cli.h"
#include "conf/cli/registry-file.h"
#include "conf/source.h"
#include "proto/base/clock.h"
#include "proto/base/file.h"

static const char help[] =
	"usage: dienstweg registry build --source DIR --keys DIR (--first | --previous FILE) --out "
	"FILE\n"
	"                                [--sign SECRET]...\n"
	"\n"
	"Compiles bus.yaml, parties.yaml, services.yaml and agreements.yaml in the source folder.\n"
	"\n"
	"  --source DIR     the source\n"
	"  --keys DIR       NAME.keys of every party, of the bus and of the roots\n"
	"  --first          this is version 1\n"
	"  --previous FILE  the signed registry in force; the new one is its next version\n"
	"  --out FILE       the result, to be signed by two roots: dienstweg registry sign; a file "
	"that\n"
	"                   a root has signed is not overwritten\n"
	"  --sign SECRET    sign at once with NAME.secret of a root; may be repeated\n";

struct build {
	const char *source, *keys, *previous, *out;
	bool first;
	const char *signers[8];
	struct cli_list sign;
	struct arena *arena;
};

/* Number and link: what the version before says. */
static int follow(const struct build *build, const struct source *source, struct registry_head *head)
{
	_cleanup_(registry_unref) struct registry *previous = NULL;
	*head = (struct registry_head){.version = 1, .first = true};
	if (build->first)
		return 0;
	int code = registry_file_load(build->previous, NULL, &previous, NULL, 0);
	if (code)
		return code;
	if (!bytes_equal(registry_bus(previous), BYTES_PB(source_content(source)->bus)))
		return cli_fail(CLI_NEGATIVE, "%s is the registry of another bus", build->previous);
	head->version = registry_version(previous) + 1;
	head->first = false;
	registry_note_digest(previous, head->previous);
	return 0;
}

static int sign(struct build *build, struct bytes *bytes, const Dienstweg__RegistryContent *content)
{
	for (size_t i = 0; i < build->sign.count; i++) {
		const char *name;
		int code = registry_file_add_signature(
			*bytes, content, build->sign.items[i], build->arena, bytes, &name);
		if (code)
			return code;
	}
	return 0;
}

/* What roots have signed is in force somewhere, and nobody makes it again: it is never overwritten. */
static int keep_signed(const struct build *build)
{
	_cleanup_(heap_free) uint8_t *data = NULL;
	struct registry_head head;
	Dienstweg__RegistryContent *content;
	struct bytes names[3];
	char ignored[WHY_SIZE];
	size_t len = 0;
	if (file_read(build->out, REGISTRY_BYTES_MAX, &data, &len) != 0)
		return 0;
	int r = registry_peek(
		BYTES(data, len), build->arena, &head, &content, ignored, sizeof(ignored));
	if (r < 0)
		return cli_fail(CLI_FAILED, "%s: %s", build->out, strerrordesc_np(-r));
	if (r > 0 || registry_file_signers(BYTES(data, len), content, names) == 0)
		return 0;
	return cli_fail(CLI_NEGATIVE,
		"%s is a signed registry, version %llu: name another file with --out", build->out,
		(unsigned long long)head.version);
}

static int compose(struct build *build, const struct source *source)
{
	const Dienstweg__RegistryContent *content = source_content(source);
	struct registry_head head;
	struct bytes bytes, names[3];
	char why[WHY_SIZE] = "", day[25];
	int code = keep_signed(build);
	if (code == 0)
		code = follow(build, source, &head);
	if (code)
		return code;
	head.issued_ms = clock_wall_ms(clock_system()) / 1000 * 1000;
	head.stale_after_ms = head.issued_ms + source_stale_after_ms(source);
	int r = registry_compose(content, &head, build->arena, &bytes, why, sizeof(why));
	if (r)
		return cli_fail(r < 0 ? CLI_FAILED : CLI_NEGATIVE, "%s: %s", build->source,
			r < 0 ? strerrordesc_np(-r) : why);
	code = sign(build, &bytes, content);
	if (code == 0)
		code = registry_file_write(build->out, bytes);
	if (code)
		return code;
	clock_format_utc(head.stale_after_ms, day);
	printf("%s: version %llu of %s, %zu parties, %zu services, %zu agreements, stale after "
	       "%.10s, "
	       "signed by %zu of 3 roots\n",
		build->out, (unsigned long long)head.version, head.bus, content->n_parties,
		content->n_services, content->n_agreements, day,
		registry_file_signers(bytes, content, names));
	return cli_flush(CLI_DONE);
}

static int build(struct build *build)
{
	_cleanup_(source_free) struct source *source = NULL;
	char why[SOURCE_ERROR_SIZE] = "";
	int r = source_compile(build->source, build->keys, &source, why, sizeof(why));
	if (r)
		return cli_fail(r < 0 ? CLI_FAILED : CLI_NEGATIVE, "%s",
			why[0] ? why : strerrordesc_np(-r));
	return compose(build, source);
}

int registry_build_run(int argc, char **argv)
{
	struct build b = {0};
	b.sign = (struct cli_list){.items = b.signers, .max = ARRAY_LEN(b.signers)};
	const struct cli_option options[] = {{"--source", .value = &b.source},
		{"--keys", .value = &b.keys}, {"--previous", .value = &b.previous},
		{"--out", .value = &b.out}, {"--first", .flag = &b.first},
		{"--sign", .list = &b.sign}};
	const struct cli_verb verb = {"registry build", help, options, ARRAY_LEN(options), NULL};
	int code;
	if (!cli_parse(&verb, argc, argv, &code))
		return code;
	if (!b.source || !b.keys || !b.out)
		return cli_usage(&verb, "needs --source, --keys and --out");
	if (b.first == (b.previous != NULL))
		return cli_usage(&verb, "needs either --first or --previous FILE");
	b.arena = arena_new(REGISTRY_MEMORY);
	code = b.arena ? build(&b) : cli_fail(CLI_FAILED, "out of memory");
	arena_free(b.arena);
	return code;
}
