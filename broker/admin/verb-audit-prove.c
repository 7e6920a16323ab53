/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Whoever asks for a proof gets it as a file that stands alone. Standard output carries the file and
 * nothing else; what there is to say about it goes to standard error, or into one object with --json.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/admin/folders.h"
#include "broker/admin/inspect.h"
#include "broker/admin/out.h"
#include "broker/admin/verbs.h"
#include "broker/audit/prove-archive.h"
#include "broker/audit/entry.h"
#include "broker/audit/prove.h"
#include "proto/base/file.h"
#include "proto/base/text.h"

static const char help[] =
	"usage: dienstweg audit prove WHICH --config FILE | --state DIR [OPTION...]\n"
	"       dienstweg audit prove --from SIZE [--to SIZE|final] --config FILE | --state DIR "
	"[OPTION...]\n"
	"\n"
	"Writes the proof that an entry is in the log, as a C2SP tlog-proof file. WHICH is the "
	"number "
	"of the\n"
	"entry, or the id of a message (UUID), or its h (64 hexadecimal digits). With --from, the "
	"proof "
	"that a\n"
	"later tree begins with an earlier one. dienstweg audit check says what such a file "
	"proves.\n"
	"\n" FOLDERS_HELP
	"  --policy FILE      whose witnesses make a checkpoint final; default: the registry's\n"
	"  --end PARTY        not the message: the entry that ended it for this "
	"recipient\n"
	"  --from SIZE        entries of the earlier tree\n"
	"  --to SIZE|final    entries of the later tree; default: the newest checkpoint's. final: "
	"the "
	"oldest one\n"
	"                     that a quorum of witnesses cosigned\n"
	"  --archive DIR      prove out of an exported log instead of a journal; entries by "
	"number\n"
	"  --out FILE         write the proof there\n"
	"  --header FILE      write the message's header there: the bytes that its proof is about\n"
	"  --batch FILE       the same for an entry of acknowledgements or cancellations\n"
	"  --after FILE       write the proof of the last entry before that notes cosignatures of "
	"witnesses\n"
	"                     there, and what it notes to FILE.checkpoint: they bound the "
	"time\n" INSPECT_HELP "  --json             with --out: one object about it\n"
	"\n"
	"Exit codes: 0 written; 1 no such entry, or it cannot be proven.\n";

struct options {
	struct folders *folders;
	struct inspect inspect; /* an entry's record is opened for its proof */
	const char *which, *end, *from, *to, *out, *header, *batch, *after, *archive;
	bool json;
};

enum { WHY_SIZE = 512 };

static int complain(const struct options *options, int r, const char *why)
{
	if (r < 0)
		return cli_fail(
			CLI_FAILED, "%s: %s", options->folders->journal, strerrordesc_np(-r));
	return cli_fail(CLI_NEGATIVE, "%s", why);
}

static int write_file(const char *path, struct bytes data)
{
	int r = file_replace(path, data, 0600);
	return r ? cli_fail(CLI_FAILED, "%s: %s", path, strerrordesc_np(-r)) : CLI_DONE;
}

static int write_proof(const struct options *options, struct bytes text)
{
	if (options->out)
		return write_file(options->out, text);
	fwrite(text.data, 1, text.len, stdout);
	return CLI_DONE;
}

/* The bytes that the proof is about, for those who do not have them. */
static int write_original(const struct options *options, const struct audit_proof *proof)
{
	const char *path = options->header ? options->header : options->batch;
	uint8_t kind = proof->entry.stub[1];
	if (!path)
		return CLI_DONE;
	bool fits = options->header ? kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED ||
					      kind == DIENSTWEG__ENTRY_KIND__ENTRY_REFUSED
				    : kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED ||
					      kind == DIENSTWEG__ENTRY_KIND__ENTRY_CANCELLED;
	if (!fits)
		return cli_fail(CLI_NEGATIVE,
			"entry %" PRIu64 " (%s) has no %s: nothing was written to %s",
			proof->sequence, audit_kind_name(kind),
			options->header ? "header" : "batch", path);
	if (proof->original.len == 0)
		return cli_fail(CLI_NEGATIVE,
			"the record of entry %" PRIu64 " does not open: nothing was written to %s",
			proof->sequence, path);
	return write_file(path, proof->original);
}

