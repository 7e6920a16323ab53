/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "test/kit/bus.h"

/* The programs that people type, run to their end on a bus of a test. Lists of words end with NULL. */
enum { TOOL_MS = 30000, TOOL_WORDS_MAX = 24 };

/**
 * tool_admin() - dienstweg-admin with the broker's configuration
 * @bus:      written
 * @expected: exit code; another one fails the test
 * @first:    the verb, and what follows it
 * Return: what it printed, to be freed or given to tool_holds().
 */
char *tool_admin(const struct bus *bus, int expected, const char *first, ...);

/**
 * tool_party() - dienstweg-party with an adapter's configuration (bus_adapter_write())
 * @bus:      written
 * @party:    whose configuration
 * @expected: exit code; another one fails the test
 * @verb:     send, receive or evidence, and what follows it
 * Return: as tool_admin().
 */
char *tool_party(const struct bus *bus, const char *party, int expected, const char *verb, ...);

/* The same in the background; its output goes to logs/PARTY.log of the bus. */
void tool_party_start(
	const struct bus *bus, struct process *process, const char *party, const char *verb, ...);

/* The output holds all of these texts in this order; frees it. */
void tool_holds(char *output, ...);

/**
 * tool_figure() - a figure of `dienstweg status`
 * @bus:   its broker runs
 * @after: what stands before it in the JSON, as the session's "{\"party\":\"ministry\""; NULL: nothing
 * @field: its member, with quotes and colon; fails the test when it is not there
 * Return: the figure; 0 when @after is not there.
 */
unsigned long long tool_figure(const struct bus *bus, const char *after, const char *field);

/* How often a text stands in an output. */
size_t tool_count(const char *output, const char *text);
