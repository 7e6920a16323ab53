/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The header is the only part of a message that the broker acts on, so it is read strictly and by one
 * function for everybody: broker, adapters, audit. The rules on single fields are a table in the order of
 * envelope.proto; the first field at fault is named. Only form is judged. Whether a party, a key or an
 * agreement exists is a question to the registry at a sequence, and the same bytes must have the same
 * form years later.
 */
#include <errno.h>
#include <stddef.h>

#include "proto/base/text.h"
#include "proto/envelope/envelope.h"
#include "proto/envelope/wire.h"
#include "proto/identity/key.h"
#include "proto/identity/uuid.h"

enum {
	HEADER_ATTACHMENTS = 21, /* field number */
	CASE_ID_SIZE = 16,
	TEXT_BYTES_MAX = 127,
	REGION_DIGITS_MIN = 2,
	REGION_DIGITS_MAX = 12,
	PRIORITY_MAX = 2,
	RETENTION_MAX = 16,
};

static const uint64_t time_ms_max = UINT64_C(253402300799999); /* the end of the year 9999 */

static int fault(const char **ret_field, const char *field, int verdict)
{
	*ret_field = field;
	return verdict;
}

static bool is_text(struct bytes value)
{
	for (size_t i = 0; i < value.len; i++) {
		if (value.data[i] < ' ' || value.data[i] > '~')
			return false;
	}
	return value.len <= TEXT_BYTES_MAX;
}

static bool is_region(struct bytes value)
{
	for (size_t i = 0; i < value.len; i++) {
		if (value.data[i] < '0' || value.data[i] > '9')
			return false;
	}
	return value.len >= REGION_DIGITS_MIN && value.len <= REGION_DIGITS_MAX;
}

static bool is_case_id(struct bytes value)
{
	return value.len == CASE_ID_SIZE;
}

static bool is_hash(struct bytes value)
{
	return value.len == HASH_SIZE;
}

struct rule {
	const char *field;
	size_t offset;
	bool (*form)(struct bytes value);
	bool required;
};

#define RULE(name, is_form, is_required)                                                           \
	{                                                                                          \
		.field = #name, .offset = offsetof(Dienstweg__Header, name), .form = (is_form),    \
		.required = (is_required)                                                          \
	}

static const struct rule rules[] = {
	RULE(bus, text_is_name, true),
	RULE(message_id, uuid_is_v7, true),
	RULE(sender, text_is_name, true),
	RULE(recipient, text_is_name, false),
	RULE(region, is_region, false),
	RULE(service, text_is_name, true),
	RULE(case_id, is_case_id, true),
	RULE(in_reply_to, is_hash, false),
	RULE(agreement, text_is_name, false),
	RULE(content_type, is_text, true),
	RULE(schema, is_text, false),
	RULE(content_hash, is_hash, true),
	RULE(body_commitment, is_hash, true),
};

static int check_bytes(const Dienstweg__Header *header, const char **ret_field)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		const struct rule *rule = &rules[i];
		const ProtobufCBinaryData *value = (const void *)((const uint8_t *)header +
								  rule->offset);
		if (value->len == 0 && rule->required)
			return fault(ret_field, rule->field, ENVELOPE_MISSING);
		if (value->len > 0 && !rule->form(BYTES_PB(*value)))
			return fault(ret_field, rule->field, ENVELOPE_MALFORMED);
	}
	return 0;
}

static int check_numbers(const Dienstweg__Header *header, const char **ret_field)
{
	if (header->kind == DIENSTWEG__KIND__KIND_UNSPECIFIED)
		return fault(ret_field, "kind", ENVELOPE_MISSING);
	if ((uint32_t)header->kind > DIENSTWEG__KIND__KIND_ANSWER)
		return fault(ret_field, "kind", ENVELOPE_MALFORMED);
	if (header->content_length == 0)
		return fault(ret_field, "content_length", ENVELOPE_MISSING);
	if (header->content_length > CONTENT_BYTES_MAX)
		return fault(ret_field, "content_length", ENVELOPE_TOO_LARGE);
	if ((uint32_t)header->status > DIENSTWEG__STATUS__STATUS_CLOSED)
		return fault(ret_field, "status", ENVELOPE_MALFORMED);
	if ((uint32_t)header->channel > DIENSTWEG__CHANNEL__CHANNEL_PHONE)
		return fault(ret_field, "channel", ENVELOPE_MALFORMED);
	if (header->retention > RETENTION_MAX)
		return fault(ret_field, "retention", ENVELOPE_MALFORMED);
	if (header->priority > PRIORITY_MAX)
		return fault(ret_field, "priority", ENVELOPE_MALFORMED);
	return 0;
}

