/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * An operator has a configuration, an auditor has a copy of a folder, and both should have to type as
 * little as can be said without guessing. So what is not named is looked for in one place and no other,
 * and a complaint says which option would have named it.
 */
#include "broker/admin/folders.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/file.h"

static const char *join(struct folders *folders, size_t slot, const char *dir, const char *name)
{
	return path_join(folders->buf[slot], sizeof(folders->buf[slot]), dir, name) == 0
		       ? folders->buf[slot]
		       : NULL;
}

static bool exists(const char *path)
{
	return path && access(path, F_OK) == 0;
}

/* A configuration that lies in the state folder, as after a demonstration. */
static void find_config(struct folders *folders)
{
	static const char *const names[] = {"broker.yaml", "etc/broker.yaml"};
	for (size_t i = 0; i < ARRAY_LEN(names) && !folders->config; i++) {
		const char *path = join(folders, 0, folders->state, names[i]);
		if (exists(path))
			folders->config = path;
	}
	if (folders->config) /* it says itself where the state is */
		folders->state = NULL;
}

static int read_config(struct folders *folders)
{
	char error[CONFIG_ERROR_SIZE];
	int r = config_broker_read(folders->config, &folders->broker, error, sizeof(error));
	if (r)
		return cli_fail(CLI_FAILED, "%s", error);
	const struct config_broker *broker = folders->broker;
	/* A state folder named beside it is another one: its keys and socket are its own. */
	if (!folders->state) {
		folders->state = broker->state;
		snprintf(folders->socket, sizeof(folders->socket), "%s", broker->admin_socket);
	}
	if (!folders->master_key)
		folders->master_key = broker->master_key;
	if (!folders->policy)
		folders->policy = broker->policy;
	return 0;
}

static void complete_from_state(struct folders *folders)
{
	if (!folders->journal)
		folders->journal = join(folders, 1, folders->state, "journal");
	if (!folders->keyring)
		folders->keyring = join(folders, 2, folders->state, "keyring");
	if (!folders->index)
		folders->index = join(folders, 3, folders->state, "case-index");
	if (!folders->policy && exists(join(folders, 4, folders->state, "policy")))
		folders->policy = folders->buf[4];
	if (!folders->socket[0] && path_join(folders->socket, sizeof(folders->socket),
					   folders->state, "admin.sock") != 0)
		folders->socket[0] = '\0';
}

/* A running broker's lie beside its journal, a backup's in it. Of a journal on its own there may be none at hand. */
static void blobs_find(struct folders *folders)
{
	if (exists(join(folders, 6, folders->journal, "blobs")) ||
		exists(join(folders, 6, folders->journal, "../blobs")) || folders->state)
		folders->blobs = folders->buf[6];
}

int folders_find(struct folders *folders, const struct cli_verb *verb, unsigned int needs)
{
	if (folders->state && !folders->config)
		find_config(folders);
	if (folders->config) {
		int r = read_config(folders);
		if (r)
			return r;
	}
	if (folders->state)
		complete_from_state(folders);
	if (!folders->journal)
		return cli_usage(
			verb, "where is the journal? --config, --state or --journal tells");
	blobs_find(folders);
	if (!folders->index) {
		char beside[4096];
		snprintf(beside, sizeof(beside), "%s/..", folders->journal);
		folders->index = join(folders, 3, beside, "case-index");
	}
	if (needs & FOLDERS_KEYS && (!folders->keyring || !folders->master_key))
		return cli_usage(verb,
			"records are sealed: --config tells where the keys are, or --keyring and "
			"--master-key do");
	if (needs & FOLDERS_POLICY && !folders->policy)
		return cli_usage(verb,
			"whose signatures count? --policy names the file that pins the roots");
	return 0;
}

void folders_deinit(struct folders *folders)
{
	config_broker_free(steal(&folders->broker));
}

int folders_open(const struct folders *folders, struct audit *ret)
{
	char error[CONFIG_ERROR_SIZE] = "";
	struct audit_paths paths = {
		.journal = folders->journal,
		.keyring = folders->keyring,
		.master_key = folders->master_key,
		.policy = folders->policy,
		.archive = folders->archive,
		.blobs = folders->blobs,
	};
	int r = audit_open(&paths, ret, error, sizeof(error));
	return r ? cli_fail(CLI_FAILED, "%s", error) : 0;
}
