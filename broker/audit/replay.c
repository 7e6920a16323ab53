/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The order of things in a commit (broker/journal/batch.c): what is due at its batch time happens, then
 * its entries, one by one. Here the same is read off the entries: the first one of a later batch time is
 * where the timers ran. Commits without an entry are not seen, and need not be: what they moved back into
 * a queue is moved at the next entry, or at the end by the head's time, before anybody asks.
 *
 * Entries never change, so most of them are read in short snapshots; only the last ones and the tables are
 * read in one, which is what makes the comparison with a running broker exact.
 */
#include "broker/audit/replay.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "broker/audit/replayer.h"
#include "broker/audit/scratch.h"
#include "broker/audit/words.h"

enum {
	RULES_ARENA = 4 << 20,
	TICK_ROWS = 256,
	COMMIT_ENTRIES = 8 * AUDIT_SLICE, /* of the state: few fsyncs, and few dirty pages */
	STATE_MAP_MIN = 256 << 20,
	STATE_ROW_BYTES = 1024, /* most that an entry leaves in the state, generously */
};

bool replay_enough(const struct replayer *p)
{
	return p->options->findings_max > 0 && p->report->findings >= p->options->findings_max;
}

/* ---- the state ---- */

static int state_begin(struct replayer *p)
{
	int r = db_begin(p->env, true, &p->txn);
	if (r == 0)
		state_store_begin(&p->store, p->txn);
	return r;
}

static int state_commit(struct replayer *p)
{
	state_store_end(&p->store);
	int r = db_commit(steal(&p->txn));
	return r == DB_FULL ? -ENOSPC : r;
}

static int state_open(struct replayer *p, const struct journal_meta *meta)
{
	uint64_t map_bytes = STATE_MAP_MIN + meta->size * 2 * STATE_ROW_BYTES;
	struct db_txn *txn = NULL;
	int r = p->into ? 0 : scratch_open(p->options->work, map_bytes, &p->env);
	if (r == 0)
		r = db_begin(p->env, true, &txn);
	if (r)
		return r;
	r = state_store_open(&p->store, txn);
	if (r) {
		db_abort(txn);
		return r;
	}
	r = db_commit(txn);
	return r == DB_FULL ? -ENOSPC : r;
}

/* ---- time ---- */

/* Of a version that nobody knows here the decision is a finding; time goes by as before. */
void replay_use_rules(struct replayer *p, uint32_t version)
{
	const struct rules_version *rules = rules_version_find(version);
	if (rules)
		p->version = rules;
	p->rules.version = p->version->version;
}

void replay_begin(struct replayer *p)
{
	arena_reset(p->rules_arena);
	p->rules.arena = p->rules_arena;
	p->rules.effects = NULL;
	p->rules.effects_tail = &p->rules.effects;
}

int replay_tick(struct replayer *p, uint64_t batch_ms)
{
	int moved = batch_ms > p->ticked_ms;
	p->rules.batch_ms = batch_ms;
	p->ticked_ms = batch_ms;
	while (moved > 0) {
		struct items_decision summed;
		replay_begin(p);
		moved = p->version->tick(&p->rules, TICK_ROWS, &p->cursor, &summed);
	}
	return moved;
}

/* ---- one entry ---- */

static void describe(uint8_t kind, const Dienstweg__Decision *decision, char *buf, size_t size)
{
	struct words words;
	words_init(&words, buf, size);
	words_decision(&words, kind, decision);
}

static bool same_bytes(
	const Dienstweg__Row *row, const Dienstweg__Decision *decision, struct arena *arena)
{
	size_t size = dienstweg__decision__get_packed_size(decision);
	uint8_t *packed = arena_alloc(arena, size);
	if (!packed)
		return false;
	dienstweg__decision__pack(decision, packed);
	return bytes_equal(BYTES(packed, size), BYTES_PB(row->private_));
}

