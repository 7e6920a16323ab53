/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A building office gets a plan that is larger than a message may be. It arrives as it was sent, whoever is
 * killed on the way, and however often; a full disk delays it; with its message it is erased. Who is no
 * party of the message gets nothing of it, and who uploads without end or sense hurts nobody.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "proto/base/file.h"
#include "test/kit/check.h"
#include "test/kit/party.h"

enum {
	TOOL_MS = 60000,
	WORDS_MAX = 24,
	LOOKS_MAX = 500,
	MIB = 1 << 20,
	SMALL = 300 * 1000, /* just too large for content */
	PLAN = 20 * MIB,
};

struct story {
	struct bus bus;
	struct process sending, receiving;
	char plan[512], out[512];
};

/* A file that no compression and no page of zeros makes easy. */
static void file_make(const char *path, size_t size)
{
	_cleanup_(fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	static uint8_t piece[MIB];
	CHECK(fd >= 0);
	for (size_t done = 0, len; done < size; done += len) {
		len = size - done < sizeof(piece) ? size - done : sizeof(piece);
		random_fill(piece, len);
		CHECK_INT(write(fd, piece, len), len);
	}
}

static void story_open(struct story *s, const char *extra, size_t size)
{
	*s = (struct story){0};
	bus_init_usual(&s->bus, check_subdir());
	s->bus.extra = extra;
	s->bus.adapter_extra = "";
	bus_write(&s->bus);
	bus_adapter_write(&s->bus, "city", s->bus.endpoint);
	bus_adapter_write(&s->bus, "jobcenter", s->bus.endpoint);
	snprintf(s->plan, sizeof(s->plan), "%s", bus_path(&s->bus, "plan.pdf"));
	snprintf(s->out, sizeof(s->out), "%s", bus_path(&s->bus, "arrived"));
	CHECK_INT(file_replace(bus_path(&s->bus, "letter.txt"), BYTES_STR("see the plan"), 0600), 0);
	file_make(s->plan, size);
}

static void story_end(struct story *s)
{
	CHECK_INT(bus_end(&s->bus, SIGTERM), 0);
	bus_deinit(&s->bus);
}

/* dienstweg-party with the words given. */
static void party_start(struct story *s, struct process *process, const char *verb, ...)
{
	char program[512], config[512];
	const char *argv[WORDS_MAX + 6] = {
		program_path("adapters/cli/dienstweg-party", program, sizeof(program)), verb};
	size_t count = 2;
	va_list args;
	bool sending = strcmp(verb, "send") == 0;
	snprintf(config, sizeof(config), "%s",
		bus_path(&s->bus, sending ? "city.yaml" : "jobcenter.yaml"));
	va_start(args, verb);
	for (const char *word; (word = va_arg(args, const char *)) != NULL;)
		argv[count++] = word;
	va_end(args);
	argv[count++] = "--config";
	argv[count++] = config;
	argv[count++] = "--demo";
	process_start(
		process, bus_path(&s->bus, sending ? "logs/send.log" : "logs/receive.log"), argv);
}

static void send_start(struct story *s)
{
	party_start(s, &s->sending, "send", "--service", "alg2.application", "--region",
		"051240000000", "--file", bus_path(&s->bus, "letter.txt"), "--attach", s->plan,
		"--key", "plan-1", NULL);
}

static void receive_start(struct story *s)
{
	party_start(s, &s->receiving, "receive", "--out", s->out, "--count", "1", "--timeout", "60",
		NULL);
}

/* The only file of a folder whose name has this in it; the folder may not be there yet. */
static bool file_find(const char *dir, const char *part, char *ret, size_t size)
{
	char *output = NULL;
	const char *const argv[] = {"/usr/bin/find", dir, "-type", "f", "-name", part, NULL};
	process_run(argv, &output, TOOL_MS);
	char *end = strchr(output, '\n');
	bool found = end != NULL && output[0] == '/';
	if (found)
		snprintf(ret, size, "%.*s", (int)(end - output), output);
	free(output);
	return found;
}

static void arrived_whole(struct story *s, const char *name, const char *original)
{
	char path[512], *output = NULL;
	CHECK(file_find(s->out, name, path, sizeof(path)));
	const char *const argv[] = {"/usr/bin/cmp", path, original, NULL};
	CHECK_INT(process_run(argv, &output, TOOL_MS), 0);
	free(output);
}

/* Until the folder holds a file of this kind with so many bytes; its events tell when to look. */
static uint64_t grown(const char *dir, const char *part, uint64_t bytes)
{
	char path[512], events[4096];
	struct stat st = {0};
	_cleanup_(fd_close) int fd = inotify_init1(IN_CLOEXEC);
	CHECK_INT(dir_make(dir, 0700), 0);
	CHECK(fd >= 0 && inotify_add_watch(fd, dir, IN_MODIFY | IN_CREATE) >= 0);
	while (!file_find(dir, part, path, sizeof(path)))
		CHECK(read(fd, events, sizeof(events)) > 0);
	while (stat(path, &st) == 0 && (uint64_t)st.st_size < bytes)
		CHECK(read(fd, events, sizeof(events)) > 0);
	return (uint64_t)st.st_size;
}

static char *admin(const struct bus *bus, int expected, const char *first, ...)
{
	char program[512], *output = NULL;
	const char *argv[WORDS_MAX + 4] = {
		program_path("broker/dienstweg-admin", program, sizeof(program)), first};
	size_t count = 2;
	va_list args;
	va_start(args, first);
	for (const char *word; (word = va_arg(args, const char *)) != NULL;)
		argv[count++] = word;
	va_end(args);
	argv[count++] = "--config";
	argv[count] = bus_path(bus, "broker.yaml");
	int code = process_run(argv, &output, TOOL_MS);
	if (code != expected)
		CHECK_FAIL("dienstweg %s: exit %d, expected %d:\n%s", first, code, expected, output);
	return output;
}

static void says(char *output, const char *text)
{
	if (!strstr(output, text))
		CHECK_FAIL("\"%s\" is not in:\n%s", text, output);
	free(output);
}

/* ---- the stories ---- */

static void a_plan_arrives(void)
{
	struct story s;
	char second[512], empty[512], path[512];
	story_open(&s, "", SMALL);
	snprintf(second, sizeof(second), "%s", bus_path(&s.bus, "list of rooms.csv"));
	snprintf(empty, sizeof(empty), "%s", bus_path(&s.bus, "empty"));
	file_make(second, 70000);
	file_make(empty, 0);
	bus_start(&s.bus);
	receive_start(&s);
	party_start(&s, &s.sending, "send", "--service", "alg2.application", "--region",
		"051240000000", "--file", bus_path(&s.bus, "letter.txt"), "--attach", s.plan,
		"--attach", second, "--attach", empty, "--wait", "ended", NULL);
	CHECK_INT(process_wait(&s.sending, TOOL_MS), 0);
	CHECK_INT(process_wait(&s.receiving, TOOL_MS), 0);
	arrived_whole(&s, "*.1-plan.pdf", s.plan);
	arrived_whole(&s, "*.2-list of rooms.csv", second);
	arrived_whole(&s, "*.3-empty", empty);
	/* The sender keeps it as long as the message, should the bus lose it; the other side has handed it over. */
	CHECK(file_find(bus_path(&s.bus, "city/state/attachments/out"), "*", path, sizeof(path)));
	CHECK(!file_find(bus_path(&s.bus, "jobcenter/state/attachments"), "*", path, sizeof(path)));
	story_end(&s);
}

/* Each of three is killed in the middle; nothing that was there is sent again, and all arrives. */
static void killed_on_every_side(void)
{
	struct story s;
	char blobs[512], in[512];
	story_open(&s, "", PLAN);
	snprintf(blobs, sizeof(blobs), "%s", bus_path(&s.bus, "broker/blobs/city"));
	snprintf(in, sizeof(in), "%s", bus_path(&s.bus, "jobcenter/state/attachments/in"));
	bus_start(&s.bus);
	send_start(&s);
	uint64_t there = grown(blobs, "*.part", 2 * MIB);
	CHECK_INT(process_end(&s.sending, SIGKILL), 128 + SIGKILL);
	CHECK(there < PLAN);

	send_start(&s);
	there = grown(blobs, "*.part", there + 2 * MIB);
	CHECK_INT(bus_end(&s.bus, SIGKILL), 128 + SIGKILL);
	CHECK(there < PLAN);
	bus_start(&s.bus);
	CHECK_INT(process_wait(&s.sending, TOOL_MS), 0);

	receive_start(&s);
	there = grown(in, "*", 2 * MIB);
	CHECK_INT(process_end(&s.receiving, SIGKILL), 128 + SIGKILL);
	CHECK(there < PLAN);
	receive_start(&s);
	grown(in, "*", there + 2 * MIB);
	CHECK_INT(bus_end(&s.bus, SIGKILL), 128 + SIGKILL);
	bus_start(&s.bus);
	CHECK_INT(process_wait(&s.receiving, TOOL_MS), 0);
	arrived_whole(&s, "*.1-plan.pdf", s.plan);
	says(admin(&s.bus, 0, "audit", "verify", NULL), "No findings");
	says(admin(&s.bus, 0, "audit", "replay", NULL), "No differences");
	story_end(&s);
}

static bool namespace_enter(void)
{
	uid_t uid = getuid();
	char map[64];
	if (unshare(CLONE_NEWNS) == 0)
		return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
		return false;
	snprintf(map, sizeof(map), "%u %u 1", uid, uid);
	_cleanup_(fd_close) int fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, map, strlen(map)) > 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

/* Other messages go on while the upload waits; with more disk it goes on where it was. */
static void a_disk_that_is_full_half_way(void)
{
	struct story s;
	struct party city;
	struct party_draft application = {.region = "051240000000", .body = BYTES_STR("a form")};
	char disk[512], part[512], path[512];
	struct stat st;
	story_open(&s, "journal:\n  map_size: 1 GiB\n  disk_reserve: 2 MiB\n", PLAN);
	snprintf(disk, sizeof(disk), "%s", bus_path(&s.bus, "broker"));
	snprintf(part, sizeof(part), "%s", bus_path(&s.bus, "broker/blobs/city"));
	CHECK_INT(dir_make(disk, 0700), 0);
	if (!namespace_enter() || mount("none", disk, "tmpfs", 0, "size=16m,mode=0700") != 0)
		check_skip("no file system can be mounted here");
	bus_start(&s.bus);
	send_start(&s);
	CHECK(wait_for_line(s.sending.log, "has no room for an attachment", 0, TOOL_MS) >= 0);
	CHECK(file_find(part, "*.part", path, sizeof(path)));
	CHECK_INT(stat(path, &st), 0);
	CHECK(st.st_size > 6 * MIB && st.st_size < PLAN);
	CHECK_INT(process_end(&s.sending, SIGTERM), 0);
	party_init(&city, &s.bus, "city");
	party_connect(&city, NULL);
	CHECK_INT(party_send(&city, &application)->kind, ANSWER_RECEIPT);
	party_deinit(&city);

	CHECK_INT(mount(NULL, disk, NULL, MS_REMOUNT, "size=80m,mode=0700"), 0);
	off_t there = st.st_size;
	CHECK_INT(stat(path, &st), 0);
	CHECK_INT(st.st_size, there);
	send_start(&s);
	CHECK_INT(process_wait(&s.sending, TOOL_MS), 0);
	party_start(&s, &s.receiving, "receive", "--out", s.out, "--count", "2", "--timeout", "60",
		NULL);
	CHECK_INT(process_wait(&s.receiving, TOOL_MS), 0);
	arrived_whole(&s, "*.1-plan.pdf", s.plan);
	story_end(&s);
	CHECK_INT(umount2(disk, MNT_DETACH), 0);
}

static void wait_until_gone(const char *dir, const char *part)
{
	char path[512], events[4096];
	_cleanup_(fd_close) int fd = inotify_init1(IN_CLOEXEC);
	CHECK(fd >= 0 && inotify_add_watch(fd, dir, IN_DELETE) >= 0);
	while (file_find(dir, part, path, sizeof(path)))
		CHECK(read(fd, events, sizeof(events)) > 0);
}

/* An auditor misses a file that somebody took away, and notices one that somebody changed. */
static void looked_after(const struct bus *bus, const char *file)
{
	char away[600];
	uint8_t byte = 0, other;
	says(admin(bus, 0, "audit", "verify", NULL), "No findings");
	snprintf(away, sizeof(away), "%s.away", file);
	CHECK_INT(rename(file, away), 0);
	says(admin(bus, 1, "audit", "verify", NULL), "attachment-missing");
	CHECK_INT(rename(away, file), 0);
	_cleanup_(fd_close) int fd = open(file, O_RDWR | O_CLOEXEC);
	CHECK_INT(pread(fd, &byte, 1, 1000), 1);
	other = byte ^ 1;
	CHECK_INT(pwrite(fd, &other, 1, 1000), 1);
	says(admin(bus, 1, "audit", "verify", NULL), "attachment-changed");
	CHECK_INT(pwrite(fd, &byte, 1, 1000), 1);
	says(admin(bus, 0, "audit", "verify", NULL), "No findings");
}

/* A message goes with all that belongs to it; what never belonged to one goes after a day. */
static void erased_with_its_message(void)
{
	struct story s;
	char blobs[512], order[512], path[512], stale[1024];
	story_open(&s, "", SMALL);
	snprintf(blobs, sizeof(blobs), "%s", bus_path(&s.bus, "broker/blobs/city"));
	snprintf(order, sizeof(order), "%s", bus_path(&s.bus, "instruction"));
	CHECK_INT(file_replace(order, BYTES_STR("erase it"), 0600), 0);
	bus_start(&s.bus);
	receive_start(&s);
	party_start(&s, &s.sending, "send", "--service", "alg2.application", "--region",
		"051240000000", "--file", bus_path(&s.bus, "letter.txt"), "--attach", s.plan,
		"--case", "ca5e1d00000000000000000000000000", "--wait", "ended", NULL);
	CHECK_INT(process_wait(&s.sending, TOOL_MS), 0);
	CHECK_INT(process_wait(&s.receiving, TOOL_MS), 0);
	CHECK(file_find(blobs, "@*", path, sizeof(path)));
	looked_after(&s.bus, path);
	says(admin(&s.bus, 0, "backup", bus_path(&s.bus, "backup"), NULL), "1 attachments");
	CHECK(file_find(bus_path(&s.bus, "backup/blobs/city"), "@*", path, sizeof(path)));
	says(admin(&s.bus, 0, "erase", "--case", "ca5e1d00000000000000000000000000",
		     "--instruction", order, "--now", "--reason", "court-order", NULL),
		"entries");
	wait_until_gone(blobs, "@*");
	says(admin(&s.bus, 0, "audit", "verify", NULL), "No findings");

	/* The first name of the upload is still there, and goes with the orphans of the next day. */
	CHECK(file_find(blobs, "*", path, sizeof(path)));
	snprintf(stale, sizeof(stale), "%s/%064d.%d.part", blobs, 0, 1000000);
	file_make(stale, 1000);
	uint64_t then_s = clock_wall_ms(clock_system()) / 1000 - 25 * 3600;
	const struct timespec times[2] = {{.tv_sec = (time_t)then_s}, {.tv_sec = (time_t)then_s}};
	CHECK_INT(utimensat(AT_FDCWD, path, times, 0), 0);
	CHECK_INT(utimensat(AT_FDCWD, stale, times, 0), 0);
	CHECK_INT(bus_end(&s.bus, SIGTERM), 0);
	bus_start(&s.bus);
	wait_until_gone(blobs, "*");
	story_end(&s);
}

/* ---- who does not keep to the protocol ---- */

struct heard {
	char error[64], field[64], reason[64];
	uint64_t offset;
	bool complete;
	size_t stored, data, bytes, busy;
	size_t receipts;
	uint64_t sequence;
};

static void hear(void *context, const Dienstweg__Frame *frame)
{
	struct heard *heard = context;
	if (frame->body_case == DIENSTWEG__FRAME__BODY_ERROR) {
		snprintf(heard->error, sizeof(heard->error), "%.*s", (int)frame->error->code.len,
			(const char *)frame->error->code.data);
		snprintf(heard->field, sizeof(heard->field), "%.*s", (int)frame->error->field.len,
			(const char *)frame->error->field.data);
	} else if (frame->body_case == DIENSTWEG__FRAME__BODY_BLOB_STORED) {
		const Dienstweg__BlobStored *stored = frame->blob_stored;
		snprintf(heard->reason, sizeof(heard->reason), "%.*s", (int)stored->reason.len,
			(const char *)stored->reason.data);
		heard->offset = stored->offset;
		heard->complete = stored->complete;
		heard->stored++;
	} else if (frame->body_case == DIENSTWEG__FRAME__BODY_BLOB_DATA) {
		const Dienstweg__BlobData *data = frame->blob_data;
		snprintf(heard->reason, sizeof(heard->reason), "%.*s", (int)data->reason.len,
			(const char *)data->reason.data);
		heard->bytes = data->data.len;
		heard->busy += strcmp(heard->reason, "busy") == 0;
		heard->data++;
	} else if (frame->body_case == DIENSTWEG__FRAME__BODY_ANSWER &&
		   frame->answer->n_receipts > 0) {
		heard->sequence = frame->answer->receipts[0]->sequence;
		heard->receipts++;
	}
}

static ProtobufCBinaryData pb(const void *data, size_t len)
{
	return (ProtobufCBinaryData){.len = len, .data = (uint8_t *)(uintptr_t)data};
}

static uint8_t ciphertext[3 * 65536];
static uint8_t cipher_digest[HASH_SIZE];

static void put(struct party *party, const char *as, const uint8_t *digest, uint64_t size,
	uint64_t offset, size_t len)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__PutBlob body = DIENSTWEG__PUT_BLOB__INIT;
	body.party = pb(as, strlen(as));
	body.digest = pb(digest, HASH_SIZE);
	body.size = size;
	body.offset = offset;
	body.data = pb(ciphertext + offset % sizeof(ciphertext), len);
	frame.body_case = DIENSTWEG__FRAME__BODY_PUT_BLOB;
	frame.put_blob = &body;
	while (client_send(party->client, &frame) == CLIENT_BUSY)
		party_step(party, 10);
}

