/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The real broker cannot lie, and what an adapter has to stand is a broker that does. Receipts, proofs and
 * signatures are made by the functions that the real one uses and then twisted, so that each lie is the
 * only thing wrong.
 */
#include "test/kit/desk.h"

#include <poll.h>
#include <zmq.h>

#include "proto/base/clock.h"
#include "proto/envelope/envelope.h"
#include "proto/identity/uuid.h"
#include "proto/journal.pb-c.h"
#include "proto/receipt/receipt.h"
#include "proto/signature/signature.h"
#include "test/kit/check.h"

enum { ARENA_BUDGET = 256 << 20, MESSAGE_MAX = 1 << 20 };

static ProtobufCBinaryData pb(struct bytes view)
{
	return (ProtobufCBinaryData){.len = view.len, .data = (uint8_t *)(uintptr_t)view.data};
}

void *desk_take(struct desk *desk, size_t size)
{
	void *p = arena_zalloc(desk->arena, size);
	CHECK(p);
	return p;
}

static struct bytes copy(struct desk *desk, struct bytes data)
{
	struct bytes ret;
	CHECK_INT(arena_copy(desk->arena, data, &ret), 0);
	return ret;
}

/* ---- socket ---- */

void desk_init(struct desk *desk, struct registry_fixture *fixture, const char *bus)
{
	memset(desk, 0, sizeof(*desk));
	desk->fixture = fixture;
	desk->bus = bus;
	desk->registry = registry_fixture_load(fixture, 1, NULL);
	desk->arena = arena_new(ARENA_BUDGET);
	CHECK(desk->arena);
	desk_grow(desk, 2); /* start and registry, as in a real one */
}

void desk_open(struct desk *desk)
{
	int server = 1, zero = 0, mandatory = 1;
	size_t size = sizeof(desk->endpoint);
	const struct key_secret *key = registry_fixture_secret(
		desk->fixture, desk->bus, KEY_TRANSPORT);
	desk->context = zmq_ctx_new();
	CHECK(desk->context && key);
	desk->router = zmq_socket(desk->context, ZMQ_ROUTER);
	CHECK(desk->router);
	zmq_setsockopt(desk->router, ZMQ_CURVE_SERVER, &server, sizeof(server));
	zmq_setsockopt(desk->router, ZMQ_CURVE_SECRETKEY, key->x25519, BOX_KEY_SIZE);
	zmq_setsockopt(desk->router, ZMQ_LINGER, &zero, sizeof(zero));
	zmq_setsockopt(desk->router, ZMQ_ROUTER_MANDATORY, &mandatory, sizeof(mandatory));
	CHECK_INT(zmq_bind(desk->router, "tcp://127.0.0.1:*"), 0);
	CHECK_INT(zmq_getsockopt(desk->router, ZMQ_LAST_ENDPOINT, desk->endpoint, &size), 0);
}

void desk_deinit(struct desk *desk)
{
	zmq_close(desk->router);
	zmq_ctx_term(desk->context);
	registry_unref(desk->registry);
	arena_free(desk->arena);
}

int desk_fd(const struct desk *desk)
{
	int fd = -1;
	size_t size = sizeof(fd);
	CHECK_INT(zmq_getsockopt(desk->router, ZMQ_FD, &fd, &size), 0);
	return fd;
}

