/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Entries are read by people who did not write the broker: a civil servant who asks where an application
 * is, an auditor with a court order. So there is one place that says things, and it uses no code where a
 * word will do.
 */
#include "broker/audit/words.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "broker/journal/store.h"
#include "broker/routing/rows.h"
#include "broker/routing/rules.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/envelope.pb-c.h"

enum { MINUTE_MS = 60000, DAY_MS = 86400000, LISTED_MAX = 8 };

void words_init(struct words *words, char *buf, size_t size)
{
	*words = (struct words){.buf = buf, .size = size};
	buf[0] = '\0';
}

void words_add(struct words *words, const char *format, ...)
{
	va_list args;
	size_t left = words->size - words->len;
	va_start(args, format);
	int n = vsnprintf(words->buf + words->len, left, format, args);
	va_end(args);
	if (n > 0)
		words->len += (size_t)n < left ? (size_t)n : left - 1;
}

void words_name(struct words *words, struct bytes name)
{
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.data[i];
		words_add(words, "%c", c >= 0x20 && c < 0x7f ? c : '?');
	}
}

void words_time(struct words *words, uint64_t wall_ms)
{
	char text[25];
	clock_format_utc(wall_ms, text);
	words_add(words, "%s", text);
}

/* ---- decisions ---- */

static void add_accepted(struct words *words, const Dienstweg__Decision *decision)
{
	words_add(words, "accepted for ");
	for (size_t i = 0; i < decision->n_recipients; i++) {
		if (i > 0)
			words_add(words, ", ");
		words_name(words, BYTES_PB(decision->recipients[i]));
	}
	words_add(words, " under agreement ");
	words_name(words, BYTES_PB(decision->agreement));
	if (decision->due_ms == 0)
		return;
	words_add(words, ", to be delivered from ");
	words_time(words, decision->due_ms);
}

static void add_refused(struct words *words, const Dienstweg__Decision *decision)
{
	words_add(words, "refused: ");
	words_name(words, BYTES_PB(decision->code));
	if (decision->field.len > 0) {
		words_add(words, " (");
		words_name(words, BYTES_PB(decision->field));
		words_add(words, ")");
	}
	words_add(words, ": ");
	words_name(words, BYTES_PB(decision->detail));
}

static void add_verdicts(struct words *words, const Dienstweg__Decision *decision)
{
	size_t closed = 0, already = 0, late = 0;
	for (size_t i = 0; i < decision->n_verdicts; i++) {
		closed += decision->verdicts[i] == DIENSTWEG__ACK_VERDICT__ACK_CLOSED;
		already += decision->verdicts[i] == DIENSTWEG__ACK_VERDICT__ACK_ALREADY;
		late += decision->verdicts[i] == DIENSTWEG__ACK_VERDICT__ACK_LATE;
	}
	words_add(
		words, "%zu of %zu acknowledgements ended a message", closed, decision->n_verdicts);
	if (late > 0)
		words_add(words, ", %zu came late: it had expired, or was cancelled or discarded",
			late);
	if (already > 0)
		words_add(words, ", %zu came after its end", already);
	if (closed + already + late < decision->n_verdicts)
		words_add(words, ", %zu named no message of this recipient",
			decision->n_verdicts - closed - already - late);
}

static void add_affected(struct words *words, const Dienstweg__Decision *decision)
{
	for (size_t i = 0; i < decision->n_affected && i < LISTED_MAX; i++) {
		const Dienstweg__Affected *affected = decision->affected[i];
		words_add(words, "%s message %" PRIu64 " to ", i > 0 ? ";" : "", affected->sequence);
		words_name(words, BYTES_PB(affected->party));
		words_add(words, ", attempt %" PRIu32, affected->attempts);
		if (affected->due_ms == 0)
			continue;
		words_add(words, ", again from ");
		words_time(words, affected->due_ms);
	}
	if (decision->n_affected > LISTED_MAX)
		words_add(words, "; and %zu more", decision->n_affected - LISTED_MAX);
}

static void add_items(struct words *words, const char *what, const Dienstweg__Decision *decision)
{
	words_add(words, "%s", what);
	if (decision->cause.len > 0) {
		words_add(words, " (");
		words_name(words, BYTES_PB(decision->cause));
		words_add(words, ")");
	}
	words_add(words, ":");
	add_affected(words, decision);
}

