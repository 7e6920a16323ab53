/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A message belongs to its sender until its recipient has it, so it may be taken back while it waits, wherever that is.
 * Whether it has left already is not in the state: leases are delivery's, and volatile. So deciding has two halves. The
 * first looks, and changes nothing; delivery then keeps back what is not under way; the second ends that, and no
 * other. What was held back is in the entry, so replay needs the second half only.
 */
#include "broker/routing/rules.h"

#include <assert.h>
#include <errno.h>

#include "broker/routing/decision.h"
#include "broker/routing/ending.h"
#include "broker/routing/party.h"
#include "broker/routing/signed.h"

int rules_cancel_check(
	struct rules *rules, const struct cancel_facts *facts, struct cancel_decision *ret)
{
	static const struct signed_codes codes = {
		.malformed = CODE_CANCEL_MALFORMED,
		.unknown = CODE_UNKNOWN_SENDER,
		.not_operated = CODE_NOT_OPERATED,
		.foreign_key = CODE_FOREIGN_KEY,
		.bad_signature = CODE_CANCEL_BAD_SIGNATURE,
	};
	const Dienstweg__CancelBatch *batch = facts->batch;
	struct signed_batch whole = {.speaker = facts->speaker};
	struct signed_refusal refusal;
	*ret = (struct cancel_decision){.field = ""};
	if (facts->form_ok && batch && batch->n_items > 0 && batch->n_items <= BATCH_MAX) {
		whole.signer = BYTES_PB(batch->sender);
		whole.key_id = BYTES_PB(batch->key_id);
		whole.form_ok = true;
		whole.signature_ok = facts->signature_ok;
	}
	int r = signed_check(rules, &whole, &codes, &refusal);
	if (r == 0)
		return rules_party_number(rules->state, whole.signer, &ret->sender);
	if (r < 0)
		return r;
	ret->refused = true;
	ret->code = refusal.code;
	ret->field = refusal.field;
	ret->detail = refusal.detail;
	return 0;
}

int rules_cancel_find(
	struct state *state, uint32_t sender, const uint8_t message_id[UUID_SIZE], uint64_t *ret)
{
	uint8_t key[SEEN_KEY_SIZE];
	struct bytes value;
	struct seen_row row;
	seen_key_encode(message_id, sender, key);
	int r = state_get(state, STATE_SEEN, BYTES(key, sizeof(key)), &value);
	if (r)
		return r;
	if (seen_row_decode(value, &row) != 0)
		return -EBADMSG;
	*ret = row.sequence;
	return row.kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED ? 0 : STATE_NOT_FOUND;
}

int rules_cancel_look(struct state *state, const struct rules_item *item, struct cancel_place *ret)
{
	struct place place;
	int r = place_find(state, item, &place);
	if (r < 0)
		return r;
	*ret = (struct cancel_place){
		.known = place.where != PLACE_NONE,
		.open = place_is_open(&place),
		.end = place.end,
	};
	return 0;
}

/* ---- ending ---- */

static bool is_named(const Dienstweg__CancelBatch *batch, const uint8_t message_id[UUID_SIZE],
	struct bytes party)
{
	for (size_t i = 0; i < batch->n_items; i++) {
		const Dienstweg__CancelItem *item = batch->items[i];
		if (bytes_equal(BYTES_PB(item->message_id), BYTES(message_id, UUID_SIZE)) &&
			(item->recipient.len == 0 || bytes_equal(BYTES_PB(item->recipient), party)))
			return true;
	}
	return false;
}

static int cancel_one(struct ending *ending, const Dienstweg__CancelBatch *batch, uint32_t sender,
	const struct rules_item *item, Dienstweg__Decision *decision)
{
	struct rules *rules = ending->rules;
	struct place place;
	struct bytes name;
	if (item->party == 0) /* nobody's; common rows stand under it */
		return 0;
	int r = place_find(rules->state, item, &place);
	if (r < 0 || !place_is_open(&place) || place.row.sender != sender)
		return r;
	r = party_name(rules->state, item->party, &name);
	if (r < 0 || !is_named(batch, place.row.message_id, name))
		return r;
	uint8_t index = (uint8_t)decision->n_affected;
	r = decision_affect(rules, decision, item, place.row.attempts, 0);
	return r < 0 ? r : ending_add(ending, item, &place, END_CANCELLED, index);
}

static int cancel_decision_new(struct rules *rules, const struct cancel_facts *facts, size_t count,
	Dienstweg__Decision **ret)
{
	int r = decision_new(rules, ret);
	if (r == 0)
		r = decision_affected_room(rules, *ret, count);
	if (r == 0)
		r = decision_bytes(rules, BYTES_PB(facts->batch->reason), &(*ret)->cause);
	if (r < 0 || bytes_equal(facts->speaker, BYTES_PB(facts->batch->sender)))
		return r;
	return decision_bytes(rules, facts->speaker, &(*ret)->speaker);
}

int rules_cancel(struct rules *rules, const struct cancel_facts *facts,
	const struct rules_item *items, size_t count, struct cancel_decision *ret)
{
	Dienstweg__Decision *decision;
	struct ending ending;
	assert(count <= RULES_ITEMS_MAX);
	int r = rules_cancel_check(rules, facts, ret);
	if (r < 0 || ret->refused)
		return r;
	ending_init(&ending, rules);
	r = cancel_decision_new(rules, facts, count, &decision);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = cancel_one(&ending, facts->batch, ret->sender, &items[i], decision);
	if (r < 0 || decision->n_affected == 0)
		return r;
	ret->append = true;
	ret->decision = decision;
	return ending_finish(&ending);
}
