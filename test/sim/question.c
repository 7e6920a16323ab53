/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Enquiries and answers, referrals and replies: who asks hears of it exactly once while its adapter lives, and what it
 * hears is what the journal has. Who is asked answers at once, later, too late, twice or never. Keys say what a message is:
 * "q7" a question, "answer-" and h in hex an answer, "b" and h another one to the same, "r" and h a reply.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "proto/base/text.h"
#include "test/kit/check.h"
#include "test/sim/town.h"

enum { KEY_BYTES = 2 * HASH_SIZE + 8, ANSWER_WITHIN_MS = 30000, REPLY_WITHIN_MS = 90000 };

#define QUESTION_SERVICE BYTES_STR("benefit.question")

static const char *asker_of(const struct agency *agency, const struct question *question)
{
	return question->operated ? agency->operates : agency->party;
}

static uint64_t time_ms(void)
{
	return machine_now()->mono_ns / 1000000;
}

/* ---- who asks ---- */

static int question_ask(struct dw_adapter *adapter, struct agency *agency)
{
	char key[32], body[48], why[512] = "";
	struct question question = {
		.life = agency->process.life, .open = true, .operated = agency->operates != NULL};
	struct dw_submitted ids;
	snprintf(key, sizeof(key), "q%zu", agency->questions_count);
	snprintf(body, sizeof(body), "%s/%s", agency->party, key);
	const struct dw_message message = {.key = BYTES_STR(key),
		.sender = BYTES_STR(asker_of(agency, &question)),
		.kind = DW_ENQUIRY,
		.service = QUESTION_SERVICE,
		.recipient = BYTES_STR("jobcenter"),
		.content_type = BYTES_STR("text/plain"),
		.body = BYTES_STR(body)};
	uint32_t patience_ms = machine_chance(3) ? (uint32_t)machine_between(1, 10000) : 0;
	if (agency->questions_count == agency->questions_room) {
		agency->questions_room = agency->questions_room ? agency->questions_room * 2 : 64;
		agency->questions = realloc(
			agency->questions, agency->questions_room * sizeof(question));
		CHECK(agency->questions);
	}
	int r = dw_ask(adapter, &message, patience_ms, &ids, why, sizeof(why));
	if (r != 0)
		return r < 0 ? r : 0;
	agency->questions[agency->questions_count++] = question;
	agency->town->counts.asked++;
	return 0;
}

static struct question *question_of(struct agency *agency, struct bytes key)
{
	uint64_t number;
	CHECK_INT(text_parse_u64(BYTES(key.data + 1, key.len - 1), &number), 0);
	return number < agency->questions_count ? &agency->questions[number] : NULL;
}

int agency_answered(struct dw_adapter *adapter, void *context, const struct dw_answer *answer)
{
	struct agency *agency = context;
	struct ledger *ledger = &agency->town->ledger;
	struct question *question = question_of(agency, answer->key);
	const struct dw_delivery *delivery = answer->delivery;
	char body[64];
	(void)adapter;
	if (!question || !question->open || question->life != agency->process.life) {
		ledger_violate(ledger, "%s is told of a question that is not open", agency->party);
		return 0;
	}
	question->open = false;
	if (!delivery)
		return 0;
	uint8_t asker = ledger_party(ledger, BYTES_STR(asker_of(agency, question)));
	snprintf(body, sizeof(body), "to %s/%.*s", agency->party, (int)answer->key.len,
		(const char *)answer->key.data);
	if (!bytes_equal(delivery->body, BYTES_STR(body)))
		ledger_violate(ledger, "%s is told an answer that was given to another question",
			agency->party);
	ledger_answered(ledger, asker, delivery->in_reply_to, delivery->sequence);
	ledger_handed(ledger, asker, delivery->sequence, delivery->h, agency->process.life);
	agency->town->counts.answered++;
	return 0;
}

/* ---- who is asked ---- */

static void key_of(const struct response *response, char prefix, char key[KEY_BYTES])
{
	char hex[2 * HASH_SIZE + 1];
	text_hex(BYTES(response->h, HASH_SIZE), hex);
	if (prefix == 'a')
		snprintf(key, KEY_BYTES, "answer-%s", hex); /* the SDK's */
	else
		snprintf(key, KEY_BYTES, "%c%s", prefix, hex);
}

static int answer(struct dw_adapter *adapter, const struct response *response, struct bytes body)
{
	const struct agency *agency = dw_adapter_user(adapter);
	struct dw_delivery enquiry = {.kind = DW_ENQUIRY,
		.recipient = BYTES_STR(agency->party),
		.sender = BYTES_STR(response->sender),
		.service = QUESTION_SERVICE};
	char why[512] = "";
	struct dw_submitted ids;
	memcpy(enquiry.h, response->h, HASH_SIZE);
	memcpy(enquiry.case_id, response->case_id, sizeof(enquiry.case_id));
	return dw_answer(adapter, &enquiry, BYTES_STR("text/plain"), body, &ids, why, sizeof(why));
}

