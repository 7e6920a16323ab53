/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "broker/journal/keyring.h"
#include "broker/journal/reader.h"
#include "proto/note/epoch.h"
#include "proto/note/policy.h"

/*
 * A journal opened to be looked at, from another process than the broker's or with no broker at all.
 * Nothing in it is changed. One thread.
 */
struct audit_paths {
	const char *journal;    /* folder; NULL: the caller opens its reader */
	const char *keyring;    /* folder; NULL: sealed rows stay closed */
	const char *master_key; /* file; NULL as @keyring */
	const char *policy;     /* file; NULL: no trust anchor */
	const char *archive; /* folder: the export that holds what was pruned; NULL: not at hand */
	const char *blobs;   /* folder of attachments; NULL: not at hand */
};

struct audit {
	struct keyring *keyring; /* NULL: none */
	struct journal_reader *reader;
	struct policy policy;
	bool has_policy;
	const char *archive; /* as given */
	const char *blobs;   /* likewise */
	char bus[64];
	char origin[CHECKPOINT_ORIGIN_MAX + 1]; /* of the log now: "<bus>/<epoch>" */
	struct epochs epochs;                   /* that it had */
	struct policy witnesses; /* whose cosignatures count, once that was asked: audit_prove()'s */
	bool witnesses_known;
};

/**
 * audit_open() - open journal, keyring and policy
 * @paths:  where they are
 * @ret:    result; audit_close(), also after a failure
 * @reterr: a sentence with path and remedy
 * @size:   of @reterr
 * Return: 0, AUDIT_REFUSED (wrong key, damaged policy, unknown format: @reterr says), negative errno.
 */
enum { AUDIT_REFUSED = 1 };
int audit_open(const struct audit_paths *paths, struct audit *ret, char *reterr, size_t size);
void audit_close(struct audit *audit); /* harmless when never opened */
DEFINE_CLEANUP_PTR(struct audit, audit_close);

/**
 * audit_take_log() - which log is it, and in which epochs? audit_open() does it
 * @audit: its reader begun
 * Return: 0, READER_*, negative errno.
 */
int audit_take_log(struct audit *audit);

/* The origin under which a tree of @size entries was signed. */
void audit_origin_at(const struct audit *audit, uint64_t size, char ret[CHECKPOINT_ORIGIN_MAX + 1]);

/* Entries walked between two snapshots: a read transaction must be short, or the journal grows. */
enum { AUDIT_SLICE = 1024 };

/**
 * audit_refresh() - let go of the snapshot and take the newest
 * @audit: its reader begun or not; begun afterwards when 0
 * Return: 0 or negative errno.
 */
int audit_refresh(struct audit *audit);
