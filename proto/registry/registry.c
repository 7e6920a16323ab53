/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Trust comes in steps: the note's form, the pinned roots' signatures, the content's digest, and only
 * then is the content parsed. So a stranger can at most make us unpack two byte strings. Everything
 * lives in one arena that nobody writes to after loading: sharing it between threads costs a counter.
 */
#include "proto/registry/registry.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/base/file.h"
#include "proto/registry/content.h"
#include "proto/registry/index.h"
#include "proto/registry/signed.h"

struct registry {
	atomic_uint references;
	struct arena *arena;
	struct bytes bytes; /* copy, as loaded */
	struct signed_registry parts;
	uint8_t digest[HASH_SIZE]; /* of the note's text */
	Dienstweg__RegistryContent *content;
	struct registry_index index;
};

/* ---- signatures ---- */

static int check_signers(const struct signed_registry *parts, const struct note_key *keys,
	size_t count, size_t quorum, const char *whose, char *reterr, size_t size)
{
	struct bytes text;
	size_t found = quorum;
	assert(quorum > 0);
	int r = note_open(parts->note, keys, count, quorum, &text, NULL);
	if (r == 0 && bytes_equal(text, parts->text))
		return 0;
	while (r == NOTE_UNVERIFIED && --found > 0) /* only to say how many are missing */
		r = note_open(parts->note, keys, count, found, &text, NULL);
	if (r < 0)
		return r;
	if (bytes_equal(parts->note, parts->text))
		found = r = 0;
	if (r == 0 || r == NOTE_UNVERIFIED)
		snprintf(reterr, size,
			"signed by %zu of %s %zu roots, %zu are needed: let another root holder "
			"run "
			"dienstweg registry sign",
			found, whose, count, quorum);
	else
		snprintf(reterr,
			size, "a signature by one of %s roots is wrong: the file was changed, fetch it again",
			whose);
	return REGISTRY_UNSIGNED;
}

/* The active roots in the content as verifier keys. Return: how many (three in checked content). */
static size_t own_roots(
	const Dienstweg__RegistryContent *content, struct note_key keys[REGISTRY_ACTIVE_ROOTS])
{
	size_t count = 0;
	for (size_t i = 0; i < content->n_roots; i++) {
		const Dienstweg__Root *root = content->roots[i];
		if (root->key->state != DIENSTWEG__KEY_STATE__KEY_STATE_ACTIVE)
			continue;
		assert(count < REGISTRY_ACTIVE_ROOTS);
		int r = note_key_init(&keys[count++], BYTES_PB(root->name), root->key->public_.data);
		assert(r == 0); /* a legal name is a legal key name */
	}
	return count;
}

static int check_own_signers(const struct registry *registry, char *reterr, size_t size)
{
	struct note_key keys[REGISTRY_ACTIVE_ROOTS];
	size_t count = own_roots(registry->content, keys);
	return check_signers(
		&registry->parts, keys, count, REGISTRY_ROOT_QUORUM, "its own", reterr, size);
}

/* ---- loading ---- */

/* What can be said before the content is parsed. REGISTRY_*: it must not follow. */
static int check_follows(const struct registry *current, const struct signed_registry *next,
	char *reterr, size_t size)
{
	const struct registry_head *before = &current->parts.head, *after = &next->head;
	struct note_key keys[REGISTRY_ACTIVE_ROOTS];
	if (after->version < before->version)
		return REGISTRY_OLDER;
	if (after->version == before->version || after->first ||
		memcmp(after->previous, current->digest, HASH_SIZE) != 0)
		return REGISTRY_CONFLICT;
	size_t count = own_roots(current->content, keys);
	return check_signers(next, keys, count, REGISTRY_ROOT_QUORUM, "the old", reterr, size);
}

/* Whose signatures are asked for. */
struct vouchers {
	const struct note_key *roots; /* pinned */
	size_t roots_count, quorum;   /* quorum 0: none of them */
	bool own;                     /* the registry's own roots */
	const struct registry *current; /* NULL, or the one that it has to follow: two roots of that */
};

static int check_vouchers(const struct signed_registry *parts, const struct vouchers *vouchers,
	char *reterr, size_t size)
{
	if (vouchers->current)
		return check_follows(vouchers->current, parts, reterr, size);
	return vouchers->quorum ? check_signers(parts, vouchers->roots, vouchers->roots_count,
					  vouchers->quorum, "the pinned", reterr, size)
				: 0;
}

static int load(struct registry *registry, struct bytes signed_bytes,
	const struct vouchers *vouchers, char *reterr, size_t size)
{
	int r = arena_copy(registry->arena, signed_bytes, &registry->bytes);
	if (r == 0)
		r = signed_registry_open(
			registry->bytes, registry->arena, &registry->parts, reterr, size);
	if (r == 0)
		r = check_vouchers(&registry->parts, vouchers, reterr, size);
	if (r == 0)
		r = signed_registry_content(
			&registry->parts, registry->arena, &registry->content, reterr, size);
	if (r == 0 && vouchers->own)
		r = check_own_signers(registry, reterr, size);
	if (r == 0)
		r = registry_index_build(&registry->index, registry->content, registry->arena);
	return r;
}

