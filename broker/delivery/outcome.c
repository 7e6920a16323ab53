/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The recipient signed its acknowledgements as one batch; the sender may see only those of its own
 * messages. The batch signature was made for that: each outcome takes along its path to the signed root.
 * All nodes of the small tree are computed once per batch, since at full load most of its up to 32
 * acknowledgements go to the same sender.
 */
#include "broker/delivery/outcome.h"

#include <errno.h>

#include "broker/delivery/batch.h"
#include "broker/field.h"
#include "broker/routing/rows.h"
#include "proto/merkle/merkle.h"
#include "proto/signature/signature.h"

struct ack_tree {
	size_t size;
	struct merkle_hash node[SIGNATURE_PATH_MAX + 1][BATCH_MAX];
};

static void ack_tree_build(struct ack_tree *tree, struct bytes bus, const Dienstweg__AckBatch *batch)
{
	tree->size = batch->n_acks;
	for (size_t i = 0; i < tree->size; i++) {
		const Dienstweg__Ack *ack = batch->acks[i];
		uint8_t digest[HASH_SIZE];
		acknowledgement_digest(bus, BYTES_PB(batch->recipient), ack->sequence, ack->h.data,
			ack->accepted, BYTES_PB(ack->code), BYTES_PB(ack->text), digest);
		merkle_leaf(BYTES(digest, HASH_SIZE), &tree->node[0][i]);
	}
	size_t count = tree->size;
	for (unsigned int level = 0; count > 1; level++) {
		for (size_t i = 0; i < count / 2; i++)
			merkle_node(&tree->node[level][2 * i], &tree->node[level][2 * i + 1],
				&tree->node[level + 1][i]);
		/* A ragged edge moves up as it is (RFC 6962). */
		if (count % 2)
			tree->node[level + 1][count / 2] = tree->node[level][count - 1];
		count = (count + 1) / 2;
	}
}

static Dienstweg__Signature *ack_signature(const struct ack_tree *tree,
	const Dienstweg__AckBatch *batch, size_t index, struct arena *arena)
{
	struct merkle_coordinate steps[MERKLE_LEVELS];
	size_t count = merkle_path_coordinates(index, tree->size, steps);
	Dienstweg__Signature *signature = arena_alloc(arena, sizeof(*signature));
	uint8_t *path = arena_alloc(arena, count * HASH_SIZE);
	if (!signature || !path)
		return NULL;
	for (size_t i = 0; i < count; i++)
		memcpy(path + i * HASH_SIZE, tree->node[steps[i].level][steps[i].index].bytes,
			HASH_SIZE);
	dienstweg__signature__init(signature);
	signature->key_id = batch->key_id;
	signature->root = batch->root;
	signature->size = (uint32_t)tree->size;
	signature->index = (uint32_t)index;
	signature->path = field_bytes(BYTES(path, count * HASH_SIZE));
	return signature;
}

static bool batch_is_whole(const Dienstweg__AckBatch *batch)
{
	if (batch->n_acks < 1 || batch->n_acks > BATCH_MAX)
		return false;
	for (size_t i = 0; i < batch->n_acks; i++) {
		if (batch->acks[i]->h.len != HASH_SIZE)
			return false;
	}
	return true;
}

static int outcome_copy(
	struct arena *arena, const uint8_t *data, size_t len, ProtobufCBinaryData *ret)
{
	struct bytes copy;
	int r = arena_copy(arena, BYTES(data, len), &copy);
	if (r == 0)
		*ret = field_bytes(copy);
	return r;
}

/* What every end state has. */
static int outcome_fill(
	Dienstweg__Outcome *outcome, const struct outcome_item *item, struct arena *arena)
{
	dienstweg__outcome__init(outcome);
	outcome->message_sequence = item->sequence;
	outcome->state = field_text(end_state_name(item->state));
	int r = outcome_copy(arena, item->h, HASH_SIZE, &outcome->h);
	if (r == 0)
		r = outcome_copy(arena, item->case_id, sizeof(item->case_id), &outcome->case_id);
	if (r == 0)
		r = outcome_copy(arena, item->message_id, UUID_SIZE, &outcome->message_id);
	return r;
}

static int outcome_by_ack(Dienstweg__Outcome *outcome, const struct outcome_source *source,
	const struct ack_tree *tree, const struct outcome_item *item, struct arena *arena)
{
	if (item->index >= source->acks->n_acks)
		return OUTCOME_DAMAGED;
	const Dienstweg__Ack *ack = source->acks->acks[item->index];
	outcome->recipient = source->acks->recipient;
	outcome->code = ack->code;
	outcome->text = ack->text;
	outcome->signature = ack_signature(tree, source->acks, item->index, arena);
	return outcome->signature ? 0 : -ENOMEM;
}

static int outcome_by_number(Dienstweg__Outcome *outcome, const struct outcome_source *source,
	const struct outcome_item *item, struct arena *arena)
{
	char name[64] = "";
	int r = source->name(source->name_context, item->recipient, name);
	if (r != 0)
		return r;
	outcome->code = field_bytes(source->code);
	return outcome_copy(arena, (const uint8_t *)name, strlen(name), &outcome->recipient);
}

static int outcome_item_make(const struct outcome_source *source, const struct ack_tree *tree,
	const struct outcome_item *item, struct arena *arena, Dienstweg__Item **ret)
{
	Dienstweg__Item *made = arena_alloc(arena, sizeof(*made));
	Dienstweg__Outcome *outcome = arena_alloc(arena, sizeof(*outcome));
	if (!made || !outcome)
		return -ENOMEM;
	int r = outcome_fill(outcome, item, arena);
	if (r == 0)
		r = source->acks ? outcome_by_ack(outcome, source, tree, item, arena)
				 : outcome_by_number(outcome, source, item, arena);
	if (r != 0)
		return r;
	dienstweg__item__init(made);
	made->sequence = source->entry;
	made->party = field_bytes(source->party);
	made->batch_ms = source->batch_ms;
	made->attempt = 1;
	made->outcome = outcome;
	*ret = made;
	return 0;
}

int outcome_items(const struct outcome_source *source, struct arena *arena, struct outcomes *ret)
{
	struct ack_tree tree;
	struct outcome_item item;
	*ret = (struct outcomes){0};
	if (source->acks && !batch_is_whole(source->acks))
		return OUTCOME_DAMAGED;
	if (source->acks)
		ack_tree_build(&tree, source->bus, source->acks);
	ret->items = arena_alloc(arena, OUTCOME_ITEMS_MAX * sizeof(Dienstweg__Item *));
	if (!ret->items)
		return -ENOMEM;
	for (; outcome_item_decode(source->row, ret->count, &item) == 0; ret->count++) {
		if (ret->count == OUTCOME_ITEMS_MAX)
			return OUTCOME_DAMAGED;
		int r = outcome_item_make(source, &tree, &item, arena, &ret->items[ret->count]);
		if (r != 0)
			return r;
		ret->bytes += ITEM_OVERHEAD_MAX + ret->items[ret->count]->outcome->text.len;
	}
	return ret->count > 0 ? 0 : OUTCOME_DAMAGED;
}
