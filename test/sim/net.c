/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Frames of one connection keep their order, those of different ones do not: each takes its own time. A cut
 * loses what is under way in both directions; both ends learn of it as they do from ZeroMQ, by nothing but
 * silence and a new connection.
 */
#include "test/sim/net.h"

#include <stdlib.h>

#include "test/kit/check.h"
#include "test/sim/machine.h"

enum { FRAME_NS_MIN = 20000, DIAL_NS_MIN = 1000000, DIAL_NS_MAX = 2000000000 };

static struct net the_net;

struct net *net_now(void)
{
	return &the_net;
}

/* ---- packets ---- */

struct packet *packet_new(size_t len)
{
	struct packet *packet = malloc(sizeof(*packet) + len);
	CHECK(packet);
	*packet = (struct packet){.len = len};
	return packet;
}

bool pipe_arrived(const struct pipe *pipe)
{
	return pipe->head && pipe->head->at_ns <= machine_now()->mono_ns;
}

void pipe_push(struct link *link, struct pipe *pipe, struct packet *packet)
{
	if (link->deaf) {
		the_net.lost++;
		free(packet);
		return;
	}
	packet->at_ns = machine_now()->mono_ns + machine_between(FRAME_NS_MIN, link->slow_ns);
	if (packet->at_ns < pipe->last_ns)
		packet->at_ns = pipe->last_ns;
	pipe->last_ns = packet->at_ns;
	if (!pipe->head)
		pipe->tail = &pipe->head;
	*pipe->tail = packet;
	pipe->tail = &packet->next;
	pipe->count++;
	the_net.frames++;
}

struct packet *pipe_pop(struct pipe *pipe)
{
	struct packet *packet = pipe->head;
	pipe->head = packet->next;
	pipe->count--;
	return packet;
}

static void pipe_empty(struct pipe *pipe)
{
	while (pipe->head) {
		the_net.lost++;
		free(pipe_pop(pipe));
	}
	*pipe = (struct pipe){};
}

/* ---- links ---- */

static bool owns(const struct link *link, const struct proc *process)
{
	return link->process == process;
}

struct link *net_link(const struct proc *process)
{
	struct link *link = the_net.links;
	while (link && !owns(link, process))
		link = link->next;
	if (link)
		return link;
	link = calloc(1, sizeof(*link));
	CHECK(link);
	link->process = process;
	link->slow_ns = FRAME_NS_MIN + 1;
	link->next = the_net.links;
	the_net.links = link;
	return link;
}

void net_cut(struct link *link)
{
	if (!link->up)
		return;
	pipe_empty(&link->in);
	pipe_empty(&link->out);
	link->up = link->deaf = false;
	link->cut_ns = 0;
	link->dial_ns = machine_now()->mono_ns + machine_between(DIAL_NS_MIN, DIAL_NS_MAX);
	the_net.cuts++;
}

void net_half_open(struct link *link, uint64_t noticed_ns)
{
	if (!link->up || link->deaf)
		return;
	link->deaf = true;
	link->cut_ns = noticed_ns;
}

void net_process_gone(const struct proc *process)
{
	bool broker = the_net.router && router_owned_by(the_net.router, process);
	for (struct link *link = the_net.links; link; link = link->next) {
		if (broker || owns(link, process))
			net_cut(link);
		if (owns(link, process))
			link->socket = NULL;
	}
	if (broker)
		the_net.router = NULL;
}

void net_deinit(void)
{
	for (struct link *link = the_net.links, *next; link; link = next) {
		next = link->next;
		pipe_empty(&link->in);
		pipe_empty(&link->out);
		free(link);
	}
	the_net = (struct net){};
}

/* ---- time ---- */

static void dial(struct link *link)
{
	uint64_t now_ns = machine_now()->mono_ns;
	if (!link->socket || link->refused || link->dial_ns > now_ns)
		return;
	link->dial_ns = now_ns + machine_between(DIAL_NS_MIN, DIAL_NS_MAX);
	if (!the_net.router || !(link->anybody || router_is(the_net.router, link->server)))
		return;
	link->refused = !router_admits(the_net.router, link->key);
	if (link->refused)
		return;
	link->up = true;
	be32_put(link->route + 1, (uint32_t)++the_net.routes);
}

void net_tick(void)
{
	bool arrived = false;
	for (struct link *link = the_net.links; link; link = link->next) {
		if (link->deaf && link->cut_ns <= machine_now()->mono_ns)
			net_cut(link);
		if (!link->up)
			dial(link);
		arrived |= pipe_arrived(&link->in);
		if (link->socket)
			socket_wake(link->socket, pipe_arrived(&link->out));
	}
	if (the_net.router)
		router_wake(the_net.router, arrived);
}

/* What is due already waits for somebody, and not for time. */
static uint64_t sooner(uint64_t next, uint64_t at)
{
	return at > machine_now()->mono_ns && at < next ? at : next;
}

uint64_t net_next_ns(void)
{
	uint64_t next = UINT64_MAX;
	for (const struct link *link = the_net.links; link; link = link->next) {
		if (link->deaf)
			next = sooner(next, link->cut_ns);
		if (!link->up && link->socket)
			next = sooner(next, link->dial_ns);
		if (link->in.head)
			next = sooner(next, link->in.head->at_ns);
		if (link->out.head)
			next = sooner(next, link->out.head->at_ns);
	}
	return next;
}

void net_slice_begins(void)
{
	the_net.allowance = machine_chance(8) ? PIPE_FRAMES_MAX : machine_between(1, 2);
}

bool net_take(void)
{
	if (the_net.allowance == 0)
		return false;
	the_net.allowance--;
	machine_now()->events++;
	return true;
}
