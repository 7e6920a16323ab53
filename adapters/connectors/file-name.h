/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/bytes.h"

/* Names of files that others chose: as file names of ours, as parts of keys, as a hint what is inside. Pure. */
enum {
	FILE_NAME_MAX = 200, /* bytes of a cleaned name */
	FILE_WORD_MAX = 80,  /* bytes of a word made from a name */
};

/**
 * file_name_clean() - a safe file name that a person still recognises
 * @raw: as it came: may hold slashes, control characters, anything
 * @buf: result: 1 to FILE_NAME_MAX bytes of UTF-8, no '/', no leading '.', nothing that does not print
 */
void file_name_clean(struct bytes raw, char buf[FILE_NAME_MAX + 1]);

/**
 * file_name_word() - a word of [A-Za-z0-9._-], for keys
 * @raw: anything
 * @buf: result: 1 to FILE_WORD_MAX bytes, beginning with a letter, a digit or '_'
 */
void file_name_word(struct bytes raw, char buf[FILE_WORD_MAX + 1]);

/**
 * file_name_is_unfinished() - do writers use such names while they still write?
 * @name: a file's name
 * Return: true for a leading '.', and for .tmp, .part and a trailing '~'.
 */
bool file_name_is_unfinished(const char *name);

/**
 * file_name_ends() - does it end so? ASCII letters in either case
 * @name:   a file's name
 * @suffix: e.g. ".xml"
 * Return: true when it does and more stands before it.
 */
bool file_name_ends(const char *name, const char *suffix);

/**
 * file_name_media_type() - what a name promises
 * @name: a file's name
 * Return: a media type; "application/octet-stream" when the name says nothing.
 */
const char *file_name_media_type(const char *name);
