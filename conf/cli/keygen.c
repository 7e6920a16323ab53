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
	"usage: dienstweg keygen party|bus|root|witness NAME --out DIR\n"
	"       dienstweg keygen party|bus|witness NAME --out DIR --add USE\n"
	"       dienstweg keygen party|bus|witness NAME --out DIR --remove ID\n"
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
	"  witness to cosign checkpoints, NAME being the party's: NAME.witness.secret and .keys\n"
	"  master  the key over the broker's keyring: NAME.key, 32 secret bytes; keep a copy apart "
	"from the\n"
	"          broker's backups, because without it the journal's records cannot be read\n"
	"\n"
	"  --add USE    exchange of a key: a further one for sign, seal, transport or log, in both "
	"files "
	"of NAME;\n"
	"               the old one stays until the registry has retired it\n"
	"  --remove ID  destroy the secret of a key that is retired; ID is enough of its "
	"beginning. "
	"Keep a seal\n"
	"               key until what was sealed for it has been opened\n"
	"\n"
	"NAME is 1 to 63 of a-z 0-9 . - and, except for master, the name that the registry uses.\n";

struct kind {
	const char *name;
	const char *suffix; /* of the files' names */
	const enum key_use *uses;
	size_t count;
	const char *next; /* where the public half goes */
};

static const enum key_use party_uses[] = {KEY_SIGN, KEY_SEAL, KEY_TRANSPORT};
static const enum key_use bus_uses[] = {KEY_LOG, KEY_TRANSPORT};
static const enum key_use root_uses[] = {KEY_ROOT};
static const enum key_use witness_uses[] = {KEY_WITNESS};
static const struct kind kinds[] = {
	{"party", "", party_uses, ARRAY_LEN(party_uses), "for the registrar"},
	{"bus", "", bus_uses, ARRAY_LEN(bus_uses), "for the registrar"},
	{"root", "", root_uses, ARRAY_LEN(root_uses), "for the registrar and for every policy"},
	{"witness", ".witness", witness_uses, ARRAY_LEN(witness_uses),
		"for the registrar and for every policy"},
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
	char file[80];
	snprintf(file, sizeof(file), "%s%s", name, kind->suffix);
	snprintf(keys.owner, sizeof(keys.owner), "%s", name);
	for (; keys.count < kind->count; keys.count++) {
		int r = key_generate(
			kind->uses[keys.count], BYTES_STR(name), &keys.keys[keys.count]);
		if (r < 0)
			return say_failure(r, dir, name);
	}
	int r = keyfile_write(dir, file, &keys);
	if (r < 0)
		return say_failure(r, dir, file);
	printf("%s/%s.secret: keep it secret\n%s/%s.keys: %s\n", dir, file, dir, file, kind->next);
	return cli_flush(CLI_DONE);
}

/* ---- exchange ---- */

enum { BASE_SIZE = 80 /* of the files' names: owner and suffix */ };

/* Both files of an owner. Return: 0 or an exit code. */
static int read_both(const char *base, const char *name, const char *dir,
	struct keyring_secret *secret, struct keyring_public *public)
{
	char path[4096], file[160], why[512] = "";
	snprintf(file, sizeof(file), "%s.secret", base);
	int r = path_join(path, sizeof(path), dir, file);
	if (r == 0)
		r = keyfile_read_secret(path, secret, why, sizeof(why));
	if (r == 0) {
		snprintf(file, sizeof(file), "%s.keys", base);
		r = path_join(path, sizeof(path), dir, file);
	}
	if (r == 0)
		r = keyfile_read_public(path, public, why, sizeof(why));
	if (r < 0)
		return cli_fail(CLI_FAILED, "%s: %s", path, strerrordesc_np(-r));
	if (r)
		return cli_fail(CLI_FAILED, "%s", why);
	if (strcmp(secret->owner, name) != 0 || strcmp(public->owner, name) != 0)
		return cli_fail(CLI_NEGATIVE, "%s: these are keys of %s, not of %s", path,
			secret->owner, name);
	return 0;
}

static bool fits(const struct kind *kind, enum key_use use)
{
	for (size_t i = 0; i < kind->count; i++)
		if (kind->uses[i] == use)
			return true;
	return false;
}

static int add_key(const struct kind *kind, const char *name, const char *dir, const char *word)
{
	_cleanup_(keyring_secret_deinit) struct keyring_secret secret = {0};
	struct keyring_public public;
	enum key_use use;
	char id[2 * KEY_ID_SIZE + 1], base[BASE_SIZE];
	snprintf(base, sizeof(base), "%s%s", name, kind->suffix);
	if (key_use_parse(BYTES_STR(word), &use) || !fits(kind, use) || use == KEY_ROOT)
		return cli_fail(
			CLI_USAGE, "--add %s: a %s has no such key to exchange", word, kind->name);
	int code = read_both(base, name, dir, &secret, &public);
	if (code)
		return code;
	if (secret.count == KEYFILE_KEYS_MAX || public.count == KEYFILE_KEYS_MAX)
		return cli_fail(CLI_NEGATIVE,
			"%s/%s: %d keys are as many as a file holds; begin a new file", dir, name,
			KEYFILE_KEYS_MAX);
	int r = key_generate(use, BYTES_STR(name), &secret.keys[secret.count]);
	if (r == 0) {
		public.keys[public.count++] = secret.keys[secret.count++]->pub;
		text_hex(BYTES(public.keys[public.count - 1].id, KEY_ID_SIZE), id);
		r = keyfile_exchange(dir, base, &secret, &public);
	}
	if (r < 0)
		return say_failure(r, dir, base);
	printf("%s/%s.secret: a further %s key, %s\n%s/%s.keys: %s\n", dir, base, word, id, dir,
		base, kind->next);
	return cli_flush(CLI_DONE);
}

