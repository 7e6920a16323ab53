/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Where records were erased, the rules cannot be run from the first entry. But most rows are the work of one
 * entry: a row of `seen` of the message's, a row of `end` of the one that ended it, and an open message is in its
 * own record. What those do not tell (which messages are open, how often they were tried, totals) the state
 * entry does. Nobody needs to believe that: the state so put together is compared with the digests that
 * the broker took from its tables, before anything was erased.
 *
 * Nothing is decided here. Entries are taken at their word, and verify asks whether they are signed.
 */
#include <errno.h>
#include <inttypes.h>

#include "broker/audit/replayer.h"
#include "broker/routing/asked.h"
#include "broker/routing/common.h"
#include "broker/routing/place.h"
#include "broker/routing/total.h"

/* Number of a party by a name out of an entry; 0: none has it. */
static int number_of(struct replayer *p, ProtobufCBinaryData name, uint32_t *ret)
{
	*ret = 0;
	if (name.len > NAME_BYTES_MAX)
		return 0;
	return rules_party_number(p->rules.state, BYTES_PB(name), ret);
}

static int put(struct replayer *p, enum state_table table, struct bytes key, struct bytes value)
{
	return state_put(p->rules.state, table, key, value);
}

/* The state that is put together. */
struct founding {
	uint64_t size;
	uint32_t rules; /* version of its entry */
	const Dienstweg__State *told;
	size_t hold; /* the first of told->holds that entries have not passed */
};

/* ---- one row of one entry ---- */

static int put_seen(struct replayer *p, const struct audit_entry *entry)
{
	uint8_t key[SEEN_KEY_SIZE], value[SEEN_ROW_SIZE];
	struct seen_row row = {.sequence = entry->sequence, .kind = entry->stub.kind};
	uint32_t sender;
	int r = number_of(p, entry->header->sender, &sender);
	if (r)
		return r;
	memcpy(row.h, entry->disclosed.digest, sizeof(row.h));
	seen_key_encode(entry->header->message_id.data, sender, key);
	seen_row_encode(&row, value);
	return put(p, STATE_SEEN, BYTES(key, sizeof(key)), BYTES(value, sizeof(value)));
}

/* What an entry did to messages, one after the other. */
struct ending_walk {
	const struct audit_entry *entry;
	size_t index; /* of the next ack or affected item */
	struct rules_item item;
	uint8_t state;
	uint8_t at; /* index of the one found */
};

/* Does such an entry end the messages that it affects, and how? */
static bool ends_affected(uint8_t kind, uint8_t *ret)
{
	switch (kind) {
	case DIENSTWEG__ENTRY_KIND__ENTRY_EXPIRED:
		*ret = END_EXPIRED;
		return true;
	case DIENSTWEG__ENTRY_KIND__ENTRY_CANCELLED:
		*ret = END_CANCELLED;
		return true;
	case DIENSTWEG__ENTRY_KIND__ENTRY_DISCARDED:
		*ret = END_DISCARDED;
		return true;
	case DIENSTWEG__ENTRY_KIND__ENTRY_OVERDUE: /* which is no end, but an outcome */
		*ret = END_OVERDUE;
		return true;
	case DIENSTWEG__ENTRY_KIND__ENTRY_DUE_SOON: /* neither */
		*ret = END_DUE_SOON;
		return true;
	default:
		return false;
	}
}

/* The next message that the entry ended. 0, STATE_NOT_FOUND at the end, negative errno. */
static int next_ending(struct replayer *p, struct ending_walk *walk)
{
	const struct audit_entry *entry = walk->entry;
	const Dienstweg__Decision *decision = entry->decision;
	while (entry->batch && walk->index < entry->batch->n_acks &&
		walk->index < decision->n_verdicts) {
		const Dienstweg__Ack *ack = entry->batch->acks[walk->index];
		walk->at = (uint8_t)walk->index++;
		if (decision->verdicts[walk->at] != DIENSTWEG__ACK_VERDICT__ACK_CLOSED)
			continue;
		walk->item.sequence = ack->sequence;
		walk->state = ack->accepted ? END_ACCEPTED : END_REJECTED;
		return number_of(p, entry->batch->recipient, &walk->item.party);
	}
	if (ends_affected(entry->stub.kind, &walk->state) && walk->index < decision->n_affected) {
		walk->at = (uint8_t)walk->index++;
		walk->item.sequence = decision->affected[walk->at]->sequence;
		return number_of(p, decision->affected[walk->at]->party, &walk->item.party);
	}
	return STATE_NOT_FOUND;
}

