/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Registries, for adapters. The one in force is at hand. An adapter that was away needs those in between
 * too, since each names the digest of the one before it: they are entries of the journal, so the clerk
 * fetches them.
 */
#include "broker/transport/room.h"

#include <errno.h>
#include <stdlib.h>

#include "broker/field.h"
#include "proto/envelope/envelope.h"

enum { FRAME_OVERHEAD = 64, ARCHIVE_BUDGET = 8 << 20 };

struct archive {
	struct errand errand; /* first */
	struct transport *transport;
	uint32_t slot;
	uint64_t serial;
	uint64_t version;
	struct arena *arena;

	/* found */
	int result; /* 0, READER_NOT_FOUND, or a failure */
	struct bytes registry;
};

static void archive_free(struct archive *archive)
{
	if (!archive)
		return;
	arena_free(archive->arena);
	free(archive);
}
DEFINE_CLEANUP(struct archive *, archive_free);

static void registry_send(
	struct transport *transport, struct session *session, struct bytes registry)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Registry body = DIENSTWEG__REGISTRY__INIT;
	if (registry.len > FRAME_BYTES_MAX - FRAME_OVERHEAD) {
		session_error(transport, session, "frame-too-large", "registry",
			"the registry does not fit a frame: get it from the bus operator");
		return;
	}
	body.signed_ = field_bytes(registry);
	frame.body_case = DIENSTWEG__FRAME__BODY_REGISTRY;
	frame.registry = &body;
	transport_send(transport, session, &frame);
}

static void archive_run(struct errand *errand, struct journal_reader *reader)
{
	struct archive *archive = (struct archive *)errand;
	archive->result = journal_read_registry_version(
		reader, archive->version, archive->arena, &archive->registry);
}

static void archive_done(struct errand *errand)
{
	_cleanup_(archive_free) struct archive *archive = (struct archive *)errand;
	struct transport *transport = archive->transport;
	struct session *session = sessions_at(transport->sessions, archive->slot, archive->serial);
	int r = errand->result ? errand->result : archive->result;
	if (session)
		session->looking_up = false;
	if (r < 0)
		transport->options.failed(transport->options.failed_context, r);
	else if (session && r > 0)
		session_error(transport, session, "unknown-version", "version",
			"this bus never had that registry: ask for version 0, the one in force");
	else if (session)
		registry_send(transport, session, archive->registry);
}

static struct archive *archive_new(
	struct transport *transport, const struct session *session, uint64_t version)
{
	_cleanup_(archive_free) struct archive *archive = calloc(1, sizeof(*archive));
	if (!archive)
		return NULL;
	archive->errand = (struct errand){.run = archive_run, .done = archive_done};
	archive->transport = transport;
	archive->slot = session->slot;
	archive->serial = session->serial;
	archive->version = version;
	archive->arena = arena_new(ARCHIVE_BUDGET);
	return archive->arena ? steal(&archive) : NULL;
}

void get_registry_handle(
	struct transport *transport, struct session *session, struct incoming *incoming)
{
	uint64_t version = incoming->frame->get_registry->version;
	if (version == 0 || version == registry_version(transport->registry)) {
		registry_send(transport, session, registry_signed_bytes(transport->registry));
		return;
	}
	_cleanup_(archive_free) struct archive *archive = session->looking_up
								  ? NULL
								  : archive_new(transport, session,
									    version);
	if (!archive || clerk_send(transport->options.clerk, &archive->errand) != 0) {
		session_error(transport, session, "busy", "get_registry",
			"one look-up at a time: ask again when the last answer is here");
		return;
	}
	session->looking_up = true;
	(void)steal(&archive);
}
