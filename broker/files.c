/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Mistakes in what people put in place are found before anything is opened, one after the other, and
 * each is said with the file it is in. A broker whose keys the registry does not hold would start, and
 * every adapter would refuse it: better to refuse here.
 */
#include "broker/files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/base/file.h"

enum { CONFIG_BYTES_MAX = 1 << 20 };

static int refuse(char *reterr, size_t size, int r, const char *file, const char *why)
{
	if (r < 0)
		snprintf(reterr, size, "%s: %s", file, strerrordesc_np(-r));
	else
		snprintf(reterr, size, "%s: %s", file, why);
	return r < 0 ? r : BROKER_FILES_REFUSED;
}

static int keys_read(
	const struct config_broker *config, struct broker_files *ret, char *reterr, size_t size)
{
	char why[512] = "";
	int r = keyfile_read_secret(config->keys, &ret->keys, why, sizeof(why));
	if (r != 0)
		return refuse(reterr, size, r, config->keys, why);
	ret->log_key = keyring_secret_find(&ret->keys, KEY_LOG);
	ret->transport_key = keyring_secret_find(&ret->keys, KEY_TRANSPORT);
	if (strcmp(ret->keys.owner, config->bus) != 0)
		return refuse(reterr, size, 1, config->keys,
			"these keys belong to another bus: name this bus's file in `keys`");
	if (!ret->log_key || !ret->transport_key)
		return refuse(reterr, size, 1,
			config->keys, "a log key and a transport key are needed: dienstweg keygen bus makes both");
	return 0;
}

static bool is_bus_key(const struct registry *registry, const struct key_secret *key)
{
	const Dienstweg__Party *owner = NULL;
	const Dienstweg__Key *found = registry_key(
		registry, BYTES(key->pub.id, KEY_ID_SIZE), &owner);
	return found && !owner && found->state == DIENSTWEG__KEY_STATE__KEY_STATE_ACTIVE;
}

static int registry_check(
	const struct config_broker *config, struct broker_files *ret, char *reterr, size_t size)
{
	if (!bytes_equal(registry_bus(ret->registry), BYTES_STR(config->bus)))
		return refuse(reterr, size, 1, config->registry,
			"it is the registry of another bus than `bus` says");
	if (!is_bus_key(ret->registry, ret->log_key) ||
		!is_bus_key(ret->registry, ret->transport_key))
		return refuse(reterr, size, 1, config->registry,
			"it does not hold the keys of `keys` as active bus keys: add their public "
			"halves to the registry's source, build and sign it");
	return 0;
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
	r = registry_read(config->registry, &ret->policy, &ret->registry, why, sizeof(why));
	if (r != 0)
		return refuse(reterr, size, r, config->registry, why);
	return registry_check(config, ret, reterr, size);
}

void broker_files_deinit(struct broker_files *files)
{
	keyring_secret_deinit(&files->keys);
	registry_unref(files->registry);
	files->registry = NULL;
}
