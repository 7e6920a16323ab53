/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The legacy system is told before the commit, not after: when the process dies in between, the message is
 * still in the outbox, is sent and answered again, and the report is made a second time. The other order
 * would lose reports.
 *
 * An outcome can arrive before its receipt, when the answer was lost with a session. It is kept then
 * (struct sent_row, ended) and told here, after the receipt.
 */
#include "adapters/sdk/settle.h"

#include <errno.h>
#include <stdlib.h>

#include "adapters/sdk/evidence.h"
#include "adapters/sdk/reminders.h"
#include "proto/base/log.h"
#include "proto/signature/signature.h"

enum { ARENA_BUDGET = 1 << 20 };

struct settle {
	struct settle_options options;
	struct receipt_checker *checker;
	struct arena *arena;
	struct bytes nodes;
	struct bytes checkpoint;
};

int settle_new(const struct settle_options *options, struct settle **ret)
{
	_cleanup_(settle_free) struct settle *settle = calloc(1, sizeof(*settle));
	if (!settle)
		return -ENOMEM;
	settle->options = *options;
	settle->arena = arena_new(ARENA_BUDGET);
	if (!settle->arena)
		return -ENOMEM;
	int r = receipt_checker_new(&settle->checker);
	if (r)
		return r;
	*ret = steal(&settle);
	return 0;
}

void settle_free(struct settle *settle)
{
	if (!settle)
		return;
	receipt_checker_free(settle->checker);
	arena_free(settle->arena);
	free(settle);
}

int settle_start(struct settle *settle, const Dienstweg__Answer *answer)
{
	struct checkpoint checkpoint;
	settle->nodes = BYTES_PB(answer->nodes);
	settle->checkpoint = BYTES_PB(answer->checkpoint);
	int r = trust_checkpoint(settle->options.trust, settle->checkpoint, &checkpoint);
	if (r)
		return r;
	if (receipt_checker_start(settle->checker, &checkpoint, settle->nodes) == 0)
		return 0;
	return trust_alarm(settle->options.trust,
		"The broker gave receipts whose tree nodes are malformed.", settle->checkpoint,
		settle->nodes);
}

/* A message of ours that has its answer, with copies that outlive writing. */
struct answered {
	uint64_t number;
	struct outbox_row row;
	struct sent_row sent;
	uint64_t before; /* sent again: the entry of its earlier receipt */
	bool gone;       /* sent again, and never to be recorded any more */
};

static int answered_load(
	struct settle *settle, uint64_t number, const uint8_t h[HASH_SIZE], struct answered *ret)
{
	struct bytes value;
	struct arena *arena = settle->arena;
	arena_reset(arena);
	*ret = (struct answered){.number = number};
	int r = outbox_get(settle->options.outbox, number, &ret->row);
	if (r == 0)
		r = store_get(settle->options.store, STORE_SENT,
			BYTES(ret->row.message_id, UUID_SIZE), &value);
	if (r == 0)
		r = sent_row_decode(value, &ret->sent);
	if (r)
		return r < 0 ? r : -EBADMSG;
	memcpy(ret->sent.h, h, HASH_SIZE);
	ret->before = ret->sent.sequence;
	if (arena_copy(arena, ret->row.header, &ret->row.header) ||
		arena_copy(arena, ret->row.core, &ret->row.core) ||
		(!ret->row.chunked && arena_copy(arena, ret->row.content, &ret->row.content)) ||
		arena_copy(arena, ret->sent.sender, &ret->sent.sender) ||
		arena_copy(arena, ret->sent.service, &ret->sent.service) ||
		arena_copy(arena, ret->sent.key, &ret->sent.key))
		return -ENOMEM;
	return 0;
}

static struct dw_report report_of(const struct answered *answered, enum dw_event event)
{
	struct dw_report report = {
		.event = event,
		.key = answered->sent.key,
		.service = answered->sent.service,
		.sequence = answered->sent.sequence,
		.at_ms = answered->sent.at_ms,
	};
	memcpy(report.message_id, answered->row.message_id, UUID_SIZE);
	memcpy(report.case_id, answered->sent.case_id, CASE_ID_SIZE);
	memcpy(report.h, answered->sent.h, HASH_SIZE);
	return report;
}

