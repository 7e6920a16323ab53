/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The index only says where to look; what is told comes out of the entries, opened and checked against
 * the tree, and out of the live tables for what is still under way. So a wrong index can hide an entry,
 * and never invent one.
 */
#include "broker/audit/timeline.h"

#include <errno.h>
#include <string.h>

#include "broker/routing/rows.h"
#include "proto/note/checkpoint.h"

struct timeline {
	struct audit *audit;
	const struct case_entries *entries; /* of the case; NULL: only what is about ... */
	uint64_t message;                   /* ... this one */
	int (*event)(void *context, const struct timeline_event *event);
	void *context;
	struct arena *arena;
	struct checkpoint newest; /* size 0: none */
};

const char *timeline_what_name(enum timeline_what what)
{
	switch (what) {
	case TIMELINE_RECORDED:
		return "recorded";
	case TIMELINE_REFUSED:
		return "refused";
	case TIMELINE_ACCEPTED:
		return "accepted";
	case TIMELINE_REJECTED:
		return "rejected";
	case TIMELINE_LATE:
		return "late";
	case TIMELINE_FAILED:
		return "delivery-failed";
	case TIMELINE_EXPIRED:
		return "expired";
	case TIMELINE_DEAD:
		return "dead";
	case TIMELINE_RETRIED:
		return "retried";
	case TIMELINE_DISCARDED:
		return "discarded";
	case TIMELINE_HELD:
		return "held";
	case TIMELINE_RELEASED:
		return "released";
	case TIMELINE_CANCELLED:
		return "cancelled";
	case TIMELINE_OVERDUE:
		return "overdue";
	case TIMELINE_DUE_SOON:
		return "due-soon";
	}
	return "unknown";
}

/* ---- proofs ---- */

static int take_newest(struct timeline *t)
{
	struct bytes note;
	int r = journal_read_checkpoint(t->audit->reader, 0, &note);
	if (r)
		return r < 0 ? r : 0;
	const uint8_t *end = memmem(note.data, note.len, "\n\n", 2);
	if (!end || checkpoint_parse(BYTES(note.data, (size_t)(end - note.data) + 1), &t->newest))
		t->newest = (struct checkpoint){};
	return 0;
}

static int prove(struct timeline *t, const struct audit_entry *entry, struct timeline_event *event)
{
	struct merkle_hash path[MERKLE_LEVELS], leaf, root;
	uint8_t stub[STUB_SIZE] = {entry->stub.version, entry->stub.kind, entry->stub.class};
	size_t steps;
	event->proven = false;
	event->proven_by = t->newest.size;
	if (entry->sequence >= t->newest.size)
		return 0;
	int r = journal_read_path(t->audit->reader, entry->sequence, t->newest.size, path, &steps);
	if (r)
		return r < 0 ? r : 0;
	memcpy(stub + 3, entry->stub.commitment, HASH_SIZE);
	stub_leaf(stub, &leaf);
	event->proven = merkle_path_root(
				&leaf, entry->sequence, t->newest.size, path, steps, &root) == 0 &&
			memcmp(&root, &t->newest.root, sizeof(root)) == 0;
	return 0;
}

/* ---- where a message stands ---- */

static int exact_row(struct timeline *t, enum state_table table, struct bytes key, struct bytes *ret)
{
	struct bytes found;
	int r = journal_read_table(t->audit->reader, table, key, &found, ret);
	if (r == 0 && !bytes_equal(found, key))
		return READER_NOT_FOUND;
	return r;
}

static int is_queued(struct timeline *t, uint64_t sequence, uint32_t party, bool *ret)
{
	struct bytes value;
	int r = READER_NOT_FOUND;
	for (uint8_t lane = LANE_URGENT; lane < LANE_OUTCOME && r == READER_NOT_FOUND; lane++) {
		uint8_t key[QUEUE_KEY_SIZE];
		queue_key_encode(party, lane, sequence, key);
		r = exact_row(t, STATE_QUEUE, BYTES(key, sizeof(key)), &value);
	}
	*ret = r == 0;
	return r < 0 ? r : 0;
}

static enum timeline_state state_of(uint8_t end)
{
	switch (end) {
	case END_DELAYED:
		return TIMELINE_DELAYED;
	case END_DEAD:
		return TIMELINE_BURIED;
	case END_HELD:
		return TIMELINE_PARKED;
	default:
		return TIMELINE_ENDED;
	}
}

