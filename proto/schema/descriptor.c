/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * protobuf-c knows only the messages it was compiled with, and readers of protobuf forgive what they do not know.
 * A schema that is pinned should not: unknown fields, wrong types and broken texts are what a receiver stumbles
 * over later. So the bytes are walked beside the description; nothing is unpacked, and the cost is that
 * of reading them once.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/arena.h"
#include "proto/descriptor.pb-c.h"
#include "proto/note/utf8.h"
#include "proto/schema/form.h"

enum {
	ARENA_BYTES = 64 << 20, /* 76 times the bytes of a large description */
	MESSAGES_MAX = 2000,
	FIELDS_MAX = 500, /* of one message */
	DEPTH_MAX = 32,
	NAME_MAX_BYTES = 255,
};

/* FieldDescriptorProto.Type */
enum {
	TYPE_DOUBLE = 1,
	TYPE_FIXED64 = 6,
	TYPE_FIXED32 = 7,
	TYPE_FLOAT = 2,
	TYPE_STRING = 9,
	TYPE_GROUP = 10,
	TYPE_MESSAGE = 11,
	TYPE_BYTES = 12,
	TYPE_SFIXED32 = 15,
	TYPE_SFIXED64 = 16,
	TYPE_MAX = 18,
};
enum { LABEL_REQUIRED = 2, LABEL_REPEATED = 3 };
enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

struct message {
	char *name;                             /* ".package.Outer.Inner" */
	const Dienstweg__DescriptorMessage *is; /* fields in order of their numbers */
	struct message **targets;               /* of each field: its message, or NULL */
	bool requires;                          /* there is a field that may not be absent */
};

struct descriptor {
	struct arena *arena;
	struct message messages[MESSAGES_MAX];
	size_t count;
	const struct message *root;
};

/* ---- making ---- */

static _printf_(2, 3) int bad(char *reterr, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(reterr, SCHEMA_ERROR_SIZE, format, args);
	va_end(args);
	return SCHEMA_BAD;
}

static int join_name(struct arena *arena, const char *outer, struct bytes name, char **ret)
{
	size_t outer_len = strlen(outer);
	if (name.len == 0 || outer_len + 1 + name.len > NAME_MAX_BYTES)
		return SCHEMA_BAD;
	char *joined = arena_zalloc(arena, outer_len + 1 + name.len + 1);
	if (!joined)
		return -ENOMEM;
	memcpy(joined, outer, outer_len);
	joined[outer_len] = '.';
	memcpy(joined + outer_len + 1, name.data, name.len);
	*ret = joined;
	return 0;
}

/* Messages to be read yet; those nested in one come behind it. */
struct reading {
	struct descriptor *descriptor;
	char *reterr;
	const char *outer[MESSAGES_MAX];
	struct bytes bytes[MESSAGES_MAX];
	size_t count;
};

static int queue_message(struct reading *reading, const char *outer, struct bytes bytes)
{
	if (reading->count == MESSAGES_MAX)
		return bad(reading->reterr, "it has more message types than can be used");
	reading->outer[reading->count] = outer;
	reading->bytes[reading->count++] = bytes;
	return 0;
}

static int read_message(struct reading *reading, size_t i)
{
	struct arena *arena = reading->descriptor->arena;
	struct message *message = &reading->descriptor->messages[i];
	message->is = dienstweg__descriptor_message__unpack(
		arena_allocator(arena), reading->bytes[i].len, reading->bytes[i].data);
	if (!message->is || message->is->n_fields > FIELDS_MAX)
		return bad(reading->reterr, "a message type in %s is broken or too large",
			reading->outer[i]);
	int r = join_name(arena, reading->outer[i], BYTES_PB(message->is->name), &message->name);
	if (r > 0)
		return bad(reading->reterr, "a message type in %s has no usable name",
			reading->outer[i]);
	for (size_t n = 0; r == 0 && n < message->is->n_nested; n++)
		r = queue_message(reading, message->name, BYTES_PB(message->is->nested[n]));
	return r;
}

