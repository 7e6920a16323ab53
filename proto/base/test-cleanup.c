/* SPDX-License-Identifier: EUPL-1.2 */

/* Scope end really closes and frees (leaks would show under AddressSanitizer), and keeps errno. */
#include "proto/base/cleanup.h"

#include "test/kit/check.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static void scope_end_closes(void)
{
	int seen;
	{
		_cleanup_(fd_close) int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		CHECK(fd >= 0);
		seen = fd;
	}
	CHECK_INT(fcntl(seen, F_GETFD), -1);
	CHECK_INT(errno, EBADF);
	{
		_cleanup_(fd_close) int none = -1;
		CHECK_INT(none, -1);
	}
}

static void close_resets_and_keeps_errno(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int gone = dup(fd);
	close(gone);
	errno = EDOM;
	fd_close_at(&gone); /* close(2) fails with EBADF here */
	CHECK_INT(errno, EDOM);
	CHECK_INT(gone, -1);
	fd_close_at(&fd);
	fd_close_at(&fd);
	CHECK_INT(fd, -1);
}

static void scope_end_frees(void)
{
	_cleanup_(heap_free) char *text = malloc(10);
	_cleanup_(heap_free) char *none = NULL;
	CHECK(text && !none);
	char *owned = malloc(10);
	heap_free_at(&owned);
	CHECK(owned == NULL);
}

static void steal_disarms(void)
{
	char *kept;
	{
		_cleanup_(heap_free) char *text = malloc(2);
		memcpy(text, "x", 2);
		kept = steal(&text);
		CHECK(text == NULL);
	}
	CHECK_STR(kept, "x");
	free(kept);
}

CHECK_MAIN(CHECK_CASE(scope_end_closes), CHECK_CASE(close_resets_and_keeps_errno),
	CHECK_CASE(scope_end_frees), CHECK_CASE(steal_disarms))
