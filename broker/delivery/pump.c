/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What must move next. Nothing here waits: a recipient is looked at when something about it changed, and
 * at most one errand per recipient is under way, so that what it brings can be judged against what has
 * happened since (pump and effects.c together keep the hand-over exact).
 */
#include "broker/delivery/outcome.h"
#include "broker/delivery/room.h"
#include "proto/base/log.h"

#include <assert.h>
#include <errno.h>

void delivery_want(struct delivery *delivery, struct recipient *recipient)
{
	if (recipient->waiting)
		return;
	recipient->waiting = true;
	recipient->waiting_next = NULL;
	*delivery->waiting_end = recipient;
	delivery->waiting_end = &recipient->waiting_next;
}

/* ---- sending ---- */

void delivery_post(struct delivery *delivery, struct outlet *outlet)
{
	if (outlet->batch.count == 0)
		return;
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Deliver deliver = DIENSTWEG__DELIVER__INIT;
	deliver.n_items = outlet->batch.count;
	deliver.items = outlet->batch.items;
	frame.body_case = DIENSTWEG__FRAME__BODY_DELIVER;
	frame.deliver = &deliver;
	delivery->options.post(delivery->options.context, outlet, &frame);
	outlet->batch.count = outlet->batch.bytes = 0;
}

static struct batch *outlet_batch(
	struct delivery *delivery, struct outlet *outlet, size_t count, size_t bytes)
{
	if (!batch_fits(&outlet->batch, count, bytes))
		delivery_post(delivery, outlet);
	if (!outlet->dirty) {
		outlet->dirty = true;
		outlet->dirty_next = delivery->dirty;
		delivery->dirty = outlet;
	}
	return &outlet->batch;
}

int delivery_send(
	struct delivery *delivery, struct recipient *recipient, const struct fetched *fetched)
{
	uint64_t deadline_ns = clock_mono_ns(delivery->options.clock) +
			       delivery->options.lease_ms * UINT64_C(1000000);
	int r = recipient_lease(recipient,
		&(struct lease){
			.sequence = fetched->sequence,
			.bytes = fetched->bytes,
			.attempt = fetched->attempt,
			.lane = fetched->lane,
		},
		deadline_ns);
	if (r != 0)
		return r;
	size_t bytes = fetched->bytes + ITEM_OVERHEAD_MAX;
	batch_add(outlet_batch(delivery, recipient->outlet, 1, bytes), fetched->item, bytes);
	return 0;
}

void delivery_send_outcomes(struct delivery *delivery, struct recipient *recipient, uint64_t entry,
	const struct outcomes *outcomes)
{
	struct batch *batch = outlet_batch(
		delivery, recipient->outlet, outcomes->count, outcomes->bytes);
	for (size_t i = 0; i < outcomes->count; i++)
		batch_add(batch, outcomes->items[i], outcomes->bytes / outcomes->count);
	recipient_outcome_sent(recipient, entry);
}

/* ---- acts ---- */

struct parcel *delivery_fail_new(struct delivery *delivery, const char *cause)
{
	struct parcel *parcel = parcel_take(delivery->options.pool, PARCEL_FAIL);
	if (!parcel)
		return NULL;
	parcel->cause = cause;
	parcel->items = arena_alloc(parcel->arena, RULES_ITEMS_MAX * sizeof(*parcel->items));
	if (parcel->items)
		return parcel;
	parcel_give(delivery->options.pool, parcel);
	return NULL;
}

void delivery_count_failure(struct recipient *recipient, struct parcel *parcel, uint64_t sequence,
	enum breaker_failure how, uint64_t now_ns)
{
	struct breaker *breaker = &recipient->breaker;
	bool closed = breaker->state == BREAKER_CLOSED;
	parcel->items[parcel->items_count++] = (struct rules_item){
		.party = recipient->number,
		.sequence = sequence,
		.counted = breaker_failed(breaker, sequence, how, now_ns),
	};
	if (closed && breaker->state != BREAKER_CLOSED)
		log_warn("delivery",
			"one delivery after the other fails: the queue rests, and is tried now and "
			"then",
			F_STR("party", recipient->name), F_STR("cause", parcel->cause));
}

void delivery_fail(struct delivery *delivery, struct recipient *recipient, struct parcel *parcel)
{
	assert(parcel->items_count > 0);
	parcel->party = recipient->number;
	recipient->failing++;
	delivery->options.act(delivery->options.context, parcel);
}

