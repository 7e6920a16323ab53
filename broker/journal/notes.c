/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What the journal notes about itself: which program ran under which limits, which registry came into
 * force, that the clock was set. These entries are permanent and in clear (class 0): they name agencies and
 * programs, never people, and an auditor without any key must be able to replay under the right rules.
 */
#include "broker/journal/writer.h"

#include <errno.h>

#include "proto/base/log.h"

static ProtobufCBinaryData pb_bytes(const void *data, size_t len)
{
	return (ProtobufCBinaryData){.len = len, .data = (uint8_t *)(uintptr_t)data};
}

static int note(struct journal *journal, struct batch *batch, uint8_t kind,
	const Dienstweg__Decision *decision)
{
	struct entry entry = {.kind = kind, .decision = decision};
	return batch_append(journal, batch, &entry, NULL);
}

static Dienstweg__Decision program_decision(const struct journal *journal)
{
	const struct journal_options *options = &journal->options;
	Dienstweg__Decision decision = DIENSTWEG__DECISION__INIT;
	decision.rules_version = RULES_VERSION;
	decision.software = pb_bytes(options->software, strlen(options->software));
	decision.config_digest = pb_bytes(options->config_digest, HASH_SIZE);
	return decision;
}

/* So that a number which somebody wrote into `meta`, to hide what he removed, is not enough. */
static int note_start(struct journal *journal, struct batch *batch, Dienstweg__Decision *decision)
{
	struct db_txn *txn = journal->log.txn;
	struct journal_pruned pruned;
	int r = pruned_get(txn, &journal->tables, &pruned);
	bool first = r == 0 && pruned.before > 0 && pruned.said == 0;
	if (first) {
		decision->pruned_size = pruned.before;
		pruned.said = journal->log.sequence + 1;
		log_warn("journal", "pruned since the last start: an entry says so",
			F_U64("before", pruned.before), F_STR("archive", pruned.archive));
	}
	if (r == 0)
		r = note(journal, batch, DIENSTWEG__ENTRY_KIND__ENTRY_START, decision);
	return r || !first ? r : journal_put_error(pruned_put(txn, &journal->tables, &pruned));
}

int notes_start(struct journal *journal, struct batch *batch)
{
	const struct rules_limits *limits = &journal->options.limits;
	Dienstweg__Decision decision = program_decision(journal);
	Dienstweg__RulesLimits bounds = DIENSTWEG__RULES_LIMITS__INIT;
	bounds.refusals_per_minute = limits->refusals_per_minute;
	bounds.backoff_min_ms = limits->backoff_min_ms;
	bounds.backoff_max_ms = limits->backoff_max_ms;
	bounds.queue_messages_max = limits->queue_messages_max;
	bounds.queue_bytes_max = limits->queue_bytes_max;
	bounds.attempts_max = limits->attempts_max;
	decision.limits = &bounds;
	if (journal->trusted) {
		decision.trusted = pb_bytes(journal->trusted, strlen(journal->trusted));
		decision.marked_size = journal->marked_size;
	}
	batch->stage = "start";
	return note_start(journal, batch, &decision);
}

int notes_stop(struct journal *journal, struct batch *batch)
{
	Dienstweg__Decision decision = program_decision(journal);
	return note(journal, batch, DIENSTWEG__ENTRY_KIND__ENTRY_STOP, &decision);
}

int notes_clock_step(struct journal *journal, struct batch *batch, int64_t step_ms)
{
	Dienstweg__Decision decision = DIENSTWEG__DECISION__INIT;
	decision.rules_version = RULES_VERSION;
	decision.step_ms = step_ms;
	batch->stage = "clock step";
	log_warn("journal", "the clock was set", F_I64("step_ms", step_ms));
	return note(journal, batch, DIENSTWEG__ENTRY_KIND__ENTRY_CLOCK_STEP, &decision);
}

/* ---- state ---- */

int notes_state(struct journal *journal, struct batch *batch, struct parcel *parcel)
{
	struct state_job *job = &journal->state;
	Dienstweg__Decision decision = DIENSTWEG__DECISION__INIT;
	struct entry entry = {
		.kind = DIENSTWEG__ENTRY_KIND__ENTRY_STATE,
		.decision = &decision,
	};
	struct journal_state_mark mark = {.sequence = journal->log.sequence};
	batch->stage = "state";
	parcel->sequence = UINT64_MAX;
	if (state_job_take(job, clock_mono_ns(clock_system())))
		return 0;
	decision.rules_version = RULES_VERSION;
	decision.state = job->made.cut;
	entry.content = job->made.content;
	state_content_digest(entry.content, entry.digest);
	mark.size = job->cut.size;
	mark.batch_ms = job->cut.batch_ms;
	int r = batch_append(journal, batch, &entry, NULL);
	if (r == 0)
		r = journal_put_error(state_mark_put(journal->log.txn, &journal->tables, &mark));
	if (r)
		return r;
	parcel->sequence = mark.sequence;
	log_info("journal", "state recorded", F_U64("sequence", mark.sequence),
		F_U64("entries", mark.size), F_U64("bytes", entry.content.len));
	return 0;
}

