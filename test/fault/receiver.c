/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A jobcenter in a process of its own whose inbox is a file of message ids, fsynced before anything is
 * acknowledged. At least once from the broker, exactly once from here: what is in the file was handed over, what is not
 * was not, and a kill between the two does not exist, because the file is the hand-over.
 */
#include "test/fault/recipient.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "test/kit/check.h"
#include "test/kit/party.h"
#include "test/kit/spawner.h"

enum { ID_SIZE = 16, TABLE_SIZE = 1 << 20, PING_MS = 50, RECONNECT_MS = 20 };

struct receiver {
	struct spawner *spawner;
	const struct bus *bus;
	char file[512];
};

struct inbox {
	struct party party;
	int file;
	uint8_t (*ids)[ID_SIZE]; /* hash table; a zero id is a free slot */
	size_t count;
	uint64_t last; /* sequence of the newest first attempt in this session */
	uint32_t session;
};

/* Return: false when it was there before. */
static bool id_add(struct inbox *inbox, const uint8_t id[ID_SIZE])
{
	static const uint8_t none[ID_SIZE];
	size_t slot;

	CHECK(inbox->count < TABLE_SIZE / 2);
	memcpy(&slot, id + 8, sizeof(slot)); /* the random half */
	for (slot %= TABLE_SIZE; memcmp(inbox->ids[slot], none, ID_SIZE) != 0;
		slot = (slot + 1) % TABLE_SIZE)
		if (memcmp(inbox->ids[slot], id, ID_SIZE) == 0)
			return false;
	memcpy(inbox->ids[slot], id, ID_SIZE);
	inbox->count++;
	return true;
}

/* A last id that was cut by a kill was never acknowledged. */
static void file_open(struct inbox *inbox, const char *path)
{
	uint8_t id[ID_SIZE];
	off_t at = 0;

	inbox->file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CHECK(inbox->file >= 0);
	for (; pread(inbox->file, id, ID_SIZE, at) == ID_SIZE; at += ID_SIZE)
		if (!id_add(inbox, id))
			CHECK_FAIL("a message stands twice in %s", path);
	CHECK_INT(ftruncate(inbox->file, at), 0);
	CHECK_INT(lseek(inbox->file, at, SEEK_SET), at);
}

/* But for redelivery. What an earlier session had on its way comes again in the next, from the first on. */
static void in_order(struct inbox *inbox, const struct party_delivery *d)
{
	if (d->session != inbox->session)
		inbox->last = 0;
	inbox->session = d->session;
	if (d->attempt == 1) {
		CHECK(d->sequence > inbox->last);
		inbox->last = d->sequence;
	}
}

/* On disk. Return: how many deliveries are, and may be acknowledged. */
static size_t deliveries_take(struct inbox *inbox, size_t from)
{
	struct party *party = &inbox->party;

	for (size_t i = from; i < party->deliveries_count; i++) {
		struct party_delivery *d = &party->deliveries[i];
		CHECK(d->opened);
		in_order(inbox, d);
		if (id_add(inbox, d->message_id))
			CHECK_INT(write(inbox->file, d->message_id, ID_SIZE), ID_SIZE);
		free(d->body);
		d->body = NULL;
	}
	if (party->deliveries_count > from)
		CHECK_INT(fdatasync(inbox->file), 0);
	return party->deliveries_count;
}

/* What the socket does not take now stays in the list for the next turn. */
static size_t deliveries_acknowledge(struct inbox *inbox, size_t count)
{
	struct party *party = &inbox->party;

	if (count == 0)
		return 0;
	size_t done = party_acknowledge(party, 0, count, NULL);
	party->deliveries_count -= done;
	memmove(party->deliveries, party->deliveries + done,
		party->deliveries_count * sizeof(*party->deliveries));
	return count - done;
}

static void receiver_life(void *context, const char *word)
{
	const struct receiver *receiver = context;
	struct inbox inbox = {0};

	(void)word;
	inbox.ids = calloc(TABLE_SIZE, ID_SIZE);
	CHECK(inbox.ids);
	file_open(&inbox, receiver->file);
	party_init(&inbox.party, receiver->bus, "jobcenter");
	inbox.party.manual = true;
	inbox.party.ping_ms = PING_MS;
	inbox.party.reconnect_ms = RECONNECT_MS;
	party_dial(&inbox.party, NULL); /* brokers that live too briefly are part of the story */
	for (size_t taken = 0;;) {
		party_step(&inbox.party, taken ? RECONNECT_MS : 1000);
		taken = deliveries_take(&inbox, taken);
		taken = deliveries_acknowledge(&inbox, taken);
	}
}

static void receiver_start(void *context)
{
	struct receiver *receiver = context;

	spawner_start(receiver->spawner, "");
}

static void receiver_kill(void *context)
{
	struct receiver *receiver = context;

	CHECK(WIFSIGNALED(
		spawner_end(receiver->spawner, SIGKILL))); /* it found nothing wrong until now */
}

struct receiver *receiver_new(const struct bus *bus, struct recipient *ret)
{
	struct receiver *receiver = calloc(1, sizeof(*receiver));

	CHECK(receiver);
	receiver->bus = bus;
	snprintf(receiver->file, sizeof(receiver->file), "%s", bus_path(bus, "handed-over"));
	receiver->spawner = spawner_new(receiver_life, receiver);
	*ret = (struct recipient){.content_type = "application/octet-stream",
		.start = receiver_start,
		.kill = receiver_kill,
		.stop = receiver_kill,
		.context = receiver};
	return receiver;
}

void receiver_free(struct receiver *receiver, struct handed_over *ret)
{
	uint8_t id[ID_SIZE];
	FILE *file = fopen(receiver->file, "re");

	CHECK(file);
	while (fread(id, ID_SIZE, 1, file) == 1)
		handed_over_add(ret, id);
	fclose(file);
	spawner_free(receiver->spawner);
	free(receiver);
}
