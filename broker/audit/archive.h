/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "proto/base/cleanup.h"
#include "proto/receipt/stub.h"

/*
 * Stubs out of an exported log, for what the journal does not hold any more. Nothing of it is believed: who
 * reads here compares with the tree. One thread.
 */
struct archive_stubs;

enum { ARCHIVE_MISSING = 1 };

/**
 * archive_stubs_open() - open an exported folder
 * @dir: the folder
 * @ret: result
 * Return: 0, ARCHIVE_MISSING when it is none, negative errno.
 */
int archive_stubs_open(const char *dir, struct archive_stubs **ret);
void archive_stubs_free(struct archive_stubs *archive); /* takes NULL */
DEFINE_CLEANUP(struct archive_stubs *, archive_stubs_free);

/* Entries that its checkpoint speaks of. */
uint64_t archive_stubs_size(const struct archive_stubs *archive);

/**
 * archive_stubs_read() - the stub of an entry
 * @archive:  open; cheap when read in order
 * @sequence: of the entry
 * @ret:      the stub
 * Return: 0, ARCHIVE_MISSING (no such entry, no such file, no stub), negative errno.
 */
int archive_stubs_read(struct archive_stubs *archive, uint64_t sequence, struct stub *ret);
