/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * One Ed25519 signature covers up to 32 messages, and one X25519 key seals a turn: what a legacy system
 * hands over together costs little more than one message. There are two trays because telling the legacy
 * system about the committed one may bring new messages. A tray is bounded by its arena and its count; when
 * it is full the caller tries again in a later turn, which is some milliseconds away.
 *
 * by_key and sent rows are written as messages come, so that the same key twice within a turn is found by
 * the same look-up as across turns.
 */
#include "adapters/sdk/turn.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "adapters/sdk/compose.h"
#include "proto/envelope/envelope.h"
#include "proto/signature/signature.h"

enum {
	PENDING_MAX = 1024,
	TRAY_BUDGET = 48 << 20,
	TRAY_FULL = 24 << 20, /* no more is taken; the largest message still fits above it */
	TRAY_LARGE = 4 << 20,
	TRAY_MANY = 256,
	ERROR_SIZE = 512,
};

struct pending {
	struct bytes key;
	struct dw_submitted ids;
	/* the rest only when it is new */
	size_t party;
	uint64_t number;
	uint8_t h[HASH_SIZE];
	struct outbox_row row; /* views into the tray's arena */
};

struct tray {
	struct arena *arena;
	struct sealing_batch *batch; /* made with its first message */
	size_t count, fresh;
	size_t written;  /* so many of them are signed and stored */
	size_t ordinary; /* so many are none that somebody waits for */
	struct pending pending[PENDING_MAX];
};

struct turn {
	struct turn_options options;
	struct uuid_source ids;
	struct tray trays[2];
	struct tray *tray; /* the one being filled */
};

int turn_new(const struct turn_options *options, struct turn **ret)
{
	_cleanup_(turn_free) struct turn *turn = calloc(1, sizeof(*turn));
	if (!turn)
		return -ENOMEM;
	turn->options = *options;
	turn->tray = &turn->trays[0];
	for (size_t i = 0; i < ARRAY_LEN(turn->trays); i++) {
		turn->trays[i].arena = arena_new(TRAY_BUDGET);
		if (!turn->trays[i].arena)
			return -ENOMEM;
	}
	*ret = steal(&turn);
	return 0;
}

static void tray_reset(struct tray *tray)
{
	if (tray->batch)
		sealing_batch_forget(tray->batch);
	tray->count = tray->fresh = tray->written = tray->ordinary = 0;
	arena_reset(tray->arena);
}

void turn_free(struct turn *turn)
{
	if (!turn)
		return;
	for (size_t i = 0; i < ARRAY_LEN(turn->trays); i++) {
		sealing_batch_free(turn->trays[i].batch);
		arena_free(turn->trays[i].arena);
	}
	free(turn);
}

int turn_prepare(struct turn *turn)
{
	struct tray *tray = turn->tray;
	int r = tray->batch ? 0 : sealing_batch_new(&tray->batch);
	if (r == 0)
		sealing_batch_prepare(tray->batch);
	return r;
}

int turn_renew(struct turn *turn)
{
	if (turn->tray->batch)
		sealing_batch_forget(turn->tray->batch);
	return turn_prepare(turn);
}

size_t turn_awaited(const struct turn *turn)
{
	return turn->tray->ordinary ? 0 : turn->tray->fresh;
}

bool turn_is_large(const struct turn *turn)
{
	return turn->tray->count >= TRAY_MANY || arena_used(turn->tray->arena) >= TRAY_LARGE;
}

static int composer_init(
	struct turn *turn, const struct registry *registry, struct composer *composer)
{
	struct tray *tray = turn->tray;
	*composer = (struct composer){
		.bus = BYTES_STR(turn->options.config->bus),
		.registry = registry,
		.clock = turn->options.clock,
		.ids = &turn->ids,
		.schemas = turn->options.schemas,
		.arena = tray->arena,
	};
	int r = turn_prepare(turn);
	composer->batch = tray->batch;
	return r;
}

/* ---- submitting ---- */

static int invalid(char *reterr, size_t size, const char *why)
{
	snprintf(reterr, size, "%s", why);
	return DW_INVALID;
}

