/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>

#include "conf/config.h"
#include "proto/identity/keyfile.h"
#include "proto/registry/registry.h"

/*
 * The parties this process speaks for, with their secret keys: the adapter's own first, then those it
 * operates. Which sign key is used follows the registry in force, so a rotation needs no restart when the
 * new secret is already in the file.
 */
enum {
	PARTIES_MAX = 1 + CONFIG_LIST_MAX,
	PARTIES_INVALID = 1,        /* reterr tells: file, party, remedy */
	PARTIES_NONE = PARTIES_MAX, /* parties_find(): not one of ours */
};

struct party {
	const char *name; /* the configuration's */
	struct keyring_secret keys;
	const struct key_secret *sign;                   /* active in the registry */
	const struct key_secret *seal[KEYFILE_KEYS_MAX]; /* current and retired */
	size_t seal_count;
};

struct parties {
	size_t count;
	/* Newest first; last, those that our registry has never heard of: the broker's may be newer. */
	const struct key_secret *transports[KEYFILE_KEYS_MAX];
	size_t transports_count;
	const char *names[PARTIES_MAX];
	struct party all[PARTIES_MAX];
};

/**
 * parties_open() - read the key files
 * @config:   outlives the result
 * @registry: in force
 * @ret:      the parties
 * @reterr:   a sentence
 * @size:     of @reterr
 * Return: 0, PARTIES_INVALID, negative errno (@reterr is set as well).
 */
int parties_open(const struct config_adapter *config, const struct registry *registry,
	struct parties **ret, char *reterr, size_t size);
void parties_free(struct parties *parties); /* wipes; takes NULL */
DEFINE_CLEANUP(struct parties *, parties_free);

/**
 * parties_bind() - choose the keys that a registry has as active
 * @parties:  ours
 * @registry: now in force
 * @reterr:   a sentence
 * @size:     of @reterr
 * Return: 0, PARTIES_INVALID (a party or key is missing there; nothing was changed).
 */
int parties_bind(
	struct parties *parties, const struct registry *registry, char *reterr, size_t size);

size_t parties_find(const struct parties *parties, struct bytes name); /* index or PARTIES_NONE */
