/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Witnesses that each cosigned the newest checkpoint they happen to know would never make a quorum of a log
 * that grows a thousand times a second. So the broker names a candidate, and names the next one only once a
 * quorum has cosigned it, or patience is over: about one a second. It asks nobody who is not a witness, waits
 * for nobody, and what comes back is looked at by the clerk and put into the journal with whatever is committed
 * next.
 *
 * A session has one cosignature under way and at most two a second; more is answered "busy" unread.
 */
#include "broker/transport/room.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "broker/field.h"
#include "proto/base/log.h"

enum {
	PACE_MS = 1000,      /* between candidates */
	PATIENCE_MS = 10000, /* for a quorum; then a newer one may find it */
	COSIGN_PAUSE_MS = 500,
	LOG_KEYS_MAX = 16,
};

struct cosign {
	struct errand errand; /* first */
	struct transport *transport;
	uint32_t slot;
	uint64_t serial;
	struct note_key witness;
	struct note_key log_keys[LOG_KEYS_MAX];
	size_t log_keys_count;
	char origin[CHECKPOINT_ORIGIN_MAX + 1];
	size_t len;
	uint8_t note[COSIGNED_NOTE_MAX];

	/* found */
	int result; /* 0, NOTE_*, COSIGN_OTHER_TREE, or a failure */
	uint64_t size;
	struct bytes line; /* the witness's, in note */
};
enum { COSIGN_OTHER_TREE = 100 /* not a checkpoint of this journal */ };

/* ---- who is asked ---- */

/* The witness that one of the session's parties is, in the registry in force. */
static bool witness_find(
	const struct policy *policy, const struct session *session, struct note_key *ret)
{
	for (size_t i = 0; i < session->outlet.count; i++) {
		for (size_t k = 0; k < policy->witnesses_count; k++) {
			if (strcmp(session->outlet.recipients[i]->name,
				    policy->witnesses[k].name) != 0)
				continue;
			*ret = policy->witnesses[k];
			return true;
		}
	}
	return false;
}

static void candidate_send(struct transport *transport, struct session *session)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Candidate body = DIENSTWEG__CANDIDATE__INIT;
	body.checkpoint = field_bytes(BYTES(transport->candidate.note, transport->candidate.len));
	frame.body_case = DIENSTWEG__FRAME__BODY_CANDIDATE;
	frame.candidate = &body;
	transport_send(transport, session, &frame);
}

/* Time for another, and is there one? */
static bool candidate_is_due(const struct transport *transport, uint64_t now_ns)
{
	const struct candidate *candidate = &transport->candidate;
	uint8_t note[COSIGNED_NOTE_MAX];
	uint64_t cosigned, newest, age_ms = (now_ns - candidate->made_ns) / 1000000;
	if (candidate->size > 0 && age_ms < PACE_MS)
		return false;
	(void)journal_checkpoint(transport->options.journal, note, sizeof(note), &newest);
	(void)journal_cosigned(transport->options.journal, note, sizeof(note), &cosigned);
	if (newest <= candidate->size || newest <= cosigned)
		return false;
	return cosigned >= candidate->size || age_ms >= PATIENCE_MS;
}

void candidate_tick(struct transport *transport, uint64_t now_ns)
{
	struct candidate *candidate = &transport->candidate;
	struct policy policy;
	struct note_key witness;
	struct session *session;
	size_t slot = 0;
	registry_witnesses(transport->registry, &policy);
	if (policy.witness_quorum == 0)
		return;
	if (candidate_is_due(transport, now_ns)) {
		candidate->before_size = candidate->size;
		candidate->before_len = candidate->len;
		memcpy(candidate->before, candidate->note, candidate->len);
		candidate->len = journal_checkpoint(transport->options.journal, candidate->note,
			sizeof(candidate->note), &candidate->size);
		candidate->made_ns = now_ns;
	}
	while (candidate->size > 0 && (session = sessions_walk(transport->sessions, &slot)) != NULL) {
		if (session->state != SESSION_OPEN || session->asked_size == candidate->size)
			continue;
		session->asked_size = candidate->size;
		if (witness_find(&policy, session, &witness))
			candidate_send(transport, session);
	}
}

/* ---- what comes back ---- */

/* Clerk: is it our checkpoint, of this very tree, and did the witness sign it? */
static int cosign_check(struct cosign *cosign, struct journal_reader *reader)
{
	struct bytes note = BYTES(cosign->note, cosign->len);
	struct checkpoint checkpoint;
	struct merkle_hash root;
	int r = checkpoint_open(
		note, cosign->log_keys, cosign->log_keys_count, cosign->origin, &checkpoint);
	if (r == 0)
		r = cosignature_find(note, &cosign->witness, NULL, &cosign->line);
	if (r)
		return r;
	r = checkpoint.size > 0 ? journal_read_root(reader, checkpoint.size, &root)
				: READER_NOT_FOUND;
	if (r < 0 || r == READER_DAMAGED)
		return r < 0 ? r : -EBADMSG;
	if (r > 0 || memcmp(&root, &checkpoint.root, sizeof(root)) != 0)
		return COSIGN_OTHER_TREE;
	cosign->size = checkpoint.size;
	return 0;
}

