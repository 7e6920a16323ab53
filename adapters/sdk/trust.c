/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A checkpoint that no known key signed is no alarm at first: the log key may have been replaced in a
 * registry that we lack. It becomes one when the newest registry does not know the key either. Everything
 * else that contradicts a signed checkpoint is one at once: only the broker can have sent it, and going
 * on would mix what one log proves with what another one does.
 */
#include "adapters/sdk/trusting.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/base/log.h"

enum {
	PROOF_BUSY_MS = 1000,
	PROOF_IDLE_MS = 10000,
	PROOF_PATIENCE_MS = 10000, /* then it is asked for again */
	PROOF_LATER_MS = 1000,
	STALE_TELL_MS = 3600 * 1000,
};

static uint64_t now_ns(const struct trust *trust)
{
	return clock_mono_ns(trust->options.clock);
}

static uint64_t ms_since(const struct trust *trust, uint64_t then_ns)
{
	return (now_ns(trust) - then_ns) / 1000000u;
}

/* ---- alarms ---- */

int trust_raise(struct trust *trust, const char *what, struct bytes older, struct bytes newer,
	struct bytes proof)
{
	struct folder_exhibit exhibits[] = {
		{"older.note", older}, {"newer.note", newer}, {"proof", proof}};
	log_error("trust", "ALARM: the bus's log cannot be trusted, this adapter stops",
		F_STR("what", what), F_STR("state", folder_path(trust->options.folder)));
	int r = folder_alarm(trust->options.folder, what, exhibits, ARRAY_LEN(exhibits));
	return r ? r : TRUST_ALARM;
}

int trust_alarm(struct trust *trust, const char *what, struct bytes note, struct bytes bytes)
{
	return trust_raise(trust, what, head_note(&trust->heads.proven), note, bytes);
}

static const char *clash_text(int verdict)
{
	switch (verdict) {
	case HEADS_FORK:
		return "The log forked: two trees of the same size have different roots";
	case HEADS_ROLLBACK:
		return "The log was rolled back: it is smaller than it was";
	default:
		return "The log forked, or the broker cannot prove that it did not: alarm-proof "
		       "does not "
		       "lead from one checkpoint to the other";
	}
}

static int clash_alarm(struct trust *trust, int verdict, const struct heads_clash *clash)
{
	char text[768];
	snprintf(text, sizeof(text),
		"%s (origin %s). Checkpoint held: size %llu, in alarm-older.note. Checkpoint now "
		"shown: "
		"size %llu, in alarm-newer.note. Both are signed by the log.",
		clash_text(verdict), trust->origin, (unsigned long long)clash->older_size,
		(unsigned long long)clash->newer_size);
	return trust_raise(trust, text, clash->older_note, clash->newer_note, clash->proof);
}

/* ---- checkpoints ---- */

int trust_unknown(struct trust *trust, struct bytes note)
{
	log_warn("trust",
		"a checkpoint is signed by no log key of this registry: asking for a newer one",
		F_U64("registry", registry_version(trust->follow.registry)));
	memcpy(trust->unknown, note.data, note.len);
	trust->unknown_len = note.len;
	follow_want(&trust->follow);
	return TRUST_UNKNOWN;
}

static int other_alarm(struct trust *trust, struct bytes note)
{
	return trust_alarm(trust,
		"The broker sent a checkpoint that is malformed or of another log.", note,
		BYTES(NULL, 0));
}

/* Lines of keys that are not ours count for nothing, so a foreign origin looks like a foreign key. */
static int unverified(struct trust *trust, struct bytes note)
{
	struct checkpoint said;
	if (head_parse(note, &said) == 0 && strcmp(said.origin, trust->origin) == 0)
		return trust_unknown(trust, note);
	return other_alarm(trust, note);
}

