/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What goes in comes out: every message that got a receipt can be read back by another reader, after the
 * journal was closed and opened again, and every proof leads to a checkpoint that the log key signed.
 */
#include "broker/journal/test-fixture.h"

#include "proto/receipt/receipt.h"
#include "test/kit/check.h"

static struct parcel *submitted(struct journal_fixture *f, const struct fixture_load *load)
{
	struct parcel *parcel = journal_fixture_submit(f, load);
	journal_fixture_run(f, parcel);
	for (size_t i = 0; i < parcel->submits_count; i++) {
		const struct submit_decision *decision = &parcel->submits[i].decision;
		if (decision->result != SUBMIT_ACCEPTED)
			CHECK_FAIL("not accepted: %s %s: %s", decision->code, decision->field,
				decision->detail);
	}
	CHECK_INT(journal_fixture_check_receipts(f, parcel), parcel->submits_count);
	return parcel;
}

static void check_entry(
	struct journal_reader *reader, struct arena *arena, const struct parcel_submit *submit)
{
	struct bytes content;
	struct stub stub;
	Dienstweg__Row *row;
	Dienstweg__Decision *decision;
	uint64_t sequence = submit->proof.sequence;
	arena_reset(arena);
	CHECK_INT(journal_read_stub(reader, sequence, &stub), 0);
	CHECK_INT(stub.kind, DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED);
	CHECK_INT(journal_read_row(reader, sequence, arena, &row), 0);
	CHECK(bytes_equal(BYTES_PB(row->original), submit->facts.header_bytes));
	CHECK_INT(journal_row_decision(row, arena, &decision), 0);
	CHECK_INT(decision->n_recipients, 1);
	CHECK_INT(journal_read_content(reader, sequence, arena, &content), 0);
	CHECK(bytes_equal(content, BYTES_PB(submit->envelope->content)));
}

/* Paths of some leaves and consistency of some sizes, under the newest checkpoint. */
static void check_tree(struct journal_fixture *f, struct journal_reader *reader)
{
	struct merkle_hash proof[2 * MERKLE_LEVELS], root, old_root, leaf;
	struct checkpoint checkpoint;
	struct note_key key;
	struct journal_meta meta;
	struct bytes note;
	size_t count;
	CHECK_INT(journal_read_meta(reader, &meta), 0);
	CHECK_INT(journal_read_checkpoint(reader, 0, &note), 0);
	CHECK_INT(note_key_init(&key, BYTES_STR("test.demo/0"), f->options.log_keys[0]->pub.public),
		0);
	CHECK_INT(checkpoint_open(note, &key, 1, "test.demo/0", &checkpoint), 0);
	CHECK_INT(checkpoint.size, meta.size);
	for (uint64_t i = 0; i < meta.size; i += 1 + meta.size / 97) {
		struct stub stub;
		uint8_t bytes[STUB_SIZE] = {STUB_VERSION};
		CHECK_INT(journal_read_stub(reader, i, &stub), 0);
		bytes[1] = stub.kind;
		bytes[2] = stub.class;
		memcpy(bytes + 3, stub.commitment, HASH_SIZE);
		stub_leaf(bytes, &leaf);
		CHECK_INT(journal_read_path(reader, i, meta.size, proof, &count), 0);
		CHECK_INT(merkle_path_root(&leaf, i, meta.size, proof, count, &root), 0);
		CHECK_MEM(&root, &checkpoint.root, sizeof(root));
		unsigned int level = 0;
		while (i >> level)
			level++;
		CHECK_INT(journal_read_node(reader, i + 1, level, 0, &old_root), 0);
		CHECK_INT(journal_read_consistency(reader, i + 1, meta.size, proof, &count), 0);
		CHECK_INT(merkle_consistency_check(
				  i + 1, &old_root, meta.size, &checkpoint.root, proof, count),
			0);
	}
	CHECK_INT(journal_read_path(reader, meta.size, meta.size, proof, &count), READER_NOT_FOUND);
	CHECK_INT(journal_read_path(reader, 0, meta.size + 1, proof, &count), READER_NOT_FOUND);
}

