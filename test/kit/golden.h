/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Golden files: what a format looked like when it was last changed on purpose. A test writes lines, and the end
 * compares them with the file in the source tree; the first line that differs fails the test. Who means the
 * change runs the same test with DIENSTWEG_GOLDEN=write in the environment, looks at the difference, commits it
 * together with the change, and says so in docs/protocol.md or docs/journal.md.
 */
struct golden {
	char path[512];
	char *text;
	size_t len, room;
};

/* @file: relative to the source tree. Fails the test when there is no memory. */
void golden_init(struct golden *golden, const char *file);
void golden_deinit(struct golden *golden);

/* A line, without its end. */
void golden_line(struct golden *golden, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A line "name hex". */
void golden_bytes(struct golden *golden, const char *name, const void *data, size_t len);

/* Is the file made anew in this run? */
bool golden_is_writing(void);

/* The bytes of the line "name hex" as they stand in the file. Fails the test when there is no such line, or it is
   longer than @room. Return: how many. */
size_t golden_read(const struct golden *golden, const char *name, void *buf, size_t room);

/* Compare, or write the file when DIENSTWEG_GOLDEN is "write". */
void golden_finish(struct golden *golden);
