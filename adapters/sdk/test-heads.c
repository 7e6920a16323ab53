/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A log that grows honestly and one that forked from it, as real trees with real proofs: the honest one
 * must never be accused, the other one never be believed, whatever the order in which checkpoints arrive.
 */
#include "adapters/sdk/heads.h"

#include <errno.h>

#include "proto/merkle/merkle.h"
#include "test/kit/check.h"

enum { LEAVES = 200, FORK_AT = 50 };

/* Leaves of the honest log; the other one differs from FORK_AT on. */
struct log {
	struct merkle_hash leaves[LEAVES];
};

static void logs_make(struct log *honest, struct log *forked)
{
	for (uint64_t i = 0; i < LEAVES; i++) {
		uint64_t other = i >= FORK_AT ? i + 1000 : i;
		merkle_leaf(BYTES(&i, sizeof(i)), &honest->leaves[i]);
		merkle_leaf(BYTES(&other, sizeof(other)), &forked->leaves[i]);
	}
}

static struct heads_shown shown(const struct log *log, uint64_t size, char note[64])
{
	struct heads_shown shown = {.checkpoint = {.origin = "test.demo/0", .size = size}};
	merkle_root_of(log->leaves, size, &shown.checkpoint.root);
	snprintf(note, 64, "note of %llu", (unsigned long long)size);
	shown.note = BYTES_STR(note);
	return shown;
}

/* The proof that a log gives between two of its sizes. */
struct test {
	struct log honest, forked;
	struct heads heads;
	struct heads_clash clash;
	char note[64];
	struct merkle_hash hashes[2 * MERKLE_LEVELS];
};

static struct bytes proof(
	struct test *t, const struct log *log, uint64_t old_size, uint64_t new_size)
{
	struct merkle_hash *hashes = t->hashes;
	struct merkle_coordinate steps[2 * MERKLE_LEVELS];
	size_t count = merkle_consistency_coordinates(old_size, new_size, steps);
	for (size_t i = 0; i < count; i++) {
		uint64_t from = steps[i].index << steps[i].level;
		uint64_t to = (steps[i].index + 1) << steps[i].level;
		merkle_root_of(
			log->leaves + from, (to < new_size ? to : new_size) - from, &hashes[i]);
	}
	return BYTES(hashes, count * HASH_SIZE);
}

static struct test *start_at(uint64_t size)
{
	struct test *t = calloc(1, sizeof(*t));
	CHECK(t);
	logs_make(&t->honest, &t->forked);
	struct heads_shown first = shown(&t->honest, size, t->note);
	CHECK_INT(heads_welcome(&t->heads, &first, 0, BYTES(NULL, 0), &t->clash), 0);
	CHECK_INT(t->heads.proven.checkpoint.size, size);
	return t;
}

static void an_honest_log_is_linked_head_by_head(void)
{
	struct heads_question question;
	_cleanup_(heap_free) struct test *t = start_at(10);
	for (uint64_t size = 11; size < LEAVES; size += 7) {
		struct heads_shown receipt = shown(&t->honest, size, t->note);
		CHECK_INT(heads_receipt(&t->heads, &receipt, &t->clash), 0);
		CHECK(heads_pending(&t->heads));
		CHECK(heads_question(&t->heads, &question));
		CHECK_INT(question.new_size, size);
		/* More receipts arrive while the proof is under way. */
		receipt = shown(&t->honest, size + 1, t->note);
		CHECK_INT(heads_receipt(&t->heads, &receipt, &t->clash), 0);
		CHECK_INT(heads_link(&t->heads, &question,
				  proof(t, &t->honest, question.old_size, question.new_size),
				  &t->clash),
			0);
		CHECK_INT(t->heads.proven.checkpoint.size, size);
		CHECK(heads_pending(&t->heads));
		CHECK(heads_question(&t->heads, &question));
		CHECK_INT(heads_link(&t->heads, &question,
				  proof(t, &t->honest, question.old_size, question.new_size),
				  &t->clash),
			0);
		CHECK(!heads_pending(&t->heads));
	}
	CHECK(!heads_question(&t->heads, &question));
	CHECK_INT(question.new_size, 0);
}

static void an_older_answer_is_linked_backwards(void)
{
	struct heads_question question;
	_cleanup_(heap_free) struct test *t = start_at(100);
	struct heads_shown receipt = shown(&t->honest, 60, t->note);
	CHECK_INT(heads_receipt(&t->heads, &receipt, &t->clash), 0);
	CHECK(heads_question(&t->heads, &question));
	CHECK_INT(question.old_size, 60);
	CHECK_INT(question.new_size, 100);
	CHECK_INT(heads_link(&t->heads, &question, proof(t, &t->honest, 60, 100), &t->clash), 0);
	CHECK_INT(t->heads.proven.checkpoint.size, 100);
	CHECK(!heads_pending(&t->heads));
}

static void the_newest_moves_an_idle_adapter_forward(void)
{
	struct heads_question question;
	_cleanup_(heap_free) struct test *t = start_at(33);
	CHECK(!heads_question(&t->heads, &question));
	struct heads_shown newest = shown(&t->honest, 90, t->note);
	CHECK_INT(heads_advance(
			  &t->heads, &question, &newest, proof(t, &t->honest, 33, 90), &t->clash),
		0);
	CHECK_INT(t->heads.proven.checkpoint.size, 90);
	/* The same again proves nothing new and accuses nobody. */
	CHECK(!heads_question(&t->heads, &question));
	CHECK_INT(heads_advance(&t->heads, &question, &newest, BYTES(NULL, 0), &t->clash), 0);
}

