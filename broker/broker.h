/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>

#include "broker/journal/journal.h"
#include "broker/transport/reactor.h"
#include "conf/config.h"

/*
 * The broker: makes the rooms in order, connects them, and takes them down in reverse. All threads but the
 * caller's are made here.
 */
struct broker;

enum {
	BROKER_REFUSED = 1, /* keys, registry, journal or network do not allow to serve; reterr says why */
	BROKER_ERROR_SIZE = CONFIG_ERROR_SIZE,
};

/**
 * broker_check() - everything that can be checked without starting: key files, policy, registry, keyring
 * @config: read and guarded
 * @reterr: a sentence with file and remedy, BROKER_ERROR_SIZE
 * @size:   of @reterr
 * Return: 0, BROKER_REFUSED, negative errno.
 */
int broker_check(const struct config_broker *config, char *reterr, size_t size);

/* What an operator orders about a journal that may have lost entries; NULL: nothing. */
struct broker_orders {
	const char *accept; /* sign on although it is in doubt: these words say why */
	const struct journal_order *epoch; /* go on under a new origin */
};

/**
 * broker_new() - start everything and listen
 * @config: read and guarded; borrowed
 * @clock:  borrowed
 * @orders: NULL, or an operator's; borrowed
 * @ret:    the broker; connections queue up until the first turn
 * @reterr: a sentence with the remedy, BROKER_ERROR_SIZE
 * @size:   of @reterr
 * Return: 0, BROKER_REFUSED, negative errno.
 */
int broker_new(const struct config_broker *config, const struct clock *clock,
	const struct broker_orders *orders, struct broker **ret, char *reterr, size_t size);

/* Takes NULL. After a failure of the journal the process is to be ended instead. */
void broker_free(struct broker *broker);
DEFINE_CLEANUP(struct broker *, broker_free);

struct reactor *broker_reactor(struct broker *broker); /* to run it */
/* Where it really listens (first endpoint), with the port that was free. */
const char *broker_endpoint(const struct broker *broker);
/* The gate, for callers in tests. */
struct gate *broker_gate(struct broker *broker);
/* A reader of its journal, for tests: what is on disk now. As journal_reader_new(). */
int broker_reader(struct broker *broker, struct journal_reader **ret);
