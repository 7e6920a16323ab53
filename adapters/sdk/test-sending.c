/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The way out: what the legacy system hands over reaches the journal once, in order, with proof, through
 * refusals, deferrals, lost answers and restarts; and a receipt that proves nothing is not believed.
 */
#include "adapters/sdk/evidence.h"
#include "adapters/sdk/test-world.h"
#include "proto/envelope/envelope.h"
#include "proto/sealing/sealing.h"
#include "test/kit/check.h"

static const uint8_t case_a[16] = {0xa}, case_b[16] = {0xb};

static void letter(struct world *world, const char *key, const uint8_t *case_id)
{
	world_submit(world, &(struct world_letter){
				    .key = key, .body = BYTES_STR("a form"), .case_id = case_id});
}

static const Dienstweg__Header *header_of(struct world *world, size_t index)
{
	Dienstweg__Header *header;
	const char *field;
	CHECK(index < world->desk->messages_count);
	CHECK_INT(envelope_header_parse(
			  world->desk->arena, world->desk->messages[index].header, &header, &field),
		0);
	return header;
}

/* As the recipient would open it. */
static struct bytes opened(struct world *world, size_t index, const char *recipient)
{
	struct bytes body = {};
	const struct key_secret *key = registry_fixture_secret(world->fixture, recipient, KEY_SEAL);
	int r = sealing_open(header_of(world, index), world->desk->messages[index].content, &key, 1,
		world->desk->arena, &body);
	CHECK_INT(r, 0);
	return body;
}

static void a_message_is_recorded_with_proof(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 20);
	struct bytes text, header;
	world_connect(world);
	world_submit(world,
		&(struct world_letter){
			.key = "k1", .region = "051240000000", .body = BYTES_STR("the form")});
	world_until(world, world_saw(world, "recorded k1"));
	CHECK_INT(world->failed, 0);
	CHECK(world_saw(world, "submitted k1"));
	CHECK(bytes_equal(opened(world, 0, "jobcenter"), BYTES_STR("the form")));
	CHECK_INT(world->adapter.outbox.count, 0);
	/* Kept, and the same that a third party would verify. */
	CHECK_INT(evidence_proof(world->adapter.store, world->desk->messages[0].message_id, arena,
			  &text, &header),
		0);
	CHECK(bytes_equal(header, world->desk->messages[0].header));
	CHECK(memmem(text.data, text.len, "test.demo/0\n", 12));
}

static void broker_readable_services_are_not_sealed(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	world_submit(
		world, &(struct world_letter){
			       .key = "k1", .service = "open.figures", .body = BYTES_STR("17")});
	world_until(world, world_saw(world, "recorded k1"));
	CHECK_INT(header_of(world, 0)->n_sealed_recipients, 0);
}

static void an_operated_party_signs_itself(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	world_submit(world,
		&(struct world_letter){.key = "k1", .sender = "library", .body = BYTES_STR("x")});
	letter(world, "k2", case_a);
	world_until(world, world_count(world, "recorded") == 2);
	CHECK(bytes_equal(BYTES_PB(header_of(world, 0)->sender), BYTES_STR("library")));
	CHECK(bytes_equal(BYTES_PB(header_of(world, 1)->sender), BYTES_STR("city")));
}

static void what_cannot_be_routed_is_said_at_once(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	int r[6];
	char why[6][512], long_key[202];
	memset(long_key, 'k', 201);
	long_key[201] = '\0';
	const struct world_letter letters[] = {
		{.key = "1", .service = "no.such", .ret = &r[0], .why = why[0]},
		{.key = "2", .recipient = "nobody", .ret = &r[1], .why = why[1]},
		{.key = "3", .region = "99", .ret = &r[2], .why = why[2]},
		{.key = "4", .sender = "jobcenter", .ret = &r[3], .why = why[3]},
		{.key = "5", .region = "05x24", .ret = &r[4], .why = why[4]},
		{.key = long_key, .ret = &r[5], .why = why[5]},
	};
	world_start(world);
	for (size_t i = 0; i < ARRAY_LEN(letters); i++)
		world_submit(world, &letters[i]);
	world_step(world);
	CHECK_INT(r[0], DW_UNROUTABLE);
	CHECK(strncmp(why[0], "service: ", 9) == 0);
	CHECK_INT(r[1], DW_UNROUTABLE);
	CHECK(strncmp(why[1], "recipient: ", 11) == 0);
	CHECK_INT(r[2], DW_UNROUTABLE);
	CHECK(strncmp(why[2], "region: ", 8) == 0);
	CHECK_INT(r[3], DW_INVALID);
	CHECK(strncmp(why[3], "sender: ", 8) == 0);
	CHECK(r[4] == DW_UNROUTABLE || r[4] == DW_INVALID);
	CHECK(strncmp(why[4], "region: ", 8) == 0);
	CHECK_INT(r[5], DW_INVALID);
	CHECK(strncmp(why[5], "key: ", 5) == 0);
	CHECK_INT(world->adapter.outbox.count, 0);
	CHECK_INT(world_count(world, "submitted"), 0);
}

