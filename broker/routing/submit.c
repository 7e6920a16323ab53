/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The order of the checks is a contract (rules.h): what is cheap and says most about the sender comes
 * first, nothing is looked up for a message that is not its sender's, and a message recorded before is
 * recognised before anything that may have changed since is asked. The list below is that order.
 */
#include "broker/routing/rules.h"

#include <assert.h>
#include <errno.h>

#include "broker/routing/decision.h"
#include "broker/routing/refusals.h"
#include "broker/routing/submission.h"

static int (*const steps[])(struct submission *s) = {
	submission_check_form,
	submission_check_bus,
	submission_check_speaker,
	submission_check_key,
	submission_check_seen,
	submission_check_clock,
	submission_check_expiry,
	submission_check_route,
	submission_check_pattern,
	submission_check_class,
	submission_check_confidentiality,
	submission_check_wraps,
	submission_check_schema,
	submission_check_quota,
	submission_check_room,
	submission_check_row,
	submission_check_attachments,
	submission_accept,
};

int rules_submit(struct rules *rules, const struct submit_facts *facts, struct submit_decision *ret)
{
	assert(rules->registry);
	struct submission submission = {.rules = rules, .facts = facts, .ret = ret};
	*ret = (struct submit_decision){.field = ""};
	int r = rules_party_number(rules->state, facts->speaker, &submission.speaker);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(steps); i++)
		r = steps[i](&submission);
	if (r < 0)
		return r;
	assert(r == SUBMISSION_DECIDED);
	return 0;
}

/* ---- answers ---- */

/* An unknown service has no class of its own; a header must not be kept for ever all the same. */
static uint8_t refusal_class(const struct submission *s)
{
	const Dienstweg__RegistryContent *content = registry_content(s->rules->registry);
	if (s->route.service)
		return (uint8_t)s->route.service->retention;
	return content->n_classes ? (uint8_t)content->classes[0]->number : 0;
}

static int refusal_schema(
	struct rules *rules, const struct submit_facts *facts, Dienstweg__RefusalFacts *copy)
{
	int r = decision_bytes(rules, BYTES_STR(facts->schema_field), &copy->schema_field);
	return r < 0 ? r
		     : decision_bytes(rules, BYTES_STR(facts->schema_reason), &copy->schema_reason);
}

