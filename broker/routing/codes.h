/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "proto/base/arena.h"
#include "proto/base/bytes.h"

/*
 * Every answer "never" or "not now" that the rules give, besides those of registry_resolve():
 *   X(name, code, field, sentence, meaning)
 * `code` and `field` are what the wire carries; an empty field is filled in with the one at fault.
 * `sentence` is the detail: what is wrong and the remedy, in plain words; "{}" stands for one name out of
 * the registry, one field's name or what a schema demands, never for anything a sender wrote. `meaning` is for docs/protocol.md.
 */
#define ROUTING_REFUSALS(X)                                                                        \
	X(CODE_MALFORMED, "malformed", "",                                                         \
		"{} does not have the form that the protocol asks for: mend it and send "          \
		"it under a new message id",                                                       \
		"not protobuf, or a field twice, unknown, or of wrong length or form")             \
	X(CODE_TOO_LARGE, "too-large", "",                                                         \
		"{} is larger than the limit in Welcome: send less, or send it as an attachment",  \
		"a field or the whole is over its limit")                                          \
	X(CODE_MISSING, "missing-field", "",                                                       \
		"{} is missing: fill it in and send it under a new message id",                    \
		"a required field is not there")                                                   \
	X(CODE_CONTENT, "content-mismatch", "",                                                    \
		"the content is not what {} in the header says: compute length, hash and "         \
		"key ids over the content that is sent",                                           \
		"length, hash or wraps of the content differ from the header")                     \
	X(CODE_SIGNATURE_FORM, "signature-form", "",                                               \
		"{} of the signature is impossible: a batch has 1 to 32 leaves and a "             \
		"path of the length that RFC 6962 gives",                                          \
		"size, index, path or root of the signature cannot be")                            \
	X(CODE_WRONG_BUS, "wrong-bus", "bus",                                                      \
		"this broker serves bus {}: send to the broker of the bus that the header names",  \
		"the header names another bus")                                                    \
	X(CODE_UNKNOWN_SENDER, "unknown-party", "sender",                                          \
		"the sender is no party of this bus: check the name, or have the "                 \
		"registrar enter it",                                                              \
		"the sender is not in the registry")                                               \
	X(CODE_NOT_OPERATED, "not-operated", "sender",                                             \
		"the transport key of {} may not speak for this sender: connect with the "         \
		"sender's own key, or have the registrar enter who operates it",                   \
		"the session's party neither is nor operates the sender")                          \
	X(CODE_UNKNOWN_KEY, "unknown-key", "key_id",                                               \
		"the registry has no such key: sign with a registered key, or have the "           \
		"registrar add this one",                                                          \
		"the signing key is not in the registry")                                          \
	X(CODE_FOREIGN_KEY, "foreign-key", "key_id",                                               \
		"the signing key belongs to somebody else: sign with a key of the sender",         \
		"the signing key is not the sender's")                                             \
	X(CODE_KEY_USE, "wrong-key-use", "key_id",                                                 \
		"this key is not for signing: sign with the sender's key of use sign",             \
		"the key has another use")                                                         \
	X(CODE_KEY_STATE, "key-not-active", "key_id",                                              \
		"this key does not sign any more: sign with an active key",                        \
		"the signing key no longer signs")                                                 \
	X(CODE_KEY_SUSPECT, "key-suspect", "key_id",                                               \
		"this key is under suspicion: sign with another key and have the "                 \
		"registrar revoke this one",                                                       \
		"signatures of this key are disputed from here on")                                \
	X(CODE_BAD_SIGNATURE, "bad-signature", "signature",                                        \
		"the signature does not hold for these header bytes: sign the bytes that "         \
		"are sent, in the message domain of this bus",                                     \
		"the signature does not verify")                                                   \
	X(CODE_ID_REUSED, "id-reused", "message_id",                                               \
		"this message id was used for another header: send unchanged what was "            \
		"sent before, or take a new id",                                                   \
		"same sender and id, other header bytes")                                          \
	X(CODE_EXPIRED, "expired", "expires_ms",                                                   \
		"the time until which the message was wanted is over: send it under a "            \
		"new message id with a later one",                                                 \
		"the message had expired when it arrived")                                         \
	X(CODE_UNKNOWN_CLASS, "unknown-class", "retention",                                        \
		"the registry has no such retention class: name one it has, or 0 for the "         \
		"service's",                                                                       \
		"the retention class does not exist")                                              \
	X(CODE_PLAINTEXT, "plaintext", "sealed_recipients",                                        \
		"service {} is end-to-end: seal the content for the recipient",                    \
		"unsealed content on an end-to-end service")                                       \
	X(CODE_SCHEMA, "schema", "",                                                               \
		"the content does not follow the schema of its service: it {}; mend it and send "  \
		"it under a new message id",                                                       \
		"the content that the broker may read breaks the schema that the registry pins; "  \
		"the field is the place in the document")                                          \
	X(CODE_KIND, "wrong-kind", "kind",                                                         \
		"this kind of message is not sent under {}: an enquiry's service takes enquiries " \
		"and answers, every other one the other kinds",                                    \
		"the service's pattern does not have this kind of message")                        \
	X(CODE_PENDING, "too-many-pending", "service",                                             \
		"as many enquiries of {} as the registry allows wait for their answers: wait for " \
		"one of these, then ask again under a new message id",                             \
		"the sender has as many unanswered enquiries as the service allows")               \
	X(CODE_NO_ENQUIRY, "no-enquiry", "in_reply_to",                                            \
		"no enquiry of {} waits for this answer: name the h of one that this recipient "   \
		"asked, under its service and case; each is answered once",                        \
		"the answer names no enquiry that its recipient asked its sender, or one that "    \
		"was "                                                                             \
		"answered before")                                                                 \
	X(CODE_ANSWER_LATE, "answer-late", "in_reply_to",                                          \
		"the time for answers to this enquiry of {} is over: the asker was told so, "      \
		"and asks again when it still wants to know",                                      \
		"the answer came after the enquiry's time")                                        \
	X(CODE_QUOTA, "quota-exhausted", "agreement",                                              \
		"the quota of agreement {} is used up for this month: send again next "            \
		"month, or have the parties raise it",                                             \
		"the agreement's messages of this calendar month (UTC) are used up")               \
	X(CODE_TOO_MANY, "too-many-recipients", "service",                                         \
		"more parties subscribe to {} than one entry can name: the registrar "             \
		"must split it by region",                                                         \
		"header and recipients do not fit one journal entry")

