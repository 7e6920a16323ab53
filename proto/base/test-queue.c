/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A lost wake-up shows as a consumer that waits although an item is there. Every wait here has a time
 * limit far above what a loaded machine needs, and running into it fails the test. Items carry
 * (producer, number), so order, loss and doubling are all seen.
 */
#include "proto/base/queue.h"

#include "test/kit/check.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <time.h>

enum { PATIENCE_MS = 20000 };

static void *item_of(uintptr_t producer, uintptr_t number)
{
	return (void *)(number << 4 | producer << 1 | 1);
}

static bool readable(struct queue *queue, int timeout_ms)
{
	struct pollfd wait = {.fd = queue_fd(queue), .events = POLLIN};
	return poll(&wait, 1, timeout_ms) == 1;
}

static struct queue *new_queue(size_t capacity)
{
	struct queue *queue = NULL;
	CHECK_INT(queue_new(capacity, &queue), 0);
	return queue;
}

/* All lengths up to the capacity, many times round the ring. */
static void order_and_exact_capacity(void)
{
	for (size_t capacity = 1; capacity <= 9; capacity++) {
		_cleanup_(queue_free) struct queue *queue = new_queue(capacity);
		void *items[16];
		uintptr_t pushed = 0, popped = 0;
		for (size_t round = 0; round < 200; round++) {
			size_t fill = round % (capacity + 1);
			for (size_t i = 0; i < fill; i++)
				CHECK_INT(queue_push(queue, item_of(0, pushed++)), 0);
			if (fill == capacity)
				CHECK_INT(queue_push(queue, item_of(1, 1)), QUEUE_FULL);
			CHECK_INT(queue_count(queue), fill);
			CHECK_INT(queue_pop_all(queue, items, 16), fill);
			for (size_t i = 0; i < fill; i++)
				CHECK(items[i] == item_of(0, popped++));
			CHECK_INT(queue_count(queue), 0);
		}
	}
	queue_free(NULL);
}

static void descriptor_is_readable_while_items_wait(void)
{
	_cleanup_(queue_free) struct queue *queue = new_queue(10);
	void *items[10];
	CHECK(!readable(queue, 0));
	for (int round = 0; round < 3; round++) {
		for (uintptr_t i = 0; i < 5; i++) {
			CHECK_INT(queue_push(queue, item_of(0, i)), 0);
			CHECK(readable(queue, 0));
		}
		CHECK_INT(queue_pop_all(queue, items, 2), 2);
		CHECK(readable(queue, 0)); /* three remain */
		CHECK_INT(queue_pop_all(queue, items, 2), 2);
		CHECK_INT(queue_push(queue, item_of(0, 5)), 0);
		CHECK(readable(queue, 0));
		CHECK_INT(queue_pop_all(queue, items, 2), 2); /* exactly what was there */
		CHECK(!readable(queue, 0));
		CHECK_INT(queue_pop_all(queue, items, 10), 0);
		CHECK(!readable(queue, 0));
	}
	CHECK_INT(queue_push(queue, item_of(0, 1)), 0);
	CHECK(readable(queue, 0));
	CHECK_INT(queue_pop_all(queue, items, 10), 1);
}

static uint64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void waiting_ends(void)
{
	_cleanup_(queue_free) struct queue *queue = new_queue(4);
	void *items[4];
	CHECK(!queue_wait(queue, 0));
	uint64_t start = now_ms();
	CHECK(!queue_wait(queue, 30));
	CHECK(now_ms() - start >= 29 && now_ms() - start < PATIENCE_MS);
	CHECK_INT(queue_push(queue, item_of(0, 1)), 0);
	CHECK(queue_wait(queue, 0));
	CHECK(queue_wait(queue, -1)); /* it is still there */
	CHECK_INT(queue_pop_all(queue, items, 4), 1);
	CHECK(!queue_wait(queue, 0));
}

static void closing_wakes_for_good(void)
{
	_cleanup_(queue_free) struct queue *queue = new_queue(4);
	void *items[4];
	CHECK_INT(queue_push(queue, item_of(0, 1)), 0);
	queue_close(queue);
	CHECK(queue_wait(queue, -1)); /* the last item first */
	CHECK_INT(queue_pop_all(queue, items, 4), 1);
	CHECK(!queue_wait(queue, -1));
	CHECK(readable(queue, 0));
	CHECK_INT(queue_pop_all(queue, items, 4), 0);
	CHECK(readable(queue, 0));
	CHECK(!queue_wait(queue, -1));
}

struct stress {
	struct queue *queue;
	uintptr_t producer;
	uintptr_t count;
};

static void *produce(void *arg)
{
	struct stress *stress = arg;
	for (uintptr_t i = 0; i < stress->count; i++)
		while (queue_push(stress->queue, item_of(stress->producer, i)) == QUEUE_FULL)
			sched_yield();
	return NULL;
}

