/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Keys that come, go and are doubted, judged by their place in the journal: a journal in which every kind of
 * change of keys has happened is clean, and what is disputed in it is told once for each key.
 */
#include <unistd.h>

#include "broker/audit/disputes.h"
#include "broker/audit/replay.h"
#include "broker/audit/verify.h"
#include "broker/journal/test-fixture.h"
#include "proto/base/file.h"
#include "test/kit/check.h"

/* ---- a bus over the years ---- */

struct years {
	struct journal_fixture journal;
	char policy[300];
	uint64_t version;
};

static Dienstweg__Key *key_of(struct years *years, const char *owner, enum key_use use, size_t nth)
{
	const Dienstweg__RegistryContent *content = registry_fixture_content(years->journal.parties);
	Dienstweg__Key *const *keys = content->bus_keys;
	size_t count = content->n_bus_keys;
	for (size_t i = 0; i < content->n_parties; i++)
		if (bytes_equal(BYTES_PB(content->parties[i]->name), BYTES_STR(owner))) {
			keys = content->parties[i]->keys;
			count = content->parties[i]->n_keys;
		}
	for (size_t i = 0; i < count; i++)
		if (keys[i]->use == (Dienstweg__KeyUse)use && nth-- == 0)
			return keys[i];
	CHECK_FAIL("%s has no such key", owner);
	return NULL;
}

static void write_policy(struct years *years)
{
	struct note_key roots[3];
	char text[1024], line[NOTE_VKEY_SIZE];
	size_t len = 0;
	registry_fixture_roots(years->journal.parties, roots);
	for (size_t i = 0; i < 3; i++) {
		note_key_format(&roots[i], line);
		len += (size_t)snprintf(text + len, sizeof(text) - len, "root %s\n", line);
	}
	len += (size_t)snprintf(text + len, sizeof(text) - len, "root-quorum 2\nquorum none\n");
	CHECK_INT(file_replace(years->policy, BYTES(text, len), 0644), 0);
}

static void years_init(struct years *years, const char *name)
{
	*years = (struct years){.version = 1};
	journal_fixture_init(&years->journal, check_memdir(), name);
	CHECK(snprintf(years->policy, sizeof(years->policy), "%s/%s-policy", check_memdir(), name) <
		(int)sizeof(years->policy));
	write_policy(years);
	journal_fixture_start(&years->journal);
}

static void years_deinit(struct years *years)
{
	journal_fixture_deinit(&years->journal);
}
DEFINE_CLEANUP_PTR(struct years, years_deinit);

/* The content as it is now becomes the next version. Return: the journal's verdict. */
static int adopt_signed(struct years *years, const char *first, const char *second)
{
	struct journal_fixture *f = &years->journal;
	struct registry *next = NULL;
	char why[512];
	struct bytes bytes = registry_fixture_compose(f->parties, years->version + 1, f->registry);
	bytes = registry_fixture_sign(f->parties, bytes, first);
	bytes = registry_fixture_sign(f->parties, bytes, second);
	if (registry_load_self(bytes, &next, why, sizeof(why)))
		CHECK_FAIL("version %llu: %s", (unsigned long long)years->version + 1, why);
	struct parcel *parcel = journal_fixture_act(f, PARCEL_REGISTRY);
	parcel->registry = registry_ref(next);
	journal_fixture_run(f, parcel);
	int verdict = parcel->verdict;
	parcel_free(parcel);
	if (verdict) {
		registry_unref(next);
		return verdict;
	}
	registry_unref(f->registry);
	f->registry = next;
	years->version++;
	return 0;
}

static void adopt(struct years *years)
{
	CHECK_INT(adopt_signed(years, "root1", "root2"), 0);
}

static struct parcel *send(struct years *years, size_t count)
{
	struct parcel *parcel = journal_fixture_submit(&years->journal,
		&(struct fixture_load){.count = count, .content_bytes = 20, .service = "notice"});
	journal_fixture_run(&years->journal, parcel);
	return parcel;
}

static uint64_t accepted(struct years *years, size_t count)
{
	struct parcel *parcel = send(years, count);
	CHECK_INT(parcel->submits[0].decision.result, SUBMIT_ACCEPTED);
	uint64_t first = parcel->submits[0].proof.sequence;
	parcel_free(parcel);
	return first;
}

/* ---- judging ---- */

