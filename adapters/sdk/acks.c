/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A batch is packed once by itself, because its receipt is over exactly these bytes; the frame holds the
 * same bytes, as protobuf-c packs a submessage as it packs it alone. Credit for a delivery is given back
 * only when its acknowledgement is recorded: that bounds the inbox by what was granted.
 *
 * A batch that is refused (our sign key was replaced, say) is signed anew after a pause; the messages stay
 * handed over, and their verdict does not change.
 */
#include "adapters/sdk/acks.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "adapters/sdk/evidence.h"
#include "adapters/sdk/map.h"
#include "adapters/sdk/rows.h"
#include "proto/base/log.h"
#include "proto/receipt/receipt.h"
#include "proto/signature/signature.h"

enum {
	NONE = MAP_NONE,
	BATCH_BYTES_MAX = 3000,
	BATCH_FIXED_BYTES = 64 + 16 + 64 + 16, /* recipient, key id, signature, their tags */
	ACK_FIXED_BYTES = 64,                  /* sequence, h, flag, tags */
	SLOTS = 128,                           /* batches not answered yet */
	FRAME_BATCHES_MAX = 64,
	REFUSED_PAUSE_MS = 10000,
	BUSY_PAUSE_MS = 500,
	ARENA_BUDGET = 1 << 20,
};

struct ack {
	struct ack_new what;
	uint64_t credit_messages, credit_bytes; /* of this session */
	bool sent;
	uint32_t slot; /* sent: its batch */
	uint32_t next; /* free, or in the queue */
};

/* A batch on the wire. */
struct slot {
	bool used;
	bool proven;
	size_t open; /* acks without an answer */
	size_t count;
	uint32_t acks[BATCH_MAX];
	uint8_t digest[HASH_SIZE];
	size_t len;
	uint8_t bytes[BATCH_BYTES_MAX];
};

struct acks {
	struct acks_options options;
	struct receipt_checker *checker;
	struct arena *arena;
	struct map *by_sequence;
	struct ack *all;
	uint32_t free;
	uint32_t first, last; /* to be sent, in order */
	uint64_t paused_until;
	struct slot slots[SLOTS];
};

static uint64_t ack_key(size_t party, uint64_t sequence)
{
	return sequence * (PARTIES_MAX + 1) + party;
}

static void queue_append(struct acks *acks, uint32_t index)
{
	acks->all[index].next = NONE;
	acks->all[index].sent = false;
	if (acks->last == NONE)
		acks->first = index;
	else
		acks->all[acks->last].next = index;
	acks->last = index;
}

static uint32_t queue_take(struct acks *acks)
{
	uint32_t index = acks->first;
	acks->first = acks->all[index].next;
	if (acks->first == NONE)
		acks->last = NONE;
	return index;
}

static void queue_back(struct acks *acks, uint32_t index)
{
	acks->all[index].sent = false;
	acks->all[index].next = acks->first;
	acks->first = index;
	if (acks->last == NONE)
		acks->last = index;
}

/* ---- what is on its way ---- */

void acks_add(struct acks *acks, const struct ack_new *ack)
{
	uint64_t key = ack_key(ack->party, ack->sequence);
	uint32_t index = map_get(acks->by_sequence, key);
	if (index == NONE) {
		index = acks->free;
		assert(index != NONE);
		acks->free = acks->all[index].next;
		acks->all[index] = (struct ack){.what = *ack, .slot = NONE};
		map_put(acks->by_sequence, key, index);
		queue_append(acks, index);
	}
	/* One that is on its way is answered in this session, or sent again in the next. */
	acks->all[index].credit_messages += ack->delivered;
	acks->all[index].credit_bytes += ack->bytes;
}

size_t acks_count(const struct acks *acks)
{
	return map_count(acks->by_sequence);
}

size_t acks_room(const struct acks *acks)
{
	return acks->options.max - map_count(acks->by_sequence);
}

static void unsend(struct acks *acks, struct slot *slot)
{
	for (size_t i = slot->count; i > 0; i--) {
		if (slot->acks[i - 1] != NONE)
			queue_back(acks, slot->acks[i - 1]);
	}
	slot->used = false;
}

/* Slots are not in order of time, but acknowledgements need no order. */
static void unsend_all(struct acks *acks)
{
	for (size_t i = 0; i < SLOTS; i++) {
		if (acks->slots[i].used)
			unsend(acks, &acks->slots[i]);
	}
}

void acks_again(struct acks *acks)
{
	unsend_all(acks);
	acks->paused_until = clock_mono_ns(acks->options.clock) + BUSY_PAUSE_MS * UINT64_C(1000000);
}

