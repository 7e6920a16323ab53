/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The loop: take what queued while the last commit ran, choose a batch of it, commit, hand back. It
 * never waits for more to come: under load the queue fills by itself during the fsync, and a lone
 * message is on disk after one.
 *
 * Everything but submits goes first. It is little, it frees room, and a registry must open its commit.
 *
 * A confirmation is no reason to commit: it promises nothing and answers nobody. It rides along with the next
 * batch, and is alone in one only when none came for a while. That saves a lone message one of three commits.
 * A cosignature likewise.
 */
#include "broker/journal/writer.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "broker/thread.h"
#include "proto/base/log.h"

enum {
	POP_MAX = 256,
	ACTS_WEIGHT_MAX = 512, /* batches of acknowledgements in a commit: messages wait for all of it */
	NAP_MS = 1000,         /* longest sleep: the wall clock may be set meanwhile */
	PATIENCE_MS = 100, /* how long confirmations wait for company */
};
static const uint64_t REAP_NS = 60 * UINT64_C(1000000000);

/* ---- taking ---- */

static bool is_patient(const struct parcel *parcel)
{
	return parcel->kind == PARCEL_CONFIRM || parcel->kind == PARCEL_COSIGN;
}

static int take_one(struct journal *journal, struct parcel *parcel, uint64_t now_ns)
{
	if (parcel->kind == PARCEL_SUBMIT)
		return fair_push(journal->fair, parcel, now_ns);
	if (parcel->kind == PARCEL_TICK) {
		parcel->next = journal->ticks_idle;
		journal->ticks_idle = parcel;
		journal->due_ms = 0; /* look again what is due */
		return 0;
	}
	if (parcel->kind == PARCEL_FORGET)
		fair_forget(journal->fair, parcel->party, parcel->sequence);
	if (!journal->acts)
		journal->acts_ns = clock_mono_ns(clock_system());
	journal->acts_urgent += !is_patient(parcel);
	parcel->next = NULL;
	*journal->acts_tail = parcel;
	journal->acts_tail = &parcel->next;
	return 0;
}

static int take_queued(struct journal *journal)
{
	void *items[POP_MAX];
	uint64_t now_ns = clock_mono_ns(journal->options.clock);
	size_t count;
	do {
		count = queue_pop_all(journal->input, items, POP_MAX);
		for (size_t i = 0; i < count; i++) {
			int r = take_one(journal, items[i], now_ns);
			if (r)
				return r;
		}
	} while (count == POP_MAX);
	return 0;
}

/* How long what there is may still wait for company; 0: not at all. */
static uint64_t patience_ms(const struct journal *journal)
{
	if (fair_count(journal->fair) || journal->acts_urgent)
		return 0;
	if (!journal->acts)
		return NAP_MS;
	/* Patience is of this machine, not of the clock that entries are dated by: a test may stop that one. */
	uint64_t waited_ms = (clock_mono_ns(clock_system()) - journal->acts_ns) / 1000000;
	return waited_ms < PATIENCE_MS ? PATIENCE_MS - waited_ms : 0;
}

static void wait_for_work(struct journal *journal)
{
	uint64_t now_ms = journal_now_ms(journal);
	uint64_t left_ms = journal->due_ms > now_ms ? journal->due_ms - now_ms : 0;
	uint64_t nap_ms = erase_is_due(journal) ? 0 : patience_ms(journal);
	if (nap_ms)
		queue_wait(journal->input, (int)(left_ms < nap_ms ? left_ms : nap_ms));
}

/* ---- choosing ---- */

static struct parcel *pop_act(struct journal *journal)
{
	struct parcel *act = journal->acts;
	journal->acts = act->next;
	if (!journal->acts)
		journal->acts_tail = &journal->acts;
	journal->acts_urgent -= !is_patient(act);
	act->next = NULL;
	return act;
}

/* What is in a batch already. */
struct chosen {
	size_t count;
	size_t weight;
};

static size_t act_weight(const struct parcel *act)
{
	if (act->kind == PARCEL_CANCEL) /* each may open a record */
		return 1 + act->cancel->batch->n_items;
	return act->acks_count ? act->acks_count : 1;
}

