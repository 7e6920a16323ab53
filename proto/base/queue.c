/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A ring in which an empty cell is NULL. Producers reserve a cell by moving the tail, then publish the
 * item in it; the consumer takes cells in order until it meets an empty one. No lock, because the
 * reactor is a producer and must not wait for a worker that was descheduled while holding one.
 *
 * Waking. There is exactly one wake-up token. It lies either in @armed (the consumer may be asleep and
 * nobody has called it yet), or in the eventfd, or in the hands of the one producer that took it from
 * @armed and is about to write the eventfd. So a push costs a system call only when it is the first
 * since the consumer saw the queue empty. No wake-up is lost:
 *  - a producer publishes, then looks at @armed; the consumer arms, then looks at the cell. Both are
 *    sequentially consistent, so at least one of them sees the other;
 *  - when the token is not in @armed, it is in the eventfd or will be, and the consumer will wake.
 * The consumer moves the token from the eventfd back to @armed only when a read(2) has really given
 * it; a token still in a producer's hands stays out, and costs one wake-up that finds nothing.
 */
#include "proto/base/queue.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { CACHE_LINE = 64 };

/* One cache line for what producers write, one for what the consumer writes, one for both. */
struct queue {
	_Alignas(CACHE_LINE) _Atomic(size_t) tail; /* next cell to reserve; counts up for ever */
	_Alignas(CACHE_LINE) _Atomic(size_t) head; /* next cell to take; consumer writes */
	_Alignas(CACHE_LINE) atomic_bool armed;
	atomic_bool closed;
	_Alignas(CACHE_LINE) size_t capacity;
	size_t mask;
	int fd;
	_Atomic(void *) *cells;
};

static size_t round_up_to_power(size_t n)
{
	size_t power = 1;
	while (power < n)
		power *= 2;
	return power;
}

int queue_new(size_t capacity, struct queue **ret)
{
	assert(capacity >= 1 && capacity <= SIZE_MAX / 4 / sizeof(void *));
	struct queue *queue = aligned_alloc(CACHE_LINE, sizeof(*queue));
	if (!queue)
		return -ENOMEM;
	size_t count = round_up_to_power(capacity);
	*queue = (struct queue){.capacity = capacity, .mask = count - 1, .fd = -1};
	atomic_init(&queue->tail, 0);
	atomic_init(&queue->head, 0);
	atomic_init(&queue->armed, true);
	atomic_init(&queue->closed, false);
	queue->cells = calloc(count, sizeof(*queue->cells));
	int r = queue->cells ? 0 : -ENOMEM;
	if (r == 0) {
		queue->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		r = queue->fd < 0 ? -errno : 0;
	}
	if (r < 0) {
		queue_free(queue);
		return r;
	}
	*ret = queue;
	return 0;
}

void queue_free(struct queue *queue)
{
	if (!queue)
		return;
	fd_close_at(&queue->fd);
	free(queue->cells);
	free(queue);
}

static void queue_signal(struct queue *queue)
{
	uint64_t one = 1;
	ssize_t n;
	do {
		n = write(queue->fd, &one, sizeof(one));
	} while (n < 0 && errno == EINTR);
	/* EAGAIN would mean 2^64 - 2 unread signals. */
	assert(n == sizeof(one));
}

int queue_push(struct queue *queue, void *item)
{
	assert(item);
	size_t pos = atomic_load_explicit(&queue->tail, memory_order_relaxed);
	do {
		/* Acquire: the consumer has emptied the cells below head. A stale @pos gives a
		   negative distance and is corrected by the failing exchange. */
		size_t head = atomic_load_explicit(&queue->head, memory_order_acquire);
		if ((ptrdiff_t)(pos - head) >= (ptrdiff_t)queue->capacity)
			return QUEUE_FULL;
	} while (!atomic_compare_exchange_weak_explicit(
		&queue->tail, &pos, pos + 1, memory_order_relaxed, memory_order_relaxed));
	atomic_store(&queue->cells[pos & queue->mask], item);
	/* Read first: under load the token is out, and a read does not steal the cache line. */
	if (atomic_load(&queue->armed) && atomic_exchange(&queue->armed, false))
		queue_signal(queue);
	return 0;
}

static void *queue_peek(struct queue *queue, size_t pos)
{
	return atomic_load(&queue->cells[pos & queue->mask]);
}

/* The consumer found nothing more: the token goes from the eventfd to @armed, if it is there. */
static void queue_arm(struct queue *queue, size_t head)
{
	uint64_t count;
	if (atomic_load(&queue->armed))
		return;
	if (read(queue->fd, &count, sizeof(count)) < 0)
		return;
	atomic_store(&queue->armed, true);
	bool again = queue_peek(queue, head) || atomic_load(&queue->closed);
	if (again && atomic_exchange(&queue->armed, false))
		queue_signal(queue);
}

size_t queue_pop_all(struct queue *queue, void **items, size_t max)
{
	assert(max > 0);
	size_t head = atomic_load_explicit(&queue->head, memory_order_relaxed);
	size_t count = 0;
	void *item = queue_peek(queue, head);
	while (item && count < max) {
		items[count++] = item;
		atomic_store_explicit(&queue->cells[head & queue->mask], NULL, memory_order_relaxed);
		item = queue_peek(queue, ++head);
	}
	if (count > 0)
		atomic_store_explicit(&queue->head, head, memory_order_release);
	if (!item)
		queue_arm(queue, head);
	return count;
}

int queue_fd(const struct queue *queue)
{
	return queue->fd;
}

static uint64_t mono_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

bool queue_wait(struct queue *queue, int timeout_ms)
{
	size_t head = atomic_load_explicit(&queue->head, memory_order_relaxed);
	uint64_t end_ms = timeout_ms > 0 ? mono_ms() + (uint64_t)timeout_ms : 0;
	for (int left_ms = timeout_ms;;) {
		bool closed = atomic_load(&queue->closed);
		if (queue_peek(queue, head))
			return true;
		if (closed)
			return false;
		struct pollfd wait = {.fd = queue->fd, .events = POLLIN};
		int n = poll(&wait, 1, left_ms);
		if (n > 0 && !queue_peek(queue, head))
			queue_arm(queue, head); /* a token whose items were taken already */
		if (timeout_ms < 0)
			continue;
		uint64_t now_ms = timeout_ms > 0 ? mono_ms() : 0;
		if (now_ms >= end_ms)
			return queue_peek(queue, head) != NULL;
		left_ms = (int)(end_ms - now_ms);
	}
}

void queue_close(struct queue *queue)
{
	atomic_store(&queue->closed, true);
	queue_signal(queue);
}

size_t queue_count(const struct queue *queue)
{
	size_t tail = atomic_load_explicit(&queue->tail, memory_order_relaxed);
	size_t head = atomic_load_explicit(&queue->head, memory_order_relaxed);
	return (ptrdiff_t)(tail - head) > 0 ? tail - head : 0;
}