void delivery_confirm_next(struct delivery *delivery, struct recipient *recipient)
{
	if (recipient->confirm_pending || recipient->confirm_wanted <= recipient->confirm_pushed)
		return;
	struct parcel *parcel = parcel_take(delivery->options.pool, PARCEL_CONFIRM);
	if (!parcel)
		return; /* with the next Confirm */
	parcel->party = recipient->number;
	parcel->sequence = recipient->confirm_wanted - 1;
	recipient->confirm_pushed = recipient->confirm_wanted;
	recipient->confirm_pending = true;
	delivery->options.act(delivery->options.context, parcel);
}

/* Return: false when parcels ran out. */
static bool leaver_fail(struct delivery *delivery, struct recipient *recipient)
{
	uint64_t now_ns = clock_mono_ns(delivery->options.clock);
	struct rules_item items[RULES_ITEMS_MAX];
	bool more = false;
	size_t count;
	do {
		struct parcel *parcel = delivery_fail_new(delivery, recipient->leaver_cause);
		if (!parcel)
			return false;
		count = lease_end_session(
			recipient->leases, recipient->leaver, items, RULES_ITEMS_MAX);
		bool alone = count == 1 && !more;
		for (size_t i = 0; i < count; i++)
			delivery_count_failure(recipient, parcel, items[i].sequence,
				alone ? BREAKER_LOST_ALONE : BREAKER_LOST, now_ns);
		more = true;
		/* Whoever comes and goes all day waits for its messages, longer each time; and while the
		   breaker is open, each time another one shall be tried. */
		parcel->backoff = count > 0 && (recipient->breaker.state != BREAKER_CLOSED ||
						       !recipient_may_fail(recipient, now_ns));
		if (count > 0)
			delivery_fail(delivery, recipient, parcel);
		else
			parcel_give(delivery->options.pool, parcel);
	} while (count == RULES_ITEMS_MAX);
	recipient->leaver = 0;
	delivery->leavers--;
	delivery_want(delivery, recipient);
	return true;
}

static void leavers_fail(struct delivery *delivery)
{
	for (size_t i = 0; delivery->leavers > 0 && i < delivery->recipients_size; i++) {
		struct recipient *recipient = delivery->recipients[i];
		if (recipient && recipient->leaver && !leaver_fail(delivery, recipient))
			return;
	}
}

/* Return: false when nothing more is due, or no parcel is free. */
static bool lease_fail_due(struct delivery *delivery, struct recipient *recipient, uint64_t now_ns)
{
	uint64_t sequence, lease_ns = delivery->options.lease_ms * UINT64_C(1000000);
	if (!deadlines_passed(&recipient->deadlines, now_ns))
		return false;
	struct parcel *parcel = delivery_fail_new(delivery, "lease-expired");
	if (!parcel)
		return false;
	parcel->backoff = true;
	while (parcel->items_count < RULES_ITEMS_MAX &&
		deadlines_due(&recipient->deadlines, recipient->leases, now_ns, &sequence) == 0) {
		if (recipient_renew(recipient, sequence, now_ns + lease_ns))
			continue;
		if (recipient_settle(recipient, sequence, LEASE_NAKED) == 0)
			delivery_count_failure(recipient, parcel, sequence, BREAKER_SILENT, now_ns);
	}
	if (parcel->items_count > 0)
		delivery_fail(delivery, recipient, parcel);
	else
		parcel_give(delivery->options.pool, parcel);
	return true;
}

void delivery_tick(struct delivery *delivery)
{
	uint64_t now_ns = clock_mono_ns(delivery->options.clock);
	for (size_t i = 0; i < delivery->recipients_size; i++) {
		struct recipient *recipient = delivery->recipients[i];
		while (recipient && recipient->outlet && lease_fail_due(delivery, recipient, now_ns))
			continue;
		if (recipient && breaker_wakes(&recipient->breaker, now_ns))
			delivery_want(delivery, recipient);
	}
}

/* ---- expiry ---- */

static bool expiry_waits(const struct delivery *delivery, const struct rules_item *item)
{
	const struct recipient *recipient = delivery_recipient(delivery, item->party);
	return recipient && lease_holds(recipient->leases, item->sequence, NULL) == LEASE_OUT;
}

