/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What a party has under way is counted in bytes and charged until it is answered, so that one flooder
 * can fill its own budget only. A small frame counts as much as the parcel that carries it, and one that
 * takes more memory than an honest frame of its size counts by that, or memory would be bounded in name
 * only: an empty envelope is two bytes on the wire and close to a KiB here. Acknowledgements have a budget
 * of their own: they free what the broker holds, so they must get through when submits do not.
 */
#include <assert.h>

#include "broker/transport/room.h"

enum { HONEST_FACTOR = 4 /* memory of an honest frame, unpacked, in its bytes; at most */ };

static uint64_t cost_of(size_t bytes)
{
	return bytes > BUDGET_FRAME_MIN ? bytes : BUDGET_FRAME_MIN;
}

/* One frame is always taken when nothing is under way. */
static bool fits(uint64_t used, size_t bytes, uint64_t budget)
{
	return used == 0 || used + cost_of(bytes) <= budget;
}

bool budget_fits_submit(
	const struct transport *transport, const struct session *session, size_t bytes)
{
	const struct config_limits *limits = &transport->options.config->limits;
	return fits(session->budget.submits, bytes, limits->party_bytes) &&
	       fits(transport->budget.submits, bytes, limits->global_bytes) &&
	       parcel_pool_out(transport->options.pool) < transport->options.parcels_submit_max;
}

bool budget_fits_acknowledge(
	const struct transport *transport, const struct session *session, size_t bytes)
{
	const struct config_limits *limits = &transport->options.config->limits;
	return fits(session->budget.acknowledgements, bytes, limits->party_bytes) &&
	       fits(transport->budget.acknowledgements, bytes, limits->global_bytes);
}

static uint64_t *share_of(struct budget *budget, const struct parcel *parcel)
{
	return parcel->kind == PARCEL_SUBMIT ? &budget->submits : &budget->acknowledgements;
}

void budget_charge(
	struct transport *transport, struct session *session, struct parcel *parcel, size_t bytes)
{
	parcel->origin = (struct parcel_origin){
		.session = session->slot,
		.session_serial = session->serial,
		.speaker_number = session->speaker_number,
	};
	memcpy(parcel->origin.speaker, session->speaker, sizeof(session->speaker));
	size_t share = arena_used(parcel->arena) / HONEST_FACTOR;
	parcel->charge = cost_of(bytes > share ? bytes : share);
	*share_of(&session->budget, parcel) += parcel->charge;
	*share_of(&transport->budget, parcel) += parcel->charge;
}

void budget_return(struct transport *transport, struct parcel *parcel)
{
	struct session *session = sessions_at(
		transport->sessions, parcel->origin.session, parcel->origin.session_serial);
	assert(*share_of(&transport->budget, parcel) >= parcel->charge);
	*share_of(&transport->budget, parcel) -= parcel->charge;
	if (session)
		*share_of(&session->budget, parcel) -= parcel->charge;
	parcel->charge = 0;
}
