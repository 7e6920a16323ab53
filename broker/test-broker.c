/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The conversation of docs/protocol.md, sentence by sentence, with the real broker over the loopback.
 */
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "broker/field.h"
#include "broker/test-house.h"
#include "proto/base/file.h"
#include "proto/receipt/receipt.h"
#include "test/kit/check.h"

enum { PLENTY = 1 << 30 };

/* ---- receipts ---- */

static struct checkpoint open_checkpoint(struct house *house, struct bytes note)
{
	struct checkpoint checkpoint;
	struct note_key keys[4];
	size_t count = registry_log_keys(
		house->fixture.registry, "test.demo/0", keys, ARRAY_LEN(keys));
	CHECK_INT(checkpoint_open(note, keys, count, "test.demo/0", &checkpoint), 0);
	return checkpoint;
}

static const struct parcel_submit *sent_of(const struct parcel *sent, struct bytes h)
{
	for (size_t i = 0; i < sent->submits_count; i++) {
		if (bytes_equal(h, BYTES(sent->submits[i].facts.h, HASH_SIZE)))
			return &sent->submits[i];
	}
	CHECK_FAIL("a receipt for something else");
}

static size_t check_receipts(
	struct house *house, const Dienstweg__Answer *answer, const struct parcel *sent)
{
	_cleanup_(receipt_checker_free) struct receipt_checker *checker = NULL;
	if (answer->n_receipts == 0)
		return 0;
	struct checkpoint checkpoint = open_checkpoint(house, BYTES_PB(answer->checkpoint));
	CHECK_INT(receipt_checker_new(&checker), 0);
	CHECK_INT(receipt_checker_start(checker, &checkpoint, BYTES_PB(answer->nodes)), 0);
	for (size_t i = 0; i < answer->n_receipts; i++) {
		const Dienstweg__Receipt *receipt = answer->receipts[i];
		uint8_t core[SIGNATURE_CORE_MAX];
		const struct parcel_submit *submit = sent_of(sent, BYTES_PB(receipt->h));
		size_t len = signature_core(submit->envelope->signature, core);
		CHECK_INT(receipt_check_message(checker, receipt, submit->facts.h, BYTES(core, len)),
			0);
	}
	return answer->n_receipts;
}

static void hear_receipts(struct peer *peer, const struct parcel *sent)
{
	size_t count = 0;
	while (count < sent->submits_count)
		count += check_receipts(peer->house,
			peer_hear_kind(peer, DIENSTWEG__FRAME__BODY_ANSWER)->answer, sent);
	CHECK_INT(count, sent->submits_count);
}

/* ---- sessions ---- */

static void hello_is_welcomed(void)
{
	struct house house;
	struct peer city;
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Ping ping = DIENSTWEG__PING__INIT;
	house_init(&house, "hello", "");
	peer_init(&city, &house, "city");
	const Dienstweg__Welcome *welcome = peer_open(&city, "city");
	CHECK_INT(welcome->version, 0);
	CHECK_INT(welcome->registry_version, 1);
	CHECK_INT(welcome->limits->frame_bytes, 1000000);
	CHECK_INT(welcome->limits->batch, 1024);
	CHECK(open_checkpoint(&house, BYTES_PB(welcome->checkpoint)).size >= 1);
	ping.number = 77;
	frame.body_case = DIENSTWEG__FRAME__BODY_PING;
	frame.ping = &ping;
	peer_say(&city, &frame);
	CHECK_INT(peer_hear_kind(&city, DIENSTWEG__FRAME__BODY_PONG)->pong->number, 77);
	peer_deinit(&city);
	house_deinit(&house);
}

