/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Both sides are sorted tables, so one walk through both finds every difference in constant memory. What
 * the journal cannot tell is named here, row by row, and nothing else is forgiven:
 *   counter of refusals       how many were only counted is in no entry before its minute's sum
 *   timer of such a sum       exists live for a minute with nothing but counted ones
 *   messages due already      the broker moves them when it has room to tell delivery, replay at once
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/audit/replayer.h"
#include "broker/audit/words.h"
#include "broker/routing/party.h"
#include "broker/routing/place.h"

enum { KEY_MAX = 511, MINUTE_MS = 60000 };

/* Rows of one side, in order of their keys. Views die with the next step. */
struct side {
	uint8_t from[KEY_MAX + 1];
	size_t from_len;
	bool end;
	struct bytes key, value;
};

static int side_step(struct side *side, int r)
{
	side->end = r == READER_NOT_FOUND;
	if (side->end)
		side->key = side->value = BYTES(NULL, 0);
	return r == READER_NOT_FOUND ? 0 : r;
}

static int live_seek(struct replayer *p, enum state_table table, struct side *side)
{
	return side_step(side, journal_read_table(p->audit->reader, table,
				       BYTES(side->from, side->from_len), &side->key, &side->value));
}

static int replayed_seek(struct replayer *p, enum state_table table, struct side *side)
{
	int r = state_seek(
		p->rules.state, table, BYTES(side->from, side->from_len), &side->key, &side->value);
	return side_step(side, r == STATE_NOT_FOUND ? READER_NOT_FOUND : r);
}

/* The smallest key above the one it is at. */
static int side_advance(struct side *side)
{
	if (side->key.len > KEY_MAX)
		return -EBADMSG;
	memmove(side->from, side->key.data, side->key.len);
	side->from[side->key.len] = 0;
	side->from_len = side->key.len + 1;
	return 0;
}

/* ---- what is forgiven ---- */

static bool is_refusals(enum state_table table, struct bytes key)
{
	return table == STATE_COUNTER && key.len == REFUSALS_KEY_SIZE &&
	       key.data[0] == COUNTER_REFUSALS;
}

static bool is_over(uint64_t minute, const struct journal_meta *meta)
{
	return minute < meta->batch_ms / MINUTE_MS;
}

static bool live_may_have(enum state_table table, struct bytes key, struct bytes value,
	const struct journal_meta *meta)
{
	struct total_row total;
	uint64_t due_ms, sequence;
	uint32_t party;
	uint8_t what;
	if (is_refusals(table, key))
		return total_row_decode(value, &total) == 0 &&
		       (total.first == 0 || is_over(be64_get(key.data + 5), meta));
	return table == STATE_TIMER &&
	       timer_key_decode(key, &due_ms, &sequence, &party, &what) == 0 &&
	       what == TIMER_SUMMARY && due_ms == (sequence + 1) * MINUTE_MS && value.len == 0;
}

static bool is_unreadable(struct replayer *p, uint64_t sequence)
{
	return sequence < p->unreadable_until &&
	       journal_read_present(p->audit->reader, sequence) != 0;
}

/* What an erased message, or an erased acknowledgement, left in `seen` or `end` may be there or not. */
static bool is_of_erased(
	struct replayer *p, enum state_table table, struct bytes key, struct bytes value)
{
	uint64_t message;
	uint32_t party;
	struct seen_row seen;
	struct end_row end;
	if (table == STATE_SEEN)
		return seen_row_decode(value, &seen) == 0 && is_unreadable(p, seen.sequence);
	return table == STATE_END && end_key_decode(key, &message, &party) == 0 &&
	       end_row_decode(value, &end) == 0 && end_state_is_end(end.state) &&
	       (is_unreadable(p, message) || is_unreadable(p, end.entry));
}

/* The entry by which a recipient was late may be erased before what it was about. */
static bool same_end(
	const struct replayer *p, struct bytes key, struct bytes live, struct bytes replayed)
{
	struct end_row a, b;
	uint64_t message;
	uint32_t party;
	return p->founded && end_key_decode(key, &message, &party) == 0 &&
	       message < p->result->from && end_row_decode(live, &a) == 0 &&
	       end_row_decode(replayed, &b) == 0 && a.heard && a.state == b.state &&
	       a.entry == b.entry && a.index == b.index;
}

static bool same_value(const struct replayer *p, enum state_table table, struct bytes key,
	struct bytes live, struct bytes replayed)
{
	struct total_row a, b;
	if (table == STATE_END && same_end(p, key, live, replayed))
		return true;
	if (!is_refusals(table, key))
		return bytes_equal(live, replayed);
	return total_row_decode(live, &a) == 0 && total_row_decode(replayed, &b) == 0 &&
	       a.first == b.first;
}

