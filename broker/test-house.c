/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The broker is not started as a process, so that a test can stop it between two turns, see inside, and
 * run all of it under a sanitizer with the test's own stack in the report.
 */
#include "broker/test-house.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "broker/field.h"
#include "conf/guard.h"
#include "proto/base/file.h"
#include "proto/base/log.h"
#include "test/kit/check.h"

enum { HEARD_BUDGET = 256 << 20 };

/* ---- files ---- */

static void text_write(const struct house *house, const char *name, mode_t mode, struct bytes text)
{
	char path[512];
	CHECK_INT(path_join(path, sizeof(path), house->dir, name), 0);
	CHECK_INT(file_replace(path, text, mode), 0);
}

static void policy_write(const struct house *house)
{
	struct note_key roots[3];
	char lines[3][NOTE_VKEY_SIZE], text[1024];
	registry_fixture_roots(house->fixture.parties, roots);
	for (int i = 0; i < 3; i++)
		note_key_format(&roots[i], lines[i]);
	snprintf(text, sizeof(text), "root %s\nroot %s\nroot %s\nroot-quorum 2\nquorum none\n",
		lines[0], lines[1], lines[2]);
	text_write(house, "policy", 0644, BYTES_STR(text));
}

static void keys_write(const struct house *house)
{
	static const enum key_use uses[] = {KEY_LOG, KEY_TRANSPORT};
	struct keyring_secret keys = {.owner = "test.demo"};
	uint8_t master[AEAD_KEY_SIZE];
	for (size_t i = 0; i < ARRAY_LEN(uses); i++)
		keys.keys[keys.count++] = (struct key_secret *)(uintptr_t)registry_fixture_secret(
			house->fixture.parties, "test.demo", uses[i]);
	CHECK_INT(keyfile_write(house->dir, "bus", &keys), 0);
	random_fill(master, sizeof(master));
	text_write(house, "master", 0600, BYTES(master, sizeof(master)));
}

static void config_write(struct house *house, const char *extra)
{
	char text[2048], path[512], why[CONFIG_ERROR_SIZE] = "";
	snprintf(text, sizeof(text),
		"bus: test.demo\nlisten: [\"tcp://127.0.0.1:*\"]\nstate: state\n"
		"registry: registry.signed\npolicy: policy\nkeys: bus.secret\n"
		"master_key: master\nsession: {timeout: 10 min}\n%s",
		extra);
	text_write(house, "broker.yaml", 0644, BYTES_STR(text));
	CHECK_INT(path_join(path, sizeof(path), house->dir, "broker.yaml"), 0);
	int r = config_broker_read(path, &house->config, why, sizeof(why));
	CHECK_STR(why, "");
	CHECK_INT(r, 0);
	CHECK_INT(guard_broker(house->config, true, why, sizeof(why)), 0);
}

/* ---- house ---- */

static uint64_t moving_wall_ms(const struct clock *clock)
{
	return clock->fake_wall_ms + clock_mono_ns(clock_system()) / 1000000u;
}

static uint64_t moving_mono_ns(const struct clock *clock)
{
	(void)clock;
	return clock_mono_ns(clock_system());
}

void house_start(struct house *house)
{
	char why[BROKER_ERROR_SIZE] = "";
	int r = broker_new(
		house->config, &house->clock, &house->orders, &house->broker, why, sizeof(why));
	CHECK_STR(why, "");
	CHECK_INT(r, 0);
}

void house_stop(struct house *house)
{
	broker_free(steal(&house->broker));
}

static void house_make(struct house *house, const char *name, const char *extra)
{
	CHECK_INT(path_join(house->dir, sizeof(house->dir), check_tmpdir(), name), 0);
	house->clock = (struct clock){
		.wall_ms = moving_wall_ms,
		.mono_ns = moving_mono_ns,
		.fake_wall_ms = FIXTURE_NOW_MS - clock_mono_ns(clock_system()) / 1000000u,
	};
	text_write(house, "registry.signed", 0644, registry_signed_bytes(house->fixture.registry));
	policy_write(house);
	keys_write(house);
	config_write(house, extra);
	house->arena = arena_new(HEARD_BUDGET);
	CHECK(house->arena);
	house_start(house);
}

void house_init(struct house *house, const char *name, const char *extra)
{
	*house = (struct house){0};
	journal_fixture_init(&house->fixture, check_tmpdir(), name);
	house_make(house, name, extra);
}

void house_init_witnessed(struct house *house, const char *name, uint32_t quorum)
{
	*house = (struct house){0};
	journal_fixture_init_witnessed(&house->fixture, check_tmpdir(), name, quorum);
	house_make(house, name, "");
}

void house_deinit(struct house *house)
{
	broker_free(house->broker);
	config_broker_free(house->config);
	arena_free(house->arena);
	journal_fixture_deinit(&house->fixture);
}

/* ---- peers ---- */

