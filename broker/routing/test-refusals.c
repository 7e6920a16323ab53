/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Every code that the rules can give, reached; the order of the checks; and that neither refusals nor
 * their entries can be used to harm anybody but their author.
 */
#include "broker/routing/codes.h"
#include "broker/routing/fixture.h"
#include "broker/routing/invariants.h"
#include "proto/base/text.h"
#include "test/kit/check.h"

static const struct fixture_message to_jobcenter = {
	.recipient = "jobcenter", .sealed_for = "jobcenter", .id = 1, .case_id = 9, .priority = 1};

static void check_state(struct rules_fixture *f)
{
	char why[200] = "";
	CHECK_INT(state_invariants(f->rules.state, why, sizeof(why)), 0);
	CHECK_STR(why, "");
}

static bool is_seen(struct rules_fixture *f, const struct submit_facts *facts, const char *sender)
{
	uint8_t key[SEEN_KEY_SIZE];
	struct bytes value;
	seen_key_encode(facts->header->message_id.data, rules_fixture_number(f, sender), key);
	return state_get(f->rules.state, STATE_SEEN, BYTES(key, sizeof(key)), &value) == 0;
}

static struct submit_decision check_refused(struct rules_fixture *f,
	const struct submit_facts *facts, const char *code, const char *field)
{
	f->limits.refusals_per_minute = 1000;
	rules_fixture_effects(f);
	struct submit_decision d = rules_fixture_submit(f, facts);
	CHECK_INT(d.result, SUBMIT_REFUSED);
	CHECK(d.append);
	CHECK_STR(d.code, code);
	CHECK_STR(d.field, field);
	CHECK_INT(d.class, 1);
	CHECK(strchr(d.detail, ':') != NULL);
	CHECK(strstr(d.detail, "{}") == NULL);
	CHECK(bytes_equal(BYTES_PB(d.decision->code), BYTES_STR(code)));
	CHECK(bytes_equal(BYTES_PB(d.decision->field), BYTES_STR(field)));
	CHECK(bytes_equal(BYTES_PB(d.decision->detail), BYTES_STR(d.detail)));
	CHECK(d.decision->facts != NULL);
	CHECK_INT(d.decision->facts->verdict, facts->verdict);
	CHECK_INT(d.decision->facts->signature_ok, facts->signature_ok);
	CHECK(rules_fixture_effects(f) == NULL);
	check_state(f);
	return d;
}

static void test_form(void)
{
	static const struct {
		int verdict;
		enum routing_code code;
	} cases[] = {
		{ENVELOPE_MALFORMED, CODE_MALFORMED},
		{ENVELOPE_TOO_LARGE, CODE_TOO_LARGE},
		{ENVELOPE_MISSING, CODE_MISSING},
		{ENVELOPE_CONTENT, CODE_CONTENT},
		{ENVELOPE_SIGNATURE_FORM, CODE_SIGNATURE_FORM},
	};
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	struct submit_facts *good = rules_fixture_message(&f, &to_jobcenter);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *code = envelope_verdict_code(cases[i].verdict);
		CHECK_STR(routing_text(cases[i].code)->code, code);
		struct submit_facts facts = *good;
		facts.verdict = cases[i].verdict;
		facts.field = "some_field";
		struct submit_decision d = check_refused(&f, &facts, code, "some_field");
		CHECK(strstr(d.detail, "some_field") != NULL);
		CHECK_INT(d.decision->speaker.len, 0);
	}
	/* Bytes that are no header at all: the speaker is named, nothing else is known. */
	struct submit_facts facts = {.verdict = ENVELOPE_MALFORMED,
		.field = "",
		.header_bytes = BYTES("??", 2),
		.speaker = BYTES_STR("city")};
	struct submit_decision d = check_refused(&f, &facts, "malformed", "");
	CHECK(bytes_equal(BYTES_PB(d.decision->speaker), BYTES_STR("city")));
	facts = *good;
	facts.signature = NULL;
	check_refused(&f, &facts, "signature-form", "signature");
	CHECK(!is_seen(&f, good, "city"));
	CHECK_INT(rules_fixture_submit(&f, good).result, SUBMIT_ACCEPTED);
}

