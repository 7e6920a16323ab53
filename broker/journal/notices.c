/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A queue whose recipient takes one message whenever one comes goes over its level all day. So the log has so many
 * lines a minute and the number of those that it has not.
 */
#include "broker/journal/writer.h"

#include <string.h>

#include "proto/base/log.h"

enum { LINES_A_MINUTE = 10, MINUTE_MS = 60000 };

static void notice_tell(struct journal *journal, const struct submit_notice *notice)
{
	struct journal_told *told = &journal->told;
	uint64_t minute = journal->log.batch_ms / MINUTE_MS;
	if (told->minute != minute) {
		told->minute = minute;
		told->lines = 0;
	}
	if (told->lines++ >= LINES_A_MINUTE) {
		told->unsaid++;
		return;
	}
	log_warn("journal",
		strcmp(notice->code, "queue") == 0
			? "a queue fills up: beyond its limit its senders are put off"
			: "an agreement's quota of this month is nearly used up: beyond it, "
			  "messages are refused",
		F_BYTES(notice->code, notice->name), F_U64("percent", notice->percent),
		F_U64("unsaid", told->unsaid));
	told->unsaid = 0;
}

void notices_tell(struct journal *journal, const struct submit_decision *decision)
{
	for (size_t i = 0; i < decision->notices_count; i++) {
		if (decision->notices[i].crossed)
			notice_tell(journal, &decision->notices[i]);
	}
}
