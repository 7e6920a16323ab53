/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

/*
 * Cleanup by attribute. `DEFINE_CLEANUP(struct arena *, arena_free)` gives `cleanup_arena_free`, to be
 * used as `_cleanup_(arena_free) struct arena *arena = NULL;`. Destructors take NULL, so a variable
 * is safe from its declaration on. `steal()` hands a pointer over and disarms the cleanup.
 */

#define _cleanup_(func) __attribute__((cleanup(cleanup_##func)))

#define DEFINE_CLEANUP(type, func)                                                                 \
	static inline void cleanup_##func(type *p)                                                 \
	{                                                                                          \
		func(*p);                                                                          \
	}                                                                                          \
	struct cleanup_needs_a_semicolon

#define DEFINE_CLEANUP_PTR(type, func)                                                             \
	static inline void cleanup_##func(type *p)                                                 \
	{                                                                                          \
		func(p);                                                                           \
	}                                                                                          \
	struct cleanup_needs_a_semicolon

#define steal(pp)                                                                                  \
	({                                                                                         \
		__auto_type steal_value = *(pp);                                                   \
		*(pp) = NULL;                                                                      \
		steal_value;                                                                       \
	})

/**
 * fd_close_at() - close a descriptor, keeping errno; at scope end: `_cleanup_(fd_close) int fd = -1;`
 * @fd: the descriptor or -1; -1 afterwards
 */
void fd_close_at(int *fd);
static inline void cleanup_fd_close(int *fd)
{
	fd_close_at(fd);
}

/**
 * heap_free_at() - free(3); at scope end: `_cleanup_(heap_free) char *p = NULL;`
 * @pp: a pointer variable of any type, by address; NULL afterwards
 */
void heap_free_at(void *pp);
static inline void cleanup_heap_free(void *pp)
{
	heap_free_at(pp);
}

#define _must_use_     __attribute__((warn_unused_result))
#define _printf_(f, a) __attribute__((format(printf, f, a)))
#define ARRAY_LEN(a)   (sizeof(a) / sizeof((a)[0]))
