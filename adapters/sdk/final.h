/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/sdk/client.h"
#include "adapters/sdk/store.h"
#include "adapters/sdk/trust.h"

/*
 * When is a receipt final? Once a checkpoint of its tree or of a larger one carries the cosignatures of the
 * quorum that the pinned policy names, and is proven to be consistent with all that this adapter saw. The newest
 * such checkpoint is kept; a receipt that waits for longer than FINAL_PATIENCE_MS is an alarm: loud, in the log
 * and in status.json, while traffic goes on. Under a policy that asks for no quorum nothing is ever final, and
 * nothing waits.
 */
enum { FINAL_PATIENCE_MS = 10 * 60 * 1000 };

struct final;

struct final_options {
	struct store *store;
	struct trust *trust;
	const struct clock *clock;
};

/**
 * final_open() - remember the newest final checkpoint
 * @options: everything is borrowed
 * @ret:     made
 * @reterr:  a sentence
 * @size:    of @reterr
 * Return: 0 or negative errno (@reterr is set as well).
 */
int final_open(const struct final_options *options, struct final **ret, char *reterr, size_t size);
void final_free(struct final *final); /* takes NULL */
DEFINE_CLEANUP(struct final *, final_free);

/**
 * final_take() - the answer to GetCheckpoint.cosigned
 * @final: made
 * @frame: untrusted
 * Return: 0, TRUST_ALARM, TRUST_UNKNOWN, negative errno.
 */
int final_take(struct final *final, const Dienstweg__CheckpointFrame *frame);

/* Before the turn's commit: put what became final into it. 0 or negative errno. */
int final_save(struct final *final);

/**
 * final_step() - ask for a cosigned checkpoint while receipts wait; tell when they wait too long
 * @final:  made
 * @client: any state
 * Return: 0 or negative errno.
 */
int final_step(struct final *final, struct client *client);

/**
 * final_cross() - the log went on under a new origin: what was final beyond what it kept stays so, apart
 * @final:  made
 * @before: the epoch that is over
 * @kept:   entries of it that the log still has
 * Return: 0 or negative errno.
 */
int final_cross(struct final *final, uint32_t before, uint64_t kept);

bool final_is_asked(const struct final *final); /* does the policy name a quorum? */
uint64_t final_size(const struct final *final); /* receipts up to it are final, 0: none */
uint64_t final_waiting_seconds(const struct final *final); /* how long the oldest receipt waits */

/**
 * final_read() - the same for who looks into a store of another process
 * @store: a reader
 * @ret:   the newest final checkpoint with its cosignatures
 * Return: 0, STORE_NOT_FOUND, negative errno.
 */
int final_read(struct store *store, struct head *ret);
/* The same of an epoch that is over, when it reached beyond what the log kept of it. */
int final_read_before(struct store *store, uint32_t epoch, struct head *ret);
