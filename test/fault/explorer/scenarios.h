/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "test/fault/explorer/world.h"

/* The small worlds that are explored: two messages each, with the faults they may meet. */
size_t scenarios_count(void);
const struct scenario *scenario_get(size_t nth);
