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
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/file.h"

#define KEYRING_MAGIC "dienstweg-keyring 0\n"

enum {
	MAGIC_SIZE = sizeof(KEYRING_MAGIC) - 1,
	KEY_BYTES = 1 + 4 + AEAD_KEY_SIZE, /* class, erase-day, key: as they stand in the file */
	KEYRING_BYTES_MAX = 4 << 20,
	NONCE_POOL = 85, /* of 24 bytes: a little under 2 KiB */
};

struct keyring_key {
	uint32_t erase_day;
	uint8_t class;
	uint8_t key[AEAD_KEY_SIZE];
};

struct keyring {
	char path[4096];
	pthread_mutex_t lock;     /* over everything below */
	uint8_t *master;          /* secret memory */
	struct keyring_key *keys; /* secret memory; sorted by class, then day */
	size_t count;
	uint8_t nonces[NONCE_POOL][AEAD_NONCE_SIZE];
	size_t nonces_left;
};

/* ---- the file ---- */

static int read_master(const char *path, uint8_t **ret)
{
	_cleanup_(heap_free) uint8_t *data = NULL;
	size_t len = 0;
	int r = file_check_private(path);
	if (r)
		return r < 0 ? r : -EACCES;
	r = file_read(path, AEAD_KEY_SIZE, &data, &len);
	if (r < 0)
		return r;
	if (r > 0 || len != AEAD_KEY_SIZE) {
		if (data)
			secret_wipe(data, len);
		return KEYRING_BROKEN;
	}
	uint8_t *master = secret_alloc(AEAD_KEY_SIZE);
	if (master)
		memcpy(master, data, AEAD_KEY_SIZE);
	secret_wipe(data, len);
	*ret = master;
	return master ? 0 : -ENOMEM;
}

static void key_encode(const struct keyring_key *key, uint8_t buf[KEY_BYTES])
{
	buf[0] = key->class;
	be32_put(buf + 1, key->erase_day);
	memcpy(buf + 5, key->key, AEAD_KEY_SIZE);
}

static void key_decode(const uint8_t buf[KEY_BYTES], struct keyring_key *key)
{
	key->class = buf[0];
	key->erase_day = be32_get(buf + 1);
	memcpy(key->key, buf + 5, AEAD_KEY_SIZE);
}

static int key_compare(const struct keyring_key *a, uint8_t class, uint32_t erase_day)
{
	if (a->class != class)
		return a->class < class ? -1 : 1;
	return (a->erase_day > erase_day) - (a->erase_day < erase_day);
}

static int keys_write(const struct keyring *keyring, const struct keyring_key *keys, size_t count)
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
		BYTES(KEYRING_MAGIC, MAGIC_SIZE), nonce, keyring->master);
	return file_replace(keyring->path, BYTES(file, len), 0600);
}

static bool keys_in_order(const struct keyring_key *keys, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (key_compare(&keys[i - 1], keys[i].class, keys[i].erase_day) >= 0)
			return false;
	return true;
}

static int keys_open(const struct keyring *keyring, struct bytes file, struct keyring_key **ret,
	size_t *ret_count)
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
		    BYTES(KEYRING_MAGIC, MAGIC_SIZE), file.data + MAGIC_SIZE, keyring->master))
		return KEYRING_BROKEN;
	for (size_t i = 0; i < count; i++)
		key_decode(plain + i * KEY_BYTES, &keys[i]);
	if (plain_len % KEY_BYTES != 0 || !keys_in_order(keys, count))
		return KEYRING_BROKEN;
	*ret = steal(&keys);
	*ret_count = count;
	return 0;
}

