/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>

#include "proto/base/bytes.h"

/*
 * The head of an official XML document: what it is, from whom, for whom. Understood are
 *   XOEV g2g          nachrichtenkopf.g2g: leser/kennung, autor/kennung, nachrichtenUUID, ...
 *   XJustiz           nachrichtenkopf: auswahl_empfaenger, auswahl_absender, eigeneNachrichtenID
 *   XGewerbesteuer    nachrichtenkopf: nachrichtenID; kommune/gemeindeschluessel (it names no reader)
 *   XTA 2, OSCI       MessageMetaData: Destinations/Reader, Originators/Author, MsgIdentification
 * The document is read whole, so what is not well-formed is found here, and never changed. No document
 * type, no entities of its own, no network, nesting and lengths bounded. Pure.
 */
enum {
	XOEV_BAD = 1,        /* reterr tells: XML field or line, and the remedy */
	XOEV_TYPE_MAX = 127, /* bytes: as a header's schema */
	XOEV_TEXT_MAX = 200,
	XOEV_SCHEME_MAX = 32,
};

/* "psw:01003110" is scheme "psw", value "01003110"; without a prefix the scheme is "xoev". Both empty when
   the document does not say. */
struct xoev_party {
	char scheme[XOEV_SCHEME_MAX + 1];
	char value[XOEV_TEXT_MAX + 1];
	char field[96]; /* where it stands, for complaints */
};

struct xoev_head {
	char type[XOEV_TYPE_MAX + 1]; /* root element without prefix; of XTA the message type */
	char id[XOEV_TEXT_MAX + 1];   /* of the message, "" when it has none */
	char created[XOEV_TEXT_MAX + 1];
	struct xoev_party reader, author;
};

/**
 * xoev_read() - read the head of a document
 * @document: untrusted
 * @ret:      the head
 * @reterr:   a sentence without anything of the document's content
 * @size:     of @reterr
 * Return: 0, XOEV_BAD, -ENOMEM.
 */
int xoev_read(struct bytes document, struct xoev_head *ret, char *reterr, size_t size);
