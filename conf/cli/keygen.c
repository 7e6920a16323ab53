/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Keys are made where they will be used and never travel: what leaves the machine is NAME.keys. A file
 * that is already there is somebody's only key, so nothing is ever overwritten.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/cli/cli.h"
#include "proto/base/crypto.h"
#include "proto/base/file.h"
#include "proto/base/text.h"
#include "proto/identity/keyfile.h"

static const char help[] =
	"usage: dienstweg keygen party|bus|root NAME --out DIR\n"
	"       dienstweg keygen master NAME --out DIR\n"
	"\n"
	"Makes keys in DIR (made when absent) and overwrites nothing.\n"
	"\n"
	"  party   to sign, to seal and to connect: NAME.secret stays with the party, NAME.keys "
	"goes to the\n"
	"          registrar\n"
	"  bus     of the broker, to sign its log and to be connected to; NAME is the id of the "
	"bus\n"
	"  root    to sign registries; keep NAME.secret on an offline medium\n"
	"  master  the key over the broker's keyring: NAME.key, 32 secret bytes; keep a copy apart "
	"from the\n"
	"          broker's backups, because without it the journal's records cannot be read\n"
	"\n"
	"NAME is 1 to 63 of a-z 0-9 . - and, except for master, the name that the registry uses.\n";

struct kind {
	const char *name;
	const enum key_use *uses;
	size_t count;
	const char *next; /* where the public half goes */
};

static const enum key_use party_uses[] = {KEY_SIGN, KEY_SEAL, KEY_TRANSPORT};
static const enum key_use bus_uses[] = {KEY_LOG, KEY_TRANSPORT};
static const enum key_use root_uses[] = {KEY_ROOT};
static const struct kind kinds[] = {
	{"party", party_uses, ARRAY_LEN(party_uses), "for the registrar"},
	{"bus", bus_uses, ARRAY_LEN(bus_uses), "for the registrar"},
	{"root", root_uses, ARRAY_LEN(root_uses), "for the registrar and for every policy"},
};

static int say_failure(int r, const char *dir, const char *name)
{
	if (r == -EEXIST)
		return cli_fail(CLI_FAILED,
			"%s/%s: there are keys of this name already; nothing was overwritten", dir,
			name);
	return cli_fail(CLI_FAILED, "%s/%s: %s", dir, name, strerrordesc_np(-r));
}

static int make_keys(const struct kind *kind, const char *name, const char *dir)
{
	_cleanup_(keyring_secret_deinit) struct keyring_secret keys = {0};
	snprintf(keys.owner, sizeof(keys.owner), "%s", name);
	for (; keys.count < kind->count; keys.count++) {
		int r = key_generate(
			kind->uses[keys.count], BYTES_STR(name), &keys.keys[keys.count]);
		if (r < 0)
			return say_failure(r, dir, name);
	}
	int r = keyfile_write(dir, name, &keys);
	if (r < 0)
		return say_failure(r, dir, name);
	printf("%s/%s.secret: keep it secret\n%s/%s.keys: %s\n", dir, name, dir, name, kind->next);
	return cli_flush(CLI_DONE);
}

static int write_master(const char *path)
{
	_cleanup_(secret_free) uint8_t *key = secret_alloc(AEAD_KEY_SIZE);
	if (!key)
		return -ENOMEM;
	random_fill(key, AEAD_KEY_SIZE);
	_cleanup_(fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	ssize_t n = write(fd, key, AEAD_KEY_SIZE);
	if (n == AEAD_KEY_SIZE && fsync(fd) == 0)
		return 0;
	int r = n < 0 || n == AEAD_KEY_SIZE ? -errno : -ENOSPC;
	unlink(path);
	return r;
}

static int make_master(const char *name, const char *dir)
{
	char path[4096], file[80];
	snprintf(file, sizeof(file), "%s.key", name);
	int r = path_join(path, sizeof(path), dir, file);
	if (r == 0)
		r = write_master(path);
	if (r == 0)
		r = dir_sync(dir);
	if (r < 0)
		return say_failure(r, dir, file);
	printf("%s: keep it secret, and a copy apart from the backups\n", path);
	return cli_flush(CLI_DONE);
}

int keygen_run(int argc, char **argv)
{
	const char *dir = NULL, *items[2];
	struct cli_list words = {.items = items, .max = 2};
	const struct cli_option options[] = {{"--out", .value = &dir}};
	const struct cli_verb verb = {"keygen", help, options, ARRAY_LEN(options), &words};
	int code;
	if (!cli_parse(&verb, argc, argv, &code))
		return code;
	if (words.count < 2 || !dir)
		return cli_usage(
			&verb, "needs party, bus, root or master, then a name, and --out DIR");
	const char *name = items[1];
	if (!text_is_name(BYTES_STR(name)))
		return cli_usage(&verb, "%s is no name: use 1 to 63 of a-z 0-9 . -", name);
	int r = dir_make(dir, 0700);
	if (r < 0)
		return cli_fail(CLI_FAILED, "%s: %s", dir, strerrordesc_np(-r));
	if (strcmp(items[0], "master") == 0)
		return make_master(name, dir);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(items[0], kinds[i].name) == 0)
			return make_keys(&kinds[i], name, dir);
	return cli_usage(&verb, "%s is none of party, bus, root, master", items[0]);
}
