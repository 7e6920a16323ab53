/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * People write this file and everything rests on it, so each line is checked for what it names and every
 * error says its line. A quorum that could be misread is refused rather than approximated: a cosignature
 * by a witness outside the quorum must not count, so those are dropped once the quorum is known.
 */
#include "proto/note/policy.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/cleanup.h"
#include "proto/base/file.h"
#include "proto/base/text.h"

enum {
	POLICY_FILE_MAX = 64 * 1024,
	WORDS_MAX = 3 + POLICY_KEYS_MAX, /* of a line: "group", name, threshold, members */
	NAMES_MAX = 2 * POLICY_KEYS_MAX,
};

/* A witness or a group: a set of witnesses of which so many must have cosigned. */
struct policy_name {
	struct bytes name;
	uint32_t witnesses; /* bits: indexes into policy.witnesses */
	size_t threshold;
	bool group;
	bool member; /* of a group already */
};

struct policy_parser {
	struct policy policy;
	struct policy_name names[NAMES_MAX];
	size_t names_count;
	const struct policy_name *quorum;
	bool quorum_seen;
	unsigned int line;
	char *reterr;
	size_t size;
};

static_assert(POLICY_KEYS_MAX <= 32, "a set of witnesses is a u32");

_printf_(2, 3) static int refuse(struct policy_parser *parser, const char *format, ...)
{
	int n = snprintf(parser->reterr, parser->size, "line %u: ", parser->line);
	if (n < 0 || (size_t)n >= parser->size)
		return POLICY_MALFORMED;
	va_list args;
	va_start(args, format);
	vsnprintf(parser->reterr + n, parser->size - (size_t)n, format, args);
	va_end(args);
	return POLICY_MALFORMED;
}

static bool is_word(struct bytes word, const char *text)
{
	return bytes_equal(word, BYTES_STR(text));
}

/* For "%.*s". */
static int printable(struct bytes word)
{
	return (int)(word.len < 64 ? word.len : 64);
}

/* Splits at spaces and tabs. Return: number of words, or max + 1 when there are more. */
static size_t split_words(struct bytes line, struct bytes *words, size_t max)
{
	size_t count = 0;
	for (size_t i = 0; i < line.len;) {
		size_t begin = i;
		while (i < line.len && line.data[i] != ' ' && line.data[i] != '\t')
			i++;
		if (i > begin) {
			if (count == max)
				return max + 1;
			words[count++] = BYTES(line.data + begin, i - begin);
		} else {
			i++;
		}
	}
	return count;
}

static const struct note_key *find_public(
	const struct note_key *keys, size_t count, const struct note_key *key)
{
	for (size_t i = 0; i < count; i++) {
		if (memcmp(keys[i].public, key->public, SIGN_PUBLIC_SIZE) == 0)
			return &keys[i];
	}
	return NULL;
}

static int add_key(struct policy_parser *parser, struct bytes vkey, struct note_key *keys,
	size_t *count, int (*parse)(struct bytes, struct note_key *))
{
	struct note_key key;
	if (parse(vkey, &key) != 0)
		return refuse(parser, "not a verifier key of the kind wanted here: copy the text "
				      "\"name+hash+key\" whole");
	const struct note_key *same = find_public(keys, *count, &key);
	if (same)
		return refuse(parser, "the same key as %s above: each may stand once", same->name);
	if (*count == POLICY_KEYS_MAX)
		return refuse(parser, "more than %d of these", POLICY_KEYS_MAX);
	keys[(*count)++] = key;
	return 0;
}

static struct policy_name *find_name(struct policy_parser *parser, struct bytes name)
{
	for (size_t i = 0; i < parser->names_count; i++) {
		if (bytes_equal(parser->names[i].name, name))
			return &parser->names[i];
	}
	return NULL;
}

