/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Message ids are keys of the journal's `seen` table, so they should rise; they are also public, so they
 * must not tell how many messages a party sends. Hence the counter of RFC 9562 section 6.2 method 1:
 * rand_a starts anywhere in its lower half each millisecond and counts up from there, the other 62 bits
 * are random. A clock that steps back does not take the ids with it: the source stays at its last
 * millisecond and counts on.
 */
#include "proto/identity/uuid.h"

#include "proto/base/crypto.h"
#include "proto/base/text.h"

#include <string.h>

enum {
	COUNTER_MAX = 0xfff,
	COUNTER_START_MAX = 0x7ff, /* at least 2,048 ids fit before the next millisecond is borrowed */
	TIME_SIZE = 6,
};

static const uint64_t time_mask = (UINT64_C(1) << 48) - 1;

/* Where the hyphens stand. */
static bool hyphen_before(size_t byte)
{
	return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

static void source_advance(struct uuid_source *source, uint64_t wall_ms, uint16_t random)
{
	if (wall_ms > source->last_ms) {
		source->last_ms = wall_ms;
		source->counter = random & COUNTER_START_MAX;
	} else if (source->counter < COUNTER_MAX) {
		source->counter++;
	} else {
		source->last_ms++;
		source->counter = random & COUNTER_START_MAX;
	}
}

void uuid_next(struct uuid_source *source, uint64_t wall_ms, uint8_t ret[UUID_SIZE])
{
	uint8_t random[2];
	random_fill(random, sizeof(random));
	source_advance(source, wall_ms & time_mask, be16_get(random));

	uint8_t time[8];
	be64_put(time, source->last_ms << 16);
	memcpy(ret, time, TIME_SIZE);
	random_fill(ret + 8, 8);
	be16_put(ret + 6, (uint16_t)(0x7000 | source->counter));
	ret[8] = (uint8_t)(0x80 | (ret[8] & 0x3f));
}

bool uuid_is_v7(struct bytes id)
{
	return id.len == UUID_SIZE && id.data[6] >> 4 == 7 && id.data[8] >> 6 == 2;
}

uint64_t uuid_time_ms(const uint8_t id[UUID_SIZE])
{
	uint8_t time[8] = {0};
	memcpy(time + 2, id, TIME_SIZE);
	return be64_get(time);
}

void uuid_format(const uint8_t id[UUID_SIZE], char text[UUID_TEXT_SIZE])
{
	for (size_t i = 0; i < UUID_SIZE; i++) {
		if (hyphen_before(i))
			*text++ = '-';
		text_hex(BYTES(id + i, 1), text);
		text += 2;
	}
}

int uuid_parse(const char *text, uint8_t id[UUID_SIZE])
{
	char digits[2 * UUID_SIZE + 1];
	uint8_t parsed[UUID_SIZE];
	if (strnlen(text, UUID_TEXT_SIZE) != UUID_TEXT_SIZE - 1)
		return 1;
	for (size_t i = 0; i < UUID_SIZE; i++) {
		if (hyphen_before(i) && *text++ != '-')
			return 1;
		digits[2 * i] = *text++;
		digits[2 * i + 1] = *text++;
	}
	digits[2 * UUID_SIZE] = '\0';
	if (text_unhex(digits, parsed, sizeof(parsed)) != 0)
		return 1;
	memcpy(id, parsed, sizeof(parsed));
	return 0;
}
