/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Who still needs a file follows from the journal, so nobody has to tell: an attachment goes when its
 * message's content has gone, an upload when no message came within its time. What a run of erasure, a crash
 * or a refused message leaves behind is found by the next look.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/blob/inside.h"
#include "proto/base/log.h"
#include "proto/base/text.h"

enum { STEP_FILES = 256 };

void blob_sweep_end(struct blob_store *store)
{
	struct blob_walk *walk = &store->walk;
	if (walk->party)
		closedir(walk->party);
	if (walk->all)
		closedir(walk->all);
	*walk = (struct blob_walk){0};
}

static uint64_t age_ms(const struct stat *st, uint64_t wall_ms)
{
	uint64_t then = (uint64_t)st->st_mtim.tv_sec * 1000;
	return wall_ms > then ? wall_ms - then : 0;
}

/* Is the content of the message still there? A row suffices, whoever can open it. */
static int is_needed(struct journal_reader *reader, uint64_t sequence, bool *ret)
{
	struct journal_meta meta;
	uint64_t found = 0;
	int r = journal_read_meta(reader, &meta);
	if (r)
		return r < 0 ? r : -EBADMSG;
	/* Its commit is under way, or a broker died over it. No clock can tell which, for a machine may sleep between the
	   name and the commit; the journal will grow past that number, and then it can be told. */
	*ret = true;
	if (sequence >= meta.size)
		return 0;
	r = journal_read_primary(reader, JOURNAL_CONTENT, sequence, &found);
	*ret = r == 0 && found == sequence;
	return r == READER_NOT_FOUND ? 0 : r > 0 ? -EBADMSG : r;
}

static int file_remove(struct blob_store *store, int folder, const char *name)
{
	if (unlinkat(folder, name, 0) != 0)
		return errno == ENOENT ? 0 : -errno;
	store->removed++;
	return 0;
}

static void file_count(struct blob_walk *walk, struct blob_charge *charge, enum blob_kind kind,
	const struct stat *st)
{
	uint64_t cost = blob_cost((uint64_t)st->st_size) / (st->st_nlink ? st->st_nlink : 1);
	charge->counted += cost;
	walk->counts.bytes += cost;
	walk->counts.files += kind == BLOB_KEPT;
	bool upload = kind == BLOB_PART || (kind == BLOB_WHOLE && st->st_nlink == 1);
	charge->uploads_counted += upload;
	walk->counts.uploads += upload;
}

static int file_look(struct blob_store *store, struct journal_reader *reader, uint64_t wall_ms,
	int folder, const char *name)
{
	struct blob_charge *charge = blob_charge_of(store, store->walk.name);
	struct stat st;
	uint64_t sequence = 0;
	bool needed = true;
	enum blob_kind kind = blob_name_kind(name, &sequence);
	if (kind == BLOB_FOREIGN || fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return 0;
	int r = charge ? 0 : -ENOMEM;
	if (r == 0 && kind == BLOB_KEPT)
		r = is_needed(reader, sequence, &needed);
	else
		needed = age_ms(&st, wall_ms) < store->options.orphan_ms;
	if (r == 0 && needed)
		file_count(&store->walk, charge, kind, &st);
	return r == 0 && !needed ? file_remove(store, folder, name) : r;
}

/* The next folder of a party. Return: false when there is none. */
static bool party_next(struct blob_store *store)
{
	struct blob_walk *walk = &store->walk;
	struct dirent *entry;
	while ((entry = readdir(walk->all)) != NULL) {
		if (!text_is_name(BYTES_STR(entry->d_name)))
			continue;
		int fd = openat(dirfd(walk->all), entry->d_name,
			O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		walk->party = fd < 0 ? NULL : fdopendir(fd);
		if (!walk->party) {
			fd_close_at(&fd);
			continue;
		}
		snprintf(walk->name, sizeof(walk->name), "%.63s", entry->d_name);
		struct blob_charge *charge = blob_charge_of(store, walk->name);
		if (charge)
			charge->counted = charge->uploads_counted = 0;
		return true;
	}
	return false;
}

static void party_done(struct blob_store *store)
{
	struct blob_charge *charge = blob_charge_of(store, store->walk.name);
	if (charge) {
		charge->bytes = charge->counted;
		charge->uploads = charge->uploads_counted;
	}
	closedir(store->walk.party);
	store->walk.party = NULL;
}

static void all_done(struct blob_store *store)
{
	store->counts = store->walk.counts;
	store->counts.removed = store->removed;
	blob_sweep_end(store);
}

int blob_sweep(
	struct blob_store *store, struct journal_reader *reader, uint64_t wall_ms, bool *ret_more)
{
	struct blob_walk *walk = &store->walk;
	*ret_more = true;
	if (!walk->all && !(walk->all = opendir(store->dir)))
		return -errno;
	for (size_t i = 0; i < STEP_FILES; i++) {
		if (!walk->party && !party_next(store)) {
			all_done(store);
			*ret_more = false;
			return 0;
		}
		struct dirent *entry = readdir(walk->party);
		if (!entry) {
			party_done(store);
			continue;
		}
		int r = file_look(store, reader, wall_ms, dirfd(walk->party), entry->d_name);
		if (r)
			return r;
	}
	return 0;
}
