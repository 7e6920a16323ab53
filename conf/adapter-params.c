/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The parameters of every adapter, one row each. What only one adapter knows goes into
 * connector.settings, which that adapter checks.
 */
#include "conf/param.h"

#include <string.h>

#define AT(member) offsetof(struct config_adapter, member)
enum { KIB = 1 << 10, MIB = 1 << 20, SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };
#define DAY (UINT64_C(24) * HOUR)
#define GIB (UINT64_C(1) << 30)
#define TIB (UINT64_C(1) << 40)

static const struct param rows[] = {
	{"bus", PARAM_NAME, .offset = AT(bus),
		.doc = "Id of the bus; one that ends in .demo runs only with --demo."},
	{"broker", PARAM_ENDPOINT, .offset = AT(broker), .doc = "Where the broker listens."},
	{"party", PARAM_NAME, .offset = AT(party),
		.doc = "The party whose transport key this adapter connects with."},
	{"operates", PARAM_NAME, .list = true, .list_max = 16, .optional = true,
		.offset = AT(operates),
		.doc = "Further parties it speaks for; the registry must say that `party` operates "
		       "them."},
	{"keys", PARAM_PATH, .list = true, .list_max = 17, .offset = AT(keys),
		.doc = "Secret key files: of `party`, then of each party it operates."},
	{"witness", PARAM_PATH, .optional = true, .offset = AT(witness),
		.doc = "Secret key file with the witness key of `party`: this adapter cosigns the "
		       "bus's checkpoints. The registry has to list the key."},
	{"registry", PARAM_PATH, .offset = AT(registry),
		.doc = "The newest signed registry known here; replaced when the bus has a newer "
		       "one."},
	{"schemas", PARAM_PATH, .optional = true, .offset = AT(schemas),
		.doc = "Folder of the schemas that services pin in the registry, under any names: "
		       "contents are checked before they are sealed and after they are opened."},
	{"policy", PARAM_PATH, .offset = AT(policy), .doc = "The pinned roots."},
	{"state", PARAM_PATH, .offset = AT(state),
		.doc = "Folder of outbox, inbox and lock; private to the adapter's account."},
	{"admin_socket", PARAM_PATH, .offset = AT(admin_socket), .fallback = "STATE/admin.sock",
		.doc = "Reserved, without effect yet: the adapter writes its figures to "
		       "STATE/status.json."},
	{"drain", PARAM_TIME, .offset = AT(drain_ms), .min = 0, .max = HOUR, .fallback = "10 s",
		.doc = "Longest wait at shutdown for answers that are under way."},
	{"log_level", PARAM_LOG_LEVEL, .offset = AT(log_level), .fallback = "info",
		.doc = "Least level that is logged: debug, info, warn or error."},

	{"outbox.map_size", PARAM_PAGES, .offset = AT(outbox.map_bytes), .min = 1 * MIB,
		.max = 16 * TIB, .fallback = "4 GiB",
		.doc = "Largest size of the outbox and inbox store."},
	{"outbox.messages", PARAM_COUNT, .offset = AT(outbox.messages_max), .min = 1,
		.max = 100000000, .fallback = "100000",
		.doc = "Messages waiting to be sent; beyond it, the legacy system has to wait."},
	{"outbox.bytes", PARAM_BYTES, .offset = AT(outbox.bytes_max), .min = 1 * MIB,
		.max = 16 * TIB, .fallback = "2 GiB", .doc = "The same in bytes."},
	{"outbox.again", PARAM_TIME, .offset = AT(outbox.again_ms), .min = 0, .max = 90 * DAY,
		.fallback = "72 h",
		.doc = "How long a message is kept after its receipt, at least and until its "
		       "outcome is "
		       "known, to be sent again should the bus lose its journal: longer than the "
		       "time between two backups of the bus."},
	{"outbox.again_bytes", PARAM_BYTES, .offset = AT(outbox.again_bytes), .min = 0,
		.max = 16 * TIB, .fallback = "512 MiB",
		.doc = "Most bytes of such messages, and never more than a quarter of "
		       "outbox.map_size; "
		       "beyond it the oldest go first. 0 keeps none."},

	{"attachments.bytes", PARAM_BYTES, .offset = AT(spool.bytes_max), .min = 1 * MIB,
		.max = 16 * TIB, .fallback = "16 GiB",
		.doc = "Attachments waiting to be sent, as files in STATE/attachments, and as much "
		       "again on arrival; beyond it, messages with attachments wait. As much again "
		       "of those that were sent is kept for outbox.again; beyond it the oldest "
		       "go."},

	{"flight.messages", PARAM_COUNT, .offset = AT(flight.messages), .min = 1, .max = 1000000,
		.fallback = "1024", .doc = "Messages sent and not yet answered."},
	{"flight.bytes", PARAM_BYTES, .offset = AT(flight.bytes), .min = 1 * MIB, .max = GIB,
		.fallback = "8 MiB", .doc = "The same in bytes."},
	{"flight.batch", PARAM_COUNT, .offset = AT(flight.batch_max), .min = 1, .max = 32,
		.fallback = "32", .doc = "Messages under one signature."},
	{"flight.credit_messages", PARAM_COUNT, .offset = AT(flight.credit_messages), .min = 1,
		.max = 1000000, .fallback = "1024",
		.doc = "Deliveries not yet acknowledged that the broker may have sent."},
	{"flight.credit_bytes", PARAM_BYTES, .offset = AT(flight.credit_bytes), .min = 1 * MIB,
		.max = GIB, .fallback = "8 MiB", .doc = "The same in bytes."},

	{"reconnect.min", PARAM_TIME, .offset = AT(reconnect.min_ms), .min = 10, .max = HOUR,
		.fallback = "200 ms", .doc = "Wait before the first reconnection; doubles."},
	{"reconnect.max", PARAM_TIME, .offset = AT(reconnect.max_ms), .min = 10, .max = HOUR,
		.fallback = "10 s", .doc = "Longest wait before a reconnection."},
	{"reconnect.timeout", PARAM_TIME, .offset = AT(reconnect.timeout_ms), .min = 1 * SECOND,
		.max = HOUR, .fallback = "15 s",
		.doc = "Without a frame from the broker for so long, the session is opened anew."},
	{"reconnect.ping", PARAM_TIME, .offset = AT(reconnect.ping_ms), .min = 100, .max = HOUR,
		.fallback = "4 s",
		.doc = "Silence after which the adapter asks whether the broker is there."},

	{"connector.kind", PARAM_CHOICE, .offset = AT(connector.kind), .choices = "folder none",
		.fallback = "folder",
		.doc = "How the legacy system is reached. dienstweg send and receive need none."},
	{"connector.in", PARAM_PATH, .optional = true, .offset = AT(connector.in),
		.doc = "Folder where the legacy system puts what is to be sent."},
	{"connector.work", PARAM_PATH, .offset = AT(connector.work), .fallback = "STATE/work",
		.doc = "Folder of files being handed over; on the same file system as "
		       "connector.in."},
	{"connector.out", PARAM_PATH, .optional = true, .offset = AT(connector.out),
		.doc = "Folder where what arrived is put for the legacy system."},
	{"connector.done", PARAM_PATH, .optional = true, .offset = AT(connector.done),
		.doc = "Folder of files that were sent."},
	{"connector.failed", PARAM_PATH, .optional = true, .offset = AT(connector.failed),
		.doc = "Folder of files that could not be sent, each with an error file beside "
		       "it."},
	{"connector.receipts", PARAM_PATH, .optional = true, .offset = AT(connector.receipts),
		.doc = "Folder of receipts and outcomes for the legacy system."},
	{"connector.documents", PARAM_PATH, .optional = true, .offset = AT(connector.documents),
		.doc = "Folder of documents for a document management system."},
	{"connector.settle", PARAM_TIME, .offset = AT(connector.settle_ms), .min = 0, .max = HOUR,
		.fallback = "200 ms",
		.doc = "A file must have stayed the same for so long before it is taken."},
	{"connector.poll", PARAM_TIME, .offset = AT(connector.poll_ms), .min = 10, .max = HOUR,
		.fallback = "1 s", .doc = "Longest time between two looks into connector.in."},
	{"connector.file_size", PARAM_BYTES, .offset = AT(connector.file_bytes_max), .min = 1 * KIB,
		.max = 128 * MIB, .fallback = "1 MiB",
		.doc = "Largest file that is read; in a case folder, all files together."},
	{"connector.settings", PARAM_SETTINGS, .optional = true, .offset = AT(connector.settings),
		.offset2 = AT(connector.settings_count),
		.doc = "List of name and value, for this adapter alone; its manual says which."},
};

