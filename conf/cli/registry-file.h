/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "proto/base/arena.h"
#include "proto/registry/compose.h"

/* Registry files as the verbs open them. Complaints go to standard error; results > 0 are exit codes. */
enum { WHY_SIZE = 1024, REGISTRY_MEMORY = 256 << 20 };

/**
 * registry_file_read() - read the bytes
 * @path:  the file
 * @arena: owns them
 * @ret:   the bytes
 * Return: 0 or an exit code.
 */
int registry_file_read(const char *path, struct arena *arena, struct bytes *ret);

/**
 * registry_file_peek() - read without trusting signatures
 * @path:        the file
 * @arena:       owns the results
 * @ret_bytes:   as read
 * @ret_head:    its note
 * @ret_content: its content
 * Return: 0 or an exit code.
 */
int registry_file_peek(const char *path, struct arena *arena, struct bytes *ret_bytes,
	struct registry_head *ret_head, Dienstweg__RegistryContent **ret_content);

/**
 * registry_file_load() - read and verify
 * @path:   the file
 * @policy: policy file, or NULL: the registry's own roots, which proves only that it is whole
 * @ret:    the registry
 * @reterr: where a bad registry's fault is written; NULL: to standard error
 * @size:   of @reterr
 * Return: 0 or an exit code.
 */
int registry_file_load(
	const char *path, const char *policy, struct registry **ret, char *reterr, size_t size);

/**
 * registry_file_draft() - read without asking for signatures, for people who look at it before they sign
 * @path:   the file
 * @ret:    the registry; nothing may be allowed because of it
 * @reterr: as in registry_file_load()
 * @size:   of @reterr
 * Return: 0 or an exit code.
 */
int registry_file_draft(const char *path, struct registry **ret, char *reterr, size_t size);

/**
 * registry_file_signers() - which of its roots signed
 * @bytes:   a SignedRegistry
 * @content: its content
 * @ret:     room for three names
 * Return: how many.
 */
size_t registry_file_signers(
	struct bytes bytes, const Dienstweg__RegistryContent *content, struct bytes ret[3]);

/**
 * registry_file_write() - replace a file
 * @path:  the file
 * @bytes: new content
 * Return: 0 or an exit code.
 */
int registry_file_write(const char *path, struct bytes bytes);

/**
 * registry_file_add_signature() - sign with a root's secret key file
 * @bytes:   a SignedRegistry
 * @content: its content
 * @secret:  NAME.secret of a root
 * @arena:   owns the result
 * @ret:     the signed form
 * @ret_name: the root's name; the arena's
 * Return: 0 or an exit code.
 */
int registry_file_add_signature(struct bytes bytes, const Dienstweg__RegistryContent *content,
	const char *secret, struct arena *arena, struct bytes *ret, const char **ret_name);
