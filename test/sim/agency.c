/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * An agency: the SDK's own main function with ops whose legacy system is a list of letters. A letter says who
 * sent it and which one it is, so whoever gets it can tell what it should be. What the legacy system is told is
 * held against the ledger at once.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "proto/base/text.h"
#include "test/kit/check.h"
#include "test/sim/town.h"

enum { PATIENCE_MS = 3 * 60 * 1000, POLL_MS = 250, REPLAY_RARITY = 80 };

/* Who writes what to whom. */
static const struct {
	const char *sender, *service, *recipient, *region;
	bool event;
} routes[] = {
	{"city", "alg2.application", NULL, "05124000", false},
	{"city", "alg2.application", "jobcenter", NULL, false},
	{"city", "figures", "ministry", NULL, false},
	{"city", "death.notice", NULL, NULL, true},
	{"jobcenter", "alg2.decision", "city", NULL, false},
	{"jobcenter", "alg2.decision", "village", NULL, false},
	{"jobcenter", "figures", "ministry", NULL, false},
	{"village", "alg2.application", "jobcenter", NULL, false},
	{"village", "figures", "ministry", NULL, false},
	{"city", "referral", "jobcenter", NULL, false},
	{"village", "referral", "jobcenter", NULL, false},
	{"city", "reply", "kiosk", NULL, false},
	{"jobcenter", "reply", "kiosk", NULL, false},
};

static struct agency *agency_of(struct dw_adapter *adapter)
{
	return dw_adapter_user(adapter);
}

static uint8_t number_of(struct agency *agency, struct bytes party)
{
	return ledger_party(&agency->town->ledger, party);
}

/* ---- letters out ---- */

/* Not in every town there is one of each. */
static bool recipient_exists(struct town *town, const char *recipient)
{
	return !recipient || town_agency(town, BYTES_STR(recipient));
}

static void letter_write(struct agency *agency)
{
	struct machine *machine = &agency->town->machine;
	size_t mine[ARRAY_LEN(routes)], count = 0;
	for (size_t i = 0; i < ARRAY_LEN(routes); i++)
		if (town_agency(agency->town, BYTES_STR(routes[i].sender)) == agency &&
			recipient_exists(agency->town, routes[i].recipient))
			mine[count++] = i;
	if (count == 0)
		return;
	if (agency->letters_count == agency->letters_room) {
		agency->letters_room = agency->letters_room ? agency->letters_room * 2 : 256;
		agency->letters = realloc(
			agency->letters, agency->letters_room * sizeof(*agency->letters));
		CHECK(agency->letters);
	}
	agency->letters[agency->letters_count++] = (struct letter){
		.route = (uint8_t)mine[chance_below(&machine->chance, (uint32_t)count)],
		.priority = (uint8_t)chance_below(&machine->chance, 3),
		.expires = machine_chance(6),
		.later = machine_chance(8),
		.enclosures = agency->town->encloses && machine_chance(8)
				      ? (uint8_t)machine_between(1, ENCLOSURES_MAX)
				      : 0,
		.written_ms = clock_wall_ms(clock_system()),
	};
	agency->town->counts.written++;
}

/* Of the same letter always the same message. */
static int letter_submit(struct dw_adapter *adapter, struct agency *agency, size_t number)
{
	struct letter *letter = &agency->letters[number];
	const char *recipient = routes[letter->route].recipient;
	const char *region = routes[letter->route].region;
	char key[32], body[96], why[512] = "";
	struct dw_submitted ids;
	struct enclosures enclosures;
	enclosures_put(agency, number, &enclosures);
	snprintf(key, sizeof(key), "%zu", number);
	snprintf(body, sizeof(body), "%s/%zu", agency->party, number);
	struct dw_message message = {
		.key = BYTES_STR(key),
		.sender = BYTES_STR(routes[letter->route].sender),
		.kind = routes[letter->route].event ? DW_EVENT : DW_SUBMISSION,
		.service = BYTES_STR(routes[letter->route].service),
		.recipient = BYTES_STR(recipient ? recipient : ""),
		.region = BYTES_STR(region ? region : ""),
		.content_type = BYTES_STR("text/plain"),
		.body = BYTES_STR(body),
		.priority = letter->priority,
		.attachments = enclosures.all,
		.attachments_count = enclosures.count,
	};
	if (letter->later)
		message.not_before_ms = letter->written_ms + PATIENCE_MS / 10;
	if (letter->expires)
		message.expires_ms = letter->written_ms + PATIENCE_MS;
	int r = dw_submit(adapter, &message, &ids, why, sizeof(why));
	if (r == DW_UNROUTABLE || r == DW_INVALID) {
		town_tell(agency->town, "%s cannot send letter %zu: %s", agency->party, number, why);
		letter->state = LETTER_UNSENT;
		agency->town->counts.unsent++;
		return 0;
	}
	return r;
}

