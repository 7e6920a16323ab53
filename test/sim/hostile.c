/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A peer with a valid key that does not keep to the protocol. Its client is the SDK's, so that it gets as far as any
 * adapter; what it says in its session is its own: it submits although told to wait, sends the same again and again,
 * gives back or ignores what it gets, acknowledges what it never had, asks for everything, spoils frames on their way
 * out. What it is like each life has drawn. When all is to come to rest it takes what is left like everybody else,
 * because messages for it have senders who want to know.
 */
#include "proto/identity/uuid.h"
#include "test/kit/check.h"
#include "test/kit/party.h"
#include "test/sim/net.h"
#include "test/sim/town.h"

enum {
	ARENA_BYTES = 4 << 20,
	WAIT_MS_MAX = 400,
	BATCH = 8,
	ACTS = 16,
	COPIES_MAX = 40,
	BODY_BYTES = 40000,
	REMEMBERED_MAX = 200, /* deliveries it remembers */
	DIAL_RARITY = 50,
};

struct hostile {
	struct agency *agency;
	struct party party;
	struct arena *arena;
	uint32_t weights[ACTS];
	uint32_t total;
	int pace_ms;
	uint32_t heavy;           /* one of so many submissions is large */
	bool behaves;             /* from here on */
	uint8_t used[16];         /* an id that it has used before */
	struct packet *submitted; /* a Submit of before, to be sent again; of another session by now */
};

static uint32_t below(uint32_t limit)
{
	return chance_below(&machine_now()->chance, limit);
}

static ProtobufCBinaryData text(const char *string)
{
	return (ProtobufCBinaryData){.len = strlen(string), .data = (uint8_t *)(uintptr_t)string};
}

static ProtobufCBinaryData junk(struct hostile *hostile, size_t len)
{
	uint8_t *bytes = arena_zalloc(hostile->arena, len + 1);
	CHECK(bytes);
	random_fill(bytes, len);
	return (ProtobufCBinaryData){.len = len, .data = bytes};
}

/* Numbers that mean something to the broker more often than chance alone would hit one. */
static uint64_t number(const struct hostile *hostile)
{
	uint64_t entries = hostile->agency->town->ledger.count;
	switch (below(4)) {
	case 0:
		return machine_between(0, UINT64_MAX - 1);
	case 1:
		return UINT64_MAX - below(3);
	default:
		return machine_between(0, entries + 2);
	}
}

static struct link *link_of(const struct hostile *hostile)
{
	return net_link(&hostile->agency->process);
}

/* A frame in its session, if that takes one. */
static bool say(struct hostile *hostile, Dienstweg__Frame *frame)
{
	return client_send(hostile->party.client, frame) == 0;
}

/* ---- frames that are none ---- */

/* Bytes in a frame of their own, past the client. */
static void push(struct hostile *hostile, struct bytes bytes)
{
	struct link *link = link_of(hostile);
	if (!link->up || link->in.count >= PIPE_FRAMES_MAX)
		return;
	struct packet *packet = packet_new(bytes.len);
	if (bytes.len > 0)
		memcpy(packet->data, bytes.data, bytes.len);
	pipe_push(link, &link->in, packet);
}

static struct packet *newest(const struct hostile *hostile)
{
	struct packet *packet = link_of(hostile)->in.head;
	while (packet && packet->next)
		packet = packet->next;
	return packet;
}

static void act_garbage(struct hostile *hostile)
{
	size_t len = machine_chance(8) ? below(100000) : below(600);
	ProtobufCBinaryData bytes = junk(hostile, len);
	push(hostile, BYTES_PB(bytes));
}

/* What it said last, with some bits the other way round or its end cut off. */
static void act_spoil(struct hostile *hostile)
{
	struct packet *packet = newest(hostile);
	if (!packet || packet->len == 0)
		return;
	if (machine_chance(4))
		packet->len = below((uint32_t)packet->len);
	else
		for (uint32_t n = 1 + below(4); n > 0; n--)
			packet->data[below((uint32_t)packet->len)] ^= (uint8_t)(1u << below(8));
}

static void act_repeat(struct hostile *hostile)
{
	const struct packet *packet = newest(hostile);
	if (machine_chance(2) || !packet)
		packet = hostile->submitted;
	for (uint32_t n = below(COPIES_MAX); packet && n > 0; n--)
		push(hostile, BYTES(packet->data, packet->len));
}

/* ---- messages ---- */

static void twist_bus(Dienstweg__Header *header)
{
	header->bus = text("prod.demo");
}

static void twist_sender(Dienstweg__Header *header)
{
	header->sender = text("city");
}

static void twist_service(Dienstweg__Header *header)
{
	header->service = text("figures");
}

