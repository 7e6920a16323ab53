/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Who may look is decided by the file's mode, so there is no login here. An operator's tool that hangs
 * must not cost the bus anything: few connections, short lines, answers written as far as they go, and
 * whoever takes too long is dropped.
 */
#include "broker/admin/socket.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct connection {
	int fd; /* -1: free */
	uint64_t ticket;
	uint32_t account;
	uint64_t since_ns;
	char line[ADMIN_LINE_MAX + 1];
	size_t line_len;
	bool asked;
	uint8_t *text;
	size_t text_len;
	size_t written;
};

struct admin {
	struct admin_options options;
	char *path;
	int fd;
	uint64_t last_ticket;
	struct connection connections[ADMIN_CONNECTIONS_MAX];
};

static int listen_at(struct admin *admin, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = strlen(path);
	if (len >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, len);
	admin->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (admin->fd < 0 || (unlink(path) != 0 && errno != ENOENT))
		return -errno;
	mode_t before = umask(0177);
	int r = bind(admin->fd, (const struct sockaddr *)&address, sizeof(address));
	r = r == 0 ? listen(admin->fd, ADMIN_CONNECTIONS_MAX) : r;
	int error = errno;
	umask(before);
	return r == 0 ? 0 : -error;
}

int admin_new(const struct admin_options *options, struct admin **ret)
{
	_cleanup_(admin_free) struct admin *admin = calloc(1, sizeof(*admin));
	if (!admin)
		return -ENOMEM;
	admin->options = *options;
	admin->fd = -1;
	for (size_t i = 0; i < ADMIN_CONNECTIONS_MAX; i++)
		admin->connections[i].fd = -1;
	int r = listen_at(admin, options->path);
	if (r < 0)
		return r;
	admin->path = strdup(options->path);
	if (!admin->path)
		return -ENOMEM;
	*ret = steal(&admin);
	return 0;
}

static void connection_close(struct connection *connection)
{
	fd_close_at(&connection->fd);
	free(connection->text);
	*connection = (struct connection){.fd = -1};
}

void admin_free(struct admin *admin)
{
	if (!admin)
		return;
	for (size_t i = 0; i < ADMIN_CONNECTIONS_MAX; i++) {
		if (admin->connections[i].fd >= 0)
			connection_close(&admin->connections[i]);
	}
	if (admin->path)
		unlink(admin->path);
	fd_close_at(&admin->fd);
	free(admin->path);
	free(admin);
}

static short events_of(const struct connection *connection)
{
	if (connection->text)
		return POLLOUT;
	/* An asker that waits need not be read, only watched for leaving. */
	return connection->asked ? 0 : POLLIN;
}

size_t admin_fds(const struct admin *admin, struct pollfd *ret)
{
	size_t count = 0;
	ret[count++] = (struct pollfd){.fd = admin->fd, .events = POLLIN};
	for (size_t i = 0; i < ADMIN_CONNECTIONS_MAX; i++) {
		const struct connection *connection = &admin->connections[i];
		if (connection->fd >= 0)
			ret[count++] = (struct pollfd){
				.fd = connection->fd, .events = events_of(connection)};
	}
	return count;
}

/* Who is at the other end, as the kernel knows it; who cannot be told is nobody. */
static uint32_t account_of(int fd)
{
	struct ucred peer = {.uid = (uid_t)-1};
	socklen_t len = sizeof(peer);
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 ? peer.uid : UINT32_MAX;
}

static void accept_all(struct admin *admin, uint64_t now_ns)
{
	for (;;) {
		int fd = accept4(admin->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0)
			return;
		size_t i = 0;
		while (i < ADMIN_CONNECTIONS_MAX && admin->connections[i].fd >= 0)
			i++;
		if (i == ADMIN_CONNECTIONS_MAX) {
			close(fd);
			continue;
		}
		admin->connections[i] = (struct connection){.fd = fd,
			.since_ns = now_ns,
			.ticket = ++admin->last_ticket,
			.account = account_of(fd)};
	}
}

/* Return: false when the connection is over. */
static bool connection_read(struct admin *admin, struct connection *connection)
{
	ssize_t n = read(connection->fd, connection->line + connection->line_len,
		ADMIN_LINE_MAX - connection->line_len);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	connection->line_len += (size_t)n;
	char *end = memchr(connection->line, '\n', connection->line_len);
	if (!end)
		return n > 0 && connection->line_len < ADMIN_LINE_MAX;
	*end = '\0';
	connection->asked = true;
	admin->options.request(
		admin->options.context, connection->line, connection->ticket, connection->account);
	return true;
}

static bool connection_write(struct connection *connection)
{
	ssize_t n = send(connection->fd, connection->text + connection->written,
		connection->text_len - connection->written, MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	connection->written += (size_t)n;
	return connection->written < connection->text_len;
}

void admin_step(struct admin *admin, uint64_t now_ns)
{
	accept_all(admin, now_ns);
	for (size_t i = 0; i < ADMIN_CONNECTIONS_MAX; i++) {
		struct connection *connection = &admin->connections[i];
		bool alive = true;
		if (connection->fd < 0)
			continue;
		if (!connection->asked)
			alive = connection_read(admin, connection);
		if (connection->text)
			alive = connection_write(connection);
		if (now_ns - connection->since_ns > ADMIN_PATIENCE_MS * UINT64_C(1000000))
			alive = false;
		if (!alive)
			connection_close(connection);
	}
}

void admin_reply(struct admin *admin, uint64_t ticket, struct bytes text)
{
	for (size_t i = 0; i < ADMIN_CONNECTIONS_MAX; i++) {
		struct connection *connection = &admin->connections[i];
		if (connection->fd < 0 || connection->ticket != ticket || connection->text)
			continue;
		connection->text = malloc(text.len + 1);
		if (!connection->text) {
			connection_close(connection);
			return;
		}
		memcpy(connection->text, text.data, text.len);
		connection->text_len = text.len;
		return;
	}
}