static int read_file(struct reading *reading, const Dienstweg__DescriptorFile *file)
{
	char *package = NULL;
	const char *outer = "";
	int r = 0;
	if (file->package.len > 0)
		r = join_name(reading->descriptor->arena, "", BYTES_PB(file->package), &package);
	if (r > 0)
		return bad(reading->reterr, "the name of a package is too long");
	if (package)
		outer = package;
	for (size_t i = 0; r == 0 && i < file->n_messages; i++)
		r = queue_message(reading, outer, BYTES_PB(file->messages[i]));
	return r;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct message *)a)->name, ((const struct message *)b)->name);
}

static struct message *find(const struct descriptor *descriptor, struct bytes name)
{
	char text[NAME_MAX_BYTES + 1];
	struct message key = {.name = text};
	if (name.len > NAME_MAX_BYTES)
		return NULL;
	memcpy(text, name.data, name.len);
	text[name.len] = '\0';
	return bsearch(&key, descriptor->messages, descriptor->count, sizeof(key), by_name);
}

static int by_number(const void *a, const void *b)
{
	const Dienstweg__DescriptorField *const *one = a, *const *other = b;
	return ((*one)->number > (*other)->number) - ((*one)->number < (*other)->number);
}

static int link_fields(struct descriptor *descriptor, struct message *message, char *reterr)
{
	message->targets = arena_zalloc(
		descriptor->arena, (message->is->n_fields + 1) * sizeof(struct message *));
	if (!message->targets)
		return -ENOMEM;
	if (message->is->n_fields > 0)
		qsort(message->is->fields, message->is->n_fields, sizeof(*message->is->fields),
			by_number);
	for (size_t i = 0; i < message->is->n_fields; i++) {
		const Dienstweg__DescriptorField *field = message->is->fields[i];
		message->requires |= field->label == LABEL_REQUIRED;
		if (field->type < 1 || field->type > TYPE_MAX || field->type == TYPE_GROUP)
			return bad(reterr, "%s has a field of a type that cannot be used",
				message->name);
		if (field->type != TYPE_MESSAGE)
			continue;
		message->targets[i] = find(descriptor, BYTES_PB(field->type_name));
		if (!message->targets[i])
			return bad(reterr,
				"%s uses a message type that is not in the file; make it with "
				"--include_imports",
				message->name);
	}
	return 0;
}

static int read_all(struct descriptor *descriptor, struct bytes data, char *reterr)
{
	struct reading *reading = arena_zalloc(descriptor->arena, sizeof(*reading));
	const Dienstweg__DescriptorSet *set = dienstweg__descriptor_set__unpack(
		arena_allocator(descriptor->arena), data.len, data.data);
	if (!reading)
		return -ENOMEM;
	if (!set || set->n_files == 0)
		return bad(reterr, "it is no set of descriptors; make it with protoc "
				   "--descriptor_set_out");
	*reading = (struct reading){.descriptor = descriptor, .reterr = reterr};
	int r = 0;
	for (size_t i = 0; r == 0 && i < set->n_files; i++)
		r = read_file(reading, set->files[i]);
	for (size_t i = 0; r == 0 && i < reading->count; i++)
		r = read_message(reading, i);
	descriptor->count = reading->count;
	return r;
}

static int make(struct descriptor *descriptor, struct bytes data, struct bytes root, char *reterr)
{
	char *name;
	int r = read_all(descriptor, data, reterr);
	if (r != 0)
		return r;
	qsort(descriptor->messages, descriptor->count, sizeof(struct message), by_name);
	for (size_t i = 0; r == 0 && i < descriptor->count; i++)
		r = link_fields(descriptor, &descriptor->messages[i], reterr);
	if (r == 0)
		r = join_name(descriptor->arena, "", root, &name);
	if (r != 0)
		return r;
	descriptor->root = find(descriptor, BYTES_STR(name));
	if (!descriptor->root)
		return bad(reterr, "there is no message type %s in it", name + 1);
	return 0;
}

