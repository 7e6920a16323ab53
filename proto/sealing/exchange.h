/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/base/crypto.h"

/*
 * X25519 results worth keeping: a batch has one ephemeral key and few recipients, and each recipient meets
 * that ephemeral key in every message of the batch. Lies in secret memory, or on the stack and is wiped;
 * starts with added = 0. One thread.
 */
enum { EXCHANGE_MAX = 16 };

struct exchange {
	struct {
		uint8_t own[BOX_KEY_SIZE];
		uint8_t peer[BOX_KEY_SIZE];
		uint8_t shared[BOX_KEY_SIZE];
	} known[EXCHANGE_MAX];
	size_t added; /* ever; the oldest is overwritten */
};

/**
 * exchange_shared() - the secret that two keys share
 * @exchange:   what is known
 * @own_secret: our X25519 secret
 * @own_public: its public half
 * @peer:       the other's public key
 * Return: 32 secret bytes, valid until the next call; NULL when @peer is a low-order point.
 */
const uint8_t *exchange_shared(struct exchange *exchange, const uint8_t own_secret[BOX_KEY_SIZE],
	const uint8_t own_public[BOX_KEY_SIZE], const uint8_t peer[BOX_KEY_SIZE]);
