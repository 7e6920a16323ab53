/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The broker's parameters, one row each, and the rules that tie two rows together. Defaults suit a city
 * on a small machine; the limits' sum is what a broker may hold in memory.
 */
#include "conf/param.h"

#define AT(member) offsetof(struct config_broker, member)
enum { KIB = 1 << 10, MIB = 1 << 20, SECOND = 1000, HOUR = 3600 * 1000 };
#define GIB (UINT64_C(1) << 30)
#define TIB (UINT64_C(1) << 40)

static const struct param rows[] = {
	{"bus", PARAM_NAME, .offset = AT(bus),
		.doc = "Id of the bus; one that ends in .demo runs only with --demo."},
	{"listen", PARAM_LISTEN, .list = true, .list_max = 8, .offset = AT(listen),
		.doc = "Where adapters connect to; the port * takes any free one."},
	{"state", PARAM_PATH, .offset = AT(state),
		.doc = "Folder of journal, keyring and lock; private to the broker's account."},
	{"registry", PARAM_PATH, .offset = AT(registry),
		.doc = "The signed registry to start with; a newer one is looked for here on "
		       "reload."},
	{"schemas", PARAM_PATH, .offset = AT(schemas), .optional = true,
		.doc = "Folder of the schemas that services pin in the registry, under any names; "
		       "a registry whose schemas are not all there does not come into force."},
	{"policy", PARAM_PATH, .offset = AT(policy), .doc = "The pinned roots."},
	{"keys", PARAM_PATH, .offset = AT(keys),
		.doc = "The bus's secret keys (log and transport), made by dienstweg keygen bus."},
	{"master_key", PARAM_PATH, .offset = AT(master_key),
		.doc = "The key over the keyring, made by dienstweg keygen master; never in a "
		       "backup of the state folder. Erasure replaces it, so its folder must be "
		       "writable; one of systemd's credentials stays."},
	{"admin_socket", PARAM_PATH, .offset = AT(admin_socket), .fallback = "STATE/admin.sock",
		.doc = "Where dienstweg status, hold, release and erase ask; the other verbs read "
		       "the "
		       "journal. Who may open it may order."},
	{"workers", PARAM_COUNT, .offset = AT(workers), .min = 1, .max = 64, .fallback = "1",
		.doc = "Threads that verify signatures."},
	{"drain", PARAM_TIME, .offset = AT(drain_ms), .min = 0, .max = HOUR, .fallback = "10 s",
		.doc = "Longest wait at shutdown for deliveries that are under way."},
	{"log_level", PARAM_LOG_LEVEL, .offset = AT(log_level), .fallback = "info",
		.doc = "Least level that is logged: debug, info, warn or error."},

	{"journal.map_size", PARAM_PAGES, .offset = AT(journal.map_bytes), .min = 1 * MIB,
		.max = 64 * TIB, .fallback = "64 GiB",
		.doc = "Largest size of the journal's data file; address space, not disk, until "
		       "used."},
	{"journal.fill_limit", PARAM_PERCENT, .offset = AT(journal.fill_limit_percent), .min = 10,
		.max = 99, .fallback = "90",
		.doc = "When map or disk are fuller, new messages are put off; delivery goes on."},
	{"journal.disk_reserve", PARAM_BYTES, .offset = AT(journal.disk_reserve_bytes), .min = 0,
		.max = TIB, .fallback = "256 MiB",
		.doc = "The same when less than this is free on the disk."},

	{"limits.sessions", PARAM_COUNT, .offset = AT(limits.sessions_max), .min = 1, .max = 10000,
		.fallback = "1000",
		.doc = "Sessions at once; of connections, twice as many and a few more."},
	{"limits.address_connections", PARAM_COUNT, .offset = AT(limits.address_connections_max),
		.min = 4, .max = 20000, .fallback = "256",
		.doc = "Connections without a session at once, of one IPv4 address or IPv6 "
		       "network (64 bits); a newcomer takes the place of the oldest."},
	{"limits.address_handshakes", PARAM_COUNT, .offset = AT(limits.address_handshakes_minute),
		.min = 10, .max = 1000000, .fallback = "600",
		.doc = "New connections a minute, of one address or network; above it, it is kept "
		       "out for session.shut_out."},
	{"limits.handshakes", PARAM_COUNT, .offset = AT(limits.handshakes_second), .min = 10,
		.max = 100000, .fallback = "200",
		.doc = "New connections a second, of all; above it, nobody new is let in until "
		       "that is made up for."},
	{"limits.party_bytes", PARAM_BYTES, .offset = AT(limits.party_bytes), .min = 1 * MIB,
		.max = 4 * GIB, .fallback = "16 MiB",
		.doc = "Submitted and not yet answered, per session; beyond it, the answer is "
		       "busy."},
	{"limits.global_bytes", PARAM_BYTES, .offset = AT(limits.global_bytes), .min = 1 * MIB,
		.max = 64 * GIB, .fallback = "128 MiB", .doc = "The same over all sessions."},
	{"limits.delivery_bytes", PARAM_BYTES, .offset = AT(limits.delivery_bytes), .min = 1 * MIB,
		.max = GIB, .fallback = "8 MiB",
		.doc = "Delivered and not yet acknowledged, per session."},
	{"limits.refusals_per_minute", PARAM_COUNT, .offset = AT(limits.refusals_per_minute),
		.min = 1, .max = 100000, .fallback = "60",
		.doc = "Refusals of one party journaled one by one; the rest of a minute is summed "
		       "up."},
	{"limits.warn", PARAM_PERCENT, .offset = AT(limits.warn_percent), .min = 1, .max = 100,
		.fallback = "80",
		.doc = "When so much of a recipient's queue or of an agreement's quota is used, "
		       "the "
		       "log, status and the sender are told."},
	{"limits.submit", PARAM_COUNT, .offset = AT(limits.submit_max), .min = 1, .max = 1024,
		.fallback = "1024", .doc = "Envelopes in one Submit."},
	{"limits.commit", PARAM_COUNT, .offset = AT(limits.commit_max), .min = 1, .max = 65536,
		.fallback = "1024", .doc = "Messages in one commit."},

	{"session.timeout", PARAM_TIME, .offset = AT(session.timeout_ms), .min = 1 * SECOND,
		.max = HOUR, .fallback = "15 s",
		.doc = "A session without a frame for so long ends; its deliveries are queued "
		       "again."},
	{"session.heartbeat", PARAM_TIME, .offset = AT(session.heartbeat_ms), .min = 100,
		.max = 60 * SECOND, .fallback = "5 s", .doc = "Heartbeat of the transport."},
	{"session.handshake", PARAM_TIME, .offset = AT(session.handshake_ms), .min = 100,
		.max = 60 * SECOND, .fallback = "5 s",
		.doc = "A connection that has not authenticated by then is dropped."},
	{"session.shut_out", PARAM_TIME, .offset = AT(session.shut_out_ms), .min = 1 * SECOND,
		.max = HOUR, .fallback = "30 s",
		.doc = "Who goes on submitting although told to wait is cut off and may not "
		       "connect for so long."},

	{"delivery.lease", PARAM_TIME, .offset = AT(delivery.lease_ms), .min = 1 * SECOND,
		.max = 24 * HOUR, .fallback = "60 s",
		.doc = "A delivery that is not acknowledged by then counts as failed."},
	{"delivery.backoff_min", PARAM_TIME, .offset = AT(delivery.backoff_min_ms), .min = 10,
		.max = HOUR, .fallback = "1 s",
		.doc = "Wait after the first failed attempt; doubles."},
	{"delivery.backoff_max", PARAM_TIME, .offset = AT(delivery.backoff_max_ms), .min = 10,
		.max = 24 * HOUR, .fallback = "1 h", .doc = "Longest wait between two attempts."},
	{"delivery.attempts", PARAM_COUNT, .offset = AT(delivery.attempts_max), .min = 1,
		.max = 1000, .fallback = "16",
		.doc = "Failed deliveries of a message that count (docs/protocol.md); then it is a "
		       "dead letter, unless its service allows more or fewer."},
	{"delivery.breaker", PARAM_COUNT, .offset = AT(delivery.breaker_failures), .min = 1,
		.max = 10000, .fallback = "8",
		.doc = "So many messages fail one after the other and none is taken: then the "
		       "queue "
		       "rests, and one message is tried now and then."},

	{"queue.messages", PARAM_COUNT, .offset = AT(queue.messages_max), .min = 1,
		.max = 1000000000, .fallback = "1000000",
		.doc = "Waiting messages per recipient, unless the registry says otherwise."},
	{"queue.bytes", PARAM_BYTES, .offset = AT(queue.bytes_max), .min = 1 * MIB, .max = 16 * TIB,
		.fallback = "8 GiB", .doc = "The same in bytes."},

	{"attachments.party_bytes", PARAM_BYTES, .offset = AT(attachments.party_bytes),
		.min = 1 * MIB, .max = 64 * TIB, .fallback = "64 GiB",
		.doc = "Attachments stored at once, per party that sends them, until they are "
		       "erased "
		       "with their messages; beyond it, uploads are put off. Disk that is fuller "
		       "than "
		       "journal.fill_limit says puts off everybody's."},
	{"attachments.orphan", PARAM_TIME, .offset = AT(attachments.orphan_ms), .min = HOUR,
		.max = 24 * HOUR, .fallback = "24 h",
		.doc = "An upload that no message names by then is removed."},
};

