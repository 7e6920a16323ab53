/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <jansson.h>
#include <stdio.h>

#include "broker/access/view.h"
#include "broker/audit/open.h"
#include "proto/identity/key.h"

/*
 * A party's share of a case: the report that answers subject access, the same for the operator who makes it and
 * for the party that asks over the bus. It is made as an object for programs; the words for people are made from
 * that very object, so that neither tells more than the other.
 */
struct share_options {
	struct audit *audit;      /* open, with a keyring */
	struct case_index *index; /* up to date, begun */
	uint8_t id[CASE_ID_SIZE];
	struct bytes party;
	struct timeline_place from; /* zeroed: all of it; else the part that begins there */
	size_t entries_max;         /* of a part */
	size_t looked_max;          /* at so many entries, whoever they are of */
};

struct share {
	json_t *entries; /* an array, in their order */
	bool more;       /* and where the next part begins */
	struct timeline_place next;
	uint64_t looked;     /* entries that were opened */
	uint64_t unreadable; /* of these */
};

/**
 * share_make() - collect what the party may see
 * @options: as above
 * @ret:     share_deinit(), also after a failure
 *
 * A part goes by messages: it has each with all that is about it, or goes on within one in the next part.
 *
 * Return: 0 or negative errno.
 */
int share_make(const struct share_options *options, struct share *ret);
void share_deinit(struct share *share);
DEFINE_CLEANUP_PTR(struct share, share_deinit);

/**
 * share_prove() - give each entry its proof, a tlog-proof file in its member "proof"
 * @options: as it was made with
 * @share:   made
 * Return: 0 or negative errno. What cannot be proven has null there.
 */
int share_prove(const struct share_options *options, struct share *share);

/**
 * share_object() - the report for programs
 * @options: as it was made with
 * @share:   made, proven
 * @made_ms: now
 * Return: a new object.
 */
json_t *share_object(
	const struct share_options *options, const struct share *share, uint64_t made_ms);

/**
 * share_say() - the report for people
 * @file:   where to
 * @object: of share_object()
 * @json:   the same as text, to be named by its hash; empty: it is not beside it
 */
void share_say(FILE *file, const json_t *object, struct bytes json);

/**
 * share_words() - the report for people, signed
 * @object: of share_object()
 * @json:   as in share_say()
 * @keys:   of the bus; those for logs sign
 * @count:  how many; 0: it is not signed
 * @arena:  owns the result
 * @ret:    a signed note (broker/audit/statement.h), or without keys the text alone
 * Return: 0, 1 when it cannot be signed (no text, no log key), negative errno.
 */
int share_words(const json_t *object, struct bytes json, const struct key_secret *const *keys,
	size_t count, struct arena *arena, struct bytes *ret);
