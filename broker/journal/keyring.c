/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * One file, always replaced whole: a keyring is some hundred kilobytes at most (16 classes, two years of
 * days), is written once a day, and a file of which only the old or the new bytes can be on disk needs no
 * recovery. Keys are copied out under a lock rather than lent: a day change moves the array.
 *
 * Nonces come from a pool, because libsodium asks the kernel once per call and that would be two
 * system calls per message. They are not secret; a process that forks must not seal on both sides.
 */
#include "broker/journal/keyring-use.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/journal/keyring-master.h"
#include "proto/base/file.h"

#define KEYRING_MAGIC "dienstweg-keyring 0\n"

enum {
	MAGIC_SIZE = sizeof(KEYRING_MAGIC) - 1,
	KEY_BYTES = 1 + 4 + AEAD_KEY_SIZE, /* class, label, key: as they stand in the file */
	KEYRING_BYTES_MAX = 4 << 20,
	NONCE_POOL = 85, /* of 24 bytes: a little under 2 KiB */
};

struct keyring_key {
	uint32_t label;
	uint8_t class;
	uint8_t key[AEAD_KEY_SIZE];
};

struct keyring {
	char path[4096];
	struct master_file master_file;
	bool writer;
	pthread_mutex_t lock;     /* over everything below */
	uint8_t *master;          /* secret memory; the writer's thread */
	struct keyring_key *keys; /* secret memory; sorted by class, day, generation */
	size_t count;
	uint8_t nonces[NONCE_POOL][AEAD_NONCE_SIZE];
	size_t nonces_left;
};

/* ---- the file ---- */

static void key_encode(const struct keyring_key *key, uint8_t buf[KEY_BYTES])
{
	buf[0] = key->class;
	be32_put(buf + 1, key->label);
	memcpy(buf + 5, key->key, AEAD_KEY_SIZE);
}

static void key_decode(const uint8_t buf[KEY_BYTES], struct keyring_key *key)
{
	key->class = buf[0];
	key->label = be32_get(buf + 1);
	memcpy(key->key, buf + 5, AEAD_KEY_SIZE);
}

/* Labels in the order of their days, and of generations within a day. */
static uint32_t label_order(uint32_t label)
{
	return label_day(label) << 12 | label_generation(label);
}

static int key_compare(const struct keyring_key *a, uint8_t class, uint32_t label)
{
	if (a->class != class)
		return a->class < class ? -1 : 1;
	uint32_t mine = label_order(a->label), other = label_order(label);
	return (mine > other) - (mine < other);
}

static int keys_write(const struct keyring *keyring, const uint8_t *master,
	const struct keyring_key *keys, size_t count)
{
	size_t plain_len = count * KEY_BYTES;
	size_t len = MAGIC_SIZE + AEAD_NONCE_SIZE + plain_len + AEAD_TAG_SIZE;
	_cleanup_(secret_free) uint8_t *plain = secret_alloc(plain_len + 1);
	_cleanup_(heap_free) uint8_t *file = malloc(len);
	if (!plain || !file)
		return -ENOMEM;
	if (len > KEYRING_BYTES_MAX)
		return -EFBIG;
	for (size_t i = 0; i < count; i++)
		key_encode(&keys[i], plain + i * KEY_BYTES);
	memcpy(file, KEYRING_MAGIC, MAGIC_SIZE);
	uint8_t *nonce = file + MAGIC_SIZE;
	random_fill(nonce, AEAD_NONCE_SIZE);
	aead_seal(nonce + AEAD_NONCE_SIZE, BYTES(plain, plain_len),
		BYTES(KEYRING_MAGIC, MAGIC_SIZE), nonce, master);
	return file_replace(keyring->path, BYTES(file, len), 0600);
}

static bool keys_in_order(const struct keyring_key *keys, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (key_compare(&keys[i - 1], keys[i].class, keys[i].label) >= 0)
			return false;
	return true;
}

