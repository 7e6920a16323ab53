/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/sdk/adapter.h"
#include "adapters/sdk/rows.h"
#include "adapters/sdk/schemas.h"
#include "adapters/sdk/sealer.h"
#include "proto/base/arena.h"
#include "proto/base/clock.h"
#include "proto/identity/uuid.h"
#include "proto/registry/registry.h"
#include "proto/sealing/sealing.h"

/*
 * From what a legacy system wants to send to header and content: ids, route, seal. The header is checked by
 * the very function that the broker uses, so what cannot be accepted never leaves.
 */
struct composer {
	struct bytes bus;
	const struct registry *registry; /* in force */
	const struct clock *clock;
	struct uuid_source *ids;
	struct schemas *schemas;
	struct sealing_batch *batch; /* one per turn */
	struct arena *arena;         /* owns results */
};

struct composed {
	uint8_t message_id[UUID_SIZE];
	uint8_t case_id[CASE_ID_SIZE];
	uint8_t h[HASH_SIZE];
	uint64_t place; /* struct outbox_row */
	bool sealed;
	struct bytes header;
	struct bytes content;
	struct bytes attachments; /* keys of them, as sealed */
};

/**
 * compose_message() - make a new message
 * @composer: the turn's
 * @message:  @sender is set
 * @sealed:   its attachments, as many as it has
 * @ret:      in the arena
 * @reterr:   "field: what is wrong; remedy"
 * @size:     of @reterr
 * Return: 0, DW_UNROUTABLE, DW_INVALID, negative errno.
 */
int compose_message(struct composer *composer, const struct dw_message *message,
	const struct sealed_attachment *sealed, struct composed *ret, char *reterr, size_t size);

/**
 * compose_again() - seal a message anew for whom the registry routes it to now; ids stay
 * @composer: with the new registry
 * @header:   as it was
 * @content:  the plaintext, and the keys of its attachments
 * @ret:      in the arena
 * @reterr:   as compose_message()
 * @size:     of @reterr
 * Return: as compose_message(); DW_UNROUTABLE: the registry routes it nowhere any more.
 */
int compose_again(struct composer *composer, struct bytes header,
	const struct sealing_content *content, struct composed *ret, char *reterr, size_t size);
