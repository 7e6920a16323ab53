/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The definitions of RFC 6962 2.1 are recursive and obviously right; the code under test is iterative
 * and is not. So the definitions are written down here once more, as they stand in the RFC, and every
 * tree, path and proof up to SIZE_MAX_TESTED leaves is compared with them.
 */
#include "proto/merkle/merkle.h"
#include "test/kit/check.h"

enum { SIZE_MAX_TESTED = 133, PROOF_MAX = 2 * MERKLE_LEVELS };

/* MTH of every range of leaves, filled as asked for. */
struct naive {
	struct merkle_hash leaf[SIZE_MAX_TESTED];
	struct merkle_hash range[SIZE_MAX_TESTED][SIZE_MAX_TESTED + 1];
	bool known[SIZE_MAX_TESTED][SIZE_MAX_TESTED + 1];
};

struct naive_proof {
	struct merkle_hash hash[PROOF_MAX];
	size_t count;
};

static struct naive *naive_new(void)
{
	struct naive *naive = calloc(1, sizeof(*naive));
	CHECK(naive);
	for (size_t i = 0; i < SIZE_MAX_TESTED; i++) {
		char text[32];
		int n = snprintf(text, sizeof(text), "leaf %zu", i);
		merkle_leaf(BYTES(text, n), &naive->leaf[i]);
	}
	return naive;
}

static size_t split_of(size_t n)
{
	size_t k = 1;
	while (k * 2 < n)
		k *= 2;
	return k;
}

/* MTH(D[first:end]) */
static struct merkle_hash naive_root(struct naive *naive, size_t first, size_t end)
{
	size_t n = end - first;
	if (n == 1)
		return naive->leaf[first];
	if (!naive->known[first][end]) {
		size_t k = split_of(n);
		uint8_t buf[65] = {0x01};
		struct merkle_hash left = naive_root(naive, first, first + k);
		struct merkle_hash right = naive_root(naive, first + k, end);
		memcpy(buf + 1, left.bytes, 32);
		memcpy(buf + 33, right.bytes, 32);
		sha256_of(BYTES(buf, sizeof(buf)), naive->range[first][end].bytes);
		naive->known[first][end] = true;
	}
	return naive->range[first][end];
}

/* PATH(m, D[first:end]) */
static void naive_path(
	struct naive *naive, size_t m, size_t first, size_t end, struct naive_proof *ret)
{
	size_t n = end - first;
	if (n == 1)
		return;
	size_t k = split_of(n);
	if (m < k) {
		naive_path(naive, m, first, first + k, ret);
		ret->hash[ret->count++] = naive_root(naive, first + k, end);
	} else {
		naive_path(naive, m - k, first + k, end, ret);
		ret->hash[ret->count++] = naive_root(naive, first, first + k);
	}
}

/* SUBPROOF(m, D[first:end], whole) */
static void naive_subproof(struct naive *naive, size_t m, size_t first, size_t end, bool whole,
	struct naive_proof *ret)
{
	size_t n = end - first;
	if (m == n) {
		if (!whole)
			ret->hash[ret->count++] = naive_root(naive, first, end);
		return;
	}
	size_t k = split_of(n);
	if (m <= k) {
		naive_subproof(naive, m, first, first + k, whole, ret);
		ret->hash[ret->count++] = naive_root(naive, first + k, end);
	} else {
		naive_subproof(naive, m - k, first + k, end, false, ret);
		ret->hash[ret->count++] = naive_root(naive, first, first + k);
	}
}

/* The node that (level, index) names in a tree of size leaves. */
static struct merkle_hash naive_node(
	struct naive *naive, const struct merkle_coordinate *at, size_t size)
{
	size_t first = (size_t)at->index << at->level;
	size_t end = ((size_t)at->index + 1) << at->level;
	CHECK(first < size);
	return naive_root(naive, first, end < size ? end : size);
}

