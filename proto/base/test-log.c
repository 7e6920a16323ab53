/* SPDX-License-Identifier: EUPL-1.2 */

/* Every line is parsed as JSON again: a log that a program cannot read is no log. */
#include "proto/base/log.h"

#include "test/kit/check.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <pthread.h>
#include <unistd.h>

static int log_pipe[2] = {-1, -1};

static void start(enum log_level level)
{
	fd_close_at(&log_pipe[0]);
	fd_close_at(&log_pipe[1]);
	CHECK_INT(pipe2(log_pipe, O_CLOEXEC | O_NONBLOCK), 0);
	log_init("test", level, log_pipe[1]);
}

/* The one line that was written, or NULL; the raw text in @text. */
static json_t *take_line(char text[PIPE_BUF + 1])
{
	ssize_t n = read(log_pipe[0], text, PIPE_BUF + 1);
	if (n <= 0)
		return NULL;
	CHECK(n <= PIPE_BUF && text[n - 1] == '\n');
	CHECK(memchr(text, '\n', (size_t)n) == text + n - 1);
	text[n] = '\0';
	json_error_t error;
	json_t *line = json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
	if (!line)
		CHECK_FAIL("%s: %s", error.text, text);
	return line;
}

static const char *str(json_t *line, const char *key)
{
	return json_string_value(json_object_get(line, key));
}

static void fields_of_every_type(void)
{
	char text[PIPE_BUF + 1];
	start(LOG_DEBUG);
	errno = EDOM;
	log_warn("journal", "batch committed", F_STR("name", "abc"), F_U64("big", 9007199254740993),
		F_I64("small", INT64_MIN), F_HEX("h", BYTES("\x00\xff\x10", 3)),
		F_BYTES("party", BYTES("ci\0ty", 5)), F_STR("none", NULL));
	CHECK_INT(errno, EDOM);
	json_t *line = take_line(text);
	CHECK_STR(str(line, "level"), "warn");
	CHECK_STR(str(line, "program"), "test");
	CHECK_STR(str(line, "module"), "journal");
	CHECK_STR(str(line, "event"), "batch committed");
	CHECK_STR(str(line, "name"), "abc");
	CHECK_INT(json_integer_value(json_object_get(line, "big")), 9007199254740993);
	CHECK(json_integer_value(json_object_get(line, "small")) == INT64_MIN);
	CHECK_STR(str(line, "h"), "00ff10");
	CHECK(strstr(text, "\"ci\\u0000ty\""));
	CHECK(json_is_null(json_object_get(line, "none")));
	CHECK_INT(strlen(str(line, "time")), 24);
	CHECK(str(line, "time")[23] == 'Z' && str(line, "time")[0] == '2');
	json_decref(line);
}

static void failures_have_names(void)
{
	char text[PIPE_BUF + 1];
	start(LOG_INFO);
	log_error("db", "commit failed", F_ERR(-ENOSPC));
	json_t *line = take_line(text);
	CHECK_STR(str(line, "error"), "ENOSPC: No space left on device");
	json_decref(line);
	static const int numbers[] = {0, 2, -4000, INT_MIN};
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		log_error("db", "verdict", F_ERR(numbers[i]));
		line = take_line(text);
		CHECK_INT(json_integer_value(json_object_get(line, "error")), numbers[i]);
		json_decref(line);
	}
}

static void levels(void)
{
	static const char *const names[] = {"debug", "info", "warn", "error"};
	char text[PIPE_BUF + 1];
	enum log_level level = LOG_ERROR;
	for (int least = LOG_DEBUG; least <= LOG_ERROR; least++) {
		CHECK_INT(log_level_parse(names[least], &level), 0);
		CHECK_INT(level, least);
		start(level);
		for (int l = LOG_DEBUG; l <= LOG_ERROR; l++) {
			log_at((enum log_level)l, "m", "e");
			json_t *line = take_line(text);
			CHECK(!line == (l < least));
			if (line)
				CHECK_STR(str(line, "level"), names[l]);
			json_decref(line);
		}
	}
	CHECK_INT(log_level_parse("Info", &level), 1);
	CHECK_INT(log_level_parse("", &level), 1);
	CHECK_INT(level, LOG_ERROR);
}

/* Whatever bytes come: one line, printable ASCII, and JSON. */
static void hostile_values(void)
{
	char text[PIPE_BUF + 1];
	uint8_t all[256];
	start(LOG_INFO);
	for (int i = 0; i < 256; i++)
		all[i] = (uint8_t)i;
	for (int i = 0; i < 256; i += 64) {
		log_info("m", "e", F_BYTES("value", BYTES(all + i, 64)));
		json_t *line;
		ssize_t n = read(log_pipe[0], text, sizeof(text));
		CHECK(n > 0 && text[n - 1] == '\n');
		for (ssize_t j = 0; j < n - 1; j++)
			CHECK(text[j] >= 0x20 && text[j] <= 0x7e);
		line = json_loadb(text, (size_t)n, JSON_ALLOW_NUL, NULL);
		CHECK(line);
		CHECK(json_string_value(json_object_get(line, "value")));
		json_decref(line);
	}
	log_info("m", "e", F_STR("value", "\",\"level\":\"error\"}\n{\"\\"));
	json_t *line = take_line(text);
	CHECK_STR(str(line, "value"), "\",\"level\":\"error\"}\n{\"\\");
	CHECK_STR(str(line, "level"), "info");
	json_decref(line);
}

