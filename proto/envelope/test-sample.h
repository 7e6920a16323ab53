/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "proto/base/bytes.h"
#include "proto/envelope.pb-c.h"
#include "proto/envelope/envelope.h"
#include "proto/identity/key.h"

/* A typical message for tests, and numbers that are the same in every run. */

static inline ProtobufCBinaryData sample_bytes(const void *data, size_t len)
{
	ProtobufCBinaryData ret = {.len = len};
	memcpy(&ret.data, &data,
		sizeof(data)); /* protobuf-c has no const; nobody writes through it */
	return ret;
}

static inline ProtobufCBinaryData sample_text(const char *text)
{
	return sample_bytes(text, strlen(text));
}

/* xorshift64*: fixed seed, so that a failure can be repeated. */
static inline uint64_t sample_number(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

static inline void sample_fill(uint64_t *state, uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)(sample_number(state) >> 56);
}

static const uint8_t sample_message_id[16] = {
	0x01, 0x93, 0x4f, 0x1c, 0x2a, 0x00, 0x71, 0x23, 0x84, 1, 2, 3, 4, 5, 6, 7};
static const uint8_t sample_case_id[16] = {0xc0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};
static const uint8_t sample_hash[HASH_SIZE] = "thirty-two bytes that are a hash";
static const uint8_t sample_key_id[KEY_ID_SIZE] = "a key id, 16 by";

/* All fields a usual message has; valid as it stands. */
static inline Dienstweg__Header sample_header(void)
{
	Dienstweg__Header header = DIENSTWEG__HEADER__INIT;
	header.bus = sample_text("wuppertal.demo");
	header.message_id = sample_bytes(sample_message_id, sizeof(sample_message_id));
	header.kind = DIENSTWEG__KIND__KIND_SUBMISSION;
	header.sender = sample_text("wuppertal-portal");
	header.recipient = sample_text("jobcenter-wuppertal");
	header.service = sample_text("alg2.application");
	header.case_id = sample_bytes(sample_case_id, sizeof(sample_case_id));
	header.in_reply_to = sample_bytes(sample_hash, sizeof(sample_hash));
	header.created_ms = UINT64_C(1732230000000);
	header.expires_ms = UINT64_C(1734822000000);
	header.agreement = sample_text("wuppertal-jobcenter-2021");
	header.content_type = sample_text("application/x-protobuf");
	header.schema = sample_text("dienstweg.case/0");
	header.content_length = 1500;
	header.content_hash = sample_bytes(sample_hash, sizeof(sample_hash));
	header.body_commitment = sample_bytes(sample_hash, sizeof(sample_hash));
	header.status = DIENSTWEG__STATUS__STATUS_RECEIVED;
	header.channel = DIENSTWEG__CHANNEL__CHANNEL_ONLINE;
	header.retention = 1;
	header.priority = 1;
	return header;
}

static inline size_t sample_pack(const Dienstweg__Header *header, uint8_t *buf, size_t size)
{
	size_t len = dienstweg__header__get_packed_size(header);
	assert(len <= size);
	dienstweg__header__pack(header, buf);
	return len;
}