static void welcome_proves_consistency(void)
{
	struct house house;
	struct peer city;
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__GetProof get = DIENSTWEG__GET_PROOF__INIT;
	house_init(&house, "proof", "");
	peer_init(&city, &house, "city");
	const Dienstweg__Welcome *welcome = peer_open(&city, "city");
	struct checkpoint before = open_checkpoint(&house, BYTES_PB(welcome->checkpoint));
	struct parcel *sent = peer_submit(&city, &(struct fixture_load){.count = 9}, 1);
	hear_receipts(&city, sent);
	get.old_size = before.size;
	frame.body_case = DIENSTWEG__FRAME__BODY_GET_PROOF;
	frame.get_proof = &get;
	peer_say(&city, &frame);
	const Dienstweg__CheckpointFrame
		*proof = peer_hear_kind(&city, DIENSTWEG__FRAME__BODY_CHECKPOINT)->checkpoint;
	struct checkpoint now = open_checkpoint(&house, BYTES_PB(proof->checkpoint));
	CHECK(now.size >= before.size + 9);
	CHECK_INT(merkle_consistency_check(before.size, &before.root, now.size, &now.root,
			  (const struct merkle_hash *)(const void *)proof->consistency.data,
			  proof->consistency.len / HASH_SIZE),
		0);
	get.old_size = now.size + 1;
	peer_say(&city, &frame);
	peer_hear_error(&city, "unknown-size");
	parcel_free(sent);
	peer_deinit(&city);
	house_deinit(&house);
}

static void without_a_session_hello_is_required(void)
{
	struct house house;
	struct peer city;
	house_init(&house, "required", "");
	peer_init(&city, &house, "city");
	random_fill(city.nonce, NONCE_SIZE);
	peer_credit(&city, 1, 1);
	const Dienstweg__Frame *frame = peer_hear(&city);
	CHECK_INT(frame->body_case, DIENSTWEG__FRAME__BODY_ERROR);
	CHECK(bytes_equal(BYTES_PB(frame->error->code), BYTES_STR("hello-required")));
	CHECK(bytes_equal(BYTES_PB(frame->session), BYTES(city.nonce, NONCE_SIZE)));
	/* Another nonce than the session's is no session either. */
	peer_open(&city, "city");
	city.nonce[0] ^= 1;
	peer_credit(&city, 1, 1);
	peer_hear_error(&city, "hello-required");
	peer_deinit(&city);
	house_deinit(&house);
}

static void hello_for_others_is_refused(void)
{
	static const char *const others[] = {"city", "town"}, *const twice[] = {"city", "city"};
	struct house house;
	struct peer city;
	house_init(&house, "others", "");
	peer_init(&city, &house, "city");
	peer_hello(&city, others, 2);
	peer_hear_error(&city, "not-operated");
	peer_hello(&city, twice, 2);
	peer_hear_error(&city, "not-operated");
	peer_hello(&city, others, 0);
	peer_hear_error(&city, "not-operated");
	/* And nothing has changed. */
	peer_open(&city, "city");
	peer_deinit(&city);
	house_deinit(&house);
}

static void a_newer_hello_replaces(void)
{
	struct house house;
	struct peer first, second;
	house_init(&house, "replaced", "");
	peer_init(&first, &house, "city");
	peer_init(&second, &house, "city");
	peer_open(&first, "city");
	peer_open(&second, "city");
	const Dienstweg__Frame *frame = peer_hear(&first);
	CHECK_INT(frame->body_case, DIENSTWEG__FRAME__BODY_REPLACED);
	CHECK(bytes_equal(BYTES_PB(frame->session), BYTES(first.nonce, NONCE_SIZE)));
	peer_credit(&first, 1, 1);
	peer_hear_error(&first, "hello-required");
	/* Hello anew on the same connection is no replacement by somebody else. */
	peer_hello(&second, (const char *const[]){"city"}, 1);
	CHECK_INT(peer_hear(&second)->body_case, DIENSTWEG__FRAME__BODY_WELCOME);
	peer_deinit(&first);
	peer_deinit(&second);
	house_deinit(&house);
}

/* ---- frames that are none ---- */

