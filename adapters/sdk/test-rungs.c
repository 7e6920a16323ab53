/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The ladder stays short, and a rung of it is never far below where somebody looks: that is what lets an adapter
 * link a log that was set back to what it saw.
 */
#include "adapters/sdk/rungs.h"

#include <errno.h>

#include "test/kit/check.h"

static struct merkle_hash root_of(uint64_t size)
{
	struct merkle_hash root = {};
	be64_put(root.bytes, size);
	return root;
}

static void add(struct rungs *rungs, uint64_t size)
{
	struct merkle_hash root = root_of(size);
	rungs_add(rungs, size, &root);
}

/* For any point in the past, the next rung below it is at most about twice as far back. */
static void a_rung_is_near_every_point(void)
{
	static struct rungs rungs;
	uint64_t newest = 0;
	for (uint64_t step = 0; step < 100000; step++) {
		newest += 1 + step % 7;
		add(&rungs, newest);
	}
	CHECK(rungs.count <= RUNGS_MAX);
	CHECK_INT(rungs.all[0].size, 1);
	for (uint64_t back = 8; back < newest; back += 1 + back / 16) {
		const struct rung *rung = rungs_below(&rungs, newest - back);
		CHECK(rung && newest - rung->size <= 2 * back + 16);
		struct merkle_hash root = root_of(rung->size);
		CHECK_MEM(rung->root.bytes, root.bytes, HASH_SIZE);
	}
	CHECK(rungs_below(&rungs, newest)->size == newest);
	CHECK(!rungs_below(&rungs, 0));
}

static void it_grows_upwards_only(void)
{
	struct rungs rungs = {};
	add(&rungs, 5);
	add(&rungs, 5);
	add(&rungs, 4);
	CHECK_INT(rungs.count, 1);
	add(&rungs, 9);
	rungs_cut(&rungs, 8);
	CHECK_INT(rungs.count, 1);
	rungs_cut(&rungs, 4);
	CHECK_INT(rungs.count, 0);
}

static void a_row_is_read_strictly(void)
{
	struct rungs rungs = {}, back;
	uint8_t row[RUNGS_ROW_MAX];
	for (uint64_t i = 1; i <= 200; i++)
		add(&rungs, i * 3);
	size_t len = rungs_encode(&rungs, row);
	CHECK_INT(rungs_decode(BYTES(row, len), &back), 0);
	CHECK_INT(back.count, rungs.count);
	CHECK_MEM(back.all, rungs.all, sizeof(rungs.all));
	CHECK_INT(rungs_decode(BYTES(row, len - 1), &back), -EBADMSG);
	be64_put(row + RUNG_SIZE, 1); /* sizes that fall */
	CHECK_INT(rungs_decode(BYTES(row, len), &back), -EBADMSG);
}

CHECK_MAIN(CHECK_CASE(a_rung_is_near_every_point), CHECK_CASE(it_grows_upwards_only),
	CHECK_CASE(a_row_is_read_strictly))