/* The class that the journal gives an entry whose own is not in the registry is not looked at. */
static bool same_class(
	const struct replayer *p, const struct audit_entry *entry, const struct remade *made)
{
	return made->class == 0 || made->class == entry->stub.class ||
	       !registry_class(p->chain.current, made->class);
}

static void compare(struct replayer *p, const struct audit_entry *entry, const struct remade *made)
{
	char recorded[256], again[256];
	if (!made->compared)
		return;
	p->result->decisions++;
	describe(entry->stub.kind, entry->decision, recorded, sizeof(recorded));
	if (made->kind == 0) {
		audit_report_finding(p->report, entry->sequence, "decision-differs",
			"the journal says \"%s\", by the rules it is %s", recorded, made->instead);
		return;
	}
	bool same = made->kind == entry->stub.kind &&
		    same_bytes(entry->row, made->decision, p->rules_arena);
	if (!same) {
		describe(made->kind, made->decision, again, sizeof(again));
		audit_report_finding(p->report, entry->sequence, "decision-differs",
			"the journal says \"%s\", the rules say \"%s\"", recorded, again);
	} else if (!same_class(p, entry, made)) {
		audit_report_finding(p->report, entry->sequence, "class-differs",
			"its retention class is %u, by the rules it is %u", entry->stub.class,
			made->class);
	}
}

static int pass_states(struct replayer *p)
{
	int r = 0;
	while (r == 0 && p->states_next < p->states_count &&
		p->states[p->states_next].cut.size <= p->next) {
		const struct replay_state *state = &p->states[p->states_next++];
		if (state->cut.size == p->next)
			r = replay_pass_state(p, state);
	}
	return r;
}

static int replay_one(struct replayer *p)
{
	struct audit_entry entry;
	struct remade made = {};
	struct replay_lent lent;
	int r = pass_states(p);
	if (r)
		return r;
	arena_reset(p->entry_arena);
	r = audit_entry_read(p->audit->reader, p->next, p->entry_arena, &entry);
	if (r > 0) {
		audit_report_finding(p->report, p->next, "entry-unreadable",
			"it cannot be read, so nothing behind it can be replayed: audit verify "
			"tells more");
		p->stopped = true;
	}
	if (r)
		return r < 0 ? r : 0;
	replay_use_rules(p, entry.decision->rules_version);
	r = replay_tick(p, entry.disclosed.batch_ms);
	replay_begin(p);
	p->rules.sequence = entry.sequence;
	if (r == 0)
		r = replay_lend(p, &entry, &lent);
	if (r == 0)
		r = replay_decide(p, &entry, &made);
	if (r == 0)
		r = replay_take_back(p, &lent);
	if (r == -EBADMSG) {
		audit_report_finding(p->report, p->next, "state-broken",
			"the rules cannot be applied to the state that the entries before it give");
		p->stopped = true;
		return 0;
	}
	if (r)
		return r;
	compare(p, &entry, &made);
	p->next++;
	return 0;
}

/* Entries of the snapshot at hand, up to @until. */
static int replay_entries(struct replayer *p, uint64_t until)
{
	int r = 0;
	while (r == 0 && p->next < until && !p->stopped && !replay_enough(p))
		r = replay_one(p);
	return r;
}

/* ---- all entries ---- */

static int snapshot(struct replayer *p, struct journal_meta *meta)
{
	int r = audit_refresh(p->audit);
	if (r == 0)
		r = journal_read_meta(p->audit->reader, meta);
	return r > 0 ? -EBADMSG : r;
}

static bool is_over(const struct replayer *p)
{
	return p->stopped || replay_enough(p);
}

/* Short snapshots until less than a slice is left; the last one stays for the comparison. */
static int replay_walk(struct replayer *p, struct journal_meta *meta)
{
	uint64_t committed = 0;
	int r = snapshot(p, meta);
	if (r == 0)
		r = state_begin(p);
	while (r == 0 && meta->size - p->next > AUDIT_SLICE && !is_over(p)) {
		r = replay_entries(p, p->next + AUDIT_SLICE);
		audit_report_progress(p->report, p->next, meta->size);
		if (r == 0 && p->next - committed >= COMMIT_ENTRIES) {
			committed = p->next;
			r = state_commit(p);
			if (r == 0)
				r = state_begin(p);
		}
		if (r == 0)
			r = snapshot(p, meta);
	}
	p->last_snapshot = true;
	if (r == 0)
		r = replay_entries(p, meta->size);
	audit_report_progress(p->report, p->next, meta->size);
	return r;
}

