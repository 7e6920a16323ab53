/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What was pruned is not there, and that is no finding; but anybody could have written the number below which
 * nothing need be there. So an entry has to say it too, which the log has signed. Without the archive, what is
 * left below (permanent entries) is led to the newest checkpoint entry by entry, and the tree is taken up behind
 * it from the hashes that are kept for that; the newest root tells whether they are true.
 */
#include <errno.h>
#include <inttypes.h>

#include "broker/audit/verifier.h"
#include "broker/journal/state.h"

/* ---- who says so? ---- */

/* Return: NULL, or what is wrong with the entry that should say it; *ret_error negative: it could not be asked. */
static const char *said_wrongly(
	struct verifier *v, const struct journal_pruned *pruned, int *ret_error)
{
	struct audit_entry entry;
	bool leads = false;
	uint64_t sequence = pruned->said - 1;
	if (pruned->said == 0)
		return "no entry says so yet: the broker's next start records it";
	if (sequence < pruned->before || sequence >= v->size)
		return "the entry that should say so cannot be one that does";
	arena_reset(v->arena);
	int r = audit_entry_read(v->audit->reader, sequence, v->arena, &entry);
	if (r == 0 && (entry.stub.kind != DIENSTWEG__ENTRY_KIND__ENTRY_START ||
			      entry.decision->pruned_size != pruned->before))
		return "the entry that should say so says something else";
	if (r == 0)
		r = verify_tree_leads(v, sequence, &entry.stub, &leads);
	*ret_error = r < 0 ? r : 0;
	return r > 0 || !leads ? "the entry that should say so is damaged" : NULL;
}

static int open_archive(struct verifier *v)
{
	const char *dir = v->audit->archive;
	int r = archive_stubs_open(dir, &v->archive);
	if (r < 0)
		return r;
	if (r == 0 && archive_stubs_size(v->archive) >= v->pruned)
		return 0;
	audit_report_finding(v->report, 0, "archive-short",
		"the archive %s %s: what was pruned cannot be verified out of it", dir,
		r > 0 ? "is no exported log" : "ends before the entries that are left here begin");
	archive_stubs_free(steal(&v->archive));
	return 0;
}

int verify_pruned_begin(struct verifier *v)
{
	struct journal_pruned pruned;
	int error = 0, r = journal_read_pruned(v->audit->reader, &pruned);
	if (r < 0)
		return r;
	if (r > 0 || pruned.before > v->size || pruned.before % TREE_ROW_MAX != 0) {
		audit_report_finding(v->report, 0, "pruned-false",
			"what the journal says of pruned entries cannot be true");
		return 0;
	}
	if (pruned.before == 0)
		return 0;
	const char *why = said_wrongly(v, &pruned, &error);
	if (error)
		return error;
	if (why && !(v->options->pruning && pruned.said == 0))
		audit_report_finding(v->report, pruned.before, "pruned-unsaid",
			"the entries before this one were pruned, according to the journal's "
			"tables, but %s",
			why);
	v->pruned = v->result->pruned = pruned.before;
	r = v->audit->archive ? open_archive(v) : 0;
	v->result->archive = v->archive != NULL;
	return r;
}

/* ---- without the archive ---- */

bool verify_pruned_is_closed(const struct verifier *v)
{
	return v->edge.size < v->pruned && !v->archive;
}

/* What is left of the tree over what was pruned. */
static int take_edge(struct verifier *v)
{
	uint64_t size = v->edge.size;
	for (unsigned int level = 0; level < MERKLE_LEVELS && size >> level > 0; level++) {
		if ((size >> level & 1) == 0)
			continue;
		int r = journal_read_node(
			v->audit->reader, size, level, (size >> level) - 1, &v->edge.node[level]);
		if (r < 0)
			return r;
		if (r > 0)
			audit_report_finding(v->report, size - 1, "tile-missing",
				"the stored tree's hashes over what was pruned are missing");
	}
	return 0;
}

