/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Numbers only, and names of parties: status is shown on screens and pasted into tickets. The oldest
 * waiting message is the first figure an operator needs, so the clerk is sent for those of the queues
 * (figures.c); everything else is at hand.
 */
#include "broker/admin/status.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "broker/admin/figures.h"
#include "broker/admin/operate.h"
#include "broker/transport/reload.h"

struct inquiry {
	struct errand errand; /* first */
	struct status *status;
	uint64_t ticket;
	int result;
	struct figures figures;
	int pruned_result;
	struct journal_pruned pruned;
};

struct sample {
	uint64_t at_ns;
	uint64_t commits;
	uint64_t messages;
	uint64_t refused;
};

struct status {
	struct status_options options;
	struct operate_options operate;
	uint64_t start_ns;
	struct sample last;
	struct sample rate; /* per second */
};

static void operate_answer(void *context, uint64_t ticket, json_t *object);

int status_new(const struct status_options *options, struct status **ret)
{
	struct status *status = calloc(1, sizeof(*status));
	if (!status)
		return -ENOMEM;
	status->options = *options;
	status->operate = (struct operate_options){
		.pool = options->pool,
		.transport = options->transport,
		.answer = operate_answer,
		.context = status,
	};
	status->start_ns = status->last.at_ns = clock_mono_ns(options->clock);
	*ret = status;
	return 0;
}

void status_free(struct status *status)
{
	free(status);
}

void status_set_admin(struct status *status, struct admin *admin)
{
	status->options.admin = admin;
}

/* ---- rates ---- */

static uint64_t per_second(uint64_t now, uint64_t before, uint64_t ns)
{
	return ns ? (now - before) * UINT64_C(1000000000) / ns : 0;
}

void status_tick(struct status *status)
{
	struct journal_stats stats;
	journal_stats(status->options.journal, &stats);
	const struct sample now = {
		.at_ns = clock_mono_ns(status->options.clock),
		.commits = stats.commits,
		.messages = stats.messages,
		.refused = transport_counters(status->options.transport)->refused,
	};
	uint64_t ns = now.at_ns - status->last.at_ns;
	status->rate = (struct sample){
		.commits = per_second(now.commits, status->last.commits, ns),
		.messages = per_second(now.messages, status->last.messages, ns),
		.refused = per_second(now.refused, status->last.refused, ns),
	};
	status->last = now;
}

/* ---- clerk ---- */

static void inquiry_run(struct errand *errand, struct journal_reader *reader)
{
	struct inquiry *inquiry = (struct inquiry *)errand;
	inquiry->pruned_result = journal_read_pruned(reader, &inquiry->pruned);
	inquiry->result = figures_read(&inquiry->figures, reader);
}

/* ---- JSON ---- */

static void put(json_t *object, const char *name, uint64_t value)
{
	json_object_set_new(object, name, json_integer((json_int_t)value));
}

static json_t *session_json(const struct session *session, uint64_t now_ns)
{
	const struct window *window = &session->outlet.window;
	json_t *object = json_object(), *parties = json_array();
	uint64_t leases = 0;
	for (size_t i = 0; i < session->outlet.count; i++) {
		const struct recipient *recipient = session->outlet.recipients[i];
		json_array_append_new(parties, json_string(recipient->name));
		leases += lease_out_count(recipient->leases);
	}
	json_object_set_new(object, "party", json_string(session->speaker));
	json_object_set_new(object, "parties", parties);
	put(object, "age_s", (now_ns - session->opened_ns) / UINT64_C(1000000000));
	put(object, "credit_messages", window->granted_messages - window->sent_messages);
	put(object, "credit_bytes", window->granted_bytes - window->sent_bytes);
	put(object, "unacknowledged", leases);
	put(object, "unacknowledged_bytes", window->out_bytes);
	put(object, "unanswered_bytes", session->budget.submits);
	put(object, "outbox_bytes", session->outbox.bytes);
	put(object, "unsent_bytes", tally_bytes(session->tally));
	return object;
}

static json_t *sessions_json(const struct status *status)
{
	json_t *array = json_array();
	const struct sessions *sessions = transport_sessions(status->options.transport);
	uint64_t now_ns = clock_mono_ns(status->options.clock);
	const struct session *session;
	size_t slot = 0;
	while ((session = sessions_walk(sessions, &slot)) != NULL) {
		if (session->state == SESSION_OPEN && !session->ending)
			json_array_append_new(array, session_json(session, now_ns));
	}
	return array;
}

