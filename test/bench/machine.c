/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Two limits bind this design: signature checks by CPU and commits by the disk's flush. Everything the
 * bench prints stands beside them.
 */
#include "test/bench/machine.h"

#include <stdio.h>

#include "proto/base/clock.h"
#include "proto/base/crypto.h"
#include "proto/base/db.h"
#include "proto/base/file.h"
#include "test/kit/check.h"

static double seconds_since(uint64_t start_ns)
{
	return (double)(clock_mono_ns(clock_system()) - start_ns) / 1e9;
}

static double verifies(double seconds)
{
	uint8_t seed[SIGN_SEED_SIZE], pub[SIGN_PUBLIC_SIZE], secret[SIGN_SECRET_SIZE];
	uint8_t sig[SIGNATURE_SIZE], msg[64] = {1};
	uint64_t count = 0, start = clock_mono_ns(clock_system());

	random_fill(seed, sizeof(seed));
	ed25519_from_seed(seed, pub, secret);
	ed25519_sign(BYTES(msg, sizeof(msg)), secret, sig);
	while (seconds_since(start) < seconds) {
		for (int i = 0; i < 64; i++)
			CHECK_INT(ed25519_verify(BYTES(msg, sizeof(msg)), pub, sig), 0);
		count += 64;
	}
	return (double)count / seconds_since(start);
}

static double commits(const char *dir, const char *name, size_t batch, double seconds)
{
	char path[512];
	uint8_t value[1024], key[8];
	uint64_t next = 0, start;
	db_table_id table;
	struct db_txn *txn;
	_cleanup_(db_env_close) struct db_env *env = NULL;
	struct db_options options = {
		.map_bytes = 4ull << 30, .tables_max = 1, .readers_max = 8, .mode = 0600};

	CHECK_INT(path_join(path, sizeof(path), dir, name), 0);
	CHECK_INT(dir_make(path, 0700), 0);
	CHECK_INT(db_env_open(path, &options, &env), 0);
	CHECK_INT(db_begin(env, true, &txn), 0);
	CHECK_INT(db_table_open(txn, "t", &table), 0);
	CHECK_INT(db_commit(txn), 0);
	random_fill(value, sizeof(value));
	start = clock_mono_ns(clock_system());
	while (seconds_since(start) < seconds) {
		CHECK_INT(db_begin(env, true, &txn), 0);
		for (size_t i = 0; i < batch; i++) {
			be64_put(key, next++);
			CHECK_INT(db_append(txn, table, BYTES(key, 8), BYTES(value, sizeof(value))),
				0);
		}
		CHECK_INT(db_commit(txn), 0);
	}
	return (double)next / seconds_since(start);
}

void machine_measure(struct machine *ret, const char *dir, double seconds)
{
	ret->verifies_per_s = verifies(seconds);
	ret->commits_per_s = commits(dir, "limit-1", 1, seconds);
	ret->messages_per_s_256 = commits(dir, "limit-256", 256, seconds);
}
