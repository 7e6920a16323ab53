/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/base/bytes.h"
#include "proto/base/crypto.h"

/*
 * What a clerk's answer needs and a clerk should not have to copy: who opened a case here, with which
 * service, and which message is answered. One small file per case in the state folder, without anything
 * of the content but the sender's own reference.
 */
enum {
	CASES_UNKNOWN = 1,
	CASES_ID_SIZE = 16,
	CASES_NAME_SIZE = 64,
	CASES_REFERENCE_SIZE = 401,
};

/* What came: submissions and questions of one case are remembered apart, so that neither is answered as the other. */
enum cases_of { CASES_OF_SUBMISSIONS, CASES_OF_QUESTIONS };

struct case_origin {
	uint8_t case_id[CASES_ID_SIZE];
	uint8_t h[HASH_SIZE]; /* of the newest message that opened or continued it */
	uint64_t sequence;
	char sender[CASES_NAME_SIZE];
	char recipient[CASES_NAME_SIZE]; /* which of our parties got it */
	char service[CASES_NAME_SIZE];
	char reference[CASES_REFERENCE_SIZE]; /* the sender's own, may be empty */
};

/**
 * cases_put() - remember where a case came from; durable
 * @state:  the adapter's state folder
 * @of:     what it was
 * @origin: replaces an earlier one; one of a higher sequence stays
 * Return: 0 or negative errno.
 */
int cases_put(const char *state, enum cases_of of, const struct case_origin *origin);

/**
 * cases_get() - where did it come from?
 * @state:   the adapter's state folder
 * @of:      what came in it
 * @case_id: which
 * @ret:     the origin
 * Return: 0, CASES_UNKNOWN, -EBADMSG for a damaged file, other negative errno.
 */
int cases_get(const char *state, enum cases_of of, const uint8_t case_id[CASES_ID_SIZE],
	struct case_origin *ret);
