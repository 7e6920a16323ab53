/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What comes back from the journal leaves from here: nothing is sent before its entry is committed,
 * because nothing is sent from anywhere else. A turn's parcels are kept until their answers are packed
 * and delivery has sent what it wants of them, straight from their memory; then all are given back.
 */
#include "broker/transport/room.h"

#include <assert.h>

#include "proto/base/log.h"
#include "proto/base/queue.h"

enum { INLINE_BYTES_MAX = 64 * 1024, INLINE_ENVELOPES_MAX = 4, INLINE_TURN_MAX = 4 };

static bool is_idle(const struct transport *transport)
{
	return verify_pool_pending(transport->options.verify) == 0 &&
	       journal_pending(transport->options.journal) == 0;
}

/*
 * A lone message should not pay for waking a thread, nor wait for one that is busy with its neighbours' thousands. Of
 * its session nothing else is under way, so nothing is overtaken. With many such sessions at once workers are
 * the quicker way again; and while others wait for this thread, it has no time for large contents.
 */
static bool is_lone(const struct transport *transport, const struct session *session,
	const struct parcel *parcel)
{
	uint64_t under_way = session->budget.submits + session->budget.acknowledgements;
	return parcel->submits_count + parcel->acks_count <= INLINE_ENVELOPES_MAX &&
	       under_way == parcel->charge && transport->turn_verified < INLINE_TURN_MAX &&
	       (parcel->charge <= BUDGET_FRAME_MIN ||
		       (parcel->charge <= INLINE_BYTES_MAX && is_idle(transport)));
}

void transport_pass_on(
	struct transport *transport, const struct session *session, struct parcel *parcel)
{
	int r = 0;
	parcel->registry = registry_ref(transport->registry);
	bool lone = is_lone(transport, session, parcel);
	transport->turn_verified += lone;
	if (!lone)
		r = verify_pool_push(transport->options.verify, parcel);
	else if (verify_parcel(transport->options.verify_here, parcel) == 0 &&
		 !parcel_is_inflated(parcel, parcel->charge))
		journal_push(transport->options.journal, parcel);
	else {
		parcel->spoilt = true;
		r = queue_push(transport->options.done, parcel);
	}
	assert(r == 0); /* every queue holds all parcels */
}

static void submits_count(struct transport *transport, const struct parcel *parcel)
{
	for (size_t i = 0; i < parcel->submits_count && !parcel->spoilt; i++) {
		enum submit_result result = parcel->submits[i].decision.result;
		transport->counters.accepted += result == SUBMIT_ACCEPTED;
		transport->counters.refused += result == SUBMIT_REFUSED;
		transport->counters.deferred += result == SUBMIT_DEFERRED;
	}
}

/* Its session's answers are made together, once all of the turn is here. */
static void frame_done(struct transport *transport, struct parcel *parcel)
{
	struct session *session = sessions_at(
		transport->sessions, parcel->origin.session, parcel->origin.session_serial);
	submits_count(transport, parcel);
	if (!session)
		return;
	if (!session->turn) {
		session->turn_next = transport->turn_sessions;
		transport->turn_sessions = session;
	}
	parcel->next = NULL;
	*session->turn_tail = parcel;
	session->turn_tail = &parcel->next;
}

static void registry_told(struct parcel *parcel)
{
	if (!parcel->act)
		return;
	parcel->act->verdict = parcel->verdict;
	parcel->act->done(parcel->act);
}

static void registry_done(struct transport *transport, struct parcel *parcel)
{
	size_t slot = 0;
	struct session *session;
	if (parcel->verdict != 0) {
		log_error("transport", "the new registry was refused, the old one stays",
			F_U64("version", registry_version(parcel->registry)),
			F_ERR(parcel->verdict));
		registry_told(parcel);
		return;
	}
	registry_unref(transport->registry);
	transport->registry = journal_registry(transport->options.journal);
	log_info("transport", "registry in force",
		F_U64("version", registry_version(transport->registry)));
	while ((session = sessions_walk(transport->sessions, &slot)) != NULL) {
		if (!transport_may_speak(transport, session))
			transport_end(transport, session, "not-operated");
	}
	registry_told(parcel);
}

static void stop_done(struct transport *transport, struct parcel *parcel)
{
	(void)parcel;
	transport->stopped = true;
}

static void act_done(struct transport *transport, struct parcel *parcel)
{
	(void)transport, (void)parcel;
}

static void operate_done(struct transport *transport, struct parcel *parcel)
{
	(void)transport;
	if (parcel->act->done)
		parcel->act->done(parcel->act);
}

static void (*const done[])(struct transport *, struct parcel *) = {
	[PARCEL_SUBMIT] = frame_done,
	[PARCEL_ACKNOWLEDGE] = frame_done,
	[PARCEL_CANCEL] = cancel_done,
	[PARCEL_FAIL] = act_done,
	[PARCEL_EXPIRE] = act_done,
	[PARCEL_CONFIRM] = act_done,
	[PARCEL_COSIGN] = act_done,
	[PARCEL_REGISTRY] = registry_done,
	[PARCEL_FORGET] = act_done,
	[PARCEL_OPERATE] = operate_done,
	[PARCEL_TICK] = act_done,
	[PARCEL_STOP] = stop_done,
};

struct answering {
	struct transport *transport;
	struct session *session;
};

static void answer_send(void *context, Dienstweg__Frame *frame)
{
	const struct answering *answering = context;
	transport_send(answering->transport, answering->session, frame);
}

static void answers_send(struct transport *transport)
{
	while (transport->turn_sessions) {
		struct session *session = transport->turn_sessions;
		struct answering answering = {transport, session};
		const struct answer_port port = {answer_send, &answering};
		transport->turn_sessions = session->turn_next;
		if (answer_make(transport->answer, session->turn, &port) < 0)
			transport_end(transport, session, "session-lost");
		session->turn = NULL;
		session->turn_tail = &session->turn;
	}
}

static void parcels_give(struct transport *transport)
{
	for (size_t i = 0; i < transport->turn_count; i++) {
		struct parcel *parcel = transport->turn[i];
		if (parcel->kind == PARCEL_TICK) {
			journal_return(transport->options.journal, parcel);
			continue;
		}
		if (parcel->charge > 0)
			budget_return(transport, parcel);
		parcel_give(transport->options.pool, parcel);
	}
	transport->turn_count = 0;
}

void transport_commit(struct transport *transport)
{
	void *parcels[TURN_PARCELS_MAX];
	size_t count = queue_pop_all(transport->options.done, parcels, TURN_PARCELS_MAX);
	for (size_t i = 0; i < count; i++) {
		struct parcel *parcel = parcels[i];
		delivery_take(transport->options.delivery, parcel);
		if (parcel->kind == PARCEL_CANCEL && cancel_goes_again(transport, parcel))
			continue;
		transport->turn[transport->turn_count++] = parcel;
		done[parcel->kind](transport, parcel);
	}
	/* Who is to get a message waits longer than who sent it: the receipts are made afterwards. */
	delivery_flush(transport->options.delivery);
	answers_send(transport);
	parcels_give(transport);
}