/* The entry before which bounds the time, under the same checkpoint. */
static int write_after(
	const struct options *options, struct audit *audit, const struct audit_proof *proof)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(ENTRY_ARENA);
	struct audit_proof witnessed;
	char why[WHY_SIZE] = "", path[4096];
	uint64_t sequence;
	if (!options->after)
		return CLI_DONE;
	int r = arena ? audit_find_witnessed(audit, proof->sequence, &sequence, why, sizeof(why))
		      : -ENOMEM;
	if (r == 0)
		r = audit_prove(audit, sequence, proof, arena, &witnessed, why, sizeof(why));
	if (r)
		return complain(options, r, why);
	if (witnessed.original.len == 0)
		return cli_fail(CLI_NEGATIVE,
			"the record of entry %" PRIu64
			", which notes cosignatures, does not open: nothing was written to %s",
			sequence, options->after);
	int n = snprintf(path, sizeof(path), "%s.checkpoint", options->after);
	if (n < 0 || (size_t)n >= sizeof(path))
		return cli_fail(CLI_FAILED, "%s: the name is too long", options->after);
	int exit = write_file(path, witnessed.original);
	return exit ? exit : write_file(options->after, witnessed.text);
}

static void tell(const struct options *options, const struct audit_proof *proof)
{
	if (options->json) {
		json_t *object = json_object();
		out_put(object, "sequence", proof->sequence);
		out_put_text(object, "kind", audit_kind_name(proof->entry.stub[1]));
		json_object_set_new(object, "whole", json_boolean(proof->entry.whole));
		out_put(object, "tree_size", proof->checkpoint.size);
		out_put_text(object, "origin", proof->checkpoint.origin);
		json_object_set_new(object, "final", json_boolean(proof->final));
		out_put_text(object, "file", options->out);
		out_line(object);
		return;
	}
	if (options->out)
		printf("Entry %" PRIu64 ", %s, proven under the %s of %" PRIu64 " entries: %s\n",
			proof->sequence, audit_kind_name(proof->entry.stub[1]),
			proof->final ? "cosigned checkpoint" : "checkpoint", proof->checkpoint.size,
			options->out);
	if (!proof->entry.whole)
		fprintf(stderr,
			"dienstweg: the record of entry %" PRIu64
			" is not at hand (erased, without its key, or in an archive): the proof "
			"holds its stub alone. "
			"It shows that an entry of this kind stands there; a receipt of the time "
			"shows "
			"which\n",
			proof->sequence);
}

static int find_entry(
	const struct options *options, struct audit *audit, uint64_t *ret, char why[WHY_SIZE])
{
	int r = audit_find(audit, options->which, ret, why, WHY_SIZE);
	return r || !options->end ? r
				  : audit_find_end(audit, *ret, options->end, ret, why, WHY_SIZE);
}

/* Without keys nothing is opened: the proof holds the stub. */
static int record_opening(struct options *options, const struct audit *audit, uint64_t sequence)
{
	if (!audit->keyring)
		return 0;
	int exit = inspect_record(&options->inspect, options->folders, sequence, sequence, 1);
	if (exit == 0)
		inspect_print(&options->inspect);
	return exit;
}

static int prove_entry(struct options *options, struct audit *audit)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(ENTRY_ARENA);
	struct audit_proof proof;
	char why[WHY_SIZE] = "";
	uint64_t sequence;
	int r = arena ? 0 : -ENOMEM;
	if (r == 0 && options->archive) {
		(void)text_parse_u64(BYTES_STR(options->which), &sequence);
		r = prove_archive_entry(options->archive, sequence, arena, &proof, why, sizeof(why));
	} else if (r == 0) {
		r = find_entry(options, audit, &sequence, why);
		int exit = r == 0 ? record_opening(options, audit, sequence) : 0;
		if (exit)
			return exit;
		if (r == 0)
			r = audit_prove(audit, sequence, NULL, arena, &proof, why, sizeof(why));
	}
	if (r)
		return complain(options, r, why);
	int exit = write_proof(options, proof.text);
	if (exit == CLI_DONE)
		exit = write_original(options, &proof);
	if (exit == CLI_DONE)
		exit = write_after(options, audit, &proof);
	if (exit == CLI_DONE)
		tell(options, &proof);
	return exit;
}

static void tell_trees(const struct options *options, const struct proof_consistency *proof)
{
	if (options->json) {
		json_t *object = json_object();
		out_put(object, "old_size", proof->old.size);
		out_put(object, "new_size", proof->new.size);
		json_object_set_new(object, "checkpoint", json_boolean(proof->note.len > 0));
		out_put_text(object, "file", options->out);
		out_line(object);
		return;
	}
	if (options->out)
		printf("The tree of %" PRIu64 " entries begins with that of %" PRIu64 ": %s\n",
			proof->new.size, proof->old.size, options->out);
	if (proof->note.len == 0)
		fprintf(stderr,
			"dienstweg: the journal keeps no checkpoint of %" PRIu64
			" entries: whoever checks the proof needs one of his own\n",
			proof->new.size);
}

