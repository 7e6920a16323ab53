/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Sentences are filled in by hand, because a format string out of a table is one that no compiler
 * checks, and what may stand for the braces is a name from the registry or nothing.
 */
#include "broker/routing/codes.h"

#include <assert.h>
#include <errno.h>

static const struct routing_text texts[ROUTING_CODES] = {
#define ROUTING_CODE_TEXT(name, code, field, sentence, meaning)                                    \
	[name] = {code, field, sentence, meaning},
	ROUTING_REFUSALS(ROUTING_CODE_TEXT) ROUTING_DEFERRALS(ROUTING_CODE_TEXT)
		ROUTING_ACK_REFUSALS(ROUTING_CODE_TEXT) ROUTING_CANCEL_REFUSALS(ROUTING_CODE_TEXT)
#undef ROUTING_CODE_TEXT
};

const struct routing_text *routing_text(enum routing_code code)
{
	assert((size_t)code < ROUTING_CODES);
	return &texts[code];
}

int routing_detail(struct arena *arena, enum routing_code code, struct bytes name, const char **ret)
{
	const char *sentence = routing_text(code)->sentence;
	const char *hole = strstr(sentence, "{}");
	size_t before = hole ? (size_t)(hole - sentence) : strlen(sentence);
	const char *rest = hole ? hole + 2 : "";
	size_t middle = hole ? name.len : 0;
	char *detail = arena_alloc(arena, before + middle + strlen(rest) + 1);
	if (!detail)
		return -ENOMEM;
	memcpy(detail, sentence, before);
	if (middle)
		memcpy(detail + before, name.data, middle);
	memcpy(detail + before + middle, rest, strlen(rest) + 1);
	*ret = detail;
	return 0;
}
