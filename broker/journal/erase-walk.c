/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A walk goes over runs of entries that once were sealed under a doomed key, and looks at what each row says
 * itself: a survivor that was sealed anew is passed over. So a walk can be begun again at any time, and finds
 * what is left to do. Rows change under it; it stands nowhere between two of them, it seeks.
 */
#include "broker/journal/erase.h"

#include <errno.h>

enum { COST_LOOK = 1 };

static db_table_id table_of(const struct erase_view *view, uint8_t table)
{
	const struct journal_tables *tables = view->source.tables;
	return table == SEAL_RECORD ? tables->record : tables->content;
}

/* The next run under a doomed key. */
static int next_run(struct erase_walk *walk, const struct erase_view *view)
{
	int r;
	/* Survivors may have cut the run up behind us. An empty one, at the end of the log, is behind us as it is. */
	if (walk->run.table && walk->run.end > walk->run.first)
		walk->run.first = walk->run.end - 1;
	do
		r = seal_map_next(view->source.tables, view->source.txn, view->size, &walk->run);
	while (r == 0 && !erase_plan_dooms(view->plan, walk->run.class, walk->run.label));
	walk->in_run = r == 0;
	walk->next = walk->run.first;
	return r;
}

/* The first chunk of the next entry of the table. */
static int next_entry(struct erase_walk *walk, struct db_cursor *cursor, size_t *budget,
	uint64_t *ret_sequence, struct bytes *ret_value)
{
	struct key from = key_u64(walk->next);
	struct bytes key;
	int r = db_cursor_seek(cursor, KEY_BYTES_OF(from), &key, ret_value);
	if (r)
		return r;
	if (key.len < 8)
		return -EBADMSG;
	*ret_sequence = be64_get(key.data);
	*budget -= *budget < COST_LOOK ? *budget : COST_LOOK;
	walk->next = *ret_sequence + 1;
	return 0;
}

static int is_of_class(const struct erase_view *view, uint64_t sequence, uint8_t class, bool *ret)
{
	struct stub stub;
	int r = stub_read(&view->source, sequence, &stub);
	*ret = r == 0 && stub.class == class;
	return r < 0 ? r : 0;
}

/* Rows of the run at hand. */
static int walk_run(struct erase_walk *walk, const struct erase_view *view,
	struct db_cursor *cursor, size_t *budget, struct erase_row *ret)
{
	while (*budget > 0) {
		struct bytes value;
		uint64_t sequence;
		uint32_t label;
		bool ours;
		int r = next_entry(walk, cursor, budget, &sequence, &value);
		if (r == DB_NOT_FOUND || (r == 0 && sequence >= walk->run.end)) {
			walk->in_run = false;
			return ERASE_WALK_RUN;
		}
		if (r)
			return r;
		if (row_label(value, &label) ||
			!erase_plan_dooms(view->plan, walk->run.class, label))
			continue;
		r = is_of_class(view, sequence, walk->run.class, &ours);
		if (r)
			return r;
		if (!ours)
			continue;
		*ret = (struct erase_row){.table = walk->run.table,
			.class = walk->run.class,
			.sequence = sequence,
			.label = label};
		return 0;
	}
	return ERASE_WALK_PAUSE;
}

int erase_walk_next(struct erase_walk *walk, const struct erase_view *view, size_t *budget,
	struct erase_row *ret)
{
	struct db_cursor *cursor;
	if (!walk->in_run) {
		int r = next_run(walk, view);
		if (r)
			return r;
	}
	int r = db_cursor_open(view->source.txn, table_of(view, walk->run.table), &cursor);
	if (r)
		return r;
	r = walk_run(walk, view, cursor, budget, ret);
	db_cursor_close(cursor);
	return r;
}
