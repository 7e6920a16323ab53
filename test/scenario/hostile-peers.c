/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Peers that never get as far as a frame, or that send and never read. They cost the broker a descriptor
 * or a few megabytes for a few seconds, both bounded, and nobody else a moment.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/base/arena.h"
#include "test/kit/check.h"
#include "test/kit/usage.h"
#include "test/scenario/bystanders.h"
#include "test/scenario/tools.h"

enum { GREETING_SIZE = 64, HALF_OPEN = 300, HANDSHAKES = 800, CLOSED_MS = 15000 };
static const char quick_handshake[] = "session:\n  handshake: 1 s\n";
/* So many are let in as want to, or it would be another story (hostile-handshakes). */
static const char patient[] = "session:\n  handshake: 1 s\n"
			      "limits:\n  address_handshakes: 1000000\n  handshakes: 100000\n";

static int tcp_connect(const struct bus *bus)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)bus->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0);
	CHECK_INT(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* Read until the other side closes. */
static void await_close(int fd, long long deadline)
{
	char buf[512];
	ssize_t n;

	do {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		long long left = deadline - now_ms();
		if (left <= 0 || poll(&p, 1, (int)left) <= 0)
			CHECK_FAIL("the broker keeps a connection that never shook hands");
		n = recv(fd, buf, sizeof(buf), 0);
	} while (n > 0);
	CHECK(n == 0 || errno == ECONNRESET);
	close(fd);
}

/* The first 64 bytes of ZMTP 3: signature, version, mechanism. */
static void greeting_fill(uint8_t greeting[GREETING_SIZE], uint8_t major, const char *mechanism)
{
	memset(greeting, 0, GREETING_SIZE);
	greeting[0] = 0xff;
	greeting[9] = 0x7f;
	greeting[10] = major;
	memcpy(greeting + 12, mechanism, strlen(mechanism));
}

static void say(int fd, struct bytes what)
{
	ssize_t n = send(fd, what.data, what.len, MSG_NOSIGNAL);
	CHECK(n == (ssize_t)what.len || errno == EPIPE || errno == ECONNRESET);
}

static void only_curve_gets_in(void)
{
	static const struct {
		uint8_t major;
		const char *mechanism;
	} greetings[] = {{3, "NULL"}, {3, "PLAIN"}, {3, "GSSAPI"}, {3, "CURVES"}, {3, ""},
		{1, "NULL"}, {0, ""}, {9, "NULL"}};
	static const char web[] = "GET / HTTP/1.1\r\nHost: bus\r\n\r\n";
	uint8_t greeting[GREETING_SIZE], ready[] = {4, 6, 5, 'R', 'E', 'A', 'D', 'Y'};
	struct bystanders all;

	bystanders_open(&all, quick_handshake);
	for (size_t i = 0; i < ARRAY_LEN(greetings); i++) {
		int fd = tcp_connect(&all.bus);
		greeting_fill(greeting, greetings[i].major, greetings[i].mechanism);
		say(fd, BYTES(greeting, GREETING_SIZE));
		say(fd, BYTES(ready, sizeof(ready)));
		await_close(fd, now_ms() + CLOSED_MS);
		bystanders_undisturbed(&all);
	}
	int fd = tcp_connect(&all.bus);
	say(fd, BYTES_STR(web));
	await_close(fd, now_ms() + CLOSED_MS);
	bystanders_undisturbed(&all);
	bystanders_files_closed(&all);
	bystanders_close(&all);
}

/* The client library itself, told to use no security: it connects, and never gets to send. */
static void a_client_without_keys_never_sends(void)
{
	struct bystanders all;

	bystanders_open(&all, quick_handshake);
	struct wire *wire = wire_new(&all.bus, NULL);
	CHECK(!wire_send(wire, BYTES_STR("anything"), 1500));
	bystanders_undisturbed(&all);
	wire_free(wire);
	bystanders_files_closed(&all);
	bystanders_close(&all);
}

static void silent_connections_are_closed(void)
{
	int fds[HALF_OPEN];
	struct bystanders all;

	bystanders_open(&all, quick_handshake);
	for (size_t i = 0; i < HALF_OPEN; i++)
		fds[i] = tcp_connect(&all.bus);
	/* Who is connected goes on, and who comes now gets in. */
	bystanders_undisturbed(&all);
	struct wire *wire = wire_new(&all.bus, "ministry");
	wire_open_session(wire, "ministry");
	wire_free(wire);
	long long deadline = now_ms() + CLOSED_MS;
	for (size_t i = 0; i < HALF_OPEN; i++)
		await_close(fds[i], deadline);
	bystanders_files_closed(&all);
	bystanders_undisturbed(&all);
	bystanders_close(&all);
}

static void endless_handshakes_go_nowhere(void)
{
	uint8_t greeting[GREETING_SIZE];
	struct bystanders all;

	bystanders_open(&all, patient);
	greeting_fill(greeting, 3, "CURVE");
	for (size_t i = 0; i < HANDSHAKES; i++) {
		int fd = tcp_connect(&all.bus);
		say(fd, BYTES(greeting, 1 + i % GREETING_SIZE));
		close(fd);
		if (i % (HANDSHAKES / 10) == 0)
			bystanders_undisturbed(&all);
	}
	bystanders_files_closed(&all);
	bystanders_undisturbed(&all);
	bystanders_close(&all);
}

/* ---- those who do not read ---- */

static struct bytes ask_for_registry(struct wire *wire)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__GetRegistry body = DIENSTWEG__GET_REGISTRY__INIT;

	frame.body_case = DIENSTWEG__FRAME__BODY_GET_REGISTRY;
	frame.get_registry = &body;
	return wire_pack(wire, &frame);
}

