/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "adapters/sdk/core.h"

/**
 * loop_run() - serve until SIGTERM, SIGINT, dw_adapter_stop(), an alarm or a failure
 * @adapter:   open, its legacy system too
 * @signal_fd: of signalfd(2) for SIGTERM and SIGINT, or -1
 *
 * At the end nothing new is taken; what is on its way gets config.drain_ms to be answered.
 *
 * Return: 0, LOOP_REPLACED, LOOP_ALARM, negative errno.
 */
enum { LOOP_REPLACED = 1, LOOP_ALARM = 2 };
int loop_run(struct dw_adapter *adapter, int signal_fd);