void desk_send_raw(struct desk *desk, struct bytes data)
{
	if (zmq_send(desk->router, desk->route, desk->route_len, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
		return; /* the adapter has gone */
	zmq_send(desk->router, data.data, data.len, ZMQ_DONTWAIT);
}

void desk_send(struct desk *desk, Dienstweg__Frame *frame)
{
	frame->session = pb(BYTES(desk->nonce, sizeof(desk->nonce)));
	size_t len = dienstweg__frame__get_packed_size(frame);
	uint8_t *buf = desk_take(desk, len + 1);
	dienstweg__frame__pack(frame, buf);
	desk_send_raw(desk, BYTES(buf, len));
}

/* ---- the log ---- */

struct desk_entry *desk_append(
	struct desk *desk, uint8_t kind, const uint8_t digest[HASH_SIZE], struct bytes rest)
{
	uint8_t flat[DISCLOSED_MAX];
	CHECK(desk->size < DESK_ENTRIES_MAX);
	struct desk_entry *entry = &desk->entries[desk->size];
	*entry = (struct desk_entry){.kind = kind, .batch_ms = clock_wall_ms(clock_system())};
	random_fill(entry->nonce, sizeof(entry->nonce));
	random_fill(entry->private_digest, sizeof(entry->private_digest));
	struct disclosed disclosed = {.kind = kind,
		.batch_ms = entry->batch_ms,
		.registry_version = registry_version(desk->registry),
		.rest = rest};
	memcpy(disclosed.digest, digest, HASH_SIZE);
	stub_make(kind, 1, entry->nonce, BYTES(flat, disclosed_encode(&disclosed, flat)),
		entry->private_digest, entry->stub);
	stub_leaf(entry->stub, &desk->leaves[desk->size]);
	desk->size++;
	return entry;
}

struct merkle_hash desk_node(const struct desk *desk, size_t size, struct merkle_coordinate at)
{
	struct merkle_hash hash;
	uint64_t from = at.index << at.level, to = (at.index + 1) << at.level;
	merkle_root_of(desk->leaves + from, (size_t)((to < size ? to : size) - from), &hash);
	return hash;
}

size_t desk_checkpoint(struct desk *desk, uint8_t note[CHECKPOINT_NOTE_MAX])
{
	struct note_key key;
	struct checkpoint checkpoint = {.size = desk->size};
	const struct key_secret *secret = registry_fixture_secret(desk->fixture, desk->bus, KEY_LOG);
	struct key_secret *stranger = NULL;
	uint32_t epoch = desk->mood == DESK_OTHER_ORIGIN ? 1 : desk->epoch;
	const char *bus = desk->mood == DESK_OTHER_BUS ? "other.demo" : desk->bus;
	if (desk->mood == DESK_STRANGE_KEY) {
		CHECK_INT(key_generate(KEY_LOG, BYTES_STR(desk->bus), &stranger), 0);
		secret = stranger;
	}
	snprintf(checkpoint.origin, sizeof(checkpoint.origin), "%s/%u", bus, epoch);
	merkle_root_of(desk->leaves, desk->size, &checkpoint.root);
	CHECK_INT(note_key_init(&key, BYTES_STR(checkpoint.origin), secret->pub.public), 0);
	size_t len = checkpoint_sign(&checkpoint, &key, secret->ed25519, note);
	key_secret_free(stranger);
	if (desk->mood == DESK_BAD_SIGNATURE)
		note[len - 10] = note[len - 10] == 'A' ? 'B' : 'A';
	return desk->mood == DESK_NO_CHECKPOINT ? 0 : len;
}

static struct bytes checkpoint_bytes(struct desk *desk)
{
	uint8_t *note = desk_take(desk, CHECKPOINT_NOTE_MAX);
	return BYTES(note, desk_checkpoint(desk, note));
}

static struct bytes consistency(struct desk *desk, uint64_t old_size, uint64_t new_size)
{
	struct merkle_coordinate steps[2 * MERKLE_LEVELS];
	if (old_size == 0 || old_size > new_size || new_size > desk->size)
		return BYTES(NULL, 0);
	size_t count = merkle_consistency_coordinates(old_size, new_size, steps);
	struct merkle_hash *hashes = desk_take(desk, count * sizeof(*hashes) + 1);
	for (size_t i = 0; i < count; i++)
		hashes[i] = desk_node(desk, (size_t)new_size, steps[i]);
	return BYTES(hashes, count * HASH_SIZE);
}

/* ---- receipts ---- */

struct proofs {
	uint8_t *nodes;
	size_t count;
};

static void path_add(struct desk *desk, struct proofs *proofs, uint64_t sequence, uint32_t **ret,
	size_t *ret_count)
{
	struct merkle_coordinate steps[MERKLE_LEVELS];
	size_t count = merkle_path_coordinates(sequence, desk->size, steps);
	*ret = desk_take(desk, count * sizeof(**ret) + 1);
	for (size_t i = 0; i < count; i++) {
		struct merkle_hash hash = desk_node(desk, desk->size, steps[i]);
		memcpy(proofs->nodes + proofs->count * HASH_SIZE, hash.bytes, HASH_SIZE);
		(*ret)[i] = (uint32_t)proofs->count++;
	}
	*ret_count = desk->mood == DESK_NO_PATH && count > 0 ? count - 1 : count;
	if (desk->mood == DESK_WRONG_PATH)
		proofs->nodes[(proofs->count - 1) * HASH_SIZE] ^= 1;
}

static Dienstweg__Receipt *receipt_of(
	struct desk *desk, struct proofs *proofs, const struct desk_message *message)
{
	struct desk_entry *entry = &desk->entries[message->sequence];
	Dienstweg__Receipt *receipt = desk_take(desk, sizeof(*receipt));
	dienstweg__receipt__init(receipt);
	receipt->h = pb(BYTES(message->h, HASH_SIZE));
	receipt->sequence = message->sequence;
	receipt->batch_ms = entry->batch_ms;
	receipt->registry_version = registry_version(desk->registry);
	receipt->nonce = pb(copy(desk, BYTES(entry->nonce, sizeof(entry->nonce))));
	receipt->private_digest = pb(BYTES(entry->private_digest, HASH_SIZE));
	receipt->class_ = 1;
	path_add(desk, proofs, message->sequence, &receipt->path, &receipt->n_path);
	if (desk->mood == DESK_WRONG_NONCE)
		receipt->nonce.data[0] ^= 1;
	if (desk->mood == DESK_WRONG_SEQUENCE)
		receipt->sequence ^= 1;
	return receipt;
}

static struct bytes nodes_bytes(const struct desk *desk, const struct proofs *proofs)
{
	return BYTES(
		proofs->nodes, proofs->count * HASH_SIZE - (desk->mood == DESK_HALF_NODES ? 5 : 0));
}

/* ---- frames in ---- */

static struct desk_message *message_take(
	struct desk *desk, const Dienstweg__Submit *submit, const Dienstweg__Envelope *envelope)
{
	uint8_t h[HASH_SIZE];
	Dienstweg__Header *header;
	const char *field;
	envelope_header_hash(BYTES_PB(envelope->header), h);
	for (size_t i = 0; i < desk->messages_count; i++) {
		if (memcmp(desk->messages[i].h, h, HASH_SIZE) == 0) {
			desk->messages[i].times++;
			return &desk->messages[i];
		}
	}
	CHECK(desk->messages_count < DESK_ENTRIES_MAX);
	struct desk_message *message = &desk->messages[desk->messages_count++];
	CHECK_INT(envelope_header_parse(
			  desk->arena, copy(desk, BYTES_PB(envelope->header)), &header, &field),
		0);
	*message = (struct desk_message){.frame = submit->number, .times = 1};
	memcpy(message->h, h, HASH_SIZE);
	memcpy(message->message_id, header->message_id.data, 16);
	memcpy(message->case_id, header->case_id.data, 16);
	message->core_len = signature_core(envelope->signature, message->core);
	message->header = copy(desk, BYTES_PB(envelope->header));
	message->content = copy(desk, BYTES_PB(envelope->content));
	return message;
}

static Dienstweg__Refusal *refusal_of(struct desk *desk, const struct desk_message *message)
{
	Dienstweg__Refusal *refusal = desk_take(desk, sizeof(*refusal));
	dienstweg__refusal__init(refusal);
	refusal->h = pb(BYTES(message->h, HASH_SIZE));
	refusal->code = pb(BYTES_STR("no-agreement"));
	refusal->field = pb(BYTES_STR("region"));
	refusal->detail = pb(BYTES_STR("make one"));
	return refusal;
}

static Dienstweg__Deferral *deferral_of(struct desk *desk, const struct desk_message *message)
{
	Dienstweg__Deferral *deferral = desk_take(desk, sizeof(*deferral));
	dienstweg__deferral__init(deferral);
	deferral->h = pb(BYTES(message->h, HASH_SIZE));
	deferral->reason = pb(BYTES_STR(desk->reason));
	deferral->retry_ms = desk->retry_ms;
	return deferral;
}

static void answer_send(struct desk *desk, Dienstweg__Answer *answer)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	frame.body_case = DIENSTWEG__FRAME__BODY_ANSWER;
	frame.answer = answer;
	if (desk->mood != DESK_SILENT)
		desk_send(desk, &frame);
}

static void receipts_send(struct desk *desk, struct desk_message **messages, size_t count)
{
	Dienstweg__Answer answer = DIENSTWEG__ANSWER__INIT;
	struct proofs proofs = {.nodes = desk_take(desk, (count + 1) * MERKLE_LEVELS * HASH_SIZE)};
	for (size_t i = 0; i < count; i++) {
		if (messages[i]->sequence == 0) {
			messages[i]->sequence = desk->size;
			desk_append(desk, DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED, messages[i]->h,
				BYTES(messages[i]->core, messages[i]->core_len));
		}
	}
	answer.receipts = desk_take(desk, count * sizeof(void *) + 1);
	for (size_t i = 0; i < count; i++)
		answer.receipts[answer.n_receipts++] = receipt_of(desk, &proofs, messages[i]);
	answer.checkpoint = pb(checkpoint_bytes(desk));
	answer.nodes = pb(nodes_bytes(desk, &proofs));
	answer_send(desk, &answer);
}

static void put_off(struct desk *desk, const Dienstweg__Submit *submit)
{
	Dienstweg__Answer answer = DIENSTWEG__ANSWER__INIT;
	Dienstweg__FrameDeferral deferral = DIENSTWEG__FRAME_DEFERRAL__INIT;
	deferral.number = submit->number;
	deferral.reason = pb(BYTES_STR("busy"));
	deferral.retry_ms = desk->retry_ms;
	answer.frame = &deferral;
	if (desk->put_off > 0)
		desk->put_off--;
	answer_send(desk, &answer);
}

static void submit_take(struct desk *desk, const Dienstweg__Submit *submit)
{
	Dienstweg__Answer answer = DIENSTWEG__ANSWER__INIT;
	desk->submits++;
	if (desk->mood == DESK_PUTS_OFF && (desk->put_off > 0 || !submit->resume)) {
		put_off(desk, submit);
		return;
	}
	if (desk->mood == DESK_PUTS_OFF)
		desk->mood = DESK_HONEST;
	struct desk_message **messages = desk_take(
		desk, submit->n_envelopes * sizeof(*messages) + 1);
	answer.refusals = desk_take(desk, submit->n_envelopes * sizeof(void *) + 1);
	answer.deferrals = desk_take(desk, submit->n_envelopes * sizeof(void *) + 1);
	for (size_t i = 0; i < submit->n_envelopes; i++) {
		messages[i] = message_take(desk, submit, submit->envelopes[i]);
		if (desk->mood == DESK_REFUSES)
			answer.refusals[answer.n_refusals++] = refusal_of(desk, messages[i]);
		if (desk->mood == DESK_DEFERS)
			answer.deferrals[answer.n_deferrals++] = deferral_of(desk, messages[i]);
	}
	if (answer.n_refusals + answer.n_deferrals > 0)
		answer_send(desk, &answer);
	else
		receipts_send(desk, messages, submit->n_envelopes);
}

/* ---- acknowledgements ---- */

static void ack_note(
	struct desk *desk, const Dienstweg__AckBatch *batch, const Dienstweg__Ack *ack, bool good)
{
	CHECK(desk->acks_count < DESK_ENTRIES_MAX);
	struct desk_ack *note = &desk->acks[desk->acks_count++];
	*note = (struct desk_ack){
		.sequence = ack->sequence, .accepted = ack->accepted, .signature_ok = good};
	CHECK_INT(ack->h.len, HASH_SIZE);
	memcpy(note->h, ack->h.data, HASH_SIZE);
	snprintf(note->code, sizeof(note->code), "%.*s", (int)ack->code.len, (char *)ack->code.data);
	snprintf(note->text, sizeof(note->text), "%.*s", (int)ack->text.len, (char *)ack->text.data);
}

static bool batch_good(const struct desk *desk, const Dienstweg__AckBatch *batch)
{
	uint8_t items[BATCH_MAX][HASH_SIZE];
	const Dienstweg__Key *key = registry_key(desk->registry, BYTES_PB(batch->key_id), NULL);
	CHECK(batch->n_acks >= 1 && batch->n_acks <= BATCH_MAX);
	for (size_t i = 0; i < batch->n_acks; i++)
		acknowledgement_digest(BYTES_STR(desk->bus), BYTES_PB(batch->recipient),
			batch->acks[i]->sequence, batch->acks[i]->h.data, batch->acks[i]->accepted,
			BYTES_PB(batch->acks[i]->code), BYTES_PB(batch->acks[i]->text), items[i]);
	return key && signature_verify_whole(NULL, SIGNATURE_ACK, BYTES_STR(desk->bus),
			      key->public_.data, (const uint8_t(*)[HASH_SIZE])items, batch->n_acks,
			      BYTES_PB(batch->root)) == 0;
}

static Dienstweg__AckReceipt *batch_take(
	struct desk *desk, struct proofs *proofs, const Dienstweg__AckBatch *batch)
{
	size_t len = dienstweg__ack_batch__get_packed_size(batch);
	uint8_t *bytes = desk_take(desk, len), *digest = desk_take(desk, HASH_SIZE);
	Dienstweg__AckReceipt *receipt = desk_take(desk, sizeof(*receipt));
	bool good = batch_good(desk, batch);
	CHECK(len <= 3000);
	dienstweg__ack_batch__pack(batch, bytes);
	receipt_ack_batch_digest(BYTES(bytes, len), digest);
	for (size_t i = 0; i < batch->n_acks; i++)
		ack_note(desk, batch, batch->acks[i], good);
	dienstweg__ack_receipt__init(receipt);
	receipt->digest = pb(BYTES(digest, HASH_SIZE));
	receipt->sequence = desk->size;
	struct desk_entry *entry = desk_append(
		desk, DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED, digest, BYTES(NULL, 0));
	receipt->batch_ms = entry->batch_ms;
	receipt->registry_version = registry_version(desk->registry);
	receipt->class_ = 1;
	receipt->nonce = pb(copy(desk, BYTES(entry->nonce, sizeof(entry->nonce))));
	receipt->private_digest = pb(BYTES(entry->private_digest, HASH_SIZE));
	return receipt;
}

static void states_add(
	struct desk *desk, Dienstweg__Acknowledged *answer, const Dienstweg__AckBatch *batch)
{
	for (size_t i = 0; i < batch->n_acks; i++) {
		Dienstweg__AckState *state = desk_take(desk, sizeof(*state));
		dienstweg__ack_state__init(state);
		state->party = batch->recipient;
		state->sequence = batch->acks[i]->sequence;
		state->state = pb(BYTES_STR("recorded"));
		answer->states[answer->n_states++] = state;
	}
}

static void acknowledge_take(struct desk *desk, const Dienstweg__Acknowledge *acknowledge)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Acknowledged answer = DIENSTWEG__ACKNOWLEDGED__INIT;
	size_t count = acknowledge->n_batches;
	struct proofs proofs = {.nodes = desk_take(desk, (count + 1) * MERKLE_LEVELS * HASH_SIZE)};
	answer.receipts = desk_take(desk, count * sizeof(void *) + 1);
	answer.states = desk_take(desk, count * BATCH_MAX * sizeof(void *) + 1);
	for (size_t i = 0; i < count; i++) {
		answer.receipts[answer.n_receipts++] = batch_take(
			desk, &proofs, acknowledge->batches[i]);
		states_add(desk, &answer, acknowledge->batches[i]);
	}
	for (size_t i = 0; i < count; i++) {
		path_add(desk, &proofs, answer.receipts[i]->sequence, &answer.receipts[i]->path,
			&answer.receipts[i]->n_path);
		if (desk->mood == DESK_WRONG_NONCE)
			answer.receipts[i]->nonce.data[0] ^= 1;
	}
	answer.checkpoint = pb(checkpoint_bytes(desk));
	answer.nodes = pb(nodes_bytes(desk, &proofs));
	frame.body_case = DIENSTWEG__FRAME__BODY_ACKNOWLEDGED;
	frame.acknowledged = &answer;
	if (desk->mood != DESK_SILENT)
		desk_send(desk, &frame);
}