static void a_body_of_any_size_travels(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	static const size_t sizes[] = {0, 1, 2000, 3000, 4000, 100000, 250000};
	_cleanup_(heap_free) uint8_t *data = malloc(300000);
	char keys[ARRAY_LEN(sizes)][16], why[512];
	int r = 0;
	CHECK(data);
	for (size_t i = 0; i < 300000; i++)
		data[i] = (uint8_t)(i * 31 >> 3);
	world->config.outbox.again_bytes = 0; /* then nothing of it is left */
	world_connect(world);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		snprintf(keys[i], sizeof(keys[i]), "k%zu", i);
		world_submit(world,
			&(struct world_letter){.key = keys[i], .body = BYTES(data, sizes[i])});
	}
	world_submit(world,
		&(struct world_letter){
			.key = "too large", .body = BYTES(data, 262145), .ret = &r, .why = why});
	world_until(world, world_count(world, "recorded") == ARRAY_LEN(sizes));
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		CHECK(bytes_equal(opened(world, i, "jobcenter"), BYTES(data, sizes[i])));
	CHECK_INT(r, DW_INVALID);
	CHECK(strncmp(why, "body: ", 6) == 0);
	uint64_t rows;
	CHECK_INT(store_count(world->adapter.store, STORE_CONTENT, &rows), 0);
	CHECK_INT(rows, 0);
}

static void one_key_is_one_message(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	letter(world, "k1", case_a);
	letter(world, "k1", case_b); /* in the same turn */
	world_until(world, world_saw(world, "recorded k1"));
	letter(world, "k1", case_b); /* and long after */
	world_until(world, world_count(world, "submitted k1 again") == 2);
	world_stop(world);
	world_connect(world);
	letter(world, "k1", case_b); /* and after a restart */
	world_until(world, world_count(world, "submitted k1 again") == 3);
	world_while(world, world->desk->messages_count == 1);
	/* Another party's key is another message. */
	world_submit(world,
		&(struct world_letter){.key = "k1", .sender = "library", .body = BYTES_STR("x")});
	world_until(world, world->desk->messages_count == 2);
}

static void it_waits_while_the_broker_is_away(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_start(world);
	letter(world, "k1", case_a);
	letter(world, "k2", case_a);
	while (world_count(world, "submitted") < 2) {
		world_step(world);
		CHECK_INT(world->desk->messages_count, 0);
	}
	world_stop(world);
	world_connect(world);
	world_until(world, world_count(world, "recorded") == 2);
	CHECK(world_saw(world, "recorded k1") && world_saw(world, "recorded k2"));
}

static void a_lost_answer_is_asked_for_again_with_the_same_bytes(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	world->desk->mood = DESK_SILENT;
	letter(world, "k1", case_a);
	letter(world, "k2", case_b);
	world_until(world, world->desk->messages_count == 2);
	world->desk->mood = DESK_HONEST;
	desk_forget_session(world->desk);
	client_reset(world->adapter.client, "test");
	world_until(world, world_count(world, "recorded") == 2);
	CHECK_INT(world->desk->messages_count, 2);
	CHECK_INT(world->desk->messages[0].times, 2);
	CHECK_INT(world->desk->messages[1].times, 2);
	/* The same after a restart, when the first receipt was given but never seen. */
	world->desk->mood = DESK_SILENT;
	letter(world, "k3", case_a);
	world_until(world, world->desk->messages_count == 3);
	world_stop(world);
	world->desk->mood = DESK_HONEST;
	world_connect(world);
	world_until(world, world_saw(world, "recorded k3"));
	CHECK_INT(world->desk->messages[2].times, 2);
}

