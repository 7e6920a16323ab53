/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "proto/base/bytes.h"

/* Borrowed bytes as a protobuf-c field, for messages that are only packed: protobuf-c's field type is
   not const, its packing is. */
static inline ProtobufCBinaryData field_bytes(struct bytes bytes)
{
	return (ProtobufCBinaryData){.len = bytes.len, .data = (uint8_t *)(uintptr_t)bytes.data};
}
static inline ProtobufCBinaryData field_text(const char *text)
{
	return field_bytes(BYTES_STR(text));
}
