/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The broker makes reports when it has nothing else to do, and few for each party: so being put off is part of an
 * answer, and is waited for here. Pieces come in their order; whatever is not the piece that is waited for ends the
 * answer, and it is asked for again.
 */
#include "adapters/cli/visit.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/sdk/client.h"
#include "proto/base/text.h"

enum {
	PIECES_MAX = 64,
	REPORT_BYTES_MAX = 16 << 20,
	AGAIN_MS = 5000,   /* after "busy" */
	ANSWER_MS = 60000, /* without a piece: asked again */
	WHY_SIZE = 320,
	BUS_KEYS = 16,
	DIAL_MS = 3000, /* with one pair of transport keys, ours and the broker's, before the next is tried */
};

struct visit {
	struct visit_options options;
	struct client *client;
	uint8_t keys[BUS_KEYS][BOX_KEY_SIZE]; /* of the broker, newest first */
	size_t keys_count, dial;
	uint64_t dialled_ns;

	const struct visit_question *question; /* one of these three is asked for, or nothing */
	uint64_t old_size, new_size;           /* 0: no proof */
	struct merkle_hash proof[VISIT_PROOF_MAX];
	size_t proof_count;
	const Dienstweg__CancelBatch *batch;
	bool asked, done, denied;
	uint64_t ask_ns; /* not before */
	uint8_t *data;
	size_t len;
	uint32_t pieces, next;
	uint64_t inspected;
	char why[WHY_SIZE];
};

static uint64_t now_ns(void)
{
	return clock_mono_ns(clock_system());
}

static uint64_t in_ms(uint64_t ms)
{
	return now_ns() + ms * 1000000u;
}

