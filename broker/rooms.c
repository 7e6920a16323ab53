/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The order of making is the order of need: what is written to exists before who writes to it, and the
 * socket comes last, so that nobody is let in before there is somewhere to put what they bring. Rooms
 * know each other only through what is handed to them here.
 */
#include "broker/rooms.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "broker/transport/replay.h"
#include "broker/transport/selftest.h"
#include "proto/base/file.h"
#include "proto/base/log.h"

enum {
	BREAKER_WAIT_MAX_MS = 5 * 60 * 1000,
	PARCELS_SUBMIT_MIN = 256,
	PARCELS_SUBMIT_MAX = 65536,
	PARCELS_ACTS = 4096,            /* the broker's own */
	PARCEL_ARENA_BUDGET = 32 << 20, /* an honest frame's facts and decisions, with room to spare */
	BATCH_PARCELS_MAX = 1024,
	FAIR_SHARE = 64, /* of a commit, per party while several are active */
	LINGER_MS = 1000,
	ERRANDS_SPARE = 64,
};

int rooms_explain(const struct why *why, int r, const char *what, const char *name)
{
	if (r < 0 && why->text[0] == '\0')
		snprintf(why->text, why->size, "%s%s%s: %s", what, *name ? " " : "", name,
			strerrordesc_np(-r));
	return r > 0 ? BROKER_REFUSED : r;
}

int rooms_keyring_explain(
	const struct config_broker *config, const char *dir, int r, const struct why *why)
{
	if (r == KEYRING_BROKEN)
		snprintf(why->text, why->size,
			"%s: the keyring does not open with %s: give the master key it was made "
			"with",
			dir, config->master_key);
	return rooms_explain(why, r, "keyring", dir);
}

/* ---- callbacks between rooms ---- */

static void forward(void *context, struct parcel *parcel)
{
	struct broker *broker = context;
	if (!parcel->spoilt) {
		journal_push(broker->journal, parcel);
		return;
	}
	if (queue_push(broker->done, parcel) != 0)
		reactor_fail(broker->reactor, -ENOBUFS);
}

static int reverify(void *context, struct parcel *parcel)
{
	struct broker *broker = context;
	return verify_parcel(broker->verify_journal, parcel);
}

static void act(void *context, struct parcel *parcel)
{
	struct broker *broker = context;
	transport_act(broker->transport, parcel);
}

static void post(void *context, struct outlet *outlet, Dienstweg__Frame *frame)
{
	struct broker *broker = context;
	transport_post(broker->transport, outlet, frame);
}

static void fail(void *context, int error)
{
	struct broker *broker = context;
	reactor_fail(broker->reactor, error);
}

/* ---- rooms ---- */

static int state_open(struct broker *broker, const struct why *why)
{
	char path[ROOMS_PATH_BYTES], keyring[ROOMS_PATH_BYTES];
	const struct config_broker *config = broker->config;
	int r = dir_make(config->state, 0700);
	if (r == 0)
		r = path_join(path, sizeof(path), config->state, "lock");
	if (r == 0)
		r = path_join(keyring, sizeof(keyring), config->state, "keyring");
	if (r < 0)
		return rooms_explain(why, r, "state folder", config->state);
	broker->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (broker->lock < 0)
		return rooms_explain(why, -errno, "lock file", path);
	if (flock(broker->lock, LOCK_EX | LOCK_NB) != 0) {
		snprintf(why->text, why->size,
			"%s: another broker runs on this state folder: stop it, or name another "
			"folder in `state`",
			path);
		return BROKER_REFUSED;
	}
	r = keyring_open(keyring, config->master_key, true, &broker->keyring);
	return rooms_keyring_explain(config, keyring, r, why);
}

static int parcels_make(struct broker *broker, const struct why *why)
{
	uint64_t submits = broker->config->limits.global_bytes / BUDGET_FRAME_MIN;
	if (submits < PARCELS_SUBMIT_MIN)
		submits = PARCELS_SUBMIT_MIN;
	if (submits > PARCELS_SUBMIT_MAX)
		submits = PARCELS_SUBMIT_MAX;
	broker->parcels_submit_max = (size_t)submits;
	broker->parcels_max = 2 * (size_t)submits + PARCELS_ACTS;
	int r = queue_new(broker->parcels_max + JOURNAL_TICKS, &broker->done);
	if (r == 0)
		r = parcel_pool_new(broker->parcels_max, PARCEL_ARENA_BUDGET, &broker->pool);
	if (r == 0)
		r = verify_state_new(broker->files.schemas, &broker->verify_here);
	if (r == 0)
		r = verify_state_new(broker->files.schemas, &broker->verify_journal);
	return rooms_explain(why, r, "parcels", "");
}

