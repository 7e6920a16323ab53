/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/bytes.h"
#include "proto/base/crypto.h"

/* The text of a registry's note (its lines: proto/registry/registry.h). */
enum {
	REGISTRY_HEAD_MALFORMED = 1,
	REGISTRY_HEAD_SIZE = 512, /* text and NUL */
};

struct registry_head {
	char bus[64];
	uint64_t version; /* from 1 */
	bool first;       /* no previous version */
	uint8_t previous[HASH_SIZE];
	uint64_t issued_ms; /* whole seconds */
	uint64_t stale_after_ms;
	uint8_t content[HASH_SIZE];
};

/**
 * registry_head_format() - write the text
 * @head: all fields set, times below the year 10000
 * @buf:  text and a NUL
 * Return: length of the text.
 */
size_t registry_head_format(const struct registry_head *head, char buf[REGISTRY_HEAD_SIZE]);

/**
 * registry_head_parse() - read the text; exactly the form that registry_head_format() writes
 * @text: the note's text
 * @ret:  the fields
 * Return: 0 or REGISTRY_HEAD_MALFORMED.
 */
int registry_head_parse(struct bytes text, struct registry_head *ret);
