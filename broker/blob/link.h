/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/bytes.h"
#include "proto/envelope.pb-c.h"

/*
 * What the journal's writer does with attachments: while it decides about a message, each gets a second name
 * that says whose it is; these names are durable before the commit that holds the message. No bytes are
 * read or written.
 */
enum { BLOB_MISSING = 1 };

/**
 * blob_link() - name all attachments of a message after it
 * @dir:      of all blobs
 * @header:   with attachments
 * @sequence: that the message's entry will have
 * Return: 0, BLOB_MISSING (one is not there, or of another size; nothing was named), negative errno.
 */
int blob_link(const char *dir, const Dienstweg__Header *header, uint64_t sequence);

/**
 * blob_unlink() - take these names away again: the message was not accepted
 * @dir:      as there
 * @header:   as there
 * @sequence: as there
 */
void blob_unlink(const char *dir, const Dienstweg__Header *header, uint64_t sequence);

/**
 * blob_sync() - make the names in a party's folder durable
 * @dir:   of all blobs
 * @party: the sender
 * Return: 0 or negative errno.
 */
int blob_sync(const char *dir, struct bytes party);
