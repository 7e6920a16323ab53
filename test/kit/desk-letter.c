/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Deliveries and outcomes, honest or forged in exactly one point: header, signature, content and seal are
 * made by the real functions in the real order, and the lie is put in where a real liar would put it.
 */
#include "proto/envelope/envelope.h"
#include "proto/base/clock.h"
#include "proto/identity/uuid.h"
#include "proto/journal.pb-c.h"
#include "proto/sealing/sealing.h"
#include "proto/signature/signature.h"
#include "test/kit/check.h"
#include "test/kit/desk.h"

static ProtobufCBinaryData pb(struct bytes view)
{
	return (ProtobufCBinaryData){.len = view.len, .data = (uint8_t *)(uintptr_t)view.data};
}

static ProtobufCBinaryData random_bytes(struct desk *desk, size_t len)
{
	uint8_t *p = desk_take(desk, len);
	random_fill(p, len);
	return pb(BYTES(p, len));
}

static ProtobufCBinaryData id_of(struct desk *desk, const struct desk_letter *letter)
{
	struct uuid_source source = {};
	uint8_t *id = desk_take(desk, UUID_SIZE);
	if (letter->message_id)
		memcpy(id, letter->message_id, UUID_SIZE);
	else
		uuid_next(&source, clock_wall_ms(clock_system()), id);
	return pb(BYTES(id, UUID_SIZE));
}

static Dienstweg__Header *header_of(struct desk *desk, const struct desk_letter *letter)
{
	Dienstweg__Header *header = desk_take(desk, sizeof(*header));
	dienstweg__header__init(header);
	header->bus = pb(BYTES_STR(letter->bus ? letter->bus : desk->bus));
	header->message_id = id_of(desk, letter);
	header->kind = letter->kind ? (Dienstweg__Kind)letter->kind
				    : DIENSTWEG__KIND__KIND_SUBMISSION;
	header->sender = pb(BYTES_STR(letter->sender));
	header->recipient = pb(BYTES_STR(letter->recipient));
	header->service = pb(BYTES_STR(letter->service));
	header->case_id = letter->case_id ? pb(BYTES(letter->case_id, 16)) : random_bytes(desk, 16);
	if (letter->in_reply_to)
		header->in_reply_to = pb(BYTES(letter->in_reply_to, HASH_SIZE));
	header->created_ms = clock_wall_ms(clock_system());
	header->content_type = pb(BYTES_STR("text/plain"));
	header->priority = 1;
	return header;
}

static struct bytes content_of(
	struct desk *desk, const struct desk_letter *letter, Dienstweg__Header *header)
{
	_cleanup_(sealing_batch_free) struct sealing_batch *batch = NULL;
	struct sealing_recipient recipient;
	struct bytes content;
	const char *whom = letter->seal_for ? letter->seal_for : letter->recipient;
	const Dienstweg__Party *party = registry_party(desk->registry, BYTES_STR(whom));
	CHECK(party);
	const Dienstweg__Key *key = registry_party_key(party, KEY_SEAL);
	memcpy(recipient.key_id, key->id.data, KEY_ID_SIZE);
	memcpy(recipient.public, key->public_.data, BOX_KEY_SIZE);
	CHECK_INT(sealing_batch_new(&batch), 0);
	CHECK_INT(sealing_seal(batch, header, letter->body, &recipient, letter->clear ? 0 : 1,
			  desk->arena, &content),
		0);
	if (letter->other_commitment)
		header->body_commitment = random_bytes(desk, HASH_SIZE);
	if (letter->other_content)
		((uint8_t *)(uintptr_t)content.data)[content.len - 1] ^= 1;
	return content;
}

static Dienstweg__Envelope *envelope_of(
	struct desk *desk, const struct desk_letter *letter, uint8_t h[HASH_SIZE])
{
	uint8_t items[1][HASH_SIZE];
	Dienstweg__Envelope *envelope = desk_take(desk, sizeof(*envelope));
	Dienstweg__Signature *signature = desk_take(desk, sizeof(*signature));
	Dienstweg__Header *header = header_of(desk, letter);
	struct bytes content = content_of(desk, letter, header);
	const char *signer = letter->sign_as ? letter->sign_as : letter->sender;
	size_t len = dienstweg__header__get_packed_size(header);
	uint8_t *packed = desk_take(desk, len);
	dienstweg__header__pack(header, packed);
	envelope_header_hash(BYTES(packed, len), h);
	memcpy(items[0], h, HASH_SIZE);
	dienstweg__signature__init(signature);
	CHECK_INT(signature_sign(SIGNATURE_MESSAGE, BYTES_STR(desk->bus),
			  registry_fixture_secret(desk->fixture, signer, KEY_SIGN),
			  (const uint8_t(*)[HASH_SIZE])items, 1, signature, desk->arena),
		0);
	if (letter->bad_signature)
		signature->root.data[5] ^= 1;
	dienstweg__envelope__init(envelope);
	envelope->header = pb(BYTES(packed, len));
	envelope->content = pb(content);
	envelope->signature = signature;
	return envelope;
}