static int add_name(struct policy_parser *parser, const struct policy_name *name)
{
	if (is_word(name->name, "none"))
		return refuse(parser, "\"none\" is not a name: choose another");
	if (find_name(parser, name->name))
		return refuse(parser, "\"%.*s\" is defined above: choose another name",
			printable(name->name), (const char *)name->name.data);
	if (parser->names_count == NAMES_MAX)
		return refuse(parser, "more than %d witnesses and groups", NAMES_MAX);
	parser->names[parser->names_count++] = *name;
	return 0;
}

static int parse_root(struct policy_parser *parser, const struct bytes *words, size_t count)
{
	if (count != 2)
		return refuse(parser, "write: root <vkey>");
	return add_key(parser, words[1], parser->policy.roots, &parser->policy.roots_count,
		note_key_parse);
}

static int parse_root_quorum(struct policy_parser *parser, const struct bytes *words, size_t count)
{
	uint64_t quorum;
	if (count != 2 || text_parse_u64(words[1], &quorum) != 0 || quorum < 1 ||
		quorum > POLICY_KEYS_MAX)
		return refuse(parser, "write: root-quorum <how many roots must sign>");
	if (parser->policy.root_quorum != 0)
		return refuse(parser, "a second root-quorum: keep one");
	parser->policy.root_quorum = (size_t)quorum;
	return 0;
}

static int parse_log(struct policy_parser *parser, const struct bytes *words, size_t count)
{
	if (count < 2 || count > 3)
		return refuse(parser, "write: log <vkey> [<url>]");
	return add_key(
		parser, words[1], parser->policy.logs, &parser->policy.logs_count, note_key_parse);
}

static int parse_witness(struct policy_parser *parser, const struct bytes *words, size_t count)
{
	if (count < 3 || count > 4)
		return refuse(parser, "write: witness <name> <vkey> [<url>]");
	size_t index = parser->policy.witnesses_count;
	int r = add_key(parser, words[2], parser->policy.witnesses, &parser->policy.witnesses_count,
		note_key_parse_witness);
	if (r != 0)
		return r;
	return add_name(parser,
		&(struct policy_name){
			.name = words[1], .witnesses = UINT32_C(1) << index, .threshold = 1});
}

static int parse_threshold(
	struct policy_parser *parser, struct bytes word, size_t members, size_t *ret)
{
	uint64_t threshold;
	if (is_word(word, "any"))
		threshold = 1;
	else if (is_word(word, "all"))
		threshold = members;
	else if (text_parse_u64(word, &threshold) != 0 || threshold < 1 || threshold > members)
		return refuse(parser, "the threshold is \"any\", \"all\" or a number from 1 to %zu",
			members);
	*ret = (size_t)threshold;
	return 0;
}

static int parse_group(struct policy_parser *parser, const struct bytes *words, size_t count)
{
	if (count < 4)
		return refuse(parser, "write: group <name> <threshold|any|all> <member>...");
	struct policy_name group = {.name = words[1], .group = true};
	int r = parse_threshold(parser, words[2], count - 3, &group.threshold);
	for (size_t i = 3; i < count && r == 0; i++) {
		const char *text = (const char *)words[i].data;
		struct policy_name *member = find_name(parser, words[i]);
		if (!member)
			return refuse(
				parser, "\"%.*s\" is not defined above", printable(words[i]), text);
		if (member->group)
			return refuse(parser, "\"%.*s\" is a group: name its witnesses instead",
				printable(words[i]), text);
		if (member->member)
			return refuse(parser, "\"%.*s\" is a member already: each may be one once",
				printable(words[i]), text);
		member->member = true;
		group.witnesses |= member->witnesses;
	}
	return r == 0 ? add_name(parser, &group) : r;
}

static int parse_quorum(struct policy_parser *parser, const struct bytes *words, size_t count)
{
	if (count != 2)
		return refuse(parser, "write: quorum <name|none>");
	if (parser->quorum_seen)
		return refuse(parser, "a second quorum: keep one");
	parser->quorum_seen = true;
	if (is_word(words[1], "none"))
		return 0;
	parser->quorum = find_name(parser, words[1]);
	if (!parser->quorum)
		return refuse(parser, "\"%.*s\" is not defined above", printable(words[1]),
			(const char *)words[1].data);
	return 0;
}