int descriptor_new(const struct schema_file *file, struct bytes root, struct descriptor **ret,
	char reterr[SCHEMA_ERROR_SIZE])
{
	char reason[SCHEMA_ERROR_SIZE - 128] = "";
	_cleanup_(descriptor_free) struct descriptor *descriptor = calloc(1, sizeof(*descriptor));
	if (!descriptor)
		return -ENOMEM;
	descriptor->arena = arena_new(ARENA_BYTES);
	if (!descriptor->arena)
		return -ENOMEM;
	int r = make(descriptor, file->data, root, reterr);
	if (r > 0) {
		memcpy(reason, reterr, sizeof(reason) - 1);
		snprintf(reterr, SCHEMA_ERROR_SIZE, "%.*s: %s", (int)file->name.len,
			(const char *)file->name.data, reason);
	}
	if (r != 0)
		return r;
	*ret = steal(&descriptor);
	return 0;
}

void descriptor_free(struct descriptor *descriptor)
{
	if (!descriptor)
		return;
	arena_free(descriptor->arena);
	free(descriptor);
}

/* ---- checking ---- */

struct walk {
	struct schema_fault *fault;
	const struct message *at[DEPTH_MAX];
	size_t field[DEPTH_MAX]; /* index of the field that was entered */
	unsigned int nth[DEPTH_MAX];
	size_t depth;
};

static void write_field(struct walk *walk)
{
	size_t len = 0;
	for (size_t i = 0; i < walk->depth; i++) {
		const Dienstweg__DescriptorField *field = walk->at[i]->is->fields[walk->field[i]];
		bool repeated = field->label == LABEL_REPEATED;
		char step[96];
		snprintf(step, sizeof(step), repeated ? "%s%.*s[%u]" : "%s%.*s", i ? "." : "",
			field->name.len < 64 ? (int)field->name.len : 63,
			(const char *)field->name.data, walk->nth[i]);
		size_t more = strlen(step);
		if (len + more + 4 >= SCHEMA_FIELD_SIZE) {
			memcpy(walk->fault->field + len, "...", 4);
			return;
		}
		memcpy(walk->fault->field + len, step, more + 1);
		len += more;
	}
}

static _printf_(2, 3) int fault(struct walk *walk, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(walk->fault->reason, sizeof(walk->fault->reason), format, args);
	va_end(args);
	write_field(walk);
	return SCHEMA_FAULT;
}

static int take_varint(struct bytes *data, uint64_t *ret)
{
	*ret = 0;
	for (unsigned int shift = 0; shift < 64 && data->len > 0; shift += 7) {
		uint8_t byte = data->data[0];
		*data = BYTES(data->data + 1, data->len - 1);
		*ret |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return shift == 63 && byte > 1;
	}
	return 1;
}

static int take_bytes(struct bytes *data, size_t len, struct bytes *ret)
{
	if (data->len < len)
		return 1;
	*ret = BYTES(data->data, len);
	*data = BYTES(data->data + len, data->len - len);
	return 0;
}

static unsigned int wire_of(uint32_t type)
{
	switch (type) {
	case TYPE_DOUBLE:
	case TYPE_FIXED64:
	case TYPE_SFIXED64:
		return WIRE_64;
	case TYPE_FLOAT:
	case TYPE_FIXED32:
	case TYPE_SFIXED32:
		return WIRE_32;
	case TYPE_STRING:
	case TYPE_MESSAGE:
	case TYPE_BYTES:
		return WIRE_BYTES;
	default:
		return WIRE_VARINT;
	}
}

/* The value of one field, views into the data. */
static int take_value(struct bytes *data, unsigned int wire, struct bytes *ret)
{
	uint64_t number;
	*ret = *data;
	switch (wire) {
	case WIRE_VARINT:
		if (take_varint(data, &number))
			return 1;
		ret->len -= data->len;
		return 0;
	case WIRE_64:
		return take_bytes(data, 8, ret);
	case WIRE_32:
		return take_bytes(data, 4, ret);
	case WIRE_BYTES:
		if (take_varint(data, &number) || number > data->len)
			return 1;
		return take_bytes(data, (size_t)number, ret);
	default:
		return 1;
	}
}