static int answered_end(struct settle *settle, struct answered *answered)
{
	uint8_t buf[SENT_ROW_MAX];
	const struct settle_options *options = &settle->options;
	bool recorded = answered->sent.state == SENT_RECORDED && !answered->gone;
	answered->sent.again = false;
	size_t len = sent_row_encode(&answered->sent, buf);
	int r = store_put(options->store, STORE_SENT, BYTES(answered->row.message_id, UUID_SIZE),
		BYTES(buf, len));
	if (r == 0 && recorded)
		return again_keep(
			options->again, answered->number, &answered->row, answered->sent.sequence);
	if (r == 0)
		r = outbox_remove(options->outbox, answered->number, &answered->row);
	/* The answer is final, so it can be done before our commit: what comes again has the same answer. */
	return r ? r : spool_message(options->spool, answered->row.header, SPOOL_DROP);
}

struct early {
	struct settle *settle;
	const struct answered *answered;
};

static int early_tell(void *context, const struct evidence_outcome *outcome)
{
	const struct early *early = context;
	struct dw_report report = report_of(early->answered, DW_ENDED);
	report.sequence = outcome->sequence;
	report.at_ms = outcome->at_ms;
	report.recipient = outcome->recipient;
	report.state = outcome->state;
	report.code = outcome->code;
	report.text = outcome->text;
	return reporter_tell(&early->settle->options.reporter, &report);
}

static int recorded_tell(struct settle *settle, const struct answered *answered,
	const struct evidence_receipt *evidence)
{
	struct early early = {settle, answered};
	struct dw_report report = report_of(answered, DW_RECORDED);
	/* Recorded before, and in the same entry still: there is nothing to tell. */
	if (!settle->options.reporter.report ||
		(answered->sent.again && answered->before == answered->sent.sequence))
		return 0;
	int r = evidence_text(evidence, settle->arena, &report.proof);
	if (r == 0)
		r = reporter_tell(&settle->options.reporter, &report);
	if (r == 0 && answered->sent.ended)
		r = evidence_outcomes(
			settle->options.store, answered->row.message_id, early_tell, &early);
	return r;
}

/* It overtook the receipt. */
static int reminder_told(struct settle *settle, const struct answered *answered)
{
	struct dw_report report = report_of(answered, DW_OVERDUE);
	return reminder_tell(settle->options.store, &settle->options.reporter, &report);
}

/*
 * The journal may hold another batch signature than the one we sent last. It must be ours all the same:
 * what the broker says we signed is what an auditor will find.
 */
static int recorded_signature(struct settle *settle, const struct answered *answered,
	const Dienstweg__Signature *signature, struct bytes *ret_core)
{
	const struct registry *registry = trust_registry(settle->options.trust);
	const Dienstweg__Party *owner = NULL;
	const Dienstweg__Key *key = registry_key(registry, BYTES_PB(signature->key_id), &owner);
	uint8_t core[SIGNATURE_CORE_MAX];
	if (!key || !owner || key->use != DIENSTWEG__KEY_USE__KEY_USE_SIGN ||
		!bytes_equal(BYTES_PB(owner->name), answered->sent.sender) ||
		signature_verify(NULL, SIGNATURE_MESSAGE, registry_bus(registry), key->public_.data,
			answered->sent.h, signature) != 0)
		return 1;
	return arena_copy(settle->arena, BYTES(core, signature_core(signature, core)), ret_core);
}

static int receipt_check(struct settle *settle, struct answered *answered,
	const Dienstweg__Receipt *receipt, struct bytes *ret_core)
{
	int r = receipt_check_message(
		settle->checker, receipt, answered->sent.h, answered->row.core);
	*ret_core = answered->row.core;
	if (r == 0 && receipt->signature)
		r = recorded_signature(settle, answered, receipt->signature, ret_core);
	return r;
}

