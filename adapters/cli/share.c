/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What the operator of the bus says about a case is worth his signature; what the proofs say is worth more. An entry
 * in the report has to be the entry that its proof is about: number, kind, time, and for a message its identity.
 */
#include "adapters/cli/share.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/journal.pb-c.h"
#include "proto/note/statement.h"
#include "proto/receipt/proof-check.h"

enum { REPORT_ENTRIES_MAX = 4096 };

struct checking {
	const struct registry *registry;
	const struct visit_question *question;
	struct note_key logs[NOTE_KEYS_MAX];
	size_t logs_count;
	struct statement statement;
	char *reterr;
	size_t size;
};

static int wrong(struct checking *c, const char *format, ...) _printf_(2, 3);
static int wrong(struct checking *c, const char *format, ...)
{
	va_list list;
	va_start(list, format);
	vsnprintf(c->reterr, c->size, format, list);
	va_end(list);
	return SHARE_WRONG;
}

static const char *word(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text ? text : "";
}

/* ---- the signature ---- */

static bool is_of_bus(const struct registry *registry, const char *origin)
{
	struct bytes bus = registry_bus(registry);
	return strncmp(origin, (const char *)bus.data, bus.len) == 0 && origin[bus.len] == '/';
}

static int check_signature(struct checking *c, struct bytes note)
{
	char origin[CHECKPOINT_ORIGIN_MAX + 1];
	if (statement_origin(note, origin) || !is_of_bus(c->registry, origin))
		return wrong(c, "it is no report of this bus");
	c->logs_count = registry_log_keys(c->registry, origin, c->logs, NOTE_KEYS_MAX);
	int r = statement_open(note, c->logs, c->logs_count, &c->statement);
	if (r == 0)
		return 0;
	snprintf(c->reterr, c->size,
		r == NOTE_MALFORMED || r == NOTE_BAD_SIGNATURE
			? "its signature by the log does not hold"
			: "it is signed by no log key of the registry held: let the adapter fetch "
			  "the "
			  "newest one, and ask again");
	return r == NOTE_MALFORMED || r == NOTE_BAD_SIGNATURE ? SHARE_WRONG : SHARE_UNKNOWN;
}

/* ---- both forms ---- */

static int check_subject(struct checking *c, const json_t *object)
{
	const struct visit_question *question = c->question;
	char id[2 * sizeof(question->case_id) + 1], line[512];
	text_hex(BYTES(question->case_id, sizeof(question->case_id)), id);
	int len = snprintf(line, sizeof(line), "What the bus %s holds of case %s for %.*s\n",
		c->statement.origin, id, (int)question->party.len,
		(const char *)question->party.data);
	if (c->statement.text.len < (size_t)len ||
		memcmp(c->statement.text.data, line, (size_t)len) != 0 ||
		strcmp(word(object, "case"), id) != 0 ||
		strcmp(word(object, "origin"), c->statement.origin) != 0 ||
		!bytes_equal(BYTES_STR(word(object, "party")), question->party))
		return wrong(c, "it is about another case, party or log than was asked for");
	return 0;
}

/* ---- entries ---- */

/* Kind of the entry that an event is told of; 0: a kind that this program does not know yet. */
static uint8_t kind_of(const char *event)
{
	static const struct {
		const char *event;
		uint8_t kind;
	} kinds[] = {
		{"recorded", DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED},
		{"refused", DIENSTWEG__ENTRY_KIND__ENTRY_REFUSED},
		{"accepted", DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED},
		{"rejected", DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED},
		{"late", DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED},
		{"delivery-failed", DIENSTWEG__ENTRY_KIND__ENTRY_ATTEMPTS_FAILED},
		{"expired", DIENSTWEG__ENTRY_KIND__ENTRY_EXPIRED},
		{"overdue", DIENSTWEG__ENTRY_KIND__ENTRY_OVERDUE},
		{"due-soon", DIENSTWEG__ENTRY_KIND__ENTRY_DUE_SOON},
	};
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kinds[i].event, event) == 0)
			return kinds[i].kind;
	return 0;
}

static bool says_the_same(const json_t *entry, const struct disclosed *disclosed)
{
	char time[25], hex[2 * HASH_SIZE + 1];
	const char *h = word(entry, "h");
	uint8_t kind = kind_of(word(entry, "event"));
	clock_format_utc(disclosed->batch_ms, time);
	text_hex(BYTES(disclosed->digest, HASH_SIZE), hex);
	return (kind == 0 || kind == disclosed->kind) && strcmp(word(entry, "time"), time) == 0 &&
	       (!*h || strcmp(h, hex) == 0);
}