/* Perhaps it has lost something, or wants what was before it came. */
static void ask_again(struct dw_adapter *adapter, const struct agency *agency)
{
	uint64_t entries = agency->town->ledger.count;
	struct dw_replay replay = {.from = machine_between(0, entries)};
	if (machine_chance(REPLAY_RARITY))
		CHECK(dw_replay(adapter, &replay) != DW_INVALID);
}

static int from_agency(struct dw_adapter *adapter, void *context, bool *ret_more)
{
	struct agency *agency = context;
	size_t begun = agency->letters_count;
	*ret_more = false;
	/* What was handed over before a crash, without hearing that it is durable. */
	for (; agency->again < agency->letters_count; agency->again++) {
		if (agency->letters[agency->again].state != LETTER_WRITTEN)
			continue;
		int r = letter_submit(adapter, agency, agency->again);
		if (r)
			return r < 0 ? r : 0;
	}
	if (!agency->town->writing || !machine_chance(2))
		return 0;
	ask_again(adapter, agency);
	int asked = agency_asks(adapter, agency);
	if (asked)
		return asked;
	for (uint64_t n = machine_between(1, agency->haste); n > 0; n--)
		letter_write(agency);
	for (size_t i = begun; i < agency->letters_count; i++, agency->again++) {
		int r = letter_submit(adapter, agency, i);
		if (r)
			return r < 0 ? r : 0; /* full: again at the next look */
	}
	*ret_more = machine_chance(4);
	return 0;
}

static struct letter *letter_of(struct agency *agency, struct bytes key)
{
	uint64_t number;
	CHECK_INT(text_parse_u64(key, &number), 0);
	CHECK(number < agency->letters_count);
	return &agency->letters[number];
}

static int submitted(
	struct dw_adapter *adapter, void *context, struct bytes key, const struct dw_submitted *ids)
{
	struct agency *agency = context;
	(void)adapter;
	if (agency_question_submitted(agency, key))
		return 0;
	struct letter *letter = letter_of(agency, key);
	memcpy(letter->case_id, ids->case_id, sizeof(letter->case_id));
	if (letter->state == LETTER_WRITTEN)
		letter->state = LETTER_SUBMITTED;
	enclosures_drop(agency, (size_t)(letter - agency->letters));
	return 0;
}

/* ---- letters in ---- */

/* Is what arrived what was sent? */
static void check_body(struct agency *agency, const struct dw_delivery *delivery, bool replayed)
{
	struct ledger *ledger = &agency->town->ledger;
	const struct agency *author = town_agency(agency->town, delivery->sender);
	const uint8_t *slash = memchr(delivery->body.data, '/', delivery->body.len);
	uint64_t number = 0;
	if (author && author->wild) {
		if (!bytes_equal(delivery->service, BYTES_STR("complaint")))
			ledger_violate(ledger, "%s got of %s what it may not send", agency->party,
				author->party);
		return;
	}
	if (agency_knows_question(agency, delivery))
		return;
	size_t len = slash ? (size_t)(slash - delivery->body.data) : 0;
	const struct agency *sender = town_agency(agency->town, BYTES(delivery->body.data, len));
	if (!slash || !sender ||
		text_parse_u64(BYTES(slash + 1, delivery->body.len - len - 1), &number) != 0 ||
		number >= sender->letters_count) {
		ledger_violate(ledger, "%s got something that nobody wrote", agency->party);
		return;
	}
	uint8_t route = sender->letters[number].route;
	if (!bytes_equal(delivery->sender, BYTES_STR(routes[route].sender)) ||
		!bytes_equal(delivery->service, BYTES_STR(routes[route].service)))
		ledger_violate(ledger, "%s got letter %s/%" PRIu64 " under another name",
			agency->party, sender->party, number);
	else if (!replayed) /* its files came with the delivery, and do not come again */
		enclosures_check(sender, number, agency, delivery);
}

static int to_agency(struct dw_adapter *adapter, void *context, const struct dw_delivery *delivery,
	struct dw_verdict *ret)
{
	struct agency *agency = context;
	struct town *town = agency->town;
	check_body(agency, delivery, false);
	*ret = (struct dw_verdict){.disposition = DW_ACCEPTED};
	if (machine_chance(agency->mood)) {
		ret->disposition = machine_chance(2) ? DW_REJECTED : DW_LATER;
		snprintf(ret->code, sizeof(ret->code), "not-responsible");
		ret->delay_ms = machine_chance(2) ? (uint32_t)machine_between(1, 3000) : 0;
	}
	town->counts.accepted += ret->disposition == DW_ACCEPTED;
	town->counts.rejected += ret->disposition == DW_REJECTED;
	town->counts.later += ret->disposition == DW_LATER;
	if (ret->disposition != DW_ACCEPTED)
		return 0;
	ledger_handed(&town->ledger, number_of(agency, delivery->recipient), delivery->sequence,
		delivery->h, agency->process.life);
	return agency_is_asked(adapter, agency, delivery);
}

