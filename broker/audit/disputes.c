/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A key that was stolen in March is found out in May. The registry of May cannot change what counted in
 * March, and must not: else whoever may retire a key could unmake what was signed with it. So a dispute is no
 * finding, and it is told once for each key, as a range: a thousand lines would hide what matters.
 */
#include "broker/audit/disputes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/registry.pb-c.h"

enum { DISPUTES_ARENA = 96 << 20, DISPUTES_MAX = 4096 };

/* Keys that a newer registry has spoken of already, suspect or not. */
struct loading {
	struct disputes *disputes;
	uint8_t (*known)[KEY_ID_SIZE];
	size_t known_count, known_room;
};

static bool is_known(const struct loading *loading, const uint8_t *id)
{
	for (size_t i = 0; i < loading->known_count; i++)
		if (memcmp(loading->known[i], id, KEY_ID_SIZE) == 0)
			return true;
	return false;
}

static int remember(struct loading *loading, const uint8_t *id)
{
	if (loading->known_count == loading->known_room) {
		size_t room = loading->known_room ? 2 * loading->known_room : 256;
		void *more = realloc(loading->known, room * sizeof(loading->known[0]));
		if (!more)
			return -ENOMEM;
		loading->known = more;
		loading->known_room = room;
	}
	memcpy(loading->known[loading->known_count++], id, KEY_ID_SIZE);
	return 0;
}

static int add(struct disputes *disputes, const Dienstweg__Key *key, struct bytes owner)
{
	if (disputes->count == DISPUTES_MAX)
		return 0;
	void *more = realloc(disputes->items, (disputes->count + 1) * sizeof(disputes->items[0]));
	if (!more)
		return -ENOMEM;
	disputes->items = more;
	struct dispute *dispute = &disputes->items[disputes->count++];
	*dispute = (struct dispute){
		.use = (enum key_use)key->use, .suspect_from = key->suspect_from};
	memcpy(dispute->key_id, key->id.data, KEY_ID_SIZE);
	memcpy(dispute->public, key->public_.data, SIGN_PUBLIC_SIZE);
	snprintf(dispute->owner, sizeof(dispute->owner), "%.*s", (int)owner.len,
		(const char *)owner.data);
	return 0;
}

static int take_keys(
	struct loading *loading, struct bytes owner, Dienstweg__Key *const *keys, size_t count)
{
	int r = 0;
	for (size_t i = 0; i < count && r == 0; i++) {
		const Dienstweg__Key *key = keys[i];
		if ((key->use != DIENSTWEG__KEY_USE__KEY_USE_SIGN &&
			    key->use != DIENSTWEG__KEY_USE__KEY_USE_LOG) ||
			key->id.len != KEY_ID_SIZE || key->public_.len != SIGN_PUBLIC_SIZE ||
			is_known(loading, key->id.data))
			continue;
		r = remember(loading, key->id.data);
		if (r == 0 && key->suspect_from != 0)
			r = add(loading->disputes, key, owner);
	}
	return r;
}

/* The signatures of a registry are the chain's business. */
static int take_registry(struct loading *loading, struct arena *arena, struct bytes signed_bytes)
{
	Dienstweg__RegistryContent *content = NULL;
	Dienstweg__SignedRegistry *outer = dienstweg__signed_registry__unpack(
		arena_allocator(arena), signed_bytes.len, signed_bytes.data);
	if (outer)
		content = dienstweg__registry_content__unpack(
			arena_allocator(arena), outer->content.len, outer->content.data);
	if (!content)
		return 0;
	int r = take_keys(loading, BYTES_PB(content->bus), content->bus_keys, content->n_bus_keys);
	for (size_t i = 0; i < content->n_parties && r == 0; i++)
		r = take_keys(loading, BYTES_PB(content->parties[i]->name),
			content->parties[i]->keys, content->parties[i]->n_keys);
	return r;
}

