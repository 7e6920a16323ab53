/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Nothing here asks whether a message should have been accepted: that is replay's question. This asks whether what
 * was received is still there to the last byte, and whether what is not there went lawfully; who signed it is asked
 * beside it (verify-signed.c).
 */
#include "broker/audit/verifier.h"
#include "broker/audit/witnessed.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

#include "broker/blob/check.h"
#include "broker/journal/state.h"

enum { SIGNATURE_SLOTS = 4096 /* batches that may lie interleaved */ };

/* ---- what every record says ---- */

static void check_frame(struct entry_checker *c, const struct audit_entry *entry)
{
	const struct disclosed *disclosed = &entry->disclosed;
	uint64_t version = chain_version(&c->slice->chain);
	struct slice *slice = c->slice;
	slice_time(&slice->records, &slice->latest, entry->sequence, disclosed->batch_ms);
	if (!slice->earliest.known)
		slice->earliest = slice->latest;
	held_at(&slice->records, entry->sequence, STEP_RECORD);
	if (disclosed->registry_version != version)
		audit_report_finding(c->report, entry->sequence, "registry-version",
			"it says that registry version %" PRIu64 " was in force, it was %" PRIu64,
			disclosed->registry_version, version);
	if (entry->stub.class != 0 && c->slice->chain.current &&
		!registry_class(c->slice->chain.current, entry->stub.class))
		audit_report_finding(c->report, entry->sequence, "class-unknown",
			"its retention class %u is not in the registry in force", entry->stub.class);
}

/* ---- what is gone ---- */

static void note_absent(struct slice *slice, uint64_t sequence, uint8_t class, uint8_t table)
{
	assert(slice->absent_count < ARRAY_LEN(slice->absent));
	slice->absent[slice->absent_count++] = (struct absence_row){
		.sequence = sequence, .table = table, .class = class};
}

/* A row that is not there, or whose key is not: lawful, or a finding? */
static void judge_absent(struct entry_checker *c, uint64_t sequence, uint8_t class, uint8_t table)
{
	struct slice *slice = c->slice;
	const Dienstweg__RetentionClass *ages = slice->chain.current
							? registry_class(slice->chain.current, class)
							: NULL;
	const char *what = table == ERASED_RECORD ? "record" : "content";
	const struct absence_case row = {
		.table = table,
		.class = class,
		.sequence = sequence,
		.age_days = !ages                    ? 0
			    : table == ERASED_RECORD ? ages->record_days
						     : ages->content_days,
		.not_before_ms = slice->latest.known ? slice->latest.batch_ms : 0,
	};
	int verdict = absence_judge(&c->absence, &row);
	if (verdict != ABSENCE_UNCOVERED)
		note_absent(slice, sequence, class, table);
	switch (verdict) {
	case ABSENCE_UNCOVERED:
		audit_report_finding(c->report, sequence,
			table == ERASED_RECORD ? "record-missing" : "content-missing",
			"its %s, or the key to it, is missing, and no entry says that it was "
			"erased",
			what);
		break;
	case ABSENCE_EARLY:
		audit_report_finding(c->report, sequence, "erased-early",
			"its %s was erased before the %" PRIu32 " days of its class %u were over, "
			"and no instruction is named",
			what, row.age_days, class);
		break;
	default:
		break;
	}
}

static void check_erased(struct entry_checker *c, const struct audit_entry *entry)
{
	const char *why = absence_is_honest(
		entry->sequence, entry->disclosed.batch_ms, entry->decision);
	if (why)
		audit_report_finding(c->report, entry->sequence, "erased-false", "%s", why);
}

/* Gone because of an erasure that came after our snapshot? Then nobody is to be accused. */
static int is_erased_now(const struct entry_checker *c, uint64_t sequence, bool *ret)
{
	_cleanup_(journal_reader_free) struct journal_reader *fresh = NULL;
	int r = journal_reader_share(c->reader, &fresh);
	if (r == 0)
		r = journal_reader_begin(fresh);
	if (r)
		return r;
	r = journal_read_content_present(fresh, sequence);
	*ret = r > 0;
	return r < 0 ? r : 0;
}

