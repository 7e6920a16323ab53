/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The order is what makes it safe. Survivors first, while both keys are there. Then the entry, because it is
 * what makes an absence lawful: from its commit on, rows may go. Then the rows, a few with each commit, so that
 * nobody waits for a day's worth of pages to be freed. The keys last, once no row that somebody needs depends
 * on them. Whatever it is killed at, what is on disk says how to go on, and going on twice does no harm.
 *
 * Each step rides in the commit of the messages that are there anyway.
 */
#include "broker/journal/erase.h"

#include <errno.h>
#include <stdlib.h>

#include "broker/journal/writer.h"
#include "proto/base/log.h"
#include "proto/envelope/envelope.h"

enum {
	STEP_BUDGET = 4096,      /* rows looked at in a step */
	STEP_BUDGET_BUSY = 1024, /* ... beside messages, which wait for it */
	COST_ROW = 8,            /* of a row that is judged, sealed anew or removed */
	COST_CHUNK = 2,
	WAITING_ROWS = 8192,
};
static const uint64_t STATE_PATIENCE_NS = 600 * UINT64_C(1000000000);

/* ---- lifetime ---- */

int erase_load(struct journal *journal, struct db_txn *txn)
{
	struct erase *erase = &journal->erase;
	erase->arena = arena_new(ERASE_ARENA);
	if (!erase->arena)
		return -ENOMEM;
	int r = seal_map_load(&erase->seal, txn, &journal->tables, journal->head.size);
	if (r == 0)
		r = erase_plan_get(&erase->plan, txn, &journal->tables);
	if (r == 0 && erase->plan.phase != ERASE_NONE)
		log_info("erasure", "a run was interrupted and goes on",
			F_U64("phase", erase->plan.phase));
	return r;
}

void erase_deinit(struct erase *erase)
{
	waiting_free(erase->waiting);
	free(erase->ranges);
	arena_free(erase->arena);
	*erase = (struct erase){};
}

void erase_restart(struct journal *journal)
{
	struct erase *erase = &journal->erase;
	if (erase->plan.phase != ERASE_RESEAL)
		return;
	erase->walk = (struct erase_walk){};
	erase->ranges_count = 0;
	erase->uncovered = 0;
}

static uint32_t today_of(const struct journal *journal)
{
	return clock_day(journal->log.batch_ms);
}

bool erase_is_due(const struct journal *journal)
{
	const struct erase *erase = &journal->erase;
	uint64_t now_ms = clock_wall_ms(journal->options.clock), last_ms = journal->head.batch_ms;
	if (erase->uncovered > 0) /* waits for a state entry */
		return journal_state_covered(journal) >= erase->uncovered ||
		       clock_mono_ns(clock_system()) >= erase->state_until_ns;
	if (erase->plan.phase != ERASE_NONE || erase->wanted || erase->now)
		return true;
	return journal->options.erase_daily &&
	       erase->checked_day != clock_day(now_ms > last_ms ? now_ms : last_ms);
}

bool erase_is_removing(const struct journal *journal)
{
	return journal->erase.plan.phase == ERASE_DELETE;
}

/* ---- what the steps share ---- */

static int view_of(
	struct journal *journal, uint32_t record_days[SEAL_CLASSES], struct erase_view *ret)
{
	const Dienstweg__RegistryContent *content = registry_content(journal->registry);
	for (size_t i = 0; i < SEAL_CLASSES; i++)
		record_days[i] = 0;
	for (size_t i = 0; i < content->n_classes; i++)
		record_days[content->classes[i]->number] = content->classes[i]->record_days;
	*ret = (struct erase_view){
		.source = journal_records(journal),
		.state = &journal->store.state,
		.plan = &journal->erase.plan,
		.waiting = journal->erase.waiting,
		.size = journal->log.sequence,
		.today = today_of(journal),
		.record_days = record_days,
		.arena = journal->erase.arena,
	};
	return erase_holds_any(ret->state, &ret->holds);
}

static struct key key_of(const struct erase_row *row, uint16_t chunk)
{
	return row->table == SEAL_RECORD ? key_record(row->sequence, chunk)
					 : key_chunk(row->sequence, chunk);
}

static db_table_id table_of(const struct journal *journal, const struct erase_row *row)
{
	return row->table == SEAL_RECORD ? journal->tables.record : journal->tables.content;
}

static size_t budget_of(const struct batch *batch)
{
	return batch->parcels ? STEP_BUDGET_BUSY : STEP_BUDGET;
}

static void spend(size_t *budget, size_t cost)
{
	*budget -= *budget < cost ? *budget : cost;
}

/* ---- survivors ---- */

