/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/registry/fixture.h"
#include "test/kit/process.h"

/*
 * A whole small bus in a folder: keys, signed registry, policy, configuration, and the real broker as a
 * process. Everything a failing test needs to look at stays under the folder's logs/ until the end.
 */
struct bus {
	char dir[400];
	char endpoint[64];
	int port;
	struct registry_fixture *fixture;
	struct registry *registry;
	struct process broker;
	long log_seen;             /* offset in the broker's log after its last start */
	const char *extra;         /* further lines for broker.yaml, set before bus_write() */
	const char *adapter_extra; /* and for every adapter's, before bus_adapter_write() */
};

/**
 * bus_init() - an empty bus "test.demo": add parties, services, agreements to bus->fixture, then bus_write()
 * @bus: to set up
 * @dir: existing folder
 */
void bus_init(struct bus *bus, const char *dir);
void bus_deinit(struct bus *bus); /* kills the broker when it runs */

/* The usual world: city and jobcenter.wuppertal, alg2 services both ways, region 05124. Then bus_write(). */
void bus_init_usual(struct bus *bus, const char *dir);

/* Writes registry.signed, policy (with the registry's witnesses, when it names any), keys/, broker.yaml. Fails the test on any error. */
void bus_write(struct bus *bus);

/* What the fixture holds by now becomes the next version, in registry.signed; the broker has not looked yet. */
void bus_registry_next(struct bus *bus);

/* Writes broker.yaml anew, with other lines at its end: for the next start. */
void bus_config_write(const struct bus *bus, const char *extra);

/* Start the broker and wait until it serves; kill it with a signal and wait until it ended. */
void bus_start(struct bus *bus);
int bus_end(struct bus *bus, int signal);

/* Path of a file of the bus. Static buffers in turn: four are valid at a time. */
const char *bus_path(const struct bus *bus, const char *relative);

/* Writes NAME.yaml, an adapter's configuration with a folder connector under the bus's folder NAME/. */
void bus_adapter_write(const struct bus *bus, const char *party, const char *broker_endpoint);