/* ---- the rest of the conversation ---- */

static void hello_take(struct desk *desk, const Dienstweg__Frame *received)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Welcome welcome = DIENSTWEG__WELCOME__INIT;
	Dienstweg__Limits limits = DIENSTWEG__LIMITS__INIT;
	CHECK_INT(received->session.len, sizeof(desk->nonce));
	memcpy(desk->nonce, received->session.data, sizeof(desk->nonce));
	desk->open = true;
	desk->hellos++;
	desk->hello_size = received->hello->newest_size;
	limits.frame_bytes = FRAME_BYTES_MAX;
	limits.batch = SUBMIT_MAX;
	limits.party_bytes = 8 << 20;
	welcome.limits = &limits;
	welcome.registry_version = registry_version(desk->registry);
	welcome.checkpoint = pb(checkpoint_bytes(desk));
	welcome.consistency = pb(consistency(desk, desk->hello_size, desk->size));
	desk_epochs_show(desk, received->hello, &welcome);
	frame.body_case = DIENSTWEG__FRAME__BODY_WELCOME;
	frame.welcome = &welcome;
	desk_send(desk, &frame);
}

static void proof_take(struct desk *desk, const Dienstweg__GetProof *question)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__CheckpointFrame body = DIENSTWEG__CHECKPOINT_FRAME__INIT;
	desk->proofs_asked++;
	if (desk->deaf_to_proofs)
		return;
	uint64_t new_size = desk->newest_only ? 0 : question->new_size;
	body.old_size = question->old_size;
	body.new_size = new_size;
	if (new_size == 0)
		body.checkpoint = pb(checkpoint_bytes(desk));
	body.consistency = pb(
		consistency(desk, question->old_size, new_size ? new_size : desk->size));
	frame.body_case = DIENSTWEG__FRAME__BODY_CHECKPOINT;
	frame.checkpoint = &body;
	desk_send(desk, &frame);
}

