/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A log that lost entries may not go on under its old origin: there it would sign a second tree of sizes that it
 * has signed before. Under a new one it may, and its first entry says so, with the last checkpoint that is left.
 * The tree goes on from that one: so the numbers of entries, which queues, receipts and acknowledgements are made
 * of, stay what they are, and everything that was restored is proven by the same tree as what comes after it.
 *
 * The number of the epoch is given by a person and not counted on: a start that is repeated, by a supervisor
 * perhaps, finds its epoch begun and changes nothing.
 */
#include "broker/journal/writer.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "proto/base/log.h"

static int refuse(char *reterr, size_t size, const char *why)
{
	snprintf(reterr, size, "--new-epoch: %s", why);
	return JOURNAL_CONFLICT;
}

uint32_t epoch_next(const struct journal *journal)
{
	uint32_t held = epochs_newest(&journal->epochs);
	return (held > journal->marked_epoch ? held : journal->marked_epoch) + 1;
}

int epoch_open(struct journal *journal, char *reterr, size_t size)
{
	const struct journal_order *order = journal->options.order;
	struct onward *onward = &journal->onward;
	char why[256];
	if (journal->head.size == 0)
		return refuse(reterr, size,
			"this journal is new, so there is nothing to go on from: start without it");
	if (order->epoch == journal->head.epoch && journal->doubt == JOURNAL_SURE) {
		log_info("journal", "the epoch has begun already: --new-epoch may be left out",
			F_U64("epoch", order->epoch));
		return 0;
	}
	if (order->epoch < epoch_next(journal) || journal->epochs.count == EPOCHS_MAX) {
		snprintf(why, sizeof(why),
			"epoch %" PRIu32 " has been used: the next one is %" PRIu32, order->epoch,
			epoch_next(journal));
		return refuse(reterr, size, why);
	}
	memcpy(onward->before, journal->note, journal->note_len);
	onward->before_len = journal->note_len;
	int r = epochs_add(&journal->epochs, order->epoch, journal->head.size);
	assert(r == 0); /* above all before it, and no two without an entry between them */
	journal->head.epoch = order->epoch;
	epoch_origin(BYTES_STR(journal->head.bus), order->epoch, journal->origin);
	journal->signers_count = signers_choose(journal, journal->registry, journal->signers);
	onward->due = true;
	journal->doubt = JOURNAL_SURE;
	return 0;
}

int notes_continues(struct journal *journal, struct batch *batch)
{
	const struct journal_order *order = journal->options.order;
	const struct onward *onward = &journal->onward;
	Dienstweg__Decision decision = DIENSTWEG__DECISION__INIT;
	struct entry entry = {
		.kind = DIENSTWEG__ENTRY_KIND__ENTRY_CONTINUES,
		.decision = &decision,
		.original = BYTES(onward->before, onward->before_len),
	};
	batch->stage = "continues";
	decision.rules_version = RULES_VERSION;
	decision.epoch = order->epoch;
	decision.account = order->account;
	decision.trusted = (ProtobufCBinaryData){
		.len = strlen(order->words), .data = (uint8_t *)(uintptr_t)order->words};
	decision.marked_size = journal->marked_size;
	decision.marked = (ProtobufCBinaryData){
		.len = onward->marked_len, .data = (uint8_t *)(uintptr_t)onward->marked};
	sha256_of(entry.original, entry.digest);
	log_warn("journal",
		"EPOCH: the log goes on under a new origin, what was signed beyond this entry is "
		"lost",
		F_STR("origin", journal->origin), F_U64("entry", journal->log.sequence),
		F_U64("signed", journal->marked_size), F_STR("words", order->words));
	int r = batch_append(journal, batch, &entry, NULL);
	return r ? r
		 : journal_put_error(
			   epochs_put(journal->log.txn, &journal->tables, &journal->epochs));
}
