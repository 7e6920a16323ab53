/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * An entry holds what was received and the few facts about it that its bytes do not tell (who spoke, what
 * verify found wrong). From these the broker's own inputs are made again, and the broker's own rules are
 * asked. Nothing here knows what a right decision is.
 */
#include <errno.h>

#include "broker/audit/replayer.h"
#include "broker/routing/decision.h"

enum { MINUTE_MS = 60000 };

int replay_instead(struct remade *ret, const char *what)
{
	*ret = (struct remade){.compared = true, .instead = what};
	return 0;
}

int replay_number(struct replayer *p, struct bytes name, uint32_t *ret)
{
	*ret = 0;
	return name.len <= NAME_BYTES_MAX ? rules_party_number(p->rules.state, name, ret) : 0;
}

/* ---- messages ---- */

static int decide_message(struct replayer *p, const struct submit_facts *facts, struct remade *ret)
{
	struct submit_decision decision;
	if (!p->rules.registry || !p->limited)
		return replay_instead(
			ret, "not decided at all, as no registry or no limits are in force");
	int r = p->version->submit(&p->rules, facts, &decision);
	if (r)
		return r;
	ret->compared = true;
	ret->class = decision.class;
	ret->decision = decision.decision;
	switch (decision.result) {
	case SUBMIT_ACCEPTED:
		ret->kind = DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED;
		return 0;
	case SUBMIT_REFUSED:
		ret->kind = DIENSTWEG__ENTRY_KIND__ENTRY_REFUSED;
		return decision.append
			       ? 0
			       : replay_instead(ret, "a refusal beyond the party's limit, which "
						     "is only counted");
	case SUBMIT_DUPLICATE:
		return replay_instead(ret, "a message that was recorded before");
	default:
		return replay_instead(ret, "put off, which is no entry");
	}
}

static int decide_accepted(struct replayer *p, const struct audit_entry *entry, struct remade *ret)
{
	Dienstweg__Signature signature;
	struct submit_facts facts = {
		.verdict = ENVELOPE_OK,
		.field = "",
		.header = entry->header,
		.header_bytes = entry->header_bytes,
		.signature = &signature,
		.signature_ok = true,
		.content_length = entry->header->content_length,
		.speaker = audit_entry_speaker(entry),
		.schema = SUBMIT_SCHEMA_FOLLOWED,
	};
	int r = audit_entry_signature(entry, p->entry_arena, &signature);
	if (r)
		return r > 0 ? -EBADMSG : r;
	if (facts.speaker.len > NAME_BYTES_MAX)
		return replay_instead(ret, "impossible: nobody has such a name");
	memcpy(facts.h, entry->disclosed.digest, HASH_SIZE);
	return decide_message(p, &facts, ret);
}

int replay_text(struct arena *arena, ProtobufCBinaryData field, const char **ret)
{
	char *text = arena_zalloc(arena, field.len + 1);
	if (!text)
		return -ENOMEM;
	if (field.len > 0)
		memcpy(text, field.data, field.len);
	*ret = text;
	return 0;
}

static int decide_refused(struct replayer *p, const struct audit_entry *entry, struct remade *ret)
{
	const Dienstweg__RefusalFacts *recorded = entry->decision->facts;
	Dienstweg__Signature signature = DIENSTWEG__SIGNATURE__INIT;
	if (!recorded)
		return replay_instead(
			ret, "impossible: a refusal rests on facts, and there are none");
	struct submit_facts facts = {
		.verdict = (int)recorded->verdict,
		.header = entry->header,
		.header_bytes = entry->header_bytes,
		.signature_ok = recorded->signature_ok,
		.content_length = recorded->content_length,
		.speaker = audit_entry_speaker(entry),
		.schema = (enum submit_schema)recorded->schema,
	};
	/* The header's own faults can be seen again; the content's are known from the facts alone. */
	if (!entry->header &&
		(facts.verdict != entry->header_verdict ||
			!bytes_equal(BYTES_PB(recorded->field), BYTES_STR(entry->header_field))))
		return replay_instead(ret, "refused for another fault of its header");
	if (facts.speaker.len > NAME_BYTES_MAX)
		return replay_instead(ret, "impossible: nobody has such a name");
	int r = replay_text(p->entry_arena, recorded->field, &facts.field);
	if (r == 0)
		r = replay_text(p->entry_arena, recorded->schema_field, &facts.schema_field);
	if (r == 0)
		r = replay_text(p->entry_arena, recorded->schema_reason, &facts.schema_reason);
	if (r)
		return r;
	if (recorded->key_id.len > 0) {
		signature.key_id = recorded->key_id;
		facts.signature = &signature;
	}
	memcpy(facts.h, entry->disclosed.digest, HASH_SIZE);
	return decide_message(p, &facts, ret);
}

/* ---- what happens to messages ---- */

