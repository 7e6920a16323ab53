/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * An Ed25519 verification costs forty times what a path does, and a batch shares one: that is why roots
 * are signed and verified roots remembered. What a root's signature covers (domain, bus, size, root) is
 * one short text, the claim; the cache compares claim, key and signature byte by byte, so that a slot can
 * be hit by nothing but the very thing that was verified. A digest as key would be as safe and slower.
 */
#include "proto/signature/signature.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "proto/merkle/merkle.h"

enum {
	CLAIM_MAX = sizeof("dienstweg/v1/acknowledgement") + 1 + NAME_BYTES_MAX + 4 + HASH_SIZE,
	NODES_MAX = 2 * BATCH_MAX, /* all levels of a batch's tree */
	LEVELS_MAX = SIGNATURE_PATH_MAX + 1,
	CORE_MIN = KEY_ID_SIZE + 4 + 4 + 1 + SIGNATURE_SIZE,
};

static const char message_domain[] = "dienstweg/v1/message";
static const char acknowledgement_domain[] = "dienstweg/v1/acknowledgement";
static const char cancellation_domain[] = "dienstweg/v1/cancellation";
static const char ack_digest_domain[] = "dienstweg/v1/ack";
static const char cancel_digest_domain[] = "dienstweg/v1/cancel";

/* With its NUL. */
static struct bytes domain_text(enum signature_domain domain)
{
	switch (domain) {
	case SIGNATURE_MESSAGE:
		return BYTES(message_domain, sizeof(message_domain));
	case SIGNATURE_ACK:
		return BYTES(acknowledgement_domain, sizeof(acknowledgement_domain));
	case SIGNATURE_CANCEL:
		break;
	}
	assert(domain == SIGNATURE_CANCEL);
	return BYTES(cancellation_domain, sizeof(cancellation_domain));
}

/* domain NUL || u8 length || bus || u32be size || root: what Ed25519 signs. */
struct claim {
	uint8_t text[CLAIM_MAX];
	size_t len;
};

static void claim_make(enum signature_domain domain, struct bytes bus, size_t size,
	const struct merkle_hash *root, struct claim *ret)
{
	struct bytes text = domain_text(domain);
	uint8_t *p = ret->text;
	assert(bus.len >= 1 && bus.len <= NAME_BYTES_MAX);
	memcpy(p, text.data, text.len);
	p += text.len;
	*p++ = (uint8_t)bus.len;
	memcpy(p, bus.data, bus.len);
	p += bus.len;
	be32_put(p, (uint32_t)size);
	p += 4;
	memcpy(p, root->bytes, HASH_SIZE);
	p += HASH_SIZE;
	ret->len = (size_t)(p - ret->text);
}

/* ---- signing ---- */

/* Every node of a batch's tree; a last node without a sibling stands for itself one level up. */
struct batch_tree {
	struct merkle_hash nodes[NODES_MAX];
	const struct merkle_hash *level[LEVELS_MAX];
	const struct merkle_hash *root;
};

static void batch_tree_make(const uint8_t (*items)[HASH_SIZE], size_t count, struct batch_tree *ret)
{
	struct merkle_hash *row = ret->nodes;
	size_t level = 0;
	for (size_t i = 0; i < count; i++)
		merkle_leaf(BYTES(items[i], HASH_SIZE), &row[i]);
	ret->level[0] = row;
	while (count > 1) {
		struct merkle_hash *next = row + count;
		for (size_t i = 0; i + 1 < count; i += 2)
			merkle_node(&row[i], &row[i + 1], &next[i / 2]);
		if (count % 2 == 1)
			next[count / 2] = row[count - 1];
		row = next;
		count = (count + 1) / 2;
		ret->level[++level] = row;
	}
	ret->root = row;
}

static int path_make(const struct batch_tree *tree, size_t index, size_t size, struct arena *arena,
	ProtobufCBinaryData *ret)
{
	struct merkle_coordinate step[MERKLE_LEVELS];
	size_t steps = merkle_path_coordinates(index, size, step);
	uint8_t *path = arena_alloc(arena, steps * HASH_SIZE);
	if (!path)
		return -ENOMEM;
	for (size_t i = 0; i < steps; i++)
		memcpy(path + i * HASH_SIZE, tree->level[step[i].level][step[i].index].bytes,
			HASH_SIZE);
	*ret = (ProtobufCBinaryData){.data = path, .len = steps * HASH_SIZE};
	return 0;
}

