/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Keys are what a root is asked to sign for and cannot see in a list of hexadecimal digits; what changed is
 * a handful of sentences. The mistakes are those that nobody notices before something stops: a key that is
 * gone instead of retired, a new one that comes in the very version in which the old one ends.
 */
#include "conf/cli/registry-changes.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/text.h"

enum { ID_SHOWN = 8 /* bytes of a key id that tell keys apart for people */ };

struct comparison {
	const struct registry *before, *after;
	struct changes *changes;
	struct findings *findings;
};

struct shown {
	char text[2 * KEY_ID_SIZE + 1];
};

static struct shown show(const Dienstweg__Key *key)
{
	struct shown shown;
	text_hex(BYTES(key->id.data, ID_SHOWN), shown.text);
	return shown;
}

static void __attribute__((format(printf, 2, 3)))
say(const struct comparison *c, const char *format, ...)
{
	char sentence[FINDING_SIZE];
	va_list args;
	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	c->changes->count++;
	c->changes->take(c->changes, sentence);
}

static void __attribute__((format(printf, 2, 3)))
doubt(const struct comparison *c, const char *format, ...)
{
	char sentence[FINDING_SIZE];
	va_list args;
	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	c->findings->count++;
	c->findings->take(c->findings, sentence);
}

/* ---- one key ---- */

#define KEY_FORMAT "%s key %s of %.*s"
#define KEY_WORDS(key, owner)                                                                      \
	key_use_name((enum key_use)(key)->use), show(key).text, (int)(owner).len,                  \
		(const char *)(owner).data

static void compare_key(const struct comparison *c, struct bytes owner, const Dienstweg__Key *old,
	const Dienstweg__Key *new)
{
	static const char *const verbs[] = {"makes active", "retires", "revokes"};
	if (old->state != new->state)
		say(c, "%s " KEY_FORMAT, verbs[new->state], KEY_WORDS(new, owner));
	if (new->state < old->state)
		doubt(c,
			KEY_FORMAT " counts again: whoever held it against its owner may still "
				   "have it; make a new key",
			KEY_WORDS(new, owner));
	if (old->suspect_from == new->suspect_from)
		return;
	if (new->suspect_from == 0)
		say(c, "clears " KEY_FORMAT " of suspicion", KEY_WORDS(new, owner));
	else
		say(c, "puts " KEY_FORMAT " under suspicion from entry %" PRIu64 " on",
			KEY_WORDS(new, owner), new->suspect_from);
}

static const Dienstweg__Key *find(
	Dienstweg__Key *const *keys, size_t count, const Dienstweg__Key *wanted)
{
	for (size_t i = 0; i < count; i++)
		if (bytes_equal(BYTES_PB(keys[i]->id), BYTES_PB(wanted->id)))
			return keys[i];
	return NULL;
}

/* ---- the keys of an owner ---- */

struct keys {
	Dienstweg__Key *const *items;
	size_t count;
};

static bool is_active(const Dienstweg__Key *key, enum key_use use)
{
	return key->use == (Dienstweg__KeyUse)use &&
	       key->state == DIENSTWEG__KEY_STATE__KEY_STATE_ACTIVE;
}

/* Is there an active key of this use in both? Without one before there is nothing to overlap with. */
static bool overlaps(struct keys old, struct keys new, enum key_use use)
{
	bool had = false;
	for (size_t i = 0; i < old.count; i++) {
		if (!is_active(old.items[i], use))
			continue;
		const Dienstweg__Key *now = find(new.items, new.count, old.items[i]);
		if (now && is_active(now, use))
			return true;
		had = true;
	}
	return !had;
}

static void compare_owner(
	const struct comparison *c, struct bytes owner, struct keys old, struct keys new)
{
	for (size_t i = 0; i < new.count; i++) {
		const Dienstweg__Key *was = find(old.items, old.count, new.items[i]);
		if (was)
			compare_key(c, owner, was, new.items[i]);
		else
			say(c, "adds " KEY_FORMAT, KEY_WORDS(new.items[i], owner));
	}
	for (size_t i = 0; i < old.count; i++) {
		const Dienstweg__Key *gone = old.items[i];
		if (find(new.items, new.count, gone))
			continue;
		say(c, "takes out " KEY_FORMAT, KEY_WORDS(gone, owner));
		doubt(c,
			KEY_FORMAT " is not in this version: what it signed cannot be checked with "
				   "it any more; keep it, with state: retired",
			KEY_WORDS(gone, owner));
	}
}

