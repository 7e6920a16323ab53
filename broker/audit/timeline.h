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
};

/* Where a message stands for one recipient now. */
enum timeline_state {
	TIMELINE_WAITING = 1, /* in its queue, maybe out for delivery */
	TIMELINE_DELAYED,
	TIMELINE_ENDED,
	TIMELINE_UNKNOWN, /* the tables do not say: audit replay tells more */
};

struct timeline_recipient {
	struct bytes name;
	enum timeline_state state;
	uint8_t end;     /* enum end_state; TIMELINE_ENDED */
	uint64_t entry;  /* that ended it; TIMELINE_ENDED */
	uint64_t due_ms; /* TIMELINE_DELAYED */
};

/* Views live during the call. */
struct timeline_event {
	enum timeline_what what;
	uint64_t sequence; /* of the entry */
	uint64_t batch_ms;
	uint64_t message;   /* sequence of the message that it is about; for recorded, its own */
	bool proven;        /* its audit path leads to the newest checkpoint */
	uint64_t proven_by; /* entries of that checkpoint */

	struct bytes who;                /* recorded, refused: sender; else the recipient */
	struct bytes service;            /* recorded, refused */
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
 * @audit:   open, with a keyring
 * @index:   up to date, begun
 * @id:      of the case
 * @event:   called for each; 0, or negative errno to end the walk
 * @context: for @event
 * @report:  gets a finding for each entry that cannot be read
 * Return: 0 or negative errno.
 */
int timeline_walk(struct audit *audit, struct case_index *index, const uint8_t id[CASE_ID_SIZE],
	int (*event)(void *context, const struct timeline_event *event), void *context,
	struct audit_report *report);