static void get(struct party *party, uint64_t sequence, uint32_t index, uint64_t offset)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__GetBlob body = DIENSTWEG__GET_BLOB__INIT;
	body.party = pb(party->name, strlen(party->name));
	body.sequence = sequence;
	body.index = index;
	body.offset = offset;
	frame.body_case = DIENSTWEG__FRAME__BODY_GET_BLOB;
	frame.get_blob = &body;
	CHECK_INT(client_send(party->client, &frame), 0);
}

static void not_a_piece(struct party *party, struct heard *heard, const char *as, uint64_t size,
	uint64_t offset, size_t len)
{
	heard->error[0] = '\0';
	put(party, as, cipher_digest, size, offset, len);
	party_until(party, heard->error[0], 10000);
	CHECK_STR(heard->error, "malformed");
	CHECK_STR(heard->field, "put_blob");
}

static void attach(Dienstweg__Header *header)
{
	static Dienstweg__Attachment one, *list[] = {&one};
	dienstweg__attachment__init(&one);
	one.digest = pb(cipher_digest, HASH_SIZE);
	one.size = sizeof(ciphertext);
	header->attachments = list;
	header->n_attachments = 1;
}

struct rude {
	struct story s;
	struct party city, jobcenter;
	struct heard heard, other; /* by these two */
};

