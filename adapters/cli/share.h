/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <jansson.h>

#include "adapters/cli/visit.h"
#include "proto/note/checkpoint.h"

/*
 * Checking a report of subject access with nothing but the registry held: that the log's keeper signed it, that it
 * answers what was asked, that both forms of it belong together, and that each entry is proven.
 */
/* A checkpoint that proofs stand under; views into the report. */
struct share_shown {
	struct checkpoint checkpoint;
	struct bytes note;
};

enum { SHARE_SHOWN_MAX = 4 };
struct share_checked {
	struct bytes text; /* for people */
	json_t *object;    /* for programs; json_decref() */
	size_t proven;     /* entries */
	size_t unproven;   /* of which the broker could prove nothing: it says so itself */
	struct share_shown shown[SHARE_SHOWN_MAX]; /* each once; notes live as long as the object */
	size_t shown_count;
};

/**
 * share_check() - check a report
 * @registry: held
 * @question: that it answers
 * @report:   untrusted; borrowed by the result
 * @ret:      what it says; nothing to be freed unless 0
 * @reterr:   a sentence, for a verdict
 * @size:     of @reterr
 * Return: 0, SHARE_UNKNOWN (signed by no log key of this registry), SHARE_WRONG, negative errno.
 */
enum { SHARE_UNKNOWN = 1, SHARE_WRONG = 2 };
int share_check(const struct registry *registry, const struct visit_question *question,
	const Dienstweg__AccessReport *report, struct share_checked *ret, char *reterr, size_t size);
