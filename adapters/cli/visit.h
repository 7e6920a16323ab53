/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "adapters/sdk/parties.h"
#include "conf/config.h"
#include "proto/base/arena.h"
#include "proto/frame.pb-c.h"
#include "proto/merkle/merkle.h"
#include "proto/registry/registry.h"

/*
 * A visit: a session that takes nothing, beside the party's adapter, which goes on undisturbed. One thread.
 */
struct visit;

struct visit_options {
	const struct config_adapter *config;
	const struct registry *registry; /* held */
	const struct parties *parties;
	uint64_t timeout_s;
};

/* What is asked for: a part of a report. */
struct visit_question {
	struct bytes party;
	uint8_t case_id[16];
	uint64_t from_message, from_entry;
};

enum {
	VISIT_DENIED = 1, /* visit_why() tells */
	VISIT_TIMEOUT = 2, /* no answer: the broker is away, or busy; visit_why() tells what it said last */
};

/**
 * visit_new() - connect in the background
 * @options: borrowed for the visit's life
 * @ret:     the visit
 * Return: 0 or negative errno.
 */
int visit_new(const struct visit_options *options, struct visit **ret);
void visit_free(struct visit *visit); /* takes NULL */
DEFINE_CLEANUP(struct visit *, visit_free);

/**
 * visit_ask() - ask, wait as long as the broker wants, and take the answer
 * @visit:         the visit
 * @question:      what
 * @arena:         owns the result
 * @ret:           the answer, unchecked
 * @ret_inspected: entry that records it
 * Return: 0, VISIT_*, negative errno.
 */
int visit_ask(struct visit *visit, const struct visit_question *question, struct arena *arena,
	Dienstweg__AccessReport **ret, uint64_t *ret_inspected);

/**
 * visit_prove() - ask for the proof that one tree of the log extends another
 * @visit:     the visit
 * @old_size:  at least 1
 * @new_size:  larger
 * @ret:       VISIT_PROOF_MAX hashes of room; untrusted
 * @ret_count: how many
 * Return: 0, VISIT_*, negative errno.
 */
enum { VISIT_PROOF_MAX = 2 * MERKLE_LEVELS };
int visit_prove(struct visit *visit, uint64_t old_size, uint64_t new_size,
	struct merkle_hash ret[VISIT_PROOF_MAX], size_t *ret_count);

/**
 * visit_cancel() - bring a signed batch of cancellations, and take the answer
 * @visit:    the visit
 * @batch:    signed
 * @after_ms: wait so long first
 * @arena:    owns the result
 * @ret:      the answer
 * Return: 0, VISIT_*, negative errno.
 */
int visit_cancel(struct visit *visit, const Dienstweg__CancelBatch *batch, uint64_t after_ms,
	struct arena *arena, Dienstweg__Cancelled **ret);
const char *visit_why(const struct visit *visit); /* a sentence, made printable */
