/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * `queue`, `timer`, `counter`, `party`, `hold` and `order` are as large as what is open and are hashed whole. `seen` and `end`
 * grow for years: of these only the rows that the period's entries made are hashed, in the order of the
 * entries. So a state costs what happened since the one before, not what ever happened, and erasing an old
 * entry spoils the digest of its own period and no other.
 *
 * A state stays for as long as the log, and who once had a message must not find it in there when it is erased. So
 * rows that are about an entry count together with the secret of its record.
 *
 * Left out is what the entries do not tell: refusals beyond a party's limit, and the timer that sums them up.
 * They stand in the content instead, so that replay can go on with them.
 */
#include "broker/journal/state.h"

#include <errno.h>
#include <stdlib.h>

#include "broker/journal/state-maker.h"
#include "broker/journal/tables.h"
#include "broker/routing/asked.h"
#include "broker/routing/common.h"
#include "broker/routing/place.h"

enum { KEY_MAX = 511, GROW_MIN = 16, SCRATCH_ARENA = 8 << 20 /* of an entry, opened */ };

void *state_grow(struct arena *arena, void *items, size_t count, size_t size)
{
	if (count != 0 && (count < GROW_MIN || (count & (count - 1)) != 0))
		return items;
	void *more = arena_alloc(arena, (count ? 2 * count : GROW_MIN) * size);
	if (more && count)
		memcpy(more, items, count * size);
	return more;
}

void state_digest_row(struct state_maker *maker, enum state_table table, struct bytes key,
	struct bytes value, struct bytes secret)
{
	struct sha256 *hash = &maker->hashes[table];
	uint8_t len[4];
	be32_put(len, (uint32_t)key.len);
	sha256_add(hash, BYTES(len, sizeof(len)));
	sha256_add(hash, key);
	be32_put(len, (uint32_t)value.len);
	sha256_add(hash, BYTES(len, sizeof(len)));
	sha256_add(hash, value);
	sha256_add(hash, secret);
	maker->rows[table]++;
}

/* A row that is about an entry: whoever opens that entry's record can make the digest again, and nobody else. */
static int digest_of_entry(struct state_maker *maker, enum state_table table, struct bytes key,
	struct bytes value, uint64_t sequence)
{
	Dienstweg__Row *row;
	int r = 0;
	if (maker->cut->rules < 1) {
		state_digest_row(maker, table, key, value, BYTES(NULL, 0));
		return 0;
	}
	if (maker->secret_of != sequence) {
		arena_reset(maker->scratch);
		r = journal_read_row(maker->source->reader, sequence, maker->scratch, &row);
		if (r < 0)
			return r;
		memset(maker->secret, 0, sizeof(maker->secret)); /* of one that cannot be read */
		if (r == 0)
			memcpy(maker->secret, row->secret.data, sizeof(maker->secret));
		maker->secret_of = sequence;
	}
	state_digest_row(maker, table, key, value, BYTES(maker->secret, sizeof(maker->secret)));
	return 0;
}

/* ---- rows that are told ---- */

/* The sequence behind the others of its lane; rows come in order of party, lane and sequence. */
static int add_step(struct state_maker *maker, Dienstweg__StateLane **at, uint64_t *last,
	uint32_t party, uint8_t number, uint64_t sequence)
{
	Dienstweg__State *state = &maker->state;
	Dienstweg__StateLane *lane = *at;
	if (!lane || lane->party != party || lane->lane != number) {
		state->lanes = state_grow(
			maker->arena, state->lanes, state->n_lanes, sizeof(*state->lanes));
		lane = arena_alloc(maker->arena, sizeof(*lane));
		if (!state->lanes || !lane)
			return -ENOMEM;
		dienstweg__state_lane__init(lane);
		lane->party = party;
		lane->lane = number;
		state->lanes[state->n_lanes++] = lane;
		*at = lane;
		*last = 0;
	}
	lane->steps = state_grow(maker->arena, lane->steps, lane->n_steps, sizeof(*lane->steps));
	if (!lane->steps)
		return -ENOMEM;
	lane->steps[lane->n_steps++] = sequence - *last;
	*last = sequence;
	return 0;
}

