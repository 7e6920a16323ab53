/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/blob/name.h"
#include "broker/journal/reader.h"
#include "proto/base/bytes.h"
#include "proto/base/cleanup.h"
#include "proto/base/crypto.h"

/*
 * The files of attachments: uploads that grow piece by piece, pieces to be read, and what nobody needs any
 * more. One thread (the one that runs the errands of broker/transport/blob.c), so that neither the reactor
 * nor the journal ever waits for it. What is stored is ciphertext whose key lies in a message's content.
 */
enum { BLOB_PIECE_MAX = 64 * 1024 };

enum {
	BLOB_OFFSET = 1, /* the piece does not begin where the file ends */
	BLOB_FULL = 2,   /* no room on the disk */
	BLOB_QUOTA = 3,  /* the party has stored as much as it may */
	BLOB_DIGEST = 4, /* all bytes are here and are not what was announced: they are gone again */
	BLOB_SIZE = 5,   /* it is there, and has another size */
	BLOB_HASHING = 6, /* all bytes are here: blob_hash_step() until it says so no more */
	BLOB_UNKNOWN = 7, /* no such attachment for this party */
	BLOB_ERASED = 8,  /* with its message's content */
	BLOB_ABSENT = 9,  /* the journal says that it is there, and it is not */
};

struct blob_options {
	const char *dir;          /* made when it is not there */
	uint64_t party_bytes_max; /* stored at once, per party */
	uint64_t fill_percent;    /* of the file system: fuller, nothing is taken */
	uint64_t reserve_bytes;   /* the same when less is free */
	uint64_t orphan_ms;       /* after so long an upload that no message names is removed */
};

struct blob_store;
/* Over a folder, which is made when it is not there; strings are copied. 0 or negative errno. */
int blob_store_new(const struct blob_options *options, struct blob_store **ret);
void blob_store_free(struct blob_store *store); /* takes NULL */
DEFINE_CLEANUP(struct blob_store *, blob_store_free);

/* An upload: whose, and what it will be. */
struct blob_upload {
	char party[64];
	uint8_t digest[HASH_SIZE];
	uint64_t size;
};

struct blob_state {
	uint64_t offset; /* so much is there */
	bool complete;
};

/**
 * blob_put() - append a piece, or (without data) ask how much is there
 * @store:  the store
 * @upload: which
 * @offset: of the piece
 * @data:   at most BLOB_PIECE_MAX; offset and length lie within the size
 * @ret:    what is there afterwards, also when nothing was taken
 * Return: 0, BLOB_OFFSET, BLOB_FULL, BLOB_QUOTA, BLOB_SIZE, BLOB_HASHING, negative errno.
 */
int blob_put(struct blob_store *store, const struct blob_upload *upload, uint64_t offset,
	struct bytes data, struct blob_state *ret);

/* A complete upload is read once more before it counts. */
struct blob_hashing {
	struct blake2b hash;
	uint64_t offset;
};
struct blob_hashing *blob_hashing_new(void); /* or NULL; free() it */

/**
 * blob_hash_step() - read some of a complete upload; at the end it becomes an attachment, durably, or goes
 * @store:   the store
 * @upload:  all of its bytes are there
 * @hashing: begun by blob_hashing_new()
 * @ret:     as blob_put()
 * Return: BLOB_HASHING to go on, 0, BLOB_DIGEST, BLOB_OFFSET (it went meanwhile), negative errno.
 */
int blob_hash_step(struct blob_store *store, const struct blob_upload *upload,
	struct blob_hashing *hashing, struct blob_state *ret);

/* A piece of an attachment of a recorded message. */
struct blob_piece {
	char party[64]; /* who asks */
	uint64_t sequence;
	uint32_t index;
	uint64_t offset;
};

/**
 * blob_get() - read a piece, for a party of that message
 * @store:   the store
 * @reader:  begun
 * @piece:   which
 * @buf:     BLOB_PIECE_MAX bytes
 * @ret_len: as many as there are, up to that
 * Return: 0, BLOB_UNKNOWN, BLOB_ERASED, BLOB_ABSENT, negative errno.
 */
int blob_get(struct blob_store *store, struct journal_reader *reader,
	const struct blob_piece *piece, uint8_t *buf, size_t *ret_len);

/**
 * blob_sweep() - look through some files: what nobody needs any more is removed, what a party stores is counted
 * @store:    the store
 * @reader:   begun
 * @wall_ms:  now
 * @ret_more: call again; false: all were looked at, and the next call begins anew
 * Return: 0 or negative errno.
 */
int blob_sweep(
	struct blob_store *store, struct journal_reader *reader, uint64_t wall_ms, bool *ret_more);

/* After the last whole sweep. */
struct blob_counts {
	uint64_t bytes;   /* on the disk */
	uint64_t files;   /* attachments of recorded messages */
	uint64_t uploads; /* complete or not, that no message names yet */
	uint64_t removed; /* since the start */
};
void blob_counts(const struct blob_store *store, struct blob_counts *ret);
