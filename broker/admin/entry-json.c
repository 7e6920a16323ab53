/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Names of members are those of the .proto files where there is one, so that who knows the format can read
 * this without a table of translations.
 */
#include "broker/admin/entry-json.h"

#include "broker/admin/out.h"
#include "broker/audit/words.h"
#include "broker/journal/store.h"
#include "proto/identity/uuid.h"

enum { WORDS_MAX = 4096 };

static void put_words(json_t *object, const struct audit_entry *entry)
{
	char text[WORDS_MAX];
	struct words words;
	words_init(&words, text, sizeof(text));
	words_decision(&words, entry->stub.kind, entry->decision);
	out_put_text(object, "decision", text);
}

static void put_name(json_t *object, const char *name, ProtobufCBinaryData value)
{
	if (value.len > 0)
		out_put_name(object, name, BYTES_PB(value));
}

static void put_hex(json_t *object, const char *name, ProtobufCBinaryData value)
{
	if (value.len > 0)
		out_put_hex(object, name, BYTES_PB(value));
}

json_t *entry_json_brief(uint64_t sequence, const struct stub *stub, const struct audit_entry *entry)
{
	json_t *object = json_object();
	out_put(object, "sequence", sequence);
	out_put_text(object, "kind", audit_kind_name(stub->kind));
	out_put(object, "class", stub->class);
	json_object_set_new(object, "readable", json_boolean(entry != NULL));
	if (!entry)
		return object;
	out_put_time(object, "time", entry->disclosed.batch_ms);
	out_put(object, "registry_version", entry->disclosed.registry_version);
	put_words(object, entry);
	if (!entry->header)
		return object;
	put_name(object, "sender", entry->header->sender);
	put_name(object, "service", entry->header->service);
	put_hex(object, "case", entry->header->case_id);
	return object;
}

/* ---- parts ---- */

json_t *header_json(const Dienstweg__Header *header)
{
	json_t *object = json_object();
	char id[UUID_TEXT_SIZE];
	const char *status = words_status((int)header->status);
	put_name(object, "bus", header->bus);
	if (header->message_id.len == UUID_SIZE) {
		uuid_format(header->message_id.data, id);
		out_put_text(object, "message_id", id);
	}
	out_put_text(object, "kind", words_message_kind((int)header->kind));
	put_name(object, "sender", header->sender);
	put_name(object, "recipient", header->recipient);
	put_name(object, "region", header->region);
	put_name(object, "service", header->service);
	put_hex(object, "case", header->case_id);
	put_hex(object, "in_reply_to", header->in_reply_to);
	out_put_time(object, "created", header->created_ms);
	out_put_time(object, "not_before", header->not_before_ms);
	out_put_time(object, "expires", header->expires_ms);
	put_name(object, "agreement", header->agreement);
	put_name(object, "content_type", header->content_type);
	put_name(object, "schema", header->schema);
	out_put(object, "content_length", header->content_length);
	put_hex(object, "content_hash", header->content_hash);
	put_hex(object, "body_commitment", header->body_commitment);
	json_object_set_new(object, "sealed", json_boolean(header->n_sealed_recipients > 0));
	out_put(object, "attachments", header->n_attachments);
	if (*status)
		out_put_text(object, "status", status);
	out_put(object, "retention", header->retention);
	out_put(object, "priority", header->priority);
	return object;
}

static json_t *acks_json(const struct audit_entry *entry)
{
	static const char *const verdicts[] = {
		[DIENSTWEG__ACK_VERDICT__ACK_CLOSED] = "closed",
		[DIENSTWEG__ACK_VERDICT__ACK_ALREADY] = "already",
		[DIENSTWEG__ACK_VERDICT__ACK_UNKNOWN] = "unknown",
		[DIENSTWEG__ACK_VERDICT__ACK_LATE] = "late",
	};
	json_t *array = json_array();
	for (size_t i = 0; i < entry->batch->n_acks; i++) {
		const Dienstweg__Ack *ack = entry->batch->acks[i];
		json_t *object = json_object();
		out_put(object, "sequence", ack->sequence);
		put_hex(object, "h", ack->h);
		json_object_set_new(object, "accepted", json_boolean(ack->accepted));
		put_name(object, "code", ack->code);
		put_name(object, "text", ack->text);
		if (i < entry->decision->n_verdicts &&
			(size_t)entry->decision->verdicts[i] < ARRAY_LEN(verdicts))
			out_put_text(object, "verdict", verdicts[entry->decision->verdicts[i]]);
		json_array_append_new(array, object);
	}
	return array;
}

static json_t *affected_json(const Dienstweg__Decision *decision)
{
	json_t *array = json_array();
	for (size_t i = 0; i < decision->n_affected; i++) {
		const Dienstweg__Affected *affected = decision->affected[i];
		json_t *object = json_object();
		out_put(object, "sequence", affected->sequence);
		put_name(object, "party", affected->party);
		out_put(object, "attempts", affected->attempts);
		out_put_time(object, "due", affected->due_ms);
		if (affected->strikes > 0)
			out_put(object, "strikes", affected->strikes);
		json_array_append_new(array, object);
	}
	return array;
}

