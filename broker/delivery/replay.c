/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * How a message ended for the party stands in `end`, so for who took part one look-up a message is enough and no record
 * is opened in vain. Events that a late subscriber never got have no row of its own anywhere: for these records are
 * opened, and only where its agreements subscribe to readable events at all. Each kind of look costs something, and
 * a stretch ends when it has cost enough: a party that asks for ten years does not stop those who ask for a day.
 *
 * Rights are asked of the very function that routed the message, with today's registry and today's date. So there
 * is no second rule of who may see what.
 */
#include "broker/delivery/replay.h"

#include <errno.h>

#include "broker/delivery/letter.h"
#include "broker/field.h"
#include "broker/journal/store.h"
#include "broker/routing/rules.h"
#include "proto/base/log.h"
#include "proto/envelope/envelope.h"

enum {
	STRETCH_COST = 16384,
	LOOK_COST = 1,  /* a stub, a row of `end` */
	OPEN_COST = 32, /* a record */
	GAP_MAX = 256,  /* unreadable entries in a row, while a time is looked for */
};

struct search {
	const struct replay_question *question;
	struct journal_reader *reader;
	struct arena *scratch, *arena;
	struct replay_found *found;
	bool events; /* its agreements subscribe to some */
	bool full;
	int cost;
};

/* ---- subscriptions ---- */

static bool is_readable_event(const struct registry *registry, struct bytes name)
{
	const Dienstweg__Service *service = registry_service(registry, name);
	return service && service->event &&
	       service->confidentiality ==
		       DIENSTWEG__CONFIDENTIALITY__CONFIDENTIALITY_BROKER_READABLE;
}

static bool flow_subscribes(const struct replay_question *question, const Dienstweg__Flow *flow)
{
	if (!bytes_equal(BYTES_PB(flow->to), question->name))
		return false;
	for (size_t i = 0; i < flow->n_services; i++)
		if (is_readable_event(question->registry, BYTES_PB(flow->services[i])))
			return true;
	return false;
}

static bool subscribes(const struct replay_question *question)
{
	const Dienstweg__RegistryContent *content = registry_content(question->registry);
	for (size_t i = 0; i < content->n_agreements; i++)
		for (size_t j = 0; j < content->agreements[i]->n_flows; j++)
			if (flow_subscribes(question, content->agreements[i]->flows[j]))
				return true;
	return false;
}

/* Would it get this event if it were sent now? */
static bool would_get(const struct search *s, const Dienstweg__Header *header)
{
	struct resolve_result route;
	struct resolve_query query = {
		.sender = BYTES_PB(header->sender),
		.service = BYTES_PB(header->service),
		.agreement = BYTES_PB(header->agreement),
		.at_ms = s->question->now_ms,
	};
	if (registry_resolve(s->question->registry, &query, &route) != RESOLVE_OK)
		return false;
	for (size_t i = 0; i < route.count; i++)
		if (bytes_equal(BYTES_PB(route.recipients[i]->name), s->question->name))
			return true;
	return false;
}

/* ---- how it ended ---- */

/* 0, STATE_NOT_FOUND, negative errno. */
static int end_of(struct search *s, uint64_t sequence, uint32_t party, struct end_row *ret)
{
	uint8_t key[END_KEY_SIZE];
	struct bytes value;
	s->cost += LOOK_COST;
	end_key_encode(sequence, party, key);
	int r = state_get(&journal_reader_store(s->reader)->state, STATE_END,
		BYTES(key, sizeof(key)), &value);
	if (r == 0 && end_row_decode(value, ret) != 0)
		return -EBADMSG;
	return r;
}

/* Did its sender, or an operator, call it back? Then it is not published any more. */
static int is_called_back(
	struct search *s, uint64_t sequence, const Dienstweg__Decision *decision, bool *ret)
{
	struct state *state = &journal_reader_store(s->reader)->state;
	*ret = false;
	for (size_t i = 0; i < decision->n_recipients && !*ret; i++) {
		struct end_row end;
		uint32_t party = 0;
		int r = rules_party_number(state, BYTES_PB(decision->recipients[i]), &party);
		if (r == 0 && party != 0)
			r = end_of(s, sequence, party, &end);
		if (r < 0)
			return r;
		*ret = r == 0 && party != 0 &&
		       (end.state == END_CANCELLED || end.state == END_DISCARDED);
	}
	return 0;
}

static bool is_recipient(const struct search *s, const Dienstweg__Decision *decision)
{
	for (size_t i = 0; i < decision->n_recipients; i++)
		if (bytes_equal(BYTES_PB(decision->recipients[i]), s->question->name))
			return true;
	return false;
}

/* An event that was published before this party subscribed. */
static int is_late(struct search *s, uint64_t sequence, const Dienstweg__Row *row,
	const Dienstweg__Header *header, bool *ret)
{
	Dienstweg__Decision *decision;
	bool called_back = false;
	uint64_t now_ms = s->question->now_ms;
	*ret = header->kind == DIENSTWEG__KIND__KIND_EVENT && header->n_sealed_recipients == 0 &&
	       is_readable_event(s->question->registry, BYTES_PB(header->service)) &&
	       (header->expires_ms == 0 || header->expires_ms > now_ms) &&
	       header->not_before_ms <= now_ms && would_get(s, header);
	if (!*ret)
		return 0;
	int r = journal_row_decision(row, s->scratch, &decision);
	/* Where it was a recipient and nothing has ended, it waits. */
	if (r == 0 && !is_recipient(s, decision))
		r = is_called_back(s, sequence, decision, &called_back);
	else
		*ret = false;
	*ret = *ret && r == 0 && !called_back;
	return r < 0 ? r : 0;
}

/* ---- one entry ---- */