/* ---- witnesses ---- */

void desk_candidate(struct desk *desk)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Candidate body = DIENSTWEG__CANDIDATE__INIT;
	struct bytes note = checkpoint_bytes(desk);
	if (desk->crowded) {
		static const char line[] = "\xe2\x80\x94 nobody AAAAAAAA\n";
		uint8_t *buf = desk_take(desk, COSIGNED_NOTE_MAX);
		size_t len = note.len;
		memcpy(buf, note.data, len);
		for (size_t i = 1; i < 100; i++, len += sizeof(line) - 1)
			memcpy(buf + len, line, sizeof(line) - 1);
		note = BYTES(buf, len);
	}
	body.checkpoint = pb(note);
	frame.body_case = DIENSTWEG__FRAME__BODY_CANDIDATE;
	frame.candidate = &body;
	desk_send(desk, &frame);
}

static void cosign_take(struct desk *desk, const Dienstweg__Cosign *cosign)
{
	CHECK(cosign->note.len <= sizeof(desk->cosign));
	memcpy(desk->cosign, cosign->note.data, cosign->note.len);
	desk->cosign_len = cosign->note.len;
	desk->cosigns++;
}

/* @note, with the line of one witness more. */
static struct bytes cosigned_by(struct desk *desk, struct bytes note, const char *name)
{
	const struct key_secret *secret = registry_fixture_secret(desk->fixture, name, KEY_WITNESS);
	uint8_t line[COSIGNATURE_LINE_MAX], *buf = desk_take(desk, COSIGNED_NOTE_MAX);
	struct note_key key;
	size_t len;
	CHECK(secret);
	CHECK_INT(note_key_init_witness(&key, BYTES_STR(name), secret->pub.public), 0);
	const uint8_t *end = memmem(note.data, note.len, "\n\n", 2);
	size_t line_len = cosignature_sign(
		BYTES(note.data, end - note.data + 1), 1795800000, &key, secret->ed25519, line);
	CHECK_INT(cosignature_add(note, BYTES(line, line_len), buf, &len), 0);
	return BYTES(buf, len);
}