/*
 * The newest state before the last erasure; NULL: from the first entry. An older one would do for what lies
 * below it, but names messages as open that had ended, and could be erased, when that erasure came. Where an
 * erasure had to go without, the first one behind it.
 */
static const struct replay_state *beginning(const struct replayer *p)
{
	const struct replay_state *before = NULL, *behind = NULL;
	for (size_t i = 0; i < p->states_count && p->unreadable_until > 0; i++) {
		const struct replay_state *state = &p->states[i];
		if (state->cut.size < p->unreadable_until)
			continue;
		if (state->sequence < p->erased_last)
			before = state;
		else if (!behind)
			behind = state;
	}
	return before ? before : behind;
}

static int replay_begin_at(struct replayer *p, const struct replay_state *state)
{
	if (!state)
		return 0;
	int r = state_begin(p);
	if (r == 0)
		r = replay_found(p, state);
	if (r == 0)
		r = state_commit(p);
	p->result->from = p->next;
	return r;
}

static int replay_all(struct replayer *p)
{
	struct journal_meta meta;
	int r = snapshot(p, &meta);
	if (r == 0)
		r = state_open(p, &meta);
	if (r == 0)
		r = replay_look_ahead(p, meta.size);
	if (r == 0)
		r = replay_begin_at(p, beginning(p));
	if (r == 0)
		r = replay_walk(p, &meta);
	p->result->entries = p->next - p->result->from;
	if (r || is_over(p))
		return r;
	r = replay_tick(p, meta.batch_ms);
	if (r == 0)
		r = replay_confirm(p);
	if (r == 0)
		r = p->into ? state_commit(p) : replay_compare(p, &meta);
	p->result->complete = r == 0;
	return r;
}

static void replayer_deinit(struct replayer *p)
{
	state_store_end(&p->store);
	db_abort(p->txn);
	if (!p->into)
		db_env_close(p->env);
	chain_deinit(&p->chain);
	arena_free(p->entry_arena);
	arena_free(p->rules_arena);
	free(p->states);
}
DEFINE_CLEANUP_PTR(struct replayer, replayer_deinit);

static int replay(struct audit *audit, struct db_env *into,
	const struct audit_replay_options *options, struct audit_report *report,
	struct audit_replay_result *ret)
{
	*ret = (struct audit_replay_result){};
	_cleanup_(replayer_deinit) struct replayer p = {
		.audit = audit,
		.options = options,
		.report = report,
		.result = ret,
		.env = into,
		.into = into != NULL,
		.erased_last = UINT64_MAX,
		.version = rules_version_find(RULES_VERSION),
	};
	chain_init(&p.chain, audit->has_policy ? &audit->policy : NULL);
	p.entry_arena = arena_new(ENTRY_ARENA);
	p.rules_arena = arena_new(RULES_ARENA);
	if (!p.entry_arena || !p.rules_arena)
		return -ENOMEM;
	p.rules.version = RULES_VERSION;
	p.rules.state = &p.store.state;
	p.rules.limits = &p.limits;
	int r = replay_all(&p);
	return r > 0 ? -EBADMSG : r;
}

int audit_replay(struct audit *audit, const struct audit_replay_options *options,
	struct audit_report *report, struct audit_replay_result *ret)
{
	return replay(audit, NULL, options, report, ret);
}

int audit_replay_into(struct audit *audit, struct db_env *env,
	const struct audit_replay_options *options, struct audit_report *report,
	struct audit_replay_result *ret)
{
	return replay(audit, env, options, report, ret);
}