/*
 * It had a receipt before the log lost entries. If that entry is one of those that are left, this must be the same;
 * if it was lost, the old receipt proves so, and stays.
 */
static int recorded_again(struct settle *settle, const struct answered *answered, uint64_t sequence)
{
	const struct epochs *epochs = trust_epochs(settle->options.trust);
	uint32_t epoch;
	int r = evidence_set_aside(settle->options.store, answered->row.message_id, &epoch);
	if (r == STORE_NOT_FOUND)
		return 0;
	if (r || answered->before == sequence || answered->before >= epochs_kept(epochs, epoch))
		return r;
	return trust_alarm(settle->options.trust,
		"The log went on under a new origin and says that it kept an entry of ours; "
		"asked for it, it "
		"names another one: what was kept was changed.",
		settle->checkpoint, settle->nodes);
}

int settle_receipt(struct settle *settle, uint64_t number, const uint8_t h[HASH_SIZE],
	const Dienstweg__Receipt *receipt)
{
	struct answered answered;
	struct evidence_receipt evidence = {
		.receipt = receipt,
		.nodes = settle->nodes,
		.checkpoint = settle->checkpoint,
	};
	int r = answered_load(settle, number, h, &answered);
	if (r == 0)
		r = receipt_check(settle, &answered, receipt, &evidence.core);
	if (r > 0)
		return trust_alarm(settle->options.trust,
			"The broker gave a receipt that does not lead to the checkpoint beside it.",
			evidence.checkpoint, evidence.nodes);
	if (r < 0)
		return r;
	trust_registry_seen(settle->options.trust, receipt->registry_version);
	memcpy(evidence.message_id, answered.row.message_id, UUID_SIZE);
	evidence.header = answered.row.header;
	answered.sent.state = SENT_RECORDED;
	answered.sent.sequence = receipt->sequence;
	answered.sent.at_ms = receipt->batch_ms;
	if (answered.sent.again)
		r = recorded_again(settle, &answered, receipt->sequence);
	if (r == 0)
		r = recorded_tell(settle, &answered, &evidence);
	if (r == 0 && answered.sent.reminded)
		r = reminder_told(settle, &answered);
	if (r == 0)
		r = evidence_put_receipt(settle->options.store, &evidence);
	return r ? r : answered_end(settle, &answered);
}

static int end_seen(void *context, const struct evidence_outcome *outcome)
{
	*(bool *)context = true;
	return 0;
}

/* A store that cannot be read is met again with the next write. */
static bool has_ended(struct settle *settle, const struct answered *answered)
{
	bool ended = false;
	(void)evidence_outcomes(settle->options.store, answered->row.message_id, end_seen, &ended);
	return ended;
}

int settle_refusal(struct settle *settle, uint64_t number, const uint8_t h[HASH_SIZE],
	const Dienstweg__Refusal *refusal)
{
	struct answered answered;
	int r = answered_load(settle, number, h, &answered);
	if (r)
		return r;
	log_warn("outbox", "the broker refused a message for good",
		F_HEX("message", BYTES(answered.row.message_id, UUID_SIZE)),
		F_BYTES("code", BYTES_PB(refusal->code)), F_BYTES("field", BYTES_PB(refusal->field)),
		F_BYTES("detail", BYTES_PB(refusal->detail)));
	if (answered.sent.again && has_ended(settle, &answered)) {
		/* The recipient has it, and that was told; only the bus's record of it is lost. */
		answered.sent.state = SENT_RECORDED;
		answered.gone = true;
		return answered_end(settle, &answered);
	}
	answered.sent.state = SENT_REFUSED;
	answered.sent.sequence = refusal->sequence;
	struct dw_report report = report_of(&answered, DW_REFUSED);
	report.code = BYTES_PB(refusal->code);
	report.field = BYTES_PB(refusal->field);
	report.text = BYTES_PB(refusal->detail);
	r = reporter_tell(&settle->options.reporter, &report);
	if (r == 0 && answered.sent.reminded)
		r = reminder_drop(settle->options.store, answered.row.message_id);
	return r ? r : answered_end(settle, &answered);
}
