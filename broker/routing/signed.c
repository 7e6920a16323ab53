/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A refused batch never becomes an entry: who sends bad ones could fill the journal with them. It is counted, and
 * summed up at the end of the minute.
 */
#include "broker/routing/signed.h"

#include "broker/routing/refusals.h"

static int refuse(struct rules *rules, const struct signed_batch *batch, enum routing_code code,
	struct bytes name, struct signed_refusal *ret)
{
	uint32_t speaker;
	bool append;
	ret->code = routing_text(code)->code;
	ret->field = routing_text(code)->field;
	int r = routing_detail(rules->arena, code, name, &ret->detail);
	if (r == 0)
		r = rules_party_number(rules->state, batch->speaker, &speaker);
	if (r == 0)
		r = refusals_count(rules, speaker, false, &append);
	return r < 0 ? r : SIGNED_REFUSED;
}

static int check_key(struct rules *rules, const struct signed_batch *batch,
	const struct signed_codes *codes, struct signed_refusal *ret)
{
	const struct bytes none = {};
	const Dienstweg__Party *owner;
	const Dienstweg__Key *key = registry_key(rules->registry, batch->key_id, &owner);
	if (!key)
		return refuse(rules, batch, CODE_UNKNOWN_KEY, none, ret);
	if (!owner || !bytes_equal(BYTES_PB(owner->name), batch->signer))
		return refuse(rules, batch, codes->foreign_key, none, ret);
	if (key->use != DIENSTWEG__KEY_USE__KEY_USE_SIGN)
		return refuse(rules, batch, CODE_KEY_USE, none, ret);
	if (key->state != DIENSTWEG__KEY_STATE__KEY_STATE_ACTIVE)
		return refuse(rules, batch, CODE_KEY_STATE, none, ret);
	if (key->suspect_from != 0 && rules->sequence >= key->suspect_from)
		return refuse(rules, batch, CODE_KEY_SUSPECT, none, ret);
	return batch->signature_ok ? 0 : refuse(rules, batch, codes->bad_signature, none, ret);
}

int signed_check(struct rules *rules, const struct signed_batch *batch,
	const struct signed_codes *codes, struct signed_refusal *ret)
{
	const struct bytes none = {};
	if (!batch->form_ok)
		return refuse(rules, batch, codes->malformed, none, ret);
	if (!registry_party(rules->registry, batch->signer))
		return refuse(rules, batch, codes->unknown, none, ret);
	if (!registry_may_speak(rules->registry, batch->speaker, batch->signer))
		return refuse(rules, batch, codes->not_operated, batch->speaker, ret);
	return check_key(rules, batch, codes, ret);
}
