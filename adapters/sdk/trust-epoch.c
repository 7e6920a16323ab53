/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A log under a new origin is another log to everybody who only compares names. An adapter follows it when it is
 * shown to be the old one with its end cut off (crossing.h), and says so as loudly as it can without stopping: in
 * its own log, in status.json, and in STATE/epoch-N.txt with the checkpoints beside it. A broker that changes its
 * origin and cannot show this gets the same answer as one that forks.
 */
#include "adapters/sdk/trusting.h"

#include <errno.h>
#include <stdio.h>

#include "adapters/sdk/fields.h"
#include "proto/base/log.h"

enum { PATIENCE_MS = 10000, LOSS_TELL_MS = 3600 * 1000, LOSS_ROW = 4 + 8 + 8 };

#define ROW_EPOCHS BYTES_STR("epochs")
#define ROW_RUNGS  BYTES_STR("checkpoint rungs")
#define ROW_LOSS   BYTES_STR("epoch loss")

static uint64_t ms_since(const struct trust *trust, uint64_t then_ns)
{
	return (clock_mono_ns(trust->options.clock) - then_ns) / 1000000u;
}

static struct bytes bus_of(const struct trust *trust)
{
	return BYTES_STR(trust->options.config->bus);
}

/* ---- for people ---- */

static void loss_tell(struct trust *trust)
{
	trust->loss_told_ns = clock_mono_ns(trust->options.clock);
	log_error("trust",
		"ALARM: the bus's log lost entries that this adapter had seen, and goes on under a "
		"new origin; what was recorded is sent again, receipts from before stay as "
		"evidence",
		F_STR("origin", trust->origin), F_U64("seen", trust->loss.seen),
		F_U64("kept", trust->loss.kept));
}

static int report_write(struct trust *trust, const struct crossing *crossing)
{
	const struct head *older = heads_newest(&trust->heads);
	const struct folder_exhibit exhibits[] = {{"seen.note", head_note(older)},
		{"kept.note", BYTES(crossing->note, crossing->note_len)},
		{"now.note", head_note(&crossing->now)}};
	char text[1536];
	snprintf(text, sizeof(text),
		"The log of the bus %s lost entries and goes on under the origin %s.\n"
		"It keeps the entries before number %llu; this adapter had seen %llu%s.\n"
		"Ordered at the broker by account %u: %s\n"
		"Beside this file: the last checkpoint seen, the one that the log goes on from, "
		"and the first of the new origin, all signed by the log. The first proves what "
		"was "
		"lost, together with the receipts in the store (dienstweg evidence --epoch).\n"
		"Messages with a receipt that the log may have lost are sent again by "
		"themselves.\n",
		trust->options.config->bus, crossing->now.checkpoint.origin,
		(unsigned long long)crossing->kept, (unsigned long long)crossing->seen,
		crossing_lost(crossing) ? "" : ", so nothing of it was lost", crossing->account,
		crossing->words);
	return folder_epoch(trust->options.folder, epochs_newest(&crossing->epochs), text, exhibits,
		ARRAY_LEN(exhibits));
}

static int refuse(struct trust *trust, const struct crossing *crossing, const char *why)
{
	char text[1024];
	snprintf(text, sizeof(text),
		"The broker shows a log under the new origin %s, and %s. (A log that lost its "
		"journal may go on under a new origin, but its first entry has to say so, and its "
		"tree has to begin with what is left of the old one.)",
		crossing->now.checkpoint.origin, why);
	return trust_raise(trust, text, head_note(heads_newest(&trust->heads)),
		head_note(&crossing->now), BYTES(crossing->note, crossing->note_len));
}

/* ---- crossing ---- */

