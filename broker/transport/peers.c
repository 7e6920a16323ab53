/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * ZeroMQ accepts whoever knocks, without a limit, and tells which descriptor it was. A connection that is shut
 * down ends like one that was lost, so that is the way to close one from here. The number may be another
 * connection's by the time that we act: hence the address and port of the other end are noted, and what is not
 * the same any more is forgotten instead. In the moment in between somebody else's connection could still be
 * cut; it dials again.
 *
 * Descriptors are small numbers, so the table is indexed by them.
 *
 * Sessions do not count against their address: parties are known and each has one, and a hundred adapters may stand
 * behind one address.
 */
#include "broker/transport/peers.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <sys/socket.h>

#include "proto/base/bytes.h"

enum { NONE = -1, BUCKETS = 1024, ADDRESS_SIZE = 16, NETWORK_SIZE = 8, PEERS_MIN = 64 };

/* The other end of a connection. */
struct end {
	uint8_t address[ADDRESS_SIZE]; /* as IPv6 */
	in_port_t port;
};

struct links {
	int before, after;
};

struct peer {
	bool known;
	bool cut;
	struct end end;
	uint64_t serial;     /* of its session; 0: none */
	uint64_t since_ns;   /* without a session */
	struct tally *tally; /* over all of its sessions; NULL: none was needed yet */
	struct links chain;  /* of its address's bucket */
	struct links wait;   /* of those without a session, oldest first */
};

struct peers {
	struct peers_limits limits;
	struct peers_counts counts;
	struct peer *all; /* by descriptor */
	int size;
	int buckets[BUCKETS];
	int waiting_first, waiting_last;
};

int peers_new(const struct peers_limits *limits, struct peers **ret)
{
	struct peers *peers = calloc(1, sizeof(*peers));
	if (!peers)
		return -ENOMEM;
	peers->limits = *limits;
	peers->waiting_first = peers->waiting_last = NONE;
	for (size_t i = 0; i < BUCKETS; i++)
		peers->buckets[i] = NONE;
	*ret = peers;
	return 0;
}

void peers_free(struct peers *peers)
{
	if (!peers)
		return;
	for (int fd = 0; fd < peers->size; fd++)
		tally_drop(peers->all[fd].tally);
	free(peers->all);
	free(peers);
}

const struct peers_counts *peers_counts(const struct peers *peers)
{
	return &peers->counts;
}

/* ---- ends ---- */

/* How an IPv4 address looks as an IPv6 one. */
static const uint8_t mapped[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* Return: false when there is no TCP connection behind it. */
static bool end_read(int fd, struct end *ret)
{
	struct sockaddr_storage peer;
	socklen_t size = sizeof(peer);
	*ret = (struct end){};
	if (getpeername(fd, (struct sockaddr *)&peer, &size) != 0)
		return false;
	if (peer.ss_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)&peer;
		memcpy(ret->address, mapped, sizeof(mapped));
		memcpy(ret->address + sizeof(mapped), &in->sin_addr, sizeof(in->sin_addr));
		ret->port = in->sin_port;
		return true;
	}
	const struct sockaddr_in6 *in6 = (const void *)&peer;
	if (peer.ss_family != AF_INET6)
		return false;
	memcpy(ret->address, &in6->sin6_addr, ADDRESS_SIZE);
	ret->port = in6->sin6_port;
	return true;
}

static bool is_mapped(const struct end *end)
{
	return memcmp(end->address, mapped, sizeof(mapped)) == 0;
}

/* One machine has 2^64 addresses of IPv6, if it likes. */
static size_t network_size(const struct end *end)
{
	return is_mapped(end) ? ADDRESS_SIZE : NETWORK_SIZE;
}

static void network_of(const struct end *end, uint8_t ret[DOOR_NETWORK_SIZE])
{
	static_assert(
		(int)DOOR_NETWORK_SIZE == (int)ADDRESS_SIZE, "a network fits into an address");
	memset(ret, 0, DOOR_NETWORK_SIZE);
	memcpy(ret, end->address, network_size(end));
}

static bool same_network(const struct end *a, const struct end *b)
{
	return is_mapped(a) == is_mapped(b) && memcmp(a->address, b->address, network_size(a)) == 0;
}

static int *bucket_of(struct peers *peers, const struct end *end)
{
	uint32_t hash = bytes_hash(BYTES(end->address, network_size(end)));
	return &peers->buckets[(hash >> 16 ^ hash) % BUCKETS];
}

/* ---- the table ---- */

static struct peer *peer_at(struct peers *peers, int fd)
{
	return fd >= 0 && fd < peers->size && peers->all[fd].known ? &peers->all[fd] : NULL;
}

static bool reach(struct peers *peers, int fd)
{
	int size = peers->size ? peers->size : PEERS_MIN;
	while (size <= fd)
		size *= 2;
	if (size == peers->size)
		return true;
	struct peer *all = reallocarray(peers->all, (size_t)size, sizeof(*all));
	if (!all)
		return false;
	memset(all + peers->size, 0, (size_t)(size - peers->size) * sizeof(*all));
	peers->all = all;
	peers->size = size;
	return true;
}

static void chain_add(struct peers *peers, int fd)
{
	struct peer *peer = &peers->all[fd];
	int *bucket = bucket_of(peers, &peer->end);
	peer->chain = (struct links){.before = NONE, .after = *bucket};
	if (*bucket != NONE)
		peers->all[*bucket].chain.before = fd;
	*bucket = fd;
}

