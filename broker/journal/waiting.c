/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Two sets by open addressing. Case ids are the senders' choice, so they are hashed under a key that nobody
 * knows: whoever could choose ids that collide could make a run slow.
 */
#include "broker/journal/waiting.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/routing/rows.h"
#include "proto/base/crypto.h"

enum { ITEM_SIZE = 16, SLOTS_MIN = 256 };

struct set {
	uint8_t (*items)[ITEM_SIZE]; /* all zeroes: free */
	size_t slots, count;
	bool zero; /* the one item that looks like a free slot is in it */
};

struct waiting {
	struct db_txn *txn;
	struct state_store store;
	enum state_table table; /* being read */
	uint8_t from[64];
	size_t from_len;
	uint64_t seed[2];
	struct set entries, records, cases;
};

/* ---- sets ---- */

static uint64_t mix(uint64_t h)
{
	h ^= h >> 33;
	h *= UINT64_C(0xff51afd7ed558ccd);
	h ^= h >> 33;
	h *= UINT64_C(0xc4ceb9fe1a85ec53);
	return h ^ h >> 33;
}

static size_t slot_of(
	const struct waiting *waiting, const struct set *set, const uint8_t item[ITEM_SIZE])
{
	uint64_t h = mix(be64_get(item) ^ waiting->seed[0]);
	h = mix(h ^ be64_get(item + 8) ^ waiting->seed[1]);
	return (size_t)h & (set->slots - 1);
}

static bool is_zero(const uint8_t item[ITEM_SIZE])
{
	static const uint8_t zero[ITEM_SIZE];
	return memcmp(item, zero, ITEM_SIZE) == 0;
}

/* The slot that holds it, or the free one where it would be. */
static size_t find(
	const struct waiting *waiting, const struct set *set, const uint8_t item[ITEM_SIZE])
{
	size_t at = slot_of(waiting, set, item);
	while (!is_zero(set->items[at]) && memcmp(set->items[at], item, ITEM_SIZE) != 0)
		at = (at + 1) & (set->slots - 1);
	return at;
}

static int grow(const struct waiting *waiting, struct set *set)
{
	struct set larger = {.slots = set->slots ? set->slots * 2 : SLOTS_MIN,
		.count = set->count,
		.zero = set->zero};
	larger.items = calloc(larger.slots, ITEM_SIZE);
	if (!larger.items)
		return -ENOMEM;
	for (size_t i = 0; i < set->slots; i++)
		if (!is_zero(set->items[i]))
			memcpy(larger.items[find(waiting, &larger, set->items[i])], set->items[i],
				ITEM_SIZE);
	free(set->items);
	*set = larger;
	return 0;
}

static int add(const struct waiting *waiting, struct set *set, const uint8_t item[ITEM_SIZE])
{
	if (is_zero(item)) {
		set->zero = true;
		return 0;
	}
	if (set->count * 2 >= set->slots) {
		int r = grow(waiting, set);
		if (r)
			return r;
	}
	size_t at = find(waiting, set, item);
	set->count += is_zero(set->items[at]);
	memcpy(set->items[at], item, ITEM_SIZE);
	return 0;
}

static bool has(const struct waiting *waiting, const struct set *set, const uint8_t item[ITEM_SIZE])
{
	if (is_zero(item))
		return set->zero;
	return set->slots > 0 && !is_zero(set->items[find(waiting, set, item)]);
}

static void entry_item(uint64_t sequence, uint8_t ret[ITEM_SIZE])
{
	memset(ret, 0, ITEM_SIZE);
	be64_put(ret + 8, sequence);
}

/* ---- reading ---- */

int waiting_new(struct db_env *env, const struct state_store *store, struct waiting **ret)
{
	_cleanup_(waiting_free) struct waiting *waiting = calloc(1, sizeof(*waiting));
	if (!waiting)
		return -ENOMEM;
	waiting->table = STATE_QUEUE;
	random_fill(waiting->seed, sizeof(waiting->seed));
	waiting->store.state.ops = store->state.ops;
	memcpy(waiting->store.tables, store->tables, sizeof(store->tables));
	int r = db_begin(env, false, &waiting->txn);
	if (r == 0)
		*ret = steal(&waiting);
	return r;
}

void waiting_free(struct waiting *waiting)
{
	if (!waiting)
		return;
	state_store_end(&waiting->store);
	db_abort(waiting->txn);
	free(waiting->entries.items);
	free(waiting->records.items);
	free(waiting->cases.items);
	free(waiting);
}

/* The case of those that share a row is in their common row, which is met like any other. */
static int take(struct waiting *waiting, uint64_t sequence, const struct queue_row *row)
{
	uint8_t item[ITEM_SIZE];
	entry_item(sequence, item);
	int r = add(waiting, &waiting->entries, item);
	return r || row->sharing ? r : add(waiting, &waiting->cases, row->case_id);
}

/*
 * An outcome that its sender has not confirmed is made of the entry's record when it is delivered. Replay makes its
 * row of the messages' records.
 */
