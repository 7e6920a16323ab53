/* SPDX-License-Identifier: EUPL-1.2 */

/* Lengths at the borders of pieces and padding, and every way in which what opens could be something else. */
#include "proto/sealing/attachment.h"

#include "proto/base/clock.h"
#include "proto/envelope/envelope.h"
#include "proto/sealing/sealing.h"
#include "test/kit/check.h"

enum { FILE_MAX = 400000 };

struct sealed {
	uint8_t *cipher;
	size_t len;
	uint8_t digest[HASH_SIZE];
	struct attachment_key key;
};

static uint8_t file_byte(size_t i)
{
	return (uint8_t)(i * 31 + i / 256);
}

static struct sealed seal(size_t size)
{
	struct sealed sealed = {.cipher = malloc(attachment_sealed_size(size))};
	_cleanup_(attachment_seal_free) struct attachment_seal *work = NULL;
	uint8_t piece[ATTACHMENT_PLAIN];
	size_t at = 0;
	CHECK_INT(crypto_init(), 0);
	CHECK(sealed.cipher);
	CHECK_INT(attachment_seal_new(size, &work), 0);
	while (!attachment_seal_done(work)) {
		size_t wanted = attachment_seal_wants(work);
		for (size_t i = 0; i < wanted; i++)
			piece[i] = file_byte(at + i);
		at += wanted;
		struct bytes cipher = attachment_seal_piece(work, BYTES(piece, wanted));
		memcpy(sealed.cipher + sealed.len, cipher.data, cipher.len);
		sealed.len += cipher.len;
	}
	CHECK_INT(at, size);
	attachment_seal_finish(work, sealed.key.key, sealed.digest);
	sealed.key.size = size;
	return sealed;
}

/* Return: as the first piece that did not open, or the end. */
static int open_all(const struct sealed *sealed)
{
	_cleanup_(attachment_open_free) struct attachment_open *work = NULL;
	size_t at = 0, file = 0, wanted;
	struct bytes plain;
	CHECK_INT(attachment_open_new(&sealed->key, &work), 0);
	while ((wanted = attachment_open_wants(work)) > 0) {
		if (at + wanted > sealed->len)
			return -1;
		int r = attachment_open_piece(work, BYTES(sealed->cipher + at, wanted), &plain);
		if (r)
			return r;
		for (size_t i = 0; i < plain.len; i++)
			CHECK_INT(plain.data[i], file_byte(file + i));
		at += wanted;
		file += plain.len;
	}
	CHECK_INT(at, sealed->len);
	CHECK_INT(file, sealed->key.size);
	return attachment_open_finish(work, sealed->digest);
}

static void any_size_comes_back(void)
{
	static const size_t sizes[] = {0, 1, 256, 257, ATTACHMENT_PLAIN - 1, ATTACHMENT_PLAIN,
		ATTACHMENT_PLAIN + 1, 3 * ATTACHMENT_PLAIN, FILE_MAX};
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		uint8_t digest[HASH_SIZE];
		struct sealed sealed = seal(sizes[i]);
		CHECK_INT(sealed.len, attachment_sealed_size(sizes[i]));
		blake2b_of(BYTES(sealed.cipher, sealed.len), digest);
		CHECK_MEM(digest, sealed.digest, HASH_SIZE);
		CHECK_INT(open_all(&sealed), 0);
		free(sealed.cipher);
	}
}

static void lengths_say_little(void)
{
	CHECK_INT(attachment_sealed_size(100000), attachment_sealed_size(100001));
	CHECK(attachment_sealed_size(UINT64_C(2113929216)) <= ATTACHMENT_BYTES_MAX);
	CHECK(attachment_sealed_size(UINT64_C(2113929217)) > ATTACHMENT_BYTES_MAX);
}

static void nothing_else_opens(void)
{
	struct sealed sealed = seal(200000), other = seal(200000);
	for (size_t at = 0; at < sealed.len; at += 997) {
		sealed.cipher[at] ^= 1;
		CHECK_INT(open_all(&sealed), SEALING_BROKEN);
		sealed.cipher[at] ^= 1;
	}
	/* Pieces in another order, of another attachment, a size that is not the file's. */
	uint8_t piece[ATTACHMENT_PIECE];
	uint8_t *first = sealed.cipher + STREAM_HEAD_SIZE, *second = first + ATTACHMENT_PIECE;
	memcpy(piece, first, sizeof(piece));
	memcpy(first, second, sizeof(piece));
	memcpy(second, piece, sizeof(piece));
	CHECK_INT(open_all(&sealed), SEALING_BROKEN);
	memcpy(second, first, sizeof(piece));
	memcpy(first, piece, sizeof(piece));
	CHECK_INT(open_all(&sealed), 0);
	sealed.key.size -= 1; /* the last byte would be padding */
	CHECK_INT(open_all(&sealed), SEALING_BROKEN);
	sealed.key.size += 1;
	memcpy(first, other.cipher + STREAM_HEAD_SIZE, sizeof(piece));
	CHECK_INT(open_all(&sealed), SEALING_BROKEN);
	memcpy(first, piece, sizeof(piece));
	sealed.digest[0] ^= 1;
	CHECK_INT(open_all(&sealed), SEALING_BROKEN);
	free(sealed.cipher);
	free(other.cipher);
}