/* What cannot be meant is not even answered with a place to go on at. */
static void impossible_pieces(struct rude *r)
{
	not_a_piece(&r->city, &r->heard, "jobcenter", sizeof(ciphertext), 0, 65536);
	not_a_piece(&r->city, &r->heard, "city", 0, 0, 0);
	not_a_piece(&r->city, &r->heard, "city", (UINT64_C(2) << 30) + 1, 0, 65536);
	not_a_piece(&r->city, &r->heard, "city", 65536, 65536, 1); /* more than was announced */
	not_a_piece(&r->city, &r->heard, "city", sizeof(ciphertext), 0, 100); /* crumbs */
}

/* Out of order, and other bytes than were announced. */
static void wrong_pieces(struct rude *r)
{
	uint8_t wrong[HASH_SIZE];
	memcpy(wrong, cipher_digest, HASH_SIZE);
	wrong[0] ^= 1;
	put(&r->city, "city", cipher_digest, sizeof(ciphertext), 65536, 65536);
	party_until(&r->city, r->heard.stored == 1, 10000);
	CHECK_STR(r->heard.reason, "offset");
	for (uint64_t i = 0; i < 3; i++)
		put(&r->city, "city", wrong, sizeof(ciphertext), i * 65536, 65536);
	party_until(&r->city, r->heard.stored == 4, 10000);
	CHECK_STR(r->heard.reason, "digest");
	put(&r->city, "city", wrong, sizeof(ciphertext), 0, 0);
	party_until(&r->city, r->heard.stored == 5, 10000);
	CHECK_INT(r->heard.offset, 0);
}

