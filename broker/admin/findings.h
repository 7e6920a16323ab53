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
};

/**
 * findings_init() - ready for a report
 * @findings: to set up; must not move afterwards
 * @json:     gather them
 */
void findings_init(struct findings *findings, bool json);

/* Members "verdict" ("clean" or "findings"), "findings" (array) and "findings_total"; takes the list. */
void findings_put(struct findings *findings, json_t *object);

/* Exit code: CLI_DONE or CLI_NEGATIVE. */
int findings_exit(const struct findings *findings);
