/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Confirming is cumulative, so an outcome that cannot be checked yet (its key is in a registry that we
 * lack) holds back the confirmation of all later ones of its party; a new session then brings them again.
 * An outcome that is forged is no such case: its key is known and the signature does not hold, and only
 * the broker can have sent it.
 */
#include "adapters/sdk/outcomes.h"

#include <errno.h>
#include <stdlib.h>

#include "adapters/sdk/evidence.h"
#include "adapters/sdk/reminders.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "proto/signature/signature.h"

enum { TEXT_MAX = 200, CACHE_SLOTS = 64 };

struct party_state {
	uint64_t confirm; /* up to here; 0: nothing new */
	bool held;
};

struct outcomes {
	struct outcomes_options options;
	struct signature_cache *cache;
	uint64_t count;
	struct party_state parties[PARTIES_MAX];
};

int outcomes_new(const struct outcomes_options *options, struct outcomes **ret)
{
	_cleanup_(outcomes_free) struct outcomes *outcomes = calloc(1, sizeof(*outcomes));
	if (!outcomes)
		return -ENOMEM;
	outcomes->options = *options;
	int r = signature_cache_new(CACHE_SLOTS, &outcomes->cache);
	if (r)
		return r;
	*ret = steal(&outcomes);
	return 0;
}

void outcomes_free(struct outcomes *outcomes)
{
	if (!outcomes)
		return;
	signature_cache_free(outcomes->cache);
	free(outcomes);
}

void outcomes_restart(struct outcomes *outcomes)
{
	memset(outcomes->parties, 0, sizeof(outcomes->parties));
}

bool outcomes_held(const struct outcomes *outcomes)
{
	for (size_t i = 0; i < outcomes->options.parties->count; i++) {
		if (outcomes->parties[i].held)
			return true;
	}
	return false;
}

uint64_t outcomes_count(const struct outcomes *outcomes)
{
	return outcomes->count;
}

/* ---- checks ---- */

static bool is_one_of(struct bytes word, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (bytes_equal(word, BYTES_STR(words[i])))
			return true;
	}
	return false;
}

static bool is_signed(const Dienstweg__Outcome *outcome)
{
	static const char *const words[] = {"accepted", "rejected"};
	return is_one_of(BYTES_PB(outcome->state), words, ARRAY_LEN(words));
}

static bool is_possible(const Dienstweg__Outcome *outcome)
{
	static const char *const words[] = {
		"expired", "cancelled", "discarded", "overdue", "due-soon"};
	return outcome->h.len == HASH_SIZE && outcome->message_id.len == UUID_SIZE &&
	       text_is_name(BYTES_PB(outcome->recipient)) && outcome->code.len <= NAME_BYTES_MAX &&
	       outcome->text.len <= TEXT_MAX &&
	       (is_signed(outcome) || is_one_of(BYTES_PB(outcome->state), words, ARRAY_LEN(words)));
}

/* What is no end; of an end, DW_ENDED. */
static enum dw_event event_of(const Dienstweg__Outcome *outcome)
{
	if (bytes_equal(BYTES_PB(outcome->state), BYTES_STR("overdue")))
		return DW_OVERDUE;
	return bytes_equal(BYTES_PB(outcome->state), BYTES_STR("due-soon")) ? DW_DUE_SOON : DW_ENDED;
}

enum { CHECK_HOLD = 1, CHECK_FORGED = 2 };

static int check_signature(struct outcomes *outcomes, const Dienstweg__Outcome *outcome)
{
	const struct registry *registry = trust_registry(outcomes->options.trust);
	const Dienstweg__Party *owner = NULL;
	uint8_t digest[HASH_SIZE];
	if (!outcome->signature)
		return CHECK_FORGED;
	const Dienstweg__Key *key = registry_key(
		registry, BYTES_PB(outcome->signature->key_id), &owner);
	if (!key)
		return CHECK_HOLD;
	if (!owner || key->use != DIENSTWEG__KEY_USE__KEY_USE_SIGN ||
		!bytes_equal(BYTES_PB(owner->name), BYTES_PB(outcome->recipient)))
		return CHECK_FORGED;
	acknowledgement_digest(registry_bus(registry), BYTES_PB(outcome->recipient),
		outcome->message_sequence, outcome->h.data,
		bytes_equal(BYTES_PB(outcome->state), BYTES_STR("accepted")),
		BYTES_PB(outcome->code), BYTES_PB(outcome->text), digest);
	return signature_verify(outcomes->cache, SIGNATURE_ACK, registry_bus(registry),
		       key->public_.data, digest, outcome->signature) == 0
		       ? 0
		       : CHECK_FORGED;
}

