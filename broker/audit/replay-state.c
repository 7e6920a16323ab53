/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A state entry says what the broker's tables were when so many entries stood in the journal; its own place is a
 * little later. So the states are looked for first, and each is compared when replay has come to the entry that
 * it was taken before.
 *
 * What no entry tells is taken from it: outcomes that senders had confirmed, refusals beyond a limit. From there
 * on both follow again.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "broker/audit/replayer.h"
#include "broker/journal/state.h"
#include "broker/routing/party.h"

enum { MINUTE_MS = 60000, STATES_STEP = 64 };

/* ---- finding them ---- */

static int add_state(struct replayer *p, uint64_t sequence)
{
	struct audit_entry entry;
	arena_reset(p->entry_arena);
	int r = audit_entry_read(p->audit->reader, sequence, p->entry_arena, &entry);
	if (r || !entry.decision->state) {
		if (r >= 0)
			audit_report_finding(p->report, sequence, "state-unreadable",
				"this state entry cannot be read: audit verify tells more");
		return r < 0 ? r : 0;
	}
	if (p->states_count % STATES_STEP == 0) {
		struct replay_state *more = reallocarray(
			p->states, p->states_count + STATES_STEP, sizeof(*more));
		if (!more)
			return -ENOMEM;
		p->states = more;
	}
	const struct replay_state *before = p->states_count ? &p->states[p->states_count - 1] : NULL;
	const Dienstweg__StateCut *cut = entry.decision->state;
	if (cut->size > sequence || cut->from != (before ? before->cut.size : 0) ||
		(before && cut->size <= before->cut.size)) {
		audit_report_finding(p->report, sequence, "state-order",
			"its period does not begin where that of the state before it ends");
		return 0;
	}
	p->states[p->states_count++] = (struct replay_state){
		.sequence = sequence,
		.cut = {.size = cut->size,
			.batch_ms = cut->batch_ms,
			.from = cut->from,
			.since_ms = before ? before->cut.batch_ms : 0,
			.rules = entry.decision->rules_version},
	};
	return 0;
}

static int look_at(struct replayer *p, uint64_t sequence)
{
	struct stub stub;
	int r = journal_read_stub(p->audit->reader, sequence, &stub);
	if (r == 0 && stub.kind == DIENSTWEG__ENTRY_KIND__ENTRY_STATE)
		return add_state(p, sequence);
	if (r == 0 && stub.kind == DIENSTWEG__ENTRY_KIND__ENTRY_ERASED)
		p->erased_last = sequence;
	if (r == 0)
		r = journal_read_present(p->audit->reader, sequence);
	if (r == READER_ERASED || r == READER_NOT_FOUND)
		p->unreadable_until = sequence + 1;
	return r < 0 ? r : 0;
}

int replay_look_ahead(struct replayer *p, uint64_t size)
{
	int r = 0;
	for (uint64_t i = 0; r == 0 && i < size; i++) {
		if (i % AUDIT_SLICE == AUDIT_SLICE - 1)
			r = audit_refresh(p->audit);
		if (r == 0)
			r = look_at(p, i);
	}
	return r;
}

/* ---- what only the state tells ---- */

/* Before version 1 of the rules there was no table `order`. */
static bool is_complete(const Dienstweg__StateCut *cut)
{
	return cut->n_tables == STATE_TABLES || cut->n_tables == STATE_ORDER;
}

int replay_read_state(struct replayer *p, const struct replay_state *state, struct arena *arena,
	const Dienstweg__StateCut **ret_cut, Dienstweg__State **ret, struct bytes *ret_content)
{
	struct audit_entry entry;
	int r = audit_entry_read(p->audit->reader, state->sequence, arena, &entry);
	if (r == 0)
		r = audit_entry_state(p->audit->reader, &entry, arena, ret_content);
	if (r < 0)
		return r;
	*ret = NULL;
	if (r == 0)
		*ret = dienstweg__state__unpack(
			arena_allocator(arena), ret_content->len, ret_content->data);
	if (!*ret || !is_complete(entry.decision->state)) {
		audit_report_finding(p->report, state->sequence, "state-unreadable",
			"the content of this state entry is missing, or is not what the entry "
			"commits to");
		return READER_DAMAGED;
	}
	*ret_cut = entry.decision->state;
	return 0;
}

