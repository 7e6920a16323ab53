/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * How a message ended is told once, after its receipt, and only when its recipient said so; what was not
 * confirmed comes again and is not told again.
 */
#include "adapters/sdk/evidence.h"
#include "adapters/sdk/test-world.h"
#include "test/kit/check.h"

static const struct desk_message *recorded(struct world *world, const char *key)
{
	char line[64];
	snprintf(line, sizeof(line), "recorded %s", key);
	world_submit(world, &(struct world_letter){.key = key, .body = BYTES_STR("x")});
	world_until(world, world_saw(world, line));
	return &world->desk->messages[world->desk->messages_count - 1];
}

static int count_one(void *context, const struct evidence_outcome *outcome)
{
	size_t *count = context;
	(*count)++;
	CHECK(outcome->core.len > 0 || bytes_equal(outcome->state, BYTES_STR("expired")));
	return 0;
}

static size_t kept(struct world *world, const struct desk_message *message)
{
	size_t count = 0;
	CHECK_INT(
		evidence_outcomes(world->adapter.store, message->message_id, count_one, &count), 0);
	return count;
}

static void an_outcome_is_told_kept_and_confirmed(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	const struct desk_message *one = recorded(world, "k1");
	uint64_t entry = desk_outcome(world->desk, one, "jobcenter", "accepted", DESK_TRUE);
	world_until(world, world->desk->confirmed == entry);
	CHECK(world_saw(world, "ended k1 jobcenter accepted"));
	CHECK_INT(kept(world, one), 1);
	const struct desk_message *two = recorded(world, "k2");
	entry = desk_outcome(world->desk, two, "jobcenter", "rejected", DESK_TRUE);
	world_until(world, world->desk->confirmed == entry);
	CHECK(world_saw(world, "ended k2 jobcenter rejected"));
	const struct desk_message *three = recorded(world, "k3");
	entry = desk_outcome(world->desk, three, "jobcenter", "expired", DESK_TRUE);
	world_until(world, world->desk->confirmed == entry);
	CHECK(world_saw(world, "ended k3 jobcenter expired"));
	CHECK_INT(kept(world, three), 1);
}

/* Nobody replied yet, then in time: it is told and confirmed, and the message can still end. */
static void overdue_is_no_end(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	const struct desk_message *message = recorded(world, "k1");
	uint64_t entry = desk_outcome(world->desk, message, "jobcenter", "due-soon", DESK_TRUE);
	world_until(world, world->desk->confirmed == entry);
	CHECK(world_saw(world, "due-soon k1 jobcenter"));
	entry = desk_outcome(world->desk, message, "jobcenter", "overdue", DESK_TRUE);
	world_until(world, world->desk->confirmed == entry);
	CHECK(world_saw(world, "overdue k1 jobcenter"));
	CHECK_INT(world_count(world, "ended"), 0);
	CHECK_INT(kept(world, message), 0);
	entry = desk_outcome(world->desk, message, "jobcenter", "accepted", DESK_TRUE);
	world_until(world, world->desk->confirmed == entry);
	CHECK(world_saw(world, "ended k1 jobcenter accepted"));
}

/* Not confirmed when the session, or the adapter, ended: it comes again, and everybody knows. */
static void a_reminder_is_told_once(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	const struct desk_message *message = recorded(world, "k1");
	uint64_t entry = 0;
	for (int i = 0; i < 3; i++) {
		entry = desk_outcome(world->desk, message, "jobcenter", "overdue", DESK_TRUE);
		world_until(world, world->desk->confirmed == entry);
		CHECK_INT(world_count(world, "overdue k1"), 1);
		if (i == 0) {
			client_reset(world->adapter.client, "test");
			world_until(world, world->desk->hellos == 2);
		}
		if (i == 1)
			world_stop(world);
		if (i == 1)
			world_connect(world);
	}
}

static void each_recipient_has_its_own(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	const struct desk_message *message = recorded(world, "k1");
	(void)desk_outcome(world->desk, message, "jobcenter", "accepted", DESK_TRUE);
	uint64_t entry = desk_outcome(world->desk, message, "ministry", "rejected", DESK_TRUE);
	world_until(world, world->desk->confirmed == entry);
	CHECK(world_saw(world, "ended k1 jobcenter accepted"));
	CHECK(world_saw(world, "ended k1 ministry rejected"));
	CHECK_INT(kept(world, message), 2);
}

static void the_same_again_is_confirmed_and_not_told(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	const struct desk_message *message = recorded(world, "k1");
	(void)desk_outcome(world->desk, message, "jobcenter", "accepted", DESK_TRUE);
	world_until(world, world_saw(world, "ended k1 jobcenter accepted"));
	world_stop(world);
	world_connect(world);
	uint64_t entry = desk_outcome(world->desk, message, "jobcenter", "accepted", DESK_TRUE);
	world_until(world, world->desk->confirmed == entry);
	CHECK_INT(world_count(world, "ended"), 1);
}

