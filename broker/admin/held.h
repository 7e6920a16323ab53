/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "proto/base/bytes.h"

/**
 * held_checkpoint() - the checkpoint in a file that somebody kept: a signed note, or a receipt, which has one
 * @path: of the file, for complaints
 * @file: what is in it; untrusted
 * @ret:  the note, a view, unjudged
 * Return: 0, or an exit code after a complaint: a file that holds none says nothing about any log.
 */
int held_checkpoint(const char *path, struct bytes file, struct bytes *ret);
