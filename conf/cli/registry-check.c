/* SPDX-License-Identifier: EUPL-1.2 */

/* Verify as a broker would, and then ask what a careful colleague would ask. */
#include <stdio.h>

#include "conf/cli/cli.h"
#include "conf/cli/registry-file.h"
#include "conf/cli/registry-findings.h"
#include "proto/base/clock.h"

static const char help[] =
	"usage: dienstweg registry check FILE --policy FILE [--previous FILE] [--strict]\n"
	"\n"
	"Verifies signatures, digest and every rule, and names what is doubtful: regions that two "
	"parties\n"
	"serve, agreements that end within 60 days, names that nothing uses.\n"
	"\n"
	"  --policy FILE    the pinned roots\n"
	"  --previous FILE  also: may it follow this version?\n"
	"  --strict         doubts count: exit 1 when there are any\n"
	"\n"
	"Exit codes: 0 good, 1 bad, 2 wrong usage, 3 failure.\n";

static void print_finding(struct findings *findings, const char *sentence)
{
	printf("  doubtful: %s\n", sentence);
}

static int check_previous(const struct registry *registry, const char *path)
{
	static const char *const verdicts[] = {
		[REGISTRY_UNSIGNED] = "it is not signed by two roots of the version before",
		[REGISTRY_OLDER] = "it is older than the version before",
		[REGISTRY_CONFLICT] =
			"it does not build on the version before: another source, or versions "
			"in between",
	};
	_cleanup_(registry_unref) struct registry *previous = NULL;
	int code = registry_file_load(path, NULL, &previous, NULL, 0);
	if (code)
		return code;
	int r = registry_check_successor(previous, registry);
	if (r < 0)
		return cli_fail(CLI_FAILED, "%s: could not compare", path);
	return r ? cli_fail(CLI_NEGATIVE, "may not follow %s: %s", path, verdicts[r]) : 0;
}

static int check(const char *path, const char *policy, const char *previous, bool strict)
{
	_cleanup_(registry_unref) struct registry *registry = NULL;
	struct findings findings = {.take = print_finding};
	struct bytes names[3];
	int code = registry_file_load(path, policy, &registry, NULL, 0);
	if (code == 0 && previous)
		code = check_previous(registry, previous);
	if (code)
		return code;
	size_t signers = registry_file_signers(
		registry_signed_bytes(registry), registry_content(registry), names);
	printf("good: version %llu of %.*s, signed by",
		(unsigned long long)registry_version(registry), (int)registry_bus(registry).len,
		(const char *)registry_bus(registry).data);
	for (size_t i = 0; i < signers; i++)
		printf("%s %.*s", i ? "," : "", (int)names[i].len, (const char *)names[i].data);
	printf("\n");
	registry_findings(registry, clock_wall_ms(clock_system()), &findings);
	return cli_flush(strict && findings.count ? CLI_NEGATIVE : CLI_DONE);
}

int registry_check_run(int argc, char **argv)
{
	const char *policy = NULL, *previous = NULL, *items[1];
	bool strict = false;
	struct cli_list words = {.items = items, .max = 1};
	const struct cli_option options[] = {{"--policy", .value = &policy},
		{"--previous", .value = &previous}, {"--strict", .flag = &strict}};
	const struct cli_verb verb = {"registry check", help, options, ARRAY_LEN(options), &words};
	int code;
	if (!cli_parse(&verb, argc, argv, &code))
		return code;
	if (words.count != 1 || !policy)
		return cli_usage(&verb, "needs a registry file and --policy FILE");
	return check(items[0], policy, previous, strict);
}