/* Every party by its number and its queue by both. */
static void check_parties(struct journal_reader *reader)
{
	struct bytes key, value;
	char name[64], first[64] = "";
	uint64_t sequence, waiting = 0;
	CHECK_INT(journal_read_table(reader, STATE_PARTY, BYTES("", 0), &key, &value), 0);
	memcpy(first, key.data, key.len);
	CHECK_INT(journal_read_party_name(reader, be32_get(value.data), name), 0);
	CHECK_STR(name, first);
	CHECK_INT(journal_read_party_name(reader, 999, name), READER_NOT_FOUND);
	CHECK_INT(journal_read_table(reader, STATE_QUEUE, BYTES("", 0), &key, &value), 0);
	uint32_t party = be32_get(key.data);
	uint64_t from = 0;
	while (journal_read_queue(reader, party, LANE_NORMAL, from, &sequence, &value) == 0) {
		CHECK(sequence >= from && value.len == QUEUE_ROW_SIZE);
		from = sequence + 1;
		waiting++;
	}
	CHECK(waiting > 100);
	CHECK_INT(journal_read_queue(reader, party, LANE_URGENT, 0, &sequence, &value),
		READER_NOT_FOUND);
}

static void keeps_what_it_took(void)
{
	static const size_t sizes[] = {
		0, 1, 100, 1024, 3800, 3900, 3954, 3955, 4000, 8000, 65536, 200000};
	enum { PARCELS = 60 };
	struct parcel *sent[PARCELS];
	_cleanup_(arena_free) struct arena *arena = arena_new(16 << 20);
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	struct journal_reader *reader = NULL;
	size_t messages = 0;
	journal_fixture_init(&f, check_memdir(), "keeps");
	for (size_t i = 0; i < PARCELS; i++) {
		struct fixture_load load = {
			.count = 1 + i * 7 % 64,
			.content_bytes = sizes[i % ARRAY_LEN(sizes)],
			.service = i % 5 == 0 ? "notice" : NULL,
			.padding = i % 4 == 0 ? 16 : 0,
		};
		if (load.content_bytes > 10000)
			load.count = 2;
		if (i % 20 == 0)
			journal_fixture_start(&f);
		sent[i] = submitted(&f, &load);
		messages += load.count;
		clock_fake_advance(&f.clock, 1000 * i);
		if (i % 20 == 19)
			journal_fixture_stop(&f);
	}
	CHECK(messages > 1000);
	/* As an auditor would: another process's folder, read-only. */
	CHECK_INT(journal_reader_open(f.dir, f.keyring, &reader), 0);
	CHECK_INT(journal_reader_begin(reader), 0);
	for (size_t i = 0; i < PARCELS; i++) {
		for (size_t k = 0; k < sent[i]->submits_count; k++)
			check_entry(reader, arena, &sent[i]->submits[k]);
		parcel_free(sent[i]);
	}
	check_tree(&f, reader);
	check_parties(reader);
	struct journal_meta meta;
	CHECK_INT(journal_read_meta(reader, &meta), 0);
	CHECK_INT(meta.size, messages + 1 + 3 * 2); /* the registry, three starts and stops */
	CHECK_STR(meta.bus, "test.demo");
	journal_reader_free(reader);
}

