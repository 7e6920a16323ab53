/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A broker that shows one tree to some and another to others, or an older one to all, must be found out
 * by the adapter that it talks to, at the latest a second later, whether it drops the connection, waits for a
 * restart or keeps silent. And an honest broker must never be accused.
 */
#include "adapters/sdk/test-world.h"
#include "proto/base/file.h"
#include "test/kit/check.h"

enum { SECOND_MS = 1100 };

static void letter(struct world *world, const char *key)
{
	world_submit(world, &(struct world_letter){.key = key, .body = BYTES_STR("x")});
}

static void recorded(struct world *world, const char *key)
{
	char line[64];
	snprintf(line, sizeof(line), "recorded %s", key);
	letter(world, key);
	world_until(world, world_saw(world, line));
}

static void alarm_says(struct world *world, const char *words)
{
	_cleanup_(heap_free) char *text = NULL;
	world_until(world, world->failed);
	CHECK_INT(world->failed, TRUST_ALARM);
	text = world_file(world, "ALARM");
	CHECK(text);
	if (!strstr(text, words))
		CHECK_FAIL("the alarm says: %s", text);
}

static void a_growing_log_is_proven_once_a_second(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	char keys[20][8];
	world_connect(world);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		snprintf(keys[i], sizeof(keys[i]), "k%zu", i);
		recorded(world, keys[i]);
	}
	CHECK_INT(world->desk->proofs_asked, 0); /* not per receipt */
	world_wait_over(world, SECOND_MS);
	world_until(world, trust_proven_size(world->adapter.trust) == world->desk->size);
	CHECK_INT(world->desk->proofs_asked, 1);
	/* Idle, it remains a witness. */
	desk_grow(world->desk, 7);
	world_wait_over(world, 11000);
	world_until(world, trust_proven_size(world->adapter.trust) == world->desk->size);
	CHECK_INT(world->failed, 0);
}

static void a_broker_that_only_proves_its_newest_is_understood(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	world->desk->newest_only = true;
	recorded(world, "k1");
	desk_grow(world->desk, 5);
	for (int i = 0; i < 4; i++) {
		world_wait_over(world, SECOND_MS);
		for (int j = 0; j < 20; j++)
			world_step(world);
	}
	CHECK_INT(world->failed, 0);
	CHECK_INT(trust_proven_size(world->adapter.trust), world->desk->size);
}

static void a_fork_is_found_by_the_next_proof(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	recorded(world, "k1");
	world_wait_over(world, SECOND_MS);
	world_until(world, trust_proven_size(world->adapter.trust) == world->desk->size);
	desk_fork(world->desk, 1);
	recorded(world, "k2"); /* proven under the other tree */
	CHECK_INT(world->failed, 0);
	world_wait_over(world, SECOND_MS);
	alarm_says(world, "does not lead from one checkpoint to the other");
	_cleanup_(heap_free) char *older = world_file(world, "alarm-older.note");
	_cleanup_(heap_free) char *newer = world_file(world, "alarm-newer.note");
	CHECK(older && newer && strcmp(older, newer) != 0);
	CHECK(strncmp(newer, "test.demo/0\n", 12) == 0);
}

static void a_fork_of_the_same_size_needs_no_proof(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	struct desk *desk;
	world_connect(world);
	desk = world->desk;
	recorded(world, "k1");
	desk_roll_back(desk, desk->size - 1);
	desk->messages[0].sequence = 0;
	desk_fork(desk, 1);
	letter(world, "k2");
	alarm_says(world, "The log forked");
}

static void a_rollback_is_found_by_the_next_session(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	recorded(world, "k1");
	desk_roll_back(world->desk, 2);
	client_reset(world->adapter.client, "test");
	alarm_says(world, "rolled back");
}

