/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A batch is judged whole (one signature covers it), its acknowledgements one by one: some may be late
 * while others end a message. Only h decides whether an acknowledgement means the message that waits under
 * its sequence; after a restore from an old backup, sequences alone could mean another one.
 */
#include "broker/routing/rules.h"

#include <errno.h>

#include "broker/routing/decision.h"
#include "broker/routing/ending.h"
#include "broker/routing/signed.h"

static int check_batch(struct rules *rules, const struct ack_facts *facts, struct ack_decision *ret)
{
	static const struct signed_codes codes = {
		.malformed = CODE_ACK_MALFORMED,
		.unknown = CODE_ACK_UNKNOWN,
		.not_operated = CODE_ACK_NOT_OPERATED,
		.foreign_key = CODE_ACK_FOREIGN_KEY,
		.bad_signature = CODE_ACK_BAD_SIGNATURE,
	};
	const Dienstweg__AckBatch *batch = facts->batch;
	struct signed_batch whole = {.speaker = facts->speaker};
	struct signed_refusal refusal;
	if (facts->form_ok && batch && batch->n_acks > 0 && batch->n_acks <= BATCH_MAX) {
		whole.signer = BYTES_PB(batch->recipient);
		whole.key_id = BYTES_PB(batch->key_id);
		whole.form_ok = true;
		whole.signature_ok = facts->signature_ok;
	}
	int r = signed_check(rules, &whole, &codes, &refusal);
	if (r != SIGNED_REFUSED)
		return r;
	ret->refused = true;
	ret->code = refusal.code;
	ret->field = refusal.field;
	ret->detail = refusal.detail;
	return r;
}

/*
 * What ended without its recipient may have reached it all the same, and that it says so is worth an entry; once, or
 * else a party could fill the journal. Whether it means this message nobody knows here: its h has gone with its row.
 */
static int acknowledge_late(struct rules *rules, const struct rules_item *item,
	const struct place *place, Dienstweg__AckVerdict *ret)
{
	*ret = DIENSTWEG__ACK_VERDICT__ACK_ALREADY;
	if (rules->version < 1 || place->heard || !end_state_is_unheard(place->end))
		return 0;
	*ret = DIENSTWEG__ACK_VERDICT__ACK_LATE;
	return place_hear(rules->state, item, place);
}

static int acknowledge_one(struct ending *ending, uint32_t party, const Dienstweg__Ack *ack,
	size_t index, Dienstweg__AckVerdict *ret)
{
	struct rules_item item = {.party = party, .sequence = ack->sequence};
	struct place place;
	*ret = DIENSTWEG__ACK_VERDICT__ACK_UNKNOWN;
	int r = place_find(ending->rules->state, &item, &place);
	if (r < 0 || place.where == PLACE_NONE)
		return r;
	if (place.where == PLACE_ENDED)
		return acknowledge_late(ending->rules, &item, &place, ret);
	if (!bytes_equal(BYTES_PB(ack->h), BYTES(place.row.h, HASH_SIZE)))
		return 0;
	*ret = DIENSTWEG__ACK_VERDICT__ACK_CLOSED;
	return ending_add(
		ending, &item, &place, ack->accepted ? END_ACCEPTED : END_REJECTED, (uint8_t)index);
}

static int ack_decision_make(
	struct rules *rules, const struct ack_facts *facts, struct ack_decision *ret)
{
	size_t count = facts->batch->n_acks;
	int r = decision_new(rules, &ret->decision);
	if (r < 0)
		return r;
	if (!bytes_equal(facts->speaker, BYTES_PB(facts->batch->recipient))) {
		r = decision_bytes(rules, facts->speaker, &ret->decision->speaker);
		if (r < 0)
			return r;
	}
	size_t size = count * sizeof(*ret->decision->verdicts);
	ret->decision->verdicts = arena_alloc(rules->arena, size);
	if (!ret->decision->verdicts)
		return -ENOMEM;
	memcpy(ret->decision->verdicts, ret->verdicts, size);
	ret->decision->n_verdicts = count;
	return 0;
}

int rules_acknowledge(struct rules *rules, const struct ack_facts *facts, struct ack_decision *ret)
{
	struct ending ending;
	*ret = (struct ack_decision){.field = ""};
	int r = check_batch(rules, facts, ret);
	if (r != 0)
		return r < 0 ? r : 0;
	r = rules_party_number(rules->state, BYTES_PB(facts->batch->recipient), &ret->party);
	if (r < 0)
		return r;
	ending_init(&ending, rules);
	for (size_t i = 0; i < facts->batch->n_acks; i++) {
		r = acknowledge_one(
			&ending, ret->party, facts->batch->acks[i], i, &ret->verdicts[i]);
		if (r < 0)
			return r;
	}
	Dienstweg__AckVerdict first = ret->verdicts[ack_decision_first(ret, facts->batch->n_acks)];
	ret->append = first == DIENSTWEG__ACK_VERDICT__ACK_CLOSED ||
		      first == DIENSTWEG__ACK_VERDICT__ACK_LATE;
	if (!ret->append)
		return 0;
	r = ack_decision_make(rules, facts, ret);
	if (r < 0)
		return r;
	return ending_finish(&ending);
}
