/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Who asks waits for one thing and must hear of it exactly once, whatever happens first. The broker's word ends the
 * wait as soon as it says that no answer can come; the clock here is for when it says nothing, because it
 * cannot be reached, or because who was asked took the enquiry and kept silent. What is open is kept in memory alone:
 * after a crash nobody is left who asked.
 *
 * Answers name h, which changes when a message is sealed anew; so it is looked up in the row of what was sent.
 */
#include "adapters/sdk/asking.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "adapters/sdk/core.h"
#include "adapters/sdk/rows.h"
#include "proto/base/text.h"

enum {
	NS_PER_MS = 1000000,
	/* The enquiry's time begins when it is recorded: a little later than when it was submitted. */
	GRACE_MS = 1000,
};

static int tell(struct dw_adapter *adapter, struct question *question, struct dw_answer *answer)
{
	answer->key = BYTES(question->key, question->key_len);
	memcpy(answer->message_id, question->message_id, sizeof(answer->message_id));
	memcpy(answer->case_id, question->case_id, sizeof(answer->case_id));
	/* What is told may ask again, and use this very place: the key is copied. */
	struct question told = *question;
	answer->key.data = told.key;
	question->open = false;
	adapter->asking.open--;
	adapter->depth++;
	int r = adapter->ops->answered(adapter, adapter->context, answer);
	adapter->depth--;
	return r > 0 ? -EINVAL : r;
}

static struct question *find(struct dw_adapter *adapter, const uint8_t message_id[UUID_SIZE])
{
	struct asking *asking = &adapter->asking;
	for (size_t i = 0; asking->open > 0 && i < ASKING_MAX; i++)
		if (asking->questions[i].open &&
			memcmp(asking->questions[i].message_id, message_id, UUID_SIZE) == 0)
			return &asking->questions[i];
	return NULL;
}

/* Is this what the answer names? 1 or 0, or negative errno. */
static int is_named(struct dw_adapter *adapter, const struct question *question,
	const struct dw_delivery *delivery)
{
	struct bytes value;
	struct sent_row sent;
	if (!question->open || memcmp(question->case_id, delivery->case_id, CASE_ID_SIZE) != 0)
		return 0;
	int r = store_get(
		adapter->store, STORE_SENT, BYTES(question->message_id, UUID_SIZE), &value);
	if (r == 0)
		r = sent_row_decode(value, &sent);
	if (r)
		return r < 0 ? r : 0;
	return memcmp(sent.h, delivery->in_reply_to, HASH_SIZE) == 0;
}

int asking_take(struct dw_adapter *adapter, const struct dw_delivery *delivery, bool *ret)
{
	struct asking *asking = &adapter->asking;
	int r = 0;
	*ret = false;
	if (delivery->kind != DW_ANSWER || !delivery->in_reply_to || asking->open == 0)
		return 0;
	for (size_t i = 0; i < ASKING_MAX && r == 0; i++) {
		struct question *question = &asking->questions[i];
		r = is_named(adapter, question, delivery);
		if (r <= 0)
			continue;
		*ret = true;
		return tell(adapter, question, &(struct dw_answer){.delivery = delivery});
	}
	return r;
}

int asking_report(struct dw_adapter *adapter, const struct dw_report *report)
{
	struct question *question = find(adapter, report->message_id);
	bool ended = report->event == DW_ENDED;
	if (!question || (!ended && report->event != DW_REFUSED) ||
		(ended && bytes_equal(report->state, BYTES_STR("accepted"))))
		return 0;
	struct dw_answer answer = {
		.code = ended ? report->state : report->code, .text = report->text};
	return tell(adapter, question, &answer);
}

static bool is_open(const struct asking *asking, ProtobufCBinaryData h)
{
	for (size_t i = 0; i < ASKING_MAX; i++)
		if (asking->questions[i].open &&
			bytes_equal(BYTES_PB(h), BYTES(asking->questions[i].h, HASH_SIZE)))
			return true;
	return false;
}

bool asking_waits(const struct dw_adapter *adapter, const Dienstweg__Answer *answer)
{
	const struct asking *asking = &adapter->asking;
	bool waits = asking->open > 0 && answer->n_refusals == 0 && answer->n_deferrals == 0;
	for (size_t i = 0; waits && i < answer->n_receipts; i++)
		waits = is_open(asking, answer->receipts[i]->h);
	return waits;
}

int asking_step(struct dw_adapter *adapter)
{
	struct asking *asking = &adapter->asking;
	uint64_t now_ns = clock_mono_ns(adapter->clock);
	int r = 0;
	for (size_t i = 0; asking->open > 0 && i < ASKING_MAX && r == 0; i++)
		if (asking->questions[i].open && asking->questions[i].until_ns <= now_ns)
			r = tell(adapter, &asking->questions[i],
				&(struct dw_answer){.code = BYTES_STR("unanswered")});
	return r;
}

