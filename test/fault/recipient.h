/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "test/kit/bus.h"

/*
 * Who takes what the sender sends, and may die as suddenly as the broker. What was handed over is
 * counted where it ends: in the legacy system. One recipient per program.
 */
struct recipient {
	const char *content_type; /* of what it takes */
	void (*start)(void *context);
	void (*kill)(void *context); /* SIGKILL */
	void (*look)(void *context); /* called often: the legacy system at its work; may be NULL */
	void (*stop)(void *context); /* in order, where there is an order */
	void *context;
};

/* Message ids that reached the legacy system, one per hand-over. */
struct handed_over {
	uint8_t (*ids)[16];
	size_t count, room;
};
void handed_over_add(struct handed_over *all, const uint8_t id[16]);

/* ---- a party of the kit with the smallest durable inbox there can be: receiver.c ----
   To be made while the program has no other thread. */
struct receiver;
struct receiver *receiver_new(const struct bus *bus, struct recipient *ret);
void receiver_free(struct receiver *receiver, struct handed_over *ret); /* after stop */

/* ---- the real dienstweg-jobcenter, before a case system that takes every folder at once: office.c ---- */
struct office;
struct office *office_new(const struct bus *bus, struct recipient *ret);
void office_free(struct office *office, struct handed_over *ret); /* after stop */
