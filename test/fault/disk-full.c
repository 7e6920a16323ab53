/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * No room: in the journal's map, on the disk by the broker's own doing, and on the disk by somebody
 * else's. New messages wait at their senders, what makes room goes on, and where nothing can be written
 * at all the broker stops at once and says why. Whatever had a receipt is there afterwards.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include "proto/base/file.h"
#include "proto/base/log.h"
#include "test/fault/evidence.h"
#include "test/fault/recipient.h"
#include "test/fault/sender.h"
#include "test/kit/check.h"

enum { WINDOW = 64, STEP_MS = 50, FILL_MS = 120000, SETTLE_MS = 120000, BALLAST_PIECE = 4096 };

static const char small_map[] = "journal:\n  map_size: 8 MiB\n  disk_reserve: 1 MiB\n";
static const char larger_map[] = "journal:\n  map_size: 64 MiB\n  disk_reserve: 1 MiB\n";
static const char small_disk[] = "journal:\n  map_size: 1 GiB\n  disk_reserve: 4 MiB\n";

struct story {
	struct bus bus;
	struct sender *sender;
	struct recipient recipient;
	struct receiver *receiver;
};

static void story_open(struct story *story, const char *extra)
{
	*story = (struct story){0};
	log_init("disk-full", LOG_ERROR, STDERR_FILENO);
	bus_init_usual(&story->bus, check_subdir());
	story->bus.extra = extra;
	bus_write(&story->bus);
	story->receiver = receiver_new(&story->bus, &story->recipient);
}

static void story_send(struct story *story)
{
	bus_start(&story->bus);
	story->sender = sender_new(&(struct sender_options){.bus = &story->bus,
		.name = "city",
		.content_type = story->recipient.content_type,
		.window = WINDOW,
		.open_max = SIZE_MAX,
		.ping_ms = STEP_MS,
		.deferral_fine = true});
}

static void story_end(struct story *story)
{
	struct handed_over all = {0};
	size_t count;

	story->recipient.stop(story->recipient.context);
	CHECK_INT(bus_end(&story->bus, SIGTERM), 0);
	receiver_free(story->receiver, &all);
	const struct letter *letters = sender_letters(story->sender, &count);
	evidence_check(&story->bus, letters, count);
	evidence_handed_over(&all, letters, count);
	printf("# %zu messages\n", count);
	free(all.ids);
	sender_free(story->sender);
}

static struct sender_counts counts_of(const struct story *story)
{
	struct sender_counts counts;

	sender_counts(story->sender, &counts);
	return counts;
}