static void twist_length(Dienstweg__Header *header)
{
	header->content_length++;
}

static void twist_late(Dienstweg__Header *header)
{
	header->expires_ms = 1;
}

static void twist_ahead(Dienstweg__Header *header)
{
	header->message_id.data[0] ^= 0x40;
}

static void twist_soon(Dienstweg__Header *header)
{
	header->expires_ms = header->created_ms + 2000;
	header->priority = 0;
}

static void draft(struct hostile *hostile, struct party_draft *ret)
{
	static void (*const twists[])(Dienstweg__Header *) = {twist_bus, twist_sender,
		twist_service, twist_length, twist_late, twist_ahead, twist_soon, NULL};
	*ret = (struct party_draft){.service = "complaint", .recipient = "jobcenter"};
	if (machine_chance(3))
		ret->twist = twists[below(ARRAY_LEN(twists))];
	if (machine_chance(8))
		ret->recipient = machine_chance(2) ? "nobody" : "city";
	ret->clear = machine_chance(10);
	if (machine_chance(hostile->heavy)) {
		ProtobufCBinaryData body = junk(hostile, BODY_BYTES);
		ret->body = BYTES_PB(body);
	}
	if (machine_chance(10))
		ret->message_id = hostile->used;
}

/* Whatever it was told: new ones, or out of the blue the ones of before. */
static void act_submit(struct hostile *hostile)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Submit submit = DIENSTWEG__SUBMIT__INIT;
	struct party_draft what;
	draft(hostile, &what);
	submit.number = ++hostile->party.submit_number;
	submit.resume = machine_chance(2);
	submit.n_envelopes = 1 + below(BATCH);
	submit.envelopes = party_compose(
		&hostile->party, &what, what.message_id ? 1 : submit.n_envelopes, hostile->arena);
	if (what.message_id)
		submit.n_envelopes = 1;
	frame.body_case = DIENSTWEG__FRAME__BODY_SUBMIT;
	frame.submit = &submit;
	if (!say(hostile, &frame) || !machine_chance(4))
		return;
	const struct packet *packet = newest(hostile);
	if (!packet) /* it went nowhere */
		return;
	free(hostile->submitted);
	hostile->submitted = packet_new(packet->len);
	memcpy(hostile->submitted->data, packet->data, packet->len);
}

/* ---- what it got ---- */

/* One of those that it remembers, or NULL. */
static struct party_delivery *any_delivery(struct hostile *hostile)
{
	size_t count = hostile->party.deliveries_count;
	return count > 0 ? &hostile->party.deliveries[below((uint32_t)count)] : NULL;
}

/* Everything, or the same ones each time: then it is not the recipient but the message that is at fault. */
static void act_give_back(struct hostile *hostile)
{
	bool all = machine_chance(3);
	for (size_t i = 0; i < hostile->party.deliveries_count; i++) {
		uint64_t sequence = hostile->party.deliveries[i].sequence;
		if (all || sequence % 3 == 0)
			party_nak(&hostile->party, sequence, machine_chance(2) ? 0 : below(5000));
	}
}

static void accept_it(struct hostile *hostile, size_t at)
{
	struct ledger *ledger = &hostile->agency->town->ledger;
	const struct party_delivery *delivery = &hostile->party.deliveries[at];
	const char *code = machine_chance(3) ? "enough" : NULL;
	/* It has the message, whatever it does with it. */
	ledger_handed(ledger, ledger_party(ledger, BYTES_STR(hostile->agency->party)),
		delivery->sequence, delivery->h, ++hostile->agency->taken);
	party_acknowledge(&hostile->party, at, 1, code);
}

/* Some of them, perhaps again, perhaps the other way this time. */
static void act_acknowledge(struct hostile *hostile)
{
	for (size_t i = 0; i < hostile->party.deliveries_count; i++)
		if (hostile->party.deliveries[i].sequence % 3 != 0 && machine_chance(3))
			accept_it(hostile, i);
}

/* What it never had, or not under that name. */
static void act_acknowledge_falsely(struct hostile *hostile)
{
	struct party_delivery *delivery = any_delivery(hostile);
	if (!delivery)
		return;
	struct party_delivery was = *delivery;
	if (machine_chance(2))
		delivery->sequence = number(hostile);
	if (delivery->sequence == was.sequence)
		delivery->h[below(HASH_SIZE)] ^= 1;
	party_acknowledge(&hostile->party, (size_t)(delivery - hostile->party.deliveries), 1, NULL);
	*delivery = was;
}

static void confirm(struct hostile *hostile, const char *party, uint64_t sequence)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Confirm body = DIENSTWEG__CONFIRM__INIT;
	body.party = text(party);
	body.sequence = sequence;
	frame.body_case = DIENSTWEG__FRAME__BODY_CONFIRM;
	frame.confirm = &body;
	say(hostile, &frame);
}

