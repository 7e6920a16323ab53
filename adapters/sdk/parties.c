/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A secret that the registry does not know would only be found out by refusals, message by message. So
 * every party must have an active sign key and the first one the active transport key before anything is
 * connected; the sentence says whether to fetch a registry or to fix a key file.
 */
#include "adapters/sdk/parties.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int party_read(
	struct party *party, const char *name, const char *path, char *reterr, size_t size)
{
	char why[512] = "";
	party->name = name;
	int r = keyfile_read_secret(path, &party->keys, why, sizeof(why));
	if (r) {
		snprintf(reterr, size, "key file of party %s: %s", name,
			r > 0 || why[0] ? why : strerrordesc_np(-r));
		if (r < 0 && !why[0])
			snprintf(reterr, size, "key file %s of party %s: %s", path, name,
				strerrordesc_np(-r));
		return r > 0 ? PARTIES_INVALID : r;
	}
	if (strcmp(party->keys.owner, name) != 0) {
		snprintf(reterr, size,
			"key file %s belongs to %s, not to party %s: list the files in the order "
			"of "
			"party and operates",
			path, party->keys.owner, name);
		return PARTIES_INVALID;
	}
	for (size_t i = 0; i < party->keys.count; i++) {
		if (party->keys.keys[i]->pub.use == KEY_SEAL)
			party->seal[party->seal_count++] = party->keys.keys[i];
	}
	return 0;
}

int parties_open(const struct config_adapter *config, const struct registry *registry,
	struct parties **ret, char *reterr, size_t size)
{
	size_t count = 1 + config->operates.count;
	if (config->keys.count != count) {
		snprintf(reterr, size,
			"keys: %zu files for %zu parties; list one for party and one for each of "
			"operates, in that order",
			config->keys.count, count);
		return PARTIES_INVALID;
	}
	_cleanup_(parties_free) struct parties *parties = calloc(1, sizeof(*parties));
	if (!parties)
		return -ENOMEM;
	assert(count <= PARTIES_MAX);
	for (size_t i = 0; i < count; i++) {
		parties->names[i] = i ? config->operates.items[i - 1] : config->party;
		parties->count = i + 1;
		int r = party_read(
			&parties->all[i], parties->names[i], config->keys.items[i], reterr, size);
		if (r)
			return r;
	}
	int r = parties_bind(parties, registry, reterr, size);
	if (r)
		return r;
	*ret = steal(&parties);
	return 0;
}

void parties_free(struct parties *parties)
{
	if (!parties)
		return;
	for (size_t i = 0; i < parties->count; i++)
		keyring_secret_deinit(&parties->all[i].keys);
	free(parties);
}

/* The secret half of a key of the registry that is active and for this use, or NULL. */
static const struct key_secret *secret_of(
	const struct party *party, const Dienstweg__Key *key, enum key_use use)
{
	if ((int)key->use != (int)use || key->state != DIENSTWEG__KEY_STATE__KEY_STATE_ACTIVE)
		return NULL;
	for (size_t i = 0; i < party->keys.count; i++) {
		const struct key_secret *secret = party->keys.keys[i];
		if (bytes_equal(BYTES(secret->pub.id, KEY_ID_SIZE), BYTES_PB(key->id)))
			return secret;
	}
	return NULL;
}

/* The newest one that is ours, or NULL. */
static const struct key_secret *active(
	const struct party *party, const Dienstweg__Party *entry, enum key_use use)
{
	const struct key_secret *secret = NULL;
	for (size_t i = entry->n_keys; i > 0 && !secret; i--)
		secret = secret_of(party, entry->keys[i - 1], use);
	return secret;
}

static int missing(
	const struct party *party, const char *use, uint64_t version, char *reterr, size_t size)
{
	snprintf(reterr, size,
		"party %s: none of its %s keys is active in registry version %llu: enter the "
		"public "
		"key into the registry, or put the secret of the active one into the key file",
		party->name, use, (unsigned long long)version);
	return PARTIES_INVALID;
}

static bool is_registered(const Dienstweg__Party *entry, const struct key_secret *secret)
{
	for (size_t i = 0; i < entry->n_keys; i++)
		if (bytes_equal(BYTES(secret->pub.id, KEY_ID_SIZE), BYTES_PB(entry->keys[i]->id)))
			return true;
	return false;
}

/* Transport secrets of the party: active ones, newest first; then those that this registry has never heard of. */
static size_t transports_order(const struct party *party, const Dienstweg__Party *entry,
	const struct key_secret *ret[KEYFILE_KEYS_MAX])
{
	size_t count = 0;
	for (size_t i = entry->n_keys; i > 0; i--) {
		const struct key_secret *secret = secret_of(
			party, entry->keys[i - 1], KEY_TRANSPORT);
		if (secret)
			ret[count++] = secret;
	}
	for (size_t i = count ? party->keys.count : 0; i > 0; i--) {
		const struct key_secret *secret = party->keys.keys[i - 1];
		if (secret->pub.use == KEY_TRANSPORT && !is_registered(entry, secret))
			ret[count++] = secret;
	}
	return count;
}

int parties_bind(struct parties *parties, const struct registry *registry, char *reterr, size_t size)
{
	const struct key_secret *sign[PARTIES_MAX], *transports[KEYFILE_KEYS_MAX];
	size_t transports_count = 0;
	uint64_t version = registry_version(registry);
	for (size_t i = 0; i < parties->count; i++) {
		const struct party *party = &parties->all[i];
		const Dienstweg__Party *entry = registry_party(registry, BYTES_STR(party->name));
		if (!entry) {
			snprintf(reterr, size,
				"party %s is not in registry version %llu: check the name, or have "
				"the registrar enter it",
				party->name, (unsigned long long)version);
			return PARTIES_INVALID;
		}
		sign[i] = active(party, entry, KEY_SIGN);
		if (!sign[i])
			return missing(party, "sign", version, reterr, size);
		if (i == 0)
			transports_count = transports_order(party, entry, transports);
	}
	if (transports_count == 0)
		return missing(&parties->all[0], "transport", version, reterr, size);
	memcpy(parties->transports, transports, transports_count * sizeof(transports[0]));
	parties->transports_count = transports_count;
	for (size_t i = 0; i < parties->count; i++)
		parties->all[i].sign = sign[i];
	return 0;
}

size_t parties_find(const struct parties *parties, struct bytes name)
{
	for (size_t i = 0; i < parties->count; i++) {
		if (bytes_equal(name, BYTES_STR(parties->names[i])))
			return i;
	}
	return PARTIES_NONE;
}
