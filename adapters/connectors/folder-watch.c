/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * File notifications only say when to look: they overflow, they do not exist for network file systems,
 * and they say nothing about what came before. What is believed is what a look finds. So each look is
 * compared with an earlier one of the same item, by our own clock: the clock behind a file's times may be
 * another machine's.
 *
 * Turns are bounded by looks, not by the folder: a folder of a hundred thousand files is worked off in
 * slices, through a directory stream that stays open between turns.
 */
#include "adapters/connectors/folder-watch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "adapters/connectors/file-name.h"
#include "proto/base/bytes.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"

enum {
	NAMES_PER_TURN = 2048, /* read from the folder */
	LOOKS_PER_TURN = 256,  /* second looks; first looks are bounded by free places */
	EVENTS_BYTES = 4096,
	EVENTS_READS = 64,
	EVENTS_WANTED = IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF |
			IN_MOVE_SELF | IN_ONLYDIR,
};
static const uint64_t ms_ns = 1000000, rest_ns = UINT64_C(1000000) * FOLDER_WATCH_REST_MS;

struct seen {
	uint32_t hash;
	bool left;         /* nothing can be done with it until it changes */
	uint64_t since_ns; /* it has looked like this since then */
	uint64_t next_ns;  /* when to look again */
	struct item_look look;
	char name[ITEM_NAME_MAX + 1];
};

struct folder_watch {
	struct folder_watch_options options;
	int epoll, events, timer;
	int dir;  /* of @stream */
	int mark; /* inotify's number of the folder */
	DIR *stream;
	bool missing; /* told that the folder is not there */
	size_t count;
	struct seen seen[FOLDER_WATCH_MAX];
};

/* ---- opening ---- */

