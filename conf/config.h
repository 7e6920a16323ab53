/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/base/cleanup.h"
#include "proto/base/log.h"

/*
 * The typed configuration of the daemons. Immutable once read, so any thread may use it. Every parameter
 * is one row of a table (conf/broker-params.c, conf/adapter-params.c): name, type, unit, range, default
 * and sentence; reading, checking, --print-config and conf/config.5 all come from that row.
 *
 * Text belongs to the configuration and lives as long as it. Paths are absolute or as given on the
 * command line: a relative path in a file is relative to that file. What is optional and absent is
 * NULL, or a count of 0.
 */
enum {
	CONFIG_INVALID = 1, /* reterr: file, line, field, what is wrong, and the remedy */
	CONFIG_ERROR_SIZE = 1024,
	CONFIG_LIST_MAX = 64, /* most entries of any list */
};

struct config_list {
	const char *const *items;
	size_t count;
};

/* ---- broker ---- */

struct config_journal {
	uint64_t map_bytes;          /* largest size of the journal's data file */
	uint64_t fill_limit_percent; /* fuller than this: new messages are deferred, delivery goes on */
	uint64_t disk_reserve_bytes; /* the same when the file system has less than this free */
};

struct config_limits {
	uint64_t sessions_max;              /* sessions at once; twice as many connections */
	uint64_t address_connections_max;   /* without a session, of one address */
	uint64_t address_handshakes_minute; /* new connections of one address */
	uint64_t handshakes_second;         /* of all */
	uint64_t party_bytes;    /* unanswered Submit bytes per session, beyond: deferral "busy" */
	uint64_t global_bytes;   /* the same over all sessions */
	uint64_t delivery_bytes; /* delivered and not yet acknowledged, per session */
	uint64_t warn_percent;   /* of a queue or a quota: operator and sender are told */
	uint64_t refusals_per_minute; /* journaled one by one per party; the rest is summed up */
	uint64_t submit_max;          /* envelopes in one Submit (Limits.batch) */
	uint64_t commit_max;          /* messages in one commit */
};

struct config_session {
	uint64_t timeout_ms; /* without a frame for so long, a session ends and its deliveries requeue */
	uint64_t heartbeat_ms; /* transport heartbeat */
	uint64_t handshake_ms; /* a connection must have authenticated by then */
	uint64_t shut_out_ms;  /* a key that flooded may not come back for so long */
};

struct config_delivery {
	uint64_t lease_ms;         /* an unacknowledged delivery is taken back after this */
	uint64_t backoff_min_ms;   /* delay after the first failed attempt */
	uint64_t backoff_max_ms;   /* longest delay between attempts */
	uint64_t attempts_max;     /* that count: then a dead letter; a service may say otherwise */
	uint64_t breaker_failures; /* messages in a row: then the queue pauses */
};

struct config_queue {
	uint64_t messages_max; /* per recipient; a party's registry entry may say otherwise */
	uint64_t bytes_max;
};

/* Attachments, which are files beside the journal. */
struct config_attachments {
	uint64_t party_bytes; /* stored at once, per party that uploads them */
	uint64_t orphan_ms;   /* an upload that no message names by then is removed */
};

struct config_broker {
	const char *path; /* the file this was read from */
	const char *bus;
	struct config_list listen; /* "tcp://host:port" or "ipc://path"; at least one */
	const char *state;         /* folder: journal/, keyring/, lock, admin.sock */
	const char *registry;      /* signed registry file */
	const char *schemas;       /* folder of the schemas it pins, or NULL */
	const char *policy;        /* pinned roots */
	const char *keys;          /* NAME.secret with the bus's log and transport keys */
	const char *master_key;    /* the 32-byte key over the keyring */
	const char *admin_socket;  /* default: STATE/admin.sock */
	uint64_t workers;          /* verify threads */
	uint64_t drain_ms;         /* longest wait for deliveries in flight at SIGTERM */
	enum log_level log_level;
	struct config_journal journal;
	struct config_limits limits;
	struct config_session session;
	struct config_delivery delivery;
	struct config_queue queue;
	struct config_attachments attachments;
};

/**
 * config_broker_read() - read, check and complete a broker's configuration
 * @path:   YAML file
 * @ret:    the configuration; config_broker_free()
 * @reterr: room for one line (CONFIG_ERROR_SIZE suffices): "file:line: field: what; remedy"
 * @size:   of @reterr
 * Return: 0, CONFIG_INVALID, negative errno (-ENOENT ...; reterr is set as well).
 */
