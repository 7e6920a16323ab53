/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Breadth first through every interleaving of a small world, so that the first broken promise comes with
 * a shortest story of how it broke. When all worlds are known, the graph is walked backwards from those
 * in which everything has ended: a world that is not met on the way could be stuck for ever. Faults are no
 * part of that walk, since nobody may need a crash to get on.
 *
 * An explorer that finds nothing may be blind. With --break the model does something wrong on purpose,
 * and finding nothing is then the failure.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "test/fault/explorer/scenarios.h"
#include "test/fault/explorer/world.h"

struct node {
	uint32_t parent;
	struct action action; /* that led here */
};

struct edge {
	uint32_t from;
	uint32_t to;
};

struct search {
	struct lab lab;
	struct digests *seen;
	struct node *nodes;
	struct world *worlds; /* of nodes not yet expanded: a window of the node numbers */
	uint32_t worlds_first;
	size_t worlds_room;
	struct edge *edges; /* without faults */
	size_t edges_count;
	size_t edges_room;
	uint32_t *done; /* nodes in which everything has ended */
	size_t done_count;
	uint64_t transitions;
};

static void *grow(void *array, size_t *room, size_t need, size_t size)
{
	if (need <= *room)
		return array;
	*room = *room ? *room * 2 : 1024;
	array = realloc(array, *room * size);
	lab_must(array, "out of memory");
	return array;
}

static void search_deinit(struct search *search)
{
	lab_deinit(&search->lab);
	digests_free(search->seen);
	free(search->nodes);
	free(search->worlds);
	free(search->edges);
	free(search->done);
}

/* ---- stories ---- */

static void tell(const struct search *search, uint32_t node, const struct action *last)
{
	uint32_t path[256];
	size_t length = 0;
	for (uint32_t at = node; at != 0 && length < ARRAY_LEN(path); at = search->nodes[at].parent)
		path[length++] = at;
	while (length > 0) {
		const struct action *action = &search->nodes[path[--length]].action;
		printf("    %s %u\n", action_name(action->kind), action->subject);
	}
	if (last)
		printf("    %s %u\n", action_name(last->kind), last->subject);
}

/* ---- forwards ---- */

/* The number of a world; a new one waits to be expanded. */
static uint32_t search_add(
	struct search *search, const struct world *world, uint32_t parent, struct action action)
{
	bool is_new;
	uint32_t number = digests_add(search->seen, BYTES(world, sizeof(*world)), &is_new);
	if (!is_new)
		return number;
	size_t room = number < 1024 ? 1024 : 0;
	if (number == 0 || (room == 0 && (number & (number - 1)) == 0)) {
		search->nodes = realloc(
			search->nodes, (room ? room : (size_t)number * 2) * sizeof(*search->nodes));
		lab_must(search->nodes, "out of memory");
	}
	search->nodes[number] = (struct node){.parent = parent, .action = action};
	size_t waiting = number - search->worlds_first;
	search->worlds = grow(
		search->worlds, &search->worlds_room, waiting + 1, sizeof(*search->worlds));
	search->worlds[waiting] = *world;
	if (lab_is_done(&search->lab, world)) {
		if ((search->done_count & (search->done_count - 1)) == 0) {
			size_t size = search->done_count ? search->done_count * 2 : 1;
			search->done = realloc(search->done, size * sizeof(*search->done));
			lab_must(search->done, "out of memory");
		}
		search->done[search->done_count++] = number;
	}
	return number;
}

static void search_edge(struct search *search, uint32_t from, uint32_t to)
{
	search->edges = grow(search->edges, &search->edges_room, search->edges_count + 1,
		sizeof(*search->edges));
	search->edges[search->edges_count++] = (struct edge){from, to};
}

