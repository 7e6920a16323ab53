/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Everything that touches a lease goes through here, so that the session's window is charged exactly
 * while a lease is out: it is charged when the lease is taken and given back when it settles or ends,
 * whichever comes first. Leases of a session that has gone charge nobody, its window went with it.
 */
#include "broker/delivery/recipient.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "proto/envelope/envelope.h"

/* Entries of failed attempts: so many at once, one an interval in the long run. */
enum { FAILS_BURST = 256, FAILS_INTERVAL_MS = 250, SHARE = 4 };

int recipient_new(uint32_t number, struct bytes name, struct recipient **ret)
{
	_cleanup_(recipient_free) struct recipient *recipient = calloc(1, sizeof(*recipient));
	if (!recipient)
		return -ENOMEM;
	assert(name.len < sizeof(recipient->name));
	memcpy(recipient->name, name.data, name.len);
	recipient->number = number;
	int r = lease_table_new(number, LEASES_MAX, &recipient->leases);
	if (r < 0)
		return r;
	*ret = steal(&recipient);
	return 0;
}

void recipient_free(struct recipient *recipient)
{
	if (!recipient)
		return;
	lease_table_free(recipient->leases);
	deadlines_deinit(&recipient->deadlines);
	free(recipient);
}

void recipient_attach(struct recipient *recipient, struct outlet *outlet)
{
	assert(!recipient->outlet && outlet->count < OUTLET_PARTIES_MAX);
	recipient->outlet = outlet;
	outlet->recipients[outlet->count++] = recipient;
	for (size_t i = 0; i < LANES; i++)
		recipient->lanes[i] = (struct lane){.behind = true};
	recipient->again_count = 0;
	recipient->need_bytes = 0;
	recipient->fetch_stale = recipient->fetch != NULL;
	recipient->kept_count = 0;
	for (size_t i = 0; i < LANE_OUTCOME; i++)
		recipient->kept_from[i] = UINT64_MAX;
	recipient->held = false; /* the first fetch tells */
	recipient->unconfirmed_head = recipient->unconfirmed_count = 0;
	recipient->outcome_sent = 0;
	/* A confirmation may still rest in the journal's queue: what it names is not sent again. */
	recipient->lanes[LANE_OUTCOME].next = recipient->confirm_wanted;
}

bool recipient_detach(struct recipient *recipient, const char *cause)
{
	struct outlet *outlet = recipient->outlet;
	recipient->outlet = NULL;
	recipient->fetch_stale = recipient->fetch != NULL;
	deadlines_clear(&recipient->deadlines);
	/* While an earlier session's leases are not failed yet, nothing was sent to this one. */
	if (recipient->leaver != 0 || lease_out_count(recipient->leases) == 0)
		return false;
	recipient->leaver = outlet->serial;
	recipient->leaver_cause = cause;
	return true;
}

/*
 * Several parties share a session's window. None may have more out than SHARE times what is still free: then one
 * alone can use four fifths of it, and whatever the others do, something is left for the one whose first message comes.
 */
static bool has_share(const struct recipient *recipient)
{
	uint64_t messages, bytes;
	if (recipient->outlet->count < 2)
		return true;
	window_room(&recipient->outlet->window, &messages, &bytes);
	return lease_out_count(recipient->leases) < SHARE * messages &&
	       lease_out_bytes(recipient->leases) < SHARE * bytes;
}

void recipient_room(const struct recipient *recipient, uint64_t *ret_messages, uint64_t *ret_bytes)
{
	uint64_t out = lease_out_count(recipient->leases), most;
	window_room(&recipient->outlet->window, ret_messages, ret_bytes);
	if (recipient->outlet->count < 2)
		return;
	/* So many that the share still holds when they are out; one in any case. */
	most = SHARE * *ret_messages > out ? (SHARE * *ret_messages - out) / (SHARE + 1) : 0;
	if (*ret_messages > most)
		*ret_messages = most ? most : 1;
	out = lease_out_bytes(recipient->leases);
	most = SHARE * *ret_bytes > out ? (SHARE * *ret_bytes - out) / (SHARE + 1) : 0;
	if (most < ENVELOPE_BYTES_MAX)
		most = ENVELOPE_BYTES_MAX;
	if (*ret_bytes > most)
		*ret_bytes = most;
}

bool recipient_takes(const struct recipient *recipient, uint64_t bytes)
{
	const struct breaker *breaker = &recipient->breaker;
	if (recipient->held || breaker->state == BREAKER_OPEN ||
		(breaker->state == BREAKER_PROBING && lease_count(recipient->leases) > 0))
		return false;
	return recipient->outlet && recipient->failing == 0 && recipient->leaver == 0 &&
	       window_fits(&recipient->outlet->window, bytes) && has_share(recipient);
}

int recipient_lease(struct recipient *recipient, const struct lease *lease, uint64_t deadline_ns)
{
	struct lease taken = *lease;
	taken.session = recipient->outlet->serial;
	int r = lease_take(recipient->leases, &taken);
	if (r != 0)
		return r;
	r = deadlines_add(&recipient->deadlines, recipient->leases,
		&(struct deadline){lease->sequence, deadline_ns, lease->attempt});
	if (r < 0) {
		lease_forget(recipient->leases, lease->sequence);
		return r;
	}
	window_take(&recipient->outlet->window, lease->bytes);
	return 0;
}

bool recipient_renew(struct recipient *recipient, uint64_t sequence, uint64_t deadline_ns)
{
	struct lease lease;
	return lease_renew(recipient->leases, sequence) &&
	       lease_holds(recipient->leases, sequence, &lease) == LEASE_OUT &&
	       deadlines_add(&recipient->deadlines, recipient->leases,
		       &(struct deadline){sequence, deadline_ns, lease.attempt}) == 0;
}

