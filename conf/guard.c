/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * These are the mistakes of a hurried evening: the demonstration left running as if it were the city's
 * bus, the root key copied along with the rest, a key file restored with the wrong mode. Each is found
 * before anything is opened, and said in a sentence that ends in what to do.
 */
#include "conf/guard.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/file.h"
#include "proto/identity/keyfile.h"

struct guard {
	char *reterr;
	size_t size;
};

static _printf_(3, 4) int refuse(const struct guard *guard, int verdict, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(guard->reterr, guard->size, format, args);
	va_end(args);
	return verdict;
}

static int check_demo(const struct guard *guard, const char *path, const char *bus, bool demo)
{
	static const char suffix[] = ".demo";
	size_t len = strlen(bus), end = sizeof(suffix) - 1;
	bool is_demo = len >= end && strcmp(bus + len - end, suffix) == 0;
	if (demo == is_demo)
		return 0;
	if (demo)
		return refuse(guard, GUARD_DEMO,
			"%s: bus: %s is no demonstration; start without --demo", path, bus);
	return refuse(guard, GUARD_DEMO,
		"%s: bus: %s is a demonstration, whose keys protect nothing; start with --demo, or "
		"name a "
		"real bus",
		path, bus);
}

/* ---- root secrets ---- */

static int check_folder(const struct guard *guard, const char *folder)
{
	char found[4096];
	if (!keyfile_root_secret_in(folder, found, sizeof(found)))
		return 0;
	return refuse(guard, GUARD_ROOT_SECRET,
		"%s: a root secret is readable here; whoever takes this machine could sign a "
		"registry: "
		"move it to an offline medium, then delete it",
		found);
}

/* The folder that a file lies in. */
static int check_beside(const struct guard *guard, const char *path)
{
	char folder[4096];
	const char *slash = strrchr(path, '/');
	int len = !slash ? 0 : slash == path ? 1 : (int)(slash - path);
	int n = slash ? snprintf(folder, sizeof(folder), "%.*s", len, path)
		      : snprintf(folder, sizeof(folder), ".");
	if (n < 0 || (size_t)n >= sizeof(folder))
		return -ENAMETOOLONG;
	return check_folder(guard, folder);
}

static int check_beside_all(const struct guard *guard, const char *const *paths, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int r = check_beside(guard, paths[i]);
		if (r)
			return r;
	}
	return 0;
}

/* ---- files ---- */

static int check_secret(const struct guard *guard, const char *path, const char *remedy)
{
	int r = file_check_private(path);
	if (r == -ENOENT)
		return refuse(guard, GUARD_MISSING, "%s: is not there; %s", path, remedy);
	if (r < 0)
		return refuse(guard, r, "%s: %s", path, strerrordesc_np(-r));
	if (r)
		return refuse(guard,
			GUARD_UNSAFE, "%s: others may read this secret; chmod 600 it, and replace it if somebody did",
			path);
	return 0;
}

static int check_readable(const struct guard *guard, const char *path, const char *remedy)
{
	if (access(path, R_OK) == 0)
		return 0;
	if (errno == ENOENT || errno == ENOTDIR)
		return refuse(guard, GUARD_MISSING, "%s: is not there; %s", path, remedy);
	int r = -errno;
	return refuse(guard, r, "%s: %s", path, strerrordesc_np(-r));
}

static int check_trust(const struct guard *guard, const char *registry, const char *policy)
{
	int r = check_readable(guard, registry, "fetch the signed registry of the bus");
	return r ? r
		 : check_readable(guard, policy,
			   "fetch the bus's policy, and compare it with a paper copy");
}

/* One that is not there yet is made at start. */
static int check_state(const struct guard *guard, const char *path, const char *state)
{
	struct stat found;
	if (stat(state, &found) != 0 && errno == ENOENT)
		return 0;
	if (access(state, F_OK) == 0 && !S_ISDIR(found.st_mode))
		return refuse(
			guard, GUARD_STATE, "%s: state: %s is no folder; name one", path, state);
	if (access(state, R_OK | W_OK | X_OK) != 0)
		return refuse(guard, GUARD_STATE,
			"%s: state: %s: %s; let this program's account read and write it", path,
			state, strerrordesc_np(errno));
	return 0;
}

int guard_broker(const struct config_broker *config, bool demo, char *reterr, size_t size)
{
	struct guard guard = {.reterr = reterr, .size = size};
	const char *const beside[] = {
		config->path, config->registry, config->policy, config->keys, config->master_key};
	int r = check_demo(&guard, config->path, config->bus, demo);
	if (r == 0)
		r = check_beside_all(&guard, beside, ARRAY_LEN(beside));
	if (r == 0)
		r = check_state(&guard, config->path, config->state);
	if (r == 0)
		r = check_folder(&guard, config->state);
	if (r == 0)
		r = check_secret(&guard, config->keys, "make it with dienstweg keygen bus");
	if (r == 0)
		r = check_secret(&guard, config->master_key, "make it with dienstweg keygen master");
	return r ? r : check_trust(&guard, config->registry, config->policy);
}

int guard_adapter(const struct config_adapter *config, bool demo, char *reterr, size_t size)
{
	struct guard guard = {.reterr = reterr, .size = size};
	const char *const beside[] = {config->path, config->registry, config->policy};
	int r = check_demo(&guard, config->path, config->bus, demo);
	if (r == 0)
		r = check_beside_all(&guard, beside, ARRAY_LEN(beside));
	if (r == 0)
		r = check_beside_all(&guard, config->keys.items, config->keys.count);
	if (r == 0)
		r = check_state(&guard, config->path, config->state);
	if (r == 0)
		r = check_folder(&guard, config->state);
	for (size_t i = 0; r == 0 && i < config->keys.count; i++)
		r = check_secret(
			&guard, config->keys.items[i], "make it with dienstweg keygen party");
	return r ? r : check_trust(&guard, config->registry, config->policy);
}
