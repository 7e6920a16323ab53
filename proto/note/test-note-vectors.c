/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Notes that other implementations made and refused: what we call a note must be what they call one,
 * or receipts would prove to some auditors and not to others.
 */
#include "proto/note/note.h"

#include <jansson.h>

#include "proto/base/text.h"
#include "test/kit/check.h"

enum { KEYS_MAX = 8 };

static json_t *vectors_read(const char *relative)
{
	const char *path = check_shared(relative);
	if (!path)
		check_skip("no signed-note vectors");
	json_error_t error;
	json_t *root = json_load_file(path, 0, &error);
	if (!root)
		CHECK_FAIL("%s: %s", path, error.text);
	return root;
}

static bool names_key(json_t *names, const char *name)
{
	size_t i;
	json_t *item;
	json_array_foreach(names, i, item)
	{
		if (strcmp(json_string_value(item), name) == 0)
			return true;
	}
	return false;
}

/* The bytes of a case's note, given as text or, where it is no UTF-8, as hex. */
static struct bytes note_bytes(const json_t *entry, uint8_t *buf, size_t size)
{
	const char *hex = json_string_value(json_object_get(entry, "note_hex"));
	if (!hex) {
		const json_t *note = json_object_get(entry, "note");
		CHECK(json_is_string(note));
		return BYTES(json_string_value(note), json_string_length(note));
	}
	CHECK(strlen(hex) / 2 <= size);
	CHECK_INT(text_unhex(hex, buf, strlen(hex) / 2), 0);
	return BYTES(buf, strlen(hex) / 2);
}

static int verdict_of(const char *error)
{
	const struct {
		const char *error;
		int verdict;
	} table[] = {
		{"malformed note", NOTE_MALFORMED},
		{"no verifiable signatures", NOTE_UNVERIFIED},
		{"invalid signature", NOTE_BAD_SIGNATURE},
		{"ambiguous key", NOTE_KEY_MALFORMED},
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (strcmp(table[i].error, error) == 0)
			return table[i].verdict;
	}
	CHECK_FAIL("the vectors have a new error: %s", error);
}

static void open_one(const json_t *entry)
{
	struct note_key keys[KEYS_MAX];
	bool signers[KEYS_MAX] = {false};
	uint8_t buf[1024];
	struct bytes text, note = note_bytes(entry, buf, sizeof(buf));
	const json_t *vkeys = json_object_get(entry, "vkeys");
	size_t count = json_array_size(vkeys);
	CHECK(count <= KEYS_MAX);
	for (size_t i = 0; i < count; i++) {
		const char *vkey = json_string_value(json_array_get(vkeys, i));
		CHECK_INT(note_key_parse(BYTES_STR(vkey), &keys[i]), 0);
	}

	int r = note_open(note, keys, count, 1, &text, signers);
	if (!json_is_true(json_object_get(entry, "ok"))) {
		CHECK_INT(r, verdict_of(json_string_value(json_object_get(entry, "error"))));
		return;
	}
	CHECK_INT(r, 0);
	CHECK(text.data == note.data && text.data[text.len - 1] == '\n' &&
		text.data[text.len] == '\n');
	json_t *verified = json_object_get(entry, "verified");
	for (size_t i = 0; i < count; i++)
		CHECK_INT(signers[i], names_key(verified, keys[i].name));
	size_t n = json_array_size(verified);
	CHECK_INT(note_open(note, keys, count, n, &text, NULL), 0);
	CHECK_INT(note_open(note, keys, count, n + 1, &text, NULL), NOTE_UNVERIFIED);
}

static void notes_to_open(void)
{
	json_t *vectors = vectors_read("vectors/signed-note/signed-note.json");
	json_t *open = json_object_get(vectors, "open");
	CHECK(json_array_size(open) >= 15);
	size_t i;
	json_t *entry;
	json_array_foreach(open, i, entry)
	{
		fprintf(stderr, "# %s\n", json_string_value(json_object_get(entry, "name")));
		open_one(entry);
	}
	json_decref(vectors);
}

static void keys_to_parse(void)
{
	json_t *vectors = vectors_read("vectors/signed-note/signed-note.json");
	const json_t *vkeys = json_object_get(vectors, "vkeys");
	struct note_key key;
	size_t i;
	json_t *vkey;
	CHECK(json_array_size(json_object_get(vkeys, "good")) >= 2);
	json_array_foreach(json_object_get(vkeys, "good"), i, vkey)
	{
		char text[NOTE_VKEY_SIZE];
		CHECK_INT(note_key_parse(BYTES_STR(json_string_value(vkey)), &key), 0);
		note_key_format(&key, text);
		CHECK_STR(text, json_string_value(vkey));
	}
	CHECK(json_array_size(json_object_get(vkeys, "bad")) >= 2);
	json_array_foreach(json_object_get(vkeys, "bad"), i, vkey) CHECK_INT(
		note_key_parse(BYTES_STR(json_string_value(vkey)), &key), NOTE_KEY_MALFORMED);
	json_decref(vectors);
}

/* "every proper substring, and every single-byte increment, of the first good key is refused" */
static void mangled_keys(void)
{
	json_t *vectors = vectors_read("vectors/signed-note/signed-note.json");
	const json_t *good = json_object_get(json_object_get(vectors, "vkeys"), "good");
	struct bytes vkey = BYTES_STR(json_string_value(json_array_get(good, 0)));
	struct note_key key;
	for (size_t begin = 0; begin <= vkey.len; begin++) {
		for (size_t end = begin; end <= vkey.len; end++) {
			if (end - begin < vkey.len)
				CHECK_INT(
					note_key_parse(BYTES(vkey.data + begin, end - begin), &key),
					NOTE_KEY_MALFORMED);
		}
	}
	uint8_t copy[256];
	CHECK(vkey.len <= sizeof(copy));
	for (size_t i = 0; i < vkey.len; i++) {
		for (int add = 1; add < 256; add++) {
			memcpy(copy, vkey.data, vkey.len);
			copy[i] = (uint8_t)(copy[i] + add);
			CHECK_INT(note_key_parse(BYTES(copy, vkey.len), &key), NOTE_KEY_MALFORMED);
		}
	}
	json_decref(vectors);
}

static void the_example_of_the_specification(void)
{
	json_t *vectors = vectors_read("vectors/c2sp-spec-examples/examples.json");
	const char *vkey = json_string_value(json_object_get(vectors, "vkey"));
	const char *note = json_string_value(json_object_get(vectors, "note"));
	struct note_key key;
	struct bytes text;
	CHECK(vkey && note);
	CHECK_INT(note_key_parse(BYTES_STR(vkey), &key), 0);
	CHECK_STR(key.name, "example.com/foo");
	CHECK_INT(note_open(BYTES_STR(note), &key, 1, 1, &text, NULL), 0);
	CHECK(bytes_equal(text, BYTES_STR("This is an example message.\n")));

	struct note_key other;
	CHECK_INT(note_key_init(&other, BYTES_STR(key.name), key.public), 0);
	CHECK_INT(other.hash, key.hash);
	json_decref(vectors);
}

CHECK_MAIN(CHECK_CASE(notes_to_open), CHECK_CASE(keys_to_parse), CHECK_CASE(mangled_keys),
	CHECK_CASE(the_example_of_the_specification))
