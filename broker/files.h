/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>

#include "conf/config.h"
#include "proto/identity/keyfile.h"
#include "proto/note/policy.h"
#include "proto/registry/registry.h"

/* What a broker is given as files: its keys, the pinned roots, the signed registry. */
struct broker_files {
	struct keyring_secret keys;
	struct policy policy;
	struct registry *registry;
	const struct key_secret *log_key;       /* in @keys */
	const struct key_secret *transport_key; /* in @keys */
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
 * The registry must be signed under the policy, be of this bus, and hold both keys as active bus keys.
 *
 * Return: 0, BROKER_FILES_REFUSED, negative errno.
 */
int broker_files_read(
	const struct config_broker *config, struct broker_files *ret, char *reterr, size_t size);
void broker_files_deinit(struct broker_files *files);
DEFINE_CLEANUP_PTR(struct broker_files, broker_files_deinit);
