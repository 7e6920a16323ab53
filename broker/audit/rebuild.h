/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/audit/open.h"
#include "broker/audit/replay.h"

/*
 * Derived tables (queue, timer, seen, end, counter, party, hold) made anew from the entries: for a journal that
 * came out of a backup, which has none, or whose tables replay found to differ. A row of `meta` marks the journal
 * meanwhile, and a broker does not start on it.
 *
 * What comes out is what the broker had, byte for byte, but for what is in no entry: refusals that were only
 * counted since the last state entry, and messages that were due: they are in their queue.
 */

/**
 * audit_copy() - a journal's primary tables in a folder of their own
 * @from:   the journal's folder; its broker may run: the copy is of one moment
 * @to:     folder to make; must not hold a journal
 * @report: gets progress
 * @reterr: a sentence
 * @size:   of @reterr
 *
 * The copy is marked as unfinished until audit_rebuild() has made its derived tables.
 *
 * Return: 0, AUDIT_REFUSED, negative errno.
 */
int audit_copy(
	const char *from, const char *to, struct audit_report *report, char *reterr, size_t size);

/**
 * audit_rebuild() - make the derived tables of a journal anew, in place
 * @paths:   journal, keyring, master key; policy or NULL
 * @options: how to replay
 * @report:  gets findings and progress
 * @ret:     what was looked at
 * @reterr:  a sentence
 * @size:    of @reterr
 *
 * No broker may run on it. Decisions that the rules would have made otherwise are findings, and the tables are
 * those that the rules give. When not every entry could be followed (ret->complete is false), the journal
 * stays marked.
 *
 * Return: 0 (look at report->findings and ret->complete), AUDIT_REFUSED, negative errno.
 */
int audit_rebuild(const struct audit_paths *paths, const struct audit_replay_options *options,
	struct audit_report *report, struct audit_replay_result *ret, char *reterr, size_t size);
