/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <jansson.h>

#include "test/kit/bus.h"

/*
 * A city with a youth office of its own, and a jobcenter: the real broker and the real adapters as
 * processes, each with folders city/... and jobcenter/... under the bus's folder (docs/folder.md).
 */
enum { TOWN_WAIT_MS = 30000, TOWN_PATH = 900 };

struct town {
	struct bus bus;
	struct process city, jobcenter;
	Dienstweg__Identifier identifier, *identifiers[1];
	ProtobufCBinaryData type;
};

void town_init(struct town *town); /* everything written, nothing started */
void town_init_witnessed(
	struct town *town); /* and both adapters are witnesses, who make a quorum together */
void town_start(struct town *town);  /* broker and both adapters */
void town_deinit(struct town *town); /* everything has to end in order */

/* Start one adapter, "city" or "jobcenter". */
void adapter_start(struct town *town, struct process *process, const char *name);

/* A path under the bus's folder, into TOWN_PATH bytes. */
void path_to(const struct town *town, char *path, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Files: written atomically; compared by digest; the last of a folder that ends so. */
void put(const char *path, struct bytes data);
void put_text(const char *path, const char *text);
void same_file(const char *a, const char *b);
void name_in(const char *folder, const char *suffix, char name[256]);

/* Waits for OUT/CASE/SEQUENCE-WHAT of any case and gives its path. */
void wait_for_letter(const char *out, const char *what, char letter[TOWN_PATH]);

/* JSON in a folder, to be released; a text in it, "" when there is none. */
json_t *json_at(const char *folder, const char *name);
const char *text_of(const json_t *json, const char *name);
