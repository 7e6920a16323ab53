/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What a party answers with when a person asks it what the bus knows (Art. 15 GDPR): its own share of a case, each
 * entry with the proof that it is in the log. Message by message, because what concerns a party is known from the
 * message: so a case of a million messages can be told in parts, each of which costs no more than it holds.
 */
#include "broker/access/share.h"

#include <errno.h>
#include <stdlib.h>

#include "broker/admin/out.h"
#include "broker/audit/disputes.h"
#include "broker/audit/prove.h"
#include "broker/audit/words.h"

enum { REGISTRY_ARENA = 96 << 20, WHY_SIZE = 512, PART_FULL = 1 };

struct making {
	const struct share_options *options;
	struct share *share;
	struct access access;
	struct disputes disputes;
	struct arena *arena; /* a content */
	struct arena *registry_arena;
	uint64_t registry_version;
	const Dienstweg__RegistryContent *registry; /* of that version, or NULL */
	bool resumed;  /* the message at hand was told in the part before */
	uint64_t last; /* entry */
};

/* ---- one entry ---- */

/* The registry in force there: its place in the chain is verification's business. */
static const Dienstweg__RegistryContent *registry_at(
	struct making *m, const struct timeline_event *event)
{
	struct bytes bytes;
	if (m->registry && m->registry_version == event->registry_version)
		return m->registry;
	arena_reset(m->registry_arena);
	m->registry = NULL;
	m->registry_version = event->registry_version;
	if (journal_read_registry(
		    m->options->audit->reader, event->sequence, m->registry_arena, &bytes))
		return NULL;
	Dienstweg__SignedRegistry *outer = dienstweg__signed_registry__unpack(
		arena_allocator(m->registry_arena), bytes.len, bytes.data);
	if (outer)
		m->registry = dienstweg__registry_content__unpack(
			arena_allocator(m->registry_arena), outer->content.len, outer->content.data);
	return m->registry;
}

static void put_agreement(
	json_t *object, const Dienstweg__RegistryContent *content, struct bytes agreement)
{
	out_put_name(object, "agreement", agreement);
	for (size_t i = 0; content && i < content->n_agreements; i++)
		if (bytes_equal(BYTES_PB(content->agreements[i]->id), agreement))
			out_put_line(object, "legal_basis",
				BYTES_PB(content->agreements[i]->legal_basis));
}

/* How long it is kept, by its class. */
static void put_class(struct making *m, json_t *object, const Dienstweg__RegistryContent *content,
	uint64_t sequence)
{
	struct stub stub;
	if (journal_read_stub(m->options->audit->reader, sequence, &stub))
		return;
	for (size_t i = 0; content && i < content->n_classes; i++) {
		if (content->classes[i]->number != stub.class)
			continue;
		out_put_line(object, "class", BYTES_PB(content->classes[i]->name));
		out_put(object, "content_days", content->classes[i]->content_days);
		out_put(object, "record_days", content->classes[i]->record_days);
	}
}

static void put_message(struct making *m, json_t *object, const struct timeline_event *event)
{
	const Dienstweg__Header *header = event->header;
	const char *status = words_status((int)header->status);
	struct bytes content;
	out_put_name(object, "service", event->service);
	out_put_text(object, "kind", words_message_kind((int)header->kind));
	if (*status)
		out_put_text(object, "status", status);
	out_put_hex(object, "h", event->h);
	out_put_hex(object, "message_id", BYTES_PB(header->message_id));
	out_put_time(object, "created", header->created_ms);
	out_put_hex(object, "content_hash", BYTES_PB(header->content_hash));
	out_put(object, "content_bytes", header->content_length);
	if (event->what != TIMELINE_RECORDED)
		return;
	const Dienstweg__RegistryContent *registry = registry_at(m, event);
	put_agreement(object, registry, BYTES_PB(event->decision->agreement));
	put_class(m, object, registry, event->sequence);
	arena_reset(m->arena);
	int r = journal_read_content(m->options->audit->reader, event->sequence, m->arena, &content);
	out_put_text(object, "content",
		r == 0 ? "kept, sealed for its recipient where the service asks for it"
		: r == READER_ERASED ? "erased"
				     : "cannot be read");
}

static void put_state(json_t *object, const struct timeline_recipient *recipient)
{
	static const char *const states[] = {
		[TIMELINE_WAITING] = "waiting",
		[TIMELINE_DELAYED] = "put off",
		[TIMELINE_BURIED] = "could not be delivered",
		[TIMELINE_PARKED] = "held by an operator",
		[TIMELINE_UNKNOWN] = "unknown",
	};
	if (recipient->state != TIMELINE_ENDED) {
		out_put_text(object, "state", states[recipient->state]);
		return;
	}
	out_put_text(object, "state", end_state_name((enum end_state)recipient->end));
	out_put(object, "ended_by", recipient->entry);
}

static json_t *entry_of(
	struct making *m, const struct timeline_event *event, const struct access_view *view)
{
	json_t *object = json_object();
	out_put(object, "sequence", event->sequence);
	out_put_time(object, "time", event->batch_ms);
	out_put_text(object, "event", timeline_what_name(event->what));
	out_put(object, "message", event->message);
	out_put_name(object, "from", view->from);
	if (view->to.len > 0)
		out_put_name(object, "to", view->to);
	if (event->header)
		put_message(m, object, event);
	if (view->recipient)
		put_state(object, view->recipient);
	if (view->words && event->what == TIMELINE_REFUSED) {
		out_put_name(object, "code", BYTES_PB(event->decision->code));
		out_put_name(object, "text", BYTES_PB(event->decision->detail));
	} else if (view->words && event->code.len > 0) {
		out_put_name(object, "code", event->code);
		out_put_name(object, "text", event->text);
	}
	json_object_set_new(object, "disputed",
		json_boolean(disputes_find(&m->disputes, event->sequence, event->key_id)));
	return object;
}

