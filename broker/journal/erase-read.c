/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What readers can tell of erasure: where its entries begin, and whether rows are being removed.
 */
#include "broker/journal/erase.h"

#include <errno.h>

#include "broker/journal/reader.h"

int journal_read_last_erased(struct journal_reader *reader, uint64_t *ret_sequence)
{
	struct journal_inside inside;
	struct bytes value;
	journal_reader_inside(reader, &inside);
	int r = db_get(inside.records.txn, inside.records.tables->meta, BYTES_STR("erased"), &value);
	if (r)
		return r == DB_NOT_FOUND ? READER_NOT_FOUND : r;
	if (value.len != 8)
		return READER_DAMAGED;
	*ret_sequence = be64_get(value.data);
	return 0;
}

int journal_read_erasing(struct journal_reader *reader, bool *ret)
{
	struct journal_inside inside;
	struct erase_plan plan;
	journal_reader_inside(reader, &inside);
	int r = erase_plan_get(&plan, inside.records.txn, inside.records.tables);
	*ret = r == 0 && plan.phase >= ERASE_DELETE;
	return r == -EBADMSG ? READER_DAMAGED : r;
}
