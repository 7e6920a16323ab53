/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/journal/keyring.h"

/* What sealing a row needs of the keyring; inside this folder only. */

/**
 * keyring_find() - copy a key out
 * @keyring: any thread
 * @class:   retention class
 * @label:   of the key
 * @ret:     the key; wipe it after use
 * Return: 0 or KEYRING_MISSING.
 */
int keyring_find(struct keyring *keyring, uint8_t class, uint32_t label, uint8_t ret[AEAD_KEY_SIZE]);

/**
 * keyring_find_to_seal() - the newest key of a day, with a fresh random nonce
 * @keyring:   any thread
 * @class:     retention class
 * @erase_day: day number
 * @ret_label: of the key
 * @ret:       the key; wipe it after use
 * @ret_nonce: the nonce
 * Return: 0 or KEYRING_MISSING.
 */
int keyring_find_to_seal(struct keyring *keyring, uint8_t class, uint32_t erase_day,
	uint32_t *ret_label, uint8_t ret[AEAD_KEY_SIZE], uint8_t ret_nonce[AEAD_NONCE_SIZE]);
