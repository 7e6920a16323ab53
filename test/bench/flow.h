/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "test/bench/samples.h"
#include "test/kit/party.h"

/*
 * A sender and a receiver at full speed, each its own process, doing all a real party does but disks: the
 * sender seals, signs and checks every receipt; the receiver checks signature and commitment, opens,
 * and acknowledges with a signature. The body starts with the sender's monotonic time.
 */
struct flow_result {
	uint64_t messages;
	double seconds;
	double rate;                             /* messages handed to the receiver per second */
	uint32_t receipt_p50_us, receipt_p99_us; /* submit to receipt */
	uint32_t through_p50_us, through_p99_us; /* submit to opened by the receiver */
	double sender_cpu_us, receiver_cpu_us;   /* per message */
	size_t header_bytes, content_bytes;      /* of a message */
};

/* The receiver's process: runs until killed. Samples and count are shared. */
struct flow_receiver {
	pid_t pid;
	struct samples *through;
};
void flow_receiver_start(struct flow_receiver *receiver, const struct bus *bus, const char *party);
void flow_receiver_end(struct flow_receiver *receiver);

/**
 * flow_run() - send for a while and measure
 * @bus:       running
 * @sender:    party name
 * @receiver:  started
 * @in_flight: messages without a receipt at once
 * @body:      bytes of each body, >= 8
 * @seconds:   how long
 * @ret:       figures
 */
void flow_run(const struct bus *bus, const char *sender, struct flow_receiver *receiver,
	size_t in_flight, size_t body, double seconds, struct flow_result *ret);

/**
 * flow_fill() - send messages that nobody takes now, and wait for their receipts
 * @bus:    running
 * @sender: party name
 * @draft:  to whom and when; the body is filled in
 * @count:  how many
 * @body:   bytes of each body, >= 8
 * Return: messages per second.
 */
double flow_fill(const struct bus *bus, const char *sender, const struct party_draft *draft,
	uint64_t count, size_t body);
