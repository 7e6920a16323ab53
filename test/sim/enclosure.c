/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Files that go with letters. What is in one follows from whose it is and which, so whoever gets it can tell. The auditor
 * looks that every message of the journal that still has its content has its files, whole, whatever the broker went
 * through; and that nobody's are left when all is over.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "broker/audit/open.h"
#include "broker/blob/check.h"
#include "broker/blob/store.h"
#include "proto/base/file.h"
#include "test/kit/check.h"
#include "test/sim/town.h"

enum { SIZE_MAX_BYTES = 200000, PATH_BYTES = 512, DAYS_MS = 3 * 24 * 3600 * 1000 };

/* ---- at the agencies ---- */

static size_t size_of(size_t letter, size_t index)
{
	return 1 + (letter * 7919 + index * 104729) * 31 % SIZE_MAX_BYTES;
}

static uint8_t *make(const struct agency *agency, size_t letter, size_t index, size_t *ret_len)
{
	size_t len = size_of(letter, index);
	uint8_t *data = malloc(len);
	uint64_t x = letter * 1000003 + index * 101 + (uint8_t)agency->party[0];
	CHECK(data);
	for (size_t i = 0; i < len; i++) {
		x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
		data[i] = (uint8_t)(x >> 56);
	}
	*ret_len = len;
	return data;
}

static void path_of(const struct agency *agency, size_t letter, size_t index, char ret[PATH_BYTES])
{
	snprintf(ret, PATH_BYTES, "%s/%s/letter-%zu-%zu", agency->town->bus.dir, agency->party,
		letter, index);
}

void enclosures_put(struct agency *agency, size_t letter, struct enclosures *ret)
{
	*ret = (struct enclosures){.count = agency->letters[letter].enclosures};
	for (size_t i = 0; i < ret->count; i++) {
		size_t len;
		_cleanup_(heap_free) uint8_t *data = make(agency, letter, i, &len);
		path_of(agency, letter, i, ret->paths[i]);
		if (access(ret->paths[i], F_OK) != 0)
			CHECK_INT(file_replace(ret->paths[i], BYTES(data, len), 0600), 0);
		ret->all[i] = (struct dw_attachment){.path = ret->paths[i],
			.name = BYTES_STR("plan.pdf"),
			.content_type = BYTES_STR("application/pdf")};
	}
}

void enclosures_drop(struct agency *agency, size_t letter)
{
	for (size_t i = 0; i < agency->letters[letter].enclosures; i++) {
		char path[PATH_BYTES];
		path_of(agency, letter, i, path);
		unlink(path);
	}
}

void enclosures_check(const struct agency *author, size_t letter, struct agency *agency,
	const struct dw_delivery *delivery)
{
	struct ledger *ledger = &agency->town->ledger;
	size_t count = author->letters[letter].enclosures;
	if (delivery->attachments_count != count)
		ledger_violate(ledger, "%s got letter %s/%zu with %zu files, it has %zu",
			agency->party, author->party, letter, delivery->attachments_count, count);
	for (size_t i = 0; i < delivery->attachments_count && i < count; i++) {
		_cleanup_(heap_free) uint8_t *came = NULL;
		size_t len, came_len = 0;
		_cleanup_(heap_free) uint8_t *data = make(author, letter, i, &len);
		int r = file_read(delivery->attachments[i].path, SIZE_MAX_BYTES, &came, &came_len);
		if (r != 0 || !bytes_equal(BYTES(came, came_len), BYTES(data, len)))
			ledger_violate(ledger, "%s got another file with letter %s/%zu",
				agency->party, author->party, letter);
	}
	agency->town->counts.enclosed += delivery->attachments_count;
}

/* ---- at the broker ---- */

void enclosures_recorded(struct town *town, uint64_t sequence, const Dienstweg__Header *header)
{
	for (size_t i = 0; i < header->n_attachments; i++) {
		struct enclosed enclosed = {.sequence = sequence,
			.index = (uint32_t)i,
			.size = header->attachments[i]->size};
		snprintf(enclosed.sender, sizeof(enclosed.sender), "%.*s", (int)header->sender.len,
			(const char *)header->sender.data);
		memcpy(enclosed.digest, header->attachments[i]->digest.data, HASH_SIZE);
		if (town->enclosed_count == town->enclosed_room) {
			town->enclosed_room = town->enclosed_room ? town->enclosed_room * 2 : 64;
			town->enclosed = realloc(
				town->enclosed, town->enclosed_room * sizeof(enclosed));
			CHECK(town->enclosed);
		}
		town->enclosed[town->enclosed_count++] = enclosed;
	}
}

static void blobs_of(const struct town *town, char ret[PATH_BYTES])
{
	snprintf(ret, PATH_BYTES, "%s/blobs", town->config->state);
}

/* Has its message still its content? Then it is there, and what was announced. Return: how many. */
static uint64_t enclosed_check(struct town *town, const char *dir, struct journal_reader *reader)
{
	uint64_t needed = 0;
	for (size_t i = 0; i < town->enclosed_count; i++) {
		struct enclosed *enclosed = &town->enclosed[i];
		Dienstweg__Attachment attachment = DIENSTWEG__ATTACHMENT__INIT;
		uint64_t found = 0;
		attachment.digest = (ProtobufCBinaryData){
			.len = sizeof(enclosed->digest), .data = enclosed->digest};
		attachment.size = enclosed->size;
		if (journal_read_primary(reader, JOURNAL_CONTENT, enclosed->sequence, &found) != 0 ||
			found != enclosed->sequence)
			continue;
		needed++;
		int r = blob_check(dir, BYTES_STR(enclosed->sender), enclosed->sequence,
			enclosed->index, &attachment);
		if (r != 0)
			ledger_violate(&town->ledger,
				"file %" PRIu32 " of message %" PRIu64 " is %s", enclosed->index,
				enclosed->sequence,
				r == BLOB_CHECK_MISSING ? "gone" : "not what it was");
	}
	return needed;
}

/* Days later, and nobody came: what is left is what is needed. */
static void leftovers_check(
	struct town *town, const char *dir, struct journal_reader *reader, uint64_t needed)
{
	const struct blob_options options = {.dir = dir,
		.party_bytes_max = UINT64_MAX,
		.fill_percent = 100,
		.orphan_ms = town->config->attachments.orphan_ms};
	_cleanup_(blob_store_free) struct blob_store *store = NULL;
	struct blob_counts counts;
	bool more = true;
	CHECK_INT(blob_store_new(&options, &store), 0);
	for (int i = 0; i < 2; i++) {
		for (more = true; more;)
			CHECK_INT(blob_sweep(store, reader, clock_wall_ms(clock_system()) + DAYS_MS,
					  &more),
				0);
	}
	blob_counts(store, &counts);
	/* A broker that dies between naming a file and the commit leaves a name, which another message may get first: it
	   goes with that one's content. */
	bool died = town->process.life > 1;
	if (counts.files < needed || (counts.files > needed && !died) || counts.uploads != 0)
		ledger_violate(&town->ledger,
			"%" PRIu64 " files and %" PRIu64 " uploads are left, %" PRIu64
			" files are needed",
			counts.files, counts.uploads, needed);
}

void enclosures_audit(struct town *town, struct journal_reader *reader, bool ended)
{
	char dir[PATH_BYTES];
	blobs_of(town, dir);
	uint64_t needed = enclosed_check(town, dir, reader);
	if (ended)
		leftovers_check(town, dir, reader, needed);
}
