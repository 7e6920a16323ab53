/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * One commit. Everything that a parcel will carry out is made before the commit, because nodes and rows
 * are read through its transaction; nothing of it is seen by anybody before the commit returned. A
 * batch that changed nothing (resends, deferrals) ends without one: there is nothing to wait for.
 *
 * There is no way back: after the first put the rules have moved on in ways that only the transaction
 * knew, so any error is handed up and ends the process. What can fail for a reason that a stranger
 * could bring about (room in an arena, a nearly full map) is therefore asked before, not met inside.
 */
#include "broker/journal/writer.h"

#include <errno.h>

enum { CLOCK_STEP_MS = 10000, NS_PER_MS = 1000000 };

static const Dienstweg__RetentionClass *longest_class(const struct registry *registry)
{
	const Dienstweg__RegistryContent *content = registry_content(registry);
	const Dienstweg__RetentionClass *longest = NULL;
	for (size_t i = 0; i < content->n_classes; i++)
		if (!longest || content->classes[i]->record_days > longest->record_days)
			longest = content->classes[i];
	return longest;
}

int batch_append(
	struct journal *journal, struct batch *batch, struct entry *entry, struct parcel_proof *ret)
{
	if (entry->class != 0) {
		const Dienstweg__RetentionClass *class = registry_class(
			journal->registry, entry->class);
		if (!class) /* of an older registry: rather too long than unreadable */
			class = longest_class(journal->registry);
		if (!class)
			return -ENOKEY;
		entry->class = (uint8_t) class->number;
		entry->record_days = class->record_days;
		entry->content_days = class->content_days;
	}
	int r = entry_append(&journal->log, entry, ret);
	if (r == 0) {
		batch->rules.sequence = journal->log.sequence;
		batch->entries++;
	}
	return r;
}

int facts_refresh(struct journal *journal, struct parcel *parcel)
{
	if (parcel->registry == journal->registry || !journal->options.reverify)
		return 0;
	registry_unref(parcel->registry);
	parcel->registry = registry_ref(journal->registry);
	int r = journal->options.reverify(journal->options.reverify_context, parcel);
	if (r == -ENOMEM) {
		parcel->spoilt = true;
		return 0;
	}
	return r;
}

/* ---- before ---- */

static int make_keys(struct journal *journal)
{
	const Dienstweg__RegistryContent *content = registry_content(journal->registry);
	struct keyring_class classes[UINT8_MAX];
	uint32_t today = clock_day(journal->log.batch_ms);
	size_t count = 0;
	if (journal->keys_day == today)
		return 0;
	for (size_t i = 0; i < content->n_classes && count < ARRAY_LEN(classes); i++)
		classes[count++] = (struct keyring_class){
			.number = (uint8_t)content->classes[i]->number,
			.content_days = content->classes[i]->content_days,
			.record_days = content->classes[i]->record_days,
		};
	int r = keyring_ensure(journal->options.keyring, today, classes, count);
	if (r == 0)
		journal->keys_day = today;
	return r;
}

/* By how much the wall clock was set since the last batch; 0 when it just ran. */
static int64_t clock_step(struct journal *journal, uint64_t wall_ms, uint64_t mono_ns)
{
	int64_t step = 0;
	if (journal->mono_ns != 0)
		step = (int64_t)(wall_ms - journal->wall_ms) -
		       (int64_t)((mono_ns - journal->mono_ns) / 1000000);
	journal->wall_ms = wall_ms;
	journal->mono_ns = mono_ns;
	return step >= CLOCK_STEP_MS || step <= -CLOCK_STEP_MS ? step : 0;
}

uint64_t journal_now_ms(struct journal *journal)
{
	enum { PACE = 2 };
	uint64_t wall_ms = clock_wall_ms(journal->options.clock);
	uint64_t mono_ns = clock_mono_ns(journal->options.clock);
	uint64_t last_ms = journal->head.batch_ms;
	if (wall_ms >= last_ms) {
		journal->slow_ns = 0;
		return wall_ms;
	}
	if (journal->slow_ns == 0) {
		journal->slow_ms = last_ms;
		journal->slow_ns = mono_ns;
	}
	return journal->slow_ms + (mono_ns - journal->slow_ns) / (PACE * NS_PER_MS);
}

/* Messages in queues, and those delayed; who may expire counts twice, which errs on the safe side. */
static int count_waiting(struct journal *journal)
{
	const struct state_store *store = &journal->store;
	uint64_t queued, timed;
	int r = db_count(store->txn, store->tables[STATE_QUEUE], &queued);
	if (r == 0)
		r = db_count(store->txn, store->tables[STATE_TIMER], &timed);
	if (r == 0)
		journal->fill.waiting = queued + timed;
	return r;
}

