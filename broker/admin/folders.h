/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>

#include "broker/audit/open.h"
#include "conf/cli/cli.h"
#include "conf/config.h"

/*
 * Where the journal and its keys are, out of a verb's options: a broker's configuration names everything,
 * a state folder most of it, and each single place can be named on its own.
 */
struct folders {
	const char *config, *state; /* options as given */
	const char *journal, *keyring, *master_key, *policy, *index;
	const char *archive;                /* of what was pruned; a verb's own option */
	const struct config_broker *broker; /* read from @config */
	char socket[4096];                  /* admin socket; empty: not known */
	const char *blobs; /* of attachments; NULL: there is none beside this journal */
	char buf[7][4096]; /* paths that were put together */
};

/* Entries of a verb's option table. */
#define FOLDERS_OPTIONS(p)                                                                         \
	{"--config", .value = &(p)->config}, {"--state", .value = &(p)->state},                    \
		{"--journal", .value = &(p)->journal}, {"--keyring", .value = &(p)->keyring},      \
	{                                                                                          \
		"--master-key", .value = &(p)->master_key                                          \
	}
#define FOLDERS_HELP                                                                               \
	"  --config FILE      the broker's configuration: names all of the following\n"            \
	"  --state DIR        the broker's state folder; a broker.yaml in it, or in its etc/, is " \
	"used\n"                                                                                   \
	"  --journal DIR      the journal\n"                                                       \
	"  --keyring DIR      the keys of its rows\n"                                              \
	"  --master-key FILE  the key over the keyring\n"

/* What a verb cannot do without. */
enum folders_need {
	FOLDERS_KEYS = 1,   /* records must open */
	FOLDERS_POLICY = 2, /* roots must be pinned */
};

/**
 * folders_find() - complete the options; complains
 * @folders: as cli_parse() filled it; folders_deinit()
 * @verb:  for complaints
 * @needs: of enum folders_need
 * Return: 0, or an exit code.
 */
int folders_find(struct folders *folders, const struct cli_verb *verb, unsigned int needs);
void folders_deinit(struct folders *folders);
DEFINE_CLEANUP_PTR(struct folders, folders_deinit);

/**
 * folders_open() - open journal, keyring and policy; complains
 * @folders: found
 * @ret:   audit_close()
 * Return: 0, or an exit code.
 */
int folders_open(const struct folders *folders, struct audit *ret);
