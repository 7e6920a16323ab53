/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A journal that may be an old copy must not be signed on: that would be a second history. Who knows is whoever
 * saw the first one: when a quorum of witnesses say Hello with a checkpoint that this journal extends, nothing
 * that a quorum ever cosigned is missing. One that saw more is enough to know that something is; then only a
 * person can decide. A witness that saw nothing says nothing about it.
 */
#include <stdio.h>

#include "broker/transport/room.h"
#include "proto/base/log.h"

static bool is_witness(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->witnesses_count; i++) {
		if (strcmp(policy->witnesses[i].name, name) == 0)
			return true;
	}
	return false;
}

static void sure_add(struct hold *hold, const char *name)
{
	for (size_t i = 0; i < hold->sure_count; i++) {
		if (strcmp(hold->sure[i], name) == 0)
			return;
	}
	if (hold->sure_count < POLICY_KEYS_MAX)
		snprintf(hold->sure[hold->sure_count++], sizeof(hold->sure[0]), "%s", name);
}

static void claim_take(struct transport *transport, const struct policy *policy, const char *name,
	const struct hold_claim *claim)
{
	struct hold *hold = &transport->hold;
	if (!is_witness(policy, name) || claim->size == 0)
		return;
	if (!claim->forked) {
		sure_add(hold, name);
		return;
	}
	if (transport_tells(transport, name))
		log_error("transport",
			"HOLD: a witness saw a checkpoint that this journal does not extend: find "
			"the "
			"newest "
			"journal; only an operator can decide otherwise",
			F_STR("witness", name), F_U64("size", claim->size));
	snprintf(hold->unsure, sizeof(hold->unsure), "%s", name);
}

/*
 * As many as made a quorum before: of any two quorums, more than f witnesses are in both, so one that does not
 * lie is among the sure ones and was among those that cosigned whatever is missing.
 */
static bool is_over(const struct hold *hold, const struct policy *policy)
{
	return policy->witness_quorum > 0 && policy->witness_quorum <= policy->witnesses_count &&
	       hold->unsure[0] == '\0' && hold->sure_count >= policy->witness_quorum;
}

static void hold_end(struct transport *transport)
{
	struct hold *hold = &transport->hold;
	size_t n = (size_t)snprintf(hold->why, sizeof(hold->why), "by witnesses");
	for (size_t i = 0; i < hold->sure_count && n < sizeof(hold->why); i++)
		n += (size_t)snprintf(hold->why + n, sizeof(hold->why) - n, " %s", hold->sure[i]);
	hold->on = false;
	transport->options.release(transport->options.release_context, hold->why);
}

void hold_hear(struct transport *transport, struct session *session, const struct hold_claim *claim)
{
	struct policy policy;
	registry_witnesses(transport->registry, &policy);
	for (size_t i = 0; i < claim->count; i++)
		claim_take(transport, &policy, claim->parties[i], claim);
	session_error(transport, session, "busy", "hello",
		"the broker is not sure of its journal and waits for witnesses: say Hello again");
	transport_end(transport, session, "session-lost");
	if (is_over(&transport->hold, &policy))
		hold_end(transport);
}
