/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Needs no journal and no broker: what is checked came from somebody who wants to be believed, and who
 * checks it has nothing but that and the keys that he pinned. A file says itself what it is by its first
 * line, a folder is an export.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/admin/check-words.h"
#include "broker/admin/findings.h"
#include "broker/admin/held.h"
#include "broker/admin/out.h"
#include "broker/admin/verbs.h"
#include "broker/audit/check-export.h"
#include "broker/audit/entry.h"
#include "broker/audit/statement.h"
#include "conf/cli/cli.h"
#include "proto/base/file.h"
#include "proto/base/text.h"

static const char help[] =
	"usage: dienstweg audit check FILE --policy FILE [OPTION...]\n"
	"       dienstweg audit check DIR --policy FILE [OPTION...]\n"
	"\n"
	"Checks a proof (of an entry, or between two trees), a signed report, or an exported log, "
	"offline,\n"
	"with nothing but the pinned keys, and says what it proves and what not.\n"
	"\n"
	"  --policy FILE      the pinned keys: of the roots, and of the log or with --registry\n"
	"  --registry FILE    a registry signed by the pinned roots: its log keys count; when it "
	"was in "
	"force at\n"
	"                     the entry, the sender's or recipient's signature is judged by it\n"
	"  --header FILE      the proof must be about the message with this header\n"
	"  --message FILE     the proof must be about this whole message (an Envelope)\n"
	"  --batch FILE       the proof must be about this batch of acknowledgements or "
	"cancellations\n"
	"  --decision FILE    the decision that an export disclosed must be the entry's\n"
	"  --grown FILE       a proof between the tree of this proof and a later one, cosigned: "
	"then it "
	"is final\n"
	"  --after FILE       the proof of an earlier entry that notes cosignatures, and "
	"FILE.checkpoint "
	"beside it,\n"
	"                     as audit prove --after wrote them: after which time it was recorded\n"
	"  --checkpoint FILE  a signed checkpoint that you hold, for a proof between trees or an "
	"export; may be\n"
	"                     given twice\n"
	"  --json             one object\n"
	"\n"
	"Exit codes: 0 it holds; 1 it does not, with the field and the reason.\n";

enum { BATCH_FILE_MAX = 64 * 1024, HELD_MAX = 2 };

struct options {
	const char *subject, *policy, *registry, *header, *message, *batch, *after, *decision,
		*grown;
	struct cli_list *checkpoints;
	bool json;
};

/* Files that are read whole. */
struct input {
	uint8_t *data;
	size_t len;
};

static void input_deinit(struct input *input)
{
	free(steal(&input->data));
}
DEFINE_CLEANUP_PTR(struct input, input_deinit);

/* An empty file is one that was given. */
static int input_read(struct input *input, const char *path, size_t max)
{
	if (!path)
		return 0;
	int r = file_read(path, max, &input->data, &input->len);
	if (r == FILE_TOO_LARGE)
		return cli_fail(CLI_NEGATIVE, "%s: is larger than %zu bytes", path, max);
	return r ? cli_fail(CLI_FAILED, "%s: %s", path, strerrordesc_np(-r)) : 0;
}

static struct bytes input_bytes(const struct input *input)
{
	return BYTES(input->data, input->len);
}

/* ---- verdicts ---- */

static int print_verdict(
	const struct options *options, int r, const struct proof_fault *fault, json_t *object)
{
	char why[OUT_TEXT_MAX];
	if (r < 0) {
		json_decref(object);
		return cli_fail(CLI_FAILED, "%s: %s", options->subject, strerrordesc_np(-r));
	}
	if (object) {
		out_put_text(object, "verdict", r == 0 ? "holds" : "fails");
		if (r > 0) {
			out_put_text(object, "field", fault->field);
			out_put_name(object, "reason", BYTES_STR(fault->why));
		}
		out_line(object);
	} else if (r > 0) {
		printf("The proof does NOT hold: %s: %s.\n", fault->field,
			out_name(BYTES_STR(fault->why), why));
	}
	return r == 0 ? CLI_DONE : CLI_NEGATIVE;
}

