/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Two readers of the same signed bytes must see the same message, whatever library they use. Where
 * protobuf libraries differ (which of two equal fields wins, what happens to bits beyond the 32nd, whether
 * an unknown field is kept) nothing is accepted, and numbers have one spelling only: the shortest. Every
 * encoder writes them so; only a forger would not.
 *
 * The scan is its own pass in front of protobuf-c, which then cannot fail but for memory: that tells bad
 * input from a used-up budget.
 */
#include "proto/envelope/wire.h"

#include <assert.h>
#include <limits.h>
#include <stdbool.h>

enum {
	VARINT_BYTES_MAX = 10,
	FIELDS_MAX = 64, /* bits of the set of fields seen */
};

/* One field as it stands in the bytes. */
struct item {
	uint32_t number;
	ProtobufCWireType type;
	uint64_t value;      /* varint */
	struct bytes string; /* length-delimited */
};

static int varint_take(struct bytes *rest, uint64_t *ret)
{
	uint64_t value = 0;
	for (size_t i = 0; i < rest->len && i < VARINT_BYTES_MAX; i++) {
		uint8_t byte = rest->data[i];
		value |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (byte & 0x80)
			continue;
		if (i > 0 && byte == 0)
			return WIRE_MALFORMED; /* longer than need be */
		if (i == VARINT_BYTES_MAX - 1 && byte > 1)
			return WIRE_MALFORMED; /* more than 64 bits */
		*ret = value;
		*rest = BYTES(rest->data + i + 1, rest->len - i - 1);
		return 0;
	}
	return WIRE_MALFORMED;
}

static int string_take(struct bytes *rest, size_t len, struct bytes *ret)
{
	if (len > rest->len)
		return WIRE_MALFORMED;
	*ret = BYTES(rest->data, len);
	*rest = BYTES(rest->data + len, rest->len - len);
	return 0;
}

static int item_value_take(struct bytes *rest, struct item *item)
{
	uint64_t len = 0;
	switch (item->type) {
	case PROTOBUF_C_WIRE_TYPE_VARINT:
		return varint_take(rest, &item->value);
	case PROTOBUF_C_WIRE_TYPE_64BIT:
		return string_take(rest, 8, &item->string);
	case PROTOBUF_C_WIRE_TYPE_32BIT:
		return string_take(rest, 4, &item->string);
	case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
		if (varint_take(rest, &len) != 0 || len > INT_MAX)
			return WIRE_MALFORMED;
		return string_take(rest, (size_t)len, &item->string);
	}
	return WIRE_MALFORMED; /* groups, and the two types that mean nothing */
}

static int item_head_take(struct bytes *rest, struct item *ret)
{
	uint64_t tag = 0;
	if (varint_take(rest, &tag) != 0 || tag > UINT32_MAX || tag >> 3 == 0)
		return WIRE_MALFORMED;
	*ret = (struct item){.number = (uint32_t)(tag >> 3), .type = (ProtobufCWireType)(tag & 7)};
	return 0;
}

static ProtobufCWireType type_on_wire(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
		return PROTOBUF_C_WIRE_TYPE_32BIT;
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return PROTOBUF_C_WIRE_TYPE_64BIT;
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_BYTES:
	case PROTOBUF_C_TYPE_MESSAGE:
		return PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
	default:
		return PROTOBUF_C_WIRE_TYPE_VARINT;
	}
}

static bool varint_fits(ProtobufCType type, uint64_t value)
{
	switch (type) {
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_SINT32:
		return value <= UINT32_MAX;
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_ENUM: /* negative: sign-extended to 64 bits */
		return value <= INT32_MAX || value >= UINT64_MAX - INT32_MAX;
	case PROTOBUF_C_TYPE_BOOL:
		return value <= 1;
	default:
		return true;
	}
}

static bool item_fits(const ProtobufCFieldDescriptor *field, const struct item *item)
{
	ProtobufCWireType type = type_on_wire(field->type);
	bool packed = field->label == PROTOBUF_C_LABEL_REPEATED &&
		      item->type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
	if (item->type != type)
		return packed;
	return type != PROTOBUF_C_WIRE_TYPE_VARINT || varint_fits(field->type, item->value);
}

static uint64_t field_bit(const ProtobufCMessageDescriptor *descriptor, size_t index)
{
	assert(index < descriptor->n_fields);
	return UINT64_C(1) << index;
}

/* The field itself, or all members of its oneof: of these one may be there. */
static uint64_t rivals_of(
	const ProtobufCMessageDescriptor *descriptor, const ProtobufCFieldDescriptor *field)
{
	if (!(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF))
		return field_bit(descriptor, (size_t)(field - descriptor->fields));
	uint64_t rivals = 0;
	for (size_t i = 0; i < descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *other = &descriptor->fields[i];
		if ((other->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) &&
			other->quantifier_offset == field->quantifier_offset)
			rivals |= field_bit(descriptor, i);
	}
	return rivals;
}

int wire_check(
	const ProtobufCMessageDescriptor *descriptor, struct bytes data, const char **ret_field)
{
	uint64_t seen = 0;
	assert(descriptor->n_fields <= FIELDS_MAX);
	*ret_field = "";
	while (data.len > 0) {
		struct item item;
		if (item_head_take(&data, &item) != 0)
			return WIRE_MALFORMED;
		const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(
			descriptor, item.number);
		if (!field)
			return WIRE_UNKNOWN;
		*ret_field = field->name;
		if (item_value_take(&data, &item) != 0 || !item_fits(field, &item))
			return WIRE_MALFORMED;
		if (field->label != PROTOBUF_C_LABEL_REPEATED &&
			(seen & rivals_of(descriptor, field)))
			return WIRE_DUPLICATE;
		seen |= field_bit(descriptor, (size_t)(field - descriptor->fields));
		*ret_field = "";
	}
	return 0;
}

int wire_field(struct bytes data, uint32_t number, size_t nth, struct bytes *ret)
{
	while (data.len > 0) {
		struct item item;
		if (item_head_take(&data, &item) != 0 || item_value_take(&data, &item) != 0)
			return 1;
		if (item.number != number || item.type != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED)
			continue;
		if (nth-- > 0)
			continue;
		*ret = item.string;
		return 0;
	}
	return 1;
}

static size_t varint_size(uint64_t value)
{
	size_t size = 1;
	while (value >>= 7)
		size++;
	return size;
}

static uint8_t *varint_put(uint8_t *out, uint64_t value)
{
	for (; value > 0x7f; value >>= 7)
		*out++ = (uint8_t)(value | 0x80);
	*out++ = (uint8_t)value;
	return out;
}

size_t wire_size(uint32_t number, size_t len)
{
	return varint_size((uint64_t)number << 3) + varint_size(len) + len;
}

uint8_t *wire_put_head(uint8_t *out, uint32_t number, size_t len)
{
	out = varint_put(out, (uint64_t)number << 3 | PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED);
	return varint_put(out, len);
}

uint8_t *wire_put(uint8_t *out, uint32_t number, struct bytes value)
{
	out = wire_put_head(out, number, value.len);
	if (value.len > 0)
		memcpy(out, value.data, value.len);
	return out + value.len;
}