/* The key that a survivor is sealed under from now on. */
static int day_to_keep(struct journal *journal, const struct erase_row *row, uint32_t *ret)
{
	const Dienstweg__RetentionClass *class = registry_class(journal->registry, row->class);
	uint32_t days = class && class->content_days < ERASE_KEEP_DAYS ? class->content_days
								       : ERASE_KEEP_DAYS;
	uint32_t newest;
	*ret = label_day(row->label);
	if (journal->erase.plan.by_instruction)
		return 0;
	*ret = journal->erase.plan.before_day + days;
	struct keyring_key_name name = {.class = row->class, .label = label_make(*ret, 0)};
	if (keyring_newest(journal->options.keyring, row->class, *ret, &newest) == 0)
		return 0;
	return keyring_add(journal->options.keyring, &name, 1);
}

/* Return: 0, KEYRING_* when it does not open, negative errno. */
static int reseal_chunk(struct journal *journal, const struct erase_row *row,
	struct row_place *place, uint32_t day, size_t *ret_len)
{
	struct db_txn *txn = journal->log.txn;
	struct key key = key_of(row, place->chunk);
	uint8_t *plain = journal->erase.plain, *room;
	struct bytes value;
	size_t len;
	int r = db_get(txn, table_of(journal, row), KEY_BYTES_OF(key), &value);
	if (r)
		return r;
	if (value.len > VALUE_MAX)
		return -EBADMSG;
	len = value.len;
	r = row_open(journal->options.keyring, place, value, plain, ret_len);
	if (r == 0)
		r = db_reserve(txn, table_of(journal, row), KEY_BYTES_OF(key), len, false, &room);
	if (r)
		return r > 0 && r == DB_FULL ? -ENOSPC : r;
	r = row_seal(journal->options.keyring, place, day, BYTES(plain, *ret_len), room, &len);
	secret_wipe(plain, *ret_len);
	return r ? -ENOKEY : 0;
}

/* Return: 0, 1 when it does not open and so cannot be kept, negative errno. */
static int reseal(struct journal *journal, const struct erase_row *row, size_t *budget)
{
	struct erase *erase = &journal->erase;
	struct row_place place = {
		.table = row->table == SEAL_RECORD ? "record" : "content",
		.sequence = row->sequence,
		.class = row->class,
	};
	uint32_t day, label;
	size_t len;
	int r = day_to_keep(journal, row, &day);
	if (r)
		return r;
	do {
		r = reseal_chunk(journal, row, &place, day, &len);
		if (r == DB_NOT_FOUND && place.chunk > 0)
			break;
		if (r)
			return r < 0 ? r : 1;
		spend(budget, COST_CHUNK);
		place.chunk++;
	} while (len == CHUNK_MAX);
	erase->stats.resealed++;
	if (erase->plan.by_instruction) /* the whole run changes its label in the end */
		return 0;
	if (keyring_newest(journal->options.keyring, row->class, day, &label))
		return -ENOKEY;
	return seal_map_move(&erase->seal, journal->log.txn, (enum seal_table)row->table,
		row->class, row->sequence, label);
}

static int judge(struct journal *journal, const struct erase_view *view,
	const struct erase_row *row, size_t *budget)
{
	struct erase *erase = &journal->erase;
	enum erase_fate fate;
	int r = erase_fate(view, row, &fate);
	if (r)
		return r;
	erase->stats.examined++;
	spend(budget, COST_ROW);
	if (fate == ERASE_FATE_ERASE)
		return erase_note_range(erase, row);
	r = reseal(journal, row, budget);
	if (r > 0)
		log_error("erasure", "what should be kept does not open and goes",
			F_U64("sequence", row->sequence));
	return r > 0 ? erase_note_range(erase, row) : r;
}

/*
 * What goes must be accounted for first: a state entry over all of it, from which replay can start. An older one
 * will not do, because it may name messages as open that have ended since, and go now. It is made beside the
 * traffic. Where none can be made, the law does not wait for it.
 */
static bool is_accounted(struct journal *journal)
{
	struct erase *erase = &journal->erase;
	uint64_t now_ns = clock_mono_ns(clock_system());
	if (erase->ranges_count == 0)
		return true;
	if (erase->uncovered == 0) {
		erase->uncovered = journal->log.sequence;
		erase->state_until_ns = now_ns + STATE_PATIENCE_NS;
		journal_state_request(journal);
	}
	if (journal_state_covered(journal) >= erase->uncovered)
		return true;
	if (now_ns < erase->state_until_ns)
		return false;
	log_error("erasure", "no state entry came in ten minutes: erasing without, so that "
			     "replay starts behind it");
	return true;
}

