/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * To find a case is to ask every key under which a message of it may be kept: a few thousand look-ups for two years
 * of days, some milliseconds. Segment by segment, so that the messages of a case with millions of them come in
 * order and in bounded memory.
 */
#include <errno.h>
#include <stdlib.h>

#include "broker/audit/index-rows.h"

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static size_t sort_once(uint64_t *items, size_t count)
{
	size_t kept = 0;
	if (count > 0)
		qsort(items, count, sizeof(*items), compare);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || items[i] != items[i - 1])
			items[kept++] = items[i];
	return kept;
}

static int add(uint64_t **items, size_t *count, size_t *room, uint64_t item)
{
	if (*count == *room) {
		size_t more = *room ? 2 * *room : 64;
		uint64_t *larger = reallocarray(*items, more, sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		*items = larger;
		*room = more;
	}
	(*items)[(*count)++] = item;
	return 0;
}

/* ---- messages ---- */

static int collect_group(struct case_walk *walk, const struct index_group *group)
{
	uint8_t key[HASH_SIZE];
	uint64_t sequence;
	int r = 0;
	if (row_index_key(walk->keyring, group->class, group->label, key))
		return 0; /* destroyed */
	for (uint32_t n = 0; r == 0; n++) {
		r = index_get_message(
			&walk->index->tables, walk->index->txn, key, group, walk->id, n, &sequence);
		if (r == 0)
			r = add(&walk->found, &walk->count, &walk->room, sequence);
	}
	secret_wipe(key, sizeof(key));
	return r == DB_NOT_FOUND ? 0 : r;
}

/* The next segment with anything in it. */
static int collect_segment(struct case_walk *walk)
{
	struct index_group from = {.segment = index_segment(walk->from)}, group;
	if (from.segment < walk->segment)
		from.segment = walk->segment;
	walk->count = walk->at = 0;
	int r = index_next_group(&walk->index->tables, walk->index->txn, &from, &group);
	if (r)
		return r;
	uint32_t segment = group.segment;
	while (r == 0 && group.segment == segment) {
		r = collect_group(walk, &group);
		from = index_behind(&group);
		if (r == 0)
			r = index_next_group(&walk->index->tables, walk->index->txn, &from, &group);
	}
	if (r < 0)
		return r;
	walk->segment = segment + 1;
	walk->count = sort_once(walk->found, walk->count);
	while (walk->at < walk->count && walk->found[walk->at] < walk->from)
		walk->at++;
	return 0;
}

int case_walk_next(struct case_walk *walk, uint64_t *ret)
{
	while (walk->at == walk->count) {
		int r = collect_segment(walk);
		if (r)
			return r;
	}
	*ret = walk->found[walk->at++];
	return 0;
}

void case_walk_deinit(struct case_walk *walk)
{
	free(walk->found);
	walk->found = NULL;
	walk->count = walk->room = walk->at = 0;
}

/* ---- what is about them ---- */

int case_index_next_about(
	struct case_index *index, uint64_t message, uint64_t from, uint64_t *ret_sequence)
{
	uint64_t found = message;
	*ret_sequence = from;
	int r = index_next_about(&index->tables, index->txn, &found, ret_sequence);
	return r == 0 && found != message ? DB_NOT_FOUND : r;
}

/* ---- all ---- */

struct gathering {
	uint64_t *items;
	size_t count, room;
};

static int gather_abouts(struct case_index *index, uint64_t message, struct gathering *all)
{
	uint64_t sequence = 0;
	int r;
	while ((r = case_index_next_about(index, message, sequence, &sequence)) == 0) {
		r = add(&all->items, &all->count, &all->room, sequence);
		if (r)
			return r;
		sequence++;
	}
	return r == DB_NOT_FOUND ? 0 : r;
}

int case_index_entries(struct case_index *index, struct keyring *keyring,
	const uint8_t id[CASE_ID_SIZE], struct case_entries *ret)
{
	_cleanup_(case_walk_deinit) struct case_walk walk = {.index = index, .keyring = keyring};
	struct gathering messages = {}, all = {};
	uint64_t sequence;
	int r;
	memcpy(walk.id, id, CASE_ID_SIZE);
	while ((r = case_walk_next(&walk, &sequence)) == 0) {
		r = add(&messages.items, &messages.count, &messages.room, sequence);
		if (r == 0)
			r = add(&all.items, &all.count, &all.room, sequence);
		if (r == 0)
			r = gather_abouts(index, sequence, &all);
		if (r)
			break;
	}
	*ret = (struct case_entries){
		.messages = messages.items,
		.messages_count = messages.count,
		.all = all.items,
		.count = sort_once(all.items, all.count),
	};
	return r == DB_NOT_FOUND ? 0 : r;
}

void case_entries_deinit(struct case_entries *entries)
{
	free(entries->messages);
	free(entries->all);
	*entries = (struct case_entries){};
}

bool case_entries_have(const struct case_entries *entries, uint64_t message)
{
	return entries->messages_count > 0 &&
	       bsearch(&message, entries->messages, entries->messages_count, sizeof(message),
		       compare) != NULL;
}
