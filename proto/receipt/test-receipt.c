/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The checker takes short cuts, so it is set beside one that takes none: reference_verdict() rebuilds the
 * stub and hashes the whole path anew. Over every receipt, honest, damaged or malicious, in any order and
 * whatever the checker remembers, both must say the same.
 */
#include "proto/receipt/receipt.h"

#include "proto/journal.pb-c.h"
#include "proto/receipt/test-world.h"
#include "test/kit/check.h"

enum {
	ACCEPTED = DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED,
	ACKNOWLEDGED = DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED,
};

static struct bytes nodes_of(const struct world *world)
{
	return BYTES(world->nodes, world->nodes_count * HASH_SIZE);
}

static void start(struct receipt_checker *checker, const struct world *world)
{
	CHECK_INT(receipt_checker_start(checker, &world->checkpoint, nodes_of(world)), 0);
}

static struct bytes core_of(const struct world_entry *entry)
{
	return BYTES(entry->core, entry->core_len);
}

/* Checks what the entry says of itself now, damaged or not. */
static int check(struct receipt_checker *checker, struct world_entry *entry)
{
	Dienstweg__Receipt receipt;
	world_receipt(entry, &receipt);
	return receipt_check_message(checker, &receipt, entry->digest, core_of(entry));
}

static int reference_verdict(const struct world *world, const struct world_entry *entry)
{
	struct merkle_hash path[MERKLE_LEVELS], leaf, root;
	if (entry->sequence >= world->size ||
		entry->steps != merkle_path_length(entry->sequence, world->size))
		return RECEIPT_FORM;
	for (size_t i = 0; i < entry->steps; i++) {
		if (entry->path[i] >= world->nodes_count)
			return RECEIPT_FORM;
		path[i] = world->nodes[entry->path[i]];
	}
	uint8_t disclosed[DISCLOSED_MAX], stub[STUB_SIZE];
	disclosed[0] = ACCEPTED;
	be64_put(disclosed + 1, entry->batch_ms);
	be64_put(disclosed + 9, entry->registry_version);
	memcpy(disclosed + 17, entry->digest, HASH_SIZE);
	memcpy(disclosed + 49, entry->core, entry->core_len);
	stub_make(ACCEPTED, entry->class, entry->nonce, BYTES(disclosed, 49 + entry->core_len),
		entry->private_digest, stub);
	stub_leaf(stub, &leaf);
	CHECK_INT(merkle_path_root(&leaf, entry->sequence, world->size, path, entry->steps, &root),
		0);
	return memcmp(&root, &world->checkpoint.root, HASH_SIZE) == 0 ? 0 : RECEIPT_BAD;
}

static void every_receipt_of_small_trees(void)
{
	_cleanup_(receipt_checker_free) struct receipt_checker *checker = NULL;
	CHECK_INT(receipt_checker_new(&checker), 0);
	for (uint64_t size = 1; size <= 130; size++) {
		struct world *world = world_new(size, 0, 1, size, ACCEPTED);
		start(checker, world);
		for (size_t i = 0; i < size; i++)
			CHECK_INT(check(checker, &world->entries[i]), 0);
		/* Every inner node was hashed once, and the second round hashes nothing. */
		uint64_t hashes = receipt_checker_hashes(checker);
		for (size_t i = size; i-- > 0;)
			CHECK_INT(check(checker, &world->entries[i]), 0);
		CHECK(receipt_checker_hashes(checker) - hashes <= size / 4);
		world_free(world);
	}
}

static uint64_t hashes_for(uint64_t size, uint64_t first, uint64_t step, size_t count)
{
	_cleanup_(receipt_checker_free) struct receipt_checker *checker = NULL;
	CHECK_INT(receipt_checker_new(&checker), 0);
	struct world *world = world_new(size, first, step, count, ACCEPTED);
	start(checker, world);
	for (size_t i = 0; i < count; i++)
		CHECK_INT(check(checker, &world->entries[i]), 0);
	uint64_t hashes = receipt_checker_hashes(checker);
	fprintf(stderr, "# %zu receipts, every %zu. leaf from %zu in a tree of %zu: %.2f node hashes each\n",
		count, (size_t)step, (size_t)first, (size_t)size, (double)hashes / (double)count);
	world_free(world);
	return hashes;
}

