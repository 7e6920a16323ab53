/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What belongs to what is not written down here: at start a file stays when a message in the outbox names it, or
 * one that is kept. What arrives is taken up again when its message is delivered again; when that does not happen
 * for a week, it goes.
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

#include "adapters/sdk/again.h"
#include "proto/base/arena.h"
#include "proto/base/clock.h"
#include "proto/base/file.h"
#include "proto/base/text.h"
#include "proto/envelope/envelope.h"

enum { IN_AGE_S = 7 * 24 * 3600, NAME_SIZE = 2 * HASH_SIZE + 24, ARENA_BUDGET = 1 << 20 };

struct spool {
	char dirs[2][PATH_MAX];
	uint64_t bytes_max;
	uint64_t bytes; /* waiting to be sent */
	uint64_t kept;  /* bytes, too */
	struct arena *arena;
};

/* ---- whose it is ---- */

/* Digests that messages name. */
struct named {
	struct spool *spool;
	uint8_t (*digests)[HASH_SIZE];
	size_t count, size;
};

static int header_read(struct spool *spool, struct bytes header, Dienstweg__Header **ret)
{
	const char *field;
	arena_reset(spool->arena);
	int r = envelope_header_parse(spool->arena, header, ret, &field);
	return r > 0 ? -EBADMSG : r; /* we wrote it */
}

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
	(void)number;
	int r = header_read(named->spool, row->header, &header);
	for (size_t i = 0; r == 0 && i < header->n_attachments; i++)
		r = named_add(named, header->attachments[i]->digest.data);
	return r;
}

static int by_digest(const void *a, const void *b)
{
	return memcmp(a, b, HASH_SIZE);
}

static bool named_has(const struct named *named, const char *name)
{
	uint8_t digest[HASH_SIZE];
	return named->count > 0 && text_unhex(name, digest, sizeof(digest)) == 0 &&
	       bsearch(digest, named->digests, named->count, HASH_SIZE, by_digest);
}

/* ---- opening ---- */

static void tidy_in(int dir, const char *name, const struct stat *st)
{
	time_t now = (time_t)(clock_wall_ms(clock_system()) / 1000);
	if (strchr(name, '.') || now - st->st_mtime >= IN_AGE_S)
		unlinkat(dir, name, 0);
}

struct owners {
	struct named waiting, kept;
};

static void tidy_out(struct spool *spool, const struct owners *owners, int dir, const char *name,
	const struct stat *st)
{
	if (named_has(&owners->waiting, name))
		spool->bytes += (uint64_t)st->st_size;
	else if (named_has(&owners->kept, name))
		spool->kept += (uint64_t)st->st_size;
	else
		unlinkat(dir, name, 0);
}

/* Remove what is not wanted, and count the rest. @owners: NULL on the side of what arrives. */
static int tidy(struct spool *spool, enum spool_side side, const struct owners *owners)
{
	DIR *dir = opendir(spool->dirs[side]);
	struct dirent *entry;
	if (!dir)
		return -errno;
	while ((entry = readdir(dir)) != NULL) {
		struct stat st;
		if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
			!S_ISREG(st.st_mode))
			continue;
		if (side == SPOOL_OUT)
			tidy_out(spool, owners, dirfd(dir), entry->d_name, &st);
		else
			tidy_in(dirfd(dir), entry->d_name, &st);
	}
	closedir(dir);
	return 0;
}

static void named_sort(struct named *named)
{
	if (named->count > 0)
		qsort(named->digests, named->count, HASH_SIZE, by_digest);
}

static int owners_read(struct owners *owners, struct outbox *outbox)
{
	int r = outbox_scan(outbox, 0, named_row, &owners->waiting);
	if (r == 0)
		r = again_scan(outbox->store, named_row, &owners->kept);
	named_sort(&owners->waiting);
	named_sort(&owners->kept);
	return r;
}

static int spool_tidy(struct spool *spool, struct outbox *outbox)
{
	struct owners owners = {.waiting = {.spool = spool}, .kept = {.spool = spool}};
	int r = owners_read(&owners, outbox);
	if (r == 0)
		r = tidy(spool, SPOOL_OUT, &owners);
	free(owners.waiting.digests);
	free(owners.kept.digests);
	return r ? r : tidy(spool, SPOOL_IN, NULL);
}

int spool_open(const char *state, uint64_t bytes_max, struct outbox *outbox, struct spool **ret)
{
	_cleanup_(spool_free) struct spool *spool = calloc(1, sizeof(*spool));
	if (!spool)
		return -ENOMEM;
	spool->bytes_max = bytes_max;
	spool->arena = arena_new(ARENA_BUDGET);
	if (!spool->arena)
		return -ENOMEM;
	int r = path_join(spool->dirs[SPOOL_OUT], PATH_MAX, state, "attachments/out");
	if (r == 0)
		r = path_join(spool->dirs[SPOOL_IN], PATH_MAX, state, "attachments/in");
	if (r == 0)
		r = dir_make(spool->dirs[SPOOL_OUT], 0700);
	if (r == 0)
		r = dir_make(spool->dirs[SPOOL_IN], 0700);
	if (r == 0)
		r = spool_tidy(spool, outbox);
	if (r == 0)
		*ret = steal(&spool);
	return r;
}

void spool_free(struct spool *spool)
{
	if (!spool)
		return;
	arena_free(spool->arena);
	free(spool);
}

/* ---- files ---- */

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

static void less(uint64_t *total, uint64_t bytes)
{
	*total -= bytes < *total ? bytes : *total;
}

void spool_drop(struct spool *spool, enum spool_side side, const uint8_t *digest, uint64_t bytes)
{
	char path[PATH_MAX];
	if (spool_path(spool, side, digest, 0, path) != 0 || unlink(path) != 0)
		return;
	if (side == SPOOL_OUT)
		less(&spool->bytes, bytes);
}

static void decide(
	struct spool *spool, const Dienstweg__Attachment *attachment, enum spool_fate fate)
{
	char path[PATH_MAX];
	if (spool_path(spool, SPOOL_OUT, attachment->digest.data, 0, path) != 0)
		return;
	bool gone = fate == SPOOL_DROP || fate == SPOOL_FORGET;
	if ((gone ? unlink(path) : access(path, F_OK)) != 0)
		return; /* it was never sealed here, or is gone already */
	less(fate == SPOOL_DROP || fate == SPOOL_RETAIN ? &spool->bytes : &spool->kept,
		attachment->size);
	if (fate == SPOOL_RETAIN)
		spool->kept += attachment->size;
	else if (fate == SPOOL_RETURN)
		spool->bytes += attachment->size;
}

int spool_message(struct spool *spool, struct bytes header, enum spool_fate fate)
{
	Dienstweg__Header *parsed;
	int r = header_read(spool, header, &parsed);
	for (size_t i = 0; r == 0 && i < parsed->n_attachments; i++)
		decide(spool, parsed->attachments[i], fate);
	return r;
}

bool spool_keeps_too_much(const struct spool *spool)
{
	return spool->kept > spool->bytes_max;
}

uint64_t spool_bytes(const struct spool *spool)
{
	return spool->bytes;
}
