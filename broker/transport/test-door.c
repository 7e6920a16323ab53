/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Real sockets over the loopback, where the kernel answers who asks for a connection before connect() returns: so who
 * was not answered by the time that somebody else was, has been dropped.
 */
#include "broker/transport/door.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/base/bytes.h"
#include "test/kit/check.h"

enum { LISTEN_MAX = 64, WAIT_MS = 20000, MINUTE_MAX = 10, SECOND_MAX = 50 };
static const uint64_t second_ns = UINT64_C(1000000000);
static const struct door_limits usual = {
	.network_minute = MINUTE_MAX, .all_second = SECOND_MAX, .out_ns = UINT64_C(30000000000)};

struct house {
	int listening;
	in_port_t port;
	struct door *door;
};

static void house_open(struct house *house, const struct door_limits *limits)
{
	struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = in6addr_any};
	socklen_t size = sizeof(at);
	int no = 0;
	house->listening = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(house->listening >= 0);
	CHECK_INT(setsockopt(house->listening, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no)), 0);
	CHECK_INT(bind(house->listening, (struct sockaddr *)&at, size), 0);
	CHECK_INT(getsockname(house->listening, (struct sockaddr *)&at, &size), 0);
	CHECK_INT(listen(house->listening, LISTEN_MAX), 0);
	house->port = at.sin6_port;
	CHECK_INT(door_new(limits, &house->door), 0);
	door_listening(house->door, house->listening);
}

static void house_close(struct house *house)
{
	door_free(house->door);
	close(house->listening);
}

/* How the door knows who comes from 127.0.0.@host, and who from ::1. */
static const uint8_t *ipv4(uint8_t host)
{
	static uint8_t address[DOOR_NETWORK_SIZE];
	static const uint8_t begin[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0};
	memcpy(address, begin, sizeof(begin));
	address[DOOR_NETWORK_SIZE - 1] = host;
	return address;
}
static const uint8_t ipv6[DOOR_NETWORK_SIZE];

/* Begins to connect from 127.0.0.@host. */
static int come(const struct house *house, uint8_t host)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = house->port}, from = to;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	from.sin_addr.s_addr = htonl((UINT32_C(127) << 24) + host);
	from.sin_port = 0;
	CHECK(fd >= 0);
	CHECK_INT(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	CHECK(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 || errno == EINPROGRESS);
	return fd;
}

static int come_ipv6(const struct house *house)
{
	struct sockaddr_in6 to = {
		.sin6_family = AF_INET6, .sin6_port = house->port, .sin6_addr = in6addr_loopback};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	CHECK(fd >= 0);
	CHECK(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 || errno == EINPROGRESS);
	return fd;
}