static void malformed_frames_are_answered(void)
{
	struct house house;
	struct peer city;
	uint8_t junk[3000];
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Submit submit = DIENSTWEG__SUBMIT__INIT;
	house_init(&house, "malformed", "");
	peer_init(&city, &house, "city");
	peer_open(&city, "city");
	memset(junk, 0xff, sizeof(junk));
	peer_say_raw(&city, BYTES(junk, sizeof(junk)));
	peer_hear_error(&city, "malformed");
	frame.body_case = DIENSTWEG__FRAME__BODY_SUBMIT;
	frame.submit = &submit;
	peer_say(&city, &frame); /* no envelope */
	peer_hear_error(&city, "malformed");
	/* session, then body 99 with one byte */
	uint8_t unknown[2 + NONCE_SIZE + 4] = {0x0a, NONCE_SIZE};
	memcpy(unknown + 2, city.nonce, NONCE_SIZE);
	memcpy(unknown + 2 + NONCE_SIZE, (uint8_t[]){0x9a, 0x06, 0x01, 0x00}, 4);
	peer_say_raw(&city, BYTES(unknown, sizeof(unknown)));
	peer_hear_error(&city, "unknown-frame");
	/* session, then Ping twice */
	uint8_t twice[2 + NONCE_SIZE + 6] = {0x0a, NONCE_SIZE};
	memcpy(twice + 2, city.nonce, NONCE_SIZE);
	memcpy(twice + 2 + NONCE_SIZE, (uint8_t[]){0x9a, 0x01, 0x00, 0x9a, 0x01, 0x00}, 6);
	peer_say_raw(&city, BYTES(twice, sizeof(twice)));
	peer_hear_error(&city, "malformed");
	peer_credit(&city, 1, 1); /* the session goes on */
	struct parcel *sent = peer_submit(&city, &(struct fixture_load){.count = 1}, 1);
	hear_receipts(&city, sent);
	parcel_free(sent);
	peer_deinit(&city);
	house_deinit(&house);
}

/* A Submit of very many empty envelopes: small on the wire, large in memory. */
static void inflating_frames_are_stopped(void)
{
	enum { EMPTY = 400000 };
	struct house house;
	struct peer city;
	house_init(&house, "inflate", "");
	peer_init(&city, &house, "city");
	peer_open(&city, "city");
	size_t head = 2 + NONCE_SIZE, size = head + 4 + 2 * EMPTY;
	_cleanup_(heap_free) uint8_t *raw = calloc(size, 1);
	CHECK(raw);
	raw[0] = 0x0a;
	raw[1] = NONCE_SIZE;
	memcpy(raw + 2, city.nonce, NONCE_SIZE);
	raw[head] = 0x5a; /* body 11, length 800000 */
	memcpy(raw + head + 1, (uint8_t[]){0x80, 0xea, 0x30}, 3);
	for (size_t i = 0; i < EMPTY; i++)
		raw[head + 4 + 2 * i] = 0x1a; /* field 3, length 0 */
	peer_say_raw(&city, BYTES(raw, size));
	peer_hear_error(&city, "malformed");
	peer_deinit(&city);
	house_deinit(&house);
}

/* ---- the way of a message ---- */

static void acknowledge(struct peer *peer, const char *party, const struct parcel *sent)
{
	struct parcel *acks = journal_fixture_acks(&peer->house->fixture, party, sent);
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Acknowledge body = DIENSTWEG__ACKNOWLEDGE__INIT;
	Dienstweg__AckBatch *batches[64];
	CHECK(acks->acks_count <= ARRAY_LEN(batches));
	for (size_t i = 0; i < acks->acks_count; i++)
		batches[i] = acks->acks[i].batch;
	body.batches = batches;
	body.n_batches = acks->acks_count;
	frame.body_case = DIENSTWEG__FRAME__BODY_ACKNOWLEDGE;
	frame.acknowledge = &body;
	peer_say(peer, &frame);
	parcel_free(acks);
}

/* What the fixture's acknowledgements need: sequences as delivered. */
static void take_deliveries(struct peer *peer, struct parcel *sent)
{
	size_t count = 0;
	while (count < sent->submits_count) {
		const Dienstweg__Deliver
			*deliver = peer_hear_kind(peer, DIENSTWEG__FRAME__BODY_DELIVER)->deliver;
		for (size_t i = 0; i < deliver->n_items; i++, count++) {
			uint8_t h[HASH_SIZE];
			envelope_header_hash(BYTES_PB(deliver->items[i]->envelope->header), h);
			struct parcel_submit *submit = (struct parcel_submit *)(uintptr_t)sent_of(
				sent, BYTES(h, HASH_SIZE));
			submit->proof.sequence = deliver->items[i]->sequence;
			CHECK_INT(deliver->items[i]->attempt, 1);
		}
	}
}