static void chain_remove(struct peers *peers, int fd)
{
	struct links links = peers->all[fd].chain;
	if (links.before == NONE)
		*bucket_of(peers, &peers->all[fd].end) = links.after;
	else
		peers->all[links.before].chain.after = links.after;
	if (links.after != NONE)
		peers->all[links.after].chain.before = links.before;
}

static void waiting_add(struct peers *peers, int fd, uint64_t now_ns)
{
	struct peer *peer = &peers->all[fd];
	peer->since_ns = now_ns;
	peer->wait = (struct links){.before = peers->waiting_last, .after = NONE};
	if (peers->waiting_last == NONE)
		peers->waiting_first = fd;
	else
		peers->all[peers->waiting_last].wait.after = fd;
	peers->waiting_last = fd;
}

static void waiting_remove(struct peers *peers, int fd)
{
	struct links links = peers->all[fd].wait;
	if (links.before == NONE)
		peers->waiting_first = links.after;
	else
		peers->all[links.before].wait.after = links.after;
	if (links.after == NONE)
		peers->waiting_last = links.before;
	else
		peers->all[links.after].wait.before = links.before;
}

static void forget(struct peers *peers, int fd)
{
	struct peer *peer = &peers->all[fd];
	if (!peer->cut) {
		peers->counts.open--;
		chain_remove(peers, fd);
		if (peer->serial == 0)
			waiting_remove(peers, fd);
	}
	tally_drop(steal(&peer->tally));
	peer->known = false;
}

/* It does not count any more; that it is closed is told later. */
static void cut(struct peers *peers, int fd, uint64_t *counter)
{
	struct peer *peer = &peers->all[fd];
	struct end end;
	bool same = end_read(fd, &end) && end.port == peer->end.port &&
		    memcmp(end.address, peer->end.address, ADDRESS_SIZE) == 0;
	forget(peers, fd);
	if (!same)
		return;
	peer->known = peer->cut = true;
	++*counter;
	shutdown(fd, SHUT_RDWR);
}

/* ---- limits ---- */

/* How many without a session there are of this one's address; *@ret_oldest: which has been so for longest. */
static size_t address_count(struct peers *peers, const struct peer *newcomer, int *ret_oldest)
{
	size_t count = 0;
	*ret_oldest = NONE;
	for (int fd = *bucket_of(peers, &newcomer->end); fd != NONE;
		fd = peers->all[fd].chain.after) {
		const struct peer *peer = &peers->all[fd];
		if (peer->serial != 0 || !same_network(&peer->end, &newcomer->end))
			continue;
		count++;
		if (*ret_oldest == NONE || peer->since_ns < peers->all[*ret_oldest].since_ns)
			*ret_oldest = fd;
	}
	return count;
}

void peers_opened(struct peers *peers, int fd, uint64_t now_ns)
{
	int oldest;
	struct end end;
	peers_closed(peers, fd);
	if (fd < 0 || !end_read(fd, &end))
		return;
	uint8_t network[DOOR_NETWORK_SIZE];
	network_of(&end, network);
	if (peers->limits.door && !door_knock(peers->limits.door, network, now_ns)) {
		shutdown(fd, SHUT_RDWR);
		return;
	}
	if (!reach(peers, fd)) {
		shutdown(fd, SHUT_RDWR); /* what cannot be counted is not let in */
		peers->counts.crowded++;
		return;
	}
	struct peer *peer = &peers->all[fd];
	*peer = (struct peer){.known = true, .end = end};
	peers->counts.open++;
	chain_add(peers, fd);
	waiting_add(peers, fd, now_ns);
	/* The newcomer itself is without a session, so there is always one. */
	if (address_count(peers, peer, &oldest) > peers->limits.address)
		cut(peers, oldest, &peers->counts.crowded);
	else if (peers->counts.open > peers->limits.all)
		cut(peers, peers->waiting_first, &peers->counts.crowded);
}

void peers_closed(struct peers *peers, int fd)
{
	if (peer_at(peers, fd))
		forget(peers, fd);
}

void peers_session_opened(struct peers *peers, int fd, uint64_t serial)
{
	struct peer *peer = peer_at(peers, fd);
	if (!peer || peer->cut)
		return;
	if (peer->serial == 0)
		waiting_remove(peers, fd);
	peer->serial = serial;
}

void peers_session_ended(struct peers *peers, int fd, uint64_t serial, uint64_t now_ns)
{
	struct peer *peer = peer_at(peers, fd);
	if (!peer || peer->cut || peer->serial != serial || serial == 0)
		return;
	peer->serial = 0;
	waiting_add(peers, fd, now_ns);
}

struct tally *peers_tally(struct peers *peers, int fd)
{
	struct peer *peer = peer_at(peers, fd);
	if (!peer || peer->cut)
		return tally_new(); /* nobody else counts there */
	if (!peer->tally)
		peer->tally = tally_new();
	return peer->tally ? tally_hold(peer->tally) : NULL;
}

void peers_tick(struct peers *peers, uint64_t now_ns)
{
	while (peers->waiting_first != NONE) {
		int fd = peers->waiting_first;
		if (now_ns - peers->all[fd].since_ns < peers->limits.silent_ns)
			return;
		cut(peers, fd, &peers->counts.silent);
	}
}
