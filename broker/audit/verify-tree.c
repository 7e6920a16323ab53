/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Which of two hashes was changed, the stub's or the stored one? Both cannot be right, and the newest
 * checkpoint decides: the one whose audit path leads to its root is the true one. The walk goes on with
 * that one, so a single changed row is a single finding and not one for everything behind it.
 */
#include "broker/audit/verifier.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { GAP_MAX = 1000000 /* stubs missing in a row that are told one by one */ };

/* ---- where the journal ends ---- */

/* The text of a note, without judging its signatures. */
static int parse_unjudged(struct bytes note, struct checkpoint *ret)
{
	const uint8_t *end = memmem(note.data, note.len, "\n\n", 2);
	return end ? checkpoint_parse(BYTES(note.data, (size_t)(end - note.data) + 1), ret)
		   : NOTE_MALFORMED;
}

static int take_newest(struct verifier *v)
{
	struct bytes note;
	int r = journal_read_checkpoint(v->audit->reader, v->size, &note);
	if (r < 0)
		return r;
	if (r == 0 && note.len <= CHECKPOINT_NOTE_MAX && parse_unjudged(note, &v->newest) == 0 &&
		v->newest.size == v->size) {
		memcpy(v->newest_note, note.data, note.len);
		v->newest_len = note.len;
		return 0;
	}
	v->newest = (struct checkpoint){};
	audit_report_finding(v->report, v->size - 1, "checkpoint-missing",
		"there is no readable checkpoint of all %" PRIu64 " entries", v->size);
	return 0;
}

/*
 * Was it signed in an epoch of this log, of more than was kept of that? Or in one between, which is of a history that is
 * no part of this log: then it went when the next epoch began.
 */
static bool lost_from(
	const struct verifier *v, const struct checkpoint *held, uint64_t *ret, bool *ret_whole)
{
	const struct epochs *epochs = &v->audit->epochs;
	uint32_t epoch;
	size_t next = 0;
	if (epoch_of(held->origin, BYTES_STR(v->audit->bus), &epoch) != 0 ||
		epoch >= epochs_newest(epochs))
		return false;
	while (epochs->all[next].epoch <= epoch)
		next++;
	*ret = epochs->all[next].size;
	*ret_whole = epochs_kept(epochs, epoch) == 0;
	return *ret_whole || held->size > *ret;
}

static void take_held(struct verifier *v)
{
	struct bytes note = v->options->held;
	uint64_t lost;
	bool whole;
	if (note.len == 0)
		return;
	if (parse_unjudged(note, &v->held) || v->held.size == 0) {
		v->held = (struct checkpoint){};
		audit_report_finding(
			v->report, 0, "held-checkpoint", "the given checkpoint cannot be read");
	} else if (lost_from(v, &v->held, &lost, &whole)) {
		audit_report_finding(v->report, lost, "entries-lost",
			"the given checkpoint %s is of %" PRIu64
			" entries: %s when the log went on under a "
			"new origin",
			v->held.origin, v->held.size,
			whole ? "all that was signed under that origin was lost"
			      : "those from this one on were lost");
		v->held = (struct checkpoint){};
	} else if (v->held.size > v->size) {
		audit_report_finding(v->report, v->size, "entries-missing",
			"the journal ends after %" PRIu64
			" entries, the given checkpoint is of %" PRIu64 ": it has been cut",
			v->size, v->held.size);
	} else if (v->held.size < v->pruned && !v->archive) {
		audit_report_finding(v->report, v->held.size, "held-checkpoint",
			"the given checkpoint is of %" PRIu64 " entries, those before %" PRIu64
			" were pruned: it can be judged with the archive (--archive)",
			v->held.size, v->pruned);
		v->held = (struct checkpoint){};
	}
}

int verify_tree_begin(struct verifier *v)
{
	struct journal_meta meta;
	int r = journal_read_meta(v->audit->reader, &meta);
	if (r > 0)
		audit_report_finding(
			v->report, 0, "head-damaged", "the journal's head cannot be read");
	if (r)
		return r < 0 ? r : 0;
	v->size = meta.size;
	v->result->batch_ms = meta.batch_ms;
	if (v->size > 0)
		r = take_newest(v);
	if (r == 0)
		r = verify_behind(v);
	if (r == 0)
		r = verify_pruned_begin(v);
	if (r == 0)
		take_held(v);
	return r;
}

int verify_tree_resume(struct verifier *v)
{
	struct bytes note;
	int r = journal_read_next_checkpoint(
		v->audit->reader, v->edge.size + 1, &v->next_kept, &note);
	if (r > 0)
		v->next_kept = UINT64_MAX;
	return r < 0 ? r : verify_cosigned_resume(v);
}

/* ---- leaves and stored hashes ---- */

