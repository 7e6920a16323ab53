/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * One entry with everything that proves it. Content stays closed even where the broker could read it: who
 * has to see a document asks its recipient.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/admin/entry-json.h"
#include "broker/admin/out.h"
#include "broker/admin/folders.h"
#include "broker/admin/inspect.h"
#include "broker/admin/verbs.h"
#include "broker/audit/disputes.h"
#include "broker/audit/witnessed.h"
#include "broker/audit/words.h"
#include "proto/base/text.h"

static const char help[] =
	"usage: dienstweg audit show SEQUENCE --config FILE | --state DIR [OPTION...]\n"
	"\n"
	"Shows one entry of the journal, opened: what was received, what was decided, and its "
	"place in the\n"
	"tree. The content of messages is not shown.\n"
	"\n" FOLDERS_HELP INSPECT_HELP "  --json             one object\n"
	"\n"
	"While the broker runs, it journals that the record was opened before it is shown.\n"
	"Exit codes: 0 shown; 1 no such entry, or its record cannot be read.\n";

enum { WORDS_MAX = 4096 };

/* Where it stands in the tree of all entries. */
struct standing {
	uint64_t size;
	struct merkle_hash path[MERKLE_LEVELS];
	size_t steps;
	bool content; /* there is some, and it can be opened */
	size_t content_len;
	struct witnessed_bounds bounds;
};

static int find_bounds(
	struct audit *audit, uint64_t sequence, struct arena *arena, struct witnessed_bounds *ret)
{
	struct policy policy;
	int r = witnessed_policy(audit, arena, &policy);
	return r ? r : witnessed_bounds_find(audit, &policy, sequence, arena, ret);
}

static int find_standing(struct audit *audit, uint64_t sequence, struct standing *ret)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(ENTRY_ARENA);
	struct journal_meta meta;
	struct bytes content;
	*ret = (struct standing){};
	int r = journal_read_meta(audit->reader, &meta);
	if (r == 0)
		r = journal_read_path(audit->reader, sequence, meta.size, ret->path, &ret->steps);
	if (r > 0)
		return -EBADMSG;
	ret->size = meta.size;
	if (r == 0 && arena)
		r = journal_read_content(audit->reader, sequence, arena, &content);
	if (r == 0) {
		ret->content = true;
		ret->content_len = content.len;
	}
	if (r < 0 || !arena)
		return r < 0 ? r : 0;
	arena_reset(arena);
	return find_bounds(audit, sequence, arena, &ret->bounds);
}

static void print_json(const struct audit_entry *entry, const struct standing *standing,
	const struct dispute *dispute)
{
	json_t *object = entry_json(entry), *path = json_array();
	char hex[2 * HASH_SIZE + 1];
	for (size_t i = 0; i < standing->steps; i++) {
		text_hex(BYTES(standing->path[i].bytes, HASH_SIZE), hex);
		json_array_append_new(path, json_string(hex));
	}
	out_put(object, "tree_size", standing->size);
	json_object_set_new(object, "path", path);
	json_object_set_new(object, "disputed", json_boolean(dispute != NULL));
	if (dispute)
		out_put(object, "suspect_from", dispute->suspect_from);
	if (standing->bounds.after)
		out_put_time(object, "witnessed_after", standing->bounds.after_s * 1000);
	if (standing->bounds.before)
		out_put_time(object, "witnessed_before", standing->bounds.before_s * 1000);
	json_object_set_new(object, "content", json_boolean(standing->content));
	if (standing->content)
		out_put(object, "content_bytes", standing->content_len);
	out_line(object);
}

static void print_hex(const char *label, struct bytes bytes)
{
	char hex[OUT_TEXT_MAX];
	if (bytes.len >= OUT_TEXT_MAX / 2)
		bytes.len = OUT_TEXT_MAX / 2 - 1;
	text_hex(bytes, hex);
	printf("  %-13s %s\n", label, hex);
}

static void print_name(const char *label, struct bytes name)
{
	char buf[OUT_TEXT_MAX];
	if (name.len > 0)
		printf("  %-13s %s\n", label, out_name(name, buf));
}