int trust_verify(struct trust *trust, struct bytes note, struct heads_shown *ret)
{
	struct bytes none = BYTES(NULL, 0);
	if (note.len == 0 || note.len > HEAD_NOTE_MAX)
		return trust_alarm(
			trust, "The broker sent a checkpoint of impossible length.", none, none);
	ret->note = note;
	int r = checkpoint_open(
		note, trust->log_keys, trust->log_keys_count, trust->origin, &ret->checkpoint);
	switch (r) {
	case NOTE_UNVERIFIED:
		return unverified(trust, note);
	case NOTE_BAD_SIGNATURE:
		return trust_alarm(trust,
			"The broker sent a checkpoint whose signature by the log does not hold.",
			note, none);
	case NOTE_MALFORMED:
	case NOTE_KEY_MALFORMED:
		return other_alarm(trust, note);
	default:
		return r;
	}
}

static void rest(struct trust *trust, uint64_t size)
{
	if (size > trust->rested_size)
		trust->rested_size = size;
}

int trust_checkpoint(struct trust *trust, struct bytes note, struct checkpoint *ret)
{
	struct heads_shown shown;
	struct heads_clash clash;
	if (trust->heads.seen.set && bytes_equal(note, head_note(&trust->heads.seen))) {
		*ret = trust->heads.seen.checkpoint;
		rest(trust, ret->size);
		return 0;
	}
	int r = trust_verify(trust, note, &shown);
	if (r)
		return r;
	r = heads_receipt(&trust->heads, &shown, &clash);
	if (r)
		return clash_alarm(trust, r, &clash);
	*ret = shown.checkpoint;
	rest(trust, ret->size);
	return 0;
}

int trust_aside(struct trust *trust, enum heads_aside which, struct bytes note)
{
	struct heads_shown shown;
	struct heads_clash clash;
	if (!trust->heads.proven.set || trust->crossing.asking)
		return 0;
	int r = trust_verify(trust, note, &shown);
	if (r)
		return r;
	r = heads_put_aside(&trust->heads, which, &shown, &clash);
	return r ? clash_alarm(trust, r, &clash) : 0;
}

const struct head *trust_linked(const struct trust *trust, enum heads_aside which)
{
	return trust->heads.linked[which] ? &trust->heads.asides[which] : NULL;
}

const struct policy *trust_policy(const struct trust *trust)
{
	return &trust->follow.policy;
}

uint64_t trust_rested_size(const struct trust *trust)
{
	return trust->rested_size;
}

/* ---- session ---- */

void trust_hello(struct trust *trust, Dienstweg__Hello *hello)
{
	const struct head *head = heads_newest(&trust->heads);
	trust->hello_size = head->set ? head->checkpoint.size : 0;
	hello->registry_version = registry_version(trust->follow.registry);
	if (!head->set)
		return;
	hello->newest_epoch = epochs_newest(&trust->epochs);
	hello->newest_size = head->checkpoint.size;
	hello->newest_root = (ProtobufCBinaryData){
		.data = (uint8_t *)(uintptr_t)head->checkpoint.root.bytes, .len = HASH_SIZE};
}

int trust_welcome(struct trust *trust, const Dienstweg__Welcome *welcome)
{
	struct heads_shown shown;
	struct heads_clash clash;
	follow_welcome(&trust->follow, welcome->registry_version);
	if (welcome->checkpoint.len == 0 && !heads_newest(&trust->heads)->set)
		return 0;
	bool done;
	int r = trust_epoch_welcome(trust, welcome, &done);
	if (r || done)
		return r;
	r = trust_verify(trust, BYTES_PB(welcome->checkpoint), &shown);
	if (r)
		return r;
	r = heads_welcome(
		&trust->heads, &shown, trust->hello_size, BYTES_PB(welcome->consistency), &clash);
	if (r)
		return clash_alarm(trust, r, &clash);
	trust->proven_at_ns = now_ns(trust);
	return 0;
}

void trust_lost(struct trust *trust)
{
	trust->asked_at_ns = 0;
	trust->follow.asked_at_ns = 0;
}

/* ---- proofs ---- */