static bool is_in(int fd, int wait_ms)
{
	struct pollfd look = {.fd = fd, .events = POLLOUT};
	int error = 0;
	socklen_t size = sizeof(error);
	return poll(&look, 1, wait_ms) == 1 &&
	       getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

static void let_in(const struct house *house, uint8_t host)
{
	int fd = come(house, host);
	CHECK(is_in(fd, WAIT_MS));
	close(fd);
}

/* As often as it likes within the limit; the next one is one too many. */
static void knock_too_often(struct house *house, const uint8_t *network, uint64_t now)
{
	for (size_t i = 0; i < MINUTE_MAX; i++)
		CHECK(door_knock(house->door, network, now));
	CHECK(!door_knock(house->door, network, now));
}

static void who_comes_too_often_is_kept_out_for_a_while(void)
{
	struct house house;
	uint64_t now = 1000 * second_ns;
	char byte = 'x';
	house_open(&house, &usual);
	int before = come(&house, 7);
	CHECK(is_in(before, WAIT_MS));
	int served = accept(house.listening, NULL, NULL);
	CHECK(served >= 0);
	knock_too_often(&house, ipv4(7), now);
	int after = come(&house, 7);
	let_in(&house, 8);
	CHECK(!is_in(after, 0));
	/* What it has goes on. */
	CHECK_INT(send(before, &byte, 1, MSG_NOSIGNAL), 1);
	struct pollfd look = {.fd = served, .events = POLLIN};
	CHECK_INT(poll(&look, 1, WAIT_MS), 1);
	CHECK_INT(recv(served, &byte, 1, 0), 1);
	CHECK_INT(door_counts(house.door)->out, 1);
	CHECK_INT(door_counts(house.door)->hasty, 1);
	/* TCP asks again by itself. */
	door_tick(house.door, now + usual.out_ns - 1);
	let_in(&house, 8);
	CHECK(!is_in(after, 0));
	door_tick(house.door, now + usual.out_ns);
	CHECK(is_in(after, WAIT_MS));
	CHECK(door_knock(house.door, ipv4(7), now + usual.out_ns));
	close(after);
	close(before);
	close(served);
	house_close(&house);
}

static void both_kinds_of_addresses_are_told_apart(void)
{
	struct house house;
	uint64_t now = 1000 * second_ns;
	house_open(&house, &usual);
	int first = come_ipv6(&house);
	if (!is_in(first, WAIT_MS)) {
		printf("# this machine has no IPv6: skipped\n");
		close(first);
		house_close(&house);
		return;
	}
	knock_too_often(&house, ipv6, now);
	int other = come_ipv6(&house);
	let_in(&house, 1);
	CHECK(!is_in(other, 0));
	now += 60 * second_ns;
	door_tick(house.door, now);
	knock_too_often(&house, ipv4(1), now);
	int mapped = come(&house, 1);
	CHECK(is_in(other, WAIT_MS));
	CHECK(!is_in(mapped, 0));
	close(mapped);
	close(other);
	close(first);
	house_close(&house);
}

/* A crowd of many networks: nobody new comes in until that is made up for, then everybody does again. */
static void a_crowd_closes_the_door_for_a_moment(void)
{
	enum { CROWD = 2 * SECOND_MAX };
	struct house house;
	uint64_t now = 1000 * second_ns;
	house_open(&house, &usual);
	for (size_t i = 0; i < CROWD + 1; i++)
		CHECK(door_knock(house.door, ipv4((uint8_t)i), now));
	CHECK(!door_knock(house.door, ipv4(200), now)); /* it was accepted before */
	int late = come(&house, 201);
	door_tick(house.door, now + second_ns / 2);
	CHECK(!is_in(late, 0));
	door_tick(house.door, now + 2 * second_ns);
	let_in(&house, 202);
	CHECK(is_in(late, WAIT_MS));
	CHECK_INT(door_counts(house.door)->closed, 1);
	CHECK_INT(door_counts(house.door)->out, 0);
	/* Where no filter keeps them from being accepted, they are cut, and it is over all the same. */
	now += 60 * second_ns;
	for (size_t i = 0; i < 100 * (size_t)CROWD; i++)
		(void)door_knock(house.door, ipv4((uint8_t)(i % 100)), now);
	int later = come(&house, 203);
	door_tick(house.door, now + 5 * second_ns);
	let_in(&house, 202);
	CHECK(is_in(later, WAIT_MS));
	close(later);
	close(late);
	house_close(&house);
}

/* Nobody is kept out for being one of many, and who is kept out stays so, however many come. */
static void a_crowd_is_bounded(void)
{
	enum { CROWD = 4 * DOOR_NETWORKS_MAX };
	static const struct door_limits wide = {.network_minute = MINUTE_MAX,
		.all_second = 1000000,
		.out_ns = UINT64_C(30000000000)};
	struct house house;
	uint64_t now = 1000 * second_ns;
	uint8_t network[DOOR_NETWORK_SIZE] = {0x20, 0x01};
	house_open(&house, &wide);
	knock_too_often(&house, ipv4(7), now);
	for (uint32_t i = 0; i < CROWD; i++) {
		be32_put(network + 4, i);
		CHECK(door_knock(house.door, network, now));
	}
	int fd = come(&house, 7);
	let_in(&house, 8);
	CHECK(!is_in(fd, 0));
	/* All of its places taken by such as are kept out, the door still works, and the filter is not too long. */
	for (uint32_t i = 0; i < CROWD; i++) {
		be32_put(network + 4, i);
		for (size_t k = 0; k <= MINUTE_MAX; k++)
			(void)door_knock(house.door, network, now);
	}
	CHECK(door_counts(house.door)->out <= DOOR_NETWORKS_MAX);
	CHECK(door_counts(house.door)->out > DOOR_NETWORKS_MAX / 2);
	let_in(&house, 8);
	CHECK(!is_in(fd, 0));
	close(fd);
	house_close(&house);
}

CHECK_MAIN(CHECK_CASE(who_comes_too_often_is_kept_out_for_a_while),
	CHECK_CASE(both_kinds_of_addresses_are_told_apart),
	CHECK_CASE(a_crowd_closes_the_door_for_a_moment), CHECK_CASE(a_crowd_is_bounded))
