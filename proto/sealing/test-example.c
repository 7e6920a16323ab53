/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The numbers in docs/protocol.md are what somebody writing a client in another language checks against,
 * so they are computed here and compared with the page as it stands. What is random in a message is fixed
 * instead and the content sealed step by step from the primitives; our own code must then open it. When
 * the page is behind, the test prints what belongs there.
 */
#include <stdarg.h>

#include "proto/base/cleanup.h"
#include "proto/base/file.h"
#include "proto/base/text.h"
#include "proto/envelope/envelope.h"
#include "proto/envelope/test-sample.h"
#include "proto/identity/keyfile.h"
#include "proto/identity/keytext.h"
#include "proto/identity/uuid.h"
#include "proto/merkle/merkle.h"
#include "proto/sealing/sealing.h"
#include "proto/signature/signature.h"
#include "test/kit/check.h"

enum { TEXT_MAX = 16 * 1024, PAGE_MAX = 1 << 20, ROW_BYTES = 32 };

static const struct bytes bus = {.data = (const uint8_t *)"example.demo", .len = 12};
static const char body[] = "<antrag>Hallo Jobcenter</antrag>";

/* A text that grows. */
struct page {
	char text[TEXT_MAX];
	size_t used;
};

_printf_(2, 3) static void say(struct page *page, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int n = vsnprintf(page->text + page->used, TEXT_MAX - page->used, format, args);
	va_end(args);
	CHECK(n >= 0 && (size_t)n < TEXT_MAX - page->used);
	page->used += (size_t)n;
}

static void show(struct page *page, const char *name, struct bytes value)
{
	char hex[2 * ROW_BYTES + 1];
	say(page, "%s\n", name);
	for (size_t at = 0; at < value.len; at += ROW_BYTES) {
		size_t len = value.len - at < ROW_BYTES ? value.len - at : ROW_BYTES;
		text_hex(BYTES(value.data + at, len), hex);
		say(page, "  %s\n", hex);
	}
}

/* "first, first + 1, ...": what is random in a real message. */
static void count_up(uint8_t *buf, size_t len, uint8_t first)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)(first + i);
}

struct world {
	struct arena *arena;
	struct key_secret *sign;
	struct key_secret *seal;
	uint8_t context[ENVELOPE_CONTEXT_MAX];
	size_t context_len;
	uint8_t content[1024];
	size_t content_len;
	uint8_t header[HEADER_BYTES_MAX];
	size_t header_len;
	uint8_t h[HASH_SIZE];
};

static void cleanup_world(struct world *w)
{
	arena_free(w->arena);
	key_secret_free(w->sign);
	key_secret_free(w->seal);
}

static void world_init(struct world *w)
{
	uint8_t seed[SIGN_SEED_SIZE];
	*w = (struct world){.arena = arena_new(256 * 1024)};
	CHECK_INT(crypto_init(), 0);
	CHECK(w->arena != NULL);
	count_up(seed, sizeof(seed), 0x00);
	CHECK_INT(key_from_seed(KEY_SIGN, BYTES_STR("portal"), seed, &w->sign), 0);
	count_up(seed, sizeof(seed), 0x20);
	CHECK_INT(key_from_seed(KEY_SEAL, BYTES_STR("jobcenter"), seed, &w->seal), 0);
}

static void show_key(struct page *page, const char *title, const struct key_secret *key)
{
	say(page, "# %s\n", title);
	show(page, "seed", BYTES(key->seed, 32));
	show(page, "public", BYTES(key->pub.public, 32));
	show(page, "id", BYTES(key->pub.id, KEY_ID_SIZE));
	show(page, "possession key", BYTES(key->pub.possession_key, 32));
	show(page, "possession", BYTES(key->pub.possession, 64));
}

static void keys_example(struct page *page)
{
	_cleanup_(world) struct world w;
	world_init(&w);
	show_key(page, "sign key of the party portal", w.sign);
	show_key(page, "seal key of the party jobcenter", w.seal);
}

static void keyfile_example(struct page *page)
{
	_cleanup_(keyring_secret_deinit) struct keyring_secret ring = {.owner = "portal"};
	uint8_t seed[SIGN_SEED_SIZE];
	char text[KEYTEXT_BYTES_MAX];
	struct keyring_public public;
	CHECK_INT(crypto_init(), 0);
	count_up(seed, sizeof(seed), 0x00);
	CHECK_INT(key_from_seed(KEY_SIGN, BYTES_STR("portal"), seed, &ring.keys[0]), 0);
	ring.count = 1;
	keyring_public_of(&ring, &public);
	say(page, "# portal.secret\n%.*s", (int)keytext_format_secret(&ring, text), text);
	say(page, "# portal.keys\n%.*s", (int)keytext_format_public(&public, text), text);
}

