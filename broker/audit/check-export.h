/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/audit/check.h"
#include "broker/audit/report.h"

/*
 * Is an exported folder the log that was signed? The root is computed anew from the entries in the bundles
 * and compared with the checkpoint, every tile with what follows from the entries. Where an entry and its
 * hash in the tiles differ, the tree decides which of the two was changed. Constant memory.
 *
 * Codes of findings: broker/admin/dienstweg-admin.1.scd.
 */
struct export_checked {
	struct checkpoint checkpoint; /* size 0: none that can be read */
	struct cosignatures witnessed;
	bool counts;      /* it is signed by a pinned key */
	uint64_t entries; /* looked at */
	uint64_t files;
	uint64_t kinds[UINT8_MAX + 1]; /* entries by kind */
	size_t held;                   /* given checkpoints that lie on the way to the root */
};

/**
 * audit_check_export() - check an export
 * @trust:      open
 * @dir:        the folder
 * @held:       signed checkpoints that somebody else kept: the log must extend them
 * @held_count: at most CHECK_HELD_MAX
 * @report:     gets findings and progress
 * @ret:        what was looked at
 * Return: 0 (look at report->findings), negative errno: it could not be finished.
 */
enum { CHECK_HELD_MAX = 2 };
int audit_check_export(const struct audit_trust *trust, const char *dir, const struct bytes *held,
	size_t held_count, struct audit_report *report, struct export_checked *ret);