static int add_waiting(
	struct state_maker *maker, const struct rules_item *item, const struct place *place)
{
	Dienstweg__State *state = &maker->state;
	Dienstweg__StateWaiting *waiting = arena_alloc(maker->arena, sizeof(*waiting));
	state->waiting = state_grow(
		maker->arena, state->waiting, state->n_waiting, sizeof(*state->waiting));
	if (!waiting || !state->waiting)
		return -ENOMEM;
	dienstweg__state_waiting__init(waiting);
	waiting->party = item->party;
	waiting->sequence = item->sequence;
	waiting->lane = place->lane;
	waiting->attempts = place->row.attempts;
	waiting->strikes = place->row.strikes;
	waiting->attempts_max = place->row.attempts_max;
	waiting->due_ms = place->due_ms;
	waiting->entry = place->entry;
	waiting->index = place->index;
	if (place->where == PLACE_DEAD || place->where == PLACE_HELD)
		waiting->parked = place->where == PLACE_DEAD ? TIMER_DEAD : TIMER_HELD;
	state->waiting[state->n_waiting++] = waiting;
	return 0;
}

static int add_total(struct state_maker *maker, struct bytes key, struct bytes value)
{
	Dienstweg__State *state = &maker->state;
	Dienstweg__StateTotal *total = arena_alloc(maker->arena, sizeof(*total));
	struct total_row row;
	if (key.len != TOTAL_KEY_SIZE || total_row_decode(value, &row))
		return -EBADMSG;
	state->totals = state_grow(
		maker->arena, state->totals, state->n_totals, sizeof(*state->totals));
	if (!total || !state->totals)
		return -ENOMEM;
	dienstweg__state_total__init(total);
	total->party = be32_get(key.data + 1);
	total->messages = row.first;
	total->bytes = row.second;
	state->totals[state->n_totals++] = total;
	return 0;
}

static int add_quota(struct state_maker *maker, struct bytes key, struct bytes value)
{
	Dienstweg__State *state = &maker->state;
	struct bytes agreement;
	if (key.len <= 5 || key.len > QUOTA_KEY_MAX || value.len != 8)
		return -EBADMSG;
	uint32_t month = be32_get(key.data + 1);
	if (month < quota_month(maker->cut->since_ms))
		return 0; /* told by an earlier state, and over */
	Dienstweg__StateQuota *quota = arena_alloc(maker->arena, sizeof(*quota));
	state->quotas = state_grow(
		maker->arena, state->quotas, state->n_quotas, sizeof(*state->quotas));
	if (!quota || !state->quotas ||
		arena_copy(maker->arena, BYTES(key.data + 5, key.len - 5), &agreement))
		return -ENOMEM;
	dienstweg__state_quota__init(quota);
	quota->month = month;
	quota->agreement = (ProtobufCBinaryData){
		.len = agreement.len, .data = (uint8_t *)(uintptr_t)agreement.data};
	quota->messages = be64_get(value.data);
	state->quotas[state->n_quotas++] = quota;
	return 0;
}

/* They add up to the totals of COUNTER_PENDING and COUNTER_LATE: these are not told. Nor is the token, which would name the
   message to whoever knows its header, for as long as the log. */
static int add_asked(struct state_maker *maker, uint32_t party, const struct asked_row *row)
{
	Dienstweg__State *state = &maker->state;
	Dienstweg__StateAsked *asked = arena_alloc(maker->arena, sizeof(*asked));
	struct bytes service;
	state->asked = state_grow(maker->arena, state->asked, state->n_asked, sizeof(*state->asked));
	if (!asked || !state->asked ||
		arena_copy(maker->arena, BYTES(row->service, row->service_len), &service))
		return -ENOMEM;
	dienstweg__state_asked__init(asked);
	asked->party = party;
	asked->sequence = row->sequence;
	asked->answerer = row->answerer;
	asked->due_ms = row->due_ms;
	asked->state = row->state;
	asked->overdue_ms = row->overdue_ms;
	asked->service = (ProtobufCBinaryData){
		.len = service.len, .data = (uint8_t *)(uintptr_t)service.data};
	state->asked[state->n_asked++] = asked;
	return 0;
}