static int cross(struct trust *trust)
{
	struct crossing *crossing = &trust->crossing;
	bool lost = crossing_lost(crossing);
	crossing->asking = false;
	int r = crossing->seen > 0 ? report_write(trust, crossing) : 0;
	if (r)
		return r;
	if (crossing->seen > 0 && !lost)
		log_warn("trust",
			"the bus's log goes on under a new origin; nothing that this adapter saw "
			"was lost",
			F_STR("origin", crossing->now.checkpoint.origin),
			F_U64("kept", crossing->kept));
	heads_cross(&trust->heads, &crossing->now);
	rungs_cut(&trust->rungs, crossing->kept);
	trust->epochs = crossing->epochs;
	memcpy(trust->origin, crossing->now.checkpoint.origin, sizeof(trust->origin));
	trust_keys_take(trust);
	trust->rested_size = 0;
	trust->asked_at_ns = 0;
	trust->proven_at_ns = clock_mono_ns(trust->options.clock);
	trust->crossed = crossing->seen > 0;
	trust->loss = (struct trust_loss){};
	if (lost) {
		trust->loss = (struct trust_loss){.epoch = epochs_newest(&trust->epochs),
			.seen = crossing->seen,
			.kept = crossing->kept};
		loss_tell(trust);
	}
	return 0;
}

/* The checkpoint under its own origin. 0, TRUST_*, negative errno. */
static int shown_verify(
	struct trust *trust, struct bytes note, uint32_t epoch, struct heads_shown *ret)
{
	struct note_key keys[LOG_KEYS_MAX];
	char origin[CHECKPOINT_ORIGIN_MAX + 1];
	epoch_origin(bus_of(trust), epoch, origin);
	size_t count = registry_log_keys(trust->follow.registry, origin, keys, LOG_KEYS_MAX);
	ret->note = note;
	int r = checkpoint_open(note, keys, count, origin, &ret->checkpoint);
	if (r == NOTE_UNVERIFIED)
		return trust_unknown(trust, note);
	if (r > 0)
		return trust_alarm(trust,
			"The broker sent a checkpoint of a new origin whose signature by the log "
			"does not hold.",
			note, BYTES(NULL, 0));
	return r;
}

static int begin(struct trust *trust, const Dienstweg__Welcome *welcome, uint32_t epoch)
{
	struct heads_shown shown;
	struct note_key keys[LOG_KEYS_MAX];
	char why[256] = "";
	int r = shown_verify(trust, BYTES_PB(welcome->checkpoint), epoch, &shown);
	if (r)
		return r;
	const struct crossing_input input = {
		.bus = bus_of(trust),
		.keys = keys,
		.keys_count = registry_log_keys(
			trust->follow.registry, shown.checkpoint.origin, keys, LOG_KEYS_MAX),
		.epochs = &trust->epochs,
		.rungs = &trust->rungs,
		.newest = heads_newest(&trust->heads),
		.shown = &shown,
		.welcome = welcome,
		.asked = trust->hello_size,
	};
	r = crossing_begin(&trust->crossing, &input, why, sizeof(why));
	if (r == CROSSING_BAD)
		return refuse(trust, &trust->crossing, why);
	trust->asked_at_ns = 0;
	if (r == CROSSING_ASK)
		return TRUST_UNKNOWN;
	return r ? r : cross(trust);
}

int trust_epoch_welcome(struct trust *trust, const Dienstweg__Welcome *welcome, bool *ret_done)
{
	struct checkpoint said;
	uint32_t epoch, held = epochs_newest(&trust->epochs);
	struct bytes note = BYTES_PB(welcome->checkpoint);
	*ret_done = false;
	trust->crossing.asking = false; /* whatever an earlier session left */
	if (note.len > HEAD_NOTE_MAX || head_parse(note, &said) != 0 ||
		epoch_of(said.origin, bus_of(trust), &epoch) != 0 || epoch == held)
		return 0;
	*ret_done = true;
	if (epoch > held)
		return begin(trust, welcome, epoch);
	return trust_alarm(trust,
		"The broker shows the log under an earlier origin than the one that it went on "
		"under: it was set back.",
		note, BYTES(NULL, 0));
}

int trust_epoch_proof(struct trust *trust, const Dienstweg__CheckpointFrame *frame)
{
	const struct crossing *crossing = &trust->crossing;
	if (trust->asked_at_ns == 0 || frame->checkpoint.len > 0 ||
		frame->old_size != crossing->link.size ||
		frame->new_size != crossing->now.checkpoint.size)
		return 0;
	if (crossing_link(crossing, BYTES_PB(frame->consistency)) != 0)
		return refuse(trust, crossing,
			"its tree does not begin with what this adapter saw of the old one");
	return cross(trust);
}

