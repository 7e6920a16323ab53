/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Who hears only "full" hears it too late. What is said here follows from the state and decides nothing, so it is
 * in no entry and replay does not miss it. Of events nothing is said about queues: their senders need
 * not know who gets them.
 */
#include "broker/routing/submission.h"
#include "broker/routing/total.h"

static void add(struct submission *s, const char *code, struct bytes name, uint32_t before,
	uint32_t percent)
{
	uint32_t level = s->rules->limits->warn_percent;
	struct bytes copy;
	if (level == 0 || percent < level || arena_copy(s->rules->arena, name, &copy) < 0)
		return;
	s->ret->notices[s->ret->notices_count++] = (struct submit_notice){
		.code = code, .name = copy, .percent = percent, .crossed = before < level};
}

static void notice_queue(struct submission *s)
{
	struct total_row max, before = s->totals[0];
	uint64_t bytes = (uint64_t)s->facts->header_bytes.len + s->facts->content_length;
	if (s->route.count != 1 || s->route.service->event)
		return;
	before.first--;
	before.second -= bytes;
	total_queue_max(s->rules->limits, s->route.recipients[0], &max);
	add(s, "queue", BYTES_PB(s->route.recipients[0]->name), total_percent(&before, &max),
		total_percent(&s->totals[0], &max));
}

static void notice_quota(struct submission *s)
{
	const Dienstweg__Agreement *agreement = s->route.agreement;
	const struct total_row before = {.first = s->quota_used}, now = {.first = s->quota_used + 1};
	const struct total_row max = {.first = agreement->quota_messages, .second = 1};
	if (agreement->quota_messages > 0)
		add(s, "quota", BYTES_PB(agreement->id), total_percent(&before, &max),
			total_percent(&now, &max));
}

void submission_notice(struct submission *s)
{
	notice_queue(s);
	notice_quota(s);
}
