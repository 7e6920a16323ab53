/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The same walk and the same judgement as a run's, over snapshots instead of transactions: what this says would
 * go is what goes, unless something happens in between.
 */
#include "broker/journal/erase-survey.h"

#include <errno.h>
#include <stdlib.h>

#include "broker/journal/erase.h"

enum { SURVEY_ROWS = 4096 /* of a snapshot */ };

void erase_survey_deinit(struct erase_survey *survey)
{
	free(survey->lines);
	*survey = (struct erase_survey){};
}

static struct erase_survey_line *line_of(struct erase_survey *survey, const struct erase_row *row)
{
	uint32_t day = label_day(row->label);
	for (size_t i = survey->count; i > 0; i--) {
		struct erase_survey_line *line = &survey->lines[i - 1];
		if (line->table == row->table && line->class == row->class && line->erase_day == day)
			return line;
	}
	if (survey->count == survey->room) {
		size_t room = survey->room ? survey->room * 2 : 32;
		void *lines = reallocarray(survey->lines, room, sizeof(*survey->lines));
		if (!lines)
			return NULL;
		survey->lines = lines;
		survey->room = room;
	}
	survey->lines[survey->count] = (struct erase_survey_line){
		.table = row->table, .class = row->class, .erase_day = day};
	return &survey->lines[survey->count++];
}

static int count(struct erase_survey *survey, const struct erase_row *row, enum erase_fate fate)
{
	struct erase_survey_line *line = line_of(survey, row);
	if (!line)
		return -ENOMEM;
	line->erased += fate == ERASE_FATE_ERASE;
	line->waiting += fate == ERASE_FATE_WAITING;
	line->held += fate == ERASE_FATE_HELD;
	line->open += fate == ERASE_FATE_OPEN;
	return 0;
}

/* One snapshot's worth. Return: 0 to go on, DB_NOT_FOUND at the end, negative errno. */
static int survey_some(struct journal_reader *reader, struct erase_view *view,
	struct erase_walk *walk, struct erase_survey *ret)
{
	struct journal_meta meta;
	struct journal_inside inside;
	struct erase_row row;
	enum erase_fate fate;
	size_t budget = SURVEY_ROWS;
	int r = journal_read_meta(reader, &meta);
	if (r)
		return r < 0 ? r : -EBADMSG;
	journal_reader_inside(reader, &inside);
	view->source = inside.records;
	view->state = &inside.store->state;
	view->size = meta.size;
	r = erase_holds_any(view->state, &view->holds);
	while (r == 0 && budget > 0) {
		r = erase_walk_next(walk, view, &budget, &row);
		if (r == ERASE_WALK_RUN) {
			r = 0;
			continue;
		}
		if (r == 0)
			r = erase_fate(view, &row, &fate);
		if (r == 0)
			r = count(ret, &row, fate);
	}
	return r == ERASE_WALK_PAUSE ? 0 : r;
}

static int gather(struct journal_reader *reader, struct waiting **ret)
{
	struct journal_inside inside;
	bool complete = false;
	int r = journal_reader_begin(reader);
	if (r)
		return r;
	journal_reader_inside(reader, &inside);
	r = waiting_new(inside.env, inside.store, ret);
	journal_reader_end(reader);
	while (r == 0 && !complete)
		r = waiting_read(*ret, SURVEY_ROWS, &complete);
	return r;
}

int erase_survey_due(struct journal_reader *reader, uint32_t today,
	const uint32_t record_days[ERASE_CLASSES], struct erase_survey *ret)
{
	_cleanup_(waiting_free) struct waiting *waiting = NULL;
	_cleanup_(arena_free) struct arena *arena = arena_new(ERASE_ARENA);
	const struct erase_plan plan = {.phase = ERASE_RESEAL, .before_day = today};
	struct erase_walk walk = {};
	int r = arena ? gather(reader, &waiting) : -ENOMEM;
	struct erase_view view = {
		.plan = &plan,
		.waiting = waiting,
		.today = today,
		.record_days = record_days,
		.arena = arena,
	};
	while (r == 0) {
		r = journal_reader_begin(reader);
		if (r == 0)
			r = survey_some(reader, &view, &walk, ret);
		journal_reader_end(reader);
	}
	return r == DB_NOT_FOUND ? 0 : r == -EBADMSG ? READER_DAMAGED : r;
}
