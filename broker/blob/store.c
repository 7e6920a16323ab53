/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Nothing about an upload is remembered but its file: how long it is says where to go on, after a crash of
 * either side too. Bytes are written out while they come, a MiB at a time, because a commit of the journal that
 * met gigabytes of unwritten pages would wait for all of them. Written out, and not synced: each sync is a commit
 * of the file system and a flush of the disk that the journal's own wait for. What power loss leaves of an
 * upload may have holes, so the digest is computed over the whole once it is there, in steps, so that others
 * get their turn, and only what was synced as a whole gets its name.
 */
#include "broker/blob/store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "broker/blob/inside.h"
#include "proto/base/file.h"
#include "proto/base/log.h"

enum {
	WRITE_BACK_BYTES = 1 << 20,
	HASH_STEP = 8 << 20,
	READ_BYTES = 256 << 10,
	BLOCK = 4096,        /* a file costs at least that */
	UPLOADS_MAX = 16384, /* of a party, that no message names yet */
	ARENA_BUDGET = 1 << 20,
};

int blob_store_new(const struct blob_options *options, struct blob_store **ret)
{
	_cleanup_(blob_store_free) struct blob_store *store = calloc(1, sizeof(*store));
	if (!store)
		return -ENOMEM;
	store->options = *options;
	if (snprintf(store->dir, sizeof(store->dir), "%s", options->dir) >= (int)sizeof(store->dir))
		return -ENAMETOOLONG;
	store->arena = arena_new(ARENA_BUDGET);
	store->buf = malloc(READ_BYTES);
	if (!store->arena || !store->buf)
		return -ENOMEM;
	int r = dir_make(store->dir, 0700);
	if (r)
		return r;
	*ret = steal(&store);
	return 0;
}

void blob_store_free(struct blob_store *store)
{
	if (!store)
		return;
	blob_sweep_end(store);
	arena_free(store->arena);
	free(store->buf);
	free(store->charges);
	free(store);
}

/* ---- what a party stores ---- */

uint64_t blob_cost(uint64_t bytes)
{
	return (bytes + BLOCK - 1) / BLOCK * BLOCK;
}

struct blob_charge *blob_charge_of(struct blob_store *store, const char *party)
{
	for (size_t i = 0; i < store->charges_count; i++) {
		if (strcmp(store->charges[i].party, party) == 0)
			return &store->charges[i];
	}
	struct blob_charge *charges = reallocarray(
		store->charges, store->charges_count + 1, sizeof(*charges));
	if (!charges)
		return NULL;
	store->charges = charges;
	struct blob_charge *charge = &charges[store->charges_count++];
	*charge = (struct blob_charge){0};
	snprintf(charge->party, sizeof(charge->party), "%s", party);
	return charge;
}

static bool disk_is_full(const struct blob_store *store, size_t bytes)
{
	struct statvfs fs;
	if (statvfs(store->dir, &fs) != 0)
		return true;
	uint64_t left = (uint64_t)fs.f_bavail * fs.f_frsize,
		 all = (uint64_t)fs.f_blocks * fs.f_frsize;
	return left < store->options.reserve_bytes + bytes ||
	       left < all / 100 * (100 - store->options.fill_percent);
}

/* ---- uploads ---- */

/* Is it there as a whole? Return: 0, BLOB_SIZE, BLOB_UNKNOWN, negative errno. */
static int whole_find(int folder, const struct blob_upload *upload)
{
	char name[BLOB_NAME_SIZE];
	struct stat st;
	blob_whole_name(upload->digest, name);
	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? BLOB_UNKNOWN : -errno;
	if ((uint64_t)st.st_size != upload->size)
		return BLOB_SIZE;
	/* Whoever asks is about to use it: its day begins anew. */
	return utimensat(folder, name, NULL, AT_SYMLINK_NOFOLLOW) != 0 ? -errno : 0;
}

static int part_open(int folder, const struct blob_upload *upload, int flags, uint64_t *ret_len)
{
	char name[BLOB_NAME_SIZE];
	struct stat st;
	blob_part_name(upload->digest, upload->size, name);
	int fd = openat(folder, name, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) != 0) {
		fd_close_at(&fd);
		return -EIO;
	}
	*ret_len = (uint64_t)st.st_size;
	return fd;
}

