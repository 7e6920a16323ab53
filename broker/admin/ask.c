/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Waiting has an end: a broker that hangs is exactly when somebody asks how it is, and the answer is then
 * that it does not answer.
 */
#include "broker/admin/ask.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/base/cleanup.h"

enum { PATIENCE_MS = 10000, ANSWER_MAX = 4 << 20, STEP = 64 * 1024 };

static int connect_to(const char *path, int *ret)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = strlen(path);
	if (len >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, len);
	*ret = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*ret < 0)
		return -errno;
	return connect(*ret, (const struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : -errno;
}

static int send_line(int fd, const char *request)
{
	size_t len = strlen(request);
	_cleanup_(heap_free) char *line = malloc(len + 2);
	if (!line)
		return -ENOMEM;
	memcpy(line, request, len);
	memcpy(line + len, "\n", 2);
	ssize_t sent = send(fd, line, len + 1, MSG_NOSIGNAL); /* blocks until all of it is gone */
	return sent == (ssize_t)len + 1 ? 0 : sent < 0 ? -errno : -EIO;
}

/* Up to the end of the connection. */
static int read_all(int fd, char **ret)
{
	_cleanup_(heap_free) char *text = NULL;
	size_t len = 0, room = 0;
	for (;;) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		if (room - len < STEP) {
			char *more = len < ANSWER_MAX ? realloc(text, room + 2 * STEP) : NULL;
			if (!more)
				return len < ANSWER_MAX ? -ENOMEM : -EMSGSIZE;
			text = more;
			room += 2 * STEP;
		}
		int r = poll(&wait, 1, PATIENCE_MS);
		if (r <= 0)
			return r == 0 ? -ETIMEDOUT : -errno;
		ssize_t n = read(fd, text + len, STEP - 1);
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';
	*ret = steal(&text);
	return 0;
}

int ask(const char *path, const char *request, char **ret_answer)
{
	_cleanup_(fd_close) int fd = -1;
	int r = connect_to(path, &fd);
	if (r == 0)
		r = send_line(fd, request);
	return r ? r : read_all(fd, ret_answer);
}

bool ask_is_there(const char *path)
{
	_cleanup_(fd_close) int fd = -1;
	int r = connect_to(path, &fd);
	return r != -ENOENT && r != -ECONNREFUSED && r != -ENOTDIR;
}
