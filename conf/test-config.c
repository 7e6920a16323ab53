/* SPDX-License-Identifier: EUPL-1.2 */

/* What is written is what is read; every mistake is named with its line and its remedy. */
#include "conf/config.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/file.h"
#include "test/kit/check.h"

#define MINIMAL                                                                                    \
	"bus: wuppertal.demo\n"                                                                    \
	"listen: ['tcp://127.0.0.1:4711']\n"                                                       \
	"state: /var/lib/dienstweg\n"                                                              \
	"registry: registry.signed\n"                                                              \
	"policy: policy\n"                                                                         \
	"keys: ../keys/bus.secret\n"                                                               \
	"master_key: /etc/master.key\n"

#define MINIMAL_ADAPTER                                                                            \
	"bus: wuppertal.demo\n"                                                                    \
	"broker: tcp://broker.example:4711\n"                                                      \
	"party: city.wuppertal\n"                                                                  \
	"keys: [city.secret]\n"                                                                    \
	"registry: registry.signed\n"                                                              \
	"policy: policy\n"                                                                         \
	"state: state\n"                                                                           \
	"connector: {in: in, out: out, done: done, failed: failed}\n"

struct path {
	char text[512];
};

static struct path write_file(const char *text)
{
	struct path path;
	CHECK_INT(path_join(path.text, sizeof(path.text), check_tmpdir(), "c.yaml"), 0);
	CHECK_INT(file_replace(path.text, BYTES_STR(text), 0644), 0);
	return path;
}

static const struct config_broker *good_broker(const char *text)
{
	char why[CONFIG_ERROR_SIZE] = "";
	const struct config_broker *config = NULL;
	if (config_broker_read(write_file(text).text, &config, why, sizeof(why)))
		CHECK_FAIL("%s", why);
	return config;
}

static const struct config_adapter *good_adapter(const char *text)
{
	char why[CONFIG_ERROR_SIZE] = "";
	const struct config_adapter *config = NULL;
	if (config_adapter_read(write_file(text).text, &config, why, sizeof(why)))
		CHECK_FAIL("%s", why);
	return config;
}

static void is_in_folder(const char *path, const char *name)
{
	char expected[512];
	CHECK_INT(path_join(expected, sizeof(expected), check_tmpdir(), name), 0);
	CHECK_STR(path, expected);
}

static void broker_defaults(void)
{
	_cleanup_(config_broker_free) const struct config_broker *config = good_broker(MINIMAL);
	is_in_folder(config->path, "c.yaml");
	CHECK_STR(config->bus, "wuppertal.demo");
	CHECK_INT(config->listen.count, 1);
	CHECK_STR(config->listen.items[0], "tcp://127.0.0.1:4711");
	CHECK_STR(config->state, "/var/lib/dienstweg");
	is_in_folder(config->registry, "registry.signed");
	is_in_folder(config->keys, "../keys/bus.secret");
	CHECK_STR(config->master_key, "/etc/master.key");
	CHECK_STR(config->admin_socket, "/var/lib/dienstweg/admin.sock");
	CHECK_INT(config->journal.map_bytes, 64LL << 30);
	CHECK_INT(config->journal.fill_limit_percent, 90);
	CHECK_INT(config->session.timeout_ms, 15000);
	CHECK_INT(config->workers, 1);
	CHECK_INT(config->delivery.backoff_max_ms, 3600000);
	CHECK_INT(config->log_level, LOG_INFO);
}

static void broker_values(void)
{
	_cleanup_(config_broker_free) const struct config_broker *config = good_broker(
		MINIMAL "admin_socket: run/a.sock\nworkers: 4\nlog_level: debug\ndrain: 0 ms\n"
			"journal: {map_size: 8MiB, fill_limit: 50, disk_reserve: 1 KiB}\n"
			"session:\n  timeout: 1 min\n  heartbeat: 250 ms\nlimits:\n  commit: 1\n");
	is_in_folder(config->admin_socket, "run/a.sock");
	CHECK_INT(config->workers, 4);
	CHECK_INT(config->log_level, LOG_DEBUG);
	CHECK_INT(config->drain_ms, 0);
	CHECK_INT(config->journal.map_bytes, 8 << 20);
	CHECK_INT(config->journal.disk_reserve_bytes, 1024);
	CHECK_INT(config->session.timeout_ms, 60000);
	CHECK_INT(config->session.heartbeat_ms, 250);
	CHECK_INT(config->limits.commit_max, 1);
	CHECK_INT(config->limits.submit_max, 1024);
}

enum { TEXT_SIZE = 4096 };
struct variant {
	char text[TEXT_SIZE];
};

