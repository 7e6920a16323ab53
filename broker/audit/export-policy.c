/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * An export names the keys it was written with, in the form that other tools read (c2sp.org/tlog-policy,
 * without our lines about roots). That makes it usable at once, and no more trustworthy: who wrote a
 * forged log would write a fitting policy. The file says so itself.
 */
#include "broker/audit/exporter.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "broker/audit/chain.h"
#include "broker/audit/words.h"

enum {
	POLICY_TEXT_MAX = (NOTE_KEYS_MAX + POLICY_KEYS_MAX) * (NOTE_NAME_SIZE + NOTE_VKEY_SIZE + 16),
	REGISTRY_ARENA = 64 << 20,
};

static int load_registry(struct exporter *e, struct chain *chain)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(REGISTRY_ARENA);
	struct bytes content;
	char why[256] = "";
	if (!arena)
		return -ENOMEM;
	int r = e->checkpoint.size > 0 ? journal_read_registry(e->audit->reader,
						 e->checkpoint.size - 1, arena, &content)
				       : READER_NOT_FOUND;
	if (r == 0)
		r = chain_add(chain, 0, content, why, sizeof(why));
	if (r > 0)
		return exporter_refuse(e, EXPORT_DAMAGED,
			"the registry in force cannot be read, so the log's key is not known: "
			"audit "
			"verify tells more");
	return r;
}

/* A line without spaces in its names: names of keys have none. */
static void add_witnesses(const struct policy *policy, struct words *words)
{
	for (size_t i = 0; i < policy->witnesses_count; i++) {
		char vkey[NOTE_VKEY_SIZE];
		note_key_format(&policy->witnesses[i], vkey);
		words_add(words, "witness %s %s\n", policy->witnesses[i].name, vkey);
	}
	if (policy->witness_quorum == 0) {
		words_add(words, "quorum none\n");
		return;
	}
	words_add(words, "group witnesses.quorum %zu", policy->witness_quorum);
	for (size_t i = 0; i < policy->witnesses_count; i++)
		words_add(words, " %s", policy->witnesses[i].name);
	words_add(words, "\nquorum witnesses.quorum\n");
}

int export_policy(struct exporter *e)
{
	_cleanup_(chain_deinit) struct chain chain = {};
	struct note_key keys[NOTE_KEYS_MAX];
	struct words words;
	chain_init(&chain, e->audit->has_policy ? &e->audit->policy : NULL);
	char *text = arena_alloc(e->arena, POLICY_TEXT_MAX);
	int r = text ? load_registry(e, &chain) : -ENOMEM;
	if (r)
		return r;
	words_init(&words, text, POLICY_TEXT_MAX);
	words_add(&words,
		"# The keys this export was written with. They prove nothing by standing here: "
		"compare them\n# with those that you have by another way.\n");
	size_t count = chain_log_keys(&chain, e->checkpoint.origin, keys);
	for (size_t i = 0; i < count; i++) {
		char vkey[NOTE_VKEY_SIZE];
		note_key_format(&keys[i], vkey);
		words_add(&words, "log %s\n", vkey);
	}
	add_witnesses(&e->audit->policy, &words);
	return export_put(e->dir_fd, "policy", BYTES(words.buf, words.len), 0644);
}
