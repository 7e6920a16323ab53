/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The self-test must pass on this machine's library, and fast: it runs at every start.
 */
#include <stdio.h>

#include "broker/transport/selftest.h"
#include "proto/base/clock.h"
#include "test/kit/check.h"

static bool admit_nobody(void *context, const uint8_t key[BOX_KEY_SIZE])
{
	(void)context, (void)key;
	return false;
}

static void the_door_is_shut(void)
{
	struct gate *gate;
	char error[256] = "";
	uint64_t begin = clock_mono_ns(clock_system());
	CHECK_INT(crypto_init(), 0);
	CHECK_INT(gate_new(&(struct gate_admission){admit_nobody, NULL}, &gate), 0);
	int r = selftest_run(gate, error, sizeof(error));
	CHECK_STR(error, "");
	CHECK_INT(r, 0);
	/* The unknown key, the denied one; who speaks no CURVE never asks. */
	CHECK_INT(gate_strangers(gate), 2);
	gate_free(gate);
	uint64_t ms = (clock_mono_ns(clock_system()) - begin) / 1000000u;
	printf("# %llu ms\n", (unsigned long long)ms);
	CHECK(ms < 1000);
}

CHECK_MAIN(CHECK_CASE(the_door_is_shut))
