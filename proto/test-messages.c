/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Every message of every .proto file, as it looks on the wire with all fields set. The values follow from the
 * field numbers, and the messages are filled by walking protobuf-c's own descriptions of them: nobody can add,
 * move or retype a field without a line of the golden file changing.
 */
#include <stdbool.h>

#include "proto/base/arena.h"
#include "proto/case.pb-c.h"
#include "proto/descriptor.pb-c.h"
#include "proto/frame.pb-c.h"
#include "proto/journal.pb-c.h"
#include "proto/registry.pb-c.h"
#include "test/kit/check.h"
#include "test/kit/golden.h"

enum { MESSAGES_MAX = 256, BYTES_MAX = 1 << 16, ARENA_BYTES = 4 << 20 };

/* What nothing else leads to. */
static const ProtobufCMessageDescriptor *const tops[] = {
	&dienstweg__frame__descriptor,
	&dienstweg__access_report__descriptor,
	&dienstweg__header__descriptor,
	&dienstweg__payload__descriptor,
	&dienstweg__signed_registry__descriptor,
	&dienstweg__registry_content__descriptor,
	&dienstweg__row__descriptor,
	&dienstweg__decision__descriptor,
	&dienstweg__erase_plan__descriptor,
	&dienstweg__registry_row__descriptor,
	&dienstweg__state__descriptor,
	&dienstweg__case__descriptor,
	&dienstweg__descriptor_set__descriptor,
	&dienstweg__descriptor_message__descriptor,
};

struct messages {
	const ProtobufCMessageDescriptor *all[MESSAGES_MAX];
	size_t count;
};

static bool is_known(const struct messages *messages, const char *name)
{
	for (size_t i = 0; i < messages->count; i++)
		if (strcmp(messages->all[i]->short_name, name) == 0)
			return true;
	return false;
}

/* Depth first; ends because no message type is recursive (docs/architecture.md). */
static void collect(struct messages *messages, const ProtobufCMessageDescriptor *message)
{
	if (is_known(messages, message->short_name))
		return;
	CHECK(messages->count < MESSAGES_MAX);
	messages->all[messages->count++] = message;
	for (unsigned int i = 0; i < message->n_fields; i++)
		if (message->fields[i].type == PROTOBUF_C_TYPE_MESSAGE)
			collect(messages, message->fields[i].descriptor);
}

static void collect_all(struct messages *messages)
{
	messages->count = 0;
	for (size_t i = 0; i < sizeof(tops) / sizeof(*tops); i++)
		collect(messages, tops[i]);
}

/* ---- filling ---- */

static ProtobufCMessage *fill(
	const ProtobufCMessageDescriptor *message, struct arena *arena, uint32_t chosen);

static void *take(struct arena *arena, size_t size)
{
	void *p = arena_zalloc(arena, size);
	CHECK(p != NULL);
	return p;
}

static ProtobufCBinaryData some_bytes(struct arena *arena, uint32_t id, size_t nth)
{
	ProtobufCBinaryData data = {.len = 2 + nth, .data = take(arena, 2 + nth)};
	for (size_t i = 0; i < data.len; i++)
		data.data[i] = (uint8_t)(id + i);
	return data;
}

static char *some_text(struct arena *arena, uint32_t id, size_t nth)
{
	char *text = take(arena, 16);
	snprintf(text, 16, "text %u-%zu", (unsigned int)id, nth);
	return text;
}

static size_t value_size(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return 8;
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	default:
		return 4;
	}
}

static void set_value(
	const ProtobufCFieldDescriptor *field, void *at, size_t nth, struct arena *arena)
{
	const ProtobufCEnumDescriptor *values = field->descriptor;
	uint64_t number = 1000 * (uint64_t)field->id + nth;
	switch (field->type) {
	case PROTOBUF_C_TYPE_BYTES:
		*(ProtobufCBinaryData *)at = some_bytes(arena, field->id, nth);
		break;
	case PROTOBUF_C_TYPE_STRING:
		*(char **)at = some_text(arena, field->id, nth);
		break;
	case PROTOBUF_C_TYPE_MESSAGE:
		*(ProtobufCMessage **)at = fill(field->descriptor, arena, 0);
		break;
	case PROTOBUF_C_TYPE_BOOL:
		*(protobuf_c_boolean *)at = 1;
		break;
	case PROTOBUF_C_TYPE_ENUM:
		*(int *)at = values->values[values->n_values - 1].value;
		break;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_INT64:
		*(uint64_t *)at = number << 32;
		break;
	case PROTOBUF_C_TYPE_UINT32:
		*(uint32_t *)at = (uint32_t)number;
		break;
	default:
		CHECK_FAIL("field %s: a type that no message had", field->name);
	}
}

static void set_field(
	ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, struct arena *arena)
{
	uint8_t *base = (uint8_t *)message;
	if (field->label != PROTOBUF_C_LABEL_REPEATED) {
		set_value(field, base + field->offset, 0, arena);
		return;
	}
	size_t size = value_size(field->type);
	size_t count = field->type == PROTOBUF_C_TYPE_MESSAGE ? 1 : 2;
	uint8_t *values = take(arena, count * size);
	for (size_t i = 0; i < count; i++)
		set_value(field, values + i * size, i, arena);
	*(size_t *)(base + field->quantifier_offset) = count;
	*(void **)(base + field->offset) = values;
}

