/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What was told and not yet confirmed comes again with the next session, and an end is then known by its evidence. A
 * reminder leaves none, so the row of its message remembers. It may also overtake the receipt: when the answer to a
 * Submit is lost, what was recorded then may be overdue by the time that the adapter is back.
 */
#include "adapters/sdk/reminders.h"

#include <errno.h>

#include "adapters/sdk/fields.h"

enum { NAME_SIZE = 9 + UUID_SIZE, ROW_MAX = 1 + 8 + 8 + NAME_BYTES_MAX };

static struct bytes name_of(const uint8_t message_id[UUID_SIZE], uint8_t buf[NAME_SIZE])
{
	uint8_t *p = field_put(buf, BYTES_STR("reminder "));
	field_put(p, BYTES(message_id, UUID_SIZE));
	return BYTES(buf, NAME_SIZE);
}

bool reminder_is_new(struct sent_row *sent, enum dw_event event)
{
	uint8_t bit = (uint8_t)(1u << (event - DW_OVERDUE));
	bool new = !(sent->reminded & bit);
	sent->reminded |= bit;
	return new;
}

int reminder_keep(struct store *store, const struct dw_report *report)
{
	uint8_t name[NAME_SIZE], row[ROW_MAX];
	if (report->recipient.len > NAME_BYTES_MAX)
		return -EINVAL;
	uint8_t *p = field_put_number(row, report->event, 1);
	p = field_put_number(p, report->sequence, 8);
	p = field_put_number(p, report->at_ms, 8);
	p = field_put(p, report->recipient);
	return store_put(store, STORE_META, name_of(report->message_id, name),
		BYTES(row, (size_t)(p - row)));
}

int reminder_tell(
	struct store *store, const struct reporter *reporter, const struct dw_report *report)
{
	uint8_t name[NAME_SIZE], copy[ROW_MAX];
	struct dw_report reminder = *report;
	struct bytes row;
	int r = store_get(store, STORE_META, name_of(report->message_id, name), &row);
	if (r)
		return r > 0 ? 0 : r;
	if (row.len > sizeof(copy))
		return -EBADMSG;
	/* What is told may submit, and a view dies with the first write. */
	memcpy(copy, row.data, row.len);
	struct field_reader reader = {.left = BYTES(copy, row.len)};
	reminder.event = (enum dw_event)field_number(&reader, 1);
	reminder.sequence = field_number(&reader, 8);
	reminder.at_ms = field_number(&reader, 8);
	if (reader.bad)
		return -EBADMSG;
	reminder.recipient = reader.left;
	r = reporter_tell(reporter, &reminder);
	return r ? r : reminder_drop(store, report->message_id);
}

int reminder_drop(struct store *store, const uint8_t message_id[UUID_SIZE])
{
	uint8_t name[NAME_SIZE];
	return store_delete(store, STORE_META, name_of(message_id, name));
}