static int last_party(struct replayer *p, uint32_t *ret)
{
	static const uint8_t key = COUNTER_PARTIES;
	struct bytes value;
	*ret = 0;
	int r = state_get(p->rules.state, STATE_COUNTER, BYTES(&key, 1), &value);
	if (r == 0)
		*ret = value.len == 4 ? be32_get(value.data) : 0;
	return r < 0 ? r : 0;
}

/* The first outcome that waits for a party; what came before was confirmed. */
static uint64_t first_outcome(const Dienstweg__State *state, uint32_t party, uint64_t size)
{
	for (size_t i = 0; i < state->n_lanes; i++)
		if (state->lanes[i]->party == party && state->lanes[i]->lane == LANE_OUTCOME &&
			state->lanes[i]->n_steps > 0)
			return state->lanes[i]->steps[0];
	return size;
}

static int take_confirmed(struct replayer *p, const Dienstweg__State *state, uint64_t size)
{
	uint32_t last;
	int r = last_party(p, &last);
	for (uint32_t party = 1; r == 0 && party <= last; party++) {
		uint64_t first = first_outcome(state, party, size);
		if (first > 0)
			r = p->version->confirm(&p->rules, party, first - 1);
	}
	return r;
}

int replay_confirm(struct replayer *p)
{
	uint32_t last;
	int r = last_party(p, &last);
	for (uint32_t party = 1; r == 0 && party <= last; party++) {
		uint64_t confirmed;
		r = journal_read_confirmed(p->audit->reader, party, &confirmed);
		if (r == 0 && confirmed > 0)
			r = p->version->confirm(&p->rules, party, confirmed);
	}
	return r > 0 ? -EBADMSG : r;
}

static int forget_refusals(struct replayer *p)
{
	static const uint8_t kind = COUNTER_REFUSALS;
	for (;;) {
		uint8_t copy[REFUSALS_KEY_SIZE], timer[TIMER_KEY_SIZE];
		struct bytes key, value;
		int r = state_seek(p->rules.state, STATE_COUNTER, BYTES(&kind, 1), &key, &value);
		if (r == STATE_NOT_FOUND || (r == 0 && key.data[0] != kind))
			return 0;
		if (r < 0 || key.len != sizeof(copy))
			return r < 0 ? r : -EBADMSG;
		memcpy(copy, key.data, sizeof(copy));
		uint64_t minute = be64_get(copy + 5);
		timer_key_encode(
			(minute + 1) * MINUTE_MS, minute, be32_get(copy + 1), TIMER_SUMMARY, timer);
		r = state_del(p->rules.state, STATE_COUNTER, BYTES(copy, sizeof(copy)));
		if (r == 0)
			r = state_del(p->rules.state, STATE_TIMER, BYTES(timer, sizeof(timer)));
		if (r < 0)
			return r;
	}
}

int replay_take_refusals(struct replayer *p, const Dienstweg__State *state)
{
	int r = forget_refusals(p);
	for (size_t i = 0; r == 0 && i < state->n_refusals; i++) {
		const Dienstweg__StateRefusals *told = state->refusals[i];
		struct total_row row = {.first = told->journaled, .second = told->counted};
		uint8_t key[REFUSALS_KEY_SIZE], value[TOTAL_ROW_SIZE], timer[TIMER_KEY_SIZE];
		refusals_key_encode(told->party, told->minute, key);
		total_row_encode(&row, value);
		timer_key_encode((told->minute + 1) * MINUTE_MS, told->minute, told->party,
			TIMER_SUMMARY, timer);
		r = state_put(p->rules.state, STATE_COUNTER, BYTES(key, sizeof(key)),
			BYTES(value, sizeof(value)));
		if (r == 0)
			r = state_put(p->rules.state, STATE_TIMER, BYTES(timer, sizeof(timer)),
				BYTES(NULL, 0));
	}
	return r;
}

