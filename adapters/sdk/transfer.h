/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <limits.h>
#include <stdint.h>

#include "adapters/sdk/spool.h"
#include "proto/envelope.pb-c.h"
#include "proto/sealing/attachment.h"

/*
 * One attachment that arrives: ciphertext grows in a file; when it is whole it is opened into another one, a bit
 * at a time, and its digest is checked on the way. Between fetch.c and its files.
 */
enum transfer_state {
	TRANSFER_FETCHING,
	TRANSFER_OPENING,
	TRANSFER_READY,
	TRANSFER_BROKEN,
	TRANSFER_MISSING, /* set by who hears it */
};

struct transfer {
	enum transfer_state state;
	struct spool *spool;
	uint8_t digest[HASH_SIZE];
	uint64_t size; /* of the ciphertext */
	struct attachment_key key;
	char name[ATTACHMENT_NAME_MAX], type[ATTACHMENT_TYPE_MAX];
	char cipher[PATH_MAX], plain[PATH_MAX];
	bool begun;
	int fd, plain_fd;
	uint64_t have;  /* of the ciphertext */
	uint64_t asked; /* up to here */
	size_t out;     /* pieces asked for and not answered */
	struct attachment_open *work;
	uint64_t read;      /* of the ciphertext, to be opened */
	uint64_t opened;    /* of the file */
	unsigned int again; /* fetched anew so often, because it was not what it should be */
};

/**
 * transfer_init() - to be fetched
 * @transfer:   to set up; transfer_deinit() also after a failure
 * @spool:      borrowed
 * @number:     no other transfer has it: two deliveries may bring the same attachment
 * @attachment: as the header has it
 * @key:        as the content has it; copied
 * Return: 0 or negative errno.
 */
int transfer_init(struct transfer *transfer, struct spool *spool, uint64_t number,
	const Dienstweg__Attachment *attachment, const struct attachment_key *key);
void transfer_deinit(
	struct transfer *transfer); /* removes what was opened, unless it was taken away */

/* Before the first piece is asked for: what is there from before? 0 or negative errno. */
int transfer_begin(struct transfer *transfer);

/**
 * transfer_append() - a piece
 * @transfer: fetching
 * @offset:   where it belongs
 * @data:     untrusted
 * Return: 0, 1 when it is not the next one (nothing happens), negative errno.
 */
int transfer_append(struct transfer *transfer, uint64_t offset, struct bytes data);

/* A bit of the opening; it may be ready or broken afterwards. 0 or negative errno: try again later. */
int transfer_open_some(struct transfer *transfer);