static int parse_line(struct policy_parser *parser, struct bytes line)
{
	static const struct {
		const char *word;
		int (*parse)(struct policy_parser *, const struct bytes *, size_t);
	} verbs[] = {
		{"root", parse_root},
		{"root-quorum", parse_root_quorum},
		{"log", parse_log},
		{"witness", parse_witness},
		{"group", parse_group},
		{"quorum", parse_quorum},
	};

	for (size_t i = 0; i < line.len; i++) {
		if ((line.data[i] < 0x20 && line.data[i] != '\t') || line.data[i] == 0x7f)
			return refuse(parser, "a control character");
	}
	struct bytes words[WORDS_MAX];
	size_t count = split_words(line, words, WORDS_MAX);
	if (count == 0 || words[0].data[0] == '#')
		return 0;
	if (count > WORDS_MAX)
		return refuse(parser, "more than %d words", WORDS_MAX);
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (is_word(words[0], verbs[i].word))
			return verbs[i].parse(parser, words, count);
	}
	return refuse(parser, "\"%.*s\" is none of root, root-quorum, log, witness, group, quorum",
		printable(words[0]), (const char *)words[0].data);
}

/* Keeps the witnesses that the quorum counts. */
static void keep_quorum(struct policy *policy, const struct policy_name *quorum)
{
	size_t kept = 0;
	for (size_t i = 0; i < policy->witnesses_count; i++) {
		if ((quorum->witnesses >> i) & 1)
			policy->witnesses[kept++] = policy->witnesses[i];
	}
	memset(policy->witnesses + kept, 0,
		(policy->witnesses_count - kept) * sizeof(policy->witnesses[0]));
	policy->witnesses_count = kept;
	policy->witness_quorum = quorum->threshold;
}

static int finish(struct policy_parser *parser)
{
	struct policy *policy = &parser->policy;
	if (!parser->quorum_seen)
		return refuse(parser, "no quorum line: add \"quorum none\", or name the witnesses");
	if (policy->roots_count > 0 && policy->root_quorum == 0)
		return refuse(parser, "no root-quorum line: add \"root-quorum 2\"");
	if (policy->root_quorum > policy->roots_count)
		return refuse(parser, "root-quorum is %zu but there are %zu roots",
			policy->root_quorum, policy->roots_count);
	if (parser->quorum)
		keep_quorum(policy, parser->quorum);
	return 0;
}

int policy_parse(struct bytes text, struct policy *ret, char *reterr, size_t size)
{
	struct policy_parser parser = {.reterr = reterr, .size = size};
	if (text.len > 0 && text.data[text.len - 1] != '\n') {
		parser.line = 1;
		for (size_t i = 0; i < text.len; i++)
			parser.line += text.data[i] == '\n';
		return refuse(&parser, "does not end in a newline: is the file whole?");
	}
	while (text.len > 0) {
		const uint8_t *end = memchr(text.data, '\n', text.len);
		struct bytes line = BYTES(text.data, end - text.data);
		parser.line++;
		int r = parse_line(&parser, line);
		if (r != 0)
			return r;
		text = BYTES(end + 1, text.len - line.len - 1);
	}
	int r = finish(&parser);
	if (r == 0)
		*ret = parser.policy;
	return r;
}

int policy_read(const char *path, struct policy *ret, char *reterr, size_t size)
{
	_cleanup_(heap_free) uint8_t *data = NULL;
	size_t len;
	int r = file_read(path, POLICY_FILE_MAX, &data, &len);
	if (r == FILE_TOO_LARGE) {
		snprintf(reterr, size, "larger than %d bytes: not a policy", POLICY_FILE_MAX);
		return POLICY_MALFORMED;
	}
	if (r != 0) {
		snprintf(reterr, size, "cannot be read: %s", strerrordesc_np(-r));
		return r;
	}
	return policy_parse(BYTES(data, len), ret, reterr, size);
}
