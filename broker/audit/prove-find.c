/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * People know a message by its id, adapters by its h, the journal by its place. The id is the beginning of
 * a key of `seen`, so it is looked up; h is only half a value there and gets no index of its own, because
 * a random-keyed table would cost the broker two thirds of its throughput for a question that is asked
 * once in a while. `seen` forgets with the record; who asks later must know the place.
 */
#include "broker/audit/prove.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/routing/rows.h"
#include "proto/base/text.h"

enum { NAMED_MAX = 8 /* messages of one id that are listed */ };

struct seen_walk {
	uint8_t key[SEEN_KEY_SIZE + 1]; /* where to go on */
	size_t key_len;
	struct seen_row row; /* found */
	struct bytes id;     /* of the message found, a view */
};

/* The next row of `seen`. 0, READER_NOT_FOUND, READER_DAMAGED, negative errno. */
static int walk_next(struct audit *audit, struct seen_walk *walk)
{
	struct bytes key, value;
	int r = journal_read_table(
		audit->reader, STATE_SEEN, BYTES(walk->key, walk->key_len), &key, &value);
	if (r)
		return r;
	if (key.len != SEEN_KEY_SIZE || seen_row_decode(value, &walk->row) != 0)
		return READER_DAMAGED;
	memcpy(walk->key, key.data, key.len);
	walk->key[key.len] = 0;
	walk->key_len = key.len + 1;
	walk->id = BYTES(walk->key, UUID_SIZE);
	return 0;
}

static int damaged(char *reterr, size_t size)
{
	snprintf(reterr, size,
		"the journal's table of messages is damaged: audit replay tells more");
	return PROVE_REFUSED;
}

/* One id may have been used by several senders. */
static int find_message(struct audit *audit, const uint8_t id[UUID_SIZE], const char *word,
	uint64_t *ret, char *reterr, size_t size)
{
	struct seen_walk walk = {.key_len = UUID_SIZE};
	size_t count = 0, len = 0;
	char list[NAMED_MAX * 24] = "";
	memcpy(walk.key, id, UUID_SIZE);
	int r = walk_next(audit, &walk);
	for (; r == 0 && memcmp(walk.id.data, id, UUID_SIZE) == 0; r = walk_next(audit, &walk)) {
		if (count++ < NAMED_MAX)
			len += (size_t)snprintf(
				list + len, sizeof(list) - len, " %" PRIu64, walk.row.sequence);
		*ret = walk.row.sequence;
	}
	if (r == READER_DAMAGED)
		return damaged(reterr, size);
	if (r < 0)
		return r;
	if (count == 1)
		return 0;
	if (count == 0) {
		snprintf(reterr, size,
			"the journal knows no message %s: it never came, or its record is gone; "
			"the number of its entry would still do",
			word);
		return PROVE_NOT_FOUND;
	}
	snprintf(reterr, size,
		"%zu senders used the message id %s: give the number of the entry, one of%s", count,
		word, list);
	return PROVE_REFUSED;
}

static int find_hash(struct audit *audit, const uint8_t h[HASH_SIZE], const char *word,
	uint64_t *ret, char *reterr, size_t size)
{
	struct seen_walk walk = {.key_len = 0};
	int r = 0;
	for (uint64_t i = 1; r == 0; i++) {
		if (i % AUDIT_SLICE == 0)
			r = audit_refresh(audit);
		if (r == 0)
			r = walk_next(audit, &walk);
		if (r == 0 && memcmp(walk.row.h, h, sizeof(walk.row.h)) == 0) {
			*ret = walk.row.sequence;
			return 0;
		}
	}
	if (r == READER_DAMAGED)
		return damaged(reterr, size);
	if (r < 0)
		return r;
	snprintf(reterr, size,
		"the journal knows no message with the identity %s: it never came, or its record "
		"is "
		"gone; the number of its entry would still do",
		word);
	return PROVE_NOT_FOUND;
}

int audit_find(struct audit *audit, const char *word, uint64_t *ret, char *reterr, size_t size)
{
	uint8_t id[UUID_SIZE], h[HASH_SIZE];
	int r = audit_refresh(audit);
	if (r)
		return r;
	if (text_parse_u64(BYTES_STR(word), ret) == 0)
		return 0;
	if (uuid_parse(word, id) == 0)
		return find_message(audit, id, word, ret, reterr, size);
	if (text_unhex(word, h, sizeof(h)) == 0)
		return find_hash(audit, h, word, ret, reterr, size);
	snprintf(reterr, size,
		"%s is no number of an entry, no message id and no h of 64 hexadecimal digits",
		word);
	return PROVE_REFUSED;
}

/* The row of a derived table under exactly this key. */
static int read_exactly(
	struct audit *audit, enum state_table table, struct bytes key, struct bytes *ret)
{
	struct bytes found;
	int r = journal_read_table(audit->reader, table, key, &found, ret);
	return r == 0 && !bytes_equal(found, key) ? READER_NOT_FOUND : r;
}

int audit_find_end(struct audit *audit, uint64_t sequence, const char *party, uint64_t *ret,
	char *reterr, size_t size)
{
	uint8_t key[END_KEY_SIZE];
	struct bytes value;
	struct end_row end = {};
	int r = audit_refresh(audit);
	if (r == 0)
		r = text_is_name(BYTES_STR(party))
			    ? read_exactly(audit, STATE_PARTY, BYTES_STR(party), &value)
			    : READER_NOT_FOUND;
	if (r == 0 && value.len != 4)
		r = READER_DAMAGED;
	if (r == 0) {
		end_key_encode(sequence, be32_get(value.data), key);
		r = read_exactly(audit, STATE_END, BYTES(key, sizeof(key)), &value);
	}
	if (r == 0 && (end_row_decode(value, &end) != 0 || !end_state_is_end(end.state)))
		r = READER_NOT_FOUND;
	if (r < 0)
		return r;
	*ret = end.entry;
	if (r > 0)
		snprintf(reterr, size,
			"no entry ended message %" PRIu64
			" for %s: it was not sent to them, or has "
			"not ended yet",
			sequence, party);
	return r > 0 ? PROVE_NOT_FOUND : 0;
}

int audit_find_witnessed(
	struct audit *audit, uint64_t sequence, uint64_t *ret, char *reterr, size_t size)
{
	struct stub stub;
	int r = audit_refresh(audit);
	for (uint64_t i = sequence; i > 0 && r == 0; i--) {
		if (i % AUDIT_SLICE == 0)
			r = audit_refresh(audit);
		if (r == 0)
			r = journal_read_stub(audit->reader, i - 1, &stub);
		*ret = i - 1;
		if (r == 0 && stub.kind == DIENSTWEG__ENTRY_KIND__ENTRY_WITNESSED)
			return 0;
	}
	if (r < 0)
		return r;
	snprintf(reterr, size,
		"no entry before %" PRIu64
		" notes cosignatures of witnesses: nothing says after which "
		"time it was recorded",
		sequence);
	return PROVE_NOT_FOUND;
}