static int keys_read(const struct keyring *keyring, struct keyring_key **ret, size_t *ret_count)
{
	_cleanup_(heap_free) uint8_t *file = NULL;
	size_t len = 0;
	int r = file_check_private(keyring->path);
	if (r)
		return r < 0 ? r : -EACCES;
	r = file_read(keyring->path, KEYRING_BYTES_MAX, &file, &len);
	if (r)
		return r < 0 ? r : KEYRING_BROKEN;
	return keys_open(keyring, BYTES(file, len), ret, ret_count);
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

int keyring_reload(struct keyring *keyring)
{
	struct keyring_key *keys = NULL;
	size_t count = 0;
	int r = keys_read(keyring, &keys, &count);
	if (r == 0)
		keys_swap(keyring, keys, count);
	return r;
}

int keyring_open(const char *dir, const char *master_path, bool create, struct keyring **ret)
{
	_cleanup_(keyring_free) struct keyring *keyring = calloc(1, sizeof(*keyring));
	if (!keyring)
		return -ENOMEM;
	pthread_mutex_init(&keyring->lock, NULL);
	int r = path_join(keyring->path, sizeof(keyring->path), dir, "keyring");
	if (r == 0)
		r = read_master(master_path, &keyring->master);
	if (r == 0 && create)
		r = dir_make(dir, 0700);
	if (r == 0)
		r = keyring_reload(keyring);
	if (r == -ENOENT && create && keyring->master) {
		r = keys_write(keyring, NULL, 0);
		if (r == 0)
			r = keyring_reload(keyring);
	}
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
	const struct keyring_key *keys, size_t count, uint8_t class, uint32_t erase_day)
{
	size_t low = 0, high = count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (key_compare(&keys[middle], class, erase_day) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool keys_has(const struct keyring_key *keys, size_t count, uint8_t class, uint32_t erase_day)
{
	size_t at = keys_search(keys, count, class, erase_day);
	return at < count && key_compare(&keys[at], class, erase_day) == 0;
}

/* One key more; @keys has room. */
static void keys_insert(struct keyring_key *keys, size_t *count, uint8_t class, uint32_t erase_day)
{
	size_t at = keys_search(keys, *count, class, erase_day);
	if (at < *count && key_compare(&keys[at], class, erase_day) == 0)
		return;
	memmove(&keys[at + 1], &keys[at], (*count - at) * sizeof(*keys));
	keys[at].class = class;
	keys[at].erase_day = erase_day;
	random_fill(keys[at].key, AEAD_KEY_SIZE);
	++*count;
}

/* Only the journal thread changes keys, so it may read them without the lock. */
static bool keyring_complete(const struct keyring *keyring, uint32_t today,
	const struct keyring_class *classes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (uint32_t day = today; day <= today + KEYRING_AHEAD_DAYS; day++)
			if (!keys_has(keyring->keys, keyring->count, classes[i].number,
				    day + classes[i].content_days) ||
				!keys_has(keyring->keys, keyring->count, classes[i].number,
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
			keys_insert(keys, &filled, classes[i].number, day + classes[i].content_days);
			keys_insert(keys, &filled, classes[i].number, day + classes[i].record_days);
		}
	}
	int r = keys_write(keyring, keys, filled);
	if (r == 0)
		keys_swap(keyring, steal(&keys), filled);
	return r;
}

/* Under the lock. */
static int key_copy(const struct keyring *keyring, uint8_t class, uint32_t erase_day,
	uint8_t ret[AEAD_KEY_SIZE])
{
	size_t at = keys_search(keyring->keys, keyring->count, class, erase_day);
	if (at == keyring->count || key_compare(&keyring->keys[at], class, erase_day) != 0)
		return KEYRING_MISSING;
	memcpy(ret, keyring->keys[at].key, AEAD_KEY_SIZE);
	return 0;
}

int keyring_find(
	struct keyring *keyring, uint8_t class, uint32_t erase_day, uint8_t ret[AEAD_KEY_SIZE])
{
	pthread_mutex_lock(&keyring->lock);
	int r = key_copy(keyring, class, erase_day, ret);
	pthread_mutex_unlock(&keyring->lock);
	return r;
}

int keyring_find_to_seal(struct keyring *keyring, uint8_t class, uint32_t erase_day,
	uint8_t ret[AEAD_KEY_SIZE], uint8_t ret_nonce[AEAD_NONCE_SIZE])
{
	pthread_mutex_lock(&keyring->lock);
	int r = key_copy(keyring, class, erase_day, ret);
	if (keyring->nonces_left == 0) {
		random_fill(keyring->nonces, sizeof(keyring->nonces));
		keyring->nonces_left = NONCE_POOL;
	}
	memcpy(ret_nonce, keyring->nonces[--keyring->nonces_left], AEAD_NONCE_SIZE);
	pthread_mutex_unlock(&keyring->lock);
	return r;
}
