/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "adapters/sdk/outbox.h"
#include "proto/base/cleanup.h"
#include "proto/base/crypto.h"

/*
 * Files of attachments on their way, in STATE/attachments: `out`, sealed and waiting to be sent, until their
 * message is recorded or refused; `in`, arriving, until their message is handed over. All but what was opened
 * is ciphertext; whose it is stands in the outbox, or comes again with the delivery.
 *   out/DIGEST  in/DIGEST  in/DIGEST.NUMBER (opened)  out/sealing (being made)
 */
struct spool;

enum spool_side { SPOOL_OUT, SPOOL_IN };

/**
 * spool_open() - make the folders, and remove what a crash left behind
 * @state:     the state folder
 * @bytes_max: that either side may hold
 * @outbox:    open: what it names in `out` stays
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
uint64_t spool_bytes(const struct spool *spool); /* in `out` */