static int message_check(
	const struct turn *turn, const struct dw_message *message, char *reterr, size_t size)
{
	if (message->key.len < 1 || message->key.len > ROW_KEY_MAX)
		return invalid(reterr, size,
			"key: must have 1 to 200 bytes: take what names the message in the legacy "
			"system");
	if (parties_find(turn->options.parties, message->sender) == PARTIES_NONE)
		return invalid(reterr, size,
			"sender: not a party of this adapter: name it under party or operates");
	return 0;
}

static int full_check(struct turn *turn, char *reterr, size_t size)
{
	const struct config_outbox *limits = &turn->options.config->outbox;
	const struct tray *tray = turn->tray;
	const char *why = NULL;
	if (tray->count >= PENDING_MAX || arena_used(tray->arena) >= TRAY_FULL)
		why = "this turn has taken enough messages: try again in the next one";
	else if (turn->options.outbox->count + tray->fresh >= limits->messages_max ||
		 turn->options.outbox->bytes + arena_used(tray->arena) >= limits->bytes_max)
		why = "the outbox is full: the bus has not taken what waits; try again later";
	else if (store_is_full(turn->options.store))
		why = "the store is nearly full: raise outbox.map_bytes and start again";
	if (!why)
		return 0;
	snprintf(reterr, size, "%s", why);
	return DW_FULL;
}

/* The same key again: the first one's ids. */
static int duplicate_find(
	struct turn *turn, const struct dw_message *message, struct dw_submitted *ret)
{
	uint8_t buf[BY_KEY_MAX];
	struct bytes id, value;
	struct sent_row sent;
	struct store *store = turn->options.store;
	int r = store_get(store, STORE_BY_KEY, by_key_key(message->sender, message->key, buf), &id);
	if (r)
		return r;
	if (id.len != UUID_SIZE)
		return -EBADMSG;
	memcpy(ret->message_id, id.data, UUID_SIZE);
	r = store_get(store, STORE_SENT, BYTES(ret->message_id, UUID_SIZE), &value);
	if (r == 0)
		r = sent_row_decode(value, &sent);
	if (r)
		return r < 0 ? r : -EBADMSG;
	memcpy(ret->case_id, sent.case_id, CASE_ID_SIZE);
	ret->duplicate = true;
	return 0;
}

static int rows_write(struct turn *turn, const struct dw_message *message,
	const struct composed *composed, uint64_t number)
{
	uint8_t key[BY_KEY_MAX], buf[SENT_ROW_MAX];
	struct bytes id = BYTES(composed->message_id, UUID_SIZE);
	struct sent_row sent = {
		.state = SENT_WAITING,
		.number = number,
		.sender = message->sender,
		.service = message->service,
		.key = message->key,
	};
	memcpy(sent.h, composed->h, HASH_SIZE);
	memcpy(sent.case_id, composed->case_id, CASE_ID_SIZE);
	int r = store_put(turn->options.store, STORE_BY_KEY,
		by_key_key(message->sender, message->key, key), id);
	if (r)
		return r;
	return store_put(
		turn->options.store, STORE_SENT, id, BYTES(buf, sent_row_encode(&sent, buf)));
}

/* What a sealed message is made of anew. */
static int body_make(
	struct turn *turn, const struct composed *composed, struct bytes body, struct bytes *ret)
{
	struct bytes keys = composed->attachments;
	*ret = body;
	if (keys.len == 0)
		return 0;
	uint8_t *buf = arena_alloc(turn->tray->arena, 4 + keys.len + body.len);
	if (!buf)
		return -ENOMEM;
	be32_put(buf, (uint32_t)keys.len);
	memcpy(buf + 4, keys.data, keys.len);
	if (body.len > 0)
		memcpy(buf + 4 + keys.len, body.data, body.len);
	*ret = BYTES(buf, 4 + keys.len + body.len);
	return 0;
}

