/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The broker and its witnesses, over the loopback: who is asked, whose word counts, who gets to see it. A
 * witness may be hostile like anybody else; it has one signature, and that is all it can spend.
 */
#include <unistd.h>

#include "broker/field.h"
#include "broker/test-house.h"
#include "proto/base/file.h"
#include "proto/note/cosignature.h"
#include "proto/note/epoch.h"
#include "test/kit/check.h"

static void cosign_say(struct peer *peer, struct bytes note)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Cosign cosign = DIENSTWEG__COSIGN__INIT;
	cosign.note = field_bytes(note);
	frame.body_case = DIENSTWEG__FRAME__BODY_COSIGN;
	frame.cosign = &cosign;
	peer_say(peer, &frame);
}

static struct bytes candidate_hear(struct peer *peer)
{
	const Dienstweg__Frame *frame = peer_hear_kind(peer, DIENSTWEG__FRAME__BODY_CANDIDATE);
	return BYTES_PB(frame->candidate->checkpoint);
}

static struct bytes cosigned_get(struct peer *peer)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__GetCheckpoint get = DIENSTWEG__GET_CHECKPOINT__INIT;
	get.cosigned = true;
	frame.body_case = DIENSTWEG__FRAME__BODY_GET_CHECKPOINT;
	frame.get_checkpoint = &get;
	peer_say(peer, &frame);
	const Dienstweg__CheckpointFrame
		*answer = peer_hear_kind(peer, DIENSTWEG__FRAME__BODY_CHECKPOINT)->checkpoint;
	CHECK(answer->cosigned);
	return BYTES_PB(answer->checkpoint);
}

/* Cosign the candidate as a party's witness, in that party's session. */
static void cosign_as(struct peer *peer, struct bytes candidate, const char *witness)
{
	uint8_t buf[COSIGNED_NOTE_MAX];
	size_t len = journal_fixture_cosign(
		&peer->house->fixture, candidate, witness, FIXTURE_NOW_MS / 1000, buf);
	cosign_say(peer, BYTES(buf, len));
}

static struct cosignatures judge(struct house *house, struct bytes note, uint64_t *ret_size)
{
	struct policy policy;
	struct cosignatures judged;
	struct checkpoint checkpoint;
	struct note_key keys[4];
	size_t count = registry_log_keys(
		house->fixture.registry, "test.demo/0", keys, ARRAY_LEN(keys));
	registry_witnesses(house->fixture.registry, &policy);
	CHECK_INT(checkpoint_judge(note, keys, count, "test.demo/0", &policy, &checkpoint, &judged),
		0);
	*ret_size = checkpoint.size;
	return judged;
}

static bool has_quorum(struct peer *peer)
{
	uint64_t size;
	struct bytes note = cosigned_get(peer);
	return note.len > 0 && judge(peer->house, note, &size).quorum;
}

static void two_witnesses_make_a_quorum_that_all_can_see(void)
{
	struct house house;
	struct peer city, jobcenter, town;
	house_init_witnessed(&house, "quorum", 2);
	peer_init(&city, &house, "city");
	peer_init(&jobcenter, &house, "jobcenter");
	peer_init(&town, &house, "town");
	peer_open(&city, "city");
	peer_open(&jobcenter, "jobcenter");
	peer_open(&town, "town");
	struct bytes candidate = candidate_hear(&city);
	CHECK(bytes_equal(candidate, candidate_hear(&jobcenter)));
	CHECK_INT(cosigned_get(&town).len, 0);
	cosign_as(&city, candidate, "city");
	cosign_as(&jobcenter, candidate, "jobcenter");
	house_until(&house, has_quorum(&town));
	peer_deinit(&city);
	peer_deinit(&jobcenter);
	peer_deinit(&town);
	house_deinit(&house);
}