/* Does this leaf hash lead to the newest checkpoint's root? */
static int leads_to_root(
	struct verifier *v, uint64_t sequence, const struct merkle_hash *leaf, bool *ret)
{
	struct merkle_hash path[MERKLE_LEVELS], root;
	size_t steps;
	*ret = false;
	if (v->newest.size == 0)
		return 0;
	int r = journal_read_path(v->audit->reader, sequence, v->newest.size, path, &steps);
	if (r)
		return r < 0 ? r : 0;
	*ret = merkle_path_root(leaf, sequence, v->newest.size, path, steps, &root) == 0 &&
	       memcmp(&root, &v->newest.root, sizeof(root)) == 0;
	return 0;
}

/* Stub and stored hash differ: name the one that was changed, and go on with the other. */
static int judge_leaf(struct verifier *v, uint64_t sequence, const struct merkle_hash *of_stub,
	struct merkle_hash *stored)
{
	bool stub_leads, stored_leads;
	int r = leads_to_root(v, sequence, of_stub, &stub_leads);
	if (r == 0)
		r = leads_to_root(v, sequence, stored, &stored_leads);
	if (r)
		return r;
	if (stored_leads)
		audit_report_finding(v->report, sequence, "stub-changed",
			"its stub was changed: the checkpoint of %" PRIu64
			" entries holds another one",
			v->newest.size);
	else if (stub_leads)
		audit_report_finding(v->report, sequence, "tile-changed",
			"its hash in the stored tree was changed: stub and checkpoint agree");
	else
		audit_report_finding(v->report, sequence, "stub-or-tile-changed",
			"its stub and its hash in the stored tree differ, and neither leads to the "
			"newest checkpoint");
	if (stub_leads)
		*stored = *of_stub;
	return 0;
}

static void report_row(struct verifier *v, unsigned int level, uint64_t index)
{
	uint64_t row = index >> TREE_ROW_HEIGHT;
	unsigned int span = level + TREE_ROW_HEIGHT;
	/* Levels keep apart by their first entry; one complaint per row will do. */
	uint64_t name = (row << 8 | level) + 1;
	if (v->bad_row == name)
		return;
	v->bad_row = name;
	audit_report_finding(v->report, row << span,
		"tile-missing", "the stored tree's row of level %u that begins with this entry is missing or too short",
		level);
}

/* The row that holds the node; the row of the last one is at hand, and what is in a row never changes. */
static int load_row(struct verifier *v, struct tree_row *row, unsigned int level, uint64_t index)
{
	uint64_t number = index >> TREE_ROW_HEIGHT;
	if (row->loaded && row->number == number && index % TREE_ROW_MAX < row->count)
		return 0;
	int r = journal_read_hashes(v->audit->reader, level, number, row->hashes, &row->count);
	row->loaded = r == 0;
	row->number = number;
	if (r < 0)
		return r;
	return r > 0 || index % TREE_ROW_MAX >= row->count ? READER_DAMAGED : 0;
}

/* A stored hash. 0, READER_DAMAGED (reported), negative errno. */
static int stored_node(
	struct verifier *v, unsigned int level, uint64_t index, struct merkle_hash *ret)
{
	struct tree_row *row = &v->rows[level / TREE_ROW_HEIGHT];
	int r = load_row(v, row, level, index);
	if (r > 0)
		report_row(v, level, index);
	else if (r == 0)
		*ret = row->hashes[index % TREE_ROW_MAX];
	return r;
}

/* A row far out and a head that names it must not send anybody on a walk without end. */
static int end_at_gap(struct verifier *v)
{
	uint64_t next = UINT64_MAX;
	int r = journal_read_primary(v->audit->reader, JOURNAL_STUB, v->edge.size, &next);
	if (r < 0 || v->size - v->edge.size <= GAP_MAX || next - v->edge.size <= GAP_MAX)
		return r < 0 ? r : 0;
	audit_report_finding(v->report, v->edge.size, "entries-missing",
		"no entry is there from this one on, although the journal's head says that it has "
		"%" PRIu64,
		v->size);
	v->size = v->edge.size;
	return 0;
}

int verify_tree_look(struct verifier *v)
{
	v->found = journal_read_stub(v->audit->reader, v->edge.size, &v->stub);
	if (v->found < 0)
		return v->found;
	if (v->edge.size < v->pruned)
		return verify_pruned_look(v);
	return v->found == READER_NOT_FOUND ? end_at_gap(v) : 0;
}

static void hash_stub(const struct stub *stub, struct merkle_hash *ret)
{
	uint8_t bytes[STUB_SIZE] = {STUB_VERSION, stub->kind, stub->class};
	memcpy(bytes + 3, stub->commitment, HASH_SIZE);
	stub_leaf(bytes, ret);
}

int verify_tree_leads(struct verifier *v, uint64_t sequence, const struct stub *stub, bool *ret)
{
	struct merkle_hash leaf;
	*ret = true;
	if (v->newest.size == 0)
		return 0; /* it was told */
	hash_stub(stub, &leaf);
	return leads_to_root(v, sequence, &leaf, ret);
}

