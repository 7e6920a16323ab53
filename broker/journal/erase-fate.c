/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What survives its day: what somebody still has to get, what is under legal hold, and the content of cases in
 * which a message is under way, as long as the records of that class are kept. The bus cannot know more of a
 * case than that: whether an application was decided is sealed, and stands in the agencies' own files.
 *
 * Most rows need not be opened for that: without holds and open cases only their number matters.
 */
#include "broker/journal/erase.h"

#include <errno.h>
#include <string.h>

#include "broker/journal/reader.h"
#include "proto/base/clock.h"
#include "proto/envelope/envelope.h"

int erase_holds_any(struct state *state, bool *ret)
{
	struct bytes key, value;
	int r = state_seek(state, STATE_HOLD, BYTES("", 0), &key, &value);
	*ret = r == 0;
	return r < 0 ? r : 0;
}

static int is_held(const struct erase_view *view, struct bytes case_id, bool *ret)
{
	struct bytes value;
	*ret = false;
	if (case_id.len != CASE_ID_BYTES)
		return 0;
	int r = state_get(view->state, STATE_HOLD, case_id, &value);
	*ret = r == 0;
	return r < 0 ? r : 0;
}

/* The case id in a header; empty when there is none to read. */
static int case_in(struct arena *arena, const Dienstweg__Row *row, struct bytes *ret)
{
	Dienstweg__Header *header;
	const char *field;
	*ret = BYTES(NULL, 0);
	int r = envelope_header_parse(arena, BYTES_PB(row->original), &header, &field);
	if (r == 0)
		*ret = BYTES_PB(header->case_id);
	return r < 0 ? r : 0;
}

static bool is_message(uint8_t kind)
{
	return kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED ||
	       kind == DIENSTWEG__ENTRY_KIND__ENTRY_REFUSED;
}

int erase_case_of(const struct record_source *source, uint64_t sequence, struct arena *arena,
	uint8_t ret[CASE_ID_BYTES])
{
	Dienstweg__Row *row;
	struct stub stub;
	struct bytes id;
	int r = record_read(source, sequence, arena, &stub, &row);
	if (r)
		return r;
	if (!is_message(stub.kind))
		return READER_NOT_FOUND;
	r = case_in(arena, row, &id);
	if (r == 0 && id.len != CASE_ID_BYTES)
		r = READER_NOT_FOUND;
	if (r == 0)
		memcpy(ret, id.data, CASE_ID_BYTES);
	return r;
}

/* Is the case of an earlier message held? One whose record is gone is not. */
static int is_message_held(const struct erase_view *view, uint64_t sequence, bool *ret)
{
	uint8_t id[CASE_ID_BYTES];
	*ret = false;
	int r = erase_case_of(&view->source, sequence, view->arena, id);
	if (r)
		return r < 0 ? r : 0;
	return is_held(view, BYTES(id, sizeof(id)), ret);
}

/* Of an entry about several messages, one that is held is enough. */
static int is_any_held(const struct erase_view *view, const struct stub *stub,
	const Dienstweg__Row *row, bool *ret)
{
	Dienstweg__Decision *decision;
	int r = journal_row_decision(row, view->arena, &decision);
	if (r)
		return r < 0 ? r : 0;
	if (decision->case_id.len > 0) /* a hold is kept as long as it holds */
		return is_held(view, BYTES_PB(decision->case_id), ret);
	for (size_t i = 0; r == 0 && !*ret && i < decision->n_affected; i++)
		r = is_message_held(view, decision->affected[i]->sequence, ret);
	if (r || *ret || stub->kind != DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED)
		return r;
	const Dienstweg__AckBatch *batch = dienstweg__ack_batch__unpack(
		arena_allocator(view->arena), row->original.len, row->original.data);
	for (size_t i = 0; batch && r == 0 && !*ret && i < batch->n_acks; i++)
		r = is_message_held(view, batch->acks[i]->sequence, ret);
	return r;
}

static bool is_within_maximum(
	const struct erase_view *view, const struct erase_row *row, const Dienstweg__Row *record)
{
	struct disclosed disclosed;
	if (disclosed_decode(BYTES_PB(record->disclosed), &disclosed))
		return false;
	return view->today <= clock_day(disclosed.batch_ms) + view->record_days[row->class];
}

static int judge_message(const struct erase_view *view, const struct erase_row *row,
	const Dienstweg__Row *record, enum erase_fate *ret)
{
	struct bytes id;
	bool held;
	int r = case_in(view->arena, record, &id);
	if (r == 0)
		r = is_held(view, id, &held);
	if (r)
		return r;
	if (held)
		*ret = ERASE_FATE_HELD;
	else if (!view->plan->by_instruction && row->table == SEAL_CONTENT &&
		 waiting_has_case(view->waiting, id) && is_within_maximum(view, row, record))
		*ret = ERASE_FATE_OPEN;
	return 0;
}

static int judge_opened(
	const struct erase_view *view, const struct erase_row *row, enum erase_fate *ret)
{
	Dienstweg__Row *record;
	struct stub stub;
	bool held = false;
	arena_reset(view->arena);
	int r = record_read(&view->source, row->sequence, view->arena, &stub, &record);
	if (r) /* what cannot be read tells of no case, and its day has come */
		return r < 0 ? r : 0;
	if (is_message(stub.kind))
		return judge_message(view, row, record, ret);
	r = is_any_held(view, &stub, record, &held);
	if (r == 0 && held)
		*ret = ERASE_FATE_HELD;
	return r;
}

/* ... by one of the instructions that this run names: others may stand under the same keys. */
static int is_instructed(const struct erase_view *view, uint64_t sequence, bool *ret)
{
	const struct erase_plan *plan = view->plan;
	struct key key = key_u64(sequence);
	struct bytes value;
	int r = db_get(view->source.txn, view->source.tables->instructed, KEY_BYTES_OF(key), &value);
	*ret = false;
	for (size_t i = 0; r == 0 && i < plan->instructions_count && !*ret; i++)
		*ret = bytes_equal(value, BYTES(plan->instructions[i], HASH_SIZE));
	return r < 0 ? r : 0;
}

int erase_fate(const struct erase_view *view, const struct erase_row *row, enum erase_fate *ret)
{
	bool instructed = true;
	*ret = ERASE_FATE_ERASE;
	if (view->plan->by_instruction) {
		int r = is_instructed(view, row->sequence, &instructed);
		if (r)
			return r;
	}
	if (!instructed)
		*ret = ERASE_FATE_OTHER;
	else if (waiting_has_entry(view->waiting, row->sequence) ||
		 (row->table == SEAL_RECORD && waiting_has_record(view->waiting, row->sequence)))
		*ret = ERASE_FATE_WAITING;
	else if (view->holds || (row->table == SEAL_CONTENT && !view->plan->by_instruction &&
					waiting_any(view->waiting)))
		return judge_opened(view, row, ret);
	return 0;
}
