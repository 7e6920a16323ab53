/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "broker/audit/entry.h"
#include "broker/audit/index.h"

/*
 * The timeline of a case: everything that the journal says about its messages, in order. What a message
 * says is sealed for its recipient and not known here; what the bus may know of where a case stands (the
 * header's status) is.
 */
enum timeline_what {
	TIMELINE_RECORDED = 1, /* a message was accepted into the journal */
	TIMELINE_REFUSED,      /* ... or not */
	TIMELINE_ACCEPTED,     /* its recipient took it */
	TIMELINE_REJECTED,     /* ... or not */
	TIMELINE_LATE,         /* an acknowledgement after the message's end */
	TIMELINE_FAILED,       /* a delivery failed */
	TIMELINE_EXPIRED,
	TIMELINE_DEAD,      /* it was the last one that may */
	TIMELINE_RETRIED,   /* an operator has the dead letter delivered again */
	TIMELINE_DISCARDED, /* ... or ended it */
	TIMELINE_HELD,      /* an operator stops it */
	TIMELINE_RELEASED,
	TIMELINE_CANCELLED, /* its sender took it back */
	TIMELINE_OVERDUE,   /* nobody replied in time */
	TIMELINE_DUE_SOON,  /* nobody replied yet, and the time is nearly over */
};

/* Where a message stands for one recipient now. */
enum timeline_state {
	TIMELINE_WAITING = 1, /* in its queue, maybe out for delivery */
	TIMELINE_DELAYED,
	TIMELINE_ENDED,
	TIMELINE_BURIED,  /* a dead letter */
	TIMELINE_PARKED,  /* held */
	TIMELINE_UNKNOWN, /* the tables do not say: audit replay tells more */
};

struct timeline_recipient {
	struct bytes name;
	enum timeline_state state;
	uint8_t end;     /* enum end_state; TIMELINE_ENDED */
	uint64_t entry;  /* that ended, buried or held it */
	uint64_t due_ms; /* TIMELINE_DELAYED */
};

/* Views live during the call. */
struct timeline_event {
	enum timeline_what what;
	uint64_t sequence; /* of the entry */
	uint64_t batch_ms;
	uint64_t registry_version;
	uint64_t message;   /* sequence of the message that it is about; for recorded, its own */
	bool proven;        /* its audit path leads to the newest checkpoint */
	uint64_t proven_by; /* entries of that checkpoint */

	struct bytes who;                /* recorded, refused: sender; else the recipient */
	struct bytes service;            /* recorded, refused */
	struct bytes h;                  /* recorded, refused */
	const Dienstweg__Header *header; /* recorded, refused */
	const struct timeline_recipient *recipients; /* recorded */
	size_t recipients_count;
	const Dienstweg__Decision *decision; /* refused: code, field, detail; failed: cause */
	struct bytes code, text;             /* rejected, late */
	uint32_t attempts;                   /* failed, expired */
	uint64_t due_ms;                     /* failed: 0: queued again at once */
	struct bytes key_id; /* recorded, accepted, rejected, late: of the key that signed it */
};

/* "recorded", "accepted", ...: for people and for programs. */
const char *timeline_what_name(enum timeline_what what);

/**
 * timeline_walk() - tell the events of a case, oldest first
 * @audit:   open, with a keyring; its snapshot is renewed
 * @entries: of the case
 * @event:   called for each; 0, or anything else to end the walk with
 * @context: for @event
 * @report:  gets a finding for each entry that cannot be read
 * Return: 0, what @event gave, or negative errno.
 */
int timeline_walk(struct audit *audit, const struct case_entries *entries,
	int (*event)(void *context, const struct timeline_event *event), void *context,
	struct audit_report *report);

/* Where a walk over what is about a message stands. */
struct timeline_place {
	uint64_t message;
	uint64_t entry; /* the next one */
};

/**
 * timeline_message() - tell the events of one message: itself, and then what is about it
 * @audit:   refreshed
 * @index:   up to date, begun
 * @place:   where to begin, but for the message's own event, which is always told first; moved with the walk, so
 *           that an entry at which @event ended it comes again
 * @event:   called for each; 0, or anything else to end the walk with
 * @context: for @event
 * @report:  gets a finding for each entry that cannot be read
 * Return: as timeline_walk().
 */
int timeline_message(struct audit *audit, struct case_index *index, struct timeline_place *place,
	int (*event)(void *context, const struct timeline_event *event), void *context,
	struct audit_report *report);
