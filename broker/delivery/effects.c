/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The hand-over between memory and journal, without loss, doubling or reordering:
 *  - A newly committed message at the head of a lane that is not behind is sent from the parcel's memory.
 *    If it cannot be sent now, the lane is behind from there on, and everything later waits for the clerk.
 *  - A lane is only declared caught up by a fetch whose snapshot is younger than the last commit that
 *    was announced here (pump.c). Commits are announced in order, so nothing falls between.
 *  - A message whose lease has settled but whose commit is on its way is neither fetched nor sent.
 *  - What a commit removes from a queue makes a fetch outdated that may have read it before.
 */
#include "broker/delivery/delivery.h"

#include "broker/delivery/outcome.h"
#include "broker/delivery/room.h"
#include "broker/field.h"
#include "proto/base/log.h"
#include "proto/envelope/envelope.h"

/* Position in the parcel: effects come in the order of the submits that caused them. */
struct cursor {
	struct parcel *parcel;
	size_t submit;
};

static struct parcel_submit *submit_of(struct cursor *cursor, uint64_t sequence)
{
	const struct parcel *parcel = cursor->parcel;
	for (; cursor->submit < parcel->submits_count; cursor->submit++) {
		struct parcel_submit *submit = &parcel->submits[cursor->submit];
		if (submit->decision.result == SUBMIT_ACCEPTED && submit->proof.sequence == sequence)
			return submit;
	}
	return NULL;
}

static Dienstweg__Item *item_make(struct arena *arena, const struct recipient *recipient,
	const struct parcel_submit *submit, const struct effect *effect)
{
	Dienstweg__Item *item = arena_alloc(arena, sizeof(*item));
	if (!item)
		return NULL;
	dienstweg__item__init(item);
	item->sequence = effect->sequence;
	item->party = field_text(recipient->name);
	item->attempt = effect->row.attempts + 1u;
	item->envelope = submit->envelope;
	item->batch_ms = submit->proof.batch_ms;
	return item;
}

static bool send_now(struct delivery *delivery, struct recipient *recipient, struct cursor *cursor,
	const struct effect *effect)
{
	if (delivery->stopped || !recipient_takes(recipient, effect->row.bytes))
		return false;
	const struct parcel_submit *submit = submit_of(cursor, effect->sequence);
	if (!submit)
		return false;
	struct fetched message = {
		.lane = effect->lane,
		.sequence = effect->sequence,
		.bytes = effect->row.bytes,
		.attempt = (uint16_t)(effect->row.attempts + 1u),
		.item = item_make(cursor->parcel->arena, recipient, submit, effect),
	};
	return message.item && delivery_send(delivery, recipient, &message) == 0;
}

static void effect_keep(struct recipient *recipient, const struct effect *effect)
{
	struct kept kept = {
		.lane = effect->lane, .sender = effect->row.sender, .sequence = effect->sequence};
	memcpy(kept.case_id, effect->row.case_id, sizeof(kept.case_id));
	recipient_keep(recipient, &kept, recipient->released);
}

static void effect_queued(
	struct delivery *delivery, struct cursor *cursor, const struct effect *effect)
{
	struct recipient *recipient = delivery_recipient(delivery, effect->party);
	if (!recipient || !recipient->outlet || effect->lane >= LANE_OUTCOME)
		return;
	struct lane *lane = &recipient->lanes[effect->lane];
	if (lease_holds(recipient->leases, effect->sequence, NULL) != LEASE_FREE)
		return; /* a fetch saw the commit before it was announced */
	bool new = cursor->parcel->kind == PARCEL_SUBMIT;
	/* Older than the commit that queued it: a snapshot may know the sequence and not yet the row. */
	if (effect->sequence < lane->next || !new) {
		recipient_again(recipient, effect->lane, effect->sequence);
		/* Behind it: what it held back must not leave before it. */
		if (effect->waited)
			recipient_release(recipient, effect->lane, &effect->row);
		delivery_want(delivery, recipient);
		return;
	}
	lane->announced = effect->sequence + 1;
	if (!lane->behind && effect->held_back)
		effect_keep(recipient, effect);
	if (!lane->behind && (effect->held_back || send_now(delivery, recipient, cursor, effect))) {
		lane->next = effect->sequence + 1;
		return;
	}
	lane->behind = true;
	delivery_want(delivery, recipient);
}