/* As long as the content is there, so is what was attached. */
static int check_attached(struct entry_checker *c, const struct audit_entry *entry)
{
	const Dienstweg__Header *header = entry->header;
	for (size_t i = 0; c->audit->blobs && i < header->n_attachments; i++) {
		bool erased = false;
		int r = blob_check(c->audit->blobs, BYTES_PB(header->sender), entry->sequence,
			(uint32_t)i, header->attachments[i]);
		if (r == BLOB_CHECK_MISSING) {
			int erased_r = is_erased_now(c, entry->sequence, &erased);
			if (erased_r < 0)
				return erased_r;
		}
		if (r < 0)
			return r;
		if (r > 0 && !erased)
			audit_report_finding(c->report, entry->sequence,
				r == BLOB_CHECK_MISSING ? "attachment-missing"
							: "attachment-changed",
				"its attachment %zu %s", i,
				r == BLOB_CHECK_MISSING
					? "is not there, and its content was not erased"
					: "is not what the header says");
	}
	return 0;
}

static int check_content(struct entry_checker *c, const struct audit_entry *entry)
{
	struct bytes content;
	const char *field;
	int r = journal_read_content(c->reader, entry->sequence, c->arena, &content);
	if (r < 0)
		return r;
	if (r == READER_ERASED) {
		judge_absent(c, entry->sequence, entry->stub.class, ERASED_CONTENT);
		return 0;
	}
	if (r > 0) {
		audit_report_finding(c->report, entry->sequence, "content-changed",
			"its content does not open: it was changed");
		return 0;
	}
	r = envelope_content_check(c->arena, entry->header, content, &field);
	if (r > 0)
		audit_report_finding(c->report, entry->sequence, "content-changed",
			"its content is not what the header says, field %s", field);
	return r < 0 ? r : check_attached(c, entry);
}

static int check_state(struct entry_checker *c, const struct audit_entry *entry)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(STATE_ARENA);
	struct bytes content;
	int r = arena ? audit_entry_state(c->reader, entry, arena, &content) : -ENOMEM;
	if (r > 0)
		audit_report_finding(c->report, entry->sequence,
			r == READER_ERASED ? "content-missing" : "content-changed",
			"the content of this state entry is %s",
			r == READER_ERASED ? "missing" : "not what its record commits to");
	return r < 0 ? r : 0;
}

/* ---- witnesses ---- */

static int check_witnessed(struct entry_checker *c, const struct audit_entry *entry)
{
	char origin[CHECKPOINT_ORIGIN_MAX + 1];
	const char *why;
	audit_origin_at(c->audit, entry->decision->witnessed_size, origin);
	int r = witnessed_check(c->reader, &c->slice->chain, origin, entry, &why);
	if (r > 0)
		audit_report_finding(c->report, entry->sequence, "witnessed-wrong", "%s", why);
	return r < 0 ? r : 0;
}

/* ---- all of it ---- */

/* Its content may still be there: it was spared, or its record went first. */
static int check_content_alone(struct entry_checker *c, uint64_t sequence, uint8_t class)
{
	struct bytes content;
	int r = journal_read_content(c->reader, sequence, c->arena, &content);
	if (r == READER_ERASED)
		judge_absent(c, sequence, class, ERASED_CONTENT);
	else if (r > 0)
		audit_report_finding(c->report, sequence, "content-changed",
			"its content does not open: it was changed");
	return r < 0 ? r : 0;
}

static int check_unreadable(
	struct entry_checker *c, uint64_t sequence, const struct stub *stub, int verdict)
{
	if (verdict == READER_ERASED)
		judge_absent(c, sequence, stub->class, ERASED_RECORD);
	else
		audit_report_finding(c->report, sequence, "record-changed",
			"its record does not open, or is not what its stub commits to: it was "
			"changed");
	return stub->kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED
		       ? check_content_alone(c, sequence, stub->class)
		       : 0;
}

/* Would a run of erasure find its rows, when their day has come? */
static int check_seal(struct entry_checker *c, uint64_t sequence, uint8_t class)
{
	const char *why;
	uint8_t table;
	int r = seal_check_entry(c->seals, sequence, class, &table, &why);
	if (r > 0)
		audit_report_finding(c->report, sequence, "seal-wrong",
			"its %s %s: no erasure would find it",
			table == ERASED_RECORD ? "record" : "content", why);
	return r < 0 ? r : 0;
}