/* Every action in one world. Return: false when a promise broke. */
static bool expand(struct search *search, uint32_t number, const struct world *world)
{
	struct lab *lab = &search->lab;
	for (uint8_t kind = 0; kind < ACTION_KINDS; kind++) {
		size_t subjects = lab_subjects(lab, (enum action_kind)kind);
		for (uint8_t subject = 0; subject < subjects; subject++) {
			struct world next = *world;
			struct action action = {kind, subject};
			if (!lab_step(lab, &next, action))
				continue;
			search->transitions++;
			if (!lab->violation[0])
				lab_check(lab, world, &next);
			if (lab->violation[0]) {
				printf("  broken: %s\n", lab->violation);
				tell(search, number, &action);
				return false;
			}
			uint32_t to = search_add(search, &next, number, action);
			if (!action_is_fault((enum action_kind)kind))
				search_edge(search, number, to);
		}
	}
	return true;
}

/* Forget worlds already expanded, now and then. */
static void search_shift(struct search *search, uint32_t expanded)
{
	size_t gone = expanded - search->worlds_first;
	size_t waiting = digests_count(search->seen) - expanded;
	if (gone < 4096 || gone < waiting)
		return;
	memmove(search->worlds, search->worlds + gone, waiting * sizeof(*search->worlds));
	search->worlds_first = expanded;
}

static bool search_all(struct search *search)
{
	struct world world = lab_begin(&search->lab);
	search_add(search, &world, 0, (struct action){});
	for (uint32_t i = 0; i < digests_count(search->seen); i++) {
		world = search->worlds[i - search->worlds_first];
		if (!expand(search, i, &world))
			return false;
		search_shift(search, i + 1);
	}
	return true;
}

/* ---- backwards ---- */

/* Edges sorted by where they lead: first[n] .. first[n + 1] are those into n. */
static uint32_t *edges_into(const struct search *search, size_t **ret_first)
{
	size_t nodes = digests_count(search->seen);
	size_t *first = calloc(nodes + 2, sizeof(*first));
	uint32_t *from = malloc((search->edges_count + 1) * sizeof(*from));
	lab_must(first && from, "out of memory");
	for (size_t i = 0; i < search->edges_count; i++)
		first[search->edges[i].to + 2]++;
	for (size_t i = 2; i < nodes + 2; i++)
		first[i] += first[i - 1];
	for (size_t i = 0; i < search->edges_count; i++)
		from[first[search->edges[i].to + 1]++] = search->edges[i].from;
	*ret_first = first;
	return from;
}

/* Can every world still come to a good end? */
static bool search_back(const struct search *search)
{
	uint32_t nodes = digests_count(search->seen);
	size_t *first;
	uint32_t *from = edges_into(search, &first);
	bool *good = calloc(nodes, sizeof(*good));
	uint32_t *stack = malloc(((size_t)nodes + 1) * sizeof(*stack));
	size_t depth = 0;
	lab_must(good && stack, "out of memory");
	for (size_t i = 0; i < search->done_count; i++) {
		good[search->done[i]] = true;
		stack[depth++] = search->done[i];
	}
	while (depth > 0) {
		uint32_t at = stack[--depth];
		for (size_t i = first[at]; i < first[at + 1]; i++) {
			if (good[from[i]])
				continue;
			good[from[i]] = true;
			stack[depth++] = from[i];
		}
	}
	uint32_t stuck = 0;
	while (stuck < nodes && good[stuck])
		stuck++;
	free(first);
	free(from);
	free(good);
	free(stack);
	if (stuck == nodes)
		return true;
	printf("  broken: from here not everything can end and be told\n");
	tell(search, stuck, NULL);
	return false;
}

/* ---- runs ---- */

static bool run(const struct scenario *scenario, enum breakage breakage)
{
	struct search search = {.seen = digests_new()};
	uint64_t begin = clock_mono_ns(clock_system());
	lab_init(&search.lab, scenario, breakage);
	bool good = search_all(&search) && search_back(&search);
	uint64_t took_ms = (clock_mono_ns(clock_system()) - begin) / 1000000;
	printf("  %s: %" PRIu32 " states, %" PRIu64 " transitions, %zu good ends, %" PRIu32
	       " journal entries, %" PRIu32 " disk states replayed, %" PRIu64 " ms\n",
		scenario->name, digests_count(search.seen), search.transitions, search.done_count,
		digests_count(search.lab.entry_numbers), digests_count(search.lab.replayed),
		took_ms);
	fflush(stdout);
	search_deinit(&search);
	return good;
}

