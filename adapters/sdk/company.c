/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Somebody waits for the answer, and of four commits that lay one behind the other on its way two were ours. What they
 * made durable is worth nothing by itself: who asked is gone with the process that waited, and a question whose answer
 * was not stored is delivered again, because its acknowledgement has not left. So a turn that holds nothing but
 * enquiries, answers and the receipts of enquiries is signed and sent, and its commit waits for company: for the
 * receipt of the answer, for the answer, for anything else that is written; or for a few milliseconds.
 *
 * Nothing but these messages leaves before the commit: acknowledgements and confirmations say that something is
 * durable here. What is written in any other way makes the turn an ordinary one; whoever writes has to say that it can
 * wait, and not the other way round.
 */
#include "adapters/sdk/core.h"

#include <errno.h>

enum { NS_PER_MS = 1000000, PATIENCE_MS = 20 };

static uint64_t waited_ms(const struct dw_adapter *adapter)
{
	return (clock_mono_ns(adapter->clock) - adapter->put_off_ns) / NS_PER_MS;
}

bool core_can_put_off(const struct dw_adapter *adapter)
{
	if (!store_can_wait(adapter->store) || adapter->stop || adapter->untrusted ||
		client_state(adapter->client) != CLIENT_READY || turn_is_large(adapter->turn))
		return false;
	return adapter->put_off_ns == 0 || waited_ms(adapter) < PATIENCE_MS;
}

int core_put_off(struct dw_adapter *adapter)
{
	uint64_t before = store_urgent(adapter->store);
	if (adapter->put_off_ns == 0)
		adapter->put_off_ns = clock_mono_ns(adapter->clock);
	int r = turn_sign(adapter->turn);
	store_excuse(adapter->store, before);
	if (r == 0)
		r = sender_flush(adapter->sender, adapter->client);
	/* Pieces of attachments promise nothing either. */
	if (r == 0)
		r = upload_flush(adapter->upload, adapter->client);
	if (r == 0)
		r = fetch_flush(adapter->fetch, adapter->client);
	return r ? r : turn_renew(adapter->turn);
}

int core_put_off_timeout_ms(const struct dw_adapter *adapter)
{
	if (adapter->put_off_ns == 0)
		return -1;
	uint64_t waited = waited_ms(adapter);
	return waited < PATIENCE_MS ? (int)(PATIENCE_MS - waited) : 0;
}