static void test_speaker(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	struct submit_facts *good = rules_fixture_message(&f, &to_jobcenter);
	Dienstweg__Header header = *good->header;
	struct submit_facts facts = *good;
	facts.header = &header;
	header.bus = good->header->service;
	check_refused(&f, &facts, "wrong-bus", "bus");

	header = *good->header;
	header.sender = good->header->service; /* a name, but no party */
	struct submit_decision d = check_refused(&f, &facts, "unknown-party", "sender");
	CHECK(bytes_equal(BYTES_PB(d.decision->speaker), BYTES_STR("city")));

	facts = *good;
	facts.speaker = BYTES_STR("ministry");
	d = check_refused(&f, &facts, "not-operated", "sender");
	CHECK(bytes_equal(BYTES_PB(d.decision->speaker), BYTES_STR("ministry")));
	CHECK(strstr(d.detail, "ministry") != NULL);

	/* A stranger can make neither entries nor counters. */
	uint8_t before[32], after[32];
	state_memory_digest(f.memory, before);
	facts.speaker = BYTES_STR("nobody");
	d = rules_fixture_submit(&f, &facts);
	CHECK_INT(d.result, SUBMIT_REFUSED);
	CHECK(!d.append);
	state_memory_digest(f.memory, after);
	CHECK_MEM(before, after, 32);
	CHECK(!is_seen(&f, good, "city"));
}

static Dienstweg__Key *content_key(struct rules_fixture *f, const char *party, enum key_use use)
{
	Dienstweg__RegistryContent *content = registry_fixture_content(f->parties);
	for (size_t i = 0; i < content->n_parties; i++)
		for (size_t j = 0; j < content->parties[i]->n_keys; j++)
			if (bytes_equal(BYTES_PB(content->parties[i]->name), BYTES_STR(party)) &&
				content->parties[i]->keys[j]->use == (Dienstweg__KeyUse)use)
				return content->parties[i]->keys[j];
	CHECK_FAIL("%s has no such key", party);
}

static void test_key(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	struct submit_facts *good = rules_fixture_message(&f, &to_jobcenter);
	Dienstweg__Signature signature = *good->signature;
	struct submit_facts facts = *good;
	facts.signature = &signature;
	uint8_t unknown[KEY_ID_SIZE] = {1};
	signature.key_id.data = unknown;
	struct submit_decision d = check_refused(&f, &facts, "unknown-key", "key_id");
	CHECK_MEM(d.decision->facts->key_id.data, unknown, KEY_ID_SIZE);
	signature.key_id = content_key(&f, "ministry", KEY_SIGN)->id;
	check_refused(&f, &facts, "foreign-key", "key_id");
	signature.key_id = content_key(&f, "city", KEY_SEAL)->id;
	check_refused(&f, &facts, "wrong-key-use", "key_id");

	Dienstweg__Key *key = content_key(&f, "city", KEY_SIGN);
	key->state = DIENSTWEG__KEY_STATE__KEY_STATE_RETIRED;
	rules_fixture_adopt(&f);
	/* Only put off: the same header, signed again, is welcome. But the signature has to be good. */
	d = rules_fixture_submit(&f, good);
	CHECK_INT(d.result, SUBMIT_DEFERRED);
	CHECK_STR(d.code, "registry-outdated");
	CHECK_STR(d.field, "key_id");
	CHECK(strchr(d.detail, ':') != NULL);
	facts = *good;
	facts.signature_ok = false;
	check_refused(&f, &facts, "bad-signature", "signature");
	CHECK(!is_seen(&f, good, "city"));
	key->state = DIENSTWEG__KEY_STATE__KEY_STATE_REVOKED;
	rules_fixture_adopt(&f);
	check_refused(&f, good, "key-not-active", "key_id");
	key->state = DIENSTWEG__KEY_STATE__KEY_STATE_ACTIVE;
	key->suspect_from = f.rules.sequence;
	rules_fixture_adopt(&f);
	check_refused(&f, good, "key-suspect", "key_id");
	key->suspect_from = 0;
	rules_fixture_adopt(&f);

	facts = *good;
	facts.signature_ok = false;
	check_refused(&f, &facts, "bad-signature", "signature");
	CHECK(!is_seen(&f, good, "city"));
	CHECK_INT(rules_fixture_submit(&f, good).result, SUBMIT_ACCEPTED);
	/* Nobody learns by guessing whether an id was used: the signature is judged first. */
	check_refused(&f, &facts, "bad-signature", "signature");
}

