/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Cosignatures stand beside the tree and not in it, so nothing but their own signatures protects them: each
 * line must be a good one of a witness. A line was taken under the registry in force when it came: that of the
 * tree's last entry or one that came while lines were being collected. So one note may hold lines that
 * only an older registry knows beside such that only a newer one does; each line needs one that knows it.
 */
#include <inttypes.h>
#include <string.h>

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

enum { LATER_MAX = 8 /* registries that may come while lines are being collected */ };

/* Lines under a note, and by whom they are known so far. */
struct lines {
	struct bytes note;
	size_t count, known;
	struct note_key by[POLICY_KEYS_MAX];
};

static bool is_counted(const struct lines *lines, const struct note_key *key)
{
	for (size_t i = 0; i < lines->known; i++)
		if (memcmp(lines->by[i].public, key->public, sizeof(key->public)) == 0 &&
			strcmp(lines->by[i].name, key->name) == 0)
			return true;
	return false;
}

/* Which lines does this registry know? Return: false when one that it knows is no good one. */
static bool known_to(const struct chain *chain, struct lines *lines)
{
	struct policy policy;
	struct cosignatures judged;
	if (!chain->current)
		return true;
	registry_witnesses(chain->current, &policy);
	if (cosignatures_judge(lines->note, &policy, &judged) != 0)
		return false;
	for (size_t i = 0; i < policy.witnesses_count; i++)
		if (judged.by[i] && lines->known < ARRAY_LEN(lines->by) &&
			!is_counted(lines, &policy.witnesses[i]))
			lines->by[lines->known++] = policy.witnesses[i];
	return true;
}

/* Return: 0, 1 when a line is no good one, or there is no such registry; negative errno. */
static int known_to_version(struct verifier *v, uint64_t version, struct lines *lines)
{
	_cleanup_(chain_deinit) struct chain chain = {};
	struct bytes content;
	chain_init(&chain, v->chain.policy);
	arena_reset(v->arena);
	int r = journal_read_registry_version(v->audit->reader, version, v->arena, &content);
	if (r == 0)
		r = chain_resume(&chain, v->edge.size, 1, true, content);
	if (r == 0 && !known_to(&chain, lines))
		r = 1;
	return r < 0 ? r : r > 0;
}

/* Are all lines that are not the log's good ones of witnesses? */
static int are_known(struct verifier *v, struct bytes note, bool *ret)
{
	struct lines lines = {.note = note, .count = cosignature_lines(note, v->origin)};
	uint64_t version = chain_version(&v->chain);
	int r = known_to(&v->chain, &lines) ? 0 : 1;
	for (size_t i = 1; r == 0 && i <= LATER_MAX && lines.known < lines.count; i++)
		r = known_to_version(v, version + i, &lines);
	*ret = r == 0 && lines.count > 0 && lines.known == lines.count;
	return r < 0 ? r : 0;
}

static int judge(struct verifier *v, struct bytes note)
{
	const char *origin = v->origin;
	struct note_key keys[NOTE_KEYS_MAX];
	struct checkpoint checkpoint;
	struct merkle_hash root;
	bool known;
	size_t count = chain_log_keys(&v->chain, origin, keys);
	int r = are_known(v, note, &known);
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
