/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * An application was sent by mistake. As long as it waits its sender takes it back, and is told so; once the jobcenter has
 * it, the jobcenter's word counts. And a death notice about somebody who lives is called back from all offices that
 * have not read it yet.
 */
#include <signal.h>
#include <stdlib.h>

#include "proto/base/clock.h"
#include "proto/identity/uuid.h"
#include "test/kit/check.h"
#include "test/kit/party.h"
#include "test/scenario/tools.h"

enum { OFFICES = 40, WAIT_MS = 20000, HOUR_MS = 3600 * 1000 };

static const uint8_t case_id[16] = {0xca, 0x9c, 0xe1};
static const char case_text[] = "ca9ce100000000000000000000000000";

struct letter {
	uint8_t id[16];
	char text[UUID_TEXT_SIZE];
	uint64_t sequence;
};

static struct letter send_draft(struct party *city, struct party_draft *draft)
{
	struct letter letter;
	uuid_next(city->uuids, clock_wall_ms(clock_system()), letter.id);
	uuid_format(letter.id, letter.text);
	draft->message_id = letter.id;
	struct party_answer answer = *party_send(city, draft);
	CHECK_INT(answer.kind, ANSWER_RECEIPT);
	letter.sequence = answer.sequence;
	return letter;
}

static struct letter apply(struct party *city, uint64_t not_before_ms)
{
	struct party_draft draft = {.service = "alg2.application",
		.recipient = "jobcenter",
		.case_id = case_id,
		.not_before_ms = not_before_ms,
		.body = BYTES_STR("<antrag/>")};
	return send_draft(city, &draft);
}

static const struct party_outcome *outcome_of(
	struct party *city, const struct letter *letter, const char *recipient)
{
	for (size_t i = 0; i < city->outcomes_count; i++)
		if (city->outcomes[i].sequence == letter->sequence &&
			strcmp(city->outcomes[i].recipient, recipient) == 0)
			return &city->outcomes[i];
	return NULL;
}

static void told_cancelled(struct party *city, const struct letter *letter, const char *recipient)
{
	party_until(city, outcome_of(city, letter, recipient), WAIT_MS);
	CHECK_STR(outcome_of(city, letter, recipient)->state, "cancelled");
	CHECK_STR(outcome_of(city, letter, recipient)->code, "mistake");
}

static size_t delivered(const struct party *party, const struct letter *letter)
{
	size_t count = 0;
	for (size_t i = 0; i < party->deliveries_count; i++)
		count += party->deliveries[i].sequence == letter->sequence;
	return count;
}

