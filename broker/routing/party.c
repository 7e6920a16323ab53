/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Rows name parties by number, because names are up to 63 bytes and stand in every key. A number is
 * given once and never again: an old queue row must not change its owner when a party leaves and
 * another comes.
 */
#include "broker/routing/party.h"

#include <assert.h>
#include <errno.h>

#include "broker/routing/rules.h"

int rules_party_number(struct state *state, struct bytes name, uint32_t *ret)
{
	struct bytes value;
	*ret = 0;
	if (name.len == 0)
		return 0;
	int r = state_get(state, STATE_PARTY, name, &value);
	if (r == STATE_NOT_FOUND)
		return 0;
	if (r < 0)
		return r;
	if (value.len != 4)
		return -EBADMSG;
	*ret = be32_get(value.data);
	return 0;
}

int party_name(struct state *state, uint32_t number, struct bytes *ret)
{
	uint8_t key[TOTAL_KEY_SIZE];
	total_key_encode(COUNTER_NAME, number, key);
	int r = state_get(state, STATE_COUNTER, BYTES(key, sizeof(key)), ret);
	return r == STATE_NOT_FOUND ? -EBADMSG : r;
}

static int last_number(struct state *state, uint32_t *ret)
{
	static const uint8_t key = COUNTER_PARTIES;
	struct bytes value;
	*ret = 0;
	int r = state_get(state, STATE_COUNTER, BYTES(&key, 1), &value);
	if (r == STATE_NOT_FOUND)
		return 0;
	if (r < 0)
		return r;
	if (value.len != 4)
		return -EBADMSG;
	*ret = be32_get(value.data);
	return 0;
}

static int give_number(struct state *state, uint32_t number, struct bytes name)
{
	static const uint8_t last_key = COUNTER_PARTIES;
	uint8_t value[4], key[TOTAL_KEY_SIZE];
	be32_put(value, number);
	int r = state_put(state, STATE_PARTY, name, BYTES(value, sizeof(value)));
	if (r < 0)
		return r;
	total_key_encode(COUNTER_NAME, number, key);
	r = state_put(state, STATE_COUNTER, BYTES(key, sizeof(key)), name);
	if (r < 0)
		return r;
	return state_put(state, STATE_COUNTER, BYTES(&last_key, 1), BYTES(value, sizeof(value)));
}

int rules_adopt_registry(struct rules *rules)
{
	const Dienstweg__RegistryContent *content = registry_content(rules->registry);
	uint32_t last;
	int r = last_number(rules->state, &last);
	for (size_t i = 0; r == 0 && i < content->n_parties; i++) {
		struct bytes name = BYTES_PB(content->parties[i]->name);
		uint32_t number;
		r = rules_party_number(rules->state, name, &number);
		if (r == 0 && number == 0)
			r = give_number(rules->state, ++last, name);
	}
	return r;
}