/* The next candidate comes once this one has its quorum; nobody else is asked. */
static void candidates_follow_one_another(void)
{
	struct house house;
	struct peer city, jobcenter;
	uint64_t first, second;
	house_init_witnessed(&house, "follow", 2);
	peer_init(&city, &house, "city");
	peer_init(&jobcenter, &house, "jobcenter");
	peer_open(&city, "city");
	peer_open(&jobcenter, "jobcenter");
	struct bytes candidate = candidate_hear(&city);
	(void)judge(&house, candidate, &first);
	cosign_as(&city, candidate, "city");
	cosign_as(&jobcenter, candidate_hear(&jobcenter), "jobcenter");
	candidate = candidate_hear(&city); /* the quorum became an entry, so the log grew */
	(void)judge(&house, candidate, &second);
	CHECK(second > first);
	peer_deinit(&city);
	peer_deinit(&jobcenter);
	house_deinit(&house);
}

static void who_is_no_witness_is_told_so(void)
{
	struct house house;
	struct peer city, town;
	house_init_witnessed(&house, "town", 2);
	peer_init(&city, &house, "city");
	peer_init(&town, &house, "town");
	peer_open(&city, "city");
	peer_open(&town, "town");
	struct bytes candidate = candidate_hear(&city);
	/* City's good cosignature, out of town's mouth. */
	cosign_as(&town, candidate, "city");
	peer_hear_error(&town, "not-a-witness");
	peer_deinit(&city);
	peer_deinit(&town);
	house_deinit(&house);
}

static void bad_cosignatures_are_refused(void)
{
	struct house house;
	struct peer city;
	uint8_t buf[COSIGNED_NOTE_MAX], large[COSIGNED_NOTE_MAX + 1] = {0};
	house_init_witnessed(&house, "bad", 2);
	peer_init(&city, &house, "city");
	peer_open(&city, "city");
	struct bytes candidate = candidate_hear(&city);

	size_t len = journal_fixture_cosign(&house.fixture, candidate, "city", 1, buf);
	buf[len - 10] ^= 1;
	cosign_say(&city, BYTES(buf, len));
	peer_hear_error(&city, "bad-cosignature");

	cosign_as(&city, candidate, "city"); /* within the same half second */
	peer_hear_error(&city, "busy");

	cosign_say(&city, BYTES(large, sizeof(large)));
	peer_hear_error(&city, "malformed");
	peer_deinit(&city);
	house_deinit(&house);
}

/* Of another witness, of nobody, of another log, of another tree that the log's own key signed. */
static void foreign_words_are_refused(void)
{
	static const char *const stories[] = {"jobcenter", "", "other-log", "other-tree"};
	for (size_t i = 0; i < ARRAY_LEN(stories); i++) {
		struct house house;
		struct peer city;
		uint8_t buf[COSIGNED_NOTE_MAX];
		struct checkpoint checkpoint;
		struct note_key key;
		bool log = strcmp(stories[i], "other-log") == 0;
		bool tree = strcmp(stories[i], "other-tree") == 0;
		house_init_witnessed(&house, stories[i][0] ? stories[i] : "nobody", 2);
		peer_init(&city, &house, "city");
		peer_open(&city, "city");
		struct bytes candidate = candidate_hear(&city);
		const struct key_secret *secret = registry_fixture_secret(
			house.fixture.parties, "test.demo", KEY_LOG);
		const uint8_t *end = memmem(candidate.data, candidate.len, "\n\n", 2);
		CHECK_INT(checkpoint_parse(
				  BYTES(candidate.data, end - candidate.data + 1), &checkpoint),
			0);
		if (log)
			snprintf(checkpoint.origin, sizeof(checkpoint.origin), "test.demo/1");
		checkpoint.root.bytes[0] ^= tree;
		CHECK_INT(note_key_init(&key, BYTES_STR(checkpoint.origin), secret->pub.public), 0);
		size_t len = checkpoint_sign(&checkpoint, &key, secret->ed25519, buf);
		cosign_as(&city, BYTES(buf, len), log || tree ? "city" : stories[i]);
		peer_hear_error(&city, "bad-cosignature");
		peer_deinit(&city);
		house_deinit(&house);
	}
}

