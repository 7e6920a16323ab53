/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Everything is judged as of its entry: the tree as it was then, the registry in force then. What needs
 * the order (tree, registries, checkpoints) costs little and is done by one thread, a slice of entries at
 * a time. What costs (opening records and contents, signatures) needs of the order only the registry, so
 * a slice ends where a registry begins, and slices are checked by as many threads as there are. They are
 * told in their order.
 *
 * The size is taken at the beginning, so a busy journal does not run away from its auditor; the snapshot is
 * renewed with every slice, because entries do not change and a long read transaction makes the journal
 * grow.
 */
#include "broker/audit/verify.h"

#include <errno.h>
#include <inttypes.h>

#include "broker/audit/verified.h"
#include "broker/audit/verifier.h"
#include "proto/base/text.h"

/* ---- the walk ---- */

static bool begins(const struct verifier *v, uint8_t kind)
{
	return v->found == 0 && v->stub.kind == kind;
}

static bool begins_registry(const struct verifier *v)
{
	return begins(v, DIENSTWEG__ENTRY_KIND__ENTRY_REGISTRY);
}

static int walk_entry(struct verifier *v, struct held *held)
{
	uint64_t sequence = v->edge.size;
	bool registry = begins_registry(v), closed = verify_pruned_is_closed(v);
	bool state = begins(v, DIENSTWEG__ENTRY_KIND__ENTRY_STATE);
	bool epoch = begins(v, DIENSTWEG__ENTRY_KIND__ENTRY_CONTINUES);
	struct merkle_hash before;
	verify_marks_see(v);
	if (epoch && !closed)
		merkle_edge_root(&v->edge, &before);
	held_at(held, sequence, STEP_TREE);
	int r = closed ? verify_pruned_pass(v) : verify_tree_leaf(v);
	held_at(held, sequence, STEP_REGISTRY);
	if (r == 0 && registry)
		r = verify_registry(v, sequence);
	if (r == 0 && state)
		r = verify_pruned_counted(v, sequence);
	if (r == 0 && epoch)
		r = verify_epoch(v, sequence, closed ? NULL : &before);
	if (r || (closed && v->edge.size < v->pruned))
		return r; /* there is no root to compare checkpoints with */
	held_at(held, sequence, STEP_CHECKPOINTS);
	return verify_tree_checkpoints(v);
}

/* A slice as to its tree: AUDIT_SLICE entries, or up to the next registry. */
static int walk_slice(struct verifier *v, struct slice *slice)
{
	slice_begin(slice, v->edge.size);
	slice->pruned = v->pruned;
	v->report = &slice->tree.report;
	int r = disputes_share(&v->disputes, &slice->disputes);
	if (r == 0)
		r = audit_refresh(v->audit);
	if (r == 0)
		r = verify_tree_resume(v);
	while (r == 0 && v->edge.size < v->size && slice->end - slice->first < AUDIT_SLICE) {
		r = verify_tree_look(v);
		if (r || v->edge.size == v->size ||
			(begins_registry(v) && v->edge.size > slice->first))
			break;
		r = walk_entry(v, &slice->tree);
		slice->end = v->edge.size;
	}
	chain_share(&v->chain, &slice->chain);
	return r;
}

static int tell_slice(struct verifier *v, struct slice *slice, struct audit_report *report)
{
	v->result->records += slice->opened;
	v->result->signatures += slice->signatures;
	disputes_add(&v->disputes, &slice->disputes);
	for (size_t i = 0; i < slice->absent_count; i++) {
		const struct absence_row *row = &slice->absent[i], *before = i ? row - 1 : NULL;
		absence_count_row(&v->absent, row);
		if (row->table == ERASED_RECORD)
			v->result->gone_records++;
		else if (!before || before->sequence != row->sequence)
			v->result->gone_contents++; /* its record is there */
	}
	v->absent.unread += slice->unread;
	int r = slice_tell(slice, report, &v->time);
	if (slice->end > slice->first)
		audit_report_progress(report, slice->end, v->size);
	slice_begin(slice, slice->end);
	return r;
}

