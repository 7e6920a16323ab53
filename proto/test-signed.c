/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Everything that is hashed or signed, made of fixed inputs. Evidence must still be checkable in ten years, so a
 * byte that moves in here is never an improvement by accident: receipts, proofs and journals of before would
 * no longer verify.
 */
#include "proto/envelope/test-sample.h"
#include "proto/note/checkpoint.h"
#include "proto/note/cosignature.h"
#include "proto/receipt/receipt.h"
#include "proto/receipt/stub.h"
#include "proto/sealing/sealing.h"
#include "proto/signature/signature.h"
#include "test/kit/check.h"
#include "test/kit/golden.h"

enum { BATCH = 3, TIME_S = 1732230000, ARENA_BYTES = 1 << 20 };

static struct key_secret *make_key(enum key_use use, const char *owner)
{
	uint8_t seed[SIGN_SEED_SIZE];
	struct key_secret *key = NULL;
	for (size_t i = 0; i < sizeof(seed); i++)
		seed[i] = (uint8_t)(i + (size_t)use);
	CHECK_INT(key_from_seed(use, BYTES_STR(owner), seed, &key), 0);
	return key;
}

static void write_keys(struct golden *golden)
{
	static const enum key_use uses[] = {
		KEY_SIGN, KEY_SEAL, KEY_TRANSPORT, KEY_LOG, KEY_WITNESS, KEY_ROOT};
	for (size_t i = 0; i < ARRAY_LEN(uses); i++) {
		_cleanup_(key_secret_free) struct key_secret *key = make_key(uses[i], "city");
		golden_line(golden, "key for %s", key_use_name(uses[i]));
		golden_bytes(golden, "  id", key->pub.id, sizeof(key->pub.id));
		golden_bytes(golden, "  public", key->pub.public, sizeof(key->pub.public));
		golden_bytes(golden, "  proof of possession", key->pub.possession,
			sizeof(key->pub.possession));
	}
}

static void write_header(struct golden *golden)
{
	uint8_t bytes[HEADER_BYTES_MAX], context[ENVELOPE_CONTEXT_MAX], h[HASH_SIZE];
	Dienstweg__Header header = sample_header();
	size_t len = sample_pack(&header, bytes, sizeof(bytes));
	envelope_header_hash(BYTES(bytes, len), h);
	golden_bytes(golden, "header", bytes, len);
	golden_bytes(golden, "h of header", h, sizeof(h));
	golden_bytes(golden, "context of content", context, envelope_context(&header, context));
}

static void write_batch(
	struct golden *golden, enum signature_domain domain, const char *name, struct arena *arena)
{
	uint8_t items[BATCH][HASH_SIZE], core[SIGNATURE_CORE_MAX];
	Dienstweg__Signature signatures[BATCH];
	_cleanup_(key_secret_free) struct key_secret *key = make_key(KEY_SIGN, "city");
	for (size_t i = 0; i < BATCH; i++)
		memset(items[i], (int)i + 1, HASH_SIZE);
	CHECK_INT(
		signature_sign(domain, BYTES_STR("test.demo"), key, items, BATCH, signatures, arena),
		0);
	golden_line(golden, "signature core, %s, of each of three", name);
	for (size_t i = 0; i < BATCH; i++)
		golden_bytes(golden, " ", core, signature_core(&signatures[i], core));
}

static void write_acknowledgement(struct golden *golden)
{
	uint8_t digest[HASH_SIZE];
	acknowledgement_digest(BYTES_STR("test.demo"), BYTES_STR("jobcenter"), 4711, sample_hash,
		false, BYTES_STR("not-responsible"), BYTES_STR("Ask the town."), digest);
	golden_bytes(golden, "digest of an acknowledgement", digest, sizeof(digest));
	receipt_ack_batch_digest(BYTES_STR("bytes of a batch"), digest);
	golden_bytes(golden, "digest of a batch of acknowledgements", digest, sizeof(digest));
}

static void write_cancellation(struct golden *golden)
{
	uint8_t digest[HASH_SIZE];
	cancellation_digest(BYTES_STR("test.demo"), BYTES_STR("city"), sample_hash,
		BYTES_STR("jobcenter"), BYTES_STR("mistake"), digest);
	golden_bytes(golden, "digest of a cancellation", digest, sizeof(digest));
	receipt_cancel_batch_digest(BYTES_STR("bytes of a batch"), digest);
	golden_bytes(golden, "digest of a batch of cancellations", digest, sizeof(digest));
}

static void write_stub(struct golden *golden)
{
	uint8_t secret[STUB_SECRET_SIZE], nonce[STUB_NONCE_SIZE], salt[STUB_SALT_SIZE];
	uint8_t disclosed[DISCLOSED_MAX], private[HASH_SIZE], stub[STUB_SIZE];
	struct merkle_hash leaf;
	struct disclosed what = {
		.kind = 3, .batch_ms = TIME_S * UINT64_C(1000), .registry_version = 7};
	memset(secret, 0x5e, sizeof(secret));
	memset(what.digest, 0xd1, sizeof(what.digest));
	stub_open_secret(secret, nonce, salt);
	size_t len = disclosed_encode(&what, disclosed);
	stub_private_digest(salt, BYTES_STR("a decision"), private);
	stub_make(3, 2, nonce, BYTES(disclosed, len), private, stub);
	stub_leaf(stub, &leaf);
	golden_bytes(golden, "nonce of a secret", nonce, sizeof(nonce));
	golden_bytes(golden, "salt of a secret", salt, sizeof(salt));
	golden_bytes(golden, "disclosed", disclosed, len);
	golden_bytes(golden, "private digest", private, sizeof(private));
	golden_bytes(golden, "stub", stub, sizeof(stub));
	golden_bytes(golden, "leaf", &leaf, sizeof(leaf));
}

