/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The registry that a broker was started with may be several versions ahead of its journal's, which was off or
 * restored meanwhile. Each version is signed by roots of the one before it, so they come into force one after the
 * other, each with an entry of its own, and whoever follows the journal later finds the whole chain.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "broker/journal/writer.h"

static int explain_conflict(const struct journal *journal, const struct registry *given,
	int verdict, char *reterr, size_t size)
{
	uint64_t held = journal->registry ? registry_version(journal->registry) : 0;
	uint64_t version = registry_version(given);
	if (verdict == REGISTRY_KEYS)
		snprintf(reterr, size,
			"registry version %" PRIu64
			" has none of the broker's log keys as active: let the registrar enter the "
			"public half of one, or give the broker the secret of an active one in "
			"`keys`",
			version);
	else if (verdict == REGISTRY_OLDER)
		snprintf(reterr, size,
			"registry version %" PRIu64 " is older than version %" PRIu64
			" in the journal: give the broker the newest one",
			version, held);
	else if (version == held)
		snprintf(reterr, size,
			"registry version %" PRIu64
			" has other bytes than the one in the journal: two "
			"registries were signed under one number; give the broker the one in force",
			version);
	else if (verdict == REGISTRY_UNSIGNED)
		snprintf(reterr, size,
			"registry version %" PRIu64
			" is not signed by two roots of version %" PRIu64 ": let them sign it",
			version, held);
	else
		snprintf(reterr, size,
			"registry version %" PRIu64 " does not follow version %" PRIu64
			" in the journal: it names another version before it. Put version %" PRIu64
			" and those after it beside the registry's file, each with a dot and its "
			"number behind the file's name, and start again",
			version, held, held + 1);
	return JOURNAL_CONFLICT;
}

/* What comes after @held on the way to @given: that one, or one that this journal missed. 0 or as journal_open(). */
static int next_step(const struct journal *journal, const struct registry *held,
	const struct registry *given, struct registry **ret, char *reterr, size_t size)
{
	const struct journal_options *options = &journal->options;
	uint64_t version = held ? registry_version(held) + 1 : 0;
	bool between = held && options->earlier && registry_version(given) > version;
	int r = between ? options->earlier(options->earlier_context, version, ret) : -ENOENT;
	if (r == -ENOENT) { /* then it is judged as it is */
		*ret = registry_ref(given);
		r = 0;
	}
	if (r > 0)
		snprintf(reterr, size, "registry version %" PRIu64 ", beside the newest: it %s",
			version, registry_verdict_text(r));
	else if (r == 0 && between && registry_version(*ret) < version) {
		snprintf(reterr, size,
			"what lies beside the newest registry as version %" PRIu64
			" is version %" PRIu64 ": put the right one there",
			version, registry_version(*ret));
		registry_unref(steal(ret));
		r = JOURNAL_CONFLICT;
	}
	return r > 0 ? JOURNAL_CONFLICT : r;
}

static int adopt_one(struct journal *journal, struct registry *given, char *reterr, size_t size)
{
	/* A parcel of our own: this is the same act as a registry that arrives later. */
	struct parcel *parcel = journal->ticks_idle;
	struct batch batch = {.parcels = parcel, .opening = true};
	if (!bytes_equal(registry_bus(given), journal->options.bus)) {
		snprintf(reterr, size,
			"the registry is for bus \"%.*s\", the configuration says \"%.*s\"",
			(int)registry_bus(given).len, (const char *)registry_bus(given).data,
			(int)journal->options.bus.len, (const char *)journal->options.bus.data);
		return JOURNAL_CONFLICT;
	}
	if (!journal->registry && !journal->options.registry_pinned) {
		snprintf(reterr, size,
			"registry version %" PRIu64
			" is not signed by the roots of the policy, and this journal is new: "
			"begin it with a registry that they signed",
			registry_version(given));
		return JOURNAL_CONFLICT;
	}
	parcel->kind = PARCEL_REGISTRY;
	parcel->registry = given;
	journal->ticks_idle = parcel->next;
	parcel->next = NULL;
	int r = batch_run(journal, &batch);
	int verdict = parcel->verdict;
	parcel->kind = PARCEL_TICK;
	parcel->registry = NULL;
	parcel->verdict = 0;
	parcel->next = journal->ticks_idle;
	journal->ticks_idle = parcel;
	if (r < 0) {
		snprintf(reterr, size, "%s: the first commit failed: %s", journal->options.dir,
			strerrordesc_np(-r));
		return r;
	}
	if (verdict == 0 && journal->signers_count == 0)
		verdict = REGISTRY_KEYS;
	return verdict ? explain_conflict(journal, given, verdict, reterr, size) : 0;
}

int adopt_registry(struct journal *journal, struct registry *given, char *reterr, size_t size)
{
	for (;;) {
		_cleanup_(registry_unref) struct registry *step = NULL;
		int r = next_step(journal, journal->registry, given, &step, reterr, size);
		if (r == 0)
			r = adopt_one(journal, step, reterr, size);
		if (r != 0 || registry_version(step) == registry_version(given))
			return r;
	}
}

int adopt_check(struct journal *journal, struct registry *given, char *reterr, size_t size)
{
	struct log_signer signers[JOURNAL_LOG_KEYS_MAX];
	_cleanup_(registry_unref) struct registry *held = NULL;
	int r = 0;
	if (journal->registry)
		held = registry_ref(journal->registry);
	for (bool last = !held; r == 0 && !last;) {
		struct registry *step = NULL;
		r = next_step(journal, held, given, &step, reterr, size);
		if (r != 0)
			return r;
		r = registry_check_successor(held, step);
		last = registry_version(step) == registry_version(given);
		registry_unref(held);
		held = step;
	}
	if (r == 0 && signers_choose(journal, given, signers) == 0)
		r = REGISTRY_KEYS;
	return r > 0 ? explain_conflict(journal, given, r, reterr, size) : r;
}
