/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A registrar who exchanges keys, as docs/operations.md tells to: first the owner has the new secret, beside the old one
 * in its file, and has read it; then a version of the registry lists its public half; then the old one is retired; last
 * of all it is revoked, perhaps with a place from which on its signatures are disputed. Roots are exchanged one at a
 * time. Between any two steps anything may happen, and messages signed, sealed and recorded under either key are under
 * way all the time.
 */
#include <inttypes.h>
#include <signal.h>
#include <unistd.h>

#include "proto/base/file.h"
#include "proto/identity/keyfile.h"
#include "proto/journal.pb-c.h"
#include "test/kit/check.h"
#include "test/sim/town.h"

enum { KEYS_OF_A_USE_MAX = 3, NAME_BYTES = 64 };

#define BUS "test.demo"

static uint32_t below(uint32_t limit)
{
	return chance_below(&machine_now()->chance, limit);
}

/* ---- whose keys ---- */

/* Somebody with keys to exchange: a party, or the bus. */
struct owner {
	const char *name;
	const char *file; /* its keys' */
	struct proc *process;
	Dienstweg__Key ***keys; /* in the content */
	size_t *count;
};

static Dienstweg__Party *party_of(struct town *town, const char *name)
{
	Dienstweg__RegistryContent *content = registry_fixture_content(town->bus.fixture);
	for (size_t i = 0; i < content->n_parties; i++)
		if (bytes_equal(BYTES_PB(content->parties[i]->name), BYTES_STR(name)))
			return content->parties[i];
	return NULL;
}

static void bus_owner(struct town *town, struct owner *ret)
{
	Dienstweg__RegistryContent *content = registry_fixture_content(town->bus.fixture);
	*ret = (struct owner){.name = BUS,
		.file = "bus",
		.process = &town->process,
		.keys = &content->bus_keys,
		.count = &content->n_bus_keys};
}

/* Who does not keep to the protocol would not keep to this either. */
static void any_owner(struct town *town, struct owner *ret)
{
	struct agency *agency = &town->agencies[below((uint32_t)town->agencies_count)];
	if (agency->wild || machine_chance(4)) {
		bus_owner(town, ret);
		return;
	}
	bool operated = agency->operates && machine_chance(2);
	const char *name = operated ? agency->operates : agency->party;
	Dienstweg__Party *party = party_of(town, name);
	*ret = (struct owner){.name = name,
		.file = name,
		.process = &agency->process,
		.keys = &party->keys,
		.count = &party->n_keys};
}

static Dienstweg__Key *any_key(const struct owner *owner)
{
	return (*owner->keys)[below((uint32_t)*owner->count)];
}

/* The newest of a use is not to be touched, unless there is a newer one. */
static bool is_newest(const struct owner *owner, const Dienstweg__Key *key)
{
	const Dienstweg__Key *newest = NULL;
	for (size_t i = 0; i < *owner->count; i++)
		if ((*owner->keys)[i]->use == key->use)
			newest = (*owner->keys)[i];
	return newest == key;
}

static size_t count_of(const struct owner *owner, Dienstweg__KeyUse use, bool active)
{
	size_t count = 0;
	for (size_t i = 0; i < *owner->count; i++)
		count += (*owner->keys)[i]->use == use &&
			 (!active || (*owner->keys)[i]->state ==
					     DIENSTWEG__KEY_STATE__KEY_STATE_ACTIVE);
	return count;
}

/* ---- what is done to them ---- */

/* Into the file, beside the others. */
static void secret_add(struct town *town, const struct owner *owner, enum key_use use)
{
	struct keyring_secret keys;
	struct keyring_public public;
	char file[NAME_BYTES + 16], why[512] = "";
	snprintf(file, sizeof(file), "keys/%s.secret", owner->file);
	CHECK_INT(keyfile_read_secret(bus_path(&town->bus, file), &keys, why, sizeof(why)), 0);
	CHECK(keys.count < KEYFILE_KEYS_MAX);
	keys.keys[keys.count++] = (struct key_secret *)(uintptr_t)registry_fixture_secret(
		town->bus.fixture, owner->name, use);
	keyring_public_of(&keys, &public);
	CHECK_INT(keyfile_exchange(bus_path(&town->bus, "keys"), owner->file, &keys, &public), 0);
	keys.keys[--keys.count] = NULL; /* the fixture's */
	keyring_secret_deinit(&keys);
}

