/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Header bytes come from anybody who may connect. Whatever they are, there is a verdict with a field; and
 * what is accepted has one reading: packed again it is accepted again, with the same content.
 */
#include "proto/envelope/envelope.h"
#include "proto/identity/uuid.h"
#include "test/fuzz/target.h"
#include "test/kit/check.h"

enum { BUDGET = 256 * 1024 };

static void check_accepted(struct arena *arena, const Dienstweg__Header *header)
{
	uint8_t context[ENVELOPE_CONTEXT_MAX], packed[2 * HEADER_BYTES_MAX], again[sizeof(packed)];
	Dienstweg__Header *read = NULL;
	const char *field = "";
	CHECK(envelope_context(header, context) <= sizeof(context));
	CHECK(uuid_is_v7(BYTES_PB(header->message_id)));
	CHECK_INT(header->base.n_unknown_fields, 0);
	CHECK(header->bus.len <= NAME_BYTES_MAX && !memchr(header->bus.data, 0, header->bus.len));
	size_t len = dienstweg__header__get_packed_size(header);
	CHECK(len <= HEADER_BYTES_MAX); /* ours is the shortest form */
	dienstweg__header__pack(header, packed);
	CHECK_INT(envelope_header_parse(arena, BYTES(packed, len), &read, &field), ENVELOPE_OK);
	CHECK_INT(dienstweg__header__get_packed_size(read), len);
	dienstweg__header__pack(read, again);
	CHECK_MEM(again, packed, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(BUDGET);
	Dienstweg__Header *header = NULL;
	const char *field = "";
	uint8_t h[HASH_SIZE];
	CHECK(arena != NULL);
	envelope_header_hash(BYTES(data, size), h);
	int r = envelope_header_parse(arena, BYTES(data, size), &header, &field);
	CHECK(r >= 0); /* 2 KiB of header never need this budget */
	if (r == ENVELOPE_OK)
		check_accepted(arena, header);
	else
		CHECK(field[0] != '\0' && header == NULL);
	return 0;
}