static void a_refusal_is_final_and_told(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	world->desk->mood = DESK_REFUSES;
	letter(world, "k1", case_a);
	world_until(world, world_saw(world, "refused k1 no-agreement"));
	CHECK_INT(world->adapter.outbox.count, 0);
	world->desk->mood = DESK_HONEST;
	letter(world, "k1", case_a);
	world_until(world, world_saw(world, "submitted k1 again"));
	world_stop(world);
	world_connect(world);
	world_while(world, world->desk->messages[0].times == 1);
}

static void a_deferral_keeps_the_order_of_its_case(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	world->desk->mood = DESK_DEFERS;
	world->desk->retry_ms = 60000;
	snprintf(world->desk->reason, sizeof(world->desk->reason), "full");
	letter(world, "k1", case_a);
	letter(world, "k2", case_a);
	world_until(world, world->desk->messages_count == 1);
	world_while(world, world->desk->messages_count == 1); /* k2 waits for k1 */
	world->desk->mood = DESK_HONEST;
	letter(world, "k3", case_b);                            /* the same closed door */
	world_submit(world, &(struct world_letter){.key = "k4", /* another one */
				    .service = "open.figures",
				    .body = BYTES_STR("1")});
	world_until(world, world_saw(world, "recorded k4"));
	CHECK(!world_saw(world, "recorded k3"));
	world_wait_over(world, 60000);
	world_until(world, world_count(world, "recorded") == 4);
	CHECK_MEM(world->desk->messages[2].case_id, case_a, 16);
}

static void a_frame_put_off_is_resumed_in_order(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	char keys[40][8];
	world->config.flight.batch_max = 4; /* ten frames */
	world_connect(world);
	world->desk->mood = DESK_PUTS_OFF;
	world->desk->put_off = 3;
	world->desk->retry_ms = 100;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		snprintf(keys[i], sizeof(keys[i]), "k%zu", i);
		letter(world, keys[i], NULL);
	}
	world_until(world, world->desk->put_off == 0);
	for (int i = 0; i < 10 && world_count(world, "recorded") < ARRAY_LEN(keys); i++) {
		world_wait_over(world, 100);
		for (int j = 0; j < 20; j++)
			world_step(world);
	}
	CHECK_INT(world_count(world, "recorded"), ARRAY_LEN(keys));
	size_t next = 0;
	for (size_t i = 0; i < world->lines_count; i++) {
		char line[32];
		if (strncmp(world->lines[i], "recorded", 8) != 0)
			continue;
		snprintf(line, sizeof(line), "recorded %s", keys[next++]);
		CHECK_STR(world->lines[i], line);
	}
}

/* The recipient has a new seal key: same ids, sealed anew under the newer registry. */
static void an_outdated_seal_is_made_anew(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	world->desk->mood = DESK_DEFERS;
	world->desk->retry_ms = 60000;
	snprintf(world->desk->reason, sizeof(world->desk->reason), "registry-outdated");
	Dienstweg__Party *party = NULL;
	Dienstweg__RegistryContent *content = registry_fixture_content(world->fixture);
	for (size_t i = 0; i < content->n_parties; i++) {
		if (bytes_equal(BYTES_PB(content->parties[i]->name), BYTES_STR("jobcenter")))
			party = content->parties[i];
	}
	for (size_t i = 0; i < party->n_keys; i++) {
		if (party->keys[i]->use == DIENSTWEG__KEY_USE__KEY_USE_SEAL)
			party->keys[i] = registry_fixture_key(world->fixture, "jobcenter", KEY_SEAL);
	}
	struct registry *next = registry_fixture_load(world->fixture, 2, world->desk->registry);
	registry_unref(world->desk->registry);
	world->desk->registry = next;
	letter(world, "k1", case_a);
	world_until(world, world->desk->messages_count == 1);
	world->desk->mood = DESK_HONEST;
	world_until(world, world_saw(world, "recorded k1")); /* without waiting the minute */
	CHECK_INT(world->desk->messages_count, 2);
	CHECK_MEM(world->desk->messages[0].message_id, world->desk->messages[1].message_id, 16);
	CHECK_MEM(world->desk->messages[1].case_id, case_a, 16);
	CHECK(memcmp(world->desk->messages[0].h, world->desk->messages[1].h, HASH_SIZE) != 0);
	const Dienstweg__Key *key = registry_party_key(
		registry_party(next, BYTES_STR("jobcenter")), KEY_SEAL);
	CHECK(bytes_equal(BYTES_PB(header_of(world, 1)->sealed_recipients[0]), BYTES_PB(key->id)));
	CHECK_INT(registry_version(trust_registry(world->adapter.trust)), 2);
}

