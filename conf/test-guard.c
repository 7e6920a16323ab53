/* SPDX-License-Identifier: EUPL-1.2 */

/* A daemon that must not start does not start, and says why: each danger alone, in files that are good otherwise. */
#include "conf/guard.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/crypto.h"
#include "proto/base/file.h"
#include "proto/identity/keyfile.h"
#include "test/kit/check.h"

static char *in(char buf[512], const char *folder, const char *name)
{
	char path[512];
	CHECK_INT(path_join(path, sizeof(path), check_tmpdir(), folder), 0);
	CHECK_INT(dir_make(path, 0700), 0);
	CHECK_INT(path_join(buf, 512, path, name), 0);
	return buf;
}

static void put(const char *path, mode_t mode)
{
	CHECK_INT(file_replace(path, BYTES_STR("x"), mode), 0);
}

struct paths {
	char config[512], registry[512], policy[512], keys[512], master[512], state[512];
};

static struct config_broker broker(struct paths *p)
{
	CHECK_INT(crypto_init(), 0);
	struct config_broker config = {.bus = "wuppertal.demo",
		.path = in(p->config, "etc", "broker.yaml"),
		.registry = in(p->registry, "trust", "registry.signed"),
		.policy = in(p->policy, "trust", "policy"),
		.keys = in(p->keys, "keys", "bus.secret"),
		.master_key = in(p->master, "master", "master.key"),
		.state = in(p->state, "state", "")};
	put(config.registry, 0644);
	put(config.policy, 0644);
	put(config.keys, 0600);
	put(config.master_key, 0600);
	return config;
}

static void expect(int r, int verdict, const char *why, const char *words)
{
	if (r != verdict || (words && !strstr(why, words)))
		CHECK_FAIL("verdict %d (%s), expected %d with \"%s\"", r, why, verdict,
			words ? words : "");
}

static void demo_buses_need_the_option(void)
{
	struct paths paths;
	struct config_broker config = broker(&paths);
	char why[CONFIG_ERROR_SIZE] = "";
	expect(guard_broker(&config, false, why, sizeof(why)), GUARD_DEMO, why, "--demo");
	expect(guard_broker(&config, true, why, sizeof(why)), 0, why, NULL);
	config.bus = "wuppertal";
	expect(guard_broker(&config, false, why, sizeof(why)), 0, why, NULL);
	expect(guard_broker(&config, true, why, sizeof(why)), GUARD_DEMO, why, "without --demo");
	config.bus = "demo";
	expect(guard_broker(&config, false, why, sizeof(why)), 0, why, NULL);
}

static void secrets_are_private(void)
{
	struct paths paths;
	struct config_broker config = broker(&paths);
	char why[CONFIG_ERROR_SIZE] = "";
	CHECK_INT(chmod(config.keys, 0640), 0);
	expect(guard_broker(&config, true, why, sizeof(why)), GUARD_UNSAFE, why, "bus.secret");
	CHECK_INT(chmod(config.keys, 0600), 0);
	CHECK_INT(chmod(config.master_key, 0604), 0);
	expect(guard_broker(&config, true, why, sizeof(why)), GUARD_UNSAFE, why, "master.key");
}

static void files_must_be_there(void)
{
	struct paths paths;
	struct config_broker config = broker(&paths);
	const char *const files[] = {config.registry, config.policy, config.keys, config.master_key};
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		char why[CONFIG_ERROR_SIZE] = "";
		CHECK_INT(unlink(files[i]), 0);
		expect(guard_broker(&config, true, why, sizeof(why)), GUARD_MISSING, why, files[i]);
		put(files[i], 0600);
	}
}

static void state_is_a_folder(void)
{
	struct paths paths;
	struct config_broker config = broker(&paths);
	char why[CONFIG_ERROR_SIZE] = "", nowhere[512];
	const char *state = config.state;
	config.state = config.policy;
	expect(guard_broker(&config, true, why, sizeof(why)), GUARD_STATE, why,
		"is no folder; name one");
	config.state = in(nowhere, "etc", "made-at-start");
	expect(guard_broker(&config, true, why, sizeof(why)), 0, why, NULL);
	if (geteuid() == 0)
		return; /* may write everywhere */
	config.state = state;
	CHECK_INT(chmod(state, 0500), 0);
	expect(guard_broker(&config, true, why, sizeof(why)), GUARD_STATE, why,
		"let this program's account read and write it");
	CHECK_INT(chmod(state, 0700), 0);
}

static void write_root(const char *folder)
{
	struct keyring_secret keys = {.owner = "root1.demo", .count = 1};
	char path[512], dir[512];
	in(path, folder, "x");
	CHECK_INT(path_join(dir, sizeof(dir), check_tmpdir(), folder), 0);
	CHECK_INT(key_generate(KEY_ROOT, BYTES_STR("root1.demo"), &keys.keys[0]), 0);
	CHECK_INT(keyfile_write(dir, "root1", &keys), 0);
	keyring_secret_deinit(&keys);
}

static void remove_root(const char *folder)
{
	char path[512];
	CHECK_INT(unlink(in(path, folder, "root1.secret")), 0);
	CHECK_INT(unlink(in(path, folder, "root1.keys")), 0);
}

static void no_root_secret_within_reach(void)
{
	static const char *const folders[] = {"etc", "trust", "keys", "master", "state"};
	struct paths paths;
	struct config_broker config = broker(&paths);
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		char why[CONFIG_ERROR_SIZE] = "";
		write_root(folders[i]);
		expect(guard_broker(&config, true, why, sizeof(why)), GUARD_ROOT_SECRET, why,
			"root1.secret");
		remove_root(folders[i]);
		expect(guard_broker(&config, true, why, sizeof(why)), 0, why, NULL);
	}
	write_root("elsewhere");
	char why[CONFIG_ERROR_SIZE] = "";
	expect(guard_broker(&config, true, why, sizeof(why)), 0, why, NULL);
}

static void adapters_keep_the_same_rules(void)
{
	struct paths paths;
	struct config_broker b = broker(&paths);
	const char *const keys[] = {b.keys, b.master_key};
	struct config_adapter config = {.bus = b.bus,
		.path = b.path,
		.registry = b.registry,
		.policy = b.policy,
		.state = b.state,
		.keys = {.items = keys, .count = 2}};
	char why[CONFIG_ERROR_SIZE] = "";
	expect(guard_adapter(&config, false, why, sizeof(why)), GUARD_DEMO, why, "--demo");
	expect(guard_adapter(&config, true, why, sizeof(why)), 0, why, NULL);
	write_root("master");
	expect(guard_adapter(&config, true, why, sizeof(why)), GUARD_ROOT_SECRET, why,
		"master/root1");
	remove_root("master");
	CHECK_INT(chmod(keys[1], 0666), 0);
	expect(guard_adapter(&config, true, why, sizeof(why)), GUARD_UNSAFE, why, keys[1]);
	CHECK_INT(unlink(keys[1]), 0);
	expect(guard_adapter(&config, true, why, sizeof(why)), GUARD_MISSING, why, keys[1]);
}

CHECK_MAIN(CHECK_CASE(demo_buses_need_the_option), CHECK_CASE(secrets_are_private),
	CHECK_CASE(files_must_be_there), CHECK_CASE(state_is_a_folder),
	CHECK_CASE(no_root_secret_within_reach), CHECK_CASE(adapters_keep_the_same_rules))
