/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "broker/admin/progress.h"
#include "broker/audit/report.h"

/*
 * What verify and replay have to say while they run. For people a line each as it is found; for programs
 * gathered. Either way at most FINDINGS_MAX, and then only counted.
 */
enum { FINDINGS_MAX = 1000 };

struct findings {
	struct progress progress; /* first: progress_step() */
	struct audit_report report;
	json_t *list; /* NULL: printed as they come */
	json_t *disputed;
};

/**
 * findings_init() - ready for a report
 * @findings: to set up; must not move afterwards
 * @json:     gather them
 */
void findings_init(struct findings *findings, bool json);

/* Members "verdict" ("clean" or "findings"), "findings" (array), "findings_total" and "disputed" (array);
   takes the lists. */
void findings_put(struct findings *findings, json_t *object);

void findings_drop(struct findings *findings); /* lists that were not taken */

/* Exit code: CLI_DONE or CLI_NEGATIVE. What is disputed counts only when @strict. */
int findings_exit(const struct findings *findings, bool strict);
