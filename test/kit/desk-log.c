/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What happens to the log of a desk: it grows, forks, is set back; or it loses its end and goes on under a new
 * origin, honestly or with one lie in what it shows of that.
 */
#include "proto/base/clock.h"
#include "proto/journal.pb-c.h"
#include "test/kit/check.h"
#include "test/kit/desk.h"

static ProtobufCBinaryData pb(struct bytes view)
{
	return (ProtobufCBinaryData){.len = view.len, .data = (uint8_t *)(uintptr_t)view.data};
}

static struct bytes kept(struct desk *desk, const void *data, size_t len)
{
	void *p = desk_take(desk, len + 1);
	memcpy(p, data, len);
	return BYTES(p, len);
}

void desk_grow(struct desk *desk, size_t entries)
{
	uint8_t digest[HASH_SIZE];
	for (size_t i = 0; i < entries; i++) {
		random_fill(digest, sizeof(digest));
		desk_append(desk, DIENSTWEG__ENTRY_KIND__ENTRY_STATE, digest, BYTES(NULL, 0));
	}
}

void desk_fork(struct desk *desk, size_t at)
{
	for (size_t i = at; i < desk->size; i++)
		random_fill(desk->leaves[i].bytes, HASH_SIZE);
}

void desk_roll_back(struct desk *desk, size_t size)
{
	CHECK(size < desk->size);
	desk->size = size;
}

/* ---- epochs ---- */

/* What it knew of messages and acknowledgements in the entries that are gone. */
static void forget(struct desk *desk, size_t size)
{
	size_t left = 0;
	for (size_t i = 0; i < desk->messages_count; i++)
		if (desk->messages[i].sequence < size)
			desk->messages[left++] = desk->messages[i];
	desk->messages_count = left;
	desk->size = size;
}

static struct bytes original_make(struct desk *desk, enum desk_epoch_lie lie)
{
	uint8_t note[CHECKPOINT_NOTE_MAX];
	struct merkle_hash last = desk->leaves[desk->size - 1];
	if (lie == DESK_EPOCH_OTHER)
		desk->leaves[desk->size - 1].bytes[0] ^= 1;
	if (lie == DESK_EPOCH_UNSIGNED)
		desk->mood = DESK_STRANGE_KEY;
	size_t len = desk_checkpoint(desk, note);
	desk->mood = DESK_HONEST;
	desk->leaves[desk->size - 1] = last;
	return kept(desk, note, len);
}

void desk_lose(struct desk *desk, size_t size, uint32_t epoch, enum desk_epoch_lie lie)
{
	Dienstweg__Decision decision = DIENSTWEG__DECISION__INIT;
	uint8_t private[128], flat[DISCLOSED_MAX], digest[HASH_SIZE], stub[STUB_SIZE];
	uint8_t random[STUB_NONCE_SIZE + STUB_SALT_SIZE];
	struct desk_epoch *begun = &desk->epochs[desk->epochs_count++];
	CHECK(size < desk->size && desk->epochs_count <= DESK_EPOCHS_MAX);
	forget(desk, size);
	*begun = (struct desk_epoch){.epoch = epoch, .sequence = size, .lie = lie};
	begun->original = original_make(desk, lie);
	decision.epoch = desk->epoch = epoch;
	decision.account = 7;
	decision.trusted = pb(BYTES_STR("the disk died"));
	begun->private = kept(desk, private, dienstweg__decision__pack(&decision, private));
	struct disclosed disclosed = {.kind = DIENSTWEG__ENTRY_KIND__ENTRY_CONTINUES,
		.batch_ms = clock_wall_ms(clock_system()),
		.registry_version = registry_version(desk->registry)};
	sha256_of(begun->original, disclosed.digest);
	begun->disclosed = kept(desk, flat, disclosed_encode(&disclosed, flat));
	random_fill(random, sizeof(random));
	begun->nonce = kept(desk, random, STUB_NONCE_SIZE);
	begun->salt = kept(desk, random + STUB_NONCE_SIZE, STUB_SALT_SIZE);
	stub_private_digest(begun->salt.data, begun->private, digest);
	stub_make(disclosed.kind, 0, begun->nonce.data, begun->disclosed, digest, stub);
	stub_leaf(stub, &desk->leaves[desk->size++]);
	desk_forget_session(desk);
}

static Dienstweg__Continuation *continuation_of(
	struct desk *desk, const struct desk_epoch *begun, size_t size)
{
	struct merkle_coordinate steps[MERKLE_LEVELS];
	Dienstweg__Continuation *proof = desk_take(desk, sizeof(*proof));
	size_t count = merkle_path_coordinates(begun->sequence, size, steps);
	struct merkle_hash *path = desk_take(desk, count * sizeof(*path) + 1);
	for (size_t i = 0; i < count; i++)
		path[i] = desk_node(desk, size, steps[i]);
	dienstweg__continuation__init(proof);
	proof->sequence = begun->sequence;
	proof->disclosed = pb(begun->disclosed);
	proof->nonce = pb(begun->nonce);
	proof->salt = pb(begun->salt);
	proof->private_ = pb(begun->private);
	proof->original = pb(begun->original);
	proof->path = pb(BYTES(path, count * sizeof(*path)));
	return proof;
}

void desk_epochs_show(struct desk *desk, const Dienstweg__Hello *hello, Dienstweg__Welcome *welcome)
{
	welcome->continuations = desk_take(desk, DESK_EPOCHS_MAX * sizeof(void *));
	for (size_t i = 0; i < desk->epochs_count; i++)
		if (desk->epochs[i].epoch > hello->newest_epoch &&
			desk->epochs[i].lie != DESK_EPOCH_UNSAID)
			welcome->continuations[welcome->n_continuations++] = continuation_of(
				desk, &desk->epochs[i], desk->size);
}
