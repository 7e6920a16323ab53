/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Age decides, not only the outcome: what matters is whether the copy that a bus is restored from has the message,
 * and a message of last week is in every copy of this week, whether it has ended or not, while one that ended five
 * minutes ago may be in none. A sender cannot tell how many recipients an event has, so events go by age alone. What its
 * sender took back is not sent again.
 *
 * Numbers stay what they were, so what goes back into the outbox is sent in the order of old, before anything that was
 * submitted since. How far that has come stands in the store: a crash goes on from there.
 */
#include "adapters/sdk/again.h"

#include <assert.h>
#include <errno.h>

#include "adapters/sdk/evidence.h"
#include "adapters/sdk/fields.h"
#include "adapters/sdk/spool.h"
#include "proto/base/log.h"
#include "proto/frame.pb-c.h"

enum {
	FORM = 0,
	FIXED = 1 + 8 + 8, /* form, sequence, time of the receipt */
	STEP_MAX = 128,
	TIDY_STEP = 64,
	OVER_STEPS = 32, /* times STEP_MAX: beyond the bound, in one turn */
	MAP_SHARE = 4, /* of the store at most, however much is allowed: a full store stops everything */
	TIDY_PAUSE_MS = 60 * 1000,
	FULL_TELL_MS = 3600 * 1000,
	HEADER_ARENA = 1 << 16,
};

#define ROW_BYTES BYTES_STR("again bytes")
#define ROW_CROSS BYTES_STR("again from")

struct kept_row {
	uint64_t sequence, recorded_ms;
	struct outbox_row row; /* views */
};

static struct bytes number_key(uint8_t key[8], uint64_t number)
{
	be64_put(key, number);
	return BYTES(key, 8);
}

static uint64_t row_bytes(const struct outbox_row *row)
{
	return row->header.len + row->content.len;
}

static int kept_decode(struct bytes value, struct kept_row *ret)
{
	struct field_reader reader = {.left = value};
	uint64_t form = field_number(&reader, 1);
	ret->sequence = field_number(&reader, 8);
	ret->recorded_ms = field_number(&reader, 8);
	if (reader.bad || form != FORM)
		return -EBADMSG;
	return outbox_row_decode(reader.left, &ret->row);
}

static int kept_get(struct again *again, uint64_t number, struct kept_row *ret)
{
	uint8_t key[8];
	struct bytes value;
	int r = store_get(again->store, STORE_AGAIN, number_key(key, number), &value);
	if (r)
		return r < 0 ? r : -EBADMSG;
	return kept_decode(value, ret);
}

/* ---- keeping ---- */

int again_keep(struct again *again, uint64_t number, const struct outbox_row *row, uint64_t sequence)
{
	uint8_t key[8], buf[FIXED + ROW_INLINE_MAX];
	bool keep = again->bytes_max > 0;
	int r = keep ? outbox_take(again->outbox, number, row)
		     : outbox_remove(again->outbox, number, row);
	if (r == 0)
		r = spool_message(again->spool, row->header, keep ? SPOOL_RETAIN : SPOOL_DROP);
	if (r || !keep)
		return r;
	struct outbox_row bare = *row;
	bare.bare = true;
	bare.body = BYTES(NULL, 0);
	size_t len = outbox_row_size_as(&bare, row->chunked);
	assert(FIXED + len <= sizeof(buf));
	uint8_t *p = field_put_number(buf, FORM, 1);
	p = field_put_number(p, sequence, 8);
	p = field_put_number(p, clock_wall_ms(again->clock), 8);
	outbox_row_encode(&bare, p);
	again->bytes += row_bytes(row);
	again->changed = true;
	return store_put(
		again->store, STORE_AGAIN, number_key(key, number), BYTES(buf, FIXED + len));
}

