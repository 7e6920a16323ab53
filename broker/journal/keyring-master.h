/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdint.h>

#include "broker/journal/keyring.h"

/*
 * The master key's file, and the new one beside it while a run of erasure exchanges them. Inside this
 * folder only. A master key that a credential store hands out (systemd, TPM) can be read and not replaced.
 */
enum { MASTER_FIXED = 100 /* verdict: its folder cannot be written by us */ };

struct master_file {
	char path[4096]; /* symbolic links followed: what is replaced is the file itself */
	char next[4096]; /* `path`.next */
	bool credential; /* below $CREDENTIALS_DIRECTORY: guarded by whoever made that folder */
};

/**
 * master_file_init() - where they are
 * @file: to set up
 * @path: as configured; it must exist
 * Return: 0 or negative errno.
 */
int master_file_init(struct master_file *file, const char *path);

/**
 * master_file_read() - the key in force, or the one beside it
 * @file: where
 * @next: the one beside it
 * @ret:  AEAD_KEY_SIZE bytes of secret memory
 * Return: 0, KEYRING_BROKEN when it is no such file, -ENOENT, -EACCES when others may read it, negative errno.
 */
int master_file_read(const struct master_file *file, bool next, uint8_t **ret);

/**
 * master_file_put_next() - write a new key beside the one in force, durably
 * @file: where
 * @key:  the key
 * Return: 0, MASTER_FIXED, negative errno.
 */
int master_file_put_next(const struct master_file *file, const uint8_t key[AEAD_KEY_SIZE]);

/* The new one takes the old one's place, and the old one's bytes are overwritten. 0 or negative errno. */
int master_file_adopt(const struct master_file *file);

/* The keyring never came to need the new one: forget it. 0 or negative errno; harmless when there is none. */
int master_file_drop(const struct master_file *file);

/**
 * file_wipe() - overwrite what a file held before it was replaced
 * @fd: opened for writing before that; -1: nothing to do
 *
 * The best that can be done from here: a file system that copies on write, or a flash disk, may keep the old
 * blocks. Hence the encrypted volume.
 */
void file_wipe(int fd);