static void print_time(const char *label, uint64_t wall_ms)
{
	char buf[OUT_TEXT_MAX];
	if (wall_ms)
		printf("  %-13s %s\n", label, out_time(wall_ms, buf));
}

/* Times that do not rest on the broker's word. */
static void print_bounds(const struct witnessed_bounds *bounds)
{
	char time[OUT_TEXT_MAX];
	if (bounds->after)
		printf("  %-13s after %s, by the witnesses named in entry %" PRIu64 "\n",
			"recorded", out_time(bounds->after_s * 1000, time), bounds->after_entry);
	if (bounds->before)
		printf("  %-13s not after %s, when witnesses saw %" PRIu64 " entries\n", "recorded",
			out_time(bounds->before_s * 1000, time), bounds->before_size);
	if (!bounds->after && !bounds->before)
		printf("  %-13s no witness bounds the time: it is the broker's word\n", "recorded");
}

static void print_header(const Dienstweg__Header *header)
{
	char id[UUID_TEXT_SIZE];
	const char *status = words_status((int)header->status);
	uuid_format(header->message_id.data, id);
	printf("Message\n  %-13s %s\n", "id", id);
	printf("  %-13s %s%s%s\n", "kind", words_message_kind((int)header->kind),
		*status ? ", " : "", status);
	print_name("sender", BYTES_PB(header->sender));
	print_name("recipient", BYTES_PB(header->recipient));
	print_name("region", BYTES_PB(header->region));
	print_name("service", BYTES_PB(header->service));
	print_hex("case", BYTES_PB(header->case_id));
	if (header->in_reply_to.len > 0)
		print_hex("in reply to", BYTES_PB(header->in_reply_to));
	print_time("created", header->created_ms);
	print_time("not before", header->not_before_ms);
	print_time("expires", header->expires_ms);
	print_name("content type", BYTES_PB(header->content_type));
	print_name("schema", BYTES_PB(header->schema));
	printf("  %-13s %" PRIu32 " bytes, %s\n", "content", header->content_length,
		header->n_sealed_recipients ? "sealed for its recipient" : "readable by the broker");
	if (header->n_attachments)
		printf("  %-13s %zu\n", "attachments", header->n_attachments);
}

static void print_batch(const struct audit_entry *entry)
{
	char code[OUT_TEXT_MAX], text[OUT_TEXT_MAX];
	printf("Acknowledgements\n");
	print_name("recipient", BYTES_PB(entry->batch->recipient));
	for (size_t i = 0; i < entry->batch->n_acks; i++) {
		const Dienstweg__Ack *ack = entry->batch->acks[i];
		printf("  message %-5" PRIu64 " %s", ack->sequence,
			ack->accepted ? "accepted" : "rejected");
		if (!ack->accepted)
			printf(": %s %s", out_name(BYTES_PB(ack->code), code),
				out_name(BYTES_PB(ack->text), text));
		printf("\n");
	}
}

static void print(const struct audit_entry *entry, const struct standing *standing,
	const struct dispute *dispute)
{
	struct bytes key_id = audit_entry_key_id(entry);
	char text[WORDS_MAX], time[OUT_TEXT_MAX];
	struct words words;
	words_init(&words, text, sizeof(text));
	words_decision(&words, entry->stub.kind, entry->decision);
	printf("Entry %" PRIu64 ", %s, recorded at %s\n", entry->sequence,
		audit_kind_name(entry->stub.kind), out_time(entry->disclosed.batch_ms, time));
	printf("  %-13s %s\n", "decision", text);
	printf("  %-13s version %" PRIu64 ", rules version %" PRIu32 ", retention class %u\n",
		"registry", entry->disclosed.registry_version, entry->decision->rules_version,
		entry->stub.class);
	print_name("session of", audit_entry_speaker(entry));
	if (entry->header)
		print_header(entry->header);
	if (entry->batch)
		print_batch(entry);
	printf("Proof\n");
	print_hex("commitment", BYTES(entry->stub.commitment, HASH_SIZE));
	print_hex("digest", BYTES(entry->disclosed.digest, HASH_SIZE));
	print_hex("nonce", BYTES_PB(entry->row->nonce));
	if (key_id.len > 0)
		print_hex("signed by key", key_id);
	if (dispute)
		printf("  %-13s this key is under suspicion from entry %" PRIu64
		       " on: the entry is valid, do not rely on it unasked\n",
			"disputed", dispute->suspect_from);
	printf("  %-13s leaf %" PRIu64 " of %" PRIu64 ", a path of %zu hashes\n", "tree",
		entry->sequence, standing->size, standing->steps);
	print_bounds(&standing->bounds);
	if (standing->content)
		printf("  %-13s %zu bytes, kept\n", "content", standing->content_len);
}