static int keys_open(
	const uint8_t *master, struct bytes file, struct keyring_key **ret, size_t *ret_count)
{
	size_t front = MAGIC_SIZE + AEAD_NONCE_SIZE;
	if (file.len < front + AEAD_TAG_SIZE || memcmp(file.data, KEYRING_MAGIC, MAGIC_SIZE) != 0)
		return KEYRING_BROKEN;
	size_t plain_len = file.len - front - AEAD_TAG_SIZE;
	size_t count = plain_len / KEY_BYTES;
	_cleanup_(secret_free) uint8_t *plain = secret_alloc(plain_len + 1);
	_cleanup_(secret_free) struct keyring_key *keys = secret_alloc((count + 1) * sizeof(*keys));
	if (!plain || !keys)
		return -ENOMEM;
	if (aead_open(plain, BYTES(file.data + front, file.len - front),
		    BYTES(KEYRING_MAGIC, MAGIC_SIZE), file.data + MAGIC_SIZE, master))
		return KEYRING_BROKEN;
	for (size_t i = 0; i < count; i++)
		key_decode(plain + i * KEY_BYTES, &keys[i]);
	if (plain_len % KEY_BYTES != 0 || !keys_in_order(keys, count))
		return KEYRING_BROKEN;
	*ret = steal(&keys);
	*ret_count = count;
	return 0;
}

static int keys_read(const struct keyring *keyring, const uint8_t *master, struct keyring_key **ret,
	size_t *ret_count)
{
	_cleanup_(heap_free) uint8_t *file = NULL;
	size_t len = 0;
	int r = file_check_private(keyring->path);
	if (r)
		return r < 0 ? r : -EACCES;
	r = file_read(keyring->path, KEYRING_BYTES_MAX, &file, &len);
	if (r)
		return r < 0 ? r : KEYRING_BROKEN;
	return keys_open(master, BYTES(file, len), ret, ret_count);
}

static void keys_swap(struct keyring *keyring, struct keyring_key *keys, size_t count)
{
	pthread_mutex_lock(&keyring->lock);
	struct keyring_key *old = keyring->keys;
	keyring->keys = keys;
	keyring->count = count;
	pthread_mutex_unlock(&keyring->lock);
	secret_free(old);
}

/* Under the master key in force, or under the one beside it. */
static int load_under(struct keyring *keyring, bool next)
{
	_cleanup_(secret_free) uint8_t *master = NULL;
	struct keyring_key *keys = NULL;
	size_t count = 0;
	int r = master_file_read(&keyring->master_file, next, &master);
	if (r == 0)
		r = keys_read(keyring, master, &keys, &count);
	if (r == -ENOENT && master && keyring->writer) {
		r = keys_write(keyring, master, NULL, 0);
		if (r == 0)
			r = keys_read(keyring, master, &keys, &count);
	}
	if (r)
		return r;
	keys_swap(keyring, keys, count);
	secret_free(keyring->master);
	keyring->master = steal(&master);
	return 0;
}

int keyring_reload(struct keyring *keyring)
{
	int r = load_under(keyring, false);
	if (r == 0)
		return keyring->writer ? master_file_drop(&keyring->master_file) : 0;
	if (r != KEYRING_BROKEN)
		return r;
	r = load_under(keyring, true);
	if (r == 0)
		return keyring->writer ? master_file_adopt(&keyring->master_file) : 0;
	/* A reader may have looked for it in the moment in which it took its place. */
	return r == -ENOENT || r == KEYRING_BROKEN ? load_under(keyring, false) : r;
}

/* What a power loss left of a replacement: a keyring, sealed, that nobody will need. */
static int sweep(const char *dir)
{
	DIR *entries = opendir(dir);
	if (!entries)
		return -errno;
	const struct dirent *entry;
	int r = 0;
	while (r == 0 && (entry = readdir(entries)) != NULL)
		if (strncmp(entry->d_name, ".tmp-", 5) == 0 &&
			unlinkat(dirfd(entries), entry->d_name, 0) < 0)
			r = -errno;
	closedir(entries);
	return r;
}

int keyring_open(const char *dir, const char *master_path, bool create, struct keyring **ret)
{
	_cleanup_(keyring_free) struct keyring *keyring = calloc(1, sizeof(*keyring));
	if (!keyring)
		return -ENOMEM;
	pthread_mutex_init(&keyring->lock, NULL);
	keyring->writer = create;
	int r = path_join(keyring->path, sizeof(keyring->path), dir, "keyring");
	if (r == 0)
		r = master_file_init(&keyring->master_file, master_path);
	if (r == 0 && create)
		r = dir_make(dir, 0700);
	if (r == 0 && create)
		r = sweep(dir);
	if (r == 0)
		r = keyring_reload(keyring);
	if (r == 0)
		*ret = steal(&keyring);
	return r;
}

void keyring_free(struct keyring *keyring)
{
	if (!keyring)
		return;
	secret_free(keyring->keys);
	secret_free(keyring->master);
	pthread_mutex_destroy(&keyring->lock);
	free(keyring);
}