/* Receipts under a fork, then a restart before any proof was asked for. */
static void a_restart_does_not_hide_a_fork(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	recorded(world, "k1");
	world_wait_over(world, SECOND_MS);
	world_until(world, trust_proven_size(world->adapter.trust) == world->desk->size);
	desk_fork(world->desk, 1);
	recorded(world, "k2");
	world_stop(world);
	world_start(world);
	world_until(world, world->desk->hellos == 2);
	world_wait_over(world, SECOND_MS);
	alarm_says(world, "does not lead from one checkpoint to the other");
}

static void a_rollback_is_found_after_a_restart(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	recorded(world, "k1");
	world_stop(world);
	desk_roll_back(world->desk, 2);
	world_start(world);
	alarm_says(world, "rolled back");
}

static void after_an_alarm_it_does_not_start(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	char why[1024] = "";
	world_connect(world);
	recorded(world, "k1");
	desk_roll_back(world->desk, 2);
	client_reset(world->adapter.client, "test");
	alarm_says(world, "rolled back");
	world_stop(world);
	for (int i = 0; i < 2; i++) {
		CHECK_INT(world_open(world, why, sizeof(why)), 1);
		CHECK(strstr(why, "ALARM is there"));
		world_stop(world);
	}
}

static void a_checkpoint_out_of_nowhere_is_an_alarm(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world->desk->mood = DESK_OTHER_BUS;
	world_start(world);
	alarm_says(world, "of another log");
}

static void a_broker_that_withholds_proofs_is_told_about(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	world->desk->deaf_to_proofs = true;
	recorded(world, "k1");
	for (int i = 0; i < 3; i++) {
		world_wait_over(world, 11000);
		world_until(world, world->desk->proofs_asked > (size_t)i);
	}
	CHECK_INT(world->failed, 0); /* loud, but traffic goes on */
	world->desk->deaf_to_proofs = false;
	world_wait_over(world, 11000);
	world_until(world, trust_proven_size(world->adapter.trust) == world->desk->size);
}

/* It looks up one thing at a time; nobody is accused because of that, and nobody waits for long. */
static void a_busy_broker_is_asked_again(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	recorded(world, "k1");
	world->desk->busy = 2;
	for (size_t left = 2; left > 0; left--) {
		world_wait_over(world, SECOND_MS);
		world_until(world, world->desk->busy == left - 1);
		world_while(world, world->desk->busy == left - 1); /* not at once */
	}
	world_wait_over(world, SECOND_MS);
	world_until(world, trust_proven_size(world->adapter.trust) == world->desk->size);
	CHECK_INT(world->failed, 0);
}

/* ---- registry ---- */

static void newer(struct world *world)
{
	struct registry *next = registry_fixture_load(
		world->fixture, registry_version(world->desk->registry) + 1, world->desk->registry);
	registry_unref(world->desk->registry);
	world->desk->registry = next;
}

static void a_busy_broker_is_asked_for_its_registry_again(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	newer(world);
	world->desk->busy = 1;
	world_connect(world);
	world_until(world, world->desk->busy == 0);
	world_while(world, world->desk->registries_asked == 0);
	world_wait_over(world, SECOND_MS);
	world_until(world, registry_version(trust_registry(world->adapter.trust)) == 2);
	CHECK_INT(world->desk->registries_asked, 1);
}

static uint64_t version_in_file(const struct world *world)
{
	struct note_key roots[3];
	struct registry *registry = NULL;
	uint8_t *bytes = NULL;
	size_t len;
	char why[512];
	registry_fixture_roots(world->fixture, roots);
	CHECK_INT(file_read(world->config.registry, REGISTRY_BYTES_MAX, &bytes, &len), 0);
	CHECK_INT(registry_load(BYTES(bytes, len), roots, 3, 2, &registry, why, sizeof(why)), 0);
	uint64_t version = registry_version(registry);
	registry_unref(registry);
	free(bytes);
	return version;
}

static void a_newer_registry_is_taken_over_and_kept(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	newer(world);
	world_connect(world);
	world_until(world, registry_version(trust_registry(world->adapter.trust)) == 2);
	CHECK_INT(version_in_file(world), 2);
	recorded(world, "k1");
}

