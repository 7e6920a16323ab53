/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Mistakes in what people put in place are found before anything is opened, one after the other, and
 * each is said with the file it is in. A broker whose keys the registry does not hold would start, and
 * every adapter would refuse it: better to refuse here.
 */
#include "broker/files.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/file.h"

enum { CONFIG_BYTES_MAX = 1 << 20 };

static int refuse(char *reterr, size_t size, int r, const char *file, const char *why)
{
	if (r < 0)
		snprintf(reterr, size, "%s: %s", file, strerrordesc_np(-r));
	else /* some sentences begin with the file, and the line in it */
		snprintf(reterr, size, "%s%s%s", strncmp(why, file, strlen(file)) == 0 ? "" : file,
			strncmp(why, file, strlen(file)) == 0 ? "" : ": ", why);
	return r < 0 ? r : BROKER_FILES_REFUSED;
}

static int log_keys_take(
	const struct config_broker *config, struct broker_files *ret, char *reterr, size_t size)
{
	size_t count = 0;
	for (size_t i = 0; i < ret->keys.count; i++) {
		if (ret->keys.keys[i]->pub.use != KEY_LOG)
			continue;
		if (count == JOURNAL_LOG_KEYS_MAX)
			return refuse(reterr, size, 1, config->keys,
				"more than three log keys: take out the oldest, which the registry "
				"has retired (dienstweg keygen --remove)");
		ret->log_keys[count++] = ret->keys.keys[i];
	}
	if (count == 0 || !keyring_secret_find(&ret->keys, KEY_TRANSPORT))
		return refuse(reterr, size, 1,
			config->keys, "a log key and a transport key are needed: dienstweg keygen bus makes both");
	return 0;
}

static int keys_read(
	const struct config_broker *config, struct broker_files *ret, char *reterr, size_t size)
{
	char why[512] = "";
	int r = keyfile_read_secret(config->keys, &ret->keys, why, sizeof(why));
	if (r != 0)
		return refuse(reterr, size, r, config->keys, why);
	if (strcmp(ret->keys.owner, config->bus) != 0)
		return refuse(reterr, size, 1, config->keys,
			"these keys belong to another bus: name this bus's file in `keys`");
	return log_keys_take(config, ret, reterr, size);
}

/*
 * The key of ours that comes first in the registry's list of active ones, or NULL. The oldest is known to everybody;
 * the next one is when the old one is retired, and not before: its secret may lie here for long by then.
 */
static const struct key_secret *oldest_of(const struct broker_files *files, enum key_use use)
{
	const Dienstweg__RegistryContent *content = registry_content(files->registry);
	for (size_t i = 0; i < content->n_bus_keys; i++) {
		const Dienstweg__Key *key = content->bus_keys[i];
		if (key->use != (Dienstweg__KeyUse)use ||
			key->state != DIENSTWEG__KEY_STATE__KEY_STATE_ACTIVE)
			continue;
		for (size_t k = 0; k < files->keys.count; k++)
			if (bytes_equal(BYTES(files->keys.keys[k]->pub.id, KEY_ID_SIZE),
				    BYTES_PB(key->id)))
				return files->keys.keys[k];
	}
	return NULL;
}

static int registry_check(
	const struct config_broker *config, struct broker_files *ret, char *reterr, size_t size)
{
	if (!bytes_equal(registry_bus(ret->registry), BYTES_STR(config->bus)))
		return refuse(reterr, size, 1, config->registry,
			"it is the registry of another bus than `bus` says");
	ret->transport_key = oldest_of(ret, KEY_TRANSPORT);
	if (!oldest_of(ret, KEY_LOG) || !ret->transport_key)
		return refuse(reterr, size, 1, config->registry,
			"it does not hold the keys of `keys` as active bus keys: add their public "
			"halves to the registry's source, build and sign it");
	return 0;
}

static int registry_take(
	const struct config_broker *config, struct broker_files *ret, char *reterr, size_t size)
{
	char why[512] = "";
	int r = registry_read(config->registry, &ret->policy, &ret->registry, why, sizeof(why));
	ret->registry_pinned = r == 0;
	if (r == REGISTRY_UNSIGNED) {
		char other[512] = "";
		int own = registry_read(
			config->registry, NULL, &ret->registry, other, sizeof(other));
		r = own == REGISTRY_UNSIGNED ? r : own;
	}
	return r ? refuse(reterr, size, r, config->registry, why) : 0;
}

int broker_files_earlier(const struct config_broker *config, uint64_t version, struct registry **ret)
{
	char path[PATH_MAX], why[512];
	if (snprintf(path, sizeof(path), "%s.%" PRIu64, config->registry, version) >=
		(int)sizeof(path))
		return -ENAMETOOLONG;
	/* Whose signatures count is decided by the one before it. */
	return registry_read(path, NULL, ret, why, sizeof(why));
}

static int config_digest(
	const struct config_broker *config, struct broker_files *ret, char *reterr, size_t size)
{
	_cleanup_(heap_free) uint8_t *text = NULL;
	size_t len;
	int r = file_read(config->path, CONFIG_BYTES_MAX, &text, &len);
	if (r != 0)
		return refuse(reterr, size, r, config->path, "too large");
	sha256_of(BYTES(text, len), ret->config_digest);
	return 0;
}

static int schemas_take(
	const struct config_broker *config, struct broker_files *ret, char *reterr, size_t size)
{
	char why[SCHEMA_ERROR_SIZE] = "";
	int r = schema_library_new(config->schemas, &ret->schemas);
	if (r == 0)
		r = schema_library_take(ret->schemas, ret->registry, NULL, NULL, why);
	return r ? refuse(reterr, size, r, config->registry, why) : 0;
}

int broker_files_read(
	const struct config_broker *config, struct broker_files *ret, char *reterr, size_t size)
{
	char why[512] = "";
	int r = config_digest(config, ret, reterr, size);
	if (r == 0)
		r = keys_read(config, ret, reterr, size);
	if (r != 0)
		return r;
	r = policy_read(config->policy, &ret->policy, why, sizeof(why));
	if (r != 0)
		return refuse(reterr, size, r, config->policy, why);
	r = registry_take(config, ret, reterr, size);
	if (r == 0)
		r = registry_check(config, ret, reterr, size);
	return r ? r : schemas_take(config, ret, reterr, size);
}

void broker_files_deinit(struct broker_files *files)
{
	keyring_secret_deinit(&files->keys);
	registry_unref(files->registry);
	files->registry = NULL;
	schema_library_free(files->schemas);
	files->schemas = NULL;
}
