/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Subject access over the bus. The report is made at the desk (broker/access/desk.h), away from everything else;
 * then the journal records that it was opened, and only after that commit the report leaves. It is about entries of
 * the asking party alone, so it may be told to whoever may speak for that party.
 */
#include "broker/transport/room.h"

#include <stdio.h>
#include <stdlib.h>

#include "broker/field.h"
#include "proto/base/log.h"
#include "proto/base/text.h"

enum { PIECE_BYTES = 256 * 1024, DETAIL_SIZE = 200 };

struct asking {
	struct desk_request request; /* first */
	struct transport *transport;
	struct asking *next, **at; /* of the transport's list: what is under way */
	uint32_t slot;
	uint64_t serial;
	char speaker[64];
};

static void asking_free(struct asking *asking)
{
	if (!asking)
		return;
	if (asking->at) {
		*asking->at = asking->next;
		if (asking->next)
			asking->next->at = asking->at;
		askers_give(&asking->transport->askers, BYTES_STR(asking->speaker));
	}
	registry_unref(asking->request.registry);
	free(asking->request.report);
	free(asking);
}
DEFINE_CLEANUP(struct asking *, asking_free);

void access_end(struct transport *transport)
{
	while (transport->askings)
		asking_free(transport->askings);
}

static struct session *session_of_asking(const struct asking *asking)
{
	return sessions_at(asking->transport->sessions, asking->slot, asking->serial);
}

static void deny(const struct asking *asking, const char *code, const char *detail)
{
	struct session *session = session_of_asking(asking);
	if (session)
		session_error(asking->transport, session, code, "get_access", detail);
}

/* ---- the answer ---- */

static void piece_send(struct asking *asking, struct session *session, uint32_t piece,
	uint32_t pieces, uint64_t inspected)
{
	const struct desk_request *request = &asking->request;
	size_t at = (size_t)piece * PIECE_BYTES, left = request->report_len - at;
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Access body = DIENSTWEG__ACCESS__INIT;
	body.party = field_text(request->party);
	body.case_id = field_bytes(BYTES(request->id, CASE_ID_SIZE));
	body.from_message = request->from.message;
	body.from_entry = request->from.entry;
	body.piece = piece;
	body.pieces = pieces;
	body.data = field_bytes(
		BYTES(request->report + at, left < PIECE_BYTES ? left : PIECE_BYTES));
	body.inspected = inspected;
	frame.body_case = DIENSTWEG__FRAME__BODY_ACCESS;
	frame.access = &body;
	transport_send(asking->transport, session, &frame);
}

/* It is on disk that the records were opened. */
static void inspected(struct operator_act *act)
{
	_cleanup_(asking_free) struct asking *asking = act->context;
	struct session *session = session_of_asking(asking);
	size_t pieces = (asking->request.report_len + PIECE_BYTES - 1) / PIECE_BYTES;
	if (!session || !registry_may_speak(asking->transport->registry,
				BYTES_STR(session->speaker), BYTES_STR(asking->request.party)))
		return;
	for (size_t i = 0; i < pieces; i++)
		piece_send(asking, session, (uint32_t)i, (uint32_t)pieces, act->sequence);
	asking->transport->counters.reports++;
}

static bool record(struct asking *asking)
{
	struct transport *transport = asking->transport;
	struct parcel *parcel = transport->stopping || transport->hold.on
					? NULL
					: parcel_take(transport->options.pool, PARCEL_OPERATE);
	struct operator_act *act = parcel ? arena_zalloc(parcel->arena, sizeof(*act)) : NULL;
	if (!act) {
		parcel_give(transport->options.pool, parcel);
		return false;
	}
	act->what = OPERATOR_INSPECT;
	snprintf(act->inspection.role, sizeof(act->inspection.role), "subject-access");
	snprintf(act->inspection.ground, sizeof(act->inspection.ground), "art-15-gdpr");
	memcpy(act->inspection.speaker, asking->speaker, sizeof(act->inspection.speaker));
	act->inspection.last = asking->request.size - 1;
	act->inspection.count = asking->request.opened;
	act->done = inspected;
	act->context = asking;
	parcel->act = act;
	transport_act(transport, parcel);
	return true;
}

