/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Tests of routing, journal and delivery need registries by the dozen. Making them through the same
 * compose, sign and load as the real ones keeps those tests honest: an impossible registry cannot be
 * put before the rules.
 */
#include "proto/registry/fixture.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/base/arena.h"
#include "proto/base/clock.h"
#include "proto/registry/content.h"

enum { SECRETS_MAX = 4096, BUDGET = 256 << 20 };

struct fixture_secret {
	char owner[64];
	struct key_secret *key;
};

struct registry_fixture {
	struct arena *arena;
	Dienstweg__RegistryContent content;
	struct fixture_secret secrets[SECRETS_MAX];
	size_t secrets_count;
};

static void must(bool done, const char *what)
{
	if (done)
		return;
	fprintf(stderr, "registry fixture: %s\n", what);
	abort();
}

static void *make(struct registry_fixture *f, size_t size)
{
	void *p = arena_zalloc(f->arena, size);
	must(p, "out of memory");
	return p;
}

ProtobufCBinaryData registry_fixture_text(struct registry_fixture *f, struct bytes text)
{
	uint8_t *p = make(f, text.len);
	memcpy(p, text.data, text.len);
	return (ProtobufCBinaryData){.len = text.len, .data = p};
}

static ProtobufCBinaryData word(struct registry_fixture *f, const char *text)
{
	return registry_fixture_text(f, BYTES_STR(text));
}

/* Appends to a protobuf-c list; the arena forgets the old array only when the fixture goes. */
static void append(struct registry_fixture *f, void *list, size_t *count, void *item)
{
	void **old, **items = make(f, (*count + 1) * sizeof(void *));
	memcpy(&old, list, sizeof(old));
	if (*count)
		memcpy(items, old, *count * sizeof(void *));
	items[(*count)++] = item;
	memcpy(list, &items, sizeof(items));
}

static ProtobufCBinaryData *words(struct registry_fixture *f, const char *text, size_t *count)
{
	ProtobufCBinaryData *items = make(f, (strlen(text) + 1) * sizeof(*items));
	*count = 0;
	while (*text) {
		size_t len = strcspn(text, ",");
		items[(*count)++] = registry_fixture_text(f, BYTES(text, len));
		text += len + (text[len] == ',');
	}
	return items;
}

Dienstweg__Key *registry_fixture_key(struct registry_fixture *f, const char *owner, enum key_use use)
{
	Dienstweg__Key *key = make(f, sizeof(*key));
	must(f->secrets_count < SECRETS_MAX, "too many keys");
	struct fixture_secret *secret = &f->secrets[f->secrets_count++];
	snprintf(secret->owner, sizeof(secret->owner), "%s", owner);
	must(key_generate(use, BYTES_STR(owner), &secret->key) == 0, "no key");
	const struct key_public *pub = &secret->key->pub;
	dienstweg__key__init(key);
	key->use = (Dienstweg__KeyUse)use;
	key->id = registry_fixture_text(f, BYTES(pub->id, KEY_ID_SIZE));
	key->public_ = registry_fixture_text(f, BYTES(pub->public, sizeof(pub->public)));
	key->possession_key = registry_fixture_text(f, BYTES(pub->possession_key, SIGN_PUBLIC_SIZE));
	key->possession = registry_fixture_text(f, BYTES(pub->possession, SIGNATURE_SIZE));
	return key;
}

Dienstweg__Key *registry_fixture_add_key(
	struct registry_fixture *f, const char *owner, enum key_use use)
{
	Dienstweg__Key *key = registry_fixture_key(f, owner, use);
	if (use == KEY_LOG || bytes_equal(BYTES_PB(f->content.bus), BYTES_STR(owner))) {
		append(f, &f->content.bus_keys, &f->content.n_bus_keys, key);
		return key;
	}
	for (size_t i = 0; i < f->content.n_parties; i++) {
		Dienstweg__Party *party = f->content.parties[i];
		if (!bytes_equal(BYTES_PB(party->name), BYTES_STR(owner)))
			continue;
		append(f, &party->keys, &party->n_keys, key);
		return key;
	}
	must(false, "no such owner");
	return NULL;
}

Dienstweg__Root *registry_fixture_add_root(struct registry_fixture *f, const char *name)
{
	Dienstweg__Root *root = make(f, sizeof(*root));
	dienstweg__root__init(root);
	root->name = word(f, name);
	root->key = registry_fixture_key(f, name, KEY_ROOT);
	append(f, &f->content.roots, &f->content.n_roots, root);
	return root;
}

struct registry_fixture *registry_fixture_new(const char *bus)
{
	struct registry_fixture *f = calloc(1, sizeof(*f));
	must(f && crypto_init() == 0, "no start");
	f->arena = arena_new(BUDGET);
	must(f->arena, "out of memory");
	dienstweg__registry_content__init(&f->content);
	f->content.bus = word(f, bus);
	Dienstweg__RetentionClass *class = make(f, sizeof(*class));
	dienstweg__retention_class__init(class);
	class->number = 1;
	class->name = word(f, "standard");
	class->content_days = 21;
	class->record_days = 730;
	append(f, &f->content.classes, &f->content.n_classes, class);
	append(f, &f->content.bus_keys, &f->content.n_bus_keys,
		registry_fixture_key(f, bus, KEY_LOG));
	append(f, &f->content.bus_keys, &f->content.n_bus_keys,
		registry_fixture_key(f, bus, KEY_TRANSPORT));
	registry_fixture_add_root(f, "root1");
	registry_fixture_add_root(f, "root2");
	registry_fixture_add_root(f, "root3");
	return f;
}

