/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The bus lost the end of its journal and goes on under a new origin: an adapter follows what it can link to what it
 * saw, loudly, sends again what may be lost, and hands nothing over twice. What cannot be linked is an alarm.
 */
#include "adapters/sdk/evidence.h"
#include "adapters/sdk/test-world.h"
#include "test/kit/check.h"

static void letter(struct world *world, const char *key, size_t bytes)
{
	static const uint8_t body[5000] = "a form";
	world_submit(world, &(struct world_letter){.key = key, .body = BYTES(body, bytes)});
}

static void recorded(struct world *world, const char *key)
{
	char line[64];
	snprintf(line, sizeof(line), "recorded %s", key);
	letter(world, key, 6);
	world_until(world, world_saw(world, line));
}

/* Proven up to what the desk has now, so that there is a rung. */
static void proven(struct world *world)
{
	world_wait_over(world, 11000);
	world_until(world, trust_proven_size(world->adapter.trust) == world->desk->size);
}

/* The bus starts anew, without its last entries; the adapter notices at once. */
static void lose(struct world *world, size_t size, uint32_t epoch, enum desk_epoch_lie lie)
{
	desk_lose(world->desk, size, epoch, lie);
	client_reset(world->adapter.client, "the bus is started anew");
}

static uint64_t sequence_of(const struct world *world, const uint8_t id[16])
{
	for (size_t i = 0; i < world->desk->messages_count; i++)
		if (memcmp(world->desk->messages[i].message_id, id, 16) == 0)
			return world->desk->messages[i].sequence;
	CHECK_FAIL("the desk does not know it");
}

static bool settled(const struct world *world)
{
	return world->adapter.outbox.count == 0 && !world->adapter.again.active;
}

static void what_may_be_lost_is_sent_again(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 20);
	uint8_t ids[4][16];
	struct bytes text, header;
	static const char *const keys[] = {"k0", "k1", "k2", "k3"};
	world_connect(world);
	recorded(world, "k0");
	proven(world);
	recorded(world, "k1"); /* in what is left, but not known to be */
	size_t kept = world->desk->size;
	letter(world, "k2", 6);
	letter(world, "k3", 5000); /* in chunks */
	world_until(world, world_count(world, "recorded") == 4);
	for (size_t i = 0; i < 4; i++)
		memcpy(ids[i], world->desk->messages[i].message_id, 16);
	uint64_t first = sequence_of(world, ids[1]), lost = sequence_of(world, ids[2]);
	lose(world, kept, 1, DESK_EPOCH_HONEST);
	desk_grow(world->desk, 3);
	world_until(world, trust_loss(world->adapter.trust)->epoch == 1 && settled(world));
	CHECK_INT(world->failed, 0);
	/* Known: answered with its entry. Lost: recorded anew, with the same bytes and the same order. */
	CHECK(sequence_of(world, ids[1]) == first);
	CHECK(sequence_of(world, ids[2]) > kept);
	CHECK(sequence_of(world, ids[3]) > sequence_of(world, ids[2]));
	CHECK(sequence_of(world, ids[2]) != lost);
	CHECK_INT(world->desk->messages[0].times, 1); /* proven to be left: not sent again */
	CHECK_INT(world->desk->messages[1].times, 2);
	/* Told again is only what has another entry now. */
	CHECK_INT(world_count(world, "recorded k0"), 1);
	CHECK_INT(world_count(world, "recorded k1"), 1);
	CHECK_INT(world_count(world, "recorded k2"), 2);
	CHECK_INT(world_count(world, "recorded k3"), 2);
	CHECK_INT(world_count(world, "submitted"), 4);
	/* Both receipts are there. */
	CHECK_INT(evidence_proof(world->adapter.store, ids[2], arena, &text, &header), 0);
	CHECK(memmem(text.data, text.len, "test.demo/1\n", 12));
	CHECK_INT(evidence_proof_before(world->adapter.store, ids[2], 0, arena, &text, &header), 0);
	CHECK(memmem(text.data, text.len, "test.demo/0\n", 12));
	CHECK_INT(evidence_proof_before(world->adapter.store, ids[0], 0, arena, &text, &header),
		STORE_NOT_FOUND);
	_cleanup_(heap_free) char *report = world_file(world, "epoch-1.txt");
	CHECK(report && strstr(report, "the disk died") && strstr(report, "account 7"));
	_cleanup_(heap_free) char *seen = world_file(world, "epoch-1-seen.note");
	CHECK(seen && strstr(seen, "test.demo/0\n"));
	CHECK(!world_alarmed(world));
	/* And on, over a restart. */
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		CHECK(world_saw(world, "submitted k0"));
	world_stop(world);
	world_connect(world);
	recorded(world, "k4");
	CHECK_INT(trust_loss(world->adapter.trust)->epoch, 1);
	CHECK_INT(world->failed, 0);
}

