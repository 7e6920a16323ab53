/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "adapters/sdk/adapter.h"

/* Where receipts, refusals and outcomes of our own messages are told; before the turn's commit. */
struct reporter {
	int (*report)(void *context, const struct dw_report *report); /* may be NULL */
	void *context;
};

static inline int reporter_tell(const struct reporter *reporter, const struct dw_report *report)
{
	return reporter->report ? reporter->report(reporter->context, report) : 0;
}
