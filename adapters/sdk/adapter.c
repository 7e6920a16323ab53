/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Where the rooms of the SDK meet. Frames are taken while client_step() runs and change the turn's
 * transaction; a failure among them is remembered, because a frame has nobody to return it to, and ends
 * the turn before anything of it is committed. Large turns are committed between two frames, so that
 * neither memory nor the time without a heartbeat grows with what the broker sends.
 */
#include "adapters/sdk/adapter.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "adapters/sdk/core.h"
#include "proto/base/log.h"

enum {
	TURNS_IN_A_ROW_MAX = 16,
	AGAIN_STEP = 128, /* messages put back into the outbox in one turn */
	ACKS_SLACK = 1024,
	FEW = 8,
	BUS_KEYS_MAX = 16,
	REDIAL_MS = 5000, /* a broker that is there answers a Hello sooner */
};

/* ---- calling ops ---- */

/* Verdicts mean nothing here: an op that returns one is broken. */
static int op_end(struct dw_adapter *adapter, const char *op, int r)
{
	adapter->depth--;
	if (r == 0)
		return 0;
	log_error("adapter", "an op failed", F_STR("op", op), F_ERR(r));
	return r < 0 ? r : -EINVAL;
}

static int call_to_agency(void *context, const struct dw_delivery *delivery, struct dw_verdict *ret)
{
	struct dw_adapter *adapter = context;
	bool taken;
	int r = asking_take(adapter, delivery, &taken);
	if (r || taken) {
		ret->disposition = DW_ACCEPTED;
		return r;
	}
	adapter->depth++;
	adapter->delivering = true;
	r = adapter->ops->to_agency(adapter, adapter->context, delivery, ret);
	adapter->delivering = false;
	return op_end(adapter, "to_agency", r);
}

static int call_replayed(void *context, const struct dw_delivery *delivery)
{
	struct dw_adapter *adapter = context;
	adapter->depth++;
	return op_end(
		adapter, "replayed", adapter->ops->replayed(adapter, adapter->context, delivery));
}

static int call_replay_ended(void *context, uint64_t next)
{
	struct dw_adapter *adapter = context;
	if (!adapter->ops->replay_ended)
		return 0;
	adapter->depth++;
	return op_end(adapter, "replay_ended",
		adapter->ops->replay_ended(adapter, adapter->context, next));
}

static int call_cancelled(void *context, const struct dw_cancelled *cancelled)
{
	struct dw_adapter *adapter = context;
	adapter->depth++;
	return op_end(adapter, "cancelled",
		adapter->ops->cancelled(adapter, adapter->context, cancelled));
}

static int call_report(void *context, const struct dw_report *report)
{
	struct dw_adapter *adapter = context;
	int r = asking_report(adapter, report);
	if (r || !adapter->ops->report)
		return r;
	adapter->depth++;
	return op_end(adapter, "report", adapter->ops->report(adapter, adapter->context, report));
}

static int call_submitted(void *context, struct bytes key, const struct dw_submitted *ids)
{
	struct dw_adapter *adapter = context;
	adapter->depth++;
	return op_end(
		adapter, "submitted", adapter->ops->submitted(adapter, adapter->context, key, ids));
}

int core_intake(struct dw_adapter *adapter, bool *ret_more)
{
	*ret_more = false;
	adapter->depth++;
	return op_end(adapter, "from_agency",
		adapter->ops->from_agency(adapter, adapter->context, ret_more));
}

bool core_has_room(const struct dw_adapter *adapter)
{
	return adapter->outbox.count < adapter->config->outbox.messages_max &&
	       adapter->outbox.bytes < adapter->config->outbox.bytes_max;
}

/* ---- the turn ---- */

/* A new epoch was entered in this turn: what may be lost is to be sent again, from the oldest. */
static int cross(struct dw_adapter *adapter)
{
	struct trust_crossed crossed;
	if (!trust_crossed(adapter->trust, &crossed))
		return 0;
	adapter->untrusted = false;
	int r = final_cross(adapter->final, crossed.before, crossed.kept);
	if (r == 0)
		r = again_cross(&adapter->again, crossed.linked);
	return r ? r : sender_reload(adapter->sender);
}