static json_t *queues_json(const struct status *status, const struct inquiry *inquiry)
{
	json_t *array = json_array();
	uint64_t now_ms = clock_wall_ms(status->options.clock);
	for (size_t i = 0; i < inquiry->figures.count; i++) {
		const struct queue_figures *queue = &inquiry->figures.queues[i];
		json_t *object = json_object();
		json_object_set_new(object, "party", json_string(queue->party));
		put(object, "messages", queue->messages);
		put(object, "bytes", queue->bytes);
		put(object, "limit_messages", queue->max.first);
		put(object, "limit_bytes", queue->max.second);
		put(object, "percent", queue->percent);
		put(object, "overdue", queue->overdue);
		if (queue->percent >= status->options.config->limits.warn_percent)
			json_object_set_new(object, "warning", json_true());
		if (queue->held)
			json_object_set_new(object, "held", json_true());
		const char *breaker = delivery_breaker(status->options.delivery, queue->number);
		if (breaker)
			json_object_set_new(object, "breaker", json_string(breaker));
		if (queue->oldest_ms)
			put(object, "oldest_s",
				now_ms > queue->oldest_ms ? (now_ms - queue->oldest_ms) / 1000 : 0);
		json_array_append_new(array, object);
	}
	return array;
}

static json_t *quotas_json(const struct status *status, const struct inquiry *inquiry)
{
	json_t *array = json_array();
	for (size_t i = 0; i < inquiry->figures.quotas_count; i++) {
		const struct quota_figures *quota = &inquiry->figures.quotas[i];
		const struct total_row used = {.first = quota->used};
		const struct total_row max = {.first = quota->max, .second = 1};
		uint32_t percent = total_percent(&used, &max);
		json_t *object = json_object();
		json_object_set_new(object, "agreement", json_stringn(quota->agreement, quota->len));
		put(object, "messages", quota->used);
		put(object, "limit", quota->max);
		put(object, "percent", percent);
		if (percent >= status->options.config->limits.warn_percent)
			json_object_set_new(object, "warning", json_true());
		json_array_append_new(array, object);
	}
	return array;
}

/* What lies on the disk was counted when the porter last looked through all of it. */
static json_t *attachments_json(const struct status *status)
{
	json_t *object = json_object();
	const struct transport_counters *counters = transport_counters(status->options.transport);
	put(object, "files", counters->blobs.files);
	put(object, "bytes", counters->blobs.bytes);
	put(object, "uploads", counters->blobs.uploads);
	put(object, "removed", counters->blobs.removed);
	put(object, "pieces_in", counters->blob_pieces_in);
	put(object, "pieces_out", counters->blob_pieces_out);
	put(object, "put_off", counters->blob_put_off);
	return object;
}

static json_t *journal_json(const struct status *status, const struct inquiry *inquiry)
{
	json_t *object = json_object();
	struct journal_stats stats;
	journal_stats(status->options.journal, &stats);
	json_object_set_new(object, "origin", json_string(journal_origin(status->options.journal)));
	put(object, "entries", stats.tree_size);
	put(object, "commits", stats.commits);
	put(object, "messages", stats.messages);
	put(object, "overdue", stats.overdue);
	put(object, "commit_mean_us", stats.commits ? stats.commit_ns / stats.commits / 1000 : 0);
	put(object, "pending", journal_pending(status->options.journal));
	put(object, "fill_percent", stats.fill_percent);
	json_object_set_new(object, "full", json_boolean(stats.full));
	put(object, "commits_per_s", status->rate.commits);
	put(object, "messages_per_s", status->rate.messages);
	put(object, "case_index", desk_progress(status->options.desk).done);
	if (inquiry->pruned_result == 0 && inquiry->pruned.before > 0) {
		put(object, "pruned", inquiry->pruned.before);
		json_object_set_new(object, "archive", json_string(inquiry->pruned.archive));
	}
	return object;
}

static json_t *erasure_json(const struct status *status)
{
	static const char *const phases[] = {"none", "resealing", "removing", "destroying-keys"};
	json_t *object = json_object();
	struct erase_stats stats;
	journal_erase_stats(status->options.journal, &stats);
	const char *phase = stats.phase < ARRAY_LEN(phases) ? phases[stats.phase] : "unknown";
	json_object_set_new(object, "phase", json_string(phase));
	json_object_set_new(object, "waits_for_order", json_boolean(stats.leapt));
	if (stats.phase != 0)
		json_object_set_new(object, "by_instruction", json_boolean(stats.by_instruction));
	if (stats.phase != 0 || stats.finished_ms != 0) {
		put(object, "examined", stats.examined);
		put(object, "resealed", stats.resealed);
		put(object, "erased", stats.erased);
	}
	if (stats.finished_ms == 0)
		return object;
	put(object, "finished_ms", stats.finished_ms);
	json_object_set_new(object, "master_key_exchanged", json_boolean(!stats.master_fixed));
	return object;
}

static json_t *traffic_json(const struct status *status)
{
	json_t *object = json_object();
	const struct transport_counters *counters = transport_counters(status->options.transport);
	const struct peers_counts *peers = transport_peers(status->options.transport);
	const struct door_counts *door = transport_door(status->options.transport);
	put(object, "frames", counters->frames);
	put(object, "submitted", counters->submitted);
	put(object, "accepted", counters->accepted);
	put(object, "refused", counters->refused);
	put(object, "refused_per_s", status->rate.refused);
	put(object, "deferred", counters->deferred);
	put(object, "put_off", counters->put_off);
	put(object, "shut_out", counters->shut_out);
	put(object, "acknowledgements", counters->acknowledgements);
	put(object, "cancellations", counters->cancellations);
	put(object, "malformed", counters->malformed);
	put(object, "not_reading", counters->not_reading);
	put(object, "connections", peers->open);
	put(object, "connections_crowded", peers->crowded);
	put(object, "connections_silent", peers->silent);
	put(object, "connections_hasty", door->hasty);
	put(object, "networks_kept_out", door->out);
	put(object, "door_closed", door->closed);
	put(object, "sessions_opened", counters->sessions_opened);
	put(object, "sessions_lost", counters->sessions_lost);
	put(object, "strangers",
		counters->strangers + gate_strangers(status->options.gate) +
			router_dropped(status->options.router));
	return object;
}