static void test_authentic(void)
{
	static const struct {
		struct fixture_message message;
		const char *code, *field;
	} cases[] = {
		{{.recipient = "jobcenter", .expires_ms = FIXTURE_NOW_MS}, "expired", "expires_ms"},
		{{.recipient = "nobody"}, "unknown-party", "recipient"},
		{{.recipient = "jobcenter", .service = "nothing"}, "unknown-service", "service"},
		{{.recipient = "ministry"}, "no-agreement", "agreement"},
		{{.region = "11"}, "region-not-covered", "region"},
		{{.recipient = "jobcenter", .agreement = "b-figures"}, "no-agreement", "agreement"},
		{{.recipient = "jobcenter", .retention = 5}, "unknown-class", "retention"},
		{{.recipient = "jobcenter"}, "plaintext", "sealed_recipients"},
	};
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fixture_message m = cases[i].message;
		m.id = (uint8_t)(i + 1);
		struct submit_facts *facts = rules_fixture_message(&f, &m);
		uint64_t sequence = f.rules.sequence;
		check_refused(&f, facts, cases[i].code, cases[i].field);
		CHECK(is_seen(&f, facts, "city"));
		struct submit_decision d = rules_fixture_submit(&f, facts);
		CHECK_INT(d.result, SUBMIT_DUPLICATE);
		CHECK_INT(d.earlier, sequence);
		CHECK_INT(d.earlier_kind, DIENSTWEG__ENTRY_KIND__ENTRY_REFUSED);
	}
}

static void test_agreement_dates(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	Dienstweg__Agreement *agreement = registry_fixture_content(f.parties)->agreements[0];
	CHECK(bytes_equal(BYTES_PB(agreement->id), BYTES_STR("a-alg2")));
	agreement->valid_until_ms = FIXTURE_NOW_MS / 86400000 * 86400000 + 86400000;
	rules_fixture_adopt(&f);
	struct fixture_message m = to_jobcenter;
	CHECK_INT(rules_fixture_submit(&f, rules_fixture_message(&f, &m)).result, SUBMIT_ACCEPTED);
	f.rules.batch_ms = agreement->valid_until_ms;
	m.id = 2;
	check_refused(&f, rules_fixture_message(&f, &m), "agreement-expired", "agreement");
	f.rules.batch_ms = agreement->valid_from_ms - 1;
	m.id = 3;
	m.made_ms = f.rules.batch_ms;
	check_refused(&f, rules_fixture_message(&f, &m), "agreement-not-yet-valid", "agreement");
}

/* By the first rules a record was one value. */
static void test_row_size(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	Dienstweg__Agreement *agreement = registry_fixture_agreement(
		f.parties, "z-many", "2021-07-01", NULL);
	Dienstweg__Service *service = registry_fixture_service(f.parties, "many.events");
	service->confidentiality = DIENSTWEG__CONFIDENTIALITY__CONFIDENTIALITY_BROKER_READABLE;
	service->event = true;
	static const char stem[] = "a-party-with-a-name-as-long-as-names-may-be-in-this-protocol-";
	for (unsigned int i = 0; i < 60; i++) {
		char name[64];
		snprintf(name, sizeof(name), "%s%02u", stem, i);
		registry_fixture_party(f.parties, name, NULL);
		registry_fixture_flow(f.parties, agreement, "many.events", "city", name, NULL);
	}
	rules_fixture_adopt(&f);
	struct fixture_message m = {.service = "many.events", .id = 1};
	f.rules.version = 0;
	check_refused(&f, rules_fixture_message(&f, &m), "too-many-recipients", "service");
	f.rules.version = RULES_VERSION;
	m.id = 3;
	CHECK_INT(rules_fixture_submit(&f, rules_fixture_message(&f, &m)).recipients_count, 60);
	f.rules.version = 0;
	agreement->n_flows = 40;
	rules_fixture_adopt(&f);
	m.id = 2;
	struct submit_decision d = rules_fixture_submit(&f, rules_fixture_message(&f, &m));
	CHECK_INT(d.result, SUBMIT_ACCEPTED);
	CHECK_INT(d.recipients_count, 40);
	check_state(&f);
}

