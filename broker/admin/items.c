/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The broker takes lines of a bounded length, and one order should not hold up a commit for long: so thousands of
 * messages go in slices, each decided and on disk before the next. Interrupted, what was done stays done, and the same
 * command does the rest.
 */
#include "broker/admin/items.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/text.h"

enum { ITEMS_EACH = 384, ITEM_TEXT = 34, ITEMS_MIN = 64 };

void order_items_deinit(struct order_items *items)
{
	free(items->items);
	*items = (struct order_items){};
}

int order_items_add(struct order_items *items, uint64_t sequence, uint32_t party)
{
	if (items->count == items->size) {
		size_t size = items->size ? items->size * 2 : ITEMS_MIN;
		void *more = reallocarray(items->items, size, sizeof(*items->items));
		if (!more)
			return -ENOMEM;
		items->items = more;
		items->size = size;
	}
	items->items[items->count].sequence = sequence;
	items->items[items->count++].party = party;
	return 0;
}

static int send_slice(const struct folders *folders, const char *order,
	const struct order_items *items, size_t from, uint64_t *ret)
{
	char line[ITEMS_EACH * ITEM_TEXT + 256];
	json_t *answer = NULL;
	size_t len = (size_t)snprintf(line, 256, "%s", order);
	for (size_t i = from; i < items->count && i < from + ITEMS_EACH; i++)
		len += (size_t)snprintf(line + len, sizeof(line) - len, " %" PRIu64 "/%" PRIu32,
			items->items[i].sequence, items->items[i].party);
	int exit = order_send(folders, line, &answer);
	if (exit)
		return exit;
	*ret += (uint64_t)json_integer_value(json_object_get(answer, "taken"));
	json_decref(answer);
	return 0;
}

int order_items_send(const struct folders *folders, const char *order,
	const struct order_items *items, uint64_t *ret)
{
	int exit = 0;
	*ret = 0;
	for (size_t from = 0; exit == 0 && from < items->count; from += ITEMS_EACH)
		exit = send_slice(folders, order, items, from, ret);
	return exit;
}

int items_read(const struct folders *folders, struct audit *audit, struct parked_list *ret)
{
	int exit = folders_open(folders, audit);
	if (exit)
		return exit;
	int r = parked_list_read(audit, ret);
	return r ? cli_fail(CLI_FAILED, "%s: %s", folders->journal,
			   r == -EBADMSG ? "the journal is damaged: audit verify tells more"
					 : strerrordesc_np(-r))
		 : 0;
}

int items_sequence(const struct cli_verb *verb, const char *word, uint64_t *ret)
{
	return text_parse_u64(BYTES_STR(word), ret)
		       ? cli_usage(verb, "%s: a message is named by the number of its entry", word)
		       : 0;
}
