/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

/**
 * move_new() - rename to a name that must not exist yet
 * @from_dir: descriptor of the folder it is in
 * @from:     its name
 * @to_dir:   descriptor of the folder to move it to, on the same file system
 * @to:       new name
 *
 * The only step by which anything enters or leaves a folder of the connector: all or nothing, and never
 * over something else.
 *
 * Return: 0, -EEXIST, other negative errno.
 */
int move_new(int from_dir, const char *from, int to_dir, const char *to);
