/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/audit/open.h"
#include "broker/audit/report.h"
#include "proto/note/checkpoint.h"

/*
 * Is this journal what it claims to be? From the bottom up: stubs, leaves, the stored tree, every kept
 * checkpoint, the registries under the policy's roots; then, with the keyring, each record and its
 * signatures, under the registry in force at that entry. Streams: memory does not grow with the journal.
 * Findings come in the order of the entries, and are the same however many threads look for them. Codes of
 * findings are listed in broker/admin/dienstweg-admin.1.scd.
 */
enum audit_depth {
	AUDIT_TREE, /* needs no keys: what anybody with a copy of the journal can check */
	AUDIT_FULL, /* needs the keyring */
};

struct verified; /* broker/audit/verified.h */

struct audit_verify_options {
	enum audit_depth depth;
	struct bytes held; /* empty, or a signed checkpoint kept elsewhere: the journal must extend it */
	size_t workers;              /* threads that open records; 0: none but the caller's */
	const struct verified *from; /* NULL, or what was verified before; audit_verify_continues() */
	struct verified *remember; /* NULL, or what the next one may go on from; note_len 0: nothing */
	bool pruning; /* by who prunes: that no entry tells of the last run yet is no finding */
};

struct audit_verify_result {
	uint64_t entries;
	uint64_t before;  /* of them verified before, and not looked at again */
	uint64_t pruned;  /* entries below are archived */
	bool archive;     /* and were verified out of the archive */
	uint64_t records; /* opened; 0 at depth tree */
	uint64_t gone_records,
		gone_contents; /* lawfully; a content is counted where its record is left */
	uint64_t signatures;   /* of messages and of batches of acknowledgements, judged */
	uint64_t checkpoints;  /* kept ones, judged */
	uint64_t registries;
	uint64_t registry_version;
	uint64_t batch_ms;    /* of the last commit */
	struct epochs epochs; /* under which it went on after it had lost entries */
	uint64_t lost_to; /* so many entries had been signed before the newest of them, as far as is known */
	struct checkpoint newest; /* size 0: none */
	char newest_root[45];     /* base64 */
};

/**
 * audit_verify() - verify a journal as of now
 * @audit:   open; without a policy nothing vouches for the registries; AUDIT_FULL needs a keyring
 * @options: how deep
 * @report:  gets findings and progress
 * @ret:     what was looked at
 * Return: 0 (look at report->findings), negative errno: it could not be finished.
 */
int audit_verify(struct audit *audit, const struct audit_verify_options *options,
	struct audit_report *report, struct audit_verify_result *ret);

/**
 * audit_verify_continues() - may a verification go on from what was verified before?
 * @audit:   open
 * @options: with @from
 * @reterr:  the end of a sentence: what stands against it
 * @size:    of @reterr
 * Return: 0, AUDIT_REFUSED (another journal, another policy, a lesser depth, or it ends in what was pruned and no
 *         archive is named), negative errno.
 */
int audit_verify_continues(const struct audit *audit, const struct audit_verify_options *options,
	char *reterr, size_t size);