static int refusal_facts(const struct submission *s, Dienstweg__Decision *decision)
{
	struct rules *rules = s->rules;
	const struct submit_facts *facts = s->facts;
	Dienstweg__RefusalFacts *copy = arena_alloc(rules->arena, sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	dienstweg__refusal_facts__init(copy);
	copy->verdict = (uint32_t)facts->verdict;
	copy->signature_ok = facts->signature_ok;
	copy->sealed = facts->header && facts->header->n_sealed_recipients != 0;
	copy->content_length = facts->content_length;
	decision->facts = copy;
	copy->schema = (uint32_t)facts->schema;
	int r = decision_bytes(rules, BYTES_STR(facts->field ? facts->field : ""), &copy->field);
	if (r == 0 && facts->schema == SUBMIT_SCHEMA_BROKEN)
		r = refusal_schema(rules, facts, copy);
	if (r < 0 || !facts->signature)
		return r;
	return decision_bytes(rules, BYTES_PB(facts->signature->key_id), &copy->key_id);
}

static int refusal_decision(struct submission *s)
{
	struct rules *rules = s->rules;
	const struct submit_facts *facts = s->facts;
	Dienstweg__Decision *decision;
	int r = decision_new(rules, &decision);
	if (r < 0)
		return r;
	s->ret->decision = decision;
	if (!facts->header || !bytes_equal(facts->speaker, BYTES_PB(facts->header->sender))) {
		r = decision_bytes(rules, facts->speaker, &decision->speaker);
		if (r < 0)
			return r;
	}
	r = decision_bytes(rules, BYTES_STR(s->ret->code), &decision->code);
	if (r < 0)
		return r;
	r = decision_bytes(rules, BYTES_STR(s->ret->field), &decision->field);
	if (r < 0)
		return r;
	r = decision_bytes(rules, BYTES_STR(s->ret->detail), &decision->detail);
	if (r < 0)
		return r;
	return refusal_facts(s, decision);
}

static int remember_refusal(struct submission *s)
{
	struct rules *rules = s->rules;
	uint8_t key[SEEN_KEY_SIZE], value[SEEN_ROW_SIZE];
	struct seen_row row = {
		.sequence = rules->sequence, .kind = DIENSTWEG__ENTRY_KIND__ENTRY_REFUSED};
	memcpy(row.h, s->facts->h, sizeof(row.h));
	seen_key_encode(s->header->message_id.data, s->sender, key);
	seen_row_encode(&row, value);
	return state_put(
		rules->state, STATE_SEEN, BYTES(key, sizeof(key)), BYTES(value, sizeof(value)));
}

/* Texts are in place: count, and make it an entry while the speaker has some left. */
static int refuse(struct submission *s)
{
	s->ret->result = SUBMIT_REFUSED;
	int r = refusals_count(s->rules, s->speaker, true, &s->ret->append);
	if (r < 0)
		return r;
	if (!s->ret->append)
		return SUBMISSION_DECIDED;
	s->ret->class = refusal_class(s);
	r = refusal_decision(s);
	if (r < 0)
		return r;
	if (s->authentic && !s->reused)
		r = remember_refusal(s);
	return r < 0 ? r : SUBMISSION_DECIDED;
}

bool rules_refusal_is_final(struct bytes code, struct bytes field)
{
	/* Those that the steps up to submission_check_seen() give. */
	static const enum routing_code before[] = {
		CODE_MALFORMED,
		CODE_TOO_LARGE,
		CODE_MISSING,
		CODE_CONTENT,
		CODE_SIGNATURE_FORM,
		CODE_WRONG_BUS,
		CODE_UNKNOWN_SENDER,
		CODE_NOT_OPERATED,
		CODE_UNKNOWN_KEY,
		CODE_FOREIGN_KEY,
		CODE_KEY_USE,
		CODE_KEY_STATE,
		CODE_KEY_SUSPECT,
		CODE_BAD_SIGNATURE,
		CODE_ID_REUSED,
	};
	for (size_t i = 0; i < ARRAY_LEN(before); i++) {
		const struct routing_text *text = routing_text(before[i]);
		/* "unknown-party" of a sender is one of them, of a recipient it is not. */
		if (bytes_equal(code, BYTES_STR(text->code)) &&
			(!*text->field || bytes_equal(field, BYTES_STR(text->field))))
			return false;
	}
	return true;
}

int submission_refuse(struct submission *s, enum routing_code code, struct bytes name)
{
	s->ret->code = routing_text(code)->code;
	s->ret->field = routing_text(code)->field;
	int r = routing_detail(s->rules->arena, code, name, &s->ret->detail);
	return r < 0 ? r : refuse(s);
}

int submission_refuse_field(struct submission *s, enum routing_code code, const char *field)
{
	bool named = field && field[0];
	s->ret->code = routing_text(code)->code;
	s->ret->field = named ? field : "";
	int r = routing_detail(
		s->rules->arena, code, BYTES_STR(named ? field : "the envelope"), &s->ret->detail);
	return r < 0 ? r : refuse(s);
}

int submission_refuse_schema(struct submission *s)
{
	s->ret->code = routing_text(CODE_SCHEMA)->code;
	s->ret->field = s->facts->schema_field;
	int r = routing_detail(
		s->rules->arena, CODE_SCHEMA, BYTES_STR(s->facts->schema_reason), &s->ret->detail);
	return r < 0 ? r : refuse(s);
}

int submission_refuse_route(struct submission *s)
{
	struct bytes detail;
	/* With its NUL. */
	int r = arena_copy(
		s->rules->arena, BYTES(s->route.detail, strlen(s->route.detail) + 1), &detail);
	if (r < 0)
		return r;
	s->ret->code = s->route.code;
	s->ret->field = s->route.field;
	s->ret->detail = (const char *)detail.data;
	return refuse(s);
}

int submission_defer(
	struct submission *s, enum routing_code code, struct bytes name, uint32_t retry_ms)
{
	s->ret->result = SUBMIT_DEFERRED;
	s->ret->code = routing_text(code)->code;
	s->ret->field = routing_text(code)->field;
	s->ret->retry_ms = retry_ms;
	int r = routing_detail(s->rules->arena, code, name, &s->ret->detail);
	return r < 0 ? r : SUBMISSION_DECIDED;
}
