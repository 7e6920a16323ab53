/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "adapters/sdk/crossing.h"
#include "adapters/sdk/follow.h"
#include "adapters/sdk/rungs.h"
#include "adapters/sdk/trust.h"

/* Trust from inside; between the trust*.c files. */
enum { LOG_KEYS_MAX = 16 };

struct trust {
	struct trust_options options;
	struct follow follow;
	struct heads heads;
	struct rungs rungs;       /* under heads.proven */
	struct epochs epochs;     /* of the log, as it was shown */
	struct crossing crossing; /* into the next one, while `asking` or `crossed` */
	bool crossed;             /* and nobody was told yet */
	struct trust_loss loss;   /* with which the newest epoch began */
	char origin[CHECKPOINT_ORIGIN_MAX + 1];
	struct note_key log_keys[LOG_KEYS_MAX]; /* under that origin */
	size_t log_keys_count;
	uint64_t hello_size;
	uint64_t rested_size;
	struct heads_question question;
	uint64_t asked_at_ns; /* 0: no question open */
	uint64_t not_before_ns;
	uint64_t proven_at_ns; /* last answer */
	size_t unknown_len;    /* a note that no known key signed waits for a newer registry */
	uint8_t unknown[HEAD_NOTE_MAX];
	uint64_t stale_told_ns;
	uint64_t loss_told_ns;
};

/* ---- trust.c ---- */

/* Verify a checkpoint under the origin held: 0, TRUST_ALARM, TRUST_UNKNOWN, negative errno. */
int trust_verify(struct trust *trust, struct bytes note, struct heads_shown *ret);
/* Signed by no key that is known: it is kept, and a newer registry asked for. Return: TRUST_UNKNOWN. */
int trust_unknown(struct trust *trust, struct bytes note);
/* Write the alarm with what it rests on. Return: TRUST_ALARM, negative errno. */
int trust_raise(struct trust *trust, const char *what, struct bytes older, struct bytes newer,
	struct bytes proof);
void trust_keys_take(struct trust *trust); /* log keys out of the registry, under the origin held */
int trust_ask(struct trust *trust, struct client *client); /* trust->question; 0 or negative errno */

/* ---- trust-epoch.c ---- */

/**
 * trust_epoch_welcome() - is this Welcome's checkpoint of another epoch than the one held?
 * @trust:   the trust
 * @welcome: untrusted
 * @ret_done: it was, and has been dealt with
 * Return: 0, TRUST_ALARM, TRUST_UNKNOWN (not known yet: nothing may be sent), negative errno.
 */
int trust_epoch_welcome(struct trust *trust, const Dienstweg__Welcome *welcome, bool *ret_done);
int trust_epoch_proof(struct trust *trust, const Dienstweg__CheckpointFrame *frame);
int trust_epoch_step(struct trust *trust, struct client *client); /* while crossing.asking */
int trust_epochs_load(struct trust *trust); /* at start; 0 or negative errno */
int trust_epochs_save(struct trust *trust); /* with the heads; 0 or negative errno */
