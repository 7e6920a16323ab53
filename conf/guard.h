/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "conf/config.h"

/*
 * What every daemon makes sure of before it opens anything (design section 7): a demonstration bus is
 * not run by mistake, no root secret lies within reach, and secrets are private. Pure checks on the
 * file system; nothing is changed.
 */
enum {
	GUARD_DEMO = 1, /* a bus id ending in ".demo", without --demo; or --demo on another bus */
	GUARD_ROOT_SECRET = 2, /* a root secret is readable in a folder that the configuration names */
	GUARD_UNSAFE = 3,      /* a secret file is readable by others */
	GUARD_MISSING = 4,     /* a file that must be there is not */
	GUARD_STATE = 5,       /* the state folder is none, or not ours to use */
};

/**
 * guard_broker() - may a broker start with this configuration?
 * @config: read
 * @demo:   --demo was given
 * @reterr: a sentence with file and remedy (CONFIG_ERROR_SIZE)
 * @size:   of @reterr
 * Return: 0, GUARD_*, negative errno.
 */
int guard_broker(
	const struct config_broker *config, bool demo, char *reterr, size_t size) _must_use_;

/**
 * guard_adapter() - may an adapter start with this configuration?
 * @config: read
 * @demo:   --demo was given
 * @reterr: a sentence with file and remedy
 * @size:   of @reterr
 * Return: 0, GUARD_*, negative errno.
 */
int guard_adapter(
	const struct config_adapter *config, bool demo, char *reterr, size_t size) _must_use_;
