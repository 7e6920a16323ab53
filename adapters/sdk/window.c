/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Entries that are not out stand in one list by number, so order survives deferrals and reconnects without
 * sorting. Looking for what may leave walks that list; a pass remembers where it stands and that it found
 * nothing, so a long tail of blocked messages is walked again only after a gate opened or a time came.
 * In the usual case (nothing deferred, cases distinct) the first entry of the list is the answer.
 */
#include "adapters/sdk/window.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "adapters/sdk/map.h"
#include "proto/base/bytes.h"

enum { NONE = MAP_NONE };

struct list {
	uint32_t first, last;
};

/* A place that is not to be knocked on, or by one at a time. */
struct gate {
	uint64_t until_ns;
	uint64_t pass; /* in which somebody was let through */
	uint32_t next_free;
	bool probing; /* somebody is out */
};

struct window {
	size_t max, count, sent_count;
	uint64_t sent_bytes;
	struct list open; /* waiting and deferred, by number */
	struct list sent; /* by frame */
	uint32_t free_entry, free_gate;
	uint32_t cursor; /* where the pass goes on; NONE: at its end */
	uint64_t pass;
	uint64_t due_ns; /* no deferral is over before */
	size_t reseals;
	struct map *by_h;
	struct map *by_case; /* its oldest entry */
	struct map *by_place;
	struct gate *gates;
	struct window_entry *entries;
};

static struct window_entry *at(const struct window *window, uint32_t index)
{
	return &window->entries[index];
}

static uint32_t index_of(const struct window *window, const struct window_entry *entry)
{
	return (uint32_t)(entry - window->entries);
}

static uint64_t h_key(const uint8_t h[HASH_SIZE])
{
	return be64_get(h);
}

int window_new(size_t entries_max, struct window **ret)
{
	_cleanup_(window_free) struct window *window = calloc(1, sizeof(*window));
	if (!window)
		return -ENOMEM;
	assert(entries_max >= 1);
	window->max = entries_max;
	window->open = window->sent = (struct list){NONE, NONE};
	window->cursor = NONE;
	window->due_ns = UINT64_MAX;
	window->pass = 1;
	window->entries = calloc(entries_max, sizeof(window->entries[0]));
	window->gates = calloc(entries_max, sizeof(window->gates[0]));
	if (!window->entries || !window->gates || map_new(entries_max, &window->by_h) ||
		map_new(entries_max, &window->by_case) || map_new(entries_max, &window->by_place))
		return -ENOMEM;
	for (uint32_t i = 0; i < entries_max; i++) {
		uint32_t next = i + 1 < entries_max ? i + 1 : NONE;
		window->entries[i].next = next;
		window->gates[i].next_free = next;
	}
	*ret = steal(&window);
	return 0;
}

void window_free(struct window *window)
{
	if (!window)
		return;
	map_free(window->by_h);
	map_free(window->by_case);
	map_free(window->by_place);
	free(window->entries);
	free(window->gates);
	free(window);
}

size_t window_left(const struct window *window)
{
	return window->max - window->count;
}

size_t window_count(const struct window *window)
{
	return window->count;
}

size_t window_sent_count(const struct window *window)
{
	return window->sent_count;
}

uint64_t window_sent_bytes(const struct window *window)
{
	return window->sent_bytes;
}

/* ---- lists ---- */

static void list_remove(struct window *window, struct list *list, struct window_entry *entry)
{
	if (entry->previous == NONE)
		list->first = entry->next;
	else
		at(window, entry->previous)->next = entry->next;
	if (entry->next == NONE)
		list->last = entry->previous;
	else
		at(window, entry->next)->previous = entry->previous;
}

/* @before NONE: at the end. */
static void list_insert(
	struct window *window, struct list *list, struct window_entry *entry, uint32_t before)
{
	uint32_t index = index_of(window, entry);
	uint32_t previous = before == NONE ? list->last : at(window, before)->previous;
	entry->next = before;
	entry->previous = previous;
	if (previous == NONE)
		list->first = index;
	else
		at(window, previous)->next = index;
	if (before == NONE)
		list->last = index;
	else
		at(window, before)->previous = index;
}

