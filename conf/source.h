/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/base/cleanup.h"
#include "proto/registry.pb-c.h"

/*
 * The registry's source: bus.yaml, parties.yaml, services.yaml and agreements.yaml in one folder (the
 * shipped example, conf/registry, explains the fields), with public keys from a folder of NAME.keys
 * files. Compiling checks every rule of the registry, and complains with file, line, field and remedy
 * where the source is at fault.
 */
enum {
	SOURCE_INVALID = 1, /* reterr tells */
	SOURCE_ERROR_SIZE = 1024,
};

struct source;

/**
 * source_compile() - read a source and compile it
 * @folder: of the four YAML files
 * @keys:   folder of NAME.keys
 * @ret:    the result; source_free()
 * @reterr: room for a line
 * @size:   of @reterr
 * Return: 0, SOURCE_INVALID, negative errno (with a line where a file could not be read).
 */
int source_compile(
	const char *folder, const char *keys, struct source **ret, char *reterr, size_t size);
void source_free(struct source *source); /* takes NULL */
DEFINE_CLEANUP(struct source *, source_free);

/**
 * source_content() - the compiled content, sorted and checked
 * @source: compiled
 * Return: lives as long as @source.
 */
const Dienstweg__RegistryContent *source_content(const struct source *source);

/**
 * source_stale_after_ms() - how long after its issue a version goes stale
 * @source: compiled
 * Return: ms.
 */
uint64_t source_stale_after_ms(const struct source *source);
