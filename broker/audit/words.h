/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/base/bytes.h"
#include "proto/base/cleanup.h"
#include "proto/journal.pb-c.h"

/* Text for people, put together in a buffer of fixed size; what does not fit is left out. */
struct words {
	char *buf;
	size_t size;
	size_t len;
};

/* Begin with an empty text. */
void words_init(struct words *words, char *buf, size_t size);
void words_add(struct words *words, const char *format, ...) _printf_(2, 3);

/* A name out of an entry; bytes that are not printable ASCII become '?'. */
void words_name(struct words *words, struct bytes name);

/* "2026-11-21T13:05:07.123Z" */
void words_time(struct words *words, uint64_t wall_ms);

/**
 * words_decision() - what was decided, in plain words
 * @words:    gets them
 * @kind:     EntryKind
 * @decision: of an entry of that kind
 */
void words_decision(struct words *words, uint8_t kind, const Dienstweg__Decision *decision);

/* "in progress", "decided", ... ; "" for no status. @status is enum Dienstweg__Status. */
const char *words_status(int status);

/* "submission", "reply", ... @kind is enum Dienstweg__Kind. */
const char *words_message_kind(int kind);

/* "urgent", "normal", "bulk", "outcome". */
const char *words_lane(uint8_t lane);