int disputes_load(struct audit *audit, struct disputes *ret)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(DISPUTES_ARENA);
	struct loading loading = {.disputes = ret};
	uint64_t sequence = UINT64_MAX;
	struct bytes signed_bytes;
	int r = arena ? 0 : -ENOMEM;
	while (r == 0) {
		arena_reset(arena);
		r = journal_read_registry_at(
			audit->reader, sequence, arena, &sequence, &signed_bytes);
		if (r == 0)
			r = take_registry(&loading, arena, signed_bytes);
		if (r == READER_ERASED || r == READER_DAMAGED)
			r = 0;
		if (sequence-- == 0)
			break;
	}
	free(loading.known);
	return r > 0 ? 0 : r;
}

void disputes_deinit(struct disputes *disputes)
{
	free(disputes->items);
	*disputes = (struct disputes){};
}

/* ---- counting ---- */

struct dispute *disputes_find(
	const struct disputes *disputes, uint64_t sequence, struct bytes key_id)
{
	for (size_t i = 0; i < disputes->count; i++) {
		struct dispute *dispute = &disputes->items[i];
		if (sequence >= dispute->suspect_from &&
			bytes_equal(key_id, BYTES(dispute->key_id, KEY_ID_SIZE)))
			return dispute;
	}
	return NULL;
}

static void count_one(struct dispute *dispute, uint64_t place)
{
	if (dispute->count == 0 || place < dispute->first)
		dispute->first = place;
	if (dispute->count == 0 || place > dispute->last)
		dispute->last = place;
	dispute->count++;
}

void disputes_count(struct disputes *disputes, uint64_t sequence, struct bytes key_id)
{
	struct dispute *dispute = disputes_find(disputes, sequence, key_id);
	if (dispute)
		count_one(dispute, sequence);
}

static struct dispute *of_log_key(
	const struct disputes *disputes, uint64_t size, const struct note_key *key)
{
	for (size_t i = 0; i < disputes->count; i++) {
		struct dispute *dispute = &disputes->items[i];
		if (dispute->use == KEY_LOG && size > dispute->suspect_from &&
			memcmp(dispute->public, key->public, SIGN_PUBLIC_SIZE) == 0)
			return dispute;
	}
	return NULL;
}

void disputes_count_checkpoint(struct disputes *disputes, uint64_t size, struct bytes note,
	const struct note_key *keys, size_t count)
{
	struct dispute *suspect = NULL;
	struct bytes text;
	for (size_t i = 0; i < count && disputes->count > 0; i++) {
		if (note_open(note, &keys[i], 1, 1, &text, NULL) != 0)
			continue;
		struct dispute *dispute = of_log_key(disputes, size, &keys[i]);
		if (!dispute) /* somebody above suspicion signed it as well */
			return;
		suspect = dispute;
	}
	if (suspect)
		count_one(suspect, size);
}

int disputes_share(const struct disputes *disputes, struct disputes *ret)
{
	if (ret->count == disputes->count)
		return 0;
	void *items = reallocarray(ret->items, disputes->count, sizeof(ret->items[0]));
	if (!items)
		return -ENOMEM;
	memcpy(items, disputes->items, disputes->count * sizeof(ret->items[0]));
	*ret = (struct disputes){.items = items, .count = disputes->count};
	disputes_clear(ret);
	return 0;
}

void disputes_clear(struct disputes *disputes)
{
	for (size_t i = 0; i < disputes->count; i++)
		disputes->items[i].count = disputes->items[i].first = disputes->items[i].last = 0;
}

void disputes_add(struct disputes *into, const struct disputes *from)
{
	for (size_t i = 0; i < into->count && i < from->count; i++) {
		struct dispute *a = &into->items[i];
		const struct dispute *b = &from->items[i];
		if (b->count == 0)
			continue;
		if (a->count == 0 || b->first < a->first)
			a->first = b->first;
		if (a->count == 0 || b->last > a->last)
			a->last = b->last;
		a->count += b->count;
	}
}

void disputes_tell(const struct disputes *disputes, struct audit_report *report)
{
	for (size_t i = 0; i < disputes->count; i++) {
		const struct dispute *dispute = &disputes->items[i];
		if (dispute->count == 0)
			continue;
		report->disputed++;
		if (report->dispute)
			report->dispute(report->context, dispute);
	}
}
