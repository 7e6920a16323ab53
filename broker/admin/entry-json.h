/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <jansson.h>

#include "broker/audit/entry.h"

/*
 * An entry as JSON. Ids, hashes and keys are lower-case hex, times RFC 3339, names as they stand. What is
 * sealed for a recipient stays so: the content is only measured.
 */

/**
 * entry_json_brief() - one line of a list
 * @sequence: of the entry
 * @stub:     its stub
 * @entry:    opened, or NULL when its record cannot be read: "readable" says so
 * Return: the caller's.
 */
json_t *entry_json_brief(
	uint64_t sequence, const struct stub *stub, const struct audit_entry *entry);

/**
 * entry_json() - everything in it
 * @entry: opened
 * Return: the caller's.
 */
json_t *entry_json(const struct audit_entry *entry);

/* Whose cancellations, and of what. */
void cancel_json_put(json_t *object, const Dienstweg__CancelBatch *batch);

/* A header, members absent where the field is empty. */
json_t *header_json(const Dienstweg__Header *header);