static void answers_a_resend_as_before(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	journal_fixture_init(&f, check_memdir(), "resend");
	journal_fixture_start(&f);
	struct parcel *first = submitted(
		&f, &(struct fixture_load){.count = 40, .content_bytes = 50});
	struct parcel *other = submitted(
		&f, &(struct fixture_load){.count = 3, .content_bytes = 50});
	struct journal_stats before, after;
	journal_stats(f.journal, &before);
	for (int round = 0; round < 3; round++) {
		struct parcel *again = journal_fixture_resend(&f, first);
		if (round == 2)
			journal_fixture_resign(&f, again);
		journal_fixture_run(&f, again);
		for (size_t i = 0; i < 40; i++) {
			const struct parcel_submit *submit = &again->submits[i];
			const struct parcel_proof *was = &first->submits[i].proof;
			CHECK_INT(submit->decision.result, SUBMIT_DUPLICATE);
			CHECK_INT(submit->proof.sequence, was->sequence);
			CHECK_INT(submit->proof.batch_ms, was->batch_ms);
			CHECK_MEM(submit->proof.nonce, was->nonce, 32);
			CHECK(!submit->recorded_signature == (round < 2));
		}
		CHECK_INT(journal_fixture_check_receipts(&f, again), 40);
		CHECK(again->nodes_count < 2 * 40 + 10); /* every node once */
		parcel_free(again);
	}
	/* Nothing was appended, so nothing was committed. */
	journal_stats(f.journal, &after);
	CHECK_INT(after.commits, before.commits);
	CHECK_INT(after.tree_size, before.tree_size);
	/* In one batch with something new, and twice in one parcel: proven under the new checkpoint. */
	struct parcel *mixed = journal_fixture_resend(&f, other);
	struct parcel *fresh = journal_fixture_submit(
		&f, &(struct fixture_load){.count = 2, .content_bytes = 50});
	mixed->submits[1].envelope = fresh->submits[0].envelope;
	mixed->submits[2].envelope = fresh->submits[0].envelope;
	CHECK_INT(verify_parcel(f.verify, mixed), 0);
	journal_fixture_run(&f, mixed);
	CHECK_INT(mixed->submits[0].decision.result, SUBMIT_DUPLICATE);
	CHECK_INT(mixed->submits[1].decision.result, SUBMIT_ACCEPTED);
	CHECK_INT(mixed->submits[2].decision.result, SUBMIT_DUPLICATE);
	CHECK_INT(mixed->submits[2].proof.sequence, mixed->submits[1].proof.sequence);
	CHECK_INT(journal_fixture_check_receipts(&f, mixed), 3);
	CHECK_INT(mixed->tree_size, after.tree_size + 1);
	parcel_free(mixed);
	parcel_free(fresh);
	parcel_free(other);
	parcel_free(first);
	journal_fixture_stop(&f);
}

static void remembers_refusals(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 20);
	Dienstweg__Row *row;
	struct journal_reader *reader = NULL;
	journal_fixture_init(&f, check_memdir(), "refused");
	journal_fixture_start(&f);
	/* Expired before it came: signed by its sender, so the id is spent. */
	struct fixture_load load = {
		.count = 2, .content_bytes = 50, .expires_ms = FIXTURE_NOW_MS + 1000};
	struct parcel *parcel = journal_fixture_submit(&f, &load);
	clock_fake_advance(&f.clock, 5000);
	journal_fixture_run(&f, parcel);
	const struct parcel_submit *first = &parcel->submits[0];
	CHECK_INT(first->decision.result, SUBMIT_REFUSED);
	CHECK(first->decision.append && first->proof.sequence > 0);
	CHECK_INT(parcel->checkpoint.len, 0); /* nothing is proven to whom was refused */

	struct parcel *again = journal_fixture_resend(&f, parcel);
	journal_fixture_run(&f, again);
	const struct submit_decision *recalled = &again->submits[0].decision;
	CHECK_INT(recalled->result, SUBMIT_DUPLICATE);
	CHECK_INT(recalled->earlier, first->proof.sequence);
	CHECK_STR(recalled->code, first->decision.code);
	CHECK_STR(recalled->field, first->decision.field);
	CHECK_STR(recalled->detail, first->decision.detail);

	CHECK_INT(journal_reader_new(journal_env(f.journal), f.keyring, &reader), 0);
	CHECK_INT(journal_reader_begin(reader), 0);
	CHECK_INT(journal_read_row(reader, first->proof.sequence, arena, &row), 0);
	CHECK(bytes_equal(BYTES_PB(row->original), first->facts.header_bytes));
	journal_reader_free(reader);
	parcel_free(again);
	parcel_free(parcel);
	journal_fixture_stop(&f);
}

static size_t count_effects(const struct parcel *parcel, int type)
{
	size_t count = 0;
	for (const struct effect *effect = parcel->effects; effect; effect = effect->next)
		count += effect->type == type;
	return count;
}