static void nothing_lost_is_nothing_sent(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	recorded(world, "k0");
	proven(world);
	size_t kept = world->desk->size;
	desk_grow(world->desk, 3); /* others saw more */
	lose(world, kept, 1, DESK_EPOCH_HONEST);
	world_until(world, epochs_newest(trust_epochs(world->adapter.trust)) == 1);
	recorded(world, "k1");
	CHECK_INT(world->desk->messages[0].times, 1);
	CHECK_INT(trust_loss(world->adapter.trust)->epoch, 0);
	CHECK_INT(world->failed, 0);
	_cleanup_(heap_free) char *report = world_file(world, "epoch-1.txt");
	CHECK(report && strstr(report, "nothing of it was lost"));
}

static void refused(enum desk_epoch_lie lie, bool fork, const char *why)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	recorded(world, "k0");
	proven(world);
	recorded(world, "k1");
	size_t kept = world->desk->size - 1;
	if (fork)
		desk_fork(world->desk, 1);
	lose(world, kept, 1, lie);
	for (int i = 0; i < 4000 && !world->failed; i++)
		world_step(world);
	CHECK_INT(world->failed, TRUST_ALARM);
	CHECK(world_alarmed(world));
	_cleanup_(heap_free) char *alarm = world_file(world, "ALARM");
	if (!strstr(alarm, why))
		CHECK_FAIL("the alarm says: %s", alarm);
}

static void a_new_origin_needs_proof(void)
{
	refused(DESK_EPOCH_UNSAID, false, "no entry of the log says so");
	refused(DESK_EPOCH_OTHER, false, "another tree than the one before it");
	refused(DESK_EPOCH_UNSIGNED, false, "no key of the log has signed");
	refused(DESK_EPOCH_HONEST, true, "does not begin with what this adapter saw");
}

/* Back under the old origin, with the entries that were lost or without. */
static void there_is_no_way_back(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	recorded(world, "k0");
	lose(world, world->desk->size - 1, 1, DESK_EPOCH_HONEST);
	world_until(world, epochs_newest(trust_epochs(world->adapter.trust)) == 1);
	world->desk->epoch = 0;
	desk_forget_session(world->desk);
	client_reset(world->adapter.client, "the bus is started anew");
	for (int i = 0; i < 4000 && !world->failed; i++)
		world_step(world);
	CHECK_INT(world->failed, TRUST_ALARM);
	_cleanup_(heap_free) char *alarm = world_file(world, "ALARM");
	CHECK(strstr(alarm, "set back"));
}

/* Twice, the second time from a copy that is older than the first loss. */
static void a_second_loss_is_followed(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	recorded(world, "k0");
	proven(world);
	size_t oldest = world->desk->size;
	recorded(world, "k1");
	recorded(world, "k2");
	lose(world, world->desk->size - 1, 1, DESK_EPOCH_HONEST);
	world_until(world, trust_loss(world->adapter.trust)->epoch == 1 && settled(world));
	recorded(world, "k3");
	world->desk->epochs_count = 0; /* what is restored knows nothing of it */
	world->desk->epoch = 0;
	lose(world, oldest, 2, DESK_EPOCH_HONEST);
	world_until(world, trust_loss(world->adapter.trust)->epoch == 2 && settled(world));
	CHECK_INT(world->failed, 0);
	CHECK_INT(world->desk->messages_count, 4); /* k0 to k3, all there again */
	CHECK_INT(world->desk->messages[0].times, 1);
	recorded(world, "k4");
}

/* It was away over two of them, the second from a copy that knows of the first: both are shown, and followed at once. */
static void who_was_away_over_two_follows_both(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	recorded(world, "k0");
	proven(world);
	size_t kept = world->desk->size;
	recorded(world, "k1");
	recorded(world, "k2");
	world_stop(world);
	desk_lose(world->desk, kept, 1, DESK_EPOCH_HONEST);
	desk_grow(world->desk, 5);
	desk_lose(world->desk, world->desk->size - 2, 4, DESK_EPOCH_HONEST);
	desk_grow(world->desk, 3);
	world_connect(world);
	world_until(world, trust_loss(world->adapter.trust)->epoch == 4 && settled(world));
	const struct epochs *epochs = trust_epochs(world->adapter.trust);
	CHECK_INT(epochs->count, 2);
	CHECK_INT(epochs->all[0].epoch, 1);
	CHECK_INT(epochs->all[0].size, kept);
	CHECK_INT(world->desk->messages[0].times, 1); /* before either */
	CHECK_INT(world_count(world, "recorded k1"), 2);
	CHECK_INT(world_count(world, "recorded k2"), 2);
	CHECK_INT(world->failed, 0);
	CHECK(!world_alarmed(world));
	recorded(world, "k3");
}