struct judged {
	struct audit_report report;
	struct dispute disputes[4];
	char first[300];
};

static void take_finding(void *context, const struct audit_finding *finding)
{
	struct judged *judged = context;
	if (judged->report.findings == 1)
		snprintf(judged->first, sizeof(judged->first), "%llu: %s: %s",
			(unsigned long long)finding->sequence, finding->code, finding->reason);
}

static void take_dispute(void *context, const struct dispute *dispute)
{
	struct judged *judged = context;
	CHECK(judged->report.disputed <= ARRAY_LEN(judged->disputes));
	judged->disputes[judged->report.disputed - 1] = *dispute;
}

/* Both commands, after the journal was stopped: neither has a finding. */
static void judge(struct years *years, struct judged *ret)
{
	struct audit_paths paths = {
		.journal = years->journal.dir,
		.keyring = years->journal.keys,
		.master_key = years->journal.master,
		.policy = years->policy,
	};
	struct audit_verify_options how = {.depth = AUDIT_FULL};
	struct audit_replay_options again = {.work = check_memdir(), .findings_max = 10};
	struct audit_verify_result verified;
	struct audit_replay_result replayed;
	char error[512];
	_cleanup_(audit_close) struct audit audit = {};
	journal_fixture_stop(&years->journal);
	if (audit_open(&paths, &audit, error, sizeof(error)))
		CHECK_FAIL("%s", error);
	*ret = (struct judged){
		.report = {.finding = take_finding, .dispute = take_dispute, .context = ret}};
	CHECK_INT(audit_verify(&audit, &how, &ret->report, &verified), 0);
	if (ret->report.findings)
		CHECK_FAIL("verify: %s", ret->first);
	CHECK_INT(audit_replay(&audit, &again, &ret->report, &replayed), 0);
	if (ret->report.findings)
		CHECK_FAIL("replay: %s", ret->first);
}

/* ---- cases ---- */

/* Found out in version 3, begun before: neither the entries nor the verdict on them change. */
static void a_stolen_key_is_disputed_from_where_it_was_stolen(void)
{
	_cleanup_(years_deinit) struct years years;
	struct judged judged;
	years_init(&years, "stolen");
	accepted(&years, 3);
	uint64_t stolen = accepted(&years, 5), last = stolen + 4;
	registry_fixture_add_key(years.journal.parties, "city", KEY_SIGN);
	Dienstweg__Key *old = key_of(&years, "city", KEY_SIGN, 0);
	old->state = DIENSTWEG__KEY_STATE__KEY_STATE_REVOKED;
	old->suspect_from = stolen;
	adopt(&years);
	accepted(&years, 2);
	judge(&years, &judged);
	CHECK_INT(judged.report.disputed, 1);
	CHECK_STR(judged.disputes[0].owner, "city");
	CHECK_INT(judged.disputes[0].use, KEY_SIGN);
	CHECK_INT(judged.disputes[0].suspect_from, stolen);
	CHECK_INT(judged.disputes[0].count, 5);
	CHECK_INT(judged.disputes[0].first, stolen);
	CHECK_INT(judged.disputes[0].last, last);
}

static void a_suspicion_that_was_cleared_up_is_gone(void)
{
	_cleanup_(years_deinit) struct years years;
	struct judged judged;
	years_init(&years, "cleared");
	uint64_t from = accepted(&years, 2);
	registry_fixture_add_key(years.journal.parties, "city", KEY_SIGN);
	Dienstweg__Key *old = key_of(&years, "city", KEY_SIGN, 0);
	old->state = DIENSTWEG__KEY_STATE__KEY_STATE_RETIRED;
	old->suspect_from = from;
	adopt(&years);
	accepted(&years, 1);
	old->suspect_from = 0;
	adopt(&years);
	judge(&years, &judged);
	CHECK_INT(judged.report.disputed, 0);
}

