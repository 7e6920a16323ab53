/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/**
 * struct bytes - a borrowed view of bytes; never owns, never NUL-terminated
 * @data: first byte, may be NULL when @len is 0
 * @len:  bytes
 */
struct bytes {
	const uint8_t *data;
	size_t len;
};

#define BYTES(p, n)  ((struct bytes){.data = (const uint8_t *)(p), .len = (n)})
#define BYTES_STR(s) ((struct bytes){.data = (const uint8_t *)(s), .len = strlen(s)})
/* View of a protobuf-c bytes field (or anything with .data and .len). */
#define BYTES_PB(f) ((struct bytes){.data = (f).data, .len = (f).len})

/**
 * bytes_equal() - same length and same bytes; not for secrets
 * @a: one
 * @b: other
 * Return: true when equal.
 */
static inline bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/**
 * bytes_compare() - lexicographic, shorter first on a tie: the order LMDB uses
 * @a: one
 * @b: other
 * Return: below, at or above 0.
 */
static inline int bytes_compare(struct bytes a, struct bytes b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n ? memcmp(a.data, b.data, n) : 0;
	return c ? c : (a.len > b.len) - (a.len < b.len);
}

/**
 * bytes_hash() - where to look in a hash table (FNV-1a); not against who chooses the bytes
 * @b: what is looked for
 * Return: the hash.
 */
static inline uint32_t bytes_hash(struct bytes b)
{
	uint32_t hash = UINT32_C(2166136261);
	for (size_t i = 0; i < b.len; i++)
		hash = (hash ^ b.data[i]) * UINT32_C(16777619);
	return hash;
}

/* Big-endian stores and loads: keys sort as numbers. */

/**
 * be16_put() - store 16 bits, most significant byte first
 * @p: 2 bytes, at any alignment
 * @v: value
 */
static inline void be16_put(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/**
 * be32_put() - store 32 bits, most significant byte first
 * @p: 4 bytes, at any alignment
 * @v: value
 */
static inline void be32_put(uint8_t *p, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(p, &v, 4);
}

/**
 * be64_put() - store 64 bits, most significant byte first
 * @p: 8 bytes, at any alignment
 * @v: value
 */
static inline void be64_put(uint8_t *p, uint64_t v)
{
	v = __builtin_bswap64(v);
	memcpy(p, &v, 8);
}

/**
 * be16_get() - load what be16_put() stored
 * @p: 2 bytes, at any alignment
 * Return: the value.
 */
static inline uint16_t be16_get(const uint8_t *p)
{
	return (uint16_t)((p[0] << 8) | p[1]);
}

/**
 * be32_get() - load what be32_put() stored
 * @p: 4 bytes, at any alignment
 * Return: the value.
 */
static inline uint32_t be32_get(const uint8_t *p)
{
	uint32_t v;
	memcpy(&v, p, 4);
	return __builtin_bswap32(v);
}

/**
 * be64_get() - load what be64_put() stored
 * @p: 8 bytes, at any alignment
 * Return: the value.
 */
static inline uint64_t be64_get(const uint8_t *p)
{
	uint64_t v;
	memcpy(&v, p, 8);
	return __builtin_bswap64(v);
}