/* May the act at the head go into this batch? The first always, however large. */
static bool act_fits(const struct journal *journal, const struct chosen *chosen)
{
	const struct parcel *act = journal->acts;
	if (!act || chosen->count >= journal->options.batch_parcels_max)
		return false;
	if (chosen->count > 0 && chosen->weight + act_weight(act) > ACTS_WEIGHT_MAX)
		return false;
	if (act->kind == PARCEL_REGISTRY)
		return chosen->count == 0;
	if (act->kind == PARCEL_STOP)
		return !act->next && fair_count(journal->fair) == 0;
	return true;
}

static struct parcel *choose(struct journal *journal)
{
	struct parcel *list = NULL, **tail = &list;
	struct chosen chosen = {};
	/* Whatever came after a stop still goes before it. */
	if (journal->acts && journal->acts->kind == PARCEL_STOP && journal->acts->next)
		take_one(journal, pop_act(journal), 0);
	while (act_fits(journal, &chosen)) {
		chosen.count++;
		chosen.weight += act_weight(journal->acts);
		*tail = pop_act(journal);
		tail = &(*tail)->next;
	}
	tail = fair_take(journal->fair, clock_mono_ns(journal->options.clock), tail);
	*tail = NULL;
	return list;
}

/* ---- handing back ---- */

static void hand_over(struct journal *journal, struct parcel *parcel)
{
	int r = queue_push(journal->options.done, parcel);
	assert(r == 0); /* it has room for all parcels there are */
}

/* Return: was one of them the stop? */
static bool hand_back(struct journal *journal, const struct batch *batch)
{
	bool stopped = false;
	for (struct parcel *tick = batch->ticks, *next; tick; tick = next) {
		next = tick->next;
		tick->next = NULL;
		hand_over(journal, tick);
	}
	for (struct parcel *parcel = batch->parcels, *next; parcel; parcel = next) {
		next = parcel->next;
		parcel->next = NULL;
		if (parcel->kind == PARCEL_STATE) {
			state_job_settle(&journal->state, parcel->sequence);
			continue;
		}
		stopped = parcel->kind == PARCEL_STOP;
		if (!is_patient(parcel))
			atomic_fetch_sub(&journal->shared.pending, 1);
		hand_over(journal, parcel);
	}
	return stopped;
}

/* ---- the thread ---- */

static void give_up(struct journal *journal, const struct batch *batch, int r)
{
	const char *why = r == -ENOSPC    ? "the disk or the journal's map is full"
			  : r == -ENOKEY  ? "a key is missing from the keyring"
			  : r == -ENOMEM  ? "no memory"
			  : r == -EBADMSG ? "the journal is damaged"
			  : r == -EIO     ? "the disk failed"
					  : "the database failed";
	log_error("journal", "cannot go on: nothing of this batch is answered", F_STR("cause", why),
		F_STR("stage", batch->stage ? batch->stage : ""), F_ERR(r),
		F_U64("entries", journal->head.size));
	journal->options.failed(journal->options.failed_context, r);
}

static void reap_readers(struct journal *journal)
{
	uint64_t now_ns = clock_mono_ns(journal->options.clock);
	if (now_ns - journal->reaped_ns < REAP_NS)
		return;
	journal->reaped_ns = now_ns;
	int r = db_env_reap_readers(journal->env);
	if (r > 0)
		log_warn("journal", "readers died and were cleared", F_I64("readers", r));
}

static void tend_state(struct journal *journal)
{
	int r = state_job_tend(
		&journal->state, clock_day(journal->head.batch_ms), clock_mono_ns(clock_system()));
	if (r)
		log_error("journal", "no thread for the state entry", F_ERR(r));
}

static bool is_due(struct journal *journal)
{
	return journal->ticks_idle && journal->due_ms <= journal_now_ms(journal);
}

