/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/bytes.h"
#include "proto/base/cleanup.h"
#include "proto/registry.pb-c.h"

/* The rules that a registry's content keeps (proto/registry.proto says what the fields mean). */
enum {
	REGISTRY_CLASSES_MAX = 16,
	REGISTRY_ACTIVE_ROOTS = 3,
	REGISTRY_DAYS_MAX = 36500,
	REGISTRY_TITLE_MAX = 200,
	REGISTRY_ATTEMPTS_MAX = 1000,
	REGISTRY_ANSWER_S_MAX = 86400,
	REGISTRY_PENDING_MAX = 10000,
	REGISTRY_SCHEMA_FILES_MAX = 64,
	REGISTRY_PERMISSIONS_MAX = 1 << 18, /* (service, from, region) over all flows */
};

/**
 * registry_content_check() - does the content keep every rule?
 * @content: unpacked
 * @reterr:  room for a sentence that names the entry at fault and the remedy
 * @size:    of @reterr
 *
 * Names legal, sorted and unique; references exist; ids and proofs of possession right; no key twice in
 * the whole registry; classes, regions, dates possible; three active roots; log and transport keys.
 *
 * Return: 0, REGISTRY_INVALID, -ENOMEM.
 */
int registry_content_check(const Dienstweg__RegistryContent *content, char *reterr, size_t size);

/**
 * registry_content_sort() - put every list into the order that the check demands
 * @content: to be composed
 */
void registry_content_sort(Dienstweg__RegistryContent *content);

/* ---- between the files of the check ---- */

struct content_check {
	const Dienstweg__RegistryContent *content;
	char *reterr;
	size_t size;
};

/* A name as a sentence may show it: cut, and without anything unprintable. */
struct content_shown {
	char text[80];
};

/**
 * content_show() - make untrusted bytes fit for a sentence
 * @bytes: anything
 * Return: a value; use its `text`.
 */
struct content_shown content_show(struct bytes bytes);

/**
 * content_fail() - write the sentence
 * @check:  where to
 * @format: printf's
 * Return: REGISTRY_INVALID, always.
 */
int content_fail(const struct content_check *check, const char *format, ...) _printf_(2, 3);

/**
 * content_check_keys() - every key of parties, bus, roots and witnesses
 * @check: the content
 * Return: 0, REGISTRY_INVALID, -ENOMEM.
 */
int content_check_keys(const struct content_check *check);

/**
 * content_check_agreements() - agreements, their flows and contacts; parties and services are checked
 * @check: the content
 * Return: 0 or REGISTRY_INVALID.
 */
int content_check_agreements(const struct content_check *check);

/**
 * content_text_ok() - UTF-8 for people: no control characters, 1..max bytes
 * @text: anything
 * @max:  most bytes
 * Return: true when it is fit.
 */
bool content_text_ok(struct bytes text, size_t max);

/**
 * content_code_ok() - printable ASCII without spaces, 1..127 bytes
 * @text: anything
 * Return: true when it is fit.
 */
bool content_code_ok(struct bytes text);
