/* SPDX-License-Identifier: EUPL-1.2 */

/* Verify as a broker would, and then ask what a careful colleague would ask. */
#include <stdio.h>
#include <stdlib.h>

#include "conf/cli/cli.h"
#include "conf/cli/registry-changes.h"
#include "conf/cli/registry-file.h"
#include "conf/cli/registry-findings.h"
#include "proto/base/clock.h"

static const char help[] =
	"usage: dienstweg registry check FILE --policy FILE [--previous FILE]... [--strict]\n"
	"\n"
	"Verifies signatures, digest and every rule, and names what is doubtful: regions that two "
	"parties\n"
	"serve, agreements that end within 60 days, names that nothing uses, keys that were "
	"exchanged "
	"in a\n"
	"way that stops somebody.\n"
	"\n"
	"  --policy FILE    the pinned roots\n"
	"  --previous FILE  also: may it follow this version, and what does it do to its keys? "
	"Give "
	"several,\n"
	"                   each the one before the next, when the pinned roots have left since\n"
	"  --strict         doubts count: exit 1 when there are any\n"
	"\n"
	"Exit codes: 0 good, 1 bad, 2 wrong usage, 3 failure.\n";

enum { PREVIOUS_MAX = 256 };

struct check {
	const char *path, *policy;
	struct cli_list previous;
	struct registry *registry;
	struct registry *older[PREVIOUS_MAX]; /* loaded, the oldest first */
	size_t count;
	bool draft; /* not signed by those who would have to */
};

static void print_finding(struct findings *findings, const char *sentence)
{
	printf("  doubtful: %s\n", sentence);
}

static void print_change(struct changes *changes, const char *sentence)
{
	printf("  %s\n", sentence);
}

static int version_compare(const void *a, const void *b)
{
	uint64_t x = registry_version(*(struct registry *const *)a);
	uint64_t y = registry_version(*(struct registry *const *)b);
	return (x > y) - (x < y);
}

static int load_previous(struct check *check)
{
	int code = 0;
	for (size_t i = 0; i < check->previous.count && code == 0; i++) {
		code = registry_file_load(
			check->previous.items[i], NULL, &check->older[check->count], NULL, 0);
		check->count += code == 0;
	}
	qsort(check->older, check->count, sizeof(check->older[0]), version_compare);
	return code;
}

static int may_follow(const struct registry *before, const struct registry *after)
{
	int r = registry_check_successor(before, after);
	if (r == 0)
		return 0;
	return cli_fail(r < 0 ? CLI_FAILED : CLI_NEGATIVE,
		"version %llu may not follow version %llu: it %s",
		(unsigned long long)registry_version(after),
		(unsigned long long)registry_version(before), registry_verdict_text(r));
}

static int check_chain(const struct check *check)
{
	int code = 0;
	for (size_t i = 0; i < check->count && code == 0; i++)
		code = may_follow(check->older[i],
			i + 1 < check->count ? check->older[i + 1] : check->registry);
	return code;
}

/* The policy's roots have signed it, or one of those that lead to it. */
static int load(struct check *check)
{
	char why[WHY_SIZE] = "", ignored[WHY_SIZE];
	int code = load_previous(check);
	if (code)
		return code;
	code = registry_file_load(check->path, check->policy, &check->registry, why, sizeof(why));
	if (code == CLI_NEGATIVE && check->count > 0) {
		_cleanup_(registry_unref) struct registry *anchor = NULL;
		for (size_t i = 0; i < check->count && !anchor; i++)
			(void)registry_file_load(check->previous.items[i], check->policy, &anchor,
				ignored, sizeof(ignored));
		if (anchor)
			code = registry_file_load(
				check->path, NULL, &check->registry, why, sizeof(why));
	}
	check->draft = code == CLI_NEGATIVE;
	return code == CLI_NEGATIVE ? cli_fail(CLI_NEGATIVE, "%s", why) : code;
}

static void print_verdict(const struct registry *registry)
{
	struct bytes names[3];
	size_t signers = registry_file_signers(
		registry_signed_bytes(registry), registry_content(registry), names);
	printf("good: version %llu of %.*s, signed by",
		(unsigned long long)registry_version(registry), (int)registry_bus(registry).len,
		(const char *)registry_bus(registry).data);
	for (size_t i = 0; i < signers; i++)
		printf("%s %.*s", i ? "," : "", (int)names[i].len, (const char *)names[i].data);
	printf("\n");
}

/* A root reads it before it signs: what it would bring is said although it is not in force anywhere. */
static int load_draft(struct check *check)
{
	char ignored[WHY_SIZE]; /* it was said */
	int code = registry_file_draft(check->path, &check->registry, ignored, sizeof(ignored));
	if (code)
		return code;
	int r = check->count
			? registry_check_successor(check->older[check->count - 1], check->registry)
			: 0;
	if (r && r != REGISTRY_UNSIGNED)
		return may_follow(check->older[check->count - 1], check->registry);
	printf("not good yet: version %llu of %.*s\n",
		(unsigned long long)registry_version(check->registry),
		(int)registry_bus(check->registry).len,
		(const char *)registry_bus(check->registry).data);
	return 0;
}

static int run(struct check *check, bool strict)
{
	struct findings findings = {.take = print_finding};
	struct changes changes = {.take = print_change};
	int code = load(check);
	if (check->draft)
		code = load_draft(check);
	else if (code == 0)
		code = check_chain(check);
	if (code)
		return code;
	if (!check->draft)
		print_verdict(check->registry);
	if (check->count > 0)
		registry_changes(
			check->older[check->count - 1], check->registry, &changes, &findings);
	registry_findings(check->registry, clock_wall_ms(clock_system()), &findings);
	return cli_flush(check->draft || (strict && findings.count) ? CLI_NEGATIVE : CLI_DONE);
}

int registry_check_run(int argc, char **argv)
{
	const char *items[1], *previous[PREVIOUS_MAX];
	bool strict = false;
	struct check check = {.previous = {.items = previous, .max = PREVIOUS_MAX}};
	struct cli_list words = {.items = items, .max = 1};
	const struct cli_option options[] = {{"--policy", .value = &check.policy},
		{"--previous", .list = &check.previous}, {"--strict", .flag = &strict}};
	const struct cli_verb verb = {"registry check", help, options, ARRAY_LEN(options), &words};
	int code;
	if (!cli_parse(&verb, argc, argv, &code))
		return code;
	if (words.count != 1 || !check.policy)
		return cli_usage(&verb, "needs a registry file and --policy FILE");
	check.path = items[0];
	code = run(&check, strict);
	registry_unref(check.registry);
	for (size_t i = 0; i < check.count; i++)
		registry_unref(check.older[i]);
	return code;
}
