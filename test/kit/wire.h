/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/bytes.h"
#include "proto/frame.pb-c.h"
#include "test/kit/bus.h"

/*
 * A DEALER without manners: a valid key or none, any bytes, any number of parts, Hello or not. Only the
 * connection is ZeroMQ's; it comes back by itself, under another routing id, like any peer's. One thread.
 */
struct wire;

/**
 * wire_new() - connect to the bus
 * @bus:   started
 * @owner: whose transport key to use; NULL: no CURVE at all
 * Return: the wire; wire_free().
 */
struct wire *wire_new(const struct bus *bus, const char *owner);
struct wire *wire_new_named(const struct bus *bus, const char *owner,
	const char *routing_id);   /* with a routing id of its own choice; NULL: ZeroMQ's */
void wire_free(struct wire *wire); /* at once, whatever is unsent; takes NULL */

/**
 * wire_send() - send one message of one part
 * @wire:       the wire
 * @data:       any bytes, also none
 * @timeout_ms: longest wait for room or for a connection; 0: do not wait
 * Return: false when there was no room.
 */
bool wire_send(struct wire *wire, struct bytes data, int timeout_ms);
void wire_send_parts(struct wire *wire, const struct bytes *parts, size_t count); /* waits for room */

/**
 * wire_receive() - take one message
 * @wire:       the wire
 * @ret:        view, valid until the next call
 * @timeout_ms: longest wait
 * Return: false when nothing came.
 */
bool wire_receive(struct wire *wire, struct bytes *ret, int timeout_ms);

/* The nonce that frames get: 16 random bytes at first, to be changed at will. */
uint8_t *wire_nonce(struct wire *wire);

/**
 * wire_pack() - a frame's bytes, with the wire's nonce
 * @wire:  owns the result until the next call
 * @frame: body set
 * Return: the bytes.
 */
struct bytes wire_pack(struct wire *wire, Dienstweg__Frame *frame);

/**
 * wire_pack_raw() - a frame around any bytes, with the wire's nonce
 * @wire:    owns the result until the next call
 * @kind:    field number of the body
 * @content: what stands where the body's bytes belong
 * Return: the bytes.
 */
struct bytes wire_pack_raw(struct wire *wire, uint32_t kind, struct bytes content);

/**
 * wire_reply() - take frames until one of a kind comes; fails the test after a while
 * @wire: the wire
 * @body: kind wanted; 0: any
 * Return: the frame, valid until the next call.
 */
const Dienstweg__Frame *wire_reply(struct wire *wire, Dienstweg__Frame__BodyCase body);

/* Say Hello for a party under the present nonce; the answer is the caller's to look at. */
void wire_hello(struct wire *wire, const char *party);
/* The same, and wait for Welcome. */
void wire_open_session(struct wire *wire, const char *party);
