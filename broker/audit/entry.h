/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "broker/journal/reader.h"
#include "broker/routing/rules.h"
#include "proto/frame.pb-c.h"

/*
 * One entry, opened and taken apart. Everything lives in the arena it was read into.
 */
struct audit_entry {
	uint64_t sequence;
	struct stub stub;
	const Dienstweg__Row *row;
	struct disclosed disclosed;
	const Dienstweg__Decision *decision;

	struct bytes header_bytes; /* accepted, refused: as received; a refused one may be cut */
	const Dienstweg__Header *header; /* accepted; refused: NULL when it has no reading */
	int header_verdict;       /* refused without header: enum envelope_verdict, and ... */
	const char *header_field; /* ... the field at fault */
	bool header_cut;          /* refused, longer than what was kept */
	const Dienstweg__AckBatch *batch;     /* acknowledged */
	const Dienstweg__CancelBatch *cancel; /* cancelled */
};

/**
 * audit_entry_read() - read, open, decode; the row was checked against its stub
 * @reader:   begun
 * @sequence: of the entry
 * @arena:    owns the result; room for ENTRY_ARENA bytes more
 * @ret:      the entry; its stub is set whenever there is one
 * Return: 0, READER_NOT_FOUND, READER_ERASED, READER_DAMAGED, negative errno.
 */
enum { ENTRY_ARENA = 8 << 20 };
int audit_entry_read(struct journal_reader *reader, uint64_t sequence, struct arena *arena,
	struct audit_entry *ret);

/**
 * audit_entry_signature() - the sender's signature as it was recorded
 * @entry: accepted
 * @arena: owns the result's bytes
 * @ret:   filled
 * Return: 0, READER_DAMAGED, -ENOMEM.
 */
int audit_entry_signature(
	const struct audit_entry *entry, struct arena *arena, Dienstweg__Signature *ret);

/**
 * audit_entry_key_id() - the key that signed what was received
 * @entry: any
 * Return: 16 bytes; empty for what nobody signed or was refused.
 */
struct bytes audit_entry_key_id(const struct audit_entry *entry);

/**
 * audit_entry_speaker() - the party whose session brought it
 * @entry: accepted, refused, acknowledged, cancelled
 * Return: its name, maybe empty; not to be trusted more than the entry.
 */
struct bytes audit_entry_speaker(const struct audit_entry *entry);

/**
 * audit_entry_state() - the content of a state entry, when it is what the record commits to
 * @reader: begun
 * @entry:  a state
 * @arena:  owns the result
 * @ret:    a serialized State; the one of a journal in which nothing has happened is no bytes, and has no row
 * Return: 0, READER_ERASED (missing), READER_DAMAGED (another, or its rows are damaged), negative errno.
 */
int audit_entry_state(struct journal_reader *reader, const struct audit_entry *entry,
	struct arena *arena, struct bytes *ret);

/**
 * audit_kind_name() - "accepted", "refused", ... as people and --kind say it
 * @kind: EntryKind
 * Return: a constant; "unknown" for a kind that this program does not know.
 */
const char *audit_kind_name(uint8_t kind);

/**
 * audit_kind_parse() - and back
 * @name: as above
 * Return: EntryKind, 0 when there is none.
 */
uint8_t audit_kind_parse(const char *name);

/**
 * audit_kind_list() - all of them, for whoever named one that is none
 * @buf:  result: names with commas in between; cut when too long
 * @size: of @buf
 */
void audit_kind_list(char *buf, size_t size);