void peer_init(struct peer *peer, struct house *house, const char *party)
{
	const struct key_secret *server = registry_fixture_secret(
		house->fixture.parties, "test.demo", KEY_TRANSPORT);
	const struct key_secret *own = registry_fixture_secret(
		house->fixture.parties, party, KEY_TRANSPORT);
	const struct caller_options options = {
		.endpoint = broker_endpoint(house->broker),
		.server_key = server->pub.public,
		.public_key = own->pub.public,
		.secret_key = own->x25519,
	};
	*peer = (struct peer){.house = house};
	CHECK_INT(caller_new(broker_gate(house->broker), &options, &peer->caller), 0);
	house_until(house, caller_step(peer->caller) != CALLER_WAITING);
	CHECK_INT(caller_step(peer->caller), CALLER_IN);
}

void peer_deinit(struct peer *peer)
{
	caller_free(peer->caller);
}

void peer_say_raw(struct peer *peer, struct bytes raw)
{
	CHECK_INT(caller_send(peer->caller, raw), 0);
}

void peer_say(struct peer *peer, Dienstweg__Frame *frame)
{
	frame->session = field_bytes(BYTES(peer->nonce, NONCE_SIZE));
	size_t size = dienstweg__frame__get_packed_size(frame);
	_cleanup_(heap_free) uint8_t *raw = malloc(size ? size : 1);
	CHECK(raw);
	dienstweg__frame__pack(frame, raw);
	peer_say_raw(peer, BYTES(raw, size));
}

static bool heard(struct peer *peer, const Dienstweg__Frame **ret)
{
	struct router_message message;
	struct bytes raw;
	int r = caller_receive(peer->caller, &message, &raw);
	if (r == ROUTER_EMPTY)
		return false;
	CHECK_INT(r, 0);
	*ret = dienstweg__frame__unpack(arena_allocator(peer->house->arena), raw.len, raw.data);
	router_message_deinit(&message);
	CHECK(*ret);
	return true;
}

const Dienstweg__Frame *peer_hear(struct peer *peer)
{
	const Dienstweg__Frame *frame = NULL;
	house_until(peer->house, heard(peer, &frame));
	return frame;
}

const Dienstweg__Frame *peer_hear_kind(struct peer *peer, Dienstweg__Frame__BodyCase kind)
{
	const Dienstweg__Frame *frame;
	do
		frame = peer_hear(peer);
	while (frame->body_case != kind);
	return frame;
}

void peer_hear_error(struct peer *peer, const char *code)
{
	const Dienstweg__Frame *frame = peer_hear(peer);
	CHECK_INT(frame->body_case, DIENSTWEG__FRAME__BODY_ERROR);
	CHECK(bytes_equal(BYTES_PB(frame->error->code), BYTES_STR(code)));
	CHECK(frame->error->detail.len > 0);
}

void peer_hello(struct peer *peer, const char *const *parties, size_t count)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Hello hello = DIENSTWEG__HELLO__INIT;
	ProtobufCBinaryData names[128];
	uint32_t version = 0;
	CHECK(count <= ARRAY_LEN(names));
	for (size_t i = 0; i < count; i++)
		names[i] = field_text(parties[i]);
	random_fill(peer->nonce, NONCE_SIZE);
	hello.versions = &version;
	hello.n_versions = 1;
	hello.parties = names;
	hello.n_parties = count;
	hello.software = field_text("test 0");
	frame.body_case = DIENSTWEG__FRAME__BODY_HELLO;
	frame.hello = &hello;
	peer_say(peer, &frame);
}

const Dienstweg__Welcome *peer_open(struct peer *peer, const char *party)
{
	peer_hello(peer, &party, 1);
	return peer_hear_kind(peer, DIENSTWEG__FRAME__BODY_WELCOME)->welcome;
}

void peer_credit(struct peer *peer, uint64_t messages, uint64_t bytes)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Credit credit = DIENSTWEG__CREDIT__INIT;
	credit.messages = messages;
	credit.bytes = bytes;
	frame.body_case = DIENSTWEG__FRAME__BODY_CREDIT;
	frame.credit = &credit;
	peer_say(peer, &frame);
}

void peer_submit_again(struct peer *peer, const struct parcel *sent, uint64_t number, bool resume)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Submit submit = DIENSTWEG__SUBMIT__INIT;
	_cleanup_(heap_free) Dienstweg__Envelope **envelopes = calloc(
		sent->submits_count, sizeof(Dienstweg__Envelope *));
	CHECK(envelopes);
	for (size_t i = 0; i < sent->submits_count; i++)
		envelopes[i] = sent->submits[i].envelope;
	submit.number = number;
	submit.resume = resume;
	submit.envelopes = envelopes;
	submit.n_envelopes = sent->submits_count;
	frame.body_case = DIENSTWEG__FRAME__BODY_SUBMIT;
	frame.submit = &submit;
	peer_say(peer, &frame);
}

struct parcel *peer_submit(struct peer *peer, const struct fixture_load *load, uint64_t number)
{
	struct parcel *parcel = journal_fixture_submit(&peer->house->fixture, load);
	peer_submit_again(peer, parcel, number, false);
	return parcel;
}