/* All of it, or as before. Return: 0, BLOB_FULL, negative errno. */
static int piece_write(int fd, uint64_t offset, struct bytes data)
{
	size_t done = 0;
	while (done < data.len) {
		ssize_t n = pwrite(fd, data.data + done, data.len - done, (off_t)(offset + done));
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	if (done < data.len) {
		int error = errno;
		if (ftruncate(fd, (off_t)offset) != 0)
			return -errno;
		return error == ENOSPC || error == EDQUOT ? BLOB_FULL : -error;
	}
	return file_write_back(fd, offset, offset + data.len, WRITE_BACK_BYTES);
}

/* A write that failed is never tried again: what was not written may look as if it had been. */
static void part_remove(int folder, const struct blob_upload *upload)
{
	char name[BLOB_NAME_SIZE];
	blob_part_name(upload->digest, upload->size, name);
	unlinkat(folder, name, 0);
}

/* Files cost more than their bytes, so they are counted, too. Return: a descriptor, -EDQUOT, negative errno. */
static int part_make(
	int folder, const struct blob_upload *upload, struct blob_charge *charge, uint64_t *ret_len)
{
	int fd = part_open(folder, upload, O_RDWR, ret_len);
	if (fd != -ENOENT)
		return fd;
	if (charge->uploads >= UPLOADS_MAX)
		return -EDQUOT;
	fd = part_open(folder, upload, O_RDWR | O_CREAT, ret_len);
	charge->uploads += fd >= 0;
	return fd;
}

static int piece_take(struct blob_store *store, int folder, const struct blob_upload *upload,
	uint64_t offset, struct bytes data, struct blob_state *ret)
{
	struct blob_charge *charge = blob_charge_of(store, upload->party);
	if (!charge)
		return -ENOMEM;
	uint64_t grown = blob_cost(offset + data.len) - blob_cost(offset);
	if (charge->bytes + grown > store->options.party_bytes_max) {
		_cleanup_(fd_close) int there = part_open(folder, upload, O_RDONLY, &ret->offset);
		return there < 0 && there != -ENOENT ? there : BLOB_QUOTA;
	}
	_cleanup_(fd_close) int fd = part_make(folder, upload, charge, &ret->offset);
	if (fd < 0)
		return fd == -EDQUOT ? BLOB_QUOTA : fd;
	if (offset != ret->offset)
		return BLOB_OFFSET;
	if (disk_is_full(store, data.len))
		return BLOB_FULL;
	int r = piece_write(fd, offset, data);
	if (r < 0)
		part_remove(folder, upload);
	if (r == 0) {
		charge->bytes += grown;
		charge->counted += grown; /* rather twice than not at all, until the next sweep */
		ret->offset += data.len;
	}
	return r;
}

int blob_put(struct blob_store *store, const struct blob_upload *upload, uint64_t offset,
	struct bytes data, struct blob_state *ret)
{
	*ret = (struct blob_state){0};
	_cleanup_(fd_close) int folder = blob_party_open(
		store->dir, BYTES_STR(upload->party), data.len > 0);
	if (folder < 0)
		return folder == -ENOENT ? 0 : folder;
	int r = whole_find(folder, upload);
	if (r == 0)
		*ret = (struct blob_state){.offset = upload->size, .complete = true};
	if (r != BLOB_UNKNOWN)
		return r;
	if (data.len > 0) {
		r = piece_take(store, folder, upload, offset, data, ret);
	} else {
		_cleanup_(fd_close) int fd = part_open(folder, upload, O_RDONLY, &ret->offset);
		r = fd < 0 && fd != -ENOENT ? fd : 0;
	}
	return r == 0 && ret->offset == upload->size ? BLOB_HASHING : r;
}

/* ---- the whole ---- */

struct blob_hashing *blob_hashing_new(void)
{
	struct blob_hashing *hashing = aligned_alloc(
		_Alignof(struct blob_hashing), sizeof(*hashing));
	if (!hashing)
		return NULL;
	hashing->offset = 0;
	blake2b_init(&hashing->hash, BYTES(NULL, 0));
	return hashing;
}

static int hash_some(struct blob_store *store, int fd, struct blob_hashing *hashing, bool *ret_end)
{
	for (size_t done = 0; done < HASH_STEP; done += READ_BYTES) {
		ssize_t n = pread(fd, store->buf, READ_BYTES, (off_t)hashing->offset);
		if (n < 0)
			return -errno;
		*ret_end = n == 0;
		if (n == 0)
			return 0;
		blake2b_add(&hashing->hash, BYTES(store->buf, (size_t)n));
		hashing->offset += (uint64_t)n;
	}
	return 0;
}

static int whole_make(struct blob_store *store, int folder, int fd,
	const struct blob_upload *upload, struct blob_hashing *hashing)
{
	char part[BLOB_NAME_SIZE], whole[BLOB_NAME_SIZE];
	uint8_t digest[HASH_SIZE];
	struct blob_charge *charge = blob_charge_of(store, upload->party);
	blob_part_name(upload->digest, upload->size, part);
	blob_whole_name(upload->digest, whole);
	blake2b_finish(&hashing->hash, digest);
	if (memcmp(digest, upload->digest, HASH_SIZE) != 0) {
		uint64_t cost = blob_cost(upload->size);
		if (charge)
			charge->bytes -= cost < charge->bytes ? cost : charge->bytes;
		return unlinkat(folder, part, 0) != 0 ? -errno : BLOB_DIGEST;
	}
	int r = fsync(fd) != 0 ? -errno : 0;
	if (r) {
		part_remove(folder, upload);
		return r;
	}
	return renameat(folder, part, folder, whole) != 0 || fsync(folder) != 0 ? -errno : 0;
}

int blob_hash_step(struct blob_store *store, const struct blob_upload *upload,
	struct blob_hashing *hashing, struct blob_state *ret)
{
	bool end = false;
	*ret = (struct blob_state){0};
	_cleanup_(fd_close) int folder = blob_party_open(
		store->dir, BYTES_STR(upload->party), false);
	if (folder < 0)
		return folder == -ENOENT ? BLOB_OFFSET : folder;
	/* Asked twice, another one was quicker. */
	int r = whole_find(folder, upload);
	if (r != BLOB_UNKNOWN) {
		*ret = (struct blob_state){r == 0 ? upload->size : 0, r == 0};
		return r;
	}
	_cleanup_(fd_close) int fd = part_open(folder, upload, O_RDONLY, &ret->offset);
	if (fd < 0)
		return fd == -ENOENT ? BLOB_OFFSET : fd;
	if (ret->offset != upload->size)
		return BLOB_OFFSET;
	r = hash_some(store, fd, hashing, &end);
	if (r < 0 || !end)
		return r < 0 ? r : BLOB_HASHING;
	r = whole_make(store, folder, fd, upload, hashing);
	*ret = (struct blob_state){r == 0 ? upload->size : 0, r == 0};
	return r;
}

void blob_counts(const struct blob_store *store, struct blob_counts *ret)
{
	*ret = store->counts;
}