int verify_pruned_pass(struct verifier *v)
{
	uint64_t sequence = v->edge.size;
	bool leads = true;
	int r = 0;
	if (v->found == 0)
		r = verify_tree_leads(v, sequence, &v->stub, &leads);
	if (v->found == READER_DAMAGED || !leads)
		audit_report_finding(v->report, sequence, "stub-changed",
			"its stub was kept when others were pruned, and was changed");
	if (r == 0 && sequence + 1 == v->pruned)
		r = verify_tree_resume(v); /* the next checkpoint is one of the tree that is left */
	v->edge.size++;
	return r || v->edge.size < v->pruned ? r : take_edge(v);
}

/* Has it a record or content still? Then it was not pruned, and who looks at each entry tells it. */
static int rows_left(struct verifier *v, uint64_t sequence, bool *ret)
{
	uint64_t record = UINT64_MAX, content = UINT64_MAX;
	int r = journal_read_primary(v->audit->reader, JOURNAL_RECORD, sequence, &record);
	if (r >= 0)
		r = journal_read_primary(v->audit->reader, JOURNAL_CONTENT, sequence, &content);
	*ret = record == sequence || content == sequence;
	return r < 0 ? r : 0;
}

static int check_counted(struct verifier *v, uint64_t state, uint64_t sequence)
{
	bool left = false;
	struct stub stub;
	int r = journal_read_stub(v->audit->reader, sequence, &stub);
	if (r != READER_NOT_FOUND)
		return r < 0 ? r : 0;
	r = v->options->depth == AUDIT_FULL ? rows_left(v, sequence, &left) : 0;
	if (r == 0 && !left)
		audit_report_finding(v->report, sequence, "stub-missing",
			"it is gone, and was not pruned: the state entry %" PRIu64
			" counts it among those that are permanent",
			state);
	return r;
}

/*
 * What is permanent is not pruned. Where everything of such an entry was taken the tree does not tell that it was here,
 * but the state that counted it does; and each state is counted by the next one.
 */
int verify_pruned_counted(struct verifier *v, uint64_t sequence)
{
	_cleanup_(arena_free) struct arena *arena = NULL;
	const Dienstweg__State *state = NULL;
	struct audit_entry entry;
	struct bytes content;
	uint64_t counted = 0;
	if (v->pruned == 0 || v->archive) /* with the archive, the walk over the tree misses it */
		return 0;
	arena = arena_new(STATE_ARENA);
	int r = arena ? audit_entry_read(v->audit->reader, sequence, arena, &entry) : -ENOMEM;
	if (r == 0)
		r = audit_entry_state(v->audit->reader, &entry, arena, &content);
	if (r == 0)
		state = dienstweg__state__unpack(arena_allocator(arena), content.len, content.data);
	if (r >= 0 && !state && (r == 0 || v->options->depth == AUDIT_TREE)) /* else it is told */
		audit_report_finding(v->report, sequence, "content-changed",
			"this state entry cannot be read: which permanent entries there were "
			"before what was pruned cannot be told");
	for (size_t i = 0; r == 0 && state && i < state->n_permanent; i++) {
		counted += state->permanent[i];
		if (counted >= v->pruned)
			break;
		r = check_counted(v, sequence, counted);
	}
	return r < 0 ? r : 0;
}

/* ---- with it ---- */

int verify_pruned_look(struct verifier *v)
{
	struct stub archived;
	if (!v->archive)
		return 0;
	int r = archive_stubs_read(v->archive, v->edge.size, &archived);
	if (r < 0)
		return r;
	if (r > 0) { /* the leaf then is what the journal has, if it has it */
		audit_report_finding(v->report, v->edge.size, "archive-damaged",
			"the archive has no stub of it, or one that is none");
		return 0;
	}
	if (v->found == READER_NOT_FOUND && archived.class == 0)
		audit_report_finding(v->report, v->edge.size, "stub-missing",
			"its stub is missing, although it is permanent and is not pruned");
	if (v->found == READER_NOT_FOUND) {
		v->stub = archived;
		v->found = 0;
	}
	return 0;
}