#define ROUTING_DEFERRALS(X)                                                                       \
	X(CODE_CLOCK, "clock", "message_id",                                                       \
		"the message id lies more than ten minutes ahead of the broker's clock: "          \
		"set the clock right and try again",                                               \
		"the sender's clock is ahead")                                                     \
	X(CODE_REGISTRY_OUTDATED, "registry-outdated", "sealed_recipients",                        \
		"the content is not sealed for {}: fetch the registry, seal it again and send it", \
		"no wrap for a recipient that the registry in force gives")                        \
	X(CODE_KEY_RETIRED, "registry-outdated", "key_id",                                         \
		"the key that signed this has been retired: fetch the registry, sign the same "    \
		"header with your active key and send it again",                                   \
		"signed with a key of the sender that has been retired since")                     \
	X(CODE_SCHEMA_UNKNOWN, "registry-outdated", "service",                                     \
		"the schema of {} is not ready at the broker: try again",                          \
		"the broker has not read the schema of this service yet")                          \
	X(CODE_ATTACHMENTS, "attachments", "attachments",                                          \
		"not all attachments are here: upload them, then send it again",                   \
		"an attachment that the header names has not been uploaded, or is not whole")      \
	X(CODE_FULL, "full", "recipient", "the queue of {} is full: try again later",              \
		"a recipient's queue has no room")

/* Of a whole batch of acknowledgements; summed up, never an entry each. */
#define ROUTING_ACK_REFUSALS(X)                                                                    \
	X(CODE_ACK_MALFORMED, "malformed", "acks",                                                 \
		"the batch does not have the form that the protocol asks for: mend it "            \
		"and send it again",                                                               \
		"no batch of 1 to 32 well-formed acknowledgements within 3,000 bytes")             \
	X(CODE_ACK_UNKNOWN, "unknown-party", "recipient",                                          \
		"the recipient is no party of this bus: check the name",                           \
		"the recipient is not in the registry")                                            \
	X(CODE_ACK_NOT_OPERATED, "not-operated", "recipient",                                      \
		"the transport key of {} may not speak for this recipient: connect with "          \
		"the recipient's own key, or have the registrar enter who operates it",            \
		"the session's party neither is nor operates the recipient")                       \
	X(CODE_ACK_FOREIGN_KEY, "foreign-key", "key_id",                                           \
		"the signing key belongs to somebody else: sign with a key of the recipient",      \
		"the signing key is not the recipient's")                                          \
	X(CODE_ACK_BAD_SIGNATURE, "bad-signature", "root",                                         \
		"the signature does not hold for this batch: sign the tree of all its "            \
		"acknowledgements in order, in the acknowledgement domain of this bus",            \
		"the signature does not verify")

/* Of a whole batch of cancellations, besides those about its sender and key above; summed up, never an entry each. */
#define ROUTING_CANCEL_REFUSALS(X)                                                                 \
	X(CODE_CANCEL_MALFORMED, "malformed", "items",                                             \
		"the batch does not have the form that the protocol asks for: mend it "            \
		"and send it again",                                                               \
		"no batch of 1 to 32 well-formed items within 3,000 bytes")                        \
	X(CODE_CANCEL_BAD_SIGNATURE, "bad-signature", "root",                                      \
		"the signature does not hold for this batch: sign the tree of all its "            \
		"items in order, in the cancellation domain of this bus",                          \
		"the signature does not verify")

enum routing_code {
#define ROUTING_CODE_NAME(name, code, field, sentence, meaning) name,
	ROUTING_REFUSALS(ROUTING_CODE_NAME) ROUTING_DEFERRALS(ROUTING_CODE_NAME)
		ROUTING_ACK_REFUSALS(ROUTING_CODE_NAME) ROUTING_CANCEL_REFUSALS(ROUTING_CODE_NAME)
#undef ROUTING_CODE_NAME
			ROUTING_CODES
};

struct routing_text {
	const char *code;
	const char *field;
	const char *sentence;
	const char *meaning;
};

/**
 * routing_text() - the texts of a code
 * @code: which
 * Return: a constant.
 */
const struct routing_text *routing_text(enum routing_code code);

/**
 * routing_detail() - the sentence with its name filled in
 * @arena: owns the result
 * @code:  which
 * @name:  for "{}"; ignored where the sentence has none
 * @ret:   NUL-terminated
 * Return: 0 or -ENOMEM.
 */
int routing_detail(struct arena *arena, enum routing_code code, struct bytes name, const char **ret);