void acks_new_registry(struct acks *acks)
{
	acks->paused_until = 0;
}

void acks_restart(struct acks *acks)
{
	unsend_all(acks);
	for (size_t i = 0; i < acks->options.max; i++)
		acks->all[i].credit_messages = acks->all[i].credit_bytes = 0;
	acks->paused_until = 0;
}

static int load_one(void *context, struct bytes key, struct bytes value)
{
	struct acks *acks = context;
	struct inbox_row row;
	struct ack_new ack = {};
	int r = inbox_row_decode(value, &row);
	if (r || key.len < HASH_SIZE)
		return -EBADMSG;
	ack.party = parties_find(
		acks->options.parties, BYTES(key.data + HASH_SIZE, key.len - HASH_SIZE));
	if (ack.party == PARTIES_NONE || acks_room(acks) == 0) {
		log_warn("inbox",
			"a verdict that cannot be told: its party is not operated any more");
		return 0;
	}
	ack.sequence = row.sequence;
	memcpy(ack.h, key.data, HASH_SIZE);
	acks_add(acks, &ack);
	return 0;
}

int acks_new(const struct acks_options *options, struct acks **ret)
{
	_cleanup_(acks_free) struct acks *acks = calloc(1, sizeof(*acks));
	if (!acks)
		return -ENOMEM;
	acks->options = *options;
	acks->first = acks->last = NONE;
	acks->all = calloc(options->max, sizeof(acks->all[0]));
	acks->arena = arena_new(ARENA_BUDGET);
	if (!acks->all || !acks->arena)
		return -ENOMEM;
	for (uint32_t i = 0; i < options->max; i++)
		acks->all[i].next = i + 1 < options->max ? i + 1 : NONE;
	int r = map_new(options->max, &acks->by_sequence);
	if (r == 0)
		r = receipt_checker_new(&acks->checker);
	if (r == 0)
		r = store_scan(options->store, STORE_INBOX, BYTES(NULL, 0), load_one, acks);
	if (r)
		return r;
	*ret = steal(&acks);
	return 0;
}

void acks_free(struct acks *acks)
{
	if (!acks)
		return;
	receipt_checker_free(acks->checker);
	map_free(acks->by_sequence);
	arena_free(acks->arena);
	free(acks->all);
	free(acks);
}

/* ---- sending ---- */

static ProtobufCBinaryData pb(struct bytes view)
{
	return (ProtobufCBinaryData){.len = view.len, .data = (uint8_t *)(uintptr_t)view.data};
}

/* The acknowledgement of a delivery, with the verdict out of the store. */
static int ack_fill(struct acks *acks, const struct ack_new *what, Dienstweg__Ack *ret,
	uint8_t digest[HASH_SIZE])
{
	uint8_t key[INBOX_KEY_MAX];
	struct bytes value, name = BYTES_STR(acks->options.parties->names[what->party]);
	struct inbox_row row;
	int r = store_get(acks->options.store, STORE_INBOX, inbox_key(what->h, name, key), &value);
	if (r == 0)
		r = inbox_row_decode(value, &row);
	if (r)
		return r < 0 ? r : -EBADMSG;
	dienstweg__ack__init(ret);
	ret->sequence = what->sequence;
	ret->h = pb(BYTES(what->h, HASH_SIZE));
	ret->accepted = row.accepted;
	ret->code = pb(row.code);
	ret->text = pb(row.text);
	acknowledgement_digest(BYTES_STR(acks->options.bus), name, what->sequence, what->h,
		row.accepted, row.code, row.text, digest);
	return 0;
}

static struct slot *slot_new(struct acks *acks)
{
	for (size_t i = 0; i < SLOTS; i++) {
		if (!acks->slots[i].used) {
			acks->slots[i].used = true;
			acks->slots[i].proven = false;
			acks->slots[i].count = acks->slots[i].open = 0;
			return &acks->slots[i];
		}
	}
	return NULL;
}

static void batch_pack(struct slot *slot, const Dienstweg__AckBatch *batch)
{
	slot->len = dienstweg__ack_batch__get_packed_size(batch);
	assert(slot->len <= BATCH_BYTES_MAX);
	dienstweg__ack_batch__pack(batch, slot->bytes);
	receipt_ack_batch_digest(BYTES(slot->bytes, slot->len), slot->digest);
}