/* What cannot be opened any more is passed over; what is damaged is said, and passed over. */
static int pass_over(const struct search *s, uint64_t sequence, int r)
{
	if (r == READER_DAMAGED)
		log_error("delivery", "an entry cannot be read, replay passes over it",
			F_BYTES("party", s->question->name), F_U64("sequence", sequence));
	return r < 0 ? r : 0;
}

static int give(struct search *s, uint64_t sequence, bool took)
{
	struct replay_found *found = s->found;
	Dienstweg__Row *row;
	Dienstweg__Item *item = arena_alloc(s->arena, sizeof(*item));
	if (!item)
		return -ENOMEM;
	dienstweg__item__init(item);
	item->sequence = sequence;
	item->party = field_bytes(s->question->name);
	item->attempt = took;
	int r = journal_read_row(s->reader, sequence, s->arena, &row);
	if (r == 0)
		r = letter_of(s->reader, sequence, row, s->arena, item);
	if (r != 0)
		return pass_over(s, sequence, r);
	uint64_t bytes = item->envelope->header.len + item->envelope->content.len;
	s->full = found->bytes + bytes > s->question->bytes_max;
	if (s->full)
		return 0;
	found->items[found->count++] = item;
	found->bytes += bytes;
	s->full = found->count == s->question->messages_max;
	found->next = sequence + 1;
	return 0;
}

/* Open it, when how it ended does not tell enough. */
static int open_and_judge(struct search *s, uint64_t sequence, bool took, bool *ret)
{
	struct disclosed disclosed;
	Dienstweg__Header *header;
	Dienstweg__Row *row;
	const char *field;
	s->cost += OPEN_COST;
	arena_reset(s->scratch);
	*ret = false;
	int r = journal_read_row(s->reader, sequence, s->scratch, &row);
	if (r != 0)
		return pass_over(s, sequence, r);
	if (disclosed_decode(BYTES_PB(row->disclosed), &disclosed) != 0)
		return pass_over(s, sequence, READER_DAMAGED);
	if (disclosed.batch_ms < s->question->from_ms)
		return 0;
	*ret = took;
	if (took)
		return 0;
	r = envelope_header_parse(s->scratch, BYTES_PB(row->original), &header, &field);
	if (r != 0)
		return pass_over(s, sequence, r < 0 ? r : READER_DAMAGED);
	return is_late(s, sequence, row, header, ret);
}

static int consider(struct search *s, uint64_t sequence)
{
	struct stub stub;
	struct end_row end;
	bool give_it = false;
	s->cost += LOOK_COST;
	int r = journal_read_stub(s->reader, sequence, &stub);
	if (r != 0 || stub.kind != DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED)
		return pass_over(s, sequence, r);
	r = end_of(s, sequence, s->question->party, &end);
	if (r < 0)
		return r;
	bool took = r == 0 && (end.state == END_ACCEPTED || end.state == END_REJECTED);
	if (r == 0 && !took)
		return 0;
	if (!took && !s->events)
		return 0;
	r = open_and_judge(s, sequence, took, &give_it);
	return r == 0 && give_it ? give(s, sequence, took) : r;
}

int replay_read(const struct replay_question *question, struct journal_reader *reader,
	struct arena *scratch, struct arena *arena, struct replay_found *ret)
{
	struct journal_meta meta;
	*ret = (struct replay_found){.next = question->from};
	struct search s = {
		.question = question,
		.reader = reader,
		.scratch = scratch,
		.arena = arena,
		.found = ret,
		.events = subscribes(question),
	};
	int r = journal_read_meta(reader, &meta);
	if (r == 0 && question->from == 0 && question->from_ms > 0)
		r = replay_first_since(reader, question->from_ms, scratch, meta.size, &ret->next);
	if (r == 0)
		r = journal_reader_in_order(reader);
	while (r == 0 && !s.full && ret->next < meta.size && s.cost < STRETCH_COST) {
		uint64_t sequence = ret->next;
		r = consider(&s, sequence);
		/* What did not fit comes first next time. */
		if (r == 0 && !s.full)
			ret->next = sequence + 1;
	}
	if (r == -ENOMEM && ret->count > 0)
		r = 0;
	ret->end = r == 0 && ret->next >= meta.size;
	return r;
}

/* ---- by time ---- */

/* The first readable entry at or after @from, and its time. 0, READER_NOT_FOUND after a long gap. */
static int time_near(struct journal_reader *reader, struct arena *scratch, uint64_t from,
	uint64_t until, uint64_t *ret_at, uint64_t *ret_ms)
{
	for (uint64_t at = from; at < until && at - from < GAP_MAX; at++) {
		struct disclosed disclosed;
		Dienstweg__Row *row;
		arena_reset(scratch);
		int r = journal_read_present(reader, at);
		if (r == 0)
			r = journal_read_row(reader, at, scratch, &row);
		if (r < 0)
			return r;
		if (r == 0 && disclosed_decode(BYTES_PB(row->disclosed), &disclosed) == 0) {
			*ret_at = at;
			*ret_ms = disclosed.batch_ms;
			return 0;
		}
	}
	return READER_NOT_FOUND;
}

int replay_first_since(struct journal_reader *reader, uint64_t from_ms, struct arena *scratch,
	uint64_t size, uint64_t *ret)
{
	uint64_t low = 0, high = size;
	while (low < high) {
		uint64_t middle = low + (high - low) / 2, at = 0, ms = 0;
		int r = time_near(reader, scratch, middle, high, &at, &ms);
		if (r < 0)
			return r;
		/* Unreadable: rather look at too much than miss something. */
		if (r == 0 && ms < from_ms)
			low = at + 1;
		else
			high = middle;
	}
	*ret = low;
	return 0;
}
