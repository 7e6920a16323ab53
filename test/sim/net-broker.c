/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Instead of broker/transport/socket.c: the gate and the router over the simulated network. Who may connect is
 * asked as ZeroMQ does, once a connection; that ZeroMQ really keeps others out is tested elsewhere
 * (broker/transport/selftest.c), and not here.
 */
#include "broker/transport/socket.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "broker/transport/selftest.h"
#include "test/kit/check.h"
#include "test/sim/machine.h"
#include "test/sim/net.h"

struct gate {
	struct gate_admission admission;
	uint64_t strangers;
};

struct router {
	struct gate *gate;
	const struct proc *process;
	uint8_t key[BOX_KEY_SIZE];
	bool bound;
	int fd;
	bool awake;
};

/* What lies in a router_message. */
struct held {
	struct packet *packet;
};
_Static_assert(sizeof(struct held) <= sizeof(struct router_message), "a message holds a pointer");

static struct held *held_of(struct router_message *message)
{
	return (struct held *)message->opaque;
}

/* ---- messages ---- */

uint8_t *router_message_new(struct router_message *message, size_t size)
{
	held_of(message)->packet = packet_new(size);
	return held_of(message)->packet->data;
}

void router_message_move(struct router_message *to, struct router_message *from)
{
	*held_of(to) = *held_of(from);
	held_of(from)->packet = NULL;
}

size_t router_message_size(const struct router_message *message)
{
	return ((const struct held *)message->opaque)->packet->len;
}

/* Bytes on their way are the network's here. */
void router_message_count(struct router_message *message, struct tally *tally)
{
	(void)message, (void)tally;
}

void router_message_deinit(struct router_message *message)
{
	free(steal(&held_of(message)->packet));
}

/* ---- the gate ---- */

int selftest_run(struct gate *gate, char *reterr, size_t size)
{
	(void)gate, (void)reterr, (void)size;
	return 0; /* it tests ZeroMQ, which is not here */
}

int gate_new(const struct gate_admission *admission, struct gate **ret)
{
	*ret = calloc(1, sizeof(**ret));
	CHECK(*ret);
	(*ret)->admission = *admission;
	return 0;
}

void gate_free(struct gate *gate)
{
	free(gate);
}

void gate_set_admission(struct gate *gate, const struct gate_admission *admission)
{
	gate->admission = *admission;
	gate->strangers = 0;
}

int gate_fd(const struct gate *gate)
{
	(void)gate;
	return -1; /* connections do not wait for a turn */
}

bool gate_ready(const struct gate *gate)
{
	(void)gate;
	return false;
}

int gate_step(struct gate *gate)
{
	(void)gate;
	return 0;
}

uint64_t gate_strangers(const struct gate *gate)
{
	return gate->strangers;
}

/* ---- the router ---- */

int router_new(struct gate *gate, const struct router_options *options, struct router **ret)
{
	struct router *router = calloc(1, sizeof(*router));
	CHECK(router);
	x25519_public(options->secret_key, router->key);
	router->gate = gate;
	router->process = proc_current();
	router->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	CHECK(router->fd >= 0);
	*ret = router;
	return 0;
}

void router_free(struct router *router)
{
	if (!router)
		return;
	if (net_now()->router == router)
		net_process_gone(router->process);
	fd_close_at(&router->fd);
	free(router);
}

int router_bind(struct router *router, const char *endpoint, char *ret)
{
	if (ret)
		snprintf(ret, ROUTER_ENDPOINT_MAX, "%s", endpoint);
	router->bound = true;
	net_now()->router = router;
	return 0;
}

bool router_owned_by(const struct router *router, const struct proc *process)
{
	return router->process == process;
}

bool router_is(const struct router *router, const uint8_t server[BOX_KEY_SIZE])
{
	return memcmp(router->key, server, BOX_KEY_SIZE) == 0;
}

bool router_admits(const struct router *router, const uint8_t key[BOX_KEY_SIZE])
{
	struct gate *gate = router->gate;
	bool admitted = gate->admission.admit(gate->admission.context, key);
	gate->strangers += !admitted;
	return admitted;
}

void router_wake(struct router *router, bool readable)
{
	uint64_t count = 1;
	if (readable == router->awake)
		return;
	router->awake = readable;
	if (readable)
		CHECK_INT(write(router->fd, &count, sizeof(count)), sizeof(count));
	else
		CHECK_INT(read(router->fd, &count, sizeof(count)), sizeof(count));
}

int router_fd(const struct router *router)
{
	return router->fd;
}

/* Any connection with an arrived frame, chance says which. */
static struct link *link_next(void)
{
	struct link *found = NULL;
	uint32_t count = 0;
	for (struct link *link = net_now()->links; link; link = link->next)
		if (pipe_arrived(&link->in) && machine_chance(++count))
			found = link;
	return found;
}

bool router_ready(const struct router *router)
{
	(void)router;
	for (struct link *link = net_now()->links; link; link = link->next)
		if (pipe_arrived(&link->in))
			return true;
	return false;
}

int router_receive(struct router *router, struct router_frame *ret)
{
	(void)router;
	struct link *link = link_next();
	if (!link || !net_take())
		return ROUTER_EMPTY;
	struct packet *packet = pipe_pop(&link->in);
	*ret = (struct router_frame){.route = {.len = ROUTE_BYTES}};
	memcpy(ret->route.id, link->route, ROUTE_BYTES);
	memcpy(ret->key, link->key, BOX_KEY_SIZE);
	ret->payload = BYTES(packet->data, packet->len);
	held_of(&ret->held)->packet = packet;
	return 0;
}

/* Connections are not counted here: there are no descriptors that one could run out of. */
int router_events_fd(const struct router *router)
{
	(void)router;
	return -1;
}

int router_event(struct router *router, struct router_event *ret)
{
	(void)router, (void)ret;
	return ROUTER_EMPTY;
}

int router_frame_fd(const struct router_frame *frame)
{
	(void)frame;
	return -1;
}

void router_frame_deinit(struct router_frame *frame)
{
	router_message_deinit(&frame->held);
}

static struct link *link_of(const struct route *route)
{
	for (struct link *link = net_now()->links; link; link = link->next)
		if (link->up && memcmp(link->route, route->id, ROUTE_BYTES) == 0)
			return link;
	return NULL;
}

void router_cut(const struct router_frame *frame)
{
	struct link *link = link_of(&frame->route);
	if (link)
		net_cut(link);
}

uint64_t router_dropped(const struct router *router)
{
	(void)router;
	return 0;
}

int router_send(struct router *router, const struct route *route, struct router_message *message)
{
	struct net *net = net_now();
	struct link *link = link_of(route);
	(void)router;
	if (!link)
		return ROUTER_GONE;
	if (link->out.count >= PIPE_FRAMES_MAX)
		return ROUTER_FULL;
	struct packet *packet = steal(&held_of(message)->packet);
	net->tap(net->tap_context, link->process, BYTES(packet->data, packet->len));
	pipe_push(link, &link->out, packet);
	return 0;
}
