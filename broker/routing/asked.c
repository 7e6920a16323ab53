/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * An answer names h alone, and h is in no key of the other tables: an index of all messages by it would cost every
 * one of them a random write. Enquiries are few at a time (a limit for each asker, a time of at most a day), so
 * theirs is small, and only they pay for it. What an answer that comes too late is told needs a memory beyond that
 * time; an hour, because a clerk who is told "never asked" of what stands on the desk would believe in a fault.
 *
 * What nobody replied to in time is remembered longer: the operator's count of it must go down when a reply comes
 * after all. Not for ever, and not without end, because an agency that never replies would fill the tables with it,
 * and the day's state entry, which names every row.
 */
#include "broker/routing/asked.h"

#include <assert.h>
#include <errno.h>

static const uint64_t REMEMBERED_MS = 3600 * 1000, LATE_MS = UINT64_C(30) * 86400 * 1000;

static struct bytes service_of(const struct asked_row *row)
{
	return BYTES(row->service, row->service_len);
}

static int total_get(struct state *state, struct bytes key, uint64_t *ret)
{
	struct bytes value;
	*ret = 0;
	int r = state_get(state, STATE_COUNTER, key, &value);
	if (r != 0)
		return r < 0 ? r : 0;
	if (value.len != 8 || be64_get(value.data) == 0)
		return -EBADMSG;
	*ret = be64_get(value.data);
	return 0;
}

int asked_pending(struct state *state, uint32_t asker, struct bytes service, uint64_t *ret)
{
	uint8_t key[PENDING_KEY_MAX];
	size_t len = pending_key_encode(asker, service, key);
	return total_get(state, BYTES(key, len), ret);
}

int asked_late(struct state *state, uint32_t party, uint64_t *ret)
{
	uint8_t key[TOTAL_KEY_SIZE];
	total_key_encode(COUNTER_LATE, party, key);
	return total_get(state, BYTES(key, sizeof(key)), ret);
}

void asked_token(const uint8_t h[HASH_SIZE], const uint8_t case_id[CASE_ID_BYTES],
	uint8_t ret[ASKED_TOKEN_SIZE])
{
	static const char domain[] = "dienstweg/v1/asked";
	uint8_t hash[HASH_SIZE];
	struct sha256 state;
	sha256_init(&state);
	sha256_add(&state, BYTES((const uint8_t *)domain, sizeof(domain)));
	sha256_add(&state, BYTES(h, HASH_SIZE));
	sha256_add(&state, BYTES(case_id, CASE_ID_BYTES));
	sha256_finish(&state, hash);
	memcpy(ret, hash, ASKED_TOKEN_SIZE);
}

static int total_add(struct state *state, struct bytes key, int step)
{
	uint8_t value[8];
	uint64_t count;
	int r = total_get(state, key, &count);
	if (r < 0)
		return r;
	if (step < 0 && count == 0)
		return -EBADMSG;
	count += (uint64_t)(int64_t)step;
	if (count == 0)
		return state_del(state, STATE_COUNTER, key);
	be64_put(value, count);
	return state_put(state, STATE_COUNTER, key, BYTES(value, sizeof(value)));
}

/* One more, or one less, of those that are counted. */
static int count(struct state *state, uint32_t asker, const struct asked_row *row, int step)
{
	uint8_t key[PENDING_KEY_MAX];
	size_t len = TOTAL_KEY_SIZE;
	if (row->state == ASKED_WAITS)
		len = pending_key_encode(asker, service_of(row), key);
	else if (row->state == ASKED_LATE)
		total_key_encode(COUNTER_LATE, row->answerer, key);
	else
		return 0;
	return total_add(state, BYTES(key, len), step);
}

static int row_put(struct state *state, uint32_t asker, const uint8_t token[ASKED_TOKEN_SIZE],
	const struct asked_row *row)
{
	uint8_t key[ASKED_KEY_SIZE], value[ASKED_ROW_MAX], timer[TIMER_KEY_SIZE];
	asked_key_encode(asker, token, key);
	size_t len = asked_row_encode(row, value);
	int r = state_put(state, STATE_COUNTER, BYTES(key, sizeof(key)), BYTES(value, len));
	if (r < 0)
		return r;
	timer_key_encode(row->due_ms, row->sequence, asker, TIMER_ASKED, timer);
	return state_put(
		state, STATE_TIMER, BYTES(timer, sizeof(timer)), BYTES(token, ASKED_TOKEN_SIZE));
}

int asked_put(struct state *state, uint32_t asker, const uint8_t token[ASKED_TOKEN_SIZE],
	const struct asked_row *row)
{
	int r = row_put(state, asker, token, row);
	return r < 0 ? r : count(state, asker, row, 1);
}

int asked_get(struct state *state, uint32_t asker, const uint8_t token[ASKED_TOKEN_SIZE],
	struct asked_row *ret)
{
	uint8_t key[ASKED_KEY_SIZE];
	struct bytes value;
	asked_key_encode(asker, token, key);
	int r = state_get(state, STATE_COUNTER, BYTES(key, sizeof(key)), &value);
	return r == 0 && asked_row_decode(value, ret) != 0 ? -EBADMSG : r;
}

