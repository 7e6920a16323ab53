/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Text, one thing a line, so that a reviewer sees in the difference of the file which field of which format
 * moved. A binary golden file would only say that something did.
 */
#include "test/kit/golden.h"

#include <stdarg.h>

#include "test/kit/check.h"

void golden_init(struct golden *golden, const char *file)
{
	*golden = (struct golden){};
	int n = snprintf(golden->path, sizeof(golden->path), "%s", check_source(file));
	CHECK(n > 0 && (size_t)n < sizeof(golden->path));
}

void golden_deinit(struct golden *golden)
{
	free(golden->text);
}

static void make_room(struct golden *golden, size_t more)
{
	if (golden->len + more <= golden->room)
		return;
	golden->room = 2 * (golden->len + more);
	golden->text = realloc(golden->text, golden->room);
	CHECK(golden->text != NULL);
}

static void add_text(struct golden *golden, const char *text, size_t len)
{
	make_room(golden, len + 1);
	memcpy(golden->text + golden->len, text, len);
	golden->len += len;
	golden->text[golden->len] = '\0';
}

void golden_line(struct golden *golden, const char *format, ...)
{
	char line[512];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	CHECK(n >= 0 && (size_t)n < sizeof(line));
	add_text(golden, line, (size_t)n);
	add_text(golden, "\n", 1);
}

void golden_bytes(struct golden *golden, const char *name, const void *data, size_t len)
{
	const uint8_t *bytes = data;
	add_text(golden, name, strlen(name));
	add_text(golden, " ", 1);
	for (size_t i = 0; i < len; i++) {
		char hex[3];
		snprintf(hex, sizeof(hex), "%02x", bytes[i]);
		add_text(golden, hex, 2);
	}
	add_text(golden, "\n", 1);
}

static void write_file(const struct golden *golden)
{
	FILE *out = fopen(golden->path, "w");
	CHECK(out != NULL);
	CHECK(fwrite(golden->text, 1, golden->len, out) == golden->len);
	CHECK_INT(fclose(out), 0);
}

static char *read_file(const struct golden *golden, size_t *ret_len)
{
	FILE *in = fopen(golden->path, "r");
	if (!in)
		CHECK_FAIL("%s: cannot be read; DIENSTWEG_GOLDEN=write makes it", golden->path);
	char *text = malloc(golden->len + 2);
	CHECK(text != NULL);
	*ret_len = fread(
		text, 1, golden->len + 1, in); /* one more than expected shows a longer file */
	text[*ret_len] = '\0';
	fclose(in);
	return text;
}

static int line_length(const char *at)
{
	int length = (int)strcspn(at, "\n");
	return length < 200 ? length : 200;
}

bool golden_is_writing(void)
{
	const char *wish = getenv("DIENSTWEG_GOLDEN");
	return wish && strcmp(wish, "write") == 0;
}

static int digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) : -1;
}

static size_t read_hex(const char *hex, uint8_t *buf, size_t room)
{
	size_t len = 0;
	for (; digit(hex[0]) >= 0 && digit(hex[1]) >= 0; hex += 2) {
		CHECK(len < room);
		buf[len++] = (uint8_t)(digit(hex[0]) << 4 | digit(hex[1]));
	}
	return len;
}

size_t golden_read(const struct golden *golden, const char *name, void *buf, size_t room)
{
	char *line = NULL;
	size_t size = 0, len = 0, name_len = strlen(name);
	FILE *in = fopen(golden->path, "r");
	CHECK(in != NULL);
	while (len == 0 && getline(&line, &size, in) > 0)
		if (strncmp(line, name, name_len) == 0 && line[name_len] == ' ')
			len = read_hex(line + name_len + 1, buf, room);
	free(line);
	fclose(in);
	if (len == 0)
		CHECK_FAIL("%s: no line \"%s\"", golden->path, name);
	return len;
}

void golden_finish(struct golden *golden)
{
	if (golden_is_writing()) {
		write_file(golden);
		return;
	}
	size_t len, at = 0, begin = 0, number = 1;
	char *stored = read_file(golden, &len);
	while (at < len && at < golden->len && stored[at] == golden->text[at])
		if (stored[at++] == '\n') {
			begin = at;
			number++;
		}
	if (at < len || at < golden->len)
		CHECK_FAIL("%s:%zu: the format has changed. Was:\n%.*s\nis:\n%.*s\n"
			   "If that is meant, run this test with DIENSTWEG_GOLDEN=write and commit "
			   "the difference.",
			golden->path, number, line_length(stored + begin), stored + begin,
			line_length(golden->text + begin), golden->text + begin);
	free(stored);
}