/* A lying broker that says an entry was kept, and knows it elsewhere. */
static void what_was_kept_stays_where_it_was(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	recorded(world, "k0");
	size_t kept = world->desk->size;
	recorded(world, "k1");
	lose(world, kept, 1, DESK_EPOCH_HONEST);
	world->desk->messages_count = 0; /* and k0, too, is recorded anew */
	for (int i = 0; i < 4000 && !world->failed; i++)
		world_step(world);
	CHECK_INT(world->failed, TRUST_ALARM);
	_cleanup_(heap_free) char *alarm = world_file(world, "ALARM");
	CHECK(strstr(alarm, "what was kept was changed"));
}

/* ---- outcomes and refusals of what is sent again ---- */

static void an_outcome_is_told_once(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	recorded(world, "k0");
	size_t kept = world->desk->size - 1;
	desk_outcome(world->desk, &world->desk->messages[0], "jobcenter", "accepted", DESK_TRUE);
	world_until(world, world_count(world, "ended k0") == 1);
	lose(world, kept, 1, DESK_EPOCH_HONEST);
	world_until(world, trust_loss(world->adapter.trust)->epoch == 1 && settled(world));
	CHECK_INT(world->desk->messages_count, 1); /* it ended, and is in the journal all the same */
	uint64_t entry = desk_outcome(
		world->desk, &world->desk->messages[0], "jobcenter", "accepted", DESK_TRUE);
	world_until(world, world->desk->confirmed == entry);
	CHECK_INT(world_count(world, "ended k0"), 1);
	CHECK_INT(world->failed, 0);
}

/* Its sender was told that nobody gets it; the other one is on its way again. */
static void what_was_taken_back_is_not_sent_again(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	recorded(world, "k0");
	proven(world);
	size_t kept = world->desk->size;
	recorded(world, "k1");
	recorded(world, "k2");
	uint64_t entry = desk_outcome(
		world->desk, &world->desk->messages[1], "jobcenter", "cancelled", DESK_TRUE);
	world_until(world, world->desk->confirmed == entry);
	lose(world, kept, 1, DESK_EPOCH_HONEST);
	desk_grow(world->desk, 3);
	world_until(world, trust_loss(world->adapter.trust)->epoch == 1 && settled(world));
	CHECK_INT(world->desk->messages_count, 2); /* k0, and what came again */
	CHECK_INT(world_count(world, "recorded k1"), 1);
	CHECK_INT(world_count(world, "recorded k2"), 2);
	CHECK_INT(world->failed, 0);
}

static void what_the_bus_takes_no_more_is_told(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	recorded(world, "open");
	recorded(world, "ended");
	size_t kept = world->desk->size - 2;
	desk_outcome(world->desk, &world->desk->messages[1], "jobcenter", "accepted", DESK_TRUE);
	world_until(world, world_count(world, "ended ended") == 1);
	lose(world, kept, 1, DESK_EPOCH_HONEST);
	world->desk->mood = DESK_REFUSES; /* they have expired, say */
	world_until(world, trust_loss(world->adapter.trust)->epoch == 1 && settled(world));
	CHECK(world_saw(world, "refused open no-agreement"));
	CHECK_INT(world_count(world, "refused ended"),
		0); /* its recipient has it, and that was told */
	CHECK_INT(world->failed, 0);
}

/* Its key was revoked meanwhile: sealed anew it would be another message. */
static void what_cannot_be_sealed_anew_is_told(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	recorded(world, "k0");
	lose(world, world->desk->size - 1, 1, DESK_EPOCH_HONEST);
	world->desk->mood = DESK_DEFERS;
	snprintf(world->desk->reason, sizeof(world->desk->reason), "registry-outdated");
	world_until(world, world_saw(world, "refused k0 registry-outdated"));
	CHECK_INT(world->adapter.outbox.count, 0);
	CHECK_INT(world->failed, 0);
}

/* ---- what is kept, and for how long ---- */