static void act_confirm(struct hostile *hostile)
{
	confirm(hostile, machine_chance(4) ? "city" : hostile->agency->party, number(hostile));
}

/* ---- questions ---- */

static void act_credit(struct hostile *hostile)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Credit credit = DIENSTWEG__CREDIT__INIT;
	credit.messages = number(hostile);
	credit.bytes = number(hostile);
	frame.body_case = DIENSTWEG__FRAME__BODY_CREDIT;
	frame.credit = &credit;
	say(hostile, &frame);
}

static void act_ask(struct hostile *hostile)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__GetRegistry registry = DIENSTWEG__GET_REGISTRY__INIT;
	Dienstweg__GetProof proof = DIENSTWEG__GET_PROOF__INIT;
	Dienstweg__GetCheckpoint checkpoint = DIENSTWEG__GET_CHECKPOINT__INIT;
	switch (below(3)) {
	case 0:
		registry.version = number(hostile);
		frame.body_case = DIENSTWEG__FRAME__BODY_GET_REGISTRY;
		frame.get_registry = &registry;
		break;
	case 1:
		proof.old_size = number(hostile);
		proof.new_size = number(hostile);
		frame.body_case = DIENSTWEG__FRAME__BODY_GET_PROOF;
		frame.get_proof = &proof;
		break;
	default:
		checkpoint.cosigned = machine_chance(2);
		frame.body_case = DIENSTWEG__FRAME__BODY_GET_CHECKPOINT;
		frame.get_checkpoint = &checkpoint;
	}
	say(hostile, &frame);
}

static void act_replay(struct hostile *hostile)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Replay replay = DIENSTWEG__REPLAY__INIT;
	replay.party = text(machine_chance(4) ? "city" : hostile->agency->party);
	replay.from = number(hostile);
	frame.body_case = DIENSTWEG__FRAME__BODY_REPLAY;
	frame.replay = &replay;
	say(hostile, &frame);
}

static void act_access(struct hostile *hostile)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__GetAccess access = DIENSTWEG__GET_ACCESS__INIT;
	const struct party_delivery *delivery = any_delivery(hostile);
	access.party = text(hostile->agency->party);
	access.case_id = junk(hostile, 16);
	if (delivery) /* a number like any other, to the broker */
		memcpy(access.case_id.data, delivery->message_id, 16);
	access.from_message = number(hostile);
	frame.body_case = DIENSTWEG__FRAME__BODY_GET_ACCESS;
	frame.get_access = &access;
	say(hostile, &frame);
}

static void act_blob(struct hostile *hostile)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__PutBlob put = DIENSTWEG__PUT_BLOB__INIT;
	Dienstweg__GetBlob get = DIENSTWEG__GET_BLOB__INIT;
	if (machine_chance(2)) {
		put.party = text(hostile->agency->party);
		put.digest = junk(hostile, HASH_SIZE);
		put.size = machine_chance(2) ? below(100000) : number(hostile);
		put.offset = machine_chance(2) ? 0 : number(hostile);
		put.data = junk(hostile, below(3000));
		frame.body_case = DIENSTWEG__FRAME__BODY_PUT_BLOB;
		frame.put_blob = &put;
	} else {
		get.party = text(hostile->agency->party);
		get.sequence = number(hostile);
		get.index = below(3);
		get.offset = number(hostile);
		frame.body_case = DIENSTWEG__FRAME__BODY_GET_BLOB;
		frame.get_blob = &get;
	}
	say(hostile, &frame);
}

static void act_cosign(struct hostile *hostile)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Cosign cosign = DIENSTWEG__COSIGN__INIT;
	cosign.note = junk(hostile, below(4200));
	frame.body_case = DIENSTWEG__FRAME__BODY_COSIGN;
	frame.cosign = &cosign;
	say(hostile, &frame);
}

/* For somebody else, for nobody, or once more for itself: under a session of its own invention. */
static void act_hello(struct hostile *hostile)
{
	static const char *const names[] = {"city", "village", "nobody"};
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Hello hello = DIENSTWEG__HELLO__INIT;
	ProtobufCBinaryData parties[2];
	uint32_t version = below(3) / 2;
	hello.versions = &version;
	hello.n_versions = 1;
	hello.n_parties = 1 + below(ARRAY_LEN(parties));
	for (size_t i = 0; i < hello.n_parties; i++)
		parties[i] = text(machine_chance(8) ? hostile->agency->party
						    : names[below(ARRAY_LEN(names))]);
	hello.parties = parties;
	hello.newest_size = machine_chance(2) ? 0 : number(hostile);
	hello.newest_root = junk(hostile, hello.newest_size ? HASH_SIZE : 0);
	hello.visiting = machine_chance(3);
	frame.session = junk(hostile, 16);
	frame.body_case = DIENSTWEG__FRAME__BODY_HELLO;
	frame.hello = &hello;
	size_t size = dienstweg__frame__get_packed_size(&frame);
	uint8_t *packed = arena_alloc(hostile->arena, size);
	CHECK(packed);
	dienstweg__frame__pack(&frame, packed);
	push(hostile, BYTES(packed, size));
}

