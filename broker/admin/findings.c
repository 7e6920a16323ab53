/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A thousand findings are enough for anybody to act on, and a journal that was exchanged for another one
 * has millions. The count goes on, so that nobody takes the thousand for all.
 */
#include "broker/admin/findings.h"

#include <inttypes.h>
#include <stdio.h>

#include "broker/admin/out.h"
#include "conf/cli/cli.h"

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

void findings_init(struct findings *findings, bool json)
{
	*findings = (struct findings){
		.report = {.finding = take, .progress = progress_step, .context = findings},
		.list = json ? json_array() : NULL,
	};
	progress_begin(&findings->progress);
}

void findings_put(struct findings *findings, json_t *object)
{
	out_put_text(object, "verdict", findings->report.findings ? "findings" : "clean");
	out_put(object, "findings_total", findings->report.findings);
	json_object_set_new(object, "findings", findings->list);
	findings->list = NULL;
}

int findings_exit(const struct findings *findings)
{
	return findings->report.findings ? CLI_NEGATIVE : CLI_DONE;
}