int replay_class(struct replayer *p, uint64_t sequence, uint8_t *ret)
{
	struct stub stub;
	int r = journal_read_stub(p->audit->reader, sequence, &stub);
	*ret = r == 0 ? stub.class : 0;
	return r < 0 ? r : 0;
}

static int decide_acknowledged(
	struct replayer *p, const struct audit_entry *entry, struct remade *ret)
{
	struct ack_decision decision;
	struct ack_facts facts = {
		.batch = entry->batch,
		.batch_bytes = BYTES_PB(entry->row->original),
		.form_ok = true,
		.signature_ok = true,
		.speaker = audit_entry_speaker(entry),
	};
	if (!p->rules.registry || facts.speaker.len > NAME_BYTES_MAX)
		return replay_instead(ret, "impossible: nobody is known who could have sent it");
	int r = p->version->acknowledge(&p->rules, &facts, &decision);
	if (r)
		return r;
	if (!decision.append)
		return replay_instead(ret, decision.refused
						   ? "refused as a whole, which is only counted"
						   : "no entry, as it ends no message and tells "
						     "nothing new of one");
	size_t first = ack_decision_first(&decision, entry->batch->n_acks);
	ret->compared = true;
	ret->kind = DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED;
	ret->decision = decision.decision;
	return replay_class(p, entry->batch->acks[first]->sequence, &ret->class);
}

/* What was not under delivery is known from the entry alone: that is what it ended. */
static int decide_cancelled(struct replayer *p, const struct audit_entry *entry, struct remade *ret)
{
	const Dienstweg__Decision *recorded = entry->decision;
	struct cancel_decision decision;
	struct rules_item items[RULES_ITEMS_MAX] = {};
	const struct cancel_facts facts = {
		.batch = entry->cancel,
		.batch_bytes = BYTES_PB(entry->row->original),
		.form_ok = true,
		.signature_ok = true,
		.speaker = audit_entry_speaker(entry),
	};
	int r = 0;
	if (!p->version->cancel)
		return replay_instead(ret, "of a kind that these rules do not make");
	if (!p->rules.registry || facts.speaker.len > NAME_BYTES_MAX)
		return replay_instead(ret, "impossible: nobody is known who could have sent it");
	if (recorded->n_affected == 0 || recorded->n_affected > RULES_ITEMS_MAX)
		return replay_instead(ret, "no entry, as it names no or too many messages");
	for (size_t i = 0; r == 0 && i < recorded->n_affected; i++) {
		items[i].sequence = recorded->affected[i]->sequence;
		r = replay_number(p, BYTES_PB(recorded->affected[i]->party), &items[i].party);
	}
	if (r == 0)
		r = p->version->cancel(&p->rules, &facts, items, recorded->n_affected, &decision);
	if (r)
		return r;
	if (!decision.append)
		return replay_instead(ret, decision.refused
						   ? "refused as a whole, which is only counted"
						   : "no entry, as it ends no message");
	ret->compared = true;
	ret->kind = DIENSTWEG__ENTRY_KIND__ENTRY_CANCELLED;
	ret->decision = decision.decision;
	return replay_class(p, items[0].sequence, &ret->class);
}

/* ---- the journal's own notes ---- */

static int decide_registry(struct replayer *p, const struct audit_entry *entry, struct remade *ret)
{
	Dienstweg__Decision *made;
	struct bytes content;
	uint8_t digest[HASH_SIZE];
	char why[512];
	int r = journal_read_content(p->audit->reader, entry->sequence, p->entry_arena, &content);
	if (r > 0)
		return replay_instead(
			ret, "not to be decided, as the registry of this entry is missing");
	if (r == 0)
		r = chain_add(&p->chain, entry->sequence, content, why, sizeof(why));
	if (r > 0)
		audit_report_finding(p->report, entry->sequence, "registry-chain", "%s", why);
	if (r == CHAIN_UNREADABLE)
		return 0;
	p->rules.registry = p->chain.current;
	if (r >= 0)
		r = p->version->adopt_registry(&p->rules);
	if (r == 0)
		r = decision_new(&p->rules, &made);
	if (r)
		return r;
	registry_note_digest(p->chain.current, digest);
	made->version = registry_version(p->chain.current);
	ret->compared = true;
	ret->kind = DIENSTWEG__ENTRY_KIND__ENTRY_REGISTRY;
	ret->decision = made;
	return decision_bytes(&p->rules, BYTES(digest, HASH_SIZE), &made->digest);
}

static int take_limits(struct replayer *p, const struct audit_entry *entry, struct remade *ret)
{
	const Dienstweg__RulesLimits *limits = entry->decision->limits;
	if (!limits)
		return replay_instead(ret, "not enough: it must tell the limits of the rules");
	p->limits = (struct rules_limits){
		.refusals_per_minute = limits->refusals_per_minute,
		.backoff_min_ms = limits->backoff_min_ms,
		.backoff_max_ms = limits->backoff_max_ms,
		.queue_messages_max = limits->queue_messages_max,
		.queue_bytes_max = limits->queue_bytes_max,
		.attempts_max = limits->attempts_max,
	};
	p->limited = true;
	return 0;
}

