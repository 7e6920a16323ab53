/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A list and not a table: it is empty on every honest day, and 64 comparisons are cheaper than what the
 * flooder was about to send.
 */
#include "broker/transport/bars.h"

#include <string.h>

static struct bar *bar_find(struct bars *bars, const uint8_t key[BOX_KEY_SIZE])
{
	for (size_t i = 0; i < bars->count; i++) {
		if (memcmp(bars->all[i].key, key, BOX_KEY_SIZE) == 0)
			return &bars->all[i];
	}
	return NULL;
}

static struct bar *bar_first_to_end(struct bars *bars)
{
	struct bar *first = &bars->all[0];
	for (size_t i = 1; i < bars->count; i++) {
		if (bars->all[i].until_ns < first->until_ns)
			first = &bars->all[i];
	}
	return first;
}

void bars_add(struct bars *bars, const uint8_t key[BOX_KEY_SIZE], uint64_t until_ns)
{
	struct bar *bar = bar_find(bars, key);
	if (!bar)
		bar = bars->count < BARS_MAX ? &bars->all[bars->count++] : bar_first_to_end(bars);
	memcpy(bar->key, key, BOX_KEY_SIZE);
	bar->until_ns = until_ns;
}

bool bars_hold(struct bars *bars, const uint8_t key[BOX_KEY_SIZE], uint64_t now_ns)
{
	for (size_t i = 0; i < bars->count;) {
		if (bars->all[i].until_ns <= now_ns)
			bars->all[i] = bars->all[--bars->count];
		else
			i++;
	}
	return bar_find(bars, key) != NULL;
}
