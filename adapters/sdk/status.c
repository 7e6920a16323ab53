/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * status.json: what an adapter's operator, or a program that watches it, reads without asking anybody. Flat
 * figures, so that a line of shell can tell; names only of parties and agreements.
 */
#include <stdio.h>

#include "adapters/sdk/core.h"

static uint64_t oldest_seconds(struct dw_adapter *adapter)
{
	uint64_t then = 0, now = clock_wall_ms(adapter->clock);
	if (outbox_oldest_ms(&adapter->outbox, &then) != 0 || then > now)
		return 0;
	return (now - then) / 1000;
}

void core_status(struct dw_adapter *adapter, char *buf, size_t size)
{
	char warnings[NOTICES_JSON_MAX];
	struct sender_counts sender;
	struct inbox_counts inbox;
	const struct trust_loss *loss = trust_loss(adapter->trust);
	struct upload_counts upload;
	struct fetch_counts fetch;
	upload_counts(adapter->upload, &upload);
	fetch_counts(adapter->fetch, &fetch);
	sender_counts(adapter->sender, &sender);
	inbox_counts(adapter->inbox, &inbox);
	notices_json(sender_notices(adapter->sender), clock_mono_ns(adapter->clock), warnings,
		sizeof(warnings));
	snprintf(buf, size,
		"{\"connected\":%s,\"turned_away\":%s,\"queued\":%llu,\"queued_bytes\":%llu,"
		"\"oldest_seconds\":%llu,"
		"\"unanswered\":%llu,"
		"\"recorded\":%llu,\"refused\":%llu,\"deferred\":%llu,\"ended\":%llu,"
		"\"accepted\":%llu,\"rejected\":%llu,\"later\":%llu,\"again\":%llu,"
		"\"unacknowledged\":%zu,\"registry\":%llu,\"registry_stale\":%s,"
		"\"checkpoint\":%llu,\"final\":%llu,\"final_waiting_seconds\":%llu,"
		"\"cosigned\":%llu,\"kept_bytes\":%llu,\"epoch\":%u,\"epoch_seen\":%llu,"
		"\"epoch_kept\":%llu,\"sending_again\":%s,"
		"\"attachments_sending\":%llu,\"attachments_sent\":%llu,"
		"\"attachments_out_bytes\":%llu,\"attachments_fetching\":%llu,"
		"\"attachments_fetched\":%llu,\"warnings\":%s}\n",
		client_state(adapter->client) == CLIENT_READY ? "true" : "false",
		client_refused(adapter->client) ? "true" : "false",
		(unsigned long long)adapter->outbox.count, (unsigned long long)adapter->outbox.bytes,
		(unsigned long long)oldest_seconds(adapter), (unsigned long long)sender.unanswered,
		(unsigned long long)sender.recorded, (unsigned long long)sender.refused,
		(unsigned long long)sender.deferred,
		(unsigned long long)outcomes_count(adapter->outcomes),
		(unsigned long long)inbox.accepted, (unsigned long long)inbox.rejected,
		(unsigned long long)inbox.later, (unsigned long long)inbox.again,
		acks_count(adapter->acks),
		(unsigned long long)registry_version(trust_registry(adapter->trust)),
		trust_stale(adapter->trust) ? "true" : "false",
		(unsigned long long)trust_proven_size(adapter->trust),
		(unsigned long long)final_size(adapter->final),
		(unsigned long long)final_waiting_seconds(adapter->final),
		(unsigned long long)(adapter->witness ? witness_size(adapter->witness) : 0),
		(unsigned long long)adapter->again.bytes,
		epochs_newest(trust_epochs(adapter->trust)), (unsigned long long)loss->seen,
		(unsigned long long)loss->kept, adapter->again.active ? "true" : "false",
		(unsigned long long)upload.waiting, (unsigned long long)upload.uploaded,
		(unsigned long long)spool_bytes(adapter->spool), (unsigned long long)fetch.waiting,
		(unsigned long long)fetch.fetched, warnings);
}
