/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/bytes.h"
#include "proto/base/cleanup.h"
#include "proto/identity/key.h"
#include "proto/note/policy.h"
#include "proto/registry.pb-c.h"

/*
 * The registry in memory: immutable once loaded, shared between threads by reference count. The note in
 * front of it (docs/protocol.md "Registry"):
 *   dienstweg/v1/registry
 *   <bus id>
 *   <version>
 *   <base64 SHA-256 of the previous version's note, or "-" for the first>
 *   <issued, RFC 3339 UTC>
 *   <stale after, RFC 3339 UTC>
 *   <base64 SHA-256 of the content>
 */
enum {
	REGISTRY_MALFORMED = 1,  /* no such note or content */
	REGISTRY_UNSIGNED = 2,   /* fewer than the quorum of roots signed */
	REGISTRY_DIGEST = 3,     /* content is not what the note commits to */
	REGISTRY_INVALID = 4,    /* content contradicts itself: unknown names, twice the same, bad keys */
	REGISTRY_OLDER = 5,      /* version below the one held */
	REGISTRY_CONFLICT = 6,   /* same version, other bytes; or the chain of digests is broken */
};

struct registry;

/**
 * registry_load() - verify and index a signed registry
 * @signed_bytes: a serialized SignedRegistry, untrusted
 * @roots:        pinned root keys
 * @roots_count:  how many
 * @quorum:       how many must have signed (2)
 * @ret:          reference count 1
 * @reterr:       room for a sentence that names what is wrong
 * @size:         of @reterr
 * Return: 0, REGISTRY_*, negative errno.
 */
int registry_load(struct bytes signed_bytes, const struct note_key *roots, size_t roots_count,
	size_t quorum, struct registry **ret, char *reterr, size_t size);

/* From a file, with a policy's roots. Same verdicts. */
int registry_read(const char *path, const struct policy *policy, struct registry **ret, char *reterr,
	size_t size);

/**
 * registry_check_successor() - may @next follow @current? (version + 1 or more with an unbroken chain;
 * a change of roots needs two of the old and two of the new)
 * @current: held now
 * @next:    already loaded under current's roots
 * Return: 0 (also for the same bytes), REGISTRY_OLDER, REGISTRY_CONFLICT.
 */
int registry_check_successor(const struct registry *current, const struct registry *next);

struct registry *registry_ref(const struct registry *registry);
void registry_unref(struct registry *registry); /* takes NULL */
DEFINE_CLEANUP(struct registry *, registry_unref);

uint64_t registry_version(const struct registry *registry);
uint64_t registry_stale_after_ms(const struct registry *registry);
struct bytes registry_bus(const struct registry *registry);
struct bytes registry_signed_bytes(const struct registry *registry);
void registry_note_digest(const struct registry *registry, uint8_t ret[HASH_SIZE]);
const Dienstweg__RegistryContent *registry_content(const struct registry *registry);

/* Look-ups: NULL when there is none. Results live as long as the registry. O(log n) or better. */
const Dienstweg__Party *registry_party(const struct registry *registry, struct bytes name);
const Dienstweg__Service *registry_service(const struct registry *registry, struct bytes name);
const Dienstweg__Service *registry_service_by_type(const struct registry *registry,
	struct bytes message_type);
const Dienstweg__Party *registry_party_by_identifier(const struct registry *registry,
	struct bytes scheme, struct bytes value);
const Dienstweg__RetentionClass *registry_class(const struct registry *registry, uint32_t number);

/* A key by id, with its owner. @ret_owner may be NULL; bus keys have the bus as owner (NULL party). */
const Dienstweg__Key *registry_key(const struct registry *registry, struct bytes id,
	const Dienstweg__Party **ret_owner);
/* The party whose active transport key has these 32 bytes, or NULL. */
const Dienstweg__Party *registry_transport_party(const struct registry *registry,
	const uint8_t public[BOX_KEY_SIZE]);
/* The active key of a use of a party (newest when several), or NULL. */
const Dienstweg__Key *registry_party_key(const Dienstweg__Party *party, enum key_use use);
/* May the transport key of @speaker speak for @party? (itself, or operated_by) */
bool registry_may_speak(const struct registry *registry, struct bytes speaker, struct bytes party);
/* Log keys (all states but revoked) as verifier keys under an origin. Return: how many. */
size_t registry_log_keys(const struct registry *registry, const char *origin, struct note_key *ret,
	size_t max);

/* ---- who may send what to whom: the access list and the routing table ---- */

enum {
	RESOLVE_MAX = 64, /* most recipients of one message */
};
enum resolve_verdict {
	RESOLVE_OK = 0,
	RESOLVE_UNKNOWN_SENDER = 1,    /* "unknown-party", field sender */
	RESOLVE_UNKNOWN_RECIPIENT = 2, /* "unknown-party", field recipient */
	RESOLVE_UNKNOWN_SERVICE = 3,   /* "unknown-service", field service */
	RESOLVE_NO_AGREEMENT = 4,      /* "no-agreement" */
	RESOLVE_EXPIRED = 5,           /* "agreement-expired", field agreement */
	RESOLVE_NOT_YET = 6,           /* "agreement-not-yet-valid", field agreement */
	RESOLVE_REGION = 7,            /* "region-not-covered", field region */
	RESOLVE_AMBIGUOUS = 8,         /* "ambiguous", field region: detail names the candidates */
	RESOLVE_NO_SUBSCRIBER = 9,     /* "no-subscriber": an event nobody may receive */
	RESOLVE_TOO_MANY = 10,         /* "too-many-recipients" */
};

struct resolve_query {
	struct bytes sender;
	struct bytes recipient; /* this, or region, or neither (event) */
	struct bytes region;
	struct bytes service;
	struct bytes agreement; /* empty: any; else only this one counts */
	uint64_t at_ms;
};

struct resolve_result {
	const Dienstweg__Party *recipients[RESOLVE_MAX];
	size_t count;
	const Dienstweg__Agreement *agreement; /* the one relied on (the first of an event) */
	const Dienstweg__Service *service;
	const char *code;  /* verdict > 0: code and field for the wire, constants */
	const char *field;
	char detail[256];  /* verdict > 0: a sentence with the remedy */
};

/**
 * registry_resolve() - the one routing decision, shared by broker and adapters; pure
 * @registry: in force at that sequence
 * @query:    what is asked
 * @ret:      filled for every verdict
 *
 * Longest region prefix wins; two parties with equally long ones are ambiguous. Among agreements that
 * cover a flow, a valid one is preferred; otherwise the verdict is that of the best near miss.
 *
 * Return: RESOLVE_*.
 */
int registry_resolve(const struct registry *registry, const struct resolve_query *query,
	struct resolve_result *ret);