/* Does it fit what we know of the message? */
static bool fits(const struct sent_row *sent, const Dienstweg__Item *item)
{
	const Dienstweg__Outcome *outcome = item->outcome;
	return bytes_equal(BYTES(sent->h, HASH_SIZE), BYTES_PB(outcome->h)) &&
	       bytes_equal(sent->sender, BYTES_PB(item->party)) &&
	       (sent->state != SENT_RECORDED || sent->sequence == outcome->message_sequence);
}

/* ---- taking over ---- */

/* Key and service are copied: what is told may submit, and the row's views die with the first write. A reminder of what
   has no receipt yet is kept instead. */
static int tell(struct outcomes *outcomes, const struct sent_row *sent, const Dienstweg__Item *item)
{
	const Dienstweg__Outcome *outcome = item->outcome;
	uint8_t key[ROW_KEY_MAX], service[NAME_BYTES_MAX];
	memcpy(key, sent->key.data, sent->key.len);
	memcpy(service, sent->service.data, sent->service.len);
	struct dw_report report = {
		.event = event_of(outcome),
		.key = BYTES(key, sent->key.len),
		.service = BYTES(service, sent->service.len),
		.sequence = item->sequence,
		.at_ms = item->batch_ms,
		.recipient = BYTES_PB(outcome->recipient),
		.state = BYTES_PB(outcome->state),
		.code = BYTES_PB(outcome->code),
		.text = BYTES_PB(outcome->text),
	};
	memcpy(report.message_id, outcome->message_id.data, UUID_SIZE);
	memcpy(report.case_id, sent->case_id, CASE_ID_SIZE);
	memcpy(report.h, sent->h, HASH_SIZE);
	if (report.event != DW_ENDED && sent->state == SENT_WAITING)
		return reminder_keep(outcomes->options.store, &report);
	return reporter_tell(&outcomes->options.reporter, &report);
}

/* No end: told once, and of what is refused not at all. */
static int remind(struct outcomes *outcomes, struct sent_row *sent, const Dienstweg__Item *item)
{
	uint8_t buf[SENT_ROW_MAX];
	if (sent->state == SENT_REFUSED || !reminder_is_new(sent, event_of(item->outcome)))
		return 0;
	size_t len = sent_row_encode(sent, buf);
	int r = tell(outcomes, sent, item);
	return r ? r
		 : store_put(outcomes->options.store, STORE_SENT,
			   BYTES_PB(item->outcome->message_id), BYTES(buf, len));
}

static int keep(struct outcomes *outcomes, const Dienstweg__Item *item)
{
	const Dienstweg__Outcome *outcome = item->outcome;
	uint8_t core[SIGNATURE_CORE_MAX];
	struct evidence_outcome evidence = {
		.sequence = item->sequence,
		.at_ms = item->batch_ms,
		.recipient = BYTES_PB(outcome->recipient),
		.state = BYTES_PB(outcome->state),
		.code = BYTES_PB(outcome->code),
		.text = BYTES_PB(outcome->text),
	};
	memcpy(evidence.message_id, outcome->message_id.data, UUID_SIZE);
	if (is_signed(outcome))
		evidence.core = BYTES(core, signature_core(outcome->signature, core));
	return evidence_put_outcome(outcomes->options.store, &evidence);
}

/* The receipt is still missing: settle.c tells both, in order. */
static int wait_for_receipt(struct outcomes *outcomes, struct sent_row *sent, struct bytes id)
{
	uint8_t buf[SENT_ROW_MAX];
	sent->ended = true;
	size_t len = sent_row_encode(sent, buf);
	return store_put(outcomes->options.store, STORE_SENT, id, BYTES(buf, len));
}

struct seen {
	struct bytes recipient;
	bool found;
};

static int look(void *context, const struct evidence_outcome *outcome)
{
	struct seen *seen = context;
	seen->found = seen->found || bytes_equal(seen->recipient, outcome->recipient);
	return 0;
}

