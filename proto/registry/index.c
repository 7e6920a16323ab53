/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A key look-up happens for every message and a permission look-up twice, so both are tables over
 * memory that never changes: no locks, no allocation, no hashing (key ids are hashes already). Names are
 * found by bisection, which needs no table beside the sorted content.
 */
#include "proto/registry/index.h"

#include <errno.h>
#include <stdlib.h>

/* ---- names ---- */

/* Both lists hold pointers to messages that begin with the same two members: one bisection serves. */
static uint32_t bisect(void *const *items, size_t count, size_t name_offset, struct bytes name)
{
	size_t low = 0, high = count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		ProtobufCBinaryData there;
		memcpy(&there, (const uint8_t *)items[middle] + name_offset, sizeof(there));
		int c = bytes_compare(BYTES_PB(there), name);
		if (c == 0)
			return (uint32_t)middle;
		if (c < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return INDEX_NONE;
}

uint32_t content_party_number(const Dienstweg__RegistryContent *content, struct bytes name)
{
	return bisect((void *const *)content->parties, content->n_parties,
		offsetof(Dienstweg__Party, name), name);
}

uint32_t content_service_number(const Dienstweg__RegistryContent *content, struct bytes name)
{
	return bisect((void *const *)content->services, content->n_services,
		offsetof(Dienstweg__Service, name), name);
}

/* ---- keys ---- */

/* At most half full, so that a search for a key that is not there is short. */
static size_t table_mask(size_t entries)
{
	size_t size = 8;
	while (size < entries * 2)
		size *= 2;
	return size - 1;
}

static size_t slot_of(const uint8_t *hash, size_t mask)
{
	return (size_t)be64_get(hash) & mask;
}

static void put(struct key_slot *table, size_t mask, const uint8_t *hash, const Dienstweg__Key *key,
	const Dienstweg__Party *owner)
{
	size_t i = slot_of(hash, mask);
	while (table[i].key)
		i = (i + 1) & mask;
	table[i] = (struct key_slot){.key = key, .owner = owner};
}

static bool is_active_transport(const Dienstweg__Key *key)
{
	return key->use == DIENSTWEG__KEY_USE__KEY_USE_TRANSPORT &&
	       key->state == DIENSTWEG__KEY_STATE__KEY_STATE_ACTIVE;
}

static int index_keys(struct registry_index *index, const Dienstweg__RegistryContent *content,
	struct arena *arena)
{
	size_t keys = content->n_bus_keys;
	for (size_t i = 0; i < content->n_parties; i++)
		keys += content->parties[i]->n_keys;
	index->by_id_mask = index->by_transport_mask = table_mask(keys);
	size_t bytes = (index->by_id_mask + 1) * sizeof(struct key_slot);
	index->by_id = arena_zalloc(arena, bytes);
	index->by_transport = arena_zalloc(arena, bytes);
	if (!index->by_id || !index->by_transport)
		return -ENOMEM;
	for (size_t i = 0; i < content->n_bus_keys; i++)
		put(index->by_id, index->by_id_mask, content->bus_keys[i]->id.data,
			content->bus_keys[i], NULL);
	for (size_t i = 0; i < content->n_parties; i++) {
		const Dienstweg__Party *party = content->parties[i];
		for (size_t k = 0; k < party->n_keys; k++) {
			const Dienstweg__Key *key = party->keys[k];
			put(index->by_id, index->by_id_mask, key->id.data, key, party);
			if (is_active_transport(key))
				put(index->by_transport, index->by_transport_mask,
					key->public_.data, key, party);
		}
	}
	return 0;
}

const Dienstweg__Key *registry_key(
	const struct registry *registry, struct bytes id, const Dienstweg__Party **ret_owner)
{
	const struct registry_index *index = registry_index(registry);
	if (id.len != KEY_ID_SIZE)
		return NULL;
	size_t i = slot_of(id.data, index->by_id_mask);
	for (; index->by_id[i].key; i = (i + 1) & index->by_id_mask) {
		const struct key_slot *slot = &index->by_id[i];
		if (memcmp(slot->key->id.data, id.data, KEY_ID_SIZE) != 0)
			continue;
		if (ret_owner)
			*ret_owner = slot->owner;
		return slot->key;
	}
	return NULL;
}

const Dienstweg__Party *registry_transport_party(
	const struct registry *registry, const uint8_t public[BOX_KEY_SIZE])
{
	const struct registry_index *index = registry_index(registry);
	size_t i = slot_of(public, index->by_transport_mask);
	for (; index->by_transport[i].key; i = (i + 1) & index->by_transport_mask)
		if (memcmp(index->by_transport[i].key->public_.data, public, BOX_KEY_SIZE) == 0)
			return index->by_transport[i].owner;
	return NULL;
}

/* ---- message types and identifiers ---- */

static int type_compare(const void *a, const void *b)
{
	return bytes_compare(
		((const struct type_entry *)a)->type, ((const struct type_entry *)b)->type);
}

static int index_types(struct registry_index *index, const Dienstweg__RegistryContent *content,
	struct arena *arena)
{
	size_t count = 0;
	for (size_t i = 0; i < content->n_services; i++)
		count += content->services[i]->n_message_types;
	index->types = arena_alloc(arena, count * sizeof(*index->types));
	if (!index->types)
		return -ENOMEM;
	for (size_t i = 0; i < content->n_services; i++) {
		const Dienstweg__Service *service = content->services[i];
		for (size_t t = 0; t < service->n_message_types; t++)
			index->types[index->types_count++] = (struct type_entry){
				.type = BYTES_PB(service->message_types[t]), .service = service};
	}
	qsort(index->types, count, sizeof(*index->types), type_compare);
	return 0;
}

const Dienstweg__Service *registry_service_by_type(
	const struct registry *registry, struct bytes message_type)
{
	const struct registry_index *index = registry_index(registry);
	struct type_entry wanted = {.type = message_type};
	const struct type_entry *found = bsearch(
		&wanted, index->types, index->types_count, sizeof(wanted), type_compare);
	return found ? found->service : NULL;
}

static int identifier_compare(const void *a, const void *b)
{
	const Dienstweg__Identifier *x = ((const struct identifier_entry *)a)->identifier;
	const Dienstweg__Identifier *y = ((const struct identifier_entry *)b)->identifier;
	int c = bytes_compare(BYTES_PB(x->scheme), BYTES_PB(y->scheme));
	return c ? c : bytes_compare(BYTES_PB(x->value), BYTES_PB(y->value));
}

static int index_identifiers(struct registry_index *index,
	const Dienstweg__RegistryContent *content, struct arena *arena)
{
	size_t count = 0;
	for (size_t i = 0; i < content->n_parties; i++)
		count += content->parties[i]->n_identifiers;
	index->identifiers = arena_alloc(arena, count * sizeof(*index->identifiers));
	if (!index->identifiers)
		return -ENOMEM;
	for (size_t i = 0; i < content->n_parties; i++) {
		const Dienstweg__Party *party = content->parties[i];
		for (size_t t = 0; t < party->n_identifiers; t++)
			index->identifiers[index->identifiers_count++] = (struct identifier_entry){
				.identifier = party->identifiers[t], .party = party};
	}
	qsort(index->identifiers, count, sizeof(*index->identifiers), identifier_compare);
	return 0;
}

const Dienstweg__Party *registry_party_by_identifier(
	const struct registry *registry, struct bytes scheme, struct bytes value)
{
	const struct registry_index *index = registry_index(registry);
	size_t low = 0, high = index->identifiers_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct identifier_entry *entry = &index->identifiers[middle];
		int c = bytes_compare(BYTES_PB(entry->identifier->scheme), scheme);
		if (c == 0)
			c = bytes_compare(BYTES_PB(entry->identifier->value), value);
		if (c == 0)
			return entry->party;
		if (c < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* ---- permissions ---- */

uint64_t region_pack(struct bytes region)
{
	uint64_t packed = 0;
	if (region.len > 12)
		return 0;
	for (size_t i = 0; i < region.len; i++) {
		if (region.data[i] < '0' || region.data[i] > '9')
			return 0;
		packed |= (uint64_t)(region.data[i] - '0' + 1) << (60 - 4 * i);
	}
	return packed;
}

static int number_compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int permission_compare(const void *a, const void *b)
{
	const struct permission *x = a, *y = b;
	int c = number_compare(x->service, y->service);
	if (c == 0)
		c = number_compare(x->from, y->from);
	if (c == 0)
		c = number_compare(x->to, y->to);
	return c ? c : number_compare(x->agreement, y->agreement);
}

static int regional_compare(const void *a, const void *b)
{
	const struct regional *x = a, *y = b;
	int c = number_compare(x->service, y->service);
	if (c == 0)
		c = number_compare(x->from, y->from);
	if (c == 0)
		c = number_compare(x->region, y->region);
	if (c == 0)
		c = number_compare(x->to, y->to);
	return c ? c : number_compare(x->agreement, y->agreement);
}

static void add_pair(
	struct registry_index *index, struct permission permission, const Dienstweg__Flow *flow)
{
	index->permissions[index->permissions_count++] = permission;
	for (size_t i = 0; i < flow->n_regions; i++)
		index->regions[index->regions_count++] = (struct regional){
			.service = permission.service,
			.from = permission.from,
			.region = region_pack(BYTES_PB(flow->regions[i])),
			.to = permission.to,
			.agreement = permission.agreement,
		};
}

static void add_flow(struct registry_index *index, const Dienstweg__RegistryContent *content,
	uint32_t agreement, const Dienstweg__Flow *flow)
{
	struct permission permission = {
		.agreement = agreement, .to = content_party_number(content, BYTES_PB(flow->to))};
	for (size_t s = 0; s < flow->n_services; s++) {
		permission.service = content_service_number(content, BYTES_PB(flow->services[s]));
		for (size_t f = 0; f < flow->n_from; f++) {
			permission.from = content_party_number(content, BYTES_PB(flow->from[f]));
			add_pair(index, permission, flow);
		}
	}
}

static int index_permissions(struct registry_index *index,
	const Dienstweg__RegistryContent *content, struct arena *arena)
{
	size_t pairs = 0, regions = 0;
	for (size_t i = 0; i < content->n_agreements; i++)
		for (size_t f = 0; f < content->agreements[i]->n_flows; f++) {
			const Dienstweg__Flow *flow = content->agreements[i]->flows[f];
			pairs += flow->n_services * flow->n_from;
			regions += flow->n_services * flow->n_from * flow->n_regions;
		}
	index->permissions = arena_alloc(arena, pairs * sizeof(*index->permissions));
	index->regions = arena_alloc(arena, regions * sizeof(*index->regions));
	if (!index->permissions || !index->regions)
		return -ENOMEM;
	for (size_t i = 0; i < content->n_agreements; i++)
		for (size_t f = 0; f < content->agreements[i]->n_flows; f++)
			add_flow(index, content, (uint32_t)i, content->agreements[i]->flows[f]);
	qsort(index->permissions, pairs, sizeof(*index->permissions), permission_compare);
	qsort(index->regions, regions, sizeof(*index->regions), regional_compare);
	return 0;
}

int registry_index_build(struct registry_index *index, const Dienstweg__RegistryContent *content,
	struct arena *arena)
{
	*index = (struct registry_index){0};
	int r = index_keys(index, content, arena);
	if (r == 0)
		r = index_types(index, content, arena);
	if (r == 0)
		r = index_identifiers(index, content, arena);
	if (r == 0)
		r = index_permissions(index, content, arena);
	return r;
}