/* MINIMAL with the line that begins with the key replaced (or left out), and then more lines. */
static struct variant variant(const char *base, const char *key, const char *line)
{
	struct variant variant;
	char *text = variant.text;
	size_t len = strlen(key), at = 0;
	for (const char *p = base; *p;) {
		size_t n = strcspn(p, "\n") + 1;
		bool same = strncmp(p, key, len) == 0 && p[len] == ':';
		at += (size_t)snprintf(text + at, TEXT_SIZE - at, "%.*s", same ? 0 : (int)n, p);
		if (same)
			at += (size_t)snprintf(text + at, TEXT_SIZE - at, "%s", line);
		p += n;
	}
	return variant;
}

static void bad(int broker, const char *text, const char *where, const char *words)
{
	char why[CONFIG_ERROR_SIZE] = "", start[128];
	const struct config_broker *b = NULL;
	const struct config_adapter *a = NULL;
	struct path path = write_file(text);
	int r = broker ? config_broker_read(path.text, &b, why, sizeof(why))
		       : config_adapter_read(path.text, &a, why, sizeof(why));
	snprintf(start, sizeof(start), "c.yaml:%s%s: ", strcspn(where, "0123456789") ? " " : "",
		where);
	if (r != CONFIG_INVALID || !strstr(why, start) || !strstr(why, words))
		CHECK_FAIL("%d \"%s\" lacks \"%s\" or \"%s\"", r, why, start, words);
	CHECK(!a && !b);
}
#define BAD(more, where, words)           bad(1, MINIMAL more, where, words)
#define BAD_LINE(key, line, where, words) bad(1, variant(MINIMAL, key, line).text, where, words)

static void broker_mistakes(void)
{
	BAD_LINE("bus", "", "bus", "missing; add it: Id of the bus");
	BAD_LINE("state", "", "state", "missing");
	BAD_LINE("listen", "", "listen", "missing");
	BAD_LINE("listen", "listen: []\n", "2: listen", "missing; add it: Where");
	BAD_LINE("listen", "listen: tcp://127.0.0.1:1\n", "2: listen", "must be a list");
	BAD_LINE("listen", "listen:\n  - tcp://h:1\n  - tcp://h\n", "4: listen[2]", "no endpoint");
	BAD_LINE("listen", "listen: ['tcp://h:1', 'tcp://h:1']\n", "2: listen[2]", "given twice");
	BAD_LINE("listen", "listen: ['tcp://h:65536']\n", "2: listen[1]", "no endpoint");
	BAD_LINE("listen", "listen: ['http://h:1']\n", "2: listen[1]", "tcp://HOST:PORT");
	BAD_LINE("bus", "bus: Wuppertal\n", "1: bus", "is no name");
	BAD_LINE("bus", "bus:\n", "1: bus", "has no value");
	BAD_LINE("bus", "bus: {name: x}\n", "1: bus", "one value");
	BAD("lisen: x\n", "8: lisen", "unknown; known here: bus, listen, state");
	BAD("journal:\n  map: 1 GiB\n", "9: journal.map", "known here: map_size, fill_limit");
	BAD("journal: 64\n", "8: journal", "fields of its own");
	BAD("workers: many\n", "8: workers", "\"many\" is no whole number; write 1 to 64");
	BAD("workers: 0\n", "8: workers", "out of range; write 1 to 64");
	BAD("workers: -1\n", "8: workers", "is no whole number");
	BAD("workers: 1.5\n", "8: workers", "is no whole number");
	BAD("workers: 010\n", "8: workers", "is no number");
	BAD("workers: 99999999999999999999\n", "8: workers", "too large");
	BAD("journal:\n  map_size: 64\n", "9: journal.map_size",
		"no number with a unit; write 1 MiB to");
	BAD("journal:\n  map_size: 64 GB\n", "9: journal.map_size", "no number with a unit");
	BAD("journal:\n  map_size: 99999999 TiB\n", "9: journal.map_size", "too large");
	BAD("journal:\n  map_size: 1048577 B\n", "9: journal.map_size", "no multiple of 4 KiB");
	BAD("session:\n  timeout: 15\n", "9: session.timeout", "write 1 s to 1 h");
	BAD("log_level: loud\n", "8: log_level", "debug, info, warn or error");
	BAD("session: {timeout: 5 s}\n", "8: session.heartbeat", "not shorter than session.timeout");
	BAD("limits: {party_bytes: 1 GiB}\n", "8: limits.party_bytes",
		"more than limits.global_bytes");
	BAD("delivery: {backoff_min: 1 h, backoff_max: 1 s}\n", "8: delivery.backoff_min", "longer");
	BAD("bus: again\n", "8: bus", "given twice, first in line 1");
}

static void adapter_values(void)
{
	_cleanup_(config_adapter_free)
		const struct config_adapter *config = good_adapter(MINIMAL_ADAPTER);
	CHECK_STR(config->broker, "tcp://broker.example:4711");
	CHECK_INT(config->keys.count, 1);
	is_in_folder(config->keys.items[0], "city.secret");
	is_in_folder(config->admin_socket, "state/admin.sock");
	is_in_folder(config->connector.work, "state/work");
	is_in_folder(config->connector.in, "in");
	CHECK(!config->connector.receipts);
	CHECK_INT(config->operates.count, 0);
	CHECK(!config_adapter_setting(config, "x"));
}

