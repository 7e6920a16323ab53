/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What a process takes of the machine, as the kernel tells. Any thread; fails the test without /proc. */
uint64_t usage_anonymous_bytes(pid_t pid); /* resident, not backed by a file */
size_t usage_files(pid_t pid);             /* open descriptors */