static int reseal_done(struct journal *journal, struct batch *batch)
{
	struct erase *erase = &journal->erase;
	if (!is_accounted(journal))
		return 0;
	erase->uncovered = 0;
	int r = erase->ranges_count > 0 ? erase_notes(journal, batch) : 0;
	waiting_free(steal(&erase->waiting));
	erase->waiting_complete = false;
	erase->ranges_count = 0;
	erase->walk = (struct erase_walk){};
	erase->plan.phase = ERASE_DELETE;
	erase->told = ERASE_TOLD_NOTED;
	return r ? r : erase_plan_put(&erase->plan, journal->log.txn, &journal->tables);
}

static int gather(struct journal *journal)
{
	struct erase *erase = &journal->erase;
	int r = erase->waiting ? 0 : waiting_new(journal->env, &journal->store, &erase->waiting);
	return r ? r : waiting_read(erase->waiting, WAITING_ROWS, &erase->waiting_complete);
}

static int step_reseal(struct journal *journal, struct batch *batch)
{
	struct erase *erase = &journal->erase;
	uint32_t record_days[SEAL_CLASSES];
	struct erase_view view;
	struct erase_row row;
	size_t budget = budget_of(batch);
	if (!erase->waiting_complete)
		return gather(journal);
	int r = view_of(journal, record_days, &view);
	while (r == 0 && budget > 0) {
		r = erase_walk_next(&erase->walk, &view, &budget, &row);
		if (r == ERASE_WALK_RUN)
			r = 0;
		else if (r == 0)
			r = judge(journal, &view, &row, &budget);
	}
	erase->told = ERASE_TOLD_RESEALED;
	journal->store.changed = erase->uncovered == 0 || journal->store.changed;
	if (r == DB_NOT_FOUND)
		return reseal_done(journal, batch);
	return r == ERASE_WALK_PAUSE ? 0 : r;
}

/* ---- rows ---- */

/* The message id is known as long as the record: then it may be used again, or comes too late to matter. */
static int forget_seen(struct journal *journal, uint64_t sequence)
{
	struct record_source source = journal_records(journal);
	struct state *state = &journal->store.state;
	uint8_t key[SEEN_KEY_SIZE];
	Dienstweg__Header *header;
	Dienstweg__Row *record;
	struct seen_row seen;
	struct bytes value;
	const char *field;
	uint32_t sender;
	struct stub stub;
	arena_reset(journal->erase.arena);
	int r = record_read(&source, sequence, journal->erase.arena, &stub, &record);
	if (r || (stub.kind != DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED &&
			 stub.kind != DIENSTWEG__ENTRY_KIND__ENTRY_REFUSED))
		return r < 0 ? r : 0;
	r = envelope_header_parse(journal->erase.arena, BYTES_PB(record->original), &header, &field);
	if (r == 0)
		r = rules_party_number(state, BYTES_PB(header->sender), &sender);
	if (r)
		return r < 0 ? r : 0;
	seen_key_encode(header->message_id.data, sender, key);
	r = state_get(state, STATE_SEEN, BYTES(key, sizeof(key)), &value);
	if (r || seen_row_decode(value, &seen) || seen.sequence != sequence)
		return r < 0 ? r : 0;
	return state_del(state, STATE_SEEN, BYTES(key, sizeof(key)));
}

/* It was carried out once neither record nor content is left. */
static int forget_instruction(struct journal *journal, uint64_t sequence)
{
	struct record_source source = journal_records(journal);
	struct key key = key_u64(sequence);
	struct bytes value;
	int r = DB_NOT_FOUND;
	for (uint8_t table = SEAL_RECORD; r == DB_NOT_FOUND && table <= SEAL_CONTENT; table++)
		r = record_value(&source, table, sequence, 0, &value);
	return r == DB_NOT_FOUND
		       ? db_delete(journal->log.txn, journal->tables.instructed, KEY_BYTES_OF(key))
		       : r;
}

static int remove_row(struct journal *journal, const struct erase_row *row, size_t *budget)
{
	struct db_txn *txn = journal->log.txn;
	int r = row->table == SEAL_RECORD ? forget_seen(journal, row->sequence) : 0;
	for (uint16_t chunk = 0; r == 0; chunk++) {
		struct key key = key_of(row, chunk);
		r = db_delete(txn, table_of(journal, row), KEY_BYTES_OF(key));
		spend(budget, COST_CHUNK);
	}
	if (r == DB_NOT_FOUND)
		r = forget_instruction(journal, row->sequence);
	journal->erase.stats.erased++;
	spend(budget, COST_ROW);
	return r == DB_NOT_FOUND ? 0 : journal_put_error(r);
}