enum { PRODUCERS = 3 };

/* Takes from the queue, awaited in one of two ways, until every producer's last item was seen. */
static void consume(struct queue *queue, uintptr_t count, size_t max, bool by_descriptor)
{
	uintptr_t next[PRODUCERS] = {0}, seen = 0;
	void *items[64];
	while (seen < PRODUCERS * count) {
		bool woken = by_descriptor ? readable(queue, PATIENCE_MS)
					   : queue_wait(queue, PATIENCE_MS);
		if (!woken)
			CHECK_FAIL("asleep with %zu items inside", queue_count(queue));
		size_t n = queue_pop_all(queue, items, max);
		for (size_t i = 0; i < n; i++) {
			uintptr_t producer = (uintptr_t)items[i] >> 1 & 7;
			CHECK(producer < PRODUCERS);
			CHECK_INT((uintptr_t)items[i] >> 4, next[producer]++);
		}
		seen += n;
	}
	CHECK_INT(queue_pop_all(queue, items, max), 0);
}

static void run_stress(size_t capacity, uintptr_t count, size_t max, bool by_descriptor)
{
	_cleanup_(queue_free) struct queue *queue = new_queue(capacity);
	struct stress stress[PRODUCERS];
	pthread_t threads[PRODUCERS];
	for (uintptr_t i = 0; i < PRODUCERS; i++) {
		stress[i] = (struct stress){.queue = queue, .producer = i, .count = count};
		CHECK_INT(pthread_create(&threads[i], NULL, produce, &stress[i]), 0);
	}
	consume(queue, count, max, by_descriptor);
	for (size_t i = 0; i < PRODUCERS; i++)
		pthread_join(threads[i], NULL);
}

static void many_producers_by_descriptor(void)
{
	run_stress(1024, 100000, 64, true);
	run_stress(7, 20000, 3, true);
	run_stress(1, 5000, 1, true);
}

static void many_producers_by_waiting(void)
{
	run_stress(1024, 100000, 64, false);
	run_stress(7, 20000, 3, false);
	run_stress(2, 5000, 64, false);
}

struct echo {
	struct queue *there, *back;
	int rounds;
};

static void *echo_all(void *arg)
{
	struct echo *echo = arg;
	void *item;
	for (int i = 0; i < echo->rounds; i++) {
		do {
			if (!queue_wait(echo->there, PATIENCE_MS))
				return NULL;
		} while (queue_pop_all(echo->there, &item, 1) == 0);
		if (queue_push(echo->back, item) != 0)
			return NULL;
	}
	return arg;
}

/* One item in flight: both sides fall asleep and are woken each round, at every possible moment. */
static void ping_pong_loses_no_wakeup(void)
{
	enum { ROUNDS = 30000 };
	_cleanup_(queue_free) struct queue *there = new_queue(1);
	_cleanup_(queue_free) struct queue *back = new_queue(1);
	struct echo echo = {.there = there, .back = back, .rounds = ROUNDS};
	pthread_t thread;
	void *item, *done;
	CHECK_INT(pthread_create(&thread, NULL, echo_all, &echo), 0);
	for (uintptr_t i = 0; i < ROUNDS; i++) {
		CHECK_INT(queue_push(there, item_of(0, i)), 0);
		do {
			if (!readable(back, PATIENCE_MS))
				CHECK_FAIL("round %zu: asleep with %zu items", (size_t)i,
					queue_count(back));
		} while (queue_pop_all(back, &item, 1) == 0);
		CHECK(item == item_of(0, i));
	}
	pthread_join(thread, &done);
	CHECK(done == &echo);
}

static void *close_later(void *arg)
{
	struct queue *queue = arg;
	for (uintptr_t i = 0; i < 1000; i++)
		while (queue_push(queue, item_of(0, i)) == QUEUE_FULL)
			sched_yield();
	queue_close(queue);
	return NULL;
}

/* The shape of every worker thread: work until the queue is closed and empty. */
static void closing_loses_no_item(void)
{
	for (int round = 0; round < 200; round++) {
		_cleanup_(queue_free) struct queue *queue = new_queue(8);
		pthread_t thread;
		void *items[4];
		size_t seen = 0;
		CHECK_INT(pthread_create(&thread, NULL, close_later, queue), 0);
		while (queue_wait(queue, -1))
			seen += queue_pop_all(queue, items, 4);
		CHECK_INT(seen, 1000);
		pthread_join(thread, NULL);
	}
}

CHECK_MAIN(CHECK_CASE(order_and_exact_capacity), CHECK_CASE(descriptor_is_readable_while_items_wait),
	CHECK_CASE(waiting_ends), CHECK_CASE(closing_wakes_for_good),
	CHECK_CASE(many_producers_by_descriptor), CHECK_CASE(many_producers_by_waiting),
	CHECK_CASE(ping_pong_loses_no_wakeup), CHECK_CASE(closing_loses_no_item))
