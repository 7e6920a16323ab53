/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/base/bytes.h"
#include "proto/base/cleanup.h"

/*
 * The way out of the folder connector (docs/folder.md): what arrived appears as a whole folder, by one
 * rename, exactly once for an id: also when the process ends between any two steps and the legacy system
 * takes the folder away at once. One thread.
 */
enum {
	FOLDER_OUT_INVALID = 1, /* folder_out_open(): reterr names the parameter and the remedy */
	FOLDER_OUT_ID_SIZE = 16,
};

struct folder_out;

struct folder_out_options {
	const char *path;    /* made with mode 0700 when it is missing; outlives the result */
	const char *field;   /* its parameter, for complaints */
	const char *journal; /* file of the adapter's own that remembers what was put here */
	size_t remember; /* at least so many ids: more than can be handed over between two commits */
};

/**
 * folder_out_open() - open the folder and its memory, remove what an earlier process left unfinished
 * @options: copied; texts outlive the result
 * @ret:     the way out
 * @reterr:  a sentence
 * @size:    of @reterr
 * Return: 0, FOLDER_OUT_INVALID, negative errno (@reterr is set as well).
 */
int folder_out_open(const struct folder_out_options *options, struct folder_out **ret, char *reterr,
	size_t size);
void folder_out_free(struct folder_out *out); /* takes NULL */
DEFINE_CLEANUP(struct folder_out *, folder_out_free);

struct out_file {
	const char *name; /* a cleaned file name, unique among its neighbours */
	struct bytes data;
	const char *path; /* instead: a file that is durable, to be linked or copied */
};

struct out_letter {
	uint8_t id[FOLDER_OUT_ID_SIZE]; /* the same again is put only once */
	const char *parent; /* folder or folders in `path`, made when missing: "a" or "a/b" */
	const char *name;   /* of the new folder in it */
	const struct out_file *files; /* at least one; the first one's bytes are no other letter's */
	size_t count;
};

/**
 * folder_out_put() - put a folder of files
 * @out:    the way out
 * @letter: what
 *
 * Durable once 0 is returned. Files have mode 0600, folders 0700.
 *
 * Return: 0, -EEXIST (another letter's folder of that name is there: choose another name), other negative
 * errno; after any but -EIO the same may be tried again.
 */
int folder_out_put(struct folder_out *out, const struct out_letter *letter);
