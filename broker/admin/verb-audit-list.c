/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A list goes on over what it cannot read: an entry whose record was lost is still an entry, and its kind
 * stands in the stub, which nobody can remove unnoticed.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/admin/entry-json.h"
#include "broker/admin/out.h"
#include "broker/admin/folders.h"
#include "broker/admin/verbs.h"
#include "broker/audit/words.h"
#include "proto/base/text.h"

static const char help[] =
	"usage: dienstweg audit list --config FILE | --state DIR [OPTION...]\n"
	"\n"
	"Lists the entries of the journal: number, time, kind, and what was decided.\n"
	"\n" FOLDERS_HELP "  --from N           from this entry on; default 0\n"
	"  --to N             up to this entry; default the last\n"
	"  --kind KIND        only accepted, refused, acknowledged, attempts-failed, dead, "
	"retried,\n"
	"                     discarded, expired, cancelled, held, released, registry, state, "
	"start, stop, clock-step, refusals-summed, ...\n"
	"  --json             an object a line\n";

struct listing {
	uint64_t from, to;
	uint8_t kind; /* 0: all */
	bool json;
	uint64_t listed;
	struct arena *arena;
	struct journal_pruned pruned;
};

/* @why: what the reader said of an entry that it cannot read. */
static void print_entry(
	uint64_t sequence, const struct stub *stub, const struct audit_entry *entry, int why)
{
	char time[OUT_TEXT_MAX], text[400];
	struct words words;
	if (!entry) {
		printf("%10" PRIu64 "  %-23s  %-15s  %s\n", sequence, "-",
			audit_kind_name(stub->kind),
			why == READER_ERASED
				? "its record is gone, or its key: audit verify tells whether "
				  "lawfully"
			: why == READER_NOT_FOUND
				? "it is not here, and was not pruned: audit verify tells more"
				: "its record cannot be read");
		return;
	}
	words_init(&words, text, sizeof(text));
	if (entry->header) {
		words_name(&words, BYTES_PB(entry->header->sender));
		words_add(&words, " %s ", words_message_kind((int)entry->header->kind));
		words_name(&words, BYTES_PB(entry->header->service));
		words_add(&words, ", ");
	} else if (entry->batch) {
		words_name(&words, BYTES_PB(entry->batch->recipient));
		words_add(&words, ": ");
	}
	words_decision(&words, stub->kind, entry->decision);
	printf("%10" PRIu64 "  %-23s  %-15s  %s\n", sequence,
		out_time(entry->disclosed.batch_ms, time), audit_kind_name(stub->kind), text);
}

static int list_one(struct audit *audit, struct listing *listing, uint64_t sequence)
{
	struct audit_entry entry;
	struct stub stub;
	int r = journal_read_stub(audit->reader, sequence, &stub);
	if (r == READER_NOT_FOUND && sequence < listing->pruned.before)
		return 0; /* said once, for all of them */
	if (r == READER_NOT_FOUND || r == READER_DAMAGED)
		stub = (struct stub){};
	else if (r)
		return r;
	if (listing->kind != 0 && stub.kind != listing->kind)
		return 0;
	arena_reset(listing->arena);
	r = audit_entry_read(audit->reader, sequence, listing->arena, &entry);
	if (r < 0)
		return r;
	listing->listed++;
	if (listing->json)
		out_line(entry_json_brief(sequence, &stub, r ? NULL : &entry));
	else
		print_entry(sequence, &stub, r ? NULL : &entry, r);
	return 0;
}

static int list(struct audit *audit, struct listing *listing)
{
	struct journal_meta meta;
	int r = audit_refresh(audit);
	if (r == 0)
		r = journal_read_meta(audit->reader, &meta);
	if (r == 0)
		r = journal_read_pruned(audit->reader, &listing->pruned);
	if (r)
		return r > 0 ? -EBADMSG : r;
	if (listing->from < listing->pruned.before)
		fprintf(stderr,
			"dienstweg: of the entries before %" PRIu64
			" only permanent ones are here; the others are in the archive %s\n",
			listing->pruned.before, listing->pruned.archive);
	if (listing->to >= meta.size)
		listing->to = meta.size ? meta.size - 1 : 0;
	for (uint64_t i = listing->from; i <= listing->to && i < meta.size && r == 0; i++) {
		if (i % AUDIT_SLICE == 0)
			r = audit_refresh(audit);
		if (r == 0)
			r = list_one(audit, listing, i);
	}
	return r;
}

static int run(const struct folders *folders, struct listing *listing)
{
	_cleanup_(audit_close) struct audit audit = {};
	_cleanup_(arena_free) struct arena *arena = arena_new(ENTRY_ARENA);
	int exit = folders_open(folders, &audit);
	if (exit)
		return exit;
	listing->arena = arena;
	int r = arena ? list(&audit, listing) : -ENOMEM;
	if (r == 0 && listing->listed == 0 && !listing->json)
		printf("There is no such entry.\n");
	return r ? cli_fail(CLI_FAILED, "%s: %s", folders->journal, strerrordesc_np(-r)) : CLI_DONE;
}

static int parse_number(
	const struct cli_verb *verb, const char *name, const char *text, uint64_t *ret)
{
	if (text && text_parse_u64(BYTES_STR(text), ret))
		return cli_usage(verb, "%s is the number of an entry, not %s", name, text);
	return 0;
}

static int unknown_kind(const struct cli_verb *verb, const char *kind)
{
	char known[600];
	audit_kind_list(known, sizeof(known));
	return cli_usage(
		verb, "--kind %s: there is no such kind of entry; there are %s", kind, known);
}

int audit_list_run(int argc, char **argv)
{
	_cleanup_(folders_deinit) struct folders folders = {};
	struct listing listing = {.to = UINT64_MAX};
	const char *from = NULL, *to = NULL, *kind = NULL;
	const struct cli_option table[] = {
		FOLDERS_OPTIONS(&folders),
		{"--from", .value = &from},
		{"--to", .value = &to},
		{"--kind", .value = &kind},
		{"--json", .flag = &listing.json},
	};
	const struct cli_verb verb = {
		.name = "audit list",
		.help = help,
		.options = table,
		.options_count = ARRAY_LEN(table),
	};
	int r;
	if (!cli_parse(&verb, argc, argv, &r))
		return r;
	r = parse_number(&verb, "--from", from, &listing.from);
	if (r == 0)
		r = parse_number(&verb, "--to", to, &listing.to);
	if (r == 0 && kind && (listing.kind = audit_kind_parse(kind)) == 0)
		r = unknown_kind(&verb, kind);
	if (r == 0 && listing.from > listing.to)
		r = cli_usage(&verb, "--from %s lies behind --to %s", from, to);
	if (r == 0)
		r = folders_find(&folders, &verb, FOLDERS_KEYS);
	return r ? r : run(&folders, &listing);
}