static void kept_is_what_was_sent_and_not_for_ever(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world->config.outbox.again_ms = 3600 * 1000;
	world_connect(world);
	recorded(world, "ended");
	recorded(world, "open");
	desk_outcome(world->desk, &world->desk->messages[0], "jobcenter", "accepted", DESK_TRUE);
	world_until(world, world_count(world, "ended ended") == 1);
	struct again *again = &world->adapter.again;
	uint64_t both = again->bytes, count = 0;
	CHECK(both > 0);
	world_wait_over(world, 3600 * 1000 + 1000);
	world_until(world, again->bytes < both && again->bytes > 0);
	CHECK_INT(store_count(world->adapter.store, STORE_AGAIN, &count), 0);
	CHECK_INT(count, 1); /* the open one stays */
	world_wait_over(world, 3600 * 1000);
	world_while(world, again->bytes > 0);
	desk_outcome(world->desk, &world->desk->messages[1], "jobcenter", "accepted", DESK_TRUE);
	world_until(world, world_count(world, "ended open") == 1);
	world_wait_over(world, 61 * 1000);
	world_until(world, again->bytes == 0);
}

static void beyond_its_bound_the_oldest_go(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	uint64_t count = 0;
	char key[16];
	world->config.outbox.again_bytes = 20000;
	world_connect(world);
	for (int i = 0; i < 12; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		letter(world, key, 4500); /* in chunks */
		world_until(world, world_count(world, "recorded") == (size_t)i + 1);
	}
	world_until(world, world->adapter.again.bytes <= 20000);
	CHECK_INT(store_count(world->adapter.store, STORE_AGAIN, &count), 0);
	CHECK(count > 0 && count < 5);
	CHECK_INT(store_count(world->adapter.store, STORE_CONTENT, &count), 0);
	CHECK(count > 0 && count < 10); /* chunks went with them */
	/* None at all, if somebody wants that. */
	world_stop(world);
	world->config.outbox.again_bytes = 0;
	world_connect(world);
	recorded(world, "last");
	world_until(world, world->adapter.again.bytes == 0);
	CHECK_INT(store_count(world->adapter.store, STORE_CONTENT, &count), 0);
	CHECK_INT(count, 0);
}

/* ---- deliveries ---- */

static size_t acks_of(const struct world *world, uint64_t sequence)
{
	size_t count = 0;
	for (size_t i = 0; i < world->desk->acks_count; i++)
		count += world->desk->acks[i].sequence == sequence && world->desk->acks[i].accepted;
	return count;
}

static void a_delivery_is_handed_over_once(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	size_t kept = world->desk->size;
	const struct desk_letter one = {.sender = "jobcenter",
		.recipient = "city",
		.service = "alg2.application",
		.body = BYTES_STR("a decision")};
	uint64_t sequence = desk_deliver(world->desk, &one);
	world_until(world, acks_of(world, sequence) == 1 && acks_count(world->adapter.acks) == 0);
	struct desk_sent sent = world->desk->letters[0];
	lose(world, kept, 1, DESK_EPOCH_HONEST);
	desk_grow(world->desk, 5);
	world_until(world, trust_loss(world->adapter.trust)->epoch == 1);
	/* Its sender sent it again: the same bytes, another entry. */
	world->desk->letters[0].sequence = sent.sequence + 40;
	desk_deliver_again(world->desk, sent.sequence + 40);
	world_until(world, acks_of(world, sent.sequence + 40) == 1);
	CHECK_INT(world_count(world, "delivery"), 1);
	CHECK_INT(world->failed, 0);
}

CHECK_MAIN(CHECK_CASE(what_may_be_lost_is_sent_again), CHECK_CASE(nothing_lost_is_nothing_sent),
	CHECK_CASE(a_new_origin_needs_proof), CHECK_CASE(there_is_no_way_back),
	CHECK_CASE(a_second_loss_is_followed), CHECK_CASE(who_was_away_over_two_follows_both),
	CHECK_CASE(what_was_kept_stays_where_it_was), CHECK_CASE(an_outcome_is_told_once),
	CHECK_CASE(what_was_taken_back_is_not_sent_again),
	CHECK_CASE(what_the_bus_takes_no_more_is_told),
	CHECK_CASE(what_cannot_be_sealed_anew_is_told),
	CHECK_CASE(kept_is_what_was_sent_and_not_for_ever),
	CHECK_CASE(beyond_its_bound_the_oldest_go), CHECK_CASE(a_delivery_is_handed_over_once))