static int add_refusals(struct state_maker *maker, struct bytes key, struct bytes value)
{
	Dienstweg__State *state = &maker->state;
	Dienstweg__StateRefusals *refusals = arena_alloc(maker->arena, sizeof(*refusals));
	struct total_row row;
	if (key.len != REFUSALS_KEY_SIZE || total_row_decode(value, &row))
		return -EBADMSG;
	state->refusals = state_grow(
		maker->arena, state->refusals, state->n_refusals, sizeof(*state->refusals));
	if (!refusals || !state->refusals)
		return -ENOMEM;
	dienstweg__state_refusals__init(refusals);
	refusals->party = be32_get(key.data + 1);
	refusals->minute = be64_get(key.data + 5);
	refusals->journaled = row.first;
	refusals->counted = row.second;
	state->refusals[state->n_refusals++] = refusals;
	return 0;
}

/* ---- tables ---- */

/* What a walk through a table remembers from row to row. */
struct walk {
	Dienstweg__StateLane *lane;
	uint64_t last;
};

static int take_queue(
	struct state_maker *maker, struct walk *walk, struct bytes key, struct bytes value)
{
	struct rules_item item = {};
	struct place place = {.where = PLACE_QUEUE};
	const struct queue_row *row = &place.row;
	if (queue_key_decode(key, &item.party, &place.lane, &item.sequence))
		return -EBADMSG;
	int r = digest_of_entry(maker, STATE_QUEUE, key, value, item.sequence);
	if (r || item.party == PARTY_COMMON)
		return r; /* that row follows from the others */
	r = add_step(maker, &walk->lane, &walk->last, item.party, place.lane, item.sequence);
	if (r || place.lane == LANE_OUTCOME)
		return r;
	if (queue_row_decode(value, &place.row))
		return -EBADMSG;
	r = common_join(&maker->source->store->state, item.sequence, &place.row);
	if (r)
		return r;
	return row->attempts || row->attempts_max ? add_waiting(maker, &item, &place) : 0;
}

/* Where the row in the timer says that a message waits; `end` tells the rest of what is parked there. */
static int find_waiting(struct state_maker *maker, const struct rules_item *item, uint8_t what)
{
	struct state *state = &maker->source->store->state;
	uint8_t key[ORDER_KEY_SIZE];
	struct place place;
	struct bytes found;
	int r = place_find(state, item, &place);
	if (r || !place_is_open(&place) || (place.where == PLACE_TIMER) != (what == TIMER_RELEASE))
		return r ? r : -EBADMSG;
	r = add_waiting(maker, item, &place);
	if (r || place.where == PLACE_DEAD)
		return r;
	order_key_encode(item->party, place.lane, &place.row, item->sequence, key);
	r = state_get(state, STATE_ORDER, BYTES(key, sizeof(key)), &found);
	maker->state.waiting[maker->state.n_waiting - 1]->ordered = r == 0;
	return r < 0 ? r : 0;
}

static int find_asked(struct state_maker *maker, const struct rules_item *item, struct bytes token)
{
	struct asked_row row;
	uint8_t copy[ASKED_TOKEN_SIZE];
	if (token.len != sizeof(copy))
		return -EBADMSG;
	memcpy(copy, token.data, sizeof(copy));
	int r = asked_get(&maker->source->store->state, item->party, copy, &row);
	if (r || row.sequence != item->sequence)
		return r < 0 ? r : -EBADMSG;
	return add_asked(maker, item->party, &row);
}

static int take_timer(
	struct state_maker *maker, struct walk *walk, struct bytes key, struct bytes value)
{
	struct rules_item item = {};
	uint64_t due_ms;
	uint8_t what;
	(void)walk;
	if (timer_key_decode(key, &due_ms, &item.sequence, &item.party, &what))
		return -EBADMSG;
	if (what != TIMER_EXPIRE && due_ms <= maker->cut->batch_ms)
		return STATE_EARLY;
	if (what == TIMER_SUMMARY)
		return 0;
	int r = digest_of_entry(maker, STATE_TIMER, key, value, item.sequence);
	if (r || what == TIMER_EXPIRE)
		return r;
	return what == TIMER_ASKED ? find_asked(maker, &item, value)
				   : find_waiting(maker, &item, what);
}

