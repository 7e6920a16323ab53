/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The entries of a period, once, in order. What they made of `seen` and `end` is looked up where it should be, so
 * that a digest is of the table and not of the entries over again: a row that is not there, or belongs to
 * another entry, is not hashed.
 *
 * Counts are by day, agreement, service, channel and what became of it. An end needs the message that it ended,
 * which may be years older: where that one can no longer be read, the end is counted under no agreement.
 */
#include <errno.h>

#include "broker/journal/state-maker.h"
#include "broker/routing/rules.h"
#include "proto/base/clock.h"
#include "proto/envelope/envelope.h"
#include "proto/frame.pb-c.h"

enum {
	WALK_ARENA = 8 << 20, /* of two entries, opened */
	SLICE_ENTRIES = 256,
};

struct walker {
	struct state_maker *maker;
	struct arena *arena; /* of the entry at hand */
	uint64_t sequence;
	struct disclosed disclosed;
	const Dienstweg__Row *row;
	const Dienstweg__Decision *decision;
};

/* ---- counts ---- */

static int compare_bytes(ProtobufCBinaryData a, ProtobufCBinaryData b)
{
	return bytes_compare(BYTES_PB(a), BYTES_PB(b));
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_tallies(const Dienstweg__StateTally *a, const Dienstweg__StateTally *b)
{
	int order = compare_numbers(a->day, b->day);
	if (order == 0)
		order = compare_bytes(a->agreement, b->agreement);
	if (order == 0)
		order = compare_bytes(a->service, b->service);
	if (order == 0)
		order = compare_numbers(a->channel, b->channel);
	return order ? order : compare_numbers((uint64_t)a->status, (uint64_t)b->status);
}

/* Where it is, or belongs. */
static size_t find_tally(
	const Dienstweg__State *state, const Dienstweg__StateTally *wanted, bool *ret)
{
	size_t low = 0, high = state->n_tallies;
	*ret = false;
	while (low < high && !*ret) {
		size_t middle = low + (high - low) / 2;
		int order = compare_tallies(state->tallies[middle], wanted);
		if (order < 0)
			low = middle + 1;
		else if (order > 0)
			high = middle;
		else
			low = middle, *ret = true;
	}
	return low;
}

static int keep(struct arena *arena, ProtobufCBinaryData *field)
{
	struct bytes copy;
	int r = arena_copy(arena, BYTES_PB(*field), &copy);
	if (r == 0)
		field->data = (uint8_t *)(uintptr_t)copy.data;
	return r;
}

static int insert_tally(struct state_maker *maker, size_t at, const Dienstweg__StateTally *tally)
{
	Dienstweg__State *state = &maker->state;
	Dienstweg__StateTally *copy = arena_alloc(maker->arena, sizeof(*copy));
	state->tallies = state_grow(
		maker->arena, state->tallies, state->n_tallies, sizeof(*state->tallies));
	if (!copy || !state->tallies)
		return -ENOMEM;
	*copy = *tally;
	copy->count = 1;
	int r = keep(maker->arena, &copy->agreement);
	if (r == 0)
		r = keep(maker->arena, &copy->service);
	if (r)
		return r;
	memmove(state->tallies + at + 1, state->tallies + at,
		(state->n_tallies - at) * sizeof(*state->tallies));
	state->tallies[at] = copy;
	state->n_tallies++;
	return 0;
}

static int count(struct walker *walker, const Dienstweg__Header *header,
	ProtobufCBinaryData agreement, Dienstweg__TallyStatus status)
{
	struct state_maker *maker = walker->maker;
	Dienstweg__StateTally tally = DIENSTWEG__STATE_TALLY__INIT;
	bool found;
	tally.day = clock_day(walker->disclosed.batch_ms);
	tally.status = status;
	tally.agreement = agreement;
	if (header) {
		tally.channel = (uint32_t)header->channel;
		/* Of a refused message nobody looked at the service: it may be any text. */
		if (status != DIENSTWEG__TALLY_STATUS__TALLY_REFUSED)
			tally.service = header->service;
	}
	size_t at = find_tally(&maker->state, &tally, &found);
	if (!found)
		return insert_tally(maker, at, &tally);
	maker->state.tallies[at]->count++;
	return 0;
}

/* ---- rows ---- */

static int number_of(struct walker *walker, ProtobufCBinaryData name, uint32_t *ret)
{
	*ret = 0;
	if (name.len > NAME_BYTES_MAX)
		return 0;
	return rules_party_number(&walker->maker->source->store->state, BYTES_PB(name), ret);
}

/* A row that the entry at hand made. */
static void digest_row(
	struct walker *walker, enum state_table table, struct bytes key, struct bytes value)
{
	state_digest_row(walker->maker, table, key, value,
		walker->maker->cut->rules < 1 ? BYTES(NULL, 0) : BYTES_PB(walker->row->secret));
}

static int take_seen(struct walker *walker, const Dienstweg__Header *header)
{
	uint8_t key[SEEN_KEY_SIZE];
	struct seen_row row;
	struct bytes value;
	uint32_t sender;
	int r = number_of(walker, header->sender, &sender);
	if (r || header->message_id.len != UUID_SIZE)
		return r;
	seen_key_encode(header->message_id.data, sender, key);
	r = state_get(
		&walker->maker->source->store->state, STATE_SEEN, BYTES(key, sizeof(key)), &value);
	if (r)
		return r == STATE_NOT_FOUND ? 0 : r;
	if (seen_row_decode(value, &row) == 0 && row.sequence == walker->sequence)
		digest_row(walker, STATE_SEEN, BYTES(key, sizeof(key)), value);
	return 0;
}

static int take_end(struct walker *walker, uint64_t message, uint32_t recipient)
{
	uint8_t key[END_KEY_SIZE], counted[END_ROW_SIZE];
	struct end_row row;
	struct bytes value;
	end_key_encode(message, recipient, key);
	int r = state_get(
		&walker->maker->source->store->state, STATE_END, BYTES(key, sizeof(key)), &value);
	if (r)
		return r == STATE_NOT_FOUND ? 0 : r;
	if (end_row_decode(value, &row) || !end_state_is_end(row.state) ||
		row.entry != walker->sequence)
		return 0;
	row.heard = false; /* that may come years later */
	end_row_encode(&row, counted);
	digest_row(walker, STATE_END, BYTES(key, sizeof(key)), BYTES(counted, sizeof(counted)));
	return 0;
}

/* ---- entries ---- */

static int take_header(struct walker *walker, struct bytes bytes, Dienstweg__Header **ret)
{
	const char *field;
	int r = envelope_header_parse(walker->arena, bytes, ret, &field);
	if (r > 0)
		*ret = NULL;
	return r < 0 ? r : 0;
}

static int take_message(struct walker *walker, Dienstweg__TallyStatus status)
{
	const ProtobufCBinaryData none = {};
	Dienstweg__Header *header;
	int r = take_header(walker, BYTES_PB(walker->row->original), &header);
	if (r)
		return r;
	bool accepted = status == DIENSTWEG__TALLY_STATUS__TALLY_RECORDED;
	r = count(walker, header, accepted ? walker->decision->agreement : none, status);
	return r || !header ? r : take_seen(walker, header);
}

/* A message ended for a recipient. */
static int take_ending(
	struct walker *walker, uint64_t message, uint32_t recipient, Dienstweg__TallyStatus status)
{
	const ProtobufCBinaryData none = {};
	struct journal_reader *reader = walker->maker->source->reader;
	Dienstweg__Header *header = NULL;
	Dienstweg__Decision *decision = NULL;
	Dienstweg__Row *row;
	int r = journal_read_row(reader, message, walker->arena, &row);
	if (r == 0)
		r = journal_row_decision(row, walker->arena, &decision);
	if (r == 0)
		r = take_header(walker, BYTES_PB(row->original), &header);
	if (r < 0)
		return r;
	r = count(walker, header, header ? decision->agreement : none, status);
	return r ? r : take_end(walker, message, recipient);
}

static int take_acknowledged(struct walker *walker)
{
	const Dienstweg__Decision *decision = walker->decision;
	ProtobufCBinaryData original = walker->row->original;
	Dienstweg__AckBatch *batch = dienstweg__ack_batch__unpack(
		arena_allocator(walker->arena), original.len, original.data);
	uint32_t recipient;
	if (!batch || batch->n_acks != decision->n_verdicts)
		return -EBADMSG;
	int r = number_of(walker, batch->recipient, &recipient);
	for (size_t i = 0; r == 0 && i < batch->n_acks; i++)
		if (decision->verdicts[i] == DIENSTWEG__ACK_VERDICT__ACK_CLOSED)
			r = take_ending(walker, batch->acks[i]->sequence, recipient,
				batch->acks[i]->accepted ? DIENSTWEG__TALLY_STATUS__TALLY_ACCEPTED
							 : DIENSTWEG__TALLY_STATUS__TALLY_REJECTED);
	return r;
}

static int take_affected(struct walker *walker, Dienstweg__TallyStatus status)
{
	const Dienstweg__Decision *decision = walker->decision;
	int r = 0;
	for (size_t i = 0; r == 0 && i < decision->n_affected; i++) {
		uint32_t recipient;
		r = number_of(walker, decision->affected[i]->party, &recipient);
		if (r == 0)
			r = take_ending(walker, decision->affected[i]->sequence, recipient, status);
	}
	return r;
}

static int take_opened(struct walker *walker)
{
	switch (walker->disclosed.kind) {
	case DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED:
		return take_message(walker, DIENSTWEG__TALLY_STATUS__TALLY_RECORDED);
	case DIENSTWEG__ENTRY_KIND__ENTRY_REFUSED:
		return take_message(walker, DIENSTWEG__TALLY_STATUS__TALLY_REFUSED);
	case DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED:
		return take_acknowledged(walker);
	case DIENSTWEG__ENTRY_KIND__ENTRY_EXPIRED:
		return take_affected(walker, DIENSTWEG__TALLY_STATUS__TALLY_EXPIRED);
	case DIENSTWEG__ENTRY_KIND__ENTRY_CANCELLED:
		return take_affected(walker, DIENSTWEG__TALLY_STATUS__TALLY_CANCELLED);
	case DIENSTWEG__ENTRY_KIND__ENTRY_DISCARDED:
		return take_affected(walker, DIENSTWEG__TALLY_STATUS__TALLY_DISCARDED);
	default:
		return 0;
	}
}

static bool has_figures(uint8_t kind)
{
	switch (kind) {
	case DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED:
	case DIENSTWEG__ENTRY_KIND__ENTRY_REFUSED:
	case DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED:
	case DIENSTWEG__ENTRY_KIND__ENTRY_EXPIRED:
	case DIENSTWEG__ENTRY_KIND__ENTRY_CANCELLED:
	case DIENSTWEG__ENTRY_KIND__ENTRY_DISCARDED:
		return true;
	default:
		return false;
	}
}

/* So that one which is taken out of a pruned journal, to the last row, is missed. */
static int take_permanent(struct walker *walker)
{
	struct state_maker *maker = walker->maker;
	Dienstweg__State *state = &maker->state;
	if (maker->cut->rules < 1)
		return 0;
	state->permanent = state_grow(
		maker->arena, state->permanent, state->n_permanent, sizeof(*state->permanent));
	if (!state->permanent)
		return -ENOMEM;
	state->permanent[state->n_permanent++] = walker->sequence - maker->permanent;
	maker->permanent = walker->sequence;
	return 0;
}

static int take_entry(struct walker *walker)
{
	struct journal_reader *reader = walker->maker->source->reader;
	Dienstweg__Decision *decision;
	Dienstweg__Row *row;
	struct stub stub;
	arena_reset(walker->arena);
	int r = journal_read_stub(reader, walker->sequence, &stub);
	if (r == 0 && stub.class == 0)
		return take_permanent(walker);
	if (r == 0 && !has_figures(stub.kind))
		return 0;
	if (r == 0)
		r = journal_read_row(reader, walker->sequence, walker->arena, &row);
	if (r == 0)
		r = journal_row_decision(row, walker->arena, &decision);
	if (r == 0 && disclosed_decode(BYTES_PB(row->disclosed), &walker->disclosed))
		r = READER_DAMAGED;
	if (r > 0)
		walker->maker->state.unread++;
	if (r)
		return r < 0 ? r : 0;
	walker->row = row;
	walker->decision = decision;
	return take_opened(walker);
}

int state_period_walk(struct state_maker *maker)
{
	const struct state_source *source = maker->source;
	_cleanup_(arena_free) struct arena *arena = arena_new(WALK_ARENA);
	struct walker walker = {.maker = maker, .arena = arena, .sequence = maker->cut->from};
	int r = arena ? source->breathe(source->context) : -ENOMEM;
	for (; r == 0 && walker.sequence < maker->cut->size; walker.sequence++) {
		if (walker.sequence % SLICE_ENTRIES == 0)
			r = source->breathe(source->context);
		if (r == 0)
			r = take_entry(&walker);
	}
	return r;
}
