/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A witness that signs two trees of which neither extends the other has betrayed everybody who counted on the
 * quorum, whatever the reason. So the order is: prove, write down, make durable, sign. A crash between the
 * last two costs a signature that was promised to nobody; the broker asks again.
 */
#include "adapters/sdk/witness.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/base/log.h"
#include "proto/identity/keyfile.h"
#include "proto/note/cosignature.h"

enum { PACE_MS = 1000 };
#define STORE_NAME BYTES_STR("checkpoint cosigned")

struct witness {
	struct witness_options options;
	struct keyring_secret keys;
	const struct key_secret *secret; /* in keys */
	struct note_key key;
	struct head cosigned; /* on disk, or in this turn's transaction */
	bool asked;           /* for the candidate that trust holds aside */
	bool due;             /* `cosigned` is to be signed and sent */
	uint64_t sent_ns;     /* 0: never */
};

/* ---- opening ---- */

static int key_read(struct witness *witness, char *reterr, size_t size)
{
	const struct config_adapter *config = witness->options.config;
	char why[512] = "";
	int r = keyfile_read_secret(config->witness, &witness->keys, why, sizeof(why));
	if (r) {
		snprintf(reterr, size, "witness: key file %s: %s", config->witness,
			why[0] ? why : strerrordesc_np(-r));
		return r > 0 ? WITNESS_INVALID : r;
	}
	witness->secret = keyring_secret_find(&witness->keys, KEY_WITNESS);
	if (witness->secret && strcmp(witness->keys.owner, config->party) == 0)
		return 0;
	snprintf(reterr,
		size, "witness: key file %s %s: make one with dienstweg keygen, use witness, for party %s",
		config->witness,
		witness->secret ? "belongs to somebody else" : "holds no witness key",
		config->party);
	return WITNESS_INVALID;
}

static bool is_listed(const struct policy *policy, const struct note_key *key)
{
	for (size_t i = 0; i < policy->witnesses_count; i++)
		if (strcmp(policy->witnesses[i].name, key->name) == 0 &&
			memcmp(policy->witnesses[i].public, key->public, SIGN_PUBLIC_SIZE) == 0)
			return true;
	return false;
}

/* The one that the registry lists: a new key is in the file before the registry has it. */
void witness_new_registry(struct witness *witness)
{
	struct policy policy;
	struct bytes name = BYTES_STR(witness->options.config->party);
	registry_witnesses(trust_registry(witness->options.trust), &policy);
	for (size_t i = 0; i < witness->keys.count; i++) {
		const struct key_secret *secret = witness->keys.keys[i];
		struct note_key key;
		if (secret->pub.use != KEY_WITNESS ||
			note_key_init_witness(&key, name, secret->pub.public) ||
			!is_listed(&policy, &key))
			continue;
		witness->secret = secret;
		witness->key = key;
		return;
	}
	log_warn("witness",
		"the registry does not list this witness key: nobody will ask for cosignatures "
		"before the registrar has entered it",
		F_STR("witness", witness->key.name));
}

static int cosigned_load(struct witness *witness, char *reterr, size_t size)
{
	struct bytes note;
	int r = store_get(witness->options.store, STORE_META, STORE_NAME, &note);
	if (r == 0)
		r = head_restore(&witness->cosigned, note);
	else if (r == STORE_NOT_FOUND)
		r = 0;
	if (r == 0)
		r = store_commit(witness->options.store);
	if (r)
		snprintf(reterr, size, "the cosigned checkpoint in the store: %s",
			strerrordesc_np(-r));
	return r;
}

int witness_check(const struct config_adapter *config, char *reterr, size_t size)
{
	struct witness witness = {.options = {.config = config}};
	int r = key_read(&witness, reterr, size);
	keyring_secret_deinit(&witness.keys);
	return r;
}

