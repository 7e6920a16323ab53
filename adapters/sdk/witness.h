/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "adapters/sdk/client.h"
#include "adapters/sdk/store.h"
#include "adapters/sdk/trust.h"

/*
 * The duty of a witness (design section 9): to cosign what the broker names, about once a second, when it is
 * proven to be consistent with everything that this adapter ever saw. The largest tree that was cosigned is on
 * disk before the signature exists, so that no restart makes it sign a smaller or another one.
 */
enum { WITNESS_INVALID = 1 /* reterr tells: key file, remedy */ };

struct witness;

struct witness_options {
	const struct config_adapter *config; /* `witness` is set */
	struct store *store;
	struct trust *trust;
	const struct clock *clock;
};

/**
 * witness_open() - read the key, remember what was cosigned
 * @options: everything is borrowed
 * @ret:     the witness
 * @reterr:  a sentence
 * @size:    of @reterr
 * Return: 0, WITNESS_INVALID, negative errno (@reterr is set as well).
 */
int witness_open(
	const struct witness_options *options, struct witness **ret, char *reterr, size_t size);
void witness_free(struct witness *witness); /* wipes; takes NULL */
DEFINE_CLEANUP(struct witness *, witness_free);

/**
 * witness_check() - is there a witness key of this party?
 * @config: `witness` is set
 * @reterr: a sentence
 * @size:   of @reterr
 * Return: 0, WITNESS_INVALID, negative errno (@reterr is set as well).
 */
int witness_check(const struct config_adapter *config, char *reterr, size_t size);

/* Another registry is in force, which may list another one of our keys. */
void witness_new_registry(struct witness *witness);

/**
 * witness_candidate() - the broker asks for a cosignature
 * @witness: the witness
 * @frame:   untrusted
 * Return: 0, TRUST_ALARM, TRUST_UNKNOWN, negative errno.
 */
int witness_candidate(struct witness *witness, const Dienstweg__Candidate *frame);

/* Before the turn's commit: note what will be cosigned after it. 0 or negative errno. */
int witness_save(struct witness *witness);

/**
 * witness_flush() - after the commit: cosign what was noted, at most once a second
 * @witness: the witness
 * @client:  ready
 * Return: 0 or negative errno.
 */
int witness_flush(struct witness *witness, struct client *client);

uint64_t witness_size(const struct witness *witness); /* largest tree cosigned, 0: none */
