/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <jansson.h>

#include "broker/admin/folders.h"
#include "broker/audit/recent.h"

/* What the verbs about cases share: journal and case index, both open, the index up to date. */
struct cases {
	struct audit audit;
	struct case_index *index;
	uint64_t unreadable; /* entries that could not be read, by now */
};

#define CASES_HELP                                                                                 \
	"  --index DIR        the case index; default: case-index beside the journal\n"            \
	"  --rebuild          make the case index anew\n"

/**
 * cases_open() - open both, bring the index up to date, begin it; complains
 * @folders:   found
 * @rebuild: make the index anew
 * @ret:     cases_close(), also after a failure
 * Return: 0, or an exit code.
 */
int cases_open(const struct folders *folders, bool rebuild, struct cases *ret);
void cases_close(struct cases *cases);
DEFINE_CLEANUP_PTR(struct cases, cases_close);

/* A case that somebody asked for. */
struct cases_one {
	struct case_summary summary;
	struct case_entries entries;
};
void cases_one_deinit(struct cases_one *one);
DEFINE_CLEANUP_PTR(struct cases_one, cases_one_deinit);

/**
 * cases_find() - a case by its id or the beginning of one; complains
 * @cases: open
 * @text:  hex digits, hyphens allowed
 * @ret:   the case; cases_one_deinit(), also after a failure
 *
 * A whole id is found at once; for a part of one all messages are looked at.
 *
 * Return: 0, or an exit code.
 */
int cases_find(struct cases *cases, const char *text, struct cases_one *ret);

/* A case id as people see it: 32 hex digits. */
enum { CASE_TEXT_SIZE = 2 * CASE_ID_SIZE + 1 };
void cases_text(const uint8_t id[CASE_ID_SIZE], char buf[CASE_TEXT_SIZE]);
