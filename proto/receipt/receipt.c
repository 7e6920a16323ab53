/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What is remembered must be true whatever the broker sends: a node enters the table only after the whole
 * receipt that brought it has led to the checkpoint's root, and whatever hashes to a proven node is
 * proven itself, both children of it. So a refused receipt leaves no trace, and a table entry may stand in
 * for hashing but never for looking: every step of every path is compared, also above the point where
 * nothing needs to be hashed any more, because the path is kept as evidence and must convince others.
 *
 * The table is of fixed size and forgets by overwriting, the lowest nodes of a full window first: upper ones
 * serve many receipts. A broker that makes slots collide gains nothing but its adapters' hashing full paths.
 */
#include "proto/receipt/receipt.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/envelope/envelope.h"
#include "proto/journal.pb-c.h"
#include "proto/signature/signature.h"

enum {
	SLOT_BITS = 11,
	SLOTS = 1 << SLOT_BITS,
	WINDOW = 8, /* slots in which a node may stand */
	KIND_ACCEPTED = DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED,
	KIND_ACKNOWLEDGED = DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED,
};

struct receipt_node {
	uint64_t index;
	uint32_t round; /* the start() that it was proven under; 0: never used */
	uint32_t level;
	struct merkle_hash hash;
};

struct receipt_checker {
	struct receipt_node slots[SLOTS];
	uint32_t round;
	uint64_t size; /* of the checkpoint; 0: refuses everything */
	struct merkle_hash root;
	const struct merkle_hash *nodes;
	size_t nodes_count;
	uint64_t hashes;
};

static_assert(sizeof(struct merkle_hash) == HASH_SIZE, "a node table is an array of hashes");

/* What a message's and a batch's receipt have in common. */
struct receipt_entry {
	uint64_t sequence;
	uint32_t class;
	ProtobufCBinaryData nonce;
	ProtobufCBinaryData private_digest;
	const uint32_t *path;
	size_t steps;
};

/* A path on its way up, and the nodes that will be proven if it arrives. */
struct receipt_climb {
	struct receipt_node seen[2 * MERKLE_LEVELS + 1];
	size_t count;
};

int receipt_checker_new(struct receipt_checker **ret)
{
	struct receipt_checker *checker = calloc(1, sizeof(*checker));
	if (!checker)
		return -ENOMEM;
	*ret = checker;
	return 0;
}

void receipt_checker_free(struct receipt_checker *checker)
{
	free(checker);
}

int receipt_checker_start(
	struct receipt_checker *checker, const struct checkpoint *checkpoint, struct bytes nodes)
{
	if (++checker->round == 0) {
		memset(checker->slots, 0, sizeof(checker->slots));
		checker->round = 1;
	}
	checker->size = 0;
	if (nodes.len % HASH_SIZE != 0)
		return RECEIPT_FORM;
	checker->nodes = (const struct merkle_hash *)nodes.data;
	checker->nodes_count = nodes.len / HASH_SIZE;
	checker->root = checkpoint->root;
	checker->size = checkpoint->size;
	return 0;
}

uint64_t receipt_checker_hashes(const struct receipt_checker *checker)
{
	return checker->hashes;
}

static bool hash_equal(const struct merkle_hash *a, const struct merkle_hash *b)
{
	return memcmp(a->bytes, b->bytes, HASH_SIZE) == 0;
}

/* Fibonacci hashing; the top six bits of an index are free in any tree that fits anywhere. */
static size_t slot_of(uint32_t level, uint64_t index)
{
	return (size_t)((index + ((uint64_t)level << 58)) * UINT64_C(0x9e3779b97f4a7c15) >>
			(64 - SLOT_BITS));
}

static struct receipt_node *slot_at(struct receipt_checker *checker, size_t home, size_t step)
{
	return &checker->slots[(home + step) % SLOTS];
}

static bool is_node(const struct receipt_node *node, uint32_t level, uint64_t index)
{
	return node->level == level && node->index == index;
}

/* The proven hash of a node, or NULL when it is not remembered. */
static const struct merkle_hash *proven_node(
	struct receipt_checker *checker, uint32_t level, uint64_t index)
{
	size_t home = slot_of(level, index);
	for (size_t step = 0; step < WINDOW; step++) {
		const struct receipt_node *node = slot_at(checker, home, step);
		if (node->round != checker->round)
			return NULL;
		if (is_node(node, level, index))
			return &node->hash;
	}
	return NULL;
}