/* Who has not heard of a key of transport finds nobody behind it, and hears of nothing more. */
static bool everybody_has_the_newest(const struct town *town)
{
	uint64_t newest = registry_version(town->bus.registry);
	for (size_t i = 0; i < town->agencies_count; i++) {
		const struct agency *agency = &town->agencies[i];
		if (!agency->wild &&
			(!agency->process.alive || !agency->adapter ||
				registry_version(dw_adapter_registry(agency->adapter)) != newest))
			return false;
	}
	return true;
}

/*
 * The bus's own door: a broker that had the secret would open with it after the next crash, before all have heard of it.
 * So the registry names the key first, and the secret comes when everybody has that registry.
 */
static void door_add(struct town *town)
{
	struct owner owner;
	bus_owner(town, &owner);
	secret_add(town, &owner, KEY_TRANSPORT);
	town->door_withheld = false;
	town->door_life = town->process.life;
	town_tell(town, "the broker has its new key to transport");
	if (town->broker)
		reactor_drain(broker_reactor(town->broker));
}

/* A second key of a use is made, and its owner is asked to start anew, so that it reads it. Return: may the registry
   name it at once? */
static bool exchange_begin(struct town *town)
{
	struct owner owner;
	any_owner(town, &owner);
	enum key_use use = (enum key_use)any_key(&owner)->use;
	if (count_of(&owner, (Dienstweg__KeyUse)use, false) >= KEYS_OF_A_USE_MAX ||
		count_of(&owner, (Dienstweg__KeyUse)use, true) > 1)
		return false;
	registry_fixture_add_key(town->bus.fixture, owner.name, use);
	town_tell(town, "%s has a new key to %s", owner.name, key_use_name(use));
	if (use == KEY_TRANSPORT && owner.process == &town->process) {
		town->door_withheld = true;
		return true;
	}
	secret_add(town, &owner, use);
	town->exchange.process = owner.process;
	town->exchange.life = owner.process->life;
	return false;
}

/* Has its owner read the file since? Else ask for that. */
static bool exchange_is_ready(struct town *town)
{
	struct proc *process = town->exchange.process;
	if (process->life > town->exchange.life)
		return true;
	if (process == &town->process && town->broker)
		reactor_drain(broker_reactor(town->broker));
	else if (process != &town->process)
		agency_stop(process->context);
	return false;
}

/* An old key has one right less than before. */
static bool demote(struct town *town)
{
	struct owner owner;
	any_owner(town, &owner);
	Dienstweg__Key *key = any_key(&owner);
	if (is_newest(&owner, key) || key->state == DIENSTWEG__KEY_STATE__KEY_STATE_REVOKED)
		return false;
	bool door = owner.process == &town->process &&
		    (town->door_withheld || town->process.life <= town->door_life);
	if (key->use == DIENSTWEG__KEY_USE__KEY_USE_TRANSPORT &&
		(door || !everybody_has_the_newest(town)))
		return false;
	if (key->state == DIENSTWEG__KEY_STATE__KEY_STATE_ACTIVE) {
		key->state = DIENSTWEG__KEY_STATE__KEY_STATE_RETIRED;
	} else if (key->use == DIENSTWEG__KEY_USE__KEY_USE_SIGN) {
		key->state = DIENSTWEG__KEY_STATE__KEY_STATE_REVOKED;
		if (machine_chance(2))
			key->suspect_from = machine_between(1, town->ledger.count);
	} else {
		return false;
	}
	town_tell(town, "an old key of %s to %s is %s, suspect from %" PRIu64, owner.name,
		key_use_name((enum key_use)key->use),
		key->state == DIENSTWEG__KEY_STATE__KEY_STATE_RETIRED ? "retired" : "revoked",
		key->suspect_from);
	return true;
}

/* ---- roots ---- */

static void root_name(const Dienstweg__Root *root, char ret[NAME_BYTES])
{
	snprintf(ret, NAME_BYTES, "%.*s", (int)root->name.len, (const char *)root->name.data);
}

static bool is_active(const Dienstweg__Root *root)
{
	return root->key->state == DIENSTWEG__KEY_STATE__KEY_STATE_ACTIVE;
}

