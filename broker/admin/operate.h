/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "broker/transport/transport.h"

/*
 * Orders of an operator over the admin socket: lines of words, hex and numbers with one space between.
 *   hold CASE GROUND            put a case under legal hold; GROUND is the SHA-256 of the order
 *   release CASE GROUND
 *   erase due                   look now what is due by age
 *   erase now WORD              carry out waiting instructions now; WORD says why
 *   erase case CASE INSTRUCTION SEQUENCE...   let these entries go with the next weekly union
 *   dead retry CAUSE ITEM...    deliver these dead letters again; CAUSE may be -
 *   dead discard CAUSE ITEM...  end them; ITEM is SEQUENCE/PARTY-NUMBER
 *   queue hold party NAME       or service NAME: accept, and deliver nothing
 *   queue hold items SERVICE ITEM...    hold these messages, for the sake of a held service, or -
 *   queue release party|service NAME, queue release items SERVICE ITEM...
 *   inspect ROLE GROUND FIRST LAST COUNT        records in this range are about to be opened and shown
 * Whoever may open the socket may order. The answer comes when it is on disk. Reactor only.
 */
struct operate_options {
	struct parcel_pool *pool;
	struct transport *transport;
	void (*answer)(void *context, uint64_t ticket, json_t *object); /* takes the object */
	void *context;
};

/* Does this line begin as one of these? */
bool operate_is(const char *line);

/**
 * operate_request() - carry out a line
 * @options: outlive the answer
 * @line:    operate_is()
 * @ticket:  for the answer: an object with `changed`, or with `error`, a sentence
 * @account: of who asks
 */
void operate_request(
	const struct operate_options *options, const char *line, uint64_t ticket, uint32_t account);