static void check_acknowledged(
	struct house *house, const Dienstweg__Acknowledged *acknowledged, size_t count)
{
	CHECK_INT(acknowledged->n_states, count);
	CHECK_INT(acknowledged->n_refusals, 0);
	for (size_t i = 0; i < count; i++)
		CHECK(bytes_equal(BYTES_PB(acknowledged->states[i]->state), BYTES_STR("recorded")));
	CHECK_INT(acknowledged->n_receipts, (count + 31) / 32);
	open_checkpoint(house, BYTES_PB(acknowledged->checkpoint));
}

static void a_message_goes_there_and_its_outcome_back(void)
{
	enum { COUNT = 40 };
	struct house house;
	struct peer city, ministry;
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Confirm confirm = DIENSTWEG__CONFIRM__INIT;
	house_init(&house, "way", "");
	peer_init(&city, &house, "city");
	peer_init(&ministry, &house, "ministry");
	peer_open(&city, "city");
	peer_open(&ministry, "ministry");
	peer_credit(&ministry, 1000, PLENTY);
	struct parcel *sent = peer_submit(
		&city, &(struct fixture_load){.count = COUNT, .content_bytes = 1000}, 1);
	hear_receipts(&city, sent);
	take_deliveries(&ministry, sent);
	acknowledge(&ministry, "ministry", sent);
	check_acknowledged(&house,
		peer_hear_kind(&ministry, DIENSTWEG__FRAME__BODY_ACKNOWLEDGED)->acknowledged, COUNT);
	for (size_t told = 0; told < COUNT;) {
		const Dienstweg__Deliver
			*deliver = peer_hear_kind(&city, DIENSTWEG__FRAME__BODY_DELIVER)->deliver;
		for (size_t i = 0; i < deliver->n_items; i++, told++) {
			CHECK(deliver->items[i]->outcome);
			confirm.sequence = deliver->items[i]->sequence;
		}
	}
	/* The same again: the messages have ended. */
	acknowledge(&ministry, "ministry", sent);
	const Dienstweg__Acknowledged *again =
		peer_hear_kind(&ministry, DIENSTWEG__FRAME__BODY_ACKNOWLEDGED)->acknowledged;
	CHECK(bytes_equal(BYTES_PB(again->states[0]->state), BYTES_STR("already")));
	confirm.party = field_text("city");
	frame.body_case = DIENSTWEG__FRAME__BODY_CONFIRM;
	frame.confirm = &confirm;
	peer_say(&city, &frame);
	parcel_free(sent);
	peer_deinit(&city);
	peer_deinit(&ministry);
	house_deinit(&house);
}

static void frames_of_one_commit_are_answered_together(void)
{
	enum { FRAMES = 40 };
	struct house house;
	struct peer city;
	struct parcel *sent[FRAMES];
	size_t frames = 0, receipts = 0;
	house_init(&house, "together", "");
	peer_init(&city, &house, "city");
	peer_open(&city, "city");
	for (size_t i = 0; i < FRAMES; i++)
		sent[i] = peer_submit(&city, &(struct fixture_load){.count = 3}, i + 1);
	while (receipts < 3 * FRAMES) {
		const Dienstweg__Answer
			*answer = peer_hear_kind(&city, DIENSTWEG__FRAME__BODY_ANSWER)->answer;
		struct parcel all = {0};
		all.submits = calloc(3 * FRAMES, sizeof(*all.submits));
		for (size_t i = 0; i < FRAMES; i++)
			for (size_t j = 0; j < 3; j++)
				all.submits[all.submits_count++] = sent[i]->submits[j];
		receipts += check_receipts(&house, answer, &all);
		free(all.submits);
		frames++;
	}
	CHECK_INT(receipts, 3 * FRAMES);
	/* How many share a commit is the disk's affair; never more answers than frames. */
	CHECK(frames <= FRAMES);
	printf("# %zu answers to %d frames\n", frames, FRAMES);
	for (size_t i = 0; i < FRAMES; i++)
		parcel_free(sent[i]);
	peer_deinit(&city);
	house_deinit(&house);
}