/* More at once than the window: what is beyond it is put off, the rest counts. */
static void too_many_pieces(struct rude *r)
{
	for (uint64_t i = 0; i < 64; i++)
		put(&r->city, "city", cipher_digest, sizeof(ciphertext), i % 3 * 65536, 65536);
	party_until(&r->city, r->heard.stored == 5 + 64, 20000);
	put(&r->city, "city", cipher_digest, sizeof(ciphertext), 0, 0);
	party_until(&r->city, r->heard.stored == 5 + 65, 10000);
	for (uint64_t i = r->heard.offset / 65536; i < 3 && !r->heard.complete; i++) {
		size_t before = r->heard.stored;
		put(&r->city, "city", cipher_digest, sizeof(ciphertext), i * 65536, 65536);
		party_until(&r->city, r->heard.stored > before, 10000);
	}
	CHECK(r->heard.complete);
}

/* Recorded: both parties may read it, by the entry's number; and there is nothing else to be read. */
static void wrong_questions(struct rude *r)
{
	struct party_draft draft = {
		.region = "051240000000", .body = BYTES_STR("x"), .twist = attach};
	Dienstweg__Envelope **envelopes = party_compose(&r->city, &draft, 1, r->city.arena);
	party_submit(&r->city, envelopes, 1, false);
	party_until(&r->city, r->heard.receipts == 1, 10000);
	get(&r->city, r->heard.sequence, 0, 131072);
	party_until(&r->city, r->heard.data == 1, 10000);
	CHECK_INT(r->heard.bytes, 65536);
	party_until(&r->jobcenter, r->jobcenter.deliveries_count == 1, 10000);
	r->jobcenter.on_frame = hear;
	r->jobcenter.on_frame_context = &r->other;
	get(&r->jobcenter, r->heard.sequence, 0, 0);
	party_until(&r->jobcenter, r->other.data == 1, 10000);
	CHECK_INT(r->other.bytes, 65536);
	get(&r->jobcenter, r->heard.sequence, 1, 0);
	party_until(&r->jobcenter, r->other.data == 2, 10000);
	CHECK_STR(r->other.reason, "unknown");
	get(&r->jobcenter, 0, 0, 0);
	party_until(&r->jobcenter, r->other.data == 3, 10000);
	CHECK_STR(r->other.reason, "unknown");
	/* Who asks on and on without showing that it reads is answered, not served. */
	for (int i = 0; i < 40; i++)
		get(&r->jobcenter, r->heard.sequence, 0, 0);
	party_until(&r->jobcenter, r->other.data == 43, 20000);
	CHECK(r->other.busy >= 40 - 8);
}

static void who_does_not_keep_to_it(void)
{
	struct rude r = {0};
	CHECK_INT(crypto_init(), 0);
	random_fill(ciphertext, sizeof(ciphertext));
	blake2b_of(BYTES(ciphertext, sizeof(ciphertext)), cipher_digest);
	story_open(&r.s, "", 1);
	bus_start(&r.s.bus);
	party_init(&r.city, &r.s.bus, "city");
	party_connect(&r.city, NULL);
	party_init(&r.jobcenter, &r.s.bus, "jobcenter");
	r.jobcenter.manual = true;
	party_connect(&r.jobcenter, NULL);
	r.city.on_frame = hear;
	r.city.on_frame_context = &r.heard;
	impossible_pieces(&r);
	wrong_pieces(&r);
	too_many_pieces(&r);
	wrong_questions(&r);
	party_deinit(&r.city);
	party_deinit(&r.jobcenter);
	story_end(&r.s);
}

CHECK_MAIN(CHECK_CASE(a_plan_arrives), CHECK_CASE(killed_on_every_side),
	CHECK_CASE(erased_with_its_message), CHECK_CASE(who_does_not_keep_to_it),
	CHECK_CASE(a_disk_that_is_full_half_way))