static bool fetch_covers(const struct recipient *recipient, uint64_t sequence)
{
	const struct fetch *fetch = recipient->fetch;
	if (!fetch)
		return false;
	for (uint8_t lane = 0; lane < LANE_OUTCOME; lane++) {
		if (fetch->lanes[lane].wanted && sequence >= fetch->lanes[lane].from)
			return true;
	}
	for (size_t i = 0; i < fetch->again_count; i++) {
		if (fetch->again[i].sequence == sequence)
			return true;
	}
	return false;
}

/*
 * It left the queue, for good or for a while. Where it only waits, an act that is still under way keeps what it settled
 * until it comes back: an operator may hold and release a message while it is being cancelled, and it must not leave.
 */
static void effect_removed(
	struct delivery *delivery, const struct parcel *parcel, const struct effect *effect)
{
	struct recipient *recipient = delivery_recipient(delivery, effect->party);
	if (!recipient)
		return;
	if (effect->type == EFFECT_ENDED ||
		lease_holds(recipient->leases, effect->sequence, NULL) == LEASE_OUT)
		recipient_forget(recipient, effect->sequence, true, NULL);
	if (fetch_covers(recipient, effect->sequence))
		recipient->fetch_stale = true;
	if (effect->waited && recipient->outlet)
		recipient_release(recipient, effect->lane, &effect->row);
	if (parcel->kind == PARCEL_ACKNOWLEDGE && breaker_passed(&recipient->breaker))
		log_info("delivery", "the queue moves again", F_STR("party", recipient->name));
	delivery_want(delivery, recipient);
}

static void effect_held(struct delivery *delivery, const struct effect *effect)
{
	struct recipient *recipient = delivery_recipient(delivery, effect->party);
	if (!recipient)
		return;
	recipient->held = effect->type == EFFECT_HELD;
	/* What it brings may have been read before. */
	recipient->fetch_stale = recipient->fetch != NULL;
	delivery_want(delivery, recipient);
}

static const struct parcel_ack *ack_of(const struct parcel *parcel, uint64_t entry)
{
	for (size_t i = 0; i < parcel->acks_count; i++) {
		if (parcel->acks[i].decision.append && parcel->acks[i].proof.sequence == entry)
			return &parcel->acks[i];
	}
	return NULL;
}

static bool outcome_now(struct delivery *delivery, struct recipient *recipient,
	const struct parcel *parcel, const struct effect *effect)
{
	struct outcomes outcomes;
	const struct parcel_ack *ack = ack_of(parcel, effect->sequence);
	if (delivery->stopped || !ack || !recipient_outcome_room(recipient))
		return false;
	const struct outcome_source source = {
		.bus = delivery->options.bus,
		.party = BYTES_STR(recipient->name),
		.entry = effect->sequence,
		.batch_ms = ack->proof.batch_ms,
		.row = effect->outcome,
		.acks = ack->batch,
	};
	if (outcome_items(&source, parcel->arena, &outcomes) != 0)
		return false;
	delivery_send_outcomes(delivery, recipient, effect->sequence, &outcomes);
	return true;
}

static void effect_outcome(
	struct delivery *delivery, const struct parcel *parcel, const struct effect *effect)
{
	struct recipient *recipient = delivery_recipient(delivery, effect->party);
	if (!recipient || !recipient->outlet)
		return;
	struct lane *lane = &recipient->lanes[LANE_OUTCOME];
	if (effect->sequence < lane->next)
		return; /* a fetch saw the commit before it was announced */
	lane->announced = effect->sequence + 1;
	if (!lane->behind && outcome_now(delivery, recipient, parcel, effect)) {
		lane->next = effect->sequence + 1;
		return;
	}
	lane->behind = true;
	delivery_want(delivery, recipient);
}