static Dienstweg__Header example_header(void)
{
	static const uint8_t case_id[16] = {
		0xca, 0x5e, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
	static const uint8_t message_id[16] = {
		0x01, 0x93, 0x55, 0x30, 0xd4, 0x00, 0x70, 0x01, 0x80, 1, 2, 3, 4, 5, 6, 7};
	Dienstweg__Header header = DIENSTWEG__HEADER__INIT;
	header.bus = sample_bytes(bus.data, bus.len);
	header.message_id = sample_bytes(message_id, 16);
	header.kind = DIENSTWEG__KIND__KIND_SUBMISSION;
	header.sender = sample_text("portal");
	header.recipient = sample_text("jobcenter");
	header.service = sample_text("alg2.application");
	header.case_id = sample_bytes(case_id, 16);
	header.created_ms = uuid_time_ms(message_id);
	header.content_type = sample_text("application/xml");
	header.channel = DIENSTWEG__CHANNEL__CHANNEL_ONLINE;
	header.priority = 1;
	return header;
}

/* Serialized Content, mark, zeros. */
static size_t plain_make(uint8_t plain[256], const uint8_t salt[32])
{
	Dienstweg__Content content = DIENSTWEG__CONTENT__INIT;
	content.salt = sample_bytes(salt, 32);
	content.body = sample_text(body);
	memset(plain, 0, 256);
	size_t len = dienstweg__content__pack(&content, plain);
	plain[len] = 0x80;
	return sealing_padded_length(len + 1);
}

static struct bytes joined(struct page *scratch, size_t count, const struct bytes *parts)
{
	size_t start = scratch->used;
	for (size_t i = 0; i < count; i++) {
		CHECK(scratch->used + parts[i].len <= TEXT_MAX);
		memcpy(scratch->text + scratch->used, parts[i].data, parts[i].len);
		scratch->used += parts[i].len;
	}
	return BYTES(scratch->text + start, scratch->used - start);
}
#define JOINED(scratch, ...)                                                                       \
	joined(scratch, ARRAY_LEN(((struct bytes[]){__VA_ARGS__})), (struct bytes[]){__VA_ARGS__})

/* The wrap key, shown with what goes into it. */
static void wrap_key_make(
	struct world *w, struct page *page, uint8_t ephemeral_public[32], uint8_t wrap_key[32])
{
	_cleanup_(heap_free) struct page *scratch = calloc(1, sizeof(*scratch));
	uint8_t ephemeral[32], shared[32];
	CHECK(scratch != NULL);
	count_up(ephemeral, sizeof(ephemeral), 0x40);
	x25519_public(ephemeral, ephemeral_public);
	CHECK_INT(x25519(ephemeral, w->seal->pub.public, shared), 0);
	blake2b_of(JOINED(scratch, BYTES("dienstweg/v1/wrap", 18), BYTES(shared, 32),
			   BYTES(ephemeral_public, 32), BYTES(w->seal->pub.public, 32),
			   BYTES(w->context, w->context_len)),
		wrap_key);
	show(page, "ephemeral secret (one for a batch)", BYTES(ephemeral, 32));
	show(page, "ephemeral public", BYTES(ephemeral_public, 32));
	show(page, "X25519(ephemeral secret, seal key)", BYTES(shared, 32));
	show(page, "wrap key", BYTES(wrap_key, 32));
}

static void content_make(struct world *w, struct page *page)
{
	uint8_t salt[32], key[32], nonce[24], wrap_nonce[24], plain[256], box[256 + 16],
		wrap_box[48], ephemeral_public[32], wrap_key[32];
	struct bytes aad = BYTES(w->context, w->context_len);
	count_up(salt, sizeof(salt), 0x60);
	count_up(key, sizeof(key), 0x80);
	count_up(nonce, sizeof(nonce), 0xa0);
	count_up(wrap_nonce, sizeof(wrap_nonce), 0xc0);
	wrap_key_make(w, page, ephemeral_public, wrap_key);
	CHECK_INT(plain_make(plain, salt), sizeof(plain));
	aead_seal(box, BYTES(plain, sizeof(plain)), aad, nonce, key);
	aead_seal(wrap_box, BYTES(key, 32), aad, wrap_nonce, wrap_key);

	Dienstweg__Wrap wrap = DIENSTWEG__WRAP__INIT, *wraps[] = {&wrap};
	Dienstweg__SealedContent sealed = DIENSTWEG__SEALED_CONTENT__INIT;
	Dienstweg__Payload payload = DIENSTWEG__PAYLOAD__INIT;
	wrap.key_id = sample_bytes(w->seal->pub.id, KEY_ID_SIZE);
	wrap.nonce = sample_bytes(wrap_nonce, 24);
	wrap.box = sample_bytes(wrap_box, 48);
	sealed.ephemeral = sample_bytes(ephemeral_public, 32);
	sealed.wraps = wraps;
	sealed.n_wraps = 1;
	sealed.nonce = sample_bytes(nonce, 24);
	sealed.box = sample_bytes(box, sizeof(box));
	payload.form_case = DIENSTWEG__PAYLOAD__FORM_SEALED;
	payload.sealed = &sealed;
	w->content_len = dienstweg__payload__pack(&payload, w->content);
	show(page, "content key", BYTES(key, 32));
	show(page, "salt", BYTES(salt, 32));
	show(page, "plaintext: Content, mark, zeros", BYTES(plain, sizeof(plain)));
	show(page, "content: Payload, as it stands in Envelope.content",
		BYTES(w->content, w->content_len));
}

static void header_finish(struct world *w, struct page *page, Dienstweg__Header *header)
{
	_cleanup_(heap_free) struct page *scratch = calloc(1, sizeof(*scratch));
	uint8_t commitment[HASH_SIZE], hash[HASH_SIZE];
	ProtobufCBinaryData id = sample_bytes(w->seal->pub.id, KEY_ID_SIZE);
	CHECK(scratch != NULL);
	struct bytes salt = BYTES(scratch->text, 32);
	count_up((uint8_t *)scratch->text, 32, 0x60);
	scratch->used = 32;
	blake2b_of(JOINED(scratch, BYTES("dienstweg/v1/body", 18),
			   BYTES(w->context, w->context_len), salt, BYTES_STR(body)),
		commitment);
	blake2b_of(BYTES(w->content, w->content_len), hash);
	header->content_length = (uint32_t)w->content_len;
	header->content_hash = sample_bytes(hash, HASH_SIZE);
	header->body_commitment = sample_bytes(commitment, HASH_SIZE);
	header->sealed_recipients = &id;
	header->n_sealed_recipients = 1;
	w->header_len = sample_pack(header, w->header, sizeof(w->header));
	envelope_header_hash(BYTES(w->header, w->header_len), w->h);
	show(page, "body commitment", BYTES(commitment, HASH_SIZE));
	show(page, "content hash", BYTES(hash, HASH_SIZE));
	show(page, "header", BYTES(w->header, w->header_len));
	show(page, "h", BYTES(w->h, HASH_SIZE));
}

static void world_message(struct world *w, struct page *page)
{
	Dienstweg__Header header = example_header();
	world_init(w);
	w->context_len = envelope_context(&header, w->context);
	show(page, "context", BYTES(w->context, w->context_len));
	content_make(w, page);
	header_finish(w, page, &header);
}

/* What was put together by hand is what our own code opens. */
static void message_example(struct page *page)
{
	_cleanup_(world) struct world w;
	Dienstweg__Header *header;
	struct bytes opened, content;
	const char *field;
	world_message(&w, page);
	const struct key_secret *keys[] = {w.seal};
	content = BYTES(w.content, w.content_len);
	CHECK_INT(envelope_header_parse(w.arena, BYTES(w.header, w.header_len), &header, &field), 0);
	CHECK_INT(envelope_content_check(w.arena, header, content, &field), 0);
	CHECK_INT(sealing_open(header, content, keys, 1, w.arena, &opened), 0);
	CHECK(bytes_equal(opened, BYTES_STR(body)));
}

static void show_signature(struct page *page, const char *title, const Dienstweg__Signature *sig)
{
	uint8_t core[SIGNATURE_CORE_MAX];
	say(page, "# %s: size %u, index %u\n", title, sig->size, sig->index);
	if (sig->path.len > 0)
		show(page, "path", BYTES_PB(sig->path));
	show(page, "root (the Ed25519 signature)", BYTES_PB(sig->root));
	show(page, "signature core", BYTES(core, signature_core(sig, core)));
}

static void signature_example(struct page *page)
{
	_cleanup_(heap_free) struct page *scratch = calloc(1, sizeof(*scratch));
	_cleanup_(world) struct world w;
	uint8_t items[3][HASH_SIZE];
	struct merkle_hash leaves[3], root;
	Dienstweg__Signature one, three[3];
	CHECK(scratch != NULL);
	world_message(&w, scratch);
	scratch->used = 0;
	CHECK_INT(signature_sign(SIGNATURE_MESSAGE, bus, w.sign, &w.h, 1, &one, w.arena), 0);
	merkle_leaf(BYTES(w.h, HASH_SIZE), &leaves[0]);
	show(page, "leaf of h", BYTES(leaves[0].bytes, HASH_SIZE));
	show(page, "signed text, a batch of one",
		JOINED(scratch, BYTES("dienstweg/v1/message", 21), BYTES("\x0c", 1), bus,
			BYTES("\0\0\0\1", 4), BYTES(leaves[0].bytes, HASH_SIZE)));
	show_signature(page, "h alone", &one);

	memset(items[0], 0xaa, HASH_SIZE);
	memcpy(items[1], w.h, HASH_SIZE);
	memset(items[2], 0xcc, HASH_SIZE);
	for (size_t i = 0; i < 3; i++)
		merkle_leaf(BYTES(items[i], HASH_SIZE), &leaves[i]);
	merkle_root_of(leaves, 3, &root);
	CHECK_INT(signature_sign(SIGNATURE_MESSAGE, bus, w.sign, items, 3, three, w.arena), 0);
	CHECK_INT(signature_verify(NULL, SIGNATURE_MESSAGE, bus, w.sign->pub.public, w.h, &three[1]),
		0);
	show(page, "tree root of {32 bytes aa, h, 32 bytes cc}", BYTES(root.bytes, HASH_SIZE));
	show_signature(page, "h in the middle of these three", &three[1]);
}

static void acknowledgement_example(struct page *page)
{
	_cleanup_(heap_free) struct page *scratch = calloc(1, sizeof(*scratch));
	_cleanup_(world) struct world w;
	_cleanup_(key_secret_free) struct key_secret *key = NULL;
	uint8_t digest[2][HASH_SIZE], seed[SIGN_SEED_SIZE];
	Dienstweg__Signature sigs[2];
	CHECK(scratch != NULL);
	world_message(&w, scratch);
	count_up(seed, sizeof(seed), 0xe0);
	CHECK_INT(key_from_seed(KEY_SIGN, BYTES_STR("jobcenter"), seed, &key), 0);
	acknowledgement_digest(
		bus, BYTES_STR("jobcenter"), 258, w.h, true, BYTES("", 0), BYTES("", 0), digest[0]);
	acknowledgement_digest(bus, BYTES_STR("jobcenter"), 259, w.h, false, BYTES_STR("schema"),
		BYTES_STR("antrag: unknown version"), digest[1]);
	CHECK_INT(signature_sign(SIGNATURE_ACK, bus, key, digest, 2, sigs, w.arena), 0);
	CHECK_INT(signature_verify_whole(NULL, SIGNATURE_ACK, bus, key->pub.public, digest, 2,
			  BYTES_PB(sigs[0].root)),
		0);
	show(page, "sign key of jobcenter: seed", BYTES(key->seed, 32));
	show(page, "public", BYTES(key->pub.public, 32));
	show(page, "digest of {258, h, accepted}", BYTES(digest[0], HASH_SIZE));
	show(page, "digest of {259, h, rejected, \"schema\", \"antrag: unknown version\"}",
		BYTES(digest[1], HASH_SIZE));
	show(page, "AckBatch.root over both", BYTES_PB(sigs[0].root));
}

static void on_the_page(void (*example)(struct page *page))
{
	_cleanup_(heap_free) struct page *page = calloc(1, sizeof(*page));
	_cleanup_(heap_free) uint8_t *written = NULL;
	size_t len = 0;
	CHECK(page != NULL);
	say(page, "```text\n");
	example(page);
	say(page, "```\n");
	CHECK_INT(file_read(PROTOCOL_PAGE, PAGE_MAX, &written, &len), 0);
	if (!strstr((const char *)written, page->text))
		CHECK_FAIL("%s does not have this:\n%s", PROTOCOL_PAGE, page->text);
}

static void keys_are_on_the_page(void)
{
	on_the_page(keys_example);
}

static void key_files_are_on_the_page(void)
{
	on_the_page(keyfile_example);
}

static void message_is_on_the_page(void)
{
	on_the_page(message_example);
}

static void signatures_are_on_the_page(void)
{
	on_the_page(signature_example);
}

static void acknowledgements_are_on_the_page(void)
{
	on_the_page(acknowledgement_example);
}

CHECK_MAIN(CHECK_CASE(keys_are_on_the_page), CHECK_CASE(key_files_are_on_the_page),
	CHECK_CASE(message_is_on_the_page), CHECK_CASE(signatures_are_on_the_page),
	CHECK_CASE(acknowledgements_are_on_the_page))