/* Where to remember a node: a slot of an earlier frame, else the lowest node of the window goes. */
static struct receipt_node *slot_for(
	struct receipt_checker *checker, const struct receipt_node *node)
{
	size_t home = slot_of(node->level, node->index);
	struct receipt_node *victim = slot_at(checker, home, 0);
	for (size_t step = 0; step < WINDOW; step++) {
		struct receipt_node *slot = slot_at(checker, home, step);
		if (slot->round != checker->round || is_node(slot, node->level, node->index))
			return slot;
		if (slot->level < victim->level)
			victim = slot;
	}
	return victim;
}

static void climb_note(
	struct receipt_climb *climb, uint32_t level, uint64_t index, const struct merkle_hash *hash)
{
	assert(climb->count < ARRAY_LEN(climb->seen));
	climb->seen[climb->count++] = (struct receipt_node){
		.level = level, .index = index, .hash = *hash};
}

static void climb_remember(const struct receipt_climb *climb, struct receipt_checker *checker)
{
	for (size_t i = 0; i < climb->count; i++) {
		struct receipt_node *slot = slot_for(checker, &climb->seen[i]);
		*slot = climb->seen[i];
		slot->round = checker->round;
	}
}

/*
 * One step up, from @hash at (level, index) over its @sibling. The parent need not be hashed when both
 * children are proven to be what they are.
 */
static int climb_step(struct receipt_climb *climb, struct receipt_checker *checker, uint32_t level,
	uint64_t index, const struct merkle_hash *sibling, struct merkle_hash *hash)
{
	const struct merkle_hash *here = proven_node(checker, level, index);
	const struct merkle_hash *beside = proven_node(checker, level, index ^ 1);
	const struct merkle_hash *above = proven_node(checker, level + 1, index >> 1);
	if ((here && !hash_equal(here, hash)) || (beside && !hash_equal(beside, sibling)))
		return RECEIPT_BAD;
	if (here && beside && above) {
		*hash = *above;
		return 0;
	}

	if (!here)
		climb_note(climb, level, index, hash);
	if (!beside)
		climb_note(climb, level, index ^ 1, sibling);
	if (index & 1)
		merkle_node(sibling, hash, hash);
	else
		merkle_node(hash, sibling, hash);
	checker->hashes++;
	return 0;
}

static int path_is_possible(const struct receipt_checker *checker, uint64_t sequence,
	const uint32_t *path, size_t steps)
{
	if (sequence >= checker->size || steps != merkle_path_length(sequence, checker->size))
		return RECEIPT_FORM;
	for (size_t i = 0; i < steps; i++) {
		if (path[i] >= checker->nodes_count)
			return RECEIPT_FORM;
	}
	return 0;
}

/* Does the leaf's path lead to the root? */
static int climb_all(struct receipt_checker *checker, const struct merkle_hash *leaf,
	uint64_t sequence, const uint32_t *path, size_t steps)
{
	int r = path_is_possible(checker, sequence, path, steps);
	if (r != 0)
		return r;

	struct receipt_climb climb;
	climb.count = 0; /* the rest needs no value, and zeroing 6 KB costs half a hash */
	struct merkle_hash hash = *leaf;
	uint64_t index = sequence;
	uint32_t level = 0;
	for (uint64_t last = checker->size - 1; last > 0; last >>= 1, index >>= 1, level++) {
		if (!(index & 1) && index == last) {
			/* No sibling: it stands for the next level, but was somebody's parent. */
			climb_note(&climb, level, index, &hash);
			continue;
		}
		r = climb_step(&climb, checker, level, index, &checker->nodes[*path++], &hash);
		if (r != 0)
			return r;
	}
	if (!hash_equal(&hash, &checker->root))
		return RECEIPT_BAD;
	climb_note(&climb, level, 0, &hash);
	climb_remember(&climb, checker);
	return 0;
}

static bool entry_is_possible(const struct receipt_entry *entry)
{
	return entry->nonce.len == STUB_NONCE_SIZE && entry->private_digest.len == HASH_SIZE &&
	       entry->class <= UINT8_MAX;
}