static void write_checkpoint(struct golden *golden)
{
	uint8_t note[CHECKPOINT_NOTE_MAX], line[COSIGNATURE_LINE_MAX];
	struct note_key log, witness;
	struct checkpoint checkpoint = {.origin = "test.demo/0", .size = 4711};
	_cleanup_(key_secret_free) struct key_secret *log_key = make_key(KEY_LOG, "test.demo");
	_cleanup_(key_secret_free) struct key_secret *own = make_key(KEY_WITNESS, "ministry");
	memset(&checkpoint.root, 0x47, sizeof(checkpoint.root));
	CHECK_INT(note_key_init(&log, BYTES_STR(checkpoint.origin), log_key->pub.public), 0);
	CHECK_INT(note_key_init_witness(&witness, BYTES_STR("ministry"), own->pub.public), 0);
	size_t len = checkpoint_sign(&checkpoint, &log, log_key->ed25519, note);
	const uint8_t *end = memmem(note, len, "\n\n", 2);
	CHECK(end != NULL);
	golden_line(golden, "checkpoint\n%.*s", (int)len, (const char *)note);
	len = cosignature_sign(
		BYTES(note, (size_t)(end + 1 - note)), TIME_S, &witness, own->ed25519, line);
	golden_line(golden, "cosignature\n%.*s", (int)len, (const char *)line);
}

static void hashes_and_signatures_are_as_they_were(void)
{
	struct golden golden;
	_cleanup_(arena_free) struct arena *arena = arena_new(ARENA_BYTES);
	CHECK(arena != NULL);
	CHECK_INT(crypto_init(), 0);
	golden_init(&golden, "proto/golden/signed.txt");
	write_keys(&golden);
	write_header(&golden);
	write_batch(&golden, SIGNATURE_MESSAGE, "messages", arena);
	write_batch(&golden, SIGNATURE_ACK, "acknowledgements", arena);
	write_acknowledgement(&golden);
	write_batch(&golden, SIGNATURE_CANCEL, "cancellations", arena);
	write_cancellation(&golden);
	write_stub(&golden);
	write_checkpoint(&golden);
	golden_finish(&golden);
	golden_deinit(&golden);
}

/* Sealing draws random bytes, so what was sealed once is kept, and must open for ever. */
static void seal_anew(struct golden *golden, struct arena *arena)
{
	uint8_t bytes[HEADER_BYTES_MAX];
	struct bytes content;
	struct sealing_recipient to;
	Dienstweg__Header header = sample_header();
	_cleanup_(sealing_batch_free) struct sealing_batch *batch = NULL;
	_cleanup_(key_secret_free) struct key_secret *key = make_key(KEY_SEAL, "jobcenter");
	memcpy(to.key_id, key->pub.id, sizeof(to.key_id));
	memcpy(to.public, key->pub.public, sizeof(to.public));
	CHECK_INT(sealing_batch_new(&batch), 0);
	CHECK_INT(sealing_seal(batch, &header, BYTES_STR("a document"), &to, 1, arena, &content), 0);
	golden_bytes(golden, "header", bytes, sample_pack(&header, bytes, sizeof(bytes)));
	golden_bytes(golden, "content", content.data, content.len);
}

static void what_was_sealed_opens(void)
{
	uint8_t header_bytes[HEADER_BYTES_MAX], content[4096];
	struct bytes body;
	const char *field;
	Dienstweg__Header *header = NULL;
	struct golden golden;
	_cleanup_(arena_free) struct arena *arena = arena_new(ARENA_BYTES);
	_cleanup_(key_secret_free) struct key_secret *key = make_key(KEY_SEAL, "jobcenter");
	CHECK(arena != NULL);
	golden_init(&golden, "proto/golden/sealed.txt");
	if (golden_is_writing()) {
		seal_anew(&golden, arena);
		golden_finish(&golden);
	}
	size_t header_len = golden_read(&golden, "header", header_bytes, sizeof(header_bytes));
	size_t content_len = golden_read(&golden, "content", content, sizeof(content));
	CHECK_INT(envelope_header_parse(arena, BYTES(header_bytes, header_len), &header, &field), 0);
	const struct key_secret *keys[] = {key};
	CHECK_INT(sealing_open(header, BYTES(content, content_len), keys, 1, arena, &body), 0);
	CHECK(bytes_equal(body, BYTES_STR("a document")));
	golden_deinit(&golden);
}

CHECK_MAIN(CHECK_CASE(hashes_and_signatures_are_as_they_were), CHECK_CASE(what_was_sealed_opens))