static void expiry_add(
	struct delivery *delivery, struct parcel *parcel, const struct rules_item *item)
{
	struct recipient *recipient = delivery_recipient(delivery, item->party);
	/* Held back, so that it does not leave while it ends. Best effort: an acknowledgement that comes
	   too late is journaled as such. */
	if (recipient)
		(void)recipient_hold(recipient, item->sequence);
	parcel->items[parcel->items_count++] = *item;
}

/* Push what is not leased; keep the rest. */
static void expiries_push(struct delivery *delivery)
{
	struct parcel *parcel = NULL;
	size_t kept = 0;
	for (size_t i = 0; i < delivery->expiring_count; i++) {
		const struct rules_item item = delivery->expiring[i];
		if (!parcel && !expiry_waits(delivery, &item)) {
			parcel = delivery_fail_new(delivery, NULL);
			if (parcel)
				parcel->kind = PARCEL_EXPIRE;
		}
		if (!parcel || expiry_waits(delivery, &item)) {
			delivery->expiring[kept++] = item;
			continue;
		}
		expiry_add(delivery, parcel, &item);
		if (parcel->items_count == RULES_ITEMS_MAX)
			delivery->options.act(delivery->options.context, steal(&parcel));
	}
	delivery->expiring_count = kept;
	if (parcel)
		delivery->options.act(delivery->options.context, parcel);
}

/* ---- errands ---- */

static bool messages_wanted(const struct recipient *recipient)
{
	bool behind = recipient->again_count > 0;
	for (uint8_t lane = 0; lane < LANE_OUTCOME; lane++)
		behind |= recipient->lanes[lane].behind;
	/* At least one byte: a recipient without credit is not asked about. */
	uint64_t need = recipient->need_bytes ? recipient->need_bytes : 1;
	return behind && recipient_takes(recipient, need) &&
	       lease_count(recipient->leases) < LEASES_MAX;
}

