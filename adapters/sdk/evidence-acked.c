/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What a recipient can show for its acknowledgement: that it is in the journal. Batches are kept by the entry
 * they became, and asked for by a message that is in them; that is seldom, so they are gone through from
 * the beginning rather than indexed with every batch. A number of a message that the log lost is given again, so the
 * newest epoch that has it counts, unless another is asked for.
 */
#include <errno.h>

#include "adapters/sdk/evidence.h"
#include "adapters/sdk/fields.h"
#include "proto/journal.pb-c.h"
#include "proto/receipt/proof-file.h"
#include "proto/receipt/receipt.h"

enum { EVIDENCE_FORM = 0, BATCH_ARENA = 1 << 18 };

struct acked_search {
	uint64_t message; /* sequence */
	uint32_t epoch;   /* EVIDENCE_NEWEST: any */
	bool found;
	uint32_t found_epoch;
	struct arena *arena;
	struct bytes *ret_text, *ret_batch;
};

/* Is an acknowledgement of the message among these? -ENOMEM, -EBADMSG, 0 or 1. */
static int batch_has(struct bytes bytes, uint64_t message)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(BATCH_ARENA);
	if (!arena)
		return -ENOMEM;
	const Dienstweg__AckBatch *batch = dienstweg__ack_batch__unpack(
		arena_allocator(arena), bytes.len, bytes.data);
	if (!batch)
		return -EBADMSG;
	for (size_t i = 0; i < batch->n_acks; i++)
		if (batch->acks[i]->sequence == message)
			return 1;
	return 0;
}

/* The entry, as the stub commits to it. */
static void entry_make(uint64_t batch_ms, uint64_t registry_version, uint8_t class,
	struct bytes batch, struct proof_entry *entry)
{
	struct disclosed disclosed = {.kind = DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED,
		.batch_ms = batch_ms,
		.registry_version = registry_version};
	receipt_ack_batch_digest(batch, disclosed.digest);
	entry->whole = true;
	entry->disclosed_len = disclosed_encode(&disclosed, entry->disclosed);
	stub_make(disclosed.kind, class, entry->nonce,
		BYTES(entry->disclosed, entry->disclosed_len), entry->private_digest, entry->stub);
}

static int acked_visit(void *context, struct bytes key, struct bytes value)
{
	struct acked_search *search = context;
	uint32_t epoch = key.len == ACKED_KEY_MAX ? be32_get(key.data + 8) : 0;
	struct field_reader reader = {.left = value};
	struct merkle_hash path[MERKLE_LEVELS];
	struct proof_entry entry = {};
	uint8_t extra[PROOF_EXTRA_MAX];
	uint64_t form = field_number(&reader, 1), batch_ms = field_number(&reader, 8);
	uint8_t class = (uint8_t)field_number(&reader, 1);
	uint64_t registry_version = field_number(&reader, 8);
	field_copy(&reader, entry.nonce, STUB_NONCE_SIZE);
	field_copy(&reader, entry.private_digest, HASH_SIZE);
	struct bytes hashes = field_sized(&reader), checkpoint = field_sized(&reader);
	struct bytes batch = field_sized(&reader);
	if (field_end(&reader) || form != EVIDENCE_FORM ||
		(key.len != 8 && key.len != ACKED_KEY_MAX) || hashes.len % HASH_SIZE ||
		hashes.len > sizeof(path))
		return -EBADMSG;
	if ((search->epoch != EVIDENCE_NEWEST && search->epoch != epoch) ||
		(search->found && search->found_epoch > epoch))
		return 0;
	int r = batch_has(batch, search->message);
	if (r <= 0)
		return r;
	if (hashes.len > 0)
		memcpy(path, hashes.data, hashes.len);
	entry_make(batch_ms, registry_version, class, batch, &entry);
	r = receipt_tlog_proof(checkpoint, be64_get(key.data), path, hashes.len / HASH_SIZE,
		BYTES(extra, proof_entry_encode(&entry, extra)), search->arena, search->ret_text);
	if (r == 0)
		r = arena_copy(search->arena, batch, search->ret_batch);
	search->found = true;
	search->found_epoch = epoch;
	return r;
}

int evidence_acked(struct store *store, uint64_t message, uint32_t epoch, struct arena *arena,
	struct bytes *ret_text, struct bytes *ret_batch)
{
	struct acked_search search = {.message = message,
		.epoch = epoch,
		.arena = arena,
		.ret_text = ret_text,
		.ret_batch = ret_batch};
	int r = store_scan(store, STORE_ACKED, BYTES(NULL, 0), acked_visit, &search);
	if (r)
		return r;
	return search.found ? 0 : STORE_NOT_FOUND;
}
