/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdint.h>

#include "adapters/sdk/client.h"
#include "adapters/sdk/parties.h"
#include "adapters/sdk/report.h"
#include "adapters/sdk/store.h"
#include "adapters/sdk/trust.h"

/*
 * What became of our messages in the end. "accepted" and "rejected" are the recipient's word, so its
 * signature is checked and kept; the others are the broker's, and stand in its journal.
 */
struct outcomes;

struct outcomes_options {
	struct store *store;
	struct trust *trust;
	const struct parties *parties;
	struct reporter reporter;
};

/**
 * outcomes_new() - make one
 * @options: everything is borrowed
 * @ret:     it
 * Return: 0 or negative errno.
 */
int outcomes_new(const struct outcomes_options *options, struct outcomes **ret);
void outcomes_free(struct outcomes *outcomes); /* takes NULL */
DEFINE_CLEANUP(struct outcomes *, outcomes_free);

/**
 * outcomes_take() - take one, within the turn
 * @outcomes: they
 * @item:     untrusted, with an outcome
 * Return: 0, TRUST_ALARM, negative errno.
 */
int outcomes_take(struct outcomes *outcomes, const Dienstweg__Item *item);
void outcomes_restart(
	struct outcomes *outcomes); /* a new session brings again what is not confirmed */
bool outcomes_held(const struct outcomes *outcomes); /* one could not be checked with this registry */

/**
 * outcomes_flush() - confirm what is durable, after the commit
 * @outcomes: they
 * @client:   any state
 * Return: 0 or negative errno.
 */
int outcomes_flush(struct outcomes *outcomes, struct client *client);
uint64_t outcomes_count(const struct outcomes *outcomes); /* taken since start */
