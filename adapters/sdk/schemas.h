/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>

#include "adapters/sdk/parties.h"
#include "proto/registry/registry.h"
#include "proto/schema/library.h"

/*
 * What our services' contents must look like, checked before sealing and after opening (docs/protocol.md
 * "Schemas"). Without the folder `schemas` in the configuration nothing is checked here: what the broker may read it
 * checks anyway.
 */
struct schemas;

/**
 * schemas_open() - those of the registry in force
 * @dir:      the folder, NULL: nothing is checked
 * @parties:  ours, borrowed
 * @registry: in force
 * @ret:      schemas_free()
 * @reterr:   a sentence
 * @size:     of @reterr
 * Return: 0, SCHEMA_ABSENT or SCHEMA_BAD (@reterr tells), negative errno.
 */
int schemas_open(const char *dir, const struct parties *parties, const struct registry *registry,
	struct schemas **ret, char *reterr, size_t size);
void schemas_free(struct schemas *schemas); /* takes NULL */
DEFINE_CLEANUP(struct schemas *, schemas_free);

/**
 * schemas_follow() - a newer registry is in force; what is absent is an alarm in the log
 * @schemas:  open
 * @registry: the newer one
 */
void schemas_follow(struct schemas *schemas, const struct registry *registry);

/**
 * schemas_check() - does a body follow the schema of its service?
 * @schemas:  open
 * @registry: in force
 * @service:  name
 * @body:     what is to be sealed, or was opened
 * @ret:      the fault
 * Return: 0, SCHEMA_FAULT, SCHEMA_ABSENT (the service pins one that is not here), -ENOMEM.
 */
int schemas_check(struct schemas *schemas, const struct registry *registry, struct bytes service,
	struct bytes body, struct schema_fault *ret);
