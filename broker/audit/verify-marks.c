/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What the broker notes for itself proves nothing, but decides what it does next: where erasure looks, which
 * week's instructions are done, what a sender has heard, from which state replay goes on. A false note makes data
 * outlive its day, or an outcome be forgotten, while every proof still verifies. What follows from the entries is
 * compared with them; of the rest it is asked whether it can be.
 *
 * A journal that grows while it is read has newer notes than the walk has seen entries: those behind the walk's end
 * are only asked to be about entries of their kind.
 */
#include <inttypes.h>

#include "broker/audit/verifier.h"
#include "broker/journal/marks.h"
#include "proto/base/clock.h"

static void wrong(struct verifier *v, uint64_t sequence, const char *row, const char *why)
{
	audit_report_finding(v->report, sequence, "mark-wrong",
		"what the journal notes for itself (row %s of the table meta) %s", row, why);
}

void verify_marks_see(struct verifier *v)
{
	if (v->found != 0)
		return;
	if (v->stub.kind == DIENSTWEG__ENTRY_KIND__ENTRY_STATE)
		v->last_state = v->edge.size + 1;
	if (v->stub.kind == DIENSTWEG__ENTRY_KIND__ENTRY_WITNESSED)
		v->last_witnessed = v->edge.size + 1;
}

/*
 * May a note that names @named as the last entry of its kind be right, when the walk saw @seen (each one more than the
 * entry; 0: none)? What stands before the walk's beginning it cannot have seen.
 */
static bool is_last(
	const struct verifier *v, const struct journal_meta *meta, uint64_t named, uint64_t seen)
{
	if (named > v->size)
		return named <= meta->size;
	return seen > 0 ? named == seen : named <= v->walked_from;
}

/* Return: 0, 1 when there is no such entry, negative errno. */
static int read_kind(struct verifier *v, uint64_t sequence, uint8_t kind, struct audit_entry *ret)
{
	arena_reset(v->arena);
	int r = audit_entry_read(v->audit->reader, sequence, v->arena, ret);
	return r == 0 ? ret->stub.kind != kind : r < 0 ? r : 1;
}

static int check_state_mark(struct verifier *v, const struct journal_meta *meta)
{
	struct journal_state_mark mark;
	struct audit_entry entry;
	int r = journal_read_state_mark(v->audit->reader, &mark);
	if (r < 0)
		return r;
	if (r == READER_NOT_FOUND) {
		if (v->last_state > 0)
			wrong(v, v->last_state - 1, "state",
				"is missing, and this entry is a state");
		return 0;
	}
	if (r > 0 || !is_last(v, meta, mark.sequence + 1, v->last_state)) {
		wrong(v, v->last_state ? v->last_state - 1 : 0, "state",
			"does not name the newest state entry");
		return 0;
	}
	r = read_kind(v, mark.sequence, DIENSTWEG__ENTRY_KIND__ENTRY_STATE, &entry);
	if (r < 0)
		return r;
	const Dienstweg__StateCut *cut = r == 0 ? entry.decision->state : NULL;
	if (!cut || cut->size != mark.size || cut->batch_ms != mark.batch_ms)
		wrong(v, mark.sequence, "state", "says something else than this entry");
	return 0;
}