int trust_proof(struct trust *trust, const Dienstweg__CheckpointFrame *frame)
{
	struct heads_shown shown;
	struct heads_clash clash;
	int r;
	if (trust->crossing.asking)
		return trust_epoch_proof(trust, frame);
	if (trust->asked_at_ns == 0 || frame->old_size != trust->question.old_size)
		return 0;
	if (frame->checkpoint.len > 0) {
		r = trust_verify(trust, BYTES_PB(frame->checkpoint), &shown);
		if (r)
			return r;
		r = heads_advance(&trust->heads, &trust->question, &shown,
			BYTES_PB(frame->consistency), &clash);
	} else {
		if (frame->new_size != trust->question.new_size)
			return 0;
		r = heads_link(
			&trust->heads, &trust->question, BYTES_PB(frame->consistency), &clash);
	}
	if (r)
		return clash_alarm(trust, r, &clash);
	trust->asked_at_ns = 0;
	trust->proven_at_ns = now_ns(trust);
	return 0;
}

int trust_ask(struct trust *trust, struct client *client)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__GetProof question = DIENSTWEG__GET_PROOF__INIT;
	question.old_size = trust->question.old_size;
	question.new_size = trust->question.new_size;
	frame.body_case = DIENSTWEG__FRAME__BODY_GET_PROOF;
	frame.get_proof = &question;
	int r = client_send(client, &frame);
	if (r == 0)
		trust->asked_at_ns = now_ns(trust);
	return r < 0 ? r : 0;
}

static int proofs_step(struct trust *trust, struct client *client)
{
	uint64_t pause = heads_aside_waits(&trust->heads) ? 0 /* they come at a pace of their own */
			 : heads_pending(&trust->heads)   ? PROOF_BUSY_MS
							  : PROOF_IDLE_MS;
	if (!trust->heads.proven.set || ms_since(trust, trust->proven_at_ns) < pause ||
		now_ns(trust) < trust->not_before_ns)
		return 0;
	if (trust->asked_at_ns && ms_since(trust, trust->asked_at_ns) < PROOF_PATIENCE_MS)
		return 0;
	if (trust->asked_at_ns) {
		/* Of a broker that says nothing at all the session will tell. */
		if (client_heard_ns(client) <
			trust->asked_at_ns + PROOF_PATIENCE_MS / 2 * UINT64_C(1000000))
			return 0;
		log_error("trust",
			"ALARM: the broker does not answer a demand for a consistency proof",
			F_U64("from", trust->question.old_size),
			F_U64("to", trust->question.new_size));
		trust->asked_at_ns = 0;
	}
	(void)heads_question(&trust->heads, &trust->question);
	return trust_ask(trust, client);
}

void trust_proof_put_off(struct trust *trust)
{
	trust->asked_at_ns = 0;
	trust->not_before_ns = now_ns(trust) + PROOF_LATER_MS * UINT64_C(1000000);
}

/* ---- registry ---- */

const struct registry *trust_registry(const struct trust *trust)
{
	return trust->follow.registry;
}

uint64_t trust_proven_size(const struct trust *trust)
{
	return trust->heads.proven.set ? trust->heads.proven.checkpoint.size : 0;
}

void trust_want_registry(struct trust *trust)
{
	follow_want(&trust->follow);
}

void trust_registry_put_off(struct trust *trust)
{
	follow_put_off(&trust->follow, now_ns(trust));
}

void trust_registry_seen(struct trust *trust, uint64_t version)
{
	if (version > registry_version(trust->follow.registry))
		follow_welcome(&trust->follow, version);
}

void trust_keys_take(struct trust *trust)
{
	trust->log_keys_count = registry_log_keys(
		trust->follow.registry, trust->origin, trust->log_keys, LOG_KEYS_MAX);
}

/* There is no newer registry that could explain it. */
static int unknown_alarm(struct trust *trust)
{
	struct bytes unknown = BYTES(trust->unknown, trust->unknown_len);
	if (unknown.len == 0)
		return 0;
	return trust_alarm(
		trust, "The broker sent a checkpoint that is signed by none of the log keys in the registry.",
		unknown, BYTES(NULL, 0));
}

