/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * ZeroMQ accepts and shakes hands in its own thread, and asks nobody before: by the time that we hear of a
 * connection its handshake may be half done. So whoever comes too often is stopped one step earlier, by a filter on
 * the listening socket, a short program of the kernel's that looks at each segment: one that asks for a
 * connection (SYN without ACK) from a network that is kept out is dropped, and whoever sent it asks again, less and
 * less often, as TCP does. Where the kernel takes no filter, connections are cut once they are accepted, which is
 * most of what they cost but not all.
 *
 * Counts are buckets that run empty at the rate that is allowed: level is how long that takes.
 */
#include "broker/transport/door.h"

#include <errno.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "proto/base/bytes.h"
#include "proto/base/log.h"

enum {
	FLAGS_AT = 13, /* in the TCP header */
	FLAG_SYN = 0x02,
	FLAG_ACK = 0x10,
	IPV4_FROM = 12, /* in the IP header */
	IPV6_FROM = 8,
	FILTER_MAX = 16 + 5 * DOOR_NETWORKS_MAX,
	ALL_BURST_S = 2,
};
static const uint64_t second_ns = UINT64_C(1000000000);
static const uint64_t minute_ns = UINT64_C(60000000000);
static const uint8_t mapped[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct bucket {
	uint64_t level_ns;
	uint64_t at_ns;
};

struct network {
	uint8_t address[DOOR_NETWORK_SIZE];
	struct bucket bucket;
	uint64_t out_until_ns; /* 0: it may come */
};

struct door {
	struct door_limits limits;
	struct door_counts counts;
	struct bucket all;
	bool closed; /* to everybody new */
	int listening[DOOR_LISTENING_MAX];
	size_t listening_count;
	bool failed; /* the kernel takes no filter: told once */
	size_t count;
	struct network networks[DOOR_NETWORKS_MAX];
	struct sock_filter filter[FILTER_MAX];
};

int door_new(const struct door_limits *limits, struct door **ret)
{
	struct door *door = calloc(1, sizeof(*door));
	if (!door)
		return -ENOMEM;
	door->limits = *limits;
	*ret = door;
	return 0;
}

void door_free(struct door *door)
{
	free(door);
}

const struct door_counts *door_counts(const struct door *door)
{
	return &door->counts;
}

/* ---- buckets ---- */

static void bucket_run(struct bucket *bucket, uint64_t now_ns)
{
	uint64_t gone = now_ns - bucket->at_ns;
	bucket->level_ns -= gone < bucket->level_ns ? gone : bucket->level_ns;
	bucket->at_ns = now_ns;
}

static uint64_t network_cost(const struct door *door)
{
	return minute_ns / door->limits.network_minute;
}

static uint64_t all_cost(const struct door *door)
{
	return second_ns / door->limits.all_second;
}

/* ---- the filter ---- */

struct program {
	struct sock_filter *code;
	size_t count;
};

static void put(struct program *program, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
	program->code[program->count++] = (struct sock_filter){code, yes, no, k};
}

static void load(struct program *program, uint16_t size, uint32_t at)
{
	put(program, BPF_LD | BPF_ABS | size, at, 0, 0);
}

/* The next @yes or @no instructions are passed over. */
static void if_equal(struct program *program, uint32_t k, uint8_t yes, uint8_t no)
{
	put(program, BPF_JMP | BPF_JEQ | BPF_K, k, yes, no);
}

static void finish(struct program *program, bool keep)
{
	put(program, BPF_RET | BPF_K, keep ? UINT32_MAX : 0, 0, 0);
}

static bool is_ipv4(const struct network *network)
{
	return memcmp(network->address, mapped, sizeof(mapped)) == 0;
}

static void networks_put(const struct door *door, struct program *program, bool ipv4)
{
	if (ipv4)
		load(program, BPF_W, (uint32_t)SKF_NET_OFF + IPV4_FROM);
	for (size_t i = 0; i < door->count; i++) {
		const struct network *network = &door->networks[i];
		if (network->out_until_ns == 0 || is_ipv4(network) != ipv4)
			continue;
		if (ipv4) {
			if_equal(program, be32_get(network->address + sizeof(mapped)), 0, 1);
		} else {
			load(program, BPF_W, (uint32_t)SKF_NET_OFF + IPV6_FROM);
			if_equal(program, be32_get(network->address), 0, 3);
			load(program, BPF_W, (uint32_t)SKF_NET_OFF + IPV6_FROM + 4);
			if_equal(program, be32_get(network->address + 4), 0, 1);
		}
		finish(program, false);
	}
	finish(program, true);
}

static size_t filter_make(struct door *door)
{
	struct program program = {.code = door->filter};
	load(&program, BPF_B, FLAGS_AT);
	put(&program, BPF_ALU | BPF_AND | BPF_K, FLAG_SYN | FLAG_ACK, 0, 0);
	if_equal(&program, FLAG_SYN, 1, 0);
	finish(&program, true);
	if (door->closed) {
		finish(&program, false);
		return program.count;
	}
	load(&program, BPF_B, (uint32_t)SKF_NET_OFF);
	put(&program, BPF_ALU | BPF_RSH | BPF_K, 4, 0, 0);
	if_equal(&program, 4, 1, 0); /* the version of IP */
	put(&program, BPF_JMP | BPF_JA, 0, 0, 0);
	size_t jump = program.count - 1;
	networks_put(door, &program, true);
	program.code[jump].k = (uint32_t)(program.count - jump - 1);
	networks_put(door, &program, false);
	return program.count;
}

static bool is_needed(const struct door *door)
{
	bool needed = door->closed;
	for (size_t i = 0; i < door->count; i++)
		needed |= door->networks[i].out_until_ns != 0;
	return needed;
}

static void filter_set(struct door *door)
{
	int none = 0, r = 0;
	bool needed = is_needed(door);
	struct sock_fprog program = {
		.len = needed ? (unsigned short)filter_make(door) : 0, .filter = door->filter};
	for (size_t i = 0; i < door->listening_count; i++)
		r |= needed ? setsockopt(door->listening[i], SOL_SOCKET, SO_ATTACH_FILTER, &program,
				      sizeof(program))
			    : setsockopt(door->listening[i], SOL_SOCKET, SO_DETACH_FILTER, &none,
				      sizeof(none));
	if (r != 0 && needed && !door->failed)
		log_warn("transport",
			"the kernel takes no filter for the listening socket: connections that "
			"come too "
			"often are cut when they are accepted, which costs more",
			F_ERR(-errno));
	door->failed |= r != 0 && needed;
}

/* ---- who knocks ---- */

void door_listening(struct door *door, int fd)
{
	int domain = 0;
	socklen_t size = sizeof(domain);
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 ||
		(domain != AF_INET && domain != AF_INET6) ||
		door->listening_count == DOOR_LISTENING_MAX)
		return;
	door->listening[door->listening_count++] = fd;
	if (is_needed(door))
		filter_set(door);
}

