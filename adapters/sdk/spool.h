/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "adapters/sdk/outbox.h"
#include "proto/base/cleanup.h"
#include "proto/base/crypto.h"

/*
 * Files of attachments on their way, in STATE/attachments: `out`, sealed, waiting to be sent until their message is
 * recorded or refused, and then kept as long as that one is (again.h); `in`, arriving, until their message is handed
 * over. All but what was opened is ciphertext; whose it is stands in the outbox, among what is kept, or comes again
 * with the delivery.
 *   out/DIGEST  in/DIGEST  in/DIGEST.NUMBER (opened)  out/sealing (being made)
 */
struct spool;

enum spool_side { SPOOL_OUT, SPOOL_IN };

/**
 * spool_open() - make the folders, and remove what a crash left behind
 * @state:     the state folder
 * @bytes_max: that either side may hold; and as much again may be kept
 * @outbox:    open: what it names in `out` stays, and what is kept in its store
 * @ret:       the spool
 * Return: 0 or negative errno.
 */
int spool_open(const char *state, uint64_t bytes_max, struct outbox *outbox, struct spool **ret);
void spool_free(struct spool *spool); /* takes NULL */
DEFINE_CLEANUP(struct spool *, spool_free);

/**
 * spool_path() - where a file is
 * @spool:  the spool
 * @side:   which
 * @digest: of the ciphertext; NULL: of the one being sealed
 * @number: 0, or of what was opened
 * @buf:    the path
 * Return: 0 or -ENAMETOOLONG.
 */
int spool_path(const struct spool *spool, enum spool_side side, const uint8_t *digest,
	uint64_t number, char buf[PATH_MAX]);

/* May so many bytes come on top? A first file always may. */
bool spool_has_room(const struct spool *spool, uint64_t bytes);

/* What was sealed is complete: it gets its name, durably. 0 or negative errno. */
int spool_keep(struct spool *spool, const uint8_t digest[HASH_SIZE], uint64_t bytes);

/**
 * spool_drop() - nobody needs it any more
 * @spool:  the spool
 * @side:   where
 * @digest: which
 * @bytes:  SPOOL_OUT: its size
 */
void spool_drop(struct spool *spool, enum spool_side side, const uint8_t *digest, uint64_t bytes);
uint64_t spool_bytes(const struct spool *spool); /* waiting to be sent */

enum spool_fate {
	SPOOL_DROP,   /* it waited to be sent, and nobody needs it any more */
	SPOOL_RETAIN, /* it was sent, and is kept */
	SPOOL_RETURN, /* it was kept, and is to be sent again */
	SPOOL_FORGET, /* it was kept, and nobody needs it any more */
};

/**
 * spool_message() - what becomes of a message's attachments; nothing, when it has none
 * @spool:  the spool
 * @header: of a message that we wrote
 * @fate:   of each of them
 *
 * Files stay where they are, so whatever the store forgets in a crash, they fit to it.
 *
 * Return: 0 or negative errno.
 */
int spool_message(struct spool *spool, struct bytes header, enum spool_fate fate);
bool spool_keeps_too_much(const struct spool *spool);
