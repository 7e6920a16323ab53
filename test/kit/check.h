/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The smallest test kit that says where it failed. A test program is a list of functions run in order
 * by CHECK_MAIN(); the first failed check ends the program with exit 1 and a line naming file, line
 * and both values. A program whose inputs are absent calls check_skip() (exit 77: meson says SKIP).
 * Output is TAP-like: "ok - name" a line per function, so that runners can count functions.
 */
#define CHECK_FAIL(...)                                                                            \
	do {                                                                                       \
		fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                                    \
		fprintf(stderr, __VA_ARGS__);                                                      \
		fputc('\n', stderr);                                                               \
		exit(1);                                                                           \
	} while (0)

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond))                                                                       \
			CHECK_FAIL("not true: %s", #cond);                                         \
	} while (0)

#define CHECK_INT(actual, expected)                                                                \
	do {                                                                                       \
		long long check_a = (long long)(actual), check_e = (long long)(expected);          \
		if (check_a != check_e)                                                            \
			CHECK_FAIL("%s is %lld, expected %lld", #actual, check_a, check_e);        \
	} while (0)

#define CHECK_STR(actual, expected)                                                                \
	do {                                                                                       \
		const char *check_a = (actual), *check_e = (expected);                             \
		if (!check_a || strcmp(check_a, check_e) != 0)                                     \
			CHECK_FAIL("%s is \"%s\", expected \"%s\"", #actual,                       \
				check_a ? check_a : "(null)", check_e);                            \
	} while (0)

#define CHECK_MEM(actual, expected, len)                                                           \
	do {                                                                                       \
		if (memcmp((actual), (expected), (len)) != 0)                                      \
			CHECK_FAIL("%s differs from %s", #actual, #expected);                      \
	} while (0)

struct check_case {
	const char *name;
	void (*run)(void);
};
#define CHECK_CASE(f)                                                                              \
	{                                                                                          \
#f, f                                                                              \
	}

/* Runs the cases (or the one named on the command line) and returns main's exit code. */
int check_run(int argc, char **argv, const struct check_case *cases, size_t count);
#define CHECK_MAIN(...)                                                                            \
	int main(int argc, char **argv)                                                            \
	{                                                                                          \
		static const struct check_case cases[] = {__VA_ARGS__};                            \
		return check_run(argc, argv, cases, sizeof(cases) / sizeof(cases[0]));             \
	}

/* Says why and exits 77. */
void check_skip(const char *why) __attribute__((noreturn));

/* Path of a shared test input ("vectors/rfc6962-roots/roots.json"), or NULL when it is not here.
   Static buffer of the calling program: copy it before the next call. */
const char *check_shared(const char *relative);

/* Path of a file of the source tree ("proto/frame.proto"). Static buffer, as above. */
const char *check_source(const char *relative);

/* A fresh private folder under $TMPDIR (or the build folder), removed at exit. */
const char *check_tmpdir(void);

/* The same in memory where the machine has it (/dev/shm), else check_tmpdir(): for what need not be on disk. */
const char *check_memdir(void);

/* A new empty folder in check_memdir() at every call; the path is valid until the next call. */
const char *check_subdir(void);
