/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/base/db.h"

/* A journal whose broker stands still, opened to be changed by one of our programs. */

/**
 * stopped_lock() - take the lock that a broker holds while it runs
 * @dir:    the journal's folder
 * @ret_fd: the lock, until it is closed
 * @reterr: a sentence
 * @size:   of @reterr
 * Return: 0, AUDIT_REFUSED when a broker is using it, negative errno.
 */
int stopped_lock(const char *dir, int *ret_fd, char *reterr, size_t size);

/* The environment to be read, or to be written with a map of @map_bytes. 0 or negative errno. */
int stopped_open_read(const char *dir, struct db_env **ret);
int stopped_open_write(const char *dir, uint64_t map_bytes, struct db_env **ret);

/* How large whoever wrote an environment made its map. 0 or negative errno. */
int stopped_map(const char *dir, uint64_t *ret);
