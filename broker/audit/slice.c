/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Entries are judged by several threads and told as if by one. What is found is few and small, so it is
 * copied: a sentence in a growing text, its place in an array. Both belong to one slice and are used again
 * for the next, so a journal in which every entry is damaged needs no more memory than one slice of it.
 */
#include "broker/audit/slice.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { HELD_FIRST = 16, HELD_TEXT_FIRST = 4096 };

/* Room for one more item and its text. */
static bool held_grow(struct held *held, size_t len)
{
	if (held->count == held->room) {
		size_t room = held->room ? 2 * held->room : HELD_FIRST;
		void *items = reallocarray(held->items, room, sizeof(*held->items));
		if (!items)
			return false;
		held->items = items;
		held->room = room;
	}
	if (len > held->text_room - held->text_len) {
		size_t room = 2 * held->text_room + HELD_TEXT_FIRST;
		char *text = realloc(held->text, room);
		if (!text)
			return false;
		held->text = text;
		held->text_room = room;
	}
	return true;
}

static void hold(void *context, const struct audit_finding *finding)
{
	struct held *held = context;
	size_t len = strlen(finding->reason) + 1;
	if (!held_grow(held, len)) {
		held->failed = true;
		return;
	}
	memcpy(held->text + held->text_len, finding->reason, len);
	held->items[held->count++] = (struct held_finding){
		.entry = held->entry,
		.step = held->step,
		.sequence = finding->sequence,
		.code = finding->code,
		.reason = held->text_len,
	};
	held->text_len += len;
}

void held_at(struct held *held, uint64_t entry, enum slice_step step)
{
	held->entry = entry;
	held->step = step;
}

static void held_empty(struct held *held)
{
	held->count = 0;
	held->text_len = 0;
	held->failed = false;
}

static void held_deinit(struct held *held)
{
	free(held->items);
	free(held->text);
}

void slice_init(struct slice *slice)
{
	*slice = (struct slice){};
	chain_init(&slice->chain, NULL);
	slice->tree.report = (struct audit_report){.finding = hold, .context = &slice->tree};
	slice->records.report = (struct audit_report){.finding = hold, .context = &slice->records};
}

void slice_deinit(struct slice *slice)
{
	chain_deinit(&slice->chain);
	disputes_deinit(&slice->disputes);
	held_deinit(&slice->tree);
	held_deinit(&slice->records);
}

void slice_begin(struct slice *slice, uint64_t first)
{
	held_empty(&slice->tree);
	held_empty(&slice->records);
	slice->first = first;
	slice->end = first;
	slice->earliest = (struct slice_time){};
	slice->latest = (struct slice_time){};
	slice->absent_count = 0;
	slice->unread = 0;
	slice->opened = 0;
	slice->signatures = 0;
	disputes_clear(&slice->disputes);
	slice->result = 0;
}

static bool stands_before(const struct held_finding *a, const struct held_finding *b)
{
	return a->entry < b->entry || (a->entry == b->entry && a->step < b->step);
}

void slice_time(struct held *held, struct slice_time *last, uint64_t entry, uint64_t ms)
{
	if (last->known && ms < last->batch_ms) {
		held_at(held, entry, STEP_TIME);
		audit_report_finding(&held->report, entry, "time-backwards",
			"its time lies before that of the entry before it");
	}
	*last = (struct slice_time){.known = true, .entry = entry, .batch_ms = ms};
}

/* The time over the slice's beginning can be judged only now, and belongs before what is held already. */
static void judge_beginning(struct slice *slice, struct slice_time last)
{
	struct held *held = &slice->tree;
	if (!slice->earliest.known)
		return;
	slice_time(held, &last, slice->earliest.entry, slice->earliest.batch_ms);
	for (size_t i = held->count; i-- > 1;) {
		struct held_finding *late = &held->items[i], *before = late - 1, moved = *late;
		if (!stands_before(late, before))
			break;
		*late = *before;
		*before = moved;
	}
}

int slice_tell(struct slice *slice, struct audit_report *report, struct slice_time *last)
{
	struct held *tree = &slice->tree, *records = &slice->records;
	size_t t = 0, r = 0;
	judge_beginning(slice, *last);
	while (t < tree->count || r < records->count) {
		bool record = t == tree->count ||
			      (r < records->count &&
				      stands_before(&records->items[r], &tree->items[t]));
		const struct held *held = record ? records : tree;
		const struct held_finding *item = &held->items[record ? r++ : t++];
		audit_report_finding(
			report, item->sequence, item->code, "%s", held->text + item->reason);
	}
	if (slice->latest.known)
		*last = slice->latest;
	if (slice->result == 0 && (tree->failed || records->failed))
		return -ENOMEM;
	return slice->result;
}
