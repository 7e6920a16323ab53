/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * There is one spelling of an origin, as of everything that is signed: decimal without leading zeros, which is what
 * text_parse_u64() takes. Two texts for one epoch would be two logs to others.
 */
#include "proto/note/epoch.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/text.h"

enum { ENTRY_SIZE = 4 + 8 };

void epoch_origin(struct bytes bus, uint32_t epoch, char ret[CHECKPOINT_ORIGIN_MAX + 1])
{
	int n = snprintf(ret, CHECKPOINT_ORIGIN_MAX + 1, "%.*s/%" PRIu32, (int)bus.len,
		(const char *)bus.data, epoch);
	assert(n > 0 && n <= CHECKPOINT_ORIGIN_MAX);
}

int epoch_of(const char *origin, struct bytes bus, uint32_t *ret)
{
	uint64_t epoch;
	size_t len = strlen(origin);
	if (len <= bus.len + 1 || memcmp(origin, bus.data, bus.len) != 0 || origin[bus.len] != '/')
		return EPOCH_OTHER;
	struct bytes number = BYTES_STR(origin + bus.len + 1);
	if (text_parse_u64(number, &epoch) != 0 || epoch > UINT32_MAX)
		return EPOCH_OTHER;
	*ret = (uint32_t)epoch;
	return 0;
}

static const struct epoch_begin *last(const struct epochs *epochs)
{
	static const struct epoch_begin first = {};
	return epochs->count ? &epochs->all[epochs->count - 1] : &first;
}

bool epoch_same_bus(const char *a, const char *b)
{
	const char *slash = strrchr(a, '/');
	uint32_t epoch;
	if (!slash || slash == a)
		return false;
	struct bytes bus = BYTES(a, (size_t)(slash - a));
	return epoch_of(a, bus, &epoch) == 0 && epoch_of(b, bus, &epoch) == 0;
}

int epochs_add(struct epochs *epochs, uint32_t epoch, uint64_t size)
{
	if (epochs->count == EPOCHS_MAX || epoch <= last(epochs)->epoch ||
		size <= last(epochs)->size)
		return EPOCH_OTHER;
	epochs->all[epochs->count++] = (struct epoch_begin){epoch, size};
	return 0;
}

uint32_t epochs_newest(const struct epochs *epochs)
{
	return last(epochs)->epoch;
}

uint32_t epochs_at(const struct epochs *epochs, uint64_t size)
{
	uint32_t epoch = 0;
	for (size_t i = 0; i < epochs->count && epochs->all[i].size < size; i++)
		epoch = epochs->all[i].epoch;
	return epoch;
}

uint64_t epochs_kept(const struct epochs *epochs, uint32_t epoch)
{
	size_t next = 0;
	bool known = epoch == 0;
	while (next < epochs->count && epochs->all[next].epoch <= epoch)
		known = epochs->all[next++].epoch == epoch;
	if (!known)
		return 0;
	return next < epochs->count ? epochs->all[next].size : UINT64_MAX;
}

uint64_t epochs_common(const struct epochs *a, const struct epochs *b)
{
	size_t i = 0;
	while (i < a->count && i < b->count && a->all[i].epoch == b->all[i].epoch &&
		a->all[i].size == b->all[i].size)
		i++;
	uint64_t of_a = i < a->count ? a->all[i].size : UINT64_MAX;
	uint64_t of_b = i < b->count ? b->all[i].size : UINT64_MAX;
	return of_a < of_b ? of_a : of_b;
}

size_t epochs_encode(const struct epochs *epochs, uint8_t buf[EPOCHS_ROW_MAX])
{
	for (size_t i = 0; i < epochs->count; i++) {
		be32_put(buf + i * ENTRY_SIZE, epochs->all[i].epoch);
		be64_put(buf + i * ENTRY_SIZE + 4, epochs->all[i].size);
	}
	return epochs->count * ENTRY_SIZE;
}

int epochs_decode(struct bytes row, struct epochs *ret)
{
	*ret = (struct epochs){};
	if (row.len % ENTRY_SIZE || row.len > EPOCHS_ROW_MAX)
		return EPOCH_OTHER;
	for (size_t at = 0; at < row.len; at += ENTRY_SIZE)
		if (epochs_add(ret, be32_get(row.data + at), be64_get(row.data + at + 4)) != 0)
			return EPOCH_OTHER;
	return 0;
}
