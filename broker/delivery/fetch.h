/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/clerk.h"
#include "broker/delivery/batch.h"
#include "broker/delivery/recipient.h"

/*
 * An errand: read from a recipient's queue what it was not sent yet. Written by the reactor, run by the
 * clerk, evaluated by the reactor (broker/delivery/pump.c).
 */
enum {
	FETCH_MESSAGES_MAX = BATCH_ITEMS_MAX,
	FETCH_OUTCOMES_MAX = 32, /* rows */
	FETCH_ITEMS_MAX = FETCH_MESSAGES_MAX + FETCH_OUTCOMES_MAX,
	FETCH_KEPT_MAX = 256, /* that are passed over */
	FETCH_ARENA_BUDGET = 4 << 20,
};

struct fetch_lane {
	bool wanted;
	uint64_t from; /* as asked */
	uint64_t next; /* found: everything below was looked at */
	bool end;      /* found: there was nothing from `next` on */
};

/* One message, or the outcomes of one entry. */
struct fetched {
	uint8_t lane;
	uint64_t sequence;
	uint32_t bytes;   /* of the message, for credits */
	uint16_t attempt; /* this delivery would be */
	struct outcomes *outcomes;
	Dienstweg__Item *item;
};

struct delivery;
struct fetch {
	struct errand errand; /* first */
	struct arena *arena;
	struct fetch *next; /* while idle */
	struct delivery *delivery;
	struct recipient *recipient;
	uint64_t serial; /* of the session it is for */

	/* asked */
	struct bytes bus;
	uint32_t party;
	struct bytes name;
	struct fetch_lane lanes[LANES];
	struct again again[AGAIN_MAX];
	size_t again_count;
	size_t messages_max;
	uint64_t bytes_max;
	size_t outcomes_max;
	uint64_t released; /* the recipient's */

	/* found */
	int result;    /* 0, or a failure of the journal */
	uint64_t size; /* entries of the journal in the snapshot that was read */
	struct fetched items[FETCH_ITEMS_MAX];
	size_t count;
	size_t again_done;   /* of @again were looked at */
	uint64_t need_bytes; /* the first message did not fit into bytes_max; 0: it did */
	bool held;           /* its queue is: no message was looked at */
	struct kept kept[FETCH_KEPT_MAX]; /* passed over: an earlier one of the case waits */
	size_t kept_count;
};

/**
 * fetch_run() - errand.run
 * @errand: the fetch
 * @reader: the clerk's
 *
 * Takes outcomes, then what is to be sent again, then the lanes 4 : 2 : 1, so that none starves. A row that
 * cannot be read (erased, damaged) is logged and passed over; one behind an earlier one of its case, which waits,
 * is passed over and told. Of a held queue only outcomes are taken.
 */
void fetch_run(struct errand *errand, struct journal_reader *reader);