int witness_open(
	const struct witness_options *options, struct witness **ret, char *reterr, size_t size)
{
	_cleanup_(witness_free) struct witness *witness = calloc(1, sizeof(*witness));
	if (!witness)
		return -ENOMEM;
	witness->options = *options;
	int r = key_read(witness, reterr, size);
	if (r)
		return r;
	r = note_key_init_witness(
		&witness->key, BYTES_STR(options->config->party), witness->secret->pub.public);
	if (r)
		return -EINVAL;
	witness_new_registry(witness);
	r = cosigned_load(witness, reterr, size);
	if (r == 0)
		*ret = steal(&witness);
	return r;
}

void witness_free(struct witness *witness)
{
	if (!witness)
		return;
	keyring_secret_deinit(&witness->keys);
	free(witness);
}

/* ---- duty ---- */

/* A log's own checkpoint is small, and leaves room for our line; another one would end us when we sign it. */
int witness_candidate(struct witness *witness, const Dienstweg__Candidate *frame)
{
	if (frame->checkpoint.len > CHECKPOINT_NOTE_MAX) {
		log_warn("witness", "a candidate is larger than a log's checkpoint, and not signed",
			F_U64("bytes", frame->checkpoint.len));
		return 0;
	}
	witness->asked = true;
	return trust_aside(witness->options.trust, HEADS_CANDIDATE, BYTES_PB(frame->checkpoint));
}

int witness_save(struct witness *witness)
{
	const struct head *candidate = trust_linked(witness->options.trust, HEADS_CANDIDATE);
	if (!witness->asked || !candidate)
		return 0;
	witness->asked = false;
	uint64_t size = candidate->checkpoint.size, before = witness->cosigned.checkpoint.size;
	/* Under another origin it is another log: trust has seen how the two hang together. */
	if (witness->cosigned.set &&
		!trust_is_current(witness->options.trust, &witness->cosigned.checkpoint))
		witness->cosigned.set = false;
	if (witness->cosigned.set && size < before)
		return 0; /* the larger one says all that this would */
	if (witness->cosigned.set && size == before &&
		memcmp(&witness->cosigned.checkpoint.root, &candidate->checkpoint.root,
			HASH_SIZE) != 0)
		return trust_alarm(witness->options.trust,
			"The log forked: this witness cosigned another tree of the same size.",
			head_note(candidate), head_note(&witness->cosigned));
	witness->due = true;
	if (witness->cosigned.set && size == before)
		return 0;
	witness->cosigned = *candidate;
	return store_put(witness->options.store, STORE_META, STORE_NAME, head_note(candidate));
}

/* The log's note with our line under it. */
static int note_cosign(const struct witness *witness, uint8_t *buf, size_t *ret_len)
{
	uint8_t line[COSIGNATURE_LINE_MAX];
	struct bytes note = head_note(&witness->cosigned);
	const uint8_t *end = memmem(note.data, note.len, "\n\n", 2);
	if (!end)
		return -EBADMSG;
	uint64_t now_s = clock_wall_ms(witness->options.clock) / 1000;
	size_t len = cosignature_sign(BYTES(note.data, end - note.data + 1), now_s, &witness->key,
		witness->secret->ed25519, line);
	return cosignature_add(note, BYTES(line, len), buf, ret_len) == 0 ? 0 : -EMSGSIZE;
}

int witness_flush(struct witness *witness, struct client *client)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Cosign cosign = DIENSTWEG__COSIGN__INIT;
	uint8_t note[COSIGNED_NOTE_MAX];
	uint64_t now_ns = clock_mono_ns(witness->options.clock);
	if (!witness->due ||
		(witness->sent_ns && now_ns - witness->sent_ns < PACE_MS * UINT64_C(1000000)))
		return 0;
	int r = note_cosign(witness, note, &cosign.note.len);
	if (r)
		return r;
	cosign.note.data = note;
	frame.body_case = DIENSTWEG__FRAME__BODY_COSIGN;
	frame.cosign = &cosign;
	r = client_send(client, &frame);
	if (r == 0) {
		witness->due = false;
		witness->sent_ns = now_ns;
	}
	return r < 0 ? r : 0;
}

uint64_t witness_size(const struct witness *witness)
{
	return witness->cosigned.checkpoint.size;
}