static int registry_earlier(void *context, uint64_t version, struct registry **ret)
{
	const struct broker *broker = context;
	return broker_files_earlier(broker->config, version, ret);
}

static void journal_options_fill(struct broker *broker, struct journal_options *ret)
{
	const struct config_broker *config = broker->config;
	size_t commit_max = (size_t)config->limits.commit_max;
	*ret = (struct journal_options){
		.dir = broker->journal_dir,
		.map_bytes = config->journal.map_bytes,
		.fill_limit_percent = (unsigned int)config->journal.fill_limit_percent,
		.disk_reserve_bytes = config->journal.disk_reserve_bytes,
		.parcels_max = broker->parcels_max,
		.batch_parcels_max = BATCH_PARCELS_MAX,
		.batch_messages_max = commit_max,
		.fair_messages = commit_max > FAIR_SHARE ? commit_max / FAIR_SHARE : 1,
		.limits =
			{
				.refusals_per_minute = (uint32_t)config->limits.refusals_per_minute,
				.backoff_min_ms = (uint32_t)config->delivery.backoff_min_ms,
				.backoff_max_ms = (uint32_t)config->delivery.backoff_max_ms,
				.attempts_max = (uint32_t)config->delivery.attempts_max,
				.queue_messages_max = config->queue.messages_max,
				.queue_bytes_max = config->queue.bytes_max,
				.warn_percent = (uint32_t)config->limits.warn_percent,
			},
		.bus = BYTES_STR(config->bus),
		.software = "dienstweg-broker " DIENSTWEG_VERSION,
		.keyring = broker->keyring,
		.highwater = broker->highwater,
		.order = broker->orders.epoch,
		.blobs = broker->blobs_dir,
		.clock = clock_system(),
		.done = broker->done,
		.reverify = reverify,
		.reverify_context = broker,
		.failed = reactor_fail,
		.failed_context = broker->reactor,
		.earlier = registry_earlier,
		.earlier_context = broker,
		.erase_daily = true,
	};
	ret->registry_pinned = broker->files.registry_pinned;
	memcpy(ret->log_keys, broker->files.log_keys, sizeof(ret->log_keys));
	memcpy(ret->config_digest, broker->files.config_digest, HASH_SIZE);
}

/* The registry in force is the journal's, and may be a newer one than the file's. */
static int schemas_make(const struct broker *broker, const struct why *why)
{
	char text[SCHEMA_ERROR_SIZE] = "";
	_cleanup_(registry_unref) struct registry *registry = journal_registry(broker->journal);
	int r = registry ? schema_library_take(broker->files.schemas, registry, NULL, NULL, text)
			 : 0;
	if (r > 0)
		snprintf(why->text, why->size, "the registry in force: %.400s", text);
	return r;
}

static int journal_make(struct broker *broker, const struct clock *clock, const struct why *why)
{
	char *dir = broker->journal_dir;
	struct journal_options options;
	int r = path_join(dir, sizeof(broker->journal_dir), broker->config->state, "journal");
	if (r == 0)
		r = path_join(broker->highwater, sizeof(broker->highwater), broker->config->state,
			"highwater");
	if (r == 0)
		r = path_join(broker->blobs_dir, sizeof(broker->blobs_dir), broker->config->state,
			"blobs");
	if (r == 0)
		r = dir_make(dir, 0700);
	if (r < 0)
		return rooms_explain(why, r, "journal folder in", broker->config->state);
	journal_options_fill(broker, &options);
	options.clock = clock;
	r = journal_open(&options, broker->files.registry, &broker->journal, why->text, why->size);
	if (r == 0 && journal_doubt(broker->journal) != JOURNAL_SURE && broker->orders.accept)
		r = journal_trust(broker->journal, broker->orders.accept, why->text, why->size);
	if (r == 0)
		r = schemas_make(broker, why);
	if (r != 0)
		return rooms_explain(why, r, "journal", dir);
	broker->held = journal_doubt(broker->journal) != JOURNAL_SURE;
	return broker->held ? 0 : rooms_explain(why, journal_start(broker->journal), "journal", dir);
}

