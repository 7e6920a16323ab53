/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * An index of recent cases would have to hold their ids, and be forgotten entry by entry. "What happened lately" is
 * asked a few times a day and answered from a few dozen entries.
 */
#include "broker/audit/recent.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "broker/audit/entry.h"

enum { CASES_OF_ENTRY_MAX = 4096 };

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, CASE_ID_SIZE);
}

static bool is_told(const struct case_recent *recent, const uint8_t *id)
{
	return tfind(id, &recent->seen, compare) != NULL;
}

static int tell(struct case_recent *recent, const uint8_t *id)
{
	_cleanup_(heap_free) uint8_t *copy = malloc(CASE_ID_SIZE);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, id, CASE_ID_SIZE);
	if (!tsearch(copy, &recent->seen, compare))
		return -ENOMEM;
	(void)steal(&copy);
	return 0;
}

/* ---- the cases of one entry ---- */

static void add(struct case_recent *recent, struct bytes id)
{
	if (id.len == CASE_ID_SIZE && recent->count < recent->room)
		memcpy(recent->found[recent->count++], id.data, CASE_ID_SIZE);
}

/* What cannot be read is passed over: of which case it is cannot be told. */
static int add_case_of(struct case_recent *recent, uint64_t message)
{
	struct audit_entry entry;
	arena_reset(recent->scratch);
	int r = audit_entry_read(recent->audit->reader, message, recent->scratch, &entry);
	if (r == 0 && entry.header)
		add(recent, BYTES_PB(entry.header->case_id));
	return r < 0 ? r : 0;
}

static bool is_about_messages(uint8_t kind)
{
	return kind != DIENSTWEG__ENTRY_KIND__ENTRY_REGISTRY &&
	       kind != DIENSTWEG__ENTRY_KIND__ENTRY_STATE;
}

static int look_at(struct case_recent *recent, uint64_t sequence)
{
	struct audit_entry entry;
	struct stub stub;
	arena_reset(recent->arena);
	int r = journal_read_stub(recent->audit->reader, sequence, &stub);
	if (r || !is_about_messages(stub.kind))
		return r < 0 ? r : 0;
	r = audit_entry_read(recent->audit->reader, sequence, recent->arena, &entry);
	if (r)
		return r < 0 ? r : 0;
	if (entry.header)
		add(recent, BYTES_PB(entry.header->case_id));
	for (size_t i = 0; entry.batch && i < entry.batch->n_acks && r == 0; i++)
		r = add_case_of(recent, entry.batch->acks[i]->sequence);
	for (size_t i = 0; i < entry.decision->n_affected && r == 0; i++)
		r = add_case_of(recent, entry.decision->affected[i]->sequence);
	return r;
}

static int begin(struct case_recent *recent)
{
	struct journal_pruned pruned = {};
	struct journal_meta meta;
	recent->begun = true;
	recent->arena = arena_new(ENTRY_ARENA);
	recent->scratch = arena_new(ENTRY_ARENA);
	recent->found = calloc(CASES_OF_ENTRY_MAX, sizeof(recent->found[0]));
	recent->room = CASES_OF_ENTRY_MAX;
	if (!recent->arena || !recent->scratch || !recent->found)
		return -ENOMEM;
	int r = journal_read_meta(recent->audit->reader, &meta);
	if (r == 0)
		r = journal_read_pruned(recent->audit->reader, &pruned);
	recent->next = meta.size;
	recent->first = pruned.before;
	return r > 0 ? -EBADMSG : r;
}

int case_recent_next(struct case_recent *recent, uint8_t ret[CASE_ID_SIZE])
{
	int r = recent->begun ? 0 : begin(recent);
	while (r == 0) {
		while (recent->count > 0) {
			const uint8_t *id = recent->found[--recent->count];
			if (is_told(recent, id))
				continue;
			memcpy(ret, id, CASE_ID_SIZE);
			return tell(recent, id);
		}
		if (recent->next <= recent->first)
			return DB_NOT_FOUND;
		r = look_at(recent, --recent->next);
		if (r == 0 && recent->next % AUDIT_SLICE == 0)
			r = audit_refresh(recent->audit);
	}
	return r;
}

void case_recent_deinit(struct case_recent *recent)
{
	tdestroy(recent->seen, free);
	free(recent->found);
	arena_free(recent->arena);
	arena_free(recent->scratch);
	*recent = (struct case_recent){};
}

/* ---- one case ---- */

int case_find(struct audit *audit, struct bytes prefix, uint8_t ret[CASE_ID_SIZE])
{
	_cleanup_(case_recent_deinit) struct case_recent recent = {.audit = audit};
	uint8_t id[CASE_ID_SIZE];
	bool found = false;
	int r;
	if (prefix.len == CASE_ID_SIZE) {
		memcpy(ret, prefix.data, CASE_ID_SIZE);
		return 0;
	}
	while ((r = case_recent_next(&recent, id)) == 0) {
		if (memcmp(id, prefix.data, prefix.len) != 0)
			continue;
		if (found)
			return DB_EXISTS;
		memcpy(ret, id, CASE_ID_SIZE);
		found = true;
	}
	return r == DB_NOT_FOUND && found ? 0 : r;
}

static int time_of(struct audit *audit, uint64_t sequence, struct arena *arena, uint64_t *ret)
{
	struct audit_entry entry;
	arena_reset(arena);
	int r = audit_entry_read(audit->reader, sequence, arena, &entry);
	*ret = r == 0 ? entry.disclosed.batch_ms : 0;
	return r < 0 ? r : 0;
}

int case_summarize(struct audit *audit, const uint8_t id[CASE_ID_SIZE],
	const struct case_entries *entries, struct case_summary *ret)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(ENTRY_ARENA);
	if (entries->count == 0)
		return DB_NOT_FOUND;
	*ret = (struct case_summary){
		.first = entries->all[0],
		.last = entries->all[entries->count - 1],
		.entries = entries->count,
	};
	memcpy(ret->id, id, CASE_ID_SIZE);
	int r = arena ? time_of(audit, ret->first, arena, &ret->first_ms) : -ENOMEM;
	return r ? r : time_of(audit, ret->last, arena, &ret->last_ms);
}
