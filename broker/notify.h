/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

/**
 * notify_send() - tell the service manager, if there is one (sd_notify(3), by hand)
 * @state: e.g. "READY=1"
 *
 * Does nothing without NOTIFY_SOCKET, and never fails: a broker that serves must not stop because nobody
 * wanted to hear it.
 */
void notify_send(const char *state);