static int repeat(struct dw_adapter *adapter)
{
	int r = cross(adapter);
	if (r == 0 && core_hurries(adapter))
		r = again_step(&adapter->again, AGAIN_STEP);
	if (r == 0)
		r = again_tidy(&adapter->again);
	return r;
}

static int commit(struct dw_adapter *adapter)
{
	int r = repeat(adapter);
	if (r == 0)
		r = sender_prepare(adapter->sender);
	if (r == 0)
		r = turn_sign(adapter->turn);
	if (r == 0)
		r = trust_save(adapter->trust);
	if (r == 0)
		r = final_save(adapter->final);
	if (r == 0)
		r = again_save(&adapter->again);
	if (r == 0 && adapter->witness)
		r = witness_save(adapter->witness);
	if (r == 0)
		r = store_commit(adapter->store);
	adapter->put_off_ns = 0;
	if (r == -ENOSPC)
		log_error("adapter",
			"the store is full and nothing of this turn was kept: raise "
			"outbox.map_bytes, or "
			"make room on the disk",
			F_STR("state", adapter->config->state));
	return r ? r : turn_tell(adapter->turn, call_submitted, adapter);
}

/* A few messages go before the acknowledgements of their turn: somebody may wait for an answer, which would otherwise
   wait for the commit that these get. Many go behind them, so that what was taken is known soon. */
static int flush_few(struct dw_adapter *adapter)
{
	return adapter->outbox.count <= FEW ? sender_flush(adapter->sender, adapter->client) : 0;
}

static int flush(struct dw_adapter *adapter)
{
	if (adapter->untrusted || client_state(adapter->client) != CLIENT_READY)
		return 0;
	int r = flush_few(adapter);
	if (r == 0 && adapter->witness)
		r = witness_flush(adapter->witness, adapter->client);
	if (r == 0)
		r = acks_flush(adapter->acks, adapter->client);
	if (r == 0)
		r = inbox_flush(adapter->inbox, adapter->client);
	if (r == 0)
		r = outcomes_flush(adapter->outcomes, adapter->client);
	if (r == 0)
		r = rerun_flush(adapter->replay, adapter->client);
	if (r == 0)
		r = recall_flush(adapter->recall, adapter->client);
	if (r == 0)
		r = sender_flush(adapter->sender, adapter->client);
	if (r == 0)
		r = upload_flush(adapter->upload, adapter->client);
	return r ? r : fetch_flush(adapter->fetch, adapter->client);
}

int core_turn(struct dw_adapter *adapter)
{
	if (adapter->failed)
		return adapter->failed;
	if (core_can_put_off(adapter))
		return core_put_off(adapter);
	/* What ops->submitted() submits is a turn of its own. */
	int r = commit(adapter);
	for (int i = 1; r == 0 && i < TURNS_IN_A_ROW_MAX && store_changed(adapter->store); i++)
		r = commit(adapter);
	if (r == 0)
		fetch_sweep(adapter->fetch);
	if (r == 0)
		r = flush(adapter);
	if (r == 0)
		r = turn_prepare(adapter->turn);
	if (r || store_changed(adapter->store))
		return r;
	return store_commit(adapter->store); /* ends what was only read */
}

bool core_hurries(const struct dw_adapter *adapter)
{
	return adapter->again.active && !adapter->stop && sender_has_room(adapter->sender);
}

bool core_idle(const struct dw_adapter *adapter)
{
	struct sender_counts counts;
	sender_counts(adapter->sender, &counts);
	return counts.unanswered == 0 && acks_count(adapter->acks) == 0;
}

/* ---- frames ---- */

static void everything_again(struct dw_adapter *adapter)
{
	sender_restart(adapter->sender);
	upload_restart(adapter->upload);
	acks_restart(adapter->acks);
	inbox_restart(adapter->inbox);
	rerun_restart(adapter->replay);
	recall_restart(adapter->recall);
	outcomes_restart(adapter->outcomes);
}

static int verdict(struct dw_adapter *adapter, int r)
{
	if (r == TRUST_UNKNOWN) {
		adapter->untrusted = true;
		return 0;
	}
	return r;
}