int config_broker_read(
	const char *path, const struct config_broker **ret, char *reterr, size_t size);
void config_broker_free(const struct config_broker *config); /* takes NULL */
DEFINE_CLEANUP(const struct config_broker *, config_broker_free);

/* ---- adapter ---- */

struct config_setting {
	const char *name;
	const char *value;
};

/* How the adapter reaches its legacy system. */
struct config_connector {
	const char *kind; /* "folder"; more later */
	const char *in;   /* claimed by rename into `work` */
	const char *work; /* being handed over; default: STATE/work */
	const char *out;  /* what the bus brought */
	const char *done;
	const char *failed;
	const char *receipts;  /* receipts and outcomes for the legacy system; default: none */
	const char *documents; /* documents for a document management system; default: none */
	uint64_t settle_ms;    /* a file must have been still for so long before it is claimed */
	uint64_t poll_ms;      /* longest time between two looks, beside file notifications */
	uint64_t file_bytes_max;
	struct config_setting *settings; /* adapter-specific, checked by the adapter */
	size_t settings_count;
};

struct config_outbox {
	uint64_t map_bytes;    /* largest size of the store's data file */
	uint64_t messages_max; /* waiting messages; beyond, the connector is told to wait */
	uint64_t bytes_max;
	uint64_t again_ms;    /* how long a message is kept after its receipt, at least */
	uint64_t again_bytes; /* most bytes kept so; 0: none */
};

struct config_flight {
	uint64_t messages;        /* most unanswered messages */
	uint64_t bytes;           /* most unanswered bytes */
	uint64_t batch_max;       /* leaves of one signature, envelopes of one Submit */
	uint64_t credit_messages; /* most delivered and not yet acknowledged, asked of the broker */
	uint64_t credit_bytes;
};

struct config_reconnect {
	uint64_t min_ms;
	uint64_t max_ms;
	uint64_t timeout_ms; /* without a frame for so long, the session is opened anew */
	uint64_t ping_ms;    /* a Ping after so long without traffic */
};

/* Attachments on their way, as files in STATE/attachments. */
struct config_spool {
	uint64_t bytes_max; /* sealed and not yet recorded; again, arriving and not handed over; again, kept */
};

struct config_adapter {
	const char *path;
	const char *bus;
	const char *broker;          /* "tcp://host:port" */
	const char *party;           /* whose transport key this process uses */
	struct config_list operates; /* further parties it speaks for */
	const char *witness;     /* NAME.secret with the party's witness key; NULL: it is none */
	struct config_list keys; /* NAME.secret files: of `party` first, then one per operated party */
	const char *registry; /* newest signed registry known; replaced when the bus has a newer one */
	const char *schemas; /* folder of the schemas it pins; NULL: contents are not checked here */
	const char *policy;
	const char *state;        /* folder of the outbox and inbox store, lock */
	const char *admin_socket; /* reserved; default: STATE/admin.sock */
	uint64_t drain_ms;
	enum log_level log_level;
	struct config_outbox outbox;
	struct config_flight flight;
	struct config_reconnect reconnect;
	struct config_connector connector;
	struct config_spool spool;
};

/**
 * config_adapter_read() - read, check and complete an adapter's configuration
 * @path:   YAML file
 * @ret:    the configuration; config_adapter_free()
 * @reterr: as config_broker_read()
 * @size:   of @reterr
 * Return: as config_broker_read().
 */
int config_adapter_read(
	const char *path, const struct config_adapter **ret, char *reterr, size_t size);
void config_adapter_free(const struct config_adapter *config); /* takes NULL */
DEFINE_CLEANUP(const struct config_adapter *, config_adapter_free);

/**
 * config_adapter_setting() - an adapter-specific setting
 * @config: where
 * @name:   which
 * Return: its value, or NULL.
 */
const char *config_adapter_setting(const struct config_adapter *config, const char *name);

/* ---- for people ---- */

enum config_kind { CONFIG_BROKER, CONFIG_ADAPTER };
enum config_form {
	CONFIG_FORM_YAML,  /* every parameter with its default, commented */
	CONFIG_FORM_SCDOC, /* the parameter section of config(5) */
};

/**
 * config_print() - print the parameter table
 * @kind: whose
 * @form: for --print-config, or for the man page
 * @fd:   where to
 * Return: 0 or negative errno.
 */
int config_print(enum config_kind kind, enum config_form form, int fd);