static void item_send(struct desk *desk, Dienstweg__Item *item, const char *party)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Deliver deliver = DIENSTWEG__DELIVER__INIT;
	item->party = pb(BYTES_STR(party));
	item->batch_ms = clock_wall_ms(clock_system());
	deliver.items = &item;
	deliver.n_items = 1;
	frame.body_case = DIENSTWEG__FRAME__BODY_DELIVER;
	frame.deliver = &deliver;
	desk_send(desk, &frame);
}

uint64_t desk_deliver(struct desk *desk, const struct desk_letter *letter)
{
	uint8_t h[HASH_SIZE], core[SIGNATURE_CORE_MAX];
	CHECK(desk->letters_count < DESK_LETTERS_MAX);
	struct desk_sent *sent = &desk->letters[desk->letters_count++];
	sent->envelope = envelope_of(desk, letter, h);
	sent->sequence = desk->size;
	snprintf(sent->recipient, sizeof(sent->recipient), "%s", letter->recipient);
	desk_append(desk, DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED, h,
		BYTES(core, signature_core(sent->envelope->signature, core)));
	Dienstweg__Item item = DIENSTWEG__ITEM__INIT;
	item.sequence = sent->sequence;
	item.attempt = 1;
	item.envelope = sent->envelope;
	item_send(desk, &item, sent->recipient);
	return sent->sequence;
}

void desk_deliver_again(struct desk *desk, uint64_t sequence)
{
	for (size_t i = 0; i < desk->letters_count; i++) {
		if (desk->letters[i].sequence != sequence)
			continue;
		Dienstweg__Item item = DIENSTWEG__ITEM__INIT;
		item.sequence = sequence;
		item.attempt = 2;
		item.envelope = desk->letters[i].envelope;
		item_send(desk, &item, desk->letters[i].recipient);
		return;
	}
	CHECK_FAIL("no such letter: %llu", (unsigned long long)sequence);
}

/* ---- outcomes ---- */

static Dienstweg__Signature *outcome_sign(struct desk *desk, const Dienstweg__Outcome *outcome)
{
	uint8_t items[1][HASH_SIZE];
	char name[64];
	Dienstweg__Signature *signature = desk_take(desk, sizeof(*signature));
	snprintf(name, sizeof(name), "%.*s", (int)outcome->recipient.len,
		(const char *)outcome->recipient.data);
	acknowledgement_digest(BYTES_STR(desk->bus), BYTES_PB(outcome->recipient),
		outcome->message_sequence, outcome->h.data,
		bytes_equal(BYTES_PB(outcome->state), BYTES_STR("accepted")),
		BYTES_PB(outcome->code), BYTES_PB(outcome->text), items[0]);
	dienstweg__signature__init(signature);
	CHECK_INT(signature_sign(SIGNATURE_ACK, BYTES_STR(desk->bus),
			  registry_fixture_secret(desk->fixture, name, KEY_SIGN),
			  (const uint8_t(*)[HASH_SIZE])items, 1, signature, desk->arena),
		0);
	return signature;
}

static void outcome_forge(struct desk *desk, Dienstweg__Outcome *outcome, enum desk_forgery forgery)
{
	if (forgery == DESK_UNSIGNED)
		outcome->signature = NULL;
	if (forgery == DESK_FORGED)
		outcome->signature->root.data[3] ^= 1;
	if (forgery == DESK_OTHER_STATE)
		outcome->state = pb(BYTES_STR(
			bytes_equal(BYTES_PB(outcome->state), BYTES_STR("accepted")) ? "rejected"
										     : "accepted"));
	if (forgery == DESK_OTHER_H)
		outcome->h = random_bytes(desk, HASH_SIZE);
}

uint64_t desk_outcome(struct desk *desk, const struct desk_message *message, const char *recipient,
	const char *state, enum desk_forgery forgery)
{
	Dienstweg__Item item = DIENSTWEG__ITEM__INIT;
	Dienstweg__Outcome outcome = DIENSTWEG__OUTCOME__INIT;
	Dienstweg__Header *header;
	const char *field;
	char sender[64];
	CHECK_INT(envelope_header_parse(desk->arena, message->header, &header, &field), 0);
	snprintf(sender, sizeof(sender), "%.*s", (int)header->sender.len,
		(const char *)header->sender.data);
	outcome.message_sequence = message->sequence;
	outcome.h = pb(BYTES(message->h, HASH_SIZE));
	outcome.recipient = pb(BYTES_STR(recipient));
	outcome.state = pb(BYTES_STR(state));
	if (strcmp(state, "rejected") == 0) {
		outcome.code = pb(BYTES_STR("not-responsible"));
		outcome.text = pb(BYTES_STR("another town"));
	}
	outcome.case_id = pb(BYTES(message->case_id, 16));
	outcome.message_id = pb(BYTES(message->message_id, 16));
	if (strcmp(state, "accepted") == 0 || strcmp(state, "rejected") == 0)
		outcome.signature = outcome_sign(desk, &outcome);
	outcome_forge(desk, &outcome, forgery);
	item.sequence = desk->size;
	item.outcome = &outcome;
	desk_grow(desk, 1);
	item_send(desk, &item, sender);
	return item.sequence;
}