static void compare_exchange(const struct comparison *c, struct bytes owner, struct keys old,
	struct keys new, enum key_use use, const char *what)
{
	if (!overlaps(old, new, use))
		doubt(c,
			"no %s key of %.*s is active both before and now: %s; let old and new "
			"overlap for one version",
			key_use_name(use), (int)owner.len, (const char *)owner.data, what);
}

/* ---- all owners ---- */

static void compare_parties(const struct comparison *c)
{
	const Dienstweg__RegistryContent *content = registry_content(c->after);
	for (size_t i = 0; i < content->n_parties; i++) {
		const Dienstweg__Party *now = content->parties[i];
		struct bytes name = BYTES_PB(now->name);
		const Dienstweg__Party *was = registry_party(c->before, name);
		struct keys old = {was ? was->keys : NULL, was ? was->n_keys : 0};
		struct keys new = {now->keys, now->n_keys};
		if (!was)
			say(c, "brings party %.*s with %zu keys", (int)name.len,
				(const char *)name.data, now->n_keys);
		else
			compare_owner(c, name, old, new);
		compare_exchange(c, name, old, new, KEY_TRANSPORT,
			"its adapter may not get in to hear of the new one");
	}
	content = registry_content(c->before);
	for (size_t i = 0; i < content->n_parties; i++) {
		struct bytes name = BYTES_PB(content->parties[i]->name);
		if (registry_party(c->after, name))
			continue;
		say(c, "takes out party %.*s", (int)name.len, (const char *)name.data);
		doubt(c,
			"party %.*s is not in this version: what it signed cannot be checked with "
			"it; "
			"keep it, without agreements",
			(int)name.len, (const char *)name.data);
	}
}

static void compare_bus(const struct comparison *c)
{
	const Dienstweg__RegistryContent *was = registry_content(c->before);
	const Dienstweg__RegistryContent *now = registry_content(c->after);
	struct keys old = {was->bus_keys, was->n_bus_keys}, new = {now->bus_keys, now->n_bus_keys};
	struct bytes bus = BYTES_PB(now->bus);
	compare_owner(c, bus, old, new);
	compare_exchange(c, bus, old, new, KEY_LOG,
		"the broker must have the new secret already, or it refuses this registry");
	compare_exchange(c, bus, old, new, KEY_TRANSPORT,
		"no adapter gets in before the broker was restarted");
}

static const Dienstweg__Root *find_root(
	const Dienstweg__RegistryContent *content, const Dienstweg__Root *wanted)
{
	for (size_t i = 0; i < content->n_roots; i++)
		if (bytes_equal(BYTES_PB(content->roots[i]->key->id), BYTES_PB(wanted->key->id)))
			return content->roots[i];
	return NULL;
}

static void compare_roots(const struct comparison *c)
{
	const Dienstweg__RegistryContent *was = registry_content(c->before);
	const Dienstweg__RegistryContent *now = registry_content(c->after);
	size_t stay = 0;
	for (size_t i = 0; i < now->n_roots; i++) {
		const Dienstweg__Root *old = find_root(was, now->roots[i]);
		struct bytes name = BYTES_PB(now->roots[i]->name);
		if (old)
			compare_key(c, name, old->key, now->roots[i]->key);
		else
			say(c, "adds " KEY_FORMAT, KEY_WORDS(now->roots[i]->key, name));
		stay += old && is_active(old->key, KEY_ROOT) &&
			is_active(now->roots[i]->key, KEY_ROOT);
	}
	for (size_t i = 0; i < was->n_roots; i++)
		if (!find_root(now, was->roots[i]))
			say(c, "takes out " KEY_FORMAT,
				KEY_WORDS(was->roots[i]->key, BYTES_PB(was->roots[i]->name)));
	if (stay < REGISTRY_ROOT_QUORUM)
		say(c,
			"exchanges %zu of the three roots at once: two of the old and two of the "
			"new "
			"have to sign",
			3 - stay);
}

void registry_changes(const struct registry *before, const struct registry *after,
	struct changes *changes, struct findings *findings)
{
	const struct comparison comparison = {before, after, changes, findings};
	compare_bus(&comparison);
	compare_roots(&comparison);
	compare_parties(&comparison);
}