/* The row goes; large content and attachments stay where they are when the message goes back into the outbox. */
static int kept_delete(struct again *again, uint64_t number, const struct kept_row *kept, bool all)
{
	uint8_t key[8];
	uint64_t bytes = row_bytes(&kept->row);
	int r = all ? spool_message(again->spool, kept->row.header, SPOOL_FORGET) : 0;
	if (r == 0 && all && kept->row.chunked)
		r = store_chunks_delete(
			again->store, number, STORE_PART_CONTENT, kept->row.content.len);
	if (r == 0)
		r = store_delete(again->store, STORE_AGAIN, number_key(key, number));
	again->bytes -= bytes < again->bytes ? bytes : again->bytes;
	again->changed = true;
	return r;
}

/* ---- going through them ---- */

struct visitor {
	int (*visit)(void *context, uint64_t number, const struct outbox_row *row);
	void *context;
};

static int visit_row(void *context, struct bytes key, struct bytes value)
{
	const struct visitor *visitor = context;
	struct kept_row kept;
	if (key.len != 8 || kept_decode(value, &kept))
		return -EBADMSG;
	return visitor->visit(visitor->context, be64_get(key.data), &kept.row);
}

int again_scan(struct store *store,
	int (*visit)(void *context, uint64_t number, const struct outbox_row *row), void *context)
{
	struct visitor visitor = {.visit = visit, .context = context};
	uint8_t key[8];
	return store_scan(store, STORE_AGAIN, number_key(key, 0), visit_row, &visitor);
}

struct batch {
	uint64_t numbers[STEP_MAX];
	size_t count, max;
	uint64_t end;
};

static int batch_add(void *context, struct bytes key, struct bytes value)
{
	struct batch *batch = context;
	if (key.len != 8)
		return -EBADMSG;
	if (batch->count == batch->max || be64_get(key.data) >= batch->end)
		return 1;
	batch->numbers[batch->count++] = be64_get(key.data);
	return 0;
}

/* The next numbers: a scan may not write, so they are noted first. */
static int batch_read(struct again *again, uint64_t from, struct batch *batch)
{
	uint8_t key[8];
	assert(batch->max <= STEP_MAX);
	int r = store_scan(again->store, STORE_AGAIN, number_key(key, from), batch_add, batch);
	return r < 0 ? r : 0;
}

/* ---- back into the outbox ---- */

static int cross_put(struct again *again)
{
	uint8_t row[3 * 8];
	if (!again->active)
		return store_delete(again->store, STORE_META, ROW_CROSS);
	be64_put(row, again->linked);
	be64_put(row + 8, again->next);
	be64_put(row + 16, again->end);
	return store_put(again->store, STORE_META, ROW_CROSS, BYTES(row, sizeof(row)));
}

/* A second loss before the first is over: what either may have lost. */
int again_cross(struct again *again, uint64_t linked)
{
	if (linked == UINT64_MAX && !again->active)
		return 0;
	again->linked = again->active && again->linked < linked ? again->linked : linked;
	again->active = true;
	again->next = 0;
	again->end = again->outbox->next;
	again->returned = 0;
	return cross_put(again);
}

/* It waits for a receipt again; which entry it was stays, until there is another. Return: as store_get(). */
static int sent_wait(struct again *again, const uint8_t id[UUID_SIZE])
{
	uint8_t buf[SENT_ROW_MAX];
	struct bytes value;
	struct sent_row sent;
	int r = store_get(again->store, STORE_SENT, BYTES(id, UUID_SIZE), &value);
	if (r == 0)
		r = sent_row_decode(value, &sent);
	if (r)
		return r;
	sent.state = SENT_WAITING;
	sent.again = true;
	size_t len = sent_row_encode(&sent, buf);
	return store_put(again->store, STORE_SENT, BYTES(id, UUID_SIZE), BYTES(buf, len));
}

static int is_event(struct bytes bytes, bool *ret)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(HEADER_ARENA);
	const char *field;
	Dienstweg__Header *header;
	int r = arena ? envelope_header_parse(arena, bytes, &header, &field) : -ENOMEM;
	*ret = r == 0 && header->kind == DIENSTWEG__KIND__KIND_EVENT;
	return r < 0 ? r : 0;
}

