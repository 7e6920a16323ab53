/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * ZeroMQ reconnects silently, so the only way to see what a cut does is to cut: connections are closed
 * with a reset (SO_LINGER 0), in the middle of whatever was under way.
 */
#include "test/kit/proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/kit/check.h"
#include "test/kit/process.h"

enum { PAIRS_MAX = 64, BUFFER = 65536 };

struct relay {
	int listener, control, done, target;
	int ends[PAIRS_MAX][2];
	size_t pairs;
	bool frozen;
};

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void pair_close(struct relay *r, size_t i)
{
	struct linger reset = {.l_onoff = 1};

	for (int side = 0; side < 2; side++) {
		setsockopt(r->ends[i][side], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(r->ends[i][side]);
	}
	memmove(r->ends[i], r->ends[i + 1], (r->pairs - i - 1) * sizeof(r->ends[0]));
	r->pairs--;
}

static void pair_open(struct relay *r)
{
	struct sockaddr_in target = loopback(r->target);
	int a = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC);
	int b = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (a < 0 || b < 0 || r->pairs == PAIRS_MAX ||
		connect(b, (struct sockaddr *)&target, sizeof(target))) {
		close(a);
		close(b);
		return;
	}
	r->ends[r->pairs][0] = a;
	r->ends[r->pairs++][1] = b;
}

/* false: the connection is over */
static bool relay_bytes(int from, int to)
{
	char buf[BUFFER];
	ssize_t n = recv(from, buf, sizeof(buf), 0);

	for (ssize_t sent = 0; sent < n;) {
		ssize_t m = send(to, buf + sent, (size_t)(n - sent), MSG_NOSIGNAL);
		if (m <= 0)
			return false;
		sent += m;
	}
	return n > 0;
}

static void command_run(struct relay *r)
{
	char c;

	if (read(r->control, &c, 1) != 1)
		_exit(0);
	if (c == 'c')
		while (r->pairs)
			pair_close(r, r->pairs - 1);
	if (c == 'f' || c == 't')
		r->frozen = c == 'f';
	(void)!write(r->done, &c, 1);
}

static void relay_main(struct relay *r)
{
	for (;;) {
		struct pollfd p[2 + 2 * PAIRS_MAX] = {{.fd = r->control, .events = POLLIN},
			{.fd = r->frozen ? -1 : r->listener, .events = POLLIN}};
		size_t pairs = r->frozen ? 0 : r->pairs;
		for (size_t i = 0; i < 2 * pairs; i++)
			p[2 + i] = (struct pollfd){.fd = r->ends[i / 2][i % 2], .events = POLLIN};
		poll(p, 2 + 2 * pairs, -1);
		for (size_t i = pairs; i-- > 0;) {
			bool alive = true;
			for (size_t side = 0; side < 2; side++)
				if (p[2 + 2 * i + side].revents)
					alive = alive &&
						relay_bytes(r->ends[i][side], r->ends[i][!side]);
			if (!alive)
				pair_close(r, i);
		}
		if (p[1].revents)
			pair_open(r);
		if (p[0].revents)
			command_run(r);
	}
}

void proxy_start(struct proxy *proxy, int target_port)
{
	int control[2], done[2], one = 1;
	struct relay relay = {.target = target_port};
	struct sockaddr_in address = loopback(0);
	socklen_t size = sizeof(address);

	relay.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(relay.listener >= 0);
	setsockopt(relay.listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	CHECK(bind(relay.listener, (struct sockaddr *)&address, size) == 0);
	CHECK(listen(relay.listener, 16) == 0);
	CHECK(getsockname(relay.listener, (struct sockaddr *)&address, &size) == 0);
	CHECK(pipe2(control, O_CLOEXEC) == 0 && pipe2(done, O_CLOEXEC) == 0);
	proxy->pid = fork();
	CHECK(proxy->pid >= 0);
	if (proxy->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(control[1]);
		relay.control = control[0];
		relay.done = done[1];
		relay_main(&relay);
	}
	close(control[0]);
	close(done[1]);
	close(relay.listener);
	proxy->control = control[1];
	proxy->done = done[0];
	proxy->port = ntohs(address.sin_port);
	snprintf(proxy->endpoint, sizeof(proxy->endpoint), "tcp://127.0.0.1:%d", proxy->port);
}

static void command(struct proxy *proxy, char c)
{
	CHECK(write(proxy->control, &c, 1) == 1);
	CHECK(read(proxy->done, &c, 1) == 1);
}

void proxy_cut(struct proxy *proxy)
{
	command(proxy, 'c');
}

void proxy_freeze(struct proxy *proxy)
{
	command(proxy, 'f');
}

void proxy_thaw(struct proxy *proxy)
{
	command(proxy, 't');
}

void proxy_end(struct proxy *proxy)
{
	close(proxy->control);
	close(proxy->done);
	waitpid(proxy->pid, NULL, 0);
}
