/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Evidence is stored in parts and written as a C2SP tlog-proof when somebody asks, because the text is
 * twice as large. Each row holds its own checkpoint: it proves what it proves without any other row, so
 * nothing has to be kept or forgotten together with it. Rows are keyed by message id, which opens with the
 * time, so forgetting what is too old is cutting off the beginning of the table.
 */
#include "adapters/sdk/evidence.h"

#include <assert.h>
#include <errno.h>

#include "adapters/sdk/fields.h"
#include "adapters/sdk/final.h"
#include "adapters/sdk/trust.h"
#include "proto/base/log.h"
#include "proto/identity/uuid.h"
#include "proto/journal.pb-c.h"
#include "proto/receipt/receipt.h"

enum {
	EVIDENCE_FORM = 0,
	EVIDENCE_RECEIPT = 1,
	EVIDENCE_OUTCOME = 2,
	EVIDENCE_BEFORE = 3, /* a receipt of an earlier epoch, its number in the place of a recipient */
	KEY_MAX = UUID_SIZE + 1 + NAME_BYTES_MAX,
	CHECKPOINT_MAX = 4000,
	PATH_MAX_BYTES = MERKLE_LEVELS * HASH_SIZE,
	RECEIPT_ROW_MAX = 160 + SIGNATURE_CORE_MAX + HEADER_BYTES_MAX + PATH_MAX_BYTES +
			  CHECKPOINT_MAX,
	OUTCOME_ROW_MAX = 64 + NAME_BYTES_MAX + 3 * 255 + SIGNATURE_CORE_MAX,
	ACKED_ROW_MAX = 160 + 3000 + PATH_MAX_BYTES + CHECKPOINT_MAX,
	EXTRA_MAX = 1 + STUB_SIZE + STUB_NONCE_SIZE + HASH_SIZE + DISCLOSED_MAX,
	PRUNE_MAX = 256,
	DAY_MS = 86400 * 1000,
};

/* Everything that a proof is written from. */
struct parts {
	uint8_t class;
	uint64_t sequence, batch_ms, registry_version;
	struct bytes nonce, private_digest;
	struct bytes core;
	struct bytes header;
	struct bytes path; /* hashes, leaf to root */
	struct bytes checkpoint;
};

static struct bytes evidence_key(uint8_t buf[KEY_MAX], const uint8_t message_id[UUID_SIZE],
	uint8_t what, struct bytes recipient)
{
	assert(recipient.len <= NAME_BYTES_MAX);
	memcpy(buf, message_id, UUID_SIZE);
	buf[UUID_SIZE] = what;
	if (recipient.len > 0)
		memcpy(buf + UUID_SIZE + 1, recipient.data, recipient.len);
	return BYTES(buf, UUID_SIZE + 1 + recipient.len);
}

/* The hashes that a path names. The check has proven every index. */
static struct bytes path_collect(
	const uint32_t *indexes, size_t count, struct bytes nodes, uint8_t buf[PATH_MAX_BYTES])
{
	assert(count <= MERKLE_LEVELS);
	for (size_t i = 0; i < count; i++) {
		assert((uint64_t)indexes[i] * HASH_SIZE + HASH_SIZE <= nodes.len);
		memcpy(buf + i * HASH_SIZE, nodes.data + (size_t)indexes[i] * HASH_SIZE, HASH_SIZE);
	}
	return BYTES(buf, count * HASH_SIZE);
}

static struct parts parts_of(const struct evidence_receipt *receipt, uint8_t path[PATH_MAX_BYTES])
{
	const Dienstweg__Receipt *r = receipt->receipt;
	return (struct parts){
		.class = (uint8_t)r->class_,
		.sequence = r->sequence,
		.batch_ms = r->batch_ms,
		.registry_version = r->registry_version,
		.nonce = BYTES_PB(r->nonce),
		.private_digest = BYTES_PB(r->private_digest),
		.core = receipt->core,
		.header = receipt->header,
		.path = path_collect(r->path, r->n_path, receipt->nodes, path),
		.checkpoint = receipt->checkpoint,
	};
}

/* ---- receipts ---- */

static size_t parts_encode(const struct parts *parts, uint8_t buf[RECEIPT_ROW_MAX])
{
	uint8_t *p = field_put_number(buf, EVIDENCE_FORM, 1);
	p = field_put_number(p, parts->class, 1);
	p = field_put_number(p, parts->sequence, 8);
	p = field_put_number(p, parts->batch_ms, 8);
	p = field_put_number(p, parts->registry_version, 8);
	p = field_put(p, parts->nonce);
	p = field_put(p, parts->private_digest);
	p = field_put_sized(p, parts->core);
	p = field_put_sized(p, parts->header);
	p = field_put_sized(p, parts->path);
	p = field_put_sized(p, parts->checkpoint);
	return (size_t)(p - buf);
}