/* Before anything is shown: who is told of the entry only afterwards could leave before it is made. */
int notes_inspected(struct journal *journal, struct batch *batch, struct operator_act *act)
{
	const struct inspection *what = &act->inspection;
	Dienstweg__Decision decision = DIENSTWEG__DECISION__INIT;
	Dienstweg__Inspection inspection = DIENSTWEG__INSPECTION__INIT;
	inspection.role = pb_bytes(what->role, strlen(what->role));
	inspection.ground = pb_bytes(what->ground, strlen(what->ground));
	inspection.first = what->first;
	inspection.last = what->last;
	inspection.count = what->count;
	decision.rules_version = RULES_VERSION;
	decision.account = act->about.account;
	decision.speaker = pb_bytes(what->speaker, strlen(what->speaker));
	decision.party = pb_bytes(what->party, strlen(what->party));
	decision.inspection = &inspection;
	act->sequence = journal->log.sequence;
	act->changed = true;
	return note(journal, batch, DIENSTWEG__ENTRY_KIND__ENTRY_INSPECTED, &decision);
}

/* ---- registry ---- */

size_t signers_choose(const struct journal *journal, const struct registry *registry,
	struct log_signer ret[JOURNAL_LOG_KEYS_MAX])
{
	size_t count = 0;
	for (size_t i = 0; i < JOURNAL_LOG_KEYS_MAX && journal->options.log_keys[i]; i++) {
		const struct key_secret *secret = journal->options.log_keys[i];
		const Dienstweg__Party *owner = NULL;
		const Dienstweg__Key *key = registry_key(
			registry, BYTES(secret->pub.id, KEY_ID_SIZE), &owner);
		if (!key || owner || key->state != DIENSTWEG__KEY_STATE__KEY_STATE_ACTIVE)
			continue;
		if (note_key_init(&ret[count].key, BYTES_STR(journal->origin), secret->pub.public))
			continue;
		ret[count++].secret = secret;
	}
	return count;
}

static int put_registry_row(struct journal *journal, uint64_t sequence,
	const struct registry *registry, const uint8_t *digest)
{
	Dienstweg__RegistryRow row = DIENSTWEG__REGISTRY_ROW__INIT;
	uint8_t buf[64];
	struct key key = key_u64(sequence);
	row.version = registry_version(registry);
	row.digest = pb_bytes(digest, HASH_SIZE);
	row.content_chunks = (registry_signed_bytes(registry).len + CHUNK_MAX - 1) / CHUNK_MAX;
	if (dienstweg__registry_row__get_packed_size(&row) > sizeof(buf))
		return -EMSGSIZE;
	size_t len = dienstweg__registry_row__pack(&row, buf);
	return journal_put_error(db_append(
		journal->log.txn, journal->tables.registry, KEY_BYTES_OF(key), BYTES(buf, len)));
}

static int adopt(struct journal *journal, struct batch *batch, struct registry *registry)
{
	Dienstweg__Decision decision = DIENSTWEG__DECISION__INIT;
	struct entry entry = {
		.kind = DIENSTWEG__ENTRY_KIND__ENTRY_REGISTRY,
		.decision = &decision,
		.content = registry_signed_bytes(registry),
	};
	uint64_t sequence = journal->log.sequence;
	registry_note_digest(registry, entry.digest);
	decision.rules_version = RULES_VERSION;
	decision.version = registry_version(registry);
	decision.digest = pb_bytes(entry.digest, HASH_SIZE);

	registry_unref(journal->registry);
	journal->registry = registry_ref(registry);
	journal->signers_count = signers_choose(journal, registry, journal->signers);
	journal->head.registry_sequence = sequence;
	journal->log.registry_version = decision.version; /* in force from its own entry on */
	journal->keys_day = 0;                            /* it may bring new classes */
	batch->rules.registry = registry;
	batch->registry_changed = true;
	int r = batch_append(journal, batch, &entry, NULL);
	if (r == 0)
		r = put_registry_row(journal, sequence, registry, entry.digest);
	if (r == 0)
		r = rules_adopt_registry(&batch->rules);
	if (r == 0)
		log_info("journal", "registry in force", F_U64("version", decision.version),
			F_U64("sequence", sequence));
	return r;
}

static bool same_registry(const struct registry *a, const struct registry *b)
{
	uint8_t digest_a[HASH_SIZE], digest_b[HASH_SIZE];
	registry_note_digest(a, digest_a);
	registry_note_digest(b, digest_b);
	return memcmp(digest_a, digest_b, HASH_SIZE) == 0;
}

/* Return: 0, REGISTRY_*: it must not follow, negative errno. */
static int judge(struct journal *journal, const struct registry *next)
{
	struct log_signer signers[JOURNAL_LOG_KEYS_MAX];
	int r = journal->registry ? registry_check_successor(journal->registry, next) : 0;
	if (r == 0 && signers_choose(journal, next, signers) == 0)
		r = REGISTRY_KEYS;
	return r;
}

int notes_registry(struct journal *journal, struct batch *batch, struct parcel *parcel)
{
	struct registry *next = parcel->registry;
	if (journal->registry && same_registry(journal->registry, next))
		return 0;
	parcel->verdict = judge(journal, next);
	if (parcel->verdict < 0)
		return parcel->verdict;
	if (parcel->verdict == 0 && parcel->act)
		parcel->act->sequence = journal->log.sequence;
	if (parcel->verdict == 0)
		return adopt(journal, batch, next);
	log_error("journal", "a registry was refused: the one in force stays",
		F_U64("version", registry_version(next)),
		F_U64("in_force", journal->registry ? registry_version(journal->registry) : 0),
		F_STR("why", registry_verdict_text(parcel->verdict)));
	return 0;
}