static void test_limit(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	struct fixture_message m = {.recipient = "jobcenter", .id = 1};
	struct submit_facts *over = NULL;
	for (; m.id <= FIXTURE_REFUSALS + 2; m.id++) {
		over = rules_fixture_message(&f, &m);
		struct submit_decision d = rules_fixture_submit(&f, over);
		CHECK_INT(d.result, SUBMIT_REFUSED);
		CHECK_STR(d.code, "plaintext");
		CHECK_INT(d.append, m.id <= FIXTURE_REFUSALS);
		CHECK_INT(d.decision != NULL, m.id <= FIXTURE_REFUSALS);
	}
	CHECK_INT(f.rules.sequence, FIXTURE_REFUSALS);
	CHECK(!is_seen(&f, over, "city"));
	check_state(&f);

	/* Another party has its own count. */
	m.sender = "town";
	m.speaker = "cooperative";
	CHECK(rules_fixture_submit(&f, rules_fixture_message(&f, &m)).append);

	uint64_t due;
	CHECK_INT(rules_next_due(f.rules.state, &f.cursor, &due), 0);
	CHECK(due == FIXTURE_NOW_MS / 60000 * 60000 + 60000);
	f.rules.batch_ms = due - 1;
	CHECK(!rules_fixture_tick(&f).append);
	f.rules.batch_ms = due;
	struct items_decision d = rules_fixture_tick(&f);
	CHECK(d.append);
	CHECK(bytes_equal(BYTES_PB(d.decision->party), BYTES_STR("city")));
	CHECK_INT(d.decision->count, 2);
	CHECK_INT(d.decision->minute, FIXTURE_NOW_MS / 60000);
	CHECK_INT(f.rules.sequence, FIXTURE_REFUSALS + 2);
	CHECK_INT(rules_next_due(f.rules.state, &f.cursor, &due), 0);
	CHECK(due == UINT64_MAX);
	check_state(&f);

	/* A new minute, a new count; a minute without a rest makes no entry. */
	m.sender = m.speaker = NULL;
	CHECK(rules_fixture_submit(&f, rules_fixture_message(&f, &m)).append);
	f.rules.batch_ms += 60000;
	CHECK(!rules_fixture_tick(&f).append);
	check_state(&f);
}

/* Messages, acknowledgements, cancellations. */
static int about(int code)
{
	return (code >= CODE_ACK_MALFORMED) + (code >= CODE_CANCEL_MALFORMED);
}

static void test_texts(void)
{
	for (int i = 0; i < ROUTING_CODES; i++) {
		const struct routing_text *text = routing_text((enum routing_code)i);
		CHECK(text_is_name(BYTES_STR(text->code)));
		CHECK(strchr(text->sentence, ':') != NULL);
		CHECK(strchr(text->sentence, '%') == NULL);
		CHECK(strlen(text->sentence) + 63 < 256);
		CHECK(text->meaning[0] != 0);
		const char *hole = strstr(text->sentence, "{}");
		CHECK(!hole || !strstr(hole + 1, "{}"));
		/* Messages, acknowledgements and cancellations share codes, but each has a code and field once. */
		for (int j = 0; j < i; j++) {
			const struct routing_text *other = routing_text((enum routing_code)j);
			CHECK(about(i) != about(j) || strcmp(text->code, other->code) ||
				strcmp(text->field, other->field));
		}
	}
	_cleanup_(arena_free) struct arena *arena = arena_new(4096);
	const char *detail;
	CHECK_INT(routing_detail(arena, CODE_FULL, BYTES_STR("city"), &detail), 0);
	CHECK_STR(detail, "the queue of city is full: try again later");
	CHECK_INT(routing_detail(arena, CODE_EXPIRED, BYTES_STR("city"), &detail), 0);
	CHECK_STR(detail, routing_text(CODE_EXPIRED)->sentence);
}

CHECK_MAIN(CHECK_CASE(test_form), CHECK_CASE(test_speaker), CHECK_CASE(test_key),
	CHECK_CASE(test_authentic), CHECK_CASE(test_agreement_dates), CHECK_CASE(test_row_size),
	CHECK_CASE(test_limit), CHECK_CASE(test_texts))