/* Told and durable before, only the confirmation was lost? */
static int seen_before(struct outcomes *outcomes, const Dienstweg__Outcome *outcome)
{
	struct seen seen = {.recipient = BYTES_PB(outcome->recipient)};
	int r = evidence_outcomes(outcomes->options.store, outcome->message_id.data, look, &seen);
	return r < 0 ? r : seen.found;
}

static int take_over(struct outcomes *outcomes, const Dienstweg__Item *item, struct sent_row *sent)
{
	struct bytes id = BYTES_PB(item->outcome->message_id);
	if (event_of(item->outcome) != DW_ENDED)
		return remind(outcomes, sent, item);
	int r = seen_before(outcomes, item->outcome);
	if (r)
		return r < 0 ? r : 0;
	outcomes->count++;
	if (sent->state != SENT_WAITING)
		r = tell(outcomes, sent, item);
	else
		r = wait_for_receipt(outcomes, sent, id);
	return r ? r : keep(outcomes, item);
}

static int forged(struct outcomes *outcomes, const Dienstweg__Item *item, const char *what)
{
	log_error("outbox", "an outcome is forged", F_U64("sequence", item->sequence),
		F_BYTES("recipient", BYTES_PB(item->outcome->recipient)));
	return trust_alarm(outcomes->options.trust, what, BYTES(NULL, 0), BYTES(NULL, 0));
}

static void hold(struct outcomes *outcomes, size_t party, const Dienstweg__Item *item)
{
	log_warn("outbox", "an outcome is signed by a key that this registry does not have",
		F_U64("sequence", item->sequence));
	outcomes->parties[party].held = true;
	trust_want_registry(outcomes->options.trust);
}

/* 0: taken, or nothing to take; CHECK_HOLD; TRUST_ALARM folded by the caller; negative errno. */
static int judge(struct outcomes *outcomes, const Dienstweg__Item *item, struct sent_row *sent)
{
	if (!fits(sent, item))
		return CHECK_FORGED;
	int r = is_signed(item->outcome) ? check_signature(outcomes, item->outcome) : 0;
	return r ? r : take_over(outcomes, item, sent);
}

int outcomes_take(struct outcomes *outcomes, const Dienstweg__Item *item)
{
	struct bytes value;
	struct sent_row sent;
	size_t party = parties_find(outcomes->options.parties, BYTES_PB(item->party));
	if (party == PARTIES_NONE)
		return 0;
	if (outcomes->parties[party].held)
		return 0;
	if (!is_possible(item->outcome))
		return forged(outcomes, item, "The broker sent an outcome that is malformed.");
	int r = store_get(
		outcomes->options.store, STORE_SENT, BYTES_PB(item->outcome->message_id), &value);
	if (r == STORE_NOT_FOUND) {
		log_warn("outbox", "an outcome of a message that this state folder does not know",
			F_U64("sequence", item->sequence));
		r = 0;
	} else {
		if (r == 0)
			r = sent_row_decode(value, &sent);
		if (r == 0)
			r = judge(outcomes, item, &sent);
	}
	if (r == CHECK_HOLD) {
		hold(outcomes, party, item);
		return 0;
	}
	if (r > 0)
		return forged(outcomes, item,
			"The broker sent an outcome that its recipient did not sign, or that does "
			"not "
			"fit the message it names.");
	if (r == 0 && item->sequence > outcomes->parties[party].confirm)
		outcomes->parties[party].confirm = item->sequence;
	return r;
}

static int confirm_send(struct outcomes *outcomes, struct client *client, size_t party)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Confirm confirm = DIENSTWEG__CONFIRM__INIT;
	struct bytes name = BYTES_STR(outcomes->options.parties->names[party]);
	confirm.party = (ProtobufCBinaryData){
		.len = name.len, .data = (uint8_t *)(uintptr_t)name.data};
	confirm.sequence = outcomes->parties[party].confirm;
	frame.body_case = DIENSTWEG__FRAME__BODY_CONFIRM;
	frame.confirm = &confirm;
	int r = client_send(client, &frame);
	if (r == 0)
		outcomes->parties[party].confirm = 0;
	return r;
}

int outcomes_flush(struct outcomes *outcomes, struct client *client)
{
	for (size_t i = 0; i < outcomes->options.parties->count; i++) {
		if (outcomes->parties[i].confirm == 0)
			continue;
		int r = confirm_send(outcomes, client, i);
		if (r)
			return r < 0 ? r : 0;
	}
	return 0;
}
