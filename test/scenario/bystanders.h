/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "test/kit/party.h"
#include "test/kit/wire.h"

/*
 * A bus with honest people on it: a city that files applications and a jobcenter that takes them, while
 * a ministry with good keys behaves badly. What a story calls "undisturbed" is this: their next message
 * goes through whole, and the broker keeps no more memory and descriptors than before.
 */
struct bystanders {
	struct bus bus;
	struct party city, jobcenter;
	struct party ministry; /* to compose with; its connections are wires */
	uint64_t memory;       /* of the broker, anonymous, after it has warmed up */
	uint64_t memory_most;  /* seen at undisturbed() */
	size_t files;
};

/**
 * bystanders_open() - bus, broker, city and jobcenter connected, a few messages through
 * @all:   to set up; bystanders_close()
 * @extra: further lines for broker.yaml, or ""
 */
void bystanders_open(struct bystanders *all, const char *extra);

/* Drains the broker, which must end well; prints what memory it took at most. */
void bystanders_close(struct bystanders *all);

/* The next honest message goes through, and the broker's memory is where it was. */
void bystanders_undisturbed(struct bystanders *all);

/* Wait until the broker has closed the descriptors that a story made it open. */
void bystanders_files_closed(struct bystanders *all);

/* A frame's answer is an Error that names code, field and remedy. */
void expect_error(struct wire *wire, struct bytes frame, const char *code);