static int put_ends(struct replayer *p, const struct audit_entry *entry)
{
	struct ending_walk walk = {.entry = entry};
	int r;
	while ((r = next_ending(p, &walk)) == 0) {
		uint8_t key[END_KEY_SIZE], value[END_ROW_SIZE];
		struct end_row row = {
			.state = walk.state, .entry = entry->sequence, .index = walk.at};
		end_key_encode(walk.item.sequence, walk.item.party, key);
		end_row_encode(&row, value);
		r = put(p, STATE_END, BYTES(key, sizeof(key)), BYTES(value, sizeof(value)));
		if (r)
			return r;
	}
	return r == STATE_NOT_FOUND ? 0 : r;
}

/* Whether a case is still under hold its entries need not tell: the release may be erased, and the hold not. */
/* What a recipient said of messages that had ended without it. Where the entry that ended one is erased, so is its row. */
static int put_heard(struct replayer *p, const struct audit_entry *entry)
{
	const Dienstweg__Decision *decision = entry->decision;
	struct rules_item item = {};
	int r = entry->batch ? number_of(p, entry->batch->recipient, &item.party) : 0;
	for (size_t i = 0;
		r == 0 && entry->batch && i < entry->batch->n_acks && i < decision->n_verdicts; i++) {
		struct place place;
		if (decision->verdicts[i] != DIENSTWEG__ACK_VERDICT__ACK_LATE)
			continue;
		item.sequence = entry->batch->acks[i]->sequence;
		r = place_find(p->rules.state, &item, &place);
		if (r == 0 && place.where == PLACE_ENDED && end_state_is_unheard(place.end))
			r = place_hear(p->rules.state, &item, &place);
	}
	return r;
}

static int found_hold(struct replayer *p, const struct audit_entry *entry, struct founding *at)
{
	const Dienstweg__State *told = at->told;
	struct remade made;
	while (at->hold < told->n_holds && told->holds[at->hold] < entry->sequence)
		at->hold++;
	if (at->rules >= 1 && (at->hold == told->n_holds || told->holds[at->hold] != entry->sequence))
		return 0;
	return replay_decide(p, entry, &made);
}

static int found_entry(struct replayer *p, const struct audit_entry *entry, struct founding *at)
{
	struct remade made;
	int r;
	switch (entry->stub.kind) {
	case DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED:
		return put_seen(p, entry);
	case DIENSTWEG__ENTRY_KIND__ENTRY_REFUSED:
		return entry->header && p->version->refusal_is_final(BYTES_PB(entry->decision->code),
						BYTES_PB(entry->decision->field))
			       ? put_seen(p, entry)
			       : 0;
	case DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED:
		r = put_ends(p, entry);
		return r ? r : put_heard(p, entry);
	case DIENSTWEG__ENTRY_KIND__ENTRY_EXPIRED:
	case DIENSTWEG__ENTRY_KIND__ENTRY_CANCELLED:
	case DIENSTWEG__ENTRY_KIND__ENTRY_DISCARDED:
		return put_ends(p, entry);
	case DIENSTWEG__ENTRY_KIND__ENTRY_HELD:
	case DIENSTWEG__ENTRY_KIND__ENTRY_RELEASED:
		return entry->decision->n_affected == 0 ? replay_decide(p, entry, &made) : 0;
	case DIENSTWEG__ENTRY_KIND__ENTRY_REGISTRY:
	case DIENSTWEG__ENTRY_KIND__ENTRY_START:
		return replay_decide(p, entry, &made);
	case DIENSTWEG__ENTRY_KIND__ENTRY_LEGAL_HOLD:
	case DIENSTWEG__ENTRY_KIND__ENTRY_LEGAL_RELEASE:
		return found_hold(p, entry, at);
	default:
		return 0;
	}
}