static int parts_decode(struct bytes value, struct parts *ret)
{
	struct field_reader reader = {.left = value};
	if (field_number(&reader, 1) != EVIDENCE_FORM)
		return -EBADMSG;
	ret->class = (uint8_t)field_number(&reader, 1);
	ret->sequence = field_number(&reader, 8);
	ret->batch_ms = field_number(&reader, 8);
	ret->registry_version = field_number(&reader, 8);
	ret->nonce = field_take(&reader, STUB_NONCE_SIZE);
	ret->private_digest = field_take(&reader, HASH_SIZE);
	ret->core = field_sized(&reader);
	ret->header = field_sized(&reader);
	ret->path = field_sized(&reader);
	ret->checkpoint = field_sized(&reader);
	if (ret->path.len % HASH_SIZE || ret->path.len > PATH_MAX_BYTES ||
		ret->core.len > SIGNATURE_CORE_MAX)
		return -EBADMSG;
	return field_end(&reader);
}

int evidence_put_receipt(struct store *store, const struct evidence_receipt *receipt)
{
	uint8_t key[KEY_MAX], path[PATH_MAX_BYTES], row[RECEIPT_ROW_MAX];
	struct parts parts = parts_of(receipt, path);
	assert(parts.core.len <= SIGNATURE_CORE_MAX && parts.header.len <= HEADER_BYTES_MAX &&
		parts.checkpoint.len <= CHECKPOINT_MAX);
	return store_put(store, STORE_EVIDENCE,
		evidence_key(key, receipt->message_id, EVIDENCE_RECEIPT, BYTES(NULL, 0)),
		BYTES(row, parts_encode(&parts, row)));
}

static size_t extra_make(const struct parts *parts, uint8_t buf[EXTRA_MAX])
{
	uint8_t encoded[DISCLOSED_MAX], stub[STUB_SIZE];
	struct disclosed disclosed = {
		.kind = DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED,
		.batch_ms = parts->batch_ms,
		.registry_version = parts->registry_version,
		.rest = parts->core,
	};
	envelope_header_hash(parts->header, disclosed.digest);
	struct bytes flat = BYTES(encoded, disclosed_encode(&disclosed, encoded));
	stub_make(disclosed.kind, parts->class, parts->nonce.data, flat, parts->private_digest.data,
		stub);
	uint8_t *p = field_put_number(buf, 1, 1);
	p = field_put(p, BYTES(stub, STUB_SIZE));
	p = field_put(p, parts->nonce);
	p = field_put(p, parts->private_digest);
	p = field_put(p, flat);
	return (size_t)(p - buf);
}

static int parts_text(const struct parts *parts, struct arena *arena, struct bytes *ret)
{
	struct merkle_hash path[MERKLE_LEVELS];
	uint8_t extra[EXTRA_MAX];
	size_t steps = parts->path.len / HASH_SIZE;
	if (steps > 0)
		memcpy(path, parts->path.data, parts->path.len);
	return receipt_tlog_proof(parts->checkpoint, parts->sequence, path, steps,
		BYTES(extra, extra_make(parts, extra)), arena, ret);
}

int evidence_text(const struct evidence_receipt *receipt, struct arena *arena, struct bytes *ret)
{
	uint8_t path[PATH_MAX_BYTES];
	struct parts parts = parts_of(receipt, path);
	return parts_text(&parts, arena, ret);
}

static int proof_of(struct store *store, struct bytes key, struct arena *arena,
	struct bytes *ret_text, struct bytes *ret_header)
{
	struct bytes value;
	struct parts parts;
	int r = store_get(store, STORE_EVIDENCE, key, &value);
	if (r == 0)
		r = parts_decode(value, &parts);
	if (r == 0)
		r = parts_text(&parts, arena, ret_text);
	return r ? r : arena_copy(arena, parts.header, ret_header);
}

int evidence_proof(struct store *store, const uint8_t message_id[UUID_SIZE], struct arena *arena,
	struct bytes *ret_text, struct bytes *ret_header)
{
	uint8_t key[KEY_MAX];
	return proof_of(store, evidence_key(key, message_id, EVIDENCE_RECEIPT, BYTES(NULL, 0)),
		arena, ret_text, ret_header);
}

