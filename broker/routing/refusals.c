/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A refusal is journaled because the sender may have to prove it, but whoever can make entries at will
 * can fill the disk. So each party has a few entries a minute, and the rest becomes one number. The
 * counter lives for its minute only: the timer row that comes with it takes it away.
 */
#include "broker/routing/refusals.h"

#include <errno.h>

#include "broker/routing/decision.h"
#include "broker/routing/party.h"

enum { MINUTE_MS = 60000 };

static int put_summary_timer(struct rules *rules, uint32_t party, uint64_t minute)
{
	uint8_t key[TIMER_KEY_SIZE];
	timer_key_encode((minute + 1) * MINUTE_MS, minute, party, TIMER_SUMMARY, key);
	return state_put(rules->state, STATE_TIMER, BYTES(key, sizeof(key)), BYTES(NULL, 0));
}

int refusals_count(struct rules *rules, uint32_t speaker, bool wants_entry, bool *ret)
{
	uint8_t key[REFUSALS_KEY_SIZE], value[TOTAL_ROW_SIZE];
	uint64_t minute = rules->batch_ms / MINUTE_MS;
	struct total_row row = {};
	struct bytes found;
	*ret = false;
	if (speaker == 0)
		return 0;
	refusals_key_encode(speaker, minute, key);
	int r = state_get(rules->state, STATE_COUNTER, BYTES(key, sizeof(key)), &found);
	if (r == 0 && total_row_decode(found, &row) != 0)
		r = -EBADMSG;
	else if (r == STATE_NOT_FOUND)
		r = put_summary_timer(rules, speaker, minute);
	if (r < 0)
		return r;
	*ret = wants_entry && row.first < rules->limits->refusals_per_minute;
	if (*ret)
		row.first++;
	else
		row.second++;
	total_row_encode(&row, value);
	return state_put(
		rules->state, STATE_COUNTER, BYTES(key, sizeof(key)), BYTES(value, sizeof(value)));
}

int refusals_sum_up(struct rules *rules, uint32_t party, uint64_t minute, struct items_decision *ret)
{
	uint8_t key[REFUSALS_KEY_SIZE];
	struct total_row row;
	struct bytes found, name;
	refusals_key_encode(party, minute, key);
	int r = state_get(rules->state, STATE_COUNTER, BYTES(key, sizeof(key)), &found);
	if (r == STATE_NOT_FOUND || (r == 0 && total_row_decode(found, &row) != 0))
		return -EBADMSG;
	if (r < 0)
		return r;
	if (row.second != 0) {
		r = decision_new(rules, &ret->decision);
		if (r < 0)
			return r;
		r = party_name(rules->state, party, &name);
		if (r < 0)
			return r;
		r = decision_bytes(rules, name, &ret->decision->party);
		if (r < 0)
			return r;
		ret->decision->count = row.second;
		ret->decision->minute = minute;
		ret->append = true;
	}
	r = state_del(rules->state, STATE_COUNTER, BYTES(key, sizeof(key)));
	return r < 0 ? r : 0;
}