static int look_up_state(struct timeline *t, uint64_t sequence, struct timeline_recipient *recipient)
{
	uint8_t key[END_KEY_SIZE];
	struct bytes value;
	struct end_row end;
	bool queued = false;
	recipient->state = TIMELINE_UNKNOWN;
	int r = exact_row(t, STATE_PARTY, recipient->name, &value);
	if (r || value.len != 4)
		return r < 0 ? r : 0;
	uint32_t party = be32_get(value.data);
	end_key_encode(sequence, party, key);
	r = exact_row(t, STATE_END, BYTES(key, sizeof(key)), &value);
	if (r == 0 && end_row_decode(value, &end) == 0) {
		recipient->state = state_of(end.state);
		recipient->end = end.state;
		recipient->entry = recipient->due_ms = end.entry;
		return 0;
	}
	if (r == READER_NOT_FOUND)
		r = is_queued(t, sequence, party, &queued);
	if (r == 0 && queued)
		recipient->state = TIMELINE_WAITING;
	return r < 0 ? r : 0;
}

/* ---- events ---- */

static struct timeline_event event_of(const struct audit_entry *entry, enum timeline_what what)
{
	return (struct timeline_event){
		.what = what,
		.sequence = entry->sequence,
		.batch_ms = entry->disclosed.batch_ms,
		.registry_version = entry->disclosed.registry_version,
		.message = entry->sequence,
	};
}

static int tell(struct timeline *t, const struct audit_entry *entry, struct timeline_event *event)
{
	int r = prove(t, entry, event);
	return r ? r : t->event(t->context, event);
}

static int tell_recorded(struct timeline *t, const struct audit_entry *entry)
{
	struct timeline_event event = event_of(entry, TIMELINE_RECORDED);
	const Dienstweg__Decision *decision = entry->decision;
	struct timeline_recipient *recipients = arena_zalloc(
		t->arena, (decision->n_recipients + 1) * sizeof(*recipients));
	if (!recipients)
		return -ENOMEM;
	for (size_t i = 0; i < decision->n_recipients; i++) {
		recipients[i].name = BYTES_PB(decision->recipients[i]);
		if (recipients[i].name.len == 0 || recipients[i].name.len > NAME_BYTES_MAX)
			continue;
		int r = look_up_state(t, entry->sequence, &recipients[i]);
		if (r)
			return r;
	}
	event.who = BYTES_PB(entry->header->sender);
	event.service = BYTES_PB(entry->header->service);
	event.h = BYTES(entry->disclosed.digest, HASH_SIZE);
	event.header = entry->header;
	event.decision = decision;
	event.key_id = audit_entry_key_id(entry);
	event.recipients = recipients;
	event.recipients_count = decision->n_recipients;
	return tell(t, entry, &event);
}

static int tell_refused(struct timeline *t, const struct audit_entry *entry)
{
	struct timeline_event event = event_of(entry, TIMELINE_REFUSED);
	event.who = audit_entry_speaker(entry);
	event.service = BYTES_PB(entry->header->service);
	event.h = BYTES(entry->disclosed.digest, HASH_SIZE);
	event.header = entry->header;
	event.decision = entry->decision;
	return tell(t, entry, &event);
}

/* Of an entry that is about several messages, only those of this case. */
static bool is_ours(const struct timeline *t, uint64_t message)
{
	return t->entries ? case_entries_have(t->entries, message) : message == t->message;
}

static int tell_ack(struct timeline *t, const struct audit_entry *entry, size_t nth)
{
	const Dienstweg__Ack *ack = entry->batch->acks[nth];
	struct timeline_event event = event_of(
		entry, ack->accepted ? TIMELINE_ACCEPTED : TIMELINE_REJECTED);
	if (nth >= entry->decision->n_verdicts ||
		entry->decision->verdicts[nth] == DIENSTWEG__ACK_VERDICT__ACK_UNKNOWN ||
		!is_ours(t, ack->sequence))
		return 0;
	if (entry->decision->verdicts[nth] != DIENSTWEG__ACK_VERDICT__ACK_CLOSED)
		event.what = TIMELINE_LATE;
	event.message = ack->sequence;
	event.key_id = audit_entry_key_id(entry);
	event.who = BYTES_PB(entry->batch->recipient);
	event.code = BYTES_PB(ack->code);
	event.text = BYTES_PB(ack->text);
	return tell(t, entry, &event);
}