/* An operator's, about messages or about a queue. */
static void add_order(struct words *words, const char *what, const Dienstweg__Decision *decision)
{
	words_add(words, "%s", what);
	if (decision->held_party.len > 0) {
		words_add(words, " the queue of ");
		words_name(words, BYTES_PB(decision->held_party));
	}
	if (decision->held_service.len > 0) {
		words_add(words, decision->n_affected > 0 ? " for the sake of service "
							  : " what comes for service ");
		words_name(words, BYTES_PB(decision->held_service));
	}
	words_add(words, " by account %" PRIu32, decision->account);
	if (decision->cause.len > 0) {
		words_add(words, " (");
		words_name(words, BYTES_PB(decision->cause));
		words_add(words, ")");
	}
	if (decision->n_affected == 0)
		return;
	words_add(words, ":");
	add_affected(words, decision);
}

static void add_registry(struct words *words, const Dienstweg__Decision *decision)
{
	char hex[2 * HASH_SIZE + 1] = "";
	if (decision->digest.len == HASH_SIZE)
		text_hex(BYTES_PB(decision->digest), hex);
	words_add(words, "registry version %" PRIu64 " came into force, digest %s",
		decision->version, hex);
}

static void add_summed(struct words *words, const Dienstweg__Decision *decision)
{
	words_add(words, "%" PRIu64 " further refusals of ", decision->count);
	words_name(words, BYTES_PB(decision->party));
	words_add(words, " in the minute from ");
	words_time(words, decision->minute * MINUTE_MS);
}

static void add_program(struct words *words, const char *what, const Dienstweg__Decision *decision)
{
	char hex[2 * HASH_SIZE + 1];
	words_add(words, "%s: ", what);
	words_name(words, BYTES_PB(decision->software));
	if (decision->pruned_size > 0)
		words_add(words, ", the entries before %" PRIu64 " having been pruned",
			decision->pruned_size);
	if (decision->trusted.len == 0)
		return;
	if (decision->marked_size > 0)
		words_add(words,
			", although %" PRIu64 " entries had been signed: ", decision->marked_size);
	else
		words_add(words, ", although the high-water file was missing: ");
	words_name(words, BYTES_PB(decision->trusted));
	words_add(words, ", rules version %" PRIu32, decision->rules_version);
	if (decision->config_digest.len != HASH_SIZE)
		return;
	text_hex(BYTES_PB(decision->config_digest), hex);
	words_add(words, ", configuration digest %s", hex);
}

static void add_continues(struct words *words, const Dienstweg__Decision *decision)
{
	words_add(words, "the log went on as epoch %" PRIu32 ", after it had lost entries: ",
		decision->epoch);
	if (decision->marked_size > 0)
		words_add(words, "%" PRIu64 " had been signed; ", decision->marked_size);
	else
		words_add(words, "how many had been signed is not known; ");
	words_add(words, "ordered by account %" PRIu32 ": ", decision->account);
	words_name(words, BYTES_PB(decision->trusted));
}

static void add_state(struct words *words, const Dienstweg__Decision *decision)
{
	const Dienstweg__StateCut *cut = decision->state;
	if (!cut) {
		words_add(words, "a state that says nothing");
		return;
	}
	words_add(words, "state after entry %" PRIu64 ", at ", cut->size ? cut->size - 1 : 0);
	words_time(words, cut->batch_ms);
	words_add(words, ":");
	for (size_t i = 0; i < cut->n_tables && i < STATE_TABLES; i++)
		words_add(words, "%s %" PRIu64 " row%s in %s", i > 0 ? "," : "",
			cut->tables[i]->rows, cut->tables[i]->rows == 1 ? "" : "s",
			state_table_name((enum state_table)i));
}

static void add_day(struct words *words, uint32_t day)
{
	char text[25];
	clock_format_utc((uint64_t)day * DAY_MS, text);
	words_add(words, "%.10s", text);
}