/* All, or the one of this name, or every @step-th from @first on. */
static bool run_scenarios(const char *name, enum breakage breakage, size_t first, size_t step)
{
	bool good = true, any = false;
	for (size_t i = first; i < scenarios_count() && good; i += step) {
		const struct scenario *scenario = scenario_get(i);
		if (name && strcmp(name, scenario->name) != 0)
			continue;
		any = true;
		good = run(scenario, breakage);
		if (breakage == BREAK_NOTHING)
			printf("%s - %s\n", good ? "ok" : "not ok", scenario->name);
	}
	lab_must(any, "no such scenario");
	return good;
}

static const char *const breakages[BREAKAGES] = {
	[BREAK_NOTHING] = "nothing",
	[BREAK_RECEIPT_BEFORE_COMMIT] = "receipt-before-commit",
	[BREAK_DELIVER_BEFORE_COMMIT] = "deliver-before-commit",
	[BREAK_ACKNOWLEDGED_BEFORE_COMMIT] = "acknowledged-before-commit",
	[BREAK_SEEN_FORGOTTEN] = "seen-forgotten",
	[BREAK_LEASE_LEAKED] = "lease-leaked",
	[BREAK_OUTCOME_DROPPED] = "outcome-dropped",
	[BREAK_INBOX_FORGETFUL] = "inbox-forgetful",
	[BREAK_NEWEST_FIRST] = "newest-first",
	[BREAK_TOTAL_SKEWED] = "total-skewed",
	[BREAK_TIME_UNRECORDED] = "time-unrecorded",
	[BREAK_TIME_BACKWARDS] = "time-backwards",
	[BREAK_HOLD_FORGOTTEN] = "hold-forgotten",
	[BREAK_ORDER_FORGOTTEN] = "order-forgotten",
	[BREAK_REST_FORGOTTEN] = "rest-forgotten",
	[BREAK_CANCEL_BLIND] = "cancel-blind",
	[BREAK_CANCEL_LOOSE] = "cancel-loose",
	[BREAK_DELAY_FREES] = "delay-frees",
	[BREAK_STRIKES_UNTOLD] = "strikes-untold",
	[BREAK_REMINDER_DROPPED] = "reminder-dropped",
};

/* Return: true when every breakage asked for was found. */
static bool run_breakages(const char *name)
{
	bool all = strcmp(name, "all") == 0, good = true, any = false;
	for (int i = BREAK_NOTHING + 1; i < BREAKAGES; i++) {
		if (!all && strcmp(name, breakages[i]) != 0)
			continue;
		bool found = !run_scenarios(NULL, (enum breakage)i, 0, 1);
		printf("%s - finds %s\n", found ? "ok" : "not ok", breakages[i]);
		good &= found;
		any = true;
	}
	lab_must(any, "no such breakage");
	return good;
}

/* Two at a time: what one finds is nothing to the other. */
static bool run_both(void)
{
	int status;
	fflush(stdout);
	pid_t child = fork();
	lab_must(child >= 0, "no second process");
	bool good = run_scenarios(NULL, BREAK_NOTHING, child == 0, 2);
	if (child == 0) {
		fflush(stdout);
		_exit(good ? 0 : 1);
	}
	lab_must(waitpid(child, &status, 0) == child, "the second process is gone");
	return good && status == 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--break") == 0)
		return run_breakages(argv[2]) ? 0 : 1;
	if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
		fprintf(stderr, "usage: explorer [SCENARIO | --break BREAKAGE | --break all]\n");
		return 2;
	}
	if (argc == 1)
		return run_both() ? 0 : 1;
	return run_scenarios(argv[1], BREAK_NOTHING, 0, 1) ? 0 : 1;
}
