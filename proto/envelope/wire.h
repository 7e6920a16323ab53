/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "proto/base/bytes.h"

/*
 * protobuf-c takes the last of two equal fields and keeps unknown ones. A signed header must not have
 * two readings, so its bytes are scanned before they are unpacked.
 */
enum {
	WIRE_MALFORMED = 1, /* not protobuf, or a group, or a wire type that the field does not have */
	WIRE_DUPLICATE = 2, /* a singular field twice */
	WIRE_UNKNOWN = 3,   /* a field the descriptor does not have */
};

/**
 * wire_check() - strict scan of one message, not descending into submessages
 * @descriptor: what it should be
 * @data:       serialized bytes
 * @ret_field:  name of the field at fault (a constant of the descriptor), "" when none can be named
 * Return: 0 or WIRE_*.
 */
int wire_check(const ProtobufCMessageDescriptor *descriptor, struct bytes data,
	const char **ret_field);

/**
 * wire_field() - view of a length-delimited field's bytes as they were received
 * @data:   serialized message, already checked
 * @number: field number
 * @nth:    which occurrence, from 0
 * @ret:    view into @data
 * Return: 0, or 1 when there is none.
 */
int wire_field(struct bytes data, uint32_t number, size_t nth, struct bytes *ret);
