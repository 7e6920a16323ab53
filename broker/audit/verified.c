/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Read strictly, in one spelling only, like everything that a person might be tempted to mend by hand: a
 * file that was cut off or edited must be made anew by a verification of the whole, not half believed.
 */
#include "broker/audit/verified.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/file.h"
#include "proto/base/text.h"

enum {
	VERIFIED_MAX = 8192,
	WORDS_MAX = 4,
	BASE64_SIZE = 45, /* of a hash, with its NUL */
};
static const char magic[] = "dienstweg-verified 0";

/* ---- writing ---- */

void verified_policy(const struct policy *policy, uint8_t ret[HASH_SIZE])
{
	char line[NOTE_VKEY_SIZE];
	struct sha256 state;
	uint8_t quorum[4];
	memset(ret, 0, HASH_SIZE);
	if (!policy)
		return;
	sha256_init(&state);
	for (size_t i = 0; i < policy->roots_count; i++) {
		note_key_format(&policy->roots[i], line);
		sha256_add(&state, BYTES_STR(line));
		sha256_add(&state, BYTES("\n", 1));
	}
	be32_put(quorum, (uint32_t)policy->root_quorum);
	sha256_add(&state, BYTES(quorum, sizeof(quorum)));
	sha256_finish(&state, ret);
}

int verified_write(const char *path, const struct verified *verified)
{
	_cleanup_(heap_free) char *text = NULL;
	char policy[BASE64_SIZE], registry[BASE64_SIZE], node[BASE64_SIZE];
	size_t len;
	FILE *file = open_memstream(&text, &len);
	if (!file)
		return -ENOMEM;
	text_base64(BYTES(verified->policy, HASH_SIZE), policy);
	text_base64(BYTES(verified->registry_digest, HASH_SIZE), registry);
	fprintf(file, "%s\ndepth %s\npolicy %s %s\n", magic,
		verified->depth == AUDIT_FULL ? "full" : "tree", policy,
		verified->anchored ? "yes" : "no");
	fprintf(file, "registry %" PRIu64 " %" PRIu64 " %s\ntime %" PRIu64 " %" PRIu64 "\n",
		verified->registry, verified->registries, registry, verified->time.entry,
		verified->time.batch_ms);
	for (unsigned int level = 0; level < MERKLE_LEVELS; level++) {
		if (!(verified->edge.size >> level & 1))
			continue;
		text_base64(BYTES(verified->edge.node[level].bytes, HASH_SIZE), node);
		fprintf(file, "edge %s\n", node);
	}
	fputc('\n', file);
	fwrite(verified->note, 1, verified->note_len, file);
	bool bad = ferror(file);
	if (fclose(file) || bad)
		return -ENOMEM;
	return file_replace(path, BYTES((uint8_t *)text, len), 0600);
}

/* ---- reading ---- */

/* What is left of the file; every take_...() is 0 or 1. */
struct rest {
	struct bytes bytes;
};

/* A line "<name> <word>...": its words. An empty name takes an empty line. */
static int take_line(struct rest *rest, const char *name, struct bytes *words, size_t count)
{
	const uint8_t *at = rest->bytes.data;
	const uint8_t *end = memchr(at, '\n', rest->bytes.len);
	size_t len = strlen(name);
	if (!end || (size_t)(end - at) < len || memcmp(at, name, len) != 0)
		return 1;
	rest->bytes = BYTES(end + 1, rest->bytes.len - (size_t)(end + 1 - at));
	at += len;
	for (size_t i = 0; i < count; i++) {
		if (at == end || *at != ' ')
			return 1;
		at++;
		const uint8_t *space = memchr(at, ' ', (size_t)(end - at));
		const uint8_t *stop = space && i + 1 < count ? space : end;
		words[i] = BYTES(at, (size_t)(stop - at));
		at = stop;
	}
	return at != end;
}

static int parse_hash(struct bytes text, uint8_t ret[HASH_SIZE])
{
	size_t len;
	return text_unbase64(text, ret, HASH_SIZE, &len) || len != HASH_SIZE;
}

static int parse_choice(struct bytes word, const char *yes, const char *no, bool *ret)
{
	*ret = bytes_equal(word, BYTES_STR(yes));
	return !*ret && !bytes_equal(word, BYTES_STR(no));
}

static int take_head(struct rest *rest, struct verified *ret)
{
	struct bytes words[WORDS_MAX];
	bool full;
	if (take_line(rest, magic, words, 0) || take_line(rest, "depth", words, 1) ||
		parse_choice(words[0], "full", "tree", &full))
		return 1;
	ret->depth = full ? AUDIT_FULL : AUDIT_TREE;
	if (take_line(rest, "policy", words, 2) || parse_hash(words[0], ret->policy) ||
		parse_choice(words[1], "yes", "no", &ret->anchored))
		return 1;
	if (take_line(rest, "registry", words, 3) || text_parse_u64(words[0], &ret->registry) ||
		text_parse_u64(words[1], &ret->registries) ||
		parse_hash(words[2], ret->registry_digest))
		return 1;
	if (take_line(rest, "time", words, 2) || text_parse_u64(words[0], &ret->time.entry) ||
		text_parse_u64(words[1], &ret->time.batch_ms))
		return 1;
	ret->time.known = ret->time.batch_ms > 0;
	return 0;
}

/* The edge, of as many entries as the note says. */
static int take_edge(struct rest *rest, uint64_t size, struct merkle_edge *ret)
{
	struct bytes word;
	ret->size = size;
	for (unsigned int level = 0; level < MERKLE_LEVELS; level++)
		if ((size >> level & 1) && (take_line(rest, "edge", &word, 1) ||
						   parse_hash(word, ret->node[level].bytes)))
			return 1;
	return take_line(rest, "", NULL, 0);
}

static int parse_note(struct bytes file, struct verified *ret)
{
	const uint8_t *gap = memmem(file.data, file.len, "\n\n", 2);
	if (!gap)
		return 1;
	struct bytes note = BYTES(gap + 2, file.len - (size_t)(gap + 2 - file.data));
	const uint8_t *end = memmem(note.data, note.len, "\n\n", 2);
	if (!end || note.len > sizeof(ret->note) ||
		checkpoint_parse(BYTES(note.data, (size_t)(end - note.data) + 1), &ret->checkpoint))
		return 1;
	memcpy(ret->note, note.data, note.len);
	ret->note_len = note.len;
	return ret->checkpoint.size == 0;
}

static int parse(struct bytes file, struct verified *ret)
{
	struct rest rest = {.bytes = file};
	struct merkle_hash root;
	*ret = (struct verified){};
	if (parse_note(file, ret) || take_head(&rest, ret) ||
		take_edge(&rest, ret->checkpoint.size, &ret->edge))
		return 1;
	merkle_edge_root(&ret->edge, &root);
	return memcmp(&root, &ret->checkpoint.root, sizeof(root)) != 0 ||
	       rest.bytes.len != ret->note_len;
}

int verified_read(const char *path, struct verified *ret, char *reterr, size_t size)
{
	_cleanup_(heap_free) uint8_t *data = NULL;
	size_t len = 0;
	int r = file_read(path, VERIFIED_MAX, &data, &len);
	if (r < 0) {
		snprintf(reterr, size, "%s: %s", path, strerrordesc_np(-r));
		return r;
	}
	if (r == 0 && parse(BYTES(data, len), ret) == 0)
		return 0;
	snprintf(reterr, size,
		"%s: not what a verification has left there: remove it, and the whole journal is "
		"verified again",
		path);
	return AUDIT_REFUSED;
}
