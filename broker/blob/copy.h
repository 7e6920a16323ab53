/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdint.h>

struct blob_copied {
	uint64_t files, bytes;
};

/**
 * blob_copy() - attachments of recorded messages, for a backup
 * @from: folder of all blobs; one that is not there holds none
 * @to:   made, when there is something to copy; on the same file system the files are linked, as they never change
 * @ret:  how much
 *
 * Beside a running broker: what it removes meanwhile has been erased.
 *
 * Return: 0 or negative errno.
 */
int blob_copy(const char *from, const char *to, struct blob_copied *ret);