/* Small questions with large answers, none of them read: the answers are not hoarded. */
static void answers_that_nobody_reads_are_bounded(void)
{
	enum { QUESTIONS = 60000, LOOK_EVERY = 2000 };
	struct bystanders all;
	bool ended = false;

	bystanders_open(&all, "");
	struct wire *wire = wire_new(&all.bus, "ministry");
	wire_open_session(wire, "ministry");
	struct bytes question = ask_for_registry(wire);
	for (size_t i = 1; i <= QUESTIONS && !ended; i++) {
		CHECK(wire_send(wire, question, 20000)); /* the broker never stops reading */
		if (i % LOOK_EVERY != 0)
			continue;
		bystanders_undisturbed(&all);
		ended = wait_for_line(all.bus.broker.log, "session ended", all.bus.log_seen, 0) >= 0;
	}
	CHECK(ended);
	bystanders_undisturbed(&all);
	wire_free(wire);
	bystanders_close(&all);
}

/* Takes credit for everything and reads nothing: what is out to it is capped, the rest waits on disk. */
static void deliveries_that_nobody_reads_are_bounded(void)
{
	enum { MESSAGES = 40, BODY = 200000, OUT_MAX = 2 << 20, UNSENT_MAX = 8 << 20 };
	static const char session[] = "{\"party\":\"ministry\"";
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Credit credit = DIENSTWEG__CREDIT__INIT;
	struct bystanders all;
	uint8_t *body = calloc(1, BODY);
	struct party_draft figures = {
		.service = "uvg.figures", .recipient = "ministry", .body = BYTES(body, BODY)};

	CHECK(body);
	bystanders_open(&all, "limits:\n  delivery_bytes: 2 MiB\n");
	struct wire *wire = wire_new(&all.bus, "ministry");
	wire_open_session(wire, "ministry");
	credit.messages = credit.bytes = UINT32_MAX;
	frame.body_case = DIENSTWEG__FRAME__BODY_CREDIT;
	frame.credit = &credit;
	CHECK(wire_send(wire, wire_pack(wire, &frame), 20000));
	for (size_t i = 0; i < MESSAGES; i++) {
		CHECK_INT(party_send(&all.city, &figures)->kind, ANSWER_RECEIPT);
		arena_reset(all.city.arena);
	}
	bystanders_undisturbed(&all);
	CHECK(tool_figure(&all.bus, session, "\"unacknowledged_bytes\":") <= OUT_MAX);
	CHECK(tool_figure(&all.bus, session, "\"unacknowledged_bytes\":") > OUT_MAX - 2 * BODY);
	CHECK(tool_figure(&all.bus, session, "\"unsent_bytes\":") +
			tool_figure(&all.bus, session, "\"outbox_bytes\":") <=
		UNSENT_MAX);
	wire_free(wire);
	free(body);
	bystanders_close(&all);
}

CHECK_MAIN(CHECK_CASE(only_curve_gets_in), CHECK_CASE(a_client_without_keys_never_sends),
	CHECK_CASE(silent_connections_are_closed), CHECK_CASE(endless_handshakes_go_nowhere),
	CHECK_CASE(answers_that_nobody_reads_are_bounded),
	CHECK_CASE(deliveries_that_nobody_reads_are_bounded))
