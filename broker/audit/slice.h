/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/audit/absence.h"
#include "broker/audit/chain.h"
#include "broker/audit/disputes.h"
#include "broker/audit/open.h"
#include "broker/audit/report.h"

/*
 * A stretch of entries under verification. One thread walks it as to the tree, another opens its records;
 * what they find is held with the place where the walk was, and told in that order, so that a report does
 * not depend on how many threads there were. One thread at a time.
 */

/* What is looked at of an entry, in this order. */
enum slice_step { STEP_TREE, STEP_REGISTRY, STEP_TIME, STEP_RECORD, STEP_CHECKPOINTS };

struct held_finding {
	uint64_t entry; /* that the walk was at */
	uint64_t sequence;
	const char *code;
	size_t reason; /* in the text */
	enum slice_step step;
};

/* Findings of one walk over one slice, which bounds their number. */
struct held {
	struct audit_report report; /* give this to who finds */
	uint64_t entry;             /* where the walk is */
	enum slice_step step;
	struct held_finding *items;
	size_t count, room;
	char *text;
	size_t text_len, text_room;
	bool failed; /* there was no memory for one */
};

struct slice_time {
	bool known;
	uint64_t entry;
	uint64_t batch_ms;
};

struct slice {
	uint64_t pruned;                    /* entries below are archived */
	uint64_t first, end;                /* entries: from first, up to but not including end */
	struct chain chain;                 /* what is in force at all of them */
	struct held tree;                   /* by who walks the tree */
	struct held records;                /* from here on by who opens the records */
	struct slice_time earliest, latest; /* of the entries whose time is known */
	struct absence_row absent[2 * AUDIT_SLICE]; /* rows that an entry says are gone */
	size_t absent_count;
	uint64_t unread; /* entries of which it cannot be told what is gone */
	uint64_t opened; /* records */
	uint64_t signatures;
	struct disputes disputes; /* that rest on these entries */
	int result;               /* negative errno: they could not all be looked at */
	bool waiting;             /* with a worker */
};

/**
 * slice_init() - an empty one
 * @slice: must not move afterwards
 */
void slice_init(struct slice *slice);
void slice_deinit(struct slice *slice);
DEFINE_CLEANUP_PTR(struct slice, slice_deinit);

/**
 * slice_begin() - use it for further entries
 * @slice: told or new
 * @first: entry
 */
void slice_begin(struct slice *slice, uint64_t first);

/**
 * held_at() - what is found from here on belongs there
 * @held:  of a slice
 * @entry: where the walk is; never runs backwards
 * @step:  of it
 */
void held_at(struct held *held, uint64_t entry, enum slice_step step);

/**
 * slice_time() - the time of an entry, in order; it must not run backwards
 * @held:  gets the finding
 * @last:  of the entry before whose time is known; becomes this one
 * @entry: the entry
 * @ms:    its batch time
 */
void slice_time(struct held *held, struct slice_time *last, uint64_t entry, uint64_t ms);

/**
 * slice_tell() - tell what was found, in order
 * @slice:  both walks are through
 * @report: where to
 * @last:   time of the last entry before it; becomes that of the last one in it
 * Return: 0, its result, -ENOMEM when something could not be held.
 */
int slice_tell(struct slice *slice, struct audit_report *report, struct slice_time *last);
