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
 * A sealed value: u8 1 || u32be label || nonce (24) || XChaCha20-Poly1305 with
 * AAD = table name || u64be sequence || u16be chunk || u8 class || u32be label. A clear one: u8 0 || bytes.
 * The label names the key within its class: generation << 20 | erase-day. A day's key has further
 * generations only when single rows under it had to go before their day: then all others are sealed
 * anew under the next one, and the old key is destroyed.
 */
enum {
	KEYRING_MISSING = 1, /* no key for that class and day: erased, or a foreign keyring */
	KEYRING_BROKEN = 2,  /* does not open: wrong master key, tampered file or row */
	KEYRING_AHEAD_DAYS = 32,
	KEYRING_COPY_DAYS = 7, /* so long a copy of the keyring may live */
	ROW_SEAL_OVERHEAD = 1 + 4 + 24 + 16,
	LABEL_DAY_MAX = 0xfffff,
	LABEL_GENERATION_MAX = 0xfff,
};

static inline uint32_t label_day(uint32_t label)
{
	return label & LABEL_DAY_MAX;
}
static inline uint32_t label_generation(uint32_t label)
{
	return label >> 20;
}
static inline uint32_t label_make(uint32_t day, uint32_t generation)
{
	return generation << 20 | day;
}

struct keyring;

/**
 * keyring_open() - read, or create with @create, the keyring; with it, an exchange of master keys that was
 *                  interrupted is finished
 * @dir:         folder that holds "keyring"; made when absent and @create
 * @master_path: 32-byte master key file (0600), or one below $CREDENTIALS_DIRECTORY
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

/* Read the files again (a reader of another process after a day change). Return: as keyring_open(). */
int keyring_reload(struct keyring *keyring);

/* A key by its name. */
struct keyring_key_name {
	uint8_t class;
	uint32_t label;
};

/**
 * keyring_newest() - the label under which rows of a class and erase-day are sealed now
 * @keyring:   any thread
 * @class:     retention class
 * @erase_day: day number
 * @ret:       the label
 * Return: 0 or KEYRING_MISSING.
 */
int keyring_newest(struct keyring *keyring, uint8_t class, uint32_t erase_day, uint32_t *ret);

/**
 * keyring_add() - make keys that are not there yet; durable on return
 * @keyring: broker's; journal thread
 * @names:   which
 * @count:   how many
 * Return: 0 or negative errno.
 */
int keyring_add(struct keyring *keyring, const struct keyring_key_name *names, size_t count);

/* Is there a key for which @which says so? The journal thread. */
bool keyring_any(const struct keyring *keyring,
	bool (*which)(void *context, uint8_t class, uint32_t label), void *context);

/* After which step of keyring_destroy() something is told. */
enum keyring_step {
	KEYRING_STEP_NEXT = 1, /* the new master key lies beside the old one */
	KEYRING_STEP_REPLACED, /* the keyring without the keys is in place, sealed under the new one */
	KEYRING_STEP_ADOPTED, /* the old master key is gone */
};

/* Which keys go, and who is told how far it is. */
struct keyring_doom {
	bool (*doomed)(void *context, uint8_t class, uint32_t label);
	void (*step)(void *context, enum keyring_step step); /* may be NULL */
	void *context;
};

/**
 * keyring_destroy() - rewrite the keyring without some keys, under a fresh master key
 * @keyring:     broker's; journal thread
 * @doom:        which
 * @ret_count:   keys that were destroyed; 0: nothing was written
 * @ret_renewed: was the master key exchanged? Not when its folder cannot be written by us (a credential):
 *               then older copies of the keyring still open with it
 * Return: 0 or negative errno: then the next keyring_open() finds the one state or the other.
 */
int keyring_destroy(struct keyring *keyring, const struct keyring_doom *doom, size_t *ret_count,
	bool *ret_renewed);

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
 * @erase_day: ignored for class 0; its newest key is taken
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

/**
 * row_label() - under which key a value is sealed
 * @value: as it stands in its table
 * @ret:   the label
 * Return: 0, or 1 when it is not sealed.
 */
int row_label(struct bytes value, uint32_t *ret);

/**
 * row_index_key() - the key under which an index keeps what it knows of rows that are sealed under another one
 * @keyring: keys; any thread
 * @class:   of the rows
 * @label:   of their key
 * @ret:     follows from that key, and is gone with it; wipe it after use
 * Return: 0 or KEYRING_MISSING.
 */
int row_index_key(struct keyring *keyring, uint8_t class, uint32_t label, uint8_t ret[HASH_SIZE]);
