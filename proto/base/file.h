/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/base/bytes.h"

/*
 * Files as this house uses them: read whole with a bound, replaced atomically and durably
 * (write temporary, fsync, rename, fsync directory). Thread: any.
 */
enum {
	FILE_TOO_LARGE = 1, /* larger than the bound */
	FILE_UNSAFE = 2,    /* a secret file that others may read */
};

/**
 * file_read() - read a whole regular file
 * @path:  the file
 * @max:   most bytes
 * @ret:   malloc'd content with a NUL after it (not counted); free() it
 * @ret_len: its length
 * Return: 0, FILE_TOO_LARGE, negative errno; -EISDIR or -EINVAL for what is no regular file.
 */
int file_read(const char *path, size_t max, uint8_t **ret, size_t *ret_len);

/**
 * file_replace() - replace a file durably: it holds the old or the new bytes, never a mix
 * @path:  the file
 * @data:  new content
 * @mode:  permissions, 0600 for secrets; the umask does not count
 * Return: 0 or negative errno. Only a failing fsync of the folder leaves the new bytes there.
 *
 * A symbolic link at @path is replaced, not followed. Power loss may leave a ".tmp-XXXXXX" beside it.
 */
int file_replace(const char *path, struct bytes data, mode_t mode);

/**
 * file_check_private() - is the file readable by its owner alone (and owned by us or root)?
 * @path: the file; a symbolic link is followed
 * Return: 0, FILE_UNSAFE, negative errno.
 */
int file_check_private(const char *path);

/**
 * dir_make() - mkdir -p, durably; every missing part with @mode, existing ones as they are
 * @path: the folder
 * @mode: permissions, less the umask
 * Return: 0 or negative errno.
 */
int dir_make(const char *path, mode_t mode);

/**
 * dir_sync() - fsync a folder, so that renames and new files in it survive power loss
 * @path: the folder
 * Return: 0 or negative errno.
 */
int dir_sync(const char *path);

/**
 * file_write_back() - have a file that grows written step by step, without making the disk flush for it
 * @fd:     the file
 * @before: its length before bytes were appended
 * @after:  its length now
 * @step:   bytes; nothing happens until such a border is passed
 * Return: 0 or negative errno, also of what was to be written before.
 *
 * What lies before the border begins to be written, the step before that is waited for: so little more than two
 * are unwritten at a time. It makes nothing durable; an fsync at the end does, and has little left to do.
 */
int file_write_back(int fd, uint64_t before, uint64_t after, uint64_t step);

/**
 * path_join() - "dir/name"
 * @buf:  result; undefined unless 0 is returned
 * @size: its size
 * @dir:  folder
 * @name: file name
 * Return: 0 or -ENAMETOOLONG.
 */
int path_join(char *buf, size_t size, const char *dir, const char *name);