static int check_cosigned_mark(struct verifier *v, const struct journal_meta *meta)
{
	struct journal_cosigned_mark mark;
	struct audit_entry entry;
	struct bytes note;
	uint64_t size = 0;
	int r = journal_read_cosigned_mark(v->audit->reader, &mark);
	if (r < 0)
		return r;
	if (r == READER_NOT_FOUND) {
		if (v->last_witnessed > 0)
			wrong(v, v->last_witnessed - 1, "cosigned",
				"is missing, and this entry notes a quorum");
		return 0;
	}
	if (r == 0)
		r = journal_read_next_cosigned(v->audit->reader, mark.size, &size, &note);
	if (r < 0)
		return r;
	if (r > 0 || size != mark.size || mark.window_ms > meta->batch_ms)
		wrong(v, v->last_witnessed ? v->last_witnessed - 1 : 0, "cosigned",
			"names a checkpoint that is not kept, or a time that has not come");
	else if (!is_last(v, meta, mark.witnessed, v->last_witnessed))
		wrong(v, v->last_witnessed ? v->last_witnessed - 1 : 0, "cosigned",
			"does not name the last entry that notes a quorum");
	else if (mark.witnessed > 0) {
		r = read_kind(v, mark.witnessed - 1, DIENSTWEG__ENTRY_KIND__ENTRY_WITNESSED, &entry);
		if (r > 0)
			wrong(v, mark.witnessed - 1, "cosigned",
				"says that this entry notes a quorum");
	}
	return r < 0 ? r : 0;
}

static int check_confirmed(struct verifier *v, const struct journal_meta *meta)
{
	uint32_t party = 0, found = 0;
	uint64_t sequence;
	int r;
	while ((r = journal_read_next_confirmed(v->audit->reader, party, &found, &sequence)) == 0) {
		if (found == 0 || sequence >= meta->size)
			wrong(v, sequence, "confirmed",
				"says that a sender has confirmed an entry that is not there");
		if (found == UINT32_MAX)
			return 0;
		party = found + 1;
	}
	if (r == READER_DAMAGED)
		wrong(v, 0, "confirmed", "cannot be read");
	return r < 0 ? r : 0;
}

/* Instructions are carried out when a new week begins: one that lies ahead would put them off. */
static int check_week(struct verifier *v, const struct journal_meta *meta)
{
	uint32_t week, now = (clock_day(meta->batch_ms) + 3) / 7;
	int r = journal_read_erase_week(v->audit->reader, &week);
	if (r == READER_DAMAGED || (r == 0 && week > now))
		wrong(v, v->size - 1, "erase-week",
			"names a week that has not come: what was instructed would not be erased");
	return r < 0 ? r : 0;
}

static int check_instructed(struct verifier *v, const struct journal_meta *meta)
{
	uint64_t from = 0, sequence = 0;
	int r;
	while ((r = journal_read_next_instructed(v->audit->reader, from, &sequence)) == 0 &&
		sequence < meta->size)
		from = sequence + 1;
	if (r == 0 || r == READER_DAMAGED)
		audit_report_finding(v->report, sequence, "instructed-wrong",
			"the table instructed has a row that cannot be: an entry that is not "
			"there, "
			"or no digest of an instruction");
	return r < 0 ? r : 0;
}

/* The rows of entries are compared with it where they are read. */
static int check_seals(struct verifier *v, const struct journal_meta *meta)
{
	_cleanup_(seal_check_free) struct seal_check *check = NULL;
	const char *why;
	uint64_t from;
	int r = seal_check_new(v->audit->reader, &check);
	if (r == 0)
		r = seal_check_begin(check);
	if (r == 0)
		r = seal_check_table(check, meta->size, &from, &why);
	if (r > 0)
		audit_report_finding(v->report, from, "seal-wrong",
			"a row of the table seal, which tells erasure where to look, %s", why);
	return r < 0 ? r : 0;
}

int verify_marks(struct verifier *v)
{
	struct journal_meta meta;
	int r = journal_read_meta(v->audit->reader, &meta);
	if (r || v->size == 0)
		return r < 0 ? r : 0;
	r = check_state_mark(v, &meta);
	if (r == 0)
		r = check_cosigned_mark(v, &meta);
	if (r == 0)
		r = check_confirmed(v, &meta);
	if (r == 0)
		r = check_week(v, &meta);
	if (r == 0)
		r = check_instructed(v, &meta);
	if (r == 0 && v->options->depth == AUDIT_FULL)
		r = check_seals(v, &meta);
	return r;
}