static void cosigned_send(struct desk *desk)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__CheckpointFrame body = DIENSTWEG__CHECKPOINT_FRAME__INIT;
	const char *names = desk->cosigners;
	struct bytes note = names ? checkpoint_bytes(desk) : BYTES(NULL, 0);
	desk->cosigned_asked++;
	while (names && *names) {
		char name[64];
		int n = (int)strcspn(names, ",");
		snprintf(name, sizeof(name), "%.*s", n, names);
		note = cosigned_by(desk, note, name);
		names += n + (names[n] == ',');
	}
	body.cosigned = true;
	body.checkpoint = pb(note);
	frame.body_case = DIENSTWEG__FRAME__BODY_CHECKPOINT;
	frame.checkpoint = &body;
	desk_send(desk, &frame);
}

static void error_send(
	struct desk *desk, const Dienstweg__Frame *received, const char *code, const char *field)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Error error = DIENSTWEG__ERROR__INIT;
	if (received->session.len == sizeof(desk->nonce))
		memcpy(desk->nonce, received->session.data, sizeof(desk->nonce));
	error.code = pb(BYTES_STR(code));
	error.field = pb(BYTES_STR(field));
	frame.body_case = DIENSTWEG__FRAME__BODY_ERROR;
	frame.error = &error;
	desk_send(desk, &frame);
}