int trust_epoch_step(struct trust *trust, struct client *client)
{
	if (clock_mono_ns(trust->options.clock) < trust->not_before_ns ||
		(trust->asked_at_ns && ms_since(trust, trust->asked_at_ns) < PATIENCE_MS))
		return 0;
	if (trust->asked_at_ns)
		log_error("trust",
			"ALARM: the broker shows a new origin and does not answer the demand for a "
			"proof: nothing is sent",
			F_U64("from", trust->crossing.link.size));
	trust->question = (struct heads_question){.old_size = trust->crossing.link.size,
		.new_size = trust->crossing.now.checkpoint.size};
	return trust_ask(trust, client);
}

bool trust_crossed(struct trust *trust, struct trust_crossed *ret)
{
	const struct crossing *crossing = &trust->crossing;
	bool crossed = trust->crossed;
	trust->crossed = false;
	*ret = (struct trust_crossed){.before = crossing->before,
		.kept = crossing->kept,
		.linked = crossing_lost(crossing) ? crossing->link.size : UINT64_MAX};
	return crossed;
}

const struct epochs *trust_epochs(const struct trust *trust)
{
	return &trust->epochs;
}

bool trust_is_current(const struct trust *trust, const struct checkpoint *checkpoint)
{
	return strcmp(checkpoint->origin, trust->origin) == 0;
}

const struct trust_loss *trust_loss(const struct trust *trust)
{
	return &trust->loss;
}

void trust_loss_remind(struct trust *trust)
{
	if (trust->loss.epoch > 0 && ms_since(trust, trust->loss_told_ns) >= LOSS_TELL_MS)
		loss_tell(trust);
}

/* ---- on disk ---- */

int trust_epochs_save(struct trust *trust)
{
	uint8_t epochs[EPOCHS_ROW_MAX], rungs[RUNGS_ROW_MAX], loss[LOSS_ROW];
	struct store *store = trust->options.store;
	const struct head *proven = &trust->heads.proven;
	if (proven->set)
		rungs_add(&trust->rungs, proven->checkpoint.size, &proven->checkpoint.root);
	int r = store_put(
		store, STORE_META, ROW_RUNGS, BYTES(rungs, rungs_encode(&trust->rungs, rungs)));
	if (r || trust->epochs.count == 0)
		return r;
	uint8_t *p = field_put_number(loss, trust->loss.epoch, 4);
	p = field_put_number(p, trust->loss.seen, 8);
	field_put_number(p, trust->loss.kept, 8);
	r = store_put(store, STORE_META, ROW_EPOCHS,
		BYTES(epochs, epochs_encode(&trust->epochs, epochs)));
	return r ? r : store_put(store, STORE_META, ROW_LOSS, BYTES(loss, LOSS_ROW));
}

int trust_epochs_read(struct store *store, struct epochs *ret)
{
	struct bytes row;
	*ret = (struct epochs){};
	int r = store_get(store, STORE_META, ROW_EPOCHS, &row);
	if (r == 0 && epochs_decode(row, ret) != 0)
		r = -EBADMSG;
	return r < 0 ? r : 0;
}

static int loss_load(struct trust *trust)
{
	struct bytes row;
	int r = store_get(trust->options.store, STORE_META, ROW_LOSS, &row);
	if (r)
		return r > 0 ? 0 : r;
	struct field_reader reader = {.left = row};
	trust->loss.epoch = (uint32_t)field_number(&reader, 4);
	trust->loss.seen = field_number(&reader, 8);
	trust->loss.kept = field_number(&reader, 8);
	return field_end(&reader);
}

int trust_epochs_load(struct trust *trust)
{
	struct bytes row;
	int r = trust_epochs_read(trust->options.store, &trust->epochs);
	if (r == 0)
		r = store_get(trust->options.store, STORE_META, ROW_RUNGS, &row);
	if (r == 0)
		r = rungs_decode(row, &trust->rungs);
	if (r >= 0)
		r = loss_load(trust);
	epoch_origin(bus_of(trust), epochs_newest(&trust->epochs), trust->origin);
	if (r == 0 && trust->loss.epoch > 0)
		loss_tell(trust);
	return r;
}
