/* SPDX-License-Identifier: EUPL-1.2 */

/* The report in words that can be handed on, and the signature of the log's keeper under them. */
#include <errno.h>
#include <string.h>

#include "broker/access/share.h"
#include "broker/admin/out.h"
#include "broker/audit/statement.h"
#include "proto/base/text.h"

json_t *share_object(
	const struct share_options *options, const struct share *share, uint64_t made_ms)
{
	char id[2 * CASE_ID_SIZE + 1];
	json_t *object = json_object();
	text_hex(BYTES(options->id, CASE_ID_SIZE), id);
	out_put_text(object, "case", id);
	out_put_name(object, "party", options->party);
	out_put_text(object, "origin", options->audit->origin);
	out_put_time(object, "made", made_ms);
	out_put(object, "unreadable", share->unreadable);
	if (options->from.message > 0 || options->from.entry > 0)
		out_put(object, "from_message", options->from.message);
	if (share->more)
		out_put(object, "next_message", share->next.message);
	json_object_set(object, "entries", share->entries);
	return object;
}

static const char *word(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text ? text : "";
}

static long long number(const json_t *object, const char *name)
{
	return (long long)json_integer_value(json_object_get(object, name));
}

static void say_message(FILE *file, const json_t *entry)
{
	if (*word(entry, "agreement"))
		fprintf(file, "    under agreement %s%s%s\n", word(entry, "agreement"),
			*word(entry, "legal_basis") ? ", legal basis " : "",
			word(entry, "legal_basis"));
	fprintf(file, "    content: %lld bytes, BLAKE2b-256 %s%s%s\n",
		number(entry, "content_bytes"), word(entry, "content_hash"),
		*word(entry, "content") ? "; " : "", word(entry, "content"));
	if (json_object_get(entry, "record_days"))
		fprintf(file, "    kept: content %lld days, this record %lld days (class %s)\n",
			number(entry, "content_days"), number(entry, "record_days"),
			word(entry, "class"));
}

static void say_entry(FILE *file, const json_t *entry)
{
	fprintf(file, "\n%s  %s", word(entry, "time"), word(entry, "event"));
	if (*word(entry, "service"))
		fprintf(file, "  %s%s%s", word(entry, "service"),
			*word(entry, "status") ? ", " : "", word(entry, "status"));
	else
		fprintf(file, "  message %lld", number(entry, "message"));
	fprintf(file, "\n    %s%s%s, entry %lld\n", word(entry, "from"),
		*word(entry, "to") ? " -> " : "", word(entry, "to"), number(entry, "sequence"));
	if (json_object_get(entry, "content_bytes"))
		say_message(file, entry);
	if (*word(entry, "state"))
		fprintf(file, "    state: %s\n", word(entry, "state"));
	if (*word(entry, "code"))
		fprintf(file, "    %s: %s\n", word(entry, "code"), word(entry, "text"));
	if (json_is_true(json_object_get(entry, "disputed")))
		fprintf(file, "    DISPUTED: the key that signed this is under suspicion\n");
}

static void say_part(FILE *file, const json_t *object)
{
	if (json_object_get(object, "from_message"))
		fprintf(file, "a part: messages from entry %lld on\n",
			number(object, "from_message"));
	if (json_object_get(object, "next_message"))
		fprintf(file, "not all: messages from entry %lld on are in the next part\n",
			number(object, "next_message"));
}

static void say_end(FILE *file, const json_t *object)
{
	size_t count = json_array_size(json_object_get(object, "entries"));
	fprintf(file, "\n%zu %s. ", count, count == 1 ? "entry" : "entries");
	if (number(object, "unreadable"))
		fprintf(file,
			"%lld more entries of this case cannot be opened any more; whose they were "
			"cannot be told. ",
			number(object, "unreadable"));
	fprintf(file,
		"The documents themselves are with sender and recipient: the bus cannot read\n"
		"what is sealed. Entries of other parties are not in this report. That each entry "
		"is in "
		"the log is\nproven by its .tlog-proof file: dienstweg audit check FILE --policy "
		"POLICY --registry REGISTRY.\n");
}

void share_say(FILE *file, const json_t *object, struct bytes json)
{
	const json_t *entries = json_object_get(object, "entries"), *entry;
	size_t i;
	fprintf(file, "What the bus %s holds of case %s for %s\nmade at %s (Art. 15 GDPR)\n",
		word(object, "origin"), word(object, "case"), word(object, "party"),
		word(object, "made"));
	say_part(file, object);
	json_array_foreach(entries, i, entry) say_entry(file, entry);
	say_end(file, object);
	if (json.len > 0) {
		uint8_t hash[HASH_SIZE];
		char hex[2 * HASH_SIZE + 1];
		sha256_of(json, hash);
		text_hex(BYTES(hash, sizeof(hash)), hex);
		fprintf(file, STATEMENT_JSON "%s\n", hex);
	}
}

int share_words(const json_t *object, struct bytes json, const struct key_secret *const *keys,
	size_t count, struct arena *arena, struct bytes *ret)
{
	_cleanup_(heap_free) char *text = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);
	if (!file)
		return -ENOMEM;
	share_say(file, object, json);
	if (fclose(file) != 0)
		return -ENOMEM;
	if (count == 0)
		return arena_copy(arena, BYTES((const uint8_t *)text, len), ret);
	int r = statement_sign(
		BYTES((const uint8_t *)text, len), word(object, "origin"), keys, count, arena, ret);
	return r > 0 ? 1 : r;
}