/* Only what was erased is pruned. So a permanent entry whose stub somebody took has its rows here still. */
static int check_left(struct entry_checker *c, uint64_t sequence)
{
	bool left;
	int r = seal_check_rows_left(c->seals, sequence, &left);
	if (r == 0 && left)
		audit_report_finding(c->report, sequence, "stub-missing",
			"its stub is missing, and not pruned: what is pruned has neither record "
			"nor "
			"content, and it has");
	return r;
}

/* Its stub is in the archive, if that is at hand; its record has to be gone lawfully all the same. */
static int check_pruned(struct entry_checker *c, uint64_t sequence)
{
	struct stub stub;
	int r = c->archive ? archive_stubs_read(c->archive, sequence, &stub) : ARCHIVE_MISSING;
	c->slice->unread += r > 0;
	if (r > 0)
		return check_left(c, sequence);
	if (r || stub.class == 0) /* one that is permanent the walk over the tree misses */
		return r;
	judge_absent(c, sequence, stub.class, ERASED_RECORD);
	if (stub.kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED)
		judge_absent(c, sequence, stub.class, ERASED_CONTENT);
	return 0;
}

static int check_entry(struct entry_checker *c, uint64_t sequence)
{
	struct audit_entry entry;
	struct stub stub;
	arena_reset(c->arena);
	held_at(&c->slice->records, sequence, STEP_RECORD);
	int r = journal_read_stub(c->reader, sequence, &stub);
	if (r == READER_NOT_FOUND && sequence < c->slice->pruned)
		return check_pruned(c, sequence);
	c->slice->unread += r > 0;
	if (r == 0)
		r = check_seal(c, sequence, stub.class);
	if (r) /* the walk over the tree has said so */
		return r < 0 ? r : 0;
	r = audit_entry_read(c->reader, sequence, c->arena, &entry);
	if (r > 0)
		return check_unreadable(c, sequence, &stub, r);
	if (r)
		return r;
	c->slice->opened++;
	check_frame(c, &entry);
	r = entry_check_signed(c, &entry);
	if (r)
		return r;
	if (entry.stub.kind == DIENSTWEG__ENTRY_KIND__ENTRY_ERASED)
		check_erased(c, &entry);
	if (entry.stub.kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED)
		r = check_content(c, &entry);
	else if (entry.stub.kind == DIENSTWEG__ENTRY_KIND__ENTRY_WITNESSED)
		r = check_witnessed(c, &entry);
	else if (entry.stub.kind == DIENSTWEG__ENTRY_KIND__ENTRY_STATE)
		r = check_state(c, &entry);
	return r;
}

void entry_check_slice(struct entry_checker *c, struct slice *slice)
{
	c->slice = slice;
	c->report = &slice->records.report;
	int r = journal_reader_begin(c->reader);
	uint64_t bad; /* whoever looks at the whole tells of it */
	if (r == 0)
		r = absence_load(&c->absence, c->reader, c->arena, &bad);
	if (r == 0)
		r = journal_reader_in_order(c->reader);
	if (r == 0)
		r = seal_check_begin(c->seals);
	for (uint64_t sequence = slice->first; sequence < slice->end && r == 0; sequence++)
		r = check_entry(c, sequence);
	journal_reader_end(c->reader);
	slice->result = r;
}

int entry_checker_init(struct entry_checker *c, const struct audit *audit)
{
	*c = (struct entry_checker){.audit = audit};
	c->arena = arena_new(ENTRY_ARENA);
	int r = c->arena ? journal_reader_share(audit->reader, &c->reader) : -ENOMEM;
	if (r == 0)
		r = seal_check_new(c->reader, &c->seals);
	if (r == 0 && audit->archive) /* what is wrong with it, the walk over the tree says */
		r = archive_stubs_open(audit->archive, &c->archive);
	return r < 0 ? r : signature_cache_new(SIGNATURE_SLOTS, &c->signatures);
}

void entry_checker_deinit(struct entry_checker *c)
{
	journal_reader_free(c->reader);
	signature_cache_free(c->signatures);
	absence_deinit(&c->absence);
	seal_check_free(c->seals);
	archive_stubs_free(c->archive);
	arena_free(c->arena);
}
