/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A value says by its first byte whether it is sealed, so that permanent rows need no keyring at all.
 * The AAD binds it to table, sequence, chunk, class and key: a row moved or relabelled to outlive
 * its key does not open.
 */
#include "broker/journal/keyring-use.h"

#include <assert.h>
#include <string.h>

enum {
	ROW_CLEAR = 0,
	ROW_SEALED = 1,
	ROW_FRONT = 1 + 4 + AEAD_NONCE_SIZE,
	TABLE_NAME_MAX = 16,
	ROW_AAD_MAX = TABLE_NAME_MAX + 8 + 2 + 1 + 4,
};

static struct bytes row_aad(const struct row_place *place, uint32_t label, uint8_t buf[ROW_AAD_MAX])
{
	size_t name = strlen(place->table);
	assert(name <= TABLE_NAME_MAX);
	memcpy(buf, place->table, name);
	be64_put(buf + name, place->sequence);
	be16_put(buf + name + 8, place->chunk);
	buf[name + 10] = place->class;
	be32_put(buf + name + 11, label);
	return BYTES(buf, name + 15);
}

int row_seal(struct keyring *keyring, const struct row_place *place, uint32_t erase_day,
	struct bytes plain, uint8_t *out, size_t *ret_len)
{
	uint8_t key[AEAD_KEY_SIZE], aad[ROW_AAD_MAX];
	uint32_t label;
	if (place->class == 0) {
		out[0] = ROW_CLEAR;
		if (plain.len > 0)
			memcpy(out + 1, plain.data, plain.len);
		*ret_len = plain.len + 1;
		return 0;
	}
	int r = keyring_find_to_seal(keyring, place->class, erase_day, &label, key, out + 5);
	if (r)
		return r;
	out[0] = ROW_SEALED;
	be32_put(out + 1, label);
	aead_seal(out + ROW_FRONT, plain, row_aad(place, label, aad), out + 5, key);
	secret_wipe(key, sizeof(key));
	*ret_len = plain.len + ROW_SEAL_OVERHEAD;
	return 0;
}

int row_open(struct keyring *keyring, const struct row_place *place, struct bytes sealed,
	uint8_t *out, size_t *ret_len)
{
	uint8_t key[AEAD_KEY_SIZE], aad[ROW_AAD_MAX];
	if (sealed.len >= 1 && sealed.data[0] == ROW_CLEAR && place->class == 0) {
		memcpy(out, sealed.data + 1, sealed.len - 1);
		*ret_len = sealed.len - 1;
		return 0;
	}
	/* A clear row of a class that is sealed would be a row that somebody put there. */
	if (sealed.len < ROW_SEAL_OVERHEAD || sealed.data[0] != ROW_SEALED || place->class == 0)
		return KEYRING_BROKEN;
	uint32_t label = be32_get(sealed.data + 1);
	if (!keyring || keyring_find(keyring, place->class, label, key))
		return KEYRING_MISSING;
	struct bytes box = BYTES(sealed.data + ROW_FRONT, sealed.len - ROW_FRONT);
	int r = aead_open(out, box, row_aad(place, label, aad), sealed.data + 5, key);
	secret_wipe(key, sizeof(key));
	if (r)
		return KEYRING_BROKEN;
	*ret_len = sealed.len - ROW_SEAL_OVERHEAD;
	return 0;
}

int row_label(struct bytes value, uint32_t *ret)
{
	if (value.len < ROW_SEAL_OVERHEAD || value.data[0] != ROW_SEALED)
		return 1;
	*ret = be32_get(value.data + 1);
	return 0;
}

int row_index_key(struct keyring *keyring, uint8_t class, uint32_t label, uint8_t ret[HASH_SIZE])
{
	static const char domain[] = "dienstweg/v1/case-index";
	uint8_t key[AEAD_KEY_SIZE];
	struct blake2b state;
	if (keyring_find(keyring, class, label, key))
		return KEYRING_MISSING;
	blake2b_init(&state, BYTES(key, sizeof(key)));
	blake2b_add(&state, BYTES((const uint8_t *)domain, sizeof(domain)));
	blake2b_finish(&state, ret);
	secret_wipe(key, sizeof(key));
	secret_wipe(&state, sizeof(state));
	return 0;
}
