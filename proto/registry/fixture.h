/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/base/bytes.h"
#include "proto/base/cleanup.h"
#include "proto/identity/key.h"
#include "proto/registry/compose.h"
#include "proto/registry/registry.h"

/*
 * A registry made in a test: real keys, real signatures, few lines. A failure ends the program with a
 * line on standard error. For tests only.
 *
 *   struct registry_fixture *f = registry_fixture_new("test.demo");
 *   registry_fixture_party(f, "city", NULL);
 *   registry_fixture_party(f, "jobcenter", NULL);
 *   registry_fixture_service(f, "alg2.application");
 *   Dienstweg__Agreement *a = registry_fixture_agreement(f, "a1", "2021-07-01", NULL);
 *   registry_fixture_flow(f, a, "alg2.application", "city", "jobcenter", "05124");
 *   struct registry *registry = registry_fixture_load(f, 1, NULL);
 */
struct registry_fixture;

/**
 * registry_fixture_new() - three roots, bus keys, retention class 1 (21 and 730 days)
 * @bus: bus id
 * Return: the fixture; registry_fixture_free().
 */
struct registry_fixture *registry_fixture_new(const char *bus);
void registry_fixture_free(struct registry_fixture *fixture); /* wipes its keys; takes NULL */
DEFINE_CLEANUP(struct registry_fixture *, registry_fixture_free);

/**
 * registry_fixture_content() - the content so far, to be changed at will
 * @fixture: made here
 * Return: the fixture's.
 */
Dienstweg__RegistryContent *registry_fixture_content(struct registry_fixture *fixture);

/**
 * registry_fixture_text() - bytes for a field of the content
 * @fixture: made here
 * @text:    copied
 * Return: the fixture's.
 */
ProtobufCBinaryData registry_fixture_text(struct registry_fixture *fixture, struct bytes text);

/**
 * registry_fixture_party() - add a party with keys to sign, to seal and (when not operated) to transport
 * @fixture:     made here
 * @name:        party name
 * @operated_by: NULL, or its operator
 * Return: the party, the fixture's.
 */
Dienstweg__Party *registry_fixture_party(
	struct registry_fixture *fixture, const char *name, const char *operated_by);

/**
 * registry_fixture_service() - add an end-to-end service of class 1
 * @fixture: made here
 * @name:    service name
 * Return: the service, the fixture's.
 */
Dienstweg__Service *registry_fixture_service(struct registry_fixture *fixture, const char *name);

/**
 * registry_fixture_agreement() - add an agreement without flows
 * @fixture: made here
 * @id:      agreement id
 * @from:    first day, "2021-07-01"
 * @until:   NULL, or the day after the last
 * Return: the agreement, the fixture's.
 */
Dienstweg__Agreement *registry_fixture_agreement(
	struct registry_fixture *fixture, const char *id, const char *from, const char *until);

/**
 * registry_fixture_flow() - add a flow to an agreement
 * @fixture:   made here
 * @agreement: its
 * @services:  names, comma-separated
 * @from:      party names, comma-separated
 * @to:        party name
 * @regions:   NULL, or ARS prefixes, comma-separated
 * Return: the flow, the fixture's.
 */
Dienstweg__Flow *registry_fixture_flow(struct registry_fixture *fixture,
	Dienstweg__Agreement *agreement, const char *services, const char *from, const char *to,
	const char *regions);

/**
 * registry_fixture_secret() - the secret half of a key made here, the newest when several
 * @fixture: made here
 * @owner:   party name, bus id, or "root1".."root3"
 * @use:     which
 * Return: the key, the fixture's, or NULL.
 */
const struct key_secret *registry_fixture_secret(
	const struct registry_fixture *fixture, const char *owner, enum key_use use);

/**
 * registry_fixture_key() - make a further key
 * @fixture: made here, keeps the secret half
 * @owner:   of the proof of possession
 * @use:     which
 * Return: the public half as the registry has it, the fixture's.
 */
Dienstweg__Key *registry_fixture_key(
	struct registry_fixture *fixture, const char *owner, enum key_use use);

/**
 * registry_fixture_witness() - list a witness with a key of its own
 * @fixture: made here
 * @name:    of the party whose witness it is
 *
 * The quorum is the content's `witness_quorum`, 0 at first.
 */
void registry_fixture_witness(struct registry_fixture *fixture, const char *name);

/**
 * registry_fixture_add_key() - make a further key and enter it, behind the others of its owner
 * @fixture: made here
 * @owner:   party name or bus id
 * @use:     which
 * Return: the key in the content, to be changed at will.
 */
Dienstweg__Key *registry_fixture_add_key(
	struct registry_fixture *fixture, const char *owner, enum key_use use);

/**
 * registry_fixture_add_root() - make a root and enter it
 * @fixture: made here
 * @name:    its name
 * Return: the root in the content; retire another one beside it.
 */
Dienstweg__Root *registry_fixture_add_root(struct registry_fixture *fixture, const char *name);

/**
 * registry_fixture_compose() - sort and compose, without signatures
 * @fixture:  made here
 * @version:  from 1
 * @previous: NULL, or the version before
 * Return: a SignedRegistry, the fixture's.
 */
struct bytes registry_fixture_compose(
	struct registry_fixture *fixture, uint64_t version, const struct registry *previous);

/**
 * registry_fixture_sign() - add the signature of a root
 * @fixture: made here
 * @bytes:   a SignedRegistry
 * @root:    name of a root whose key was made here
 * Return: a SignedRegistry, the fixture's.
 */
struct bytes registry_fixture_sign(
	struct registry_fixture *fixture, struct bytes bytes, const char *root);

/**
 * registry_fixture_roots() - the three roots as pinned keys
 * @fixture: made here
 * @ret:     room for three
 */
void registry_fixture_roots(const struct registry_fixture *fixture, struct note_key ret[3]);

/**
 * registry_fixture_load() - compose, sign by root1 and root2, load
 * @fixture:  made here
 * @version:  from 1
 * @previous: NULL, or the version before
 * Return: a reference, the caller's.
 */
struct registry *registry_fixture_load(
	struct registry_fixture *fixture, uint64_t version, const struct registry *previous);
