/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "conf/yaml-file.h"

/*
 * The source as libcyaml loads it: words and lists of words, in the shape of the files. What the words
 * mean is decided in source-*.c, where a complaint knows its line. Absent words are NULL.
 */
struct words {
	char **items;
	unsigned int count;
};

struct yaml_key {
	char *file;
	char *id;
	char *use;
	char *state;
	char *suspect_from;
};

struct yaml_root {
	char *name;
	struct yaml_key *keys;
	unsigned int keys_count;
};

struct yaml_class {
	char *number;
	char *name;
	char *content_days;
	char *record_days;
};

struct yaml_bus {
	char *bus;
	char *stale_after;
	char *witness_quorum;
	struct yaml_key *keys;
	unsigned int keys_count;
	struct yaml_root *roots;
	unsigned int roots_count;
	struct yaml_root *witnesses;
	unsigned int witnesses_count;
	struct yaml_class *classes;
	unsigned int classes_count;
};

struct yaml_identifier {
	char *scheme;
	char *value;
};

struct yaml_party {
	char *name;
	char *title;
	char *operated_by;
	char *queue_messages;
	char *queue_bytes;
	struct yaml_identifier *identifiers;
	unsigned int identifiers_count;
	struct yaml_key *keys;
	unsigned int keys_count;
};

struct yaml_parties {
	struct yaml_party *parties;
	unsigned int parties_count;
};

struct yaml_schema {
	char *form;
	char *root;
	struct words files;
};

struct yaml_service {
	char *name;
	char *title;
	char *dvdv_prefix;
	char *confidentiality;
	char *retention;
	char *attempts;
	char *overdue;
	char *warn;
	char *event;
	char *pattern;
	char *answer_within;
	char *pending;
	struct words message_types;
	struct yaml_schema *schema; /* NULL: none */
};

struct yaml_services {
	struct yaml_service *services;
	unsigned int services_count;
};

struct yaml_flow {
	struct words services;
	struct words from;
	char *to;
	struct words regions;
};

struct yaml_contact {
	char *party;
	char *role;
};

struct yaml_agreement {
	char *id;
	char *title;
	char *legal_basis;
	char *first_day;
	char *last_day;
	char *quota_per_month;
	struct yaml_flow *flows;
	unsigned int flows_count;
	struct yaml_contact *contacts;
	unsigned int contacts_count;
};

struct yaml_agreements {
	struct yaml_agreement *agreements;
	unsigned int agreements_count;
};

extern const cyaml_schema_value_t source_bus_schema;        /* struct yaml_bus */
extern const cyaml_schema_value_t source_parties_schema;    /* struct yaml_parties */
extern const cyaml_schema_value_t source_services_schema;   /* struct yaml_services */
extern const cyaml_schema_value_t source_agreements_schema; /* struct yaml_agreements */