/* Witnesses are sure of the journal. */
static void release(void *context, const char *words)
{
	struct broker *broker = context;
	char text[BROKER_ERROR_SIZE] = "";
	int r = journal_trust(broker->journal, words, text, sizeof(text));
	if (r > 0)
		log_error("broker", "the registry cannot come into force", F_STR("why", text));
	if (r == 0)
		r = journal_start(broker->journal);
	broker->held = r != 0;
	if (r != 0)
		reactor_fail(broker->reactor, r < 0 ? r : -EINVAL);
}

/* However long a message may wait for its next attempt, a recipient that works again should not. */
static uint32_t breaker_wait_max(const struct config_broker *config)
{
	uint64_t max_ms = config->delivery.backoff_max_ms;
	return (uint32_t)(max_ms < BREAKER_WAIT_MAX_MS ? max_ms : BREAKER_WAIT_MAX_MS);
}

static int porter_make(struct broker *broker, const struct why *why)
{
	const struct config_broker *config = broker->config;
	const struct blob_options options = {
		.dir = broker->blobs_dir,
		.party_bytes_max = config->attachments.party_bytes,
		.fill_percent = config->journal.fill_limit_percent,
		.reserve_bytes = config->journal.disk_reserve_bytes,
		.orphan_ms = config->attachments.orphan_ms,
	};
	int r = blob_store_new(&options, &broker->blobs);
	if (r == 0)
		r = clerk_new(&(struct clerk_options){.env = journal_env(broker->journal),
				      .keyring = broker->keyring,
				      .errands_max = PORTER_ERRANDS_MAX,
				      .name = "porter",
				      .nice = CLERK_PORTER},
			&broker->porter);
	return rooms_explain(why, r, "folder of attachments", broker->blobs_dir);
}

static int readers_make(struct broker *broker, const struct clock *clock, const struct why *why)
{
	const struct config_broker *config = broker->config;
	struct delivery_options options = {
		.clock = clock,
		.pool = broker->pool,
		.bus = BYTES_STR(config->bus),
		.lease_ms = config->delivery.lease_ms,
		.out_bytes_max = config->limits.delivery_bytes,
		.breaker =
			{
				.failures = (uint32_t)config->delivery.breaker_failures,
				.wait_min_ms = (uint32_t)config->delivery.backoff_min_ms,
				.wait_max_ms = breaker_wait_max(config),
			},
		.context = broker,
		.act = act,
		.post = post,
		.failed = fail,
	};
	const struct clerk_options clerk = {
		.env = journal_env(broker->journal),
		.keyring = broker->keyring,
		.errands_max = (size_t)config->limits.sessions_max * 2 + ERRANDS_SPARE,
		.name = "clerk",
	};
	const struct clerk_options replayer = {
		.env = clerk.env,
		.keyring = clerk.keyring,
		.errands_max = REPLAYS_MAX,
		.name = "replays",
		.nice = CLERK_PATIENT,
	};
	int r = verify_pool_new((size_t)config->workers, broker->parcels_max, broker->files.schemas,
		forward, broker, &broker->verify);
	if (r == 0)
		r = clerk_new(&clerk, &broker->clerk);
	if (r == 0)
		r = clerk_new(&replayer, &broker->replayer);
	options.clerk = broker->clerk;
	if (r == 0)
		r = delivery_new(&options, &broker->delivery);
	return rooms_explain(why, r, "threads", "");
}

static int desk_make(struct broker *broker, const struct clock *clock, const struct why *why)
{
	int r = path_join(broker->case_index, sizeof(broker->case_index), broker->config->state,
		"case-index");
	const struct desk_options options = {
		.index = broker->case_index,
		.env = journal_env(broker->journal),
		.keyring = broker->keyring,
		.clock = clock,
		.log_keys = broker->files.log_keys,
	};
	if (r == 0)
		r = desk_new(&options, &broker->desk);
	return rooms_explain(why, r, "desk", "");
}

