/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "adapters/connectors/item.h"
#include "conf/config.h"
#include "proto/base/bytes.h"
#include "proto/base/cleanup.h"

/*
 * The way in of the folder connector (docs/folder.md): what rests in `in` is claimed by a rename into
 * `work`, handed to a taker, and moved to `done` once the outbox holds it, or to `failed` with an error
 * file beside it. Where an item is says how far it got, so a crash at any moment loses nothing: what is
 * in `work` is handed to the taker again under the same key.
 *
 * One thread. Each turn is bounded: FOLDER_IN_ITEMS_MAX items.
 */
enum {
	FOLDER_IN_ITEMS_MAX = 32, /* handed over in one turn */
};

enum {
	FOLDER_IN_INVALID = 1, /* folder_in_open(): reterr names the parameter and the remedy */
};

/* What a taker made of an item. */
enum folder_in_verdict {
	TAKE_DONE = 0,  /* under way: folder_in_submitted() will be called with its key */
	TAKE_BAD = 1,   /* cannot be sent; why is written beside it */
	TAKE_LATER = 2, /* no room now; nothing more is taken in this turn */
};

/* Hands items over. @take returns a verdict or a negative errno, which ends the turn. */
struct folder_in_taker {
	int (*take)(void *context, const struct item *item, char key[ITEM_KEY_MAX + 1],
		char *reterr, size_t size);
	void *context;
};

struct folder_in;

/**
 * folder_in_open() - open the folders, made with mode 0700 where they are missing
 * @config: in, work, done, failed, settle_ms, poll_ms, file_bytes_max; outlives the result
 * @ret:    the way in
 * @reterr: a sentence
 * @size:   of @reterr
 * Return: 0, FOLDER_IN_INVALID, negative errno (@reterr is set as well).
 */
int folder_in_open(
	const struct config_connector *config, struct folder_in **ret, char *reterr, size_t size);
void folder_in_free(struct folder_in *in); /* takes NULL */
DEFINE_CLEANUP(struct folder_in *, folder_in_free);

/**
 * folder_in_turn() - look, claim what rests, hand over what is claimed
 * @in:       the way in
 * @taker:    gets the items, in their order of arrival
 * @ret_more: true when there is more to do at once
 *
 * What the taker got in an earlier turn must have been told by folder_in_submitted() before: otherwise it
 * is handed over again.
 *
 * Return: 0 or negative errno.
 */
int folder_in_turn(struct folder_in *in, const struct folder_in_taker *taker, bool *ret_more);

/**
 * folder_in_submitted() - the outbox holds it: move it to `done`
 * @in:  the way in
 * @key: as the taker gave it; an unknown one is nothing
 * Return: 0 or negative errno.
 */
int folder_in_submitted(struct folder_in *in, struct bytes key);

/**
 * folder_in_fd() - a descriptor that is readable when folder_in_turn() may have something to do
 * @in: the way in
 * Return: the descriptor, the way in's own.
 */
int folder_in_fd(const struct folder_in *in);