/* Too busy to answer a question? Then that was the answer. */
static bool is_busy(struct desk *desk, const Dienstweg__Frame *frame, const char *field)
{
	if (desk->busy > 0)
		error_send(desk, frame, "busy", field);
	return desk->busy > 0 && desk->busy-- > 0;
}

static void registry_take(struct desk *desk)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Registry body = DIENSTWEG__REGISTRY__INIT;
	desk->registries_asked++;
	body.signed_ = pb(registry_signed_bytes(desk->registry));
	frame.body_case = DIENSTWEG__FRAME__BODY_REGISTRY;
	frame.registry = &body;
	desk_send(desk, &frame);
}

static void nak_take(struct desk *desk, const Dienstweg__Nak *nak)
{
	desk->naks += nak->n_sequences;
	snprintf(desk->nak_reason, sizeof(desk->nak_reason), "%.*s", (int)nak->reason.len,
		(char *)nak->reason.data);
}

static void pong_send(struct desk *desk, const Dienstweg__Ping *ping)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Pong pong = DIENSTWEG__PONG__INIT;
	pong.number = ping->number;
	frame.body_case = DIENSTWEG__FRAME__BODY_PONG;
	frame.pong = &pong;
	desk_send(desk, &frame);
}

static void frame_take(struct desk *desk, const Dienstweg__Frame *frame)
{
	if (frame->body_case == DIENSTWEG__FRAME__BODY_HELLO) {
		hello_take(desk, frame);
		return;
	}
	if (!desk->open) {
		error_send(desk, frame, "hello-required", "session");
		return;
	}
	switch (frame->body_case) {
	case DIENSTWEG__FRAME__BODY_SUBMIT:
		submit_take(desk, frame->submit);
		break;
	case DIENSTWEG__FRAME__BODY_ACKNOWLEDGE:
		acknowledge_take(desk, frame->acknowledge);
		break;
	case DIENSTWEG__FRAME__BODY_CANCEL:
		desk_cancel_take(desk, frame->cancel->batch);
		break;
	case DIENSTWEG__FRAME__BODY_CONFIRM:
		desk->confirmed = frame->confirm->sequence;
		break;
	case DIENSTWEG__FRAME__BODY_NAK:
		nak_take(desk, frame->nak);
		break;
	case DIENSTWEG__FRAME__BODY_CREDIT:
		desk->credit_messages = frame->credit->messages;
		desk->credit_bytes = frame->credit->bytes;
		break;
	case DIENSTWEG__FRAME__BODY_GET_REGISTRY:
		if (!is_busy(desk, frame, "get_registry"))
			registry_take(desk);
		break;
	case DIENSTWEG__FRAME__BODY_GET_PROOF:
		if (!is_busy(desk, frame, "get_proof"))
			proof_take(desk, frame->get_proof);
		break;
	case DIENSTWEG__FRAME__BODY_GET_CHECKPOINT:
		CHECK(frame->get_checkpoint->cosigned);
		cosigned_send(desk);
		break;
	case DIENSTWEG__FRAME__BODY_COSIGN:
		cosign_take(desk, frame->cosign);
		break;
	case DIENSTWEG__FRAME__BODY_PING:
		pong_send(desk, frame->ping);
		break;
	case DIENSTWEG__FRAME__BODY_BYE:
		desk->byes++;
		desk->open = false;
		break;
	default:
		CHECK_FAIL("the adapter sent a frame of kind %d", (int)frame->body_case);
	}
}