static bool is_choice(const ProtobufCFieldDescriptor *field)
{
	return (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
}

/* @chosen: which of a oneof's fields to set; 0: its first */
static ProtobufCMessage *fill(
	const ProtobufCMessageDescriptor *message, struct arena *arena, uint32_t chosen)
{
	ProtobufCMessage *made = take(arena, message->sizeof_message);
	protobuf_c_message_init(message, made);
	for (unsigned int i = 0; i < message->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &message->fields[i];
		if (is_choice(field)) {
			if (chosen == 0)
				chosen = field->id;
			if (chosen != field->id)
				continue;
			*(uint32_t *)((uint8_t *)made + field->quantifier_offset) = field->id;
		}
		set_field(made, field, arena);
	}
	return made;
}

/* ---- writing ---- */

static const char *type_name(const ProtobufCFieldDescriptor *field)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_BYTES:
		return "bytes";
	case PROTOBUF_C_TYPE_STRING:
		return "string";
	case PROTOBUF_C_TYPE_BOOL:
		return "bool";
	case PROTOBUF_C_TYPE_UINT64:
		return "uint64";
	case PROTOBUF_C_TYPE_INT64:
		return "int64";
	case PROTOBUF_C_TYPE_UINT32:
		return "uint32";
	case PROTOBUF_C_TYPE_ENUM:
		return ((const ProtobufCEnumDescriptor *)field->descriptor)->short_name;
	case PROTOBUF_C_TYPE_MESSAGE:
		return ((const ProtobufCMessageDescriptor *)field->descriptor)->short_name;
	default:
		return "?";
	}
}

static void write_enum(struct golden *golden, const ProtobufCEnumDescriptor *values)
{
	for (unsigned int i = 0; i < values->n_values; i++)
		golden_line(golden, "    %d %s", values->values[i].value, values->values[i].name);
}

static void write_field(struct golden *golden, const ProtobufCFieldDescriptor *field)
{
	golden_line(golden, "  %u %s %s%s%s", (unsigned int)field->id, field->name,
		field->label == PROTOBUF_C_LABEL_REPEATED ? "repeated " : "", type_name(field),
		is_choice(field) ? ", one of" : "");
	if (field->type == PROTOBUF_C_TYPE_ENUM)
		write_enum(golden, field->descriptor);
}

/* The bytes, and that what was read back from them is the same again. */
static void write_bytes(struct golden *golden, const ProtobufCMessageDescriptor *message,
	uint32_t chosen, struct arena *arena)
{
	uint8_t *once = take(arena, BYTES_MAX), *twice = take(arena, BYTES_MAX);
	char name[64];
	ProtobufCMessage *made = fill(message, arena, chosen);
	size_t len = protobuf_c_message_get_packed_size(made);
	CHECK(len <= BYTES_MAX);
	protobuf_c_message_pack(made, once);
	ProtobufCMessage *back = protobuf_c_message_unpack(
		message, arena_allocator(arena), len, once);
	CHECK(back != NULL);
	CHECK_INT(protobuf_c_message_pack(back, twice), len);
	CHECK_MEM(twice, once, len);
	snprintf(name, sizeof(name), chosen ? "  with %u:" : "  all set:", (unsigned int)chosen);
	golden_bytes(golden, name, once, len);
	arena_reset(arena);
}

static void write_message(
	struct golden *golden, const ProtobufCMessageDescriptor *message, struct arena *arena)
{
	size_t choices = 0;
	golden_line(golden, "%s", message->short_name);
	for (unsigned int i = 0; i < message->n_fields; i++)
		write_field(golden, &message->fields[i]);
	for (unsigned int i = 0; i < message->n_fields; i++)
		if (is_choice(&message->fields[i])) {
			write_bytes(golden, message, message->fields[i].id, arena);
			choices++;
		}
	if (choices == 0)
		write_bytes(golden, message, 0, arena);
}

static void all_messages_are_as_they_were(void)
{
	struct messages messages;
	struct golden golden;
	_cleanup_(arena_free) struct arena *arena = arena_new(ARENA_BYTES);
	CHECK(arena != NULL);
	collect_all(&messages);
	golden_init(&golden, "proto/golden/messages.txt");
	for (size_t i = 0; i < messages.count; i++)
		write_message(&golden, messages.all[i], arena);
	golden_finish(&golden);
	golden_deinit(&golden);
}

/* A message that no other leads to must be named in `tops`, or it would change unseen. */
static void no_message_is_left_out(void)
{
	static const char *const files[] = {
		"envelope", "frame", "registry", "journal", "case", "descriptor"};
	struct messages messages;
	static const char opening[] = "message ";
	char file[64], line[512];
	collect_all(&messages);
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		size_t found = 0;
		snprintf(file, sizeof(file), "proto/%s.proto", files[i]);
		FILE *in = fopen(check_source(file), "r");
		CHECK(in != NULL);
		while (fgets(line, sizeof(line), in)) {
			if (strncmp(line, opening, strlen(opening)) != 0)
				continue;
			char *name = line + strlen(opening);
			name[strcspn(name, " {\n")] = '\0';
			found++;
			if (!is_known(&messages, name))
				CHECK_FAIL("message %s of %s is not in `tops` of this test", name,
					file);
		}
		CHECK(found > 0);
		fclose(in);
	}
}

CHECK_MAIN(CHECK_CASE(all_messages_are_as_they_were), CHECK_CASE(no_message_is_left_out))