int evidence_proof_before(struct store *store, const uint8_t message_id[UUID_SIZE], uint32_t epoch,
	struct arena *arena, struct bytes *ret_text, struct bytes *ret_header)
{
	uint8_t key[KEY_MAX], number[4];
	be32_put(number, epoch);
	return proof_of(store, evidence_key(key, message_id, EVIDENCE_BEFORE, BYTES(number, 4)),
		arena, ret_text, ret_header);
}

/* The epoch of a checkpoint whose origin was compared when it came. */
static uint32_t epoch_said(const struct checkpoint *checkpoint)
{
	const char *slash = strrchr(checkpoint->origin, '/');
	uint32_t epoch = 0;
	if (slash)
		(void)epoch_of(checkpoint->origin,
			BYTES(checkpoint->origin, (size_t)(slash - checkpoint->origin)), &epoch);
	return epoch;
}

int evidence_set_aside(struct store *store, const uint8_t message_id[UUID_SIZE], uint32_t *ret_epoch)
{
	uint8_t key[KEY_MAX], number[4], row[RECEIPT_ROW_MAX];
	struct checkpoint checkpoint;
	struct bytes value;
	struct parts parts;
	int r = store_get(store, STORE_EVIDENCE,
		evidence_key(key, message_id, EVIDENCE_RECEIPT, BYTES(NULL, 0)), &value);
	if (r == 0)
		r = parts_decode(value, &parts);
	if (r == 0)
		r = head_parse(parts.checkpoint, &checkpoint);
	if (r || value.len > sizeof(row))
		return r ? r : -EBADMSG;
	*ret_epoch = epoch_said(&checkpoint);
	be32_put(number, *ret_epoch);
	memcpy(row, value.data, value.len);
	return store_put(store, STORE_EVIDENCE,
		evidence_key(key, message_id, EVIDENCE_BEFORE, BYTES(number, 4)),
		BYTES(row, value.len));
}

/* Of trees that one receipt and one cosigned checkpoint stand for: does the latter hold the former? */
static bool covers(const struct epochs *epochs, const struct checkpoint *final,
	const struct checkpoint *receipt)
{
	uint32_t later = epoch_said(final), earlier = epoch_said(receipt);
	return final->size >= receipt->size &&
	       (later == earlier ||
		       (later > earlier && receipt->size <= epochs_kept(epochs, earlier)));
}

int evidence_final(struct store *store, const uint8_t message_id[UUID_SIZE], struct head *ret)
{
	uint8_t key[KEY_MAX];
	struct checkpoint checkpoint;
	struct bytes value;
	struct parts parts;
	int r = store_get(store, STORE_EVIDENCE,
		evidence_key(key, message_id, EVIDENCE_RECEIPT, BYTES(NULL, 0)), &value);
	if (r == 0)
		r = parts_decode(value, &parts);
	if (r == 0)
		r = head_parse(parts.checkpoint, &checkpoint);
	if (r)
		return r;
	struct epochs epochs;
	r = trust_epochs_read(store, &epochs);
	if (r == 0)
		r = final_read(store, ret);
	if (r == 0 && covers(&epochs, &ret->checkpoint, &checkpoint))
		return 0;
	if (r >= 0) /* it may have become final before that epoch was over */
		r = final_read_before(store, epoch_said(&checkpoint), ret);
	if (r)
		return r == STORE_NOT_FOUND ? EVIDENCE_OPEN : r;
	return covers(&epochs, &ret->checkpoint, &checkpoint) ? 0 : EVIDENCE_OPEN;
}

/* ---- outcomes ---- */

int evidence_put_outcome(struct store *store, const struct evidence_outcome *outcome)
{
	uint8_t key[KEY_MAX], row[OUTCOME_ROW_MAX];
	assert(outcome->state.len <= 255 && outcome->code.len <= 255 && outcome->text.len <= 255 &&
		outcome->core.len <= SIGNATURE_CORE_MAX);
	uint8_t *p = field_put_number(row, EVIDENCE_FORM, 1);
	p = field_put_number(p, outcome->sequence, 8);
	p = field_put_number(p, outcome->at_ms, 8);
	p = field_put_sized(p, outcome->state);
	p = field_put_sized(p, outcome->code);
	p = field_put_sized(p, outcome->text);
	p = field_put_sized(p, outcome->core);
	return store_put(store, STORE_EVIDENCE,
		evidence_key(key, outcome->message_id, EVIDENCE_OUTCOME, outcome->recipient),
		BYTES(row, (size_t)(p - row)));
}

struct outcomes_scan {
	const uint8_t *message_id;
	int (*visit)(void *context, const struct evidence_outcome *outcome);
	void *context;
};

enum { SCAN_OVER = 1 << 20 }; /* no verdict of a visitor */