static void add_erased(struct words *words, const Dienstweg__Decision *decision)
{
	uint64_t records = 0, contents = 0;
	for (size_t i = 0; i < decision->n_erased; i++) {
		const Dienstweg__ErasedRange *range = decision->erased[i];
		*(range->table == ERASED_RECORD ? &records : &contents) += range->erased;
	}
	words_add(words, "erased %s: %" PRIu64 " record%s and %" PRIu64 " content%s",
		decision->n_instructions > 0 ? "on instruction" : "by age", records,
		records == 1 ? "" : "s", contents, contents == 1 ? "" : "s");
	for (size_t i = 0; i < decision->n_erased && i < LISTED_MAX; i++) {
		const Dienstweg__ErasedRange *range = decision->erased[i];
		words_add(words, "%s %s of class %" PRIu32 " due on ", i > 0 ? "," : ":",
			range->table == ERASED_RECORD ? "records" : "contents", range->class_);
		add_day(words, range->erase_day);
		if (range->first == range->last)
			words_add(words, " (entry %" PRIu64 ")", range->first);
		else
			words_add(words, " (entries %" PRIu64 " to %" PRIu64 ")", range->first,
				range->last);
	}
	if (decision->n_erased > LISTED_MAX)
		words_add(words, " and %zu more ranges", decision->n_erased - LISTED_MAX);
	words_add(words, "; complete from ");
	add_day(words, decision->complete_day);
	if (decision->cause.len == 0)
		return;
	words_add(words, "; before its week, asked for by account %" PRIu32 ": ", decision->account);
	words_name(words, BYTES_PB(decision->cause));
}

static void add_hold(struct words *words, const char *what, const Dienstweg__Decision *decision)
{
	char hex[2 * HASH_SIZE + 1] = "";
	if (decision->case_id.len == CASE_ID_BYTES)
		text_hex(BYTES_PB(decision->case_id), hex);
	words_add(words, "case %s %s by account %" PRIu32, hex, what, decision->account);
	if (decision->ground.len == HASH_SIZE) {
		text_hex(BYTES_PB(decision->ground), hex);
		words_add(words, ", on a document of digest %s", hex);
	}
}

static void add_witnessed(struct words *words, const Dienstweg__Decision *decision)
{
	words_add(words,
		"a quorum of witnesses cosigned the checkpoint of %" PRIu64
		" entries: these existed at ",
		decision->witnessed_size);
	words_time(words, decision->witnessed_seen_s * 1000);
	words_add(words, ", and what follows here is younger than ");
	words_time(words, decision->witnessed_signed_s * 1000);
}

/* So many of them, and in which entries. */
static void add_span(struct words *words, const char *noun, const Dienstweg__Inspection *what)
{
	words_add(words, "%" PRIu64 " %s%s ", what->count, noun, what->count == 1 ? "" : "s");
	if (what->first == what->last)
		words_add(words, "of entry %" PRIu64, what->first);
	else
		words_add(words, "between entry %" PRIu64 " and %" PRIu64, what->first, what->last);
}

static void add_inspected(struct words *words, const Dienstweg__Decision *decision)
{
	const Dienstweg__Inspection *what = decision->inspection;
	if (!what)
		return words_add(words, "records were opened");
	if (decision->party.len > 0) {
		add_span(words, "message", what);
		words_add(words, " went once more to ");
		words_name(words, BYTES_PB(decision->party));
		return words_add(words, ", who asked for a replay");
	}
	add_span(words, "record", what);
	words_add(words, " opened ");
	if (decision->speaker.len > 0) {
		words_add(words, "for the party ");
		words_name(words, BYTES_PB(decision->speaker));
		words_add(words, ", over the bus, as ");
	} else {
		words_add(words, "by account %" PRIu32 " as ", decision->account);
	}
	words_name(words, BYTES_PB(what->role));
	words_add(words, ", on the ground ");
	words_name(words, BYTES_PB(what->ground));
}

