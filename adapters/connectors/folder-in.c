/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * There is no list of what is under way: the folder `work` is the list. Each step is one rename, so after
 * a crash an item is in exactly one of `in`, `work`, `done` and `failed`, and what is in `work` is simply
 * handed over again; the outbox knows it by its key.
 *
 * What a person has to mend goes to `failed` with a sentence beside it. Everything else that fails here
 * (no memory, no descriptors, a disk that is full) may pass, so the item stays where it is and is tried
 * again at the next poll; deliveries in the other direction go on meanwhile.
 */
#include "adapters/connectors/folder-in.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters/connectors/file-name.h"
#include "adapters/connectors/folder-watch.h"
#include "adapters/connectors/move.h"
#include "proto/base/clock.h"
#include "proto/base/crypto.h"
#include "proto/base/file.h"
#include "proto/base/log.h"
#include "proto/base/text.h"

enum {
	FOLDER_MODE = 0700,
	FILE_MODE = 0600,
	WHY_SIZE = 1024,
	WORK_NAMES_MAX = 1024,  /* listed at a time */
	TARGET_PLAIN_MAX = 200, /* longer names are shortened: ".error.txt" must fit behind them */
	TARGET_TRIES = 4,
	PATH_SIZE = 4096,
};

struct flying {
	char name[ITEM_NAME_MAX + 1];
	char key[ITEM_KEY_MAX + 1];
};

struct folder_in {
	const struct config_connector *config;
	struct folder_watch *watch;
	int work, done, failed;
	bool waits; /* something may stand in `work` */
	bool later; /* the taker had no room: claim nothing more */
	uint64_t failures;
	struct arena *arena; /* one item */
	size_t flying_count;
	struct flying flying[FOLDER_IN_ITEMS_MAX];
};

/* ---- opening ---- */

static int open_fail(char *reterr, size_t size, const char *field, int error, const char *what)
{
	snprintf(reterr, size, "connector.%s: %s (%s)", field, what, strerrordesc_np(error));
	return -error;
}

static int folder_open_at(const char *field, const char *path, int *ret, char *reterr, size_t size)
{
	int r = dir_make(path, FOLDER_MODE);
	if (r)
		return open_fail(reterr, size, field, -r,
			"the folder is not there and cannot be made; make it or name another");
	*ret = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret < 0 || faccessat(*ret, ".", R_OK | W_OK | X_OK, AT_EACCESS) < 0)
		return open_fail(reterr, size, field, errno,
			"the folder cannot be used; give the adapter's account permission to read "
			"and write it");
	return 0;
}

/* Files are moved by rename, which works within one file system only. */
static int check_same_disk(
	const struct stat *in, int fd, const char *field, char *reterr, size_t size)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return open_fail(reterr, size, field, errno, "cannot be looked at");
	if (st.st_dev != in->st_dev) {
		snprintf(reterr, size,
			"connector.%s: is on another file system than connector.in; files are "
			"moved between them by renaming, so put both on one",
			field);
		return FOLDER_IN_INVALID;
	}
	if (st.st_ino == in->st_ino) {
		snprintf(reterr, size,
			"connector.%s: is the same folder as connector.in; give it one of its own",
			field);
		return FOLDER_IN_INVALID;
	}
	return 0;
}

static int folders_open(struct folder_in *in, char *reterr, size_t size)
{
	const struct config_connector *config = in->config;
	_cleanup_(fd_close) int fd = -1;
	struct stat st;
	const struct {
		const char *field, *path;
		int *fd;
	} folders[] = {{"work", config->work, &in->work}, {"done", config->done, &in->done},
		{"failed", config->failed, &in->failed}};
	int r = folder_open_at("in", config->in, &fd, reterr, size);
	if (r == 0 && fstat(fd, &st) < 0)
		r = open_fail(reterr, size, "in", errno, "cannot be looked at");
	for (size_t i = 0; i < ARRAY_LEN(folders) && r == 0; i++) {
		r = folder_open_at(folders[i].field, folders[i].path, folders[i].fd, reterr, size);
		if (r == 0)
			r = check_same_disk(&st, *folders[i].fd, folders[i].field, reterr, size);
	}
	return r;
}

static int check_named(const struct config_connector *config, char *reterr, size_t size)
{
	const struct {
		const char *field, *path;
	} needed[] = {{"in", config->in}, {"work", config->work}, {"done", config->done},
		{"failed", config->failed}};
	for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
		if (needed[i].path)
			continue;
		snprintf(reterr, size, "connector.%s: missing; name a folder", needed[i].field);
		return FOLDER_IN_INVALID;
	}
	return 0;
}