/* A permanent record is in clear and about no case: looking at it needs no entry. */
static int record_opening(
	struct inspect *inspect, const struct folders *folders, const struct audit_entry *entry)
{
	if (entry->stub.class == 0)
		return 0;
	int exit = inspect_record(inspect, folders, entry->sequence, entry->sequence, 1);
	if (exit == 0)
		inspect_print(inspect);
	return exit;
}

static int not_here(struct audit *audit, uint64_t sequence)
{
	struct journal_pruned pruned = {};
	if (journal_read_pruned(audit->reader, &pruned) == 0 && sequence < pruned.before)
		return cli_fail(CLI_NEGATIVE,
			"entry %" PRIu64 " is in the archive %s, as a commitment: its record was "
			"erased before it was "
			"pruned (dienstweg audit prove %" PRIu64 " --archive proves it)",
			sequence, pruned.archive, sequence);
	return cli_fail(CLI_NEGATIVE, "the journal has no entry %" PRIu64, sequence);
}

static int run(const struct folders *folders, struct inspect *inspect, uint64_t sequence, bool json)
{
	_cleanup_(audit_close) struct audit audit = {};
	_cleanup_(arena_free) struct arena *arena = arena_new(ENTRY_ARENA);
	_cleanup_(disputes_deinit) struct disputes disputes = {};
	struct audit_entry entry;
	struct standing standing;
	int exit = folders_open(folders, &audit);
	if (exit)
		return exit;
	int r = arena ? audit_entry_read(audit.reader, sequence, arena, &entry) : -ENOMEM;
	if (r == READER_NOT_FOUND)
		return not_here(&audit, sequence);
	if (r > 0)
		return cli_fail(CLI_NEGATIVE,
			"entry %" PRIu64
			" (%s) cannot be read: %s; dienstweg audit verify tells more",
			sequence, audit_kind_name(entry.stub.kind),
			r == READER_ERASED ? "its record was erased, or the key to it is missing"
					   : "it is damaged");
	if (r == 0)
		r = find_standing(&audit, sequence, &standing);
	if (r == 0)
		r = disputes_load(&audit, &disputes);
	if (r)
		return cli_fail(CLI_FAILED, "%s: %s", folders->journal, strerrordesc_np(-r));
	exit = record_opening(inspect, folders, &entry);
	if (exit)
		return exit;
	const struct dispute *dispute = disputes_find(
		&disputes, sequence, audit_entry_key_id(&entry));
	if (json)
		print_json(&entry, &standing, dispute);
	else
		print(&entry, &standing, dispute);
	return CLI_DONE;
}

int audit_show_run(int argc, char **argv)
{
	_cleanup_(folders_deinit) struct folders folders = {};
	const char *items[1];
	struct cli_list words = {.items = items, .max = ARRAY_LEN(items)};
	bool json = false;
	struct inspect inspect = {};
	const struct cli_option table[] = {
		FOLDERS_OPTIONS(&folders),
		INSPECT_OPTIONS(&inspect),
		{"--json", .flag = &json},
	};
	const struct cli_verb verb = {
		.name = "audit show",
		.help = help,
		.options = table,
		.options_count = ARRAY_LEN(table),
		.words = &words,
	};
	uint64_t sequence;
	int r;
	if (!cli_parse(&verb, argc, argv, &r))
		return r;
	if (words.count == 0)
		return cli_usage(&verb, "which entry? give its number");
	if (text_parse_u64(BYTES_STR(items[0]), &sequence))
		return cli_usage(&verb, "%s is not the number of an entry", items[0]);
	r = inspect_check(&inspect, &verb);
	if (r == 0)
		r = folders_find(&folders, &verb, FOLDERS_KEYS);
	return r ? r : run(&folders, &inspect, sequence, json);
}