static void an_older_or_other_registry_is_refused(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	newer(world);
	world_connect(world);
	world_until(world, registry_version(trust_registry(world->adapter.trust)) == 2);
	/* Another version 2, well signed. */
	registry_fixture_service(world->fixture, "quite.other");
	struct registry *other = registry_fixture_load(world->fixture, 2, NULL);
	registry_unref(world->desk->registry);
	world->desk->registry = other;
	trust_want_registry(world->adapter.trust);
	world_until(world, world->desk->registries_asked == 2);
	world_while(world, registry_version(trust_registry(world->adapter.trust)) == 2);
	CHECK(!registry_service(trust_registry(world->adapter.trust), BYTES_STR("quite.other")));
	/* Version 1 again. */
	registry_unref(world->desk->registry);
	world->desk->registry = registry_fixture_load(world->fixture, 1, NULL);
	trust_want_registry(world->adapter.trust);
	world_until(world, world->desk->registries_asked == 3);
	world_while(world, registry_version(trust_registry(world->adapter.trust)) == 2);
	CHECK_INT(version_in_file(world), 2);
	CHECK_INT(world->failed, 0);
}

/* The log has a new key: what it signs is understood once the registry is there, and nothing is lost. */
static void a_new_log_key_comes_with_its_registry(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	recorded(world, "k1");
	Dienstweg__RegistryContent *content = registry_fixture_content(world->fixture);
	for (size_t i = 0; i < content->n_bus_keys; i++) {
		if (content->bus_keys[i]->use == DIENSTWEG__KEY_USE__KEY_USE_LOG)
			content->bus_keys[i]->state = DIENSTWEG__KEY_STATE__KEY_STATE_REVOKED;
	}
	Dienstweg__Key **keys = calloc(content->n_bus_keys + 1, sizeof(*keys));
	CHECK(keys);
	memcpy(keys, content->bus_keys, content->n_bus_keys * sizeof(*keys));
	keys[content->n_bus_keys] = registry_fixture_key(world->fixture, "test.demo", KEY_LOG);
	content->bus_keys = keys;
	content->n_bus_keys++;
	newer(world);
	letter(world, "k2");
	world_until(world, world_saw(world, "recorded k2"));
	CHECK_INT(world->failed, 0);
	CHECK_INT(registry_version(trust_registry(world->adapter.trust)), 2);
	CHECK_INT(world->desk->messages_count, 2);
	free(keys);
	content->n_bus_keys = 0;
}

static void a_stale_registry_does_not_stop_traffic(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	CHECK(!trust_stale(world->adapter.trust));
	uint64_t stale = registry_stale_after_ms(world->desk->registry);
	uint64_t now = clock_wall_ms(&world->clock);
	CHECK(stale > now);
	world->clock.fake_wall_ms += stale - now + 1000;
	CHECK(trust_stale(world->adapter.trust));
	recorded(world, "k1");
}

CHECK_MAIN(CHECK_CASE(a_growing_log_is_proven_once_a_second),
	CHECK_CASE(a_broker_that_only_proves_its_newest_is_understood),
	CHECK_CASE(a_fork_is_found_by_the_next_proof),
	CHECK_CASE(a_fork_of_the_same_size_needs_no_proof),
	CHECK_CASE(a_rollback_is_found_by_the_next_session),
	CHECK_CASE(a_restart_does_not_hide_a_fork), CHECK_CASE(a_rollback_is_found_after_a_restart),
	CHECK_CASE(after_an_alarm_it_does_not_start),
	CHECK_CASE(a_checkpoint_out_of_nowhere_is_an_alarm),
	CHECK_CASE(a_broker_that_withholds_proofs_is_told_about),
	CHECK_CASE(a_busy_broker_is_asked_again),
	CHECK_CASE(a_busy_broker_is_asked_for_its_registry_again),
	CHECK_CASE(a_newer_registry_is_taken_over_and_kept),
	CHECK_CASE(an_older_or_other_registry_is_refused),
	CHECK_CASE(a_new_log_key_comes_with_its_registry),
	CHECK_CASE(a_stale_registry_does_not_stop_traffic))