#define UNTIL(story, condition, timeout_ms)                                                        \
	do {                                                                                       \
		long long until_end = now_ms() + (timeout_ms);                                     \
		while (!(condition)) {                                                             \
			if (now_ms() > until_end)                                                  \
				CHECK_FAIL("waited in vain for: %s", #condition);                  \
			sender_step((story)->sender, STEP_MS);                                     \
		}                                                                                  \
	} while (0)

static void fill_up(struct story *story)
{
	UNTIL(story, sender_deferral(story->sender), FILL_MS);
	CHECK_STR(sender_deferral(story->sender)->code, "full");
	CHECK(strstr(sender_deferral(story->sender)->detail, "bus operator")); /* the remedy */
	CHECK(counts_of(story).recorded > 500);
}

/* All that was recorded ends, while what comes new is still put off. */
static void what_makes_room_goes_on(struct story *story)
{
	size_t recorded = counts_of(story).recorded, deferred = counts_of(story).deferred;

	UNTIL(story, counts_of(story).ended >= recorded, SETTLE_MS);
	UNTIL(story, counts_of(story).deferred > deferred, SETTLE_MS);
	CHECK(process_running(&story->bus.broker));
}

static void everything_ends(struct story *story)
{
	sender_rest(story->sender);
	UNTIL(story, counts_of(story).ended == counts_of(story).composed, SETTLE_MS);
	CHECK_INT(counts_of(story).recorded, counts_of(story).composed);
}

/* ---- the map ---- */

static void a_full_map_defers(void)
{
	struct story story;

	story_open(&story, small_map);
	story_send(&story);
	fill_up(&story);
	/* As full as before after a restart, however it ended. */
	CHECK_INT(bus_end(&story.bus, SIGKILL), 128 + SIGKILL);
	bus_start(&story.bus);
	size_t deferred = counts_of(&story).deferred;
	UNTIL(&story, counts_of(&story).deferred > deferred, SETTLE_MS);
	story.recipient.start(story.recipient.context);
	what_makes_room_goes_on(&story);
	CHECK_INT(bus_end(&story.bus, SIGTERM), 0);
	bus_start(&story.bus);
	deferred = counts_of(&story).deferred;
	UNTIL(&story, counts_of(&story).deferred > deferred, SETTLE_MS);

	/* A larger map is all it takes. */
	CHECK_INT(bus_end(&story.bus, SIGTERM), 0);
	bus_config_write(&story.bus, larger_map);
	bus_start(&story.bus);
	everything_ends(&story);
	story_end(&story);
	bus_deinit(&story.bus);
}

/* ---- the disk ---- */

static bool namespace_enter(void)
{
	uid_t uid = getuid();
	char map[64];

	if (unshare(CLONE_NEWNS) == 0)
		return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
		return false;
	snprintf(map, sizeof(map), "%u %u 1", uid, uid);
	int fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
	bool mapped = fd >= 0 && write(fd, map, strlen(map)) > 0;
	close(fd);
	return mapped && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

/* The broker's state folder becomes a file system of its own, of a few MiB. */
static void disk_mount(struct story *story)
{
	if (!namespace_enter() || mount("none", bus_path(&story->bus, "broker"), "tmpfs", 0,
					  "size=24m,mode=0700") != 0)
		check_skip("no file system can be mounted here");
}

static void disk_unmount(struct story *story)
{
	CHECK_INT(umount2(bus_path(&story->bus, "broker"), MNT_DETACH), 0);
}

/* Somebody else takes all that is left. */
static void ballast_load(struct story *story)
{
	static const char piece[BALLAST_PIECE];
	int fd = open(bus_path(&story->bus, "broker/ballast"),
		O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	CHECK(fd >= 0);
	while (write(fd, piece, sizeof(piece)) > 0)
		continue;
	CHECK_INT(errno, ENOSPC);
	close(fd);
}

static void ballast_drop(struct story *story)
{
	CHECK_INT(unlink(bus_path(&story->bus, "broker/ballast")), 0);
}

/*
 * The recipient's acknowledgements still find free pages for a while. Then there is nothing to write on, and
 * going on would mean to answer what is not kept.
 */
static void a_full_disk_stops(struct story *story)
{
	struct process *broker = &story->bus.broker;
	size_t recorded = counts_of(story).recorded;

	ballast_load(story);
	story->recipient.start(story->recipient.context);
	UNTIL(story, !process_running(broker), SETTLE_MS);
	CHECK_INT(process_wait(broker, 1000), 3);
	CHECK(wait_for_line(broker->log, "the disk or the journal's map is full",
		      story->bus.log_seen, 1000) >= 0);
	CHECK_INT(counts_of(story).recorded, recorded);
	ballast_drop(story);
}

static void a_full_disk_loses_nothing(void)
{
	struct story story;

	story_open(&story, small_disk);
	disk_mount(&story);
	story_send(&story);
	fill_up(&story);
	a_full_disk_stops(&story);
	bus_start(&story.bus);
	what_makes_room_goes_on(&story);

	/* More disk, and all that waited is taken. */
	CHECK_INT(
		mount(NULL, bus_path(&story.bus, "broker"), NULL, MS_REMOUNT, "size=64m,mode=0700"),
		0);
	everything_ends(&story);
	story_end(&story);
	disk_unmount(&story);
	bus_deinit(&story.bus);
}

CHECK_MAIN(CHECK_CASE(a_full_map_defers), CHECK_CASE(a_full_disk_loses_nothing))
