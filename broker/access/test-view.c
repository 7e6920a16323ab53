/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A case with an application and an event in it, seen by its sender, by two subscribers and by a stranger. The
 * question is always the same: is there a byte of somebody else?
 */
#include "broker/access/view.h"
#include "test/kit/check.h"

/* The case: city applies at jobcenter, tells an event to health and school, and both answer. */
static struct timeline_recipient to_jobcenter[1], to_both[2];
static Dienstweg__Header directed, event_header;

static void prepare(void)
{
	dienstweg__header__init(&directed);
	dienstweg__header__init(&event_header);
	directed.kind = DIENSTWEG__KIND__KIND_SUBMISSION;
	event_header.kind = DIENSTWEG__KIND__KIND_EVENT;
	to_jobcenter[0] = (struct timeline_recipient){BYTES_STR("jobcenter"), TIMELINE_WAITING};
	to_both[0] = (struct timeline_recipient){BYTES_STR("health"), TIMELINE_WAITING};
	to_both[1] = (struct timeline_recipient){BYTES_STR("school"), TIMELINE_ENDED};
}

static struct timeline_event application(void)
{
	return (struct timeline_event){.what = TIMELINE_RECORDED,
		.sequence = 10,
		.message = 10,
		.who = BYTES_STR("city"),
		.header = &directed,
		.recipients = to_jobcenter,
		.recipients_count = 1};
}

static struct timeline_event the_event(void)
{
	return (struct timeline_event){.what = TIMELINE_RECORDED,
		.sequence = 20,
		.message = 20,
		.who = BYTES_STR("city"),
		.header = &event_header,
		.recipients = to_both,
		.recipients_count = 2};
}

static struct timeline_event ending(enum timeline_what what, uint64_t message, const char *who)
{
	return (struct timeline_event){.what = what,
		.sequence = message + 1,
		.message = message,
		.who = BYTES_STR(who),
		.code = BYTES_STR("schema")};
}

static struct access_view judge(struct access *access, struct timeline_event event)
{
	struct access_view view;
	access_judge(access, &event, &view);
	return view;
}

static bool names(struct bytes name, const char *expected)
{
	return bytes_equal(name, BYTES_STR(expected));
}

static void the_sender_sees_what_it_was_told(void)
{
	struct access access = {.party = BYTES_STR("city")};
	prepare();
	struct access_view view = judge(&access, application());
	CHECK(view.shown && names(view.from, "city") && names(view.to, "jobcenter"));
	CHECK(view.recipient == &to_jobcenter[0]);
	view = judge(&access, ending(TIMELINE_FAILED, 10, "jobcenter"));
	CHECK(view.shown && view.words);
	view = judge(&access, ending(TIMELINE_REJECTED, 10, "jobcenter"));
	CHECK(view.shown && view.words && names(view.from, "jobcenter"));
	/* Not who subscribes to its event, nor what they said. */
	view = judge(&access, the_event());
	CHECK(view.shown && names(view.from, "city") && view.to.len == 0 && !view.recipient);
	CHECK(!judge(&access, ending(TIMELINE_ACCEPTED, 20, "health")).shown);
	CHECK(!judge(&access, ending(TIMELINE_EXPIRED, 20, "school")).shown);
}

static void a_recipient_sees_its_own_part(void)
{
	struct access access = {.party = BYTES_STR("health")};
	prepare();
	CHECK(!judge(&access, application()).shown);
	CHECK(!judge(&access, ending(TIMELINE_ACCEPTED, 10, "jobcenter")).shown);
	struct access_view view = judge(&access, the_event());
	CHECK(view.shown && names(view.from, "city") && names(view.to, "health"));
	CHECK(view.recipient == &to_both[0]);
	CHECK(judge(&access, ending(TIMELINE_ACCEPTED, 20, "health")).shown);
	CHECK(!judge(&access, ending(TIMELINE_REJECTED, 20, "school")).shown);
	CHECK(!judge(&access, ending(TIMELINE_LATE, 20, "school")).shown);
}

static void a_stranger_sees_nothing(void)
{
	struct access access = {.party = BYTES_STR("ministry")};
	prepare();
	CHECK(!judge(&access, application()).shown);
	CHECK(!judge(&access, the_event()).shown);
	CHECK(!judge(&access, ending(TIMELINE_ACCEPTED, 10, "jobcenter")).shown);
	CHECK(!judge(&access, ending(TIMELINE_ACCEPTED, 20, "health")).shown);
	CHECK(!access.known);
}

/* What a header claims is not believed, and an ending of a message that was not seen stays unsaid. */
static void lies_and_gaps_stay_unsaid(void)
{
	struct access access = {.party = BYTES_STR("city")};
	struct timeline_event refused = {
		.what = TIMELINE_REFUSED, .who = BYTES_STR("mallory"), .header = &directed};
	prepare();
	CHECK(!judge(&access, refused).shown);
	refused.who = BYTES_STR("city");
	CHECK(judge(&access, refused).shown);
	CHECK(!judge(&access, ending(TIMELINE_REJECTED, 10, "jobcenter")).shown);
	CHECK(judge(&access, application()).shown);
	CHECK(!judge(&access, ending(TIMELINE_REJECTED, 20, "jobcenter")).shown);
	CHECK(judge(&access, ending(TIMELINE_REJECTED, 10, "jobcenter")).shown);
}

CHECK_MAIN(CHECK_CASE(the_sender_sees_what_it_was_told), CHECK_CASE(a_recipient_sees_its_own_part),
	CHECK_CASE(a_stranger_sees_nothing), CHECK_CASE(lies_and_gaps_stay_unsaid))
