/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdint.h>

#include "proto/base/bytes.h"
#include "proto/note/checkpoint.h"

/*
 * The high-water mark: the newest signed checkpoint in a small file beside the keyring, which is never part of
 * a backup. A journal that does not reach it, or leads elsewhere, is an old copy: a broker that signed on
 * from there would write a second history (docs/journal.md "High water"). Inside this folder only.
 */
enum {
	HIGHWATER_MISSING = 1,
	HIGHWATER_BROKEN = 2, /* it is there and says nothing */
};

/**
 * highwater_read() - what was signed last, as far as the file knows
 * @path: the file
 * @ret:  its checkpoint
 * Return: 0, HIGHWATER_*, negative errno.
 */
int highwater_read(const char *path, struct checkpoint *ret);

/**
 * highwater_write() - replace it, fsynced
 * @path: the file
 * @note: a signed checkpoint
 * Return: 0 or negative errno.
 */
int highwater_write(const char *path, struct bytes note);
