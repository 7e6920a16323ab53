/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Evidence has to be there for two years and gone after them, with the key by which the legacy system knew
 * the message; what still waits is never forgotten, however old. The proof that is given out is checked
 * here as a stranger would: from the text alone.
 */
#include "adapters/sdk/evidence.h"

#include "adapters/sdk/test-world.h"
#include "proto/base/text.h"
#include "proto/envelope/envelope.h"
#include "proto/journal.pb-c.h"
#include "proto/receipt/proof-check.h"
#include "proto/receipt/receipt.h"
#include "proto/receipt/stub.h"
#include "test/kit/check.h"

enum { DAY_MS = 86400 * 1000 };
#define YEARS_MS ((uint64_t)EVIDENCE_DAYS * DAY_MS)

static void recorded(struct world *world, const char *key)
{
	char line[64];
	snprintf(line, sizeof(line), "recorded %s", key);
	world_submit(world, &(struct world_letter){.key = key, .body = BYTES_STR("x")});
	world_until(world, world_saw(world, line));
}

static struct bytes line_of(struct bytes *text)
{
	const uint8_t *end = memchr(text->data, '\n', text->len);
	CHECK(end);
	struct bytes line = BYTES(text->data, (size_t)(end - text->data));
	*text = BYTES(end + 1, text->len - line.len - 1);
	return line;
}

static struct bytes after(struct bytes line, const char *word)
{
	size_t len = strlen(word);
	CHECK(line.len > len && memcmp(line.data, word, len) == 0);
	return BYTES(line.data + len, line.len - len);
}

/* "extra": u8 1, stub, nonce, private digest, disclosed. */
static void extra_check(struct bytes extra, const uint8_t h[HASH_SIZE], struct merkle_hash *ret_leaf)
{
	uint8_t flat[1024], stub[STUB_SIZE];
	size_t len;
	struct disclosed disclosed;
	CHECK_INT(text_unbase64(extra, flat, sizeof(flat), &len), 0);
	const uint8_t *nonce = flat + 1 + STUB_SIZE, *private = nonce + STUB_NONCE_SIZE;
	struct bytes rest = BYTES(private + HASH_SIZE, len - (size_t)(private + HASH_SIZE - flat));
	CHECK_INT(flat[0], 1);
	CHECK_INT(disclosed_decode(rest, &disclosed), 0);
	CHECK_MEM(disclosed.digest, h, HASH_SIZE);
	stub_make(disclosed.kind, flat[3], nonce, rest, private, stub);
	CHECK_MEM(stub, flat + 1, STUB_SIZE);
	stub_leaf(stub, ret_leaf);
}

static void a_stranger_can_verify_a_receipt(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 20);
	struct merkle_hash leaf, path[MERKLE_LEVELS], root;
	struct bytes text, header;
	uint8_t h[HASH_SIZE], hash[HASH_SIZE + 8];
	uint64_t index, size;
	size_t steps = 0, len;
	world_connect(world);
	desk_grow(world->desk, 9);
	recorded(world, "k1");
	CHECK_INT(evidence_proof(world->adapter.store, world->desk->messages[0].message_id, arena,
			  &text, &header),
		0);
	envelope_header_hash(header, h);
	CHECK(bytes_equal(line_of(&text), BYTES_STR("c2sp.org/tlog-proof@v1")));
	extra_check(after(line_of(&text), "extra "), h, &leaf);
	CHECK_INT(text_parse_u64(after(line_of(&text), "index "), &index), 0);
	for (struct bytes line = line_of(&text); line.len > 0; line = line_of(&text)) {
		CHECK_INT(text_unbase64(line, hash, sizeof(hash), &len), 0);
		CHECK_INT(len, HASH_SIZE);
		memcpy(path[steps++].bytes, hash, HASH_SIZE);
	}
	CHECK(bytes_equal(line_of(&text), BYTES_STR("test.demo/0")));
	CHECK_INT(text_parse_u64(line_of(&text), &size), 0);
	CHECK_INT(merkle_path_root(&leaf, index, size, path, steps, &root), 0);
	CHECK_INT(text_unbase64(line_of(&text), hash, sizeof(hash), &len), 0);
	CHECK_MEM(root.bytes, hash, HASH_SIZE);
}

