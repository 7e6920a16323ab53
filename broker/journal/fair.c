/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Party numbers are small and dense, so a party is found by index. The limit per party holds only while
 * more than one party was active within the last second: a lone sender gets the whole commit, and a
 * quiet one finds room the moment it speaks. Activity is counted in windows of a second, this one and
 * the last, which needs no list of times.
 *
 * Of whom more waits than one commit takes, the rest has to wait for the one after it anyway; of whom little waits is
 * done with this one. So where there are both, those with little go alone, in a commit that is as short as it can be;
 * and in the next one everybody, so that nobody starves.
 */
#include "broker/journal/fair.h"

#include <errno.h>
#include <stdlib.h>

enum {
	PARTIES_MAX = 1 << 16, /* beyond: they share a queue, which is unfair to them but bounded */
	WINDOW_NS = 1000000000,
};

struct fair_party {
	struct parcel *head, *last;
	uint64_t window; /* it was last seen in */
	uint64_t round;  /* `taken` counts for this one */
	size_t taken;
	size_t waiting; /* messages in its parcels */
	uint32_t next;  /* in the ring of parties with parcels */
};

/* Parties by number, chained through fair_party.next. */
struct fair_ring {
	uint32_t head, last;
	size_t count;
};

struct fair {
	struct fair_limits limits;
	struct fair_party *parties;
	size_t parties_count;
	struct fair_ring ready;
	size_t parcels;
	uint64_t round;
	bool ahead; /* the last commit was without those of whom more than a share waits */
	uint64_t window;
	size_t active, active_before; /* parties seen in this window and in the one before */
	uint32_t first, first_before; /* the first of them */
};

int fair_new(const struct fair_limits *limits, struct fair **ret)
{
	struct fair *fair = calloc(1, sizeof(*fair));
	if (!fair)
		return -ENOMEM;
	fair->limits = *limits;
	*ret = fair;
	return 0;
}

void fair_free(struct fair *fair)
{
	if (!fair)
		return;
	free(fair->parties);
	free(fair);
}

size_t fair_count(const struct fair *fair)
{
	return fair->parcels;
}

static void ring_push(struct fair *fair, struct fair_ring *ring, uint32_t number)
{
	if (ring->count++ == 0)
		ring->head = number;
	else
		fair->parties[ring->last].next = number;
	ring->last = number;
}

static uint32_t ring_pop(struct fair *fair, struct fair_ring *ring)
{
	uint32_t number = ring->head;
	ring->head = fair->parties[number].next;
	ring->count--;
	return number;
}

static int fair_reach(struct fair *fair, uint32_t number)
{
	if (number < fair->parties_count)
		return 0;
	size_t count = fair->parties_count ? fair->parties_count * 2 : 64;
	while (count <= number)
		count *= 2;
	struct fair_party *parties = realloc(fair->parties, count * sizeof(*parties));
	if (!parties)
		return -ENOMEM;
	for (size_t i = fair->parties_count; i < count; i++)
		parties[i] = (struct fair_party){};
	fair->parties = parties;
	fair->parties_count = count;
	return 0;
}

/* Windows count from 1, so that a party never seen is in none. */
static void fair_turn_window(struct fair *fair, uint64_t now_ns)
{
	uint64_t window = now_ns / WINDOW_NS + 1;
	if (window <= fair->window)
		return;
	fair->active_before = window == fair->window + 1 ? fair->active : 0;
	fair->first_before = fair->first;
	fair->active = 0;
	fair->window = window;
}

static size_t weight(const struct parcel *parcel)
{
	if (parcel->spoilt)
		return 0;
	return parcel->submits_count ? parcel->submits_count : 1;
}

int fair_push(struct fair *fair, struct parcel *parcel, uint64_t now_ns)
{
	uint32_t number = parcel->origin.speaker_number;
	if (number >= PARTIES_MAX)
		number = 0;
	int r = fair_reach(fair, number);
	if (r)
		return r;
	struct fair_party *party = &fair->parties[number];
	fair_turn_window(fair, now_ns);
	if (party->window != fair->window) {
		party->window = fair->window;
		if (fair->active++ == 0)
			fair->first = number;
	}
	parcel->next = NULL;
	if (party->head)
		party->last->next = parcel;
	else
		party->head = parcel;
	if (party->head == parcel)
		ring_push(fair, &fair->ready, number);
	party->last = parcel;
	party->waiting += weight(parcel);
	fair->parcels++;
	return 0;
}

void fair_forget(struct fair *fair, uint32_t party, uint64_t session)
{
	uint32_t number = party < PARTIES_MAX ? party : 0;
	if (number >= fair->parties_count)
		return;
	struct fair_party *waiting = &fair->parties[number];
	for (struct parcel *parcel = waiting->head; parcel; parcel = parcel->next) {
		if (parcel->origin.session_serial != session)
			continue;
		waiting->waiting -= weight(parcel);
		parcel->spoilt = true;
	}
}

/* May this party have one more in this commit? The first always, or a large parcel would never go. */
static bool party_may(const struct fair *fair, const struct fair_party *party, bool contended)
{
	size_t taken = party->round == fair->round ? party->taken : 0;
	return !contended || taken == 0 ||
	       taken + weight(party->head) <= fair->limits.party_messages;
}

static struct parcel *party_pop(struct fair *fair, struct fair_party *party)
{
	struct parcel *parcel = party->head;
	party->taken = (party->round == fair->round ? party->taken : 0) + weight(parcel);
	party->round = fair->round;
	party->waiting -= weight(parcel);
	party->head = parcel->next;
	parcel->next = NULL;
	fair->parcels--;
	return parcel;
}

static bool fair_contended(const struct fair *fair)
{
	bool both = fair->active > 0 && fair->active_before > 0;
	return fair->active > 1 || fair->active_before > 1 ||
	       (both && fair->first != fair->first_before);
}

/* More than one commit's share of it waits. */
static bool is_crowd(const struct fair *fair, const struct fair_party *party)
{
	return party->waiting > fair->limits.party_messages;
}

static bool somebody_waits_for_a_crowd(const struct fair *fair)
{
	bool crowd = false, other = false;
	uint32_t number = fair->ready.head;
	for (size_t i = 0; i < fair->ready.count; i++) {
		const struct fair_party *party = &fair->parties[number];
		crowd |= is_crowd(fair, party);
		other |= !is_crowd(fair, party);
		number = party->next;
	}
	return crowd && other;
}

struct parcel **fair_take(struct fair *fair, uint64_t now_ns, struct parcel **tail)
{
	struct fair_ring resting = {}; /* had their share */
	size_t parcels = 0, messages = 0;
	fair_turn_window(fair, now_ns);
	fair->round++;
	bool contended = fair_contended(fair);
	fair->ahead = contended && !fair->ahead && fair->limits.parcels > 1 &&
		      somebody_waits_for_a_crowd(fair);
	while (fair->ready.count > 0 && parcels < fair->limits.parcels) {
		uint32_t number = fair->ready.head;
		struct fair_party *party = &fair->parties[number];
		size_t more = weight(party->head);
		if (messages > 0 && messages + more > fair->limits.messages)
			break;
		ring_pop(fair, &fair->ready);
		if ((fair->ahead && is_crowd(fair, party)) || !party_may(fair, party, contended)) {
			ring_push(fair, &resting, number);
			continue;
		}
		*tail = party_pop(fair, party);
		tail = &(*tail)->next;
		parcels++;
		messages += more;
		if (party->head)
			ring_push(fair, &fair->ready, number);
	}
	while (resting.count > 0)
		ring_push(fair, &fair->ready, ring_pop(fair, &resting));
	return tail;
}
