/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The source names files, never keys: a key typed into a text by hand is a key nobody proved to hold.
 * Reading a file checks every proof of possession, and that it was made for this very owner.
 */
#include "conf/source-compile.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/file.h"
#include "proto/base/text.h"
#include "proto/identity/keyfile.h"

enum { ID_DIGITS_MIN = 8 };

struct loading {
	const struct source *source;
	int file;
	const char *field; /* of the entry */
	const char *owner;
	bool listed;                 /* else it is the usual file */
	const struct yaml_key *list; /* all entries of the owner */
	size_t list_count;
	Dienstweg__Key **keys;
	size_t count, room;
};

static int copy(
	const struct loading *loading, const void *from, size_t len, ProtobufCBinaryData *ret)
{
	struct bytes bytes;
	int r = arena_copy(loading->source->arena, BYTES(from, len), &bytes);
	if (r == 0)
		*ret = (ProtobufCBinaryData){.len = len, .data = (uint8_t *)(uintptr_t)bytes.data};
	return r;
}

static int fill(const struct loading *loading, const struct key_public *from, Dienstweg__Key *key)
{
	key->use = (Dienstweg__KeyUse)from->use;
	int r = copy(loading, from->id, KEY_ID_SIZE, &key->id);
	if (r == 0)
		r = copy(loading, from->public, sizeof(from->public), &key->public_);
	if (r == 0)
		r = copy(loading, from->possession_key, SIGN_PUBLIC_SIZE, &key->possession_key);
	if (r == 0)
		r = copy(loading, from->possession, SIGNATURE_SIZE, &key->possession);
	return r;
}

static int read_file(const struct loading *loading, const char *name, struct keyring_public *ret)
{
	char path[4096], file[160], why[512] = "";
	snprintf(file, sizeof(file), "%.140s.keys", name);
	int r = path_join(path, sizeof(path), loading->source->keys, file);
	if (r == 0)
		r = keyfile_read_public(path, ret, why, sizeof(why));
	if (r == -ENOENT)
		return source_fail(loading->source, loading->file, loading->field,
			"its public keys are missing: %s; ask the owner for it, or make it with "
			"dienstweg "
			"keygen",
			path);
	if (r < 0)
		return source_fail(loading->source, loading->file, loading->field, "%s: %s", path,
			strerrordesc_np(-r));
	if (r)
		return source_fail(loading->source, loading->file, loading->field, "%s", why);
	if (strcmp(ret->owner, loading->owner) != 0)
		return source_fail(loading->source, loading->file, loading->field,
			"%s holds keys of %s, not of %s; ask the owner for the right file", path,
			ret->owner, loading->owner);
	return 0;
}

/* What an entry says about its keys. */
struct state {
	bool one_use;
	enum key_use use;
	Dienstweg__KeyState state;
	uint64_t suspect_from;
};

static int read_state(const struct loading *loading, const struct yaml_key *entry, struct state *ret)
{
	static const char *const states[] = {[DIENSTWEG__KEY_STATE__KEY_STATE_ACTIVE] = "active",
		[DIENSTWEG__KEY_STATE__KEY_STATE_RETIRED] = "retired",
		[DIENSTWEG__KEY_STATE__KEY_STATE_REVOKED] = "revoked"};
	size_t state = 0;
	*ret = (struct state){.one_use = entry->use};
	if (entry->use && key_use_parse(BYTES_STR(entry->use), &ret->use))
		return source_fail(loading->source, loading->file, FIELD("%s.use", loading->field),
			"\"%.40s\" is no use; write sign, seal, transport, log, witness or root",
			entry->use);
	while (entry->state && state < ARRAY_LEN(states) && strcmp(states[state], entry->state) != 0)
		state++;
	if (state == ARRAY_LEN(states))
		return source_fail(loading->source, loading->file, FIELD("%s.state", loading->field),
			"\"%.40s\" is no state; write active, retired or revoked", entry->state);
	ret->state = (Dienstweg__KeyState)state;
	return source_number(loading->source, loading->file,
		FIELD("%s.suspect_from", loading->field), entry->suspect_from, 1, UINT64_MAX,
		&ret->suspect_from);
}

