/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "adapters/connectors/folder-in.h"
#include "adapters/connectors/letter.h"
#include "adapters/sdk/adapter.h"

/*
 * From an item to a message (docs/folder.md): a form with the documents beside it is one case; an official
 * XML document alone travels as it is, byte for byte, and with others beside it as a case whose first
 * document it is.
 */
struct outgoing {
	const struct config_adapter *config;
	const struct folder_agency *agency;
	struct dw_adapter *adapter; /* of the op that runs */
	struct arena *arena;        /* one letter; outgoing_budget() suffices */
};

size_t outgoing_budget(const struct config_adapter *config); /* bytes of arena */

/**
 * outgoing_take() - submit an item, as struct folder_in_taker has it
 * @context: the struct outgoing
 * @item:    read
 * @key:     under which it was submitted
 * @reterr:  a sentence
 * @size:    of @reterr
 * Return: TAKE_DONE, TAKE_BAD, TAKE_LATER, negative errno.
 */
int outgoing_take(void *context, const struct item *item, char key[ITEM_KEY_MAX + 1], char *reterr,
	size_t size);