static bool is_full(const struct making *m)
{
	return json_array_size(m->share->entries) >= m->options->entries_max ||
	       m->share->looked >= m->options->looked_max;
}

/* Never between two events of one entry: the next part begins with an entry. */
static int take_event(void *context, const struct timeline_event *event)
{
	struct making *m = context;
	struct access_view view;
	bool own = event->sequence == event->message;
	if (!own && event->sequence != m->last && is_full(m))
		return PART_FULL;
	m->share->looked += event->sequence != m->last;
	m->last = event->sequence;
	access_judge(&m->access, event, &view);
	if (!view.shown || (own && m->resumed))
		return 0;
	return json_array_append_new(m->share->entries, entry_of(m, event, &view)) == 0 ? 0
											: -ENOMEM;
}

/* ---- message by message ---- */

static int take_message(struct making *m, struct timeline_place place)
{
	const struct share_options *options = m->options;
	struct audit_report report = {};
	m->resumed = place.entry > 0;
	m->last = UINT64_MAX;
	m->access = (struct access){.party = options->party};
	int r = audit_refresh(options->audit);
	if (r == 0)
		r = timeline_message(options->audit, options->index, &place, take_event, m, &report);
	m->share->unreadable += report.findings;
	m->share->looked += report.findings;
	m->share->more = r == PART_FULL;
	m->share->next = place;
	return r == PART_FULL ? 0 : r;
}

static int take_messages(struct making *m)
{
	const struct share_options *options = m->options;
	_cleanup_(case_walk_deinit) struct case_walk walk = {
		.index = options->index,
		.keyring = options->audit->keyring,
		.from = options->from.message,
	};
	struct timeline_place place = {};
	int r = 0;
	memcpy(walk.id, options->id, CASE_ID_SIZE);
	while (r == 0 && !m->share->more) {
		r = case_walk_next(&walk, &place.message);
		if (r)
			break;
		place.entry = place.message == options->from.message ? options->from.entry : 0;
		if (place.message != options->from.message && is_full(m)) {
			m->share->more = true;
			m->share->next = place;
			break;
		}
		r = take_message(m, place);
	}
	return r == DB_NOT_FOUND ? 0 : r;
}

static int compare(const void *a, const void *b)
{
	json_t *const *x = a, *const *y = b;
	json_int_t first = json_integer_value(json_object_get(*x, "sequence"));
	json_int_t second = json_integer_value(json_object_get(*y, "sequence"));
	return (first > second) - (first < second);
}

/* By entries, which is by time, as people read it. */
static int sort(json_t *entries)
{
	size_t count = json_array_size(entries);
	_cleanup_(heap_free) json_t **all = calloc(count + 1, sizeof(json_t *));
	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		all[i] = json_incref(json_array_get(entries, i));
	qsort(all, count, sizeof(json_t *), compare);
	json_array_clear(entries);
	for (size_t i = 0; i < count; i++)
		json_array_append_new(entries, all[i]);
	return 0;
}

int share_make(const struct share_options *options, struct share *ret)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(ENTRY_ARENA);
	_cleanup_(arena_free) struct arena *registry_arena = arena_new(REGISTRY_ARENA);
	struct making m = {
		.options = options, .share = ret, .arena = arena, .registry_arena = registry_arena};
	*ret = (struct share){.entries = json_array()};
	int r = arena && registry_arena && ret->entries ? audit_refresh(options->audit) : -ENOMEM;
	if (r == 0)
		r = disputes_load(options->audit, &m.disputes);
	if (r == 0)
		r = take_messages(&m);
	disputes_deinit(&m.disputes);
	return r ? r : sort(ret->entries);
}

void share_deinit(struct share *share)
{
	json_decref(share->entries);
	*share = (struct share){};
}

/* ---- proofs ---- */

/*
 * The newest first: the checkpoint that a quorum cosigned over it is one for all before it as well.
 */
int share_prove(const struct share_options *options, struct share *share)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(REGISTRY_ARENA);
	_cleanup_(arena_free) struct arena *kept = arena_new(ENTRY_ARENA);
	struct audit_proof under = {};
	char why[WHY_SIZE];
	int r = arena && kept ? 0 : -ENOMEM;
	for (size_t i = json_array_size(share->entries); i > 0 && r >= 0; i--) {
		json_t *object = json_array_get(share->entries, i - 1);
		uint64_t sequence = (uint64_t)json_integer_value(
			json_object_get(object, "sequence"));
		struct audit_proof proof;
		arena_reset(arena);
		r = audit_prove(options->audit, sequence, under.final ? &under : NULL, arena,
			&proof, why, sizeof(why));
		json_object_set_new(object, "proof",
			r == 0 ? json_stringn((const char *)proof.text.data, proof.text.len)
			       : json_null());
		if (r == 0 && proof.final && !under.final) {
			under = proof;
			r = arena_copy(kept, proof.note, &under.note);
		}
	}
	return r < 0 ? r : 0;
}