static uint64_t journaled_of(struct replayer *p, const Dienstweg__StateRefusals *told)
{
	uint8_t key[REFUSALS_KEY_SIZE];
	struct total_row row = {};
	struct bytes value;
	refusals_key_encode(told->party, told->minute, key);
	if (state_get(p->rules.state, STATE_COUNTER, BYTES(key, sizeof(key)), &value) == 0 &&
		total_row_decode(value, &row))
		row.first = 0;
	return row.first;
}

static void compare_refusals(
	struct replayer *p, const struct replay_state *at, const Dienstweg__State *state)
{
	for (size_t i = 0; i < state->n_refusals; i++)
		if (journaled_of(p, state->refusals[i]) != state->refusals[i]->journaled)
			audit_report_finding(p->report, at->sequence, "state-differs",
				"it says that %" PRIu64 " refusals of party number %" PRIu32
				" were entries of a minute, there are %" PRIu64,
				state->refusals[i]->journaled, state->refusals[i]->party,
				journaled_of(p, state->refusals[i]));
}

/* ---- comparing ---- */

static int breathe(void *context)
{
	struct replayer *p = context;
	return p->last_snapshot ? 0 : audit_refresh(p->audit);
}

/* Of what was erased the rows in `seen` and `end` cannot be asked for: of later states these tables have another
   number of rows, of the one that replay began with another digest too. */
static bool same_table(const struct replayer *p, enum state_table table,
	const Dienstweg__TableDigest *a, const Dienstweg__TableDigest *b)
{
	bool grows = table == STATE_SEEN || table == STATE_END;
	if (a->rows != b->rows && !(grows && p->founded))
		return false;
	return (grows && p->founding) || bytes_equal(BYTES_PB(a->digest), BYTES_PB(b->digest));
}

static void compare_state(struct replayer *p, const struct replay_state *state,
	const Dienstweg__StateCut *cut, struct bytes content, const struct state_made *made)
{
	bool same = true;
	for (enum state_table table = 0; table < cut->n_tables; table++) {
		if (same_table(p, table, cut->tables[table], made->cut->tables[table]))
			continue;
		same = false;
		audit_report_finding(p->report, state->sequence, "state-differs",
			"it says something else of table %s than the entries before it: %" PRIu64
			" rows, and %" PRIu64 " follow from them",
			state_table_name(table), cut->tables[table]->rows,
			made->cut->tables[table]->rows);
	}
	if (same && !p->founding && !bytes_equal(content, made->content))
		audit_report_finding(p->report, state->sequence, "state-differs",
			"its counts are not those of the entries before it");
}

int replay_compare_state(struct replayer *p, const struct replay_state *state,
	const Dienstweg__StateCut *cut, struct bytes content, struct arena *arena)
{
	struct state_source source = {
		.store = &p->store,
		.reader = p->audit->reader,
		.breathe = breathe,
		.context = p,
	};
	struct state_made made;
	int r = state_make(&source, &state->cut, arena, &made);
	if (r == 0)
		compare_state(p, state, cut, content, &made);
	if (r == STATE_EARLY)
		audit_report_finding(p->report, state->sequence, "state-differs",
			"by the entries before it, something that was due still waits");
	if (r == 0)
		p->result->states++;
	return r < 0 ? r : 0;
}

int replay_pass_state(struct replayer *p, const struct replay_state *state)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(STATE_ARENA);
	const Dienstweg__StateCut *cut;
	Dienstweg__State *told;
	struct bytes content;
	int r = arena ? replay_read_state(p, state, arena, &cut, &told, &content) : -ENOMEM;
	if (r)
		return r < 0 ? r : 0;
	r = replay_tick(p, state->cut.batch_ms);
	if (r == 0)
		r = take_confirmed(p, told, state->cut.size);
	if (r)
		return r;
	compare_refusals(p, state, told);
	r = replay_take_refusals(p, told);
	return r ? r : replay_compare_state(p, state, cut, content, arena);
}
