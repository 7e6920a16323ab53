/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/base/bytes.h"
#include "proto/base/cleanup.h"
#include "proto/merkle/merkle.h"
#include "proto/receipt/stub.h"

/*
 * The files of an exported log (c2sp.org/tlog-tiles): where a tile or an entry bundle stands, how it is put
 * there so that it is whole or absent, and how tiles grow out of leaves. Between the export*.c files.
 */
enum {
	EXPORT_WIDTH = 256, /* hashes of a tile, entries of a bundle */
	EXPORT_LEVELS = 8,  /* of tiles: trees of up to 2^64 leaves */
	EXPORT_PATH_MAX = 128,
	EXPORT_ENTRY_SIZE = 2 + STUB_SIZE, /* in a bundle: u16be length, stub */
	EXPORT_BUNDLE_MAX = EXPORT_WIDTH * EXPORT_ENTRY_SIZE,
	EXPORT_TILE_MAX = EXPORT_WIDTH * HASH_SIZE,
	EXPORT_ENTRIES = -1, /* instead of a level: entry bundles */
};

/**
 * export_path() - "tile/0/x001/234", "tile/entries/000.p/17"
 * @level: of the tile, or EXPORT_ENTRIES
 * @index: of the tile within its level
 * @width: EXPORT_WIDTH, or less for a partial one
 * @buf:   result
 */
void export_path(int level, uint64_t index, size_t width, char buf[EXPORT_PATH_MAX]);

/**
 * export_index() - "x001/234": an index in parts of three digits
 * @index: any
 * @buf:   result
 * Return: its length.
 */
size_t export_index(uint64_t index, char buf[EXPORT_PATH_MAX]);

/**
 * export_put() - put a file in place, whole or not at all; durable only once the folder is synced
 * @dir_fd: the export's folder
 * @path:   below it; folders are made
 * @data:   its content
 * @mode:   permissions: 0644, or 0600 for what is disclosed
 * Return: 0 or negative errno.
 */
int export_put(int dir_fd, const char *path, struct bytes data, mode_t mode);

enum { EXPORT_TOO_LARGE = 1 };

/**
 * export_get() - read a file
 * @dir_fd:  the export's folder
 * @path:    below it
 * @buf:     result
 * @size:    of @buf
 * @ret_len: bytes read
 * Return: 0, EXPORT_TOO_LARGE, negative errno (-ENOENT when there is none, -EINVAL when it is no file).
 */
int export_get(int dir_fd, const char *path, uint8_t *buf, size_t size, size_t *ret_len);

/* Remove a partial tile or bundle, and its folder with the last one. What is not there is fine. */
void export_remove_partial(int dir_fd, int level, uint64_t index, size_t width);

/* A tile that is being filled. */
struct export_level {
	struct merkle_hash hash[EXPORT_WIDTH];
	size_t width;
	uint64_t index; /* of this tile within its level */
};

/* What is to happen with a tile, complete or (at the end) partial: 0 or negative errno or a verdict. */
struct export_sink {
	int (*tile)(void *context, int level, const struct export_level *tile);
	void *context;
};

/* All levels; about 64 KiB. */
struct export_tiles {
	struct export_level level[EXPORT_LEVELS];
	struct export_sink sink;
};

/**
 * export_tiles_push() - the next leaf
 * @tiles: sinks every tile that becomes complete with it, lowest first
 * @leaf:  leaf hash
 * Return: 0 or what the sink gave.
 */
int export_tiles_push(struct export_tiles *tiles, const struct merkle_hash *leaf);

/* Sink the partial tiles that are left. */
int export_tiles_finish(struct export_tiles *tiles);

/**
 * export_tile_root() - the hash that stands for a complete tile on the level above
 * @hashes: EXPORT_WIDTH of them
 * @ret:    the hash
 */
void export_tile_root(const struct merkle_hash *hashes, struct merkle_hash *ret);
