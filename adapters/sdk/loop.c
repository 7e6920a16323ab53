/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * One poll() over everything that can happen: signals, the broker, the legacy system. The legacy system is
 * asked only while the outbox has room, and then its descriptor is watched; otherwise a full outbox would
 * spin on a folder that stays full. Ending is a state of this loop and not another one: answers that are
 * under way are still taken, so that the next start has less to send again.
 */
#include "adapters/sdk/loop.h"

#include <errno.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "adapters/sdk/evidence.h"
#include "proto/base/log.h"

enum {
	WAIT_MAX_MS = 1000,
	CARE_MS = 10000, /* status and figures */
	FORGET_MS = 24 * 3600 * 1000,
	PRUNE_STEP = 64,
};

struct loop {
	struct dw_adapter *adapter;
	int signal_fd;
	bool more;         /* the legacy system has more */
	bool watched;      /* its descriptor was readable */
	bool pruning;      /* there is more to forget */
	uint64_t asked_ns; /* the legacy system, last; 0: never */
	uint64_t cared_ns;
	uint64_t forgot_ns;
	uint64_t ending_ns; /* 0: not ending */
};

static uint64_t now_ns(const struct loop *loop)
{
	return clock_mono_ns(loop->adapter->clock);
}

static uint64_t ms_since(const struct loop *loop, uint64_t then_ns)
{
	return (now_ns(loop) - then_ns) / 1000000u;
}

static bool may_ask(const struct loop *loop)
{
	return loop->ending_ns == 0 && core_has_room(loop->adapter);
}

/* Milliseconds until the legacy system is due, -1: not by time. */
static int asking_due(const struct loop *loop)
{
	uint32_t poll_ms = loop->adapter->ops->poll_ms;
	if (!may_ask(loop))
		return -1;
	if (loop->more || loop->watched || loop->asked_ns == 0)
		return 0;
	if (poll_ms == 0)
		return -1;
	uint64_t since = ms_since(loop, loop->asked_ns);
	return since >= poll_ms ? 0 : (int)(poll_ms - since);
}

static int sooner(int a, int b)
{
	if (a < 0 || b < 0)
		return a < 0 ? b : a;
	return a < b ? a : b;
}

static int wait_ms(const struct loop *loop)
{
	const struct dw_adapter *adapter = loop->adapter;
	int ms = sooner(client_timeout_ms(adapter->client), asking_due(loop));
	if (core_hurries(adapter))
		return 0;
	if (client_state(adapter->client) == CLIENT_READY)
		ms = sooner(sooner(ms, sender_timeout_ms(adapter->sender)),
			sooner(rerun_timeout_ms(adapter->replay),
				recall_timeout_ms(adapter->recall)));
	ms = sooner(ms, core_attachments_timeout_ms(adapter));
	ms = sooner(ms, asking_timeout_ms(adapter));
	ms = sooner(ms, core_put_off_timeout_ms(adapter));
	return sooner(ms, WAIT_MAX_MS);
}

static void signal_take(struct loop *loop)
{
	struct signalfd_siginfo info;
	if (read(loop->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		log_info("adapter", "asked to end", F_U64("signal", info.ssi_signo));
		dw_adapter_stop(loop->adapter);
	}
}

static int sleep_until_something(struct loop *loop)
{
	const struct dw_adapter *adapter = loop->adapter;
	int watch = may_ask(loop) && adapter->ops->watch_fd
			    ? adapter->ops->watch_fd(adapter->context)
			    : -1;
	struct pollfd fds[] = {
		{.fd = client_fd(adapter->client), .events = POLLIN},
		{.fd = loop->signal_fd, .events = POLLIN},
		{.fd = watch, .events = POLLIN},
	};
	int n = poll(fds, 3, wait_ms(loop));
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (fds[1].revents)
		signal_take(loop);
	if (fds[2].revents)
		loop->watched = true;
	return 0;
}

static int ask(struct loop *loop)
{
	if (asking_due(loop) != 0)
		return 0;
	loop->watched = false;
	loop->asked_ns = now_ns(loop);
	return core_intake(loop->adapter, &loop->more);
}

static void tell(struct loop *loop)
{
	char status[CORE_STATUS_MAX];
	struct dw_adapter *adapter = loop->adapter;
	core_status(adapter, status, sizeof(status));
	int r = folder_status(adapter->folder, status);
	if (r)
		log_warn("adapter", "status.json cannot be written", F_ERR(r));
}

/* A slice per turn, begun once a day. */
static int forget(struct loop *loop)
{
	struct dw_adapter *adapter = loop->adapter;
	if (loop->forgot_ns == 0 || ms_since(loop, loop->forgot_ns) >= FORGET_MS)
		loop->pruning = true;
	if (!loop->pruning)
		return 0;
	loop->forgot_ns = now_ns(loop);
	return evidence_prune(
		adapter->store, clock_wall_ms(adapter->clock), PRUNE_STEP, &loop->pruning);
}

static int care(struct loop *loop)
{
	struct dw_adapter *adapter = loop->adapter;
	if (loop->cared_ns == 0)
		loop->cared_ns = now_ns(loop);
	if (ms_since(loop, loop->cared_ns) < CARE_MS)
		return 0;
	loop->cared_ns = now_ns(loop);
	tell(loop);
	if (client_state(adapter->client) == CLIENT_CONNECTING)
		log_warn("adapter",
			"not connected to the broker; what is submitted waits in the outbox",
			F_STR("broker", adapter->config->broker),
			F_U64("queued", adapter->outbox.count));
	return 0;
}

static bool is_over(struct loop *loop)
{
	if (!loop->adapter->stop)
		return false;
	if (loop->ending_ns == 0)
		loop->ending_ns = now_ns(loop);
	return client_state(loop->adapter->client) != CLIENT_READY || core_idle(loop->adapter) ||
	       ms_since(loop, loop->ending_ns) >= loop->adapter->config->drain_ms;
}

static int step(struct loop *loop)
{
	struct dw_adapter *adapter = loop->adapter;
	int r = client_step(adapter->client);
	if (r == 0 && adapter->failed == 0)
		r = ask(loop);
	if (r == 0 && adapter->failed == 0)
		r = asking_step(adapter);
	if (r == 0)
		r = forget(loop);
	if (r == 0 && adapter->failed == 0)
		r = core_attachments(adapter);
	if (r == 0)
		r = core_turn(adapter);
	if (r == 0)
		r = trust_step(adapter->trust, adapter->client);
	if (r == 0)
		r = final_step(adapter->final, adapter->client);
	if (r == 0)
		r = care(loop);
	if (r == 0 && (adapter->reconnect || core_redial(adapter)))
		r = core_connect(adapter);
	return r > 0 ? LOOP_ALARM : r;
}

static int serve(struct loop *loop)
{
	for (;;) {
		int r = step(loop);
		if (r)
			return r;
		if (client_state(loop->adapter->client) == CLIENT_REPLACED) {
			log_error("adapter", "another process now speaks for this party: this one "
					     "ends; run only one");
			return LOOP_REPLACED;
		}
		if (is_over(loop))
			return 0;
		r = sleep_until_something(loop);
		if (r)
			return r;
	}
}

int loop_run(struct dw_adapter *adapter, int signal_fd)
{
	struct loop loop = {.adapter = adapter, .signal_fd = signal_fd};
	int r = serve(&loop);
	if (r >= 0)
		tell(&loop);
	return r;
}
