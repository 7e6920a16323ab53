/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * One key, one owner, one use. A key registered twice would let one party speak as another, or a
 * signature made for one purpose count for another; since every secret is an Ed25519 seed, its
 * possession key betrays a seed that is used twice even where the public halves differ in form.
 */
#include "proto/registry/content.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/base/text.h"
#include "proto/registry/index.h"

struct key_ref {
	const Dienstweg__Key *key;
	struct bytes owner;
};

struct key_list {
	struct key_ref *items;
	size_t count;
};

static int check_form(
	const struct content_check *check, const char *owner, const Dienstweg__Key *key)
{
	if (key->id.len != KEY_ID_SIZE || key->public_.len != 32 ||
		key->possession_key.len != SIGN_PUBLIC_SIZE || key->possession.len != SIGNATURE_SIZE)
		return content_fail(check, "key of %s: a part of it has the wrong length", owner);
	if (key->state > DIENSTWEG__KEY_STATE__KEY_STATE_REVOKED)
		return content_fail(check, "key of %s: unknown state", owner);
	return 0;
}

/* Form, use, id and proof of possession of one key; then it joins the list. */
static int take(const struct content_check *check, struct key_list *list, struct bytes owner,
	const Dienstweg__Key *key, unsigned int uses)
{
	struct content_shown shown = content_show(owner);
	int r = check_form(check, shown.text, key);
	if (r)
		return r;
	unsigned int use = (unsigned int)key->use;
	if (use < KEY_SIGN || use > KEY_ROOT || !(uses & 1u << use))
		return content_fail(check, "key of %s: this use does not belong here", shown.text);
	struct key_public public = {.use = (enum key_use)use};
	memcpy(public.id, key->id.data, KEY_ID_SIZE);
	memcpy(public.public, key->public_.data, sizeof(public.public));
	memcpy(public.possession_key, key->possession_key.data, SIGN_PUBLIC_SIZE);
	memcpy(public.possession, key->possession.data, SIGNATURE_SIZE);
	r = key_public_check(&public, owner);
	if (r < 0)
		return r;
	if (r)
		return content_fail(check,
			"%s key of %s: wrong id or no proof that its owner holds it: copy the "
			".keys file "
			"again",
			key_use_name(public.use), shown.text);
	list->items[list->count++] = (struct key_ref){.key = key, .owner = owner};
	return 0;
}

static int take_parties(const struct content_check *check, struct key_list *list)
{
	for (size_t i = 0; i < check->content->n_parties; i++) {
		const Dienstweg__Party *party = check->content->parties[i];
		for (size_t k = 0; k < party->n_keys; k++) {
			int r = take(check, list, BYTES_PB(party->name), party->keys[k],
				1u << KEY_SIGN | 1u << KEY_SEAL | 1u << KEY_TRANSPORT);
			if (r)
				return r;
		}
	}
	return 0;
}

static bool bus_has(const Dienstweg__RegistryContent *content, enum key_use use)
{
	for (size_t i = 0; i < content->n_bus_keys; i++)
		if (content->bus_keys[i]->use == (Dienstweg__KeyUse)use &&
			content->bus_keys[i]->state == DIENSTWEG__KEY_STATE__KEY_STATE_ACTIVE)
			return true;
	return false;
}

static int take_bus(const struct content_check *check, struct key_list *list)
{
	const Dienstweg__RegistryContent *content = check->content;
	for (size_t i = 0; i < content->n_bus_keys; i++) {
		int r = take(check, list, BYTES_PB(content->bus), content->bus_keys[i],
			1u << KEY_LOG | 1u << KEY_TRANSPORT);
		if (r)
			return r;
	}
	if (!bus_has(content, KEY_LOG) || !bus_has(content, KEY_TRANSPORT))
		return content_fail(
			check, "bus: needs an active log key and an active transport key");
	return 0;
}

static int check_named(const struct content_check *check, const char *what, struct bytes name,
	const struct bytes *before, const Dienstweg__Key *key)
{
	if (!text_is_name(name))
		return content_fail(check, "%s %s: the name must be 1 to 63 of a-z 0-9 . -", what,
			content_show(name).text);
	if (before && bytes_compare(*before, name) >= 0)
		return content_fail(
			check, "%s %s: given twice or out of order", what, content_show(name).text);
	if (!key)
		return content_fail(check, "%s %s: has no key", what, content_show(name).text);
	return 0;
}

static int take_roots(const struct content_check *check, struct key_list *list)
{
	const Dienstweg__RegistryContent *content = check->content;
	struct bytes before = {0};
	size_t active = 0;
	for (size_t i = 0; i < content->n_roots; i++) {
		const Dienstweg__Root *root = content->roots[i];
		struct bytes name = BYTES_PB(root->name);
		int r = check_named(check, "root", name, i ? &before : NULL, root->key);
		if (r == 0)
			r = take(check, list, name, root->key, 1u << KEY_ROOT);
		if (r)
			return r;
		before = name;
		active += root->key->state == DIENSTWEG__KEY_STATE__KEY_STATE_ACTIVE;
	}
	if (active != REGISTRY_ACTIVE_ROOTS)
		return content_fail(check, "roots: %zu are active, there must be exactly %d",
			active, REGISTRY_ACTIVE_ROOTS);
	return 0;
}

static int take_witnesses(const struct content_check *check, struct key_list *list)
{
	const Dienstweg__RegistryContent *content = check->content;
	struct bytes before = {0};
	for (size_t i = 0; i < content->n_witnesses; i++) {
		const Dienstweg__Witness *witness = content->witnesses[i];
		struct bytes name = BYTES_PB(witness->name);
		int r = check_named(check, "witness", name, i ? &before : NULL, witness->key);
		if (r == 0)
			r = take(check, list, name, witness->key, 1u << KEY_WITNESS);
		if (r)
			return r;
		before = name;
	}
	if (content->witness_quorum > content->n_witnesses)
		return content_fail(check, "witnesses: a quorum of %u cannot be reached by %zu",
			content->witness_quorum, content->n_witnesses);
	return 0;
}

static int possession_compare(const void *a, const void *b)
{
	const struct key_ref *x = a, *y = b;
	return memcmp(x->key->possession_key.data, y->key->possession_key.data, SIGN_PUBLIC_SIZE);
}

static int check_unique(const struct content_check *check, struct key_list *list)
{
	qsort(list->items, list->count, sizeof(*list->items), possession_compare);
	for (size_t i = 1; i < list->count; i++)
		if (possession_compare(&list->items[i - 1], &list->items[i]) == 0)
			return content_fail(check,
				"a key of %s is also a key of %s: every use of every owner needs a "
				"key of "
				"its own",
				content_show(list->items[i - 1].owner).text,
				content_show(list->items[i].owner).text);
	return 0;
}

int content_check_keys(const struct content_check *check)
{
	const Dienstweg__RegistryContent *content = check->content;
	size_t count = content->n_bus_keys + content->n_roots + content->n_witnesses;
	for (size_t i = 0; i < content->n_parties; i++)
		count += content->parties[i]->n_keys;
	_cleanup_(heap_free) struct key_ref *items = calloc(count + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	struct key_list list = {.items = items};
	int r = take_parties(check, &list);
	if (r == 0)
		r = take_bus(check, &list);
	if (r == 0)
		r = take_roots(check, &list);
	if (r == 0)
		r = take_witnesses(check, &list);
	return r ? r : check_unique(check, &list);
}