/* Without memory each of these would cost 20 hashes. */
static void what_remembering_saves(void)
{
	CHECK(hashes_for(1000003, 500000, 1, 32) <= 32 + 20);
	CHECK(hashes_for(1000003, 499985, 1, 32) <= 32 + 2 * 20);
	CHECK(hashes_for(1000003, 999971, 1, 32) <= 32 + 2 * 20);
	CHECK(hashes_for(1000003, 500000, 3, 32) <= 3 * 32 + 20);
	CHECK(hashes_for(1000003, 500000, 1, 1024) <= 1024 * 11 / 10 + 20);
	CHECK(hashes_for(1000003, 123456, 1, 8192) <= 8192 * 5 / 4 + 20);
}

/* Flips every bit of @len bytes of an entry's own; each must be refused, by whatever checker. */
static void flip_all(
	struct receipt_checker *checker, struct world_entry *entry, void *bytes, size_t len)
{
	uint8_t *p = bytes;
	for (size_t bit = 0; bit < len * 8; bit++) {
		p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		CHECK(check(checker, entry) != 0);
		p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void flip_entry(
	struct receipt_checker *checker, struct world *world, struct world_entry *entry)
{
	Dienstweg__Receipt receipt;
	uint8_t h[HASH_SIZE];
	flip_all(checker, entry, &entry->sequence, sizeof(entry->sequence));
	flip_all(checker, entry, &entry->batch_ms, sizeof(entry->batch_ms));
	flip_all(checker, entry, &entry->registry_version, sizeof(entry->registry_version));
	flip_all(checker, entry, &entry->class, sizeof(entry->class));
	flip_all(checker, entry, entry->nonce, sizeof(entry->nonce));
	flip_all(checker, entry, entry->private_digest, sizeof(entry->private_digest));
	flip_all(checker, entry, entry->digest, sizeof(entry->digest));
	flip_all(checker, entry, entry->core, entry->core_len);
	flip_all(checker, entry, entry->path, entry->steps * sizeof(entry->path[0]));
	for (size_t i = 0; i < entry->steps; i++)
		flip_all(checker, entry, &world->nodes[entry->path[i]], HASH_SIZE);

	/* A receipt for something else than was asked. */
	world_receipt(entry, &receipt);
	memcpy(h, entry->digest, sizeof(h));
	h[31] ^= 1;
	CHECK_INT(receipt_check_message(checker, &receipt, h, core_of(entry)), RECEIPT_BAD);
	/* A receipt that names another message than it proves. */
	memcpy(h, entry->digest, sizeof(h));
	uint8_t named[HASH_SIZE] = {0};
	receipt.h.data = named;
	CHECK_INT(receipt_check_message(checker, &receipt, h, core_of(entry)), RECEIPT_BAD);
	CHECK_INT(check(checker, entry), 0);
}

static void every_flipped_bit(void)
{
	_cleanup_(receipt_checker_free) struct receipt_checker *checker = NULL;
	CHECK_INT(receipt_checker_new(&checker), 0);
	const uint64_t sizes[] = {1, 2, 3, 7, 8, 13, 33};
	for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
		struct world *world = world_new(sizes[s], 0, 1, sizes[s], ACCEPTED);
		start(checker, world);
		for (size_t i = 0; i < world->count; i++)
			flip_entry(checker, world, &world->entries[i]);
		/* Once more, now that everything true is remembered. */
		for (size_t i = 0; i < world->count; i++)
			flip_entry(checker, world, &world->entries[i]);
		world_free(world);
	}
}

/* More nodes than fit: a step must not be believed because its sibling has been forgotten. */
static void a_full_memory_believes_nothing(void)
{
	_cleanup_(receipt_checker_free) struct receipt_checker *checker = NULL;
	CHECK_INT(receipt_checker_new(&checker), 0);
	struct world *world = world_new(6000, 0, 1, 6000, ACCEPTED);
	start(checker, world);
	for (size_t i = 0; i < world->count; i++) {
		CHECK_INT(check(checker, &world->entries[i]), 0);
		/* An entry some way back, in all stages of being forgotten. */
		struct world_entry *entry = &world->entries[i - i % 1500];
		for (size_t step = 0; i % 7 == 0 && step < entry->steps; step++) {
			uint8_t *byte = &world->nodes[entry->path[step]].bytes[i % HASH_SIZE];
			*byte ^= 2;
			CHECK_INT(check(checker, entry), RECEIPT_BAD);
			*byte ^= 2;
		}
	}
	world_free(world);
}

/* One damage of many kinds; most make the receipt bad, some do nothing. */
static void damage(struct world *world, struct world_entry *entry, uint64_t *state)
{
	uint64_t what = world_random(state) % 10, where = world_random(state);
	const struct world_entry *other = &world->entries[where % world->count];
	if (what == 0 && entry->steps > 0)
		entry->path[where % entry->steps] = (uint32_t)(world_random(state) %
							       world->nodes_count);
	else if (what == 1)
		entry->sequence = other->sequence;
	else if (what == 2)
		memcpy(entry->path, other->path, sizeof(entry->path));
	else if (what == 3)
		entry->nonce[where % STUB_NONCE_SIZE] ^= 1;
	else if (what == 4)
		entry->batch_ms++;
	else if (what == 5)
		entry->steps = (entry->steps + where % 3 + MERKLE_LEVELS - 1) % MERKLE_LEVELS;
	else if (what == 6)
		world->nodes[where % world->nodes_count].bytes[where % HASH_SIZE] ^= 4;
	else if (what == 7)
		*entry = *other;
	else if (what == 8)
		world->nodes[where % world->nodes_count] =
			world->nodes[world_random(state) % world->nodes_count];
	else if (entry->steps > 1)
		entry->path[0] = entry->path[entry->steps - 1];
}

/*
 * Thousands of damaged receipts between honest ones, all against one memory. A node that slipped in
 * unproven would sooner or later make the two verdicts differ.
 */
static void nothing_unproven_is_remembered(void)
{
	_cleanup_(receipt_checker_free) struct receipt_checker *checker = NULL;
	CHECK_INT(receipt_checker_new(&checker), 0);
	const uint64_t sizes[] = {1, 2, 3, 5, 21, 64, 1000, 4999};
	uint64_t state = 42;
	size_t verdicts[3] = {0};
	for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
		uint64_t size = sizes[s], step = size > 200 ? size / 100 : 1;
		struct world *world = world_new(size, 0, step, (size - 1) / step + 1, ACCEPTED);
		size_t table = world->nodes_count * HASH_SIZE;
		struct merkle_hash *nodes = malloc(table + 1);
		CHECK(nodes);
		memcpy(nodes, world->nodes, table);
		for (size_t round = 0; round < 4000; round++) {
			if (round % 500 == 0)
				start(checker, world);
			struct world_entry
				*entry = &world->entries[world_random(&state) % world->count];
			struct world_entry saved = *entry;
			for (uint64_t n = world_random(&state) % 4; n > 0; n--) {
				if (world->nodes_count > 0)
					damage(world, entry, &state);
			}
			int expected = reference_verdict(world, entry);
			CHECK_INT(check(checker, entry), expected);
			verdicts[expected]++;
			*entry = saved;
			memcpy(world->nodes, nodes, table);
		}
		free(nodes);
		world_free(world);
	}
	CHECK(verdicts[0] > 5000 && verdicts[RECEIPT_BAD] > 5000 && verdicts[RECEIPT_FORM] > 1000);
}

