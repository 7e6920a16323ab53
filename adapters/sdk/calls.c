/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What ops may call: thin, because each belongs to one of the adapter's rooms, which keep it in their own turn. Outside
 * an op there is no turn that it could belong to.
 */
#include "adapters/sdk/adapter.h"

#include <assert.h>

#include "adapters/sdk/core.h"
#include "adapters/sdk/evidence.h"

int dw_submit(struct dw_adapter *adapter, const struct dw_message *message,
	struct dw_submitted *ret, char *reterr, size_t size)
{
	assert(adapter->depth > 0);
	return turn_submit(
		adapter->turn, trust_registry(adapter->trust), message, false, ret, reterr, size);
}

static int count_outcome(void *context, const struct evidence_outcome *outcome)
{
	struct dw_known *known = context;
	known->outcomes++;
	return 0;
}

int dw_known(struct dw_adapter *adapter, const uint8_t message_id[16], struct dw_known *ret)
{
	struct bytes value;
	struct sent_row sent;
	assert(adapter->depth > 0);
	int r = store_get(adapter->store, STORE_SENT, BYTES(message_id, UUID_SIZE), &value);
	if (r)
		return r > 0 ? 1 : r;
	r = sent_row_decode(value, &sent);
	if (r)
		return r;
	*ret = (struct dw_known){
		.waiting = sent.state == SENT_WAITING,
		.refused = sent.state == SENT_REFUSED,
		.sequence = sent.sequence,
		.at_ms = sent.at_ms,
	};
	memcpy(ret->h, sent.h, HASH_SIZE);
	return evidence_outcomes(adapter->store, message_id, count_outcome, ret);
}

int dw_replay(struct dw_adapter *adapter, const struct dw_replay *replay)
{
	assert(adapter->depth > 0 && adapter->ops->replayed);
	return rerun_begin(adapter->replay, replay);
}

int dw_cancel(struct dw_adapter *adapter, const struct dw_cancel *cancel)
{
	assert(adapter->depth > 0 && adapter->ops->cancelled);
	return recall_add(adapter->recall, cancel);
}

const struct registry *dw_adapter_registry(const struct dw_adapter *adapter)
{
	return trust_registry(adapter->trust);
}

void *dw_adapter_user(const struct dw_adapter *adapter)
{
	return adapter->user;
}

void dw_adapter_stop(struct dw_adapter *adapter)
{
	adapter->stop = true;
}
