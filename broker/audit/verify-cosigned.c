/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Cosignatures stand beside the tree and not in it, so nothing but their own signatures protects them: each
 * line must be a good one of a witness. A line was taken under the registry in force when it came, which is
 * that of the tree's last entry or, seconds later, its successor: both are asked.
 */
#include <inttypes.h>

#include "broker/audit/verifier.h"
#include "proto/note/cosignature.h"

int verify_cosigned_resume(struct verifier *v)
{
	struct bytes note;
	int r = journal_read_next_cosigned(
		v->audit->reader, v->edge.size + 1, &v->next_cosigned, &note);
	if (r > 0)
		v->next_cosigned = UINT64_MAX;
	return r < 0 ? r : 0;
}

/* Are all lines that are not the log's good ones of this registry's witnesses? */
static bool known_to(const struct chain *chain, const char *origin, struct bytes note)
{
	struct policy policy;
	struct cosignatures judged;
	if (!chain->current)
		return false;
	registry_witnesses(chain->current, &policy);
	return cosignatures_judge(note, &policy, &judged) == 0 && judged.count > 0 &&
	       judged.count == cosignature_lines(note, origin);
}

static int known_to_next(struct verifier *v, struct bytes note, bool *ret)
{
	_cleanup_(chain_deinit) struct chain next = {};
	struct bytes content;
	*ret = false;
	chain_init(&next, v->chain.policy);
	arena_reset(v->arena);
	int r = journal_read_registry_version(
		v->audit->reader, chain_version(&v->chain) + 1, v->arena, &content);
	if (r == 0)
		r = chain_resume(&next, v->edge.size, 1, true, content);
	if (r == 0)
		*ret = known_to(&next, v->audit->origin, note);
	return r < 0 ? r : 0;
}

static int judge(struct verifier *v, struct bytes note)
{
	const char *origin = v->audit->origin;
	struct note_key keys[NOTE_KEYS_MAX];
	struct checkpoint checkpoint;
	struct merkle_hash root;
	bool known = known_to(&v->chain, origin, note);
	size_t count = chain_log_keys(&v->chain, origin, keys);
	int r = known ? 0 : known_to_next(v, note, &known);
	if (r)
		return r;
	merkle_edge_root(&v->edge, &root);
	if (!known)
		audit_report_finding(v->report, v->edge.size - 1, "cosignature-bad",
			"under the cosigned checkpoint of %" PRIu64
			" entries stands something else than good signatures of witnesses",
			v->edge.size);
	else if (checkpoint_open(note, keys, count, origin, &checkpoint) != 0)
		audit_report_finding(v->report, v->edge.size - 1, "cosignature-unsigned",
			"the cosigned checkpoint of %" PRIu64
			" entries is not signed by a log key of the registry in force",
			v->edge.size);
	else if (checkpoint.size != v->edge.size ||
		 memcmp(&root, &checkpoint.root, sizeof(root)) != 0)
		audit_report_finding(v->report, v->edge.size - 1, "cosigned-other-tree",
			"witnesses cosigned another tree of %" PRIu64 " entries", v->edge.size);
	return 0;
}

int verify_cosigned(struct verifier *v)
{
	struct bytes note;
	uint64_t size;
	int r = journal_read_next_cosigned(v->audit->reader, v->edge.size, &size, &note);
	if (r == 0 && size == v->edge.size)
		r = judge(v, note);
	return r < 0 ? r : verify_cosigned_resume(v);
}