/* Lines of nobody, up to what a note may have, leave no room for others': they are not kept. */
static void one_witness_cannot_crowd_out_the_others(void)
{
	static const char crowd[] = "\xe2\x80\x94 crowd AAAAAAAA\n";
	struct house house;
	struct peer city, jobcenter;
	uint8_t buf[COSIGNED_NOTE_MAX];
	house_init_witnessed(&house, "crowd", 2);
	peer_init(&city, &house, "city");
	peer_init(&jobcenter, &house, "jobcenter");
	peer_open(&city, "city");
	peer_open(&jobcenter, "jobcenter");
	struct bytes candidate = candidate_hear(&city);
	size_t len = journal_fixture_cosign(
		&house.fixture, candidate, "city", FIXTURE_NOW_MS / 1000, buf);
	for (size_t i = 0; i < 60; i++, len += sizeof(crowd) - 1)
		memcpy(buf + len, crowd, sizeof(crowd) - 1);
	char name[256];
	memset(name, 'x', sizeof(name));
	while (len + 200 < sizeof(buf))
		len += (size_t)snprintf((char *)buf + len, sizeof(buf) - len,
			"\xe2\x80\x94 %.150s AAAAAAAA\n", name);
	cosign_say(&city, BYTES(buf, len));
	cosign_as(&jobcenter, candidate_hear(&jobcenter), "jobcenter");
	house_until(&house, has_quorum(&jobcenter));
	CHECK_INT(cosignature_lines(cosigned_get(&jobcenter), "test.demo/0"), 2);
	peer_deinit(&city);
	peer_deinit(&jobcenter);
	house_deinit(&house);
}

/* Of a broker that has stopped. */
static size_t cosigned_rows(const struct house *house)
{
	_cleanup_(journal_reader_free) struct journal_reader *reader = NULL;
	struct bytes note;
	uint64_t size = 0;
	size_t count = 0;
	char path[512];
	CHECK_INT(path_join(path, sizeof(path), house->dir, "state/journal"), 0);
	CHECK_INT(journal_reader_open(path, NULL, &reader), 0);
	CHECK_INT(journal_reader_begin(reader), 0);
	while (journal_read_next_cosigned(reader, size, &size, &note) == 0) {
		size++;
		count++;
	}
	return count;
}

/* Every tree has a checkpoint; a witness that cosigns them all would fill the disk. */
static void what_nobody_asked_for_is_not_kept(void)
{
	struct house house;
	struct peer city, town;
	house_init_witnessed(&house, "unasked", 2);
	peer_init(&city, &house, "city");
	peer_init(&town, &house, "town");
	peer_open(&town, "town");
	peer_open(&city, "city");
	struct bytes candidate = candidate_hear(&city);
	parcel_free(peer_submit(&town, &(struct fixture_load){.count = 1, .sender = "town"}, 1));
	const Dienstweg__Answer *answer = peer_hear_kind(&town, DIENSTWEG__FRAME__BODY_ANSWER)->answer;
	CHECK(!bytes_equal(BYTES_PB(answer->checkpoint), candidate));
	cosign_as(&city, BYTES_PB(answer->checkpoint), "city");
	CHECK_INT(cosigned_get(&city).len, 0); /* behind it in line */
	parcel_free(peer_submit(&town, &(struct fixture_load){.count = 1, .sender = "town"}, 2));
	(void)peer_hear_kind(&town, DIENSTWEG__FRAME__BODY_ANSWER);
	peer_deinit(&city);
	peer_deinit(&town);
	house_stop(&house);
	CHECK_INT(cosigned_rows(&house), 0);
	house_start(&house);
	house_deinit(&house);
}

/* What was asked of a session is asked of the next one again, or a lost frame would cost a quorum. */
static void a_new_session_is_asked_again(void)
{
	struct house house;
	struct peer city;
	house_init_witnessed(&house, "again", 2);
	peer_init(&city, &house, "city");
	peer_open(&city, "city");
	struct bytes candidate = candidate_hear(&city);
	peer_open(&city, "city");
	CHECK(bytes_equal(candidate, candidate_hear(&city)));
	peer_deinit(&city);
	house_deinit(&house);
}