static int find_taken_back(void *context, const struct evidence_outcome *outcome)
{
	bool *taken_back = context;
	*taken_back |= bytes_equal(outcome->state, BYTES_STR("cancelled"));
	return 0;
}

/* Its sender was told that nobody gets it. Of an event that holds for some, and the others are to get it. */
static int was_taken_back(struct again *again, const struct kept_row *kept, bool *ret)
{
	bool event;
	*ret = false;
	int r = evidence_outcomes(again->store, kept->row.message_id, find_taken_back, ret);
	if (r || !*ret)
		return r;
	r = is_event(kept->row.header, &event);
	*ret = !event;
	return r;
}

static int put_back(struct again *again, uint64_t number)
{
	uint8_t buf[ROW_INLINE_MAX];
	struct kept_row kept;
	int r = kept_get(again, number, &kept);
	if (r || kept.sequence < again->linked)
		return r;
	bool taken_back;
	r = was_taken_back(again, &kept, &taken_back);
	if (r || taken_back)
		return r ? r : kept_delete(again, number, &kept, true);
	/* The views are of the row that goes. */
	size_t len = outbox_row_size_as(&kept.row, kept.row.chunked);
	outbox_row_encode(&kept.row, buf);
	r = sent_wait(again, kept.row.message_id);
	if (r == STORE_NOT_FOUND) /* so long ago that its evidence is forgotten */
		return kept_delete(again, number, &kept, true);
	if (r == 0)
		r = kept_delete(again, number, &kept, false);
	if (r == 0)
		r = outbox_row_decode(BYTES(buf, len), &kept.row);
	if (r == 0)
		r = outbox_restore(again->outbox, number, &kept.row);
	if (r == 0)
		r = spool_message(again->spool, kept.row.header, SPOOL_RETURN);
	again->returned++;
	return r;
}

int again_step(struct again *again, size_t max)
{
	struct batch batch = {.max = max < STEP_MAX ? max : STEP_MAX, .end = again->end};
	int r = batch_read(again, again->next, &batch);
	for (size_t i = 0; i < batch.count && r == 0; i++)
		r = put_back(again, batch.numbers[i]);
	if (r)
		return r;
	if (batch.count > 0)
		again->next = batch.numbers[batch.count - 1] + 1;
	again->active = batch.count == batch.max;
	if (!again->active)
		log_warn("outbox", "all that the bus may have lost is on its way again",
			F_U64("messages", again->returned));
	return cross_put(again);
}

uint64_t again_limit(const struct again *again)
{
	return again->active ? again->next : UINT64_MAX;
}

/* ---- forgetting ---- */

static int count_outcome(void *context, const struct evidence_outcome *outcome)
{
	(*(size_t *)context)++;
	return 0;
}

/* Old enough. Is it still open? */
static int judge(struct again *again, const struct kept_row *kept, bool *ret_forget)
{
	struct bytes value;
	size_t outcomes = 0;
	int r = store_get(again->store, STORE_SENT, BYTES(kept->row.message_id, UUID_SIZE), &value);
	*ret_forget = r == STORE_NOT_FOUND;
	if (r)
		return r < 0 ? r : 0;
	r = evidence_outcomes(again->store, kept->row.message_id, count_outcome, &outcomes);
	*ret_forget = outcomes > 0;
	return r || *ret_forget ? r : is_event(kept->row.header, ret_forget);
}

/* Return: 0, 1 when everything from this one on is too young, negative errno. */
static int tidy_one(struct again *again, uint64_t number, uint64_t now_ms)
{
	struct kept_row kept;
	bool forget;
	int r = kept_get(again, number, &kept);
	if (r)
		return r;
	if (kept.recorded_ms + again->keep_ms > now_ms)
		return 1;
	r = judge(again, &kept, &forget);
	return r || !forget ? r : kept_delete(again, number, &kept, true);
}