int asking_timeout_ms(const struct dw_adapter *adapter)
{
	const struct asking *asking = &adapter->asking;
	uint64_t first_ns = UINT64_MAX, now_ns = clock_mono_ns(adapter->clock);
	if (asking->open == 0)
		return -1;
	for (size_t i = 0; i < ASKING_MAX; i++)
		if (asking->questions[i].open && asking->questions[i].until_ns < first_ns)
			first_ns = asking->questions[i].until_ns;
	if (first_ns <= now_ns)
		return 0;
	uint64_t ms = (first_ns - now_ns) / NS_PER_MS + 1;
	return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

/* ---- what ops may call ---- */

static int refuse(char *reterr, size_t size, int verdict, const char *why)
{
	snprintf(reterr, size, "%s", why);
	return verdict;
}

static int question_open(struct dw_adapter *adapter, const struct dw_message *message,
	const struct dw_submitted *ids, uint64_t patience_ms)
{
	struct question *question = adapter->asking.questions;
	struct bytes value;
	struct sent_row sent;
	int r = store_get(adapter->store, STORE_SENT, BYTES(ids->message_id, UUID_SIZE), &value);
	if (r == 0)
		r = sent_row_decode(value, &sent);
	if (r)
		return r < 0 ? r : -EBADMSG;
	while (question->open)
		question++; /* there is room: dw_ask() looked */
	*question = (struct question){.open = true, .key_len = message->key.len};
	memcpy(question->message_id, ids->message_id, sizeof(question->message_id));
	memcpy(question->case_id, ids->case_id, sizeof(question->case_id));
	memcpy(question->h, sent.h, sizeof(question->h));
	memcpy(question->key, message->key.data, message->key.len);
	question->until_ns = clock_mono_ns(adapter->clock) + (patience_ms + GRACE_MS) * NS_PER_MS;
	adapter->asking.open++;
	return 0;
}

static int submit_awaited(struct dw_adapter *adapter, const struct dw_message *message,
	bool awaited, struct dw_submitted *ret, char *reterr, size_t size)
{
	assert(adapter->depth > 0);
	return turn_submit(
		adapter->turn, trust_registry(adapter->trust), message, awaited, ret, reterr, size);
}

int dw_ask(struct dw_adapter *adapter, const struct dw_message *message, uint32_t patience_ms,
	struct dw_submitted *ret, char *reterr, size_t size)
{
	struct dw_message asked = *message;
	const Dienstweg__Service *service = registry_service(
		trust_registry(adapter->trust), message->service);
	assert(adapter->ops->answered);
	if (!service || service->pattern != DIENSTWEG__PATTERN__PATTERN_ENQUIRY ||
		message->kind != DW_ENQUIRY)
		return refuse(reterr, size, DW_UNROUTABLE,
			"service: does not take enquiries in this registry: name one that has the "
			"pattern enquiry");
	if (adapter->asking.open == ASKING_MAX)
		return refuse(reterr, size, DW_FULL,
			"too many enquiries of this adapter are open: ask again when one was "
			"answered");
	uint64_t ms = service->answer_s * UINT64_C(1000);
	if (patience_ms != 0 && patience_ms < ms)
		ms = patience_ms;
	if (asked.expires_ms == 0)
		asked.expires_ms = clock_wall_ms(adapter->clock) + ms;
	int r = submit_awaited(adapter, &asked, true, ret, reterr, size);
	if (r == 0 && ret->duplicate)
		return refuse(reterr, size, DW_INVALID,
			"key: was used before: an enquiry is asked under a key of its own");
	return r ? r : question_open(adapter, &asked, ret, ms);
}

int dw_answer(struct dw_adapter *adapter, const struct dw_delivery *enquiry,
	struct bytes content_type, struct bytes body, struct dw_submitted *ret, char *reterr,
	size_t size)
{
	char key[sizeof("answer-") + 2 * HASH_SIZE] = "answer-";
	text_hex(BYTES(enquiry->h, HASH_SIZE), key + strlen(key));
	struct dw_message message = {
		.key = BYTES_STR(key),
		.sender = enquiry->recipient,
		.kind = DW_ANSWER,
		.service = enquiry->service,
		.recipient = enquiry->sender,
		.case_id = enquiry->case_id,
		.in_reply_to = enquiry->h,
		.content_type = content_type,
		.body = body,
	};
	if (enquiry->kind != DW_ENQUIRY)
		return refuse(reterr, size, DW_INVALID,
			"kind: this message is no enquiry: send a reply instead");
	/* Given later, nobody gives it a second time: it is durable first, like any other message. */
	return submit_awaited(adapter, &message, adapter->delivering, ret, reterr, size);
}