/* ---- a journal in doubt ---- */

static struct checkpoint newest(struct peer *peer)
{
	struct checkpoint checkpoint;
	const Dienstweg__Welcome *welcome = peer_open(peer, "city");
	struct bytes note = BYTES_PB(welcome->checkpoint);
	const uint8_t *end = memmem(note.data, note.len, "\n\n", 2);
	CHECK_INT(checkpoint_parse(BYTES(note.data, end - note.data + 1), &checkpoint), 0);
	return checkpoint;
}

/* Hello with the newest checkpoint that the party says it saw. */
static void hello_with(struct peer *peer, const char *party, const struct checkpoint *seen)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Hello hello = DIENSTWEG__HELLO__INIT;
	ProtobufCBinaryData name = field_text(party);
	uint32_t version = 0;
	random_fill(peer->nonce, NONCE_SIZE);
	hello.versions = &version;
	hello.n_versions = 1;
	hello.parties = &name;
	hello.n_parties = 1;
	if (seen) {
		CHECK_INT(epoch_of(seen->origin, BYTES_STR("test.demo"), &hello.newest_epoch), 0);
		hello.newest_size = seen->size;
		hello.newest_root = field_bytes(BYTES(seen->root.bytes, HASH_SIZE));
	}
	frame.body_case = DIENSTWEG__FRAME__BODY_HELLO;
	frame.hello = &hello;
	peer_say(peer, &frame);
}

/* A bus that ran; then its journal comes back without its high-water file. Its newest checkpoint. */
static struct checkpoint without_mark(struct house *house, const char *name, uint32_t quorum)
{
	struct peer city;
	char path[512];
	house_init_witnessed(house, name, quorum);
	peer_init(&city, house, "city");
	struct checkpoint seen = newest(&city);
	peer_deinit(&city);
	house_stop(house);
	CHECK_INT(path_join(path, sizeof(path), house->dir, "state/highwater"), 0);
	CHECK_INT(unlink(path), 0);
	house_start(house);
	return seen;
}

static void enough_witnesses_release_a_journal_in_doubt(void)
{
	struct house house;
	struct peer city, town, jobcenter;
	struct checkpoint seen = without_mark(&house, "release", 2);
	peer_init(&city, &house, "city");
	peer_init(&town, &house, "town");
	peer_init(&jobcenter, &house, "jobcenter");
	hello_with(&city, "city", &seen);
	peer_hear_error(&city, "busy");
	hello_with(&city, "city", &seen); /* once more is still one */
	peer_hear_error(&city, "busy");
	hello_with(&town, "town", &seen); /* no witness */
	peer_hear_error(&town, "busy");
	hello_with(&jobcenter, "jobcenter", NULL); /* saw nothing */
	peer_hear_error(&jobcenter, "busy");
	hello_with(&jobcenter, "jobcenter", &seen);
	peer_hear_error(&jobcenter, "busy");
	const Dienstweg__Welcome *welcome = peer_open(&town, "town");
	CHECK(welcome->checkpoint.len > 0);
	struct parcel *sent = peer_submit(
		&town, &(struct fixture_load){.count = 1, .sender = "town"}, 1);
	CHECK_INT(peer_hear_kind(&town, DIENSTWEG__FRAME__BODY_ANSWER)->answer->n_receipts, 1);
	parcel_free(sent);
	peer_deinit(&city);
	peer_deinit(&town);
	peer_deinit(&jobcenter);
	house_deinit(&house);
}

/* A witness may lie about what it saw: there must be an honest one of every quorum among those that are sure. */
static void fewer_than_a_quorum_release_nothing(void)
{
	static const char *const names[] = {"city", "jobcenter", "ministry"};
	struct house house;
	struct peer witnesses[ARRAY_LEN(names)], town;
	struct checkpoint seen = without_mark(&house, "three", ARRAY_LEN(names));
	peer_init(&town, &house, "town");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		peer_init(&witnesses[i], &house, names[i]);
		hello_with(&town, "town", &seen);
		peer_hear_error(&town, "busy");
		hello_with(&witnesses[i], names[i], &seen);
		peer_hear_error(&witnesses[i], "busy");
	}
	(void)peer_open(&town, "town");
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		peer_deinit(&witnesses[i]);
	peer_deinit(&town);
	house_deinit(&house);
}