/*
 * The attack by name: a forged entry whose path is honest from some level on. Its lower nodes are
 * refused with it, so that sending it again, or one that leads to them, gains nothing.
 */
static void a_forged_subtree_stays_out(void)
{
	_cleanup_(receipt_checker_free) struct receipt_checker *checker = NULL;
	CHECK_INT(receipt_checker_new(&checker), 0);
	struct world *world = world_new(1 << 12, 0, 1, 64, ACCEPTED);
	struct world *forged = world_new(64, 0, 1, 64, ACCEPTED); /* the broker's invention */
	struct merkle_hash *nodes = calloc(world->nodes_count + forged->nodes_count, HASH_SIZE);
	CHECK(nodes);
	memcpy(nodes, world->nodes, world->nodes_count * HASH_SIZE);
	memcpy(nodes + world->nodes_count, forged->nodes, forged->nodes_count * HASH_SIZE);
	CHECK_INT(receipt_checker_start(checker, &world->checkpoint,
			  BYTES(nodes, (world->nodes_count + forged->nodes_count) * HASH_SIZE)),
		0);

	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < 64; i++) {
			struct world_entry lie = forged->entries[i];
			for (size_t l = 0; l < lie.steps; l++)
				lie.path[l] += (uint32_t)world->nodes_count;
			/* Six invented levels below six honest ones. */
			for (size_t l = lie.steps; l < world->entries[i].steps; l++)
				lie.path[l] = world->entries[i].path[l];
			lie.steps = world->entries[i].steps;
			CHECK_INT(check(checker, &lie), RECEIPT_BAD);
			/* Between the lies, half of the truth. */
			if (round > 0 && i % 2 == 0)
				CHECK_INT(check(checker, &world->entries[i]), 0);
		}
	}
	for (size_t i = 0; i < 64; i++)
		CHECK_INT(check(checker, &world->entries[i]), 0);
	free(nodes);
	world_free(forged);
	world_free(world);
}

