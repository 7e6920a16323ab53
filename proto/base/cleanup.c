/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Out of line because every file includes cleanup.h: neither <unistd.h> nor <stdlib.h> should follow
 * it everywhere. A close() at scope end must not disturb the errno that the function is about to
 * return.
 */
#include "proto/base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void fd_close_at(int *fd)
{
	if (*fd < 0)
		return;
	int saved = errno;
	close(*fd); /* EINTR included: Linux has released the descriptor */
	errno = saved;
	*fd = -1;
}

void heap_free_at(void *pp)
{
	/* The variable may be of any pointer type: copied as bytes, because aliasing forbids void **. */
	void *p = NULL;
	memcpy(&p, pp, sizeof(p));
	free(p);
	p = NULL;
	memcpy(pp, &p, sizeof(p));
}
