/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/audit/index.h"
#include "broker/audit/timeline.h"
#include "broker/clerk.h"
#include "proto/identity/key.h"
#include "proto/registry/registry.h"

/*
 * The desk: a patient clerk who keeps the case index up to date behind the commits, and makes the reports that
 * parties ask for. It works when nobody else wants the processor, one errand after the other, each of bounded
 * work; the reactor sends and collects. An index that cannot be kept is told in the log and tried again: traffic
 * does not depend on it.
 */
struct desk;

struct desk_options {
	const char *index; /* folder of the case index, made when absent */
	struct db_env *env;
	struct keyring *keyring;
	const struct clock *clock;
	const struct key_secret *const *log_keys; /* JOURNAL_LOG_KEYS_MAX, NULL behind the last */
};

/**
 * desk_new() - start the thread
 * @options: copied; what it points to is borrowed for the desk's life
 * @ret:     the desk
 * Return: 0 or negative errno.
 */
int desk_new(const struct desk_options *options, struct desk **ret);
void desk_free(struct desk *desk); /* takes NULL; everything it was sent on has been collected */
DEFINE_CLEANUP(struct desk *, desk_free);

/**
 * desk_tick() - once a second or so: bring the index up to date when the journal has grown
 * @desk: the desk
 * @size: of the journal
 */
void desk_tick(struct desk *desk, uint64_t size);
/* Send nothing any more. */
void desk_stop(struct desk *desk);

/* As of a clerk: readable when something has come back; take it (reactor); sent and not collected. */
int desk_fd(const struct desk *desk);
size_t desk_collect(struct desk *desk);
size_t desk_out(const struct desk *desk);

/* How far the index is, as of the last step. */
struct case_index_progress desk_progress(const struct desk *desk);

enum {
	DESK_NOTHING = 1, /* the party has nothing in that case, or there is none */
	DESK_BEHIND = 2,  /* the index is being made: progress tells how far it is */
};

/* A report to be made. */
struct desk_request {
	struct errand errand; /* first; run and done are the desk's */
	struct desk *desk;
	/* asked */
	char party[64];
	uint8_t id[CASE_ID_SIZE];
	struct timeline_place from;
	struct registry *registry;                  /* in force: which log keys sign */
	void (*done)(struct desk_request *request); /* reactor */
	/* found */
	int result; /* 0, DESK_*, negative errno */
	struct case_index_progress progress;
	uint8_t *report; /* a serialized AccessReport, malloc'd */
	size_t report_len;
	uint64_t opened; /* records */
	uint64_t size;   /* of the journal at that time */
};

/**
 * desk_ask() - have a report made
 * @desk:    the desk
 * @request: asked; the desk's until its done() is called
 * Return: 0, or QUEUE_FULL when too many wait.
 */
int desk_ask(struct desk *desk, struct desk_request *request) _must_use_;
