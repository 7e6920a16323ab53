/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What carries attachments both ways, as a part of the adapter's turn: a bit of sealing and opening each time, so
 * that a gigabyte holds up neither heartbeats nor other messages.
 */
#include "adapters/sdk/core.h"

static void on_attachment(void *context, const uint8_t digest[HASH_SIZE])
{
	struct dw_adapter *adapter = context;
	(void)digest;
	sender_attachment_arrived(adapter->sender);
}

static void on_progress(void *context, const struct dw_progress *progress)
{
	struct dw_adapter *adapter = context;
	if (adapter->ops->progress && adapter->opened)
		adapter->ops->progress(adapter->context, progress);
}

int core_carriers_open(struct dw_adapter *adapter)
{
	struct upload_options upload = {
		.clock = adapter->clock,
		.arrived = on_attachment,
		.progress = on_progress,
		.context = adapter,
	};
	struct fetch_options fetch = {
		.clock = adapter->clock,
		.parties = adapter->parties->names,
		.bytes_max = adapter->config->spool.bytes_max,
		.progress = on_progress,
		.context = adapter,
	};
	int r = spool_open(adapter->config->state, adapter->config->spool.bytes_max,
		&adapter->outbox, &adapter->spool);
	upload.spool = fetch.spool = adapter->spool;
	if (r == 0)
		r = sealer_new(adapter->spool, on_progress, adapter, &adapter->sealer);
	if (r == 0)
		r = upload_new(&upload, &adapter->upload);
	return r ? r : fetch_new(&fetch, &adapter->fetch);
}

int core_attachments(struct dw_adapter *adapter)
{
	int r = sealer_step(adapter->sealer);
	fetch_step(adapter->fetch);
	return r ? r : inbox_resume(adapter->inbox);
}

int core_attachments_timeout_ms(const struct dw_adapter *adapter)
{
	int sending = upload_timeout_ms(adapter->upload),
	    fetching = fetch_timeout_ms(adapter->fetch);
	if (sealer_is_busy(adapter->sealer) || fetch_is_busy(adapter->fetch))
		return 0;
	if (sending < 0 || fetching < 0)
		return sending < 0 ? fetching : sending;
	return sending < fetching ? sending : fetching;
}