static int outcome_visit(void *context, struct bytes key, struct bytes value)
{
	const struct outcomes_scan *scan = context;
	struct field_reader reader = {.left = value};
	struct evidence_outcome outcome = {};
	if (key.len < UUID_SIZE + 1 || memcmp(key.data, scan->message_id, UUID_SIZE) != 0 ||
		key.data[UUID_SIZE] != EVIDENCE_OUTCOME)
		return SCAN_OVER;
	if (field_number(&reader, 1) != EVIDENCE_FORM)
		return -EBADMSG;
	memcpy(outcome.message_id, key.data, UUID_SIZE);
	outcome.recipient = BYTES(key.data + UUID_SIZE + 1, key.len - UUID_SIZE - 1);
	outcome.sequence = field_number(&reader, 8);
	outcome.at_ms = field_number(&reader, 8);
	outcome.state = field_sized(&reader);
	outcome.code = field_sized(&reader);
	outcome.text = field_sized(&reader);
	outcome.core = field_sized(&reader);
	int r = field_end(&reader);
	return r ? r : scan->visit(scan->context, &outcome);
}

int evidence_outcomes(struct store *store, const uint8_t message_id[UUID_SIZE],
	int (*visit)(void *context, const struct evidence_outcome *outcome), void *context)
{
	uint8_t key[KEY_MAX];
	struct outcomes_scan scan = {message_id, visit, context};
	int r = store_scan(store, STORE_EVIDENCE,
		evidence_key(key, message_id, EVIDENCE_OUTCOME, BYTES(NULL, 0)), outcome_visit,
		&scan);
	return r == SCAN_OVER ? 0 : r;
}

/* ---- acknowledgements ---- */

int evidence_put_acked(struct store *store, struct bytes batch,
	const Dienstweg__AckReceipt *receipt, struct bytes nodes, struct bytes checkpoint)
{
	uint8_t key[ACKED_KEY_MAX], path[PATH_MAX_BYTES], row[ACKED_ROW_MAX];
	struct checkpoint said;
	assert(batch.len <= 3000 && checkpoint.len <= CHECKPOINT_MAX);
	if (head_parse(checkpoint, &said) != 0)
		return -EBADMSG; /* it was verified */
	be64_put(key, receipt->sequence);
	be32_put(key + 8, epoch_said(&said));
	uint8_t *p = field_put_number(row, EVIDENCE_FORM, 1);
	p = field_put_number(p, receipt->batch_ms, 8);
	p = field_put_number(p, receipt->class_, 1);
	p = field_put_number(p, receipt->registry_version, 8);
	p = field_put(p, BYTES_PB(receipt->nonce));
	p = field_put(p, BYTES_PB(receipt->private_digest));
	p = field_put_sized(p, path_collect(receipt->path, receipt->n_path, nodes, path));
	p = field_put_sized(p, checkpoint);
	p = field_put_sized(p, batch);
	/* Numbers of entries that were lost are given again: each epoch has its own rows. */
	return store_put(store, STORE_ACKED, BYTES(key, epoch_said(&said) ? ACKED_KEY_MAX : 8),
		BYTES(row, (size_t)(p - row)));
}

/* ---- forgetting ---- */

struct prune {
	uint64_t before_ms;
	size_t max, count;
	bool more;
	uint8_t ids[PRUNE_MAX][UUID_SIZE];
};

static int prune_pick(void *context, struct bytes key, struct bytes value)
{
	struct prune *prune = context;
	struct sent_row sent;
	int r = sent_row_decode(value, &sent);
	if (r || key.len != UUID_SIZE)
		return -EBADMSG;
	if (uuid_time_ms(key.data) >= prune->before_ms)
		return SCAN_OVER;
	if (sent.state == SENT_WAITING)
		return 0;
	prune->more = prune->count == prune->max;
	if (prune->more)
		return SCAN_OVER;
	memcpy(prune->ids[prune->count++], key.data, UUID_SIZE);
	return 0;
}

struct evidence_keys {
	const uint8_t *id;
	size_t count;
	size_t len[8];
	uint8_t keys[8][KEY_MAX];
};

static int key_pick(void *context, struct bytes key, struct bytes value)
{
	struct evidence_keys *found = context;
	if (key.len < UUID_SIZE || key.len > KEY_MAX ||
		memcmp(key.data, found->id, UUID_SIZE) != 0 || found->count == 8)
		return SCAN_OVER;
	found->len[found->count] = key.len;
	memcpy(found->keys[found->count++], key.data, key.len);
	return 0;
}