static int read_after(const struct options *options, struct input *proof, struct input *note)
{
	char path[4096];
	if (!options->after)
		return 0;
	int n = snprintf(path, sizeof(path), "%s.checkpoint", options->after);
	if (n < 0 || (size_t)n >= sizeof(path))
		return cli_fail(CLI_FAILED, "%s: the name is too long", options->after);
	int r = input_read(proof, options->after, PROOF_FILE_MAX);
	return r ? r : input_read(note, path, PROOF_FILE_MAX);
}

static int check_entry(
	const struct options *options, const struct audit_trust *trust, struct bytes text)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(ENTRY_ARENA);
	_cleanup_(input_deinit) struct input header = {}, envelope = {}, batch = {};
	_cleanup_(input_deinit) struct input after = {}, after_note = {}, decision = {}, grown = {};
	struct audit_checked checked;
	struct proof_fault fault = {};
	int r = input_read(&header, options->header, HEADER_BYTES_MAX);
	if (r == 0)
		r = input_read(&envelope, options->message, ENVELOPE_BYTES_MAX);
	if (r == 0)
		r = input_read(&batch, options->batch, BATCH_FILE_MAX);
	if (r == 0)
		r = read_after(options, &after, &after_note);
	if (r == 0)
		r = input_read(&decision, options->decision, BATCH_FILE_MAX);
	if (r == 0)
		r = input_read(&grown, options->grown, PROOF_FILE_MAX);
	if (r)
		return r;
	struct audit_held held = {
		.header = input_bytes(&header),
		.envelope = input_bytes(&envelope),
		.batch = input_bytes(&batch),
		.after = input_bytes(&after),
		.after_note = input_bytes(&after_note),
		.decision = input_bytes(&decision),
		.grown = input_bytes(&grown),
	};
	r = arena ? audit_check_proof(trust, text, &held, arena, &checked, &fault) : -ENOMEM;
	json_t *object = options->json ? json_object() : NULL;
	if (r == 0 && object)
		check_json_proof(trust, &checked, object);
	else if (r == 0)
		check_words_proof(trust, &checked);
	return print_verdict(options, r, &fault, object);
}

static int check_trees(const struct options *options, const struct audit_trust *trust,
	struct bytes text, const struct bytes *held)
{
	struct audit_checked_trees trees;
	struct proof_fault fault = {};
	int r = audit_check_trees(trust, text, held, options->checkpoints->count, &trees, &fault);
	json_t *object = options->json ? json_object() : NULL;
	if (r == 0 && object)
		check_json_trees(trust, &trees, object);
	else if (r == 0)
		check_words_trees(trust, &trees);
	return print_verdict(options, r, &fault, object);
}

/* What is in it is said by itself; what can be judged is who stands for it. */
static int check_statement(
	const struct options *options, const struct audit_trust *trust, struct bytes text)
{
	struct statement statement;
	struct proof_fault fault = {};
	int r = statement_check(trust, text, &statement, &fault);
	json_t *object = options->json ? json_object() : NULL;
	if (r == 0 && object) {
		out_put_text(object, "proves", "report");
		out_put_text(object, "origin", statement.origin);
		out_put_text(object, "signer", statement.signer);
		out_put_name(object, "text", statement.text);
	} else if (r == 0) {
		printf("The report is whole, and signed by the keeper of the log %s (key %s).\n"
		       "It proves what the keeper says, not that nothing was left out. That its "
		       "entries "
		       "are in the log is\nproven by the .tlog-proof files beside it.\n",
			statement.origin, statement.signer);
	}
	return print_verdict(options, r, &fault, object);
}

static int check_file(
	const struct options *options, const struct audit_trust *trust, const struct bytes *held)
{
	_cleanup_(input_deinit) struct input input = {};
	struct proof_fault fault = {};
	int r = input_read(&input, options->subject, NOTE_SIZE_MAX);
	if (r)
		return r;
	struct bytes text = input_bytes(&input);
	if (statement_is(text))
		return check_statement(options, trust, text);
	switch (proof_form(text)) {
	case PROOF_FORM_ENTRY:
		return check_entry(options, trust, text);
	case PROOF_FORM_CONSISTENCY:
		return check_trees(options, trust, text, held);
	default:
		proof_fault(&fault, PROOF_MALFORMED, "first line",
			"is that of no proof: neither c2sp.org/tlog-proof@v1, "
			"dienstweg/v1/consistency nor dienstweg/v1/report");
		return print_verdict(
			options, PROOF_MALFORMED, &fault, options->json ? json_object() : NULL);
	}
}

