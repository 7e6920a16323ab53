/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/audit/open.h"
#include "broker/audit/report.h"
#include "proto/note/checkpoint.h"

/*
 * A copy of the log for others: a C2SP tlog-tiles folder (checkpoint, tiles, bundles of the stubs, policy)
 * that anybody can check without us and that discloses nothing. Written beside a running broker, in constant
 * memory. A second run adds what is new; complete tiles are never written again, the checkpoint comes
 * last, so an interrupted run leaves the export before it.
 */
enum { EXPORT_REFUSED = 1, EXPORT_DAMAGED = 2 };

struct audit_export_options {
	const char *dir;
	uint64_t size;        /* of a kept checkpoint; 0: the newest */
	bool disclose;        /* write proofs and originals of a range, too */
	uint64_t first, last; /* entries of the range */
};

struct audit_export_result {
	struct checkpoint checkpoint;
	uint64_t before;    /* entries that the export had before */
	uint64_t files;     /* tiles and bundles written */
	uint64_t disclosed; /* entries whose record could be disclosed */
	uint64_t closed;    /* entries of the range whose record did not open */
};

/**
 * audit_export() - write an export, or bring it up to date
 * @audit:   open; its policy's witnesses go into the export's policy; disclosing takes its keyring
 * @options: where to
 * @report:  gets progress
 * @ret:     what was done
 * @reterr:  a sentence, for a verdict
 * @size:    of @reterr
 * Return: 0, EXPORT_REFUSED (the folder is another log's, or in use; no such checkpoint), EXPORT_DAMAGED (the
 *         journal does not give the tree that was signed), negative errno.
 */
int audit_export(struct audit *audit, const struct audit_export_options *options,
	struct audit_report *report, struct audit_export_result *ret, char *reterr, size_t size);
