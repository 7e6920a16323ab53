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
 *   <base64 SHA-256 of the previous version's note text, or "-" for the first>
 *   <issued, RFC 3339 UTC>
 *   <stale after, RFC 3339 UTC>
 *   <base64 SHA-256 of the content>
 * Digests are over the text alone: a third root's signature, added later, must not look like another
 * version.
 */
enum {
	REGISTRY_MALFORMED = 1, /* no such note or content */
	REGISTRY_UNSIGNED = 2, /* fewer than the quorum of roots signed, or fewer than two of its own */
	REGISTRY_DIGEST = 3, /* content is not what the note commits to */
	REGISTRY_INVALID = 4, /* content contradicts itself: unknown names, twice the same, bad keys */
	REGISTRY_OLDER = 5,    /* version below the one held */
	REGISTRY_CONFLICT = 6, /* same version, other bytes; or the chain of digests is broken */
	REGISTRY_KEYS = 7, /* who asks holds no secret of a key that it needs and that is active there */
};
enum {
	REGISTRY_BYTES_MAX = 900 * 1000, /* of a SignedRegistry: it travels in one frame */
	REGISTRY_ROOT_QUORUM = 2,        /* of the three roots in the content */
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
 *
 * Nothing of the content is parsed before the signatures are good.
 *
 * Return: 0, REGISTRY_*, negative errno.
 */
int registry_load(struct bytes signed_bytes, const struct note_key *roots, size_t roots_count,
	size_t quorum, struct registry **ret, char *reterr, size_t size);

/**
 * registry_load_self() - the same under the roots that it names itself: nobody vouches for it yet
 * @signed_bytes: a serialized SignedRegistry, untrusted
 * @ret:          reference count 1
 * @reterr:       room for a sentence that names what is wrong
 * @size:         of @reterr
 *
 * For who trusts a registry that this one may follow: registry_check_successor() comes next.
 *
 * Return: as registry_load().
 */
int registry_load_self(struct bytes signed_bytes, struct registry **ret, char *reterr, size_t size);

/**
 * registry_load_draft() - the same without anybody's signature: for people who read it before they sign
 * @signed_bytes: a serialized SignedRegistry, untrusted
 * @ret:          reference count 1; nothing may be allowed or believed because of it
 * @reterr:       room for a sentence that names what is wrong
 * @size:         of @reterr
 * Return: as registry_load(), but for REGISTRY_UNSIGNED.
 */
int registry_load_draft(struct bytes signed_bytes, struct registry **ret, char *reterr, size_t size);

/**
 * registry_load_next() - verify and index what may follow a registry that is held
 * @current:      held now
 * @signed_bytes: a serialized SignedRegistry, untrusted
 * @ret:          reference count 1 more; @current itself, when that is what it is
 * @ret_version:  what its note says, a mere claim unless the result is 0; 0 when it cannot be read
 * @reterr:       room for a sentence, unless the verdict is REGISTRY_OLDER or REGISTRY_CONFLICT
 * @size:         of @reterr
 *
 * Nothing of the content is parsed before two roots of @current are known to have signed it.
 *
 * Return: 0, REGISTRY_* (also those of registry_check_successor()), negative errno.
 */
int registry_load_next(const struct registry *current, struct bytes signed_bytes,
	struct registry **ret, uint64_t *ret_version, char *reterr, size_t size);

/**
 * registry_read() - load a registry from a file, with a policy's roots
 * @path:   a signed registry file
 * @policy: pinned roots and their quorum; NULL as registry_load_self()
 * @ret:    reference count 1
 * @reterr: room for a sentence
 * @size:   of @reterr
 * Return: as registry_load().
 */
int registry_read(const char *path, const struct policy *policy, struct registry **ret,
	char *reterr, size_t size);

/**
 * registry_check_successor() - may @next follow @current?
 * @current: held now
 * @next:    already loaded
 *
 * A higher version whose previous digest is that of @current, signed by two of current's roots (its own
 * two of three were checked on loading: so a change of roots needs two old and two new).
 *
 * Return: 0 (also for the same note text), REGISTRY_OLDER, REGISTRY_CONFLICT, REGISTRY_UNSIGNED.
 */
int registry_check_successor(const struct registry *current, const struct registry *next);

/**
 * registry_verdict_text() - a verdict as the end of a sentence that begins with "it "
 * @verdict: REGISTRY_*
 * Return: a constant, e.g. "is older than the one in force".
 */
const char *registry_verdict_text(int verdict);

/**
 * registry_ref() - take another reference; any thread
 * @registry: held by the caller
 * Return: @registry.
 */
struct registry *registry_ref(const struct registry *registry);

/**
 * registry_unref() - drop a reference; the last one frees; any thread
 * @registry: may be NULL
 */
void registry_unref(struct registry *registry);
DEFINE_CLEANUP(struct registry *, registry_unref);

/**
 * registry_version() - the version in the note
 * @registry: loaded
 * Return: from 1.
 */
uint64_t registry_version(const struct registry *registry);

/**
 * registry_issued_ms() - when it was made, says the note
 * @registry: loaded
 * Return: ms since 1970.
 */
uint64_t registry_issued_ms(const struct registry *registry);

/**
 * registry_stale_after_ms() - past this time adapters alarm, and traffic continues
 * @registry: loaded
 * Return: ms since 1970.
 */
uint64_t registry_stale_after_ms(const struct registry *registry);

/**
 * registry_bus() - the bus it is for
 * @registry: loaded
 * Return: a view that lives as long as @registry.
 */
struct bytes registry_bus(const struct registry *registry);

/**
 * registry_signed_bytes() - the SignedRegistry as it was loaded, to pass on
 * @registry: loaded
 * Return: a view that lives as long as @registry.
 */
struct bytes registry_signed_bytes(const struct registry *registry);

/**
 * registry_note_digest() - SHA-256 of the note's text: what the next version names, what is journaled
 * @registry: loaded
 * @ret:      the digest
 */
void registry_note_digest(const struct registry *registry, uint8_t ret[HASH_SIZE]);

/**
 * registry_content() - the whole content, checked
 * @registry: loaded
 * Return: lives as long as @registry.
 */
const Dienstweg__RegistryContent *registry_content(const struct registry *registry);

/* Look-ups: NULL when there is none. Results live as long as the registry. O(log n) or better. */

/**
 * registry_party() - a party by name
 * @registry: loaded
 * @name:     untrusted
 * Return: the party or NULL.
 */
const Dienstweg__Party *registry_party(const struct registry *registry, struct bytes name);

/**
 * registry_service() - a service by name
 * @registry: loaded
 * @name:     untrusted
 * Return: the service or NULL.
 */
const Dienstweg__Service *registry_service(const struct registry *registry, struct bytes name);

/**
 * registry_service_by_type() - the service that an official message type means
 * @registry:     loaded
 * @message_type: e.g. an XOEV root element without its prefix
 * Return: the service or NULL.
 */
const Dienstweg__Service *registry_service_by_type(
	const struct registry *registry, struct bytes message_type);

/**
 * registry_party_by_identifier() - the party behind an official identifier
 * @registry: loaded
 * @scheme:   e.g. "psw"
 * @value:    e.g. "01003110"
 * Return: the party or NULL.
 */
const Dienstweg__Party *registry_party_by_identifier(
	const struct registry *registry, struct bytes scheme, struct bytes value);

/**
 * registry_class() - a retention class
 * @registry: loaded
 * @number:   1..16
 * Return: the class or NULL.
 */
const Dienstweg__RetentionClass *registry_class(const struct registry *registry, uint32_t number);

/**
 * registry_key() - a key of a party or of the bus, in any state
 * @registry:  loaded
 * @id:        untrusted
 * @ret_owner: may be NULL; its party, or NULL for a key of the bus; set only when there is such a key
 * Return: the key or NULL.
 */
const Dienstweg__Key *registry_key(
	const struct registry *registry, struct bytes id, const Dienstweg__Party **ret_owner);

/**
 * registry_transport_party() - the party whose active transport key this is
 * @registry: loaded
 * @public:   32 bytes
 * Return: the party or NULL.
 */
const Dienstweg__Party *registry_transport_party(
	const struct registry *registry, const uint8_t public[BOX_KEY_SIZE]);

/**
 * registry_party_key() - the active key of a use of a party
 * @party: of a loaded registry
 * @use:   which
 * Return: the last in the list when several, or NULL.
 */
const Dienstweg__Key *registry_party_key(const Dienstweg__Party *party, enum key_use use);

/**
 * registry_bus_key() - the active key of a use of the bus
 * @registry: loaded
 * @use:      KEY_LOG or KEY_TRANSPORT
 * Return: the last in the list when several; a checked registry always has one.
 */
const Dienstweg__Key *registry_bus_key(const struct registry *registry, enum key_use use);

/**
 * registry_may_speak() - may the transport key of @speaker speak for @party?
 * @registry: loaded
 * @speaker:  party name
 * @party:    party name
 * Return: true when it is itself, or its operator.
 */
bool registry_may_speak(const struct registry *registry, struct bytes speaker, struct bytes party);

/**
 * registry_log_keys() - log keys (all states but revoked) as verifier keys under an origin
 * @registry: loaded
 * @origin:   NUL-terminated, e.g. "wuppertal.demo/0"
 * @ret:      room for @max
 * @max:      most keys
 * Return: how many.
 */
size_t registry_log_keys(
	const struct registry *registry, const char *origin, struct note_key *ret, size_t max);

/**
 * registry_witnesses() - its active witnesses and their quorum, in the form of a policy
 * @registry: loaded
 * @ret:      witnesses (at most POLICY_KEYS_MAX) and quorum; no roots, no logs
 */
void registry_witnesses(const struct registry *registry, struct policy *ret);

/* ---- who may send what to whom: the access list and the routing table ---- */

enum {
	RESOLVE_MAX = 64, /* most recipients of one message */
};
enum resolve_verdict {
	RESOLVE_OK = 0,
	RESOLVE_UNKNOWN_SENDER = 1, /* "unknown-party", field sender */
	RESOLVE_UNKNOWN_RECIPIENT = 2, /* "unknown-party", field recipient; also: no address, and no event */
	RESOLVE_UNKNOWN_SERVICE = 3, /* "unknown-service", field service */
	RESOLVE_NO_AGREEMENT = 4,    /* "no-agreement", field agreement */
	RESOLVE_EXPIRED = 5,         /* "agreement-expired", field agreement */
	RESOLVE_NOT_YET = 6,         /* "agreement-not-yet-valid", field agreement */
	RESOLVE_REGION = 7,          /* "region-not-covered", field region */
	RESOLVE_AMBIGUOUS = 8,       /* "ambiguous", field region: detail names the candidates */
	RESOLVE_NO_SUBSCRIBER = 9, /* "no-subscriber", field service: an event nobody may receive */
	RESOLVE_TOO_MANY = 10,     /* "too-many-recipients", field service */
};

struct resolve_query {
	struct bytes sender;
	struct bytes recipient; /* this, or region, or neither (event) */
	struct bytes region;
	struct bytes service;
	struct bytes agreement; /* empty: any; else only this one counts */
	bool answer; /* of kind answer: on an enquiry's service it goes back where its enquiry may come from */
	uint64_t at_ms;
};

struct resolve_result {
	const Dienstweg__Party *recipients[RESOLVE_MAX];
	size_t count;
	const Dienstweg__Agreement *agreement; /* the one relied on (the first of an event) */
	const Dienstweg__Service *service;
	const char *code; /* verdict > 0: code and field for the wire, constants */
	const char *field;
	char detail[256]; /* verdict > 0: a sentence with the remedy */
};

/**
 * registry_resolve() - the one routing decision, shared by broker and adapters; pure
 * @registry: in force at that sequence
 * @query:    what is asked
 * @ret:      filled for every verdict
 *
 * An answer needs no flow of its own: what lets its recipient ask its sender lets it answer, by name.
 * Longest region prefix wins; two parties with equally long ones are ambiguous. Among agreements that
 * cover a flow, a valid one is preferred, and of several valid ones the first by id; otherwise the
 * verdict is that of the best near miss (an ended agreement before one that has not begun).
 *
 * Return: RESOLVE_*.
 */
int registry_resolve(const struct registry *registry, const struct resolve_query *query,
	struct resolve_result *ret);
