/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Answers that are larger than life: every item arrives once, proven by the node it was given, in frames
 * that fit, under the checkpoint it belongs to.
 */
#include <stdlib.h>

#include "broker/field.h"
#include "broker/transport/answer.h"
#include "proto/envelope/envelope.h"
#include "test/kit/check.h"

enum { SUBMITS_MAX = 1024, STEPS = 20, NODES = SUBMITS_MAX * STEPS };

struct taken {
	const struct parcel *parcels; /* what should come, in order */
	size_t frames;
	size_t receipts, refusals, deferrals, states, errors;
	size_t node_bytes;
	const struct parcel *parcel; /* the next item's */
	size_t submit;
};

static const struct parcel_submit *next_submit(struct taken *taken)
{
	while (taken->submit == taken->parcel->submits_count) {
		taken->parcel = taken->parcel->next;
		taken->submit = 0;
	}
	return &taken->parcel->submits[taken->submit++];
}

static void check_receipt(
	struct taken *taken, const Dienstweg__Answer *answer, const Dienstweg__Receipt *receipt)
{
	const struct parcel_submit *submit = next_submit(taken);
	CHECK(bytes_equal(BYTES_PB(receipt->h), BYTES(submit->facts.h, HASH_SIZE)));
	CHECK(bytes_equal(BYTES_PB(answer->checkpoint), taken->parcel->checkpoint));
	CHECK_INT(receipt->n_path, submit->proof.path_count);
	for (size_t i = 0; i < receipt->n_path; i++) {
		CHECK(receipt->path[i] < answer->nodes.len / HASH_SIZE);
		CHECK_MEM(answer->nodes.data + (size_t)receipt->path[i] * HASH_SIZE,
			taken->parcel->nodes + (size_t)submit->proof.path[i] * HASH_SIZE, HASH_SIZE);
	}
}

static void take(void *context, Dienstweg__Frame *frame)
{
	struct taken *taken = context;
	CHECK(dienstweg__frame__get_packed_size(frame) + 2 + 16 <= FRAME_BYTES_MAX);
	taken->frames++;
	if (frame->body_case == DIENSTWEG__FRAME__BODY_ERROR) {
		taken->errors++;
		return;
	}
	CHECK_INT(frame->body_case, DIENSTWEG__FRAME__BODY_ANSWER);
	const Dienstweg__Answer *answer = frame->answer;
	for (size_t i = 0; i < answer->n_receipts; i++)
		check_receipt(taken, answer, answer->receipts[i]);
	CHECK(answer->n_receipts > 0 || answer->checkpoint.len == 0);
	taken->receipts += answer->n_receipts;
	taken->refusals += answer->n_refusals;
	taken->deferrals += answer->n_deferrals;
	taken->node_bytes += answer->nodes.len;
}

static struct parcel *parcel_make(size_t count, uint64_t tree_size)
{
	struct parcel *parcel;
	CHECK_INT(parcel_new(PARCEL_SUBMIT, 64 << 20, &parcel), 0);
	parcel->submits = arena_zalloc(parcel->arena, count * sizeof(*parcel->submits));
	CHECK(parcel->submits);
	parcel->submits_count = count;
	parcel->tree_size = tree_size;
	parcel->checkpoint = BYTES(tree_size == 1 ? "one" : "two", 3);
	return parcel;
}

/* Receipts with @shared upper steps in common, the rest their own. */
static struct parcel *receipts_make(size_t count, uint64_t tree_size, size_t shared)
{
	struct parcel *parcel = parcel_make(count, tree_size);
	parcel->nodes_count = shared + count * (STEPS - shared);
	parcel->nodes = arena_alloc(parcel->arena, parcel->nodes_count * HASH_SIZE);
	CHECK(parcel->nodes);
	random_fill(parcel->nodes, parcel->nodes_count * HASH_SIZE);
	for (size_t i = 0; i < shared; i++) /* common to all parcels of a tree */
		memset(parcel->nodes + i * HASH_SIZE, (int)(tree_size * 100 + i), HASH_SIZE);
	for (size_t i = 0; i < count; i++) {
		struct parcel_submit *submit = &parcel->submits[i];
		submit->decision.result = SUBMIT_ACCEPTED;
		random_fill(submit->facts.h, HASH_SIZE);
		submit->proof.path_count = STEPS;
		for (size_t j = 0; j < STEPS; j++)
			submit->proof.path[j] = (uint32_t)(j < shared
								   ? j
								   : shared + i * (STEPS - shared) +
									     j - shared);
	}
	return parcel;
}

