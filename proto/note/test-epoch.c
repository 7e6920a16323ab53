/* SPDX-License-Identifier: EUPL-1.2 */

/* Epochs: which tree belongs to which, what two histories share, and what may not be one. */
#include "proto/note/epoch.h"

#include "test/kit/check.h"

#define BUS BYTES_STR("test.demo")

static void an_origin_has_one_spelling(void)
{
	char origin[CHECKPOINT_ORIGIN_MAX + 1];
	static const char *const strange[] = {"test.demo", "test.demo/", "test.demo/01",
		"test.demo/-1", "test.demo/1 ", "test.demo/4294967296", "test.demo1/1",
		"other.demo/1", "/1", ""};
	uint32_t epoch = 7;
	epoch_origin(BUS, 0, origin);
	CHECK_STR(origin, "test.demo/0");
	epoch_origin(BUS, UINT32_MAX, origin);
	CHECK_INT(epoch_of(origin, BUS, &epoch), 0);
	CHECK(epoch == UINT32_MAX);
	CHECK_INT(epoch_of("test.demo/0", BUS, &epoch), 0);
	CHECK(epoch == 0);
	for (size_t i = 0; i < ARRAY_LEN(strange); i++)
		CHECK_INT(epoch_of(strange[i], BUS, &epoch), EPOCH_OTHER);
}

static void origins_of_one_bus(void)
{
	CHECK(epoch_same_bus("test.demo/0", "test.demo/12"));
	CHECK(!epoch_same_bus("test.demo/0", "test.demo"));
	CHECK(!epoch_same_bus("test.demo", "test.demo/0"));
	CHECK(!epoch_same_bus("test.demo/0", "test.demo/0/1"));
	CHECK(!epoch_same_bus("test.demo/0", "best.demo/0"));
	CHECK(!epoch_same_bus("/0", "/1"));
}

static struct epochs of(const struct epoch_begin *begins, size_t count)
{
	struct epochs epochs = {};
	for (size_t i = 0; i < count; i++)
		CHECK_INT(epochs_add(&epochs, begins[i].epoch, begins[i].size), 0);
	return epochs;
}

static void both_numbers_rise(void)
{
	struct epochs epochs = of((struct epoch_begin[]){{2, 10}, {3, 11}}, 2);
	CHECK_INT(epochs_add(&epochs, 3, 20), EPOCH_OTHER);
	CHECK_INT(epochs_add(&epochs, 4, 11), EPOCH_OTHER);
	CHECK_INT(epochs_newest(&epochs), 3);
	epochs = (struct epochs){};
	CHECK_INT(epochs_newest(&epochs), 0);
	CHECK_INT(epochs_add(&epochs, 1, 0), EPOCH_OTHER); /* nothing to go on from */
	for (uint32_t i = 1; i <= EPOCHS_MAX; i++)
		CHECK_INT(epochs_add(&epochs, i, i), 0);
	CHECK_INT(epochs_add(&epochs, 1000, 1000), EPOCH_OTHER);
}

static void a_tree_is_signed_under_the_epoch_of_its_last_entry(void)
{
	struct epochs epochs = of((struct epoch_begin[]){{1, 10}, {4, 30}}, 2);
	CHECK_INT(epochs_at(&epochs, 1), 0);
	CHECK_INT(epochs_at(&epochs, 10), 0);
	CHECK_INT(epochs_at(&epochs, 11), 1);
	CHECK_INT(epochs_at(&epochs, 30), 1);
	CHECK_INT(epochs_at(&epochs, 31), 4);
	CHECK(epochs_kept(&epochs, 0) == 10);
	CHECK(epochs_kept(&epochs, 1) == 30);
	CHECK(epochs_kept(&epochs, 4) == UINT64_MAX);
	CHECK(epochs_kept(&epochs, 2) == 0); /* of another history */
	CHECK(epochs_kept(&epochs, 9) == 0);
}

static void histories_share_what_neither_lost(void)
{
	struct epochs none = {}, one = of((struct epoch_begin[]){{1, 10}}, 1),
		      two = of((struct epoch_begin[]){{1, 10}, {2, 30}}, 2),
		      other = of((struct epoch_begin[]){{2, 7}}, 1),
		      later = of((struct epoch_begin[]){{2, 17}}, 1);
	CHECK(epochs_common(&none, &none) == UINT64_MAX);
	CHECK(epochs_common(&two, &two) == UINT64_MAX);
	CHECK(epochs_common(&none, &one) == 10);
	CHECK(epochs_common(&one, &two) == 30);
	CHECK(epochs_common(&one, &other) == 7);
	CHECK(epochs_common(&later, &one) == 10); /* an older copy of the log, from before epoch 1 */
}

static void a_row_is_read_strictly(void)
{
	struct epochs epochs = of((struct epoch_begin[]){{1, 10}, {4, 30}}, 2), back;
	uint8_t row[EPOCHS_ROW_MAX];
	size_t len = epochs_encode(&epochs, row);
	CHECK_INT(len, 24);
	CHECK_INT(epochs_decode(BYTES(row, len), &back), 0);
	CHECK(epochs_common(&epochs, &back) == UINT64_MAX);
	CHECK_INT(epochs_decode(BYTES(row, len - 1), &back), EPOCH_OTHER);
	row[15] = 1; /* the second epoch is the first again */
	CHECK_INT(epochs_decode(BYTES(row, len), &back), EPOCH_OTHER);
	CHECK_INT(epochs_decode(BYTES(NULL, 0), &back), 0);
}

CHECK_MAIN(CHECK_CASE(an_origin_has_one_spelling), CHECK_CASE(origins_of_one_bus),
	CHECK_CASE(both_numbers_rise),
	CHECK_CASE(a_tree_is_signed_under_the_epoch_of_its_last_entry),
	CHECK_CASE(histories_share_what_neither_lost), CHECK_CASE(a_row_is_read_strictly))
