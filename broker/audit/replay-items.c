/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Entries about messages that were there already. What befell them is known from the entry alone (a delivery that
 * failed, an operator's order), so it is taken at its word; whether the rules make that of it is asked.
 */
#include <errno.h>

#include "broker/audit/replayer.h"
#include "broker/routing/decision.h"
#include "broker/routing/place.h"

/* ---- failed attempts ---- */

/* The delay as the rules are told it; false: the entry says something impossible. */
static bool delay_of(const struct replayer *p, const Dienstweg__Affected *affected, uint32_t *ret_ms)
{
	*ret_ms = 0;
	if (affected->due_ms == 0)
		return true;
	if (affected->due_ms <= p->rules.batch_ms ||
		affected->due_ms - p->rules.batch_ms > UINT32_MAX)
		return false;
	*ret_ms = (uint32_t)(affected->due_ms - p->rules.batch_ms);
	return true;
}

/* One item at a time: delays differ from item to item, because backoff does. */
static int fail_item(struct replayer *p, const Dienstweg__Affected *affected, const char *cause,
	Dienstweg__Decision *made)
{
	struct items_decision one;
	struct rules_item item = {.sequence = affected->sequence};
	struct place place;
	uint32_t delay_ms;
	int r = replay_number(p, BYTES_PB(affected->party), &item.party);
	if (r || item.party == 0 || !delay_of(p, affected, &delay_ms))
		return r;
	r = place_find(p->rules.state, &item, &place);
	if (r)
		return r;
	item.counted = affected->strikes > place.row.strikes;
	r = p->version->fail(&p->rules, &item, 1, cause, delay_ms, false, &one);
	if (r == 0 && one.append)
		made->affected[made->n_affected++] = one.decision->affected[0];
	return r;
}

static int decide_failed(
	struct replayer *p, const struct audit_entry *entry, struct items_decision *ret)
{
	const Dienstweg__Decision *recorded = entry->decision;
	Dienstweg__Decision *made;
	const char *cause;
	int r = decision_new(&p->rules, &made);
	if (r == 0)
		r = decision_affected_room(&p->rules, made, recorded->n_affected);
	if (r == 0)
		r = replay_text(p->entry_arena, recorded->cause, &cause);
	for (size_t i = 0; r == 0 && i < recorded->n_affected; i++)
		r = fail_item(p, recorded->affected[i], cause, made);
	if (r == 0)
		r = decision_bytes(&p->rules, BYTES_STR(cause), &made->cause);
	*ret = (struct items_decision){.append = true, .decision = made};
	return r;
}

/* ---- the others ---- */

static int decide_dead(struct replayer *p, const struct audit_entry *entry,
	const struct rules_item *items, struct items_decision *ret)
{
	struct rules_item counted[RULES_ITEMS_MAX];
	const char *cause;
	size_t count = entry->decision->n_affected;
	for (size_t i = 0; i < count; i++) {
		counted[i] = items[i];
		counted[i].counted = true;
	}
	int r = replay_text(p->entry_arena, entry->decision->cause, &cause);
	return r ? r : p->version->bury(&p->rules, counted, count, cause, ret);
}

static int decide_expired(struct replayer *p, const struct audit_entry *entry,
	const struct rules_item *items, struct items_decision *ret)
{
	return p->version->expire(&p->rules, items, entry->decision->n_affected, ret);
}

static int decide_ordered(struct replayer *p, const struct audit_entry *entry,
	const struct rules_item *items, struct items_decision *ret)
{
	const struct rules_version *rules = p->version;
	const struct queue_act act = {
		.account = entry->decision->account,
		.cause = BYTES_PB(entry->decision->cause),
		.service = BYTES_PB(entry->decision->held_service),
	};
	size_t count = entry->decision->n_affected;
	switch (entry->stub.kind) {
	case DIENSTWEG__ENTRY_KIND__ENTRY_RETRIED:
		return rules->retry(&p->rules, items, count, &act, ret);
	case DIENSTWEG__ENTRY_KIND__ENTRY_DISCARDED:
		return rules->discard(&p->rules, items, count, &act, ret);
	default:
		return rules->hold_items(&p->rules, items, count, &act,
			entry->stub.kind == DIENSTWEG__ENTRY_KIND__ENTRY_HELD, ret);
	}
}

static int decide(struct replayer *p, const struct audit_entry *entry,
	const struct rules_item *items, struct items_decision *ret)
{
	switch (entry->stub.kind) {
	case DIENSTWEG__ENTRY_KIND__ENTRY_ATTEMPTS_FAILED:
		return decide_failed(p, entry, ret);
	case DIENSTWEG__ENTRY_KIND__ENTRY_EXPIRED:
		return decide_expired(p, entry, items, ret);
	case DIENSTWEG__ENTRY_KIND__ENTRY_OVERDUE:
		return p->version->remind(&p->rules, items, entry->decision->n_affected, ret);
	case DIENSTWEG__ENTRY_KIND__ENTRY_DUE_SOON:
		return p->version->warn(&p->rules, items, entry->decision->n_affected, ret);
	case DIENSTWEG__ENTRY_KIND__ENTRY_DEAD:
		return decide_dead(p, entry, items, ret);
	default:
		return decide_ordered(p, entry, items, ret);
	}
}

/* A queue, or a service as a whole: no messages are named. */
static int decide_queue(struct replayer *p, const struct audit_entry *entry, struct remade *ret)
{
	const struct queue_act act = {
		.account = entry->decision->account,
		.cause = BYTES_PB(entry->decision->cause),
		.party = BYTES_PB(entry->decision->held_party),
		.service = BYTES_PB(entry->decision->held_service),
	};
	struct items_decision decision;
	if (!p->rules.registry || act.party.len > NAME_BYTES_MAX)
		return replay_instead(ret, "impossible: nobody is known whose queue it could be");
	int r = p->version->hold_queue(
		&p->rules, &act, entry->stub.kind == DIENSTWEG__ENTRY_KIND__ENTRY_HELD, &decision);
	if (r)
		return r;
	if (!decision.append)
		return replay_instead(ret, "no entry, as it was so already");
	ret->compared = true;
	ret->kind = entry->stub.kind;
	ret->decision = decision.decision;
	return 0;
}

static bool is_of_version_0(uint8_t kind)
{
	return kind == DIENSTWEG__ENTRY_KIND__ENTRY_ATTEMPTS_FAILED ||
	       kind == DIENSTWEG__ENTRY_KIND__ENTRY_EXPIRED;
}

int replay_decide_items(struct replayer *p, const struct audit_entry *entry, struct remade *ret)
{
	const Dienstweg__Decision *recorded = entry->decision;
	uint8_t kind = entry->stub.kind;
	struct rules_item items[RULES_ITEMS_MAX] = {};
	struct items_decision decision;
	int r = 0;
	if (p->version->version == 0 && !is_of_version_0(kind))
		return replay_instead(ret, "of a kind that these rules do not make");
	if (recorded->n_affected == 0 && (kind == DIENSTWEG__ENTRY_KIND__ENTRY_HELD ||
						 kind == DIENSTWEG__ENTRY_KIND__ENTRY_RELEASED))
		return decide_queue(p, entry, ret);
	if (recorded->n_affected == 0 || recorded->n_affected > RULES_ITEMS_MAX)
		return replay_instead(ret, "no entry, as it names no or too many messages");
	for (size_t i = 0; r == 0 && i < recorded->n_affected; i++) {
		items[i].sequence = recorded->affected[i]->sequence;
		items[i].due_ms = recorded->affected[i]->due_ms;
		r = replay_number(p, BYTES_PB(recorded->affected[i]->party), &items[i].party);
	}
	if (r == 0)
		r = decide(p, entry, items, &decision);
	if (r)
		return r;
	if (!decision.append)
		return replay_instead(ret, "no entry, as it is so with none of the messages");
	ret->compared = true;
	ret->kind = kind;
	ret->decision = decision.decision;
	return replay_class(p, recorded->affected[0]->sequence, &ret->class);
}