static int take_counter(
	struct state_maker *maker, struct walk *walk, struct bytes key, struct bytes value)
{
	uint8_t kind = key.len ? key.data[0] : 0;
	(void)walk;
	struct asked_row asked;
	if (kind == COUNTER_REFUSALS)
		return add_refusals(maker, key, value);
	if (kind == COUNTER_ASKED)
		return asked_row_decode(value, &asked)
			       ? -EBADMSG
			       : digest_of_entry(maker, STATE_COUNTER, key, value, asked.sequence);
	state_digest_row(maker, STATE_COUNTER, key, value, BYTES(NULL, 0));
	if (kind == COUNTER_QUEUE)
		return add_total(maker, key, value);
	return kind == COUNTER_QUOTA ? add_quota(maker, key, value) : 0;
}

/* Numbers that are gathered in the order of something else, and must not tell that order. */
static int compare_sequences(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

/* Which entry put a case there is told, because its release may be erased before it; which case is not. */
static int take_hold(
	struct state_maker *maker, struct walk *walk, struct bytes key, struct bytes value)
{
	Dienstweg__State *state = &maker->state;
	(void)walk;
	if (value.len != 8)
		return -EBADMSG;
	if (key.len != HOLD_CASE_SIZE) { /* a queue or a service, by an entry in clear */
		state_digest_row(maker, STATE_HOLD, key, value, BYTES(NULL, 0));
		return 0;
	}
	int r = digest_of_entry(maker, STATE_HOLD, key, value, be64_get(value.data));
	if (r || maker->cut->rules < 1)
		return r;
	state->holds = state_grow(maker->arena, state->holds, state->n_holds, sizeof(*state->holds));
	if (!state->holds)
		return -ENOMEM;
	state->holds[state->n_holds++] = be64_get(value.data);
	return 0;
}

static int take_order(
	struct state_maker *maker, struct walk *walk, struct bytes key, struct bytes value)
{
	(void)walk;
	if (key.len != ORDER_KEY_SIZE)
		return -EBADMSG;
	return digest_of_entry(
		maker, STATE_ORDER, key, value, be64_get(key.data + ORDER_KEY_SIZE - 8));
}

static int take_party(
	struct state_maker *maker, struct walk *walk, struct bytes key, struct bytes value)
{
	(void)walk;
	state_digest_row(maker, STATE_PARTY, key, value, BYTES(NULL, 0));
	return 0;
}

static int take_table(struct state_maker *maker, enum state_table table,
	int (*take)(struct state_maker *, struct walk *, struct bytes, struct bytes))
{
	uint8_t from[KEY_MAX + 1];
	size_t len = 0;
	struct bytes key, value;
	struct walk walk = {};
	for (;;) {
		int r = state_seek(
			&maker->source->store->state, table, BYTES(from, len), &key, &value);
		if (r)
			return r == STATE_NOT_FOUND ? 0 : r;
		if (key.len > KEY_MAX)
			return -EBADMSG;
		r = take(maker, &walk, key, value);
		if (r)
			return r;
		memcpy(from, key.data, key.len);
		from[key.len] = 0; /* the smallest key above it */
		len = key.len + 1;
	}
}

static int take_tables(struct state_maker *maker)
{
	int r = take_table(maker, STATE_TIMER, take_timer);
	if (r == 0)
		r = take_table(maker, STATE_QUEUE, take_queue);
	if (r == 0)
		r = take_table(maker, STATE_COUNTER, take_counter);
	if (r == 0)
		r = take_table(maker, STATE_PARTY, take_party);
	if (r == 0)
		r = take_table(maker, STATE_HOLD, take_hold);
	if (r == 0)
		r = take_table(maker, STATE_ORDER, take_order);
	if (r == 0 && maker->state.n_holds > 0)
		qsort(maker->state.holds, maker->state.n_holds, sizeof(*maker->state.holds),
			compare_sequences);
	return r;
}

static int count_table(struct state_maker *maker, enum state_table table, uint64_t *ret)
{
	const struct state_store *store = maker->source->store;
	return db_count(store->txn, store->tables[table], ret);
}

/* ---- all of it ---- */

static void begin(struct state_maker *maker)
{
	static const char domain[] = "dienstweg/v1/table";
	dienstweg__state__init(&maker->state);
	for (enum state_table table = 0; table < STATE_TABLES; table++) {
		const char *name = state_table_name(table);
		sha256_init(&maker->hashes[table]);
		sha256_add(&maker->hashes[table], BYTES((const uint8_t *)domain, sizeof(domain)));
		sha256_add(&maker->hashes[table], BYTES((const uint8_t *)name, strlen(name) + 1));
	}
}

static int pack_cut(
	struct state_maker *maker, uint64_t seen, uint64_t end, Dienstweg__StateCut **ret)
{
	Dienstweg__StateCut *cut = arena_alloc(maker->arena, sizeof(*cut));
	Dienstweg__TableDigest **tables = arena_alloc(maker->arena, STATE_TABLES * sizeof(*tables));
	if (!cut || !tables)
		return -ENOMEM;
	dienstweg__state_cut__init(cut);
	cut->size = maker->cut->size;
	cut->batch_ms = maker->cut->batch_ms;
	cut->from = maker->cut->from;
	cut->tables = tables;
	cut->n_tables = STATE_TABLES;
	for (enum state_table table = 0; table < STATE_TABLES; table++) {
		Dienstweg__TableDigest *digest = arena_alloc(maker->arena, sizeof(*digest));
		uint8_t *hash = arena_alloc(maker->arena, HASH_SIZE);
		if (!digest || !hash)
			return -ENOMEM;
		dienstweg__table_digest__init(digest);
		sha256_finish(&maker->hashes[table], hash);
		digest->digest = (ProtobufCBinaryData){.len = HASH_SIZE, .data = hash};
		digest->rows = table == STATE_SEEN  ? seen
			       : table == STATE_END ? end
						    : maker->rows[table];
		tables[table] = digest;
	}
	*ret = cut;
	return 0;
}

static int pack_content(struct state_maker *maker, struct bytes *ret)
{
	size_t len = dienstweg__state__get_packed_size(&maker->state);
	if (len > (size_t)UINT16_MAX * CHUNK_MAX)
		return -EFBIG;
	uint8_t *packed = arena_alloc(maker->arena, len);
	if (!packed)
		return -ENOMEM;
	*ret = BYTES(packed, dienstweg__state__pack(&maker->state, packed));
	return 0;
}

int state_make(const struct state_source *source, const struct state_cut *cut, struct arena *arena,
	struct state_made *ret)
{
	_cleanup_(arena_free) struct arena *scratch = arena_new(SCRATCH_ARENA);
	struct state_maker maker = {.source = source,
		.cut = cut,
		.arena = arena,
		.scratch = scratch,
		.secret_of = UINT64_MAX};
	uint64_t seen, end;
	begin(&maker);
	int r = scratch ? take_tables(&maker) : -ENOMEM;
	if (r == 0)
		r = count_table(&maker, STATE_SEEN, &seen);
	if (r == 0)
		r = count_table(&maker, STATE_END, &end);
	if (r == 0)
		r = state_period_walk(&maker);
	if (r == 0)
		r = pack_cut(&maker, seen, end, &ret->cut);
	return r ? r : pack_content(&maker, &ret->content);
}

void state_content_digest(struct bytes content, uint8_t ret[HASH_SIZE])
{
	static const char domain[] = "dienstweg/v1/state";
	struct sha256 hash;
	sha256_init(&hash);
	sha256_add(&hash, BYTES((const uint8_t *)domain, sizeof(domain)));
	sha256_add(&hash, content);
	sha256_finish(&hash, ret);
}
