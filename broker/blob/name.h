/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdint.h>

#include "proto/base/bytes.h"
#include "proto/base/crypto.h"

/*
 * How files of attachments are called (docs/journal.md "Attachments"), in STATE/blobs/PARTY, PARTY being who
 * uploads them and whose messages they belong to:
 *   DIGEST.SIZE.part   an upload that is not complete
 *   DIGEST             complete: it has this BLAKE2b-256
 *   @SEQUENCE.INDEX    a second name of it: attachment of a recorded message
 * DIGEST is 64 hex digits, the numbers are decimal with leading zeros.
 */
enum { BLOB_NAME_SIZE = 96 };

enum blob_kind {
	BLOB_FOREIGN, /* not ours */
	BLOB_PART,
	BLOB_WHOLE,
	BLOB_KEPT,
};

/* Names: text and a NUL. */
void blob_part_name(const uint8_t digest[HASH_SIZE], uint64_t size, char buf[BLOB_NAME_SIZE]);
void blob_whole_name(const uint8_t digest[HASH_SIZE], char buf[BLOB_NAME_SIZE]);
void blob_kept_name(uint64_t sequence, uint32_t index, char buf[BLOB_NAME_SIZE]);

/**
 * blob_name_kind() - what is called so?
 * @name:         a file's name
 * @ret_sequence: BLOB_KEPT: of the message
 * Return: the kind.
 */
enum blob_kind blob_name_kind(const char *name, uint64_t *ret_sequence);

/**
 * blob_party_open() - the folder of a party
 * @dir:   of all blobs
 * @party: a name (text_is_name())
 * @make:  make it when it is not there
 * Return: a descriptor, or negative errno.
 */
int blob_party_open(const char *dir, struct bytes party, bool make);
