/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

/*
 * What this machine can do at best, measured in the same run as the broker, so that figures of different
 * machines can be compared by their ratios.
 */
struct machine {
	double verifies_per_s;     /* Ed25519, one core */
	double commits_per_s;      /* LMDB, one 1 KiB value each, on the journal's file system */
	double messages_per_s_256; /* LMDB, 256 such values a commit */
};

/**
 * machine_measure() - measure each limit
 * @ret:     the figures
 * @dir:     a folder on the file system in question
 * @seconds: for each
 */
void machine_measure(struct machine *ret, const char *dir, double seconds);
