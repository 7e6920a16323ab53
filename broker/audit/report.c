/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Findings are told one by one as they are met, never collected: a journal with a million damaged rows
 * must not need memory for a million sentences.
 */
#include "broker/audit/report.h"

#include <stdarg.h>
#include <stdio.h>

void audit_report_finding(
	struct audit_report *report, uint64_t sequence, const char *code, const char *format, ...)
{
	char reason[640];
	struct audit_finding finding = {.sequence = sequence, .code = code, .reason = reason};
	va_list args;
	report->findings++;
	if (!report->finding)
		return;
	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	report->finding(report->context, &finding);
}

void audit_report_progress(struct audit_report *report, uint64_t done, uint64_t total)
{
	if (report->progress)
		report->progress(report->context, done, total);
}
