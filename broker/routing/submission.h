/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/routing/codes.h"
#include "broker/routing/rules.h"

/* One message on its way through the checks of rules_submit(). Between the submit-*.c files. */
enum { SUBMISSION_DECIDED = 1 };

struct submission {
	struct rules *rules;
	const struct submit_facts *facts;
	struct submit_decision *ret;
	const Dienstweg__Header *header; /* set from the first check on */
	uint32_t speaker;                /* numbers */
	uint32_t sender;
	bool authentic; /* header and signature are the sender's: `seen` may be written */
	bool reused;    /* ... but the id is taken: `seen` stays as it is */
	struct resolve_result route;
	uint64_t expires_ms; /* by the header, and by the pattern of its service */
	bool held;           /* its service is, by this entry */
	uint64_t held_by;
	uint32_t month;
	uint64_t quota_used;
	struct total_row totals[RESOLVE_MAX]; /* of the recipients, before this message */
};

/**
 * submission_refuse() - "never": count it, and decide whether it becomes an entry
 * @submission: under way
 * @code:       why
 * @name:       for the sentence; a name of the registry, or a constant
 * Return: SUBMISSION_DECIDED or negative errno.
 */
int submission_refuse(struct submission *submission, enum routing_code code, struct bytes name);

/* The same with the texts of registry_resolve(). */
int submission_refuse_route(struct submission *submission);

/* The same for content that breaks the schema: place and reason are in the facts. */
int submission_refuse_schema(struct submission *submission);

/* The same with a field at fault that only the facts know. */
int submission_refuse_field(
	struct submission *submission, enum routing_code code, const char *field);

/**
 * submission_defer() - "not now": nothing changes
 * @submission: under way
 * @code:       why
 * @name:       for the sentence
 * @retry_ms:   when to try again
 * Return: SUBMISSION_DECIDED or negative errno.
 */
int submission_defer(struct submission *submission, enum routing_code code, struct bytes name,
	uint32_t retry_ms);

/* The checks in order, and what follows when all have passed.
   Return: 0 passed, SUBMISSION_DECIDED (ret is filled), negative errno. */
int submission_check_form(struct submission *s);
int submission_check_bus(struct submission *s);
int submission_check_speaker(struct submission *s);
int submission_check_key(struct submission *s);
int submission_check_seen(struct submission *s);
int submission_check_clock(struct submission *s);
int submission_check_expiry(struct submission *s);
int submission_check_route(struct submission *s);
int submission_check_pattern(struct submission *s);
int submission_check_class(struct submission *s);
int submission_check_confidentiality(struct submission *s);
int submission_check_wraps(struct submission *s);
int submission_check_schema(struct submission *s);
int submission_check_quota(struct submission *s);
int submission_check_room(struct submission *s);
int submission_check_row(struct submission *s);
int submission_check_attachments(struct submission *s);
int submission_write_pattern(struct submission *s); /* of submission_accept() */
int submission_accept(struct submission *s);

/* After acceptance: is a queue or a quota nearly used up? */
void submission_notice(struct submission *s);
