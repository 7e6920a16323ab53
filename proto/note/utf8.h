/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>

#include "proto/base/bytes.h"

/* What C2SP notes may hold. Pure. */

/**
 * utf8_is_text() - valid UTF-8 whose only ASCII control character below U+0020 is the newline
 * @text: input, may be empty
 * Return: true when it is.
 */
bool utf8_is_text(struct bytes text);

/**
 * utf8_is_key_name() - not empty, valid UTF-8, no Unicode space, no control character, no '+'
 * @name: input
 * Return: true for a legal key name (of any length).
 */
bool utf8_is_key_name(struct bytes name);