/* One witness saw more: however many are sure, only a person goes on. */
static void a_witness_that_saw_more_keeps_it_closed(void)
{
	struct house house;
	struct peer city, jobcenter, ministry;
	struct checkpoint seen = without_mark(&house, "closed", 2), more = seen;
	more.size += 100;
	peer_init(&city, &house, "city");
	peer_init(&jobcenter, &house, "jobcenter");
	peer_init(&ministry, &house, "ministry");
	hello_with(&ministry, "ministry", &more);
	peer_hear_error(&ministry, "busy");
	hello_with(&city, "city", &seen);
	peer_hear_error(&city, "busy");
	hello_with(&jobcenter, "jobcenter", &seen);
	peer_hear_error(&jobcenter, "busy");
	hello_with(&city, "city", &seen);
	peer_hear_error(&city, "busy");
	peer_deinit(&city);
	peer_deinit(&jobcenter);
	peer_deinit(&ministry);

	/* Also a broker that waits ends in order. */
	reactor_drain(broker_reactor(house.broker));
	int r = 0;
	while (r == 0)
		r = reactor_turn(broker_reactor(house.broker), 10);
	CHECK_INT(r, REACTOR_DONE);
	house_stop(&house);
	house.orders.accept = "order of the district";
	house_start(&house);
	peer_init(&city, &house, "city");
	(void)peer_open(&city, "city");
	peer_deinit(&city);
	house_deinit(&house);
}

/* Of a later epoch, and of fewer entries than there are: sizes say nothing across epochs. */
static void a_witness_of_a_later_epoch_keeps_it_closed(void)
{
	struct house house;
	struct peer city, jobcenter, ministry;
	struct checkpoint seen = without_mark(&house, "later", 2), later = seen;
	snprintf(later.origin, sizeof(later.origin), "test.demo/3");
	peer_init(&city, &house, "city");
	peer_init(&jobcenter, &house, "jobcenter");
	peer_init(&ministry, &house, "ministry");
	hello_with(&ministry, "ministry", &later);
	peer_hear_error(&ministry, "busy");
	for (size_t i = 0; i < 2; i++) {
		hello_with(&city, "city", &seen);
		peer_hear_error(&city, "busy");
		hello_with(&jobcenter, "jobcenter", &seen);
		peer_hear_error(&jobcenter, "busy");
	}
	peer_deinit(&city);
	peer_deinit(&jobcenter);
	peer_deinit(&ministry);
	house_stop(&house);
	/* What the witness saw tells which number may follow; the journal itself does not know. */
	house.orders.accept = "order of the district";
	house_start(&house);
	peer_init(&city, &house, "city");
	(void)peer_open(&city, "city");
	peer_deinit(&city);
	house_deinit(&house);
}

CHECK_MAIN(CHECK_CASE(two_witnesses_make_a_quorum_that_all_can_see),
	CHECK_CASE(candidates_follow_one_another), CHECK_CASE(who_is_no_witness_is_told_so),
	CHECK_CASE(bad_cosignatures_are_refused), CHECK_CASE(foreign_words_are_refused),
	CHECK_CASE(one_witness_cannot_crowd_out_the_others),
	CHECK_CASE(what_nobody_asked_for_is_not_kept), CHECK_CASE(a_new_session_is_asked_again),
	CHECK_CASE(enough_witnesses_release_a_journal_in_doubt),
	CHECK_CASE(fewer_than_a_quorum_release_nothing),
	CHECK_CASE(a_witness_that_saw_more_keeps_it_closed),
	CHECK_CASE(a_witness_of_a_later_epoch_keeps_it_closed))