/* The one key whose id begins so. Return: 0 or an exit code. */
static int find_key(const struct keyring_secret *keys, const char *prefix, size_t *ret,
	char id[2 * KEY_ID_SIZE + 1])
{
	size_t found = 0;
	for (size_t i = 0; i < keys->count; i++) {
		text_hex(BYTES(keys->keys[i]->pub.id, KEY_ID_SIZE), id);
		if (strncmp(id, prefix, strlen(prefix)) != 0)
			continue;
		*ret = i;
		found++;
	}
	if (found != 1)
		return cli_fail(CLI_NEGATIVE, "--remove %s: %s keys of this file have such an id",
			prefix, found ? "several" : "no");
	text_hex(BYTES(keys->keys[*ret]->pub.id, KEY_ID_SIZE), id);
	return 0;
}

static int remove_key(const struct kind *kind, const char *name, const char *dir, const char *prefix)
{
	_cleanup_(keyring_secret_deinit) struct keyring_secret secret = {0};
	struct keyring_public public;
	char id[2 * KEY_ID_SIZE + 1], base[BASE_SIZE];
	snprintf(base, sizeof(base), "%s%s", name, kind->suffix);
	size_t at = 0, same = 0;
	int code = read_both(base, name, dir, &secret, &public);
	if (code == 0)
		code = find_key(&secret, prefix, &at, id);
	if (code)
		return code;
	struct key_secret *key = secret.keys[at];
	for (size_t i = 0; i < secret.count; i++)
		same += secret.keys[i]->pub.use == key->pub.use;
	if (same == 1)
		return cli_fail(CLI_NEGATIVE,
			"%s is the only %s key of %s: add its successor first, with --add %s", id,
			key_use_name(key->pub.use), name, key_use_name(key->pub.use));
	enum key_use use = key->pub.use;
	key_secret_free(key);
	secret.count--;
	memmove(&secret.keys[at], &secret.keys[at + 1],
		(secret.count - at) * sizeof(secret.keys[0]));
	secret.keys[secret.count] = NULL;
	int r = keyfile_exchange(dir, base, &secret, &public);
	if (r < 0)
		return say_failure(r, dir, base);
	printf("%s/%s.secret: without %s key %s; its public half stays in %s.keys\n", dir, base,
		key_use_name(use), id, base);
	return cli_flush(CLI_DONE);
}

static int exchange(const struct kind *kind, const char *name, const char *dir, const char *add,
	const char *remove)
{
	if (kind->uses == root_uses)
		return cli_fail(CLI_USAGE,
			"a root has one key for its life: make another root, and let two old and "
			"two new ones sign the registry that exchanges them");
	return add ? add_key(kind, name, dir, add) : remove_key(kind, name, dir, remove);
}

/* ---- the master key ---- */

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
	const char *dir = NULL, *add = NULL, *remove = NULL, *items[2];
	struct cli_list words = {.items = items, .max = 2};
	const struct cli_option options[] = {
		{"--out", .value = &dir}, {"--add", .value = &add}, {"--remove", .value = &remove}};
	const struct cli_verb verb = {"keygen", help, options, ARRAY_LEN(options), &words};
	int code;
	if (!cli_parse(&verb, argc, argv, &code))
		return code;
	if (words.count < 2 || !dir)
		return cli_usage(&verb,
			"needs party, bus, root, witness or master, then a name, and --out DIR");
	const char *name = items[1];
	if (!text_is_name(BYTES_STR(name)))
		return cli_usage(&verb, "%s is no name: use 1 to 63 of a-z 0-9 . -", name);
	bool exchanges = add || remove;
	if (add && remove)
		return cli_usage(&verb, "--add and --remove are two steps, and the registry comes "
					"between them");
	int r = exchanges ? 0 : dir_make(dir, 0700);
	if (r < 0)
		return cli_fail(CLI_FAILED, "%s: %s", dir, strerrordesc_np(-r));
	if (strcmp(items[0], "master") == 0)
		return exchanges ? cli_usage(&verb, "a master key is not exchanged like this")
				 : make_master(name, dir);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(items[0], kinds[i].name) == 0)
			return exchanges ? exchange(&kinds[i], name, dir, add, remove)
					 : make_keys(&kinds[i], name, dir);
	return cli_usage(&verb, "%s is none of party, bus, root, witness, master", items[0]);
}
