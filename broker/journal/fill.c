/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Counting free pages walks LMDB's free list, and statvfs() is a system call: both are asked at most once
 * a second, or when what was put since might have used up a quarter of what was left. In between, every
 * byte put counts twice: pages are never quite full, and derived rows and tree come on top.
 *
 * New messages end at the limit; what lies above it is for acknowledgements, which make room. But they
 * need room first: an entry, an end row and an outcome each, in pages that a commit copies before it frees
 * them. In a small journal full of small messages that is more than lies above the limit, and a
 * broker that cannot take acknowledgements will never have room again. So as much is kept free as
 * ending what waits may take.
 */
#include "broker/journal/fill.h"

#include <errno.h>
#include <sys/statvfs.h>

enum {
	MEASURE_NS = 1000000000,
	GROWTH = 2,
	ENDING_BYTES = 1024,      /* to end a message that waits, acknowledged alone */
	COPIED_BYTES = 512 << 10, /* pages of a commit, and of the two before it */
};

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Bytes that may still be put as new messages, as of the last look. */
static uint64_t room(const struct fill *fill)
{
	uint64_t ending = COPIED_BYTES + fill->waiting * ENDING_BYTES;
	uint64_t above = fill->map_bytes / 100 * less(100, fill->limit_percent);
	uint64_t map = less(fill->map_bytes, fill->used_bytes + larger(above, ending));
	uint64_t disk = less(fill->disk_bytes, larger(fill->reserve_bytes, ending));
	return map < disk ? map : disk;
}

int fill_measure(struct fill *fill, uint64_t put, uint64_t now_ns)
{
	struct db_usage usage;
	struct statvfs fs;
	bool due = !fill->measured || now_ns - fill->measured_ns >= MEASURE_NS;
	if (!due && (fill->full || (put - fill->put_then) * GROWTH < room(fill) / 4))
		return 0;
	int r = db_env_usage(fill->env, &usage);
	if (r)
		return r;
	if (statvfs(fill->dir, &fs) < 0)
		return -errno;
	fill->measured = true;
	fill->measured_ns = now_ns;
	fill->put_then = put;
	fill->map_bytes = usage.map_bytes;
	fill->used_bytes = less(usage.used_bytes, usage.free_bytes);
	fill->disk_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	fill->percent = (uint32_t)(fill->used_bytes * 100 / usage.map_bytes);
	/* Free pages in the file need no more of the file system. */
	fill->disk_bytes += usage.free_bytes;
	fill->full = room(fill) == 0;
	return 0;
}

bool fill_admits(const struct fill *fill, uint64_t put, uint64_t bytes, uint64_t messages)
{
	uint64_t growth = (put - fill->put_then + bytes) * GROWTH + messages * ENDING_BYTES;
	return fill->limit_percent > 100 || (!fill->full && growth <= room(fill));
}