static void on_ready(void *context, const Dienstweg__Welcome *welcome)
{
	struct dw_adapter *adapter = context;
	log_info("adapter", "connected", F_U64("registry", welcome->registry_version));
	everything_again(adapter);
	adapter->down_since_ns = 0;
	adapter->untrusted = false;
	if (adapter->failed == 0)
		adapter->failed = verdict(adapter, trust_welcome(adapter->trust, welcome));
}

static void on_lost(void *context, const char *why)
{
	struct dw_adapter *adapter = context;
	log_warn("adapter", "the session ended", F_STR("why", why));
	adapter->down_since_ns = clock_mono_ns(adapter->clock);
	everything_again(adapter);
	trust_lost(adapter->trust);
}

static void on_hello(void *context, Dienstweg__Hello *hello)
{
	struct dw_adapter *adapter = context;
	trust_hello(adapter->trust, hello);
}

/*
 * The broker's transport keys: those that are active, newest first, and the one that was retired last, which it serves
 * with until it is started anew. Return: how many.
 */
static size_t broker_keys(const struct dw_adapter *adapter, const uint8_t *ret[BUS_KEYS_MAX])
{
	const Dienstweg__RegistryContent *content = registry_content(trust_registry(adapter->trust));
	const uint8_t *retired = NULL;
	size_t count = 0;
	for (size_t i = content->n_bus_keys; i > 0 && count < BUS_KEYS_MAX - 1; i--) {
		const Dienstweg__Key *key = content->bus_keys[i - 1];
		if (key->use != DIENSTWEG__KEY_USE__KEY_USE_TRANSPORT)
			continue;
		if (key->state == DIENSTWEG__KEY_STATE__KEY_STATE_ACTIVE)
			ret[count++] = key->public_.data;
		else if (key->state == DIENSTWEG__KEY_STATE__KEY_STATE_RETIRED && !retired)
			retired = key->public_.data;
	}
	if (retired)
		ret[count++] = retired;
	return count;
}

/* Ours is exchanged as soon as the registry has a newer one, the broker's when it may not serve with it any more. */
static bool keys_are_old(const struct dw_adapter *adapter)
{
	const uint8_t *keys[BUS_KEYS_MAX];
	size_t count = broker_keys(adapter, keys);
	bool valid = false;
	for (size_t i = 0; i < count; i++)
		valid |= memcmp(keys[i], adapter->broker_key, BOX_KEY_SIZE) == 0;
	return !valid || adapter->transport_key != adapter->parties->transports[0];
}

static void registry_adopted(struct dw_adapter *adapter)
{
	char why[512];
	if (parties_bind(adapter->parties, trust_registry(adapter->trust), why, sizeof(why)) != 0)
		log_error("adapter", "ALARM: the new registry does not fit our keys",
			F_STR("why", why));
	schemas_follow(adapter->schemas, trust_registry(adapter->trust));
	sender_new_registry(adapter->sender);
	acks_new_registry(adapter->acks);
	if (adapter->witness)
		witness_new_registry(adapter->witness);
	adapter->reconnect = keys_are_old(adapter);
	if (adapter->reconnect)
		adapter->dial = 0;
	else if (adapter->untrusted || outcomes_held(adapter->outcomes))
		client_reset(adapter->client, "a newer registry explains what was put aside");
}

static int take_registry(struct dw_adapter *adapter, const Dienstweg__Registry *frame)
{
	bool adopted = false;
	int r = trust_registry_take(adapter->trust, frame, &adopted);
	if (r == 0 && adopted)
		registry_adopted(adapter);
	return r;
}

static int take_items(struct dw_adapter *adapter, const Dienstweg__Deliver *deliver)
{
	int r = 0;
	for (size_t i = 0; i < deliver->n_items && r == 0; i++) {
		const Dienstweg__Item *item = deliver->items[i];
		uint64_t before = store_urgent(adapter->store);
		size_t awaited = turn_awaited(adapter->turn);
		if (item->envelope)
			r = inbox_take(adapter->inbox, item);
		else if (item->outcome)
			r = outcomes_take(adapter->outcomes, item);
		/* It was answered at once: what was written of it waits with the answer. */
		if (item->envelope && turn_awaited(adapter->turn) > awaited)
			store_excuse(adapter->store, before);
		if (r == 0 && turn_is_large(adapter->turn))
			r = commit(adapter);
	}
	return r;
}

