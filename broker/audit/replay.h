/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/audit/open.h"
#include "broker/audit/report.h"
#include "broker/routing/state.h"
#include "proto/base/db.h"

/*
 * Did the broker decide what its rules say? The very rules of the broker run again over all entries, with
 * the recorded batch times, registries and limits, in a state of their own. Every decision is compared
 * byte by byte, the state with every state entry that is passed, and at the end with the live tables, as one
 * snapshot of the journal shows them.
 *
 * When records can no longer be read (erased, pruned), replay begins at the first state entry after the last of
 * them: the state at that point is put together from the records that are left and from the state entry,
 * and compared with its digests.
 *
 * Not in the journal, and therefore left out of the last comparison: refusals that were only counted since the
 * last state entry, and messages that are due but that the broker had not yet moved back into their queue.
 */
struct audit_replay_options {
	const char *work;      /* folder for the state; NULL: $TMPDIR, or /tmp */
	uint64_t findings_max; /* then it is given up; 0: never */
};

struct audit_replay_result {
	uint64_t entries;
	uint64_t decisions;          /* decided anew and compared */
	uint64_t rows[STATE_TABLES]; /* live rows compared */
	uint64_t from;   /* first entry replayed; above 0: what lies before cannot all be read */
	uint64_t states; /* state entries compared */
	bool complete;   /* false: given up before the tables were compared */
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

/**
 * audit_replay_into() - make the derived tables of a journal by replaying it, instead of comparing any
 * @audit:   its reader is over @env, or over the journal that @env is a copy of
 * @env:     the journal's own, writable; its derived tables are there and empty
 * @options: how; @work is not needed
 * @report:  gets findings and progress
 * @ret:     what was looked at; complete: every entry was followed, and the tables are committed
 * Return: as audit_replay().
 */
int audit_replay_into(struct audit *audit, struct db_env *env,
	const struct audit_replay_options *options, struct audit_report *report,
	struct audit_replay_result *ret);
