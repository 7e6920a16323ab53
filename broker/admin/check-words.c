/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A green tick invites people to read more into a proof than it holds. So the text has two halves, what is
 * proven and what is not, and everything that rests on the broker's word alone stands in the second.
 */
#include "broker/admin/check-words.h"

#include <inttypes.h>
#include <stdio.h>

#include "broker/admin/entry-json.h"
#include "broker/admin/out.h"
#include "broker/audit/entry.h"
#include "broker/audit/words.h"
#include "proto/base/text.h"
#include "proto/identity/uuid.h"

enum { WORDS_MAX = 4096 };
static const uint64_t MS_PER_S = 1000;

/* ---- the entry ---- */

static const char *what_of(uint8_t kind)
{
	switch (kind) {
	case DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED:
		return "a message was accepted by the broker, to be delivered";
	case DIENSTWEG__ENTRY_KIND__ENTRY_REFUSED:
		return "a message was refused by the broker";
	case DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED:
		return "a recipient's acknowledgements reached the broker";
	case DIENSTWEG__ENTRY_KIND__ENTRY_ATTEMPTS_FAILED:
		return "deliveries failed";
	case DIENSTWEG__ENTRY_KIND__ENTRY_EXPIRED:
		return "messages expired before they were taken";
	case DIENSTWEG__ENTRY_KIND__ENTRY_DEAD:
		return "messages that could not be delivered were put among the dead letters";
	case DIENSTWEG__ENTRY_KIND__ENTRY_RETRIED:
		return "an operator had dead letters delivered again";
	case DIENSTWEG__ENTRY_KIND__ENTRY_DISCARDED:
		return "an operator discarded dead letters";
	case DIENSTWEG__ENTRY_KIND__ENTRY_HELD:
		return "an operator held messages or a queue";
	case DIENSTWEG__ENTRY_KIND__ENTRY_RELEASED:
		return "an operator released messages or a queue";
	case DIENSTWEG__ENTRY_KIND__ENTRY_CANCELLED:
		return "a sender cancelled messages";
	case DIENSTWEG__ENTRY_KIND__ENTRY_OVERDUE:
		return "nobody replied to messages in time";
	case DIENSTWEG__ENTRY_KIND__ENTRY_DUE_SOON:
		return "nobody had replied to messages, and the time for it was nearly over";
	case DIENSTWEG__ENTRY_KIND__ENTRY_REGISTRY:
		return "a registry came into force";
	case DIENSTWEG__ENTRY_KIND__ENTRY_WITNESSED:
		return "witnesses had cosigned the log up to an earlier entry";
	case DIENSTWEG__ENTRY_KIND__ENTRY_ERASED:
		return "records were erased";
	case DIENSTWEG__ENTRY_KIND__ENTRY_CONTINUES:
		return "the log went on under a new origin, after it had lost entries";
	default:
		return "the broker recorded an event of its own";
	}
}

/* What the digest of an original names; NULL: the entry has none. */
static const char *digest_of(uint8_t kind)
{
	switch (kind) {
	case DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED:
	case DIENSTWEG__ENTRY_KIND__ENTRY_REFUSED:
		return "message h";
	case DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED:
	case DIENSTWEG__ENTRY_KIND__ENTRY_CANCELLED:
		return "batch digest";
	case DIENSTWEG__ENTRY_KIND__ENTRY_REGISTRY:
		return "registry";
	default:
		return NULL;
	}
}

static void line(const char *label, const char *text)
{
	printf("  %-13s %s\n", label, text);
}

static void hex_line(const char *label, struct bytes bytes)
{
	char hex[OUT_TEXT_MAX];
	if (bytes.len >= OUT_TEXT_MAX / 2)
		bytes.len = OUT_TEXT_MAX / 2 - 1;
	text_hex(bytes, hex);
	line(label, hex);
}

