/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdint.h>

#include "proto/base/cleanup.h"

/*
 * What an audit tells while it runs: findings, each with the entry that it is about, and progress. One
 * thread. Sentences are for people and hold names of the registry, numbers and sequences, nothing else.
 */
struct audit_finding {
	uint64_t sequence;  /* of the entry that it is about; where a range is, of its first */
	const char *code;   /* constant, e.g. "record-missing": for programs, never changed */
	const char *reason; /* a sentence; valid during the call */
};

struct dispute;

struct audit_report {
	void (*finding)(void *context, const struct audit_finding *finding); /* may be NULL */
	void (*progress)(void *context, uint64_t done, uint64_t total);      /* may be NULL */
	void (*dispute)(void *context, const struct dispute *dispute);       /* may be NULL */
	void *context;
	uint64_t findings; /* counted here */
	uint64_t disputed; /* keys under suspicion on which something rests; no findings */
};

/**
 * audit_report_finding() - tell a finding
 * @report:   where to
 * @sequence: of the entry
 * @code:     constant
 * @format:   of the sentence
 */
void audit_report_finding(struct audit_report *report, uint64_t sequence, const char *code,
	const char *format, ...) _printf_(4, 5);

/**
 * audit_report_progress() - tell how far it is
 * @report: where to
 * @done:   entries
 * @total:  entries
 */
void audit_report_progress(struct audit_report *report, uint64_t done, uint64_t total);
