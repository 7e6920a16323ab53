/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Decisions are packed by the journal in the same transaction, effects are read by delivery after the
 * commit: both live in the context's arena, so that the rules never allocate elsewhere.
 */
#include "broker/routing/decision.h"

#include <assert.h>
#include <errno.h>

#include "broker/routing/party.h"
#include "broker/routing/place.h"

int decision_new(struct rules *rules, Dienstweg__Decision **ret)
{
	Dienstweg__Decision *decision = arena_alloc(rules->arena, sizeof(*decision));
	if (!decision)
		return -ENOMEM;
	dienstweg__decision__init(decision);
	decision->rules_version = rules->version;
	*ret = decision;
	return 0;
}

int decision_bytes(struct rules *rules, struct bytes src, ProtobufCBinaryData *ret)
{
	ret->len = src.len;
	ret->data = NULL;
	if (src.len == 0)
		return 0;
	ret->data = arena_alloc(rules->arena, src.len);
	if (!ret->data)
		return -ENOMEM;
	memcpy(ret->data, src.data, src.len);
	return 0;
}

int decision_affected_room(struct rules *rules, Dienstweg__Decision *decision, size_t max)
{
	decision->affected = arena_alloc(rules->arena, max * sizeof(*decision->affected));
	return decision->affected ? 0 : -ENOMEM;
}

int decision_affect(struct rules *rules, Dienstweg__Decision *decision,
	const struct rules_item *item, uint32_t attempts, uint64_t due_ms)
{
	struct bytes name;
	Dienstweg__Affected *affected = arena_alloc(rules->arena, sizeof(*affected));
	if (!affected)
		return -ENOMEM;
	dienstweg__affected__init(affected);
	int r = party_name(rules->state, item->party, &name);
	if (r < 0)
		return r;
	r = decision_bytes(rules, name, &affected->party);
	if (r < 0)
		return r;
	affected->sequence = item->sequence;
	affected->attempts = attempts;
	affected->due_ms = due_ms;
	decision->affected[decision->n_affected++] = affected;
	return 0;
}

int effect_new(struct rules *rules, enum effect_type type, struct effect **ret)
{
	struct effect *effect = arena_zalloc(rules->arena, sizeof(*effect));
	if (!effect)
		return -ENOMEM;
	effect->type = (uint8_t)type;
	if (!rules->effects)
		rules->effects_tail = &rules->effects;
	*rules->effects_tail = effect;
	rules->effects_tail = &effect->next;
	*ret = effect;
	return 0;
}

static int place_effect(struct rules *rules, enum effect_type type, const struct rules_item *item,
	uint8_t lane, const struct queue_row *row, bool waited)
{
	struct effect *effect;
	int r = effect_new(rules, type, &effect);
	if (r < 0)
		return r;
	effect->party = item->party;
	effect->sequence = item->sequence;
	effect->lane = lane;
	effect->waited = waited;
	if (row)
		effect->row = *row;
	if (type != EFFECT_QUEUED || rules->version < 1)
		return 0;
	return place_is_held_back(rules->state, item, lane, row, &effect->held_back);
}

int effect_place(struct rules *rules, enum effect_type type, const struct rules_item *item,
	uint8_t lane, const struct queue_row *row)
{
	return place_effect(rules, type, item, lane, row, false);
}

int effect_left(struct rules *rules, enum effect_type type, const struct rules_item *item,
	const struct place *from)
{
	bool waited = from->where == PLACE_TIMER || from->where == PLACE_HELD;
	return place_effect(rules, type, item, from->lane, &from->row, waited);
}