static void say(struct visit *visit, struct bytes code, struct bytes detail)
{
	snprintf(visit->why, sizeof(visit->why), "%.*s: %.*s", code.len > 63 ? 63 : (int)code.len,
		(const char *)code.data, detail.len > 220 ? 220 : (int)detail.len,
		(const char *)detail.data);
	for (char *at = visit->why; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
}

static void ask_later(struct visit *visit, uint64_t ms)
{
	visit->asked = false;
	visit->len = visit->next = visit->pieces = 0;
	visit->ask_ns = in_ms(ms);
}

/* ---- frames ---- */

static void on_ready(void *context, const Dienstweg__Welcome *welcome)
{
	struct visit *visit = context;
	(void)welcome;
	ask_later(visit, 0);
}

static void on_lost(void *context, const char *why)
{
	(void)context, (void)why; /* on_ready() asks again */
}

static void on_hello(void *context, Dienstweg__Hello *hello)
{
	struct visit *visit = context;
	hello->visiting = true;
	hello->registry_version = registry_version(visit->options.registry);
}

/* Is it about what was asked? */
static bool is_answer(const struct visit *visit, struct bytes field)
{
	if (visit->question)
		return bytes_equal(field, BYTES_STR("get_access"));
	if (visit->batch)
		return bytes_equal(field, BYTES_STR("cancel"));
	return visit->new_size > 0 && (bytes_equal(field, BYTES_STR("get_proof")) ||
					      bytes_equal(field, BYTES_STR("old_size")));
}

static void take_error(struct visit *visit, const Dienstweg__Error *error)
{
	struct bytes code = BYTES_PB(error->code);
	if (!is_answer(visit, BYTES_PB(error->field)))
		return;
	say(visit, code, BYTES_PB(error->detail));
	if (bytes_equal(code, BYTES_STR("busy")))
		ask_later(visit, AGAIN_MS);
	else
		visit->denied = true;
}

static bool is_the_next(const struct visit *visit, const Dienstweg__Access *piece)
{
	const struct visit_question *question = visit->question;
	return question && visit->asked && bytes_equal(BYTES_PB(piece->party), question->party) &&
	       bytes_equal(BYTES_PB(piece->case_id),
		       BYTES(question->case_id, sizeof(question->case_id))) &&
	       piece->from_message == question->from_message &&
	       piece->from_entry == question->from_entry && piece->piece == visit->next &&
	       piece->pieces > piece->piece && piece->pieces <= PIECES_MAX &&
	       (visit->next == 0 || piece->pieces == visit->pieces) &&
	       piece->data.len <= REPORT_BYTES_MAX - visit->len;
}

static void take_piece(struct visit *visit, const Dienstweg__Access *piece)
{
	if (!is_the_next(visit, piece))
		return;
	uint8_t *more = realloc(visit->data, visit->len + piece->data.len + 1);
	if (!more) {
		ask_later(visit, AGAIN_MS);
		return;
	}
	visit->data = more;
	if (piece->data.len > 0)
		memcpy(visit->data + visit->len, piece->data.data, piece->data.len);
	visit->len += piece->data.len;
	visit->pieces = piece->pieces;
	visit->inspected = piece->inspected;
	visit->ask_ns = in_ms(ANSWER_MS);
	visit->done = ++visit->next == visit->pieces;
}

static void take_proof(struct visit *visit, const Dienstweg__CheckpointFrame *proof)
{
	size_t len = proof->consistency.len;
	if (visit->new_size == 0 || !visit->asked || proof->old_size != visit->old_size ||
		proof->new_size != visit->new_size || len % sizeof(visit->proof[0]) != 0 ||
		len > sizeof(visit->proof))
		return;
	if (len > 0)
		memcpy(visit->proof, proof->consistency.data, len);
	visit->proof_count = len / sizeof(visit->proof[0]);
	visit->done = true;
}

static void take_cancelled(struct visit *visit, const Dienstweg__Cancelled *cancelled)
{
	if (!visit->batch || !visit->asked)
		return;
	size_t len = dienstweg__cancelled__get_packed_size(cancelled);
	uint8_t *copy = realloc(visit->data, len + 1);
	if (!copy) {
		ask_later(visit, AGAIN_MS);
		return;
	}
	visit->data = copy;
	visit->len = dienstweg__cancelled__pack(cancelled, copy);
	visit->done = true;
}

static void on_frame(void *context, const Dienstweg__Frame *frame)
{
	struct visit *visit = context;
	if (frame->body_case == DIENSTWEG__FRAME__BODY_CANCELLED)
		take_cancelled(visit, frame->cancelled);
	if (frame->body_case == DIENSTWEG__FRAME__BODY_ACCESS)
		take_piece(visit, frame->access);
	else if (frame->body_case == DIENSTWEG__FRAME__BODY_CHECKPOINT)
		take_proof(visit, frame->checkpoint);
	else if (frame->body_case == DIENSTWEG__FRAME__BODY_ERROR)
		take_error(visit, frame->error);
}

/* ---- connection ---- */

static int dial(struct visit *visit)
{
	const struct config_adapter *config = visit->options.config;
	const struct parties *parties = visit->options.parties;
	struct client_options options = {
		.endpoint = config->broker,
		.transport_key = parties->transports[visit->dial / visit->keys_count %
						     parties->transports_count],
		.parties = parties->names,
		.parties_count = 1,
		.software = "dienstweg-party " DIENSTWEG_VERSION,
		.clock = clock_system(),
	};
	const struct client_handler handler = {
		.context = visit,
		.ready = on_ready,
		.lost = on_lost,
		.frame = on_frame,
		.hello = on_hello,
	};
	memcpy(options.broker_key, visit->keys[visit->dial++ % visit->keys_count], BOX_KEY_SIZE);
	client_free(visit->client);
	visit->client = NULL;
	visit->dialled_ns = now_ns();
	return client_new(&options, &handler, &visit->client);
}

int visit_new(const struct visit_options *options, struct visit **ret)
{
	const Dienstweg__RegistryContent *content = registry_content(options->registry);
	_cleanup_(visit_free) struct visit *visit = calloc(1, sizeof(*visit));
	if (!visit)
		return -ENOMEM;
	visit->options = *options;
	snprintf(visit->why, sizeof(visit->why), "no answer from %s", options->config->broker);
	for (size_t i = content->n_bus_keys; i > 0 && visit->keys_count < BUS_KEYS; i--) {
		const Dienstweg__Key *key = content->bus_keys[i - 1];
		if (key->use == DIENSTWEG__KEY_USE__KEY_USE_TRANSPORT &&
			key->state == DIENSTWEG__KEY_STATE__KEY_STATE_ACTIVE)
			memcpy(visit->keys[visit->keys_count++], key->public_.data, BOX_KEY_SIZE);
	}
	if (visit->keys_count == 0 || options->parties->transports_count == 0)
		return -ENOKEY;
	int r = dial(visit);
	if (r == 0)
		*ret = steal(&visit);
	return r;
}

void visit_free(struct visit *visit)
{
	if (!visit)
		return;
	client_free(visit->client);
	free(visit->data);
	free(visit);
}

const char *visit_why(const struct visit *visit)
{
	return visit->why;
}

/* ---- asking ---- */

static void fill_access(const struct visit_question *question, Dienstweg__GetAccess *body)
{
	dienstweg__get_access__init(body);
	body->party = (ProtobufCBinaryData){
		.len = question->party.len, .data = (uint8_t *)(uintptr_t)question->party.data};
	body->case_id = (ProtobufCBinaryData){
		.len = sizeof(question->case_id), .data = (uint8_t *)(uintptr_t)question->case_id};
	body->from_message = question->from_message;
	body->from_entry = question->from_entry;
}

static int send(struct visit *visit)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__GetAccess access;
	Dienstweg__GetProof proof = DIENSTWEG__GET_PROOF__INIT;
	Dienstweg__Cancel cancel = DIENSTWEG__CANCEL__INIT;
	Dienstweg__CancelBatch batch;
	if (visit->batch) {
		batch = *visit->batch;
		cancel.batch = &batch;
		frame.body_case = DIENSTWEG__FRAME__BODY_CANCEL;
		frame.cancel = &cancel;
	} else if (visit->question) {
		fill_access(visit->question, &access);
		frame.body_case = DIENSTWEG__FRAME__BODY_GET_ACCESS;
		frame.get_access = &access;
	} else {
		proof.old_size = visit->old_size;
		proof.new_size = visit->new_size;
		frame.body_case = DIENSTWEG__FRAME__BODY_GET_PROOF;
		frame.get_proof = &proof;
	}
	int r = client_send(visit->client, &frame);
	if (r)
		return r < 0 ? r : 0;
	visit->asked = true;
	visit->ask_ns = in_ms(ANSWER_MS);
	return 0;
}

