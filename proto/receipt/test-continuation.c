/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The entry that begins an epoch: an honest one counts in any later tree, and each single lie about it is found.
 */
#include "proto/receipt/continuation.h"

#include "proto/journal.pb-c.h"
#include "proto/receipt/stub.h"
#include "test/kit/check.h"

#define BUS BYTES_STR("test.demo")

enum { BEFORE = 11, LEAVES_MAX = 64 };

enum lie {
	HONEST,
	LIE_KIND,      /* another kind of entry */
	LIE_CLASS,     /* not permanent */
	LIE_SIZE,      /* the checkpoint is of fewer entries */
	LIE_ROOT,      /* of another tree */
	LIE_SIGNATURE, /* by nobody of the log */
	LIE_BUS,       /* of another bus */
	LIE_EPOCH,     /* of a later epoch than the one that begins */
	LIE_ORIGINAL,  /* not the one that the entry commits to */
	LIE_PRIVATE,   /* another decision than it commits to */
	LIE_PATH,      /* does not lead to the root */
	LIE_SEQUENCE,  /* another place */
	LIE_SALT,      /* no salt */
	LIES,
};

struct made {
	struct merkle_hash leaves[LEAVES_MAX], path[MERKLE_LEVELS];
	struct note_key key;
	uint8_t secret[SIGN_SECRET_SIZE];
	uint8_t original[CHECKPOINT_NOTE_MAX], decision[256], disclosed[DISCLOSED_MAX];
	uint8_t nonce[STUB_NONCE_SIZE], salt[STUB_SALT_SIZE];
	struct checkpoint now;
	Dienstweg__Continuation proof;
};

static void key_make(struct made *made, uint8_t seed_byte)
{
	uint8_t seed[SIGN_SEED_SIZE], public[SIGN_PUBLIC_SIZE];
	memset(seed, seed_byte, sizeof(seed));
	ed25519_from_seed(seed, public, made->secret);
	CHECK_INT(note_key_init(&made->key, BYTES_STR("test.demo/7"), public), 0);
}

static size_t original_make(struct made *made, enum lie lie)
{
	struct checkpoint before = {.size = lie == LIE_SIZE ? BEFORE - 1 : BEFORE};
	struct note_key key;
	merkle_root_of(made->leaves, (size_t)before.size, &before.root);
	before.root.bytes[5] ^= lie == LIE_ROOT;
	epoch_origin(lie == LIE_BUS ? BYTES_STR("other.demo") : BUS, lie == LIE_EPOCH ? 2 : 0,
		before.origin);
	CHECK_INT(note_key_init(&key, BYTES_STR(before.origin), made->key.public), 0);
	size_t len = checkpoint_sign(&before, &key, made->secret, made->original);
	if (lie == LIE_SIGNATURE)
		made->original[len - 10] ^= made->original[len - 10] == 'A' ? 3 : 'A' ^ 'B';
	return len;
}

static void entry_make(struct made *made, enum lie lie)
{
	Dienstweg__Decision decision = DIENSTWEG__DECISION__INIT;
	Dienstweg__Continuation *proof = &made->proof;
	struct disclosed disclosed = {.batch_ms = 1795800000000, .registry_version = 3};
	uint8_t private_digest[HASH_SIZE], stub[STUB_SIZE];
	size_t original = original_make(made, lie);
	decision.epoch = 1;
	decision.account = 1000;
	decision.marked_size = 15;
	decision.trusted = (ProtobufCBinaryData){
		.len = 8, .data = (uint8_t *)(uintptr_t) "disk 3/7"};
	size_t len = dienstweg__decision__pack(&decision, made->decision);
	disclosed.kind = lie == LIE_KIND ? DIENSTWEG__ENTRY_KIND__ENTRY_WITNESSED
					 : DIENSTWEG__ENTRY_KIND__ENTRY_CONTINUES;
	sha256_of(BYTES(made->original, original), disclosed.digest);
	size_t flat = disclosed_encode(&disclosed, made->disclosed);
	stub_private_digest(made->salt, BYTES(made->decision, len), private_digest);
	stub_make(disclosed.kind, lie == LIE_CLASS, made->nonce, BYTES(made->disclosed, flat),
		private_digest, stub);
	stub_leaf(stub, &made->leaves[BEFORE]);
	dienstweg__continuation__init(proof);
	proof->sequence = lie == LIE_SEQUENCE ? BEFORE + 1 : BEFORE;
	proof->disclosed = (ProtobufCBinaryData){flat, made->disclosed};
	proof->nonce = (ProtobufCBinaryData){sizeof(made->nonce), made->nonce};
	proof->salt = (ProtobufCBinaryData){lie == LIE_SALT ? 0 : sizeof(made->salt), made->salt};
	proof->private_ = (ProtobufCBinaryData){len, made->decision};
	proof->original = (ProtobufCBinaryData){original, made->original};
	if (lie == LIE_PRIVATE)
		made->decision[len - 1] ^= 1;
	if (lie == LIE_ORIGINAL)
		made->original[original - 2] ^= 1;
}

