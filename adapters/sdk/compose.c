/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Sealing needs to know whom the broker will route the message to, so the sender asks the same resolve()
 * under its own registry. When the two registries differ the broker says `registry-outdated`, and the
 * message is composed again: same ids, new header. That is safe only because a deferred message was never
 * recorded.
 */
#include "adapters/sdk/compose.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "proto/envelope/envelope.h"

static ProtobufCBinaryData pb(struct bytes view)
{
	return (ProtobufCBinaryData){.len = view.len, .data = (uint8_t *)(uintptr_t)view.data};
}

static int resolve(const struct composer *composer, const Dienstweg__Header *header,
	struct resolve_result *ret, char *reterr, size_t size)
{
	struct resolve_query query = {
		.sender = BYTES_PB(header->sender),
		.recipient = BYTES_PB(header->recipient),
		.region = BYTES_PB(header->region),
		.service = BYTES_PB(header->service),
		.agreement = BYTES_PB(header->agreement),
		.answer = header->kind == DIENSTWEG__KIND__KIND_ANSWER,
		.at_ms = clock_wall_ms(composer->clock),
	};
	if (registry_resolve(composer->registry, &query, ret) == RESOLVE_OK)
		return 0;
	snprintf(reterr, size, "%s: %s (%s)", ret->field, ret->detail, ret->code);
	return DW_UNROUTABLE;
}

static int seal_keys(const struct resolve_result *route, struct sealing_recipient *keys,
	char *reterr, size_t size)
{
	static_assert(
		(int)SEALED_RECIPIENTS_MAX >= (int)RESOLVE_MAX, "all recipients can be sealed for");
	for (size_t i = 0; i < route->count; i++) {
		const Dienstweg__Party *party = route->recipients[i];
		const Dienstweg__Key *key = registry_party_key(party, KEY_SEAL);
		if (!key) {
			snprintf(reterr,
				size, "recipient: %.*s has no active seal key: the registrar must enter one",
				(int)party->name.len, (const char *)party->name.data);
			return DW_UNROUTABLE;
		}
		memcpy(keys[i].key_id, key->id.data, KEY_ID_SIZE);
		memcpy(keys[i].public, key->public_.data, BOX_KEY_SIZE);
	}
	return 0;
}

/* What its recipient would send back is found before it leaves. */
static int body_check(const struct composer *composer, struct bytes service, struct bytes body,
	char *reterr, size_t size)
{
	struct schema_fault fault;
	int r = schemas_check(composer->schemas, composer->registry, service, body, &fault);
	switch (r) {
	case SCHEMA_FAULT:
		snprintf(reterr, size,
			"body: the document does not follow the schema of its service: %s%sit %s",
			fault.field, fault.field[0] ? ": " : "", fault.reason);
		return DW_INVALID;
	case SCHEMA_ABSENT:
		snprintf(reterr, size,
			"service: the schema that the registry pins is not in the folder "
			"`schemas`: put it "
			"there and start anew");
		return DW_UNROUTABLE;
	default:
		return r;
	}
}

static int content_make(struct composer *composer, Dienstweg__Header *header,
	const struct sealing_content *content, struct composed *ret, char *reterr, size_t size)
{
	struct sealing_recipient keys[SEALED_RECIPIENTS_MAX];
	struct resolve_result route;
	int r = resolve(composer, header, &route, reterr, size);
	if (r)
		return r;
	r = body_check(composer, BYTES_PB(route.service->name), content->body, reterr, size);
	if (r)
		return r;
	ret->sealed = route.service->confidentiality ==
		      DIENSTWEG__CONFIDENTIALITY__CONFIDENTIALITY_END_TO_END;
	if (ret->sealed)
		r = seal_keys(&route, keys, reterr, size);
	if (r)
		return r;
	r = sealing_seal_content(composer->batch, header, content, keys,
		ret->sealed ? route.count : 0, composer->arena, &ret->content);
	if (r <= 0)
		return r;
	snprintf(reterr, size,
		r == SEALING_TOO_LARGE
			? "body: sealed it would exceed 256 KiB: send a smaller document, or it as "
			  "an attachment"
			: "recipient: a seal key of the registry is no curve point: tell the "
			  "registrar");
	return r == SEALING_TOO_LARGE ? DW_INVALID : DW_UNROUTABLE;
}

static uint64_t place_of(const Dienstweg__Header *header)
{
	uint8_t hash[HASH_SIZE];
	struct blake2b state;
	blake2b_init(&state, BYTES(NULL, 0));
	blake2b_add(&state, BYTES_PB(header->recipient));
	blake2b_add(&state, BYTES("\0", 1));
	blake2b_add(&state, BYTES_PB(header->region));
	blake2b_add(&state, BYTES("\0", 1));
	blake2b_add(&state, BYTES_PB(header->service));
	blake2b_finish(&state, hash);
	return be64_get(hash);
}