/* An event goes to subscribers; everything else to a recipient or to whoever serves a region. */
static int check_address(const Dienstweg__Header *header, const char **ret_field)
{
	bool recipient = header->recipient.len > 0, region = header->region.len > 0;
	bool event = header->kind == DIENSTWEG__KIND__KIND_EVENT;
	if (recipient && region)
		return fault(ret_field, "region", ENVELOPE_MALFORMED);
	if (!recipient && !region && !event)
		return fault(ret_field, "recipient", ENVELOPE_MISSING);
	if ((recipient || region) && event)
		return fault(ret_field, recipient ? "recipient" : "region", ENVELOPE_MALFORMED);
	return 0;
}

static int check_times(const Dienstweg__Header *header, const char **ret_field)
{
	if (header->created_ms == 0)
		return fault(ret_field, "created_ms", ENVELOPE_MISSING);
	if (header->created_ms > time_ms_max)
		return fault(ret_field, "created_ms", ENVELOPE_MALFORMED);
	if (header->not_before_ms > time_ms_max)
		return fault(ret_field, "not_before_ms", ENVELOPE_MALFORMED);
	if (header->expires_ms == 0)
		return 0;
	if (header->expires_ms > time_ms_max || header->expires_ms <= header->created_ms ||
		header->expires_ms <= header->not_before_ms)
		return fault(ret_field, "expires_ms", ENVELOPE_MALFORMED);
	return 0;
}

static int check_sealed_recipients(const Dienstweg__Header *header, const char **ret_field)
{
	if (header->n_sealed_recipients > SEALED_RECIPIENTS_MAX)
		return fault(ret_field, "sealed_recipients", ENVELOPE_TOO_LARGE);
	for (size_t i = 0; i < header->n_sealed_recipients; i++) {
		struct bytes id = BYTES_PB(header->sealed_recipients[i]);
		if (id.len != KEY_ID_SIZE)
			return fault(ret_field, "sealed_recipients", ENVELOPE_MALFORMED);
		for (size_t j = 0; j < i; j++) {
			if (bytes_equal(id, BYTES_PB(header->sealed_recipients[j])))
				return fault(ret_field, "sealed_recipients", ENVELOPE_MALFORMED);
		}
	}
	return 0;
}

static int check_attachments(const Dienstweg__Header *header, const char **ret_field)
{
	if (header->n_attachments > ATTACHMENTS_MAX)
		return fault(ret_field, "attachments", ENVELOPE_TOO_LARGE);
	for (size_t i = 0; i < header->n_attachments; i++) {
		const Dienstweg__Attachment *attachment = header->attachments[i];
		if (attachment->digest.len != HASH_SIZE || attachment->size == 0)
			return fault(ret_field, "attachments", ENVELOPE_MALFORMED);
		if (attachment->size > ATTACHMENT_BYTES_MAX)
			return fault(ret_field, "attachments", ENVELOPE_TOO_LARGE);
	}
	return 0;
}

/* Everything that protobuf-c would forgive. */
static int check_wire(struct bytes bytes, const char **ret_field)
{
	struct bytes attachment;
	const char *field;
	if (wire_check(&dienstweg__header__descriptor, bytes, &field) != 0)
		return fault(ret_field, field[0] ? field : "header", ENVELOPE_MALFORMED);
	for (size_t i = 0; wire_field(bytes, HEADER_ATTACHMENTS, i, &attachment) == 0; i++) {
		if (i == ATTACHMENTS_MAX)
			return fault(ret_field, "attachments", ENVELOPE_TOO_LARGE);
		if (wire_check(&dienstweg__attachment__descriptor, attachment, &field) != 0)
			return fault(ret_field, "attachments", ENVELOPE_MALFORMED);
	}
	return 0;
}

static int check_header(const Dienstweg__Header *header, const char **ret_field)
{
	if (header->version != 0)
		return fault(ret_field, "version", ENVELOPE_MALFORMED);
	int r = check_bytes(header, ret_field);
	if (r == 0)
		r = check_numbers(header, ret_field);
	if (r == 0)
		r = check_address(header, ret_field);
	if (r == 0)
		r = check_times(header, ret_field);
	if (r == 0)
		r = check_sealed_recipients(header, ret_field);
	if (r == 0)
		r = check_attachments(header, ret_field);
	return r;
}

int envelope_header_parse(
	struct arena *arena, struct bytes header, Dienstweg__Header **ret, const char **ret_field)
{
	if (header.len > HEADER_BYTES_MAX)
		return fault(ret_field, "header", ENVELOPE_TOO_LARGE);
	int r = check_wire(header, ret_field);
	if (r != 0)
		return r;
	Dienstweg__Header *parsed = dienstweg__header__unpack(
		arena_allocator(arena), header.len, header.data);
	if (!parsed)
		return -ENOMEM;
	r = check_header(parsed, ret_field);
	if (r == 0)
		*ret = parsed;
	return r;
}
