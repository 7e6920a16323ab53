/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/bytes.h"
#include "proto/base/crypto.h"

/*
 * The network between one broker and its adapters, instead of ZeroMQ: connections that come and go, deliver
 * whole frames in order, late, or not at all. What ZeroMQ promises the product is kept (order and no doubles
 * within a connection, a new routing id for each); what it does not promise happens. The two socket files
 * of the product are replaced by net-broker.c and net-adapter.c.
 */
struct proc;
struct router;
struct socket;

enum { ROUTE_BYTES = 5, PIPE_FRAMES_MAX = 64 };

struct packet {
	uint64_t at_ns; /* it arrives */
	size_t len;
	struct packet *next;
	uint8_t data[];
};

/* One direction of a connection. */
struct pipe {
	struct packet *head, **tail;
	size_t count;
	uint64_t last_ns; /* nothing arrives before what was sent before */
};

struct link {
	const struct proc *process; /* of the adapter */
	struct socket *socket;      /* NULL: it does not want to be connected */
	uint8_t key[BOX_KEY_SIZE];
	uint8_t server[BOX_KEY_SIZE]; /* whom it expects to find */
	bool anybody;                 /* or talks to whoever is there */
	uint8_t route[ROUTE_BYTES];
	bool up;
	bool refused;    /* its key was turned away: as in ZeroMQ, only a new socket tries again */
	bool deaf;       /* half open: what is sent either way goes nowhere */
	uint64_t cut_ns; /* then that is noticed */
	uint64_t dial_ns;
	uint64_t slow_ns;    /* longest time that a frame takes */
	struct pipe in, out; /* to the broker, from it */
	struct link *next;
};

struct net {
	struct router *router; /* NULL: nobody listens */
	struct link *links;
	uint64_t routes;
	size_t allowance; /* frames that may still be taken in this slice */
	uint64_t frames, cuts, lost;
	/* A frame leaves the broker, for the adapter of @process. */
	void (*tap)(void *context, const struct proc *process, struct bytes frame);
	void *tap_context;
};
struct net *net_now(void);

/* The network as a whole: its end, its clock, what happens to it. */
void net_deinit(void);
void net_tick(void);         /* what is due: connections are made and cut, frames arrive */
uint64_t net_next_ns(void);  /* when something is due */
void net_slice_begins(void); /* a thread goes on: it may take a few frames */
void net_process_gone(const struct proc *process); /* and all its connections */
void net_cut(struct link *link);                   /* now; it is dialled again in a while */
void net_half_open(
	struct link *link, uint64_t noticed_ns); /* nothing gets through, until it is cut */

/* ---- for the two socket files ---- */
struct link *net_link(
	const struct proc *process); /* of the process that runs; made when there is none */
bool pipe_arrived(const struct pipe *pipe);
void pipe_push(struct link *link, struct pipe *pipe, struct packet *packet);
struct packet *pipe_pop(struct pipe *pipe);
struct packet *packet_new(size_t len);
/* Take one frame off the allowance. Return: false when a slice has had its share. */
bool net_take(void);

/* Is the broker willing to talk to this key, and has it a socket? */
bool router_is(const struct router *router, const uint8_t server[BOX_KEY_SIZE]);
bool router_admits(const struct router *router, const uint8_t key[BOX_KEY_SIZE]);
void router_wake(struct router *router, bool readable);
void socket_wake(struct socket *socket, bool readable);
bool router_owned_by(const struct router *router, const struct proc *process);