static void long_values_are_cut(void)
{
	char text[PIPE_BUF + 1], value[202];
	memset(value, 'v', sizeof(value));
	start(LOG_INFO);
	log_info("m", "e", F_BYTES("whole", BYTES(value, 200)), F_BYTES("cut", BYTES(value, 201)),
		F_HEX("hex", BYTES(value, 100)), F_HEX("cuthex", BYTES(value, 101)));
	json_t *line = take_line(text);
	CHECK_INT(strlen(str(line, "whole")), 200);
	CHECK_INT(strlen(str(line, "cut")), 203);
	CHECK_STR(str(line, "cut") + 199, "v...");
	CHECK_INT(strlen(str(line, "hex")), 200);
	CHECK_INT(strlen(str(line, "cuthex")), 203);
	CHECK(!json_object_get(line, "truncated"));
	json_decref(line);
}

static void long_lines_leave_fields_out_and_say_so(void)
{
	char text[PIPE_BUF + 1], value[200], keys[60][8];
	struct log_field fields[61] = {};
	memset(value, '\n', sizeof(value)); /* six characters each: four fields are too many */
	start(LOG_INFO);
	for (int count = 1; count <= 60; count++) {
		snprintf(keys[count - 1], sizeof(keys[0]), "k%d", count);
		fields[count - 1] = F_BYTES(keys[count - 1], BYTES(value, 40));
		log_write(LOG_INFO, "m", "e", fields);
		json_t *line = take_line(text);
		size_t size = json_object_size(line);
		bool cut = json_is_true(json_object_get(line, "truncated"));
		CHECK(cut ? size <= 5 + (size_t)count : size == 5 + (size_t)count);
		CHECK(!cut || strlen(text) + 260 > PIPE_BUF); /* not before it must */
		if (count == 60)
			CHECK(cut);
		json_decref(line);
	}
	log_info("m", "e", F_BYTES("a", BYTES(value, 200)), F_BYTES("b", BYTES(value, 200)),
		F_BYTES("c", BYTES(value, 200)), F_BYTES("d", BYTES(value, 200)), F_U64("z", 1));
	json_t *line = take_line(text);
	CHECK(json_is_true(json_object_get(line, "truncated")));
	CHECK(json_object_get(line, "c") && !json_object_get(line, "d"));
	json_decref(line);
}

/* A full pipe must not stop the process: lines are dropped. */
static void a_stuck_reader_stops_nobody(void)
{
	start(LOG_INFO);
	errno = EDOM;
	for (int i = 0; i < 5000; i++)
		log_info("m", "nobody reads this", F_U64("i", (uint64_t)i));
	CHECK_INT(errno, EDOM);
	char text[PIPE_BUF + 1];
	CHECK(read(log_pipe[0], text, PIPE_BUF) > 0);
}

enum { THREADS = 4, LINES = 500 };

static void *log_many(void *arg)
{
	char value[150];
	memset(value, 'a' + (char)(uintptr_t)arg, sizeof(value));
	for (uint64_t i = 0; i < LINES; i++)
		log_info("m", "e", F_U64("thread", (uintptr_t)arg), F_U64("i", i),
			F_BYTES("value", BYTES(value, sizeof(value))));
	return NULL;
}

static void lines_of_threads_do_not_mix(void)
{
	pthread_t threads[THREADS];
	uint64_t next[THREADS] = {0};
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/log", check_tmpdir());
	_cleanup_(fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	log_init("test", LOG_INFO, fd);
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK_INT(pthread_create(&threads[i], NULL, log_many, (void *)i), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	FILE *file = fopen(path, "r");
	char text[PIPE_BUF];
	while (fgets(text, sizeof(text), file)) {
		json_t *line = json_loads(text, 0, NULL);
		CHECK(line);
		json_int_t thread = json_integer_value(json_object_get(line, "thread"));
		CHECK(thread >= 0 && thread < THREADS);
		CHECK_INT(json_integer_value(json_object_get(line, "i")), next[thread]++);
		json_decref(line);
	}
	fclose(file);
	for (size_t i = 0; i < THREADS; i++)
		CHECK_INT(next[i], LINES);
}

CHECK_MAIN(CHECK_CASE(fields_of_every_type), CHECK_CASE(failures_have_names), CHECK_CASE(levels),
	CHECK_CASE(hostile_values), CHECK_CASE(long_values_are_cut),
	CHECK_CASE(long_lines_leave_fields_out_and_say_so), CHECK_CASE(a_stuck_reader_stops_nobody),
	CHECK_CASE(lines_of_threads_do_not_mix))