static int batch_begin(struct journal *journal, struct batch *batch)
{
	struct entry_log *log = &journal->log;
	batch->stage = "begin";
	batch->ticks_tail = &batch->ticks;
	int r = fill_measure(&journal->fill, log->bytes, clock_mono_ns(journal->options.clock));
	if (r == 0)
		r = db_begin(journal->env, true, &log->txn);
	if (r)
		return journal_put_error(r);
	log->registry_version = journal->registry ? registry_version(journal->registry) : 0;
	log->sequence = journal->head.size;
	state_store_begin(&journal->store, log->txn);
	batch->rules = (struct rules){
		.version = RULES_VERSION,
		.state = &journal->store.state,
		.registry = journal->registry,
		.limits = &journal->options.limits,
		.batch_ms = log->batch_ms,
		.sequence = log->sequence,
	};
	return count_waiting(journal);
}

/* ---- deciding ---- */

static int decide_parcel(struct journal *journal, struct batch *batch, struct parcel *parcel)
{
	struct rules *rules = &batch->rules;
	rules->arena = parcel->arena;
	rules->effects = NULL;
	rules->effects_tail = &rules->effects;
	int r = parcel->kind == PARCEL_SUBMIT ? submits_decide(journal, batch, parcel)
					      : acts_decide(journal, batch, parcel);
	parcel->effects = rules->effects;
	return r;
}

static int batch_decide(struct journal *journal, struct batch *batch, int64_t step_ms)
{
	int r = 0;
	struct parcel *parcel = batch->parcels;
	/* The first entry under a new origin is the one that says so. */
	if (journal->onward.due)
		r = notes_continues(journal, batch);
	/* A new registry opens its commit: also before timers, which might need it. */
	if (r == 0 && parcel && parcel->kind == PARCEL_REGISTRY) {
		batch->stage = "registry";
		r = decide_parcel(journal, batch, parcel);
		parcel = parcel->next;
	}
	if (r == 0 && journal->registry)
		r = make_keys(journal);
	if (r == 0 && batch->start)
		r = notes_start(journal, batch);
	if (r == 0 && step_ms != 0)
		r = notes_clock_step(journal, batch, step_ms);
	if (r == 0 && !batch->opening) {
		batch->stage = "timers";
		r = ticks_decide(journal, batch);
	}
	for (; parcel && r == 0; parcel = parcel->next) {
		batch->stage = "parcel";
		batch->stopping = parcel->kind == PARCEL_STOP;
		r = decide_parcel(journal, batch, parcel);
	}
	/* Nothing stands behind a stop. */
	return r == 0 && !batch->opening && !batch->stopping ? erase_step(journal, batch) : r;
}

/* ---- closing ---- */

/* By every log key in force: who has not yet heard of the new one finds the old one's line. */
static void sign_checkpoint(struct journal *journal, const struct checkpoint *checkpoint)
{
	const struct log_signer *signer = journal->signers;
	assert(journal->signers_count > 0);
	journal->note_len = checkpoint_sign(
		checkpoint, &signer->key, signer->secret->ed25519, journal->note);
	for (size_t i = 1; i < journal->signers_count; i++)
		journal->note_len = checkpoint_sign_more(&signer[i].key, signer[i].secret->ed25519,
			journal->note, journal->note_len);
}

/* The newest checkpoint, and the last one of each day and epoch, are kept. */
static int put_checkpoint(struct journal *journal, uint64_t old_size)
{
	struct db_txn *txn = journal->log.txn;
	struct checkpoint checkpoint = {.size = tree_size(journal->tree)};
	uint32_t today = clock_day(journal->log.batch_ms);
	struct key key = key_u64(old_size);
	int r = 0;
	memcpy(checkpoint.origin, journal->origin, sizeof(checkpoint.origin));
	tree_root(journal->tree, &checkpoint.root);
	if (old_size > 0 && journal->note_day == today && !journal->onward.due)
		r = db_delete(txn, journal->tables.checkpoint, KEY_BYTES_OF(key));
	if (r)
		return r == DB_NOT_FOUND ? -EBADMSG : r;
	sign_checkpoint(journal, &checkpoint);
	journal->note_day = today;
	key = key_u64(checkpoint.size);
	return db_append(txn, journal->tables.checkpoint, KEY_BYTES_OF(key),
		BYTES(journal->note, journal->note_len));
}