int recipient_hold(struct recipient *recipient, uint64_t sequence)
{
	struct lease held = {.sequence = sequence, .lane = LANE_UNKNOWN};
	int r = lease_take(recipient->leases, &held);
	if (r == 0)
		r = lease_end(recipient->leases, sequence, 0, LEASE_ACKNOWLEDGED, NULL);
	return r;
}

int recipient_settle(struct recipient *recipient, uint64_t sequence, enum lease_cause cause)
{
	struct lease lease;
	int r = lease_end(recipient->leases, sequence, recipient->outlet->serial, cause, &lease);
	if (r == LEASE_NONE && cause == LEASE_ACKNOWLEDGED)
		return recipient_hold(recipient, sequence);
	if (r == 0 && lease.session == recipient->outlet->serial)
		window_return(&recipient->outlet->window, lease.bytes);
	return r;
}

int recipient_forget(struct recipient *recipient, uint64_t sequence, bool ended, uint8_t *ret_lane)
{
	struct lease lease;
	enum lease_state state = lease_holds(recipient->leases, sequence, &lease);
	if (state == LEASE_FREE || (state == LEASE_OUT && !ended))
		return LEASE_NONE;
	struct outlet *outlet = recipient->outlet;
	if (state == LEASE_OUT && outlet && outlet->serial == lease.session)
		window_return(&outlet->window, lease.bytes);
	if (ret_lane)
		*ret_lane = lease.lane;
	return lease_forget(recipient->leases, sequence);
}

void recipient_reopen(struct recipient *recipient, uint8_t lane, uint64_t sequence)
{
	struct lane *reopened = &recipient->lanes[lane];
	if (sequence < reopened->next)
		reopened->next = sequence;
	reopened->behind = true;
	recipient->fetch_stale = recipient->fetch != NULL;
}

void recipient_again(struct recipient *recipient, uint8_t lane, uint64_t sequence)
{
	if (!recipient->outlet)
		return;
	recipient->need_bytes = 0;
	if (lane == LANE_UNKNOWN) {
		for (uint8_t i = 0; i < LANE_OUTCOME; i++)
			recipient_reopen(recipient, i, sequence);
		return;
	}
	/* From `next` on it is found anyway, only not by a fetch that may have looked too early. */
	if (sequence >= recipient->lanes[lane].next && recipient->lanes[lane].behind) {
		recipient->fetch_stale = recipient->fetch != NULL;
		return;
	}
	if (recipient->again_count == AGAIN_MAX) {
		recipient_reopen(recipient, lane, sequence);
		return;
	}
	recipient->again[recipient->again_count++] = (struct again){lane, sequence};
}

void recipient_keep(struct recipient *recipient, const struct kept *kept, uint64_t released)
{
	if (released != recipient->released) {
		recipient_again(recipient, kept->lane, kept->sequence);
		return;
	}
	for (size_t i = 0; i < recipient->kept_count; i++)
		if (recipient->kept[i].sequence == kept->sequence)
			return;
	if (recipient->kept_count < KEPT_MAX)
		recipient->kept[recipient->kept_count++] = *kept;
	else if (kept->sequence < recipient->kept_from[kept->lane])
		recipient->kept_from[kept->lane] = kept->sequence;
}

void recipient_release(struct recipient *recipient, uint8_t lane, const struct queue_row *row)
{
	size_t left = 0;
	recipient->released++;
	for (size_t i = 0; i < recipient->kept_count; i++) {
		const struct kept kept = recipient->kept[i];
		if (kept.lane != lane || kept.sender != row->sender ||
			memcmp(kept.case_id, row->case_id, sizeof(kept.case_id)) != 0)
			recipient->kept[left++] = kept;
		else
			recipient_again(recipient, lane, kept.sequence);
	}
	recipient->kept_count = left;
	if (recipient->kept_from[lane] == UINT64_MAX)
		return;
	recipient_reopen(recipient, lane, recipient->kept_from[lane]);
	recipient->kept_from[lane] = UINT64_MAX;
}

bool recipient_may_fail(struct recipient *recipient, uint64_t now_ns)
{
	const uint64_t interval_ns = FAILS_INTERVAL_MS * UINT64_C(1000000);
	uint64_t from_ns = recipient->failed_until_ns > now_ns ? recipient->failed_until_ns : now_ns;
	if (from_ns - now_ns >= FAILS_BURST * interval_ns)
		return false;
	recipient->failed_until_ns = from_ns + interval_ns;
	return true;
}

bool recipient_outcome_room(const struct recipient *recipient)
{
	return recipient->unconfirmed_count < OUTCOME_ROWS_MAX;
}

void recipient_outcome_sent(struct recipient *recipient, uint64_t entry)
{
	assert(recipient_outcome_room(recipient));
	size_t slot = (recipient->unconfirmed_head + recipient->unconfirmed_count++) %
		      OUTCOME_ROWS_MAX;
	recipient->unconfirmed[slot] = entry;
	recipient->outcome_sent = entry + 1;
}

void recipient_outcome_confirmed(struct recipient *recipient, uint64_t entry)
{
	while (recipient->unconfirmed_count > 0 &&
		recipient->unconfirmed[recipient->unconfirmed_head] <= entry) {
		recipient->unconfirmed_head = (recipient->unconfirmed_head + 1) % OUTCOME_ROWS_MAX;
		recipient->unconfirmed_count--;
	}
}
