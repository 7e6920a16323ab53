/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <jansson.h>

#include "broker/admin/cases.h"

/* What the verbs that order something of the broker share. */

/**
 * order_send() - have an order carried out by the running broker; complains
 * @folders: found
 * @line:    broker/admin/operate.h
 * @ret:     its answer, an object; json_decref() it
 * Return: 0, or an exit code.
 */
int order_send(const struct folders *folders, const char *line, json_t **ret);

/**
 * order_digest() - the SHA-256 of a document, in hex; complains
 * @path: of the document
 * @hex:  2 * HASH_SIZE + 1 bytes
 * Return: 0, or an exit code.
 */
enum { ORDER_DIGEST_SIZE = 2 * HASH_SIZE + 1 };
int order_digest(const char *path, char hex[ORDER_DIGEST_SIZE]);
