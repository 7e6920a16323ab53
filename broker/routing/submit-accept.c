/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What an accepted message leaves in the state: the only writer of new queue rows. One row per
 * recipient, whatever their number, and where there are several one for all; the content is stored once by the
 * journal.
 */
#include "broker/routing/submission.h"

#include <assert.h>
#include <errno.h>

#include "broker/routing/common.h"
#include "broker/routing/decision.h"
#include "broker/routing/place.h"
#include "broker/routing/total.h"

static int write_seen(struct submission *s)
{
	uint8_t key[SEEN_KEY_SIZE], value[SEEN_ROW_SIZE];
	struct seen_row row = {
		.sequence = s->rules->sequence, .kind = DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED};
	memcpy(row.h, s->facts->h, sizeof(row.h));
	seen_key_encode(s->header->message_id.data, s->sender, key);
	seen_row_encode(&row, value);
	return state_put(
		s->rules->state, STATE_SEEN, BYTES(key, sizeof(key)), BYTES(value, sizeof(value)));
}

static int write_quota(struct submission *s)
{
	if (s->route.agreement->quota_messages == 0)
		return 0;
	return total_quota_put(
		s->rules->state, s->month, BYTES_PB(s->route.agreement->id), s->quota_used + 1);
}

static struct queue_row row_of(const struct submission *s)
{
	struct queue_row row = {
		.sharing = s->rules->version >= 1 && s->route.count > 1,
		.sender = s->sender,
		.bytes = (uint32_t)s->facts->header_bytes.len + s->facts->content_length,
		.expires_ms = s->expires_ms,
	};
	if (s->rules->version >= 1)
		row.attempts_max = (uint16_t)s->route.service->attempts_max;
	memcpy(row.h, s->facts->h, sizeof(row.h));
	memcpy(row.message_id, s->header->message_id.data, sizeof(row.message_id));
	memcpy(row.case_id, s->header->case_id.data, sizeof(row.case_id));
	return row;
}

static int write_expiry(struct submission *s, const struct rules_item *item, uint8_t lane)
{
	uint8_t key[TIMER_KEY_SIZE];
	timer_key_encode(s->expires_ms, item->sequence, item->party, TIMER_EXPIRE, key);
	return state_put(s->rules->state, STATE_TIMER, BYTES(key, sizeof(key)), BYTES(&lane, 1));
}

static int write_common(struct submission *s, const struct queue_row *row)
{
	struct common_row common = {.row = *row, .count = s->route.count};
	static_assert(
		(int)COMMON_RECIPIENTS_MAX >= (int)RESOLVE_MAX, "a common row has room for all");
	common.row.sharing = false; /* and no strikes yet */
	common.row.attempts = (uint16_t)s->route.count;
	memcpy(common.recipients, s->ret->recipients, s->route.count * sizeof(common.recipients[0]));
	return common_put(s->rules->state, s->rules->sequence, &common);
}

/* Is its service held, and by which entry? */
static int find_hold(struct submission *s, bool *ret, uint64_t *ret_entry)
{
	uint8_t key[HOLD_SERVICE_SIZE];
	struct bytes value;
	*ret = false;
	if (s->rules->version < 1)
		return 0;
	hold_service_key_encode(BYTES_PB(s->header->service), key);
	int r = state_get(s->rules->state, STATE_HOLD, BYTES(key, sizeof(key)), &value);
	if (r != 0)
		return r < 0 ? r : 0;
	if (value.len != 8)
		return -EBADMSG;
	*ret = true;
	*ret_entry = be64_get(value.data);
	return 0;
}

static int park(struct submission *s, const struct rules_item *item, uint8_t lane, uint64_t entry,
	const struct queue_row *row)
{
	struct place place = {.where = PLACE_HELD,
		.lane = lane,
		.due_ms = s->ret->due_ms,
		.entry = entry,
		.row = *row};
	return place_park(s->rules, item, &place);
}

static int enqueue(struct submission *s, size_t nth, const struct queue_row *row)
{
	struct rules *rules = s->rules;
	struct rules_item item = {.party = s->ret->recipients[nth], .sequence = rules->sequence};
	uint8_t lane = (uint8_t)s->header->priority;
	s->totals[nth].first++;
	s->totals[nth].second += row->bytes;
	int r = total_queue_put(rules->state, item.party, &s->totals[nth]);
	if (r < 0)
		return r;
	if (row->expires_ms != 0 && !row->sharing)
		r = write_expiry(s, &item, lane);
	if (r < 0)
		return r;
	if (s->held)
		return park(s, &item, lane, s->held_by, row);
	if (s->ret->due_ms != 0)
		return place_delay(rules, &item, s->ret->due_ms, lane, row);
	r = place_queue(rules->state, &item, lane, row);
	if (r < 0)
		return r;
	return effect_place(rules, EFFECT_QUEUED, &item, lane, row);
}

static int accept_decision(struct submission *s)
{
	struct rules *rules = s->rules;
	Dienstweg__Decision *decision;
	int r = decision_new(rules, &decision);
	if (r < 0)
		return r;
	s->ret->decision = decision;
	if (!bytes_equal(s->facts->speaker, BYTES_PB(s->header->sender))) {
		r = decision_bytes(rules, s->facts->speaker, &decision->speaker);
		if (r < 0)
			return r;
	}
	decision->due_ms = s->ret->due_ms;
	if (s->expires_ms != s->header->expires_ms)
		decision->expires_ms = s->expires_ms;
	decision->recipients = arena_alloc(
		rules->arena, s->route.count * sizeof(*decision->recipients));
	if (!decision->recipients)
		return -ENOMEM;
	for (size_t i = 0; i < s->route.count; i++) {
		r = decision_bytes(
			rules, BYTES_PB(s->route.recipients[i]->name), &decision->recipients[i]);
		if (r < 0)
			return r;
	}
	decision->n_recipients = s->route.count;
	return decision_bytes(rules, BYTES_PB(s->route.agreement->id), &decision->agreement);
}

int submission_accept(struct submission *s)
{
	struct queue_row row = row_of(s);
	s->ret->result = SUBMIT_ACCEPTED;
	s->ret->append = true;
	s->ret->recipients_count = s->route.count;
	if (s->header->not_before_ms > s->rules->batch_ms)
		s->ret->due_ms = s->header->not_before_ms;
	int r = accept_decision(s);
	if (r < 0)
		return r;
	r = write_seen(s);
	if (r < 0)
		return r;
	r = write_quota(s);
	if (r == 0)
		r = submission_write_pattern(s);
	if (r == 0)
		r = find_hold(s, &s->held, &s->held_by);
	if (r < 0)
		return r;
	if (row.sharing)
		r = write_common(s, &row);
	if (r < 0)
		return r;
	for (size_t i = 0; i < s->route.count; i++) {
		r = enqueue(s, i, &row);
		if (r < 0)
			return r;
	}
	submission_notice(s);
	return SUBMISSION_DECIDED;
}
