/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Whether a run begins, and over which keys. What is destroyed here cannot be brought back, so the clock is not
 * believed beyond a few weeks without somebody who has looked at it.
 */
#include <errno.h>

#include "broker/journal/erase.h"
#include "broker/journal/keyring-use.h"
#include "broker/journal/writer.h"
#include "proto/base/log.h"

enum {
	WEEK_LEAP = 2,
	LEAP_WEEKS = 5,
};
#define WEEK_KEY BYTES_STR("erase-week")

static uint32_t today_of(const struct journal *journal)
{
	return clock_day(journal->log.batch_ms);
}

static bool is_past(void *context, uint8_t class, uint32_t label)
{
	(void)class;
	return label_day(label) < *(const uint32_t *)context;
}

static int plan_by_age(struct journal *journal)
{
	struct erase_plan *plan = &journal->erase.plan;
	struct seal_run run = {};
	uint32_t today = today_of(journal);
	*plan = (struct erase_plan){.phase = ERASE_RESEAL, .before_day = today};
	int r;
	do
		r = seal_map_next(&journal->tables, journal->log.txn, journal->log.sequence, &run);
	while (r == 0 && !erase_plan_dooms(plan, run.class, run.label));
	if (r == DB_NOT_FOUND) /* keys of days on which nothing was sealed go all the same */
		plan->phase = keyring_any(journal->options.keyring, is_past, &today) ? ERASE_KEYS
										     : ERASE_NONE;
	return r < 0 ? r : 0;
}

/*
 * Weeks begin on Mondays. Return: 1 when a new one has begun since this was last asked, WEEK_LEAP when so many have
 * passed that the clock may be wrong and nobody has @ordered it, 0, negative errno.
 */
static int week_turned(struct journal *journal, bool ordered)
{
	struct db_txn *txn = journal->log.txn;
	uint32_t week = (today_of(journal) + 3) / 7;
	struct bytes value;
	uint8_t buf[4];
	int r = db_get(txn, journal->tables.meta, WEEK_KEY, &value);
	if (r < 0 || (r == 0 && value.len != sizeof(buf)))
		return r < 0 ? r : -EBADMSG;
	bool known = r == 0;
	if (known && be32_get(value.data) >= week)
		return 0;
	if (known && !ordered && week - be32_get(value.data) > LEAP_WEEKS)
		return WEEK_LEAP;
	be32_put(buf, week);
	journal->store.changed = true;
	r = db_put(txn, journal->tables.meta, WEEK_KEY, BYTES(buf, sizeof(buf)));
	return r ? journal_put_error(r) : known;
}

/*
 * Can a key be destroyed on instruction? Not when others' rows under it could not be sealed anew: then nobody
 * may remove them, least of all on an instruction that is about somebody else. The instruction waits.
 */
static bool can_go(struct keyring *keyring, const struct keyring_key_name *key)
{
	uint8_t secret[AEAD_KEY_SIZE];
	uint32_t day = label_day(key->label), newest;
	int r = keyring_find(keyring, key->class, key->label, secret);
	secret_wipe(secret, sizeof(secret));
	if (r || keyring_newest(keyring, key->class, day, &newest)) {
		log_error("erasure",
			"a case that is to be erased early has to wait: the key of its day, which "
			"other "
			"cases share, is not in the keyring. Put back the keyring that has it",
			F_U64("class", key->class), F_U64("day", day));
		return false;
	}
	if (label_generation(newest) == LABEL_GENERATION_MAX) {
		log_error("erasure",
			"a case that is to be erased early goes on its day: the key of that day "
			"has "
			"been renewed as often as is possible",
			F_U64("class", key->class), F_U64("day", day));
		return false;
	}
	return true;
}

/* What stays under the keys that go needs others, of the same days. */
static int make_successors(struct journal *journal)
{
	struct erase_plan *plan = &journal->erase.plan;
	struct keyring *keyring = journal->options.keyring;
	struct keyring_key_name names[ERASE_KEYS_MAX];
	size_t count = 0, left = 0;
	for (size_t i = 0; i < plan->keys_count; i++)
		if (can_go(keyring, &plan->keys[i]))
			plan->keys[left++] = plan->keys[i];
	plan->keys_count = left;
	if (left == 0)
		plan->phase = ERASE_NONE;
	for (size_t i = 0; i < left; i++) {
		uint8_t class = plan->keys[i].class;
		uint32_t day = label_day(plan->keys[i].label), newest;
		if (keyring_newest(keyring, class, day, &newest))
			return -ENOKEY;
		if (erase_plan_dooms(plan, class, newest))
			names[count++] = (struct keyring_key_name){.class = class,
				.label = label_make(day, label_generation(newest) + 1)};
	}
	return keyring_add(keyring, names, count);
}

static int plan_by_instruction(struct journal *journal)
{
	struct erase *erase = &journal->erase;
	int r = erase_plan_instructed(
		&erase->plan, journal->log.txn, &journal->tables, &erase->instructed);
	if (r)
		return r;
	erase->wanted = erase->instructed > 0; /* the rest, once this run is over */
	if (erase->plan.phase == ERASE_NONE)
		return 0;
	if (erase->now) {
		erase->plan.account = erase->now_account;
		memcpy(erase->plan.cause, erase->now_cause, sizeof(erase->plan.cause));
	}
	return make_successors(journal);
}

/* A clock that is years ahead would destroy years of keys, and nothing brings them back. */
static void note_leap(struct journal *journal, bool leapt)
{
	struct erase *erase = &journal->erase;
	erase->stats.leapt = leapt;
	pthread_mutex_lock(&journal->shared.lock);
	journal->shared.erase.leapt = leapt;
	pthread_mutex_unlock(&journal->shared.lock);
	if (leapt)
		log_error("erasure",
			"more than five weeks since the last look: is the clock right? "
			"If so, order it with dienstweg erase --due");
}

/*
 * By age before on instruction: what goes by itself needs no instruction. Only the batch's own time counts here, as it
 * is the one that the keys are judged by: with the clock's, a batch over midnight would be due and of no new day,
 * and the clock would not be doubted.
 */
int erase_begin(struct journal *journal)
{
	struct erase *erase = &journal->erase;
	bool daily = erase->checked_day != today_of(journal);
	bool ordered = erase->ordered || erase->now;
	if (!ordered && !erase->wanted && !(daily && journal->options.erase_daily))
		return 0;
	erase->checked_day = today_of(journal);
	erase->wanted = erase->ordered = false;
	if (daily || ordered) { /* who orders it has looked at the clock, also later on that day */
		int r = week_turned(journal, ordered);
		if (r < 0)
			return r;
		erase->week = erase->week || r == 1;
		note_leap(journal, r == WEEK_LEAP);
		if (r == WEEK_LEAP)
			return 0;
	}
	int r = plan_by_age(journal);
	if (r == 0 && erase->plan.phase == ERASE_NONE && (erase->week || erase->now)) {
		r = plan_by_instruction(journal);
		if (erase->instructed == 0)
			erase->week = erase->now = false;
	}
	if (r || erase->plan.phase == ERASE_NONE)
		return r;
	erase->stats.phase = erase->plan.phase;
	erase->stats.by_instruction = erase->plan.by_instruction;
	erase->stats.examined = erase->stats.resealed = erase->stats.erased = 0;
	erase->told = ERASE_TOLD_PLANNED;
	journal->store.changed = true;
	log_info("erasure", "a run begins", F_U64("before_day", erase->plan.before_day),
		F_U64("keys", erase->plan.keys_count));
	return erase_plan_put(&erase->plan, journal->log.txn, &journal->tables);
}