const struct param_table param_broker = {.title = "Broker",
	.rows = rows,
	.count = ARRAY_LEN(rows),
	.size = sizeof(struct config_broker),
	.path_offset = AT(path)};

static int check_together(
	const struct config_broker *config, const struct yaml_file *file, struct yaml_error error)
{
	if (config->limits.party_bytes > config->limits.global_bytes)
		return yaml_file_fail(file, error, "limits.party_bytes",
			"is more than limits.global_bytes; lower it or raise that");
	if (config->session.heartbeat_ms >= config->session.timeout_ms)
		return yaml_file_fail(file, error, "session.heartbeat",
			"is not shorter than session.timeout; shorten it, a third is usual");
	if (config->delivery.backoff_min_ms > config->delivery.backoff_max_ms)
		return yaml_file_fail(file, error, "delivery.backoff_min",
			"is longer than delivery.backoff_max; shorten it or lengthen that");
	if (config->journal.disk_reserve_bytes >= config->journal.map_bytes)
		return yaml_file_fail(file, error, "journal.disk_reserve",
			"is not smaller than journal.map_size; lower it");
	return 0;
}

void config_broker_free(const struct config_broker *config)
{
	param_free(config);
}

int config_broker_read(const char *path, const struct config_broker **ret, char *reterr, size_t size)
{
	_cleanup_(yaml_file_free) struct yaml_file *file = NULL;
	_cleanup_(config_broker_free) const struct config_broker *config = NULL;
	struct yaml_error error = {.text = reterr, .size = size};
	void *data = NULL;
	int r = param_read(&param_broker, path, &data, &file, error);
	config = data;
	if (r == 0)
		r = check_together(config, file, error);
	if (r == 0)
		*ret = steal(&config);
	return r;
}
