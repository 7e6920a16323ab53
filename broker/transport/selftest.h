/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>

#include "broker/transport/socket.h"

enum { SELFTEST_OPEN = 1 /* somebody got in, or a known key did not: do not serve */ };

/**
 * selftest_run() - prove on a throw-away endpoint that the door is shut (design section 5)
 * @gate:   with its handler bound and no router yet; its admission is changed meanwhile and must be set
 *          again afterwards
 * @reterr: a sentence that says which proof failed
 * @size:   of @reterr
 *
 * An unknown key, a known key that the handler denies, and a client without CURVE must not get a frame
 * through; a known and admitted key must. Takes some milliseconds, at most a second or so per proof.
 *
 * Return: 0, SELFTEST_OPEN, negative errno.
 */
int selftest_run(struct gate *gate, char *reterr, size_t size);