static int body_split(const struct outbox_row *row, struct sealing_content *ret)
{
	*ret = (struct sealing_content){.body = row->body};
	if (!row->attached)
		return 0;
	size_t keys = row->body.len < 4 ? SIZE_MAX : be32_get(row->body.data);
	if (row->body.len < 4 || keys > row->body.len - 4)
		return -EBADMSG;
	ret->attachments = BYTES(row->body.data + 4, keys);
	ret->body = BYTES(row->body.data + 4 + keys, row->body.len - 4 - keys);
	return 0;
}

static int row_of(struct turn *turn, const struct composed *composed, struct bytes body,
	struct outbox_row *ret)
{
	*ret = (struct outbox_row){
		.sealed = composed->sealed,
		.attached = composed->sealed && composed->attachments.len > 0,
		.place = composed->place,
		.header = composed->header,
		.content = composed->content,
	};
	memcpy(ret->message_id, composed->message_id, UUID_SIZE);
	memcpy(ret->case_id, composed->case_id, CASE_ID_SIZE);
	return composed->sealed ? body_make(turn, composed, body, &ret->body) : 0;
}

/* Large bodies go straight into the store; small ones wait in the arena for their row. */
static int pending_fill(struct turn *turn, struct pending *pending,
	const struct dw_message *message, const struct composed *composed)
{
	pending->party = parties_find(turn->options.parties, message->sender);
	pending->number = outbox_number(turn->options.outbox);
	memcpy(pending->h, composed->h, HASH_SIZE);
	int r = row_of(turn, composed, message->body, &pending->row);
	if (r)
		return r;
	(void)outbox_row_size(&pending->row);
	if (pending->row.chunked)
		return outbox_put_large(turn->options.outbox, pending->number, &pending->row);
	return arena_copy(turn->tray->arena, pending->row.body, &pending->row.body);
}

static int compose(struct turn *turn, const struct registry *registry,
	const struct dw_message *message, struct composed *ret, char *reterr, size_t size)
{
	struct composer composer;
	const struct sealed_attachment *sealed = NULL;
	int r = 0;
	if (message->attachments_count > 0)
		r = sealer_take(turn->options.sealer, message, &sealed, reterr, size);
	if (r == 0)
		r = composer_init(turn, registry, &composer);
	return r ? r : compose_message(&composer, message, sealed, ret, reterr, size);
}

/* The sealed attachments belong to a message now, or to none. */
static void sealed_settle(struct turn *turn, const struct dw_message *message, int r)
{
	if (message->attachments_count > 0 && r != DW_SEALING && r != DW_FULL)
		sealer_done(turn->options.sealer, r == 0);
}

static struct pending *pending_new(struct turn *turn, const struct dw_message *message)
{
	struct pending *pending = &turn->tray->pending[turn->tray->count];
	*pending = (struct pending){};
	return arena_copy(turn->tray->arena, message->key, &pending->key) == 0 ? pending : NULL;
}

int turn_submit(struct turn *turn, const struct registry *registry, const struct dw_message *given,
	bool awaited, struct dw_submitted *ret, char *reterr, size_t size)
{
	uint64_t before = store_urgent(turn->options.store);
	struct dw_message message = *given;
	struct composed composed = {};
	if (message.sender.len == 0)
		message.sender = BYTES_STR(turn->options.config->party);
	int r = message_check(turn, &message, reterr, size);
	if (r == 0)
		r = full_check(turn, reterr, size);
	struct pending *pending = r ? NULL : pending_new(turn, &message);
	if (!pending)
		return r ? r : -ENOMEM;
	r = duplicate_find(turn, &message, &pending->ids);
	if (r == STORE_NOT_FOUND) {
		r = compose(turn, registry, &message, &composed, reterr, size);
		if (r == 0)
			r = pending_fill(turn, pending, &message, &composed);
		if (r == 0)
			r = rows_write(turn, &message, &composed, pending->number);
		sealed_settle(turn, &message, r);
		if (r)
			return r;
		memcpy(pending->ids.message_id, composed.message_id, UUID_SIZE);
		memcpy(pending->ids.case_id, composed.case_id, CASE_ID_SIZE);
		turn->tray->fresh++;
	}
	if (r)
		return r;
	if (awaited && message.attachments_count == 0)
		store_excuse(turn->options.store, before);
	else
		turn->tray->ordinary++;
	turn->tray->count++;
	*ret = pending->ids;
	return 0;
}