/* A second answer, or a reply: by hand. */
static int write_by_hand(
	struct dw_adapter *adapter, const struct response *response, char prefix, struct bytes body)
{
	char key[KEY_BYTES], why[512] = "";
	struct dw_submitted ids;
	key_of(response, prefix, key);
	const struct dw_message message = {.key = BYTES_STR(key),
		.kind = prefix == 'b' ? DW_ANSWER : DW_REPLY,
		.service = prefix == 'b' ? QUESTION_SERVICE : BYTES_STR("alg2.decision"),
		.recipient = BYTES_STR(response->sender),
		.case_id = response->case_id,
		.in_reply_to = response->h,
		.content_type = BYTES_STR("text/plain"),
		.body = body};
	return dw_submit(adapter, &message, &ids, why, sizeof(why));
}

static int respond(struct dw_adapter *adapter, const struct response *response, char prefix)
{
	char body[64];
	snprintf(body, sizeof(body), "to %s", response->body);
	int r = prefix == 'a' ? answer(adapter, response, BYTES_STR(body))
			      : write_by_hand(adapter, response, prefix, BYTES_STR(body));
	CHECK(r <= 0 || r == DW_FULL);
	return r;
}

static int respond_due(struct dw_adapter *adapter, struct response *response)
{
	if (response->state == RESPONSE_WAITS && response->at_ms <= time_ms()) {
		int r = respond(adapter, response, response->kind == DW_ENQUIRY ? 'a' : 'r');
		if (r)
			return r;
		response->state = RESPONSE_WRITTEN;
	}
	if (response->again == RESPONSE_WAITS && response->state > RESPONSE_WRITTEN) {
		int r = respond(adapter, response, 'b');
		if (r)
			return r;
		response->again = RESPONSE_WRITTEN;
	}
	return 0;
}

static struct response *response_new(struct agency *agency)
{
	if (agency->responses_count == agency->responses_room) {
		agency->responses_room = agency->responses_room ? agency->responses_room * 2 : 64;
		agency->responses = realloc(
			agency->responses, agency->responses_room * sizeof(struct response));
		CHECK(agency->responses);
	}
	return &agency->responses[agency->responses_count++];
}

int agency_is_asked(
	struct dw_adapter *adapter, struct agency *agency, const struct dw_delivery *delivery)
{
	struct ledger *ledger = &agency->town->ledger;
	bool enquiry = delivery->kind == DW_ENQUIRY;
	uint64_t within_ms = enquiry ? ANSWER_WITHIN_MS : REPLY_WITHIN_MS;
	if (!enquiry && !bytes_equal(delivery->service, BYTES_STR("referral")))
		return 0;
	for (size_t i = 0; i < agency->responses_count; i++)
		if (memcmp(agency->responses[i].h, delivery->h, HASH_SIZE) == 0)
			return 0; /* it lies there since before the crash */
	struct response *response = response_new(agency);
	*response = (struct response){.kind = (uint8_t)delivery->kind,
		.state = machine_chance(5) ? RESPONSE_SETTLED : RESPONSE_WAITS,
		.again = enquiry && machine_chance(6) ? RESPONSE_WAITS : RESPONSE_SETTLED,
		.sender = ledger->parties[ledger_party(ledger, delivery->sender)],
		.at_ms = time_ms() + (machine_chance(2) ? 0 : machine_between(0, within_ms))};
	CHECK(delivery->body.len < sizeof(response->body));
	memcpy(response->body, delivery->body.data, delivery->body.len);
	memcpy(response->h, delivery->h, HASH_SIZE);
	memcpy(response->case_id, delivery->case_id, sizeof(response->case_id));
	int r = respond_due(adapter, response);
	return r < 0 ? r : 0;
}

int agency_asks(struct dw_adapter *adapter, struct agency *agency)
{
	/* As many as are asked of the others; the others ask nobody. */
	bool asks = agency->operates || strcmp(agency->party, "city") == 0;
	int r = asks && machine_chance(8) ? question_ask(adapter, agency) : 0;
	for (size_t i = 0; i < agency->responses_count && r == 0; i++)
		r = respond_due(adapter, &agency->responses[i]);
	return r < 0 ? r : 0;
}

/* ---- what became of it ---- */

static struct response *response_of(struct agency *agency, struct bytes key)
{
	for (size_t i = agency->responses_count; i > 0; i--) {
		char own[KEY_BYTES];
		key_of(&agency->responses[i - 1], (char)key.data[0], own);
		if (bytes_equal(key, BYTES_STR(own)))
			return &agency->responses[i - 1];
	}
	CHECK_FAIL("no such answer or reply");
}

static uint8_t *state_of(struct agency *agency, struct bytes key)
{
	struct response *response = response_of(agency, key);
	return key.data[0] == 'b' ? &response->again : &response->state;
}