static int turn(struct visit *visit)
{
	struct pollfd fd = {.fd = client_fd(visit->client), .events = POLLIN};
	poll(&fd, 1, client_timeout_ms(visit->client));
	int r = client_step(visit->client);
	size_t pairs = visit->keys_count * visit->options.parties->transports_count;
	bool ready = client_state(visit->client) == CLIENT_READY;
	if (r)
		return r;
	if (!ready && pairs > 1 && now_ns() > visit->dialled_ns + DIAL_MS * 1000000ull)
		return dial(visit);
	if (!ready || visit->done || visit->denied || now_ns() < visit->ask_ns)
		return 0;
	ask_later(visit, 0);
	return send(visit);
}

/* Until it is answered, not asking before @after_ms. 0, VISIT_*, negative errno. */
static int wait(struct visit *visit, uint64_t after_ms)
{
	uint64_t until_ns = in_ms(visit->options.timeout_s * 1000);
	int r = 0;
	visit->done = visit->denied = false;
	ask_later(visit, after_ms);
	while (r == 0 && !visit->done && !visit->denied) {
		if (visit->options.timeout_s > 0 && now_ns() > until_ns)
			return VISIT_TIMEOUT;
		r = turn(visit);
	}
	return r ? r : visit->denied ? VISIT_DENIED : 0;
}

int visit_ask(struct visit *visit, const struct visit_question *question, struct arena *arena,
	Dienstweg__AccessReport **ret, uint64_t *ret_inspected)
{
	visit->question = question;
	int r = wait(visit, 0);
	visit->question = NULL;
	if (r)
		return r;
	*ret_inspected = visit->inspected;
	*ret = dienstweg__access_report__unpack(arena_allocator(arena), visit->len, visit->data);
	return *ret ? 0 : -EBADMSG;
}

int visit_prove(struct visit *visit, uint64_t old_size, uint64_t new_size,
	struct merkle_hash ret[VISIT_PROOF_MAX], size_t *ret_count)
{
	visit->old_size = old_size;
	visit->new_size = new_size;
	int r = wait(visit, 0);
	visit->old_size = visit->new_size = 0;
	if (r)
		return r;
	memcpy(ret, visit->proof, visit->proof_count * sizeof(ret[0]));
	*ret_count = visit->proof_count;
	return 0;
}

int visit_cancel(struct visit *visit, const Dienstweg__CancelBatch *batch, uint64_t after_ms,
	struct arena *arena, Dienstweg__Cancelled **ret)
{
	visit->batch = batch;
	int r = wait(visit, after_ms);
	visit->batch = NULL;
	if (r)
		return r;
	*ret = dienstweg__cancelled__unpack(arena_allocator(arena), visit->len, visit->data);
	if (*ret && (*ret)->n_refusals > 0) {
		say(visit, BYTES_PB((*ret)->refusals[0]->code),
			BYTES_PB((*ret)->refusals[0]->detail));
		return VISIT_DENIED;
	}
	return *ret ? 0 : -EBADMSG;
}
