/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>

/*
 * The disks. What a database or an attachment was written since its last sync is remembered, so that losing power can
 * undo any part of it; a sync takes time, in which others go on and the machine may lose power. Writes and
 * syncs fail where the process is told that they do.
 */
struct proc;

void disk_opened(int fd, bool synced);              /* @synced: every write is (O_DSYNC) */
void disk_closed(int fd);                           /* no more of its writes */
void disk_process_gone(const struct proc *process); /* and its power, when process->power */

struct disk_counts {
	unsigned long long syncs;
	unsigned long long undone; /* writes, wholly or in part */
};
const struct disk_counts *disk_counts(void); /* since the beginning */
void disk_deinit(void);                      /* forgets all files; they stay where they are */