static void cosign_run(struct errand *errand, struct journal_reader *reader)
{
	struct cosign *cosign = (struct cosign *)errand;
	cosign->result = cosign_check(cosign, reader);
}

static void cosign_refuse(
	struct transport *transport, struct session *session, const struct cosign *cosign)
{
	transport->counters.cosignatures_refused++;
	if (transport_tells(transport, session->speaker))
		log_warn("transport", "a cosignature is refused", F_STR("party", session->speaker),
			F_STR("witness", cosign->witness.name), F_I64("verdict", cosign->result));
	session_error(transport, session, "bad-cosignature", "note",
		cosign->result == COSIGN_OTHER_TREE
			? "this is no checkpoint of the broker's journal: do not go on before you "
			  "know why"
			: "the note needs the log's signature and, by your witness key in the "
			  "registry, a cosignature");
}

/*
 * What was asked for, as we said it, with this one line more. Other lines that came with it could leave no room
 * for those of other witnesses; and each other tree size would be a row and a commit for whoever wants them.
 */
static bool cosign_reduce(const struct transport *transport, const struct cosign *cosign,
	uint8_t buf[COSIGNED_NOTE_MAX], struct bytes *ret)
{
	const struct candidate *candidate = &transport->candidate;
	struct bytes asked = BYTES(candidate->note, candidate->len);
	size_t len;
	if (cosign->size == candidate->before_size)
		asked = BYTES(candidate->before, candidate->before_len);
	else if (cosign->size != candidate->size)
		return false;
	if (cosignature_add(asked, cosign->line, buf, &len) != 0)
		return false;
	*ret = BYTES(buf, len);
	return true;
}

static void cosign_push(struct transport *transport, const struct cosign *cosign)
{
	uint8_t buf[COSIGNED_NOTE_MAX];
	struct bytes note;
	if (!cosign_reduce(transport, cosign, buf, &note))
		return; /* it was not asked for, or too long ago */
	struct parcel *parcel = parcel_take(transport->options.pool, PARCEL_COSIGN);
	if (!parcel)
		return; /* too busy; the next candidate comes in a second */
	parcel->tree_size = cosign->size;
	if (arena_copy(parcel->arena, note, &parcel->checkpoint) != 0) {
		parcel_give(transport->options.pool, parcel);
		return;
	}
	transport->counters.cosignatures++;
	transport_act(transport, parcel);
}

static void cosign_done(struct errand *errand)
{
	_cleanup_(heap_free) struct cosign *cosign = (struct cosign *)errand;
	struct transport *transport = cosign->transport;
	struct session *session = sessions_at(transport->sessions, cosign->slot, cosign->serial);
	if (errand->result)
		cosign->result = errand->result;
	if (session)
		session->cosigning = false;
	if (cosign->result < 0)
		transport->options.failed(transport->options.failed_context, cosign->result);
	else if (cosign->result == 0)
		cosign_push(transport, cosign);
	else if (session)
		cosign_refuse(transport, session, cosign);
}

/* The errand, unless there is a reason against it, which was told. */
static struct cosign *cosign_new(
	struct transport *transport, struct session *session, struct bytes note)
{
	struct policy policy;
	struct cosign *cosign = calloc(1, sizeof(*cosign));
	if (!cosign)
		return NULL;
	registry_witnesses(transport->registry, &policy);
	cosign->errand = (struct errand){.run = cosign_run, .done = cosign_done};
	cosign->transport = transport;
	cosign->slot = session->slot;
	cosign->serial = session->serial;
	cosign->len = note.len;
	if (note.len > 0)
		memcpy(cosign->note, note.data, note.len);
	snprintf(cosign->origin, sizeof(cosign->origin), "%s",
		journal_origin(transport->options.journal));
	cosign->log_keys_count = registry_log_keys(
		transport->registry, cosign->origin, cosign->log_keys, LOG_KEYS_MAX);
	if (witness_find(&policy, session, &cosign->witness))
		return cosign;
	session_error(transport, session, "not-a-witness",
		"note", "the registry in force lists no active witness under the name of a party of this session");
	free(cosign);
	return NULL;
}

void cosign_handle(struct transport *transport, struct session *session, struct incoming *incoming)
{
	struct bytes note = BYTES_PB(incoming->frame->cosign->note);
	uint64_t now_ns = clock_mono_ns(transport->options.clock);
	bool early = session->cosigned_ns &&
		     now_ns - session->cosigned_ns < COSIGN_PAUSE_MS * UINT64_C(1000000);
	if (note.len > COSIGNED_NOTE_MAX) {
		session_error(transport, session, "malformed", "note", "at most 4,000 bytes");
		return;
	}
	if (session->cosigning || early || clerk_is_full(transport->options.clerk)) {
		session_error(transport, session, "busy", "cosign",
			"one cosignature a second: wait for the next candidate");
		return;
	}
	struct cosign *cosign = cosign_new(transport, session, note);
	if (!cosign)
		return;
	session->cosigned_ns = now_ns;
	session->cosigning = clerk_send(transport->options.clerk, &cosign->errand) == 0;
	if (!session->cosigning)
		free(cosign);
}