/* ---- saying it ---- */

static void add_party(struct replayer *p, struct words *words, uint32_t number)
{
	struct bytes name;
	if (number == PARTY_COMMON)
		words_add(words, "all recipients of a message");
	else if (party_name(p->rules.state, number, &name) == 0)
		words_name(words, name);
	else
		words_add(words, "party number %" PRIu32, number);
}

static void name_counter(struct replayer *p, struct words *words, struct bytes key)
{
	uint8_t kind = key.len > 0 ? key.data[0] : 0;
	if (kind == COUNTER_QUOTA && key.len > 5) {
		words_add(words, "messages of a month under agreement ");
		words_name(words, BYTES(key.data + 5, key.len - 5));
	} else if (kind == COUNTER_PARTIES) {
		words_add(words, "the number of parties");
	} else if (key.len >= TOTAL_KEY_SIZE) {
		words_add(words, "%s ",
			kind == COUNTER_QUEUE      ? "what is open for"
			: kind == COUNTER_ASKED    ? "an enquiry of"
			: kind == COUNTER_PENDING  ? "unanswered enquiries of"
			: kind == COUNTER_LATE     ? "what was not replied to in time by"
			: kind == COUNTER_REFUSALS ? "refusals of"
			: kind == COUNTER_NAME     ? "the name of"
						   : "an unknown count of");
		add_party(p, words, be32_get(key.data + 1));
	}
}

static const char *timer_name(uint8_t what)
{
	static const char *const names[] = {
		[TIMER_RELEASE] = "release",
		[TIMER_EXPIRE] = "expiry",
		[TIMER_SUMMARY] = "sum of refusals",
		[TIMER_DEAD] = "dead letter",
		[TIMER_HELD] = "held message",
		[TIMER_ASKED] = "end of an enquiry's time",
	};
	return names[what];
}

static void name_hold(struct replayer *p, struct words *words, struct bytes key)
{
	if (key.len == HOLD_CASE_SIZE) {
		words_add(words, "a case under legal hold");
	} else if (key.len == HOLD_PARTY_SIZE) {
		words_add(words, "the queue of ");
		add_party(p, words, be32_get(key.data + 1));
	} else if (key.len == HOLD_SERVICE_SIZE) {
		words_add(words, "what comes for ");
		words_name(words,
			BYTES(key.data + 1, strnlen((const char *)key.data + 1, key.len - 1)));
	}
}

/* The row in words; its message's sequence, or @fallback where it is about none. */
static uint64_t name_row(struct replayer *p, struct words *words, enum state_table table,
	struct bytes key, struct bytes value, uint64_t fallback)
{
	uint64_t sequence = fallback, due_ms;
	struct seen_row seen;
	uint32_t party;
	uint8_t lane, what;
	if (table == STATE_QUEUE && queue_key_decode(key, &party, &lane, &sequence) == 0) {
		words_add(words, "lane %s of ", words_lane(lane));
		add_party(p, words, party);
	} else if (table == STATE_TIMER &&
		   timer_key_decode(key, &due_ms, &sequence, &party, &what) == 0) {
		words_add(words, "%s for ", timer_name(what));
		add_party(p, words, party);
		if (what == TIMER_SUMMARY)
			sequence = fallback;
	} else if (table == STATE_END && end_key_decode(key, &sequence, &party) == 0) {
		words_add(words, "end for ");
		add_party(p, words, party);
	} else if (table == STATE_SEEN && key.len == SEEN_KEY_SIZE) {
		words_add(words, "a message of ");
		add_party(p, words, be32_get(key.data + UUID_SIZE));
		if (seen_row_decode(value, &seen) == 0)
			sequence = seen.sequence;
	} else if (table == STATE_COUNTER) {
		name_counter(p, words, key);
	} else if (table == STATE_PARTY) {
		words_name(words, key);
	} else if (table == STATE_HOLD) {
		name_hold(p, words, key);
		if (value.len == sizeof(sequence))
			sequence = be64_get(value.data);
	} else if (table == STATE_ORDER && key.len == ORDER_KEY_SIZE) {
		words_add(words, "later ones of the case held back for ");
		add_party(p, words, be32_get(key.data));
		sequence = be64_get(key.data + ORDER_KEY_SIZE - sizeof(sequence));
	}
	return sequence;
}