static void journals_acknowledgements(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 20);
	Dienstweg__Row *row;
	Dienstweg__Decision *decision;
	struct stub stub;
	struct journal_reader *reader = NULL;
	journal_fixture_init(&f, check_memdir(), "acks");
	journal_fixture_start(&f);
	struct fixture_load load = {.count = 40, .content_bytes = 50, .service = "notice"};
	struct parcel *sent = submitted(&f, &load);
	CHECK_INT(count_effects(sent, EFFECT_QUEUED), 40);
	struct parcel *acks = journal_fixture_acks(&f, "jobcenter", sent);
	journal_fixture_run(&f, acks);
	CHECK_INT(acks->acks_count, 2);
	CHECK(acks->acks[0].decision.append && acks->acks[1].decision.append);
	CHECK_INT(journal_fixture_check_receipts(&f, acks), 2);
	CHECK_INT(count_effects(acks, EFFECT_ENDED), 40);
	CHECK(count_effects(acks, EFFECT_OUTCOME) >= 1);

	CHECK_INT(journal_reader_new(journal_env(f.journal), f.keyring, &reader), 0);
	CHECK_INT(journal_reader_begin(reader), 0);
	CHECK_INT(journal_read_stub(reader, acks->acks[0].proof.sequence, &stub), 0);
	CHECK_INT(stub.kind, DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED);
	CHECK_INT(stub.class, 2); /* as long as what it is about */
	CHECK_INT(journal_read_row(reader, acks->acks[0].proof.sequence, arena, &row), 0);
	CHECK(bytes_equal(BYTES_PB(row->original), acks->acks[0].facts.batch_bytes));
	CHECK_INT(journal_row_decision(row, arena, &decision), 0);
	CHECK_INT(decision->n_verdicts, 32);
	journal_reader_end(reader);

	/* The same again: known, and no entry. */
	struct parcel *late = journal_fixture_acks(&f, "jobcenter", sent);
	journal_fixture_run(&f, late);
	CHECK(!late->acks[0].decision.append && !late->acks[0].decision.refused);
	CHECK_INT(late->acks[0].decision.verdicts[0], DIENSTWEG__ACK_VERDICT__ACK_ALREADY);
	CHECK_INT(late->checkpoint.len, 0);
	/* By somebody else: refused whole. */
	struct parcel *foreign = journal_fixture_acks(&f, "town", sent);
	journal_fixture_run(&f, foreign);
	CHECK(!foreign->acks[0].decision.append);
	journal_reader_free(reader);
	parcel_free(foreign);
	parcel_free(late);
	parcel_free(acks);
	parcel_free(sent);
	journal_fixture_stop(&f);
}

static void journals_failures_and_expiries(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	struct journal_reader *reader = NULL;
	struct stub stub;
	journal_fixture_init(&f, check_memdir(), "items");
	journal_fixture_start(&f);
	struct fixture_load load = {
		.count = 200, .content_bytes = 50, .expires_ms = FIXTURE_NOW_MS + 3600000};
	struct parcel *sent = submitted(&f, &load);
	struct parcel *fail = journal_fixture_act(&f, PARCEL_FAIL);
	fail->items = arena_zalloc(fail->arena, 200 * sizeof(*fail->items));
	for (struct effect *effect = sent->effects; effect; effect = effect->next)
		fail->items[fail->items_count++] = (struct rules_item){
			.party = effect->party, .sequence = effect->sequence};
	CHECK_INT(fail->items_count, 200);
	fail->cause = "session-lost";
	fail->backoff = true;
	uint64_t size = sent->tree_size;
	journal_fixture_run(&f, fail);
	CHECK_INT(count_effects(fail, EFFECT_DELAYED), 200);
	CHECK_INT(journal_reader_new(journal_env(f.journal), f.keyring, &reader), 0);
	CHECK_INT(journal_reader_begin(reader), 0);
	uint64_t entries = (200 + RULES_ITEMS_MAX - 1) / RULES_ITEMS_MAX;
	for (uint64_t i = size; i < size + entries; i++) {
		CHECK_INT(journal_read_stub(reader, i, &stub), 0);
		CHECK_INT(stub.kind, DIENSTWEG__ENTRY_KIND__ENTRY_ATTEMPTS_FAILED);
		CHECK_INT(stub.class, 1);
	}
	CHECK_INT(journal_read_stub(reader, size + entries, &stub), READER_NOT_FOUND);
	journal_reader_end(reader);

	/* Time passes: first they are due again, then they expire, which is announced and then done. */
	size_t queued = 0, expiring = 0;
	while (queued < 200 || expiring < 200) {
		clock_fake_advance(&f.clock, queued < 200 ? 60000 : 3600000);
		struct parcel *tick = journal_fixture_wait(&f);
		CHECK_INT(tick->kind, PARCEL_TICK);
		queued += count_effects(tick, EFFECT_QUEUED);
		expiring += count_effects(tick, EFFECT_EXPIRE);
		journal_return(f.journal, tick);
	}
	CHECK_INT(queued, 200);
	fail->kind = PARCEL_EXPIRE;
	journal_fixture_run(&f, fail);
	CHECK_INT(count_effects(fail, EFFECT_ENDED), 200);
	CHECK_INT(journal_reader_begin(reader), 0);
	CHECK_INT(journal_read_stub(reader, size + entries, &stub), 0);
	CHECK_INT(stub.kind, DIENSTWEG__ENTRY_KIND__ENTRY_EXPIRED);
	journal_reader_free(reader);
	parcel_free(fail);
	parcel_free(sent);
	journal_fixture_stop(&f);
}

