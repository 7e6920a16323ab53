/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The broker goes by what its tables say, and they remember more than can be read: a row of `end` stays when message
 * and acknowledgement are erased, one of `seen` until the run has come to it. So an old acknowledgement that is sent
 * again is "already" to the broker, and "unknown" to whoever has only the records; and a message id can be one that
 * was used, though nothing that can be read used it. Replay takes the entry at its word there, and nowhere else:
 * rows are lent to the rules for this one decision.
 */
#include <errno.h>

#include "broker/audit/replayer.h"
#include "broker/routing/codes.h"
#include "broker/routing/place.h"

/* ---- what had ended ---- */

static bool names(const Dienstweg__Decision *decision, struct bytes party)
{
	for (size_t i = 0; i < decision->n_recipients; i++)
		if (bytes_equal(BYTES_PB(decision->recipients[i]), party))
			return true;
	return false;
}

/*
 * A delivery that was not open at the state that replay began with, and of which no entry tells how it ended: if the
 * message can be read, and was for this party, that entry is erased.
 */
static int ended_unread(struct replayer *p, uint64_t sequence, struct bytes party, bool *ret)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(ENTRY_ARENA);
	struct audit_entry message;
	int r = arena ? audit_entry_read(p->audit->reader, sequence, arena, &message) : -ENOMEM;
	*ret = r == 0 ? message.stub.kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED &&
				names(message.decision, party)
		      : r == READER_ERASED || r == READER_NOT_FOUND;
	return r < 0 ? r : 0;
}

static int lend_end(
	struct replayer *p, const struct rules_item *item, bool late, struct replay_lent *lent)
{
	uint8_t value[END_ROW_SIZE];
	uint8_t *key = lent->ends[lent->ends_count++];
	const struct end_row row = {.state = late ? END_EXPIRED : END_ACCEPTED};
	end_key_encode(item->sequence, item->party, key);
	end_row_encode(&row, value);
	return state_put(
		p->rules.state, STATE_END, BYTES(key, END_KEY_SIZE), BYTES(value, sizeof(value)));
}

/* One word of a recipient, about what the state that replay began with did not have open. */
static int lend_one(struct replayer *p, const struct rules_item *item, struct bytes party,
	bool late, struct replay_lent *lent)
{
	struct place place;
	bool ended = false;
	int r = place_find(p->rules.state, item, &place);
	if (r == 0 && place.where == PLACE_NONE)
		r = ended_unread(p, item->sequence, party, &ended);
	if (r == 0 && ended)
		return lend_end(p, item, late, lent);
	/* The entry that its recipient was late by is erased. It was, so that stays. */
	if (r == 0 && !late && place.where == PLACE_ENDED && !place.heard &&
		end_state_is_unheard(place.end))
		return place_hear(p->rules.state, item, &place);
	return r;
}

/* Said twice in one breath: the first was late, and the second is no word of an entry that is gone. */
static bool said_before(const struct audit_entry *entry, size_t nth)
{
	for (size_t i = 0; i < nth; i++)
		if (entry->batch->acks[i]->sequence == entry->batch->acks[nth]->sequence)
			return true;
	return false;
}

static int lend_ends(struct replayer *p, const struct audit_entry *entry, struct replay_lent *lent)
{
	const Dienstweg__Decision *decision = entry->decision;
	struct bytes party = BYTES_PB(entry->batch->recipient);
	struct rules_item item = {};
	int r = replay_number(p, party, &item.party);
	for (size_t i = 0; r == 0 && i < entry->batch->n_acks && i < decision->n_verdicts &&
			   lent->ends_count < BATCH_MAX;
		i++) {
		bool late = decision->verdicts[i] == DIENSTWEG__ACK_VERDICT__ACK_LATE;
		item.sequence = entry->batch->acks[i]->sequence;
		if ((late || decision->verdicts[i] == DIENSTWEG__ACK_VERDICT__ACK_ALREADY) &&
			item.sequence < p->result->from && !said_before(entry, i))
			r = lend_one(p, &item, party, late, lent);
	}
	return r;
}

/* ---- what had been seen ---- */

/* A state is not taken while rows are removed: behind the first one after the last erasure they are gone. */
static bool seen_may_be_erased(const struct replayer *p)
{
	for (size_t i = 0; i < p->states_count && p->states[i].cut.size <= p->next; i++)
		if (p->erased_last != UINT64_MAX && p->states[i].cut.size > p->erased_last)
			return false;
	return true;
}

static int lend_seen(struct replayer *p, const struct audit_entry *entry, struct replay_lent *lent)
{
	const char *reused = routing_text(CODE_ID_REUSED)->code;
	uint8_t value[SEEN_ROW_SIZE];
	struct seen_row row = {.kind = DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED};
	struct bytes found;
	uint32_t sender;
	if (!entry->header || !bytes_equal(BYTES_PB(entry->decision->code), BYTES_STR(reused)) ||
		!seen_may_be_erased(p))
		return 0;
	int r = replay_number(p, BYTES_PB(entry->header->sender), &sender);
	if (r)
		return r;
	seen_key_encode(entry->header->message_id.data, sender, lent->seen);
	r = state_get(p->rules.state, STATE_SEEN, BYTES(lent->seen, SEEN_KEY_SIZE), &found);
	if (r != STATE_NOT_FOUND)
		return r;
	for (size_t i = 0; i < sizeof(row.h); i++) /* any other h */
		row.h[i] = (uint8_t)~entry->disclosed.digest[i];
	seen_row_encode(&row, value);
	lent->has_seen = true;
	return state_put(p->rules.state, STATE_SEEN, BYTES(lent->seen, SEEN_KEY_SIZE),
		BYTES(value, sizeof(value)));
}

/* ---- both ---- */

int replay_lend(struct replayer *p, const struct audit_entry *entry, struct replay_lent *ret)
{
	ret->ends_count = 0;
	ret->has_seen = false;
	if (!p->founded)
		return 0;
	switch (entry->stub.kind) {
	case DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED:
		return lend_ends(p, entry, ret);
	case DIENSTWEG__ENTRY_KIND__ENTRY_REFUSED:
		return lend_seen(p, entry, ret);
	default:
		return 0;
	}
}

int replay_take_back(struct replayer *p, const struct replay_lent *lent)
{
	int r = 0;
	for (size_t i = 0; r >= 0 && i < lent->ends_count; i++)
		r = state_del(p->rules.state, STATE_END, BYTES(lent->ends[i], END_KEY_SIZE));
	if (r >= 0 && lent->has_seen)
		r = state_del(p->rules.state, STATE_SEEN, BYTES(lent->seen, SEEN_KEY_SIZE));
	return r < 0 ? r : 0;
}