static int found_entries(struct replayer *p, struct founding *at)
{
	uint64_t until = at->size;
	int r = 0;
	for (; r == 0 && p->next < until; p->next++) {
		struct audit_entry entry;
		if (p->next % AUDIT_SLICE == AUDIT_SLICE - 1)
			r = audit_refresh(p->audit);
		if (p->next % AUDIT_SLICE == 0)
			audit_report_progress(p->report, p->next, until);
		arena_reset(p->entry_arena);
		replay_begin(p);
		p->rules.sequence = p->next;
		if (r == 0)
			r = audit_entry_read(p->audit->reader, p->next, p->entry_arena, &entry);
		if (r == 0)
			replay_use_rules(p, entry.decision->rules_version);
		if (r == 0)
			r = found_entry(p, &entry, at);
		else if (r == READER_DAMAGED)
			audit_report_finding(p->report, p->next, "entry-unreadable",
				"it cannot be read: audit verify tells more");
		r = r > 0 ? 0 : r;
	}
	return r;
}

/* ---- what is open ---- */

static int open_lost(struct replayer *p, const struct rules_item *item)
{
	audit_report_finding(p->report, item->sequence, "open-unreadable",
		"it waits for party number %" PRIu32 ", but its record cannot be read", item->party);
	return 0;
}

/* Would its rows share one, by the rules that decided it? */
static bool shares(const Dienstweg__Decision *decision)
{
	return decision->rules_version >= 1 && decision->n_recipients > 1;
}

/* The row of a message that waits, as it was when it was recorded. 0, READER_*, negative errno. */
static int row_of(struct replayer *p, uint64_t sequence, struct queue_row *ret, uint8_t *ret_lane)
{
	struct audit_entry entry;
	arena_reset(p->entry_arena);
	int r = audit_entry_read(p->audit->reader, sequence, p->entry_arena, &entry);
	if (r == 0 && (entry.stub.kind != DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED || !entry.header))
		r = READER_DAMAGED;
	if (r)
		return r;
	const Dienstweg__Header *header = entry.header;
	*ret = (struct queue_row){
		.sharing = shares(entry.decision),
		.bytes = (uint32_t)entry.header_bytes.len + header->content_length,
		.expires_ms = entry.decision->expires_ms ? entry.decision->expires_ms
							 : header->expires_ms,
	};
	*ret_lane = (uint8_t)header->priority;
	memcpy(ret->h, entry.disclosed.digest, HASH_SIZE);
	memcpy(ret->message_id, header->message_id.data, UUID_SIZE);
	memcpy(ret->case_id, header->case_id.data, sizeof(ret->case_id));
	return number_of(p, header->sender, &ret->sender);
}

static int put_expiry(struct replayer *p, const struct rules_item *item,
	const struct queue_row *row, uint8_t lane)
{
	uint8_t key[TIMER_KEY_SIZE];
	if (row->expires_ms == 0)
		return 0;
	timer_key_encode(row->expires_ms, item->sequence, item->party, TIMER_EXPIRE, key);
	return put(p, STATE_TIMER, BYTES(key, sizeof(key)), BYTES(&lane, 1));
}

/* The first of its recipients that waits brings it; each of the others adds one. Those that were tried and are in
   `queue` are named twice, by their lane first: then they add nothing. */
static int put_common(struct replayer *p, uint64_t sequence, const struct queue_row *row, bool adds)
{
	struct audit_entry entry;
	struct common_row common;
	int r = common_get(p->rules.state, sequence, &common);
	if (r == STATE_NOT_FOUND) {
		common = (struct common_row){.row = *row};
		common.row.sharing = false;
		common.row.attempts = common.row.strikes = 0;
		arena_reset(p->entry_arena);
		r = audit_entry_read(p->audit->reader, sequence, p->entry_arena, &entry);
		if (r == 0 && entry.decision->n_recipients > COMMON_RECIPIENTS_MAX)
			r = -EBADMSG;
		for (size_t i = 0; r == 0 && i < entry.decision->n_recipients; i++)
			r = number_of(p, entry.decision->recipients[i],
				&common.recipients[common.count++]);
	}
	if (r != 0)
		return r < 0 ? r : -EBADMSG; /* row_of() has just read it */
	common.row.attempts = (uint16_t)(common.row.attempts + adds);
	common.row.attempts_max = row->attempts_max;
	return common_put(p->rules.state, sequence, &common);
}

