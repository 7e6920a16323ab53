/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Strangers that shake hands as fast as they can, from one address or from very many. Each handshake costs the thread
 * that all parties' frames go through, so there are so many of them and no more; who works does not notice, and
 * who comes from elsewhere, or later, gets in.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test/kit/check.h"
#include "test/scenario/bystanders.h"
#include "test/scenario/tools.h"

enum {
	ROUNDS = 20,
	ROUND = 50, /* handshakes begun between two messages of others */
	HELLO_SIZE = 200,
	GREETING_SIZE = 64,
	WAIT_MS = 20000,
	LATE = 512, /* accepted by the kernel before the door was shut */
};

/* RFC 23 and 26: a greeting that speaks CURVE, and a HELLO whose box is for no key at all. */
static const uint8_t *handshake_of_a_stranger(void)
{
	static uint8_t bytes[GREETING_SIZE + 2 + HELLO_SIZE];
	uint8_t *hello = bytes + GREETING_SIZE;

	bytes[0] = 0xff;
	bytes[9] = 0x7f;
	bytes[10] = 3;
	memcpy(bytes + 12, "CURVE", 5);
	hello[0] = 0x04;
	hello[1] = HELLO_SIZE;
	memcpy(hello + 2, "\5HELLO\1", 7);
	random_fill(hello + 2 + 80, HELLO_SIZE - 80);
	return bytes;
}

/* Connects from 127.0.@street.@house and says its piece, if it is let in. */
static int knock(const struct bus *bus, uint8_t street, uint8_t house)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)bus->port)};
	struct sockaddr_in from = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	from.sin_addr.s_addr = htonl((UINT32_C(127) << 24) + ((uint32_t)street << 8) + house);
	CHECK(fd >= 0);
	CHECK_INT(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	CHECK(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 || errno == EINPROGRESS);
	(void)!send(fd, handshake_of_a_stranger(), GREETING_SIZE + 2 + HELLO_SIZE, MSG_NOSIGNAL);
	return fd;
}

/* ROUNDS of handshakes, and in between the others' messages, undisturbed. */
static void storm(struct bystanders *all, bool from_everywhere)
{
	int fds[ROUND];

	for (size_t i = 0; i < ROUNDS; i++) {
		for (size_t k = 0; k < ROUND; k++) {
			size_t number = i * ROUND + k;
			fds[k] = from_everywhere ? knock(&all->bus, (uint8_t)(1 + number / 250),
							   (uint8_t)(1 + number % 250))
						 : knock(&all->bus, 0, 66);
		}
		bystanders_undisturbed(all);
		for (size_t k = 0; k < ROUND; k++)
			close(fds[k]);
	}
}

static void comes_in(const struct bystanders *all)
{
	struct wire *wire = wire_new(&all->bus, "ministry");
	wire_open_session(wire, "ministry");
	wire_free(wire);
}

static void told(const struct bystanders *all)
{
	CHECK(wait_for_line(all->bus.broker.log, "connections were cut", all->bus.log_seen,
		      WAIT_MS) >= 0);
	tool_holds(tool_admin(&all->bus, 0, "status", NULL), "TOO MANY HANDSHAKES", NULL);
}

static void one_address_storms_and_is_kept_out(void)
{
	struct bystanders all;

	bystanders_open(&all, "limits:\n  address_handshakes: 100\nsession:\n  shut_out: 1 h\n");
	storm(&all, false);
	CHECK_INT(tool_figure(&all.bus, NULL, "\"networks_kept_out\":"), 1);
	CHECK_INT(tool_figure(&all.bus, NULL, "\"door_closed\":"), 0);
	CHECK(tool_figure(&all.bus, NULL, "\"connections_hasty\":") <= LATE);
	/* Whoever comes from elsewhere meanwhile comes in at once. */
	comes_in(&all);
	told(&all);
	bystanders_undisturbed(&all);
	bystanders_close(&all);
}

static void all_the_world_storms_and_has_to_wait(void)
{
	struct bystanders all;

	bystanders_open(&all, "limits:\n  handshakes: 20\n");
	storm(&all, true);
	CHECK(tool_figure(&all.bus, NULL, "\"door_closed\":") > 0);
	CHECK_INT(tool_figure(&all.bus, NULL, "\"networks_kept_out\":"), 0);
	CHECK(tool_figure(&all.bus, NULL, "\"connections_hasty\":") <= LATE);
	told(&all);
	/* It is over, so newcomers come in: TCP asked again by itself. */
	comes_in(&all);
	bystanders_undisturbed(&all);
	bystanders_files_closed(&all);
	bystanders_close(&all);
}

CHECK_MAIN(CHECK_CASE(one_address_storms_and_is_kept_out),
	CHECK_CASE(all_the_world_storms_and_has_to_wait))