static void deny_behind(const struct asking *asking)
{
	char detail[DETAIL_SIZE];
	snprintf(detail, sizeof(detail),
		"the case index is being made, %llu of %llu entries: ask again in a minute",
		(unsigned long long)asking->request.progress.done,
		(unsigned long long)asking->request.progress.total);
	deny(asking, "busy", detail);
}

static void made(struct desk_request *request)
{
	_cleanup_(asking_free) struct asking *asking = (struct asking *)request;
	int r = request->result;
	if (r == DESK_NOTHING) {
		deny(asking, "unknown-case",
			"the journal has nothing in that case that this party sent or received, or "
			"has "
			"nothing any more: records are erased on their day. What was kept of it, "
			"as "
			"receipts, still proves");
	} else if (r == DESK_BEHIND) {
		deny_behind(asking);
	} else if (r != 0 || request->size == 0) {
		log_error("access", "a report cannot be made", F_ERR(r));
		deny(asking,
			"busy", "the report cannot be made now: ask again later, or the operator of the bus");
	} else if (record(asking)) {
		(void)steal(&asking);
	} else {
		deny(asking, "busy", "the broker is busy or about to stop: ask again later");
	}
}

/* ---- the question ---- */

static struct asking *asking_new(struct transport *transport, const struct session *session,
	const Dienstweg__GetAccess *frame)
{
	struct asking *asking = calloc(1, sizeof(*asking));
	if (!asking)
		return NULL;
	asking->transport = transport;
	asking->slot = session->slot;
	asking->serial = session->serial;
	memcpy(asking->speaker, session->speaker, sizeof(asking->speaker));
	memcpy(asking->request.party, frame->party.data, frame->party.len);
	memcpy(asking->request.id, frame->case_id.data, CASE_ID_SIZE);
	asking->request.from = (struct timeline_place){frame->from_message, frame->from_entry};
	asking->request.registry = registry_ref(transport->registry);
	asking->request.done = made;
	return asking;
}

static void deny_often(struct transport *transport, struct session *session, uint64_t wait_ms)
{
	char detail[DETAIL_SIZE];
	if (wait_ms > 0)
		snprintf(detail, sizeof(detail), "too many reports: ask again in %llu s",
			(unsigned long long)(wait_ms + 999) / 1000);
	else
		snprintf(detail, sizeof(detail),
			"one report at a time: ask again when the last answer is here");
	session_error(transport, session, "busy", "get_access", detail);
}

static bool check(
	struct transport *transport, struct session *session, const Dienstweg__GetAccess *frame)
{
	struct bytes party = BYTES_PB(frame->party);
	if (!text_is_name(party) || frame->case_id.len != CASE_ID_SIZE) {
		session_error(transport, session, "malformed", "get_access",
			"party is a name, case_id has 16 bytes");
		return false;
	}
	if (!registry_may_speak(transport->registry, BYTES_STR(session->speaker), party)) {
		session_error(transport, session, "not-operated", "get_access",
			"name a party that the registry lets this key speak for");
		return false;
	}
	return true;
}

void get_access_handle(
	struct transport *transport, struct session *session, struct incoming *incoming)
{
	const Dienstweg__GetAccess *frame = incoming->frame->get_access;
	uint64_t wait_ms;
	if (!check(transport, session, frame))
		return;
	if (!askers_take(&transport->askers, BYTES_STR(session->speaker),
		    clock_mono_ns(transport->options.clock), &wait_ms)) {
		deny_often(transport, session, wait_ms);
		return;
	}
	struct asking *asking = asking_new(transport, session, frame);
	if (!asking || desk_ask(transport->options.desk, &asking->request) != 0) {
		asking_free(asking);
		askers_give(&transport->askers, BYTES_STR(session->speaker));
		session_error(transport, session, "busy", "get_access",
			"too many reports are being made: ask again in a while");
		return;
	}
	asking->next = transport->askings;
	asking->at = &transport->askings;
	if (asking->next)
		asking->next->at = &asking->next;
	transport->askings = asking;
}