static void print_header(const Dienstweg__Header *header)
{
	char id[UUID_TEXT_SIZE], sender[OUT_TEXT_MAX], recipient[OUT_TEXT_MAX],
		service[OUT_TEXT_MAX];
	bool region = header->recipient.len == 0;
	uuid_format(header->message_id.data, id);
	printf("  %-13s %s, %s, from %s to %s%s\n", "your bytes", id,
		out_name(BYTES_PB(header->service), service),
		out_name(BYTES_PB(header->sender), sender), region ? "region " : "",
		out_name(region ? BYTES_PB(header->region) : BYTES_PB(header->recipient), recipient));
}

static void print_batch(const Dienstweg__AckBatch *batch)
{
	char name[OUT_TEXT_MAX], code[OUT_TEXT_MAX];
	printf("  %-13s %zu acknowledgements of %s\n", "your bytes", batch->n_acks,
		out_name(BYTES_PB(batch->recipient), name));
	for (size_t i = 0; i < batch->n_acks; i++) {
		const Dienstweg__Ack *ack = batch->acks[i];
		printf("  %-13s message %" PRIu64 " %s%s\n", "", ack->sequence,
			ack->accepted ? "accepted" : "rejected: ",
			ack->accepted ? "" : out_name(BYTES_PB(ack->code), code));
	}
}

static void print_cancel(const Dienstweg__CancelBatch *batch)
{
	char name[OUT_TEXT_MAX], id[UUID_TEXT_SIZE] = "?";
	printf("  %-13s %zu cancellations of %s\n", "your bytes", batch->n_items,
		out_name(BYTES_PB(batch->sender), name));
	for (size_t i = 0; i < batch->n_items; i++) {
		const Dienstweg__CancelItem *item = batch->items[i];
		if (item->message_id.len == UUID_SIZE)
			uuid_format(item->message_id.data, id);
		printf("  %-13s message %s, for %s\n", "", id,
			item->recipient.len ? out_name(BYTES_PB(item->recipient), name) : "all");
	}
}

static void print_decision(const struct audit_checked *checked)
{
	char text[WORDS_MAX];
	struct words words;
	words_init(&words, text, sizeof(text));
	words_decision(&words, checked->disclosed.kind, checked->decision);
	line("decision", text);
}

static void print_signed(const struct audit_checked *checked)
{
	char text[OUT_TEXT_MAX];
	if (checked->signed_by_party) {
		snprintf(text, sizeof(text),
			"by %s, with a key that counted in registry version %" PRIu64,
			checked->header ? "its sender" : "the recipient",
			checked->disclosed.registry_version);
		line("signed", text);
		return;
	}
	if (checked->disclosed.kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED)
		hex_line("signed by key", BYTES(checked->disclosed.rest.data, KEY_ID_SIZE));
}

/* ---- witnesses ---- */

static void print_final(const struct audit_trust *trust, const struct cosignatures *witnessed)
{
	const struct policy *policy = &trust->policy;
	char text[OUT_TEXT_MAX], time[OUT_TEXT_MAX];
	if (policy->witness_quorum == 0)
		return;
	snprintf(text, sizeof(text),
		"%s: %zu of %zu witnesses have cosigned the checkpoint, %zu are wanted",
		witnessed->quorum ? "yes" : "NO", witnessed->count, policy->witnesses_count,
		policy->witness_quorum);
	line("final", text);
	if (!witnessed->quorum)
		return;
	snprintf(text, sizeof(text), "not later than %s, by the word of the witnesses",
		out_time(witnessed->seen_s * MS_PER_S, time));
	line("recorded", text);
}

static void print_not_final(const struct audit_trust *trust, const struct cosignatures *witnessed)
{
	if (trust->policy.witness_quorum == 0)
		printf("  That it is final. The policy names no witnesses: an operator who holds "
		       "the "
		       "log's key could\n  show somebody else another history.\n");
	else if (!witnessed->quorum)
		printf("  That it is final. Without the witnesses, an operator who holds the log's "
		       "key "
		       "could show\n  somebody else another history. Ask for the proof again once "
		       "they "
		       "have cosigned.\n");
}

