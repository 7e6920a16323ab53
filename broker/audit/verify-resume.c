/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Going on where an earlier verification ended is sound because of what it ended with: a signed root. New
 * leaves are added to the edge that gives that root, and the newest checkpoint must have the root of the
 * result; so the new tree extends the old one, whatever stands in the old part today. That part is not
 * looked at again: what was changed there since is found by a verification of the whole, and only by that.
 */
#include "broker/audit/verified.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/audit/verifier.h"

int audit_verify_continues(const struct audit *audit, const struct audit_verify_options *options,
	char *reterr, size_t size)
{
	const struct verified *from = options->from;
	struct journal_pruned pruned = {};
	uint8_t policy[HASH_SIZE];
	const char *why = NULL;
	int r = journal_read_pruned(audit->reader, &pruned);
	if (r < 0) {
		snprintf(reterr, size, "cannot be compared with the journal: %s",
			strerrordesc_np(-r));
		return r;
	}
	verified_policy(audit->has_policy ? &audit->policy : NULL, policy);
	char origin[CHECKPOINT_ORIGIN_MAX + 1];
	audit_origin_at(audit, from->checkpoint.size, origin);
	if (strcmp(from->checkpoint.origin, origin) != 0)
		why = "is of another journal";
	else if (memcmp(from->policy, policy, HASH_SIZE) != 0)
		why = "was made under another policy";
	else if (from->depth == AUDIT_TREE && options->depth == AUDIT_FULL)
		why = "remembers a verification of the tree alone";
	else if (from->edge.size < pruned.before && !audit->archive)
		why = "ends before entries that were pruned since: name their archive (--archive), "
		      "or";
	if (!why)
		return 0;
	snprintf(reterr, size, "what was verified before %s", why);
	return AUDIT_REFUSED;
}

/* The registry that was in force: its content, if it is still the same. */
static int resume_registry(struct verifier *v, const struct verified *from)
{
	struct bytes content;
	uint8_t digest[HASH_SIZE];
	int r = journal_read_content(v->audit->reader, from->registry, v->arena, &content);
	if (r == 0) {
		sha256_of(content, digest);
		if (memcmp(digest, from->registry_digest, HASH_SIZE) == 0)
			r = chain_resume(&v->chain, from->registry, from->registries,
				from->anchored, content);
		else
			r = READER_DAMAGED;
	}
	if (r > 0)
		audit_report_finding(v->report, from->registry, "registry-chain",
			"the registry of this entry is not the one that was verified before");
	return r;
}

/* The registry is back in force: does a key of it vouch for the checkpoint? */
static int resume_checkpoint(struct verifier *v, const struct verified *from)
{
	struct note_key keys[NOTE_KEYS_MAX];
	struct checkpoint checkpoint;
	size_t count = chain_log_keys(&v->chain, v->origin, keys);
	int r = checkpoint_open(
		BYTES(from->note, from->note_len), keys, count, v->origin, &checkpoint);
	if (r > 0)
		audit_report_finding(v->report, from->checkpoint.size - 1, "checkpoint-signature",
			"the checkpoint of what was verified before does not bear the signature of "
			"the log");
	return r;
}

int verify_resume(struct verifier *v)
{
	const struct verified *from = v->options->from;
	if (!from || (v->held.size > 0 && v->held.size < from->edge.size))
		return 0; /* a checkpoint within the old part needs the whole */
	if (from->edge.size > v->size) {
		audit_report_finding(v->report, v->size, "entries-missing",
			"the journal ends after %" PRIu64 " entries, %" PRIu64
			" were verified before: it has been cut",
			v->size, from->edge.size);
		return 0;
	}
	arena_reset(v->arena);
	verify_epochs_resume(v, from->edge.size);
	int r = resume_registry(v, from);
	if (r == 0)
		r = resume_checkpoint(v, from);
	if (r < 0)
		return r;
	if (r > 0) { /* it was told; then everything is in doubt */
		verify_epochs_resume(v, 0);
		chain_deinit(&v->chain);
		chain_init(&v->chain, v->chain.policy);
		return 0;
	}
	v->edge = from->edge;
	v->time = from->time;
	v->result->before = from->edge.size;
	/* Nothing may have come since: the newest checkpoint is judged even so. */
	return v->edge.size == v->size ? verify_tree_checkpoints(v) : 0;
}

int verify_remember(struct verifier *v, struct verified *ret)
{
	struct bytes content;
	*ret = (struct verified){
		.depth = v->options->depth,
		.anchored = v->chain.anchored,
		.registry = v->chain.sequence,
		.registries = v->chain.versions,
		.time = v->time,
		.edge = v->edge,
		.note_len = v->newest_len,
		.checkpoint = v->newest,
	};
	memcpy(ret->note, v->newest_note, v->newest_len);
	verified_policy(v->chain.policy, ret->policy);
	arena_reset(v->arena);
	int r = journal_read_content(v->audit->reader, v->chain.sequence, v->arena, &content);
	if (r == 0)
		sha256_of(content, ret->registry_digest);
	return r > 0 ? -EBADMSG : r;
}