static struct taken answer_all(struct parcel **parcels, size_t count)
{
	struct answer *answer;
	for (size_t i = 0; i < count; i++)
		parcels[i]->next = i + 1 < count ? parcels[i + 1] : NULL;
	struct taken taken = {.parcels = parcels[0], .parcel = parcels[0]};
	const struct answer_port port = {take, &taken};
	CHECK_INT(answer_new(&answer), 0);
	CHECK_INT(answer_make(answer, parcels[0], &port), 0);
	answer_free(answer);
	for (size_t i = 0; i < count; i++)
		parcel_free(parcels[i]);
	return taken;
}

static void nodes_of_one_commit_come_once(void)
{
	struct parcel *parcels[30];
	for (size_t i = 0; i < ARRAY_LEN(parcels); i++)
		parcels[i] = receipts_make(1, 1, STEPS - 1);
	struct taken taken = answer_all(parcels, ARRAY_LEN(parcels));
	CHECK_INT(taken.frames, 1);
	CHECK_INT(taken.receipts, 30);
	CHECK_INT(taken.node_bytes, (STEPS - 1 + 30) * HASH_SIZE);
}

static void checkpoints_are_not_mixed(void)
{
	struct parcel *parcels[] = {receipts_make(2, 1, 5), receipts_make(2, 1, 5),
		receipts_make(3, 2, 5), receipts_make(1, 1, 5)};
	struct taken taken = answer_all(parcels, ARRAY_LEN(parcels));
	CHECK_INT(taken.frames, 3);
	CHECK_INT(taken.receipts, 8);
}

/* Old messages sent again, whose paths have nothing in common. */
static void large_answers_are_split(void)
{
	struct parcel *parcels[] = {
		receipts_make(SUBMITS_MAX, 1, 0), receipts_make(SUBMITS_MAX, 1, 0)};
	struct taken taken = answer_all(parcels, ARRAY_LEN(parcels));
	CHECK_INT(taken.receipts, 2 * SUBMITS_MAX);
	CHECK(taken.frames >= 2 && taken.frames <= 4);
}

static void refusals_and_deferrals_need_no_proof(void)
{
	enum { COUNT = 1000 };
	char detail[1001];
	memset(detail, 'x', 1000);
	detail[1000] = '\0';
	struct parcel *parcel = parcel_make(2 * COUNT, 1);
	for (size_t i = 0; i < parcel->submits_count; i++) {
		struct submit_decision *decision = &parcel->submits[i].decision;
		decision->result = i % 2 ? SUBMIT_REFUSED : SUBMIT_DEFERRED;
		decision->code = "a-code";
		decision->field = "field";
		decision->detail = detail;
	}
	struct taken taken = answer_all(&parcel, 1);
	CHECK_INT(taken.refusals, COUNT);
	CHECK_INT(taken.deferrals, COUNT);
	CHECK(taken.frames >= 3);
}

static void a_spoilt_frame_is_told_in_its_turn(void)
{
	struct parcel *parcels[] = {
		receipts_make(1, 1, 5), parcel_make(0, 1), receipts_make(1, 1, 5)};
	parcels[1]->spoilt = true;
	struct taken taken = answer_all(parcels, ARRAY_LEN(parcels));
	CHECK_INT(taken.frames, 3);
	CHECK_INT(taken.errors, 1);
	CHECK_INT(taken.receipts, 2);
}

CHECK_MAIN(CHECK_CASE(nodes_of_one_commit_come_once), CHECK_CASE(checkpoints_are_not_mixed),
	CHECK_CASE(large_answers_are_split), CHECK_CASE(refusals_and_deferrals_need_no_proof),
	CHECK_CASE(a_spoilt_frame_is_told_in_its_turn))
