/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * From one failure nobody can tell a poison message from a recipient that is down; from the others one can. A
 * poison message fails while others pass; behind a broken recipient nothing passes. So what is remembered of each
 * failed message is how many others had passed, and the breaker counts messages, not failures: one message
 * that fails for hours opens nothing. Whoever gives a message back says that it is alive, so its word about the
 * message counts at once; silence counts only when something else passed in between.
 */
#include "broker/delivery/breaker.h"

#define MS_NS UINT64_C(1000000)

void breaker_init(struct breaker *breaker, const struct breaker_options *options)
{
	*breaker = (struct breaker){.options = *options, .wait_ms = options->wait_min_ms};
}

static uint64_t *find_failed(struct breaker *breaker, uint64_t sequence)
{
	size_t count = breaker->failed_count < BREAKER_FAILED_MAX ? breaker->failed_count
								  : BREAKER_FAILED_MAX;
	for (size_t i = 0; i < count; i++)
		if (breaker->failed[i].sequence == sequence)
			return &breaker->failed[i].passed;
	return NULL;
}

static void add_failed(struct breaker *breaker, uint64_t sequence)
{
	size_t slot = breaker->failed_count++ % BREAKER_FAILED_MAX;
	breaker->failed[slot].sequence = sequence;
	breaker->failed[slot].passed = breaker->passed;
}

static void open_until(struct breaker *breaker, uint64_t now_ns)
{
	breaker->state = BREAKER_OPEN;
	breaker->until_ns = now_ns + breaker->wait_ms * MS_NS;
	breaker->wait_ms = breaker->wait_ms < breaker->options.wait_max_ms / 2
				   ? breaker->wait_ms * 2
				   : breaker->options.wait_max_ms;
}

static bool is_own(const struct breaker *breaker, enum breaker_failure how, bool others_passed)
{
	switch (how) {
	case BREAKER_GIVEN_BACK:
		return breaker->state == BREAKER_CLOSED || others_passed;
	case BREAKER_SILENT:
	case BREAKER_LOST_ALONE:
		return others_passed;
	case BREAKER_UNAVAILABLE:
	case BREAKER_LOST:
		break;
	}
	return false;
}

bool breaker_failed(
	struct breaker *breaker, uint64_t sequence, enum breaker_failure how, uint64_t now_ns)
{
	uint64_t *before = find_failed(breaker, sequence);
	bool others_passed = before && *before != breaker->passed;
	bool own = is_own(breaker, how, others_passed);
	if (!before || others_passed)
		breaker->failures++;
	if (before)
		*before = breaker->passed;
	else
		add_failed(breaker, sequence);
	bool trips = breaker->state == BREAKER_CLOSED && breaker->options.failures != 0 &&
		     breaker->failures >= breaker->options.failures;
	if (trips || breaker->state == BREAKER_PROBING)
		open_until(breaker, now_ns);
	return own;
}

bool breaker_passed(struct breaker *breaker)
{
	bool closes = breaker->state != BREAKER_CLOSED;
	breaker->passed++;
	breaker->failures = 0;
	breaker->state = BREAKER_CLOSED;
	breaker->wait_ms = breaker->options.wait_min_ms;
	return closes;
}

void breaker_renew(struct breaker *breaker, uint64_t now_ns)
{
	uint64_t soon_ns = now_ns + breaker->options.wait_min_ms * MS_NS;
	if (breaker->state == BREAKER_OPEN && breaker->until_ns > soon_ns)
		breaker->until_ns = soon_ns;
}

bool breaker_wakes(struct breaker *breaker, uint64_t now_ns)
{
	if (breaker->state != BREAKER_OPEN || now_ns < breaker->until_ns)
		return false;
	breaker->state = BREAKER_PROBING;
	return true;
}