/* The answer to the Submit was lost with its session; the recipient was faster than the next receipt. */
static void an_outcome_before_its_receipt_is_told_after_it(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	recorded(world, "k0");
	struct desk *desk = world->desk;
	desk->mood = DESK_SILENT;
	world_submit(world, &(struct world_letter){.key = "k1", .body = BYTES_STR("x")});
	world_until(world, desk->messages_count == 2);
	CHECK(desk->messages[1].sequence > 0); /* in the journal, and nobody knows */
	uint64_t entry = desk_outcome(desk, &desk->messages[1], "jobcenter", "accepted", DESK_TRUE);
	world_until(world, desk->confirmed == entry);
	CHECK_INT(world_count(world, "ended"), 0);
	world_stop(world);
	desk->mood = DESK_HONEST;
	world_connect(world);
	world_until(world, world_saw(world, "ended k1 jobcenter accepted"));
	CHECK_STR(world->lines[world->lines_count - 2], "recorded k1");
	CHECK_STR(world->lines[world->lines_count - 1], "ended k1 jobcenter accepted");
}

/* The same, of a reminder. */
static void a_reminder_before_its_receipt_is_told_after_it(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	struct desk *desk = world->desk;
	desk->mood = DESK_SILENT;
	world_submit(world, &(struct world_letter){.key = "k1", .body = BYTES_STR("x")});
	world_until(world, desk->messages_count == 1);
	uint64_t entry = desk_outcome(desk, &desk->messages[0], "jobcenter", "overdue", DESK_TRUE);
	world_until(world, desk->confirmed == entry);
	CHECK_INT(world_count(world, "overdue"), 0);
	world_stop(world);
	desk->mood = DESK_HONEST;
	world_connect(world);
	world_until(world, world_saw(world, "overdue k1 jobcenter"));
	CHECK_STR(world->lines[world->lines_count - 2], "recorded k1");
	entry = desk_outcome(desk, &desk->messages[0], "jobcenter", "overdue", DESK_TRUE);
	world_until(world, desk->confirmed == entry);
	CHECK_INT(world_count(world, "overdue"), 1);
}

static void forged(const char *state, enum desk_forgery forgery)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	const struct desk_message *message = recorded(world, "k1");
	(void)desk_outcome(world->desk, message, "jobcenter", state, forgery);
	world_until(world, world->failed);
	CHECK_INT(world->failed, TRUST_ALARM);
	CHECK_INT(world_count(world, "ended"), 0);
	CHECK_INT(world->desk->confirmed, 0);
	CHECK(world_alarmed(world));
}

static void a_forged_outcome_is_an_alarm(void)
{
	forged("accepted", DESK_UNSIGNED);
	forged("accepted", DESK_FORGED);
	forged("rejected", DESK_FORGED);
	forged("accepted", DESK_OTHER_STATE);
	forged("rejected", DESK_OTHER_STATE);
	forged("accepted", DESK_OTHER_H);
	forged("no-such-state", DESK_TRUE);
}

/* Its recipient's key is in a registry that comes later: nothing is confirmed past it until then. */
static void an_outcome_by_an_unknown_key_waits_for_the_registry(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	const struct desk_message *message = recorded(world, "k1");
	Dienstweg__RegistryContent *content = registry_fixture_content(world->fixture);
	for (size_t i = 0; i < content->n_parties; i++) {
		Dienstweg__Party *party = content->parties[i];
		for (size_t j = 0; j < party->n_keys; j++) {
			if (bytes_equal(BYTES_PB(party->name), BYTES_STR("jobcenter")) &&
				party->keys[j]->use == DIENSTWEG__KEY_USE__KEY_USE_SIGN)
				party->keys[j] = registry_fixture_key(
					world->fixture, "jobcenter", KEY_SIGN);
		}
	}
	struct registry *next = registry_fixture_load(world->fixture, 2, world->desk->registry);
	registry_unref(world->desk->registry);
	world->desk->registry = next;
	(void)desk_outcome(world->desk, message, "jobcenter", "accepted", DESK_TRUE);
	world_until(world, world->desk->hellos == 2); /* adopted, and asked for again */
	CHECK_INT(world->desk->confirmed, 0);
	CHECK_INT(world_count(world, "ended"), 0);
	uint64_t entry = desk_outcome(world->desk, message, "jobcenter", "accepted", DESK_TRUE);
	world_until(world, world->desk->confirmed == entry);
	CHECK(world_saw(world, "ended k1 jobcenter accepted"));
	CHECK_INT(world->failed, 0);
}

static void an_outcome_of_nobodys_message_is_confirmed(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	struct desk_message stranger = *recorded(world, "k1");
	stranger.message_id[15] ^= 1;
	uint64_t entry = desk_outcome(world->desk, &stranger, "jobcenter", "accepted", DESK_TRUE);
	world_until(world, world->desk->confirmed == entry);
	CHECK_INT(world_count(world, "ended"), 0);
	CHECK_INT(world->failed, 0);
}

CHECK_MAIN(CHECK_CASE(an_outcome_is_told_kept_and_confirmed), CHECK_CASE(overdue_is_no_end),
	CHECK_CASE(a_reminder_is_told_once),
	CHECK_CASE(a_reminder_before_its_receipt_is_told_after_it),
	CHECK_CASE(each_recipient_has_its_own), CHECK_CASE(the_same_again_is_confirmed_and_not_told),
	CHECK_CASE(an_outcome_before_its_receipt_is_told_after_it),
	CHECK_CASE(a_forged_outcome_is_an_alarm),
	CHECK_CASE(an_outcome_by_an_unknown_key_waits_for_the_registry),
	CHECK_CASE(an_outcome_of_nobodys_message_is_confirmed))