static void print_after(const struct audit_checked *checked)
{
	char text[OUT_TEXT_MAX], time[OUT_TEXT_MAX];
	if (checked->after == UINT64_MAX)
		return;
	snprintf(text, sizeof(text),
		"not earlier than %s, when witnesses had signed what entry %" PRIu64 " notes",
		out_time(checked->after_s * MS_PER_S, time), checked->after);
	line("and", text);
}

/* ---- a proof ---- */

/* What more has to be given, so that the signature of sender or recipient can be judged. */
static void print_who_signed(
	const struct audit_trust *trust, const struct audit_checked *checked, uint8_t kind)
{
	uint64_t version = checked->disclosed.registry_version;
	bool bytes = checked->header || checked->batch || checked->cancel;
	bool registry = trust->chain.current && registry_version(trust->chain.current) == version;
	char wanted[64] = "";
	if (!registry)
		snprintf(wanted, sizeof(wanted), "the registry of version %" PRIu64, version);
	printf("  Who signed: give %s%s%s.\n",
		bytes                                            ? ""
		: kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED  ? "the message's header"
		: kind == DIENSTWEG__ENTRY_KIND__ENTRY_CANCELLED ? "the batch of cancellations"
								 : "the batch of acknowledgements",
		!bytes && !registry ? ", and " : "", wanted);
}

static void print_unproven(const struct audit_trust *trust, const struct audit_checked *checked)
{
	uint8_t kind = checked->file.entry.stub[1];
	char time[OUT_TEXT_MAX];
	printf("It does not prove\n");
	if (!checked->file.entry.whole)
		printf("  What the entry was about: this proof holds its stub alone. The receipt "
		       "of the "
		       "time shows it.\n");
	if (kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED)
		printf("  That the message was delivered: for that there is its recipient's "
		       "acknowledgement, an entry\n  of its own.\n");
	if ((kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED ||
		    kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED ||
		    kind == DIENSTWEG__ENTRY_KIND__ENTRY_CANCELLED) &&
		checked->file.entry.whole && !checked->signed_by_party)
		print_who_signed(trust, checked, kind);
	if (checked->file.entry.whole)
		printf("  When it was recorded. %s is the broker's word alone%s.\n",
			out_time(checked->disclosed.batch_ms, time),
			checked->witnessed.quorum || checked->after != UINT64_MAX
				? ", but for the bounds above"
				: "");
	print_not_final(trust, &checked->witnessed);
}

void check_words_proof(const struct audit_trust *trust, const struct audit_checked *checked)
{
	uint8_t kind = checked->file.entry.stub[1];
	const char *digest = digest_of(kind);
	char text[OUT_TEXT_MAX];
	printf("The proof holds. It proves\n");
	snprintf(text, sizeof(text), "%" PRIu64 ", of kind %s: %s", checked->file.index,
		audit_kind_name(kind), what_of(kind));
	line("entry", text);
	printf("  %-13s %s, among its first %" PRIu64 " entries\n", "in the log",
		checked->checkpoint.origin, checked->checkpoint.size);
	if (checked->file.entry.whole) {
		if (digest)
			hex_line(digest, BYTES(checked->disclosed.digest, HASH_SIZE));
		snprintf(text, sizeof(text), "version %" PRIu64 " was in force",
			checked->disclosed.registry_version);
		line("registry", text);
	}
	if (checked->header)
		print_header(checked->header);
	if (checked->batch)
		print_batch(checked->batch);
	if (checked->cancel)
		print_cancel(checked->cancel);
	if (checked->decision)
		print_decision(checked);
	if (checked->file.entry.whole)
		print_signed(checked);
	if (checked->grown)
		printf("  %-13s a tree of %" PRIu64 " entries, which the log signed\n",
			"grown into", checked->grown);
	print_final(trust, &checked->witnessed);
	print_after(checked);
	print_unproven(trust, checked);
}

/* ---- as JSON ---- */