static bool receive(struct desk *desk)
{
	zmq_msg_t payload;
	int n = zmq_recv(desk->router, desk->route, sizeof(desk->route), ZMQ_DONTWAIT);
	if (n < 0)
		return false;
	CHECK(n > 0 && (size_t)n <= sizeof(desk->route));
	desk->route_len = (size_t)n;
	zmq_msg_init(&payload);
	CHECK(zmq_msg_recv(&payload, desk->router, 0) >= 0);
	CHECK(!zmq_msg_more(&payload));
	Dienstweg__Frame *frame = dienstweg__frame__unpack(
		arena_allocator(desk->arena), zmq_msg_size(&payload), zmq_msg_data(&payload));
	CHECK(frame && zmq_msg_size(&payload) <= FRAME_BYTES_MAX);
	frame_take(desk, frame);
	zmq_msg_close(&payload);
	return true;
}

size_t desk_step(struct desk *desk, int wait_ms)
{
	size_t count = 0;
	zmq_pollitem_t item = {.socket = desk->router, .events = ZMQ_POLLIN};
	if (zmq_poll(&item, 1, wait_ms) <= 0)
		return 0;
	while (receive(desk))
		count++;
	return count;
}

void desk_forget_session(struct desk *desk)
{
	desk->open = false;
}

void desk_replaced(struct desk *desk)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Replaced replaced = DIENSTWEG__REPLACED__INIT;
	frame.body_case = DIENSTWEG__FRAME__BODY_REPLACED;
	frame.replaced = &replaced;
	desk_send(desk, &frame);
}
