/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>

#include "broker/journal/journal.h"
#include "conf/config.h"
#include "proto/identity/keyfile.h"
#include "proto/note/policy.h"
#include "proto/registry/registry.h"
#include "proto/schema/library.h"

/* What a broker is given as files: its keys, the pinned roots, the signed registry. */
struct broker_files {
	struct keyring_secret keys;
	struct policy policy;
	struct registry *registry;
	bool registry_pinned; /* signed by the policy's roots; else only by its own */
	const struct key_secret *log_keys[JOURNAL_LOG_KEYS_MAX]; /* in @keys, as they stand there */
	const struct key_secret *transport_key; /* in @keys, the oldest that is active in the registry */
	struct schema_library *schemas;         /* with those of @registry */
	uint8_t config_digest[HASH_SIZE];       /* SHA-256 of the configuration file */
};

enum { BROKER_FILES_REFUSED = 1 };

/**
 * broker_files_read() - read them, and check that they belong together
 * @config: names them
 * @ret:    zeroed; broker_files_deinit() in every case
 * @reterr: a sentence with file and remedy
 * @size:   of @reterr
 *
 * The registry must be signed, be of this bus, and hold a log key and a transport key of ours as active
 * bus keys, and the schemas that it pins must be there. One that is signed by other roots than the policy's may still follow the one in the journal,
 * whose chain leads back to them: the journal judges that.
 *
 * Return: 0, BROKER_FILES_REFUSED, negative errno.
 */
int broker_files_read(
	const struct config_broker *config, struct broker_files *ret, char *reterr, size_t size);

/**
 * broker_files_earlier() - a version that came before the registry's file: FILE.VERSION beside it
 * @config:  names the file
 * @version: which
 * @ret:     the registry
 * Return: 0, REGISTRY_*, negative errno; -ENOENT: it is not there.
 */
int broker_files_earlier(
	const struct config_broker *config, uint64_t version, struct registry **ret);
void broker_files_deinit(struct broker_files *files);
DEFINE_CLEANUP_PTR(struct broker_files, broker_files_deinit);