static void put_witnessed(
	const struct audit_trust *trust, const struct cosignatures *witnessed, json_t *object)
{
	out_put(object, "witnesses", trust->policy.witnesses_count);
	out_put(object, "witnesses_wanted", trust->policy.witness_quorum);
	out_put(object, "cosigned", witnessed->count);
	json_object_set_new(object, "final", json_boolean(witnessed->quorum));
	if (witnessed->quorum)
		out_put_time(object, "not_later_than", witnessed->seen_s * MS_PER_S);
}

static json_t *batch_json(const Dienstweg__AckBatch *batch)
{
	json_t *array = json_array();
	for (size_t i = 0; i < batch->n_acks; i++) {
		const Dienstweg__Ack *ack = batch->acks[i];
		json_t *item = json_object();
		out_put(item, "sequence", ack->sequence);
		out_put_hex(item, "h", BYTES_PB(ack->h));
		json_object_set_new(item, "accepted", json_boolean(ack->accepted));
		if (ack->code.len > 0)
			out_put_name(item, "code", BYTES_PB(ack->code));
		json_array_append_new(array, item);
	}
	return array;
}

void check_json_proof(
	const struct audit_trust *trust, const struct audit_checked *checked, json_t *object)
{
	char root[TEXT_BASE64_SIZE(HASH_SIZE)];
	text_base64(BYTES(checked->checkpoint.root.bytes, HASH_SIZE), root);
	out_put_text(object, "proves", "entry");
	out_put_text(object, "origin", checked->checkpoint.origin);
	out_put(object, "sequence", checked->file.index);
	out_put_text(object, "kind", audit_kind_name(checked->file.entry.stub[1]));
	out_put(object, "class", checked->file.entry.stub[2]);
	out_put(object, "tree_size", checked->checkpoint.size);
	out_put_text(object, "root", root);
	if (checked->grown)
		out_put(object, "grown_size", checked->grown);
	json_object_set_new(object, "whole", json_boolean(checked->file.entry.whole));
	if (checked->file.entry.whole) {
		out_put_hex(object, "digest", BYTES(checked->disclosed.digest, HASH_SIZE));
		out_put(object, "registry_version", checked->disclosed.registry_version);
		out_put_time(object, "claimed_time", checked->disclosed.batch_ms);
	}
	if (checked->disclosed.kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED)
		out_put_hex(object, "key", BYTES(checked->disclosed.rest.data, KEY_ID_SIZE));
	json_object_set_new(object, "signature_judged", json_boolean(checked->signed_by_party));
	if (checked->header)
		json_object_set_new(object, "header", header_json(checked->header));
	if (checked->decision) {
		char text[WORDS_MAX];
		struct words words;
		words_init(&words, text, sizeof(text));
		words_decision(&words, checked->disclosed.kind, checked->decision);
		out_put_text(object, "decision", text);
	}
	if (checked->batch) {
		out_put_name(object, "recipient", BYTES_PB(checked->batch->recipient));
		json_object_set_new(object, "acknowledgements", batch_json(checked->batch));
	}
	if (checked->cancel)
		cancel_json_put(object, checked->cancel);
	put_witnessed(trust, &checked->witnessed, object);
	if (checked->after == UINT64_MAX)
		return;
	out_put(object, "witnessed_before", checked->after);
	out_put_time(object, "not_earlier_than", checked->after_s * MS_PER_S);
}

/* ---- two trees ---- */

static void print_tree(const char *label, const struct proof_tree *tree, const char *who)
{
	char root[TEXT_BASE64_SIZE(HASH_SIZE)];
	text_base64(BYTES(tree->root.bytes, HASH_SIZE), root);
	printf("  %-13s %" PRIu64 " entries, root %s\n  %-13s %s\n", label, tree->size, root, "",
		who);
}

