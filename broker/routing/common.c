/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * An event for fifty parties would write the same eighty bytes fifty times into the largest derived table. Written
 * once they cost one look-up more when a recipient answers, and a recipient costs what is its own: where it is, and
 * how often it was tried. Messages for one recipient, nearly all, know nothing of this.
 */
#include "broker/routing/common.h"

#include <errno.h>

static void expiry_key(
	const struct common_row *common, uint64_t sequence, uint8_t key[TIMER_KEY_SIZE])
{
	timer_key_encode(common->row.expires_ms, sequence, PARTY_COMMON, TIMER_EXPIRE, key);
}

int common_put(struct state *state, uint64_t sequence, const struct common_row *common)
{
	uint8_t key[QUEUE_KEY_SIZE], value[COMMON_ROW_MAX], timer[TIMER_KEY_SIZE];
	static const uint8_t lane = LANE_URGENT; /* each recipient's row has its own */
	common_key_encode(sequence, key);
	size_t len = common_row_encode(common, value);
	int r = state_put(state, STATE_QUEUE, BYTES(key, sizeof(key)), BYTES(value, len));
	if (r < 0 || common->row.expires_ms == 0)
		return r;
	expiry_key(common, sequence, timer);
	return state_put(state, STATE_TIMER, BYTES(timer, sizeof(timer)), BYTES(&lane, 1));
}

int common_get(struct state *state, uint64_t sequence, struct common_row *ret)
{
	uint8_t key[QUEUE_KEY_SIZE];
	struct bytes value;
	common_key_encode(sequence, key);
	int r = state_get(state, STATE_QUEUE, BYTES(key, sizeof(key)), &value);
	if (r == 0 && common_row_decode(value, ret) != 0)
		return -EBADMSG;
	return r;
}

int common_join(struct state *state, uint64_t sequence, struct queue_row *row)
{
	struct common_row common;
	if (!row->sharing)
		return 0;
	int r = common_get(state, sequence, &common);
	if (r != 0)
		return r < 0 ? r : -EBADMSG;
	common.row.sharing = true;
	common.row.attempts = row->attempts;
	common.row.strikes = row->strikes;
	*row = common.row;
	return 0;
}

static int remove_common(struct state *state, uint64_t sequence, const struct common_row *common)
{
	uint8_t key[QUEUE_KEY_SIZE], timer[TIMER_KEY_SIZE];
	common_key_encode(sequence, key);
	expiry_key(common, sequence, timer);
	int r = state_del(state, STATE_QUEUE, BYTES(key, sizeof(key)));
	if (r == 0 && common->row.expires_ms != 0)
		r = state_del(state, STATE_TIMER, BYTES(timer, sizeof(timer)));
	return r == STATE_NOT_FOUND ? -EBADMSG : r;
}

int common_leave(struct state *state, uint64_t sequence)
{
	struct common_row common;
	int r = common_get(state, sequence, &common);
	if (r != 0)
		return r < 0 ? r : -EBADMSG;
	if (--common.row.attempts == 0)
		return remove_common(state, sequence, &common);
	return common_put(state, sequence, &common);
}