const struct param_table param_adapter = {.title = "Adapter",
	.rows = rows,
	.count = ARRAY_LEN(rows),
	.size = sizeof(struct config_adapter),
	.path_offset = AT(path)};

static int check_folders(
	const struct config_adapter *config, const struct yaml_file *file, struct yaml_error error)
{
	const struct config_connector *c = &config->connector;
	const struct {
		const char *field, *path;
	} folders[] = {{"connector.in", c->in}, {"connector.out", c->out},
		{"connector.done", c->done}, {"connector.failed", c->failed}};
	if (strcmp(c->kind, "folder") != 0)
		return 0;
	/* Who sends and receives with the command line has none; a folder adapter asks for its own. */
	if (!c->in && !c->out && !c->done && !c->failed)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		if (!folders[i].path)
			return yaml_file_fail(file, error, folders[i].field,
				"missing; a folder connector needs it");
		for (size_t k = 0; k < i; k++)
			if (strcmp(folders[i].path, folders[k].path) == 0)
				return yaml_file_fail(file, error, folders[i].field,
					"is the same folder as %s; give it one of its own",
					folders[k].field);
	}
	return 0;
}

static int check_together(
	const struct config_adapter *config, const struct yaml_file *file, struct yaml_error error)
{
	if (config->keys.count != config->operates.count + 1)
		return yaml_file_fail(file, error, "keys",
			"has %zu entries for %zu parties; give one file for `party`, then one for "
			"each of "
			"`operates`",
			config->keys.count, config->operates.count + 1);
	for (size_t i = 0; i < config->operates.count; i++)
		if (strcmp(config->operates.items[i], config->party) == 0)
			return yaml_file_fail(file, error, "operates",
				"names `party` itself; list only the others");
	if (config->reconnect.min_ms > config->reconnect.max_ms)
		return yaml_file_fail(file, error, "reconnect.min",
			"is longer than reconnect.max; shorten it or lengthen that");
	if (config->reconnect.ping_ms >= config->reconnect.timeout_ms)
		return yaml_file_fail(file, error, "reconnect.ping",
			"is not shorter than reconnect.timeout; shorten it, a third is usual");
	return check_folders(config, file, error);
}

void config_adapter_free(const struct config_adapter *config)
{
	param_free(config);
}

int config_adapter_read(
	const char *path, const struct config_adapter **ret, char *reterr, size_t size)
{
	_cleanup_(yaml_file_free) struct yaml_file *file = NULL;
	_cleanup_(config_adapter_free) const struct config_adapter *config = NULL;
	struct yaml_error error = {.text = reterr, .size = size};
	void *data = NULL;
	int r = param_read(&param_adapter, path, &data, &file, error);
	config = data;
	if (r == 0)
		r = check_together(config, file, error);
	if (r == 0)
		*ret = steal(&config);
	return r;
}

const char *config_adapter_setting(const struct config_adapter *config, const char *name)
{
	for (size_t i = 0; i < config->connector.settings_count; i++)
		if (strcmp(config->connector.settings[i].name, name) == 0)
			return config->connector.settings[i].value;
	return NULL;
}
