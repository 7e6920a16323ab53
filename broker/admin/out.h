/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "broker/journal/reader.h"
#include "proto/base/bytes.h"

/*
 * Printing for people and for programs. Lists are one JSON object a line, everything else is one object;
 * members are never renamed. Bytes that came from outside are made printable first.
 */
enum { OUT_TEXT_MAX = 256 };

/* "2026-11-21 13:05:07 UTC"; "-" for 0. */
const char *out_time(uint64_t wall_ms, char buf[OUT_TEXT_MAX]);
/* "3 s", "12 min", "4 h", "9 days" */
const char *out_age(uint64_t seconds, char buf[OUT_TEXT_MAX]);
/* "512 B", "12.3 KiB" */
const char *out_bytes(uint64_t bytes, char buf[OUT_TEXT_MAX]);
/* A name; unprintable bytes become '?'. */
const char *out_name(struct bytes name, char buf[OUT_TEXT_MAX]);

/* Members of an object. */
void out_put(json_t *object, const char *name, uint64_t value);
void out_put_text(json_t *object, const char *name, const char *text);
void out_put_name(json_t *object, const char *name, struct bytes value);
void out_put_line(json_t *object, const char *name, struct bytes text); /* for people: UTF-8 stays */
void out_put_hex(json_t *object, const char *name, struct bytes value); /* at most 127 bytes of it */
void out_put_time(json_t *object, const char *name, uint64_t wall_ms);  /* absent when 0 */

/* Print an object on a line of its own and let go of it. */
void out_line(json_t *object);

/* What is missing from a journal since it was pruned, and where it is: a line, or nothing. */
void out_pruned(const struct journal_pruned *pruned);
