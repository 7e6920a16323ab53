/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What belongs to what is not written down here: at start a file stays when the outbox names it. What arrives
 * is taken up again when its message is delivered again; when that does not happen for a week, it goes.
 */
#include "adapters/sdk/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "proto/base/arena.h"
#include "proto/base/clock.h"
#include "proto/base/file.h"
#include "proto/base/text.h"
#include "proto/envelope/envelope.h"

enum { IN_AGE_S = 7 * 24 * 3600, NAME_SIZE = 2 * HASH_SIZE + 24, ARENA_BUDGET = 1 << 20 };

struct spool {
	char dirs[2][PATH_MAX];
	uint64_t bytes_max;
	uint64_t bytes;
};

/* Digests that the outbox names. */
struct named {
	struct arena *arena;
	uint8_t (*digests)[HASH_SIZE];
	size_t count, size;
};

static int named_add(struct named *named, const uint8_t *digest)
{
	if (named->count == named->size) {
		size_t size = named->size ? 2 * named->size : 64;
		uint8_t(*larger)[HASH_SIZE] = reallocarray(named->digests, size, HASH_SIZE);
		if (!larger)
			return -ENOMEM;
		named->digests = larger;
		named->size = size;
	}
	memcpy(named->digests[named->count++], digest, HASH_SIZE);
	return 0;
}

static int named_row(void *context, uint64_t number, const struct outbox_row *row)
{
	struct named *named = context;
	Dienstweg__Header *header;
	const char *field;
	(void)number;
	arena_reset(named->arena);
	int r = envelope_header_parse(named->arena, row->header, &header, &field);
	if (r)
		return r < 0 ? r : -EBADMSG;
	for (size_t i = 0; i < header->n_attachments && r == 0; i++)
		r = named_add(named, header->attachments[i]->digest.data);
	return r;
}

static bool named_has(const struct named *named, const char *name)
{
	uint8_t digest[HASH_SIZE];
	if (text_unhex(name, digest, sizeof(digest)) != 0)
		return false;
	for (size_t i = 0; i < named->count; i++) {
		if (memcmp(named->digests[i], digest, HASH_SIZE) == 0)
			return true;
	}
	return false;
}

/* Remove what is not wanted. @named NULL: by age, and whatever was opened. */
static int tidy(struct spool *spool, enum spool_side side, const struct named *named)
{
	DIR *dir = opendir(spool->dirs[side]);
	struct dirent *entry;
	time_t now = (time_t)(clock_wall_ms(clock_system()) / 1000);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir)) != NULL) {
		struct stat st;
		if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
			!S_ISREG(st.st_mode))
			continue;
		bool wanted = named ? named_has(named, entry->d_name)
				    : !strchr(entry->d_name, '.') && now - st.st_mtime < IN_AGE_S;
		if (!wanted)
			unlinkat(dirfd(dir), entry->d_name, 0);
		else if (side == SPOOL_OUT)
			spool->bytes += (uint64_t)st.st_size;
	}
	closedir(dir);
	return 0;
}

static int tidy_out(struct spool *spool, struct outbox *outbox)
{
	struct named named = {.arena = arena_new(ARENA_BUDGET)};
	int r = named.arena ? outbox_scan(outbox, 0, named_row, &named) : -ENOMEM;
	if (r == 0)
		r = tidy(spool, SPOOL_OUT, &named);
	free(named.digests);
	arena_free(named.arena);
	return r;
}

int spool_open(const char *state, uint64_t bytes_max, struct outbox *outbox, struct spool **ret)
{
	_cleanup_(spool_free) struct spool *spool = calloc(1, sizeof(*spool));
	if (!spool)
		return -ENOMEM;
	spool->bytes_max = bytes_max;
	int r = path_join(spool->dirs[SPOOL_OUT], PATH_MAX, state, "attachments/out");
	if (r == 0)
		r = path_join(spool->dirs[SPOOL_IN], PATH_MAX, state, "attachments/in");
	if (r == 0)
		r = dir_make(spool->dirs[SPOOL_OUT], 0700);
	if (r == 0)
		r = dir_make(spool->dirs[SPOOL_IN], 0700);
	if (r == 0)
		r = tidy_out(spool, outbox);
	if (r == 0)
		r = tidy(spool, SPOOL_IN, NULL);
	if (r == 0)
		*ret = steal(&spool);
	return r;
}

void spool_free(struct spool *spool)
{
	free(spool);
}

int spool_path(const struct spool *spool, enum spool_side side, const uint8_t *digest,
	uint64_t number, char buf[PATH_MAX])
{
	char name[NAME_SIZE] = "sealing";
	if (digest)
		text_hex(BYTES(digest, HASH_SIZE), name);
	if (number > 0)
		snprintf(name + strlen(name), sizeof(name) - strlen(name), ".%" PRIu64, number);
	return path_join(buf, PATH_MAX, spool->dirs[side], name);
}

bool spool_has_room(const struct spool *spool, uint64_t bytes)
{
	return spool->bytes == 0 || spool->bytes + bytes <= spool->bytes_max;
}

int spool_keep(struct spool *spool, const uint8_t digest[HASH_SIZE], uint64_t bytes)
{
	char from[PATH_MAX], to[PATH_MAX];
	int r = spool_path(spool, SPOOL_OUT, NULL, 0, from);
	if (r == 0)
		r = spool_path(spool, SPOOL_OUT, digest, 0, to);
	if (r == 0 && rename(from, to) != 0)
		r = -errno;
	if (r == 0)
		r = dir_sync(spool->dirs[SPOOL_OUT]);
	if (r == 0)
		spool->bytes += bytes;
	return r;
}

void spool_drop(struct spool *spool, enum spool_side side, const uint8_t *digest, uint64_t bytes)
{
	char path[PATH_MAX];
	if (spool_path(spool, side, digest, 0, path) != 0 || unlink(path) != 0)
		return;
	if (side == SPOOL_OUT)
		spool->bytes -= bytes < spool->bytes ? bytes : spool->bytes;
}

uint64_t spool_bytes(const struct spool *spool)
{
	return spool->bytes;
}
