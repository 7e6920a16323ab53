/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/base/bytes.h"
#include "proto/base/cleanup.h"

/*
 * The adapter's state folder: STATE/store (LMDB), STATE/ALARM and its exhibits, STATE/status.json. One
 * process has it at a time: two would send everything twice.
 */
enum {
	FOLDER_TAKEN = 1, /* another process has it */
	FOLDER_ALARM = 2, /* STATE/ALARM is there: a person has to look first */
	FOLDER_EXHIBITS_MAX = 4,
};

struct folder;

/**
 * folder_open() - make it if need be, lock it, look for an alarm
 * @path:   the state folder
 * @ret:    the folder, locked until folder_free() or the end of the process
 * @reterr: a sentence with the remedy
 * @size:   of @reterr
 * Return: 0, FOLDER_*, negative errno (@reterr is set as well).
 */
int folder_open(const char *path, struct folder **ret, char *reterr, size_t size);
void folder_free(struct folder *folder); /* takes NULL */
DEFINE_CLEANUP(struct folder *, folder_free);

const char *folder_path(const struct folder *folder); /* as given */

/* What an alarm rests on, kept as a file "alarm-NAME". */
struct folder_exhibit {
	const char *name;
	struct bytes data;
};

/**
 * folder_alarm() - write the exhibits, then ALARM: from now on folder_open() refuses
 * @folder:   the folder
 * @text:     what happened, for people; no personal data
 * @exhibits: at most FOLDER_EXHIBITS_MAX; empty ones are left out
 * @count:    how many
 * Return: 0 or negative errno.
 */
int folder_alarm(struct folder *folder, const char *text, const struct folder_exhibit *exhibits,
	size_t count);

/**
 * folder_epoch() - write down that the log went on under a new origin: epoch-N.txt, and exhibits beside it
 * @folder:   the folder
 * @epoch:    N
 * @text:     what happened, for people; no personal data
 * @exhibits: kept as "epoch-N-NAME"; empty ones are left out
 * @count:    how many
 * Return: 0 or negative errno.
 */
int folder_epoch(struct folder *folder, uint32_t epoch, const char *text,
	const struct folder_exhibit *exhibits, size_t count);

/**
 * folder_status() - replace status.json
 * @folder: the folder
 * @json:   its text
 * Return: 0 or negative errno.
 */
int folder_status(struct folder *folder, const char *json);