static void act_bye(struct hostile *hostile)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Bye bye = DIENSTWEG__BYE__INIT;
	frame.body_case = DIENSTWEG__FRAME__BODY_BYE;
	frame.bye = &bye;
	if (machine_chance(4))
		say(hostile, &frame);
}

/* ---- its life ---- */

static void (*const acts[ACTS])(struct hostile *hostile) = {act_garbage, act_spoil, act_repeat,
	act_submit, act_submit, act_give_back, act_acknowledge, act_acknowledge_falsely,
	act_confirm, act_credit, act_ask, act_replay, act_access, act_blob, act_cosign, act_hello};

static void act(struct hostile *hostile)
{
	uint32_t draw = below(hostile->total), kind = 0;
	while (draw >= hostile->weights[kind])
		draw -= hostile->weights[kind++];
	acts[kind](hostile);
	act_bye(hostile);
}

/* As everybody does: takes what is left, and what became of its own. In a session without a past. */
static void behave(struct hostile *hostile)
{
	struct party *party = &hostile->party;
	if (!hostile->behaves)
		client_reset(party->client, "behaves");
	hostile->behaves = true;
	for (size_t i = 0; i < party->deliveries_count; i++)
		accept_it(hostile, i);
	if (party->outcomes_count > 0)
		confirm(hostile, hostile->agency->party,
			party->outcomes[party->outcomes_count - 1].entry);
	party->deliveries_count = 0;
}

static void forget(struct hostile *hostile)
{
	struct party *party = &hostile->party;
	for (size_t i = 0; i < party->deliveries_count; i++) {
		free(party->deliveries[i].body);
		party->deliveries[i].body = NULL;
	}
	if (party->deliveries_count > REMEMBERED_MAX)
		party->deliveries_count = 0;
	party->answers_count = party->outcomes_count = 0;
}

static void connect_again(struct hostile *hostile)
{
	const struct client *client = hostile->party.client;
	if (client && client_state(client) != CLIENT_REPLACED &&
		(!client_refused(client) || !machine_chance(DIAL_RARITY)))
		return; /* who was shut out tries anew, for not even it is shut out for ever */
	party_disconnect(&hostile->party);
	party_dial(&hostile->party, NULL);
	link_of(hostile)->anybody = true;
}

/* At least until others had their turn. */
static void wait(struct hostile *hostile)
{
	struct pollfd fd = {.fd = client_fd(hostile->party.client), .events = POLLIN};
	int due_ms = client_timeout_ms(hostile->party.client);
	poll(&fd, 1, due_ms >= 0 && due_ms < hostile->pace_ms ? due_ms : hostile->pace_ms);
}

static void hostile_init(struct hostile *hostile, struct agency *agency)
{
	*hostile = (struct hostile){.agency = agency, .arena = arena_new(ARENA_BYTES)};
	CHECK(hostile->arena);
	party_init(&hostile->party, &agency->town->bus, agency->party);
	hostile->party.manual = true;
	hostile->pace_ms = 1 + (int)below(machine_chance(3) ? 20 : WAIT_MS_MAX);
	hostile->heavy = 1 + below(30);
	uuid_next(hostile->party.uuids, clock_wall_ms(clock_system()), hostile->used);
	while (hostile->total == 0)
		for (size_t i = 0; i < ACTS; i++) {
			hostile->weights[i] = machine_chance(4) ? below(10) : 0;
			hostile->total += hostile->weights[i];
		}
}

void hostile_main(struct proc *process)
{
	struct agency *agency = process->context;
	struct hostile hostile;
	hostile_init(&hostile, agency);
	agency->leaves = false;
	while (!agency->leaves) {
		connect_again(&hostile);
		wait(&hostile);
		party_step(&hostile.party, 0);
		arena_reset(hostile.arena);
		if (client_state(hostile.party.client) == CLIENT_READY) {
			if (agency->town->writing)
				act(&hostile);
			else
				behave(&hostile);
		}
		forget(&hostile);
	}
	free(hostile.submitted);
	arena_free(hostile.arena);
	party_deinit(&hostile.party);
}
