/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The one thing about a message that the transaction does not hold. So it happens on the safe side of it:
 * the files get the message's name before the rules decide, these names are synced before the commit, and a
 * name whose commit never came is replaced by the next message of that number, or swept away. The rules see
 * one fact: that something is missing. A deferral is all that can come of it, so replay needs no files.
 */
#include "broker/blob/link.h"
#include "broker/journal/writer.h"

int attached_name(struct journal *journal, struct batch *batch, struct submit_facts *facts)
{
	facts->attachments_missing = false;
	if (!journal->options.blobs || !facts->header || facts->header->n_attachments == 0)
		return 0;
	int r = blob_link(journal->options.blobs, facts->header, batch->rules.sequence);
	facts->attachments_missing = r == BLOB_MISSING;
	return r < 0 ? r : 0;
}

static bool is_noted(const struct batch *batch, struct bytes party)
{
	for (size_t i = 0; i < batch->attached_count; i++) {
		if (bytes_equal(BYTES_STR(batch->attached[i]), party))
			return true;
	}
	return false;
}

int attached_decided(struct journal *journal, struct batch *batch, const struct submit_facts *facts,
	bool accepted, uint64_t sequence)
{
	if (!journal->options.blobs || !facts->header || facts->header->n_attachments == 0 ||
		facts->attachments_missing)
		return 0;
	struct bytes sender = BYTES_PB(facts->header->sender);
	if (!accepted) {
		blob_unlink(journal->options.blobs, facts->header, sequence);
		return 0;
	}
	if (is_noted(batch, sender))
		return 0;
	if (batch->attached_count == ARRAY_LEN(batch->attached))
		return blob_sync(journal->options.blobs, sender);
	char *party = batch->attached[batch->attached_count++];
	memcpy(party, sender.data, sender.len);
	party[sender.len] = '\0';
	return 0;
}

int attached_sync(struct journal *journal, struct batch *batch)
{
	int r = 0;
	batch->stage = "attachments";
	for (size_t i = 0; i < batch->attached_count && r == 0; i++)
		r = blob_sync(journal->options.blobs, BYTES_STR(batch->attached[i]));
	return r;
}