static int load_new(struct bytes signed_bytes, const struct vouchers *vouchers,
	struct registry **ret, char *reterr, size_t size)
{
	if (signed_bytes.len > REGISTRY_BYTES_MAX) {
		snprintf(reterr, size, "too large: at most %d bytes travel in one frame",
			REGISTRY_BYTES_MAX);
		return REGISTRY_MALFORMED;
	}
	_cleanup_(registry_unref) struct registry *registry = calloc(1, sizeof(*registry));
	if (!registry)
		return -ENOMEM;
	atomic_init(&registry->references, 1);
	registry->arena = arena_new(REGISTRY_ARENA_BUDGET);
	if (!registry->arena)
		return -ENOMEM;
	int r = load(registry, signed_bytes, vouchers, reterr, size);
	if (r)
		return r;
	sha256_of(registry->parts.text, registry->digest);
	*ret = steal(&registry);
	return 0;
}

int registry_load(struct bytes signed_bytes, const struct note_key *roots, size_t roots_count,
	size_t quorum, struct registry **ret, char *reterr, size_t size)
{
	const struct vouchers vouchers = {roots, roots_count, quorum, .own = true};
	assert(quorum > 0);
	return load_new(signed_bytes, &vouchers, ret, reterr, size);
}

int registry_load_self(struct bytes signed_bytes, struct registry **ret, char *reterr, size_t size)
{
	return load_new(signed_bytes, &(struct vouchers){.own = true}, ret, reterr, size);
}

int registry_load_draft(struct bytes signed_bytes, struct registry **ret, char *reterr, size_t size)
{
	return load_new(signed_bytes, &(struct vouchers){}, ret, reterr, size);
}

/* The note alone, without its content: is it the one held, and which version does it claim to be? */
static int look(const struct registry *current, struct bytes signed_bytes, uint64_t *ret_version,
	bool *ret_same, char *reterr, size_t size)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(REGISTRY_ARENA_BUDGET);
	struct signed_registry parts;
	if (!arena)
		return -ENOMEM;
	int r = signed_registry_open(signed_bytes, arena, &parts, reterr, size);
	if (r)
		return r;
	*ret_version = parts.head.version;
	*ret_same = bytes_equal(parts.text, current->parts.text);
	return 0;
}

int registry_load_next(const struct registry *current, struct bytes signed_bytes,
	struct registry **ret, uint64_t *ret_version, char *reterr, size_t size)
{
	_cleanup_(registry_unref) struct registry *next = NULL;
	bool same = false;
	*ret_version = 0;
	int r = look(current, signed_bytes, ret_version, &same, reterr, size);
	if (r == 0 && same)
		next = registry_ref(current);
	else if (r == 0)
		r = load_new(signed_bytes, &(struct vouchers){.own = true, .current = current},
			&next, reterr, size);
	if (r == 0 && !bytes_equal(registry_bus(next), registry_bus(current)))
		r = REGISTRY_CONFLICT;
	if (r == 0)
		*ret = steal(&next);
	return r;
}

int registry_read(const char *path, const struct policy *policy, struct registry **ret,
	char *reterr, size_t size)
{
	_cleanup_(heap_free) uint8_t *data = NULL;
	char why[512] = "";
	size_t len = 0;
	int r = file_read(path, REGISTRY_BYTES_MAX, &data, &len);
	if (r < 0) {
		snprintf(reterr, size, "%s: %s", path, strerrordesc_np(-r));
		return r;
	}
	if (r) {
		snprintf(reterr, size, "%s: too large for a signed registry (%d bytes)", path,
			REGISTRY_BYTES_MAX);
		return REGISTRY_MALFORMED;
	}
	if (policy)
		r = registry_load(BYTES(data, len), policy->roots, policy->roots_count,
			policy->root_quorum, ret, why, sizeof(why));
	else
		r = registry_load_self(BYTES(data, len), ret, why, sizeof(why));
	if (r)
		snprintf(reterr, size, "%s: %s", path, r < 0 ? strerrordesc_np(-r) : why);
	return r;
}

/* ---- succession ---- */

int registry_check_successor(const struct registry *current, const struct registry *next)
{
	char ignored[256];
	if (bytes_equal(current->parts.text, next->parts.text))
		return 0;
	int r = check_follows(current, &next->parts, ignored, sizeof(ignored));
	return r == 0 && !bytes_equal(registry_bus(current), registry_bus(next)) ? REGISTRY_CONFLICT
										 : r;
}