/* ---- signing ---- */

static int core_make(const Dienstweg__Signature *signature, struct arena *arena, struct bytes *ret)
{
	uint8_t core[SIGNATURE_CORE_MAX];
	return arena_copy(arena, BYTES(core, signature_core(signature, core)), ret);
}

static int batch_sign(
	struct turn *turn, const struct party *party, struct pending *const *batch, size_t count)
{
	uint8_t items[BATCH_MAX][HASH_SIZE];
	Dienstweg__Signature signatures[BATCH_MAX];
	struct arena *arena = turn->tray->arena;
	for (size_t i = 0; i < count; i++)
		memcpy(items[i], batch[i]->h, HASH_SIZE);
	int r = signature_sign(SIGNATURE_MESSAGE, BYTES_STR(turn->options.config->bus), party->sign,
		(const uint8_t(*)[HASH_SIZE])items, count, signatures, arena);
	for (size_t i = 0; i < count && r == 0; i++)
		r = core_make(&signatures[i], arena, &batch[i]->row.core);
	return r;
}

/* In order, each party's own, full batches first. */
static int party_sign(struct turn *turn, size_t party, size_t batch_max)
{
	struct pending *batch[BATCH_MAX];
	struct tray *tray = turn->tray;
	size_t count = 0;
	for (size_t i = tray->written; i < tray->count; i++) {
		struct pending *pending = &tray->pending[i];
		if (pending->ids.duplicate || pending->party != party)
			continue;
		batch[count++] = pending;
		if (count < batch_max)
			continue;
		int r = batch_sign(turn, &turn->options.parties->all[party], batch, count);
		if (r)
			return r;
		count = 0;
	}
	return count ? batch_sign(turn, &turn->options.parties->all[party], batch, count) : 0;
}

int turn_sign(struct turn *turn)
{
	struct tray *tray = turn->tray;
	uint64_t wanted = turn->options.config->flight.batch_max;
	size_t batch_max = wanted >= 1 && wanted < BATCH_MAX ? (size_t)wanted : BATCH_MAX;
	if (tray->fresh == 0)
		return 0;
	for (size_t party = 0; party < turn->options.parties->count; party++) {
		int r = party_sign(turn, party, batch_max);
		if (r)
			return r;
	}
	for (; tray->written < tray->count; tray->written++) {
		struct pending *pending = &tray->pending[tray->written];
		if (pending->ids.duplicate)
			continue;
		int r = outbox_put(turn->options.outbox, pending->number, &pending->row);
		if (r)
			return r;
	}
	tray->fresh = 0;
	return outbox_save(turn->options.outbox);
}

int turn_tell(struct turn *turn,
	int (*submitted)(void *context, struct bytes key, const struct dw_submitted *ids),
	void *context)
{
	struct tray *done = turn->tray;
	int r = 0;
	if (done->count == 0) {
		tray_reset(done);
		return 0;
	}
	turn->tray = done == &turn->trays[0] ? &turn->trays[1] : &turn->trays[0];
	for (size_t i = 0; i < done->count && r == 0; i++)
		r = submitted(context, done->pending[i].key, &done->pending[i].ids);
	tray_reset(done);
	return r;
}

/* ---- sealing and signing anew ---- */

static int sign_alone(
	struct turn *turn, struct bytes sender, const uint8_t h[HASH_SIZE], struct bytes *ret_core)
{
	uint8_t items[1][HASH_SIZE];
	Dienstweg__Signature signature;
	size_t party = parties_find(turn->options.parties, sender);
	if (party == PARTIES_NONE)
		return -EBADMSG;
	memcpy(items[0], h, HASH_SIZE);
	int r = signature_sign(SIGNATURE_MESSAGE, BYTES_STR(turn->options.config->bus),
		turn->options.parties->all[party].sign, (const uint8_t(*)[HASH_SIZE])items, 1,
		&signature, turn->tray->arena);
	return r ? r : core_make(&signature, turn->tray->arena, ret_core);
}

