/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What cannot be made again, and nothing else: entries, tree, checkpoints, registries. Queues and the rest follow
 * from them; keys do not belong beside what they erase. So a backup needs no keys, and can be verified by
 * whoever stores it.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "broker/admin/findings.h"
#include "broker/admin/folders.h"
#include "broker/admin/out.h"
#include "broker/admin/verbs.h"
#include "broker/audit/rebuild.h"
#include "broker/blob/copy.h"
#include "proto/base/file.h"

static const char help[] =
	"usage: dienstweg backup DIR --config FILE | --state DIR [OPTION...]\n"
	"\n"
	"Copies the journal as it is at one moment into DIR, which must not hold one; the broker "
	"goes on.\n"
	"The copy has what cannot be made again, and no keys: keep the keyring's copies elsewhere, "
	"and at "
	"most\n"
	"seven days. Check it: dienstweg audit verify --journal DIR --depth tree --policy FILE.\n"
	"\n"
	"Attachments, sealed as they came, are copied into DIR/blobs.\n"
	"\n"
	"To restore: stop the broker, put DIR/blobs in the place of STATE/blobs and DIR in that "
	"of\n"
	"STATE/journal, then dienstweg audit rebuild.\n"
	"\n" FOLDERS_HELP "  --json             one object\n";

/* Behind the journal, because what comes in between belongs to later entries. */
static int blobs_copy(const struct folders *folders, const char *to, struct blob_copied *ret)
{
	char blobs[PATH_MAX];
	*ret = (struct blob_copied){0};
	if (!folders->blobs)
		return 0;
	int r = path_join(blobs, sizeof(blobs), to, "blobs");
	return r ? r : blob_copy(folders->blobs, blobs, ret);
}

static int run(const struct folders *folders, const char *to, bool json)
{
	_cleanup_(journal_reader_free) struct journal_reader *reader = NULL;
	struct journal_pruned pruned = {};
	struct findings findings;
	struct journal_meta meta;
	struct blob_copied blobs;
	char why[512] = "";
	findings_init(&findings, json);
	int r = audit_copy(folders->journal, to, &findings.report, why, sizeof(why));
	progress_clear(&findings.progress);
	findings_drop(&findings);
	if (r)
		return cli_fail(CLI_FAILED, "%s", why);
	r = blobs_copy(folders, to, &blobs);
	if (r)
		return cli_fail(CLI_FAILED, "%s/blobs: attachments cannot be copied: %s", to,
			strerrordesc_np(-r));
	r = journal_reader_open(to, NULL, &reader);
	if (r == 0)
		r = journal_reader_begin(reader);
	if (r == 0)
		r = journal_read_meta(reader, &meta);
	if (r == 0)
		r = journal_read_pruned(reader, &pruned);
	if (r)
		return cli_fail(CLI_FAILED, "%s: the copy cannot be read back: %s", to,
			r < 0 ? strerrordesc_np(-r) : "it is damaged");
	if (json) {
		json_t *object = json_object();
		out_put_text(object, "backup", to);
		out_put_text(object, "bus", meta.bus);
		out_put(object, "entries", meta.size);
		out_put(object, "pruned", pruned.before);
		out_put(object, "attachments", blobs.files);
		out_put(object, "attachment_bytes", blobs.bytes);
		out_put_time(object, "committed", meta.batch_ms);
		out_line(object);
		return CLI_DONE;
	}
	char time[OUT_TEXT_MAX];
	printf("%s holds %" PRIu64 " entries, the last of %s\n", to, meta.size,
		out_time(meta.batch_ms, time));
	if (blobs.files > 0)
		printf("and, in %s/blobs, %" PRIu64 " attachments of %" PRIu64 " MiB\n", to,
			blobs.files, blobs.bytes >> 20);
	out_pruned(&pruned);
	return CLI_DONE;
}

int backup_run(int argc, char **argv)
{
	_cleanup_(folders_deinit) struct folders folders = {};
	const char *items[1];
	struct cli_list words = {.items = items, .max = ARRAY_LEN(items)};
	bool json = false;
	const struct cli_option table[] = {
		FOLDERS_OPTIONS(&folders),
		{"--json", .flag = &json},
	};
	const struct cli_verb verb = {
		.name = "backup",
		.help = help,
		.options = table,
		.options_count = ARRAY_LEN(table),
		.words = &words,
	};
	int r;
	if (!cli_parse(&verb, argc, argv, &r))
		return r;
	if (words.count == 0)
		return cli_usage(&verb, "where to? DIR is a folder that holds no journal yet");
	r = folders_find(&folders, &verb, 0);
	return r ? r : run(&folders, items[0], json);
}