const char *registry_verdict_text(int verdict)
{
	switch (verdict) {
	case REGISTRY_MALFORMED:
		return "is no signed registry";
	case REGISTRY_UNSIGNED:
		return "is not signed by two roots of the one in force: let them sign it";
	case REGISTRY_DIGEST:
		return "has another content than was signed: fetch it again";
	case REGISTRY_INVALID:
		return "contradicts itself";
	case REGISTRY_OLDER:
		return "is older than the one in force: take the newest";
	case REGISTRY_CONFLICT:
		return "does not build on the one in force: another source, or versions in between "
		       "that come first";
	case REGISTRY_KEYS:
		return "has none of the log keys in `keys` as active: enter the public half of "
		       "one, "
		       "or take the secret of an active one into `keys`";
	default:
		return "cannot be compared with the one in force";
	}
}

/* ---- lifetime ---- */

struct registry *registry_ref(const struct registry *registry)
{
	/* The counter is the one part that is not constant. */
	struct registry *counted = (struct registry *)(uintptr_t)registry;
	unsigned int before = atomic_fetch_add_explicit(
		&counted->references, 1, memory_order_relaxed);
	assert(before > 0);
	return counted;
}

void registry_unref(struct registry *registry)
{
	if (!registry)
		return;
	if (atomic_fetch_sub_explicit(&registry->references, 1, memory_order_acq_rel) != 1)
		return;
	arena_free(registry->arena);
	free(registry);
}

/* ---- what it says ---- */

uint64_t registry_version(const struct registry *registry)
{
	return registry->parts.head.version;
}

uint64_t registry_issued_ms(const struct registry *registry)
{
	return registry->parts.head.issued_ms;
}

uint64_t registry_stale_after_ms(const struct registry *registry)
{
	return registry->parts.head.stale_after_ms;
}

struct bytes registry_bus(const struct registry *registry)
{
	return BYTES_PB(registry->content->bus);
}

struct bytes registry_signed_bytes(const struct registry *registry)
{
	return registry->bytes;
}

void registry_note_digest(const struct registry *registry, uint8_t ret[HASH_SIZE])
{
	memcpy(ret, registry->digest, HASH_SIZE);
}

const Dienstweg__RegistryContent *registry_content(const struct registry *registry)
{
	return registry->content;
}

const struct registry_index *registry_index(const struct registry *registry)
{
	return &registry->index;
}

const Dienstweg__Party *registry_party(const struct registry *registry, struct bytes name)
{
	uint32_t number = content_party_number(registry->content, name);
	return number == INDEX_NONE ? NULL : registry->content->parties[number];
}

const Dienstweg__Service *registry_service(const struct registry *registry, struct bytes name)
{
	uint32_t number = content_service_number(registry->content, name);
	return number == INDEX_NONE ? NULL : registry->content->services[number];
}

const Dienstweg__RetentionClass *registry_class(const struct registry *registry, uint32_t number)
{
	for (size_t i = 0; i < registry->content->n_classes; i++)
		if (registry->content->classes[i]->number == number)
			return registry->content->classes[i];
	return NULL;
}

static const Dienstweg__Key *last_active(Dienstweg__Key *const *keys, size_t count, enum key_use use)
{
	for (size_t i = count; i > 0; i--)
		if (keys[i - 1]->use == (Dienstweg__KeyUse)use &&
			keys[i - 1]->state == DIENSTWEG__KEY_STATE__KEY_STATE_ACTIVE)
			return keys[i - 1];
	return NULL;
}

const Dienstweg__Key *registry_party_key(const Dienstweg__Party *party, enum key_use use)
{
	return last_active(party->keys, party->n_keys, use);
}

const Dienstweg__Key *registry_bus_key(const struct registry *registry, enum key_use use)
{
	return last_active(registry->content->bus_keys, registry->content->n_bus_keys, use);
}

bool registry_may_speak(const struct registry *registry, struct bytes speaker, struct bytes party)
{
	const Dienstweg__Party *spoken_for = registry_party(registry, party);
	if (!spoken_for)
		return false;
	return bytes_equal(speaker, party) ||
	       (speaker.len && bytes_equal(speaker, BYTES_PB(spoken_for->operated_by)));
}

size_t registry_log_keys(
	const struct registry *registry, const char *origin, struct note_key *ret, size_t max)
{
	size_t count = 0;
	for (size_t i = 0; i < registry->content->n_bus_keys && count < max; i++) {
		const Dienstweg__Key *key = registry->content->bus_keys[i];
		if (key->use != DIENSTWEG__KEY_USE__KEY_USE_LOG ||
			key->state == DIENSTWEG__KEY_STATE__KEY_STATE_REVOKED)
			continue;
		if (note_key_init(&ret[count], BYTES_STR(origin), key->public_.data) == 0)
			count++;
	}
	return count;
}
