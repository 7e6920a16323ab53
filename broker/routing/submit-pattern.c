/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What the pattern of a service asks of its messages. An enquiry's time begins when it is recorded, because that is the
 * one moment that asker and answerer both know (the receipt, and the delivery, have it): so the broker sets it, and
 * a header can only shorten it.
 */
#include "broker/routing/submission.h"

#include <errno.h>

#include "broker/routing/asked.h"

static bool is_enquiries(const struct submission *s)
{
	return s->rules->version >= 1 &&
	       s->route.service->pattern == DIENSTWEG__PATTERN__PATTERN_ENQUIRY;
}

static bool is_enquiry(const struct submission *s)
{
	return s->header->kind == DIENSTWEG__KIND__KIND_ENQUIRY;
}

static struct bytes service_name(const struct submission *s)
{
	return BYTES_PB(s->route.service->name);
}

static int recipient_number(const struct submission *s, uint32_t *ret)
{
	int r = rules_party_number(s->rules->state, BYTES_PB(s->route.recipients[0]->name), ret);
	return r == 0 && *ret == 0 ? -EBADMSG : r;
}

static int check_enquiry(struct submission *s)
{
	uint64_t pending, last = s->rules->batch_ms + s->route.service->answer_s * UINT64_C(1000);
	if (s->expires_ms == 0 || s->expires_ms > last)
		s->expires_ms = last;
	int r = asked_pending(s->rules->state, s->sender, service_name(s), &pending);
	if (r < 0)
		return r;
	return pending >= s->route.service->pending_max
		       ? submission_refuse(s, CODE_PENDING, service_name(s))
		       : 0;
}

/* Found by who asked, h and case; and this is whom, and what: somebody else's enquiry is none. */
static bool fits(const struct submission *s, const struct asked_row *row)
{
	return row->answerer == s->sender &&
	       bytes_equal(BYTES(row->service, row->service_len), service_name(s));
}

/* What the answer names: 0, STATE_NOT_FOUND, negative errno. */
static int find_asked(const struct submission *s, uint32_t *ret_asker,
	uint8_t ret_token[ASKED_TOKEN_SIZE], struct asked_row *ret)
{
	if (s->header->in_reply_to.len != HASH_SIZE)
		return STATE_NOT_FOUND;
	asked_token(s->header->in_reply_to.data, s->header->case_id.data, ret_token);
	int r = recipient_number(s, ret_asker);
	return r < 0 ? r : asked_get(s->rules->state, *ret_asker, ret_token, ret);
}

static int check_answer(struct submission *s)
{
	uint8_t token[ASKED_TOKEN_SIZE];
	struct asked_row row;
	uint32_t asker;
	int r = find_asked(s, &asker, token, &row);
	if (r < 0)
		return r;
	if (r == STATE_NOT_FOUND || !asked_state_is_enquiry(row.state) || !fits(s, &row))
		return submission_refuse(s, CODE_NO_ENQUIRY, service_name(s));
	return row.state == ASKED_OVER ? submission_refuse(s, CODE_ANSWER_LATE, service_name(s)) : 0;
}

int submission_check_pattern(struct submission *s)
{
	bool answer = s->header->kind == DIENSTWEG__KIND__KIND_ANSWER;
	s->expires_ms = s->header->expires_ms;
	if (s->rules->version < 1)
		return 0;
	if (is_enquiries(s) != (is_enquiry(s) || answer))
		return submission_refuse(s, CODE_KIND, service_name(s));
	if (!is_enquiries(s))
		return 0;
	return answer ? check_answer(s) : check_enquiry(s);
}

static void name_service(const struct submission *s, struct asked_row *row)
{
	struct bytes name = service_name(s);
	row->service_len = (uint8_t)name.len;
	memcpy(row->service, name.data, name.len);
}

static int write_asked(struct submission *s, struct asked_row *row)
{
	uint8_t token[ASKED_TOKEN_SIZE];
	name_service(s, row);
	asked_token(s->facts->h, s->header->case_id.data, token);
	int r = recipient_number(s, &row->answerer);
	return r < 0 ? r : asked_put(s->rules->state, s->sender, token, row);
}

static int write_enquiry(struct submission *s)
{
	struct asked_row row = {.sequence = s->rules->sequence, .due_ms = s->expires_ms};
	return write_asked(s, &row);
}

/*
 * The service says when somebody should have replied, and how long before that its sender is warned; a message for
 * later is waited for from then on.
 */
static int write_reminder(struct submission *s)
{
	const Dienstweg__Service *service = s->route.service;
	uint64_t from = s->ret->due_ms ? s->ret->due_ms : s->rules->batch_ms;
	struct asked_row row = {.sequence = s->rules->sequence,
		.due_ms = from + service->overdue_ms,
		.state = ASKED_REMINDS};
	if (service->due_soon_ms > 0) {
		row.state = ASKED_WARNS;
		row.overdue_ms = row.due_ms;
		row.due_ms -= service->due_soon_ms;
	}
	memcpy(row.h, s->facts->h, sizeof(row.h));
	memcpy(row.message_id, s->header->message_id.data, sizeof(row.message_id));
	memcpy(row.case_id, s->header->case_id.data, sizeof(row.case_id));
	return write_asked(s, &row);
}

/* Of who should: a reply to something that is not waited for, or somebody else's, changes nothing. */
static int write_reply(struct submission *s, bool answer)
{
	uint8_t token[ASKED_TOKEN_SIZE];
	struct asked_row row;
	uint32_t asker;
	int r = find_asked(s, &asker, token, &row);
	if (r < 0)
		return r;
	if (answer && r != 0)
		return -EBADMSG; /* the check has just found it */
	bool awaited = r == 0 && row.answerer == s->sender &&
		       (answer || !asked_state_is_enquiry(row.state));
	return awaited ? asked_forget(s->rules->state, asker, token, &row) : 0;
}

int submission_write_pattern(struct submission *s)
{
	bool submission = s->header->kind == DIENSTWEG__KIND__KIND_SUBMISSION;
	if (is_enquiries(s))
		return is_enquiry(s) ? write_enquiry(s) : write_reply(s, true);
	if (s->rules->version < 1)
		return 0;
	if (submission && s->route.service->overdue_ms != 0)
		return write_reminder(s);
	return s->header->kind == DIENSTWEG__KIND__KIND_REPLY ? write_reply(s, false) : 0;
}
