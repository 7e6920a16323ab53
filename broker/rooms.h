/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "broker/admin/socket.h"
#include "broker/admin/status.h"
#include "broker/blob/store.h"
#include "broker/broker.h"
#include "broker/files.h"
#include "broker/transport/transport.h"

/* The broker from inside: its rooms, and how they are made. rooms.c and broker.c only. */
enum { ROOMS_PATH_BYTES = 4096 };

struct broker {
	const struct config_broker *config;
	struct broker_files files;
	int lock;
	size_t parcels_submit_max;
	size_t parcels_max;
	struct broker_orders orders;
	bool held; /* the journal is in doubt and was not started with the rest */
	char endpoint[ROUTER_ENDPOINT_MAX];
	char journal_dir[ROOMS_PATH_BYTES];
	char highwater[ROOMS_PATH_BYTES];
	char case_index[ROOMS_PATH_BYTES];
	struct reactor *reactor;
	struct gate *gate;
	struct keyring *keyring;
	struct queue *done;
	struct parcel_pool *pool;
	struct verify_worker_state *verify_here;    /* reactor's */
	struct verify_worker_state *verify_journal; /* journal's */
	struct journal *journal;
	struct verify_pool *verify;
	char blobs_dir[ROOMS_PATH_BYTES];
	struct blob_store *blobs;
	struct clerk *clerk;
	struct desk *desk;
	struct clerk *replayer;
	struct clerk *porter;
	struct delivery *delivery;
	struct router *router;
	struct transport *transport;
	struct status *status;
	struct admin *admin;
};

/* Where a sentence with the remedy goes. */
struct why {
	char *text;
	size_t size;
};

/**
 * rooms_explain() - a sentence where there is none yet
 * @why:  where it goes
 * @r:    how it ended
 * @what: was to be done
 * @name: with which, or ""
 * Return: 0, BROKER_REFUSED, negative errno.
 */
int rooms_explain(const struct why *why, int r, const char *what, const char *name);

/* The same for the keyring in the folder @dir. */
int rooms_keyring_explain(
	const struct config_broker *config, const char *dir, int r, const struct why *why);

/**
 * rooms_make() - all of them, in the order of need; the socket listens at the end
 * @broker: with configuration and orders; broker_free() in every case
 * @clock:  borrowed
 * @why:    a sentence with the remedy
 * Return: 0, BROKER_REFUSED, negative errno.
 */
int rooms_make(struct broker *broker, const struct clock *clock, const struct why *why);