static int check_packed(struct walk *walk, uint32_t type, struct bytes values)
{
	struct bytes value;
	while (values.len > 0)
		if (take_value(&values, wire_of(type), &value))
			return fault(walk, "has a list of numbers here that is broken");
	return 0;
}

/* utf8_is_text() is for notes: controls are legal in a protobuf string. */
static bool is_utf8(struct bytes text)
{
	for (size_t from = 0, i = 0; i <= text.len; i++) {
		bool control = i < text.len && text.data[i] < ' ';
		if (i < text.len && !control)
			continue;
		if (!utf8_is_text(BYTES(text.data + from, i - from)))
			return false;
		from = i + 1;
	}
	return true;
}

static int check_message(struct walk *walk, const struct message *message, struct bytes data);

static int check_value(struct walk *walk, const struct message *message, size_t index,
	unsigned int wire, struct bytes value)
{
	const Dienstweg__DescriptorField *field = message->is->fields[index];
	unsigned int wanted = wire_of(field->type);
	if (wire == WIRE_BYTES && wanted != WIRE_BYTES && field->label == LABEL_REPEATED)
		return check_packed(walk, field->type, value);
	if (wire != wanted)
		return fault(walk, "has a value of another type here");
	if (field->type == TYPE_STRING && !is_utf8(value))
		return fault(walk, "has a text here that is not UTF-8");
	if (field->type != TYPE_MESSAGE)
		return 0;
	return check_message(walk, message->targets[index], value);
}

/* By halves: a document chooses how often it asks, and of how many fields. */
static int find_field(const struct message *message, uint64_t number, size_t *ret)
{
	size_t from = 0, to = message->is->n_fields;
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		if (message->is->fields[middle]->number < number)
			from = middle + 1;
		else
			to = middle;
	}
	*ret = from;
	return from == message->is->n_fields || message->is->fields[from]->number != number;
}

static int check_required(
	struct walk *walk, const struct message *message, const uint16_t counts[FIELDS_MAX])
{
	for (size_t i = 0; message->requires && i < message->is->n_fields; i++)
		if (message->is->fields[i]->label == LABEL_REQUIRED && counts[i] == 0)
			return fault(walk, "lacks a required field here: number %u",
				message->is->fields[i]->number);
	return 0;
}

static int check_field(struct walk *walk, const struct message *message,
	uint16_t counts[FIELDS_MAX], struct bytes *data)
{
	uint64_t tag;
	size_t index;
	struct bytes value;
	size_t level = walk->depth;
	if (take_varint(data, &tag) || take_value(data, tag & 7, &value))
		return fault(walk, "is no protobuf here, or is cut short");
	if (find_field(message, tag >> 3, &index))
		return fault(walk, "has a field here that the schema does not know: number %u",
			(unsigned int)(tag >> 3));
	if (counts[index] < UINT16_MAX)
		counts[index]++;
	walk->at[level] = message;
	walk->field[level] = index;
	walk->nth[level] = counts[index];
	walk->depth = level + 1;
	int r = 0;
	if (counts[index] > 1 && message->is->fields[index]->label != LABEL_REPEATED)
		r = fault(walk, "has a field twice that may be there once");
	if (r == 0)
		r = check_value(walk, message, index, tag & 7, value);
	walk->depth = level;
	return r;
}

static int check_message(struct walk *walk, const struct message *message, struct bytes data)
{
	uint16_t counts[FIELDS_MAX] = {0};
	int r = 0;
	if (walk->depth >= DEPTH_MAX)
		return fault(walk, "has more than %u messages in one another", DEPTH_MAX);
	while (r == 0 && data.len > 0)
		r = check_field(walk, message, counts, &data);
	return r ? r : check_required(walk, message, counts);
}

int descriptor_check(
	const struct descriptor *descriptor, struct bytes body, struct schema_fault *ret)
{
	struct walk walk = {.fault = ret};
	*ret = (struct schema_fault){};
	return check_message(&walk, descriptor->root, body);
}
