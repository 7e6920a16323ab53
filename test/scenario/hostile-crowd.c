/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Too many connections, and connections that nobody needs: strangers that knock by the hundred and keep the door
 * open, a party whose key opens one connection after the other and says nothing. Who works goes on, who comes gets
 * in, the broker has descriptors left for its own files, and the operator reads why.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test/kit/check.h"
#include "test/kit/usage.h"
#include "test/scenario/bystanders.h"
#include "test/scenario/tools.h"

enum { ADDRESS_MAX = 40, STRANGERS = 300, WIRES = 60, SLACK = 24, LOG_MS = 20000 };
static const char crowded[] = "limits:\n  address_connections: 40\n";

static void strangers_come(const struct bus *bus, int strangers[STRANGERS])
{
	struct sockaddr_in door = {.sin_family = AF_INET, .sin_port = htons((uint16_t)bus->port)};

	door.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (size_t i = 0; i < STRANGERS; i++) {
		strangers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		CHECK(strangers[i] >= 0);
		CHECK_INT(connect(strangers[i], (struct sockaddr *)&door, sizeof(door)), 0);
	}
}

static void told(struct bystanders *all, const char *figure)
{
	CHECK(wait_for_line(
		      all->bus.broker.log, "connections were cut", all->bus.log_seen, LOG_MS) >= 0);
	char *status = tool_admin(&all->bus, 0, "status", "--json", NULL);
	CHECK(strstr(status, figure) != NULL);
	CHECK_INT(tool_count(status, "\"connections_crowded\":0,"), 0);
	free(status);
	tool_holds(
		tool_admin(&all->bus, 0, "status", NULL), "connections ", "too many at once", NULL);
}

static void strangers_at_the_door(void)
{
	int strangers[STRANGERS];
	struct bystanders all;

	bystanders_open(&all, crowded);
	strangers_come(&all.bus, strangers);
	bystanders_undisturbed(&all);
	/* City and jobcenter are among those of this address. */
	party_until(&all.city, usage_files(all.bus.broker.pid) <= all.files + ADDRESS_MAX + SLACK,
		20000);
	struct wire *wire = wire_new(&all.bus, "ministry");
	wire_open_session(wire, "ministry");
	bystanders_undisturbed(&all);
	told(&all, "\"connections_silent\":0,");
	wire_free(wire);
	for (size_t i = 0; i < STRANGERS; i++)
		close(strangers[i]);
	bystanders_files_closed(&all);
	bystanders_undisturbed(&all);
	bystanders_close(&all);
}

/* Each is let in by its key, and dials again when it is cut: it takes the place of the next one. */
static void a_key_with_too_many_connections(void)
{
	struct wire *wires[WIRES];
	struct bystanders all;

	bystanders_open(&all, crowded);
	for (size_t i = 0; i < WIRES; i++)
		wires[i] = wire_new(&all.bus, "ministry");
	told(&all, "\"connections_silent\":0,");
	bystanders_undisturbed(&all);
	CHECK(usage_files(all.bus.broker.pid) <= all.files + ADDRESS_MAX + SLACK);
	for (size_t i = 0; i < WIRES; i++)
		wire_free(wires[i]);
	bystanders_files_closed(&all);
	bystanders_undisturbed(&all);
	bystanders_close(&all);
}

/* It shook hands and is let in by its key, and then it says nothing. */
static void a_connection_without_a_session_is_cut(void)
{
	struct bus bus;
	struct party city;

	bus_init_usual(&bus, check_subdir());
	bus.extra = "session:\n  timeout: 1 s\n  heartbeat: 300 ms\n";
	bus_write(&bus);
	bus_start(&bus);
	party_init(&city, &bus, "city");
	city.ping_ms = 200;
	party_connect(&city, NULL);
	struct wire *wire = wire_new(&bus, "jobcenter");
	CHECK(wire_send(wire, BYTES_STR("Is anybody there?"), 20000));
	party_until(&city, wait_for_line(bus.broker.log, "without a session", bus.log_seen, 0) >= 0,
		LOG_MS);
	/* The city has one, and stays. */
	CHECK_INT(city.sessions, 0);
	char *status = tool_admin(&bus, 0, "status", "--json", NULL);
	CHECK_INT(tool_count(status, "\"connections_silent\":0,"), 0);
	free(status);
	wire_free(wire);
	party_deinit(&city);
	CHECK_INT(bus_end(&bus, SIGTERM), 0);
	bus_deinit(&bus);
}

CHECK_MAIN(CHECK_CASE(strangers_at_the_door), CHECK_CASE(a_key_with_too_many_connections),
	CHECK_CASE(a_connection_without_a_session_is_cut))
