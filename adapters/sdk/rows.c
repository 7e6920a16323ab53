/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Flat rows instead of protobuf: header, signature core and content are sent from the map of the database
 * without being copied, and a row is decoded for every receipt. Whatever a damaged
 * file holds, no length is believed beyond what the protocol allows.
 */
#include "adapters/sdk/rows.h"

#include <assert.h>
#include <errno.h>

#include "adapters/sdk/fields.h"

static struct field_reader reader_of(struct bytes value)
{
	struct field_reader reader = {.left = value};
	if (field_number(&reader, 1) != ROW_FORM)
		reader.bad = true;
	return reader;
}

/* ---- outbox ---- */

enum { OUTBOX_SEALED = 1, OUTBOX_CHUNKED = 2, OUTBOX_BARE = 4, OUTBOX_ATTACHED = 8 };

size_t outbox_row_size(struct outbox_row *row)
{
	/* The same answer before and after it is signed: large parts are stored before. */
	size_t small = OUTBOX_ROW_FIXED + row->header.len;
	size_t large = row->content.len + row->body.len;
	return outbox_row_size_as(row, small + SIGNATURE_CORE_MAX + large > ROW_INLINE_MAX);
}

size_t outbox_row_size_as(struct outbox_row *row, bool chunked)
{
	size_t size = OUTBOX_ROW_FIXED + row->header.len + row->core.len;
	row->chunked = chunked;
	return chunked ? size : size + row->content.len + row->body.len;
}

void outbox_row_encode(const struct outbox_row *row, uint8_t *buf)
{
	uint8_t flags = (uint8_t)((row->sealed ? OUTBOX_SEALED : 0) |
				  (row->chunked ? OUTBOX_CHUNKED : 0) |
				  (row->bare ? OUTBOX_BARE : 0) |
				  (row->attached ? OUTBOX_ATTACHED : 0));
	uint8_t *p = field_put_number(buf, ROW_FORM, 1);
	p = field_put_number(p, flags, 1);
	p = field_put_number(p, row->header.len, 2);
	p = field_put_number(p, row->core.len, 2);
	p = field_put_number(p, row->content.len, 4);
	p = field_put_number(p, row->body.len, 4);
	p = field_put(p, BYTES(row->message_id, UUID_SIZE));
	p = field_put(p, BYTES(row->case_id, CASE_ID_SIZE));
	p = field_put_number(p, row->place, 8);
	p = field_put(p, row->header);
	p = field_put(p, row->core);
	if (row->chunked)
		return;
	p = field_put(p, row->content);
	field_put(p, row->body);
}

int outbox_row_decode(struct bytes value, struct outbox_row *ret)
{
	struct field_reader reader = reader_of(value);
	uint64_t flags = field_number(&reader, 1);
	size_t header = (size_t)field_number(&reader, 2), core = (size_t)field_number(&reader, 2);
	size_t content = (size_t)field_number(&reader, 4), body = (size_t)field_number(&reader, 4);
	ret->sealed = flags & OUTBOX_SEALED;
	ret->chunked = flags & OUTBOX_CHUNKED;
	ret->bare = flags & OUTBOX_BARE;
	ret->attached = flags & OUTBOX_ATTACHED;
	field_copy(&reader, ret->message_id, UUID_SIZE);
	field_copy(&reader, ret->case_id, CASE_ID_SIZE);
	ret->place = field_number(&reader, 8);
	ret->header = field_take(&reader, header);
	ret->core = field_take(&reader, core);
	if (content > CONTENT_BYTES_MAX || body > CONTENT_BYTES_MAX)
		return -EBADMSG;
	ret->content = ret->chunked ? BYTES(NULL, content) : field_take(&reader, content);
	ret->body = ret->chunked ? BYTES(NULL, body) : field_take(&reader, body);
	return field_end(&reader);
}

/* ---- sent ---- */

enum { SENT_FLAG_ENDED = 1, SENT_FLAG_AGAIN = 2, SENT_REMINDED_SHIFT = 2 };