int signature_sign(enum signature_domain domain, struct bytes bus, const struct key_secret *key,
	const uint8_t (*items)[HASH_SIZE], size_t count, Dienstweg__Signature *ret,
	struct arena *arena)
{
	struct batch_tree tree;
	struct claim claim;
	assert(key->pub.use == KEY_SIGN);
	assert(count >= 1 && count <= BATCH_MAX);
	uint8_t *shared = arena_alloc(arena, KEY_ID_SIZE + SIGNATURE_SIZE);
	if (!shared)
		return -ENOMEM;
	batch_tree_make(items, count, &tree);
	claim_make(domain, bus, count, tree.root, &claim);
	memcpy(shared, key->pub.id, KEY_ID_SIZE);
	ed25519_sign(BYTES(claim.text, claim.len), key->ed25519, shared + KEY_ID_SIZE);
	for (size_t i = 0; i < count; i++) {
		dienstweg__signature__init(&ret[i]);
		ret[i].key_id = (ProtobufCBinaryData){.data = shared, .len = KEY_ID_SIZE};
		ret[i].size = (uint32_t)count;
		ret[i].index = (uint32_t)i;
		ret[i].root = (ProtobufCBinaryData){
			.data = shared + KEY_ID_SIZE, .len = SIGNATURE_SIZE};
		if (path_make(&tree, i, count, arena, &ret[i].path) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* ---- verifying ---- */

struct verified {
	struct claim claim; /* len 0: free slot */
	uint8_t public[SIGN_PUBLIC_SIZE];
	uint8_t signature[SIGNATURE_SIZE];
};

struct signature_cache {
	size_t mask;   /* slots - 1; slots are a power of two */
	uint64_t salt; /* odd; nobody outside can aim at a slot */
	struct verified slots[];
};

int signature_cache_new(size_t slots, struct signature_cache **ret)
{
	size_t count = 1;
	while (count < slots)
		count *= 2;
	struct signature_cache *cache = calloc(1, sizeof(*cache) + count * sizeof(cache->slots[0]));
	if (!cache)
		return -ENOMEM;
	cache->mask = count - 1;
	random_fill(&cache->salt, sizeof(cache->salt));
	cache->salt |= 1;
	*ret = cache;
	return 0;
}

void signature_cache_free(struct signature_cache *cache)
{
	free(cache);
}

static struct verified *cache_slot(struct signature_cache *cache, const uint8_t *signature)
{
	uint64_t mixed = (be64_get(signature) ^ cache->salt) * cache->salt;
	return &cache->slots[(mixed >> 32) & cache->mask];
}

static bool slot_holds(const struct verified *slot, const struct claim *claim,
	const uint8_t *public, const uint8_t *signature)
{
	return slot->claim.len == claim->len &&
	       memcmp(slot->claim.text, claim->text, claim->len) == 0 &&
	       memcmp(slot->public, public, SIGN_PUBLIC_SIZE) == 0 &&
	       memcmp(slot->signature, signature, SIGNATURE_SIZE) == 0;
}

static int claim_verify(struct signature_cache *cache, const struct claim *claim,
	const uint8_t public[SIGN_PUBLIC_SIZE], const uint8_t signature[SIGNATURE_SIZE])
{
	struct verified *slot = cache ? cache_slot(cache, signature) : NULL;
	if (slot && slot_holds(slot, claim, public, signature))
		return 0;
	if (ed25519_verify(BYTES(claim->text, claim->len), public, signature) != 0)
		return SIGNATURE_BAD;
	if (slot) {
		slot->claim = *claim;
		memcpy(slot->public, public, SIGN_PUBLIC_SIZE);
		memcpy(slot->signature, signature, SIGNATURE_SIZE);
	}
	return 0;
}

/* Size, index and lengths, before anything is hashed. */
static bool form_is_possible(const Dienstweg__Signature *sig)
{
	return sig && sig->key_id.len == KEY_ID_SIZE && sig->size >= 1 && sig->size <= BATCH_MAX &&
	       sig->index < sig->size && sig->root.len == SIGNATURE_SIZE &&
	       sig->path.len == HASH_SIZE * merkle_path_length(sig->index, sig->size);
}

int signature_verify(struct signature_cache *cache, enum signature_domain domain, struct bytes bus,
	const uint8_t public[SIGN_PUBLIC_SIZE], const uint8_t item[HASH_SIZE],
	const Dienstweg__Signature *sig)
{
	struct merkle_hash leaf, root, path[SIGNATURE_PATH_MAX];
	struct claim claim;
	if (!form_is_possible(sig))
		return SIGNATURE_FORM;
	if (sig->path.len > 0)
		memcpy(path, sig->path.data, sig->path.len);
	merkle_leaf(BYTES(item, HASH_SIZE), &leaf);
	size_t steps = sig->path.len / HASH_SIZE;
	if (merkle_path_root(&leaf, sig->index, sig->size, path, steps, &root) != 0)
		return SIGNATURE_FORM;
	claim_make(domain, bus, sig->size, &root, &claim);
	return claim_verify(cache, &claim, public, sig->root.data);
}

int signature_verify_whole(struct signature_cache *cache, enum signature_domain domain,
	struct bytes bus, const uint8_t public[SIGN_PUBLIC_SIZE], const uint8_t (*items)[HASH_SIZE],
	size_t count, struct bytes root_signature)
{
	struct merkle_hash leaves[BATCH_MAX], root;
	struct claim claim;
	if (count < 1 || count > BATCH_MAX || root_signature.len != SIGNATURE_SIZE)
		return SIGNATURE_FORM;
	for (size_t i = 0; i < count; i++)
		merkle_leaf(BYTES(items[i], HASH_SIZE), &leaves[i]);
	merkle_root_of(leaves, count, &root);
	claim_make(domain, bus, count, &root, &claim);
	return claim_verify(cache, &claim, public, root_signature.data);
}

/* ---- the flat form in the journal ---- */

size_t signature_core(const Dienstweg__Signature *sig, uint8_t buf[SIGNATURE_CORE_MAX])
{
	uint8_t *p = buf;
	assert(form_is_possible(sig));
	memcpy(p, sig->key_id.data, KEY_ID_SIZE);
	p += KEY_ID_SIZE;
	be32_put(p, sig->size);
	be32_put(p + 4, sig->index);
	p += 8;
	*p++ = (uint8_t)(sig->path.len / HASH_SIZE);
	if (sig->path.len > 0)
		memcpy(p, sig->path.data, sig->path.len);
	p += sig->path.len;
	memcpy(p, sig->root.data, SIGNATURE_SIZE);
	return (size_t)(p - buf) + SIGNATURE_SIZE;
}

int signature_from_core(struct bytes core, struct arena *arena, Dienstweg__Signature *ret)
{
	if (core.len < CORE_MIN || core.len > SIGNATURE_CORE_MAX)
		return SIGNATURE_FORM;
	size_t path_len = core.len - CORE_MIN;
	uint8_t *copy = arena_alloc(arena, core.len);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, core.data, core.len);
	Dienstweg__Signature sig;
	dienstweg__signature__init(&sig);
	sig.key_id = (ProtobufCBinaryData){.data = copy, .len = KEY_ID_SIZE};
	sig.size = be32_get(copy + KEY_ID_SIZE);
	sig.index = be32_get(copy + KEY_ID_SIZE + 4);
	uint8_t *steps = copy + KEY_ID_SIZE + 8;
	sig.path = (ProtobufCBinaryData){.data = steps + 1, .len = path_len};
	sig.root = (ProtobufCBinaryData){.data = steps + 1 + path_len, .len = SIGNATURE_SIZE};
	if ((size_t)*steps * HASH_SIZE != path_len || !form_is_possible(&sig))
		return SIGNATURE_FORM;
	*ret = sig;
	return 0;
}

/* ---- what an acknowledgement says ---- */

static void add_with_length(struct sha256 *state, struct bytes part)
{
	uint8_t length = (uint8_t)part.len;
	assert(part.len <= UINT8_MAX);
	sha256_add(state, BYTES(&length, 1));
	sha256_add(state, part);
}

void acknowledgement_digest(struct bytes bus, struct bytes recipient, uint64_t sequence,
	const uint8_t h[HASH_SIZE], bool accepted, struct bytes code, struct bytes text,
	uint8_t ret[HASH_SIZE])
{
	struct sha256 state;
	uint8_t number[8], outcome = accepted ? 1 : 0;
	be64_put(number, sequence);
	sha256_init(&state);
	sha256_add(&state, BYTES(ack_digest_domain, sizeof(ack_digest_domain)));
	add_with_length(&state, bus);
	add_with_length(&state, recipient);
	sha256_add(&state, BYTES(number, sizeof(number)));
	sha256_add(&state, BYTES(h, HASH_SIZE));
	sha256_add(&state, BYTES(&outcome, 1));
	add_with_length(&state, code);
	add_with_length(&state, text);
	sha256_finish(&state, ret);
}

void cancellation_digest(struct bytes bus, struct bytes sender, const uint8_t message_id[16],
	struct bytes recipient, struct bytes reason, uint8_t ret[HASH_SIZE])
{
	struct sha256 state;
	sha256_init(&state);
	sha256_add(&state, BYTES(cancel_digest_domain, sizeof(cancel_digest_domain)));
	add_with_length(&state, bus);
	add_with_length(&state, sender);
	sha256_add(&state, BYTES(message_id, 16));
	add_with_length(&state, recipient);
	add_with_length(&state, reason);
	sha256_finish(&state, ret);
}
