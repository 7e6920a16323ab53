/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The adapter's store is read as evidence is, beside the adapter. Nothing is written there: that it was shown another
 * log the adapter finds out by itself, when it sees the same; this here tells whoever asked.
 */
#include "adapters/cli/compare.h"

#include <errno.h>
#include <string.h>

#include "adapters/sdk/store.h"
#include "proto/merkle/merkle.h"
#include "proto/note/epoch.h"

static int head_read(struct store *store, const char *name, struct head *ret)
{
	struct bytes note;
	int r = store_get(store, STORE_META, BYTES_STR(name), &note);
	if (r)
		return r > 0 ? 0 : r;
	return head_restore(ret, note);
}

int compare_read(const char *state, struct head *ret)
{
	_cleanup_(store_free) struct store *store = NULL;
	struct head seen = {};
	*ret = (struct head){};
	int r = store_open_reader(state, &store);
	if (r)
		return r == -ENOENT ? 0 : r;
	r = head_read(store, "checkpoint proven", ret);
	if (r == 0)
		r = head_read(store, "checkpoint seen", &seen);
	if (r == 0 && seen.set && (!ret->set || seen.checkpoint.size > ret->checkpoint.size))
		*ret = seen;
	return r;
}

static int ask(struct visit *visit, const struct checkpoint *old, const struct checkpoint *new)
{
	struct merkle_hash proof[VISIT_PROOF_MAX];
	size_t count;
	int r = visit_prove(visit, old->size, new->size, proof, &count);
	if (r)
		return r;
	return merkle_consistency_check(
		       old->size, &old->root, new->size, &new->root, proof, count) == 0
		       ? 0
		       : COMPARE_FORK;
}

int compare_ask(struct visit *visit, const struct head *held, struct bytes bus,
	const struct checkpoint *shown)
{
	const struct checkpoint *known = &held->checkpoint;
	uint32_t of_known, of_shown;
	if (epoch_of(known->origin, bus, &of_known) || epoch_of(shown->origin, bus, &of_shown))
		return COMPARE_OTHER;
	if (of_known != of_shown)
		return of_shown < of_known ? COMPARE_SET_BACK : COMPARE_OTHER;
	if (known->size == shown->size)
		return memcmp(&known->root, &shown->root, sizeof(known->root)) == 0 ? 0
										    : COMPARE_FORK;
	return known->size < shown->size ? ask(visit, known, shown) : ask(visit, shown, known);
}
