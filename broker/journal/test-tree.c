/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The tree on disk against the tree of proto/merkle, which knows nothing of rows: every node of every size
 * must be the same, whatever the batches were and however often the tree was loaded again.
 */
#include "broker/journal/tree.h"

#include <errno.h>

#include "test/kit/check.h"

enum { LEAVES = 3000, MAP_BYTES = 64 << 20 };

struct forest {
	struct db_env *env;
	struct journal_tables tables;
	struct tree *tree;
	struct merkle_hash leaves[LEAVES];
	size_t count;
	uint64_t random;
};

static uint64_t next_random(struct forest *forest)
{
	forest->random = forest->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return forest->random >> 33;
}

static struct db_txn *begin(struct forest *forest, bool write)
{
	struct db_txn *txn = NULL;
	CHECK_INT(db_begin(forest->env, write, &txn), 0);
	return txn;
}

static void plant(struct forest *forest, uint64_t random)
{
	struct db_options options = {
		.map_bytes = MAP_BYTES, .tables_max = TABLES_MAX, .readers_max = 4};
	*forest = (struct forest){.random = random};
	CHECK_INT(db_env_open(check_memdir(), &options, &forest->env), 0);
	struct db_txn *txn = begin(forest, true);
	CHECK_INT(journal_tables_open(&forest->tables, txn), 0);
	CHECK_INT(db_commit(txn), 0);
	CHECK_INT(tree_new(&forest->tree), 0);
	for (size_t i = 0; i < LEAVES; i++)
		merkle_leaf(BYTES(&i, sizeof(i)), &forest->leaves[i]);
}

static void fell(struct forest *forest)
{
	struct db_txn *txn = begin(forest, true);
	const char *names[] = {"tile", "meta"};
	/* The folder is one per program: leave it empty for the next case. */
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		db_table_id table;
		struct db_cursor *cursor;
		struct bytes key, value;
		CHECK_INT(db_table_open(txn, names[i], &table), 0);
		CHECK_INT(db_cursor_open(txn, table, &cursor), 0);
		while (db_cursor_first(cursor, &key, &value) == 0)
			CHECK_INT(db_cursor_delete(cursor), 0);
		db_cursor_close(cursor);
	}
	CHECK_INT(db_commit(txn), 0);
	tree_free(forest->tree);
	db_env_close(forest->env);
}

static void grow(struct forest *forest, size_t count)
{
	struct db_txn *txn = begin(forest, true);
	for (size_t i = 0; i < count; i++)
		CHECK_INT(tree_push(forest->tree, &forest->leaves[forest->count++]), 0);
	CHECK_INT(tree_close(forest->tree, txn, &forest->tables), 0);
	CHECK_INT(db_commit(txn), 0);
}

static void reload(struct forest *forest)
{
	struct db_txn *txn = begin(forest, false);
	struct tile_source source = {.txn = txn, .tables = &forest->tables, .size = forest->count};
	tree_free(forest->tree);
	CHECK_INT(tree_new(&forest->tree), 0);
	CHECK_INT(tree_load(forest->tree, &source), 0);
	db_abort(txn);
}

static void check_root(const struct forest *forest)
{
	struct merkle_hash root, expected;
	tree_root(forest->tree, &root);
	merkle_root_of(forest->leaves, forest->count, &expected);
	CHECK_MEM(&root, &expected, sizeof(root));
	CHECK_INT(tree_size(forest->tree), forest->count);
}

/* A node by definition: the root of the leaves below it that are there. */
static void expected_node(const struct forest *forest, size_t size, unsigned int level,
	uint64_t index, struct merkle_hash *ret)
{
	size_t first = (size_t)index << level, end = (size_t)(index + 1) << level;
	merkle_root_of(forest->leaves + first, (end < size ? end : size) - first, ret);
}

