/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A hold is placed once and released once; whoever asks again changes nothing and makes no entry.
 */
#include "broker/routing/fixture.h"
#include "test/kit/check.h"

static struct items_decision decide(struct rules_fixture *f, const struct case_act *act, bool hold)
{
	struct items_decision decision;
	CHECK_INT(rules_hold(&f->rules, act, hold, &decision), 0);
	if (decision.append)
		f->rules.sequence++;
	return decision;
}

static void holds_and_releases(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture fixture;
	struct rules_fixture *f = &fixture;
	struct case_act act = {.case_id = {1, 2, 3}, .account = 1000, .ground = {7}};
	struct case_act other = {.case_id = {1, 2, 4}, .account = 1000, .ground = {7}};
	struct bytes value;
	rules_fixture_init(f);
	uint64_t sequence = f->rules.sequence;
	CHECK(!decide(f, &act, false).append);
	struct items_decision placed = decide(f, &act, true);
	CHECK(placed.append);
	CHECK_MEM(placed.decision->case_id.data, act.case_id, 16);
	CHECK_MEM(placed.decision->ground.data, act.ground, HASH_SIZE);
	CHECK_INT(placed.decision->account, 1000);
	CHECK(!decide(f, &act, true).append);
	CHECK_INT(state_get(f->rules.state, STATE_HOLD, BYTES(act.case_id, 16), &value), 0);
	CHECK_INT(be64_get(value.data), sequence);
	CHECK_INT(state_get(f->rules.state, STATE_HOLD, BYTES(other.case_id, 16), &value),
		STATE_NOT_FOUND);
	CHECK(decide(f, &other, true).append);
	CHECK(decide(f, &act, false).append);
	CHECK(!decide(f, &act, false).append);
	CHECK_INT(state_get(f->rules.state, STATE_HOLD, BYTES(act.case_id, 16), &value),
		STATE_NOT_FOUND);
	CHECK_INT(state_get(f->rules.state, STATE_HOLD, BYTES(other.case_id, 16), &value), 0);
}

CHECK_MAIN(CHECK_CASE(holds_and_releases))