static uint64_t rows(struct world *world, enum store_table table)
{
	uint64_t count;
	CHECK_INT(store_count(world->adapter.store, table, &count), 0);
	return count;
}

/* A recipient's side: the batch that holds its word, and the proof that this batch is in the journal. */
static void an_acknowledgement_is_proven(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 20);
	struct desk_letter letter = {.sender = "jobcenter",
		.recipient = "city",
		.service = "alg2.decision",
		.body = BYTES_STR("x")};
	struct proof_file file;
	struct proof_fault fault = {};
	struct disclosed disclosed;
	struct bytes text, batch;
	uint8_t digest[HASH_SIZE];
	uint64_t sequence;
	world_connect(world);
	sequence = desk_deliver(world->desk, &letter);
	world_until(world, rows(world, STORE_ACKED) == 1);
	CHECK_INT(evidence_acked(
			  world->adapter.store, sequence, EVIDENCE_NEWEST, arena, &text, &batch),
		0);
	CHECK_INT(proof_file_parse(text, &file, &fault), 0);
	CHECK_INT(proof_check_entry(&file.entry, &disclosed, &fault), 0);
	CHECK_INT(proof_check_path(&file, &file.claimed, &fault), 0);
	CHECK_INT(disclosed.kind, DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED);
	receipt_ack_batch_digest(batch, digest);
	CHECK_MEM(disclosed.digest, digest, HASH_SIZE);
	CHECK_INT(evidence_acked(world->adapter.store, sequence + 1, EVIDENCE_NEWEST, arena, &text,
			  &batch),
		STORE_NOT_FOUND);
}

static void prune_all(struct world *world, uint64_t now_ms, size_t step)
{
	bool more = true;
	for (int i = 0; more && i < 1000; i++) {
		CHECK_INT(evidence_prune(world->adapter.store, now_ms, step, &more), 0);
		CHECK_INT(store_commit(world->adapter.store), 0);
	}
	CHECK(!more);
}

static void it_is_kept_for_its_time_and_then_forgotten(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	struct desk_letter letter = {.sender = "jobcenter",
		.recipient = "city",
		.service = "alg2.decision",
		.body = BYTES_STR("x")};
	char keys[20][8];
	world_connect(world);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		snprintf(keys[i], sizeof(keys[i]), "k%zu", i);
		recorded(world, keys[i]);
		uint64_t entry = desk_outcome(
			world->desk, &world->desk->messages[i], "jobcenter", "accepted", DESK_TRUE);
		world_until(world, world->desk->confirmed == entry);
	}
	(void)desk_deliver(world->desk, &letter);
	world_until(world, rows(world, STORE_ACKED) == 1);
	uint64_t now = clock_wall_ms(&world->clock);
	prune_all(world, now + YEARS_MS - DAY_MS, 64);
	CHECK_INT(rows(world, STORE_EVIDENCE), 2 * ARRAY_LEN(keys));
	CHECK_INT(rows(world, STORE_BY_KEY), ARRAY_LEN(keys));
	prune_all(world, now + YEARS_MS + DAY_MS, 3); /* in slices */
	CHECK_INT(rows(world, STORE_EVIDENCE), 0);
	CHECK_INT(rows(world, STORE_SENT), 0);
	CHECK_INT(rows(world, STORE_BY_KEY), 0);
	CHECK_INT(rows(world, STORE_ACKED), 0);
}

static void what_waits_is_never_forgotten(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_start(world);
	world_submit(world, &(struct world_letter){.key = "old", .body = BYTES_STR("x")});
	world_until(world, world_saw(world, "submitted old"));
	world->desk->mood = DESK_SILENT;
	prune_all(world, clock_wall_ms(&world->clock) + 10 * YEARS_MS, 64);
	CHECK_INT(rows(world, STORE_SENT), 1);
	CHECK_INT(rows(world, STORE_BY_KEY), 1);
	world->desk->mood = DESK_HONEST;
	world_until(world, world_saw(world, "recorded old"));
}

CHECK_MAIN(CHECK_CASE(a_stranger_can_verify_a_receipt), CHECK_CASE(an_acknowledgement_is_proven),
	CHECK_CASE(it_is_kept_for_its_time_and_then_forgotten),
	CHECK_CASE(what_waits_is_never_forgotten))
