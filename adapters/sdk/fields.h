/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/bytes.h"

/*
 * Flat rows, written and read in order. Numbers are big-endian. A reader remembers its first mistake, so
 * it is asked once, at the end.
 */
struct field_reader {
	struct bytes left;
	bool bad;
};

static inline uint8_t *field_put(uint8_t *p, struct bytes data)
{
	if (data.len > 0)
		memcpy(p, data.data, data.len);
	return p + data.len;
}

static inline uint8_t *field_put_number(uint8_t *p, uint64_t number, size_t len)
{
	for (size_t i = len; i > 0; i--, number >>= 8)
		p[i - 1] = (uint8_t)number;
	return p + len;
}

/* u16 length, then the bytes. */
static inline uint8_t *field_put_sized(uint8_t *p, struct bytes data)
{
	return field_put(field_put_number(p, data.len, 2), data);
}

static inline struct bytes field_take(struct field_reader *reader, size_t len)
{
	if (reader->bad || reader->left.len < len) {
		reader->bad = true;
		return BYTES(NULL, 0);
	}
	struct bytes taken = BYTES(reader->left.data, len);
	reader->left = BYTES(reader->left.data + len, reader->left.len - len);
	return taken;
}

static inline uint64_t field_number(struct field_reader *reader, size_t len)
{
	struct bytes raw = field_take(reader, len);
	uint64_t number = 0;
	for (size_t i = 0; i < raw.len; i++)
		number = number << 8 | raw.data[i];
	return number;
}

static inline struct bytes field_sized(struct field_reader *reader)
{
	return field_take(reader, (size_t)field_number(reader, 2));
}

static inline void field_copy(struct field_reader *reader, uint8_t *ret, size_t len)
{
	struct bytes raw = field_take(reader, len);
	if (raw.len == len && len > 0)
		memcpy(ret, raw.data, len);
}

/* 0 when everything was there and nothing is left, else -EBADMSG. */
static inline int field_end(const struct field_reader *reader)
{
	return reader->bad || reader->left.len > 0 ? -EBADMSG : 0;
}