int folder_in_open(
	const struct config_connector *config, struct folder_in **ret, char *reterr, size_t size)
{
	_cleanup_(folder_in_free) struct folder_in *in = calloc(1, sizeof(*in));
	if (!in)
		return open_fail(reterr, size, "in", ENOMEM, "no memory");
	in->config = config;
	in->work = in->done = in->failed = -1;
	in->waits = true; /* whatever an earlier process left */
	int r = check_named(config, reterr, size);
	if (r == 0)
		r = folders_open(in, reterr, size);
	if (r)
		return r;
	in->arena = arena_new(item_budget(config->file_bytes_max));
	r = in->arena ? folder_watch_open(&(struct folder_watch_options){.path = config->in,
						  .settle_ms = config->settle_ms,
						  .poll_ms = config->poll_ms},
				&in->watch)
		      : -ENOMEM;
	if (r)
		return open_fail(reterr, size, "in", -r, "cannot be watched");
	*ret = steal(&in);
	return 0;
}

void folder_in_free(struct folder_in *in)
{
	if (!in)
		return;
	folder_watch_free(in->watch);
	arena_free(in->arena);
	fd_close_at(&in->failed);
	fd_close_at(&in->done);
	fd_close_at(&in->work);
	free(in);
}

int folder_in_fd(const struct folder_in *in)
{
	return folder_watch_fd(in->watch);
}

/* ---- moving on ---- */

