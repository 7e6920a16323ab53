/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Ids are compared as bytes by the journal, so order is tested as bytes; the edges are a clock that stands
 * still, steps back, or gives more ids in a millisecond than the counter holds.
 */
#include "proto/identity/uuid.h"

#include "proto/base/crypto.h"
#include "test/kit/check.h"

static const uint64_t noon_ms = UINT64_C(1732190400000);

static void rises_within_a_millisecond(void)
{
	struct uuid_source source = {0};
	uint8_t last[UUID_SIZE] = {0}, id[UUID_SIZE];
	CHECK_INT(crypto_init(), 0);
	for (size_t i = 0; i < 20000; i++) {
		uuid_next(&source, noon_ms, id);
		CHECK(uuid_is_v7(BYTES(id, sizeof(id))));
		CHECK(memcmp(id, last, sizeof(id)) > 0);
		memcpy(last, id, sizeof(id));
	}
	/* 20,000 ids borrow at least four milliseconds of 4,096 and no more than ten of 2,048. */
	CHECK(uuid_time_ms(last) >= noon_ms + 4 && uuid_time_ms(last) <= noon_ms + 10);
}

static void rises_when_the_clock_steps_back(void)
{
	struct uuid_source source = {0};
	uint8_t first[UUID_SIZE], second[UUID_SIZE], third[UUID_SIZE];
	uuid_next(&source, noon_ms, first);
	uuid_next(&source, noon_ms - 60000, second);
	uuid_next(&source, noon_ms + 1, third);
	CHECK_INT(uuid_time_ms(first), noon_ms);
	CHECK_INT(uuid_time_ms(second), noon_ms);
	CHECK_INT(uuid_time_ms(third), noon_ms + 1);
	CHECK(memcmp(first, second, UUID_SIZE) < 0 && memcmp(second, third, UUID_SIZE) < 0);
}

static void two_sources_do_not_meet(void)
{
	struct uuid_source a = {0}, b = {0};
	uint8_t x[UUID_SIZE], y[UUID_SIZE];
	uuid_next(&a, noon_ms, x);
	uuid_next(&b, noon_ms, y);
	CHECK(memcmp(x + 8, y + 8, 8) != 0);
}

static void recognises_version_and_variant(void)
{
	uint8_t id[UUID_SIZE] = {[6] = 0x70, [8] = 0x80};
	CHECK(uuid_is_v7(BYTES(id, 16)));
	CHECK(!uuid_is_v7(BYTES(id, 15)));
	CHECK(!uuid_is_v7(BYTES(NULL, 0)));
	id[6] = 0x40;
	CHECK(!uuid_is_v7(BYTES(id, 16)));
	id[6] = 0x7f;
	id[8] = 0xc0;
	CHECK(!uuid_is_v7(BYTES(id, 16)));
	id[8] = 0x00;
	CHECK(!uuid_is_v7(BYTES(id, 16)));
	id[8] = 0xbf;
	CHECK(uuid_is_v7(BYTES(id, 16)));
}

/* RFC 9562 appendix A.6. */
static void reads_the_example_of_the_standard(void)
{
	uint8_t id[UUID_SIZE];
	char text[UUID_TEXT_SIZE];
	CHECK_INT(uuid_parse("017F22E2-79B0-7CC3-98C4-DC0C0C07398F", id), 0);
	CHECK(uuid_is_v7(BYTES(id, sizeof(id))));
	CHECK_INT(uuid_time_ms(id), 1645557742000);
	uuid_format(id, text);
	CHECK_STR(text, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
}

static void refuses_other_text(void)
{
	static const char *const bad[] = {
		"",
		"017f22e2-79b0-7cc3-98c4-dc0c0c07398",
		"017f22e2-79b0-7cc3-98c4-dc0c0c07398f0",
		"017f22e279b07cc398c4dc0c0c07398f",
		"017f22e2-79b0-7cc3-98c4_dc0c0c07398f",
		"017f22e2-79b0-7cc39-8c4-dc0c0c07398f",
		"g17f22e2-79b0-7cc3-98c4-dc0c0c07398f",
		"{17f22e2-79b0-7cc3-98c4-dc0c0c07398}",
	};
	uint8_t id[UUID_SIZE] = "untouched id...";
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_INT(uuid_parse(bad[i], id), 1);
	CHECK_MEM(id, "untouched id...", UUID_SIZE);
}

CHECK_MAIN(CHECK_CASE(rises_within_a_millisecond), CHECK_CASE(rises_when_the_clock_steps_back),
	CHECK_CASE(two_sources_do_not_meet), CHECK_CASE(recognises_version_and_variant),
	CHECK_CASE(reads_the_example_of_the_standard), CHECK_CASE(refuses_other_text))