static int sent_rename(struct turn *turn, const struct composed *composed, struct bytes *ret_sender)
{
	uint8_t buf[SENT_ROW_MAX];
	struct bytes id = BYTES(composed->message_id, UUID_SIZE), value;
	struct sent_row sent;
	int r = store_get(turn->options.store, STORE_SENT, id, &value);
	if (r == 0)
		r = sent_row_decode(value, &sent);
	if (r)
		return r < 0 ? r : -EBADMSG;
	memcpy(sent.h, composed->h, HASH_SIZE);
	r = arena_copy(turn->tray->arena, sent.sender, ret_sender);
	if (r)
		return r;
	return store_put(
		turn->options.store, STORE_SENT, id, BYTES(buf, sent_row_encode(&sent, buf)));
}

/* The row as it is, with views that outlive writing: everything is copied. */
static int row_copy(struct turn *turn, uint64_t number, struct outbox_row *ret)
{
	struct arena *arena = turn->tray->arena;
	int r = outbox_get(turn->options.outbox, number, ret);
	if (r)
		return r < 0 ? r : -EBADMSG;
	bool chunked = ret->chunked;
	r = outbox_load_body(turn->options.outbox, number, arena, ret);
	if (r == 0)
		r = arena_copy(arena, ret->header, &ret->header);
	if (r == 0 && !chunked)
		r = arena_copy(arena, ret->body, &ret->body);
	return r;
}

int turn_reseal(struct turn *turn, const struct registry *registry, uint64_t number,
	uint8_t ret_h[HASH_SIZE], uint32_t *ret_bytes)
{
	char why[ERROR_SIZE];
	struct composer composer;
	struct composed composed = {};
	struct outbox_row old, row;
	struct sealing_content content;
	struct bytes sender;
	int r = row_copy(turn, number, &old);
	if (r == 0 && !old.sealed)
		return DW_UNROUTABLE;
	if (r == 0)
		r = body_split(&old, &content);
	if (r == 0)
		r = composer_init(turn, registry, &composer);
	if (r == 0)
		r = compose_again(&composer, old.header, &content, &composed, why, sizeof(why));
	if (r)
		return r == DW_INVALID ? DW_UNROUTABLE : r;
	r = row_of(turn, &composed, content.body, &row);
	if (r == 0)
		r = sent_rename(turn, &composed, &sender);
	if (r == 0)
		r = sign_alone(turn, sender, composed.h, &row.core);
	if (r == 0)
		r = outbox_replace(turn->options.outbox, number, &old, &row);
	if (r)
		return r;
	memcpy(ret_h, composed.h, HASH_SIZE);
	*ret_bytes = (uint32_t)(row.header.len + row.content.len);
	return 0;
}

/* The sender of a message of ours, out of its sent row. */
static int sender_of(struct turn *turn, const uint8_t id[UUID_SIZE], struct bytes *ret)
{
	struct bytes value;
	struct sent_row sent;
	int r = store_get(turn->options.store, STORE_SENT, BYTES(id, UUID_SIZE), &value);
	if (r == 0)
		r = sent_row_decode(value, &sent);
	if (r)
		return r < 0 ? r : -EBADMSG;
	return arena_copy(turn->tray->arena, sent.sender, ret);
}

int turn_resign(struct turn *turn, uint64_t number)
{
	struct arena *arena = turn->tray->arena;
	struct outbox_row old, row;
	uint8_t h[HASH_SIZE];
	struct bytes sender;
	int r = row_copy(turn, number, &old);
	if (r == 0)
		r = outbox_load_content(turn->options.outbox, number, arena, &old);
	if (r == 0)
		r = arena_copy(arena, old.content, &old.content);
	if (r == 0)
		r = sender_of(turn, old.message_id, &sender);
	if (r)
		return r;
	row = old;
	envelope_header_hash(old.header, h);
	r = sign_alone(turn, sender, h, &row.core);
	return r ? r : outbox_replace(turn->options.outbox, number, &old, &row);
}