static void names_are_file_names(void)
{
	static const char *const good[] = {"plan.pdf", "Grundriß.pdf", "a b.txt", "..."},
				 *const bad[] = {"", ".", "..", "a/b", "a\nb", "\x7f", "\xff"};
	char longest[ATTACHMENT_NAME_MAX + 2];
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		CHECK(attachment_name_ok(BYTES_STR(good[i])));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK(!attachment_name_ok(BYTES_STR(bad[i])));
	memset(longest, 'a', sizeof(longest));
	CHECK(attachment_name_ok(BYTES(longest, ATTACHMENT_NAME_MAX)));
	CHECK(!attachment_name_ok(BYTES(longest, ATTACHMENT_NAME_MAX + 1)));
}

/* A content with a document, an attachment's key, and what its header says. */
struct attached {
	struct arena *arena;
	struct sealing_batch *batch;
	struct key_secret *key;
	Dienstweg__Header header;
	Dienstweg__Attachment attachment, *list[1];
	uint8_t digest[HASH_SIZE];
	struct bytes content;
};

static void attached_seal(struct attached *a, struct bytes body, const char *name)
{
	static const uint8_t seed[SIGN_SEED_SIZE] = {7};
	struct attachment_key key = {
		.size = 5, .name = BYTES_STR(name), .content_type = BYTES_STR("application/pdf")};
	struct sealing_content content = {.body = body};
	struct sealing_recipient recipient;
	CHECK_INT(crypto_init(), 0);
	*a = (struct attached){.arena = arena_new(1 << 20)};
	CHECK(a->arena);
	CHECK_INT(key_from_seed(KEY_SEAL, BYTES("jobcenter", 9), seed, &a->key), 0);
	CHECK_INT(sealing_batch_new(&a->batch), 0);
	memcpy(recipient.key_id, a->key->pub.id, KEY_ID_SIZE);
	memcpy(recipient.public, a->key->pub.public, BOX_KEY_SIZE);
	memset(key.key, 9, sizeof(key.key));
	dienstweg__header__init(&a->header);
	dienstweg__attachment__init(&a->attachment);
	a->attachment.digest = (ProtobufCBinaryData){.data = a->digest, .len = HASH_SIZE};
	a->attachment.size = 297;
	a->list[0] = &a->attachment;
	a->header.attachments = a->list;
	a->header.n_attachments = 1;
	CHECK_INT(attachment_keys_encode(&key, 1, a->arena, &content.attachments), 0);
	CHECK_INT(sealing_seal_content(
			  a->batch, &a->header, &content, &recipient, 1, a->arena, &a->content),
		0);
}

static int attached_open(struct attached *a, struct payload_content *ret)
{
	_cleanup_(sealing_opener_free) struct sealing_opener *opener = NULL;
	const struct key_secret *keys[] = {a->key};
	CHECK_INT(sealing_opener_new(&opener), 0);
	return sealing_opener_open(opener, &a->header, a->content, keys, 1, a->arena, ret);
}

static void attached_deinit(struct attached *a)
{
	sealing_batch_free(a->batch);
	key_secret_free(a->key);
	arena_free(a->arena);
}

static void keys_travel_in_the_content(void)
{
	struct attached a;
	struct payload_content opened;
	struct attachment_key key;
	attached_seal(&a, BYTES_STR("letter"), "plan.pdf");
	CHECK_INT(attached_open(&a, &opened), 0);
	CHECK(bytes_equal(opened.body, BYTES_STR("letter")));
	CHECK_INT(opened.attachments, 1);
	CHECK_INT(attachment_key_decode(opened.fields, 0, a.arena, &key), 0);
	CHECK(bytes_equal(key.name, BYTES_STR("plan.pdf")));
	CHECK(bytes_equal(key.content_type, BYTES_STR("application/pdf")));
	CHECK_INT(key.size, 5);
	CHECK_INT(key.key[31], 9);
	CHECK_INT(attachment_key_decode(opened.fields, 1, a.arena, &key), SEALING_BROKEN);
	attached_deinit(&a);
}

/* A recipient must not be able to read another attachment out of the same box than somebody else. */
static void keys_are_committed_to(void)
{
	struct attached a, b;
	struct payload_content opened;
	attached_seal(&a, BYTES_STR("letter"), "plan.pdf");
	attached_seal(&b, BYTES_STR("letter"), "plan.pdg");
	b.header.body_commitment = a.header.body_commitment;
	CHECK_INT(attached_open(&b, &opened), SEALING_COMMITMENT);
	a.header.n_attachments = 0;
	CHECK_INT(attached_open(&a, &opened), SEALING_BROKEN);
	attached_deinit(&a);
	attached_deinit(&b);
}

static void names_from_strangers_are_checked(void)
{
	struct attached a;
	struct payload_content opened;
	struct attachment_key key;
	attached_seal(&a, BYTES_STR(""), "../escape");
	CHECK_INT(attached_open(&a, &opened), 0);
	CHECK_INT(attachment_key_decode(opened.fields, 0, a.arena, &key), SEALING_BROKEN);
	attached_deinit(&a);
}

CHECK_MAIN(CHECK_CASE(any_size_comes_back), CHECK_CASE(lengths_say_little),
	CHECK_CASE(nothing_else_opens), CHECK_CASE(names_are_file_names),
	CHECK_CASE(keys_travel_in_the_content), CHECK_CASE(keys_are_committed_to),
	CHECK_CASE(names_from_strangers_are_checked))
