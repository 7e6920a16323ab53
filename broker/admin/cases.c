/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The broker keeps the index up to date. Where none runs it is done by whoever asks, so the first question after a
 * long time takes longer and says so. A record that cannot be read is not a reason to answer nothing; it is told at the end, beside the answer.
 */
#include "broker/admin/cases.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/admin/progress.h"
#include "proto/base/text.h"

int cases_open(const struct folders *folders, bool rebuild, struct cases *ret)
{
	char error[CONFIG_ERROR_SIZE];
	struct progress progress;
	struct audit_report report = {.progress = progress_step, .context = &progress};
	*ret = (struct cases){};
	int exit = folders_open(folders, &ret->audit);
	if (exit)
		return exit;
	int r = case_index_open(folders->index, &ret->index, error, sizeof(error));
	if (r)
		return cli_fail(CLI_FAILED, "%s", error);
	progress_begin(&progress);
	r = case_index_update(ret->index, &ret->audit, rebuild, &report);
	progress_clear(&progress);
	ret->unreadable = report.findings;
	if (r == 0)
		r = case_index_begin(ret->index);
	if (r)
		return cli_fail(CLI_FAILED, "%s: the case index cannot be brought up to date: %s",
			folders->index, strerrordesc_np(-r));
	if (ret->unreadable)
		fprintf(stderr,
			"dienstweg: %" PRIu64
			" entries cannot be read and are left out: dienstweg audit "
			"verify names them\n",
			ret->unreadable);
	return 0;
}

void cases_close(struct cases *cases)
{
	case_index_free(steal(&cases->index));
	audit_close(&cases->audit);
}

void cases_text(const uint8_t id[CASE_ID_SIZE], char buf[CASE_TEXT_SIZE])
{
	text_hex(BYTES(id, CASE_ID_SIZE), buf);
}

/* Hex digits, with the hyphens of a UUID if somebody put them in. Return: bytes, 0 when it is none. */
static size_t parse_prefix(const char *text, uint8_t id[CASE_ID_SIZE])
{
	char digits[2 * CASE_ID_SIZE + 1];
	size_t count = 0;
	for (; *text; text++) {
		if (*text == '-')
			continue;
		if (count + 1 == sizeof(digits))
			return 0;
		digits[count++] = *text;
	}
	digits[count] = '\0';
	return count % 2 == 0 && text_unhex(digits, id, count / 2) == 0 ? count / 2 : 0;
}

void cases_one_deinit(struct cases_one *one)
{
	case_entries_deinit(&one->entries);
}

int cases_find(struct cases *cases, const char *text, struct cases_one *ret)
{
	uint8_t prefix[CASE_ID_SIZE], id[CASE_ID_SIZE];
	size_t len = parse_prefix(text, prefix);
	*ret = (struct cases_one){};
	if (len == 0)
		return cli_fail(CLI_USAGE,
			"%s is no case id: an even number of hex digits, at most 32, is", text);
	int r = audit_refresh(&cases->audit);
	if (r == 0)
		r = case_find(&cases->audit, BYTES(prefix, len), id);
	if (r == 0)
		r = case_index_entries(cases->index, cases->audit.keyring, id, &ret->entries);
	if (r == 0)
		r = audit_refresh(&cases->audit);
	if (r == 0)
		r = case_summarize(&cases->audit, id, &ret->entries, &ret->summary);
	if (r == DB_NOT_FOUND)
		return cli_fail(CLI_NEGATIVE, "the journal knows no case %s", text);
	if (r == DB_EXISTS)
		return cli_fail(CLI_NEGATIVE, "several cases begin with %s: give more of it", text);
	return r ? cli_fail(CLI_FAILED, "the case index: %s", strerrordesc_np(-r)) : 0;
}
