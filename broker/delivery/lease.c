/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Open addressing with linear probing and no tombstones: a lease lives for milliseconds, so a table that
 * kept graves would be rehashed all day. Sequences are dense, hence one multiplication spreads them.
 * The end of a session scans the table instead of keeping a list per session: sessions end rarely, and
 * a list would be paid for by every message.
 */
#include "broker/delivery/lease.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { SLOTS_MIN = 16, LEASES_LIMIT = 65536 };

struct lease_table {
	uint32_t party;
	size_t max;
	size_t count; /* OUT and SETTLING */
	size_t out_count;
	uint64_t out_bytes;
	size_t mask; /* slots - 1; slots are at least twice the leases */
	struct lease *slots;
};

int lease_table_new(uint32_t party, size_t max, struct lease_table **ret)
{
	assert(max >= 1 && max <= LEASES_LIMIT);
	_cleanup_(lease_table_free) struct lease_table *table = calloc(1, sizeof(*table));
	if (!table)
		return -ENOMEM;
	table->slots = calloc(SLOTS_MIN, sizeof(*table->slots));
	if (!table->slots)
		return -ENOMEM;
	table->party = party;
	table->max = max;
	table->mask = SLOTS_MIN - 1;
	*ret = steal(&table);
	return 0;
}

void lease_table_free(struct lease_table *table)
{
	if (!table)
		return;
	free(table->slots);
	free(table);
}

static size_t slot_home(const struct lease_table *table, uint64_t sequence)
{
	return (size_t)((sequence * 0x9e3779b97f4a7c15u) >> 32) & table->mask;
}

/* The lease's slot, or the free one where it would go. */
static struct lease *slot_find(const struct lease_table *table, uint64_t sequence)
{
	size_t i = slot_home(table, sequence);
	while (table->slots[i].state != LEASE_FREE && table->slots[i].sequence != sequence)
		i = (i + 1) & table->mask;
	return &table->slots[i];
}

static int table_grow(struct lease_table *table)
{
	size_t slots = (table->mask + 1) * 2;
	struct lease_table larger = *table;
	larger.slots = calloc(slots, sizeof(*larger.slots));
	if (!larger.slots)
		return -ENOMEM;
	larger.mask = slots - 1;
	for (size_t i = 0; i <= table->mask; i++)
		if (table->slots[i].state != LEASE_FREE)
			*slot_find(&larger, table->slots[i].sequence) = table->slots[i];
	free(table->slots);
	*table = larger;
	return 0;
}

int lease_take(struct lease_table *table, const struct lease *lease)
{
	struct lease *slot = slot_find(table, lease->sequence);
	if (slot->state != LEASE_FREE)
		return LEASE_HELD;
	if (table->count == table->max)
		return LEASE_FULL;
	if ((table->count + 1) * 2 > table->mask + 1) {
		int r = table_grow(table);
		if (r < 0)
			return r;
		slot = slot_find(table, lease->sequence);
	}
	*slot = *lease;
	slot->state = LEASE_OUT;
	table->count++;
	table->out_count++;
	table->out_bytes += lease->bytes;
	return 0;
}

static void slot_settle(struct lease_table *table, struct lease *slot)
{
	assert(slot->state == LEASE_OUT);
	slot->state = LEASE_SETTLING;
	table->out_count--;
	table->out_bytes -= slot->bytes;
}

int lease_end(struct lease_table *table, uint64_t sequence, uint64_t session,
	enum lease_cause cause, struct lease *ret)
{
	struct lease *slot = slot_find(table, sequence);
	if (slot->state != LEASE_OUT)
		return LEASE_NONE;
	if (cause == LEASE_NAKED && slot->session != session)
		return LEASE_FOREIGN;
	slot_settle(table, slot);
	if (ret)
		*ret = *slot;
	return 0;
}

size_t lease_end_session(
	struct lease_table *table, uint64_t session, struct rules_item *items, size_t max)
{
	assert(max >= 1);
	size_t count = 0;
	for (size_t i = 0; i <= table->mask && count < max; i++) {
		struct lease *slot = &table->slots[i];
		if (slot->state != LEASE_OUT || slot->session != session)
			continue;
		slot_settle(table, slot);
		size_t at = count++;
		for (; at > 0 && items[at - 1].sequence > slot->sequence; at--)
			items[at] = items[at - 1];
		items[at] = (struct rules_item){.party = table->party, .sequence = slot->sequence};
	}
	return count;
}

int lease_forget(struct lease_table *table, uint64_t sequence)
{
	struct lease *slot = slot_find(table, sequence);
	if (slot->state == LEASE_FREE)
		return LEASE_NONE;
	if (slot->state == LEASE_OUT)
		slot_settle(table, slot);
	table->count--;
	/* Close the gap: whoever probed past this slot must still be found. */
	size_t gap = (size_t)(slot - table->slots);
	for (size_t i = gap;;) {
		i = (i + 1) & table->mask;
		if (table->slots[i].state == LEASE_FREE)
			break;
		size_t home = slot_home(table, table->slots[i].sequence);
		if (((i - home) & table->mask) >= ((i - gap) & table->mask)) {
			table->slots[gap] = table->slots[i];
			gap = i;
		}
	}
	table->slots[gap] = (struct lease){.state = LEASE_FREE};
	return 0;
}

void lease_mark(struct lease_table *table, uint64_t sequence, uint64_t session)
{
	struct lease *slot = slot_find(table, sequence);
	if (slot->state == LEASE_OUT && slot->session == session)
		slot->busy = true;
}

bool lease_renew(struct lease_table *table, uint64_t sequence)
{
	struct lease *slot = slot_find(table, sequence);
	if (slot->state != LEASE_OUT || !slot->busy || slot->renewals == UINT8_MAX)
		return false;
	slot->busy = false;
	slot->renewals++;
	return true;
}

enum lease_state lease_holds(const struct lease_table *table, uint64_t sequence, struct lease *ret)
{
	const struct lease *slot = slot_find(table, sequence);
	if (ret && slot->state != LEASE_FREE)
		*ret = *slot;
	return slot->state;
}

size_t lease_out_count(const struct lease_table *table)
{
	return table->out_count;
}

uint64_t lease_out_bytes(const struct lease_table *table)
{
	return table->out_bytes;
}

size_t lease_count(const struct lease_table *table)
{
	return table->count;
}
