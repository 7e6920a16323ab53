/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The file is read back here line by line, as somebody would who knows c2sp.org/tlog-proof and
 * docs/journal.md and has nothing of ours but the log's key.
 */
#include "proto/receipt/receipt.h"

#include <errno.h>

#include "proto/base/text.h"
#include "proto/journal.pb-c.h"
#include "proto/receipt/test-world.h"
#include "test/kit/check.h"

struct log {
	struct note_key key;
	uint8_t secret[SIGN_SECRET_SIZE];
};

static struct log log_new(void)
{
	struct log log;
	uint8_t seed[SIGN_SEED_SIZE] = {7}, public[SIGN_PUBLIC_SIZE];
	ed25519_from_seed(seed, public, log.secret);
	CHECK_INT(note_key_init(&log.key, BYTES_STR("wuppertal.demo/0"), public), 0);
	return log;
}

static void the_text(void)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 16);
	const struct merkle_hash path[2] = {{{0}}, {{255}}};
	struct bytes proof;
	CHECK_INT(receipt_tlog_proof(BYTES_STR("o\n4\nroot\n\nsig\n"), 2, path, 2,
			  BYTES_STR("extra bytes"), arena, &proof),
		0);
	CHECK(bytes_equal(proof, BYTES_STR("c2sp.org/tlog-proof@v1\n"
					   "extra ZXh0cmEgYnl0ZXM=\n"
					   "index 2\n"
					   "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
					   "/wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
					   "\n"
					   "o\n4\nroot\n\nsig\n")));
	CHECK_INT(receipt_tlog_proof(
			  BYTES_STR("o\n"), UINT64_MAX, NULL, 0, BYTES(NULL, 0), arena, &proof),
		0);
	CHECK(bytes_equal(proof, BYTES_STR("c2sp.org/tlog-proof@v1\n"
					   "index 18446744073709551615\n"
					   "\n"
					   "o\n")));
	_cleanup_(arena_free) struct arena *small = arena_new(16);
	CHECK_INT(receipt_tlog_proof(BYTES_STR("o\n"), 0, NULL, 0, BYTES(NULL, 0), small, &proof),
		-ENOMEM);
}

static struct bytes take_line(struct bytes *text)
{
	const uint8_t *end = memchr(text->data, '\n', text->len);
	CHECK(end);
	struct bytes line = BYTES(text->data, end - text->data);
	*text = BYTES(end + 1, text->len - line.len - 1);
	return line;
}

static struct bytes take_after(struct bytes *text, const char *prefix)
{
	struct bytes line = take_line(text);
	size_t len = strlen(prefix);
	CHECK(line.len >= len && memcmp(line.data, prefix, len) == 0);
	return BYTES(line.data + len, line.len - len);
}

/* The stub that the extra line speaks of, rebuilt from its parts and compared with its own copy. */
static void read_extra(struct bytes base64, struct merkle_hash *ret_leaf, struct disclosed *ret)
{
	uint8_t extra[1024], stub[STUB_SIZE], digest[HASH_SIZE];
	size_t len;
	CHECK_INT(text_unbase64(base64, extra, sizeof(extra), &len), 0);
	CHECK(len > 1 + STUB_SIZE + 64 && extra[0] == 1);
	const uint8_t *nonce = extra + 1 + STUB_SIZE, *private_digest = nonce + STUB_NONCE_SIZE;
	struct bytes disclosed = BYTES(private_digest + HASH_SIZE, len - 1 - STUB_SIZE - 64);
	CHECK_INT(disclosed_decode(disclosed, ret), 0);
	ret->rest = BYTES(NULL, 0); /* points into @extra */
	stub_make(ret->kind, extra[3], nonce, disclosed, private_digest, stub);
	CHECK_MEM(stub, extra + 1, STUB_SIZE);
	stub_leaf(stub, ret_leaf);

	/* The commitment once more, byte by byte from the documentation. */
	struct sha256 state;
	uint8_t length[4];
	be32_put(length, (uint32_t)disclosed.len);
	sha256_init(&state);
	sha256_add(&state, BYTES("dienstweg/v1/stub", 18));
	sha256_add(&state, BYTES(nonce, 32));
	sha256_add(&state, BYTES(length, 4));
	sha256_add(&state, disclosed);
	sha256_add(&state, BYTES(private_digest, 32));
	sha256_finish(&state, digest);
	CHECK_MEM(digest, stub + 3, HASH_SIZE);
}