/* The stored hash of a leaf. Of what was pruned it may be gone: then the hashes above it have to tell. */
static int stored_leaf(struct verifier *v, uint64_t sequence, struct merkle_hash *ret)
{
	struct tree_row *row = &v->rows[0];
	if (sequence >= v->pruned)
		return stored_node(v, 0, sequence, ret);
	int r = load_row(v, row, 0, sequence);
	if (r == 0)
		*ret = row->hashes[sequence % TREE_ROW_MAX];
	return r;
}

/* The leaf hash to go on with. 0 or negative errno. */
static int true_leaf(struct verifier *v, uint64_t sequence, struct merkle_hash *ret)
{
	struct merkle_hash stored;
	if (v->found > 0)
		audit_report_finding(v->report, sequence,
			v->found == READER_DAMAGED ? "stub-changed" : "stub-missing",
			v->found == READER_DAMAGED ? "its stub is no stub" : "its stub is missing");
	int r = stored_leaf(v, sequence, &stored);
	if (r < 0)
		return r;
	if (v->found > 0) {
		*ret = r == 0 ? stored : (struct merkle_hash){};
		return 0;
	}
	hash_stub(&v->stub, ret);
	if (r > 0 || memcmp(&stored, ret, sizeof(stored)) == 0)
		return 0;
	r = judge_leaf(v, sequence, ret, &stored);
	*ret = stored;
	return r;
}

int verify_tree_leaf(struct verifier *v)
{
	struct merkle_hash leaf, stored, finished[MERKLE_LEVELS];
	uint64_t sequence = v->edge.size;
	int r = true_leaf(v, sequence, &leaf);
	if (r)
		return r;
	size_t count = merkle_edge_append(&v->edge, &leaf, finished);
	for (unsigned int level = TREE_ROW_HEIGHT; level <= count; level += TREE_ROW_HEIGHT) {
		uint64_t index = sequence >> level;
		r = stored_node(v, level, index, &stored);
		if (r < 0)
			return r;
		if (r == 0 && memcmp(&stored, &finished[level - 1], sizeof(stored)) != 0)
			audit_report_finding(v->report, index << level,
				sequence < v->pruned ? "archive-differs" : "tile-changed",
				"the stored tree's hash over the entries %" PRIu64 " to %" PRIu64
				" does not follow from them%s",
				index << level, sequence,
				sequence < v->pruned ? " as the archive has them" : "");
	}
	return 0;
}

/* ---- checkpoints ---- */

static const char *note_verdict(int verdict)
{
	switch (verdict) {
	case NOTE_BAD_SIGNATURE:
		return "its signature does not verify";
	case NOTE_UNVERIFIED:
		return "no log key of the registry in force signed it";
	default:
		return "it is no checkpoint of this log";
	}
}

static void judge_checkpoint(struct verifier *v, struct bytes note, const char *which)
{
	struct note_key keys[NOTE_KEYS_MAX];
	struct checkpoint checkpoint;
	struct merkle_hash root;
	size_t count = chain_log_keys(&v->chain, v->origin, keys);
	int r = checkpoint_open(note, keys, count, v->origin, &checkpoint);
	v->result->checkpoints++;
	disputes_count_checkpoint(&v->disputes, v->edge.size, note, keys, count);
	if (r > 0) {
		audit_report_finding(v->report, v->edge.size - 1, "checkpoint-signature",
			"the %s checkpoint of %" PRIu64 " entries does not count: %s", which,
			v->edge.size, note_verdict(r));
		/* An unsigned text still says what the root was meant to be. */
		if (parse_unjudged(note, &checkpoint))
			return;
	}
	merkle_edge_root(&v->edge, &root);
	if (checkpoint.size != v->edge.size)
		audit_report_finding(v->report, v->edge.size - 1, "checkpoint-size",
			"the checkpoint kept for %" PRIu64 " entries says %" PRIu64, v->edge.size,
			checkpoint.size);
	else if (memcmp(&root, &checkpoint.root, sizeof(root)) != 0)
		audit_report_finding(v->report, v->edge.size - 1, "root-differs",
			"the %s checkpoint of %" PRIu64
			" entries has another root than the entries give: the journal is not what "
			"was signed",
			which, v->edge.size);
}

int verify_tree_checkpoints(struct verifier *v)
{
	struct bytes note;
	uint64_t size = v->edge.size, kept;
	int r = size == v->next_cosigned ? verify_cosigned(v) : 0;
	if (r)
		return r;
	if (size == v->held.size)
		judge_checkpoint(v, v->options->held, "given");
	if (size == v->size) {
		if (v->newest_len > 0)
			judge_checkpoint(v, BYTES(v->newest_note, v->newest_len), "newest");
		return 0;
	}
	if (size < v->next_kept)
		return 0;
	r = journal_read_next_checkpoint(v->audit->reader, size, &kept, &note);
	if (r == 0 && kept == size)
		judge_checkpoint(v, note, "kept");
	return r < 0 ? r : verify_tree_resume(v);
}