static bool is_letter(struct bytes key)
{
	return key.data[0] >= '0' && key.data[0] <= '9';
}

bool agency_question_submitted(struct agency *agency, struct bytes key)
{
	if (is_letter(key))
		return false;
	if (key.data[0] == 'q')
		return true;
	uint8_t *state = state_of(agency, key);
	if (*state == RESPONSE_WRITTEN)
		*state = RESPONSE_SUBMITTED;
	return true;
}

bool agency_question_reported(
	struct dw_adapter *adapter, struct agency *agency, const struct dw_report *report)
{
	struct ledger *ledger = &agency->town->ledger;
	uint8_t sender = ledger_party(ledger, BYTES_STR(agency->party));
	if (is_letter(report->key))
		return false;
	if (report->key.data[0] == 'q') {
		const struct question *question = question_of(agency, report->key);
		if (question)
			sender = ledger_party(ledger, BYTES_STR(asker_of(agency, question)));
	} else if (report->event == DW_RECORDED || report->event == DW_REFUSED) {
		*state_of(agency, report->key) = RESPONSE_SETTLED;
	}
	if (report->event == DW_RECORDED) {
		ledger_recorded(ledger, sender, report->h, report->sequence);
		agency_reconsiders(adapter, agency, BYTES_STR(ledger->parties[sender]), report);
	} else if (report->event == DW_ENDED)
		ledger_told(ledger, sender, report->h, ledger_party(ledger, report->recipient),
			report->state, agency->process.life);
	else if (report->event == DW_REFUSED)
		town_tell(agency->town, "%s: %.*s is refused: %.*s", agency->party,
			(int)report->key.len, (const char *)report->key.data, (int)report->code.len,
			(const char *)report->code.data);
	return true;
}

/* ---- what it should be ---- */

/* "PARTY/KEY" */
static struct agency *author_of(struct town *town, struct bytes body, struct bytes *ret_key)
{
	const uint8_t *slash = body.len > 0 ? memchr(body.data, '/', body.len) : NULL;
	size_t len = slash ? (size_t)(slash - body.data) : 0;
	*ret_key = slash ? BYTES(slash + 1, body.len - len - 1) : BYTES(NULL, 0);
	return town_agency(town, BYTES(body.data, len));
}

static bool is_question(struct town *town, const struct dw_delivery *delivery)
{
	struct bytes key;
	struct agency *author = author_of(town, delivery->body, &key);
	const struct question *question = author && key.len > 1 && key.data[0] == 'q'
						  ? question_of(author, key)
						  : NULL;
	return question && bytes_equal(delivery->service, QUESTION_SERVICE) &&
	       bytes_equal(delivery->sender, BYTES_STR(asker_of(author, question)));
}

/* To something of its own: a question that is over by now, or a letter. */
static bool is_response(const struct agency *agency, const struct dw_delivery *delivery)
{
	struct bytes body = delivery->body, key;
	bool answer = delivery->kind == DW_ANSWER;
	if (body.len < 4 || memcmp(body.data, "to ", 3) != 0)
		return false;
	struct agency *author = author_of(agency->town, BYTES(body.data + 3, body.len - 3), &key);
	if (author != agency || key.len == 0 || is_letter(key) == answer)
		return false;
	const struct question *question = answer ? question_of(author, key) : NULL;
	return !answer || (question && (!question->open || question->life != agency->process.life));
}

bool agency_knows_question(struct agency *agency, const struct dw_delivery *delivery)
{
	bool question = delivery->kind == DW_ENQUIRY;
	if (!question && delivery->kind != DW_ANSWER && delivery->kind != DW_REPLY)
		return false;
	if (question ? !is_question(agency->town, delivery) : !is_response(agency, delivery))
		ledger_violate(&agency->town->ledger, "%s got %s that is none", agency->party,
			question ? "a question" : "an answer or a reply");
	return true;
}

/* ---- lives ---- */

void agency_questions_forget(struct agency *agency)
{
	for (size_t i = 0; i < agency->responses_count; i++) {
		struct response *response = &agency->responses[i];
		if (response->state == RESPONSE_WRITTEN)
			response->state = RESPONSE_WAITS;
		if (response->again == RESPONSE_WRITTEN)
			response->again = RESPONSE_WAITS;
	}
}

static bool is_under_way(uint8_t state)
{
	return state == RESPONSE_WRITTEN || state == RESPONSE_SUBMITTED;
}

bool agency_questions_settled(const struct agency *agency)
{
	for (size_t i = 0; i < agency->questions_count; i++)
		if (agency->questions[i].open && agency->questions[i].life == agency->process.life)
			return false;
	for (size_t i = 0; i < agency->responses_count; i++)
		if (is_under_way(agency->responses[i].state) ||
			is_under_way(agency->responses[i].again))
			return false;
	return true;
}