/* Acknowledgements rest on keys as messages do. */
static void acknowledgements_are_disputed_too(void)
{
	_cleanup_(years_deinit) struct years years;
	struct judged judged;
	years_init(&years, "acks");
	struct parcel *sent = send(&years, 3);
	struct parcel *acks = journal_fixture_acks(&years.journal, "jobcenter", sent);
	journal_fixture_run(&years.journal, acks);
	uint64_t entry = acks->acks[0].proof.sequence;
	registry_fixture_add_key(years.journal.parties, "jobcenter", KEY_SIGN);
	Dienstweg__Key *old = key_of(&years, "jobcenter", KEY_SIGN, 0);
	old->state = DIENSTWEG__KEY_STATE__KEY_STATE_REVOKED;
	old->suspect_from = entry;
	adopt(&years);
	parcel_free(acks);
	parcel_free(sent);
	judge(&years, &judged);
	CHECK_INT(judged.report.disputed, 1);
	CHECK_STR(judged.disputes[0].owner, "jobcenter");
	CHECK_INT(judged.disputes[0].count, 1);
	CHECK_INT(judged.disputes[0].first, entry);
}

static const struct key_secret *log_key(struct years *years)
{
	return registry_fixture_secret(years->journal.parties, "test.demo", KEY_LOG);
}

static bool signed_by(const struct parcel *parcel, const struct key_secret *secret)
{
	struct note_key key;
	struct checkpoint checkpoint;
	CHECK_INT(note_key_init(&key, BYTES_STR("test.demo/0"), secret->pub.public), 0);
	return checkpoint_open(parcel->checkpoint, &key, 1, "test.demo/0", &checkpoint) == 0;
}

/* The new secret is there before the registry knows it, the old one still when it is retired. */
static void two_log_keys_overlap(void)
{
	_cleanup_(years_deinit) struct years years;
	struct judged judged;
	years_init(&years, "log");
	struct journal_fixture *f = &years.journal;
	const struct key_secret *old = log_key(&years);
	accepted(&years, 1);
	journal_fixture_stop(f);
	Dienstweg__Key *entry = registry_fixture_add_key(f->parties, "test.demo", KEY_LOG);
	const struct key_secret *new = log_key(&years);
	f->options.log_keys[1] = new;
	journal_fixture_start(f);
	struct parcel *before = send(&years, 1);
	CHECK(signed_by(before, old) && !signed_by(before, new));
	adopt(&years);
	struct parcel *overlap = send(&years, 1);
	CHECK(signed_by(overlap, old) && signed_by(overlap, new));
	key_of(&years, "test.demo", KEY_LOG, 0)->state = DIENSTWEG__KEY_STATE__KEY_STATE_RETIRED;
	adopt(&years);
	struct parcel *after = send(&years, 1);
	CHECK(!signed_by(after, old) && signed_by(after, new));
	/* A registry under which this broker could sign nothing must not come into force. */
	registry_fixture_add_key(f->parties, "test.demo", KEY_LOG);
	entry->state = DIENSTWEG__KEY_STATE__KEY_STATE_RETIRED;
	CHECK_INT(adopt_signed(&years, "root1", "root2"), REGISTRY_KEYS);
	entry->state = DIENSTWEG__KEY_STATE__KEY_STATE_ACTIVE;
	accepted(&years, 1);
	parcel_free(before);
	parcel_free(overlap);
	parcel_free(after);
	judge(&years, &judged);
	CHECK_INT(judged.report.disputed, 0);
}

/* Its checkpoints are disputed where nobody else signed them. */
static void a_stolen_log_key_disputes_what_it_signed_alone(void)
{
	_cleanup_(years_deinit) struct years years;
	struct judged judged;
	years_init(&years, "stolen-log");
	struct journal_fixture *f = &years.journal;
	uint64_t from = accepted(&years, 2);
	clock_fake_advance(&f->clock, 86400000); /* the last checkpoint of a day is kept */
	accepted(&years, 1);
	clock_fake_advance(&f->clock, 86400000);
	journal_fixture_stop(f);
	registry_fixture_add_key(f->parties, "test.demo", KEY_LOG);
	f->options.log_keys[1] = log_key(&years);
	journal_fixture_start(f);
	Dienstweg__Key *old = key_of(&years, "test.demo", KEY_LOG, 0);
	old->state = DIENSTWEG__KEY_STATE__KEY_STATE_REVOKED;
	old->suspect_from = from + 2;
	adopt(&years);
	accepted(&years, 1);
	judge(&years, &judged);
	CHECK_INT(judged.report.disputed, 1);
	CHECK_INT(judged.disputes[0].use, KEY_LOG);
	CHECK_INT(judged.disputes[0].count, 1);
	CHECK(judged.disputes[0].first > from + 2);
}

