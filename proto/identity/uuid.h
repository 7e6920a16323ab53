/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/bytes.h"

enum { UUID_SIZE = 16, UUID_TEXT_SIZE = 37 };

/**
 * struct uuid_source - makes UUIDv7 (RFC 9562) that rise strictly within one source
 * @last_ms: time part of the last one
 * @counter: 12 bits of rand_a, counted up within a millisecond; overflow borrows from the next
 *
 * One owner; zero-initialised.
 */
struct uuid_source {
	uint64_t last_ms;
	uint16_t counter;
};

/**
 * uuid_next() - the next message id
 * @source:  counter state
 * @wall_ms: time now
 * @ret:     16 bytes
 */
void uuid_next(struct uuid_source *source, uint64_t wall_ms, uint8_t ret[UUID_SIZE]);

/**
 * uuid_is_v7() - right length, version and variant?
 * @id: candidate
 * Return: true when it is a UUIDv7.
 */
bool uuid_is_v7(struct bytes id);

/**
 * uuid_time_ms() - its time part
 * @id: a UUIDv7
 * Return: ms since 1970.
 */
uint64_t uuid_time_ms(const uint8_t id[UUID_SIZE]);

/* "018f3c5e-....": 36 characters and a NUL. uuid_parse() returns 0 or 1. */
void uuid_format(const uint8_t id[UUID_SIZE], char text[UUID_TEXT_SIZE]);
int uuid_parse(const char *text, uint8_t id[UUID_SIZE]);
