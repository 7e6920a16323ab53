/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The tables that tell libcyaml the shape of the four files. Every value is a word here, because a number
 * that libcyaml refuses comes without a line and without a remedy.
 */
#include "conf/source-yaml.h"

enum { MANY = 20000, FEW = 64 };

#define WORD(key, type, member)                                                                    \
	CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER, type, member, 0, CYAML_UNLIMITED)
#define OPTIONAL_WORD(key, type, member)                                                           \
	CYAML_FIELD_STRING_PTR(                                                                    \
		key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, member, 0, CYAML_UNLIMITED)
#define LIST(key, type, member, entry, max)                                                        \
	CYAML_FIELD_SEQUENCE(                                                                      \
		key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, member, &(entry), 0, max)
#define WORDS(key, type, member, max)                                                              \
	CYAML_FIELD_SEQUENCE_COUNT(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type,            \
		member.items, member.count, &word, 0, max)
#define ENTRY(type, fields)                                                                        \
	{                                                                                          \
		CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, type, fields)                              \
	}
#define FILE_OF(type, fields)                                                                      \
	{                                                                                          \
		CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, type, fields)                              \
	}

static const cyaml_schema_value_t word = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 0, CYAML_UNLIMITED)};

static const cyaml_schema_field_t key_fields[] = {WORD("file", struct yaml_key, file),
	OPTIONAL_WORD("id", struct yaml_key, id), OPTIONAL_WORD("use", struct yaml_key, use),
	OPTIONAL_WORD("state", struct yaml_key, state),
	OPTIONAL_WORD("suspect_from", struct yaml_key, suspect_from), CYAML_FIELD_END};
static const cyaml_schema_value_t key = ENTRY(struct yaml_key, key_fields);

static const cyaml_schema_field_t root_fields[] = {WORD("name", struct yaml_root, name),
	LIST("keys", struct yaml_root, keys, key, FEW), CYAML_FIELD_END};
static const cyaml_schema_value_t root = ENTRY(struct yaml_root, root_fields);

static const cyaml_schema_field_t class_fields[] = {WORD("number", struct yaml_class, number),
	WORD("name", struct yaml_class, name), WORD("content_days", struct yaml_class, content_days),
	WORD("record_days", struct yaml_class, record_days), CYAML_FIELD_END};
static const cyaml_schema_value_t class = ENTRY(struct yaml_class, class_fields);

static const cyaml_schema_field_t bus_fields[] = {WORD("bus", struct yaml_bus, bus),
	WORD("stale_after", struct yaml_bus, stale_after),
	OPTIONAL_WORD("witness_quorum", struct yaml_bus, witness_quorum),
	LIST("keys", struct yaml_bus, keys, key, FEW),
	LIST("roots", struct yaml_bus, roots, root, FEW),
	LIST("witnesses", struct yaml_bus, witnesses, root, FEW),
	LIST("classes", struct yaml_bus, classes, class, FEW), CYAML_FIELD_END};
const cyaml_schema_value_t source_bus_schema = FILE_OF(struct yaml_bus, bus_fields);

static const cyaml_schema_field_t identifier_fields[] = {
	WORD("scheme", struct yaml_identifier, scheme),
	WORD("value", struct yaml_identifier, value), CYAML_FIELD_END};
static const cyaml_schema_value_t identifier = ENTRY(struct yaml_identifier, identifier_fields);

static const cyaml_schema_field_t party_fields[] = {WORD("name", struct yaml_party, name),
	OPTIONAL_WORD("title", struct yaml_party, title),
	OPTIONAL_WORD("operated_by", struct yaml_party, operated_by),
	OPTIONAL_WORD("queue_messages", struct yaml_party, queue_messages),
	OPTIONAL_WORD("queue_bytes", struct yaml_party, queue_bytes),
	LIST("identifiers", struct yaml_party, identifiers, identifier, FEW),
	LIST("keys", struct yaml_party, keys, key, FEW), CYAML_FIELD_END};