/* Under whichever origin of the bus it was signed: a log that lost entries has more than one. */
static int check_note(const struct checking *c, const struct proof_file *file,
	struct checkpoint *ret, struct proof_fault *fault)
{
	struct note_key keys[NOTE_KEYS_MAX];
	const char *origin = is_of_bus(c->registry, file->claimed.origin) ? file->claimed.origin
									  : c->statement.origin;
	size_t count = registry_log_keys(c->registry, origin, keys, NOTE_KEYS_MAX);
	return proof_check_checkpoint(file->note, origin, keys, count, ret, fault);
}

/* Those that a quorum has not yet cosigned stand under another checkpoint than the others: there are not many. */
static bool show(
	struct share_checked *checked, const struct checkpoint *checkpoint, struct bytes note)
{
	for (size_t i = 0; i < checked->shown_count; i++) {
		const struct checkpoint *shown = &checked->shown[i].checkpoint;
		if (shown->size == checkpoint->size &&
			memcmp(&shown->root, &checkpoint->root, sizeof(shown->root)) == 0 &&
			strcmp(shown->origin, checkpoint->origin) == 0)
			return true;
	}
	if (checked->shown_count == SHARE_SHOWN_MAX)
		return false;
	checked->shown[checked->shown_count++] = (struct share_shown){*checkpoint, note};
	return true;
}

static int check_proof(
	struct checking *c, const json_t *entry, const char *text, struct share_checked *checked)
{
	long long sequence = (long long)json_integer_value(json_object_get(entry, "sequence"));
	struct proof_file file;
	struct proof_fault fault;
	struct checkpoint checkpoint;
	struct disclosed disclosed = {};
	int r = proof_file_parse(BYTES_STR(text), &file, &fault);
	if (r == 0)
		r = check_note(c, &file, &checkpoint, &fault);
	if (r == 0)
		r = proof_check_entry(&file.entry, &disclosed, &fault);
	if (r == 0)
		r = proof_check_path(&file, &checkpoint, &fault);
	if (r)
		return wrong(c, "the proof of entry %lld does not hold: %s: %s", sequence,
			fault.field, fault.why);
	if (sequence < 0 || file.index != (uint64_t)sequence || !file.entry.whole ||
		!says_the_same(entry, &disclosed))
		return wrong(c, "entry %lld says something else than its proof", sequence);
	if (!show(checked, &checkpoint, file.note))
		return wrong(
			c, "its proofs stand under more checkpoints than there is a reason for");
	return 0;
}

static int check_entries(struct checking *c, struct share_checked *ret)
{
	const json_t *entries = json_object_get(ret->object, "entries"), *entry;
	size_t i;
	if (!json_is_array(entries) || json_array_size(entries) > REPORT_ENTRIES_MAX)
		return wrong(c, "it lists no entries, or too many");
	json_array_foreach(entries, i, entry)
	{
		const char *proof = json_string_value(json_object_get(entry, "proof"));
		int r = proof ? check_proof(c, entry, proof, ret) : 0;
		if (r)
			return r;
		ret->proven += proof != NULL;
		ret->unproven += proof == NULL;
	}
	return 0;
}

int share_check(const struct registry *registry, const struct visit_question *question,
	const Dienstweg__AccessReport *report, struct share_checked *ret, char *reterr, size_t size)
{
	struct checking c = {
		.registry = registry, .question = question, .reterr = reterr, .size = size};
	struct bytes json = BYTES_PB(report->json);
	*ret = (struct share_checked){};
	int r = check_signature(&c, BYTES_PB(report->report));
	if (r)
		return r;
	if (!statement_has_json(c.statement.text, json))
		return wrong(&c, "what it says to programs is not what was signed");
	ret->text = c.statement.text;
	ret->object = json_loadb((const char *)json.data, json.len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(ret->object))
		r = wrong(&c, "what it says to programs is no object");
	if (r == 0)
		r = check_subject(&c, ret->object);
	if (r == 0)
		r = check_entries(&c, ret);
	if (r) {
		json_decref(ret->object);
		ret->object = NULL;
	}
	return r;
}
