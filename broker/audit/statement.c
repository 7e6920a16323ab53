/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The proofs beside a report show that its entries are in the log; that there are no others of this party, and
 * what is said in words, somebody has to answer for. That is the keeper of the log, with the keys that everybody
 * knows him by already.
 */
#include "broker/audit/statement.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char first_words[] = "dienstweg/v1/report ";

static int signer_name(const char *origin, struct bytes *ret, char buf[NOTE_NAME_SIZE])
{
	int n = snprintf(buf, NOTE_NAME_SIZE, "%s/report", origin);
	*ret = BYTES((const uint8_t *)buf, (size_t)n);
	return n > 0 && n < NOTE_NAME_SIZE ? 0 : NOTE_MALFORMED;
}

int statement_sign(struct bytes text, const char *origin, const struct keyring_secret *keys,
	struct arena *arena, struct bytes *ret)
{
	char buf[NOTE_NAME_SIZE];
	struct bytes name, note;
	size_t head = strlen(first_words) + strlen(origin) + 1, signatures = 0;
	int r = signer_name(origin, &name, buf);
	if (r)
		return r;
	if (text.len > STATEMENT_BYTES_MAX)
		return -EMSGSIZE;
	char *whole = arena_alloc(arena, head + text.len + 1);
	if (!whole)
		return -ENOMEM;
	snprintf(whole, head + 1, "%s%s\n", first_words, origin);
	memcpy(whole + head, text.data, text.len);
	note = BYTES((const uint8_t *)whole, head + text.len);
	for (size_t i = 0; i < keys->count && r == 0; i++) {
		const struct key_secret *key = keys->keys[i];
		struct note_key signer;
		if (key->pub.use != KEY_LOG)
			continue;
		r = note_key_init(&signer, name, key->pub.public);
		if (r == 0)
			r = note_sign(note, &signer, key->ed25519, arena, &note);
		signatures++;
	}
	if (r == 0 && signatures == 0)
		r = NOTE_MALFORMED;
	*ret = note;
	return r > 0 ? NOTE_MALFORMED : r;
}

bool statement_is(struct bytes file)
{
	size_t len = strlen(first_words);
	return file.len > len && memcmp(file.data, first_words, len) == 0;
}

/* Keys of a registry are those of its own bus's logs, in whatever epoch. */
static bool is_of_bus(const struct audit_trust *trust, const char *origin)
{
	if (!trust->chain.current)
		return true;
	struct bytes bus = registry_bus(trust->chain.current);
	return strncmp(origin, (const char *)bus.data, bus.len) == 0 && origin[bus.len] == '/';
}

/* The log's keys under the name that they sign reports with. */
static size_t keys_of(
	const struct audit_trust *trust, const char *origin, struct note_key keys[NOTE_KEYS_MAX])
{
	char buf[NOTE_NAME_SIZE];
	struct bytes name;
	struct note_key logs[NOTE_KEYS_MAX];
	size_t count = 0, known = chain_log_keys(&trust->chain, origin, logs);
	if (signer_name(origin, &name, buf) || !is_of_bus(trust, origin))
		return 0;
	for (size_t i = 0; i < known; i++)
		count += strcmp(logs[i].name, origin) == 0 &&
			 note_key_init(&keys[count], name, logs[i].public) == 0;
	return count;
}

static int origin_of(struct bytes note, char ret[CHECKPOINT_ORIGIN_MAX + 1])
{
	size_t at = strlen(first_words);
	const uint8_t *end = memchr(note.data + at, '\n', note.len - at);
	size_t len = end ? (size_t)(end - note.data) - at : 0;
	if (len == 0 || len > CHECKPOINT_ORIGIN_MAX || memchr(note.data + at, 0, len))
		return PROOF_MALFORMED;
	memcpy(ret, note.data + at, len);
	ret[len] = '\0';
	return 0;
}

int statement_check(const struct audit_trust *trust, struct bytes note, struct statement *ret,
	struct proof_fault *fault)
{
	struct note_key keys[NOTE_KEYS_MAX];
	bool signers[NOTE_KEYS_MAX] = {false};
	struct bytes text;
	*ret = (struct statement){};
	if (!statement_is(note) || origin_of(note, ret->origin))
		return proof_fault(fault, PROOF_MALFORMED, "first line", "names no log");
	size_t count = keys_of(trust, ret->origin, keys);
	if (count == 0)
		return proof_fault(fault, PROOF_CHECKPOINT, "signature",
			"no key of the log %s is pinned: give --registry", ret->origin);
	int r = note_open(note, keys, count, 1, &text, signers);
	if (r)
		return proof_fault(fault, PROOF_CHECKPOINT, "signature",
			r == NOTE_MALFORMED ? "it is no signed note"
					    : "it is not signed by the log, or was changed since");
	size_t head = strlen(first_words) + strlen(ret->origin) + 1;
	ret->text = BYTES(text.data + head, text.len - head);
	for (size_t i = 0; i < count && !*ret->signer; i++)
		if (signers[i])
			memcpy(ret->signer, keys[i].name, sizeof(ret->signer));
	return 0;
}
