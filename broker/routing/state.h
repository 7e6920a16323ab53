/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdint.h>

#include "proto/base/bytes.h"

/*
 * The state that the rules read and change, as sorted tables of bytes. In the broker it is LMDB inside
 * the write transaction; in replay another environment; in the explorer plain memory. All numbers in keys
 * are big-endian, so that keys sort as numbers (design section 8).
 */
enum state_table {
	/* u32 party | u8 lane | u64 sequence -> struct queue_row; lane 3: entry -> outcome items */
	STATE_QUEUE,
	/* u64 due ms | u64 sequence | u32 party | u8 what -> what the kind needs (broker/routing/rows.h) */
	STATE_TIMER,
	/* 16 bytes message id | u32 sender -> u64 sequence | u8 kind of entry | 16 bytes prefix of h */
	STATE_SEEN,
	/* u64 sequence | u32 party -> u8 end state | u64 entry | u8 index in it; state 0: waits in `timer` */
	STATE_END,
	/* u8 kind | subject -> totals (broker/routing/rows.h) */
	STATE_COUNTER,
	/* name -> u32 number, from 1, never reused */
	STATE_PARTY,
	/* case id, party or service -> u64 entry that put it on hold (broker/routing/rows.h) */
	STATE_HOLD,
	/* u32 party | u8 lane | u32 sender | case id | u64 sequence -> nothing: a message that waits in `timer`,
	   and holds back later ones of its sender and case */
	STATE_ORDER,
	STATE_TABLES
};

enum { STATE_NOT_FOUND = 1 };

struct state;

/* Every slot is required. A view returned is valid until the next call that writes. */
struct state_ops {
	/* Exact match: 0, STATE_NOT_FOUND, negative errno. */
	int (*get)(struct state *state, enum state_table table, struct bytes key, struct bytes *ret);
	/* Insert or replace. */
	int (*put)(
		struct state *state, enum state_table table, struct bytes key, struct bytes value);
	/* Remove: 0, STATE_NOT_FOUND. */
	int (*del)(struct state *state, enum state_table table, struct bytes key);
	/* First row with key >= @key: 0, STATE_NOT_FOUND at the end. */
	int (*seek)(struct state *state, enum state_table table, struct bytes key,
		struct bytes *ret_key, struct bytes *ret_value);
};

/* First member of every implementation. One thread at a time. */
struct state {
	const struct state_ops *ops;
};

static inline int state_get(struct state *s, enum state_table t, struct bytes key, struct bytes *ret)
{
	return s->ops->get(s, t, key, ret);
}
static inline int state_put(
	struct state *s, enum state_table t, struct bytes key, struct bytes value)
{
	return s->ops->put(s, t, key, value);
}
static inline int state_del(struct state *s, enum state_table t, struct bytes key)
{
	return s->ops->del(s, t, key);
}
static inline int state_seek(struct state *s, enum state_table t, struct bytes key,
	struct bytes *ret_key, struct bytes *ret_value)
{
	return s->ops->seek(s, t, key, ret_key, ret_value);
}