static void check_proof(struct bytes proof, const struct log *log, const struct world_entry *entry)
{
	struct merkle_hash leaf, root, path[MERKLE_LEVELS];
	struct disclosed disclosed;
	struct checkpoint checkpoint;
	uint64_t index;
	size_t steps = 0, len;
	CHECK_INT(take_after(&proof, "c2sp.org/tlog-proof@v1").len, 0);
	read_extra(take_after(&proof, "extra "), &leaf, &disclosed);
	CHECK_INT(text_parse_u64(take_after(&proof, "index "), &index), 0);
	for (struct bytes line = take_line(&proof); line.len > 0; line = take_line(&proof)) {
		CHECK(steps < MERKLE_LEVELS);
		CHECK_INT(text_unbase64(line, path[steps++].bytes, HASH_SIZE, &len), 0);
		CHECK_INT(len, HASH_SIZE);
	}
	CHECK_INT(checkpoint_open(proof, &log->key, 1, "wuppertal.demo/0", &checkpoint), 0);
	CHECK_INT(merkle_path_root(&leaf, index, checkpoint.size, path, steps, &root), 0);
	CHECK_MEM(root.bytes, checkpoint.root.bytes, HASH_SIZE);

	CHECK_INT(index, entry->sequence);
	CHECK_INT(disclosed.kind, entry->kind);
	CHECK_INT(disclosed.batch_ms, entry->batch_ms);
	CHECK_MEM(disclosed.digest, entry->digest, HASH_SIZE);
}

/* From an answer to a file, as an adapter keeps it. */
static void write_proof(const struct world *world, const struct log *log,
	const struct world_entry *entry, struct arena *arena, struct bytes *ret)
{
	uint8_t note[CHECKPOINT_NOTE_MAX];
	size_t note_len = checkpoint_sign(&world->checkpoint, &log->key, log->secret, note);
	struct merkle_hash path[MERKLE_LEVELS];
	for (size_t i = 0; i < entry->steps; i++)
		path[i] = world->nodes[entry->path[i]];

	struct disclosed disclosed = {.kind = entry->kind,
		.batch_ms = entry->batch_ms,
		.registry_version = entry->registry_version,
		.rest = BYTES(entry->core, entry->core_len)};
	memcpy(disclosed.digest, entry->digest, HASH_SIZE);
	uint8_t encoded[DISCLOSED_MAX], extra[1 + STUB_SIZE + 64 + DISCLOSED_MAX], *p = extra;
	size_t len = disclosed_encode(&disclosed, encoded);
	*p++ = 1;
	p = mempcpy(p, entry->stub, STUB_SIZE);
	p = mempcpy(p, entry->nonce, STUB_NONCE_SIZE);
	p = mempcpy(p, entry->private_digest, HASH_SIZE);
	p = mempcpy(p, encoded, len);
	CHECK_INT(receipt_tlog_proof(BYTES(note, note_len), entry->sequence, path, entry->steps,
			  BYTES(extra, p - extra), arena, ret),
		0);
}

static void kept_and_read_back(void)
{
	struct log log = log_new();
	const uint64_t sizes[] = {1, 2, 3, 100, 5000};
	for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
		_cleanup_(arena_free) struct arena *arena = arena_new(1 << 20);
		uint64_t size = sizes[s], step = size > 50 ? size / 50 : 1;
		size_t count = (size_t)((size - 1) / step + 1);
		for (uint8_t kind = 1; kind <= 3; kind += 2) {
			struct world *world = world_new(size, 0, step, count, kind);
			for (size_t i = 0; i < world->count; i++) {
				struct bytes proof;
				write_proof(world, &log, &world->entries[i], arena, &proof);
				check_proof(proof, &log, &world->entries[i]);
			}
			world_free(world);
		}
	}
}

CHECK_MAIN(CHECK_CASE(the_text), CHECK_CASE(kept_and_read_back))