static int verify_walk(struct verifier *v, struct crew *crew)
{
	struct audit_report *report = v->report;
	int r = 0;
	while (r == 0 && v->edge.size < v->size) {
		struct slice *slice = crew_next(crew);
		r = tell_slice(v, slice, report);
		if (r == 0)
			r = walk_slice(v, slice);
		if (r == 0 && v->options->depth == AUDIT_FULL)
			crew_push(crew, slice);
	}
	/* Also after a failure: what was found before it is worth knowing. */
	for (size_t i = 0; i < crew_slices(crew); i++) {
		int told = tell_slice(v, crew_next(crew), report);
		r = r ? r : told;
	}
	v->report = report;
	return r;
}

/* ---- the whole ---- */

static void verify_trust(struct verifier *v)
{
	if (v->chain.policy && v->chain.versions > 0 && !v->chain.anchored)
		audit_report_finding(v->report, v->chain.sequence, "registry-unpinned",
			"no registry of this journal is signed by the roots of the policy: it is "
			"another bus, or the policy is wrong");
	if (v->size > 0 && v->chain.versions == 0)
		audit_report_finding(v->report, 0, "registry-missing",
			"the journal holds no registry, so nothing in it can be judged");
}

/* What lies below is not looked at, now. */
static int begin_absent(struct verifier *v)
{
	uint64_t from = v->walked_from = v->edge.size;
	if (!v->archive && from < v->pruned)
		from = v->pruned;
	return absence_count_begin(&v->absent, v->audit->reader, v->arena, from);
}

/* Of the rows that are gone each was covered; do their numbers agree with what was said? */
static int verify_absent(struct verifier *v)
{
	int r = audit_refresh(v->audit);
	return r ? r : absence_count_judge(&v->absent, v->audit->reader, v->arena, v->report);
}

static int verify_all(struct verifier *v, struct crew *crew)
{
	int r = audit_refresh(v->audit);
	if (r == 0)
		r = disputes_load(v->audit, &v->disputes);
	if (r == 0)
		r = verify_tree_begin(v);
	if (r == 0)
		r = verify_resume(v);
	if (r == 0)
		r = begin_absent(v);
	if (r == 0)
		r = verify_walk(v, crew);
	if (r == 0)
		r = verify_head(v);
	if (r == 0)
		r = verify_marks(v);
	if (r == 0 && v->options->depth == AUDIT_FULL)
		r = verify_absent(v);
	if (r == 0)
		verify_trust(v);
	return r;
}

static void verifier_deinit(struct verifier *v)
{
	chain_deinit(&v->chain);
	disputes_deinit(&v->disputes);
	absence_count_deinit(&v->absent);
	archive_stubs_free(v->archive);
	arena_free(v->arena);
}
DEFINE_CLEANUP_PTR(struct verifier, verifier_deinit);

int audit_verify(struct audit *audit, const struct audit_verify_options *options,
	struct audit_report *report, struct audit_verify_result *ret)
{
	uint64_t before = report->findings;
	*ret = (struct audit_verify_result){};
	_cleanup_(crew_free) struct crew *crew = NULL;
	_cleanup_(verifier_deinit) struct verifier v = {
		.audit = audit, .options = options, .report = report, .result = ret};
	epoch_origin(BYTES_STR(audit->bus), 0, v.origin);
	chain_init(&v.chain, audit->has_policy ? &audit->policy : NULL);
	v.arena = arena_new(ENTRY_ARENA);
	if (!v.arena)
		return -ENOMEM;
	int r = crew_new(audit, options->depth == AUDIT_FULL ? options->workers : 0, &crew);
	if (r == 0)
		r = verify_all(&v, crew);
	if (r)
		return r;
	disputes_tell(&v.disputes, report);
	if (options->remember)
		*options->remember = (struct verified){};
	if (options->remember && report->findings == before && v.newest_len > 0)
		r = verify_remember(&v, options->remember);
	ret->entries = v.edge.size;
	ret->registries = v.chain.versions;
	ret->registry_version = chain_version(&v.chain);
	ret->newest = v.newest;
	ret->epochs = v.epochs;
	text_base64(BYTES(v.newest.root.bytes, HASH_SIZE), ret->newest_root);
	return r;
}