static int stream_open(struct folder_watch *watch)
{
	int fd = open(watch->options.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	DIR *stream = fdopendir(fd);
	if (!stream) {
		int r = -errno;
		close(fd);
		return r;
	}
	if (watch->stream) {
		closedir(watch->stream);
		(void)inotify_rm_watch(watch->events, watch->mark);
	}
	watch->stream = stream;
	watch->dir = fd;
	watch->count = 0;
	watch->mark = inotify_add_watch(watch->events, watch->options.path, EVENTS_WANTED);
	if (watch->mark <
		0) /* too many watches on this machine, or no such thing on this file system */
		log_warn("folder", "without file notifications, by polling", F_ERR(-errno));
	return 0;
}

static int wait_add(int epoll, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};
	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int descriptors_open(struct folder_watch *watch)
{
	watch->epoll = epoll_create1(EPOLL_CLOEXEC);
	watch->events = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	watch->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (watch->epoll < 0 || watch->events < 0 || watch->timer < 0)
		return -errno;
	int r = wait_add(watch->epoll, watch->events);
	return r ? r : wait_add(watch->epoll, watch->timer);
}

int folder_watch_open(const struct folder_watch_options *options, struct folder_watch **ret)
{
	_cleanup_(folder_watch_free) struct folder_watch *watch = calloc(1, sizeof(*watch));
	if (!watch)
		return -ENOMEM;
	watch->options = *options;
	watch->epoll = watch->events = watch->timer = watch->dir = watch->mark = -1;
	int r = descriptors_open(watch);
	if (r == 0)
		r = stream_open(watch);
	if (r == 0)
		*ret = steal(&watch);
	return r;
}

void folder_watch_free(struct folder_watch *watch)
{
	if (!watch)
		return;
	if (watch->stream)
		closedir(watch->stream);
	fd_close_at(&watch->timer);
	fd_close_at(&watch->events);
	fd_close_at(&watch->epoll);
	free(watch);
}

int folder_watch_fd(const struct folder_watch *watch)
{
	return watch->epoll;
}

int folder_watch_dir(const struct folder_watch *watch)
{
	return watch->dir;
}

/* ---- what was seen ---- */

static struct seen *seen_find(struct folder_watch *watch, const char *name)
{
	uint32_t hash = bytes_hash(BYTES_STR(name));
	for (size_t i = 0; i < watch->count; i++) {
		struct seen *seen = &watch->seen[i];
		if (seen->hash == hash && strcmp(seen->name, name) == 0)
			return seen;
	}
	return NULL;
}

static void seen_drop(struct folder_watch *watch, struct seen *seen)
{
	struct seen *last = &watch->seen[--watch->count];
	if (seen != last)
		*seen = *last;
}

void folder_watch_forget(struct folder_watch *watch, const char *name)
{
	struct seen *seen = seen_find(watch, name);
	if (seen)
		seen_drop(watch, seen);
}

void folder_watch_leave(struct folder_watch *watch, const char *name)
{
	struct seen *seen = seen_find(watch, name);
	if (seen)
		seen->left = true;
}

static int seen_add(struct folder_watch *watch, const char *name, uint64_t now_ns)
{
	struct seen *seen = &watch->seen[watch->count];
	*seen = (struct seen){.hash = bytes_hash(BYTES_STR(name)),
		.since_ns = now_ns,
		.next_ns = now_ns + watch->options.settle_ms * ms_ns};
	snprintf(seen->name, sizeof(seen->name), "%s", name);
	int r = item_look(watch->dir, name, &seen->look);
	if (r == 0)
		watch->count++;
	return r == ITEM_GONE ? 0 : r;
}

/* Reads on in the folder. Sets *ret_end when everything in it has been seen. */
static int names_read(struct folder_watch *watch, uint64_t now_ns, bool *ret_end)
{
	for (size_t i = 0; i < NAMES_PER_TURN && watch->count < FOLDER_WATCH_MAX; i++) {
		errno = 0;
		const struct dirent *entry = readdir(watch->stream);
		if (!entry && errno)
			return -errno;
		if (!entry) {
			rewinddir(watch->stream);
			*ret_end = true;
			return 0;
		}
		if (file_name_is_unfinished(entry->d_name) || seen_find(watch, entry->d_name))
			continue;
		int r = seen_add(watch, entry->d_name, now_ns);
		if (r)
			return r;
	}
	return 0;
}

/* ---- what rests ---- */

/* Drops it when it is gone. */
static int look_again(
	struct folder_watch *watch, struct seen *seen, uint64_t now_ns, bool *ret_rests)
{
	struct item_look look;
	*ret_rests = false;
	int r = item_look(watch->dir, seen->name, &look);
	if (r == ITEM_GONE) {
		seen_drop(watch, seen);
		return 0;
	}
	if (r)
		return r;
	const struct folder_watch_options *options = &watch->options;
	bool same = memcmp(look.print, seen->look.print, sizeof(look.print)) == 0;
	seen->look = look;
	if (!same || look.written) {
		seen->left = false;
		seen->since_ns = now_ns;
		seen->next_ns = now_ns + options->settle_ms * ms_ns;
	} else if (seen->left || (look.unfinished && now_ns - seen->since_ns < rest_ns)) {
		seen->next_ns = now_ns + options->poll_ms * ms_ns;
	} else {
		*ret_rests = true;
	}
	return 0;
}

int folder_resting_compare(const void *a, const void *b)
{
	const struct folder_resting *x = a, *y = b;
	int by_time = (x->mtime_ns > y->mtime_ns) - (x->mtime_ns < y->mtime_ns);
	return by_time ? by_time : strcmp(x->name, y->name);
}

/* Those that may rest, in order of arrival. */
static size_t due_list(const struct folder_watch *watch, uint64_t now_ns, struct folder_resting *due)
{
	size_t count = 0;
	for (size_t i = 0; i < watch->count; i++) {
		const struct seen *seen = &watch->seen[i];
		if (seen->next_ns > now_ns)
			continue;
		due[count].mtime_ns = seen->look.mtime_ns;
		memcpy(due[count++].name, seen->name, sizeof(seen->name));
	}
	qsort(due, count, sizeof(*due), folder_resting_compare);
	return count;
}

static int rest_find(struct folder_watch *watch, uint64_t now_ns, struct folder_resting *ret,
	size_t max, size_t *ret_count, bool *ret_more)
{
	_cleanup_(heap_free) struct folder_resting *due = malloc((watch->count + 1) * sizeof(*due));
	if (!due)
		return -ENOMEM;
	size_t count = due_list(watch, now_ns, due);
	for (size_t i = 0; i < count && *ret_count < max; i++) {
		bool rests = false;
		if (i == LOOKS_PER_TURN) {
			*ret_more = true;
			return 0;
		}
		int r = look_again(watch, seen_find(watch, due[i].name), now_ns, &rests);
		if (r)
			return r;
		if (rests)
			ret[(*ret_count)++] = due[i];
	}
	return 0;
}

/* ---- turns ---- */

static void events_drain(const struct folder_watch *watch)
{
	_Alignas(struct inotify_event) char events[EVENTS_BYTES];
	uint64_t ticks;
	for (size_t i = 0; i < EVENTS_READS; i++) {
		if (read(watch->events, events, sizeof(events)) <= 0)
			break;
	}
	(void)!read(watch->timer, &ticks, sizeof(ticks));
}

/* Somebody may have replaced the folder: then the name counts, not what it once meant. */
static int folder_refresh(struct folder_watch *watch)
{
	struct stat held, named;
	if (fstat(watch->dir, &held) < 0)
		return -errno;
	if (stat(watch->options.path, &named) < 0) {
		if (!watch->missing)
			log_warn("folder", "the folder is not there", F_ERR(-errno));
		watch->missing = true;
		return 0;
	}
	watch->missing = false;
	if (held.st_ino == named.st_ino && held.st_dev == named.st_dev)
		return 0;
	int r = stream_open(watch);
	return r == -ENOENT || r == -ENOTDIR || r == -EACCES ? 0 : r;
}

/* Wakes when the next item may have rested long enough, and anyhow after poll_ms. */
static int timer_set(const struct folder_watch *watch, uint64_t now_ns)
{
	uint64_t next = now_ns + watch->options.poll_ms * ms_ns;
	for (size_t i = 0; i < watch->count; i++) {
		uint64_t due = watch->seen[i].next_ns;
		if (due > now_ns && due < next)
			next = due;
	}
	struct itimerspec spec = {.it_value = {.tv_sec = (time_t)(next / 1000000000),
					  .tv_nsec = (long)(next % 1000000000)}};
	int r = timerfd_settime(watch->timer, TFD_TIMER_ABSTIME, &spec, NULL);
	return r < 0 ? -errno : 0;
}

int folder_watch_turn(struct folder_watch *watch, struct folder_resting *ret, size_t max,
	size_t *ret_count, bool *ret_more)
{
	uint64_t now_ns = clock_mono_ns(clock_system());
	bool end = false;
	*ret_count = 0;
	events_drain(watch);
	int r = folder_refresh(watch);
	if (r == 0)
		r = names_read(watch, now_ns, &end);
	if (r == 0)
		r = rest_find(watch, now_ns, ret, max, ret_count, ret_more);
	bool progress = *ret_count > 0 || watch->count < FOLDER_WATCH_MAX;
	if (r == 0 && max > 0 && (*ret_count == max || (!end && progress)))
		*ret_more = true;
	int timer = timer_set(watch, now_ns);
	return r ? r : timer;
}