/* ---- keys ---- */

/* Index of the key, or of the first one behind it. */
static size_t keys_search(
	const struct keyring_key *keys, size_t count, uint8_t class, uint32_t label)
{
	size_t low = 0, high = count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (key_compare(&keys[middle], class, label) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool keys_has(const struct keyring_key *keys, size_t count, uint8_t class, uint32_t label)
{
	size_t at = keys_search(keys, count, class, label);
	return at < count && key_compare(&keys[at], class, label) == 0;
}

/* The newest key of a day; NULL: there is none. */
static const struct keyring_key *keys_newest(
	const struct keyring_key *keys, size_t count, uint8_t class, uint32_t erase_day)
{
	size_t behind = keys_search(keys, count, class, label_make(erase_day, LABEL_GENERATION_MAX));
	/* The last generation of all would be found itself. */
	if (behind < count && keys[behind].class == class &&
		label_day(keys[behind].label) == erase_day)
		return &keys[behind];
	if (behind == 0 || keys[behind - 1].class != class ||
		label_day(keys[behind - 1].label) != erase_day)
		return NULL;
	return &keys[behind - 1];
}

/* One key more; @keys has room. */
static void keys_insert(struct keyring_key *keys, size_t *count, uint8_t class, uint32_t label)
{
	size_t at = keys_search(keys, *count, class, label);
	if (at < *count && key_compare(&keys[at], class, label) == 0)
		return;
	memmove(&keys[at + 1], &keys[at], (*count - at) * sizeof(*keys));
	keys[at].class = class;
	keys[at].label = label;
	random_fill(keys[at].key, AEAD_KEY_SIZE);
	++*count;
}

/* The first key of a day, when it has none of any generation. */
static void keys_need(struct keyring_key *keys, size_t *count, uint8_t class, uint32_t erase_day)
{
	if (!keys_newest(keys, *count, class, erase_day))
		keys_insert(keys, count, class, label_make(erase_day, 0));
}

/* Only the journal thread changes keys, so it may read them without the lock. */
static bool keyring_complete(const struct keyring *keyring, uint32_t today,
	const struct keyring_class *classes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (uint32_t day = today; day <= today + KEYRING_AHEAD_DAYS; day++)
			if (!keys_newest(keyring->keys, keyring->count, classes[i].number,
				    day + classes[i].content_days) ||
				!keys_newest(keyring->keys, keyring->count, classes[i].number,
					day + classes[i].record_days))
				return false;
	return true;
}

int keyring_ensure(
	struct keyring *keyring, uint32_t today, const struct keyring_class *classes, size_t count)
{
	if (keyring_complete(keyring, today, classes, count))
		return 0;
	size_t most = keyring->count + count * 2 * (KEYRING_AHEAD_DAYS + 1);
	_cleanup_(secret_free) struct keyring_key *keys = secret_alloc(most * sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	size_t filled = keyring->count;
	memcpy(keys, keyring->keys, filled * sizeof(*keys));
	for (size_t i = 0; i < count; i++) {
		assert(classes[i].number > 0);
		for (uint32_t day = today; day <= today + KEYRING_AHEAD_DAYS; day++) {
			keys_need(keys, &filled, classes[i].number, day + classes[i].content_days);
			keys_need(keys, &filled, classes[i].number, day + classes[i].record_days);
		}
	}
	int r = keys_write(keyring, keyring->master, keys, filled);
	if (r == 0)
		keys_swap(keyring, steal(&keys), filled);
	return r;
}

int keyring_add(struct keyring *keyring, const struct keyring_key_name *names, size_t count)
{
	size_t missing = 0, filled = keyring->count;
	for (size_t i = 0; i < count; i++)
		missing += !keys_has(keyring->keys, filled, names[i].class, names[i].label);
	if (missing == 0)
		return 0;
	_cleanup_(secret_free) struct keyring_key *keys = secret_alloc(
		(filled + missing) * sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	memcpy(keys, keyring->keys, filled * sizeof(*keys));
	for (size_t i = 0; i < count; i++) {
		assert(names[i].class > 0);
		keys_insert(keys, &filled, names[i].class, names[i].label);
	}
	int r = keys_write(keyring, keyring->master, keys, filled);
	if (r == 0)
		keys_swap(keyring, steal(&keys), filled);
	return r;
}

/* ---- destroying ---- */

bool keyring_any(const struct keyring *keyring,
	bool (*which)(void *context, uint8_t class, uint32_t label), void *context)
{
	for (size_t i = 0; i < keyring->count; i++)
		if (which(context, keyring->keys[i].class, keyring->keys[i].label))
			return true;
	return false;
}

static void tell(const struct keyring_doom *doom, enum keyring_step step)
{
	if (doom->step)
		doom->step(doom->context, step);
}

/* The order of these steps is what keyring-master.c explains. */
static int replace_all(struct keyring *keyring, const struct keyring_doom *doom,
	const struct keyring_key *keys, size_t count, bool *ret_renewed)
{
	_cleanup_(secret_free) uint8_t *master = secret_alloc(AEAD_KEY_SIZE);
	_cleanup_(fd_close) int old = open(keyring->path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (!master)
		return -ENOMEM;
	random_fill(master, AEAD_KEY_SIZE);
	int r = master_file_put_next(&keyring->master_file, master);
	*ret_renewed = r == 0;
	if (r < 0)
		return r;
	if (r == MASTER_FIXED)
		memcpy(master, keyring->master, AEAD_KEY_SIZE);
	tell(doom, KEYRING_STEP_NEXT);
	r = keys_write(keyring, master, keys, count);
	if (r)
		return r;
	file_wipe(old);
	tell(doom, KEYRING_STEP_REPLACED);
	if (*ret_renewed)
		r = master_file_adopt(&keyring->master_file);
	if (r)
		return r;
	tell(doom, KEYRING_STEP_ADOPTED);
	secret_free(keyring->master);
	keyring->master = steal(&master);
	return 0;
}

int keyring_destroy(struct keyring *keyring, const struct keyring_doom *doom, size_t *ret_count,
	bool *ret_renewed)
{
	_cleanup_(secret_free) struct keyring_key *keys = secret_alloc(
		(keyring->count + 1) * sizeof(*keys));
	size_t left = 0;
	if (!keys)
		return -ENOMEM;
	for (size_t i = 0; i < keyring->count; i++)
		if (!doom->doomed(doom->context, keyring->keys[i].class, keyring->keys[i].label))
			keys[left++] = keyring->keys[i];
	*ret_count = keyring->count - left;
	*ret_renewed = false;
	if (*ret_count == 0)
		return 0;
	int r = replace_all(keyring, doom, keys, left, ret_renewed);
	if (r == 0)
		keys_swap(keyring, steal(&keys), left);
	return r;
}

/* ---- looking up ---- */

int keyring_find(struct keyring *keyring, uint8_t class, uint32_t label, uint8_t ret[AEAD_KEY_SIZE])
{
	pthread_mutex_lock(&keyring->lock);
	size_t at = keys_search(keyring->keys, keyring->count, class, label);
	bool found = at < keyring->count && key_compare(&keyring->keys[at], class, label) == 0;
	if (found)
		memcpy(ret, keyring->keys[at].key, AEAD_KEY_SIZE);
	pthread_mutex_unlock(&keyring->lock);
	return found ? 0 : KEYRING_MISSING;
}

int keyring_newest(struct keyring *keyring, uint8_t class, uint32_t erase_day, uint32_t *ret)
{
	pthread_mutex_lock(&keyring->lock);
	const struct keyring_key *key = keys_newest(keyring->keys, keyring->count, class, erase_day);
	if (key)
		*ret = key->label;
	pthread_mutex_unlock(&keyring->lock);
	return key ? 0 : KEYRING_MISSING;
}

int keyring_find_to_seal(struct keyring *keyring, uint8_t class, uint32_t erase_day,
	uint32_t *ret_label, uint8_t ret[AEAD_KEY_SIZE], uint8_t ret_nonce[AEAD_NONCE_SIZE])
{
	pthread_mutex_lock(&keyring->lock);
	const struct keyring_key *key = keys_newest(keyring->keys, keyring->count, class, erase_day);
	if (key) {
		*ret_label = key->label;
		memcpy(ret, key->key, AEAD_KEY_SIZE);
	}
	if (keyring->nonces_left == 0) {
		random_fill(keyring->nonces, sizeof(keyring->nonces));
		keyring->nonces_left = NONCE_POOL;
	}
	memcpy(ret_nonce, keyring->nonces[--keyring->nonces_left], AEAD_NONCE_SIZE);
	pthread_mutex_unlock(&keyring->lock);
	return key ? 0 : KEYRING_MISSING;
}
