/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdint.h>

#include "broker/admin/socket.h"
#include "broker/clerk.h"
#include "broker/transport/transport.h"

/*
 * How the broker is, as one JSON object (dienstweg-broker(8) names its members). Totals of waiting
 * messages stand in the journal, so the clerk is sent for them.
 */
struct status;

struct status_options {
	const struct config_broker *config;
	const struct clock *clock;
	struct clerk *clerk;
	struct desk *desk;
	const struct gate *gate;
	const struct router *router;
	struct transport *transport;
	struct parcel_pool *pool; /* for operators' orders */
	const struct delivery *delivery;
	struct journal *journal;
	struct admin *admin; /* where answers go; set before the first request */
};

/**
 * status_new() - remember whom to ask
 * @options: copied; what it points to outlives status
 * @ret:     status
 * Return: 0 or -ENOMEM.
 */
int status_new(const struct status_options *options, struct status **ret);
void status_free(struct status *status); /* no request may be at the clerk; takes NULL */
DEFINE_CLEANUP(struct status *, status_free);

void status_set_admin(struct status *status, struct admin *admin); /* NULL: answers are dropped */

/* admin_options.request: answers "status", has orders carried out (operate.h), anything else is an error. */
void status_request(void *context, const char *line, uint64_t ticket, uint32_t account);

/* Once a second: rates are differences between ticks. */
void status_tick(struct status *status);
