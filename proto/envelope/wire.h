/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "proto/base/bytes.h"

/*
 * protobuf-c takes the last of two equal fields and keeps unknown ones. A signed header must not have
 * two readings, so its bytes are scanned before they are unpacked.
 */
enum {
	WIRE_MALFORMED = 1, /* not protobuf, a group, a number longer or larger than need be, or a wire type
			       that the field does not have */
	WIRE_DUPLICATE = 2, /* a singular field twice, or two fields of a oneof */
	WIRE_UNKNOWN = 3,   /* a field the descriptor does not have */
};

/**
 * wire_check() - strict scan of one message, not descending into submessages and packed arrays
 * @descriptor: what it should be
 * @data:       serialized bytes
 * @ret_field:  name of the field at fault (a constant of the descriptor), "" when none can be named
 *
 * What passes, and whose submessages pass, protobuf-c unpacks unless memory runs out.
 *
 * Return: 0 or WIRE_*.
 */
int wire_check(
	const ProtobufCMessageDescriptor *descriptor, struct bytes data, const char **ret_field);

/**
 * wire_field() - view of a length-delimited field's bytes as they were received
 * @data:   serialized message, already checked
 * @number: field number
 * @nth:    which occurrence, from 0
 * @ret:    view into @data
 * Return: 0, or 1 when there is none.
 */
int wire_field(struct bytes data, uint32_t number, size_t nth, struct bytes *ret);

/* Writing length-delimited fields in place, for content that is encrypted where it lies. */

/**
 * wire_size() - bytes that a length-delimited field takes
 * @number: field number
 * @len:    bytes of its value
 * Return: bytes of tag, length and value.
 */
size_t wire_size(uint32_t number, size_t len);

/**
 * wire_put_head() - write tag and length of a length-delimited field
 * @out:    room for wire_size() - @len bytes
 * @number: field number
 * @len:    bytes of the value that the caller writes next
 * Return: where the value goes.
 */
uint8_t *wire_put_head(uint8_t *out, uint32_t number, size_t len);

/**
 * wire_put() - write a whole length-delimited field
 * @out:    room for wire_size() bytes
 * @number: field number
 * @value:  its value
 * Return: the byte after it.
 */
uint8_t *wire_put(uint8_t *out, uint32_t number, struct bytes value);
