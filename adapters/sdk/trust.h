/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/sdk/client.h"
#include "adapters/sdk/folder.h"
#include "adapters/sdk/heads.h"
#include "adapters/sdk/store.h"
#include "conf/config.h"
#include "proto/base/clock.h"
#include "proto/note/epoch.h"
#include "proto/registry/registry.h"

/*
 * What the adapter believes, and why: roots pinned by a person, a registry signed by them, log keys out of
 * that registry, and one log that only ever grew (design section 9). Every adapter is a witness: it keeps
 * the newest checkpoint that it has proven to extend the one before, and demands such a proof once a
 * second, not per receipt. A fork or a rollback writes STATE/ALARM and ends the adapter for good.
 */
enum {
	TRUST_ALARM = 1, /* ALARM is written: stop */
	TRUST_UNKNOWN = 2, /* signed by no log key of this registry: a newer one was asked for; drop the
			      frame, a new session brings it again */
	TRUST_INVALID = 3, /* trust_open(): reterr tells */
};

struct trust;

struct trust_options {
	const struct config_adapter *config; /* policy, registry, bus */
	struct folder *folder;
	struct store *store;
	const struct clock *clock;
};

/**
 * trust_open() - read policy and registry, remember the newest checkpoint
 * @options: everything is borrowed
 * @ret:     the trust
 * @reterr:  a sentence
 * @size:    of @reterr
 * Return: 0, TRUST_INVALID, negative errno (@reterr is set as well).
 */
int trust_open(const struct trust_options *options, struct trust **ret, char *reterr, size_t size);
void trust_free(struct trust *trust); /* takes NULL */
DEFINE_CLEANUP(struct trust *, trust_free);

const struct registry *trust_registry(const struct trust *trust); /* in force; changes with a frame */
uint64_t trust_proven_size(const struct trust *trust); /* of the newest proven checkpoint, 0: none */

/* The newest checkpoint and the registry's version, for Hello; bytes live until the next call. */
void trust_hello(struct trust *trust, Dienstweg__Hello *hello);
int trust_welcome(struct trust *trust, const Dienstweg__Welcome *welcome); /* 0, TRUST_*, -errno */
void trust_lost(struct trust *trust); /* the session ended: what was asked for is asked again */

/**
 * trust_checkpoint() - check the checkpoint that came with receipts
 * @trust: the trust
 * @note:  untrusted
 * @ret:   signed by the log, under the origin held; not yet proven to extend what was proven
 * Return: 0, TRUST_ALARM, TRUST_UNKNOWN, negative errno.
 */
int trust_checkpoint(struct trust *trust, struct bytes note, struct checkpoint *ret);

/**
 * trust_proof() - take the answer to GetProof
 * @trust: the trust
 * @frame: untrusted; one that was not asked for is ignored
 * Return: 0, TRUST_ALARM, TRUST_UNKNOWN, negative errno.
 */
int trust_proof(struct trust *trust, const Dienstweg__CheckpointFrame *frame);

/**
 * trust_aside() - check a checkpoint that something is to rest on, and have it linked
 * @trust: the trust
 * @which: takes the place of the one before; ignored before the first Welcome
 * @note:  untrusted
 * Return: 0, TRUST_ALARM, TRUST_UNKNOWN, negative errno.
 */
int trust_aside(struct trust *trust, enum heads_aside which, struct bytes note);

/* The one put aside, once it is proven to be consistent with all that was seen; else NULL. */
const struct head *trust_linked(const struct trust *trust, enum heads_aside which);

const struct policy *trust_policy(const struct trust *trust); /* the pinned one */
uint64_t trust_rested_size(
	const struct trust *trust); /* largest tree under which a receipt came, 0: none */

/**
 * trust_want_registry() - something cannot be understood with this registry: ask for a newer one
 * @trust: the trust
 */
void trust_want_registry(struct trust *trust);

/* The broker has a registry of this version: a newer one than ours is asked for. */
void trust_registry_seen(struct trust *trust, uint64_t version);

/* The broker was asked for a registry or a proof while it was at another one: ask again in a second. */
void trust_registry_put_off(struct trust *trust);
void trust_proof_put_off(struct trust *trust);

/**
 * trust_registry_take() - take the answer to GetRegistry
 * @trust:       the trust
 * @frame:       untrusted
 * @ret_adopted: whether a newer one is in force now (and in its file)
 *
 * An older, conflicting or badly signed one is refused: an alarm in the log, the old one stays.
 *
 * Return: 0, TRUST_ALARM, negative errno.
 */
int trust_registry_take(struct trust *trust, const Dienstweg__Registry *frame, bool *ret_adopted);

/**
 * trust_step() - ask for what is due: proofs, a registry; tell when the registry is stale
 * @trust:  the trust
 * @client: any state
 * Return: 0 or negative errno.
 */
int trust_step(struct trust *trust, struct client *client);

/**
 * trust_save() - put the checkpoints into the turn, when they changed
 * @trust: the trust
 * Return: 0 or negative errno.
 */
int trust_save(struct trust *trust);

/**
 * trust_alarm() - the broker did what an honest one cannot do
 * @trust: the trust
 * @what:  a sentence for people
 * @note:  the checkpoint it rests on, or empty
 * @bytes: what else proves it, or empty
 * Return: TRUST_ALARM, or negative errno.
 */
int trust_alarm(struct trust *trust, const char *what, struct bytes note, struct bytes bytes);

/* ---- epochs of the log (trust-epoch.c) ---- */

/* The log went on under a new origin, and this adapter has followed it. */
struct trust_crossed {
	uint32_t before; /* the epoch that was held */
	uint64_t kept;   /* entries of that one which the log still has */
	uint64_t linked; /* of them, those of which it was proven; UINT64_MAX: all that was ever seen */
};

/**
 * trust_crossed() - was a new epoch entered since this was last asked?
 * @trust: the trust
 * @ret:   filled when so
 * Return: true once.
 */
bool trust_crossed(struct trust *trust, struct trust_crossed *ret);

/* With what the newest epoch began: entries that this adapter had seen were lost. */
struct trust_loss {
	uint32_t epoch; /* 0: nothing was lost */
	uint64_t seen, kept;
};
const struct trust_loss *trust_loss(const struct trust *trust);
const struct epochs *trust_epochs(const struct trust *trust);
/* Is a checkpoint of the origin that is held now? */
bool trust_is_current(const struct trust *trust, const struct checkpoint *checkpoint);
void trust_loss_remind(struct trust *trust); /* loud again, once an hour */

/* The epochs for who looks into a store of another process; none: 0 and empty. 0 or negative errno. */
int trust_epochs_read(struct store *store, struct epochs *ret);

bool trust_stale(const struct trust *trust); /* the registry is past its stale-after */
