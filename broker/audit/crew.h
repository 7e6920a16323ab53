/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>

#include "broker/audit/open.h"
#include "broker/audit/slice.h"

/*
 * Workers that open the records of slices (verify-entry.c), each with a snapshot, an arena and a memory of
 * verified signatures of its own; what they share is only read. The slices go round in a ring that keeps
 * everybody busy. One thread uses the crew.
 */
struct crew;

/**
 * crew_new() - start them
 * @audit:   open; outlives the crew
 * @workers: threads; 0: the caller's own does the work
 * @ret:     the crew
 * Return: 0 or negative errno.
 */
int crew_new(const struct audit *audit, size_t workers, struct crew **ret);
void crew_free(struct crew *crew); /* finishes what it was given; takes NULL */
DEFINE_CLEANUP(struct crew *, crew_free);

/* Slices in the ring: after so many crew_next() all have been seen. */
size_t crew_slices(const struct crew *crew);

/**
 * crew_next() - wait for the slice that was pushed first of those in the ring
 * @crew: the crew
 * Return: the slice, the caller's until it is pushed again.
 */
struct slice *crew_next(struct crew *crew);

/**
 * crew_push() - have the records of a slice opened
 * @crew:  owns the slice until crew_next() gives it back
 * @slice: the last one that crew_next() gave; walked as to its tree, its chain set
 */
void crew_push(struct crew *crew, struct slice *slice);