static int prove_trees(
	const struct options *options, struct audit *audit, uint64_t from, uint64_t to)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(ENTRY_ARENA);
	struct proof_consistency proof;
	struct bytes text;
	char why[WHY_SIZE] = "";
	int r = arena ? 0 : -ENOMEM;
	if (r == 0)
		r = options->archive ? prove_archive_trees(options->archive, from, to, arena,
					       &proof, why, sizeof(why))
				     : audit_prove_consistency(
					       audit, from, to, arena, &proof, why, sizeof(why));
	if (r == 0)
		r = proof_consistency_write(&proof, arena, &text);
	if (r)
		return complain(options, r, why);
	int exit = write_proof(options, text);
	if (exit == CLI_DONE)
		tell_trees(options, &proof);
	return exit;
}

static int run(struct options *options, uint64_t from, uint64_t to)
{
	_cleanup_(audit_close) struct audit audit = {};
	int exit = options->archive ? 0 : folders_open(options->folders, &audit);
	if (exit)
		return exit;
	return options->from ? prove_trees(options, &audit, from, to) : prove_entry(options, &audit);
}

static int check_usage(
	const struct options *options, const struct cli_verb *verb, uint64_t *from, uint64_t *to)
{
	*to = 0;
	if (!options->from == !options->which)
		return cli_usage(
			verb, "which entry (number, message id or h), or --from which size?");
	if (options->to && !options->from)
		return cli_usage(verb, "--to goes with --from");
	if (options->from && (options->end || options->header || options->batch))
		return cli_usage(
			verb, "--end, --header and --batch are about an entry, --from is not");
	uint64_t number;
	if (options->archive && (options->end || options->header || options->batch || options->after))
		return cli_usage(verb, "an export holds no records: --end, --header, --batch and "
				       "--after take a journal");
	if (options->archive && options->which && text_parse_u64(BYTES_STR(options->which), &number))
		return cli_usage(
			verb, "an export knows entries by their number, not %s", options->which);
	if (options->archive && options->to && strcmp(options->to, "final") == 0)
		return cli_usage(verb, "--to final takes a journal");
	if (options->header && options->batch)
		return cli_usage(verb, "an entry has a header or a batch: name one of them");
	if (options->json && !options->out)
		return cli_usage(verb, "--json goes with --out: the proof itself is no JSON");
	if (options->from && (text_parse_u64(BYTES_STR(options->from), from) || *from == 0))
		return cli_usage(verb, "--from: %s is no number of entries", options->from);
	if (options->to && strcmp(options->to, "final") == 0)
		*to = PROVE_TO_FINAL;
	else if (options->to && (text_parse_u64(BYTES_STR(options->to), to) || *to == 0))
		return cli_usage(verb, "--to: %s is no number of entries", options->to);
	return 0;
}

int audit_prove_run(int argc, char **argv)
{
	_cleanup_(folders_deinit) struct folders folders = {};
	const char *items[1];
	struct cli_list words = {.items = items, .max = ARRAY_LEN(items)};
	struct options options = {.folders = &folders};
	const struct cli_option table[] = {
		FOLDERS_OPTIONS(&folders),
		INSPECT_OPTIONS(&options.inspect),
		{"--end", .value = &options.end},
		{"--from", .value = &options.from},
		{"--to", .value = &options.to},
		{"--out", .value = &options.out},
		{"--header", .value = &options.header},
		{"--batch", .value = &options.batch},
		{"--after", .value = &options.after},
		{"--archive", .value = &options.archive},
		{"--policy", .value = &folders.policy},
		{"--json", .flag = &options.json},
	};
	const struct cli_verb verb = {
		.name = "audit prove",
		.help = help,
		.options = table,
		.options_count = ARRAY_LEN(table),
		.words = &words,
	};
	uint64_t from = 0, to;
	int r;
	if (!cli_parse(&verb, argc, argv, &r))
		return r;
	options.which = words.count ? items[0] : NULL;
	r = check_usage(&options, &verb, &from, &to);
	if (r == 0)
		r = inspect_check(&options.inspect, &verb);
	if (r == 0 && !options.archive)
		r = folders_find(&folders, &verb, 0);
	return r ? r : run(&options, from, to);
}