static bool has_id(const struct key_public *key, const char *prefix)
{
	char id[2 * KEY_ID_SIZE + 1];
	text_hex(BYTES(key->id, KEY_ID_SIZE), id);
	return strncmp(id, prefix, strlen(prefix)) == 0;
}

/* An entry that names a key by its id speaks for it; one without an id, for the others of its file. */
static bool is_meant(const struct loading *loading, const struct yaml_key *entry,
	const struct state *state, const struct key_public *key)
{
	if (state->one_use && key->use != state->use)
		return false;
	if (entry->id)
		return has_id(key, entry->id);
	for (size_t i = 0; i < loading->list_count; i++)
		if (loading->list[i].id && strcmp(loading->list[i].file, entry->file) == 0 &&
			has_id(key, loading->list[i].id))
			return false;
	return true;
}

static int check_id(const struct loading *loading, const char *id)
{
	if (!id || (strlen(id) >= ID_DIGITS_MIN && strspn(id, "0123456789abcdef") == strlen(id)))
		return 0;
	return source_fail(loading->source, loading->file, FIELD("%s.id", loading->field),
		"\"%.40s\" is no key id; give its first %d or more hex digits, in lower case", id,
		ID_DIGITS_MIN);
}

static int load(struct loading *loading, const struct yaml_key *entry)
{
	struct keyring_public ring;
	struct state state;
	size_t before = loading->count;
	int r = read_state(loading, entry, &state);
	if (r == 0)
		r = check_id(loading, entry->id);
	if (r == 0)
		r = read_file(loading, entry->file, &ring);
	for (size_t i = 0; r == 0 && i < ring.count; i++) {
		if (!is_meant(loading, entry, &state, &ring.keys[i]))
			continue;
		assert(loading->count < loading->room);
		Dienstweg__Key *key = loading->keys[loading->count++];
		key->state = state.state;
		key->suspect_from = state.suspect_from;
		r = fill(loading, &ring.keys[i], key);
	}
	if (r == 0 && entry->id && loading->count > before + 1)
		return source_fail(loading->source, loading->file, FIELD("%s.id", loading->field),
			"several keys of %s.keys begin so; give more of the id", entry->file);
	if (r == 0 && loading->count == before)
		return source_fail(loading->source, loading->file, loading->field,
			"%s.keys has no such key; remove the entry, its `use` or its `id`",
			entry->file);
	return r;
}

static void init_key(void *key)
{
	dienstweg__key__init(key);
}

/* One step for each entry, with its own field for complaints; the usual file needs no entry. */
static int for_each(
	struct loading *loading, int (*step)(struct loading *loading, const struct yaml_key *entry))
{
	const char *field = loading->field;
	int r = 0;
	for (size_t i = 0; r == 0 && i < loading->list_count; i++) {
		struct source_field entry = source_field(
			"%s%skeys[%zu]", field, *field ? "." : "", i + 1);
		if (loading->listed)
			loading->field = entry.path;
		r = step(loading, &loading->list[i]);
		loading->field = field;
	}
	return r;
}

/* Most owners have three keys, some have sixty after many years. */
static int make_room(struct loading *loading, const struct yaml_key *entry)
{
	struct keyring_public ring;
	int r = read_file(loading, entry->file, &ring);
	loading->room += r == 0 ? ring.count : 0;
	return r;
}

int source_keys(const struct source *source, int file, const char *field, const char *owner,
	const struct yaml_key *list, size_t count, Dienstweg__Key ***ret, size_t *ret_count)
{
	const struct yaml_key usual = {.file = (char *)(uintptr_t)owner};
	struct loading loading = {.source = source,
		.file = file,
		.field = field,
		.owner = owner,
		.listed = count > 0,
		.list = count ? list : &usual,
		.list_count = count ? count : 1};
	int r = for_each(&loading, make_room);
	if (r == 0)
		r = source_list(
			source, loading.room, sizeof(Dienstweg__Key), init_key, &loading.keys);
	if (r == 0)
		r = for_each(&loading, load);
	*ret = loading.keys;
	*ret_count = loading.count;
	return r;
}