static void impossible_forms(void)
{
	_cleanup_(receipt_checker_free) struct receipt_checker *checker = NULL;
	CHECK_INT(receipt_checker_new(&checker), 0);
	struct world *world = world_new(100, 0, 1, 100, ACCEPTED);
	struct world_entry *entry = &world->entries[37];
	CHECK_INT(check(checker, entry), RECEIPT_FORM); /* before the first start */
	start(checker, world);
	CHECK_INT(check(checker, entry), 0);

	uint64_t sequence = entry->sequence;
	for (uint64_t wrong = 100; wrong != 0; wrong <<= 1) {
		entry->sequence = wrong;
		CHECK_INT(check(checker, entry), RECEIPT_FORM);
	}
	entry->sequence = sequence;
	size_t steps = entry->steps;
	for (entry->steps = 0; entry->steps < MERKLE_LEVELS; entry->steps++)
		CHECK_INT(check(checker, entry), entry->steps == steps ? 0 : RECEIPT_FORM);
	entry->steps = steps;
	uint32_t number = entry->path[steps - 1];
	entry->path[steps - 1] = (uint32_t)world->nodes_count;
	CHECK_INT(check(checker, entry), RECEIPT_FORM);
	entry->path[steps - 1] = UINT32_MAX;
	CHECK_INT(check(checker, entry), RECEIPT_FORM);
	entry->path[steps - 1] = number;

	Dienstweg__Receipt receipt;
	ProtobufCBinaryData *const fields[] = {&receipt.h, &receipt.nonce, &receipt.private_digest};
	for (size_t f = 0; f < ARRAY_LEN(fields); f++) {
		for (size_t len = 0; len < 40; len++) {
			world_receipt(entry, &receipt);
			fields[f]->len = len;
			int r = len == 32 ? 0 : RECEIPT_FORM;
			CHECK_INT(receipt_check_message(
					  checker, &receipt, entry->digest, core_of(entry)),
				r);
		}
	}
	world_receipt(entry, &receipt);
	receipt.class_ += 256;
	CHECK_INT(receipt_check_message(checker, &receipt, entry->digest, core_of(entry)),
		RECEIPT_FORM);
	world_receipt(entry, &receipt);
	uint8_t large[SIGNATURE_CORE_MAX + 1] = {0};
	CHECK_INT(
		receipt_check_message(checker, &receipt, entry->digest, BYTES(large, sizeof(large))),
		RECEIPT_FORM);
	CHECK_INT(receipt_check_message(checker, &receipt, entry->digest, BYTES(NULL, 0)),
		RECEIPT_BAD);

	struct bytes nodes = nodes_of(world);
	CHECK_INT(
		receipt_checker_start(checker, &world->checkpoint, BYTES(nodes.data, nodes.len - 1)),
		RECEIPT_FORM);
	CHECK_INT(check(checker, entry), RECEIPT_FORM); /* nothing is left of the frame before */
	world_free(world);
}

/* What was proven under one checkpoint says nothing about another. */
static void a_new_frame_forgets(void)
{
	_cleanup_(receipt_checker_free) struct receipt_checker *checker = NULL;
	CHECK_INT(receipt_checker_new(&checker), 0);
	struct world *one = world_new(64, 0, 1, 64, ACCEPTED);
	struct world *two = world_new(65, 0, 1, 65, ACCEPTED);
	start(checker, one);
	for (size_t i = 0; i < one->count; i++)
		CHECK_INT(check(checker, &one->entries[i]), 0);
	start(checker, two);
	for (size_t i = 0; i < one->count; i++)
		CHECK(check(checker, &one->entries[i]) != 0);
	for (size_t i = 0; i < two->count; i++)
		CHECK_INT(check(checker, &two->entries[i]), 0);

	/* The same nodes under a root that differs in a bit. */
	struct checkpoint other = one->checkpoint;
	other.root.bytes[0] ^= 1;
	start(checker, one);
	CHECK_INT(check(checker, &one->entries[0]), 0);
	CHECK_INT(receipt_checker_start(checker, &other, nodes_of(one)), 0);
	for (size_t i = 0; i < one->count; i++)
		CHECK_INT(check(checker, &one->entries[i]), RECEIPT_BAD);
	world_free(one);
	world_free(two);
}

