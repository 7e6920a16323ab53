/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/base/arena.h"
#include "proto/base/bytes.h"
#include "proto/registry.pb-c.h"
#include "proto/registry/registry.h"

/*
 * Look-up tables over checked content, built once; inside this folder only. A permission is one
 * (service, from, to) of a flow of an agreement; numbers are positions in the content's sorted lists, so
 * a range of the table answers "what may this party send with this service", and its order makes every
 * answer deterministic.
 */
struct permission {
	uint32_t service;
	uint32_t from;
	uint32_t to;
	uint32_t agreement;
};

/* The same for one region a flow serves, packed into a number: an equal prefix is an equal number. */
struct regional {
	uint32_t service;
	uint32_t from;
	uint64_t region;
	uint32_t to;
	uint32_t agreement;
};

struct key_slot {
	const Dienstweg__Key *key; /* NULL: empty */
	const Dienstweg__Party *owner;
};

struct type_entry {
	struct bytes type;
	const Dienstweg__Service *service;
};

struct identifier_entry {
	const Dienstweg__Identifier *identifier;
	const Dienstweg__Party *party;
};

struct registry_index {
	struct key_slot *by_id; /* open addressing: ids and keys are as good as random */
	size_t by_id_mask;
	struct key_slot *by_transport;
	size_t by_transport_mask;
	struct type_entry *types; /* sorted */
	size_t types_count;
	struct identifier_entry *identifiers; /* sorted by scheme, value */
	size_t identifiers_count;
	struct permission *permissions; /* sorted by service, from, to, agreement */
	size_t permissions_count;
	struct regional *regions; /* sorted by service, from, region, to, agreement */
	size_t regions_count;
};

/**
 * registry_index_build() - build the tables
 * @index:   result
 * @content: checked; the tables point into it
 * @arena:   owns the tables
 * Return: 0 or -ENOMEM.
 */
int registry_index_build(struct registry_index *index, const Dienstweg__RegistryContent *content,
	struct arena *arena);

/**
 * registry_index() - the tables of a loaded registry
 * @registry: loaded
 * Return: live as long as @registry.
 */
const struct registry_index *registry_index(const struct registry *registry);

enum { INDEX_NONE = UINT32_MAX };

/**
 * region_pack() - a region key or prefix as a number: four bits a digit, first digit highest, 0 past the
 * end
 * @region: untrusted
 * Return: the number, or 0 when it is not 1 to 12 digits.
 */
uint64_t region_pack(struct bytes region);

/**
 * content_party_number() - position of a party in the sorted list
 * @content: checked, or at least sorted
 * @name:    untrusted
 * Return: the position or INDEX_NONE.
 */
uint32_t content_party_number(const Dienstweg__RegistryContent *content, struct bytes name);

/**
 * content_service_number() - position of a service in the sorted list
 * @content: checked, or at least sorted
 * @name:    untrusted
 * Return: the position or INDEX_NONE.
 */
uint32_t content_service_number(const Dienstweg__RegistryContent *content, struct bytes name);
