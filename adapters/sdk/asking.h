/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "adapters/sdk/adapter.h"
#include "proto/base/crypto.h"
#include "proto/frame.pb-c.h"

/*
 * The enquiries of this process that nothing was told of yet: each ends by an answer, by an end without one, or by
 * its time. Between adapter.c, loop.c and asking.c.
 */
enum { ASKING_MAX = 256 };

struct question {
	bool open;
	uint8_t message_id[16];
	uint8_t case_id[16];
	uint8_t h[HASH_SIZE]; /* as it was submitted: sealed anew it has another one */
	size_t key_len;
	uint8_t key[200];
	uint64_t until_ns; /* by the monotonic clock */
};

struct asking {
	size_t open;
	struct question questions[ASKING_MAX];
};

/**
 * asking_take() - is this delivery the answer to one of ours? Then it is told
 * @adapter:  open
 * @delivery: checked
 * @ret:      true: told, and not to be handed over
 * Return: 0 or negative errno.
 */
int asking_take(struct dw_adapter *adapter, const struct dw_delivery *delivery, bool *ret);

/**
 * asking_report() - a report that may mean that no answer comes
 * @adapter: open
 * @report:  of any message of ours
 * Return: 0 or negative errno.
 */
int asking_report(struct dw_adapter *adapter, const struct dw_report *report);

/**
 * asking_waits() - does this frame bring nothing but receipts of enquiries that are still to be answered?
 * @adapter: open
 * @answer:  the frame
 * Return: true when it does.
 */
bool asking_waits(const struct dw_adapter *adapter, const Dienstweg__Answer *answer);

/* Tell of those whose time is over. 0 or negative errno. */
int asking_step(struct dw_adapter *adapter);
int asking_timeout_ms(const struct dw_adapter *adapter); /* until the next one; -1: none is open */
