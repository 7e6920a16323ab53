/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A row says in clear under which key it is sealed, and the cipher vouches for it. So the table is compared with the
 * rows, not believed; what it says about entries whose rows are gone leads nowhere and does no harm. Runs
 * are long, so the one found last nearly always answers the next question too.
 *
 * In a run of erasure on instruction, what stays is sealed anew row by row and its stretch gets its new label
 * in the end: until then both are right.
 */
#include "broker/journal/seal-check.h"

#include <errno.h>
#include <stdlib.h>

#include "broker/journal/erase.h"
#include "broker/journal/keyring-use.h"

struct seal_check {
	struct journal_reader *reader;
	struct journal_inside inside;
	bool empty; /* it is made anew from the rows then */
	struct seal_run runs[ERASED_CONTENT + 1][SEAL_CLASSES];
	struct erase_plan plan;
};

int seal_check_new(struct journal_reader *reader, struct seal_check **ret)
{
	struct seal_check *check = calloc(1, sizeof(*check));
	if (!check)
		return -ENOMEM;
	check->reader = reader;
	*ret = check;
	return 0;
}

void seal_check_free(struct seal_check *check)
{
	free(check);
}

int seal_check_begin(struct seal_check *check)
{
	uint64_t rows;
	*check = (struct seal_check){.reader = check->reader};
	journal_reader_inside(check->reader, &check->inside);
	const struct record_source *source = &check->inside.records;
	int r = db_count(source->txn, source->tables->seal, &rows);
	check->empty = r == 0 && rows == 0;
	if (r == 0)
		r = erase_plan_get(&check->plan, source->txn, source->tables);
	return r == -EBADMSG ? 0 : r; /* whoever looks at the plan tells of it */
}

/* ---- rows of entries ---- */

static int run_of(struct seal_check *check, uint8_t table, uint8_t class, uint64_t sequence,
	uint32_t *ret_label)
{
	struct seal_run *run = &check->runs[table][class];
	const struct record_source *source = &check->inside.records;
	int r = 0;
	if (sequence < run->first || sequence >= run->end)
		r = seal_map_at(
			source->tables, source->txn, (enum seal_table)table, class, sequence, run);
	*ret_label = r == 0 ? run->label : SEAL_NONE;
	if (r == DB_NOT_FOUND)
		*run = (struct seal_run){};
	return r < 0 && r != -EBADMSG ? r : 0;
}

/* A row that a run on instruction has sealed anew, whose stretch still has the label of before? */
static bool is_successor(
	const struct seal_check *check, uint8_t class, uint32_t said, uint32_t label)
{
	return check->plan.by_instruction && erase_plan_dooms(&check->plan, class, said) &&
	       label_day(label) == label_day(said) &&
	       label_generation(label) > label_generation(said);
}

/* Return: 0, SEAL_CHECK_WRONG, negative errno. */
static int check_rows(struct seal_check *check, uint8_t table, uint8_t class, uint64_t sequence,
	const char **ret_why)
{
	struct bytes value;
	uint32_t said, label, first = SEAL_NONE;
	uint16_t chunk = 0;
	int r;
	do {
		r = record_value(&check->inside.records, table, sequence, chunk, &value);
		if (r || row_label(value,
				 &label)) /* it is gone, or is no sealed row: told elsewhere */
			return r < 0 ? r : 0;
		if (chunk++ == 0)
			first = label;
		if (label != first) {
			*ret_why = "is sealed under more than one key";
			return SEAL_CHECK_WRONG;
		}
	} while (value.len == VALUE_MAX);
	r = run_of(check, table, class, sequence, &said);
	if (r || said == label || is_successor(check, class, said, label))
		return r;
	*ret_why = said == SEAL_NONE ? "is there, and the table seal says that nothing is"
				     : "is sealed under another key than the table seal says";
	return SEAL_CHECK_WRONG;
}

int seal_check_entry(struct seal_check *check, uint64_t sequence, uint8_t class, uint8_t *ret_table,
	const char **ret_why)
{
	int r = 0;
	if (class == 0 || class >= SEAL_CLASSES || check->empty)
		return 0;
	for (uint8_t table = ERASED_RECORD; r == 0 && table <= ERASED_CONTENT; table++) {
		*ret_table = table;
		r = check_rows(check, table, class, sequence, ret_why);
	}
	return r;
}

int seal_check_rows_left(struct seal_check *check, uint64_t sequence, bool *ret)
{
	struct bytes value;
	int r = DB_NOT_FOUND;
	for (uint8_t table = ERASED_RECORD; r == DB_NOT_FOUND && table <= ERASED_CONTENT; table++)
		r = record_value(&check->inside.records, table, sequence, 0, &value);
	*ret = r == 0;
	return r < 0 ? r : 0;
}

/* ---- rows of the table ---- */

static const char *judge(
	struct seal_check *check, uint64_t size, struct bytes key, struct bytes value)
{
	uint8_t secret[AEAD_KEY_SIZE];
	if (key.len != SEAL_KEY_SIZE || value.len != 4 || key.data[0] < SEAL_RECORD ||
		key.data[0] > SEAL_CONTENT || key.data[1] == 0 || key.data[1] >= SEAL_CLASSES)
		return "is none that can be";
	if (be64_get(key.data + 2) > size)
		return "is about entries that are not there";
	uint32_t label = be32_get(value.data);
	struct keyring *keyring = check->inside.records.keyring;
	if (label == SEAL_NONE || !keyring)
		return NULL;
	int r = keyring_find(keyring, key.data[1], label, secret);
	secret_wipe(secret, sizeof(secret));
	return r ? "names a key that is not in the keyring" : NULL;
}

int seal_check_table(
	struct seal_check *check, uint64_t size, uint64_t *ret_from, const char **ret_why)
{
	_cleanup_(db_cursor_close) struct db_cursor *cursor = NULL;
	const struct record_source *source = &check->inside.records;
	struct bytes key, value;
	int r = db_cursor_open(source->txn, source->tables->seal, &cursor);
	while (r == 0 && (r = db_cursor_next(cursor, &key, &value)) == 0) {
		*ret_why = judge(check, size, key, value);
		*ret_from = key.len >= SEAL_KEY_SIZE ? be64_get(key.data + 2) : 0;
		if (*ret_why)
			return SEAL_CHECK_WRONG;
	}
	return r == DB_NOT_FOUND ? 0 : r;
}
