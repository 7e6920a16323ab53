/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <dirent.h>
#include <limits.h>

#include "broker/blob/store.h"
#include "proto/base/arena.h"

/* The store from inside; this folder only. */
struct blob_charge {
	char party[64];
	uint64_t bytes;
	uint64_t counted; /* by the sweep under way */
	uint64_t uploads, uploads_counted;
};

/* A look through all files, in steps. */
struct blob_walk {
	DIR *all;   /* of the parties' folders; NULL: not begun */
	DIR *party; /* of the one under way; NULL: the next one is due */
	char name[64];
	struct blob_counts counts;
};

struct blob_store {
	struct blob_options options;
	char dir[PATH_MAX];
	struct arena *arena;
	uint8_t *buf;
	struct blob_charge *charges;
	size_t charges_count; /* parties of the registry that ever stored something */
	struct blob_walk walk;
	struct blob_counts counts;
	uint64_t removed;
};

/* What a file of so many bytes counts. */
uint64_t blob_cost(uint64_t bytes);
struct blob_charge *blob_charge_of(
	struct blob_store *store, const char *party); /* or NULL: no memory */
void blob_sweep_end(struct blob_store *store);        /* close what a sweep under way has open */