static void an_application_is_taken_back(void)
{
	struct bus bus;
	struct party city, jobcenter;
	bus_init_usual(&bus, check_subdir());
	bus_write(&bus);
	bus_start(&bus);
	bus_adapter_write(&bus, "city", bus.endpoint);
	bus_adapter_write(&bus, "jobcenter", bus.endpoint);
	party_init(&city, &bus, "city");
	party_connect(&city, NULL);
	struct letter mistaken = apply(&city, 0), second = apply(&city, 0);
	struct letter delayed = apply(&city, clock_wall_ms(clock_system()) + HOUR_MS);

	/* The jobcenter is closed. One order, beside the city's adapter, for what waits in the queue and for a time. */
	tool_holds(tool_party(&bus, "city", 0, "cancel", "--message", mistaken.text, "--message",
			   delayed.text, "--reason", "mistake", "--json", NULL),
		mistaken.text, "\"recipient\":\"jobcenter\"", "\"state\":\"cancelled\"",
		delayed.text, "\"state\":\"cancelled\"", NULL);
	told_cancelled(&city, &mistaken, "jobcenter");
	told_cancelled(&city, &delayed, "jobcenter");
	party_confirm(&city, city.outcomes[city.outcomes_count - 1].entry);

	/* It is so after a crash, and the same order once more is answered the same. */
	bus_end(&bus, SIGKILL);
	bus_start(&bus);
	tool_holds(tool_party(&bus, "city", 0, "cancel", "--message", mistaken.text, "--reason",
			   "mistake", NULL),
		mistaken.text, "jobcenter: cancelled", NULL);
	/* Nobody else can, nor learns whether there is such a message. */
	tool_holds(tool_party(&bus, "jobcenter", 1, "cancel", "--message", second.text, NULL),
		second.text, ": unknown", NULL);

	/* The jobcenter opens, and gets what is left. While it is reading, it cannot be called back. */
	party_init(&jobcenter, &bus, "jobcenter");
	jobcenter.manual = true;
	party_connect(&jobcenter, NULL);
	party_until(&jobcenter, delivered(&jobcenter, &second) == 1, WAIT_MS);
	CHECK_INT(jobcenter.deliveries_count, 1);
	tool_holds(tool_party(&bus, "city", 1, "cancel", "--message", second.text, "--timeout", "1",
			   NULL),
		"jobcenter: under-delivery", NULL);
	/* It cannot take it now, so the city may have it back after all. */
	party_nak(&jobcenter, second.sequence, HOUR_MS);
	tool_holds(tool_party(&bus, "city", 0, "cancel", "--message", second.text, "--reason",
			   "mistake", NULL),
		"jobcenter: cancelled", NULL);
	told_cancelled(&city, &second, "jobcenter");

	/* What the jobcenter took is the jobcenter's. */
	struct letter taken = apply(&city, 0);
	party_until(&jobcenter, delivered(&jobcenter, &taken) == 1, WAIT_MS);
	party_acknowledge(&jobcenter, jobcenter.deliveries_count - 1, 1, NULL);
	party_until(&city, outcome_of(&city, &taken, "jobcenter"), WAIT_MS);
	tool_holds(tool_party(&bus, "city", 1, "cancel", "--message", taken.text, "--json", NULL),
		taken.text, "\"state\":\"accepted\"", NULL);
	CHECK_INT(jobcenter.deliveries_count, 2);

	tool_holds(tool_admin(&bus, 0, "case", "show", case_text, NULL), "recorded", "cancelled",
		"mistake", NULL);
	tool_holds(tool_admin(&bus, 0, "audit", "list", "--kind", "cancelled", NULL), "cancelled",
		NULL);
	party_deinit(&jobcenter);
	party_deinit(&city);
	CHECK_INT(bus_end(&bus, SIGTERM), 0);
	free(tool_admin(&bus, 0, "audit", "verify", NULL));
	free(tool_admin(&bus, 0, "audit", "replay", NULL));
	bus_deinit(&bus);
}

static const char *office_name(size_t n)
{
	static char names[OFFICES][16];
	snprintf(names[n], sizeof(names[n]), "office-%02zu", n);
	return names[n];
}

/* More offices than one entry can name. One has read it, from one alone it is called back first. */
static void a_death_notice_is_called_back(void)
{
	struct bus bus;
	struct party city, reader;
	struct party_draft notice = {.service = "lifeevent.death",
		.event = true,
		.clear = true,
		.case_id = case_id,
		.body = BYTES_STR("a person has died")};
	bus_init_usual(&bus, check_subdir());
	Dienstweg__Service *service = registry_fixture_service(bus.fixture, "lifeevent.death");
	service->event = true;
	service->confidentiality = DIENSTWEG__CONFIDENTIALITY__CONFIDENTIALITY_BROKER_READABLE;
	Dienstweg__Agreement *agreement = registry_fixture_agreement(
		bus.fixture, "death-notices", "2021-07-01", NULL);
	for (size_t i = 0; i < OFFICES; i++) {
		registry_fixture_party(bus.fixture, office_name(i), NULL);
		registry_fixture_flow(
			bus.fixture, agreement, "lifeevent.death", "city", office_name(i), NULL);
	}
	bus_write(&bus);
	bus_start(&bus);
	bus_adapter_write(&bus, "city", bus.endpoint);
	party_init(&city, &bus, "city");
	party_connect(&city, NULL);
	struct letter letter = send_draft(&city, &notice);
	party_init(&reader, &bus, office_name(0));
	party_connect(&reader, NULL);
	party_until(&reader, reader.acknowledged_count == 1, WAIT_MS);
	party_until(&city, outcome_of(&city, &letter, office_name(0)), WAIT_MS);

	tool_holds(tool_party(&bus, "city", 0, "cancel", "--message", letter.text, "--to",
			   office_name(7), "--reason", "mistake", NULL),
		"office-07: cancelled", NULL);
	told_cancelled(&city, &letter, office_name(7));
	CHECK_INT(city.outcomes_count, 2);
	tool_holds(tool_party(&bus, "city", 1, "cancel", "--message", letter.text, "--to",
			   "jobcenter", NULL),
		"jobcenter: unknown", NULL);
	char *answer = tool_party(
		&bus, "city", 1, "cancel", "--message", letter.text, "--reason", "mistake", NULL);
	CHECK_INT(tool_count(answer, ": cancelled"), OFFICES - 1);
	CHECK_INT(tool_count(answer, "office-00: accepted"), 1);
	free(answer);
	for (size_t i = 1; i < OFFICES; i++)
		told_cancelled(&city, &letter, office_name(i));
	CHECK_INT(city.outcomes_count, OFFICES);

	party_deinit(&reader);
	party_deinit(&city);
	CHECK_INT(bus_end(&bus, SIGTERM), 0);
	free(tool_admin(&bus, 0, "audit", "verify", NULL));
	free(tool_admin(&bus, 0, "audit", "replay", NULL));
	bus_deinit(&bus);
}

