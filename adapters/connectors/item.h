/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/arena.h"
#include "proto/base/bytes.h"
#include "proto/base/crypto.h"

/*
 * What a legacy system put into a folder: one file, or a case folder with files in it. Only regular files
 * are read, never through links, within bounds; there are no folders in a case folder.
 */
enum {
	ITEM_BAD = 1,  /* cannot be taken as it is: reterr says what and the remedy */
	ITEM_GONE = 2, /* it is not there any more */
	ITEM_FILES_MAX = 64,
	ITEM_NAME_MAX = 255, /* bytes of a file's name */
	ITEM_KEY_MAX = 200,  /* as dw_submit() allows */
};

struct item_file {
	const char *name; /* as in the folder, NUL-terminated */
	struct bytes data;
};

struct item {
	const char *name;
	bool folder;
	const struct item_file *files; /* sorted by name; one when it is no folder */
	size_t count;
	uint8_t digest[HASH_SIZE]; /* over contents, in a case folder also over names */
};

/**
 * item_read() - read an item whole
 * @dirfd:     the folder it stands in
 * @name:      its name there
 * @bytes_max: most bytes of all its files together
 * @arena:     owns the result; a budget of item_budget() suffices
 * @ret:       the item
 * @reterr:    a sentence
 * @size:      of @reterr
 * Return: 0, ITEM_BAD, ITEM_GONE, negative errno (what may pass, such as -EMFILE or -ENOMEM).
 */
int item_read(int dirfd, const char *name, size_t bytes_max, struct arena *arena, struct item *ret,
	char *reterr, size_t size);
size_t item_budget(size_t bytes_max); /* bytes of arena that the largest item needs */

/**
 * item_file() - a file of an item by name
 * @item: the item
 * @name: which
 * Return: the file or NULL.
 */
const struct item_file *item_file(const struct item *item, const char *name);

/**
 * item_key() - the key under which an item is sent: the same word and content give the same key
 * @item: the item
 * @word: what names it, e.g. its file name or the document's own id; cleaned here
 * @key:  result
 */
void item_key(const struct item *item, struct bytes word, char key[ITEM_KEY_MAX + 1]);

/* What can be seen of an item without reading it; two equal looks, some time apart, mean that it rests. */
struct item_look {
	uint8_t print[HASH_SIZE]; /* of sizes, times and names */
	int64_t mtime_ns;         /* of the item itself: the order of arrival */
	bool written;             /* somebody has a file of it open for writing */
	bool unfinished;          /* a file in it is named as writers name what is not complete */
};

/**
 * item_look() - look at an item
 * @dirfd: the folder it stands in
 * @name:  its name there
 * @ret:   the look
 * Return: 0, ITEM_GONE, negative errno.
 */
int item_look(int dirfd, const char *name, struct item_look *ret);