/* The item's own name, or one that is free: an earlier item of that name may stand there already. */
static void target_name(
	int dir, const char *name, unsigned int attempt, char target[ITEM_NAME_MAX + 1])
{
	uint8_t random[4];
	char hex[2 * sizeof(random) + 1], clean[FILE_NAME_MAX + 1];
	struct stat st;
	if (strlen(name) > TARGET_PLAIN_MAX) {
		file_name_clean(BYTES_STR(name), clean);
		name = clean;
	}
	snprintf(target, ITEM_NAME_MAX + 1, "%s", name);
	if (attempt == 0 && fstatat(dir, target, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	random_fill(random, sizeof(random));
	text_hex(BYTES(random, sizeof(random)), hex);
	snprintf(target, ITEM_NAME_MAX + 1, "%.*s.%s", TARGET_PLAIN_MAX, name, hex);
}

static int error_write(
	const struct folder_in *in, const char *name, const char *target, const char *why)
{
	char path[PATH_SIZE], file[ITEM_NAME_MAX + 16], clean[FILE_NAME_MAX + 1], now[25];
	char *text = NULL;
	snprintf(file, sizeof(file), "%s.error.txt", target);
	file_name_clean(BYTES_STR(name), clean);
	clock_format_utc(clock_wall_ms(clock_system()), now);
	int r = path_join(path, sizeof(path), in->config->failed, file);
	if (r)
		return r;
	int len = asprintf(&text,
		"This was not sent: %s\n\n    %s\n\nMend it and put it into the folder again.\n"
		"%s\n",
		clean, why, now);
	if (len < 0)
		return -ENOMEM;
	r = file_replace(path, BYTES(text, len), FILE_MODE);
	free(text);
	return r;
}

/* The error file comes first: an item in `failed` always has one, and after a crash both are made again. */
static int fail(struct folder_in *in, const char *name, const char *why)
{
	char target[ITEM_NAME_MAX + 1];
	int r = -EEXIST;
	for (unsigned int attempt = 0; attempt < TARGET_TRIES && r == -EEXIST; attempt++) {
		target_name(in->failed, name, attempt, target);
		r = error_write(in, name, target, why);
		if (r == 0)
			r = move_new(in->work, name, in->failed, target);
	}
	in->failures++;
	if (r == 0)
		log_warn("folder", "an item could not be sent; see connector.failed",
			F_U64("failed", in->failures));
	return r;
}

static int move_done(const struct folder_in *in, const char *name)
{
	char target[ITEM_NAME_MAX + 1];
	int r = -EEXIST;
	for (unsigned int attempt = 0; attempt < TARGET_TRIES && r == -EEXIST; attempt++) {
		target_name(in->done, name, attempt, target);
		r = move_new(in->work, name, in->done, target);
	}
	return r == -ENOENT ? 0 : r;
}

/* What may pass is told to the log, and tried again. */
static int may_pass(struct folder_in *in, int r, const char *event)
{
	if (r >= 0)
		return r;
	in->waits = true;
	log_warn("folder", event, F_ERR(r));
	return 0;
}

int folder_in_submitted(struct folder_in *in, struct bytes key)
{
	for (size_t i = 0; i < in->flying_count; i++) {
		struct flying *flying = &in->flying[i];
		if (!bytes_equal(BYTES_STR(flying->key), key))
			continue;
		int r = move_done(in, flying->name);
		*flying = in->flying[--in->flying_count];
		return may_pass(in, r, "an item that was sent cannot be moved to connector.done");
	}
	return 0;
}

/* ---- claiming ---- */

/* It stays in `in` until it changes: without permission to move it there is no other place for it. */
static int cannot_claim(struct folder_in *in, const char *name, int error)
{
	char target[ITEM_NAME_MAX + 1];
	const char *why = error == EACCES || error == EPERM
				  ? "it cannot be moved by the adapter's account; give it "
				    "permission to write the folder and what is in it"
				  : "it cannot be moved to connector.work; look at the file system";
	folder_watch_leave(in->watch, name);
	in->failures++;
	log_warn("folder", "an item cannot be claimed; see connector.failed", F_ERR(-error));
	target_name(in->failed, name, 0, target);
	return error_write(in, name, target, why);
}

static int claim_one(struct folder_in *in, const char *name)
{
	int r = move_new(folder_watch_dir(in->watch), name, in->work, name);
	switch (r) {
	case 0:
		in->waits = true;
		folder_watch_forget(in->watch, name);
		return 0;
	case -ENOENT:
		folder_watch_forget(in->watch, name);
		return 0;
	case -EEXIST: /* an earlier one of that name is under way */
		return 0;
	default:
		return cannot_claim(in, name, -r);
	}
}

static int claim(struct folder_in *in, bool *ret_more)
{
	struct folder_resting resting[FOLDER_IN_ITEMS_MAX];
	size_t count = 0;
	int r = folder_watch_turn(
		in->watch, resting, in->later ? 0 : ARRAY_LEN(resting), &count, ret_more);
	for (size_t i = 0; i < count && r == 0; i++)
		r = claim_one(in, resting[i].name);
	return r;
}

/* ---- handing over ---- */

static int work_read(int work, struct folder_resting *names, size_t *ret_count)
{
	int fd = openat(work, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int r = dir ? 0 : -errno;
	if (!dir)
		fd_close_at(&fd);
	for (*ret_count = 0; r == 0 && *ret_count < WORK_NAMES_MAX;) {
		struct stat st;
		errno = 0;
		const struct dirent *entry = readdir(dir);
		if (!entry) {
			r = -errno;
			break;
		}
		if (entry->d_name[0] == '.' ||
			fstatat(work, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		struct folder_resting *name = &names[(*ret_count)++];
		snprintf(name->name, sizeof(name->name), "%s", entry->d_name);
		name->mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	}
	if (dir)
		closedir(dir);
	qsort(names, *ret_count, sizeof(*names), folder_resting_compare);
	return r;
}

static int take_one(struct folder_in *in, const struct folder_in_taker *taker, const char *name)
{
	struct flying *flying = &in->flying[in->flying_count];
	char why[WHY_SIZE] = "";
	struct item item;
	arena_reset(in->arena);
	int r = item_read(
		in->work, name, in->config->file_bytes_max, in->arena, &item, why, sizeof(why));
	if (r == ITEM_GONE)
		return 0;
	if (r == ITEM_BAD)
		return may_pass(
			in, fail(in, name, why), "an item cannot be moved to connector.failed");
	if (r)
		return may_pass(in, r, "an item cannot be read now");
	r = taker->take(taker->context, &item, flying->key, why, sizeof(why));
	if (r == TAKE_BAD)
		return may_pass(
			in, fail(in, name, why), "an item cannot be moved to connector.failed");
	if (r != TAKE_DONE)
		return r;
	snprintf(flying->name, sizeof(flying->name), "%s", name);
	in->flying_count++;
	return 0;
}

static int hand_over(struct folder_in *in, const struct folder_in_taker *taker, bool *ret_more)
{
	_cleanup_(heap_free) struct folder_resting *names = malloc(WORK_NAMES_MAX * sizeof(*names));
	size_t count = 0;
	if (!names)
		return -ENOMEM;
	in->waits = false;
	in->later = false;
	int r = work_read(in->work, names, &count);
	if (r)
		return may_pass(in, r, "connector.work cannot be read");
	for (size_t i = 0; i < count; i++) {
		if (i == FOLDER_IN_ITEMS_MAX) {
			in->waits = true;
			*ret_more = true;
			return 0;
		}
		r = take_one(in, taker, names[i].name);
		if (r == TAKE_LATER)
			in->waits = in->later = true;
		if (r)
			return r == TAKE_LATER ? 0 : r;
	}
	return 0;
}

int folder_in_turn(struct folder_in *in, const struct folder_in_taker *taker, bool *ret_more)
{
	bool more = false;
	if (in->flying_count > 0)
		in->waits = true; /* nobody told us that they were sent */
	in->flying_count = 0;
	int r = may_pass(in, claim(in, &more), "connector.in cannot be looked at now");
	if (r == 0 && in->waits)
		r = hand_over(in, taker, &more);
	*ret_more = more && !in->later;
	return r;
}