int trust_registry_take(struct trust *trust, const Dienstweg__Registry *frame, bool *ret_adopted)
{
	int r = follow_take(&trust->follow, BYTES_PB(frame->signed_));
	*ret_adopted = r == FOLLOW_ADOPTED;
	switch (r) {
	case FOLLOW_ADOPTED:
		trust->unknown_len = 0;
		trust_keys_take(trust);
		return 0;
	case FOLLOW_NEWEST:
	case FOLLOW_REFUSED:
		return unknown_alarm(trust);
	default:
		return r;
	}
}

bool trust_stale(const struct trust *trust)
{
	return clock_wall_ms(trust->options.clock) > registry_stale_after_ms(trust->follow.registry);
}

static void stale_tell(struct trust *trust)
{
	if (!trust_stale(trust) ||
		(trust->stale_told_ns && ms_since(trust, trust->stale_told_ns) < STALE_TELL_MS))
		return;
	trust->stale_told_ns = now_ns(trust);
	log_error("trust",
		"ALARM: the registry is past its stale-after time; traffic goes on, the registrar "
		"should sign a newer one",
		F_U64("version", registry_version(trust->follow.registry)));
}

int trust_step(struct trust *trust, struct client *client)
{
	stale_tell(trust);
	if (client_state(client) != CLIENT_READY)
		return 0;
	trust_loss_remind(trust);
	int r = follow_step(&trust->follow, client, now_ns(trust));
	if (r)
		return r;
	return trust->crossing.asking ? trust_epoch_step(trust, client) : proofs_step(trust, client);
}

/* ---- on disk ---- */

int trust_save(struct trust *trust)
{
	struct heads *heads = &trust->heads;
	if (!heads->changed)
		return 0;
	const struct head *open = heads->seen.set ? &heads->seen : &heads->linking;
	int r = store_put(trust->options.store, STORE_META, BYTES_STR("checkpoint proven"),
		head_note(&heads->proven));
	if (r == 0)
		r = store_put(trust->options.store, STORE_META, BYTES_STR("checkpoint seen"),
			head_note(open));
	if (r == 0)
		r = trust_epochs_save(trust);
	if (r == 0)
		heads->changed = false;
	return r;
}

static int head_load(struct trust *trust, const char *name, struct head *head)
{
	struct bytes note;
	int r = store_get(trust->options.store, STORE_META, BYTES_STR(name), &note);
	if (r)
		return r > 0 ? 0 : r;
	return head_restore(head, note);
}

static int heads_load(struct trust *trust, char *reterr, size_t size)
{
	int r = head_load(trust, "checkpoint proven", &trust->heads.proven);
	if (r == 0)
		r = head_load(trust, "checkpoint seen", &trust->heads.seen);
	if (r == 0)
		r = trust_epochs_load(trust);
	if (r == 0)
		r = store_commit(trust->options.store);
	if (r)
		snprintf(reterr, size, "the newest checkpoint in the store: %s",
			strerrordesc_np(-r));
	return r;
}

int trust_open(const struct trust_options *options, struct trust **ret, char *reterr, size_t size)
{
	const struct config_adapter *config = options->config;
	_cleanup_(trust_free) struct trust *trust = calloc(1, sizeof(*trust));
	if (!trust)
		return -ENOMEM;
	trust->options = *options;
	const struct follow_options follow = {
		config->policy, config->registry, folder_path(options->folder), config->bus};
	int r = follow_init(&trust->follow, &follow, reterr, size);
	if (r)
		return r < 0 ? r : TRUST_INVALID;
	r = heads_load(trust, reterr, size);
	if (r)
		return r;
	trust_keys_take(trust);
	trust->rested_size = heads_newest(&trust->heads)->checkpoint.size;
	*ret = steal(&trust);
	return 0;
}

void trust_free(struct trust *trust)
{
	if (!trust)
		return;
	follow_deinit(&trust->follow);
	free(trust);
}
