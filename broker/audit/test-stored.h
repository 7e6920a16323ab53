/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "proto/base/bytes.h"

/*
 * A journal as one file for the tests: "dienstweg stored journal 0\n", then rows:
 *   u8 length || name of the table || u16be length || key || u32be length || value
 * Rows of the table "file" are the keyring's files and the master key, by name. Content of messages, which replay
 * does not look at, is left out, so that the file stays small.
 */
#define STORED_MAGIC "dienstweg stored journal 0\n"
#define STORED_FILES "file"
enum { STORED_BYTES_MAX = 4 << 20 };