/* ---- an export ---- */

static void print_export(const struct options *options, const struct audit_trust *trust,
	const struct export_checked *checked, struct findings *findings)
{
	json_t *object = options->json ? json_object() : NULL;
	if (object) {
		findings_put(findings, object);
		out_put_text(object, "proves", "export");
		check_json_export(trust, checked, object);
		out_line(object);
	} else {
		check_words_export(trust, checked, findings->report.findings);
	}
}

/* What audit report --out wrote is no export: its files are checked one by one. */
static bool is_report(const char *dir)
{
	char path[4096];
	return path_join(path, sizeof(path), dir, "report.txt") == 0 && access(path, F_OK) == 0;
}

static int check_folder(
	const struct options *options, const struct audit_trust *trust, const struct bytes *held)
{
	struct export_checked checked;
	struct findings findings;
	if (is_report(options->subject))
		return cli_fail(
			CLI_FAILED, "%s: is the folder of a report: check report.txt and each .tlog-proof in it",
			options->subject);
	findings_init(&findings, options->json);
	int r = audit_check_export(trust, options->subject, held, options->checkpoints->count,
		&findings.report, &checked);
	progress_clear(&findings.progress);
	if (r) {
		findings_drop(&findings);
		return cli_fail(CLI_FAILED, "%s: it could not be checked to its end: %s",
			options->subject, strerrordesc_np(-r));
	}
	print_export(options, trust, &checked, &findings);
	return findings_exit(&findings, false);
}

static int run(const struct options *options)
{
	_cleanup_(audit_trust_close) struct audit_trust trust = {};
	_cleanup_(input_deinit) struct input first = {}, second = {};
	struct input *const inputs[HELD_MAX] = {&first, &second};
	struct bytes held[HELD_MAX];
	char why[512] = "";
	struct stat st;
	if (audit_trust_open(options->policy, options->registry, &trust, why, sizeof(why)))
		return cli_fail(CLI_FAILED, "%s", why);
	for (size_t i = 0; i < options->checkpoints->count; i++) {
		int r = input_read(inputs[i], options->checkpoints->items[i], PROOF_FILE_MAX);
		if (r == 0)
			r = held_checkpoint(
				options->checkpoints->items[i], input_bytes(inputs[i]), &held[i]);
		if (r)
			return r;
	}
	if (stat(options->subject, &st) != 0)
		return cli_fail(CLI_FAILED, "%s: %m", options->subject);
	return S_ISDIR(st.st_mode) ? check_folder(options, &trust, held)
				   : check_file(options, &trust, held);
}

int audit_check_run(int argc, char **argv)
{
	const char *items[1], *notes[HELD_MAX];
	struct cli_list words = {.items = items, .max = ARRAY_LEN(items)};
	struct cli_list checkpoints = {.items = notes, .max = ARRAY_LEN(notes)};
	struct options options = {.checkpoints = &checkpoints};
	const struct cli_option table[] = {
		{"--policy", .value = &options.policy},
		{"--registry", .value = &options.registry},
		{"--header", .value = &options.header},
		{"--message", .value = &options.message},
		{"--batch", .value = &options.batch},
		{"--after", .value = &options.after},
		{"--decision", .value = &options.decision},
		{"--grown", .value = &options.grown},
		{"--checkpoint", .list = &checkpoints},
		{"--json", .flag = &options.json},
	};
	const struct cli_verb verb = {
		.name = "audit check",
		.help = help,
		.options = table,
		.options_count = ARRAY_LEN(table),
		.words = &words,
	};
	int r;
	if (!cli_parse(&verb, argc, argv, &r))
		return r;
	if (words.count == 0)
		return cli_usage(&verb, "check what? name a proof or an exported folder");
	if (!options.policy)
		return cli_usage(&verb,
			"whose signatures count? --policy names the file that pins the keys");
	if (!!options.header + !!options.message + !!options.batch > 1)
		return cli_usage(
			&verb, "--header, --message and --batch: a proof is about one of them");
	options.subject = items[0];
	return run(&options);
}
