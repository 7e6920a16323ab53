/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A notice comes with every receipt beyond the level, so most of them are old news. What it says is the broker's word
 * and nothing is done about it here: it is for people, while there is still time.
 */
#include "adapters/sdk/notices.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/bytes.h"
#include "proto/base/log.h"
#include "proto/base/text.h"

enum { USED_UP = 95 };
static const uint64_t AGAIN_NS = 3600 * UINT64_C(1000000000);

static struct told_notice *notice_find(struct notices *notices, struct bytes code, struct bytes name)
{
	for (size_t i = 0; i < notices->count; i++) {
		struct told_notice *told = &notices->all[i];
		if (bytes_equal(BYTES_STR(told->code), code) &&
			bytes_equal(BYTES_STR(told->name), name))
			return told;
	}
	return NULL;
}

static struct told_notice *notice_room(struct notices *notices)
{
	struct told_notice *oldest = &notices->all[0];
	if (notices->count < NOTICES_MAX)
		return &notices->all[notices->count++];
	for (size_t i = 1; i < notices->count; i++) {
		if (notices->all[i].told_ns < oldest->told_ns)
			oldest = &notices->all[i];
	}
	return oldest;
}

/* Return: was it told? */
static bool notice_take(struct notices *notices, const Dienstweg__Notice *notice, uint64_t now_ns)
{
	struct bytes code = BYTES_PB(notice->code), name = BYTES_PB(notice->name);
	if (!text_is_name(code) || !text_is_name(name))
		return false;
	struct told_notice *told = notice_find(notices, code, name);
	if (told) {
		told->came_ns = now_ns;
		told->latest = notice->percent;
	}
	bool worse = told && told->percent < USED_UP && notice->percent >= USED_UP;
	if (told && !worse && now_ns - told->told_ns < AGAIN_NS)
		return false;
	if (!told)
		told = notice_room(notices);
	*told = (struct told_notice){.percent = notice->percent,
		.latest = notice->percent,
		.told_ns = now_ns,
		.came_ns = now_ns};
	memcpy(told->code, code.data, code.len);
	memcpy(told->name, name.data, name.len);
	log_warn("sender",
		"the bus warns: beyond this limit messages are put off (queue of a recipient) or "
		"refused (quota of an agreement)",
		F_BYTES("limit", code), F_BYTES("name", name), F_U64("percent", notice->percent));
	return true;
}

size_t notices_take(struct notices *notices, const Dienstweg__Answer *answer, uint64_t now_ns)
{
	size_t count = 0;
	for (size_t i = 0; i < answer->n_notices; i++)
		count += notice_take(notices, answer->notices[i], now_ns);
	return count;
}

void notices_json(const struct notices *notices, uint64_t now_ns, char *buf, size_t size)
{
	size_t n = (size_t)snprintf(buf, size, "[");
	for (size_t i = 0; i < notices->count && n < size; i++) {
		const struct told_notice *told = &notices->all[i];
		if (now_ns - told->came_ns < AGAIN_NS)
			n += (size_t)snprintf(buf + n, size - n,
				"%s{\"limit\":\"%s\",\"name\":\"%s\",\"percent\":%" PRIu32 "}",
				n > 1 ? "," : "", told->code, told->name, told->latest);
	}
	if (n < size)
		n += (size_t)snprintf(buf + n, size - n, "]");
	assert(n < size);
}