static bool outcomes_wanted(const struct recipient *recipient)
{
	return recipient->lanes[LANE_OUTCOME].behind && recipient_outcome_room(recipient) &&
	       recipient->failing == 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void fetch_ask_messages(struct fetch *fetch, struct recipient *recipient)
{
	uint64_t messages, bytes;
	recipient_room(recipient, &messages, &bytes);
	messages = least(messages, LEASES_MAX - lease_count(recipient->leases));
	if (recipient->breaker.state == BREAKER_PROBING)
		messages = least(messages, 1);
	fetch->messages_max = (size_t)least(messages, FETCH_MESSAGES_MAX);
	fetch->bytes_max = least(bytes, BATCH_BYTES_MAX);
	window_reserve(&recipient->outlet->window, fetch->messages_max, fetch->bytes_max);
	for (uint8_t i = 0; i < LANE_OUTCOME; i++)
		fetch->lanes[i] = (struct fetch_lane){.wanted = recipient->lanes[i].behind,
			.from = recipient->lanes[i].next,
			.next = recipient->lanes[i].next};
	memcpy(fetch->again, recipient->again, sizeof(fetch->again));
	fetch->again_count = recipient->again_count;
}

static void fetch_ask(struct delivery *delivery, struct fetch *fetch, struct recipient *recipient)
{
	struct arena *arena = fetch->arena;
	struct fetch_lane *outcomes = &fetch->lanes[LANE_OUTCOME];
	arena_reset(arena);
	*fetch = (struct fetch){
		.errand = {.run = fetch_run, .done = fetch_done},
		.arena = arena,
		.delivery = delivery,
		.recipient = recipient,
		.serial = recipient->outlet->serial,
		.bus = delivery->options.bus,
		.party = recipient->number,
		.name = BYTES_STR(recipient->name),
		.released = recipient->released,
	};
	if (messages_wanted(recipient))
		fetch_ask_messages(fetch, recipient);
	outcomes->wanted = outcomes_wanted(recipient);
	outcomes->from = outcomes->next = recipient->lanes[LANE_OUTCOME].next;
	fetch->outcomes_max = (size_t)least(
		FETCH_OUTCOMES_MAX, OUTCOME_ROWS_MAX - recipient->unconfirmed_count);
	recipient->fetch = fetch;
	recipient->fetch_stale = false;
}

/* Return: false when no errand is free, or the clerk has no room: the recipient keeps its place. */
static bool recipient_pump(struct delivery *delivery, struct recipient *recipient)
{
	if (delivery->stopped || recipient->fetch || !recipient->outlet)
		return true;
	if (!messages_wanted(recipient) && !outcomes_wanted(recipient))
		return true;
	struct fetch *fetch = delivery->idle;
	if (!fetch || clerk_is_full(delivery->options.clerk))
		return false;
	delivery->idle = fetch->next;
	fetch_ask(delivery, fetch, recipient);
	int r = clerk_send(delivery->options.clerk, &fetch->errand);
	assert(r == 0);
	return true;
}

static void waiting_pump(struct delivery *delivery)
{
	while (delivery->waiting) {
		struct recipient *recipient = delivery->waiting;
		if (!recipient_pump(delivery, recipient))
			return;
		delivery->waiting = recipient->waiting_next;
		if (!delivery->waiting)
			delivery->waiting_end = &delivery->waiting;
		recipient->waiting = false;
	}
}

/* Caught up when nothing was left and no commit was announced that the snapshot did not hold. */
static void lane_advance(struct lane *lane, const struct fetch_lane *fetched, uint64_t size)
{
	if (!fetched->wanted)
		return;
	lane->next = fetched->next;
	if (!fetched->end)
		return;
	if (size > lane->next)
		lane->next = size;
	lane->behind = lane->announced > lane->next;
}

/* Return: false when the recipient can take no more leases: from here on it is to be fetched anew. */
static bool found_send(
	struct delivery *delivery, struct recipient *recipient, const struct fetched *found)
{
	if (found->lane == LANE_OUTCOME) {
		delivery_send_outcomes(delivery, recipient, found->sequence, found->outcomes);
		return true;
	}
	int r = delivery_send(delivery, recipient, found);
	return r == 0 || r == LEASE_HELD;
}

static void fetch_use(struct delivery *delivery, struct recipient *recipient, struct fetch *fetch)
{
	size_t sent = 0;
	while (sent < fetch->count && found_send(delivery, recipient, &fetch->items[sent]))
		sent++;
	delivery_post(delivery, recipient->outlet);
	for (uint8_t lane = 0; lane < LANES; lane++)
		lane_advance(&recipient->lanes[lane], &fetch->lanes[lane], fetch->size);
	recipient->held = fetch->held;
	recipient->again_count -= fetch->again_done;
	memmove(recipient->again, recipient->again + fetch->again_done,
		recipient->again_count * sizeof(recipient->again[0]));
	/* The cursors have passed what was not sent. */
	for (size_t i = sent; i < fetch->count; i++)
		recipient_reopen(recipient, fetch->items[i].lane, fetch->items[i].sequence);
	recipient->need_bytes = fetch->need_bytes;
	for (size_t i = 0; i < fetch->kept_count; i++)
		recipient_keep(recipient, &fetch->kept[i], fetch->released);
}

void fetch_done(struct errand *errand)
{
	struct fetch *fetch = (struct fetch *)errand;
	struct delivery *delivery = fetch->delivery;
	struct recipient *recipient = fetch->recipient;
	struct outlet *outlet = recipient->outlet;
	bool same = outlet && outlet->serial == fetch->serial;
	int r = errand->result ? errand->result : fetch->result;
	if (same)
		window_release(&outlet->window, fetch->messages_max, fetch->bytes_max);
	recipient->fetch = NULL;
	if (r != 0)
		delivery->options.failed(delivery->options.context, r < 0 ? r : -EBADMSG);
	else if (same && !recipient->fetch_stale && recipient->failing == 0 && !delivery->stopped)
		fetch_use(delivery, recipient, fetch);
	fetch->next = delivery->idle;
	delivery->idle = fetch;
	delivery_want(delivery, recipient);
}

static void dirty_post(struct delivery *delivery)
{
	while (delivery->dirty) {
		struct outlet *outlet = delivery->dirty;
		delivery->dirty = outlet->dirty_next;
		outlet->dirty = false;
		delivery_post(delivery, outlet);
	}
}

void delivery_flush(struct delivery *delivery)
{
	dirty_post(delivery);
	if (delivery->leavers > 0)
		leavers_fail(delivery);
	if (delivery->expiring_count > 0)
		expiries_push(delivery);
	waiting_pump(delivery);
}
