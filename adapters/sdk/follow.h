/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "adapters/sdk/client.h"
#include "adapters/sdk/kept.h"
#include "proto/note/policy.h"
#include "proto/registry/registry.h"

/*
 * Following the registry: from the one in our file to the newest, one signed step after the other. What
 * does not follow is refused with an alarm in the log, and the one held stays in force. The policy's roots
 * must have signed the first one; each further one is signed by two roots of the one before, so a policy
 * that was pinned years ago still leads to a registry of roots that it never heard of.
 */
enum {
	FOLLOW_ADOPTED = 1, /* a newer one is in force, and in its file */
	FOLLOW_NEWEST = 2,  /* the broker has no newer one */
	FOLLOW_REFUSED = 3,
};

struct follow {
	const char *path; /* its file */
	struct kept kept; /* the versions so far: what leads from the policy to the file */
	struct policy policy;
	struct registry *registry; /* in force */
	bool wanted;
	uint64_t asked_at_ns; /* 0: ask now */
	uint64_t not_before_ns;
	uint64_t number;  /* asked for; 0: the newest */
	uint64_t known;   /* the broker's, as Welcome told */
	uint64_t refused; /* how many */
};

struct follow_options {
	const char *policy;   /* pinned roots */
	const char *registry; /* newest signed registry known; borrowed */
	const char *state;    /* the adapter's folder; borrowed */
	const char *bus;      /* it must be for */
};

/**
 * follow_init() - read policy and registry
 * @follow:  to set up; follow_deinit()
 * @options: where they are
 * @reterr:  a sentence
 * @size:    of @reterr
 * Return: 0, a verdict > 0 (@reterr tells), negative errno (@reterr is set as well).
 */
int follow_init(
	struct follow *follow, const struct follow_options *options, char *reterr, size_t size);
void follow_deinit(struct follow *follow);

void follow_want(struct follow *follow);                      /* ask for a newer one */
void follow_welcome(struct follow *follow, uint64_t version); /* the broker has this one in force */

/**
 * follow_step() - ask when it is due
 * @follow: the follower
 * @client: ready
 * @now_ns: monotonic
 * Return: 0 or negative errno.
 */
int follow_step(struct follow *follow, struct client *client, uint64_t now_ns);

void follow_put_off(struct follow *follow, uint64_t now_ns); /* the broker is busy: ask in a second */

/**
 * follow_take() - take the answer
 * @follow:       the follower
 * @signed_bytes: untrusted
 * Return: 0 (more steps are under way, or it is no answer to what was asked), FOLLOW_*, negative errno.
 */
int follow_take(struct follow *follow, struct bytes signed_bytes);