static json_t *status_json(const struct status *status, const struct inquiry *inquiry)
{
	const struct status_options *options = &status->options;
	json_t *object = json_object();
	uint64_t up_ns = clock_mono_ns(options->clock) - status->start_ns;
	json_object_set_new(object, "version", json_string(DIENSTWEG_VERSION));
	json_object_set_new(object, "bus", json_string(options->config->bus));
	json_object_set_new(
		object, "draining", json_boolean(transport_draining(options->transport)));
	json_object_set_new(object, "held", json_boolean(transport_held(options->transport)));
	put(object, "uptime_s", up_ns / UINT64_C(1000000000));
	put(object, "registry_version",
		registry_version(transport_registry_now(options->transport)));
	put(object, "unacknowledged", delivery_out(options->delivery));
	json_object_set_new(object, "journal", journal_json(status, inquiry));
	json_object_set_new(object, "erasure", erasure_json(status));
	json_object_set_new(object, "traffic", traffic_json(status));
	json_object_set_new(object, "sessions", sessions_json(status));
	json_object_set_new(object, "queues", queues_json(status, inquiry));
	json_object_set_new(object, "quotas", quotas_json(status, inquiry));
	json_object_set_new(object, "attachments", attachments_json(status));
	return object;
}

static void reply(struct status *status, uint64_t ticket, json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	if (text && status->options.admin) {
		size_t len = strlen(text);
		text[len] = '\n'; /* the answer is a line; the terminator is not sent */
		admin_reply(status->options.admin, ticket, BYTES(text, len + 1));
	}
	free(text);
}

static void operate_answer(void *context, uint64_t ticket, json_t *object)
{
	reply(context, ticket, object);
}

static void reply_error(struct status *status, uint64_t ticket, const char *what)
{
	json_t *object = json_object();
	json_object_set_new(object, "error", json_string(what));
	reply(status, ticket, object);
}

static void inquiry_free(struct inquiry *inquiry)
{
	if (!inquiry)
		return;
	figures_deinit(&inquiry->figures);
	free(inquiry);
}

static void inquiry_done(struct errand *errand)
{
	struct inquiry *inquiry = (struct inquiry *)errand;
	struct status *status = inquiry->status;
	if (errand->result == 0 && inquiry->result == 0)
		reply(status, inquiry->ticket, status_json(status, inquiry));
	else
		reply_error(status, inquiry->ticket, "the journal cannot be read");
	inquiry_free(inquiry);
}

static void reload_told(void *context, uint64_t ticket, const struct reload_result *result)
{
	json_t *object = json_object();
	put(object, "version", result->version);
	if (result->end == RELOAD_REFUSED)
		json_object_set_new(object, "refused", json_string(result->why));
	else
		json_object_set_new(object, "changed", json_boolean(result->end == RELOAD_IN_FORCE));
	if (result->end == RELOAD_IN_FORCE)
		put(object, "sequence", result->sequence);
	reply(context, ticket, object);
}

static void reload_request(struct status *status, uint64_t ticket)
{
	const struct transport *transport = status->options.transport;
	struct reload_asker asker = {.told = reload_told, .context = status, .ticket = ticket};
	if (transport_held(transport) || transport_draining(transport))
		reply_error(status, ticket,
			"the broker is stopping, or its journal is in doubt: it takes no registry "
			"now");
	else
		transport_reload(status->options.transport, &asker);
}

void status_request(void *context, const char *line, uint64_t ticket, uint32_t account)
{
	struct status *status = context;
	if (operate_is(line)) {
		operate_request(&status->operate, line, ticket, account);
		return;
	}
	if (strcmp(line, "registry reload") == 0) {
		reload_request(status, ticket);
		return;
	}
	if (strcmp(line, "status") != 0) {
		reply_error(status, ticket,
			"unknown request: this socket knows status, registry reload and orders");
		return;
	}
	struct inquiry *inquiry = calloc(1, sizeof(*inquiry));
	if (inquiry) {
		inquiry->errand = (struct errand){.run = inquiry_run, .done = inquiry_done};
		inquiry->status = status;
		inquiry->figures = (struct figures){
			.config = status->options.config,
			.clock = status->options.clock,
			.registry = registry_ref(transport_registry_now(status->options.transport)),
		};
		inquiry->ticket = ticket;
		if (clerk_send(status->options.clerk, &inquiry->errand) == 0)
			return;
	}
	inquiry_free(inquiry);
	reply_error(status, ticket, "busy: ask again");
}
