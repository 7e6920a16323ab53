/* SPDX-License-Identifier: EUPL-1.2 */

/* parties.yaml: who is on the bus, with which keys, under which official identifiers. */
#include "conf/source-compile.h"

#include <string.h>

#include "conf/param.h"
#include "proto/identity/key.h"
#include "proto/registry/content.h"

static void init_party(void *message)
{
	dienstweg__party__init(message);
}

static void init_identifier(void *message)
{
	dienstweg__identifier__init(message);
}

static const struct yaml_parties *loaded(const struct source *source)
{
	static const struct yaml_parties none = {0};
	return source->data[SOURCE_PARTIES] ? source->data[SOURCE_PARTIES] : &none;
}

static const struct yaml_party *find(const struct source *source, const char *name)
{
	const struct yaml_parties *list = loaded(source);
	for (size_t i = 0; i < list->parties_count; i++)
		if (strcmp(list->parties[i].name, name) == 0)
			return &list->parties[i];
	return NULL;
}

bool source_has_party(const struct source *source, const char *name)
{
	return find(source, name);
}

static int check_operator(const struct source *source, const struct yaml_party *from, size_t n)
{
	if (!from->operated_by)
		return 0;
	struct source_field field = source_field("parties[%zu].operated_by", n);
	const struct yaml_party *operator= find(source, from->operated_by);
	if (!operator)
		return source_fail(source, SOURCE_PARTIES, field.path,
			"%.80s is no party; add it to this file or correct the name",
			from->operated_by);
	if (operator== from || operator->operated_by)
		return source_fail(source, SOURCE_PARTIES, field.path,
			"%s does not run on its own; name a party without operated_by",
			from->operated_by);
	return 0;
}

static int compile_identifiers(const struct source *source, const struct yaml_party *from, size_t n,
	Dienstweg__Party *party)
{
	int r = source_list(source, from->identifiers_count, sizeof(Dienstweg__Identifier),
		init_identifier, &party->identifiers);
	party->n_identifiers = from->identifiers_count;
	for (size_t i = 0; r == 0 && i < from->identifiers_count; i++) {
		const struct yaml_identifier *id = &from->identifiers[i];
		struct source_field field = source_field("parties[%zu].identifiers[%zu]", n, i + 1);
		r = source_name(source, SOURCE_PARTIES, FIELD("%s.scheme", field.path), id->scheme);
		if (r == 0 && !content_code_ok(BYTES_STR(id->value)))
			r = source_fail(source, SOURCE_PARTIES, FIELD("%s.value", field.path),
				"must be 1 to 127 printable characters without spaces");
		party->identifiers[i]->scheme = source_text(id->scheme);
		party->identifiers[i]->value = source_text(id->value);
	}
	return r;
}

static bool has_active(const Dienstweg__Party *party, enum key_use use)
{
	for (size_t i = 0; i < party->n_keys; i++)
		if (party->keys[i]->use == (Dienstweg__KeyUse)use &&
			party->keys[i]->state == DIENSTWEG__KEY_STATE__KEY_STATE_ACTIVE)
			return true;
	return false;
}

/* A party that cannot send, receive or connect would be found out by its first message. */
static int check_uses(const struct source *source, const struct yaml_party *from, size_t n,
	const Dienstweg__Party *party)
{
	static const enum key_use uses[] = {KEY_SIGN, KEY_SEAL, KEY_TRANSPORT};
	for (size_t i = 0; i < ARRAY_LEN(uses); i++)
		if (!has_active(party, uses[i]) && !(uses[i] == KEY_TRANSPORT && from->operated_by))
			return source_fail(source, SOURCE_PARTIES, FIELD("parties[%zu]", n),
				"%s has no active %s key; make its keys with dienstweg keygen "
				"party",
				from->name, key_use_name(uses[i]));
	return 0;
}

static int compile_limits(const struct source *source, const struct yaml_party *from, size_t n,
	Dienstweg__Party *party)
{
	static const struct param bytes = {
		.type = PARAM_BYTES, .min = 1 << 20, .max = UINT64_C(1) << 44};
	struct param_context context = {.file = source->files[SOURCE_PARTIES],
		.error = source->error,
		.arena = source->arena};
	int r = source_number(source, SOURCE_PARTIES, FIELD("parties[%zu].queue_messages", n),
		from->queue_messages, 1, 1000000000, &party->queue_messages_max);
	if (r == 0 && from->queue_bytes)
		r = param_value(&context, &bytes, FIELD("parties[%zu].queue_bytes", n),
			from->queue_bytes, &party->queue_bytes_max);
	return r;
}

static int compile_party(struct source *source, const struct yaml_party *from, size_t n)
{
	Dienstweg__Party *party = source->content.parties[n - 1];
	struct source_field field = source_field("parties[%zu]", n);
	int r = source_name(source, SOURCE_PARTIES, FIELD("parties[%zu].name", n), from->name);
	if (r == 0 && find(source, from->name) != from)
		r = source_fail(source, SOURCE_PARTIES, FIELD("parties[%zu].name", n),
			"%s is given twice; keep one", from->name);
	if (r == 0)
		r = source_title(
			source, SOURCE_PARTIES, FIELD("parties[%zu].title", n), from->title);
	if (r == 0)
		r = check_operator(source, from, n);
	if (r == 0)
		r = compile_identifiers(source, from, n, party);
	if (r == 0)
		r = compile_limits(source, from, n, party);
	if (r == 0)
		r = source_keys(source, SOURCE_PARTIES, field.path, from->name, from->keys,
			from->keys_count, &party->keys, &party->n_keys);
	party->name = source_text(from->name);
	party->title = source_text(from->title);
	party->operated_by = source_text(from->operated_by);
	return r ? r : check_uses(source, from, n, party);
}

int source_parties(struct source *source)
{
	const struct yaml_parties *list = loaded(source);
	if (list->parties_count == 0)
		return source_fail(
			source, SOURCE_PARTIES, "parties", "missing; list the parties of the bus");
	int r = source_list(source, list->parties_count, sizeof(Dienstweg__Party), init_party,
		&source->content.parties);
	for (size_t i = 0; r == 0 && i < list->parties_count; i++)
		r = compile_party(source, &list->parties[i], i + 1);
	source->content.n_parties = list->parties_count;
	return r;
}
