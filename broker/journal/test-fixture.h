/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/journal/journal.h"
#include "broker/journal/reader.h"
#include "broker/verify/verify.h"
#include "proto/registry/fixture.h"

/*
 * A journal over a real folder with real keys, and parcels of really signed messages that go through
 * verify's own function. A failure ends the program with a line on standard error. For tests only.
 *
 * Parties city, town, jobcenter, ministry. Services: figures (readable, class 1, city and town ->
 * ministry), notice (readable, class 2, city -> jobcenter), event (readable, class 1, city -> all others who
 * subscribe: town, jobcenter, ministry).
 */
struct journal_fixture {
	char dir[256], keys[256], master[256];
	struct registry_fixture *parties;
	struct registry *registry;       /* given to journal_open() */
	Dienstweg__Agreement *agreement; /* the only one */
	struct keyring *keyring;
	struct clock clock; /* fake */
	struct queue *done;
	struct verify_worker_state *verify;   /* of the test's thread */
	struct verify_worker_state *reverify; /* of the journal's */
	struct journal_options options;
	struct journal *journal;
	int failed_fd;            /* eventfd: failed() was called */
	_Atomic int failed_error; /* with this */
	struct uuid_source ids;
	char error[512]; /* of the last journal_open() */
};

/* 2026-06-15, noon UTC: the time a fixture begins with. */
#define FIXTURE_NOW_MS UINT64_C(1781524800000)
enum { FIXTURE_WAIT_MS = 30000 };

/* Keys, keyring and registry version 1 in @dir/@name, which is made; the journal is not open yet. */
void journal_fixture_init(struct journal_fixture *fixture, const char *dir, const char *name);
/* The same with a registry that names the witnesses city, jobcenter and ministry, and how many are a quorum. */
void journal_fixture_init_witnessed(
	struct journal_fixture *fixture, const char *dir, const char *name, uint32_t quorum);
void journal_fixture_deinit(struct journal_fixture *fixture);
DEFINE_CLEANUP_PTR(struct journal_fixture, journal_fixture_deinit);

/* Before it is opened: so many parties more, named subscriber-00 and on, that subscribe to the event. */
void journal_fixture_subscribe(struct journal_fixture *fixture, size_t count);

/* Before it is opened: a service "question" for enquiries of city to jobcenter, two at a time, for 30 seconds each; and
   "referral" of city to jobcenter, overdue after 60 seconds. */
void journal_fixture_ask(struct journal_fixture *fixture);

int journal_fixture_open(struct journal_fixture *fixture);   /* what journal_open() said */
void journal_fixture_start(struct journal_fixture *fixture); /* open, which must succeed, and start */
void journal_fixture_stop(struct journal_fixture *fixture); /* PARCEL_STOP, wait for it, free */

struct fixture_load {
	const char *sender;         /* NULL: city */
	const char *service;        /* NULL: figures */
	const char *recipient;      /* NULL: who the service above is for */
	Dienstweg__Kind kind;       /* 0: submission, or event */
	const uint8_t *in_reply_to; /* h, or NULL */
	size_t count;               /* messages, one batch signature per 32 */
	size_t content_bytes;
	size_t padding; /* bytes that make the header larger */
	uint64_t not_before_ms, expires_ms;
	bool bad_signature;
	const uint8_t *case_id;    /* NULL: a random one each */
	const uint8_t *message_id; /* NULL: a new one each */
	const char *text;          /* NULL: random content; else this, again and again */
	const uint8_t *attached;   /* NULL, or digest of the one attachment */
	uint64_t attached_bytes;
};

/* A verified parcel of new messages. */
struct parcel *journal_fixture_submit(
	struct journal_fixture *fixture, const struct fixture_load *load);
/* The same messages again, with the same signatures, in a parcel of their own. */
struct parcel *journal_fixture_resend(struct journal_fixture *fixture, const struct parcel *sent);
/* Sign the messages of a resend anew, each alone, and verify them again. */
void journal_fixture_resign(struct journal_fixture *fixture, struct parcel *parcel);
/* Verified acknowledgements of accepted messages of @sent, one batch per 32. */
struct parcel *journal_fixture_acks(
	struct journal_fixture *fixture, const char *recipient, const struct parcel *sent);

/**
 * journal_fixture_cancel() - a verified cancellation of messages of a parcel
 * @fixture:   open
 * @sender:    who signs it
 * @sent:      whose messages
 * @count:     the first so many, at most 32
 * @recipient: for whom; NULL: all
 * Return: the parcel; not looked at yet.
 */
struct parcel *journal_fixture_cancel(struct journal_fixture *fixture, const char *sender,
	const struct parcel *sent, size_t count, const char *recipient);
struct parcel *journal_fixture_act(struct journal_fixture *fixture, enum parcel_kind kind);

/**
 * journal_fixture_cosign() - add cosignatures to the journal's newest checkpoint, or to a note
 * @fixture:   with witnesses, open
 * @note:      a signed checkpoint; empty: the newest committed one
 * @witnesses: names, comma-separated; nobody's lines are removed
 * @time_s:    of all of them
 * @buf:       COSIGNED_NOTE_MAX bytes
 * Return: length of the note.
 */
size_t journal_fixture_cosign(struct journal_fixture *fixture, struct bytes note,
	const char *witnesses, uint64_t time_s, uint8_t *buf);
/* A parcel with it, as transport makes it. */
struct parcel *journal_fixture_cosigned(
	struct journal_fixture *fixture, const char *witnesses, uint64_t time_s);

/* Push it and wait until it is back; ticks that come meanwhile are returned to the journal. */
void journal_fixture_run(struct journal_fixture *fixture, struct parcel *parcel);
/* The next parcel from the journal, ticks included. */
struct parcel *journal_fixture_wait(struct journal_fixture *fixture);
/* Wait until a state entry accounts for so many entries. */
void journal_fixture_wait_state(struct journal_fixture *fixture, uint64_t size);
/* Wait until failed() was called. Return: its error. */
int journal_fixture_wait_failed(struct journal_fixture *fixture);

/* Check every receipt of a parcel that is back, under its checkpoint. Return: how many. */
size_t journal_fixture_check_receipts(struct journal_fixture *fixture, const struct parcel *parcel);