/* Its place; a new one takes that of the quietest. NULL: all others are kept out. */
static struct network *network_find(
	struct door *door, const uint8_t address[DOOR_NETWORK_SIZE], uint64_t now_ns)
{
	struct network *quiet = NULL;
	for (size_t i = 0; i < door->count; i++) {
		struct network *network = &door->networks[i];
		if (memcmp(network->address, address, DOOR_NETWORK_SIZE) == 0)
			return network;
		bucket_run(&network->bucket, now_ns);
		if (network->out_until_ns == 0 &&
			(!quiet || network->bucket.level_ns < quiet->bucket.level_ns))
			quiet = network;
	}
	if (door->count < DOOR_NETWORKS_MAX)
		quiet = &door->networks[door->count++];
	if (!quiet)
		return NULL;
	*quiet = (struct network){.bucket = {.at_ns = now_ns}};
	memcpy(quiet->address, address, DOOR_NETWORK_SIZE);
	return quiet;
}

/* Return: true when this one is kept out from now on, or was already. */
static bool network_is_over(struct door *door, struct network *network, uint64_t now_ns)
{
	bucket_run(&network->bucket, now_ns);
	network->bucket.level_ns += network_cost(door);
	if (network->bucket.level_ns <= minute_ns)
		return network->out_until_ns != 0;
	/* However many came, out_ns from the last one on is enough. */
	network->bucket.level_ns = minute_ns;
	if (network->out_until_ns == 0)
		door->counts.out++;
	network->out_until_ns = now_ns + door->limits.out_ns;
	return true;
}

bool door_knock(struct door *door, const uint8_t address[DOOR_NETWORK_SIZE], uint64_t now_ns)
{
	struct network *network = network_find(door, address, now_ns);
	bool was_out = network && network->out_until_ns != 0, was_closed = door->closed;
	bool over = network && network_is_over(door, network, now_ns);
	bucket_run(&door->all, now_ns);
	door->all.level_ns += all_cost(door);
	/* However many came nevertheless, it is made up for soon. */
	if (door->all.level_ns > 2 * ALL_BURST_S * second_ns)
		door->all.level_ns = 2 * ALL_BURST_S * second_ns;
	door->closed |= door->all.level_ns > ALL_BURST_S * second_ns;
	door->counts.closed += door->closed && !was_closed;
	door->counts.hasty += over || was_closed;
	if (over != was_out || door->closed != was_closed)
		filter_set(door);
	return !over && !was_closed;
}

void door_tick(struct door *door, uint64_t now_ns)
{
	bool changed = false;
	bucket_run(&door->all, now_ns);
	if (door->closed && door->all.level_ns <= ALL_BURST_S * second_ns / 2) {
		door->closed = false;
		changed = true;
	}
	for (size_t i = 0; i < door->count; i++) {
		struct network *network = &door->networks[i];
		if (network->out_until_ns == 0 || now_ns < network->out_until_ns)
			continue;
		network->out_until_ns = 0;
		changed = true;
	}
	if (changed)
		filter_set(door);
}
