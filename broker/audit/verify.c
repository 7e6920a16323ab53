/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * One walk over the entries, in order, because everything is judged as of its entry: the tree as it was
 * then, the registry in force then. The size is taken at the beginning, so a busy journal does not run
 * away from its auditor; the snapshot is renewed every AUDIT_SLICE entries, because entries do not
 * change and a long read transaction makes the journal grow.
 */
#include "broker/audit/verify.h"

#include <errno.h>
#include <inttypes.h>

#include "broker/audit/verifier.h"
#include "proto/base/text.h"

enum { VERIFY_CACHE_SLOTS = 4096 };

static int verify_one(struct verifier *v)
{
	uint64_t sequence = v->edge.size;
	uint8_t kind;
	int r = verify_tree_leaf(v, &kind);
	arena_reset(v->arena);
	if (r == 0 && kind == DIENSTWEG__ENTRY_KIND__ENTRY_REGISTRY)
		r = verify_registry(v, sequence);
	if (r == 0 && kind != 0 && v->options->depth == AUDIT_FULL)
		r = verify_entry(v, sequence);
	return r ? r : verify_tree_checkpoints(v);
}

static int verify_walk(struct verifier *v)
{
	int r = 0;
	while (r == 0 && v->edge.size < v->size) {
		r = audit_refresh(v->audit);
		if (r == 0)
			r = verify_tree_resume(v);
		for (size_t i = 0; r == 0 && i < AUDIT_SLICE && v->edge.size < v->size; i++)
			r = verify_one(v);
		audit_report_progress(v->report, v->edge.size, v->size);
	}
	return r;
}

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

static int verify_meta(struct verifier *v)
{
	struct journal_meta meta;
	int r = journal_read_meta(v->audit->reader, &meta);
	if (r < 0)
		return r;
	/* A journal that grew meanwhile may have a newer one. */
	if (r > 0 || (meta.size == v->size && v->chain.versions > 0 &&
			     meta.registry_sequence != v->chain.sequence))
		audit_report_finding(v->report, v->chain.sequence, "head-registry",
			"the journal's head names another entry as that of the registry in force");
	return 0;
}

static int verifier_init(struct verifier *v, struct audit *audit)
{
	chain_init(&v->chain, audit->has_policy ? &audit->policy : NULL);
	v->arena = arena_new(ENTRY_ARENA);
	return v->arena ? signature_cache_new(VERIFY_CACHE_SLOTS, &v->signatures) : -ENOMEM;
}

static void verifier_deinit(struct verifier *v)
{
	chain_deinit(&v->chain);
	signature_cache_free(v->signatures);
	arena_free(v->arena);
}
DEFINE_CLEANUP_PTR(struct verifier, verifier_deinit);

int audit_verify(struct audit *audit, const struct audit_verify_options *options,
	struct audit_report *report, struct audit_verify_result *ret)
{
	*ret = (struct audit_verify_result){};
	_cleanup_(verifier_deinit) struct verifier v = {
		.audit = audit, .options = options, .report = report, .result = ret};
	int r = verifier_init(&v, audit);
	if (r == 0)
		r = audit_refresh(audit);
	if (r == 0)
		r = verify_tree_begin(&v);
	if (r == 0)
		r = verify_walk(&v);
	if (r == 0)
		r = verify_meta(&v);
	if (r)
		return r;
	verify_trust(&v);
	ret->entries = v.edge.size;
	ret->registries = v.chain.versions;
	ret->registry_version = chain_version(&v.chain);
	ret->newest = v.newest;
	text_base64(BYTES(v.newest.root.bytes, HASH_SIZE), ret->newest_root);
	return 0;
}
