/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdint.h>

#include "proto/base/db.h"

/**
 * scratch_open() - a database that nobody else sees and that is gone with its last use
 * @work:      folder to make it in; NULL: $TMPDIR, or /tmp
 * @map_bytes: largest size
 * @ret:       the environment, private to this account; db_env_close()
 * Return: 0 or negative errno.
 *
 * Its files have no name any more when this returns, so whatever ends the process, they leave nothing.
 */
int scratch_open(const char *work, uint64_t map_bytes, struct db_env **ret);
