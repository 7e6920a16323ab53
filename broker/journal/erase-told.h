/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* What a run of erasure has just made durable, in this order; several of one kind when it takes several. */
enum erase_told {
	ERASE_TOLD_NOTHING = 0,
	ERASE_TOLD_PLANNED,
	ERASE_TOLD_RESEALED,
	ERASE_TOLD_NOTED, /* the erased entry */
	ERASE_TOLD_DELETED,
	ERASE_TOLD_MASTER_MADE, /* as KEYRING_STEP_* */
	ERASE_TOLD_KEYRING_REPLACED,
	ERASE_TOLD_MASTER_ADOPTED,
	ERASE_TOLD_DONE,
};

/* How a run goes on, for status. */
struct erase_stats {
	uint32_t phase;       /* 0: none under way; enum erase_phase */
	bool by_instruction;  /* the one under way */
	uint64_t examined;    /* rows, in this run */
	uint64_t resealed;    /* survivors */
	uint64_t erased;      /* rows of entries, removed */
	uint64_t finished_ms; /* batch time at which the last run since the start ended; 0: none */
	uint64_t last_erased; /* by that run */
	bool leapt; /* nothing is erased by itself: the clock may be wrong, an operator has to order it */
	bool master_fixed; /* that run could not exchange the master key */
};