static int take_outcome(struct waiting *waiting, uint64_t entry, struct bytes value)
{
	struct outcome_item outcome;
	uint8_t item[ITEM_SIZE];
	entry_item(entry, item);
	int r = add(waiting, &waiting->entries, item);
	for (size_t i = 0; r == 0 && outcome_item_decode(value, i, &outcome) == 0; i++) {
		entry_item(outcome.sequence, item);
		r = add(waiting, &waiting->records, item);
	}
	return r;
}

/* Somebody waits for a word on it: what its sender is told when it is overdue is made of its record. */
static int take_asked(struct waiting *waiting, uint64_t sequence)
{
	uint8_t item[ITEM_SIZE];
	entry_item(sequence, item);
	return add(waiting, &waiting->records, item);
}

/* Why somebody's message is a dead letter, or held, is in the entry that made it so, and nowhere else. */
static int take_parked(struct waiting *waiting, uint64_t sequence, uint32_t party)
{
	uint8_t key[END_KEY_SIZE], item[ITEM_SIZE];
	struct bytes value;
	struct end_row end;
	end_key_encode(sequence, party, key);
	int r = state_get(&waiting->store.state, STATE_END, BYTES(key, sizeof(key)), &value);
	if (r)
		return r < 0 ? r : -EBADMSG;
	if (end_row_decode(value, &end))
		return -EBADMSG;
	entry_item(end.entry, item);
	return add(waiting, &waiting->records, item);
}

static int take_row(struct waiting *waiting, struct bytes key, struct bytes value)
{
	struct common_row common;
	struct queue_row row;
	uint64_t due_ms, sequence;
	uint32_t party;
	uint8_t lane, what;
	if (waiting->table == STATE_QUEUE) {
		if (queue_key_decode(key, &party, &lane, &sequence))
			return -EBADMSG;
		if (lane == LANE_OUTCOME)
			return take_outcome(waiting, sequence, value);
		if (party == PARTY_COMMON)
			return common_row_decode(value, &common)
				       ? -EBADMSG
				       : take(waiting, sequence, &common.row);
		return queue_row_decode(value, &row) ? -EBADMSG : take(waiting, sequence, &row);
	}
	if (timer_key_decode(key, &due_ms, &sequence, &party, &what))
		return -EBADMSG;
	if (what == TIMER_DEAD || what == TIMER_HELD) {
		if (parked_row_decode(value, &lane, &due_ms, &row))
			return -EBADMSG;
		int r = take_parked(waiting, sequence, party);
		return r ? r : take(waiting, sequence, &row);
	}
	if (what == TIMER_ASKED)
		return take_asked(waiting, sequence);
	if (what != TIMER_RELEASE)
		return 0;
	return release_row_decode(value, &lane, &row) ? -EBADMSG : take(waiting, sequence, &row);
}

/* Return: 0, STATE_NOT_FOUND at the end of the table, negative errno. */
static int read_some(struct waiting *waiting, size_t *rows)
{
	struct bytes key, value;
	int r = 0;
	while (r == 0 && *rows > 0) {
		r = state_seek(&waiting->store.state, waiting->table,
			BYTES(waiting->from, waiting->from_len), &key, &value);
		if (r == 0 && key.len >= sizeof(waiting->from))
			r = -EBADMSG;
		if (r == 0)
			r = take_row(waiting, key, value);
		if (r)
			break;
		/* The smallest key above this one is this one and a zero. */
		memcpy(waiting->from, key.data, key.len);
		waiting->from[key.len] = 0;
		waiting->from_len = key.len + 1;
		--*rows;
	}
	return r;
}

int waiting_read(struct waiting *waiting, size_t rows, bool *ret_complete)
{
	*ret_complete = false;
	state_store_begin(&waiting->store, waiting->txn);
	int r = read_some(waiting, &rows);
	if (r == STATE_NOT_FOUND && waiting->table == STATE_QUEUE) {
		waiting->table = STATE_TIMER;
		waiting->from_len = 0;
		r = read_some(waiting, &rows);
	}
	state_store_end(&waiting->store);
	*ret_complete = r == STATE_NOT_FOUND;
	if (*ret_complete || r == 0) {
		if (*ret_complete)
			db_abort(steal(&waiting->txn));
		return 0;
	}
	return r;
}

bool waiting_has_entry(const struct waiting *waiting, uint64_t sequence)
{
	uint8_t item[ITEM_SIZE];
	entry_item(sequence, item);
	return has(waiting, &waiting->entries, item);
}

bool waiting_has_record(const struct waiting *waiting, uint64_t sequence)
{
	uint8_t item[ITEM_SIZE];
	entry_item(sequence, item);
	return has(waiting, &waiting->records, item);
}

bool waiting_has_case(const struct waiting *waiting, struct bytes case_id)
{
	return case_id.len == ITEM_SIZE && has(waiting, &waiting->cases, case_id.data);
}

bool waiting_any(const struct waiting *waiting)
{
	return waiting->entries.count > 0 || waiting->entries.zero;
}
