/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Each check asks one question, so that the order in submit.c can be read as the contract that it is.
 * None of them changes the state: a message that is put off leaves no trace.
 */
#include "broker/routing/submission.h"

#include <errno.h>

#include "broker/routing/total.h"

enum {
	RETRY_CLOCK_MIN_MS = 1000,
	RETRY_CLOCK_MAX_MS = 10 * 60 * 1000,
	RETRY_REGISTRY_MS = 1000,
	RETRY_FULL_MS = 5000,
	RETRY_ATTACHMENTS_MS = 10000,
	/* A record row's plaintext (proto/journal.proto), and what in it is neither header nor decision. */
	ROW_BYTES_MAX = 3900,
	ROW_OVERHEAD = 400,
};

static struct bytes none(void)
{
	return BYTES(NULL, 0);
}

int submission_check_form(struct submission *s)
{
	static const enum routing_code codes[] = {
		[ENVELOPE_MALFORMED] = CODE_MALFORMED,
		[ENVELOPE_TOO_LARGE] = CODE_TOO_LARGE,
		[ENVELOPE_MISSING] = CODE_MISSING,
		[ENVELOPE_CONTENT] = CODE_CONTENT,
		[ENVELOPE_SIGNATURE_FORM] = CODE_SIGNATURE_FORM,
	};
	int verdict = s->facts->verdict;
	if (verdict > 0 && (size_t)verdict < ARRAY_LEN(codes))
		return submission_refuse_field(s, codes[verdict], s->facts->field);
	if (verdict != ENVELOPE_OK || !s->facts->header)
		return submission_refuse_field(s, CODE_MALFORMED, s->facts->field);
	if (!s->facts->signature)
		return submission_refuse_field(s, CODE_SIGNATURE_FORM, "signature");
	s->header = s->facts->header;
	return 0;
}

int submission_check_bus(struct submission *s)
{
	struct bytes bus = registry_bus(s->rules->registry);
	if (!bytes_equal(BYTES_PB(s->header->bus), bus))
		return submission_refuse(s, CODE_WRONG_BUS, bus);
	return 0;
}

int submission_check_speaker(struct submission *s)
{
	struct bytes sender = BYTES_PB(s->header->sender);
	if (!registry_party(s->rules->registry, sender))
		return submission_refuse(s, CODE_UNKNOWN_SENDER, none());
	if (!registry_may_speak(s->rules->registry, s->facts->speaker, sender))
		return submission_refuse(s, CODE_NOT_OPERATED, s->facts->speaker);
	int r = rules_party_number(s->rules->state, sender, &s->sender);
	if (r < 0)
		return r;
	return s->sender ? 0 : -EBADMSG; /* adopting the registry numbered every party */
}

int submission_check_key(struct submission *s)
{
	const Dienstweg__Party *owner;
	const Dienstweg__Key *key = registry_key(
		s->rules->registry, BYTES_PB(s->facts->signature->key_id), &owner);
	if (!key)
		return submission_refuse(s, CODE_UNKNOWN_KEY, none());
	if (!owner || !bytes_equal(BYTES_PB(owner->name), BYTES_PB(s->header->sender)))
		return submission_refuse(s, CODE_FOREIGN_KEY, none());
	if (key->use != DIENSTWEG__KEY_USE__KEY_USE_SIGN)
		return submission_refuse(s, CODE_KEY_USE, none());
	if (key->state == DIENSTWEG__KEY_STATE__KEY_STATE_REVOKED)
		return submission_refuse(s, CODE_KEY_STATE, none());
	if (key->suspect_from != 0 && s->rules->sequence >= key->suspect_from)
		return submission_refuse(s, CODE_KEY_SUSPECT, none());
	if (!s->facts->signature_ok)
		return submission_refuse(s, CODE_BAD_SIGNATURE, none());
	/* The sender meant it and could not know: it signs the same header again, with its new key. */
	if (key->state == DIENSTWEG__KEY_STATE__KEY_STATE_RETIRED)
		return submission_defer(s, CODE_KEY_RETIRED, none(), RETRY_REGISTRY_MS);
	s->authentic = true;
	return 0;
}

int submission_check_seen(struct submission *s)
{
	uint8_t key[SEEN_KEY_SIZE];
	struct bytes value;
	struct seen_row row;
	seen_key_encode(s->header->message_id.data, s->sender, key);
	int r = state_get(s->rules->state, STATE_SEEN, BYTES(key, sizeof(key)), &value);
	if (r == STATE_NOT_FOUND)
		return 0;
	if (r < 0)
		return r;
	if (seen_row_decode(value, &row) != 0)
		return -EBADMSG;
	if (memcmp(row.h, s->facts->h, sizeof(row.h)) != 0) {
		s->reused = true;
		return submission_refuse(s, CODE_ID_REUSED, none());
	}
	s->ret->result = SUBMIT_DUPLICATE;
	s->ret->earlier = row.sequence;
	s->ret->earlier_kind = row.kind;
	return SUBMISSION_DECIDED;
}

int submission_check_clock(struct submission *s)
{
	uint64_t made = uuid_time_ms(s->header->message_id.data);
	uint64_t latest = s->rules->batch_ms + MESSAGE_ID_FUTURE_MS;
	if (made <= latest)
		return 0;
	uint64_t retry = made - latest;
	if (retry < RETRY_CLOCK_MIN_MS)
		retry = RETRY_CLOCK_MIN_MS;
	if (retry > RETRY_CLOCK_MAX_MS)
		retry = RETRY_CLOCK_MAX_MS;
	return submission_defer(s, CODE_CLOCK, none(), (uint32_t)retry);
}

