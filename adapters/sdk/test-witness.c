/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What a witness signs, and what it does not sign whatever the broker shows it; and when receipts are final.
 * The broker here is the desk, which lies on demand.
 */
#include "adapters/sdk/evidence.h"
#include "adapters/sdk/test-world.h"
#include "proto/note/cosignature.h"
#include "test/kit/check.h"

enum { SECOND_MS = 1000, MINUTE_MS = 60 * SECOND_MS };

static void letter(struct world *world, const char *key)
{
	world_submit(world, &(struct world_letter){.key = key, .body = BYTES_STR("hello")});
}

static void recorded(struct world *world, const char *key)
{
	char line[64];
	letter(world, key);
	snprintf(line, sizeof(line), "recorded %s", key);
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

/* What city cosigned last. */
static struct checkpoint cosigned(struct world *world)
{
	struct note_key log_key, key;
	struct checkpoint checkpoint;
	const struct key_secret *log = registry_fixture_secret(world->fixture, "test.demo", KEY_LOG);
	const struct key_secret *own = registry_fixture_secret(world->fixture, "city", KEY_WITNESS);
	struct bytes note = BYTES(world->desk->cosign, world->desk->cosign_len);
	CHECK_INT(note_key_init(&log_key, BYTES_STR("test.demo/0"), log->pub.public), 0);
	CHECK_INT(note_key_init_witness(&key, BYTES_STR("city"), own->pub.public), 0);
	CHECK_INT(checkpoint_open(note, &log_key, 1, "test.demo/0", &checkpoint), 0);
	CHECK_INT(cosignature_find(note, &key, NULL, NULL), 0);
	return checkpoint;
}

static void ask(struct world *world)
{
	desk_candidate(world->desk);
	world_wait_over(world, SECOND_MS);
}

/* ---- the witness ---- */

static void it_cosigns_what_grew(void)
{
	_cleanup_(world_free) struct world *world = world_new_witnessed();
	struct desk *desk = world->desk;
	world_connect(world);
	for (size_t i = 1; i <= 3; i++) {
		desk_grow(desk, 10);
		ask(world);
		world_until(world, desk->cosigns == i);
		CHECK_INT(cosigned(world).size, desk->size);
	}
	CHECK_INT(world->failed, 0);
	CHECK_INT(witness_size(world->adapter.witness), desk->size);
}

static void asked_again_it_signs_the_same_again(void)
{
	_cleanup_(world_free) struct world *world = world_new_witnessed();
	world_connect(world);
	desk_grow(world->desk, 10);
	ask(world);
	world_until(world, world->desk->cosigns == 1);
	world_stop(world);
	world_connect(world);
	ask(world);
	world_until(world, world->desk->cosigns == 2);
	CHECK_INT(cosigned(world).size, world->desk->size);
}

static void once_a_second_however_often_it_is_asked(void)
{
	_cleanup_(world_free) struct world *world = world_new_witnessed();
	world_connect(world);
	ask(world);
	world_until(world, world->desk->cosigns == 1);
	for (int i = 0; i < 10; i++) {
		desk_grow(world->desk, 1);
		desk_candidate(world->desk);
		world_step(world);
	}
	world_while(world, world->desk->cosigns == 1);
	world_wait_over(world, SECOND_MS);
	world_until(world, world->desk->cosigns == 2);
}

/* A candidate to which no line can be added ends nobody. */
static void a_crowded_candidate_is_passed_over(void)
{
	_cleanup_(world_free) struct world *world = world_new_witnessed();
	world_connect(world);
	desk_grow(world->desk, 10);
	world->desk->crowded = true;
	ask(world);
	world_while(world, world->desk->cosigns == 0);
	CHECK_INT(world->failed, 0);
	world->desk->crowded = false;
	desk_grow(world->desk, 10);
	ask(world);
	world_until(world, world->desk->cosigns == 1);
	CHECK_INT(cosigned(world).size, world->desk->size);
}

static void no_proof_no_signature(void)
{
	_cleanup_(world_free) struct world *world = world_new_witnessed();
	world_connect(world);
	world->desk->deaf_to_proofs = true;
	desk_grow(world->desk, 10);
	ask(world);
	world_until(world, world->desk->proofs_asked > 0);
	world_while(world, world->desk->cosigns == 0);
	world->desk->deaf_to_proofs = false;
	world_wait_over(world, 11 * SECOND_MS);
	world_until(world, world->desk->cosigns == 1);
}

static void a_fork_is_not_signed_but_told(void)
{
	_cleanup_(world_free) struct world *world = world_new_witnessed();
	world_connect(world);
	desk_grow(world->desk, 10);
	ask(world);
	world_until(world, world->desk->cosigns == 1);
	desk_fork(world->desk, world->desk->size - 3);
	desk_grow(world->desk, 10);
	ask(world);
	alarm_says(world, "does not lead from one checkpoint to the other");
	CHECK_INT(world->desk->cosigns, 1);
}

static void another_root_of_the_same_size_needs_no_proof(void)
{
	_cleanup_(world_free) struct world *world = world_new_witnessed();
	world_connect(world);
	desk_grow(world->desk, 10);
	ask(world);
	world_until(world, world->desk->cosigns == 1);
	desk_fork(world->desk, world->desk->size - 3);
	ask(world);
	alarm_says(world, "The log forked");
	CHECK_INT(world->desk->cosigns, 1);
}

/* Signed, then another history from before it: noticed although the adapter was started anew. */
static void a_restart_does_not_make_it_forget(void)
{
	_cleanup_(world_free) struct world *world = world_new_witnessed();
	world_connect(world);
	desk_grow(world->desk, 10);
	ask(world);
	world_until(world, world->desk->cosigns == 1);
	world_stop(world);
	desk_fork(world->desk, world->desk->size - 3);
	desk_grow(world->desk, 10);
	world_start(world);
	alarm_says(world, "does not lead from one checkpoint to the other");
	CHECK_INT(world->desk->cosigns, 1);
}

/* ---- final ---- */

static void a_quorum_makes_receipts_final(void)
{
	_cleanup_(world_free) struct world *world = world_new_witnessed();
	struct head head;
	world_connect(world);
	recorded(world, "k1");
	world_until(world, world->desk->cosigned_asked > 0);
	CHECK_INT(final_size(world->adapter.final), 0);
	world->desk->cosigners = "jobcenter";
	world_wait_over(world, 3 * SECOND_MS);
	world_until(world, world->desk->cosigned_asked > 1);
	world_while(world, final_size(world->adapter.final) == 0); /* one is none */
	CHECK_INT(evidence_final(world->adapter.store, world->desk->messages[0].message_id, &head),
		EVIDENCE_OPEN);
	CHECK_INT(store_commit(world->adapter.store), 0);
	world->desk->cosigners = "jobcenter,ministry";
	world_wait_over(world, 3 * SECOND_MS);
	world_until(world, final_size(world->adapter.final) == world->desk->size);
	CHECK_INT(final_waiting_seconds(world->adapter.final), 0);
	/* It is asked for no longer, and kept. */
	size_t asked = world->desk->cosigned_asked;
	world_wait_over(world, 30 * SECOND_MS);
	world_while(world, world->desk->cosigned_asked == asked);
	uint8_t *id = world->desk->messages[0].message_id, stranger[16] = {0};
	CHECK_INT(evidence_final(world->adapter.store, id, &head), 0);
	CHECK_INT(head.checkpoint.size, world->desk->size);
	CHECK_INT(evidence_final(world->adapter.store, stranger, &head), STORE_NOT_FOUND);
	CHECK_INT(final_read(world->adapter.store, &head), 0);
	CHECK_INT(head.checkpoint.size, world->desk->size);
	CHECK_INT(store_commit(world->adapter.store), 0);
}

static void ten_minutes_are_too_long(void)
{
	_cleanup_(world_free) struct world *world = world_new_witnessed();
	char status[1024];
	world_connect(world);
	recorded(world, "k1");
	for (int i = 0; i < 11; i++) {
		world_step(world);
		world_wait_over(world, MINUTE_MS);
		world_until(world, client_state(world->adapter.client) == CLIENT_READY);
	}
	world_step(world);
	CHECK(final_waiting_seconds(world->adapter.final) >= 600);
	core_status(&world->adapter, status, sizeof(status));
	CHECK(strstr(status, "\"final\":0,\"final_waiting_seconds\":6"));
	CHECK_INT(world->failed, 0); /* loud, and traffic goes on */
	recorded(world, "k2");
	world->desk->cosigners = "city,ministry";
	world_wait_over(world, 3 * SECOND_MS);
	world_until(world, final_waiting_seconds(world->adapter.final) == 0);
}

/* An adapter that is started anew all the time: it waits for as long as its receipts do, not as it runs. */
static void a_restart_does_not_wait_anew(void)
{
	_cleanup_(world_free) struct world *world = world_new_witnessed();
	world_connect(world);
	recorded(world, "k1");
	for (int i = 0; i < 6; i++) {
		world_step(world);
		world_wait_over(world, 2 * MINUTE_MS);
		world_stop(world);
		world_connect(world);
	}
	CHECK(final_waiting_seconds(world->adapter.final) >= 600);
	recorded(world, "k2"); /* a younger one changes nothing */
	CHECK(final_waiting_seconds(world->adapter.final) >= 600);
	world->desk->cosigners = "city,ministry";
	world_wait_over(world, 3 * SECOND_MS);
	world_until(world, final_waiting_seconds(world->adapter.final) == 0);
	world_wait_over(world, MINUTE_MS);
	world_stop(world);
	world_connect(world);
	CHECK_INT(final_waiting_seconds(world->adapter.final), 0);
}

/* A quorum under another tree than the one that the adapter saw grow. */
static void a_cosigned_fork_is_an_alarm(void)
{
	_cleanup_(world_free) struct world *world = world_new_witnessed();
	world_connect(world);
	recorded(world, "k1");
	world_wait_over(world, SECOND_MS);
	world_until(world, trust_proven_size(world->adapter.trust) == world->desk->size);
	desk_fork(world->desk, world->desk->size - 1);
	world->desk->cosigners = "jobcenter,ministry";
	world_wait_over(world, 3 * SECOND_MS);
	alarm_says(world, "The log forked");
	CHECK_INT(final_size(world->adapter.final), 0);
}

static void a_forged_cosignature_makes_nothing_final(void)
{
	_cleanup_(world_free) struct world *world = world_new_witnessed();
	world_connect(world);
	(void)registry_fixture_key(world->fixture, "ministry", KEY_WITNESS); /* not the pinned one */
	world->desk->cosigners = "jobcenter,ministry";
	recorded(world, "k1");
	world_until(world, world->desk->cosigned_asked > 0);
	world_while(world, final_size(world->adapter.final) == 0);
}

/* ---- exchange ---- */

/* The new key is in the file first; it signs from the registry on that lists it, without a restart. */
static void the_key_is_exchanged_by_the_registry(void)
{
	_cleanup_(world_free) struct world *world = world_new_witnessed();
	_cleanup_(keyring_secret_deinit) struct keyring_secret file = {0};
	struct desk *desk = world->desk;
	struct keyring_public public;
	char why[512];
	Dienstweg__RegistryContent *content = registry_fixture_content(world->fixture);
	CHECK_INT(keyfile_read_secret(world->config.witness, &file, why, sizeof(why)), 0);
	CHECK_INT(key_generate(KEY_WITNESS, BYTES_STR("city"), &file.keys[file.count++]), 0);
	keyring_public_of(&file, &public);
	CHECK_INT(keyfile_exchange(world->dir, "witness", &file, &public), 0);
	world_connect(world);
	desk_grow(desk, 10);
	ask(world);
	world_until(world, desk->cosigns == 1);
	CHECK_INT(cosigned(world).size, desk->size); /* by the old one */

	const struct key_public *new = &public.keys[public.count - 1];
	Dienstweg__Key *key = registry_fixture_key(world->fixture, "city", KEY_WITNESS);
	key->id = registry_fixture_text(world->fixture, BYTES(new->id, KEY_ID_SIZE));
	key->public_ = registry_fixture_text(world->fixture, BYTES(new->public, SIGN_PUBLIC_SIZE));
	key->possession_key = key->public_;
	key->possession = registry_fixture_text(
		world->fixture, BYTES(new->possession, SIGNATURE_SIZE));
	for (size_t i = 0; i < content->n_witnesses; i++)
		if (bytes_equal(BYTES_PB(content->witnesses[i]->name), BYTES_STR("city")))
			content->witnesses[i]->key = key;
	struct registry *next = registry_fixture_load(world->fixture, 2, desk->registry);
	registry_unref(desk->registry);
	desk->registry = next;
	trust_registry_seen(world->adapter.trust, 2);
	world_until(world, registry_version(trust_registry(world->adapter.trust)) == 2);
	desk_grow(desk, 10);
	ask(world);
	world_until(world, desk->cosigns == 2);
	struct note_key expected;
	CHECK_INT(note_key_init_witness(&expected, BYTES_STR("city"), new->public), 0);
	CHECK_INT(cosignature_find(BYTES(desk->cosign, desk->cosign_len), &expected, NULL, NULL), 0);
}

/* ---- configuration ---- */

static void a_key_of_somebody_else_is_refused(void)
{
	_cleanup_(world_free) struct world *world = world_new_witnessed();
	char why[512] = "";
	world->config.witness = world->key_files[1];
	CHECK_INT(world_open(world, why, sizeof(why)), 1);
	CHECK(strstr(why, "holds no witness key"));
}

CHECK_MAIN(CHECK_CASE(it_cosigns_what_grew), CHECK_CASE(asked_again_it_signs_the_same_again),
	CHECK_CASE(once_a_second_however_often_it_is_asked),
	CHECK_CASE(a_crowded_candidate_is_passed_over), CHECK_CASE(no_proof_no_signature),
	CHECK_CASE(a_fork_is_not_signed_but_told),
	CHECK_CASE(another_root_of_the_same_size_needs_no_proof),
	CHECK_CASE(a_restart_does_not_make_it_forget), CHECK_CASE(a_quorum_makes_receipts_final),
	CHECK_CASE(ten_minutes_are_too_long), CHECK_CASE(a_restart_does_not_wait_anew),
	CHECK_CASE(a_cosigned_fork_is_an_alarm),
	CHECK_CASE(a_forged_cosignature_makes_nothing_final),
	CHECK_CASE(the_key_is_exchanged_by_the_registry),
	CHECK_CASE(a_key_of_somebody_else_is_refused))