static void refusals_and_resends(void)
{
	struct house house;
	struct peer city;
	house_init(&house, "refusals", "");
	peer_init(&city, &house, "city");
	peer_open(&city, "city");
	struct parcel *bad = peer_submit(
		&city, &(struct fixture_load){.count = 2, .bad_signature = true}, 1);
	const Dienstweg__Answer *answer = peer_hear_kind(&city, DIENSTWEG__FRAME__BODY_ANSWER)->answer;
	CHECK_INT(answer->n_refusals, 2);
	CHECK_INT(answer->n_receipts, 0);
	CHECK_INT(answer->checkpoint.len, 0);
	CHECK(bytes_equal(BYTES_PB(answer->refusals[0]->code), BYTES_STR("bad-signature")));
	CHECK(answer->refusals[0]->sequence > 0 && answer->refusals[0]->detail.len > 0);
	struct parcel *sent = peer_submit(&city, &(struct fixture_load){.count = 3}, 2);
	hear_receipts(&city, sent);
	peer_submit_again(&city, sent, 3, false);
	hear_receipts(&city, sent);
	/* Submitted for somebody else. */
	struct parcel *foreign = peer_submit(
		&city, &(struct fixture_load){.sender = "town", .count = 1}, 4);
	answer = peer_hear_kind(&city, DIENSTWEG__FRAME__BODY_ANSWER)->answer;
	CHECK(bytes_equal(BYTES_PB(answer->refusals[0]->code), BYTES_STR("not-operated")));
	parcel_free(bad);
	parcel_free(sent);
	parcel_free(foreign);
	peer_deinit(&city);
	house_deinit(&house);
}

/* ---- budget, drain ---- */

static const Dienstweg__FrameDeferral *hear_put_off(struct peer *peer, const char *reason)
{
	const Dienstweg__Answer *answer = peer_hear_kind(peer, DIENSTWEG__FRAME__BODY_ANSWER)->answer;
	CHECK(answer->frame);
	CHECK(bytes_equal(BYTES_PB(answer->frame->reason), BYTES_STR(reason)));
	CHECK(answer->frame->retry_ms > 0);
	return answer->frame;
}

enum { BURST = 6 };

/* Frames sent at once. How many are taken depends on how fast commits are, but what was put off is never
   followed by something that was not. Return: index of the first one put off, BURST for none. */
static size_t burst(struct peer *peer, struct parcel **sent, uint64_t first)
{
	size_t put_off = 0, receipts = 0, lowest = BURST;
	const struct fixture_load large = {.count = 3, .content_bytes = 200000};
	for (size_t i = 0; i < BURST; i++)
		sent[i] = peer_submit(peer, &large, first + i);
	while (put_off + receipts / large.count < BURST) {
		const Dienstweg__Answer *answer = peer_hear_kind(peer, DIENSTWEG__FRAME__BODY_ANSWER)
							  ->answer;
		receipts += answer->n_receipts;
		put_off += answer->frame != NULL;
		if (answer->frame && answer->frame->number - first < lowest)
			lowest = answer->frame->number - first;
	}
	CHECK_INT(put_off, BURST - lowest);
	return lowest;
}

static void over_budget_is_put_off_until_resumed(void)
{
	struct house house;
	struct peer city;
	struct parcel *sent[BURST];
	size_t put_off = BURST;
	uint64_t number = 1;
	house_init(&house, "budget", "limits: {party_bytes: 1 MiB}\n");
	peer_init(&city, &house, "city");
	peer_open(&city, "city");
	while (put_off == BURST) {
		CHECK(number < 100);
		put_off = burst(&city, sent, number);
		number += BURST;
		for (size_t i = 0; put_off == BURST && i < BURST; i++)
			parcel_free(sent[i]);
	}
	/* There is room now, but nothing may overtake what was put off. */
	struct parcel *small = peer_submit(&city, &(struct fixture_load){.count = 1}, number);
	CHECK_INT(hear_put_off(&city, "busy")->number, number);
	peer_submit_again(&city, sent[put_off], number + 1, true);
	hear_receipts(&city, sent[put_off]);
	peer_submit_again(&city, small, number + 2, false);
	hear_receipts(&city, small);
	for (size_t i = 0; i < BURST; i++)
		parcel_free(sent[i]);
	parcel_free(small);
	peer_deinit(&city);
	house_deinit(&house);
}