static void the_outbox_has_an_end(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	int r[5];
	char why[5][512], keys[5][8];
	world->config.outbox.messages_max = 3;
	world_start(world);
	for (size_t i = 0; i < 5; i++) {
		snprintf(keys[i], sizeof(keys[i]), "k%zu", i);
		world_submit(world,
			&(struct world_letter){
				.key = keys[i], .body = BYTES_STR("x"), .ret = &r[i], .why = why[i]});
	}
	world_until(world, world->letters_done == 5);
	CHECK_INT(r[2], 0);
	CHECK_INT(r[3], DW_FULL);
	CHECK(strstr(why[3], "the outbox is full"));
	CHECK(!core_has_room(&world->adapter));
	world_until(world, world_count(world, "recorded") == 3);
	CHECK(core_has_room(&world->adapter));
}

/* ---- a broker that lies ---- */

static void lie(enum desk_mood mood, const char *words)
{
	_cleanup_(world_free) struct world *world = world_new();
	_cleanup_(heap_free) char *text = NULL;
	char why[1024] = "";
	world_connect(world);
	letter(world, "good", case_a);
	world_until(world, world_saw(world, "recorded good"));
	desk_grow(world->desk, 5);
	world->desk->mood = mood;
	letter(world, "bad", case_a);
	world_until(world, world->failed != 0);
	CHECK_INT(world->failed, TRUST_ALARM);
	CHECK(!world_saw(world, "recorded bad"));
	CHECK(world_alarmed(world));
	text = world_file(world, "ALARM");
	if (!strstr(text, words))
		CHECK_FAIL("mood %d: the alarm says: %s", mood, text);
	world_stop(world);
	/* It does not start again before a person has looked, and then the message is still there. */
	CHECK_INT(world_open(world, why, sizeof(why)), 1);
	CHECK(strstr(why, "ALARM"));
	world_stop(world);
	char file[600];
	snprintf(file, sizeof(file), "%s/ALARM", world->config.state);
	CHECK_INT(remove(file), 0);
	world->desk->mood = DESK_HONEST;
	world_connect(world);
	world_until(world, world_saw(world, "recorded bad"));
}

static void receipts_that_prove_nothing_are_an_alarm(void)
{
	lie(DESK_WRONG_NONCE, "receipt that does not lead");
	lie(DESK_WRONG_SEQUENCE, "receipt that does not lead");
	lie(DESK_WRONG_PATH, "receipt that does not lead");
	lie(DESK_NO_PATH, "receipt that does not lead");
	lie(DESK_HALF_NODES, "malformed");
}

static void checkpoints_that_are_not_the_logs_are_an_alarm(void)
{
	lie(DESK_BAD_SIGNATURE, "does not hold");
	lie(DESK_OTHER_ORIGIN, "of another log");
	lie(DESK_NO_CHECKPOINT, "impossible length");
	lie(DESK_STRANGE_KEY, "none of the log keys");
}

CHECK_MAIN(CHECK_CASE(a_message_is_recorded_with_proof),
	CHECK_CASE(broker_readable_services_are_not_sealed),
	CHECK_CASE(an_operated_party_signs_itself),
	CHECK_CASE(what_cannot_be_routed_is_said_at_once), CHECK_CASE(a_body_of_any_size_travels),
	CHECK_CASE(one_key_is_one_message), CHECK_CASE(it_waits_while_the_broker_is_away),
	CHECK_CASE(a_lost_answer_is_asked_for_again_with_the_same_bytes),
	CHECK_CASE(a_refusal_is_final_and_told), CHECK_CASE(a_deferral_keeps_the_order_of_its_case),
	CHECK_CASE(a_frame_put_off_is_resumed_in_order), CHECK_CASE(an_outdated_seal_is_made_anew),
	CHECK_CASE(the_outbox_has_an_end), CHECK_CASE(receipts_that_prove_nothing_are_an_alarm),
	CHECK_CASE(checkpoints_that_are_not_the_logs_are_an_alarm))