static bool same(const struct merkle_hash *a, const struct merkle_hash *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static void hashes_are_those_of_the_rfc(void)
{
	struct merkle_hash hash, expected;
	uint8_t data[600];
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	/* Both ways of hashing a leaf, and the seam between them. */
	for (size_t len = 0; len < sizeof(data); len++) {
		uint8_t buf[1 + sizeof(data)] = {0x00};
		memcpy(buf + 1, data, len);
		sha256_of(BYTES(buf, 1 + len), expected.bytes);
		merkle_leaf(BYTES(data, len), &hash);
		CHECK(same(&hash, &expected));
	}

	struct merkle_hash left, right;
	merkle_leaf(BYTES_STR("left"), &left);
	merkle_leaf(BYTES_STR("right"), &right);
	merkle_node(&left, &right, &expected);
	hash = left;
	merkle_node(&hash, &right, &hash);
	CHECK(same(&hash, &expected));
	hash = right;
	merkle_node(&left, &hash, &hash);
	CHECK(same(&hash, &expected));
}

static void roots_and_edges(void)
{
	struct naive *naive = naive_new();
	struct merkle_edge edge = {.size = 0};
	struct merkle_hash root, expected, nodes[MERKLE_LEVELS];
	merkle_edge_root(&edge, &root);
	merkle_empty_root(&expected);
	CHECK(same(&root, &expected));

	for (size_t size = 1; size <= SIZE_MAX_TESTED; size++) {
		size_t count = merkle_edge_append(&edge, &naive->leaf[size - 1], nodes);
		CHECK_INT(edge.size, size);
		CHECK_INT(count, __builtin_ctzll(size));
		for (size_t i = 0; i < count; i++) {
			size_t width = (size_t)2 << i;
			expected = naive_root(naive, size - width, size);
			CHECK(same(&nodes[i], &expected));
		}
		expected = naive_root(naive, 0, size);
		merkle_edge_root(&edge, &root);
		CHECK(same(&root, &expected));
		merkle_root_of(naive->leaf, size, &root);
		CHECK(same(&root, &expected));
	}
	free(naive);
}

static void every_path(void)
{
	struct naive *naive = naive_new();
	struct merkle_coordinate at[MERKLE_LEVELS];
	for (size_t size = 1; size <= SIZE_MAX_TESTED; size++) {
		struct merkle_hash expected = naive_root(naive, 0, size), root;
		for (size_t index = 0; index < size; index++) {
			struct naive_proof path = {.count = 0};
			naive_path(naive, index, 0, size, &path);
			CHECK_INT(merkle_path_length(index, size), path.count);
			CHECK_INT(merkle_path_coordinates(index, size, at), path.count);
			for (size_t i = 0; i < path.count; i++) {
				struct merkle_hash node = naive_node(naive, &at[i], size);
				CHECK(same(&node, &path.hash[i]));
			}
			CHECK_INT(merkle_path_root(&naive->leaf[index], index, size, path.hash,
					  path.count, &root),
				0);
			CHECK(same(&root, &expected));
		}
	}
	free(naive);
}

static bool path_accepted(const struct merkle_hash *leaf, size_t index, size_t size,
	const struct naive_proof *path, const struct merkle_hash *expected)
{
	struct merkle_hash root;
	return merkle_path_root(leaf, index, size, path->hash, path->count, &root) == 0 &&
	       same(&root, expected);
}

/* All bits in small trees and around powers of two; in the others one bit of every hash. */
static bool all_bits(size_t size)
{
	return size <= 17 || (size & (size - 1)) == 0 || size == 33 || size == 65 || size == 127;
}

static void every_flipped_bit_of_a_path(void)
{
	struct naive *naive = naive_new();
	size_t flips = 0;
	for (size_t size = 1; size <= SIZE_MAX_TESTED; size++) {
		struct merkle_hash root = naive_root(naive, 0, size);
		for (size_t index = 0; index < size; index++) {
			struct naive_proof path = {.count = 0};
			naive_path(naive, index, 0, size, &path);
			size_t step = all_bits(size) && (size <= 32 || index % 16 == 1) ? 1 : 251;
			for (size_t bit = 0; bit < path.count * 256; bit += step, flips++) {
				uint8_t *byte = &path.hash[bit / 256].bytes[bit % 256 / 8];
				*byte ^= (uint8_t)(1u << bit % 8);
				CHECK(!path_accepted(&naive->leaf[index], index, size, &path, &root));
				*byte ^= (uint8_t)(1u << bit % 8);
			}
			struct merkle_hash leaf = naive->leaf[index];
			for (size_t bit = 0; bit < 256; bit += step) {
				leaf.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
				CHECK(!path_accepted(&leaf, index, size, &path, &root));
				leaf.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
			}
			CHECK(path_accepted(&leaf, index, size, &path, &root));
		}
	}
	CHECK(flips > 100000);
	free(naive);
}

static void paths_of_wrong_length_or_place(void)
{
	struct naive *naive = naive_new();
	struct merkle_hash root;
	for (size_t size = 1; size <= SIZE_MAX_TESTED; size++) {
		struct merkle_hash expected = naive_root(naive, 0, size);
		for (size_t index = 0; index < size; index++) {
			struct naive_proof path = {.count = 0};
			naive_path(naive, index, 0, size, &path);
			for (size_t steps = 0; steps <= path.count + 3; steps++) {
				int r = merkle_path_root(
					&naive->leaf[index], index, size, path.hash, steps, &root);
				CHECK_INT(r, steps == path.count ? 0 : MERKLE_BAD);
			}
			/* The same path cannot place the leaf anywhere else in this tree. */
			for (size_t other = 0; other < size; other++)
				CHECK(other == index || !path_accepted(&naive->leaf[index], other,
								size, &path, &expected));
			CHECK(!path_accepted(&naive->leaf[index], size, size, &path, &expected));
			CHECK(!path_accepted(&naive->leaf[index], 0, 0, &path, &expected));
		}
	}
	free(naive);
}

static void every_consistency_proof(void)
{
	struct naive *naive = naive_new();
	struct merkle_coordinate at[2 * MERKLE_LEVELS];
	for (size_t size = 1; size <= SIZE_MAX_TESTED; size++) {
		struct merkle_hash root = naive_root(naive, 0, size);
		for (size_t old = 1; old <= size; old++) {
			struct merkle_hash old_root = naive_root(naive, 0, old);
			struct naive_proof proof = {.count = 0};
			naive_subproof(naive, old, 0, size, true, &proof);
			CHECK_INT(merkle_consistency_coordinates(old, size, at), proof.count);
			for (size_t i = 0; i < proof.count; i++) {
				struct merkle_hash node = naive_node(naive, &at[i], size);
				CHECK(same(&node, &proof.hash[i]));
			}
			for (size_t n = 0; n <= proof.count + 3; n++) {
				int r = merkle_consistency_check(
					old, &old_root, size, &root, proof.hash, n);
				CHECK_INT(r, n == proof.count ? 0 : MERKLE_BAD);
			}
			if (old < size)
				CHECK_INT(merkle_consistency_check(size, &root, old, &old_root,
						  proof.hash, proof.count),
					MERKLE_BAD);
		}
	}
	free(naive);
}

static void flip_consistency(struct naive *naive, size_t old, size_t size, size_t step)
{
	struct merkle_hash roots[2] = {naive_root(naive, 0, old), naive_root(naive, 0, size)};
	struct naive_proof proof = {.count = 0};
	naive_subproof(naive, old, 0, size, true, &proof);
	for (size_t bit = 0; bit < (proof.count + 2) * 256; bit += step) {
		struct merkle_hash *hash = bit / 256 < 2 ? &roots[bit / 256]
							 : &proof.hash[bit / 256 - 2];
		uint8_t mask = (uint8_t)(1u << bit % 8);
		hash->bytes[bit % 256 / 8] ^= mask;
		CHECK_INT(merkle_consistency_check(
				  old, &roots[0], size, &roots[1], proof.hash, proof.count),
			MERKLE_BAD);
		hash->bytes[bit % 256 / 8] ^= mask;
	}
	CHECK_INT(merkle_consistency_check(old, &roots[0], size, &roots[1], proof.hash, proof.count),
		0);
}

static void every_flipped_bit_of_a_consistency_proof(void)
{
	struct naive *naive = naive_new();
	for (size_t size = 1; size <= SIZE_MAX_TESTED; size++) {
		for (size_t old = 1; old <= size; old++) {
			bool all = size <= 17 || (all_bits(size) && old % 16 == 3);
			flip_consistency(naive, old, size, all ? 1 : 251);
		}
	}
	free(naive);
}

static void a_rewritten_history_is_inconsistent(void)
{
	struct naive *before = naive_new(), *after = naive_new();
	const size_t sizes[] = {2, 3, 5, 8, 31, 64, 100};
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		size_t old = sizes[i];
		/* The operator changes one old leaf and makes the best proof there is. */
		for (size_t leaf = 0; leaf < old; leaf++) {
			memset(after->known, 0, sizeof(after->known));
			after->leaf[leaf].bytes[5] ^= 1;
			struct merkle_hash old_root = naive_root(before, 0, old);
			struct merkle_hash root = naive_root(after, 0, 101);
			struct naive_proof proof = {.count = 0};
			naive_subproof(after, old, 0, 101, true, &proof);
			CHECK_INT(merkle_consistency_check(
					  old, &old_root, 101, &root, proof.hash, proof.count),
				MERKLE_BAD);
			after->leaf[leaf].bytes[5] ^= 1;
		}
	}
	free(before);
	free(after);
}

