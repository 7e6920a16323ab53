/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "adapters/cli/share.h"
#include "adapters/cli/visit.h"
#include "adapters/sdk/heads.h"

/*
 * A report is proven under a checkpoint; the party's adapter holds another one. A broker that shows one log to the
 * adapter and another one to whoever asks has two trees, and both signed: so it has to prove that the larger one
 * extends the smaller.
 */
enum {
	COMPARE_FORK = 10,     /* it cannot: both checkpoints together are the evidence */
	COMPARE_OTHER = 11,    /* of another origin: the adapter has to follow that first */
	COMPARE_SET_BACK = 12, /* of an earlier origin than the adapter's: an older log */
};

/**
 * compare_read() - the newest checkpoint that the adapter holds; it may be running
 * @state: its folder
 * @ret:   not set when it holds none
 * Return: 0 or negative errno.
 */
int compare_read(const char *state, struct head *ret);

/**
 * compare_ask() - does the one extend the other, whichever is larger?
 * @visit: connected; asked, unless they are of one size
 * @held:  set
 * @bus:   whose log it is
 * @shown: verified
 * Return: 0, COMPARE_*, VISIT_*, negative errno.
 */
int compare_ask(struct visit *visit, const struct head *held, struct bytes bus,
	const struct checkpoint *shown);
