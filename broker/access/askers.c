/* SPDX-License-Identifier: EUPL-1.2 */

/* A time instead of a count: it needs no tick, and is forgotten when it has passed. */
#include "broker/access/askers.h"

#include <string.h>

#define SECOND_NS UINT64_C(1000000000)
static const uint64_t each_ns = ASKERS_EACH_S * SECOND_NS;

static struct asker *find(struct askers *askers, struct bytes name)
{
	for (size_t i = 0; i < askers->count; i++)
		if (bytes_equal(BYTES_STR(askers->all[i].name), name))
			return &askers->all[i];
	return NULL;
}

static void forget(struct askers *askers, uint64_t now_ns)
{
	for (size_t i = 0; i < askers->count;) {
		if (!askers->all[i].waits && askers->all[i].due_ns <= now_ns)
			askers->all[i] = askers->all[--askers->count];
		else
			i++;
	}
}

static struct asker *add(struct askers *askers, struct bytes name)
{
	if (askers->count == ASKERS_MAX || name.len >= sizeof(askers->all[0].name))
		return NULL;
	struct asker *asker = &askers->all[askers->count++];
	*asker = (struct asker){};
	memcpy(asker->name, name.data, name.len);
	return asker;
}

bool askers_take(struct askers *askers, struct bytes name, uint64_t now_ns, uint64_t *ret_wait_ms)
{
	*ret_wait_ms = 0;
	forget(askers, now_ns);
	struct asker *asker = find(askers, name);
	if (!asker)
		asker = add(askers, name);
	if (!asker) {
		*ret_wait_ms = ASKERS_EACH_S * 1000;
		return false;
	}
	if (asker->waits)
		return false;
	uint64_t due_ns = asker->due_ns > now_ns ? asker->due_ns : now_ns;
	uint64_t ahead_ns = due_ns - now_ns, most_ns = (ASKERS_BURST - 1) * each_ns;
	if (ahead_ns > most_ns) {
		*ret_wait_ms = (ahead_ns - most_ns + 999999) / 1000000;
		return false;
	}
	asker->due_ns = due_ns + each_ns;
	asker->waits = true;
	return true;
}

void askers_give(struct askers *askers, struct bytes name)
{
	struct asker *asker = find(askers, name);
	if (asker)
		asker->waits = false;
}