static int timer_del(struct state *state, uint32_t asker, const struct asked_row *row)
{
	uint8_t timer[TIMER_KEY_SIZE];
	timer_key_encode(row->due_ms, row->sequence, asker, TIMER_ASKED, timer);
	int r = state_del(state, STATE_TIMER, BYTES(timer, sizeof(timer)));
	return r == STATE_NOT_FOUND ? -EBADMSG : r;
}

static int remove_row(struct state *state, uint32_t asker, const uint8_t token[ASKED_TOKEN_SIZE],
	const struct asked_row *row)
{
	uint8_t key[ASKED_KEY_SIZE];
	asked_key_encode(asker, token, key);
	int r = state_del(state, STATE_COUNTER, BYTES(key, sizeof(key)));
	return r < 0 ? r : timer_del(state, asker, row);
}

int asked_forget(struct state *state, uint32_t asker, const uint8_t token[ASKED_TOKEN_SIZE],
	const struct asked_row *row)
{
	int r = remove_row(state, asker, token, row);
	return r < 0 ? r : count(state, asker, row, -1);
}

/* It becomes something else, and is due anew. */
static int turn_into(struct state *state, uint32_t asker, const uint8_t token[ASKED_TOKEN_SIZE],
	const struct asked_row *row, enum asked_state as, uint64_t due_ms)
{
	struct asked_row next = *row;
	next.state = (uint8_t)as;
	next.due_ms = due_ms;
	int r = timer_del(state, asker, row);
	if (r == 0)
		r = count(state, asker, row, -1);
	return r < 0 ? r : asked_put(state, asker, token, &next);
}

int asked_told(struct state *state, uint32_t asker, const uint8_t token[ASKED_TOKEN_SIZE],
	const struct asked_row *row, uint64_t now_ms)
{
	uint64_t late;
	assert(asked_state_tells(row->state));
	if (row->state == ASKED_WARNS)
		return turn_into(state, asker, token, row, ASKED_REMINDS, row->overdue_ms);
	int r = asked_late(state, row->answerer, &late);
	if (r < 0)
		return r;
	return late < ASKED_LATE_MAX
		       ? turn_into(state, asker, token, row, ASKED_LATE, now_ms + LATE_MS)
		       : asked_forget(state, asker, token, row);
}

int asked_ended(struct state *state, const struct queue_row *ended, uint64_t sequence, bool expired)
{
	uint8_t token[ASKED_TOKEN_SIZE];
	struct asked_row row;
	asked_token(ended->h, ended->case_id, token);
	int r = asked_get(state, ended->sender, token, &row);
	if (r != 0)
		return r < 0 ? r : 0;
	if (row.sequence != sequence || (expired && asked_state_is_enquiry(row.state)))
		return 0;
	return asked_forget(state, ended->sender, token, &row);
}

int asked_find_due(struct state *state, uint64_t sequence, uint64_t due_ms, uint32_t *ret_asker,
	uint8_t ret_token[ASKED_TOKEN_SIZE], struct asked_row *ret)
{
	uint8_t from[TIMER_KEY_SIZE];
	uint64_t found_ms, found;
	struct bytes key, value;
	uint8_t what;
	timer_key_encode(due_ms, sequence, 0, 0, from);
	/* Of one message and time there is an expiry at most besides. */
	int r = state_seek(state, STATE_TIMER, BYTES(from, sizeof(from)), &key, &value);
	while (r == 0) {
		if (timer_key_decode(key, &found_ms, &found, ret_asker, &what) != 0)
			return -EBADMSG;
		if (found_ms != due_ms || found != sequence)
			return STATE_NOT_FOUND;
		if (what == TIMER_ASKED)
			break;
		timer_key_encode(due_ms, sequence, *ret_asker, (uint8_t)(what + 1), from);
		r = state_seek(state, STATE_TIMER, BYTES(from, sizeof(from)), &key, &value);
	}
	if (r == 0 && value.len != ASKED_TOKEN_SIZE)
		return -EBADMSG;
	if (r != 0)
		return r;
	memcpy(ret_token, value.data, ASKED_TOKEN_SIZE);
	r = asked_get(state, *ret_asker, ret_token, ret);
	return r == STATE_NOT_FOUND ? -EBADMSG : r;
}

int asked_due(struct state *state, uint32_t asker, struct bytes token, uint64_t now_ms,
	enum asked_state *ret_tells)
{
	struct asked_row row;
	uint8_t copy[ASKED_TOKEN_SIZE]; /* a view dies with the first write */
	*ret_tells = ASKED_OVER;
	if (token.len != ASKED_TOKEN_SIZE)
		return -EBADMSG;
	memcpy(copy, token.data, sizeof(copy));
	int r = asked_get(state, asker, copy, &row);
	if (r != 0)
		return r < 0 ? r : -EBADMSG;
	switch (row.state) {
	case ASKED_WAITS:
		return turn_into(state, asker, copy, &row, ASKED_OVER, row.due_ms + REMEMBERED_MS);
	case ASKED_WARNS:
		/* Nobody looked in the meantime: there is nothing left to warn of. */
		if (row.overdue_ms <= now_ms)
			return asked_told(state, asker, copy, &row, now_ms);
		break;
	case ASKED_REMINDS:
		break;
	default:
		return asked_forget(state, asker, copy, &row);
	}
	*ret_tells = row.state;
	return 0;
}