/* Rebuilds the stub and asks whether it is a leaf of the tree. */
static int entry_check(struct receipt_checker *checker, const struct receipt_entry *entry,
	const struct disclosed *disclosed)
{
	uint8_t buf[DISCLOSED_MAX], stub[STUB_SIZE];
	struct merkle_hash leaf;
	struct bytes encoded = BYTES(buf, disclosed_encode(disclosed, buf));
	stub_make(disclosed->kind, (uint8_t)entry->class, entry->nonce.data, encoded,
		entry->private_digest.data, stub);
	stub_leaf(stub, &leaf);
	return climb_all(checker, &leaf, entry->sequence, entry->path, entry->steps);
}

static bool signature_is_possible(const Dienstweg__Signature *sig)
{
	return sig->key_id.len == KEY_ID_SIZE && sig->root.len == SIGNATURE_SIZE &&
	       sig->size >= 1 && sig->size <= BATCH_MAX && sig->index < sig->size &&
	       sig->path.len == HASH_SIZE * merkle_path_length(sig->index, sig->size);
}

int receipt_check_message(struct receipt_checker *checker, const Dienstweg__Receipt *receipt,
	const uint8_t h[HASH_SIZE], struct bytes core)
{
	const struct receipt_entry entry = {.sequence = receipt->sequence,
		.class = receipt->class_,
		.nonce = receipt->nonce,
		.private_digest = receipt->private_digest,
		.path = receipt->path,
		.steps = receipt->n_path};
	if (!entry_is_possible(&entry) || receipt->h.len != HASH_SIZE)
		return RECEIPT_FORM;

	uint8_t recorded[SIGNATURE_CORE_MAX];
	if (receipt->signature) {
		if (!signature_is_possible(receipt->signature))
			return RECEIPT_FORM;
		core = BYTES(recorded, signature_core(receipt->signature, recorded));
	}
	if (core.len > SIGNATURE_CORE_MAX)
		return RECEIPT_FORM;
	if (memcmp(receipt->h.data, h, HASH_SIZE) != 0)
		return RECEIPT_BAD;

	struct disclosed disclosed = {.kind = KIND_ACCEPTED,
		.batch_ms = receipt->batch_ms,
		.registry_version = receipt->registry_version,
		.rest = core};
	memcpy(disclosed.digest, h, HASH_SIZE);
	return entry_check(checker, &entry, &disclosed);
}

int receipt_check_ack(struct receipt_checker *checker, const Dienstweg__AckReceipt *receipt,
	const uint8_t digest[HASH_SIZE])
{
	const struct receipt_entry entry = {.sequence = receipt->sequence,
		.class = receipt->class_,
		.nonce = receipt->nonce,
		.private_digest = receipt->private_digest,
		.path = receipt->path,
		.steps = receipt->n_path};
	if (!entry_is_possible(&entry) || receipt->digest.len != HASH_SIZE)
		return RECEIPT_FORM;
	if (memcmp(receipt->digest.data, digest, HASH_SIZE) != 0)
		return RECEIPT_BAD;

	struct disclosed disclosed = {.kind = KIND_ACKNOWLEDGED,
		.batch_ms = receipt->batch_ms,
		.registry_version = receipt->registry_version};
	memcpy(disclosed.digest, digest, HASH_SIZE);
	return entry_check(checker, &entry, &disclosed);
}

/* @domain: with its NUL. */
static void batch_digest(struct bytes domain, struct bytes batch, uint8_t ret[HASH_SIZE])
{
	struct sha256 state;
	sha256_init(&state);
	sha256_add(&state, domain);
	sha256_add(&state, batch);
	sha256_finish(&state, ret);
}

void receipt_ack_batch_digest(struct bytes batch, uint8_t ret[HASH_SIZE])
{
	static const char domain[] = "dienstweg/v1/ack-batch";
	batch_digest(BYTES(domain, sizeof(domain)), batch, ret);
}

void receipt_cancel_batch_digest(struct bytes batch, uint8_t ret[HASH_SIZE])
{
	static const char domain[] = "dienstweg/v1/cancel-batch";
	batch_digest(BYTES(domain, sizeof(domain)), batch, ret);
}
