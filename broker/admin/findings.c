/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A thousand findings are enough for anybody to act on, and a journal that was exchanged for another one
 * has millions. The count goes on, so that nobody takes the thousand for all.
 */
#include "broker/admin/findings.h"

#include <inttypes.h>
#include <stdio.h>

#include "broker/admin/out.h"
#include "broker/audit/disputes.h"
#include "conf/cli/cli.h"
#include "proto/base/text.h"

static void take(void *context, const struct audit_finding *finding)
{
	struct findings *findings = context;
	if (findings->report.findings > FINDINGS_MAX)
		return;
	if (findings->list) {
		json_t *object = json_object();
		out_put(object, "sequence", finding->sequence);
		out_put_text(object, "code", finding->code);
		out_put_text(object, "reason", finding->reason);
		json_array_append_new(findings->list, object);
		return;
	}
	progress_clear(&findings->progress);
	printf("entry %" PRIu64 ": %s (%s)\n", finding->sequence, finding->reason, finding->code);
	if (findings->report.findings == FINDINGS_MAX)
		printf("... further findings are only counted\n");
}

static void take_dispute(void *context, const struct dispute *dispute)
{
	struct findings *findings = context;
	bool log = dispute->use == KEY_LOG;
	char id[2 * KEY_ID_SIZE + 1];
	text_hex(BYTES(dispute->key_id, KEY_ID_SIZE), id);
	if (findings->disputed) {
		json_t *object = json_object();
		out_put_text(object, "key", id);
		out_put_text(object, "use", key_use_name(dispute->use));
		out_put_text(object, "owner", dispute->owner);
		out_put(object, "suspect_from", dispute->suspect_from);
		out_put(object, log ? "checkpoints" : "entries", dispute->count);
		out_put(object, "first", dispute->first);
		out_put(object, "last", dispute->last);
		json_array_append_new(findings->disputed, object);
		return;
	}
	progress_clear(&findings->progress);
	printf("disputed: %s key %s of %s is under suspicion from entry %" PRIu64 " on; %" PRIu64
	       " %s it alone, the first %s %" PRIu64 ", the last %s %" PRIu64 "\n",
		key_use_name(dispute->use), id, dispute->owner, dispute->suspect_from,
		dispute->count,
		log ? "kept checkpoints rest on" : "entries since then are signed by",
		log ? "of size" : "is", dispute->first, log ? "of size" : "is", dispute->last);
}

void findings_init(struct findings *findings, bool json)
{
	*findings = (struct findings){
		.report = {.finding = take,
			.progress = progress_step,
			.dispute = take_dispute,
			.context = findings},
		.list = json ? json_array() : NULL,
		.disputed = json ? json_array() : NULL,
	};
	progress_begin(&findings->progress);
}

void findings_put(struct findings *findings, json_t *object)
{
	out_put_text(object, "verdict", findings->report.findings ? "findings" : "clean");
	out_put(object, "findings_total", findings->report.findings);
	json_object_set_new(object, "findings", findings->list);
	json_object_set_new(object, "disputed", findings->disputed);
	findings->list = findings->disputed = NULL;
}

void findings_drop(struct findings *findings)
{
	json_decref(steal(&findings->list));
	json_decref(steal(&findings->disputed));
}

int findings_exit(const struct findings *findings, bool strict)
{
	const struct audit_report *report = &findings->report;
	return report->findings || (strict && report->disputed) ? CLI_NEGATIVE : CLI_DONE;
}
