/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/audit/open.h"
#include "broker/audit/report.h"
#include "broker/routing/state.h"

/*
 * Did the broker decide what its rules say? The very rules of the broker run again over all entries, with
 * the recorded batch times, registries and limits, in a state of their own. Every decision is compared
 * byte by byte, and at the end the state with the live tables, as one snapshot of the journal shows them.
 *
 * Not in the journal, and therefore left out of the comparison: outcomes that senders have confirmed (live
 * rows must be among the replayed ones), refusals that were only counted, and messages that are due but
 * that the broker had not yet moved back into their queue.
 */
struct audit_replay_options {
	const char *work;      /* folder for the state; NULL: $TMPDIR, or /tmp */
	uint64_t findings_max; /* then it is given up; 0: never */
};

struct audit_replay_result {
	uint64_t entries;
	uint64_t decisions;          /* decided anew and compared */
	uint64_t rows[STATE_TABLES]; /* live rows compared */
	bool complete;               /* false: given up before the tables were compared */
};

/**
 * audit_replay() - replay a journal as of now
 * @audit:   open, with a keyring
 * @options: how
 * @report:  gets findings and progress
 * @ret:     what was looked at
 * Return: 0 (look at report->findings), negative errno: it could not be finished.
 */
int audit_replay(struct audit *audit, const struct audit_replay_options *options,
	struct audit_report *report, struct audit_replay_result *ret);
