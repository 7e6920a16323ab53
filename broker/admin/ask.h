/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>

#include <stddef.h>

/* The other end of the operator's socket (broker/admin/socket.h). */

/**
 * ask() - send a request line and take the answer
 * @path:       of the socket
 * @request:    without its newline
 * @ret_answer: NUL-terminated; free() it
 * Return: 0, -ENOENT or -ECONNREFUSED when nobody listens, -ETIMEDOUT, negative errno.
 */
int ask(const char *path, const char *request, char **ret_answer);

/* Does somebody listen there? What the account may not open counts as yes. */
bool ask_is_there(const char *path);