/* The header's bytes are made here, once; from now on only these count. */
static int header_make(struct composer *composer, const Dienstweg__Header *header,
	struct composed *ret, char *reterr, size_t size)
{
	Dienstweg__Header *parsed;
	const char *field = "";
	size_t len = dienstweg__header__get_packed_size(header);
	uint8_t *buf = arena_alloc(composer->arena, len);
	if (!buf)
		return -ENOMEM;
	dienstweg__header__pack(header, buf);
	ret->header = BYTES(buf, len);
	int r = envelope_header_parse(composer->arena, ret->header, &parsed, &field);
	if (r < 0)
		return r;
	if (r > 0) {
		snprintf(reterr, size, "%s: not of the form that a header must have (%s)", field,
			envelope_verdict_code(r));
		return DW_INVALID;
	}
	envelope_header_hash(ret->header, ret->h);
	ret->place = place_of(header);
	return 0;
}

static int finish(struct composer *composer, Dienstweg__Header *header,
	const struct sealing_content *content, struct composed *ret, char *reterr, size_t size)
{
	ret->attachments = content->attachments;
	int r = content_make(composer, header, content, ret, reterr, size);
	return r ? r : header_make(composer, header, ret, reterr, size);
}

static void ids_make(
	struct composer *composer, const struct dw_message *message, struct composed *ret)
{
	uuid_next(composer->ids, clock_wall_ms(composer->clock), ret->message_id);
	if (message->case_id)
		memcpy(ret->case_id, message->case_id, CASE_ID_SIZE);
	else
		random_fill(ret->case_id, CASE_ID_SIZE);
}

/* What header and content say of them. */
static int attachments_put(struct composer *composer, const struct sealed_attachment *sealed,
	size_t count, Dienstweg__Header *header, struct bytes *ret_keys)
{
	struct attachment_key keys[ATTACHMENTS_MAX];
	Dienstweg__Attachment *all = arena_alloc(composer->arena, count * sizeof(*all));
	header->attachments = arena_alloc(composer->arena, count * sizeof(header->attachments[0]));
	header->n_attachments = count;
	if (!all || !header->attachments)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		keys[i] = sealed[i].key;
		dienstweg__attachment__init(&all[i]);
		all[i].digest = pb(BYTES(sealed[i].digest, HASH_SIZE));
		all[i].size = sealed[i].size;
		header->attachments[i] = &all[i];
	}
	int r = attachment_keys_encode(keys, count, composer->arena, ret_keys);
	secret_wipe(keys, sizeof(keys));
	return r;
}

int compose_message(struct composer *composer, const struct dw_message *message,
	const struct sealed_attachment *sealed, struct composed *ret, char *reterr, size_t size)
{
	Dienstweg__Header header = DIENSTWEG__HEADER__INIT;
	struct sealing_content content = {.body = message->body};
	ids_make(composer, message, ret);
	header.bus = pb(composer->bus);
	header.message_id = pb(BYTES(ret->message_id, UUID_SIZE));
	header.kind = (Dienstweg__Kind)message->kind;
	header.sender = pb(message->sender);
	header.recipient = pb(message->recipient);
	header.region = pb(message->region);
	header.service = pb(message->service);
	header.case_id = pb(BYTES(ret->case_id, CASE_ID_SIZE));
	if (message->in_reply_to)
		header.in_reply_to = pb(BYTES(message->in_reply_to, HASH_SIZE));
	header.created_ms = clock_wall_ms(composer->clock);
	header.not_before_ms = message->not_before_ms;
	header.expires_ms = message->expires_ms;
	header.content_type = pb(message->content_type);
	header.schema = pb(message->schema);
	header.status = (Dienstweg__Status)message->status;
	header.channel = (Dienstweg__Channel)message->channel;
	header.priority = message->priority;
	if (message->attachments_count > 0) {
		int r = attachments_put(composer, sealed, message->attachments_count, &header,
			&content.attachments);
		if (r)
			return r;
	}
	return finish(composer, &header, &content, ret, reterr, size);
}

int compose_again(struct composer *composer, struct bytes header,
	const struct sealing_content *content, struct composed *ret, char *reterr, size_t size)
{
	Dienstweg__Header *parsed;
	const char *field;
	int r = envelope_header_parse(composer->arena, header, &parsed, &field);
	if (r)
		return r < 0 ? r : -EBADMSG; /* we wrote it */
	memcpy(ret->message_id, parsed->message_id.data, UUID_SIZE);
	memcpy(ret->case_id, parsed->case_id.data, CASE_ID_SIZE);
	return finish(composer, parsed, content, ret, reterr, size);
}
