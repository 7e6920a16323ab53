/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Numbers are given locally and only rise, so new rows are appended at the end of the table and sending in
 * order is walking it. The next number is stored, not derived from the last row: an empty outbox must not
 * begin with 1 again while rows of `sent` remember other messages under those numbers.
 */
#include "adapters/sdk/outbox.h"

#include <errno.h>

static struct bytes number_key(uint8_t key[8], uint64_t number)
{
	be64_put(key, number);
	return BYTES(key, 8);
}

static uint64_t row_bytes(const struct outbox_row *row)
{
	return row->header.len + row->content.len;
}

static int count_one(void *context, uint64_t number, const struct outbox_row *row)
{
	struct outbox *outbox = context;
	outbox->count++;
	outbox->bytes += row_bytes(row);
	if (number >= outbox->next)
		outbox->next = number + 1;
	return 0;
}

int outbox_open(struct outbox *outbox, struct store *store)
{
	struct bytes next;
	*outbox = (struct outbox){.store = store, .next = 1};
	int r = store_get(store, STORE_META, BYTES_STR("outbox next"), &next);
	if (r == 0 && next.len != 8)
		return -EBADMSG;
	if (r == 0)
		outbox->next = be64_get(next.data);
	return r < 0 ? r : outbox_scan(outbox, 0, count_one, outbox);
}

uint64_t outbox_number(struct outbox *outbox)
{
	return outbox->next++;
}

int outbox_put_large(struct outbox *outbox, uint64_t number, const struct outbox_row *row)
{
	if (!row->chunked)
		return 0;
	int r = store_chunks_put(outbox->store, number, STORE_PART_CONTENT, row->content);
	return r ? r : store_chunks_put(outbox->store, number, STORE_PART_BODY, row->body);
}

static int row_write(struct outbox *outbox, uint64_t number, struct outbox_row *row, bool append)
{
	uint8_t key[8], buf[ROW_INLINE_MAX];
	size_t size = row->bare ? outbox_row_size_as(row, row->chunked) : outbox_row_size(row);
	struct bytes value = BYTES(buf, size);
	if (size > sizeof(buf))
		return -EMSGSIZE; /* header, core and nothing else never are that large */
	outbox_row_encode(row, buf);
	return append ? store_append(outbox->store, STORE_OUTBOX, number_key(key, number), value)
		      : store_put(outbox->store, STORE_OUTBOX, number_key(key, number), value);
}

int outbox_put(struct outbox *outbox, uint64_t number, struct outbox_row *row)
{
	int r = row_write(outbox, number, row, true);
	if (r)
		return r;
	outbox->count++;
	outbox->bytes += row_bytes(row);
	return 0;
}

int outbox_save(struct outbox *outbox)
{
	uint8_t next[8];
	be64_put(next, outbox->next);
	return store_put(outbox->store, STORE_META, BYTES_STR("outbox next"), BYTES(next, 8));
}

int outbox_get(struct outbox *outbox, uint64_t number, struct outbox_row *ret)
{
	uint8_t key[8];
	struct bytes value;
	int r = store_get(outbox->store, STORE_OUTBOX, number_key(key, number), &value);
	return r ? r : outbox_row_decode(value, ret);
}

int outbox_load_content(
	struct outbox *outbox, uint64_t number, struct arena *arena, struct outbox_row *row)
{
	if (!row->chunked)
		return 0;
	return store_chunks_get(
		outbox->store, number, STORE_PART_CONTENT, row->content.len, arena, &row->content);
}

int outbox_load_body(
	struct outbox *outbox, uint64_t number, struct arena *arena, struct outbox_row *row)
{
	if (!row->chunked)
		return 0;
	return store_chunks_get(
		outbox->store, number, STORE_PART_BODY, row->body.len, arena, &row->body);
}

static int large_delete(struct outbox *outbox, uint64_t number, const struct outbox_row *row)
{
	if (!row->chunked)
		return 0;
	int r = store_chunks_delete(outbox->store, number, STORE_PART_CONTENT, row->content.len);
	return r ? r : store_chunks_delete(outbox->store, number, STORE_PART_BODY, row->body.len);
}

static int row_remove(struct outbox *outbox, uint64_t number, uint64_t bytes)
{
	uint8_t key[8];
	int r = store_delete(outbox->store, STORE_OUTBOX, number_key(key, number));
	if (r)
		return r;
	outbox->count--;
	outbox->bytes -= bytes;
	return 0;
}

int outbox_remove(struct outbox *outbox, uint64_t number, const struct outbox_row *row)
{
	uint64_t bytes = row_bytes(row);
	int r = large_delete(outbox, number, row);
	return r ? r : row_remove(outbox, number, bytes);
}

int outbox_take(struct outbox *outbox, uint64_t number, const struct outbox_row *row)
{
	uint64_t bytes = row_bytes(row);
	int r = row->chunked
			? store_chunks_delete(outbox->store, number, STORE_PART_BODY, row->body.len)
			: 0;
	return r ? r : row_remove(outbox, number, bytes);
}

int outbox_restore(struct outbox *outbox, uint64_t number, struct outbox_row *row)
{
	int r = row_write(outbox, number, row, false);
	if (r)
		return r;
	outbox->count++;
	outbox->bytes += row_bytes(row);
	return 0;
}

int outbox_replace(struct outbox *outbox, uint64_t number, const struct outbox_row *old,
	struct outbox_row *row)
{
	uint64_t bytes = row_bytes(old);
	int r = large_delete(outbox, number, old);
	(void)(row->bare ? outbox_row_size_as(row, row->chunked) : outbox_row_size(row));
	if (r == 0)
		r = outbox_put_large(outbox, number, row);
	if (r == 0)
		r = row_write(outbox, number, row, false);
	if (r)
		return r;
	outbox->bytes += row_bytes(row) - bytes;
	return 0;
}

struct scan {
	int (*visit)(void *context, uint64_t number, const struct outbox_row *row);
	void *context;
};

static int scan_one(void *context, struct bytes key, struct bytes value)
{
	const struct scan *scan = context;
	struct outbox_row row;
	int r = outbox_row_decode(value, &row);
	if (r || key.len != 8)
		return -EBADMSG;
	return scan->visit(scan->context, be64_get(key.data), &row);
}

int outbox_scan(struct outbox *outbox, uint64_t from,
	int (*visit)(void *context, uint64_t number, const struct outbox_row *row), void *context)
{
	uint8_t key[8];
	struct scan scan = {.visit = visit, .context = context};
	return store_scan(outbox->store, STORE_OUTBOX, number_key(key, from), scan_one, &scan);
}

static int oldest_one(void *context, uint64_t number, const struct outbox_row *row)
{
	uint64_t *ms = context;
	*ms = uuid_time_ms(row->message_id);
	return 1;
}

int outbox_oldest_ms(struct outbox *outbox, uint64_t *ret)
{
	int r = outbox_scan(outbox, 0, oldest_one, ret);
	return r > 0 ? 0 : r < 0 ? r : STORE_NOT_FOUND;
}