static const cyaml_schema_value_t party = ENTRY(struct yaml_party, party_fields);
static const cyaml_schema_field_t parties_fields[] = {
	LIST("parties", struct yaml_parties, parties, party, MANY), CYAML_FIELD_END};
const cyaml_schema_value_t source_parties_schema = FILE_OF(struct yaml_parties, parties_fields);

static const cyaml_schema_field_t schema_fields[] = {WORD("form", struct yaml_schema, form),
	OPTIONAL_WORD("root", struct yaml_schema, root),
	WORDS("files", struct yaml_schema, files, FEW), CYAML_FIELD_END};
static const cyaml_schema_field_t service_fields[] = {WORD("name", struct yaml_service, name),
	OPTIONAL_WORD("title", struct yaml_service, title),
	OPTIONAL_WORD("dvdv_prefix", struct yaml_service, dvdv_prefix),
	OPTIONAL_WORD("confidentiality", struct yaml_service, confidentiality),
	WORD("retention", struct yaml_service, retention),
	OPTIONAL_WORD("attempts", struct yaml_service, attempts),
	OPTIONAL_WORD("overdue", struct yaml_service, overdue),
	OPTIONAL_WORD("warn", struct yaml_service, warn),
	OPTIONAL_WORD("event", struct yaml_service, event),
	OPTIONAL_WORD("pattern", struct yaml_service, pattern),
	OPTIONAL_WORD("answer_within", struct yaml_service, answer_within),
	OPTIONAL_WORD("pending", struct yaml_service, pending),
	WORDS("message_types", struct yaml_service, message_types, MANY),
	CYAML_FIELD_MAPPING_PTR("schema", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
		struct yaml_service, schema, schema_fields),
	CYAML_FIELD_END};
static const cyaml_schema_value_t service = ENTRY(struct yaml_service, service_fields);
static const cyaml_schema_field_t services_fields[] = {
	LIST("services", struct yaml_services, services, service, MANY), CYAML_FIELD_END};
const cyaml_schema_value_t source_services_schema = FILE_OF(struct yaml_services, services_fields);

static const cyaml_schema_field_t flow_fields[] = {
	WORDS("services", struct yaml_flow, services, MANY),
	WORDS("from", struct yaml_flow, from, MANY), WORD("to", struct yaml_flow, to),
	WORDS("regions", struct yaml_flow, regions, MANY), CYAML_FIELD_END};
static const cyaml_schema_value_t flow = ENTRY(struct yaml_flow, flow_fields);

static const cyaml_schema_field_t contact_fields[] = {WORD("party", struct yaml_contact, party),
	WORD("role", struct yaml_contact, role), CYAML_FIELD_END};
static const cyaml_schema_value_t contact = ENTRY(struct yaml_contact, contact_fields);

static const cyaml_schema_field_t agreement_fields[] = {WORD("id", struct yaml_agreement, id),
	OPTIONAL_WORD("title", struct yaml_agreement, title),
	OPTIONAL_WORD("legal_basis", struct yaml_agreement, legal_basis),
	WORD("first_day", struct yaml_agreement, first_day),
	OPTIONAL_WORD("last_day", struct yaml_agreement, last_day),
	OPTIONAL_WORD("quota_per_month", struct yaml_agreement, quota_per_month),
	LIST("flows", struct yaml_agreement, flows, flow, MANY),
	LIST("contacts", struct yaml_agreement, contacts, contact, FEW), CYAML_FIELD_END};
static const cyaml_schema_value_t agreement = ENTRY(struct yaml_agreement, agreement_fields);
static const cyaml_schema_field_t agreements_fields[] = {
	LIST("agreements", struct yaml_agreements, agreements, agreement, MANY), CYAML_FIELD_END};
const cyaml_schema_value_t source_agreements_schema = FILE_OF(
	struct yaml_agreements, agreements_fields);
