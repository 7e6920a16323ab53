/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "adapters/connectors/folder-out.h"
#include "adapters/connectors/letter.h"
#include "adapters/sdk/adapter.h"

/* Deliveries as case folders (docs/folder.md): PATH/CASE/SEQUENCE-WHAT/ with message.json and content. */
struct handover {
	const struct dw_adapter *adapter; /* of the op that runs; NULL: nothing is looked up */
	const struct folder_agency *agency;
	const char *state; /* the adapter's state folder */
	const char *party; /* whose mail goes to @out */
	struct folder_out *out;
	struct folder_out *documents; /* mail of operated parties, in a folder each; NULL: to @out too */
};

/**
 * handover_put() - hand a delivery over, exactly once for a message and recipient
 * @handover: where to
 * @delivery: as the SDK gave it
 * @ret:      accepted, rejected (a content that cannot be understood), or later (the folder cannot be
 *            written now)
 * Return: 0, or negative errno that should end the adapter.
 */
int handover_put(const struct handover *handover, const struct dw_delivery *delivery,
	struct dw_verdict *ret);