void check_words_trees(const struct audit_trust *trust, const struct audit_checked_trees *trees)
{
	printf("The proof holds. It proves that the log %s only grew between\n", trees->origin);
	print_tree("earlier tree", &trees->proof.old,
		trees->old_signed ? "signed by the log"
				  : "nobody signed it here: compare size and root with the "
				    "checkpoint that you hold");
	print_tree("later tree", &trees->proof.new, "signed by the log");
	print_final(trust, &trees->new_witnessed);
	printf("It does not prove\n  What stands in the log. %s\n",
		trees->old_signed ? ""
				  : "Nor that the log ever showed the earlier tree to anybody.");
	print_not_final(trust, &trees->new_witnessed);
}

static void put_tree(json_t *object, const char *name, const struct proof_tree *tree,
	bool is_signed, const struct audit_trust *trust, const struct cosignatures *witnessed)
{
	char root[TEXT_BASE64_SIZE(HASH_SIZE)];
	json_t *item = json_object();
	text_base64(BYTES(tree->root.bytes, HASH_SIZE), root);
	out_put(item, "size", tree->size);
	out_put_text(item, "root", root);
	json_object_set_new(item, "signed", json_boolean(is_signed));
	put_witnessed(trust, witnessed, item);
	json_object_set_new(object, name, item);
}

void check_json_trees(
	const struct audit_trust *trust, const struct audit_checked_trees *trees, json_t *object)
{
	out_put_text(object, "proves", "consistency");
	out_put_text(object, "origin", trees->origin);
	put_tree(object, "old", &trees->proof.old, trees->old_signed, trust, &trees->old_witnessed);
	put_tree(object, "new", &trees->proof.new, trees->new_signed, trust, &trees->new_witnessed);
}

/* ---- an export ---- */

void check_words_export(
	const struct audit_trust *trust, const struct export_checked *checked, uint64_t findings)
{
	char root[TEXT_BASE64_SIZE(HASH_SIZE)];
	text_base64(BYTES(checked->checkpoint.root.bytes, HASH_SIZE), root);
	printf("%sExport of the log %s\n", findings ? "\n" : "",
		checked->checkpoint.origin[0] ? checked->checkpoint.origin : "(unknown)");
	printf("  %-13s %" PRIu64 " looked at, in %" PRIu64 " files\n", "entries", checked->entries,
		checked->files);
	for (unsigned int kind = 0; kind <= UINT8_MAX; kind++)
		if (checked->kinds[kind])
			printf("  %-13s %" PRIu64 " %s\n", "", checked->kinds[kind],
				audit_kind_name((uint8_t)kind));
	printf("  %-13s of %" PRIu64 " entries, root %s\n", "checkpoint", checked->checkpoint.size,
		root);
	print_final(trust, &checked->witnessed);
	if (checked->held)
		printf("  %-13s %zu given checkpoints lie on the way to it\n", "extends",
			checked->held);
	if (findings) {
		printf("FINDINGS: %" PRIu64 ". This export is not what was signed.\n", findings);
		return;
	}
	printf("No findings: these are the entries that the log signed, none more and none less.\n"
	       "It does not prove\n  What the entries were about: they are commitments. A proof or "
	       "a disclosed record shows it.\n");
	print_not_final(trust, &checked->witnessed);
}

void check_json_export(
	const struct audit_trust *trust, const struct export_checked *checked, json_t *object)
{
	char root[TEXT_BASE64_SIZE(HASH_SIZE)];
	json_t *kinds = json_object();
	text_base64(BYTES(checked->checkpoint.root.bytes, HASH_SIZE), root);
	out_put_text(object, "origin", checked->checkpoint.origin);
	out_put(object, "tree_size", checked->checkpoint.size);
	out_put_text(object, "root", root);
	json_object_set_new(object, "signed", json_boolean(checked->counts));
	out_put(object, "entries", checked->entries);
	out_put(object, "files", checked->files);
	for (unsigned int kind = 0; kind <= UINT8_MAX; kind++)
		if (checked->kinds[kind])
			out_put(kinds, audit_kind_name((uint8_t)kind), checked->kinds[kind]);
	json_object_set_new(object, "kinds", kinds);
	out_put(object, "extends", checked->held);
	put_witnessed(trust, &checked->witnessed, object);
}
