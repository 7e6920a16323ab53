/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A turn takes a bounded share of everything that is there, so nothing starves and nothing is refused
 * a look: acknowledgements, credits and pings get through under any load because frames are always read.
 * ZeroMQ's descriptors are edge-triggered: what was used since it was found empty is asked before sleeping.
 * The gate and the events of connections are always emptied, so their descriptors can be trusted, and all others
 * are level-triggered.
 */
#include "broker/transport/reactor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "broker/transport/reload.h"
#include "proto/base/log.h"
#include "proto/base/queue.h"

enum {
	TICK_MS = 100,
	SECOND_MS = 1000,
	RETRY_MS = 5,    /* while a peer's queue is full */
	FLUSH_MS = 1000, /* for the last answers to leave */
	EXIT_AT_ONCE = 1,
	FDS_OWN = 10,
	FDS_MAX = FDS_OWN + ADMIN_FDS_MAX,
};

enum phase {
	PHASE_SERVING,
	PHASE_DRAINING, /* until deliveries that are out have ended, or time is up */
	PHASE_EMPTYING, /* no frames are read; until no parcel is out */
	PHASE_STOPPING, /* until the journal has stopped */
	PHASE_FLUSHING, /* until the last answers are gone */
};

struct reactor {
	struct reactor_options options;
	int signals;
	int failure;
	_Atomic(int) error;
	enum phase phase;
	uint64_t until_ns; /* end of the phase's patience */
	uint64_t tick_ns;
	uint64_t second_ns;
};

int reactor_new(struct reactor **ret)
{
	_cleanup_(reactor_free) struct reactor *reactor = calloc(1, sizeof(*reactor));
	sigset_t set;
	if (!reactor)
		return -ENOMEM;
	reactor->signals = reactor->failure = -1;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGPIPE);
	int r = pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (r != 0)
		return -r;
	reactor->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	reactor->failure = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (reactor->signals < 0 || reactor->failure < 0)
		return -errno;
	*ret = steal(&reactor);
	return 0;
}

void reactor_free(struct reactor *reactor)
{
	if (!reactor)
		return;
	fd_close_at(&reactor->signals);
	fd_close_at(&reactor->failure);
	free(reactor);
}

void reactor_set(struct reactor *reactor, const struct reactor_options *options)
{
	reactor->options = *options;
}

void reactor_fail(void *context, int error)
{
	struct reactor *reactor = context;
	uint64_t one = 1;
	int none = 0;
	atomic_compare_exchange_strong(&reactor->error, &none, error);
	ssize_t n = write(reactor->failure, &one, sizeof(one));
	(void)n; /* the turn looks at the error anyway */
}

int reactor_error(const struct reactor *reactor)
{
	return atomic_load(&reactor->error);
}

static uint64_t now_of(const struct reactor *reactor)
{
	return clock_mono_ns(reactor->options.clock);
}

static void phase_set(struct reactor *reactor, enum phase phase, uint64_t patience_ms)
{
	reactor->phase = phase;
	reactor->until_ns = now_of(reactor) + patience_ms * UINT64_C(1000000);
}

/* ---- signals ---- */

void reactor_drain(struct reactor *reactor)
{
	if (reactor->phase != PHASE_SERVING)
		return;
	log_info("broker", "draining", F_U64("out", delivery_out(reactor->options.delivery)));
	transport_drain(reactor->options.transport);
	desk_stop(reactor->options.desk);
	delivery_stop(reactor->options.delivery);
	phase_set(reactor, PHASE_DRAINING, reactor->options.config->drain_ms);
}

static void signals_take(struct reactor *reactor)
{
	struct signalfd_siginfo info;
	while (read(reactor->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGPIPE)
			continue;
		if (info.ssi_signo == SIGHUP) {
			if (reactor->phase == PHASE_SERVING &&
				!transport_held(reactor->options.transport))
				transport_reload(reactor->options.transport, NULL);
			continue;
		}
		if (reactor->phase != PHASE_SERVING) {
			log_warn("broker", "second signal, ending at once");
			_exit(EXIT_AT_ONCE);
		}
		reactor_drain(reactor);
	}
}

/* ---- draining ---- */

static bool phase_is_over(const struct reactor *reactor)
{
	const struct reactor_options *options = &reactor->options;
	switch (reactor->phase) {
	case PHASE_SERVING:
		return false;
	case PHASE_DRAINING:
		return delivery_out(options->delivery) == 0 || now_of(reactor) >= reactor->until_ns;
	case PHASE_EMPTYING:
		return transport_idle(options->transport);
	case PHASE_STOPPING:
		return transport_stopped(options->transport);
	case PHASE_FLUSHING:
		return !transport_waiting(options->transport) ||
		       now_of(reactor) >= reactor->until_ns;
	}
	return false;
}