/* Put off and not refused: the same header under the new key is the same message. */
static void a_retired_key_is_told_to_sign_again(void)
{
	_cleanup_(years_deinit) struct years years;
	struct judged judged;
	years_init(&years, "retired");
	struct journal_fixture *f = &years.journal;
	struct fixture_load load = {.count = 2, .content_bytes = 20, .service = "notice"};
	struct parcel *early = journal_fixture_submit(f, &load);
	registry_fixture_add_key(f->parties, "city", KEY_SIGN);
	key_of(&years, "city", KEY_SIGN, 0)->state = DIENSTWEG__KEY_STATE__KEY_STATE_RETIRED;
	adopt(&years);
	struct parcel *again = journal_fixture_resend(f, early);
	journal_fixture_run(f, early);
	CHECK_INT(early->submits[1].decision.result, SUBMIT_DEFERRED);
	CHECK_STR(early->submits[1].decision.code, "registry-outdated");
	CHECK_STR(early->submits[1].decision.field, "key_id");
	journal_fixture_resign(f, again);
	journal_fixture_run(f, again);
	CHECK_INT(again->submits[1].decision.result, SUBMIT_ACCEPTED);
	CHECK_MEM(again->submits[1].facts.h, early->submits[1].facts.h, HASH_SIZE);
	parcel_free(early);
	parcel_free(again);
	/* A revoked one is nobody's word any more. */
	struct parcel *late = journal_fixture_submit(f, &load);
	registry_fixture_add_key(f->parties, "city", KEY_SIGN);
	key_of(&years, "city", KEY_SIGN, 1)->state = DIENSTWEG__KEY_STATE__KEY_STATE_REVOKED;
	adopt(&years);
	journal_fixture_run(f, late);
	CHECK_INT(late->submits[0].decision.result, SUBMIT_REFUSED);
	CHECK_STR(late->submits[0].decision.code, "key-not-active");
	parcel_free(late);
	judge(&years, &judged);
}

/* All three exchanged, two old and two new signing each time; the policy is still the first. */
static void roots_are_exchanged_one_after_the_other(void)
{
	static const char *const roots[] = {"root1", "root2", "root3", "root4", "root5", "root6"};
	_cleanup_(years_deinit) struct years years;
	struct judged judged;
	years_init(&years, "roots");
	Dienstweg__RegistryContent *content = registry_fixture_content(years.journal.parties);
	for (size_t i = 0; i < 3; i++) {
		registry_fixture_add_root(years.journal.parties, roots[i + 3]);
		for (size_t k = 0; k < content->n_roots; k++)
			if (bytes_equal(BYTES_PB(content->roots[k]->name), BYTES_STR(roots[i])))
				content->roots[k]->key->state = DIENSTWEG__KEY_STATE__KEY_STATE_RETIRED;
		/* One of the leaving and one of the coming are not two of both. */
		CHECK_INT(adopt_signed(&years, roots[i + 1], roots[i + 2]), 0);
		accepted(&years, 1);
	}
	judge(&years, &judged);
	/* Restarted with a registry that nobody of the policy has signed: it follows what is in the journal. */
	years.journal.options.registry_pinned = false;
	journal_fixture_start(&years.journal);
	accepted(&years, 1);
	judge(&years, &judged);
}

static void a_new_journal_needs_a_registry_of_the_pinned_roots(void)
{
	_cleanup_(years_deinit) struct years years = {.version = 1};
	journal_fixture_init(&years.journal, check_memdir(), "unpinned");
	years.journal.options.registry_pinned = false;
	CHECK_INT(journal_fixture_open(&years.journal), JOURNAL_CONFLICT);
	CHECK(strstr(years.journal.error, "not signed by the roots of the policy") != NULL);
}

CHECK_MAIN(CHECK_CASE(a_stolen_key_is_disputed_from_where_it_was_stolen),
	CHECK_CASE(a_suspicion_that_was_cleared_up_is_gone),
	CHECK_CASE(acknowledgements_are_disputed_too), CHECK_CASE(two_log_keys_overlap),
	CHECK_CASE(a_stolen_log_key_disputes_what_it_signed_alone),
	CHECK_CASE(a_retired_key_is_told_to_sign_again),
	CHECK_CASE(roots_are_exchanged_one_after_the_other),
	CHECK_CASE(a_new_journal_needs_a_registry_of_the_pinned_roots))