void registry_fixture_free(struct registry_fixture *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->secrets_count; i++)
		key_secret_free(f->secrets[i].key);
	arena_free(f->arena);
	free(f);
}

Dienstweg__RegistryContent *registry_fixture_content(struct registry_fixture *f)
{
	return &f->content;
}

Dienstweg__Party *registry_fixture_party(
	struct registry_fixture *f, const char *name, const char *operated_by)
{
	Dienstweg__Party *party = make(f, sizeof(*party));
	dienstweg__party__init(party);
	party->name = word(f, name);
	if (operated_by)
		party->operated_by = word(f, operated_by);
	append(f, &party->keys, &party->n_keys, registry_fixture_key(f, name, KEY_SIGN));
	append(f, &party->keys, &party->n_keys, registry_fixture_key(f, name, KEY_SEAL));
	if (!operated_by)
		append(f, &party->keys, &party->n_keys,
			registry_fixture_key(f, name, KEY_TRANSPORT));
	append(f, &f->content.parties, &f->content.n_parties, party);
	return party;
}

Dienstweg__Service *registry_fixture_service(struct registry_fixture *f, const char *name)
{
	Dienstweg__Service *service = make(f, sizeof(*service));
	dienstweg__service__init(service);
	service->name = word(f, name);
	service->retention = 1;
	append(f, &f->content.services, &f->content.n_services, service);
	return service;
}

Dienstweg__Agreement *registry_fixture_agreement(
	struct registry_fixture *f, const char *id, const char *from, const char *until)
{
	Dienstweg__Agreement *agreement = make(f, sizeof(*agreement));
	dienstweg__agreement__init(agreement);
	agreement->id = word(f, id);
	must(clock_parse_date(from, &agreement->valid_from_ms) == 0, "no date");
	must(!until || clock_parse_date(until, &agreement->valid_until_ms) == 0, "no date");
	append(f, &f->content.agreements, &f->content.n_agreements, agreement);
	return agreement;
}

Dienstweg__Flow *registry_fixture_flow(struct registry_fixture *f, Dienstweg__Agreement *agreement,
	const char *services, const char *from, const char *to, const char *regions)
{
	Dienstweg__Flow *flow = make(f, sizeof(*flow));
	dienstweg__flow__init(flow);
	flow->services = words(f, services, &flow->n_services);
	flow->from = words(f, from, &flow->n_from);
	flow->to = word(f, to);
	if (regions)
		flow->regions = words(f, regions, &flow->n_regions);
	append(f, &agreement->flows, &agreement->n_flows, flow);
	return flow;
}

void registry_fixture_witness(struct registry_fixture *f, const char *name)
{
	Dienstweg__Witness *witness = make(f, sizeof(*witness));
	dienstweg__witness__init(witness);
	witness->name = word(f, name);
	witness->key = registry_fixture_key(f, name, KEY_WITNESS);
	append(f, &f->content.witnesses, &f->content.n_witnesses, witness);
}

const struct key_secret *registry_fixture_secret(
	const struct registry_fixture *f, const char *owner, enum key_use use)
{
	for (size_t i = f->secrets_count; i > 0; i--)
		if (strcmp(f->secrets[i - 1].owner, owner) == 0 &&
			f->secrets[i - 1].key->pub.use == use)
			return f->secrets[i - 1].key;
	return NULL;
}

struct bytes registry_fixture_compose(
	struct registry_fixture *f, uint64_t version, const struct registry *previous)
{
	char why[512] = "";
	struct bytes bytes = {0};
	struct registry_head head = {.version = version, .first = !previous};
	must(clock_parse_date("2026-01-01", &head.issued_ms) == 0, "no date");
	must(clock_parse_date("2027-01-01", &head.stale_after_ms) == 0, "no date");
	if (previous)
		registry_note_digest(previous, head.previous);
	registry_content_sort(&f->content);
	must(registry_compose(&f->content, &head, f->arena, &bytes, why, sizeof(why)) == 0, why);
	return bytes;
}

struct bytes registry_fixture_sign(struct registry_fixture *f, struct bytes bytes, const char *root)
{
	struct bytes ret = {0};
	const struct key_secret *key = registry_fixture_secret(f, root, KEY_ROOT);
	must(key && registry_sign(bytes, BYTES_STR(root), key, f->arena, &ret) == 0, "not signed");
	return ret;
}

void registry_fixture_roots(const struct registry_fixture *f, struct note_key ret[3])
{
	static const char *const names[] = {"root1", "root2", "root3"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct key_secret *key = registry_fixture_secret(f, names[i], KEY_ROOT);
		must(note_key_init(&ret[i], BYTES_STR(names[i]), key->pub.public) == 0, "no root");
	}
}

struct registry *registry_fixture_load(
	struct registry_fixture *f, uint64_t version, const struct registry *previous)
{
	char why[512] = "";
	struct registry *registry = NULL;
	struct note_key roots[3];
	registry_fixture_roots(f, roots);
	struct bytes bytes = registry_fixture_compose(f, version, previous);
	bytes = registry_fixture_sign(f, bytes, "root1");
	bytes = registry_fixture_sign(f, bytes, "root2");
	must(registry_load(bytes, roots, 3, 2, &registry, why, sizeof(why)) == 0, why);
	return registry;
}