/* @waiting: NULL: in its queue, and never tried. */
static int open_message(
	struct replayer *p, const struct rules_item *item, const Dienstweg__StateWaiting *waiting)
{
	struct rules rules = p->rules;
	struct place place = {};
	int r = row_of(p, item->sequence, &place.row, &place.lane);
	if (r)
		return r < 0 ? r : open_lost(p, item);
	if (waiting) {
		place.row.attempts = (uint16_t)waiting->attempts;
		place.row.strikes = (uint16_t)waiting->strikes;
		place.row.attempts_max = (uint16_t)waiting->attempts_max;
		place.due_ms = waiting->due_ms;
		place.entry = waiting->entry;
		place.index = (uint8_t)waiting->index;
		/* What began to wait under version 0 holds nothing back. */
		rules.version = waiting->ordered ? RULES_VERSION : 0;
	}
	bool parked = waiting && waiting->parked != 0;
	r = place.row.sharing ? put_common(p, item->sequence, &place.row,
					!waiting || parked || place.due_ms != 0)
			      : put_expiry(p, item, &place.row, place.lane);
	if (r)
		return r;
	if (parked) {
		place.where = waiting->parked == TIMER_DEAD ? PLACE_DEAD : PLACE_HELD;
		return place_park(&rules, item, &place);
	}
	return place.due_ms ? place_delay(&rules, item, place.due_ms, place.lane, &place.row)
			    : place_queue(p->rules.state, item, place.lane, &place.row);
}

/* Outcomes of one entry for one sender. */
static int open_outcome(struct replayer *p, uint32_t sender, uint64_t sequence)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(ENTRY_ARENA);
	uint8_t value[OUTCOME_ITEMS_MAX * OUTCOME_ITEM_SIZE], key[QUEUE_KEY_SIZE];
	struct audit_entry entry;
	struct ending_walk walk = {.entry = &entry};
	size_t len = 0;
	int r = arena ? audit_entry_read(p->audit->reader, sequence, arena, &entry) : -ENOMEM;
	if (r)
		return r < 0 ? r
			     : open_lost(p,
				       &(struct rules_item){.party = sender, .sequence = sequence});
	while ((r = next_ending(p, &walk)) == 0 && len < sizeof(value)) {
		struct queue_row row;
		uint8_t lane;
		r = row_of(p, walk.item.sequence, &row, &lane);
		if (r < 0)
			return r;
		if (r || row.sender != sender)
			continue;
		struct outcome_item item = {
			.sequence = walk.item.sequence,
			.recipient = walk.item.party,
			.state = walk.state,
			.index = walk.at,
		};
		memcpy(item.h, row.h, sizeof(item.h));
		memcpy(item.message_id, row.message_id, sizeof(item.message_id));
		memcpy(item.case_id, row.case_id, sizeof(item.case_id));
		outcome_item_encode(&item, value + len);
		len += OUTCOME_ITEM_SIZE;
	}
	if (r < 0)
		return r;
	queue_key_encode(sender, LANE_OUTCOME, sequence, key);
	return put(p, STATE_QUEUE, BYTES(key, sizeof(key)), BYTES(value, len));
}

static int open_lane(struct replayer *p, const Dienstweg__StateLane *lane)
{
	struct rules_item item = {.party = lane->party};
	int r = 0;
	for (size_t i = 0; r == 0 && i < lane->n_steps; i++) {
		item.sequence += lane->steps[i];
		r = lane->lane == LANE_OUTCOME ? open_outcome(p, item.party, item.sequence)
					       : open_message(p, &item, NULL);
	}
	return r;
}

static int put_totals(struct replayer *p, const Dienstweg__State *state)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < state->n_totals; i++) {
		struct total_row row = {
			.first = state->totals[i]->messages, .second = state->totals[i]->bytes};
		r = total_queue_put(p->rules.state, state->totals[i]->party, &row);
	}
	return r;
}