/* Of entries about messages that were there already; 0: of none. */
static enum timeline_what what_of(uint8_t kind)
{
	switch (kind) {
	case DIENSTWEG__ENTRY_KIND__ENTRY_ATTEMPTS_FAILED:
		return TIMELINE_FAILED;
	case DIENSTWEG__ENTRY_KIND__ENTRY_EXPIRED:
		return TIMELINE_EXPIRED;
	case DIENSTWEG__ENTRY_KIND__ENTRY_DEAD:
		return TIMELINE_DEAD;
	case DIENSTWEG__ENTRY_KIND__ENTRY_RETRIED:
		return TIMELINE_RETRIED;
	case DIENSTWEG__ENTRY_KIND__ENTRY_DISCARDED:
		return TIMELINE_DISCARDED;
	case DIENSTWEG__ENTRY_KIND__ENTRY_HELD:
		return TIMELINE_HELD;
	case DIENSTWEG__ENTRY_KIND__ENTRY_RELEASED:
		return TIMELINE_RELEASED;
	case DIENSTWEG__ENTRY_KIND__ENTRY_CANCELLED:
		return TIMELINE_CANCELLED;
	case DIENSTWEG__ENTRY_KIND__ENTRY_OVERDUE:
		return TIMELINE_OVERDUE;
	case DIENSTWEG__ENTRY_KIND__ENTRY_DUE_SOON:
		return TIMELINE_DUE_SOON;
	default:
		return 0;
	}
}

static int tell_affected(struct timeline *t, const struct audit_entry *entry, size_t nth)
{
	const Dienstweg__Affected *affected = entry->decision->affected[nth];
	struct timeline_event event = event_of(entry, what_of(entry->stub.kind));
	if (!is_ours(t, affected->sequence))
		return 0;
	event.message = affected->sequence;
	event.who = BYTES_PB(affected->party);
	event.attempts = affected->attempts;
	event.due_ms = affected->due_ms;
	event.key_id = audit_entry_key_id(entry);
	event.decision = entry->decision;
	return tell(t, entry, &event);
}

static int tell_entry(struct timeline *t, const struct audit_entry *entry)
{
	int r = 0;
	switch (entry->stub.kind) {
	case DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED:
		return tell_recorded(t, entry);
	case DIENSTWEG__ENTRY_KIND__ENTRY_REFUSED:
		return entry->header ? tell_refused(t, entry) : 0;
	case DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED:
		for (size_t i = 0; i < entry->batch->n_acks && r == 0; i++)
			r = tell_ack(t, entry, i);
		return r;
	default:
		for (size_t i = 0;
			what_of(entry->stub.kind) != 0 && i < entry->decision->n_affected && r == 0;
			i++)
			r = tell_affected(t, entry, i);
		return r;
	}
}

/* An entry that cannot be read is a finding, and no end. */
static int tell_sequence(struct timeline *t, uint64_t sequence, struct audit_report *report)
{
	struct audit_entry entry;
	arena_reset(t->arena);
	int r = audit_entry_read(t->audit->reader, sequence, t->arena, &entry);
	if (r == 0)
		return tell_entry(t, &entry);
	if (r > 0)
		audit_report_finding(report, sequence, "entry-unreadable",
			"it cannot be read any more: audit verify tells more");
	return r < 0 ? r : 0;
}

int timeline_walk(struct audit *audit, const struct case_entries *entries,
	int (*event)(void *context, const struct timeline_event *event), void *context,
	struct audit_report *report)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(ENTRY_ARENA);
	struct timeline t = {
		.audit = audit,
		.entries = entries,
		.event = event,
		.context = context,
		.arena = arena,
	};
	int r = arena ? audit_refresh(audit) : -ENOMEM;
	if (r == 0)
		r = take_newest(&t);
	for (size_t i = 0; r == 0 && i < entries->count; i++)
		r = tell_sequence(&t, entries->all[i], report);
	return r;
}

int timeline_message(struct audit *audit, struct case_index *index, struct timeline_place *place,
	int (*event)(void *context, const struct timeline_event *event), void *context,
	struct audit_report *report)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(ENTRY_ARENA);
	struct timeline t = {
		.audit = audit,
		.message = place->message,
		.event = event,
		.context = context,
		.arena = arena,
	};
	int r = arena ? take_newest(&t) : -ENOMEM;
	if (r == 0)
		r = tell_sequence(&t, place->message, report);
	while (r == 0) {
		r = case_index_next_about(index, place->message, place->entry, &place->entry);
		if (r)
			return r == DB_NOT_FOUND ? 0 : r;
		r = tell_sequence(&t, place->entry, report);
		if (r == 0)
			place->entry++;
	}
	return r;
}
