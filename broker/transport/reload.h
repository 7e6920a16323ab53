/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdint.h>

#include "broker/transport/transport.h"

/*
 * The registry file is looked at again, because somebody says that there is a newer one: by SIGHUP, or over the
 * admin socket. Reading and verifying is the clerk's work, traffic goes on meanwhile; whether it may follow the one in
 * force, the journal decides. Reactor only.
 */
enum reload_end {
	RELOAD_IN_FORCE, /* it is in the journal: what comes next is judged by it */
	RELOAD_SAME,     /* the file holds the registry in force */
	RELOAD_REFUSED,  /* the one in force stays, and `why` is a sentence */
};

struct reload_result {
	enum reload_end end;
	uint64_t version;  /* of the registry in force now */
	uint64_t sequence; /* RELOAD_IN_FORCE: its entry */
	char why[640];     /* RELOAD_REFUSED: with file and remedy */
};

/* Who wants to know. */
struct reload_asker {
	void (*told)(void *context, uint64_t ticket, const struct reload_result *result);
	void *context;
	uint64_t ticket;
};

/**
 * transport_reload() - look at the registry file
 * @transport: serving
 * @asker:     copied; NULL: nobody, the log tells
 *
 * One look at a time: who asks during one is told to ask again, and a SIGHUP during one makes another follow.
 */
void transport_reload(struct transport *transport, const struct reload_asker *asker);