/* Sign what is in the slot: one recipient, in order. */
static int batch_sign(struct acks *acks, struct slot *slot, Dienstweg__Ack **pointers,
	const uint8_t (*digests)[HASH_SIZE], Dienstweg__AckBatch *ret)
{
	Dienstweg__Signature signatures[BATCH_MAX];
	const struct party *party = &acks->options.parties->all[acks->all[slot->acks[0]].what.party];
	int r = signature_sign(SIGNATURE_ACK, BYTES_STR(acks->options.bus), party->sign, digests,
		slot->count, signatures, acks->arena);
	if (r)
		return r;
	dienstweg__ack_batch__init(ret);
	ret->recipient = pb(BYTES_STR(party->name));
	ret->acks = pointers;
	ret->n_acks = slot->count;
	ret->key_id = signatures[0].key_id;
	ret->root = signatures[0].root;
	batch_pack(slot, ret);
	return 0;
}

static size_t ack_bytes(const Dienstweg__Ack *ack)
{
	return ACK_FIXED_BYTES + ack->code.len + ack->text.len;
}

/* Fill a slot from the queue; memory of the acks is the arena's. */
static int batch_make(struct acks *acks, struct slot *slot, Dienstweg__AckBatch *ret)
{
	uint8_t digests[BATCH_MAX][HASH_SIZE];
	size_t bytes = BATCH_FIXED_BYTES;
	Dienstweg__Ack *list = arena_alloc(acks->arena, BATCH_MAX * sizeof(*list));
	Dienstweg__Ack **pointers = arena_alloc(acks->arena, BATCH_MAX * sizeof(Dienstweg__Ack *));
	if (!list || !pointers)
		return -ENOMEM;
	while (acks->first != NONE && slot->count < BATCH_MAX) {
		struct ack *ack = &acks->all[acks->first];
		size_t i = slot->count;
		if (i > 0 && ack->what.party != acks->all[slot->acks[0]].what.party)
			break;
		int r = ack_fill(acks, &ack->what, &list[i], digests[i]);
		if (r)
			return r;
		bytes += ack_bytes(&list[i]);
		if (bytes > BATCH_BYTES_MAX)
			break;
		pointers[i] = &list[i];
		slot->acks[i] = queue_take(acks);
		ack->sent = true;
		ack->slot = (uint32_t)(slot - acks->slots);
		slot->count = slot->open = i + 1;
	}
	return batch_sign(acks, slot, pointers, (const uint8_t(*)[HASH_SIZE])digests, ret);
}

struct ack_frame {
	size_t count;
	struct slot *slots[FRAME_BATCHES_MAX];
	Dienstweg__AckBatch batches[FRAME_BATCHES_MAX];
	Dienstweg__AckBatch *pointers[FRAME_BATCHES_MAX];
};

static int frame_fill(struct acks *acks, struct ack_frame *frame)
{
	struct slot *slot;
	arena_reset(acks->arena);
	frame->count = 0;
	while (acks->first != NONE && frame->count < FRAME_BATCHES_MAX && (slot = slot_new(acks))) {
		size_t i = frame->count;
		int r = batch_make(acks, slot, &frame->batches[i]);
		if (r)
			return r;
		frame->slots[i] = slot;
		frame->pointers[i] = &frame->batches[i];
		frame->count++;
	}
	return 0;
}

int acks_flush(struct acks *acks, struct client *client)
{
	while (acks->first != NONE && client_state(client) == CLIENT_READY &&
		clock_mono_ns(acks->options.clock) >= acks->paused_until) {
		struct ack_frame list;
		Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
		Dienstweg__Acknowledge acknowledge = DIENSTWEG__ACKNOWLEDGE__INIT;
		int r = frame_fill(acks, &list);
		if (r || list.count == 0)
			return r;
		acknowledge.n_batches = list.count;
		acknowledge.batches = list.pointers;
		frame.body_case = DIENSTWEG__FRAME__BODY_ACKNOWLEDGE;
		frame.acknowledge = &acknowledge;
		r = client_send(client, &frame);
		if (r == 0)
			continue;
		for (size_t i = list.count; i > 0; i--)
			unsend(acks, list.slots[i - 1]);
		return r < 0 ? r : 0;
	}
	return 0;
}

/* ---- answers ---- */

static struct slot *slot_find(struct acks *acks, ProtobufCBinaryData digest)
{
	for (size_t i = 0; i < SLOTS; i++) {
		if (acks->slots[i].used &&
			bytes_equal(BYTES_PB(digest), BYTES(acks->slots[i].digest, HASH_SIZE)))
			return &acks->slots[i];
	}
	return NULL;
}

