/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What adapters and witnesses ask of the log: checkpoint and consistency. One errand at a time per session:
 * the clerk's time is everybody's.
 */
#include "broker/transport/room.h"

#include <errno.h>
#include <stdlib.h>

#include "broker/audit/bridge.h"
#include "broker/field.h"

struct lookup {
	struct errand errand; /* first */
	struct transport *transport;
	uint32_t slot;
	uint64_t serial;
	uint64_t old_size;
	uint64_t new_size; /* 0: the newest */

	/* found */
	int result; /* 0, READER_NOT_FOUND when these are no sizes of this tree, or a failure */
	uint8_t checkpoint[CHECKPOINT_NOTE_MAX];
	size_t checkpoint_len;
	struct merkle_hash proof[2 * MERKLE_LEVELS];
	size_t proof_count;
};

void session_error(struct transport *transport, struct session *session, const char *code,
	const char *field, const char *detail)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Error error = DIENSTWEG__ERROR__INIT;
	error.code = field_text(code);
	error.field = field_text(field);
	error.detail = field_text(detail);
	frame.body_case = DIENSTWEG__FRAME__BODY_ERROR;
	frame.error = &error;
	transport_send(transport, session, &frame);
}

static void checkpoint_send(
	struct transport *transport, struct session *session, Dienstweg__CheckpointFrame *body)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	frame.body_case = DIENSTWEG__FRAME__BODY_CHECKPOINT;
	frame.checkpoint = body;
	transport_send(transport, session, &frame);
}

int checkpoint_read(
	struct journal_reader *reader, uint8_t *buf, size_t *ret_len, struct checkpoint *ret)
{
	struct bytes note;
	int r = journal_read_checkpoint(reader, 0, &note);
	if (r != 0)
		return r;
	/* Our own note: only the text before the signatures is of interest. */
	const uint8_t *end = memmem(note.data, note.len, "\n\n", 2);
	if (!end || note.len > CHECKPOINT_NOTE_MAX ||
		checkpoint_parse(BYTES(note.data, (size_t)(end - note.data) + 1), ret) != 0)
		return READER_DAMAGED;
	memcpy(buf, note.data, note.len);
	*ret_len = note.len;
	return 0;
}

static int proof_read(struct lookup *lookup, struct journal_reader *reader)
{
	struct checkpoint now;
	int r = checkpoint_read(reader, lookup->checkpoint, &lookup->checkpoint_len, &now);
	if (r != 0)
		return r;
	uint64_t to = lookup->new_size ? lookup->new_size : now.size;
	if (lookup->old_size < 1 || lookup->old_size > to || to > now.size)
		return READER_NOT_FOUND;
	return bridge_consistency(reader, lookup->old_size, to, lookup->proof, &lookup->proof_count);
}

/* Between two sizes that the asker holds, no checkpoint is needed. */
static void proof_send(
	struct transport *transport, struct session *session, const struct lookup *lookup)
{
	Dienstweg__CheckpointFrame body = DIENSTWEG__CHECKPOINT_FRAME__INIT;
	if (lookup->new_size == 0)
		body.checkpoint = field_bytes(BYTES(lookup->checkpoint, lookup->checkpoint_len));
	body.consistency = field_bytes(
		BYTES(lookup->proof, lookup->proof_count * sizeof(lookup->proof[0])));
	body.old_size = lookup->old_size;
	body.new_size = lookup->new_size;
	checkpoint_send(transport, session, &body);
}

static void lookup_run(struct errand *errand, struct journal_reader *reader)
{
	struct lookup *lookup = (struct lookup *)errand;
	lookup->result = proof_read(lookup, reader);
}

static void lookup_done(struct errand *errand)
{
	_cleanup_(heap_free) struct lookup *lookup = (struct lookup *)errand;
	struct transport *transport = lookup->transport;
	struct session *session = sessions_at(transport->sessions, lookup->slot, lookup->serial);
	int r = errand->result ? errand->result : lookup->result;
	if (session)
		session->looking_up = false;
	if (r < 0 || r == READER_DAMAGED)
		transport->options.failed(transport->options.failed_context, r < 0 ? r : -EBADMSG);
	else if (session && r == BRIDGE_PRUNED)
		session_error(transport, session, "pruned", "old_size",
			"the archive that this proof needs is not in its place: tell the operator "
			"of the bus");
	else if (session && r == READER_NOT_FOUND)
		session_error(transport, session, "unknown-size", "old_size",
			"1 <= old_size <= new_size <= size of the newest checkpoint");
	else if (session)
		proof_send(transport, session, lookup);
}

void get_proof_handle(
	struct transport *transport, struct session *session, struct incoming *incoming)
{
	_cleanup_(heap_free) struct lookup *lookup = session->looking_up
							     ? NULL
							     : calloc(1, sizeof(*lookup));
	if (lookup) {
		lookup->errand = (struct errand){.run = lookup_run, .done = lookup_done};
		lookup->transport = transport;
		lookup->slot = session->slot;
		lookup->serial = session->serial;
		lookup->old_size = incoming->frame->get_proof->old_size;
		lookup->new_size = incoming->frame->get_proof->new_size;
	}
	if (!lookup || clerk_send(transport->options.clerk, &lookup->errand) != 0) {
		session_error(transport, session, "busy", "get_proof",
			"one proof at a time: ask again when the last answer is here");
		return;
	}
	session->looking_up = true;
	(void)steal(&lookup);
}

void get_checkpoint_handle(
	struct transport *transport, struct session *session, struct incoming *incoming)
{
	Dienstweg__CheckpointFrame body = DIENSTWEG__CHECKPOINT_FRAME__INIT;
	uint8_t note[COSIGNED_NOTE_MAX];
	body.cosigned = incoming->frame->get_checkpoint->cosigned;
	size_t len = body.cosigned
			     ? journal_cosigned(transport->options.journal, note, sizeof(note), NULL)
			     : journal_checkpoint(
				       transport->options.journal, note, sizeof(note), NULL);
	body.checkpoint = field_bytes(BYTES(note, len));
	checkpoint_send(transport, session, &body);
}