int submission_check_expiry(struct submission *s)
{
	if (s->header->expires_ms != 0 && s->header->expires_ms <= s->rules->batch_ms)
		return submission_refuse(s, CODE_EXPIRED, none());
	return 0;
}

int submission_check_route(struct submission *s)
{
	struct resolve_query query = {
		.sender = BYTES_PB(s->header->sender),
		.recipient = BYTES_PB(s->header->recipient),
		.region = BYTES_PB(s->header->region),
		.service = BYTES_PB(s->header->service),
		.agreement = BYTES_PB(s->header->agreement),
		.answer = s->rules->version >= 1 && s->header->kind == DIENSTWEG__KIND__KIND_ANSWER,
		.at_ms = s->rules->batch_ms,
	};
	int r = registry_resolve(s->rules->registry, &query, &s->route);
	return r > 0 ? submission_refuse_route(s) : r;
}

int submission_check_class(struct submission *s)
{
	uint32_t class = s->header->retention;
	if (class != 0 && !registry_class(s->rules->registry, class))
		return submission_refuse(s, CODE_UNKNOWN_CLASS, none());
	s->ret->class = (uint8_t)(class ? class : s->route.service->retention);
	return 0;
}

int submission_check_confidentiality(struct submission *s)
{
	if (s->route.service->confidentiality ==
			DIENSTWEG__CONFIDENTIALITY__CONFIDENTIALITY_END_TO_END &&
		s->header->n_sealed_recipients == 0)
		return submission_refuse(s, CODE_PLAINTEXT, BYTES_PB(s->route.service->name));
	return 0;
}

static bool is_sealed_for(const Dienstweg__Header *header, const Dienstweg__Party *party)
{
	for (size_t i = 0; i < party->n_keys; i++) {
		const Dienstweg__Key *key = party->keys[i];
		if (key->use != DIENSTWEG__KEY_USE__KEY_USE_SEAL ||
			key->state == DIENSTWEG__KEY_STATE__KEY_STATE_REVOKED)
			continue;
		for (size_t j = 0; j < header->n_sealed_recipients; j++)
			if (bytes_equal(BYTES_PB(header->sealed_recipients[j]), BYTES_PB(key->id)))
				return true;
	}
	return false;
}

int submission_check_wraps(struct submission *s)
{
	if (s->header->n_sealed_recipients == 0)
		return 0;
	for (size_t i = 0; i < s->route.count; i++)
		if (!is_sealed_for(s->header, s->route.recipients[i]))
			return submission_defer(s, CODE_REGISTRY_OUTDATED,
				BYTES_PB(s->route.recipients[i]->name), RETRY_REGISTRY_MS);
	return 0;
}

int submission_check_schema(struct submission *s)
{
	if (s->rules->version < 1 || s->route.service->n_schema_files == 0 ||
		s->header->n_sealed_recipients != 0)
		return 0;
	if (s->facts->schema == SUBMIT_SCHEMA_BROKEN)
		return submission_refuse_schema(s);
	if (s->facts->schema != SUBMIT_SCHEMA_FOLLOWED)
		return submission_defer(s, CODE_SCHEMA_UNKNOWN, BYTES_PB(s->route.service->name),
			RETRY_REGISTRY_MS);
	return 0;
}

int submission_check_quota(struct submission *s)
{
	const Dienstweg__Agreement *agreement = s->route.agreement;
	if (agreement->quota_messages == 0)
		return 0;
	s->month = quota_month(s->rules->batch_ms);
	int r = total_quota_get(s->rules->state, s->month, BYTES_PB(agreement->id), &s->quota_used);
	if (r < 0)
		return r;
	if (s->quota_used >= agreement->quota_messages)
		return submission_refuse(s, CODE_QUOTA, BYTES_PB(agreement->id));
	return 0;
}

/* Has this recipient room? A message larger than the whole queue may lie in it alone, or it never would. */
static bool has_room(const struct submission *s, const Dienstweg__Party *party,
	const struct total_row *total, uint64_t bytes)
{
	struct total_row max;
	total_queue_max(s->rules->limits, party, &max);
	if (total->first == 0)
		return true;
	return total->first < max.first && total->second + bytes <= max.second;
}

int submission_check_room(struct submission *s)
{
	uint64_t bytes = (uint64_t)s->facts->header_bytes.len + s->facts->content_length;
	for (size_t i = 0; i < s->route.count; i++) {
		struct bytes name = BYTES_PB(s->route.recipients[i]->name);
		uint32_t number;
		int r = rules_party_number(s->rules->state, name, &number);
		if (r == 0 && number == 0)
			r = -EBADMSG;
		if (r == 0)
			r = total_queue_get(s->rules->state, number, &s->totals[i]);
		if (r < 0)
			return r;
		if (!has_room(s, s->route.recipients[i], &s->totals[i], bytes))
			return submission_defer(s, CODE_FULL, name, RETRY_FULL_MS);
		s->ret->recipients[i] = number;
	}
	return 0;
}

int submission_check_row(struct submission *s)
{
	/* Records were one value then; now they go on in chunks, and the route alone bounds how many. */
	if (s->rules->version >= 1)
		return 0;
	size_t size = ROW_OVERHEAD + s->facts->header_bytes.len + s->facts->speaker.len +
		      s->route.agreement->id.len;
	for (size_t i = 0; i < s->route.count; i++)
		size += 2 + s->route.recipients[i]->name.len;
	if (size > ROW_BYTES_MAX)
		return submission_refuse(s, CODE_TOO_MANY, BYTES_PB(s->route.service->name));
	return 0;
}

int submission_check_attachments(struct submission *s)
{
	if (!s->facts->attachments_missing)
		return 0;
	return submission_defer(s, CODE_ATTACHMENTS, none(), RETRY_ATTACHMENTS_MS);
}