/* Back among the open ones, by number. @hint: an open one that may be the next, or NONE. */
static void open_insert(struct window *window, struct window_entry *entry, uint32_t hint)
{
	uint32_t before = window->open.first;
	if (hint != NONE && at(window, hint)->number > entry->number) {
		uint32_t previous = at(window, hint)->previous;
		if (previous == NONE || at(window, previous)->number < entry->number)
			before = hint;
	}
	while (before != NONE && at(window, before)->number < entry->number)
		before = at(window, before)->next;
	list_insert(window, &window->open, entry, before);
	window_rewind(window);
}

void window_rewind(struct window *window)
{
	window->cursor = window->open.first;
	window->pass++;
}

/* ---- gates ---- */

static struct gate *gate_find(const struct window *window, uint64_t place)
{
	uint32_t index = map_get(window->by_place, place);
	return index == NONE ? NULL : &window->gates[index];
}

static void gate_close(struct window *window, uint64_t place, uint64_t until_ns)
{
	struct gate *gate = gate_find(window, place);
	if (!gate) {
		uint32_t index = window->free_gate;
		assert(index != NONE);
		gate = &window->gates[index];
		window->free_gate = gate->next_free;
		gate->probing = false;
		gate->pass = 0;
		map_put(window->by_place, place, index);
	}
	gate->until_ns = until_ns;
}

static void gate_open(struct window *window, uint64_t place)
{
	uint32_t index = map_get(window->by_place, place);
	if (index == NONE)
		return;
	map_remove(window->by_place, place);
	window->gates[index].next_free = window->free_gate;
	window->free_gate = index;
}

/* The entry is not out any more: somebody else may knock. */
static void probe_end(struct window *window, struct window_entry *entry)
{
	struct gate *gate = gate_find(window, entry->place_gate);
	if (gate && entry->probe)
		gate->probing = false;
	entry->probe = false;
}

static void due_at(struct window *window, uint64_t at_ns)
{
	if (at_ns < window->due_ns)
		window->due_ns = at_ns;
}

/* May it leave now? When only time is missing, says until when. */
static bool may_leave(const struct window *window, const struct window_entry *entry,
	uint64_t now_ns, uint64_t *ret_due)
{
	*ret_due = UINT64_MAX;
	if (map_get(window->by_case, entry->case_gate) != index_of(window, entry))
		return false;
	if (entry->state == WINDOW_DEFERRED && (entry->reseal || entry->retry_at_ns > now_ns)) {
		*ret_due = entry->retry_at_ns;
		return false;
	}
	struct gate *gate = gate_find(window, entry->place_gate);
	if (!gate)
		return true;
	if (gate->probing || gate->pass == window->pass)
		return false;
	if (now_ns < gate->until_ns) {
		*ret_due = gate->until_ns;
		return false;
	}
	gate->pass = window->pass;
	return true;
}

/* ---- the way of a message ---- */

void window_add(struct window *window, const struct window_entry *entry)
{
	uint32_t index = window->free_entry;
	assert(index != NONE && window->count < window->max);
	assert(window->open.last == NONE || at(window, window->open.last)->number < entry->number);
	struct window_entry *new = at(window, index);
	window->free_entry = new->next;
	*new = *entry;
	new->state = WINDOW_WAITING;
	new->probe = new->reseal = new->resign = false;
	new->case_next = NONE;
	new->case_last = index;
	uint32_t oldest = map_get(window->by_case, new->case_gate);
	if (oldest == NONE) {
		map_put(window->by_case, new->case_gate, index);
	} else {
		at(window, at(window, oldest)->case_last)->case_next = index;
		at(window, oldest)->case_last = index;
	}
	map_put(window->by_h, h_key(new->h), index);
	list_insert(window, &window->open, new, NONE);
	if (window->cursor == NONE)
		window->cursor = index;
	window->count++;
}

struct window_entry *window_next(struct window *window, uint64_t now_ns)
{
	if (window->cursor == NONE && now_ns >= window->due_ns)
		window_rewind(window);
	if (window->cursor == window->open.first)
		window->due_ns = UINT64_MAX; /* this pass finds out */
	while (window->cursor != NONE) {
		uint64_t due;
		struct window_entry *entry = at(window, window->cursor);
		window->cursor = entry->next;
		if (may_leave(window, entry, now_ns, &due))
			return entry;
		due_at(window, due);
	}
	return NULL;
}

struct window_entry *window_next_reseal(struct window *window, uint64_t now_ns)
{
	if (window->reseals == 0)
		return NULL;
	for (uint32_t i = window->open.first; i != NONE; i = at(window, i)->next) {
		struct window_entry *entry = at(window, i);
		if (entry->state == WINDOW_DEFERRED && entry->reseal && entry->retry_at_ns <= now_ns)
			return entry;
	}
	return NULL;
}

