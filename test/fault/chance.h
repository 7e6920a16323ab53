/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdint.h>

/*
 * Chance that can be had again: the same seed, the same numbers. A fault test prints its seed first and
 * takes another one from the environment, DIENSTWEG_SEED.
 */
struct chance {
	uint64_t state;
};

/* From the environment, else from the machine; printed as "# seed N". */
void chance_init(struct chance *chance);

/**
 * chance_below() - a number
 * @chance: the source
 * @limit:  at least 1
 * Return: 0 to @limit - 1.
 */
uint32_t chance_below(struct chance *chance, uint32_t limit);

/**
 * chance_setting() - a number from the environment
 * @name:     of the variable
 * @fallback: when it is not set
 * Return: the number.
 */
uint64_t chance_setting(const char *name, uint64_t fallback);