static void *writer_main(void *argument)
{
	struct journal *journal = argument;
	struct batch batch = {.start = true};
	bool stopped = false;
	int r = batch_run(journal, &batch);
	if (r == 0)
		hand_back(journal, &batch);
	while (r == 0 && !stopped) {
		wait_for_work(journal);
		batch = (struct batch){.stage = "queue"};
		r = take_queued(journal);
		if (r)
			break;
		reap_readers(journal);
		if (!erase_is_removing(journal))
			tend_state(journal);
		if (patience_ms(journal) && !is_due(journal) && !erase_is_due(journal))
			continue;
		batch.parcels = choose(journal);
		r = batch_run(journal, &batch);
		if (r == 0)
			stopped = hand_back(journal, &batch);
	}
	if (r)
		give_up(journal, &batch, r);
	return NULL;
}

int journal_start(struct journal *journal)
{
	assert(!journal->started && journal->doubt == JOURNAL_SURE);
	int r = thread_start(&journal->thread, "journal", writer_main, journal);
	journal->started = r == 0;
	return r;
}

/* ---- from other threads ---- */

void journal_push(struct journal *journal, struct parcel *parcel)
{
	assert(parcel->kind != PARCEL_TICK);
	if (!is_patient(parcel))
		atomic_fetch_add(&journal->shared.pending, 1);
	int r = queue_push(journal->input, parcel);
	assert(r == 0); /* sized by options.parcels_max */
}

void journal_return(struct journal *journal, struct parcel *parcel)
{
	assert(parcel->kind == PARCEL_TICK);
	int r = queue_push(journal->input, parcel);
	assert(r == 0);
}

struct registry *journal_registry(struct journal *journal)
{
	pthread_mutex_lock(&journal->shared.lock);
	struct registry *registry = registry_ref(journal->shared.registry);
	pthread_mutex_unlock(&journal->shared.lock);
	return registry;
}

size_t journal_pending(const struct journal *journal)
{
	return atomic_load(&journal->shared.pending);
}

void journal_state_request(struct journal *journal)
{
	atomic_store(&journal->state.wanted, true);
}

uint64_t journal_state_covered(const struct journal *journal)
{
	return atomic_load(&journal->state.covered);
}

struct db_env *journal_env(struct journal *journal)
{
	return journal->env;
}

size_t journal_checkpoint(
	struct journal *journal, uint8_t *buf, size_t size, uint64_t *ret_tree_size)
{
	struct journal_shared *shared = &journal->shared;
	pthread_mutex_lock(&shared->lock);
	size_t len = shared->note_len;
	assert(size >= len);
	memcpy(buf, shared->note, len);
	if (ret_tree_size)
		*ret_tree_size = shared->note_size;
	pthread_mutex_unlock(&shared->lock);
	return len;
}

void journal_erase_stats(struct journal *journal, struct erase_stats *ret)
{
	pthread_mutex_lock(&journal->shared.lock);
	*ret = journal->shared.erase;
	pthread_mutex_unlock(&journal->shared.lock);
}

size_t journal_cosigned(struct journal *journal, uint8_t *buf, size_t size, uint64_t *ret_tree_size)
{
	struct journal_shared *shared = &journal->shared;
	pthread_mutex_lock(&shared->lock);
	size_t len = shared->cosigned_len;
	assert(size >= len);
	memcpy(buf, shared->cosigned, len);
	if (ret_tree_size)
		*ret_tree_size = shared->cosigned_size;
	pthread_mutex_unlock(&shared->lock);
	return len;
}

const char *journal_origin(const struct journal *journal)
{
	return journal->origin;
}

void journal_stats(const struct journal *journal, struct journal_stats *ret)
{
	const struct journal_shared *shared = &journal->shared;
	*ret = (struct journal_stats){
		.commits = atomic_load(&shared->commits),
		.entries = atomic_load(&shared->entries),
		.messages = atomic_load(&shared->messages),
		.overdue = atomic_load(&shared->overdue),
		.commit_ns = atomic_load(&shared->commit_ns),
		.tree_size = atomic_load(&shared->tree_size),
		.fill_percent = atomic_load(&shared->fill_percent),
		.full = atomic_load(&shared->full),
	};
}
