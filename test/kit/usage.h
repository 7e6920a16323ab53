/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * A sanitizer keeps freed memory for a while on purpose (256 MiB by default): how much more of it a bound
 * must allow. gcc and clang say so in different ways.
 */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define USAGE_SANITIZED 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define USAGE_SANITIZED 1
#endif
#ifdef USAGE_SANITIZED
enum { USAGE_SANITIZER_BYTES = 512 << 20 };
#else
enum { USAGE_SANITIZER_BYTES = 0 };
#endif

/* What a process takes of the machine, as the kernel tells. Any thread; fails the test without /proc. */
uint64_t usage_anonymous_bytes(pid_t pid); /* resident, not backed by a file */
double usage_cpu_s(pid_t pid);             /* user and system time so far, in seconds */
size_t usage_files(pid_t pid);             /* open descriptors */
