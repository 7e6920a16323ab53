/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdarg.h>
#include <stdio.h>

#include "proto/schema/schema.h"

/* The two kinds of schema, between the files of this folder. */
struct xsd;
struct descriptor;

/**
 * xsd_new() - schema_new() for an XML Schema
 * @files:  the schema and what it includes
 * @count:  of @files
 * @root:   may be empty
 * @ret:    xsd_free()
 * @reterr: for a sentence
 * Return: as schema_new().
 */
int xsd_new(const struct schema_file *files, size_t count, struct bytes root, struct xsd **ret,
	char reterr[SCHEMA_ERROR_SIZE]);
void xsd_free(struct xsd *xsd); /* takes NULL */
DEFINE_CLEANUP(struct xsd *, xsd_free);

/**
 * xsd_check() - schema_check() for an XML Schema
 * @xsd:  the schema
 * @body: untrusted
 * @ret:  the first fault
 * Return: as schema_check().
 */
int xsd_check(const struct xsd *xsd, struct bytes body, struct schema_fault *ret);

/**
 * descriptor_new() - schema_new() for protobuf
 * @file:   a FileDescriptorSet
 * @root:   full name of a message type
 * @ret:    descriptor_free()
 * @reterr: for a sentence
 * Return: as schema_new().
 */
int descriptor_new(const struct schema_file *file, struct bytes root, struct descriptor **ret,
	char reterr[SCHEMA_ERROR_SIZE]);
void descriptor_free(struct descriptor *descriptor); /* takes NULL */
DEFINE_CLEANUP(struct descriptor *, descriptor_free);

/**
 * descriptor_check() - schema_check() for protobuf
 * @descriptor: the schema
 * @body:       untrusted
 * @ret:        the first fault
 * Return: as schema_check().
 */
int descriptor_check(
	const struct descriptor *descriptor, struct bytes body, struct schema_fault *ret);