/* What it counts is in no entry; that there was such a party and that the minute was over can be seen. */
static int check_summed(struct replayer *p, const struct audit_entry *entry, struct remade *ret)
{
	const Dienstweg__Decision *recorded = entry->decision;
	uint32_t number;
	int r = replay_number(p, BYTES_PB(recorded->party), &number);
	if (r)
		return r;
	if (number == 0 || recorded->count == 0 ||
		recorded->minute >= entry->disclosed.batch_ms / MINUTE_MS)
		return replay_instead(
			ret, "impossible: no such party, nothing counted, or the minute not over");
	return 0;
}

static int decide_hold(struct replayer *p, const struct audit_entry *entry, struct remade *ret)
{
	const Dienstweg__Decision *recorded = entry->decision;
	bool hold = entry->stub.kind == DIENSTWEG__ENTRY_KIND__ENTRY_LEGAL_HOLD;
	struct case_act act = {.account = recorded->account};
	struct items_decision decision;
	if (recorded->case_id.len != sizeof(act.case_id) || recorded->ground.len != HASH_SIZE)
		return replay_instead(ret, "not enough: it must tell the case and the ground");
	memcpy(act.case_id, recorded->case_id.data, sizeof(act.case_id));
	memcpy(act.ground, recorded->ground.data, HASH_SIZE);
	int r = p->version->hold(&p->rules, &act, hold, &decision);
	if (r)
		return r;
	if (!decision.append)
		return replay_instead(ret, "no entry, as it was so already");
	ret->compared = true;
	ret->kind = entry->stub.kind;
	ret->decision = decision.decision;
	return 0;
}

int replay_decide(struct replayer *p, const struct audit_entry *entry, struct remade *ret)
{
	*ret = (struct remade){};
	if (entry->decision->rules_version != p->version->version)
		return replay_instead(ret,
			"not to be decided by this program, which does not know that "
			"version of the rules");
	switch (entry->stub.kind) {
	case DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED:
		return decide_accepted(p, entry, ret);
	case DIENSTWEG__ENTRY_KIND__ENTRY_REFUSED:
		return decide_refused(p, entry, ret);
	case DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED:
		return decide_acknowledged(p, entry, ret);
	case DIENSTWEG__ENTRY_KIND__ENTRY_CANCELLED:
		return decide_cancelled(p, entry, ret);
	case DIENSTWEG__ENTRY_KIND__ENTRY_ATTEMPTS_FAILED:
	case DIENSTWEG__ENTRY_KIND__ENTRY_DEAD:
	case DIENSTWEG__ENTRY_KIND__ENTRY_EXPIRED:
	case DIENSTWEG__ENTRY_KIND__ENTRY_RETRIED:
	case DIENSTWEG__ENTRY_KIND__ENTRY_DISCARDED:
	case DIENSTWEG__ENTRY_KIND__ENTRY_HELD:
	case DIENSTWEG__ENTRY_KIND__ENTRY_RELEASED:
	case DIENSTWEG__ENTRY_KIND__ENTRY_OVERDUE:
	case DIENSTWEG__ENTRY_KIND__ENTRY_DUE_SOON:
		return replay_decide_items(p, entry, ret);
	case DIENSTWEG__ENTRY_KIND__ENTRY_REGISTRY:
		return decide_registry(p, entry, ret);
	case DIENSTWEG__ENTRY_KIND__ENTRY_START:
		return take_limits(p, entry, ret);
	case DIENSTWEG__ENTRY_KIND__ENTRY_REFUSALS_SUMMED:
		return check_summed(p, entry, ret);
	case DIENSTWEG__ENTRY_KIND__ENTRY_LEGAL_HOLD:
	case DIENSTWEG__ENTRY_KIND__ENTRY_LEGAL_RELEASE:
		return decide_hold(p, entry, ret);
	case DIENSTWEG__ENTRY_KIND__ENTRY_ERASED: /* what may be erased is verify's question */
	case DIENSTWEG__ENTRY_KIND__ENTRY_STOP:
	case DIENSTWEG__ENTRY_KIND__ENTRY_CLOCK_STEP:
	case DIENSTWEG__ENTRY_KIND__ENTRY_STATE: /* compared where it was taken, not where it stands */
	case DIENSTWEG__ENTRY_KIND__ENTRY_INSPECTED:
	case DIENSTWEG__ENTRY_KIND__ENTRY_WITNESSED:
	case DIENSTWEG__ENTRY_KIND__ENTRY_CONTINUES:
		return 0; /* about the journal, not about what waits for whom */
	default:
		return replay_instead(ret, "of a kind that these rules do not make");
	}
}