static int door_make(struct broker *broker, const struct why *why)
{
	const struct config_session *session = &broker->config->session;
	const struct router_options options = {
		.secret_key = broker->files.transport_key->x25519,
		.handshake_ms = session->handshake_ms,
		.heartbeat_ms = session->heartbeat_ms,
		.timeout_ms = session->timeout_ms,
		.linger_ms = LINGER_MS,
	};
	int r = selftest_run(broker->gate, why->text, why->size);
	if (r == 0)
		r = router_new(broker->gate, &options, &broker->router);
	return rooms_explain(why, r, "socket", "");
}

static int transport_make(struct broker *broker, const struct clock *clock, const struct why *why)
{
	_cleanup_(registry_unref) struct registry *registry = journal_registry(broker->journal);
	const struct transport_options options = {
		.config = broker->config,
		.clock = clock,
		.router = broker->router,
		.pool = broker->pool,
		.parcels_submit_max = broker->parcels_submit_max,
		.verify = broker->verify,
		.verify_here = broker->verify_here,
		.journal = broker->journal,
		.done = broker->done,
		.clerk = broker->clerk,
		.desk = broker->desk,
		.replayer = broker->replayer,
		.porter = broker->porter,
		.blobs = broker->blobs,
		.delivery = broker->delivery,
		.registry = registry,
		.schemas = broker->files.schemas,
		.held = broker->held,
		.release = release,
		.release_context = broker,
		.failed = reactor_fail,
		.failed_context = broker->reactor,
	};
	int r = transport_new(&options, &broker->transport);
	if (r == 0)
		gate_set_admission(
			broker->gate, &(struct gate_admission){transport_admit, broker->transport});
	return rooms_explain(why, r, "transport", "");
}

static int listen_all(struct broker *broker, const struct why *why)
{
	const struct config_list *listen = &broker->config->listen;
	for (size_t i = 0; i < listen->count; i++) {
		int r = router_bind(
			broker->router, listen->items[i], i == 0 ? broker->endpoint : NULL);
		if (r == -EADDRINUSE || r == -EADDRNOTAVAIL || r == -EACCES || r == -ENODEV) {
			snprintf(why->text,
				why->size, "%s: listen: %s: %s; end the program that has it, or name another one",
				broker->config->path, listen->items[i], strerrordesc_np(-r));
			return BROKER_REFUSED;
		}
		if (r < 0)
			return rooms_explain(why, r, "cannot listen on", listen->items[i]);
	}
	return 0;
}

static int admin_make(struct broker *broker, const struct clock *clock, const struct why *why)
{
	const struct status_options status = {
		.config = broker->config,
		.clock = clock,
		.clerk = broker->clerk,
		.desk = broker->desk,
		.gate = broker->gate,
		.router = broker->router,
		.transport = broker->transport,
		.pool = broker->pool,
		.delivery = broker->delivery,
		.journal = broker->journal,
	};
	int r = status_new(&status, &broker->status);
	if (r == 0)
		r = admin_new(&(struct admin_options){.path = broker->config->admin_socket,
				      .request = status_request,
				      .context = broker->status},
			&broker->admin);
	if (r < 0)
		return rooms_explain(why, r, "admin socket", broker->config->admin_socket);
	status_set_admin(broker->status, broker->admin);
	return 0;
}

static bool admit_nobody(void *context, const uint8_t key[BOX_KEY_SIZE])
{
	(void)context, (void)key;
	return false;
}

static int files_make(struct broker *broker, const struct why *why)
{
	int r = broker_files_read(broker->config, &broker->files, why->text, why->size);
	if (r == 0)
		r = reactor_new(&broker->reactor);
	if (r == 0)
		r = gate_new(&(struct gate_admission){admit_nobody, NULL}, &broker->gate);
	return rooms_explain(why, r, "start", "");
}

int rooms_make(struct broker *broker, const struct clock *clock, const struct why *why)
{
	int r = files_make(broker, why);
	if (r == 0)
		r = door_make(broker, why);
	if (r == 0)
		r = state_open(broker, why);
	if (r == 0)
		r = parcels_make(broker, why);
	if (r == 0)
		r = journal_make(broker, clock, why);
	if (r == 0)
		r = readers_make(broker, clock, why);
	if (r == 0)
		r = desk_make(broker, clock, why);
	if (r == 0)
		r = porter_make(broker, why);
	if (r == 0)
		r = transport_make(broker, clock, why);
	if (r == 0)
		r = listen_all(broker, why);
	if (r == 0)
		r = admin_make(broker, clock, why);
	return r;
}