/* Every path of a tree of @size leaves leads to its root, whether the writer or a reader gives it. */
static void check_paths(struct forest *forest, size_t size, size_t step)
{
	struct db_txn *txn = begin(forest, false);
	struct tile_source source = {.txn = txn, .tables = &forest->tables, .size = forest->count};
	struct merkle_hash root, implied, expected, path[MERKLE_LEVELS];
	struct merkle_coordinate places[MERKLE_LEVELS];
	merkle_root_of(forest->leaves, size, &root);
	for (size_t i = 0; i < size; i += step) {
		size_t steps = merkle_path_coordinates(i, size, places);
		for (size_t k = 0; k < steps; k++) {
			CHECK_INT(
				tile_node(&source, size, places[k].level, places[k].index, &path[k]),
				0);
			expected_node(forest, size, places[k].level, places[k].index, &expected);
			CHECK_MEM(&path[k], &expected, sizeof(expected));
			if (size != forest->count)
				continue;
			CHECK_INT(tree_node(forest->tree, &source, places[k].level, places[k].index,
					  &path[k]),
				0);
			CHECK_MEM(&path[k], &expected, sizeof(expected));
		}
		CHECK_INT(merkle_path_root(&forest->leaves[i], i, size, path, steps, &implied), 0);
		CHECK_MEM(&implied, &root, sizeof(root));
	}
	db_abort(txn);
}

static void grows_leaf_by_leaf(void)
{
	struct forest forest;
	plant(&forest, 1);
	for (size_t i = 0; i < 140; i++) {
		grow(&forest, 1);
		check_root(&forest);
		check_paths(&forest, forest.count, 1); /* before it is settled */
		tree_settle(forest.tree);
		check_paths(&forest, forest.count, 1);
	}
	for (size_t size = 1; size <= forest.count; size++)
		check_paths(&forest, size, 1);
	fell(&forest);
}

static void grows_in_batches(void)
{
	struct forest forest;
	plant(&forest, 2);
	while (forest.count < LEAVES) {
		size_t count = 1 + next_random(&forest) % 200, left = LEAVES - forest.count;
		grow(&forest, count < left ? count : left);
		check_root(&forest);
		check_paths(&forest, forest.count, 17);
		tree_settle(forest.tree);
		if (next_random(&forest) % 3 == 0)
			reload(&forest);
		check_root(&forest);
		check_paths(&forest, 1 + next_random(&forest) % forest.count, 29);
	}
	fell(&forest);
}

static void stands_at_the_borders_of_rows(void)
{
	static const size_t sizes[] = {1, 31, 32, 33, 64, 1023, 1024, 1025, 2048, 2999};
	struct forest forest;
	plant(&forest, 3);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		grow(&forest, sizes[i] - forest.count);
		tree_settle(forest.tree);
		reload(&forest);
		check_root(&forest);
		check_paths(&forest, forest.count, 13);
	}
	fell(&forest);
}

static void tells_missing_rows(void)
{
	struct forest forest;
	struct merkle_hash node;
	uint8_t key[TILE_KEY_SIZE];
	plant(&forest, 4);
	grow(&forest, 100);
	tree_settle(forest.tree);
	struct db_txn *txn = begin(&forest, true);
	struct tile_source source = {.txn = txn, .tables = &forest.tables, .size = forest.count};
	tile_key(64, 0, key);
	CHECK_INT(db_put(txn, forest.tables.tile, BYTES(key, sizeof(key)), BYTES(key, 1)), 0);
	CHECK_INT(tile_node(&source, 100, 3, 5, &node), -EBADMSG); /* leaves 40 to 47 */
	CHECK_INT(db_delete(txn, forest.tables.tile, BYTES(key, sizeof(key))), 0);
	CHECK_INT(tile_node(&source, 100, 3, 5, &node), -EBADMSG);
	CHECK_INT(tile_node(&source, 100, 3, 2, &node), 0);
	db_abort(txn);
	fell(&forest);
}

CHECK_MAIN(CHECK_CASE(grows_leaf_by_leaf), CHECK_CASE(grows_in_batches),
	CHECK_CASE(stands_at_the_borders_of_rows), CHECK_CASE(tells_missing_rows))