static void report_row(struct replayer *p, enum state_table table, struct bytes key,
	struct bytes value, const char *code, const char *what)
{
	char text[200];
	struct words words;
	words_init(&words, text, sizeof(text));
	uint64_t sequence = name_row(p, &words, table, key, value, p->next ? p->next - 1 : 0);
	audit_report_finding(
		p->report, sequence, code, "table %s, %s: %s", state_table_name(table), text, what);
}

/* ---- comparing ---- */

static int compare_step(struct replayer *p, enum state_table table, struct side *live,
	struct side *replayed, const struct journal_meta *meta)
{
	int order = live->end ? 1 : replayed->end ? -1 : bytes_compare(live->key, replayed->key);
	int r = 0;
	if (order <= 0)
		p->result->rows[table]++;
	if (order < 0 && !live_may_have(table, live->key, live->value, meta) &&
		!is_of_erased(p, table, live->key, live->value))
		report_row(p, table, live->key, live->value, "row-unfounded",
			"it is there, but does not follow from the entries");
	if (order > 0 && !is_of_erased(p, table, replayed->key, replayed->value))
		report_row(p, table, replayed->key, replayed->value, "row-missing",
			"it follows from the entries, but is not there");
	if (order == 0 && !same_value(p, table, live->key, live->value, replayed->value))
		report_row(p, table, live->key, live->value, "row-differs",
			"it says something else than what follows from the entries");
	bool both = order == 0;
	if (order < 0 || both)
		r = side_advance(live);
	if (r == 0 && (order > 0 || both))
		r = side_advance(replayed);
	if (r == 0 && (order < 0 || both))
		r = live_seek(p, table, live);
	if (r == 0 && (order > 0 || both))
		r = replayed_seek(p, table, replayed);
	return r;
}

static int compare_table(struct replayer *p, enum state_table table, const struct journal_meta *meta)
{
	struct side live = {}, replayed = {};
	int r = live_seek(p, table, &live);
	if (r == 0)
		r = replayed_seek(p, table, &replayed);
	while (r == 0 && !(live.end && replayed.end) && !replay_enough(p))
		r = compare_step(p, table, &live, &replayed, meta);
	return r > 0 ? -EBADMSG : r;
}

/* ---- messages that are due, and that the broker has not moved yet ---- */

/* What began to wait under version 0 of the rules has no such row. */
static int live_holds_back(struct replayer *p, const struct rules_item *item, uint8_t lane,
	const struct queue_row *row, bool *ret)
{
	uint8_t key[ORDER_KEY_SIZE];
	struct bytes found, value;
	order_key_encode(item->party, lane, row, item->sequence, key);
	int r = journal_read_table(
		p->audit->reader, STATE_ORDER, BYTES(key, sizeof(key)), &found, &value);
	*ret = r == 0 && bytes_equal(found, BYTES(key, sizeof(key)));
	return r < 0 ? r : 0;
}

static int put_back(
	struct replayer *p, const struct rules_item *item, uint64_t due_ms, struct bytes value)
{
	struct rules rules = p->rules;
	bool holds_back;
	struct place place;
	struct queue_row row;
	uint8_t lane;
	if (release_row_decode(value, &lane, &row))
		return 0; /* the comparison will say so */
	int r = place_find(p->rules.state, item, &place);
	if (r || place.where != PLACE_QUEUE)
		return r;
	lane = place.lane;
	row = place.row;
	r = place_remove(&rules, item, &place);
	if (r == 0)
		r = live_holds_back(p, item, lane, &row, &holds_back);
	if (r)
		return r;
	rules.version = holds_back ? RULES_VERSION : 0;
	return place_delay(&rules, item, due_ms, lane, &row);
}

static int put_back_due(struct replayer *p, const struct journal_meta *meta)
{
	struct side live = {};
	int r = live_seek(p, STATE_TIMER, &live);
	while (r == 0 && !live.end) {
		struct rules_item item;
		uint64_t due_ms;
		uint8_t what;
		if (timer_key_decode(live.key, &due_ms, &item.sequence, &item.party, &what) == 0) {
			if (due_ms > meta->batch_ms)
				break;
			if (what == TIMER_RELEASE)
				r = put_back(p, &item, due_ms, live.value);
		}
		if (r == 0)
			r = side_advance(&live);
		if (r == 0)
			r = live_seek(p, STATE_TIMER, &live);
	}
	return r > 0 ? -EBADMSG : r;
}

int replay_compare(struct replayer *p, const struct journal_meta *meta)
{
	int r = put_back_due(p, meta);
	for (enum state_table table = 0; r == 0 && table < STATE_TABLES; table++)
		r = compare_table(p, table, meta);
	return r;
}