static int relabel(struct journal *journal, const struct seal_run *run)
{
	struct erase *erase = &journal->erase;
	uint32_t label = SEAL_NONE;
	if (erase->plan.by_instruction && keyring_newest(journal->options.keyring, run->class,
						  label_day(run->label), &label)) {
		/* The key under which it was sealed anew: a broker that ends here would never start again. */
		log_error("erasure",
			"a key that was made for this run is not in the keyring any more: an "
			"older copy of it was put back, and what it sealed cannot be read",
			F_U64("class", run->class), F_U64("from", run->first));
		return 0;
	}
	return seal_map_relabel(&erase->seal, journal->log.txn, run, label);
}

static int step_delete(struct journal *journal, const struct batch *batch)
{
	struct erase *erase = &journal->erase;
	uint32_t record_days[SEAL_CLASSES];
	struct erase_view view;
	struct erase_row row;
	size_t budget = budget_of(batch);
	int r = view_of(journal, record_days, &view);
	while (r == 0 && budget > 0) {
		r = erase_walk_next(&erase->walk, &view, &budget, &row);
		if (r == ERASE_WALK_RUN)
			r = relabel(journal, &erase->walk.run);
		else if (r == 0)
			r = remove_row(journal, &row, &budget);
	}
	erase->told = ERASE_TOLD_DELETED;
	journal->store.changed = true;
	if (r != DB_NOT_FOUND)
		return r == ERASE_WALK_PAUSE ? 0 : r;
	erase->plan.phase = ERASE_KEYS;
	return erase_plan_put(&erase->plan, journal->log.txn, &journal->tables);
}

/* ---- keys ---- */

static bool is_doomed(void *context, uint8_t class, uint32_t label)
{
	const struct journal *journal = context;
	return erase_plan_dooms(&journal->erase.plan, class, label);
}

static void tell(const struct journal *journal, enum erase_told told)
{
	if (journal->options.erase_told)
		journal->options.erase_told(journal->options.erase_told_context, told);
}

static void tell_keyring(void *context, enum keyring_step step)
{
	tell(context, step == KEYRING_STEP_NEXT       ? ERASE_TOLD_MASTER_MADE
		      : step == KEYRING_STEP_REPLACED ? ERASE_TOLD_KEYRING_REPLACED
						      : ERASE_TOLD_MASTER_ADOPTED);
}

static int step_keys(struct journal *journal)
{
	struct erase *erase = &journal->erase;
	const struct keyring_doom doom = {
		.doomed = is_doomed, .step = tell_keyring, .context = journal};
	size_t count;
	bool renewed;
	int r = keyring_destroy(journal->options.keyring, &doom, &count, &renewed);
	if (r)
		return r;
	if (count > 0 && !renewed)
		log_warn("erasure",
			"the master key's folder cannot be written: older copies of the keyring "
			"still open under it");
	log_info("erasure", "keys are destroyed", F_U64("keys", count),
		F_U64("erased", erase->stats.erased), F_U64("resealed", erase->stats.resealed));
	erase->stats.finished_ms = journal->log.batch_ms;
	erase->stats.last_erased = erase->stats.erased;
	erase->stats.master_fixed = count > 0 && !renewed;
	/* What was instructed may have its turn, or the rest of it. What was ordered meanwhile has it in any case. */
	erase->wanted = erase->ordered || erase->instructed > 0 || !erase->plan.by_instruction;
	erase->plan = (struct erase_plan){};
	erase->told = ERASE_TOLD_DONE;
	erase->walk = (struct erase_walk){};
	journal->store.changed = true;
	return erase_plan_put(&erase->plan, journal->log.txn, &journal->tables);
}

/* ---- all of it ---- */

int erase_step(struct journal *journal, struct batch *batch)
{
	struct erase *erase = &journal->erase;
	erase->told = ERASE_TOLD_NOTHING;
	batch->stage = "erasure";
	switch (erase->plan.phase) {
	case ERASE_NONE:
		return erase_begin(journal);
	case ERASE_RESEAL:
		return step_reseal(journal, batch);
	case ERASE_DELETE:
		return step_delete(journal, batch);
	case ERASE_KEYS:
		return step_keys(journal);
	}
	return -EINVAL;
}

void erase_committed(struct journal *journal)
{
	struct erase *erase = &journal->erase;
	struct journal_shared *shared = &journal->shared;
	if (erase->told == ERASE_TOLD_NOTHING)
		return;
	erase->stats.phase = erase->plan.phase;
	pthread_mutex_lock(&shared->lock);
	shared->erase = erase->stats;
	pthread_mutex_unlock(&shared->lock);
	tell(journal, erase->told);
	erase->told = ERASE_TOLD_NOTHING;
}