static int tidy_age(struct again *again)
{
	struct batch batch = {.max = TIDY_STEP, .end = UINT64_MAX};
	uint64_t now_ms = clock_wall_ms(again->clock);
	int r = batch_read(again, again->tidy_from, &batch);
	for (size_t i = 0; i < batch.count && r == 0; i++)
		r = tidy_one(again, batch.numbers[i], now_ms);
	if (r < 0)
		return r;
	again->tidy_from = r == 0 && batch.count == batch.max ? batch.numbers[batch.count - 1] + 1
							      : 0;
	if (again->tidy_from == 0)
		again->tidied_ns = clock_mono_ns(again->clock);
	return 0;
}

static void full_tell(struct again *again)
{
	uint64_t now_ns = clock_mono_ns(again->clock);
	if (again->told_ns && now_ns - again->told_ns < FULL_TELL_MS * UINT64_C(1000000))
		return;
	again->told_ns = now_ns;
	log_warn("outbox",
		"messages are kept for less than outbox.again, for there are more than "
		"outbox.again_bytes, or more attachments than attachments.bytes: should the bus "
		"lose its journal, they cannot be sent again",
		F_U64("bytes", again->bytes));
}

static bool is_over(const struct again *again)
{
	return again->bytes > again->bytes_max || spool_keeps_too_much(again->spool);
}

/* At least as fast as receipts come in: a turn brings no more than are in flight. */
static int tidy_some(struct again *again, size_t *ret_count)
{
	struct batch batch = {.max = STEP_MAX, .end = UINT64_MAX};
	struct kept_row kept;
	int r = batch_read(again, 0, &batch);
	*ret_count = batch.count;
	for (size_t i = 0; i < batch.count && r == 0 && is_over(again); i++) {
		r = kept_get(again, batch.numbers[i], &kept);
		if (r == 0)
			r = kept_delete(again, batch.numbers[i], &kept, true);
	}
	return r;
}

static int tidy_bytes(struct again *again)
{
	size_t count = 1;
	int r = 0;
	full_tell(again);
	for (size_t i = 0; i < OVER_STEPS && r == 0 && count > 0 && is_over(again); i++)
		r = tidy_some(again, &count);
	if (r == 0 && count == 0)
		again->bytes = 0;
	return r;
}

int again_tidy(struct again *again)
{
	uint64_t now_ns = clock_mono_ns(again->clock);
	int r = is_over(again) ? tidy_bytes(again) : 0;
	if (r || (again->tidied_ns && again->tidy_from == 0 &&
			 now_ns - again->tidied_ns < TIDY_PAUSE_MS * UINT64_C(1000000)))
		return r;
	return tidy_age(again);
}

/* ---- on disk ---- */

int again_save(struct again *again)
{
	uint8_t bytes[8];
	if (!again->changed)
		return 0;
	again->changed = false;
	be64_put(bytes, again->bytes);
	return store_put(again->store, STORE_META, ROW_BYTES, BYTES(bytes, sizeof(bytes)));
}

int again_open(struct again *again, const struct config_adapter *config, struct outbox *outbox,
	struct spool *spool, const struct clock *clock)
{
	struct bytes row;
	*again = (struct again){
		.store = outbox->store,
		.outbox = outbox,
		.spool = spool,
		.clock = clock,
		.keep_ms = config->outbox.again_ms,
		.bytes_max = config->outbox.again_bytes,
	};
	if (again->bytes_max > config->outbox.map_bytes / MAP_SHARE)
		again->bytes_max = config->outbox.map_bytes / MAP_SHARE;
	int r = store_get(again->store, STORE_META, ROW_BYTES, &row);
	if (r == 0 && row.len != 8)
		return -EBADMSG;
	if (r == 0)
		again->bytes = be64_get(row.data);
	if (r >= 0)
		r = store_get(again->store, STORE_META, ROW_CROSS, &row);
	if (r == 0 && row.len != 3 * 8)
		return -EBADMSG;
	if (r)
		return r < 0 ? r : 0;
	again->active = true;
	again->linked = be64_get(row.data);
	again->next = be64_get(row.data + 8);
	again->end = be64_get(row.data + 16);
	return 0;
}
