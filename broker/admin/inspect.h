/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/admin/folders.h"

/*
 * Opening records is itself an entry of the journal, and made before anything is shown. Verbs that only list,
 * count or verify need none; the content of messages is opened by none of them.
 */
struct inspect {
	const char *role, *ground; /* options as given; codes */
	uint64_t sequence;         /* of the entry, when it was recorded */
	bool recorded;
};

#define INSPECT_OPTIONS(p)                                                                         \
	{"--role", .value = &(p)->role},                                                           \
	{                                                                                          \
		"--ground", .value = &(p)->ground                                                  \
	}
#define INSPECT_HELP                                                                               \
	"  --role CODE        in which capacity, for the journal; default: operator\n"             \
	"  --ground CODE      why, for the journal: a code of a-z 0-9 . -; default: operation\n"

/**
 * inspect_check() - are role and ground codes? complains
 * @inspect: as cli_parse() filled it; defaults are filled in
 * @verb:    for complaints
 * Return: 0, or an exit code.
 */
int inspect_check(struct inspect *inspect, const struct cli_verb *verb);

/**
 * inspect_record() - have the running broker journal that records are about to be shown; complains
 * @inspect: checked
 * @folders: found
 * @first:   entries among which they are
 * @last:    the last one
 * @count:   how many of these
 *
 * Without a running broker, on a copy for instance, nothing can be recorded: that is no failure, and
 * inspect_print() says it. A broker that runs and cannot be asked is one.
 *
 * Return: 0, or an exit code.
 */
int inspect_record(struct inspect *inspect, const struct folders *folders, uint64_t first,
	uint64_t last, uint64_t count);

/* Say what was recorded: on standard error, because it is about the output and not part of it. */
void inspect_print(const struct inspect *inspect);