/* A broker that answers every question with its newest checkpoint gets there, too. */
static void heads_meet_at_the_newest(void)
{
	struct heads_question question;
	_cleanup_(heap_free) struct test *t = start_at(20);
	struct heads_shown receipt = shown(&t->honest, 40, t->note);
	CHECK_INT(heads_receipt(&t->heads, &receipt, &t->clash), 0);
	for (int i = 0; i < 4 && heads_pending(&t->heads); i++) {
		struct heads_shown newest = shown(&t->honest, 80, t->note);
		CHECK(heads_question(&t->heads, &question));
		CHECK_INT(heads_advance(&t->heads, &question, &newest,
				  proof(t, &t->honest, question.old_size, 80), &t->clash),
			0);
	}
	CHECK(!heads_pending(&t->heads));
	CHECK_INT(t->heads.proven.checkpoint.size, 80);
}

static void a_fork_of_the_same_size_is_seen_at_once(void)
{
	_cleanup_(heap_free) struct test *t = start_at(60);
	struct heads_shown other = shown(&t->forked, 60, t->note);
	CHECK_INT(heads_receipt(&t->heads, &other, &t->clash), HEADS_FORK);
	CHECK_INT(t->clash.older_size, 60);
	CHECK_INT(t->clash.newer_size, 60);
	CHECK_INT(heads_welcome(&t->heads, &other, 60, BYTES(NULL, 0), &t->clash), HEADS_FORK);
}

static void no_proof_leads_to_a_fork(void)
{
	struct heads_question question;
	_cleanup_(heap_free) struct test *t = start_at(60);
	struct heads_shown other = shown(&t->forked, 90, t->note);
	/* Larger: receipts under it are taken, and the demand for a proof finds out. */
	CHECK_INT(heads_receipt(&t->heads, &other, &t->clash), 0);
	CHECK(heads_question(&t->heads, &question));
	const struct log *const logs[] = {&t->honest, &t->forked};
	for (size_t i = 0; i < 2; i++)
		CHECK_INT(heads_link(&t->heads, &question, proof(t, logs[i], 60, 90), &t->clash),
			HEADS_UNPROVEN);
	CHECK_INT(heads_link(&t->heads, &question, BYTES(NULL, 0), &t->clash), HEADS_UNPROVEN);
	CHECK_INT(heads_link(&t->heads, &question, BYTES("short", 5), &t->clash), HEADS_UNPROVEN);
	CHECK_INT(t->clash.older_size, 60);
	CHECK_INT(t->clash.newer_size, 90);
	CHECK_INT(heads_welcome(&t->heads, &other, 90, BYTES(NULL, 0), &t->clash), 0);
	CHECK(t->heads.proven.checkpoint.size == 60); /* still not believed */
}

static void a_new_session_does_not_hide_a_fork(void)
{
	struct heads_question question;
	_cleanup_(heap_free) struct test *t = start_at(60);
	struct heads_shown other = shown(&t->forked, 90, t->note);
	CHECK_INT(heads_receipt(&t->heads, &other, &t->clash), 0);
	/* Hello names the newest held, which is of the fork; its Welcome extends that one. */
	CHECK_INT(heads_newest(&t->heads)->checkpoint.size, 90);
	struct heads_shown more = shown(&t->forked, 120, t->note);
	CHECK_INT(heads_welcome(&t->heads, &more, 90, proof(t, &t->forked, 90, 120), &t->clash), 0);
	CHECK(heads_question(&t->heads, &question));
	CHECK_INT(question.old_size, 60);
	CHECK_INT(heads_link(&t->heads, &question, proof(t, &t->forked, 60, 120), &t->clash),
		HEADS_UNPROVEN);
}

static void a_rollback_is_seen(void)
{
	struct heads_question question;
	_cleanup_(heap_free) struct test *t = start_at(60);
	struct heads_shown smaller = shown(&t->honest, 59, t->note);
	CHECK_INT(heads_welcome(&t->heads, &smaller, 60, BYTES(NULL, 0), &t->clash), HEADS_ROLLBACK);
	CHECK(!heads_question(&t->heads, &question));
	CHECK_INT(heads_advance(&t->heads, &question, &smaller, BYTES(NULL, 0), &t->clash),
		HEADS_ROLLBACK);
	CHECK_INT(t->clash.older_size, 60);
	CHECK_INT(t->clash.newer_size, 59);
}

static void a_head_survives_a_restart(void)
{
	struct head head = {};
	static const char text[] =
		"test.demo/0\n7\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n"
		"\xe2\x80\x94 test.demo/0 AAAA\n";
	CHECK_INT(head_restore(&head, BYTES_STR(text)), 0);
	CHECK(head.set && head.checkpoint.size == 7);
	CHECK(bytes_equal(head_note(&head), BYTES_STR(text)));
	struct head none = {};
	CHECK_INT(head_restore(&none, BYTES(NULL, 0)), 0);
	CHECK(!none.set);
	CHECK_INT(head_restore(&none, BYTES_STR("nonsense")), -EBADMSG);
}

CHECK_MAIN(CHECK_CASE(an_honest_log_is_linked_head_by_head),
	CHECK_CASE(an_older_answer_is_linked_backwards),
	CHECK_CASE(the_newest_moves_an_idle_adapter_forward), CHECK_CASE(heads_meet_at_the_newest),
	CHECK_CASE(a_fork_of_the_same_size_is_seen_at_once), CHECK_CASE(no_proof_leads_to_a_fork),
	CHECK_CASE(a_new_session_does_not_hide_a_fork), CHECK_CASE(a_rollback_is_seen),
	CHECK_CASE(a_head_survives_a_restart))