/* It is what was sent, whenever that was. What the broker may give whom is checked where it leaves. */
static int replayed(struct dw_adapter *adapter, void *context, const struct dw_delivery *delivery)
{
	struct agency *agency = context;
	(void)adapter;
	check_body(agency, delivery, true);
	agency->town->counts.replayed++;
	return 0;
}

/* ---- what became of them ---- */

static void recorded(struct agency *agency, struct letter *letter, uint8_t sender,
	const struct dw_report *report)
{
	struct ledger *ledger = &agency->town->ledger;
	ledger_recorded(ledger, sender, report->h, report->sequence);
	if (letter->state == LETTER_REFUSED)
		ledger_violate(
			ledger, "%s holds a refusal and a receipt of one letter", agency->party);
	if (letter->state == LETTER_RECORDED && letter->sequence != report->sequence)
		ledger_violate(ledger, "%s holds two receipts of one letter", agency->party);
	letter->state = LETTER_RECORDED;
	letter->sequence = report->sequence;
	memcpy(letter->h, report->h, HASH_SIZE);
}

static int report_take(struct dw_adapter *adapter, void *context, const struct dw_report *report)
{
	struct agency *agency = context;
	struct ledger *ledger = &agency->town->ledger;
	if (agency_question_reported(adapter, agency, report))
		return 0;
	struct letter *letter = letter_of(agency, report->key);
	uint8_t sender = number_of(agency, BYTES_STR(routes[letter->route].sender));
	switch (report->event) {
	case DW_RECORDED:
		recorded(agency, letter, sender, report);
		agency_reconsiders(adapter, agency, BYTES_STR(routes[letter->route].sender), report);
		break;
	case DW_REFUSED:
		if (letter->state == LETTER_RECORDED)
			ledger_violate(ledger, "%s holds a receipt and a refusal of one letter",
				agency->party);
		agency->town->counts.refused += letter->state != LETTER_REFUSED;
		letter->state = LETTER_REFUSED;
		town_tell(agency->town, "%s: letter %.*s is refused: %.*s", agency->party,
			(int)report->key.len, (const char *)report->key.data, (int)report->code.len,
			(const char *)report->code.data);
		break;
	case DW_ENDED:
		ledger_told(ledger, sender, report->h, number_of(agency, report->recipient),
			report->state, agency->process.life);
		break;
	case DW_OVERDUE:
		ledger_reminded(ledger, sender, report->h, number_of(agency, report->recipient),
			agency->process.life);
		agency->town->counts.reminded++;
		break;
	case DW_DUE_SOON:
		ledger_warned(ledger, sender, report->h, agency->process.life);
		break;
	}
	return 0;
}

bool agency_settled(const struct agency *agency)
{
	for (size_t i = 0; i < agency->letters_count; i++)
		if (agency->letters[i].state == LETTER_WRITTEN ||
			agency->letters[i].state == LETTER_SUBMITTED)
			return false;
	return agency_questions_settled(agency);
}

/* ---- its life ---- */

static int agency_open(
	struct dw_adapter *adapter, const struct config_adapter *config, void **ret_context)
{
	struct agency *agency = agency_of(adapter);
	(void)config;
	agency->adapter = adapter;
	agency->again = 0;
	agency_questions_forget(agency);
	*ret_context = agency;
	return 0;
}

static void agency_close(void *context)
{
	((struct agency *)context)->adapter = NULL;
}

static const struct dw_adapter_ops ops = {
	.name = "dienstweg-sim",
	.open = agency_open,
	.from_agency = from_agency,
	.submitted = submitted,
	.to_agency = to_agency,
	.replayed = replayed,
	.report = report_take,
	.answered = agency_answered,
	.cancelled = agency_cancelled,
	.close = agency_close,
	.poll_ms = POLL_MS,
};

void agency_main(struct proc *process)
{
	struct agency *agency = process->context;
	agency->adapter = NULL; /* its last life may have ended suddenly */
	int code = dw_adapter_run(agency->config, &ops, agency);
	town_tell(agency->town, "%s ends (%d)", agency->party, code);
	/* 1 wants a person: an alarm, or somebody else speaks for the party. */
	if (code == 1)
		ledger_violate(
			&agency->town->ledger, "%s alarms: see its STATE/ALARM", agency->party);
}

void agency_stop(struct agency *agency)
{
	agency->leaves = true;
	if (agency->adapter)
		dw_adapter_stop(agency->adapter);
}
