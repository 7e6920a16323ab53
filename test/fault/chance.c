/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A failure at a random moment is worth little when nobody can repeat it. The moments come from here, so a
 * seed repeats them as far as a machine repeats itself. SplitMix64: one word of state, no bad seeds.
 */
#include "test/fault/chance.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/base/crypto.h"
#include "proto/base/text.h"
#include "test/kit/check.h"

uint64_t chance_setting(const char *name, uint64_t fallback)
{
	const char *text = getenv(name);
	uint64_t value = fallback;

	if (text && text_parse_u64(BYTES_STR(text), &value) != 0)
		CHECK_FAIL("%s=%s is no number", name, text);
	return value;
}

void chance_init(struct chance *chance)
{
	uint32_t seed;

	random_fill(&seed, sizeof(seed));
	chance->state = chance_setting("DIENSTWEG_SEED", seed);
	printf("# seed %llu\n", (unsigned long long)chance->state);
	fflush(stdout);
}

uint32_t chance_below(struct chance *chance, uint32_t limit)
{
	chance->state += UINT64_C(0x9e3779b97f4a7c15);
	uint64_t z = chance->state;
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)((z ^ z >> 31) % limit);
}