/* Whose answer is still to come, who asked has nothing to keep of its receipt alone. */
static int take_answer(struct dw_adapter *adapter, const Dienstweg__Answer *answer)
{
	uint64_t before = store_urgent(adapter->store);
	bool waits = asking_waits(adapter, answer);
	int r = sender_answer(adapter->sender, answer);
	if (waits)
		store_excuse(adapter->store, before);
	return r;
}

/* An Error names no frame: whatever is open of its kind is sent again. */
static int take_error(struct dw_adapter *adapter, const Dienstweg__Error *error)
{
	if (bytes_equal(BYTES_PB(error->field), BYTES_STR("acknowledge")))
		acks_again(adapter->acks);
	if (bytes_equal(BYTES_PB(error->field), BYTES_STR("submit")))
		sender_again(adapter->sender);
	if (bytes_equal(BYTES_PB(error->field), BYTES_STR("replay")))
		rerun_put_off(adapter->replay);
	if (bytes_equal(BYTES_PB(error->field), BYTES_STR("cancel")))
		recall_put_off(adapter->recall);
	if (bytes_equal(BYTES_PB(error->field), BYTES_STR("get_registry")))
		trust_registry_put_off(adapter->trust);
	if (bytes_equal(BYTES_PB(error->field), BYTES_STR("get_proof")))
		trust_proof_put_off(adapter->trust);
	if (bytes_equal(BYTES_PB(error->field), BYTES_STR("note")))
		log_error("witness", "the broker refuses our cosignature",
			F_BYTES("code", BYTES_PB(error->code)),
			F_BYTES("detail", BYTES_PB(error->detail)));
	return 0;
}

static int take_checkpoint(struct dw_adapter *adapter, const Dienstweg__CheckpointFrame *frame)
{
	return frame->cosigned ? final_take(adapter->final, frame)
			       : trust_proof(adapter->trust, frame);
}

static int take(struct dw_adapter *adapter, const Dienstweg__Frame *frame)
{
	switch (frame->body_case) {
	case DIENSTWEG__FRAME__BODY_ANSWER:
		return take_answer(adapter, frame->answer);
	case DIENSTWEG__FRAME__BODY_DELIVER:
		return take_items(adapter, frame->deliver);
	case DIENSTWEG__FRAME__BODY_REPLAYED:
		return rerun_take(adapter->replay, frame->replayed, adapter->client);
	case DIENSTWEG__FRAME__BODY_CANCELLED:
		return recall_take(adapter->recall, frame->cancelled);
	case DIENSTWEG__FRAME__BODY_ACKNOWLEDGED:
		return acks_recorded(adapter->acks, frame->acknowledged, adapter->client);
	case DIENSTWEG__FRAME__BODY_REGISTRY:
		return take_registry(adapter, frame->registry);
	case DIENSTWEG__FRAME__BODY_CHECKPOINT:
		return take_checkpoint(adapter, frame->checkpoint);
	case DIENSTWEG__FRAME__BODY_CANDIDATE:
		return adapter->witness ? witness_candidate(adapter->witness, frame->candidate) : 0;
	case DIENSTWEG__FRAME__BODY_BLOB_STORED:
		upload_stored(adapter->upload, frame->blob_stored);
		return 0;
	case DIENSTWEG__FRAME__BODY_BLOB_DATA:
		fetch_data(adapter->fetch, frame->blob_data);
		return 0;
	case DIENSTWEG__FRAME__BODY_PONG:
		trust_registry_seen(adapter->trust, frame->pong->registry_version);
		return 0;
	case DIENSTWEG__FRAME__BODY_ERROR:
		return take_error(adapter, frame->error);
	default:
		return 0;
	}
}

static void on_frame(void *context, const Dienstweg__Frame *frame)
{
	struct dw_adapter *adapter = context;
	if (adapter->failed == 0)
		adapter->failed = verdict(adapter, take(adapter, frame));
}

