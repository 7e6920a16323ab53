/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * One folder per party: who uploads what somebody else has uploaded too, uploads it once more and learns
 * nothing by it. The second name is a hard link, so that the file system counts who still needs the bytes,
 * and a file is whole under each of its names or not there.
 */
#include "broker/blob/name.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "proto/base/cleanup.h"
#include "proto/base/file.h"
#include "proto/base/text.h"

enum { HEX_SIZE = 2 * HASH_SIZE, SEQUENCE_DIGITS = 20, INDEX_DIGITS = 2 };
static const char part_end[] = ".part";

void blob_whole_name(const uint8_t digest[HASH_SIZE], char buf[BLOB_NAME_SIZE])
{
	text_hex(BYTES(digest, HASH_SIZE), buf);
}

void blob_part_name(const uint8_t digest[HASH_SIZE], uint64_t size, char buf[BLOB_NAME_SIZE])
{
	text_hex(BYTES(digest, HASH_SIZE), buf);
	snprintf(buf + HEX_SIZE, BLOB_NAME_SIZE - HEX_SIZE, ".%" PRIu64 "%s", size, part_end);
}

void blob_kept_name(uint64_t sequence, uint32_t index, char buf[BLOB_NAME_SIZE])
{
	snprintf(buf, BLOB_NAME_SIZE, "@%0*" PRIu64 ".%0*" PRIu32, SEQUENCE_DIGITS, sequence,
		INDEX_DIGITS, index);
}

static bool is_hex(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f')))
			return false;
	}
	return true;
}

static bool kept_read(const char *name, size_t len, uint64_t *ret)
{
	uint64_t sequence = 0;
	if (name[0] != '@' || len != 1 + SEQUENCE_DIGITS + 1 + INDEX_DIGITS ||
		name[1 + SEQUENCE_DIGITS] != '.')
		return false;
	for (size_t i = 1; i <= SEQUENCE_DIGITS; i++) {
		if (name[i] < '0' || name[i] > '9')
			return false;
		sequence = sequence * 10 + (uint64_t)(name[i] - '0');
	}
	*ret = sequence;
	return true;
}

enum blob_kind blob_name_kind(const char *name, uint64_t *ret_sequence)
{
	size_t len = strlen(name), end = sizeof(part_end) - 1;
	if (kept_read(name, len, ret_sequence))
		return BLOB_KEPT;
	if (len < HEX_SIZE || !is_hex(name, HEX_SIZE))
		return BLOB_FOREIGN;
	if (len == HEX_SIZE)
		return BLOB_WHOLE;
	return len > HEX_SIZE + 1 + end && strcmp(name + len - end, part_end) == 0 ? BLOB_PART
										   : BLOB_FOREIGN;
}

int blob_party_open(const char *dir, struct bytes party, bool make)
{
	char name[64], path[PATH_MAX];
	assert(party.len < sizeof(name));
	memcpy(name, party.data, party.len);
	name[party.len] = '\0';
	int r = path_join(path, sizeof(path), dir, name);
	if (r == 0 && make)
		r = dir_make(path, 0700);
	if (r)
		return r;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}
