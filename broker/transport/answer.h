/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/parcel.h"

/*
 * From committed parcels of one session to the frames that answer them: Answer for submits, Acknowledged for
 * acknowledgements. Parcels of the same commit share a frame, which is split when it would be too large.
 */
enum {
	ANSWER_ITEMS_MAX = 2048,
	ANSWER_BYTES_MAX = 900000, /* below FRAME_BYTES_MAX by what the frame itself needs */
};

struct answer;

/* Sends a finished frame; its memory lasts until the call returns. */
struct answer_port {
	void (*emit)(void *context, Dienstweg__Frame *frame);
	void *context;
};

int answer_new(struct answer **ret);     /* 0 or -ENOMEM */
void answer_free(struct answer *answer); /* takes NULL */
DEFINE_CLEANUP(struct answer *, answer_free);

/**
 * answer_make() - answer parcels in their order
 * @answer:  working memory; one thread
 * @parcels: of one session, linked by next: submits, acknowledgements, and spoilt ones
 * @port:    where frames go
 * Return: 0 or -ENOMEM: some of them were not answered, the session must end.
 */
int answer_make(struct answer *answer, const struct parcel *parcels, const struct answer_port *port);