static int batch_close(struct journal *journal, struct batch *batch)
{
	struct db_txn *txn = journal->log.txn;
	uint64_t old_size = journal->head.size;
	int r = 0;
	batch->stage = "tree";
	journal->head.size = journal->log.sequence;
	journal->head.batch_ms = journal->log.batch_ms;
	if (batch->entries > 0) {
		r = tree_close(journal->tree, txn, &journal->tables);
		if (r == 0)
			r = put_checkpoint(journal, old_size);
	}
	if (r == 0 && (batch->entries > 0 || journal->store.changed))
		r = head_put(txn, &journal->tables, &journal->head);
	return journal_put_error(r);
}

static int prove_parcel(struct journal *journal, struct parcel *parcel)
{
	struct tile_source source = {
		.txn = journal->log.txn,
		.tables = &journal->tables,
		.size = journal->head.size,
	};
	if ((parcel->kind != PARCEL_SUBMIT && parcel->kind != PARCEL_ACKNOWLEDGE) || parcel->spoilt)
		return 0;
	int r = proofs_build(&journal->proofs, journal->tree, &source, parcel);
	if (r <= 0)
		return r;
	parcel->tree_size = journal->head.size;
	return arena_copy(
		parcel->arena, BYTES(journal->note, journal->note_len), &parcel->checkpoint);
}

static int batch_prove(struct journal *journal, struct batch *batch)
{
	int r = 0;
	batch->stage = "proofs";
	for (struct parcel *parcel = batch->parcels; parcel && r == 0; parcel = parcel->next)
		r = prove_parcel(journal, parcel);
	if (r)
		return r;
	journal->due_ms = UINT64_MAX;
	if (journal->ticks_idle)
		r = rules_next_due(&journal->store.state, &journal->announced, &journal->due_ms);
	return r > 0 ? -EBADMSG : r;
}

static int batch_commit(struct journal *journal, struct batch *batch)
{
	bool changed = batch->entries > 0 || journal->store.changed || batch->cosigned;
	struct db_txn *txn = steal(&journal->log.txn);
	state_store_end(&journal->store);
	batch->stage = "commit";
	if (!changed) {
		atomic_store(&journal->shared.fill_percent, journal->fill.percent);
		db_abort(txn);
		return 0;
	}
	int r = db_commit(txn);
	if (r)
		return journal_put_error(r);
	tree_settle(journal->tree);
	journal->onward.due = false;
	batch->committed = true;
	return 0;
}

/* ---- afterwards ---- */

static void batch_publish(struct journal *journal, const struct batch *batch, uint64_t began_ns)
{
	struct journal_shared *shared = &journal->shared;
	uint64_t took_ns = clock_mono_ns(journal->options.clock) - began_ns;
	pthread_mutex_lock(&shared->lock);
	memcpy(shared->note, journal->note, journal->note_len);
	shared->note_len = journal->note_len;
	shared->note_size = journal->head.size;
	if (batch->cosigned) {
		memcpy(shared->cosigned, journal->cosigned.note, journal->cosigned.len);
		shared->cosigned_len = journal->cosigned.len;
		shared->cosigned_size = journal->cosigned.size;
	}
	if (batch->registry_changed) {
		registry_unref(shared->registry);
		shared->registry = registry_ref(journal->registry);
	}
	pthread_mutex_unlock(&shared->lock);
	highwater_keep(journal, batch->stopping);
	atomic_fetch_add(&shared->commits, 1);
	atomic_fetch_add(&shared->commit_ns, took_ns);
	atomic_fetch_add(&shared->entries, batch->entries);
	atomic_fetch_add(&shared->messages, batch->messages);
	atomic_store(&shared->tree_size, journal->head.size);
	atomic_store(&shared->fill_percent, journal->fill.percent);
}

int batch_run(struct journal *journal, struct batch *batch)
{
	const struct clock *clock = journal->options.clock;
	uint64_t now_ms = clock_wall_ms(clock), began_ns = clock_mono_ns(clock);
	int64_t step_ms = clock_step(journal, now_ms, began_ns);
	journal->log.batch_ms = journal_now_ms(journal);
	int r = batch_begin(journal, batch);
	if (r == 0)
		r = batch_decide(journal, batch, step_ms);
	if (r == 0)
		r = batch_close(journal, batch);
	if (r == 0)
		r = batch_prove(journal, batch);
	if (r == 0)
		r = attached_sync(journal, batch);
	if (r == 0)
		r = batch_commit(journal, batch);
	if (r) {
		state_store_end(&journal->store);
		db_abort(steal(&journal->log.txn));
		return r;
	}
	if (batch->committed) {
		batch_publish(journal, batch, began_ns);
		erase_committed(journal);
	}
	return 0;
}
