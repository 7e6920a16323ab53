/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * An entry "witnessed" is a copy of what others signed; its decision only repeats it in numbers. So nothing is
 * believed that does not follow from the note in it: the log's signature, the tree as it was, the quorum of the
 * registry in force, the times. A bound for an entry is looked for nearby, because one is written every minute
 * in which anything happens.
 */
#include "broker/audit/witnessed.h"

#include <errno.h>

#include "proto/note/cosignature.h"

/* The cosigned tree is a beginning of this one? */
static int same_tree(struct journal_reader *reader, const struct checkpoint *checkpoint,
	uint64_t pruned, bool *ret)
{
	struct merkle_hash root;
	*ret = false;
	int r = checkpoint->size > 0 ? journal_read_root(reader, checkpoint->size, &root)
				     : READER_DAMAGED;
	if (r == READER_NOT_FOUND && checkpoint->size < pruned)
		*ret = true; /* nobody can ask this journal any more */
	if (r == 0)
		*ret = memcmp(&root, &checkpoint->root, sizeof(root)) == 0;
	return r < 0 ? r : 0;
}

int witnessed_check(struct journal_reader *reader, const struct chain *chain, const char *origin,
	const struct audit_entry *entry, const char **ret_why)
{
	const Dienstweg__Decision *said = entry->decision;
	struct note_key keys[NOTE_KEYS_MAX];
	struct checkpoint checkpoint;
	struct cosignatures judged;
	struct journal_pruned pruned;
	struct policy policy;
	bool same;
	if (!chain->current)
		return 0; /* said elsewhere */
	size_t count = chain_log_keys(chain, origin, keys);
	registry_witnesses(chain->current, &policy);
	if (checkpoint_judge(BYTES_PB(entry->row->original), keys, count, origin, &policy,
		    &checkpoint, &judged) != 0) {
		*ret_why =
			"the checkpoint in it does not bear good signatures of log and witnesses";
		return WITNESSED_WRONG;
	}
	int r = journal_read_pruned(reader, &pruned);
	if (r == 0)
		r = same_tree(reader, &checkpoint, pruned.before, &same);
	if (r > 0) /* what it says of pruning is damaged, and told of elsewhere */
		return 0;
	if (r)
		return r;
	if (!judged.quorum)
		*ret_why = "its cosignatures are no quorum by the registry in force";
	else if (!same || checkpoint.size > entry->sequence)
		*ret_why = "the checkpoint in it is not of this journal as it was before it";
	else if (said->witnessed_size != checkpoint.size || said->witnessed_seen_s != judged.seen_s ||
		 said->witnessed_signed_s != judged.signed_s)
		*ret_why = "it says another size or other times than the cosignatures in it";
	else
		return 0;
	return WITNESSED_WRONG;
}

/* ---- bounds ---- */

int witnessed_policy(const struct audit *audit, struct arena *arena, struct policy *ret)
{
	_cleanup_(chain_deinit) struct chain chain = {};
	struct journal_meta meta;
	struct bytes content;
	*ret = audit->policy;
	if (audit->has_policy && audit->policy.witness_quorum > 0)
		return 0;
	*ret = (struct policy){};
	chain_init(&chain, NULL);
	int r = journal_read_meta(audit->reader, &meta);
	if (r == 0)
		r = journal_read_registry(audit->reader, meta.registry_sequence, arena, &content);
	if (r == 0)
		r = chain_resume(&chain, meta.registry_sequence, 1, false, content);
	if (r == 0)
		registry_witnesses(chain.current, ret);
	return r < 0 ? r : 0;
}

/* By the registry that was in force there. Return: 0, WITNESSED_WRONG, READER_*, negative errno. */
static int judge_entry(
	const struct audit *audit, const struct audit_entry *entry, struct arena *arena)
{
	_cleanup_(chain_deinit) struct chain chain = {};
	struct bytes content;
	char origin[CHECKPOINT_ORIGIN_MAX + 1];
	const char *why;
	uint64_t at;
	audit_origin_at(audit, entry->decision->witnessed_size, origin);
	chain_init(&chain, audit->has_policy ? &audit->policy : NULL);
	int r = journal_read_registry_at(audit->reader, entry->sequence, arena, &at, &content);
	if (r == 0)
		r = chain_resume(&chain, at, 1, false, content);
	return r ? r : witnessed_check(audit->reader, &chain, origin, entry, &why);
}

/* One that is not what it should be is passed over: an older one bounds less, and truly. */
static int find_after(const struct audit *audit, uint64_t sequence, struct arena *arena,
	struct witnessed_bounds *ret)
{
	struct journal_reader *reader = audit->reader;
	uint64_t end = sequence > WITNESSED_LOOK ? sequence - WITNESSED_LOOK : 0;
	struct audit_entry entry;
	struct stub stub;
	for (uint64_t at = sequence; at > end; at--) {
		int r = journal_read_stub(reader, at - 1, &stub);
		if (r < 0)
			return r;
		if (r > 0 || stub.kind != DIENSTWEG__ENTRY_KIND__ENTRY_WITNESSED)
			continue;
		arena_reset(arena);
		r = audit_entry_read(reader, at - 1, arena, &entry);
		if (r == 0)
			r = judge_entry(audit, &entry, arena);
		if (r < 0)
			return r;
		if (r > 0)
			continue;
		ret->after = true;
		ret->after_s = entry.decision->witnessed_signed_s;
		ret->after_entry = at - 1;
		return 0;
	}
	return 0;
}

static int find_before(struct journal_reader *reader, const struct policy *policy,
	uint64_t sequence, struct witnessed_bounds *ret)
{
	struct cosignatures judged;
	struct bytes note;
	uint64_t size = sequence + 1;
	int r;
	while ((r = journal_read_next_cosigned(reader, size, &size, &note)) == 0) {
		if (cosignatures_judge(note, policy, &judged) == 0 && judged.quorum) {
			ret->before = true;
			ret->before_s = judged.seen_s;
			ret->before_size = size;
			return 0;
		}
		size++;
	}
	return r < 0 ? r : 0;
}

int witnessed_bounds_find(const struct audit *audit, const struct policy *policy, uint64_t sequence,
	struct arena *arena, struct witnessed_bounds *ret)
{
	*ret = (struct witnessed_bounds){};
	int r = find_after(audit, sequence, arena, ret);
	return r ? r : find_before(audit->reader, policy, sequence, ret);
}