static void draining_finishes_what_is_inside(void)
{
	struct house house;
	struct peer city;
	house_init(&house, "drain", "");
	peer_init(&city, &house, "city");
	peer_open(&city, "city");
	struct reactor *reactor = broker_reactor(house.broker);
	struct parcel *sent = peer_submit(&city, &(struct fixture_load){.count = 30}, 1);
	hear_receipts(&city, sent);
	struct peer ministry;
	peer_init(&ministry, &house, "ministry");
	peer_open(&ministry, "ministry");
	peer_credit(&ministry, 1000, PLENTY);
	take_deliveries(&ministry, sent);
	reactor_drain(reactor);
	/* Deliveries are out: the broker waits for them, and puts off what is new. */
	struct parcel *late = peer_submit(&city, &(struct fixture_load){.count = 1}, 2);
	CHECK_INT(hear_put_off(&city, "draining")->number, 2);
	acknowledge(&ministry, "ministry", sent);
	int r = 0;
	while (r == 0)
		r = reactor_turn(reactor, 10);
	CHECK_INT(r, REACTOR_DONE);
	struct router_message message;
	struct bytes raw;
	int fds[CALLER_FDS];
	caller_fds(ministry.caller, fds);
	struct pollfd fd = {.fd = fds[0], .events = POLLIN};
	while (caller_receive(ministry.caller, &message, &raw) != 0)
		poll(&fd, 1, 100);
	struct frame_peek peek;
	CHECK_INT(frame_peek(raw, &peek), 0);
	CHECK_INT(peek.body, DIENSTWEG__FRAME__BODY_ACKNOWLEDGED);
	router_message_deinit(&message);
	parcel_free(sent);
	parcel_free(late);
	peer_deinit(&city);
	peer_deinit(&ministry);
	house_deinit(&house);
}

/* ---- operators ---- */

static json_t *ask(struct house *house, const char *line)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char text[65536];
	size_t len = 0;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", house->config->admin_socket);
	_cleanup_(fd_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK_INT(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	CHECK_INT(write(fd, line, strlen(line)), strlen(line));
	for (;;) {
		ssize_t n = read(fd, text + len, sizeof(text) - len);
		if (n == 0)
			break;
		if (n > 0)
			len += (size_t)n;
		else
			CHECK_INT(reactor_turn(broker_reactor(house->broker), 10), 0);
	}
	json_t *object = json_loadb(text, len, 0, NULL);
	CHECK(object);
	return object;
}

static void status_tells_how_it_is(void)
{
	struct house house;
	struct peer city;
	struct stat file;
	house_init(&house, "status", "");
	CHECK_INT(stat(house.config->admin_socket, &file), 0);
	CHECK_INT(file.st_mode & 0777, 0600);
	peer_init(&city, &house, "city");
	peer_open(&city, "city");
	struct parcel *sent = peer_submit(&city, &(struct fixture_load){.count = 5}, 1);
	hear_receipts(&city, sent);
	json_t *status = ask(&house, "status\n");
	CHECK_STR(json_string_value(json_object_get(status, "bus")), "test.demo");
	json_t *sessions = json_object_get(status, "sessions");
	CHECK_INT(json_array_size(sessions), 1);
	CHECK_STR(json_string_value(json_object_get(json_array_get(sessions, 0), "party")), "city");
	json_t *queues = json_object_get(status, "queues"), *queue = NULL;
	for (size_t i = 0; i < json_array_size(queues); i++) {
		json_t *one = json_array_get(queues, i);
		if (strcmp(json_string_value(json_object_get(one, "party")), "ministry") == 0)
			queue = one;
	}
	CHECK(queue);
	CHECK_INT(json_integer_value(json_object_get(queue, "messages")), 5);
	CHECK(json_object_get(queue, "oldest_s"));
	json_decref(status);
	json_t *wrong = ask(&house, "shutdown\n");
	CHECK(json_object_get(wrong, "error"));
	json_decref(wrong);
	parcel_free(sent);
	peer_deinit(&city);
	house_deinit(&house);
}

/* ---- registry ---- */

static void revoke_transport_key(struct house *house, const char *party)
{
	Dienstweg__RegistryContent *content = registry_fixture_content(house->fixture.parties);
	for (size_t i = 0; i < content->n_parties; i++) {
		const Dienstweg__Party *one = content->parties[i];
		for (size_t j = 0;
			bytes_equal(BYTES_PB(one->name), BYTES_STR(party)) && j < one->n_keys; j++) {
			if (one->keys[j]->use == DIENSTWEG__KEY_USE__KEY_USE_TRANSPORT)
				one->keys[j]->state = DIENSTWEG__KEY_STATE__KEY_STATE_REVOKED;
		}
	}
}

static uint64_t version_of(struct peer *peer)
{
	return peer_open(peer, "city")->registry_version;
}

static struct bytes get_registry(struct peer *peer, uint64_t version)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__GetRegistry get = DIENSTWEG__GET_REGISTRY__INIT;
	get.version = version;
	frame.body_case = DIENSTWEG__FRAME__BODY_GET_REGISTRY;
	frame.get_registry = &get;
	peer_say(peer, &frame);
	const Dienstweg__Frame *heard = peer_hear_kind(peer, DIENSTWEG__FRAME__BODY_REGISTRY);
	return BYTES_PB(heard->registry->signed_);
}