static json_t *signature_json(const struct audit_entry *entry)
{
	/* The core begins with key id, size and index (docs/journal.md); the form was checked on decoding. */
	struct bytes core = entry->disclosed.rest;
	json_t *object = json_object();
	if (core.len < 16 + 4 + 4)
		return object;
	out_put_hex(object, "key_id", BYTES(core.data, 16));
	out_put(object, "size", be32_get(core.data + 16));
	out_put(object, "index", be32_get(core.data + 20));
	return object;
}

static json_t *state_json(const Dienstweg__StateCut *cut)
{
	json_t *object = json_object(), *tables = json_object();
	out_put(object, "size", cut->size);
	out_put_time(object, "batch", cut->batch_ms);
	out_put(object, "from", cut->from);
	for (size_t i = 0; i < cut->n_tables && i < STATE_TABLES; i++) {
		json_t *table = json_object();
		out_put(table, "rows", cut->tables[i]->rows);
		put_hex(table, "digest", cut->tables[i]->digest);
		json_object_set_new(tables, state_table_name((enum state_table)i), table);
	}
	json_object_set_new(object, "tables", tables);
	return object;
}

static json_t *limits_json(const Dienstweg__RulesLimits *limits)
{
	json_t *object = json_object();
	out_put(object, "refusals_per_minute", limits->refusals_per_minute);
	out_put(object, "backoff_min_ms", limits->backoff_min_ms);
	out_put(object, "backoff_max_ms", limits->backoff_max_ms);
	out_put(object, "queue_messages_max", limits->queue_messages_max);
	out_put(object, "queue_bytes_max", limits->queue_bytes_max);
	out_put(object, "attempts_max", limits->attempts_max);
	return object;
}

/* ---- all of it ---- */

static void put_decision(json_t *object, const Dienstweg__Decision *decision)
{
	if (decision->n_recipients > 0) {
		json_t *array = json_array();
		char name[OUT_TEXT_MAX];
		for (size_t i = 0; i < decision->n_recipients; i++)
			json_array_append_new(array,
				json_string(out_name(BYTES_PB(decision->recipients[i]), name)));
		json_object_set_new(object, "recipients", array);
	}
	put_name(object, "agreement", decision->agreement);
	out_put_time(object, "due", decision->due_ms);
	put_name(object, "code", decision->code);
	put_name(object, "field", decision->field);
	put_name(object, "detail", decision->detail);
	put_name(object, "cause", decision->cause);
	if (decision->n_affected > 0)
		json_object_set_new(object, "affected", affected_json(decision));
	if (decision->epoch > 0) {
		out_put(object, "epoch", decision->epoch);
		out_put(object, "signed", decision->marked_size);
		out_put(object, "account", decision->account);
	}
	put_name(object, "trusted", decision->trusted);
	put_name(object, "software", decision->software);
	put_hex(object, "config_digest", decision->config_digest);
	if (decision->state)
		json_object_set_new(object, "state", state_json(decision->state));
	if (decision->limits)
		json_object_set_new(object, "limits", limits_json(decision->limits));
}

void cancel_json_put(json_t *object, const Dienstweg__CancelBatch *batch)
{
	json_t *array = json_array();
	for (size_t i = 0; i < batch->n_items; i++) {
		const Dienstweg__CancelItem *item = batch->items[i];
		json_t *one = json_object();
		char id[UUID_TEXT_SIZE];
		if (item->message_id.len == UUID_SIZE) {
			uuid_format(item->message_id.data, id);
			json_object_set_new(one, "message_id", json_string(id));
		}
		put_name(one, "recipient", item->recipient);
		json_array_append_new(array, one);
	}
	put_name(object, "sender", batch->sender);
	json_object_set_new(object, "cancellations", array);
}

json_t *entry_json(const struct audit_entry *entry)
{
	json_t *object = entry_json_brief(entry->sequence, &entry->stub, entry);
	char name[OUT_TEXT_MAX];
	struct bytes speaker = audit_entry_speaker(entry);
	out_put(object, "rules_version", entry->decision->rules_version);
	out_put_hex(object, "commitment", BYTES(entry->stub.commitment, HASH_SIZE));
	out_put_hex(object, "nonce", BYTES_PB(entry->row->nonce));
	out_put_hex(object, "digest", BYTES(entry->disclosed.digest, HASH_SIZE));
	if (speaker.len > 0)
		out_put_text(object, "speaker", out_name(speaker, name));
	put_decision(object, entry->decision);
	if (entry->header)
		json_object_set_new(object, "header", header_json(entry->header));
	if (entry->stub.kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED)
		json_object_set_new(object, "signature", signature_json(entry));
	if (entry->batch) {
		put_name(object, "recipient", entry->batch->recipient);
		json_object_set_new(object, "acknowledgements", acks_json(entry));
	}
	if (entry->cancel)
		cancel_json_put(object, entry->cancel);
	return object;
}