static void make(struct made *made, size_t size, enum lie lie)
{
	struct merkle_coordinate steps[MERKLE_LEVELS];
	memset(made, 0, sizeof(*made));
	for (size_t i = 0; i < size; i++)
		made->leaves[i].bytes[0] = (uint8_t)i;
	key_make(made, 3);
	entry_make(made, lie);
	made->now.size = size;
	merkle_root_of(made->leaves, size, &made->now.root);
	size_t count = merkle_path_coordinates(BEFORE, size, steps);
	for (size_t i = 0; i < count; i++) {
		size_t from = (size_t)(steps[i].index << steps[i].level);
		size_t to = from + ((size_t)1 << steps[i].level);
		merkle_root_of(made->leaves + from, (to < size ? to : size) - from, &made->path[i]);
	}
	made->path[0].bytes[0] ^= lie == LIE_PATH;
	made->proof.path = (ProtobufCBinaryData){count * HASH_SIZE, made->path[0].bytes};
}

static int check(struct made *made, struct continuation *ret)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 16);
	const char *why = NULL;
	int r = continuation_check(&made->proof, &made->now, BUS, &made->key, 1, arena, ret, &why);
	CHECK(r == 0 || why);
	if (r == 0)
		CHECK(bytes_equal(ret->words, BYTES_STR("disk 3/7")));
	return r;
}

static void an_honest_one_counts_in_every_later_tree(void)
{
	static struct made made;
	for (size_t size = BEFORE + 1; size < LEAVES_MAX; size++) {
		struct continuation said;
		struct merkle_hash root;
		make(&made, size, HONEST);
		CHECK_INT(check(&made, &said), 0);
		CHECK(said.epoch == 1 && said.before == 0 && said.size == BEFORE);
		CHECK(said.account == 1000 && said.marked_size == 15);
		merkle_root_of(made.leaves, BEFORE, &root);
		CHECK_MEM(said.root.bytes, root.bytes, HASH_SIZE);
	}
}

static void each_lie_is_found(void)
{
	static struct made made;
	struct continuation said;
	for (int lie = LIE_KIND; lie < LIES; lie++) {
		make(&made, 40, (enum lie)lie);
		if (check(&made, &said) != CONTINUATION_BAD)
			CHECK_FAIL("lie %d passes", lie);
	}
}

static void a_checkpoint_is_opened_under_its_own_epoch(void)
{
	static struct made made;
	struct checkpoint checkpoint;
	struct note_key stranger;
	uint32_t epoch = 9;
	uint8_t public[SIGN_PUBLIC_SIZE] = {1};
	make(&made, 40, HONEST);
	struct bytes note = BYTES_PB(made.proof.original);
	CHECK_INT(continuation_note_open(note, BUS, &made.key, 1, &checkpoint, &epoch), 0);
	CHECK(epoch == 0 && checkpoint.size == BEFORE);
	CHECK_INT(continuation_note_open(
			  note, BYTES_STR("other.demo"), &made.key, 1, &checkpoint, &epoch),
		EPOCH_OTHER);
	CHECK_INT(note_key_init(&stranger, BYTES_STR("test.demo/0"), public), 0);
	CHECK_INT(continuation_note_open(note, BUS, &stranger, 1, &checkpoint, &epoch),
		NOTE_UNVERIFIED);
}

CHECK_MAIN(CHECK_CASE(an_honest_one_counts_in_every_later_tree), CHECK_CASE(each_lie_is_found),
	CHECK_CASE(a_checkpoint_is_opened_under_its_own_epoch))
