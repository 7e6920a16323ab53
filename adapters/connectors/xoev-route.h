/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>

#include "adapters/connectors/xoev.h"
#include "conf/config.h"
#include "proto/base/bytes.h"
#include "proto/registry/registry.h"

/*
 * Where an official document goes: the service by its message type, the recipient by its reader, both
 * through the registry. A document that names no reader goes where the settings recipient.SERVICE or
 * region.SERVICE send it, or else to the region of the municipality that wrote it. A reader that the
 * registry does not know is an error, never a guess: a document must not reach the wrong office. The
 * author decides which of our own parties sends; it is a claim of the document, and the envelope's
 * signature says who really sent. Pure.
 */
enum {
	ROUTE_BAD = 1, /* reterr: XML field and remedy */
	ROUTE_REGION_SIZE = 13,
};

struct xoev_route {
	struct bytes service;
	struct bytes sender;    /* empty: the adapter's first party */
	struct bytes recipient; /* this, or region */
	struct bytes region;
	char region_text[ROUTE_REGION_SIZE]; /* what @region may point to */
};

/**
 * xoev_route() - find the way of a document
 * @registry: in force
 * @config:   party, operates, settings
 * @head:     of the document
 * @ret:      views into the other arguments and into itself: do not copy it
 * @reterr:   a sentence
 * @size:     of @reterr
 * Return: 0 or ROUTE_BAD.
 */
int xoev_route(const struct registry *registry, const struct config_adapter *config,
	const struct xoev_head *head, struct xoev_route *ret, char *reterr, size_t size);