static void timers_wait_for_their_parcels(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	struct parcel *ticks[JOURNAL_TICKS];
	size_t queued = 0;
	journal_fixture_init(&f, check_memdir(), "ticks");
	journal_fixture_start(&f);
	struct fixture_load load = {
		.count = 1500, .content_bytes = 10, .not_before_ms = FIXTURE_NOW_MS + 60000};
	struct parcel *sent = submitted(&f, &load);
	CHECK_INT(count_effects(sent, EFFECT_QUEUED), 0);
	clock_fake_advance(&f.clock, 61000);
	/* All four are out, and the rest waits without anybody turning in circles. */
	for (size_t i = 0; i < JOURNAL_TICKS; i++) {
		ticks[i] = journal_fixture_wait(&f);
		CHECK_INT(ticks[i]->kind, PARCEL_TICK);
		CHECK_INT(count_effects(ticks[i], EFFECT_QUEUED), 256);
	}
	CHECK(!queue_wait(f.done, 100));
	for (size_t i = 0; i < JOURNAL_TICKS; i++)
		journal_return(f.journal, ticks[i]);
	while (queued < 1500 - JOURNAL_TICKS * 256) {
		struct parcel *tick = journal_fixture_wait(&f);
		queued += count_effects(tick, EFFECT_QUEUED);
		journal_return(f.journal, tick);
	}
	parcel_free(sent);
	journal_fixture_stop(&f);
}

/* A clock that was wrong for a moment makes nobody wait until it would have been right. */
static void goes_on_when_the_clock_is_set_back(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	journal_fixture_init(&f, check_tmpdir(), "clock");
	journal_fixture_start(&f);
	clock_fake_advance(&f.clock, 48 * 3600000);
	struct fixture_load load = {.count = 3,
		.content_bytes = 10,
		.not_before_ms = FIXTURE_NOW_MS + 48 * 3600000 + 10000};
	struct parcel *sent = submitted(&f, &load);
	CHECK_INT(count_effects(sent, EFFECT_QUEUED), 0);
	__atomic_store_n(&f.clock.fake_wall_ms, FIXTURE_NOW_MS, __ATOMIC_RELEASE);
	/* The fixture's clock stands still: this act is where the journal notices. */
	struct parcel *first = submitted(&f, &(struct fixture_load){.count = 1});
	CHECK_INT(count_effects(first, EFFECT_QUEUED), 1);
	uint64_t then_ms = first->submits[0].proof.batch_ms;
	CHECK_INT(then_ms, FIXTURE_NOW_MS + 48 * 3600000);
	clock_fake_advance(&f.clock, 19000);
	struct parcel *early = submitted(&f, &(struct fixture_load){.count = 1});
	CHECK_INT(early->submits[0].proof.batch_ms, then_ms + 9500);
	CHECK(!queue_wait(f.done, 0));
	clock_fake_advance(&f.clock, 1000);
	struct parcel *tick = journal_fixture_wait(&f);
	CHECK_INT(tick->kind, PARCEL_TICK);
	CHECK_INT(count_effects(tick, EFFECT_QUEUED), 3);
	journal_return(f.journal, tick);
	parcel_free(early);
	parcel_free(first);
	parcel_free(sent);
	journal_fixture_stop(&f);
}

CHECK_MAIN(CHECK_CASE(goes_on_when_the_clock_is_set_back), CHECK_CASE(keeps_what_it_took),
	CHECK_CASE(answers_a_resend_as_before), CHECK_CASE(remembers_refusals),
	CHECK_CASE(journals_acknowledgements), CHECK_CASE(journals_failures_and_expiries),
	CHECK_CASE(timers_wait_for_their_parcels))
