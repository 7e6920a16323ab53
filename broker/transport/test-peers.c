/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Real connections over the loopback, of several addresses: who is cut sees the end of its stream, and nobody else
 * does.
 */
#include "broker/transport/peers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test/kit/check.h"

enum { ENDS_MAX = 32, SECOND = 1000000000 };

/* A door, and who came through it: our end as ZeroMQ has it, and theirs. */
struct street {
	int door;
	struct sockaddr_in at;
	size_t count;
	int ours[ENDS_MAX], theirs[ENDS_MAX];
};

static void street_open(struct street *street)
{
	socklen_t size = sizeof(street->at);
	*street = (struct street){.at = {.sin_family = AF_INET}};
	street->at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	street->door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(street->door >= 0);
	CHECK_INT(bind(street->door, (struct sockaddr *)&street->at, size), 0);
	CHECK_INT(getsockname(street->door, (struct sockaddr *)&street->at, &size), 0);
	CHECK_INT(listen(street->door, ENDS_MAX), 0);
}

static void street_close(struct street *street)
{
	for (size_t i = 0; i < street->count; i++) {
		close(street->ours[i]);
		close(street->theirs[i]);
	}
	close(street->door);
}

/* Somebody of 127.0.0.@house comes. Return: its place in the street. */
static size_t come(struct street *street, struct peers *peers, uint8_t house, uint64_t now_ns)
{
	struct sockaddr_in from = {.sin_family = AF_INET};
	size_t at = street->count++;
	CHECK(at < ENDS_MAX);
	from.sin_addr.s_addr = htonl((UINT32_C(127) << 24) + house);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(fd >= 0);
	CHECK_INT(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	CHECK_INT(connect(fd, (struct sockaddr *)&street->at, sizeof(street->at)), 0);
	street->theirs[at] = fd;
	street->ours[at] = accept4(street->door, NULL, NULL, SOCK_CLOEXEC);
	CHECK(street->ours[at] >= 0);
	peers_opened(peers, street->ours[at], now_ns);
	return at;
}

static bool is_cut(const struct street *street, size_t at)
{
	struct pollfd end = {.fd = street->theirs[at], .events = POLLIN};
	char byte;
	return poll(&end, 1, 0) == 1 && recv(street->theirs[at], &byte, 1, MSG_DONTWAIT) == 0;
}

static struct peers *peers_of(size_t all, size_t address)
{
	struct peers *peers;
	const struct peers_limits limits = {.all = all, .address = address, .silent_ns = SECOND};
	CHECK_INT(peers_new(&limits, &peers), 0);
	return peers;
}

static void the_oldest_without_a_session_makes_room(void)
{
	_cleanup_(peers_free) struct peers *peers = peers_of(100, 3);
	struct street street;
	street_open(&street);
	size_t first = come(&street, peers, 1, 1), second = come(&street, peers, 1, 2);
	size_t third = come(&street, peers, 1, 3);
	peers_session_opened(peers, street.ours[first], 7);
	size_t other = come(&street, peers, 2, 4), fourth = come(&street, peers, 1, 5);
	CHECK_INT(peers_counts(peers)->crowded, 0);

	size_t fifth = come(&street, peers, 1, 6);
	CHECK(is_cut(&street, second));
	CHECK(!is_cut(&street, first) && !is_cut(&street, third) && !is_cut(&street, other));
	CHECK(!is_cut(&street, fourth) && !is_cut(&street, fifth));
	CHECK_INT(peers_counts(peers)->open, 5);

	/* Who has a session is in nobody's place. */
	peers_session_opened(peers, street.ours[third], 8);
	peers_session_opened(peers, street.ours[fourth], 9);
	for (uint64_t i = 0; i < 2; i++)
		come(&street, peers, 1, 7 + i);
	CHECK_INT(peers_counts(peers)->crowded, 1);
	size_t last = come(&street, peers, 1, 9);
	CHECK(is_cut(&street, fifth) && !is_cut(&street, last));
	CHECK_INT(peers_counts(peers)->crowded, 2);

	/* What is closed makes room, too, and is not counted twice. */
	peers_closed(peers, street.ours[second]);
	peers_closed(peers, street.ours[last]);
	peers_closed(peers, street.ours[last]);
	CHECK_INT(peers_counts(peers)->open, 6);
	come(&street, peers, 1, 10);
	CHECK_INT(peers_counts(peers)->crowded, 2);
	street_close(&street);
}

static void all_addresses_together_are_bounded(void)
{
	_cleanup_(peers_free) struct peers *peers = peers_of(4, 3);
	struct street street;
	size_t at[8];
	street_open(&street);
	for (uint8_t i = 0; i < 8; i++) {
		at[i] = come(&street, peers, (uint8_t)(1 + i), 1 + i);
		if (i == 0)
			peers_session_opened(peers, street.ours[at[0]], 1);
	}
	CHECK(!is_cut(&street, at[0]));
	for (size_t i = 1; i < 5; i++)
		CHECK(is_cut(&street, at[i]));
	for (size_t i = 5; i < 8; i++)
		CHECK(!is_cut(&street, at[i]));
	CHECK_INT(peers_counts(peers)->open, 4);
	CHECK_INT(peers_counts(peers)->crowded, 4);
	street_close(&street);
}

static void silence_is_not_waited_for(void)
{
	_cleanup_(peers_free) struct peers *peers = peers_of(100, 100);
	struct street street;
	street_open(&street);
	size_t silent = come(&street, peers, 1, SECOND), late = come(&street, peers, 1, SECOND + 10);
	size_t speaks = come(&street, peers, 1, SECOND);
	peers_session_opened(peers, street.ours[speaks], 1);
	peers_tick(peers, 2 * (uint64_t)SECOND - 1);
	CHECK(!is_cut(&street, silent));
	peers_tick(peers, 2 * (uint64_t)SECOND);
	CHECK(is_cut(&street, silent));
	CHECK(!is_cut(&street, late) && !is_cut(&street, speaks));

	/* The end of an earlier session is not that of the one that it has now. */
	peers_session_opened(peers, street.ours[speaks], 2);
	peers_session_ended(peers, street.ours[speaks], 1, 3 * (uint64_t)SECOND);
	peers_tick(peers, 9 * (uint64_t)SECOND);
	CHECK(!is_cut(&street, speaks));
	peers_session_ended(peers, street.ours[speaks], 2, 9 * (uint64_t)SECOND);
	peers_tick(peers, 10 * (uint64_t)SECOND);
	CHECK(is_cut(&street, speaks));
	CHECK_INT(peers_counts(peers)->silent, 3);
	CHECK_INT(peers_counts(peers)->open, 0);
	street_close(&street);
}

/* A number that another connection has by now: that one is not cut in the place of the one that has gone. */
static void a_descriptor_that_was_given_anew_is_left_alone(void)
{
	_cleanup_(peers_free) struct peers *peers = peers_of(100, 100);
	struct street street;
	street_open(&street);
	size_t gone = come(&street, peers, 1, 1);
	_cleanup_(peers_free) struct peers *elsewhere = peers_of(100, 100);
	size_t heir = come(&street, elsewhere, 2, 1);
	CHECK_INT(dup2(street.ours[heir], street.ours[gone]), street.ours[gone]);
	peers_tick(peers, 5 * (uint64_t)SECOND);
	CHECK(!is_cut(&street, heir));
	CHECK_INT(peers_counts(peers)->silent, 0);
	CHECK_INT(peers_counts(peers)->open, 0);

	/* Neither a file nor a local socket is a peer. */
	int pair[2];
	CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	peers_opened(peers, pair[0], 1);
	peers_opened(peers, -1, 1);
	CHECK_INT(peers_counts(peers)->open, 0);
	close(pair[0]);
	close(pair[1]);
	street_close(&street);
}

/* What is on its way belongs to the connection, whatever sessions come and go on it. */
static void a_connection_has_one_tally(void)
{
	_cleanup_(peers_free) struct peers *peers = peers_of(100, 50);
	struct street street;
	street_open(&street);
	size_t first = come(&street, peers, 1, 1), second = come(&street, peers, 1, 2);
	struct tally *tally = peers_tally(peers, street.ours[first]);
	peers_session_opened(peers, street.ours[first], 7);
	tally_add(tally, 100);
	peers_session_ended(peers, street.ours[first], 7, 3);
	tally_drop(tally);
	struct tally *again = peers_tally(peers, street.ours[first]);
	CHECK_INT(tally_bytes(again), 100);
	struct tally *other = peers_tally(peers, street.ours[second]);
	CHECK_INT(tally_bytes(other), 0);
	peers_closed(peers, street.ours[first]);
	struct tally *anew = peers_tally(peers, street.ours[first]);
	CHECK_INT(tally_bytes(anew), 0);
	tally_take(again, 100);
	tally_drop(again);
	tally_drop(other);
	tally_drop(anew);
	street_close(&street);
}

CHECK_MAIN(CHECK_CASE(the_oldest_without_a_session_makes_room),
	CHECK_CASE(all_addresses_together_are_bounded), CHECK_CASE(silence_is_not_waited_for),
	CHECK_CASE(a_descriptor_that_was_given_anew_is_left_alone),
	CHECK_CASE(a_connection_has_one_tally))