static void effect_apply(
	struct delivery *delivery, struct cursor *cursor, const struct effect *effect)
{
	switch (effect->type) {
	case EFFECT_QUEUED:
		effect_queued(delivery, cursor, effect);
		break;
	case EFFECT_ENDED:
	case EFFECT_DELAYED:
		effect_removed(delivery, cursor->parcel, effect);
		break;
	case EFFECT_HELD:
	case EFFECT_RELEASED:
		effect_held(delivery, effect);
		break;
	case EFFECT_OUTCOME:
		effect_outcome(delivery, cursor->parcel, effect);
		break;
	case EFFECT_EXPIRE:
		delivery_expire(delivery, effect->party, effect->sequence);
		break;
	default:
		break;
	}
}

/* What was held back for an act is free again; @open: it may still be in the queue, so look for it there. */
static void item_forget(struct delivery *delivery, const struct rules_item *item, bool open)
{
	struct recipient *recipient = delivery_recipient(delivery, item->party);
	uint8_t lane;
	if (!recipient || recipient_forget(recipient, item->sequence, false, &lane) != 0)
		return;
	if (open)
		recipient_again(recipient, lane, item->sequence);
	delivery_want(delivery, recipient);
}

static void items_forget(struct delivery *delivery, const struct parcel *parcel, bool open)
{
	for (size_t i = 0; i < parcel->items_count; i++)
		item_forget(delivery, &parcel->items[i], open);
}

/* A refused batch, or an acknowledgement that means another message, ended nothing. */
static void acks_forget(struct delivery *delivery, const struct parcel *parcel)
{
	size_t item = 0;
	for (size_t i = 0; i < parcel->acks_count; i++) {
		const struct parcel_ack *ack = &parcel->acks[i];
		bool refused = parcel->spoilt || ack->decision.refused;
		for (size_t j = 0; ack->batch->n_acks <= BATCH_MAX && j < ack->batch->n_acks; j++)
			item_forget(delivery, &parcel->items[item++],
				refused || ack->decision.verdicts[j] ==
						   DIENSTWEG__ACK_VERDICT__ACK_UNKNOWN);
	}
}

void delivery_let_go(struct delivery *delivery, struct parcel *parcel)
{
	struct parcel_cancel *cancel = parcel->cancel;
	for (size_t i = 0; i < cancel->legs_count && cancel->kept > 0; i++) {
		struct cancel_leg *leg = &cancel->legs[i];
		const struct rules_item item = {.party = leg->party, .sequence = leg->sequence};
		if (leg->kept)
			item_forget(delivery, &item, true);
		cancel->kept -= leg->kept;
		leg->kept = false;
	}
}

static void act_done(struct delivery *delivery, const struct parcel *parcel)
{
	struct recipient *recipient = delivery_recipient(delivery, parcel->party);
	if (!recipient)
		return;
	if (parcel->kind == PARCEL_FAIL)
		recipient->failing--;
	if (parcel->kind == PARCEL_CONFIRM) {
		recipient->confirm_pending = false;
		delivery_confirm_next(delivery, recipient);
	}
	delivery_want(delivery, recipient);
}

void delivery_take(struct delivery *delivery, struct parcel *parcel)
{
	struct cursor cursor = {.parcel = parcel};
	/* A failed attempt frees its messages first: its effects make them deliverable again. */
	if (parcel->kind == PARCEL_FAIL)
		items_forget(delivery, parcel, false);
	if (parcel->kind == PARCEL_FAIL || parcel->kind == PARCEL_CONFIRM)
		act_done(delivery, parcel);
	for (const struct effect *effect = parcel->spoilt ? NULL : parcel->effects; effect;
		effect = effect->next)
		effect_apply(delivery, &cursor, effect);
	/* What these ended, their effects have freed. */
	if (parcel->kind == PARCEL_ACKNOWLEDGE)
		acks_forget(delivery, parcel);
	if (parcel->kind == PARCEL_EXPIRE)
		items_forget(delivery, parcel, true);
	if (parcel->kind == PARCEL_CANCEL)
		delivery_let_go(delivery, parcel);
}