static void the_empty_tree_and_equal_sizes(void)
{
	struct merkle_hash zero = {{0}}, one;
	merkle_leaf(BYTES_STR("one"), &one);
	CHECK_INT(merkle_consistency_check(0, &zero, 0, &zero, NULL, 0), 0);
	CHECK_INT(merkle_consistency_check(0, &zero, 7, &one, NULL, 0), 0);
	CHECK_INT(merkle_consistency_check(0, &zero, 7, &one, &one, 1), MERKLE_BAD);
	CHECK_INT(merkle_consistency_check(1, &one, 0, &zero, NULL, 0), MERKLE_BAD);
	CHECK_INT(merkle_consistency_check(7, &one, 7, &one, NULL, 0), 0);
	CHECK_INT(merkle_consistency_check(7, &one, 7, &zero, NULL, 0), MERKLE_BAD);
	CHECK_INT(merkle_consistency_check(7, &one, 7, &one, &one, 1), MERKLE_BAD);
}

/* No tree of these sizes fits anywhere; lengths and coordinates must still be right. */
static void the_largest_sizes(void)
{
	struct merkle_coordinate at[2 * MERKLE_LEVELS];
	struct merkle_hash hash[2 * MERKLE_LEVELS] = {{{0}}}, root;
	CHECK_INT(merkle_path_length(0, UINT64_MAX), 64);
	CHECK_INT(merkle_path_length(UINT64_MAX - 1, UINT64_MAX), 63); /* last and even: no sibling */
	CHECK_INT(merkle_path_length(UINT64_C(1) << 63, (UINT64_C(1) << 63) + 1), 1);
	CHECK_INT(merkle_path_coordinates(0, UINT64_MAX, at), 64);
	CHECK_INT(at[63].level, 63);
	CHECK_INT(at[63].index, 1);
	CHECK_INT(merkle_path_coordinates(UINT64_MAX - 2, UINT64_MAX, at), 64);
	CHECK(at[0].index == UINT64_MAX - 3);
	CHECK_INT(merkle_path_root(&hash[0], 0, UINT64_MAX, hash, 64, &root), 0);
	CHECK_INT(merkle_path_root(&hash[0], 0, UINT64_MAX, hash, 63, &root), MERKLE_BAD);
	CHECK_INT(merkle_path_root(&hash[0], UINT64_MAX, UINT64_MAX, hash, 64, &root), MERKLE_BAD);

	/* A single old leaf is its own root: the proof is that leaf's path. */
	CHECK_INT(merkle_consistency_coordinates(1, UINT64_MAX, at), 64);
	CHECK_INT(merkle_consistency_coordinates(UINT64_C(1) << 63, UINT64_MAX, at), 1);
	size_t count = merkle_consistency_coordinates(UINT64_MAX - 2, UINT64_MAX, at);
	CHECK(count <= 2 * MERKLE_LEVELS);
	CHECK(at[0].level == 0 && at[0].index == UINT64_MAX - 3);
	CHECK_INT(merkle_consistency_check(
			  UINT64_MAX - 2, &hash[0], UINT64_MAX, &hash[0], hash, count),
		MERKLE_BAD);
	CHECK_INT(merkle_consistency_check(UINT64_MAX, &hash[0], UINT64_MAX, &hash[0], hash, 0), 0);
}

CHECK_MAIN(CHECK_CASE(hashes_are_those_of_the_rfc), CHECK_CASE(roots_and_edges),
	CHECK_CASE(every_path), CHECK_CASE(every_flipped_bit_of_a_path),
	CHECK_CASE(paths_of_wrong_length_or_place), CHECK_CASE(every_consistency_proof),
	CHECK_CASE(every_flipped_bit_of_a_consistency_proof),
	CHECK_CASE(a_rewritten_history_is_inconsistent), CHECK_CASE(the_empty_tree_and_equal_sizes),
	CHECK_CASE(the_largest_sizes))