/* Return: 0, or REACTOR_DONE after the last phase. */
static int phases_advance(struct reactor *reactor)
{
	while (phase_is_over(reactor)) {
		switch (reactor->phase) {
		case PHASE_SERVING:
			break;
		case PHASE_DRAINING:
			phase_set(reactor, PHASE_EMPTYING, 0);
			break;
		case PHASE_EMPTYING:
			if (transport_stop(reactor->options.transport) < 0)
				return 0;
			phase_set(reactor, PHASE_STOPPING, 0);
			break;
		case PHASE_STOPPING:
			phase_set(reactor, PHASE_FLUSHING, FLUSH_MS);
			break;
		case PHASE_FLUSHING:
			return REACTOR_DONE;
		}
	}
	return 0;
}

/* ---- the turn ---- */

static int least_ms(int a, int b)
{
	return a < 0 || b < a ? b : a;
}

/* What this turn has to look at. */
struct turn {
	bool frames;
	bool gate;
	bool connections; /* were opened or closed */
	bool asked;       /* by an operator */
};

static int wait_ms(const struct reactor *reactor, const struct turn *turn, int timeout_ms)
{
	const struct reactor_options *options = &reactor->options;
	if (turn->frames || queue_count(options->done) > 0)
		return 0;
	timeout_ms = least_ms(timeout_ms, TICK_MS);
	return transport_waiting(options->transport) ? least_ms(timeout_ms, RETRY_MS) : timeout_ms;
}

static struct turn turn_wait(struct reactor *reactor, int timeout_ms)
{
	const struct reactor_options *options = &reactor->options;
	struct turn turn = {0};
	bool reading = reactor->phase <= PHASE_DRAINING;
	struct pollfd fds[FDS_MAX] = {
		{.fd = reading ? router_fd(options->router) : -1, .events = POLLIN},
		{.fd = gate_fd(options->gate), .events = POLLIN},
		{.fd = queue_fd(options->done), .events = POLLIN},
		{.fd = clerk_fd(options->clerk), .events = POLLIN},
		{.fd = desk_fd(options->desk), .events = POLLIN},
		{.fd = clerk_fd(options->replayer), .events = POLLIN},
		{.fd = reactor->signals, .events = POLLIN},
		{.fd = reactor->failure, .events = POLLIN},
		{.fd = clerk_fd(options->porter), .events = POLLIN},
		{.fd = router_events_fd(options->router), .events = POLLIN},
	};
	size_t count = FDS_OWN;
	if (options->admin)
		count += admin_fds(options->admin, fds + count);
	turn.frames = reading && router_ready(options->router);
	poll(fds, count, wait_ms(reactor, &turn, timeout_ms));
	turn.frames |= fds[0].revents != 0;
	turn.gate = fds[1].revents != 0;
	turn.connections = fds[9].revents != 0;
	for (size_t i = FDS_OWN; i < count; i++)
		turn.asked |= fds[i].revents != 0;
	return turn;
}

/* While frames are read; after that whoever is left has other things to do. */
static void desk_visit(struct reactor *reactor)
{
	struct journal_stats stats;
	if (reactor->phase != PHASE_SERVING || transport_held(reactor->options.transport))
		return;
	journal_stats(reactor->options.journal, &stats);
	desk_tick(reactor->options.desk, stats.tree_size);
}

static void turn_ticks(struct reactor *reactor, bool asked)
{
	const struct reactor_options *options = &reactor->options;
	uint64_t now_ns = now_of(reactor);
	/* By tick as well: whoever asks nothing is dropped in time. */
	if (options->admin && (asked || now_ns >= reactor->tick_ns))
		admin_step(options->admin, now_ns);
	if (now_ns >= reactor->tick_ns) {
		reactor->tick_ns = now_ns + TICK_MS * UINT64_C(1000000);
		transport_tick(options->transport);
		delivery_tick(options->delivery);
	}
	if (now_ns >= reactor->second_ns) {
		reactor->second_ns = now_ns + SECOND_MS * UINT64_C(1000000);
		if (options->status)
			status_tick(options->status);
		desk_visit(reactor);
	}
}

static int turn_work(struct reactor *reactor, const struct turn *turn)
{
	const struct reactor_options *options = &reactor->options;
	int r = turn->connections ? transport_connections(options->transport) : 0;
	if (r == 0 && turn->gate)
		r = gate_step(options->gate);
	if (r == 0 && turn->frames)
		r = transport_receive(options->transport);
	if (r < 0)
		return r;
	transport_commit(options->transport);
	clerk_collect(options->clerk);
	desk_collect(options->desk);
	clerk_collect(options->replayer);
	clerk_collect(options->porter);
	delivery_flush(options->delivery);
	transport_flush(options->transport);
	return 0;
}

int reactor_turn(struct reactor *reactor, int timeout_ms)
{
	const struct turn turn = turn_wait(reactor, timeout_ms);
	signals_take(reactor);
	turn_ticks(reactor, turn.asked);
	int r = turn_work(reactor, &turn);
	int error = reactor_error(reactor);
	if (error < 0 || r < 0)
		return error < 0 ? error : r;
	return phases_advance(reactor);
}

int reactor_run(struct reactor *reactor)
{
	int r = 0;
	while (r == 0)
		r = reactor_turn(reactor, -1);
	return r;
}
