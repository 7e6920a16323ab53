/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What was made in the order of need (rooms.c) ends in the other one: whoever is sent for comes back to rooms that are
 * still there, and the journal stops last of those that write.
 */
#include "broker/broker.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "broker/rooms.h"
#include "proto/base/file.h"

enum { STOP_LOOK_MS = 100 /* at the journal's failure, while waiting for its stop */ };

static void reactor_join(struct broker *broker, const struct clock *clock)
{
	reactor_set(broker->reactor, &(struct reactor_options){
					     .config = broker->config,
					     .clock = clock,
					     .gate = broker->gate,
					     .router = broker->router,
					     .done = broker->done,
					     .clerk = broker->clerk,
					     .desk = broker->desk,
					     .journal = broker->journal,
					     .replayer = broker->replayer,
					     .porter = broker->porter,
					     .transport = broker->transport,
					     .delivery = broker->delivery,
					     .admin = broker->admin,
					     .status = broker->status,
				     });
}

int broker_new(const struct config_broker *config, const struct clock *clock,
	const struct broker_orders *orders, struct broker **ret, char *reterr, size_t size)
{
	const struct why why = {reterr, size};
	_cleanup_(broker_free) struct broker *broker = calloc(1, sizeof(*broker));
	if (!broker)
		return -ENOMEM;
	*reterr = '\0';
	broker->config = config;
	if (orders)
		broker->orders = *orders;
	broker->lock = -1;
	int r = rooms_make(broker, clock, &why);
	if (r != 0)
		return r;
	reactor_join(broker, clock);
	*ret = steal(&broker);
	return 0;
}

/* ---- the end ---- */

/* Errands come back to rooms that are still there. */
static void clerk_end(struct clerk *clerk)
{
	while (clerk && clerk_out(clerk) > 0) {
		struct pollfd fd = {.fd = clerk_fd(clerk), .events = POLLIN};
		poll(&fd, 1, -1);
		clerk_collect(clerk);
	}
	clerk_free(clerk);
}

static void desk_end(struct broker *broker)
{
	if (broker->desk)
		desk_stop(broker->desk);
	while (broker->desk && desk_out(broker->desk) > 0) {
		struct pollfd fd = {.fd = desk_fd(broker->desk), .events = POLLIN};
		poll(&fd, 1, -1);
		desk_collect(broker->desk);
	}
	desk_free(broker->desk);
}

/* Parcels on their way come back before the journal's stop; its ticks are its own. */
static void journal_end(struct broker *broker)
{
	bool stopped = broker->held || (broker->transport && transport_stopped(broker->transport));
	struct parcel *stop = stopped ? NULL : parcel_take(broker->pool, PARCEL_STOP);
	if (stop)
		journal_push(broker->journal, stop);
	while (!stopped && reactor_error(broker->reactor) == 0) {
		void *taken = NULL;
		queue_wait(broker->done, STOP_LOOK_MS);
		if (queue_pop_all(broker->done, &taken, 1) == 0)
			continue;
		struct parcel *parcel = taken;
		stopped = parcel->kind == PARCEL_STOP;
		if (parcel->pooled)
			parcel_give(broker->pool, parcel);
	}
	journal_free(broker->journal);
}

void broker_free(struct broker *broker)
{
	if (!broker)
		return;
	if (broker->transport)
		transport_drain(broker->transport); /* what comes back sends nobody anew */
	clerk_end(broker->replayer);
	clerk_end(broker->porter);
	clerk_end(broker->clerk);
	blob_store_free(broker->blobs);
	desk_end(broker);
	admin_free(broker->admin);
	status_free(broker->status);
	router_free(broker->router);
	verify_pool_free(broker->verify);
	if (broker->journal)
		journal_end(broker);
	delivery_free(broker->delivery);
	transport_free(broker->transport);
	verify_state_free(broker->verify_here);
	verify_state_free(broker->verify_journal);
	parcel_pool_free(broker->pool);
	queue_free(broker->done);
	keyring_free(broker->keyring);
	gate_free(broker->gate);
	reactor_free(broker->reactor);
	broker_files_deinit(&broker->files);
	fd_close_at(&broker->lock);
	free(broker);
}

int broker_check(const struct config_broker *config, char *reterr, size_t size)
{
	char dir[ROOMS_PATH_BYTES];
	const struct why why = {reterr, size};
	_cleanup_(broker_files_deinit) struct broker_files files = {0};
	_cleanup_(keyring_free) struct keyring *keyring = NULL;
	*reterr = '\0';
	int r = broker_files_read(config, &files, reterr, size);
	if (r == 0)
		r = path_join(dir, sizeof(dir), config->state, "keyring");
	if (r != 0)
		return rooms_explain(&why, r, "configuration", config->path);
	r = keyring_open(dir, config->master_key, false, &keyring);
	if (r == -ENOENT)
		return 0; /* made at the first start */
	return rooms_keyring_explain(config, dir, r, &why);
}

struct reactor *broker_reactor(struct broker *broker)
{
	return broker->reactor;
}

const char *broker_endpoint(const struct broker *broker)
{
	return broker->endpoint;
}

struct gate *broker_gate(struct broker *broker)
{
	return broker->gate;
}

int broker_reader(struct broker *broker, struct journal_reader **ret)
{
	return journal_reader_new(journal_env(broker->journal), broker->keyring, ret);
}