size_t sent_row_encode(const struct sent_row *row, uint8_t buf[SENT_ROW_MAX])
{
	assert(row->sender.len <= NAME_BYTES_MAX && row->service.len <= NAME_BYTES_MAX &&
		row->key.len <= ROW_KEY_MAX);
	uint8_t *p = field_put_number(buf, ROW_FORM, 1);
	p = field_put_number(p, row->state, 1);
	p = field_put_number(p,
		(row->ended ? SENT_FLAG_ENDED : 0u) | (row->again ? SENT_FLAG_AGAIN : 0u) |
			(unsigned)row->reminded << SENT_REMINDED_SHIFT,
		1);
	p = field_put_number(p, row->number, 8);
	p = field_put(p, BYTES(row->h, HASH_SIZE));
	p = field_put_number(p, row->sequence, 8);
	p = field_put_number(p, row->at_ms, 8);
	p = field_put(p, BYTES(row->case_id, CASE_ID_SIZE));
	p = field_put_number(p, row->sender.len, 1);
	p = field_put_number(p, row->service.len, 1);
	p = field_put_number(p, row->key.len, 1);
	p = field_put(p, row->sender);
	p = field_put(p, row->service);
	p = field_put(p, row->key);
	return (size_t)(p - buf);
}

int sent_row_decode(struct bytes value, struct sent_row *ret)
{
	struct field_reader reader = reader_of(value);
	ret->state = (enum sent_state)field_number(&reader, 1);
	uint64_t flags = field_number(&reader, 1);
	ret->ended = flags & SENT_FLAG_ENDED;
	ret->again = flags & SENT_FLAG_AGAIN;
	ret->reminded = (uint8_t)(flags >> SENT_REMINDED_SHIFT);
	ret->number = field_number(&reader, 8);
	field_copy(&reader, ret->h, HASH_SIZE);
	ret->sequence = field_number(&reader, 8);
	ret->at_ms = field_number(&reader, 8);
	field_copy(&reader, ret->case_id, CASE_ID_SIZE);
	size_t sender = (size_t)field_number(&reader, 1), service = (size_t)field_number(&reader, 1);
	size_t key = (size_t)field_number(&reader, 1);
	ret->sender = field_take(&reader, sender);
	ret->service = field_take(&reader, service);
	ret->key = field_take(&reader, key);
	if (sender > NAME_BYTES_MAX || service > NAME_BYTES_MAX || key > ROW_KEY_MAX ||
		ret->state < SENT_WAITING || ret->state > SENT_REFUSED)
		return -EBADMSG;
	return field_end(&reader);
}

/* ---- inbox ---- */

size_t inbox_row_encode(const struct inbox_row *row, uint8_t buf[INBOX_ROW_MAX])
{
	assert(row->code.len <= 63 && row->text.len <= 255);
	uint8_t *p = field_put_number(buf, ROW_FORM, 1);
	p = field_put_number(p, row->accepted, 1);
	p = field_put_number(p, row->sequence, 8);
	p = field_put_number(p, row->code.len, 1);
	p = field_put_number(p, row->text.len, 1);
	p = field_put(p, row->code);
	p = field_put(p, row->text);
	return (size_t)(p - buf);
}

int inbox_row_decode(struct bytes value, struct inbox_row *ret)
{
	struct field_reader reader = reader_of(value);
	ret->accepted = field_number(&reader, 1);
	ret->sequence = field_number(&reader, 8);
	size_t code = (size_t)field_number(&reader, 1), text = (size_t)field_number(&reader, 1);
	ret->code = field_take(&reader, code);
	ret->text = field_take(&reader, text);
	return field_end(&reader);
}

/* ---- keys ---- */

struct bytes inbox_key(
	const uint8_t h[HASH_SIZE], struct bytes recipient, uint8_t buf[INBOX_KEY_MAX])
{
	assert(recipient.len <= NAME_BYTES_MAX);
	field_put(field_put(buf, BYTES(h, HASH_SIZE)), recipient);
	return BYTES(buf, HASH_SIZE + recipient.len);
}

struct bytes taken_key(const uint8_t message_id[UUID_SIZE], const uint8_t h[HASH_SIZE],
	struct bytes recipient, uint8_t buf[TAKEN_KEY_MAX])
{
	struct bytes rest = inbox_key(h, recipient, field_put(buf, BYTES(message_id, UUID_SIZE)));
	return BYTES(buf, UUID_SIZE + rest.len);
}

struct bytes by_key_key(struct bytes sender, struct bytes key, uint8_t buf[BY_KEY_MAX])
{
	assert(sender.len <= NAME_BYTES_MAX && key.len <= ROW_KEY_MAX);
	uint8_t *p = field_put(buf, sender);
	*p++ = 0;
	p = field_put(p, key);
	return BYTES(buf, (size_t)(p - buf));
}
