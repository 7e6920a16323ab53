/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/cleanup.h"

/*
 * A bounded queue of pointers between threads: any number of producers, one consumer. The consumer
 * waits on the queue's eventfd (in poll or zmq_poll) or on queue_wait(). Ownership of an item moves
 * with it. Queues are sized so that a push of budgeted work cannot fail (design section 4).
 */
struct queue;

/**
 * queue_new() - make a queue
 * @capacity: most items at once, >= 1
 * @ret:      the queue
 * Return: 0, -ENOMEM or what eventfd(2) gave.
 */
int queue_new(size_t capacity, struct queue **ret);

/**
 * queue_free() - free it; producers and consumer have ended
 * @queue: the queue or NULL; items left inside are the caller's to have drained
 */
void queue_free(struct queue *queue);
DEFINE_CLEANUP(struct queue *, queue_free);

enum { QUEUE_FULL = 1 };

/**
 * queue_push() - append an item and wake the consumer if it may be asleep
 * @queue: the queue
 * @item:  never NULL; the queue's on 0, still the caller's otherwise
 * Return: 0, or QUEUE_FULL.
 */
int queue_push(struct queue *queue, void *item) _must_use_;

/**
 * queue_pop_all() - take everything there is, in order; never blocks; clears the eventfd
 * @queue: the queue; consumer thread only
 * @items: room for @max
 * @max:   most items to take (when more remain, the eventfd stays readable)
 * Return: how many were taken.
 */
size_t queue_pop_all(struct queue *queue, void **items, size_t max);

/**
 * queue_fd() - readable while items wait (level-triggered)
 * @queue: the queue
 * Return: a descriptor owned by the queue.
 */
int queue_fd(const struct queue *queue);

/**
 * queue_wait() - sleep until an item is there, the queue is closed, or time is up
 * @queue:      consumer thread only
 * @timeout_ms: -1 for ever
 * Return: true when an item is there.
 */
bool queue_wait(struct queue *queue, int timeout_ms);

/**
 * queue_close() - tell the consumer that nothing more will come
 * @queue: any thread; every producer must have made its last push, or be this thread
 *
 * From then on the eventfd stays readable and queue_wait() returns at once: true while items are left,
 * then false. With no time limit, false can mean nothing else.
 */
void queue_close(struct queue *queue);

/**
 * queue_count() - items inside, a moment ago; any thread
 * @queue: the queue
 * Return: the number.
 */
size_t queue_count(const struct queue *queue);