static void adapter_for_several_parties(void)
{
	_cleanup_(config_adapter_free) const struct config_adapter *config = good_adapter(
		"bus: b\nbroker: ipc://run/broker\nparty: a\noperates: [c, d]\n"
		"keys: [a.secret, c.secret, d.secret]\nregistry: r\npolicy: p\nstate: s\n"
		"connector:\n  kind: none\n  settings:\n    - {name: x, value: 1}\n"
		"    - {name: y, value: ''}\n");
	char expected[600];
	snprintf(expected, sizeof(expected), "ipc://%s/run/broker", check_tmpdir());
	CHECK_STR(config->broker, expected);
	CHECK_INT(config->operates.count, 2);
	CHECK_STR(config->operates.items[1], "d");
	CHECK_STR(config_adapter_setting(config, "x"), "1");
	CHECK_STR(config_adapter_setting(config, "y"), "");
}

#undef BAD
#define BAD(more, where, words) bad(0, MINIMAL_ADAPTER more, where, words)
#define BAD_ADAPTER(key, line, where, words)                                                       \
	bad(0, variant(MINIMAL_ADAPTER, key, line).text, where, words)

static void adapter_mistakes(void)
{
	BAD_ADAPTER("broker", "broker: tcp://h:*\n", "2: broker", "no endpoint");
	BAD_ADAPTER("connector", "connector: {in: in, out: out, done: done}\n",
		"8: connector.failed", "a folder connector needs it");
	BAD_ADAPTER("connector", "connector: {in: in, out: in, done: done, failed: f}\n",
		"8: connector.out", "the same folder as connector.in");
	BAD_ADAPTER("connector", "connector: {kind: fax}\n", "8: connector.kind",
		"one of: folder none");
	BAD_ADAPTER("connector", "connector:\n  kind: none\n  settings:\n    - {name: x}\n",
		"11: connector.settings[1].value", "missing");
	BAD_ADAPTER("connector",
		"connector:\n  kind: none\n  settings:\n    - {name: x, value: 1}\n    - {name: x, "
		"value: "
		"2}\n",
		"12: connector.settings[2]", "set twice");
	BAD("operates: [other]\n", "4: keys", "1 entries for 2 parties");
	BAD("operates: [city.wuppertal]\n", "4: keys", "parties");
	BAD("reconnect: {ping: 20 s}\n", "9: reconnect.ping", "not shorter");
	BAD_ADAPTER("keys", "keys: [a, b]\noperates: [city.wuppertal]\n", "5: operates", "itself");
	BAD("flight: {batch: 33}\n", "9: flight.batch", "write 1 to 32");
}

static void absent_and_empty_files(void)
{
	char why[CONFIG_ERROR_SIZE] = "";
	const struct config_broker *config = NULL;
	CHECK(config_broker_read("/nowhere/b.yaml", &config, why, sizeof(why)) < 0);
	CHECK(strstr(why, "/nowhere/b.yaml: No such file"));
	bad(1, "", "state", "missing");
	bad(1, "# nothing\n", "state", "missing");
}

/* The printed configuration is one to start from: uncommented and with paths, it is read again. */
static void what_is_printed_can_be_read(void)
{
	char text[65536], active[65536];
	char path[512];
	CHECK_INT(path_join(path, sizeof(path), check_tmpdir(), "printed.yaml"), 0);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0);
	CHECK_INT(config_print(CONFIG_BROKER, CONFIG_FORM_YAML, fd), 0);
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	CHECK(n > 2000);
	text[n] = 0;
	close(fd);
	size_t at = 0;
	for (const char *p = text; *p;) {
		size_t len = strcspn(p, "\n") + 1, blank = strspn(p, " ");
		bool word = p[blank] == '#' && p[blank + 1] != ' ';
		bool required = word && p[len - 2] == ':';
		if (word && !required)
			at += (size_t)snprintf(active + at, sizeof(active) - at, "%.*s%.*s",
				(int)blank, p, (int)(len - blank - 1), p + blank + 1);
		else if (p[blank] != '#')
			at += (size_t)snprintf(
				active + at, sizeof(active) - at, "%.*s", (int)len, p);
		p += len;
	}
	snprintf(active + at, sizeof(active) - at, "%s", MINIMAL);
	_cleanup_(config_broker_free) const struct config_broker *config = good_broker(active);
	CHECK_INT(config->journal.map_bytes, 64LL << 30);
	CHECK_STR(config->admin_socket, "/var/lib/dienstweg/admin.sock");
}

CHECK_MAIN(CHECK_CASE(broker_defaults), CHECK_CASE(broker_values), CHECK_CASE(broker_mistakes),
	CHECK_CASE(adapter_values), CHECK_CASE(adapter_for_several_parties),
	CHECK_CASE(adapter_mistakes), CHECK_CASE(absent_and_empty_files),
	CHECK_CASE(what_is_printed_can_be_read))