/* ---- opening ---- */

int core_connect(struct dw_adapter *adapter)
{
	const struct config_adapter *config = adapter->config;
	const struct parties *parties = adapter->parties;
	const uint8_t *keys[BUS_KEYS_MAX];
	size_t ours = adapter->dial % parties->transports_count;
	size_t theirs = adapter->dial / parties->transports_count % broker_keys(adapter, keys);
	struct client_handler handler = {
		.context = adapter,
		.ready = on_ready,
		.lost = on_lost,
		.frame = on_frame,
		.hello = on_hello,
	};
	struct client_options options = {
		.endpoint = config->broker,
		.transport_key = parties->transports[ours],
		.parties = adapter->parties->names,
		.parties_count = adapter->parties->count,
		.software = adapter->software,
		.clock = adapter->clock,
		.credit_messages = config->flight.credit_messages,
		.credit_bytes = config->flight.credit_bytes,
		.reconnect_min_ms = (uint32_t)config->reconnect.min_ms,
		.reconnect_max_ms = (uint32_t)config->reconnect.max_ms,
		.silence_ms = (uint32_t)config->reconnect.timeout_ms,
		.ping_ms = (uint32_t)config->reconnect.ping_ms,
	};
	memcpy(options.broker_key, keys[theirs], BOX_KEY_SIZE);
	memcpy(adapter->broker_key, keys[theirs], BOX_KEY_SIZE);
	adapter->transport_key = parties->transports[ours];
	adapter->down_since_ns = clock_mono_ns(adapter->clock);
	adapter->reconnect = false;
	client_free(steal(&adapter->client));
	everything_again(adapter);
	trust_lost(adapter->trust);
	return client_new(&options, &handler, &adapter->client);
}

bool core_redial(struct dw_adapter *adapter)
{
	const uint8_t *keys[BUS_KEYS_MAX];
	size_t pairs = broker_keys(adapter, keys) * adapter->parties->transports_count;
	uint64_t now_ns = clock_mono_ns(adapter->clock);
	bool refused = client_refused(adapter->client);
	uint64_t wait_ms = refused ? adapter->config->reconnect.max_ms : REDIAL_MS;
	if ((pairs < 2 && !refused) || adapter->down_since_ns == 0 ||
		client_state(adapter->client) == CLIENT_REPLACED ||
		now_ns - adapter->down_since_ns < wait_ms * UINT64_C(1000000))
		return false;
	adapter->dial++;
	if (refused)
		log_warn("adapter",
			"the broker does not let this transport key in: its registry does not have "
			"it "
			"(yet), or it takes no further connection; trying again",
			F_HEX("key", BYTES(adapter->transport_key->pub.id, KEY_ID_SIZE)),
			F_U64("registry", registry_version(trust_registry(adapter->trust))));
	else
		log_info("adapter", "no answer: trying the next pair of transport keys",
			F_U64("pair", adapter->dial % pairs), F_U64("pairs", pairs));
	return true;
}

static int outgoing_open(struct dw_adapter *adapter, const struct reporter *reporter)
{
	int r = outbox_open(&adapter->outbox, adapter->store);
	if (r == 0)
		r = core_carriers_open(adapter);
	struct turn_options turn = {adapter->config, adapter->store, &adapter->outbox,
		adapter->parties, adapter->clock, adapter->schemas, adapter->sealer};
	struct outcomes_options outcomes = {
		adapter->store, adapter->trust, adapter->parties, *reporter};
	if (r == 0)
		r = again_open(&adapter->again, adapter->config, &adapter->outbox, adapter->spool,
			adapter->clock);
	if (r == 0)
		r = turn_new(&turn, &adapter->turn);
	if (r)
		return r;
	struct sender_options sender = {adapter->config, adapter->store, &adapter->outbox,
		&adapter->again, adapter->turn, adapter->trust, adapter->clock, *reporter,
		adapter->spool, adapter->upload};
	r = sender_new(&sender, &adapter->sender);
	return r ? r : outcomes_new(&outcomes, &adapter->outcomes);
}

