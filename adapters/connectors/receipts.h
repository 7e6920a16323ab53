/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "adapters/sdk/adapter.h"

/**
 * receipts_put() - tell the legacy system what became of a message of its own, as files (docs/folder.md)
 * @folder: where; made when missing
 * @registry: in force; NULL: nothing is looked up in it
 * @report: as the SDK told
 *
 * KEY.receipt and KEY.recorded.json, KEY.refused.json, KEY.due-soon.json, KEY.overdue.json, or KEY.ended.json. The
 * same report again gives the same files.
 *
 * Return: 0 or negative errno.
 */
int receipts_put(
	const char *folder, const struct registry *registry, const struct dw_report *report);
