/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What sender, broker and recipient must compute alike from the same bytes. Everything hashed here is
 * either of fixed length or carries its length, and every domain text ends in its NUL, so that no two
 * different inputs give the same bytes.
 */
#include "proto/envelope/envelope.h"

#include <assert.h>

#include "proto/envelope/payload.h"

static const char header_domain[] = "dienstweg/v1/header";

void envelope_header_hash(struct bytes header, uint8_t h[HASH_SIZE])
{
	struct sha256 state;
	sha256_init(&state);
	sha256_add(&state, BYTES(header_domain, sizeof(header_domain)));
	sha256_add(&state, header);
	sha256_finish(&state, h);
}

int envelope_content_check(struct arena *arena, const Dienstweg__Header *header,
	struct bytes content, const char **ret_field)
{
	struct payload payload;
	return payload_read(arena, header, content, &payload, ret_field);
}

const char *envelope_verdict_code(int verdict)
{
	switch (verdict) {
	case ENVELOPE_OK:
		return "ok";
	case ENVELOPE_TOO_LARGE:
		return "too-large";
	case ENVELOPE_MISSING:
		return "missing-field";
	case ENVELOPE_CONTENT:
		return "content-mismatch";
	case ENVELOPE_SIGNATURE_FORM:
		return "signature-form";
	default:
		return "malformed";
	}
}

static uint8_t *part_put(uint8_t *out, struct bytes part, size_t max)
{
	assert(part.len <= max);
	*out++ = (uint8_t)part.len;
	if (part.len > 0)
		memcpy(out, part.data, part.len);
	return out + part.len;
}

size_t envelope_context(const Dienstweg__Header *header, uint8_t buf[ENVELOPE_CONTEXT_MAX])
{
	uint8_t *p = buf;
	p = part_put(p, BYTES_PB(header->bus), NAME_BYTES_MAX);
	p = part_put(p, BYTES_PB(header->sender), NAME_BYTES_MAX);
	p = part_put(p, BYTES_PB(header->message_id), 16);
	p = part_put(p, BYTES_PB(header->case_id), 16);
	p = part_put(p, BYTES_PB(header->service), NAME_BYTES_MAX);
	return (size_t)(p - buf);
}
