/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/audit/report.h"
#include "broker/audit/verify.h"
#include "broker/journal/tables.h"
#include "broker/journal/test-fixture.h"

/*
 * For tests: a journal in which a bit of everything has happened, written by the real journal; copies of
 * it to be damaged through the database; and what an audit found in them. A failure ends the program.
 */
struct life {
	struct journal_fixture journal;
	char policy[300];         /* file */
	uint64_t first_message;   /* 40 figures of city for ministry */
	uint64_t first_notice;    /* 5 notices of city for jobcenter, 8,000 bytes each */
	uint64_t acknowledged;    /* entry: the notices */
	uint64_t failed;          /* entry: 10 deliveries of the figures */
	uint64_t refused;         /* first of three entries; two more were only counted */
	uint64_t second_registry; /* entry */
	uint64_t state;           /* entry: all of the first day */
	uint64_t expired;         /* entry: 3 figures */
	uint64_t day_end;         /* size of the checkpoint kept from the first day */
	uint8_t case_id[16];      /* of the first notice */
	uint8_t message_id[16];   /* and its message id */
	uint64_t size;
};

/**
 * life_init() - write it; the journal is stopped and closed afterwards
 * @life: filled
 * @dir:  existing folder
 * @name: of a folder in it
 */
void life_init(struct life *life, const char *dir, const char *name);
void life_deinit(struct life *life);
DEFINE_CLEANUP_PTR(struct life, life_deinit);

/* More of it, while the journal is open: a registry with one party more; and afterwards its size. */
void life_next_registry(struct life *life);
void life_measure(struct life *life);

/* Many more entries, journal closed before and after: @parcels of @count notices, each acknowledged. */
void life_grow(struct life *life, size_t parcels, size_t count);

/* A copy of the journal in a folder of its own. Return: its path; static buffers would be shared, so @buf. */
const char *life_copy(const struct life *life, const char *name, char buf[300]);

/* Damage a copy: flip a bit of a value, remove a row, put a row. The row must be there for the first two. */
void life_flip(const char *dir, const char *table, struct bytes key, size_t offset);
void life_remove(const char *dir, const char *table, struct bytes key);
void life_put(const char *dir, const char *table, struct bytes key, struct bytes value);

/* A value of a copy; the row must be there. */
void life_get(const char *dir, const char *table, struct bytes key, uint8_t ret[VALUE_MAX],
	size_t *ret_len);

/* Opened as a tool would: read-only, with keyring and policy. */
void life_open(const struct life *life, const char *dir, struct audit *ret);

/* Findings, as many as fit; the count says how many there were. */
struct found {
	struct audit_report report;
	size_t kept;
	struct {
		uint64_t sequence;
		char code[40];
		char reason[640];
	} items[16];
};
void found_init(struct found *found);

/* Exactly one finding, with this code and sequence; else the program ends and prints them all. */
void found_one(const struct found *found, const char *code, uint64_t sequence);
/* None at all. */
void found_none(const struct found *found);
/* One with this code and sequence among them. */
void found_some(const struct found *found, const char *code, uint64_t sequence);