/* ---- orders that are none ---- */

/* The last answer to a Cancel: the state of its first item, or a refusal's or an Error's code and field. */
struct answer {
	size_t count;
	char code[64], field[64];
};

static void note(char *buf, size_t size, ProtobufCBinaryData field)
{
	snprintf(buf, size, "%.*s", (int)field.len, field.len ? (const char *)field.data : "");
}

static void take(void *context, const Dienstweg__Frame *frame)
{
	struct answer *answer = context;
	ProtobufCBinaryData code = {}, field = {};
	if (frame->body_case == DIENSTWEG__FRAME__BODY_CANCELLED) {
		const Dienstweg__Cancelled *cancelled = frame->cancelled;
		code = cancelled->n_refusals ? cancelled->refusals[0]->code
					     : cancelled->states[0]->state;
		field = cancelled->n_refusals ? cancelled->refusals[0]->field
					      : cancelled->states[0]->recipient;
	} else if (frame->body_case == DIENSTWEG__FRAME__BODY_ERROR) {
		code = frame->error->code;
		field = frame->error->field;
	} else {
		return;
	}
	note(answer->code, sizeof(answer->code), code);
	note(answer->field, sizeof(answer->field), field);
	answer->count++;
}

/* An order about one message, as a well-behaved city would make it. */
struct order {
	Dienstweg__CancelBatch batch;
	Dienstweg__CancelItem item, *items[BATCH_MAX + 1];
	uint8_t id[16], key_id[KEY_ID_SIZE], root[SIGNATURE_SIZE];
	char sender[64], reason[64], recipient[64];
};

static ProtobufCBinaryData text(char *text)
{
	return (ProtobufCBinaryData){.len = strlen(text), .data = (uint8_t *)text};
}

static void order_sign(struct order *order, const struct party *city, enum signature_domain domain)
{
	uint8_t digests[BATCH_MAX][HASH_SIZE];
	Dienstweg__Signature signatures[BATCH_MAX];
	_cleanup_(arena_free) struct arena *arena = arena_new(65536);
	size_t count = order->batch.n_items > BATCH_MAX ? BATCH_MAX : order->batch.n_items;
	for (size_t i = 0; i < count; i++)
		cancellation_digest(BYTES_STR("test.demo"), BYTES_STR(order->sender), order->id,
			BYTES_STR(order->recipient), BYTES_STR(order->reason), digests[i]);
	CHECK_INT(signature_sign(domain, BYTES_STR("test.demo"), city->sign,
			  (const uint8_t(*)[HASH_SIZE])digests, count, signatures, arena),
		0);
	memcpy(order->root, signatures[0].root.data, SIGNATURE_SIZE);
}