/* One goes, another comes; the two that stay sign. */
static void root_exchange(struct town *town)
{
	Dienstweg__RegistryContent *content = registry_fixture_content(town->bus.fixture);
	char goes[NAME_BYTES], comes[NAME_BYTES];
	size_t i = below((uint32_t)content->n_roots);
	if (!is_active(content->roots[i]))
		return;
	content->roots[i]->key->state = DIENSTWEG__KEY_STATE__KEY_STATE_RETIRED;
	root_name(content->roots[i], goes);
	snprintf(comes, sizeof(comes), "root%zu", content->n_roots + 1);
	registry_fixture_add_root(town->bus.fixture, comes);
	town_tell(town, "%s comes, %s goes", comes, goes);
}

/* Is it a root of both versions? */
static bool stays(const Dienstweg__RegistryContent *before, const Dienstweg__Root *root)
{
	for (size_t i = 0; i < before->n_roots; i++)
		if (bytes_equal(BYTES_PB(root->name), BYTES_PB(before->roots[i]->name)))
			return is_active(root) && is_active(before->roots[i]);
	return false;
}

/* Signed by two that the version before lists as well. */
static struct registry *signed_by_roots(struct town *town)
{
	struct registry_fixture *f = town->bus.fixture;
	const Dienstweg__RegistryContent *before = registry_content(town->bus.registry);
	const Dienstweg__RegistryContent *content = registry_fixture_content(f);
	char name[NAME_BYTES], why[512] = "";
	struct registry *next = NULL;
	struct bytes bytes = registry_fixture_compose(
		f, registry_version(town->bus.registry) + 1, town->bus.registry);
	for (size_t i = 0; i < content->n_roots; i++) {
		if (!stays(before, content->roots[i]))
			continue;
		root_name(content->roots[i], name);
		bytes = registry_fixture_sign(f, bytes, name);
	}
	CHECK_INT(registry_load_self(bytes, &next, why, sizeof(why)), 0);
	return next;
}

/* ---- agreements ---- */

/* A late subscriber: from here on it gets events, and may ask for those of before. */
static void subscribe(struct town *town)
{
	Dienstweg__RegistryContent *content = registry_fixture_content(town->bus.fixture);
	for (size_t i = 0; i < content->n_agreements; i++)
		if (bytes_equal(BYTES_PB(content->agreements[i]->id), BYTES_STR("notices")))
			registry_fixture_flow(town->bus.fixture, content->agreements[i],
				"death.notice", "city", "cooperative", NULL);
	town->subscribed = true;
	town_tell(town, "cooperative subscribes to death notices");
}

/* ---- versions ---- */

/* Each version names the one before it, so a broker has to be given them in turn. */
static bool newest_is_in_force(const struct town *town)
{
	uint64_t adopted = 0;
	for (size_t i = 0; i < town->ledger.count; i++)
		adopted += town->ledger.entries[i].kind == DIENSTWEG__ENTRY_KIND__ENTRY_REGISTRY;
	return adopted == registry_version(town->bus.registry);
}

static void publish(struct town *town)
{
	struct bus *bus = &town->bus;
	struct registry *next = signed_by_roots(town);
	registry_unref(bus->registry);
	bus->registry = next;
	CHECK_INT(file_replace(bus_path(bus, "registry.signed"), registry_signed_bytes(next), 0644),
		0);
	town_tell(town, "registry version %" PRIu64 " is there", registry_version(next));
	CHECK_INT(kill(getpid(), SIGHUP), 0);
}

void registrar_act(struct town *town)
{
	if (!town->broker || !newest_is_in_force(town))
		return;
	if (town->door_withheld && everybody_has_the_newest(town)) {
		door_add(town);
		return;
	}
	if (town->exchange.process) {
		if (!exchange_is_ready(town))
			return;
		town->exchange.process = NULL;
	} else if (machine_chance(2)) {
		if (!exchange_begin(town))
			return;
	} else if (!town->subscribed && machine_chance(3)) {
		subscribe(town);
	} else if (machine_chance(6)) {
		root_exchange(town);
	} else if (!demote(town) && machine_chance(2)) {
		return;
	}
	publish(town);
}