static int rows_forget(struct store *store, const uint8_t id[UUID_SIZE])
{
	for (;;) {
		struct evidence_keys found = {.id = id};
		int r = store_scan(store, STORE_EVIDENCE, BYTES(id, UUID_SIZE), key_pick, &found);
		if (r < 0 || found.count == 0)
			return r < 0 ? r : 0;
		for (size_t i = 0; i < found.count; i++) {
			r = store_delete(store, STORE_EVIDENCE, BYTES(found.keys[i], found.len[i]));
			if (r)
				return r;
		}
	}
}

static int message_forget(struct store *store, const uint8_t id[UUID_SIZE])
{
	uint8_t buf[BY_KEY_MAX];
	struct bytes value;
	struct sent_row sent;
	int r = store_get(store, STORE_SENT, BYTES(id, UUID_SIZE), &value);
	if (r == 0)
		r = sent_row_decode(value, &sent);
	if (r)
		return r < 0 ? r : -EBADMSG;
	r = store_delete(store, STORE_BY_KEY, by_key_key(sent.sender, sent.key, buf));
	if (r == 0)
		r = store_delete(store, STORE_SENT, BYTES(id, UUID_SIZE));
	return r ? r : rows_forget(store, id);
}

/* Acknowledged batches are keyed by sequence; their time stands in the row. */
static int acked_pick(void *context, struct bytes key, struct bytes value)
{
	struct prune *prune = context;
	struct field_reader reader = {.left = value};
	(void)field_number(&reader, 1);
	uint64_t batch_ms = field_number(&reader, 8);
	if ((key.len != 8 && key.len != ACKED_KEY_MAX) || reader.bad)
		return -EBADMSG;
	if (batch_ms >= prune->before_ms)
		return SCAN_OVER;
	prune->more = prune->count == prune->max;
	if (prune->more)
		return SCAN_OVER;
	prune->ids[prune->count][ACKED_KEY_MAX] = (uint8_t)key.len;
	memcpy(prune->ids[prune->count++], key.data, key.len);
	return 0;
}

static int acked_prune(struct store *store, struct prune *prune)
{
	prune->count = 0;
	int r = store_scan(store, STORE_ACKED, BYTES(NULL, 0), acked_pick, prune);
	for (size_t i = 0; i < prune->count && r >= 0; i++)
		r = store_delete(
			store, STORE_ACKED, BYTES(prune->ids[i], prune->ids[i][ACKED_KEY_MAX]));
	return r < 0 ? r : 0;
}

/* Keys begin with a message id, and that with its time. */
struct taken_prune {
	struct prune *prune;
	size_t len[PRUNE_MAX];
	uint8_t keys[PRUNE_MAX][TAKEN_KEY_MAX];
};

static int taken_pick(void *context, struct bytes key, struct bytes value)
{
	struct taken_prune *taken = context;
	struct prune *prune = taken->prune;
	if (key.len < UUID_SIZE || key.len > TAKEN_KEY_MAX)
		return -EBADMSG;
	if (uuid_time_ms(key.data) >= prune->before_ms)
		return SCAN_OVER;
	prune->more = prune->count == prune->max;
	if (prune->more)
		return SCAN_OVER;
	taken->len[prune->count] = key.len;
	memcpy(taken->keys[prune->count++], key.data, key.len);
	return 0;
}

static int taken_prune(struct store *store, struct prune *prune)
{
	struct taken_prune taken = {.prune = prune};
	prune->count = 0;
	int r = store_scan(store, STORE_TAKEN, BYTES(NULL, 0), taken_pick, &taken);
	for (size_t i = 0; i < prune->count && r >= 0; i++)
		r = store_delete(store, STORE_TAKEN, BYTES(taken.keys[i], taken.len[i]));
	return r < 0 ? r : 0;
}

int evidence_prune(struct store *store, uint64_t now_ms, size_t max, bool *ret_more)
{
	uint64_t age_ms = (uint64_t)EVIDENCE_DAYS * DAY_MS;
	struct prune prune = {
		.before_ms = now_ms > age_ms ? now_ms - age_ms : 0,
		.max = max < PRUNE_MAX ? max : PRUNE_MAX,
	};
	int r = store_scan(store, STORE_SENT, BYTES(NULL, 0), prune_pick, &prune);
	for (size_t i = 0; i < prune.count && r >= 0; i++)
		r = message_forget(store, prune.ids[i]);
	bool more = prune.more;
	if (r >= 0)
		r = acked_prune(store, &prune);
	more |= prune.more;
	if (r >= 0)
		r = taken_prune(store, &prune);
	*ret_more = more || prune.more;
	return r < 0 ? r : 0;
}