static void a_newer_registry_is_taken_over(void)
{
	struct house house;
	struct peer city, town, hospital;
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Ping ping = DIENSTWEG__PING__INIT;
	house_init(&house, "registry", "");
	peer_init(&city, &house, "city");
	peer_init(&town, &house, "town");
	peer_open(&town, "town");
	CHECK_INT(version_of(&city), 1);
	revoke_transport_key(&house, "town");
	registry_fixture_party(house.fixture.parties, "hospital", NULL);
	struct registry *next = registry_fixture_load(
		house.fixture.parties, 2, house.fixture.registry);
	CHECK_INT(file_replace(house.config->registry, registry_signed_bytes(next), 0644), 0);
	CHECK_INT(raise(SIGHUP), 0);
	while (version_of(&city) != 2)
		continue;
	/* Who was added gets in; who was revoked is no longer heard, connected or not. */
	peer_init(&hospital, &house, "hospital");
	peer_open(&hospital, "hospital");
	frame.body_case = DIENSTWEG__FRAME__BODY_PING;
	frame.ping = &ping;
	peer_say(&town, &frame);
	json_t *strangers = NULL, *status = NULL;
	do {
		json_decref(status);
		status = ask(&house, "status\n");
		strangers = json_object_get(json_object_get(status, "traffic"), "strangers");
	} while (json_integer_value(strangers) == 0);
	CHECK_INT(json_array_size(json_object_get(status, "sessions")), 2);
	json_decref(status);
	CHECK(bytes_equal(get_registry(&city, 0), registry_signed_bytes(next)));
	CHECK(bytes_equal(get_registry(&city, 2), registry_signed_bytes(next)));
	CHECK(bytes_equal(get_registry(&city, 1), registry_signed_bytes(house.fixture.registry)));
	Dienstweg__GetRegistry get = DIENSTWEG__GET_REGISTRY__INIT;
	get.version = 3;
	frame.body_case = DIENSTWEG__FRAME__BODY_GET_REGISTRY;
	frame.get_registry = &get;
	peer_say(&city, &frame);
	peer_hear_error(&city, "unknown-version");
	registry_unref(next);
	peer_deinit(&city);
	peer_deinit(&town);
	peer_deinit(&hospital);
	house_deinit(&house);
}

static void a_second_broker_is_refused(void)
{
	struct house house;
	struct broker *second = NULL;
	char why[BROKER_ERROR_SIZE] = "";
	house_init(&house, "second", "");
	CHECK_INT(broker_new(house.config, &house.clock, NULL, &second, why, sizeof(why)),
		BROKER_REFUSED);
	CHECK(strstr(why, "another broker"));
	house_deinit(&house);
}

CHECK_MAIN(CHECK_CASE(hello_is_welcomed), CHECK_CASE(welcome_proves_consistency),
	CHECK_CASE(without_a_session_hello_is_required), CHECK_CASE(hello_for_others_is_refused),
	CHECK_CASE(a_newer_hello_replaces), CHECK_CASE(malformed_frames_are_answered),
	CHECK_CASE(inflating_frames_are_stopped),
	CHECK_CASE(a_message_goes_there_and_its_outcome_back),
	CHECK_CASE(frames_of_one_commit_are_answered_together), CHECK_CASE(refusals_and_resends),
	CHECK_CASE(over_budget_is_put_off_until_resumed),
	CHECK_CASE(draining_finishes_what_is_inside), CHECK_CASE(status_tells_how_it_is),
	CHECK_CASE(a_newer_registry_is_taken_over), CHECK_CASE(a_second_broker_is_refused))
