/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/routing/rules.h"

/*
 * What the rules hand back, made in the context's arena. Bytes are copied, because a decision outlives
 * the registry and the rows it was made from. Every function: 0 or -ENOMEM.
 */

/* An empty decision that names the rules version. */
int decision_new(struct rules *rules, Dienstweg__Decision **ret);

/* A copy of @src in a protobuf field. */
int decision_bytes(struct rules *rules, struct bytes src, ProtobufCBinaryData *ret);

/* Room for @max affected items. */
int decision_affected_room(struct rules *rules, Dienstweg__Decision *decision, size_t max);

/**
 * decision_affect() - add one affected item; also negative errno of the state
 * @rules:    context
 * @decision: with room
 * @item:     message and recipient
 * @attempts: after this entry
 * @due_ms:   when it is queued again, 0: stays
 * Return: 0 or negative errno.
 */
int decision_affect(struct rules *rules, Dienstweg__Decision *decision,
	const struct rules_item *item, uint32_t attempts, uint64_t due_ms);

/* An effect at the end of the context's list; zeroed but for its type. */
int effect_new(struct rules *rules, enum effect_type type, struct effect **ret);

/**
 * effect_place() - an effect about one message for one recipient
 * @rules:    context
 * @type:     EFFECT_QUEUED, EFFECT_DELAYED, EFFECT_ENDED or EFFECT_EXPIRE
 * @item:     message and recipient
 * @lane:     its lane
 * @row:      its row; NULL for EFFECT_EXPIRE
 * Return: 0 or negative errno.
 */
int effect_place(struct rules *rules, enum effect_type type, const struct rules_item *item,
	uint8_t lane, const struct queue_row *row);

/**
 * effect_left() - the same of one that has left the place where it was found
 * @rules: context
 * @type:  EFFECT_QUEUED or EFFECT_ENDED
 * @item:  message and recipient
 * @from:  where it was
 * Return: 0 or negative errno.
 */
struct place;
int effect_left(struct rules *rules, enum effect_type type, const struct rules_item *item,
	const struct place *from);
