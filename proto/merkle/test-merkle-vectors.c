/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Our own definitions could share a mistake with our own code. These roots and nodes were computed by
 * somebody else.
 */
#include "proto/merkle/merkle.h"

#include <jansson.h>

#include "proto/base/text.h"
#include "test/kit/check.h"

static json_t *vectors_read(void)
{
	const char *path = check_shared("vectors/rfc6962-roots/roots.json");
	if (!path)
		check_skip("no vectors/rfc6962-roots/roots.json");
	json_error_t error;
	json_t *root = json_load_file(path, 0, &error);
	if (!root)
		CHECK_FAIL("%s: %s", path, error.text);
	return root;
}

static struct merkle_hash hash_of(const json_t *hex)
{
	struct merkle_hash hash;
	CHECK(json_is_string(hex));
	CHECK_INT(text_unhex(json_string_value(hex), hash.bytes, HASH_SIZE), 0);
	return hash;
}

static void check_hash(const struct merkle_hash *actual, const json_t *hex)
{
	struct merkle_hash expected = hash_of(hex);
	CHECK_MEM(actual->bytes, expected.bytes, HASH_SIZE);
}

static size_t read_leaves(const json_t *vectors, struct merkle_hash *ret, size_t max)
{
	const json_t *inputs = json_object_get(vectors, "leaf_inputs_hex");
	size_t count = json_array_size(inputs);
	CHECK(count >= 8 && count <= max);
	for (size_t i = 0; i < count; i++) {
		const char *hex = json_string_value(json_array_get(inputs, i));
		uint8_t data[64];
		CHECK(hex && strlen(hex) / 2 <= sizeof(data));
		CHECK_INT(text_unhex(hex, data, strlen(hex) / 2), 0);
		merkle_leaf(BYTES(data, strlen(hex) / 2), &ret[i]);
	}
	return count;
}

static void roots_by_size(void)
{
	json_t *vectors = vectors_read();
	struct merkle_hash leaves[16], root;
	size_t count = read_leaves(vectors, leaves, ARRAY_LEN(leaves));
	const json_t *roots = json_object_get(vectors, "root_by_size_hex");
	CHECK_INT(json_array_size(roots), count + 1);

	struct merkle_edge edge = {.size = 0};
	merkle_empty_root(&root);
	check_hash(&root, json_array_get(roots, 0));
	for (size_t size = 1; size <= count; size++) {
		merkle_root_of(leaves, size, &root);
		check_hash(&root, json_array_get(roots, size));
		merkle_edge_append(&edge, &leaves[size - 1], NULL);
		merkle_edge_root(&edge, &root);
		check_hash(&root, json_array_get(roots, size));
	}
	json_decref(vectors);
}

static void nodes_and_paths(void)
{
	json_t *vectors = vectors_read();
	struct merkle_hash leaves[16], finished[MERKLE_LEVELS], root;
	size_t count = read_leaves(vectors, leaves, ARRAY_LEN(leaves));
	const json_t *levels = json_object_get(vectors, "node_hashes_hex");
	CHECK(json_array_size(levels) == 4);

	struct merkle_edge edge = {.size = 0};
	for (size_t i = 0; i < count; i++) {
		check_hash(&leaves[i], json_array_get(json_array_get(levels, 0), i));
		size_t n = merkle_edge_append(&edge, &leaves[i], finished);
		for (size_t l = 1; l <= n; l++)
			check_hash(&finished[l - 1],
				json_array_get(json_array_get(levels, l), i >> l));
	}

	/* Every path of the whole tree, made of these nodes alone, leads to the last root. */
	const json_t *roots = json_object_get(vectors, "root_by_size_hex");
	for (size_t i = 0; i < count; i++) {
		struct merkle_coordinate at[MERKLE_LEVELS];
		struct merkle_hash path[MERKLE_LEVELS];
		size_t steps = merkle_path_coordinates(i, count, at);
		for (size_t s = 0; s < steps; s++)
			path[s] = hash_of(json_array_get(
				json_array_get(levels, at[s].level), (size_t)at[s].index));
		CHECK_INT(merkle_path_root(&leaves[i], i, count, path, steps, &root), 0);
		check_hash(&root, json_array_get(roots, count));
	}
	json_decref(vectors);
}

static void single_hashes(void)
{
	json_t *vectors = vectors_read();
	const json_t *hasher = json_object_get(vectors, "hasher");
	CHECK(json_is_object(hasher));
	struct merkle_hash hash;
	merkle_empty_root(&hash);
	check_hash(&hash, json_object_get(hasher, "empty_root"));
	merkle_leaf(BYTES(NULL, 0), &hash);
	check_hash(&hash, json_object_get(hasher, "empty_leaf"));
	merkle_leaf(BYTES_STR("L123456"), &hash);
	check_hash(&hash, json_object_get(hasher, "leaf_L123456"));
	/* "children_N123_N456" is left out: its children are four bytes long, ours are hashes. */
	json_decref(vectors);
}

CHECK_MAIN(CHECK_CASE(roots_by_size), CHECK_CASE(nodes_and_paths), CHECK_CASE(single_hashes))