static int receipt_take(struct acks *acks, const Dienstweg__Acknowledged *frame,
	const Dienstweg__AckReceipt *receipt)
{
	struct slot *slot = slot_find(acks, receipt->digest);
	if (!slot)
		return 0;
	int r = receipt_check_ack(acks->checker, receipt, slot->digest);
	if (r > 0)
		return trust_alarm(acks->options.trust,
			"The broker gave a receipt for acknowledgements that does not lead to the "
			"checkpoint beside it.",
			BYTES_PB(frame->checkpoint), BYTES_PB(frame->nodes));
	trust_registry_seen(acks->options.trust, receipt->registry_version);
	if (r == 0)
		r = evidence_put_acked(acks->options.store, BYTES(slot->bytes, slot->len), receipt,
			BYTES_PB(frame->nodes), BYTES_PB(frame->checkpoint));
	slot->proven = true;
	return r;
}

static int receipts_take(struct acks *acks, const Dienstweg__Acknowledged *frame)
{
	struct checkpoint checkpoint;
	if (frame->n_receipts == 0)
		return 0;
	int r = trust_checkpoint(acks->options.trust, BYTES_PB(frame->checkpoint), &checkpoint);
	if (r)
		return r;
	if (receipt_checker_start(acks->checker, &checkpoint, BYTES_PB(frame->nodes)) != 0)
		return trust_alarm(acks->options.trust,
			"The broker gave receipts whose tree nodes are malformed.",
			BYTES_PB(frame->checkpoint), BYTES_PB(frame->nodes));
	for (size_t i = 0; i < frame->n_receipts && r == 0; i++)
		r = receipt_take(acks, frame, frame->receipts[i]);
	return r;
}

static void slot_drop(struct slot *slot, uint32_t index)
{
	for (size_t i = 0; i < slot->count; i++) {
		if (slot->acks[i] == index) {
			slot->acks[i] = NONE;
			slot->open--;
		}
	}
	if (slot->open == 0)
		slot->used = false;
}

static int ack_forget(struct acks *acks, uint32_t index, struct client *client)
{
	uint8_t key[INBOX_KEY_MAX];
	struct ack *ack = &acks->all[index];
	struct bytes name = BYTES_STR(acks->options.parties->names[ack->what.party]);
	int r = store_delete(acks->options.store, STORE_INBOX, inbox_key(ack->what.h, name, key));
	if (r == 0 && ack->credit_messages)
		r = client_credit_add(client, ack->credit_messages, ack->credit_bytes);
	slot_drop(&acks->slots[ack->slot], index);
	map_remove(acks->by_sequence, ack_key(ack->what.party, ack->what.sequence));
	ack->next = acks->free;
	acks->free = index;
	return r;
}

static int state_take(struct acks *acks, const Dienstweg__AckState *state, struct client *client)
{
	struct bytes word = BYTES_PB(state->state);
	size_t party = parties_find(acks->options.parties, BYTES_PB(state->party));
	if (party == PARTIES_NONE)
		return 0;
	uint32_t index = map_get(acks->by_sequence, ack_key(party, state->sequence));
	if (index == NONE || !acks->all[index].sent)
		return 0;
	bool recorded = bytes_equal(word, BYTES_STR("recorded"));
	if (recorded && !acks->slots[acks->all[index].slot].proven) {
		log_error("inbox",
			"the broker says that an acknowledgement is recorded, without proof",
			F_U64("sequence", state->sequence));
		return 0;
	}
	if (bytes_equal(word, BYTES_STR("unknown")))
		log_warn("inbox", "the broker knows no such delivery to us",
			F_U64("sequence", state->sequence));
	else if (!recorded && !bytes_equal(word, BYTES_STR("already")))
		return 0;
	return ack_forget(acks, index, client);
}

static void refusal_take(struct acks *acks, const Dienstweg__Refusal *refusal)
{
	struct slot *slot = slot_find(acks, refusal->h);
	if (!slot)
		return;
	log_error("inbox",
		"the broker refused a batch of acknowledgements; it is signed and sent again",
		F_BYTES("code", BYTES_PB(refusal->code)),
		F_BYTES("detail", BYTES_PB(refusal->detail)));
	trust_want_registry(acks->options.trust);
	acks->paused_until = clock_mono_ns(acks->options.clock) +
			     REFUSED_PAUSE_MS * UINT64_C(1000000);
	unsend(acks, slot);
}

int acks_recorded(struct acks *acks, const Dienstweg__Acknowledged *frame, struct client *client)
{
	int r = receipts_take(acks, frame);
	for (size_t i = 0; i < frame->n_states && r == 0; i++)
		r = state_take(acks, frame->states[i], client);
	for (size_t i = 0; i < frame->n_refusals && r == 0; i++)
		refusal_take(acks, frame->refusals[i]);
	return r;
}