void window_sent(struct window *window, struct window_entry *entry, uint64_t frame)
{
	struct gate *gate = gate_find(window, entry->place_gate);
	assert(entry->state != WINDOW_SENT);
	if (gate) {
		gate->probing = true;
		entry->probe = true;
	}
	/* A pass that began anew while the frame was filled stands where the frame does. */
	if (window->cursor == index_of(window, entry))
		window->cursor = entry->next;
	list_remove(window, &window->open, entry);
	list_insert(window, &window->sent, entry, NONE);
	entry->state = WINDOW_SENT;
	entry->frame = frame;
	window->sent_count++;
	window->sent_bytes += entry->bytes;
}

static void unsend(struct window *window, struct window_entry *entry)
{
	assert(entry->state == WINDOW_SENT);
	list_remove(window, &window->sent, entry);
	window->sent_count--;
	window->sent_bytes -= entry->bytes;
}

struct window_entry *window_find(struct window *window, const uint8_t h[HASH_SIZE])
{
	uint32_t index = map_get(window->by_h, h_key(h));
	if (index == NONE || memcmp(at(window, index)->h, h, HASH_SIZE) != 0)
		return NULL;
	return at(window, index);
}

static void case_step(struct window *window, const struct window_entry *entry)
{
	assert(map_get(window->by_case, entry->case_gate) == index_of(window, entry));
	if (entry->case_next == NONE) {
		map_remove(window->by_case, entry->case_gate);
		return;
	}
	at(window, entry->case_next)->case_last = entry->case_last;
	map_put(window->by_case, entry->case_gate, entry->case_next);
	window_rewind(window);
}

void window_remove(struct window *window, struct window_entry *entry)
{
	unsend(window, entry);
	case_step(window, entry);
	if (gate_find(window, entry->place_gate)) {
		gate_open(window, entry->place_gate);
		window_rewind(window);
	}
	map_remove(window->by_h, h_key(entry->h));
	entry->next = window->free_entry;
	window->free_entry = index_of(window, entry);
	window->count--;
}

void window_defer(
	struct window *window, struct window_entry *entry, uint64_t until, enum window_reach reach)
{
	unsend(window, entry);
	probe_end(window, entry);
	if (reach == WINDOW_PLACE)
		gate_close(window, entry->place_gate, until);
	entry->state = WINDOW_DEFERRED;
	entry->retry_at_ns = until;
	window->reseals += entry->reseal;
	due_at(window, until);
	open_insert(window, entry, NONE);
}

void window_resealed(struct window *window, struct window_entry *entry, const uint8_t h[HASH_SIZE],
	uint32_t bytes)
{
	assert(entry->state == WINDOW_DEFERRED && entry->reseal);
	map_remove(window->by_h, h_key(entry->h));
	memcpy(entry->h, h, HASH_SIZE);
	map_put(window->by_h, h_key(h), index_of(window, entry));
	entry->bytes = bytes;
	entry->reseal = entry->resign = false;
	entry->state = WINDOW_WAITING;
	window->reseals--;
	window_rewind(window);
}

void window_put_back(struct window *window, uint64_t frame)
{
	uint32_t hint = NONE;
	while (window->sent.last != NONE && at(window, window->sent.last)->frame >= frame) {
		struct window_entry *entry = at(window, window->sent.last);
		unsend(window, entry);
		probe_end(window, entry);
		entry->state = WINDOW_WAITING;
		open_insert(window, entry, hint);
		hint = index_of(window, entry);
	}
}

void window_hurry_reseals(struct window *window)
{
	for (uint32_t i = window->open.first; i != NONE && window->reseals > 0;
		i = at(window, i)->next) {
		if (at(window, i)->state == WINDOW_DEFERRED && at(window, i)->reseal)
			at(window, i)->retry_at_ns = 0;
	}
	if (window->reseals > 0)
		window->due_ns = 0;
	window_rewind(window);
}

uint64_t window_due_ns(const struct window *window)
{
	return window->due_ns;
}

void window_hurry_uploads(struct window *window)
{
	for (uint32_t i = window->open.first; i != NONE; i = at(window, i)->next) {
		if (at(window, i)->state == WINDOW_DEFERRED && at(window, i)->upload)
			at(window, i)->retry_at_ns = 0;
	}
	window->due_ns = 0;
	window_rewind(window);
}
