/* SPDX-License-Identifier: EUPL-1.2 */

/* Field names are those of the source, so that who reads one can read the other. */
#include "conf/cli/registry-json.h"

#include <stdio.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"

static json_t *word(ProtobufCBinaryData text)
{
	return json_stringn(
		text.len ? (const char *)text.data : "", text.len); /* absent has no data */
}

static json_t *words(const ProtobufCBinaryData *list, size_t count)
{
	json_t *array = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, word(list[i]));
	return array;
}

static json_t *time_text(uint64_t ms)
{
	char text[25];
	clock_format_utc(ms, text);
	return json_string(text);
}

static json_t *day_text(uint64_t ms)
{
	char text[25];
	clock_format_utc(ms, text);
	return json_stringn(text, 10);
}

static json_t *key_json(const Dienstweg__Key *key)
{
	static const char *const states[] = {"active", "retired", "revoked"};
	char id[2 * KEY_ID_SIZE + 1];
	text_hex(BYTES_PB(key->id), id);
	return json_pack("{s:s, s:s, s:s, s:I}", "id", id, "use",
		key_use_name((enum key_use)key->use), "state", states[key->state], "suspect_from",
		(json_int_t)key->suspect_from);
}

static json_t *keys_json(Dienstweg__Key *const *keys, size_t count)
{
	json_t *array = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, key_json(keys[i]));
	return array;
}

static json_t *party_json(const Dienstweg__Party *party)
{
	json_t *identifiers = json_array();
	for (size_t i = 0; i < party->n_identifiers; i++)
		json_array_append_new(identifiers,
			json_pack("{s:o, s:o}", "scheme", word(party->identifiers[i]->scheme),
				"value", word(party->identifiers[i]->value)));
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "name", word(party->name), "title",
		word(party->title), "operated_by", word(party->operated_by), "identifiers",
		identifiers, "keys", keys_json(party->keys, party->n_keys));
}

static json_t *schema_json(const Dienstweg__Service *service)
{
	if (service->n_schema_files == 0)
		return json_null();
	json_t *files = json_array();
	for (size_t i = 0; i < service->n_schema_files; i++) {
		const Dienstweg__SchemaFile *file = service->schema_files[i];
		char digest[2 * HASH_SIZE + 1];
		text_hex(BYTES_PB(file->digest), digest);
		json_array_append_new(
			files, json_pack("{s:o, s:s}", "name", word(file->name), "sha256", digest));
	}
	return json_pack("{s:s, s:o, s:o}", "form",
		service->schema_form == DIENSTWEG__SCHEMA_FORM__SCHEMA_FORM_XSD ? "xsd" : "protobuf",
		"root", word(service->schema_root), "files", files);
}

static json_t *service_json(const Dienstweg__Service *service)
{
	bool enquiry = service->pattern == DIENSTWEG__PATTERN__PATTERN_ENQUIRY;
	return json_pack("{s:o, s:o, s:o, s:s, s:i, s:b, s:o, s:o, s:s, s:i, s:i}", "name",
		word(service->name), "title", word(service->title), "dvdv_prefix",
		word(service->dvdv_prefix), "confidentiality",
		service->confidentiality ? "broker-readable" : "end-to-end", "retention",
		(int)service->retention, "event", (int)service->event, "message_types",
		words(service->message_types, service->n_message_types), "schema",
		schema_json(service), "pattern", enquiry ? "enquiry" : "free", "answer_seconds",
		(int)service->answer_s, "pending", (int)service->pending_max);
}

static json_t *flow_json(const Dienstweg__Flow *flow)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "services",
		words(flow->services, flow->n_services), "from", words(flow->from, flow->n_from),
		"to", word(flow->to), "regions", words(flow->regions, flow->n_regions));
}

static json_t *agreement_json(const Dienstweg__Agreement *agreement)
{
	json_t *flows = json_array(), *contacts = json_array();
	json_t *last = agreement->valid_until_ms ? day_text(agreement->valid_until_ms - 1)
						 : json_null();
	for (size_t i = 0; i < agreement->n_flows; i++)
		json_array_append_new(flows, flow_json(agreement->flows[i]));
	for (size_t i = 0; i < agreement->n_contacts; i++)
		json_array_append_new(contacts,
			json_pack("{s:o, s:o}", "party", word(agreement->contacts[i]->party),
				"role", word(agreement->contacts[i]->role)));
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id", word(agreement->id), "title",
		word(agreement->title), "legal_basis", word(agreement->legal_basis), "first_day",
		day_text(agreement->valid_from_ms), "last_day", last, "flows", flows, "contacts",
		contacts);
}

static json_t *roots_json(struct bytes bytes, const Dienstweg__RegistryContent *content)
{
	json_t *array = json_array();
	for (size_t i = 0; i < content->n_roots; i++) {
		const Dienstweg__Root *root = content->roots[i];
		struct note_key key;
		bool signed_by = note_key_init(&key, BYTES_PB(root->name),
					 root->key->public_.data) == 0 &&
				 registry_signed_by(bytes, &key);
		json_array_append_new(
			array, json_pack("{s:o, s:o, s:b}", "name", word(root->name), "key",
				       key_json(root->key), "signed", (int)signed_by));
	}
	return array;
}

static json_t *classes_json(const Dienstweg__RegistryContent *content)
{
	json_t *array = json_array();
	for (size_t i = 0; i < content->n_classes; i++) {
		const Dienstweg__RetentionClass *class = content->classes[i];
		json_array_append_new(array,
			json_pack("{s:i, s:o, s:i, s:i}", "number", (int)class->number, "name",
				word(class->name), "content_days", (int)class->content_days,
				"record_days", (int)class->record_days));
	}
	return array;
}

json_t *registry_json(struct bytes bytes, const struct registry_head *head,
	const Dienstweg__RegistryContent *content, bool verified)
{
	json_t *parties = json_array(), *services = json_array(), *agreements = json_array();
	for (size_t i = 0; i < content->n_parties; i++)
		json_array_append_new(parties, party_json(content->parties[i]));
	for (size_t i = 0; i < content->n_services; i++)
		json_array_append_new(services, service_json(content->services[i]));
	for (size_t i = 0; i < content->n_agreements; i++)
		json_array_append_new(agreements, agreement_json(content->agreements[i]));
	return json_pack("{s:s, s:I, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "bus",
		head->bus, "version", (json_int_t)head->version, "issued",
		time_text(head->issued_ms), "stale_after", time_text(head->stale_after_ms),
		"verified", (int)verified, "roots", roots_json(bytes, content), "bus_keys",
		keys_json(content->bus_keys, content->n_bus_keys), "classes", classes_json(content),
		"parties", parties, "services", services, "agreements", agreements);
}

json_t *registry_route_json(const struct resolve_result *result, int verdict)
{
	json_t *recipients = json_array();
	if (verdict)
		return json_pack("{s:o, s:s, s:s, s:s}", "recipients", recipients, "code",
			result->code, "field", result->field, "detail", result->detail);
	for (size_t i = 0; i < result->count; i++)
		json_array_append_new(recipients, word(result->recipients[i]->name));
	return json_pack(
		"{s:o, s:o}", "recipients", recipients, "agreement", word(result->agreement->id));
}