/* What names the message is in its record, which is kept as long as the row. 0, READER_* (told), negative errno. */
static int take_ids(struct replayer *p, struct asked_row *row, uint8_t ret_token[ASKED_TOKEN_SIZE])
{
	struct queue_row message;
	uint8_t lane;
	int r = row_of(p, row->sequence, &message, &lane);
	if (r > 0)
		open_lost(p, &(struct rules_item){.sequence = row->sequence});
	if (r)
		return r;
	asked_token(message.h, message.case_id, ret_token);
	if (!asked_state_tells(row->state))
		return 0;
	memcpy(row->h, message.h, sizeof(row->h));
	memcpy(row->message_id, message.message_id, sizeof(row->message_id));
	memcpy(row->case_id, message.case_id, sizeof(row->case_id));
	return 0;
}

static int put_asked(struct replayer *p, const Dienstweg__State *state)
{
	int r = 0;
	for (size_t i = 0; r >= 0 && i < state->n_asked; i++) {
		const Dienstweg__StateAsked *asked = state->asked[i];
		uint8_t token[ASKED_TOKEN_SIZE];
		struct asked_row row = {
			.sequence = asked->sequence,
			.answerer = asked->answerer,
			.due_ms = asked->due_ms,
			.overdue_ms = asked->overdue_ms,
			.state = (uint8_t)asked->state,
			.service_len = (uint8_t)asked->service.len,
		};
		if (asked->service.len == 0 || asked->service.len > sizeof(row.service))
			return -EBADMSG;
		memcpy(row.service, asked->service.data, asked->service.len);
		r = take_ids(p, &row, token);
		if (r == 0)
			r = asked_put(p->rules.state, asked->party, token, &row);
	}
	return r < 0 ? r : 0;
}

static int put_open(struct replayer *p, const Dienstweg__State *state)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < state->n_lanes; i++)
		r = open_lane(p, state->lanes[i]);
	for (size_t i = 0; r == 0 && i < state->n_waiting; i++) {
		const Dienstweg__StateWaiting *waiting = state->waiting[i];
		r = open_message(p,
			&(struct rules_item){.party = waiting->party, .sequence = waiting->sequence},
			waiting);
	}
	if (r == 0)
		r = put_asked(p, state);
	return r ? r : put_totals(p, state);
}

/* ---- all of it ---- */

static int put_quotas(struct replayer *p, const Dienstweg__State *state)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < state->n_quotas; i++) {
		const Dienstweg__StateQuota *quota = state->quotas[i];
		if (quota->agreement.len <= QUOTA_KEY_MAX - 5)
			r = total_quota_put(p->rules.state, quota->month,
				BYTES_PB(quota->agreement), quota->messages);
	}
	return r;
}

/* A month's quota is in the last state that counted it. */
static int found_quotas(struct replayer *p, const struct replay_state *last)
{
	int r = 0;
	for (const struct replay_state *state = p->states; r == 0 && state < last; state++) {
		_cleanup_(arena_free) struct arena *arena = arena_new(STATE_ARENA);
		const Dienstweg__StateCut *cut;
		Dienstweg__State *told;
		struct bytes content;
		r = arena ? replay_read_state(p, state, arena, &cut, &told, &content) : -ENOMEM;
		if (r == 0)
			r = put_quotas(p, told);
		r = r > 0 ? 0 : r;
	}
	return r;
}

int replay_found(struct replayer *p, const struct replay_state *state)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(STATE_ARENA);
	const Dienstweg__StateCut *cut;
	Dienstweg__State *told;
	struct bytes content;
	int r = arena ? replay_read_state(p, state, arena, &cut, &told, &content) : -ENOMEM;
	if (r == 0)
		r = found_entries(p,
			&(struct founding){
				.size = state->cut.size, .rules = state->cut.rules, .told = told});
	if (r == 0)
		r = found_quotas(p, state);
	if (r == 0)
		r = put_quotas(p, told);
	if (r == 0)
		r = put_open(p, told);
	if (r == 0)
		r = replay_take_refusals(p, told);
	if (r) {
		p->stopped = true;
		return r < 0 ? r : 0;
	}
	p->rules.batch_ms = p->ticked_ms = state->cut.batch_ms;
	p->states_next = (size_t)(state - p->states) + 1;
	p->founding = p->founded = true;
	r = replay_compare_state(p, state, cut, content, arena);
	p->founding = false;
	return r;
}