static void order_init(struct order *order, const struct party *city, const struct letter *letter)
{
	memset(order, 0, sizeof(*order));
	memcpy(order->id, letter->id, sizeof(order->id));
	memcpy(order->key_id, city->sign->pub.id, KEY_ID_SIZE);
	snprintf(order->sender, sizeof(order->sender), "city");
	snprintf(order->reason, sizeof(order->reason), "mistake");
	snprintf(order->recipient, sizeof(order->recipient), "jobcenter");
	dienstweg__cancel_batch__init(&order->batch);
	dienstweg__cancel_item__init(&order->item);
	order->item.message_id = (ProtobufCBinaryData){.len = 16, .data = order->id};
	order->item.recipient = text(order->recipient);
	for (size_t i = 0; i < ARRAY_LEN(order->items); i++)
		order->items[i] = &order->item;
	order->batch.items = order->items;
	order->batch.n_items = 1;
	order->batch.sender = text(order->sender);
	order->batch.reason = text(order->reason);
	order->batch.key_id = (ProtobufCBinaryData){.len = KEY_ID_SIZE, .data = order->key_id};
	order->batch.root = (ProtobufCBinaryData){.len = SIGNATURE_SIZE, .data = order->root};
	order_sign(order, city, SIGNATURE_CANCEL);
}

static void order_send(struct party *city, const struct order *order, struct answer *answer,
	const char *code, const char *field)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Cancel cancel = DIENSTWEG__CANCEL__INIT;
	Dienstweg__CancelBatch batch;
	size_t before = answer->count;
	if (order) {
		batch = order->batch;
		cancel.batch = &batch;
	}
	frame.body_case = DIENSTWEG__FRAME__BODY_CANCEL;
	frame.cancel = &cancel;
	CHECK_INT(client_send(city->client, &frame), 0);
	party_until(city, answer->count > before, WAIT_MS);
	CHECK_STR(answer->code, code);
	CHECK_STR(answer->field, field);
}

/* Each is answered, none ends anything, and the real one still does. */
static void orders_that_are_none(void)
{
	struct bus bus;
	struct party city;
	struct answer answer = {};
	struct order order;
	bus_init_usual(&bus, check_subdir());
	bus_write(&bus);
	bus_start(&bus);
	party_init(&city, &bus, "city");
	party_connect(&city, NULL);
	struct letter letter = apply(&city, 0);
	city.on_frame = take;
	city.on_frame_context = &answer;
#define ORDER()           order_init(&order, &city, &letter)
#define SEND(code, field) order_send(&city, &order, &answer, code, field)
	order_send(&city, NULL, &answer, "malformed", "cancel");
	ORDER();
	order.batch.n_items = BATCH_MAX + 1;
	SEND("malformed", "cancel");
	ORDER();
	order.batch.n_items = 0;
	SEND("malformed", "items");
	ORDER();
	order.item.message_id.len = 15;
	SEND("malformed", "items");
	ORDER();
	snprintf(order.reason, sizeof(order.reason), "No Code");
	order_sign(&order, &city, SIGNATURE_CANCEL);
	SEND("malformed", "items");
	ORDER();
	order_sign(&order, &city, SIGNATURE_ACK);
	SEND("bad-signature", "root");
	ORDER();
	order.id[15] ^= 1;
	SEND("bad-signature", "root");
	ORDER();
	snprintf(order.sender, sizeof(order.sender), "jobcenter");
	order.batch.sender = text(order.sender);
	SEND("not-operated", "sender");
	ORDER();
	snprintf(order.sender, sizeof(order.sender), "nobody");
	order.batch.sender = text(order.sender);
	SEND("unknown-party", "sender");
	ORDER();
	memset(order.key_id, 7, sizeof(order.key_id));
	SEND("unknown-key", "key_id");
	/* One item twice, and two of them the same: it ends once. */
	ORDER();
	order.batch.n_items = 2;
	order_sign(&order, &city, SIGNATURE_CANCEL);
	SEND("cancelled", "jobcenter");
	SEND("cancelled", "jobcenter");
#undef ORDER
#undef SEND
	party_deinit(&city);
	CHECK_INT(bus_end(&bus, SIGTERM), 0);
	char *list = tool_admin(&bus, 0, "audit", "list", "--kind", "cancelled", "--json", NULL);
	CHECK_INT(tool_count(list, "\"cancelled\""), 1);
	free(list);
	free(tool_admin(&bus, 0, "audit", "verify", NULL));
	free(tool_admin(&bus, 0, "audit", "replay", NULL));
	bus_deinit(&bus);
}

CHECK_MAIN(CHECK_CASE(an_application_is_taken_back), CHECK_CASE(a_death_notice_is_called_back),
	CHECK_CASE(orders_that_are_none))
