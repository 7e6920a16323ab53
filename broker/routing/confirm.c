/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A confirmation is no entry: that the sender was told how its message ended follows from the end
 * state, which is one. Should the confirmation be lost with a crash, the sender is told again and throws
 * the repetition away by sequence.
 */
#include "broker/routing/rules.h"

#include <errno.h>

int rules_confirm(struct rules *rules, uint32_t party, uint64_t sequence)
{
	uint8_t from[QUEUE_KEY_SIZE];
	queue_key_encode(party, LANE_OUTCOME, 0, from);
	for (;;) {
		struct bytes key, value;
		uint32_t owner;
		uint64_t entry;
		uint8_t lane, copy[QUEUE_KEY_SIZE];
		int r = state_seek(
			rules->state, STATE_QUEUE, BYTES(from, sizeof(from)), &key, &value);
		if (r == STATE_NOT_FOUND)
			return 0;
		if (r < 0)
			return r;
		if (queue_key_decode(key, &owner, &lane, &entry) != 0)
			return -EBADMSG;
		if (owner != party || lane != LANE_OUTCOME || entry > sequence)
			return 0;
		memcpy(copy, key.data, sizeof(copy));
		r = state_del(rules->state, STATE_QUEUE, BYTES(copy, sizeof(copy)));
		if (r < 0)
			return r;
	}
}