void words_decision(struct words *words, uint8_t kind, const Dienstweg__Decision *decision)
{
	switch (kind) {
	case DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED:
		return add_accepted(words, decision);
	case DIENSTWEG__ENTRY_KIND__ENTRY_REFUSED:
		return add_refused(words, decision);
	case DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED:
		return add_verdicts(words, decision);
	case DIENSTWEG__ENTRY_KIND__ENTRY_ATTEMPTS_FAILED:
		return add_items(words, "delivery failed", decision);
	case DIENSTWEG__ENTRY_KIND__ENTRY_EXPIRED:
		return add_items(words, "expired before it was acknowledged", decision);
	case DIENSTWEG__ENTRY_KIND__ENTRY_DEAD:
		return add_items(words, "put among the dead letters", decision);
	case DIENSTWEG__ENTRY_KIND__ENTRY_RETRIED:
		return add_order(words, "dead letters to be delivered again,", decision);
	case DIENSTWEG__ENTRY_KIND__ENTRY_DISCARDED:
		return add_order(words, "dead letters discarded", decision);
	case DIENSTWEG__ENTRY_KIND__ENTRY_HELD:
		return add_order(words, "held", decision);
	case DIENSTWEG__ENTRY_KIND__ENTRY_RELEASED:
		return add_order(words, "released", decision);
	case DIENSTWEG__ENTRY_KIND__ENTRY_CANCELLED:
		return add_items(words, "cancelled by the sender", decision);
	case DIENSTWEG__ENTRY_KIND__ENTRY_OVERDUE:
		return add_items(words, "nobody replied in time", decision);
	case DIENSTWEG__ENTRY_KIND__ENTRY_DUE_SOON:
		return add_items(words, "nobody replied yet, and the time is nearly over", decision);
	case DIENSTWEG__ENTRY_KIND__ENTRY_REGISTRY:
		return add_registry(words, decision);
	case DIENSTWEG__ENTRY_KIND__ENTRY_STATE:
		return add_state(words, decision);
	case DIENSTWEG__ENTRY_KIND__ENTRY_WITNESSED:
		return add_witnessed(words, decision);
	case DIENSTWEG__ENTRY_KIND__ENTRY_START:
		return add_program(words, "the broker started", decision);
	case DIENSTWEG__ENTRY_KIND__ENTRY_STOP:
		return add_program(words, "the broker stopped in order", decision);
	case DIENSTWEG__ENTRY_KIND__ENTRY_CLOCK_STEP:
		words_add(words, "the clock was set %s by %" PRIu64 " ms",
			decision->step_ms < 0 ? "back" : "forward",
			decision->step_ms < 0 ? -(uint64_t)decision->step_ms
					      : (uint64_t)decision->step_ms);
		return;
	case DIENSTWEG__ENTRY_KIND__ENTRY_CONTINUES:
		return add_continues(words, decision);
	case DIENSTWEG__ENTRY_KIND__ENTRY_ERASED:
		return add_erased(words, decision);
	case DIENSTWEG__ENTRY_KIND__ENTRY_INSPECTED:
		return add_inspected(words, decision);
	case DIENSTWEG__ENTRY_KIND__ENTRY_LEGAL_HOLD:
		return add_hold(words, "put under legal hold", decision);
	case DIENSTWEG__ENTRY_KIND__ENTRY_LEGAL_RELEASE:
		return add_hold(words, "released from legal hold", decision);
	case DIENSTWEG__ENTRY_KIND__ENTRY_REFUSALS_SUMMED:
		return add_summed(words, decision);
	default:
		words_add(words, "of a kind that this program does not know");
	}
}

/* ---- names ---- */

const char *words_status(int status)
{
	switch (status) {
	case DIENSTWEG__STATUS__STATUS_RECEIVED:
		return "received";
	case DIENSTWEG__STATUS__STATUS_IN_PROGRESS:
		return "in progress";
	case DIENSTWEG__STATUS__STATUS_DECIDED:
		return "decided";
	case DIENSTWEG__STATUS__STATUS_CLOSED:
		return "closed";
	default:
		return "";
	}
}

const char *words_message_kind(int kind)
{
	switch (kind) {
	case DIENSTWEG__KIND__KIND_SUBMISSION:
		return "submission";
	case DIENSTWEG__KIND__KIND_REPLY:
		return "reply";
	case DIENSTWEG__KIND__KIND_EVENT:
		return "event";
	case DIENSTWEG__KIND__KIND_ENQUIRY:
		return "enquiry";
	case DIENSTWEG__KIND__KIND_ANSWER:
		return "answer";
	default:
		return "message";
	}
}

const char *words_lane(uint8_t lane)
{
	static const char *const names[LANES] = {
		[LANE_URGENT] = "urgent",
		[LANE_NORMAL] = "normal",
		[LANE_BULK] = "bulk",
		[LANE_OUTCOME] = "outcome",
	};
	return lane < LANES ? names[lane] : "unknown";
}