/* A resend may be batched differently: the receipt then brings the signature that was recorded. */
static void the_recorded_signature_wins(void)
{
	_cleanup_(receipt_checker_free) struct receipt_checker *checker = NULL;
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 16);
	CHECK_INT(receipt_checker_new(&checker), 0);
	struct world *world = world_new(40, 0, 1, 40, ACCEPTED);
	start(checker, world);
	for (size_t i = 0; i < world->count; i++) {
		struct world_entry *entry = &world->entries[i];
		struct bytes submitted = core_of(&world->entries[(i + 1) % 40]);
		Dienstweg__Receipt receipt;
		Dienstweg__Signature recorded, broken;
		world_receipt(entry, &receipt);
		CHECK_INT(receipt_check_message(checker, &receipt, entry->digest, submitted),
			RECEIPT_BAD);
		CHECK_INT(signature_from_core(core_of(entry), arena, &recorded), 0);
		receipt.signature = &recorded;
		CHECK_INT(receipt_check_message(checker, &receipt, entry->digest, submitted), 0);
		CHECK_INT(
			receipt_check_message(checker, &receipt, entry->digest, BYTES(NULL, 0)), 0);

		receipt.signature = &broken;
		broken = recorded, broken.index = broken.size;
		CHECK_INT(receipt_check_message(checker, &receipt, entry->digest, submitted),
			RECEIPT_FORM);
		broken = recorded, broken.size = 33;
		CHECK_INT(receipt_check_message(checker, &receipt, entry->digest, submitted),
			RECEIPT_FORM);
		broken = recorded, broken.path.len += HASH_SIZE;
		CHECK_INT(receipt_check_message(checker, &receipt, entry->digest, submitted),
			RECEIPT_FORM);
		broken = recorded, broken.root.len--;
		CHECK_INT(receipt_check_message(checker, &receipt, entry->digest, submitted),
			RECEIPT_FORM);
		broken = recorded, broken.key_id.len = 0;
		CHECK_INT(receipt_check_message(checker, &receipt, entry->digest, submitted),
			RECEIPT_FORM);
	}
	world_free(world);
}

static void acknowledgements(void)
{
	_cleanup_(receipt_checker_free) struct receipt_checker *checker = NULL;
	CHECK_INT(receipt_checker_new(&checker), 0);
	struct world *world = world_new(77, 0, 1, 77, ACKNOWLEDGED);
	start(checker, world);
	for (size_t i = 0; i < world->count; i++) {
		struct world_entry *entry = &world->entries[i];
		Dienstweg__AckReceipt receipt;
		uint8_t digest[HASH_SIZE];
		world_ack_receipt(entry, &receipt);
		memcpy(digest, entry->digest, sizeof(digest));
		CHECK_INT(receipt_check_ack(checker, &receipt, digest), 0);
		digest[0] ^= 0x80;
		CHECK_INT(receipt_check_ack(checker, &receipt, digest), RECEIPT_BAD);
		digest[0] ^= 0x80;
		receipt.class_++;
		CHECK_INT(receipt_check_ack(checker, &receipt, digest), RECEIPT_BAD);
		receipt.class_--;
		receipt.registry_version++;
		CHECK_INT(receipt_check_ack(checker, &receipt, digest), RECEIPT_BAD);
		receipt.registry_version--;
		receipt.digest.len = 31;
		CHECK_INT(receipt_check_ack(checker, &receipt, digest), RECEIPT_FORM);
		/* It does not pass for a message. */
		CHECK_INT(check(checker, entry), RECEIPT_BAD);
	}
	world_free(world);
}

static void the_digest_of_a_batch(void)
{
	const uint8_t expected[] = {0x01, 0xf4, 0x25, 0x73, 0x53, 0x88, 0x2d, 0x52, 0x38, 0xf5,
		0x5d, 0x45, 0x78, 0xf3, 0x7a, 0x96, 0x8f, 0xac, 0x8c, 0x20, 0x9c, 0xb5, 0x9f, 0x59,
		0x5d, 0x1d, 0x58, 0xfc, 0x50, 0xbf, 0x3b, 0x0e};
	uint8_t digest[HASH_SIZE];
	receipt_ack_batch_digest(BYTES_STR("batch"), digest);
	CHECK_MEM(digest, expected, HASH_SIZE);
}

CHECK_MAIN(CHECK_CASE(every_receipt_of_small_trees), CHECK_CASE(what_remembering_saves),
	CHECK_CASE(every_flipped_bit), CHECK_CASE(a_full_memory_believes_nothing),
	CHECK_CASE(nothing_unproven_is_remembered), CHECK_CASE(a_forged_subtree_stays_out),
	CHECK_CASE(impossible_forms), CHECK_CASE(a_new_frame_forgets),
	CHECK_CASE(the_recorded_signature_wins), CHECK_CASE(acknowledgements),
	CHECK_CASE(the_digest_of_a_batch))
