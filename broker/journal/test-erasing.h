/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/journal/tables.h"
#include "broker/journal/test-fixture.h"

/*
 * For tests of erasure: a journal whose runs can be waited for, copies of it as a backup would have them, and
 * an attacker who has such a copy and every key there is today. A failure ends the program.
 */
enum { ERASING_DAY_MS = 86400000 };
#define ERASING_MARK "UNMISTAKABLE-APPLICATION-TEXT."

struct erasing {
	struct journal_fixture journal;
	int done_fd; /* eventfd: a run has ended */
	int kill_at; /* 0, or the nth step: the process ends there by SIGKILL */
	int steps;
	void (*cheat)(
		struct erasing *erasing); /* NULL, or before the entry is made; the writer's thread */
};

/* In the test's folder, under @name; the journal is not open yet. */
void erasing_init(struct erasing *erasing, const char *name);
/* The journal is stopped. */
void erasing_deinit(struct erasing *erasing);
DEFINE_CLEANUP_PTR(struct erasing, erasing_deinit);

/* Messages, accepted. The parcel has their sequences. */
struct parcel *erasing_submit(struct erasing *erasing, const struct fixture_load *load);
/* Their recipient takes them; the last entry that says so. The sender confirms everything up to an entry. Both. */
uint64_t erasing_acknowledge(
	struct erasing *erasing, const char *recipient, const struct parcel *sent);
void erasing_confirm(struct erasing *erasing, uint64_t sequence);
void erasing_deliver(struct erasing *erasing, const char *recipient, const struct parcel *sent);
/* An operator's act; what became of it. */
struct operator_act erasing_operate(struct erasing *erasing, const struct operator_act *act);
/* Wait until a run has ended. */
void erasing_wait(struct erasing *erasing);
/* Some days later: look what is due, and wait for the run. */
void erasing_later(struct erasing *erasing, uint32_t days);

/* What a reader gets: 0 or READER_*. */
int erasing_read_record(struct erasing *erasing, uint64_t sequence);
int erasing_read_content(struct erasing *erasing, uint64_t sequence);

/* How many of them can be read; the others are erased, and nothing else is wrong with them. */
size_t erasing_count_records(struct erasing *erasing, const uint64_t *rows, size_t count);
size_t erasing_count_contents(struct erasing *erasing, const uint64_t *rows, size_t count);

/* Does a table have a row under the number of an entry? */
bool erasing_has_row(struct erasing *erasing, const char *table, uint64_t sequence);

/* The journal's folder as a backup: @buf is its path. */
const char *erasing_backup(struct erasing *erasing, const char *name, char buf[300]);

/**
 * erasing_attack() - open rows of a copied journal by every key of a keyring
 * @dir:     the copy
 * @keyring: any
 * @table:   "record" or "content"
 * @count:   of @rows
 * @rows:    sequences; their first chunks are tried
 * Return: how many opened under any key. Ends the program when one is not there.
 */
size_t erasing_attack(const char *dir, struct keyring *keyring, const char *table,
	const uint64_t *rows, size_t count);

/* Is the text anywhere in a folder's files, byte for byte? */
bool erasing_grep(const char *dir, const char *text);
