/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Agencies that think better of it: now and then one takes back what it has a receipt of. What the broker answers is
 * held against the journal when it leaves (watch.c), and the outcome is told as every other.
 */
#include "test/kit/check.h"
#include "test/sim/town.h"

enum { ONE_IN = 10 };

void agency_reconsiders(struct dw_adapter *adapter, const struct agency *agency,
	struct bytes sender, const struct dw_report *report)
{
	const struct dw_cancel cancel = {
		.sender = sender, .message_id = report->message_id, .reason = BYTES_STR("mistake")};
	if (!machine_chance(ONE_IN))
		return;
	ledger_recalled(&agency->town->ledger, report->sequence);
	int r = dw_cancel(adapter, &cancel);
	CHECK(r == 0 || r == DW_BUSY);
	town_tell(agency->town, "%s takes letter %.*s back", agency->party, (int)report->key.len,
		(const char *)report->key.data);
}

int agency_cancelled(struct dw_adapter *adapter, void *context, const struct dw_cancelled *cancelled)
{
	struct agency *agency = context;
	(void)adapter;
	agency->town->counts.cancelled += bytes_equal(cancelled->state, BYTES_STR("cancelled"));
	return 0;
}
