/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/audit/open.h"
#include "broker/audit/report.h"

/*
 * The closed prefix of a journal leaves it: stubs and leaf hashes of entries whose records were erased, once an
 * export holds them. Permanent entries stay, with their rows of the tree, and so do the hashes above (docs/journal.md
 * "Pruning"). The broker is stopped. What was killed half-way is finished by doing it again.
 */
struct audit_prune_options {
	uint64_t before;                  /* entries below go; rounded down to a multiple of 32 */
	size_t slice_rows;                /* rows of 32 entries in a commit; 0: 512 */
	void (*committed)(void *context); /* NULL, or called after every commit */
	void *context;
};

struct audit_prune_result {
	uint64_t before;      /* entries below are archived from now on */
	uint64_t stubs, rows; /* removed by this run: stubs, rows of leaf hashes */
	uint64_t kept;        /* permanent entries below that stay */
};

/**
 * audit_prune() - take what is archived out of a journal
 * @paths:   journal, archive and policy; keys are not needed
 * @options: how far
 * @report:  gets progress, and findings of what was verified before: with any, nothing is done
 * @ret:     what was done
 * @reterr:  a sentence
 * @size:    of @reterr
 * Return: 0, PRUNE_REFUSED (nothing was changed; @reterr says why), negative errno.
 */
enum { PRUNE_REFUSED = 1 };
int audit_prune(const struct audit_paths *paths, const struct audit_prune_options *options,
	struct audit_report *report, struct audit_prune_result *ret, char *reterr, size_t size);