static int incoming_open(struct dw_adapter *adapter)
{
	struct acks_options acks = {
		.store = adapter->store,
		.trust = adapter->trust,
		.parties = adapter->parties,
		.clock = adapter->clock,
		.bus = adapter->config->bus,
		.max = 2 * (size_t)adapter->config->flight.credit_messages + ACKS_SLACK,
	};
	int r = acks_new(&acks, &adapter->acks);
	if (r)
		return r;
	struct inbox_options inbox = {adapter->store, adapter->trust, adapter->parties,
		adapter->acks, adapter->fetch, {call_to_agency, adapter, call_replayed},
		adapter->schemas};
	r = inbox_new(&inbox, &adapter->inbox);
	if (r)
		return r;
	struct rerun_options replay = {
		adapter->parties, adapter->inbox, adapter->clock, call_replay_ended, adapter};
	r = rerun_new(&replay, &adapter->replay);
	if (r)
		return r;
	struct recall_options recall = {BYTES_STR(adapter->config->bus), adapter->parties,
		adapter->clock, call_cancelled, adapter};
	return recall_new(&recall, &adapter->recall);
}

static int rooms_open(struct dw_adapter *adapter, char *reterr, size_t size)
{
	bool reports = adapter->ops->report || adapter->ops->answered;
	struct reporter reporter = {reports ? call_report : NULL, adapter};
	int r = outgoing_open(adapter, &reporter);
	if (r == 0)
		r = incoming_open(adapter);
	if (r == 0)
		r = store_commit(adapter->store);
	if (r == 0)
		r = core_connect(adapter);
	if (r < 0)
		snprintf(reterr, size, "%s: %s",
			r == -EINVAL ? adapter->config->broker : adapter->config->state,
			strerrordesc_np(-r));
	return r;
}

static int trust_rooms_open(struct dw_adapter *adapter, char *reterr, size_t size)
{
	struct trust_options trust = {
		adapter->config, adapter->folder, adapter->store, adapter->clock};
	int r = trust_open(&trust, &adapter->trust, reterr, size);
	struct final_options final = {adapter->store, adapter->trust, adapter->clock};
	struct witness_options witness = {
		adapter->config, adapter->store, adapter->trust, adapter->clock};
	if (r == 0)
		r = final_open(&final, &adapter->final, reterr, size);
	if (r == 0 && adapter->config->witness)
		r = witness_open(&witness, &adapter->witness, reterr, size);
	return r;
}

int core_open(struct dw_adapter *adapter, char *reterr, size_t size)
{
	const struct config_adapter *config = adapter->config;
	snprintf(adapter->software, sizeof(adapter->software), "%s %s", adapter->ops->name,
		DIENSTWEG_VERSION);
	int r = folder_open(config->state, &adapter->folder, reterr, size);
	if (r == 0)
		r = store_open(config->state, config->outbox.map_bytes, config->bus, config->party,
			&adapter->store, reterr, size);
	if (r)
		return r < 0 ? r : 1;
	r = trust_rooms_open(adapter, reterr, size);
	if (r == 0)
		r = parties_open(
			config, trust_registry(adapter->trust), &adapter->parties, reterr, size);
	if (r == 0)
		r = schemas_open(config->schemas, adapter->parties, trust_registry(adapter->trust),
			&adapter->schemas, reterr, size);
	if (r == 0)
		r = rooms_open(adapter, reterr, size);
	return r > 0 ? 1 : r;
}

void core_close(struct dw_adapter *adapter)
{
	client_free(adapter->client);
	outcomes_free(adapter->outcomes);
	recall_free(adapter->recall);
	rerun_free(adapter->replay);
	inbox_free(adapter->inbox);
	acks_free(adapter->acks);
	sender_free(adapter->sender);
	turn_free(adapter->turn);
	schemas_free(adapter->schemas);
	fetch_free(adapter->fetch);
	upload_free(adapter->upload);
	sealer_free(adapter->sealer);
	spool_free(adapter->spool);
	parties_free(adapter->parties);
	witness_free(adapter->witness);
	final_free(adapter->final);
	trust_free(adapter->trust);
	store_free(adapter->store);
	folder_free(adapter->folder);
}
