/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/bytes.h"
#include "proto/base/cleanup.h"
#include "proto/base/crypto.h"

/*
 * Keys that seal rows at rest, one per (retention class, erase-day) (design section 10). The keyring file
 * is sealed under the master key, replaced atomically, and lies beside the journal, never inside it, so
 * that destroying a key erases rows in backups too. Keys are made KEYRING_AHEAD_DAYS ahead and fsynced
 * before first use. Class 0 is permanent: its rows are not sealed.
 *
 * A sealed value: u8 1 || u32be erase-day || nonce (24) || XChaCha20-Poly1305 with
 * AAD = table name || u64be sequence || u16be chunk || u8 class || u32be erase-day. A clear one: u8 0 || bytes.
 */
enum {
	KEYRING_MISSING = 1, /* no key for that class and day: erased, or a foreign keyring */
	KEYRING_BROKEN = 2,  /* does not open: wrong master key, tampered file or row */
	KEYRING_AHEAD_DAYS = 32,
	ROW_SEAL_OVERHEAD = 1 + 4 + 24 + 16,
};

struct keyring;

/**
 * keyring_open() - read, or create with @create, the keyring
 * @dir:         folder that holds "keyring"; made when absent and @create
 * @master_path: 32-byte master key file (0600)
 * @create:      broker: true; readers: false
 * @ret:         the keyring; keys live in secret memory
 * Return: 0, KEYRING_BROKEN, negative errno.
 */
int keyring_open(const char *dir, const char *master_path, bool create, struct keyring **ret);
void keyring_free(struct keyring *keyring);
DEFINE_CLEANUP(struct keyring *, keyring_free);

/* Ages of a class; from the registry. */
struct keyring_class {
	uint8_t number;
	uint32_t content_days;
	uint32_t record_days;
};

/**
 * keyring_ensure() - make every key needed from today to KEYRING_AHEAD_DAYS ahead; durable on return
 * @keyring: broker's; journal thread (before the day's first batch), readers only read
 * @today:   day number
 * @classes: from the registry
 * @count:   how many
 * Return: 0 or negative errno. Cheap when nothing is missing.
 */
int keyring_ensure(
	struct keyring *keyring, uint32_t today, const struct keyring_class *classes, size_t count);

/* Read the file again (a reader of another process after a day change). Return: as keyring_open(). */
int keyring_reload(struct keyring *keyring);

/* What a sealed row is bound to. */
struct row_place {
	const char *table; /* "record" or "content" */
	uint64_t sequence;
	uint16_t chunk;
	uint8_t class;
};

/**
 * row_seal() - seal one value; any thread (keys are immutable once made; a lock guards the index)
 * @keyring:   keys
 * @place:     where it will stand
 * @erase_day: ignored for class 0
 * @plain:     the value
 * @out:       plain.len + ROW_SEAL_OVERHEAD bytes
 * @ret_len:   bytes written
 * Return: 0, KEYRING_MISSING.
 */
int row_seal(struct keyring *keyring, const struct row_place *place, uint32_t erase_day,
	struct bytes plain, uint8_t *out, size_t *ret_len);

/**
 * row_open() - open one value
 * @keyring: keys; may be NULL: then only clear rows open
 * @place:   where it stands
 * @sealed:  the value
 * @out:     sealed.len bytes of room
 * @ret_len: plain length
 * Return: 0, KEYRING_MISSING, KEYRING_BROKEN.
 */
int row_open(struct keyring *keyring, const struct row_place *place, struct bytes sealed,
	uint8_t *out, size_t *ret_len);
