/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Two roots signed this, and people make mistakes even in pairs: a registry that contradicts itself
 * would route personal data wrongly. So every rule is checked again wherever a registry is loaded, and
 * lists must come sorted, which makes "unique" one comparison and look-ups bisections.
 */
#include "proto/registry/content.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/base/text.h"
#include "proto/note/utf8.h"
#include "proto/registry/index.h"

struct content_shown content_show(struct bytes bytes)
{
	struct content_shown shown = {0};
	size_t len = bytes.len < sizeof(shown.text) - 1 ? bytes.len : sizeof(shown.text) - 1;
	for (size_t i = 0; i < len; i++)
		shown.text[i] = (char)(bytes.data[i] > ' ' && bytes.data[i] < 127 ? bytes.data[i]
										  : '?');
	return shown;
}
#define SHOW(field) content_show(BYTES_PB(field)).text

int content_fail(const struct content_check *check, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(check->reterr, check->size, format, args);
	va_end(args);
	return REGISTRY_INVALID;
}

/* ---- texts ---- */

/* One line: utf8_is_text() lets newlines and the controls above ASCII's through. */
bool content_text_ok(struct bytes text, size_t max)
{
	if (text.len == 0 || text.len > max || !utf8_is_text(text))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		bool c1 = i > 0 && text.data[i - 1] == 0xc2 && text.data[i] < 0xa0;
		if (text.data[i] < ' ' || text.data[i] == 0x7f || c1)
			return false;
	}
	return true;
}

bool content_code_ok(struct bytes text)
{
	if (text.len == 0 || text.len > 127)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] <= ' ' || text.data[i] >= 127)
			return false;
	return true;
}

static int check_title(const struct content_check *check, const char *what,
	ProtobufCBinaryData name, ProtobufCBinaryData title)
{
	if (title.len == 0 || content_text_ok(BYTES_PB(title), REGISTRY_TITLE_MAX))
		return 0;
	return content_fail(check,
		"%s %s: title must be text of at most %d bytes without control characters", what,
		SHOW(name), REGISTRY_TITLE_MAX);
}

/* ---- classes ---- */

static int check_class(const struct content_check *check, size_t i)
{
	const Dienstweg__RetentionClass *class = check->content->classes[i];
	if (class->number < 1 || class->number > REGISTRY_CLASSES_MAX)
		return content_fail(check, "class %u: numbers go from 1 to %d", class->number,
			REGISTRY_CLASSES_MAX);
	if (i > 0 && check->content->classes[i - 1]->number >= class->number)
		return content_fail(check, "class %u: given twice or out of order", class->number);
	if (!text_is_name(BYTES_PB(class->name)))
		return content_fail(check, "class %u: its name is not legal", class->number);
	if (class->content_days < 1 || class->record_days < class->content_days ||
		class->record_days > REGISTRY_DAYS_MAX)
		return content_fail(check,
			"class %u: days must be 1 <= content <= record <= %d, not %u and %u",
			class->number, REGISTRY_DAYS_MAX, class->content_days, class->record_days);
	return 0;
}

static bool has_class(const Dienstweg__RegistryContent *content, uint32_t number)
{
	for (size_t i = 0; i < content->n_classes; i++)
		if (content->classes[i]->number == number)
			return true;
	return false;
}

static int check_classes(const struct content_check *check)
{
	if (check->content->n_classes < 1 || check->content->n_classes > REGISTRY_CLASSES_MAX)
		return content_fail(check, "classes: there must be 1 to %d", REGISTRY_CLASSES_MAX);
	for (size_t i = 0; i < check->content->n_classes; i++) {
		int r = check_class(check, i);
		if (r)
			return r;
	}
	return 0;
}

/* ---- parties ---- */

/* Whose transport key is whose must stay a question of one look: operators are not operated. */
static int check_operator(const struct content_check *check, const Dienstweg__Party *party)
{
	if (party->operated_by.len == 0)
		return 0;
	uint32_t number = content_party_number(check->content, BYTES_PB(party->operated_by));
	if (number == INDEX_NONE)
		return content_fail(check, "party %s: operated-by names %s, which is no party",
			SHOW(party->name), SHOW(party->operated_by));
	const Dienstweg__Party *operator= check->content->parties[number];
	if (operator== party || operator->operated_by.len)
		return content_fail(check,
			"party %s: operated-by must name a party that runs on its own, not %s",
			SHOW(party->name), SHOW(party->operated_by));
	return 0;
}

static int check_party(const struct content_check *check, size_t i)
{
	const Dienstweg__Party *party = check->content->parties[i];
	if (!text_is_name(BYTES_PB(party->name)))
		return content_fail(check, "party %s: the name must be 1 to 63 of a-z 0-9 . -",
			SHOW(party->name));
	if (i > 0 && bytes_compare(BYTES_PB(check->content->parties[i - 1]->name),
			     BYTES_PB(party->name)) >= 0)
		return content_fail(
			check, "party %s: given twice or out of order", SHOW(party->name));
	for (size_t k = 0; k < party->n_identifiers; k++) {
		const Dienstweg__Identifier *identifier = party->identifiers[k];
		if (!text_is_name(BYTES_PB(identifier->scheme)) ||
			!content_code_ok(BYTES_PB(identifier->value)))
			return content_fail(check,
				"party %s: identifier %s:%s needs a scheme like a name, and 1 to "
				"127 "
				"printable characters",
				SHOW(party->name), SHOW(identifier->scheme),
				SHOW(identifier->value));
	}
	int r = check_title(check, "party", party->name, party->title);
	return r ? r : check_operator(check, party);
}

struct claim {
	struct bytes scheme, value, owner;
};

static int claim_compare(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int c = bytes_compare(x->scheme, y->scheme);
	return c ? c : bytes_compare(x->value, y->value);
}

/* Finds two equal claims; sorts them. */
static const struct claim *claimed_twice(struct claim *claims, size_t count)
{
	qsort(claims, count, sizeof(*claims), claim_compare);
	for (size_t i = 1; i < count; i++)
		if (claim_compare(&claims[i - 1], &claims[i]) == 0)
			return &claims[i];
	return NULL;
}

static int check_identifiers_unique(const struct content_check *check)
{
	const Dienstweg__RegistryContent *content = check->content;
	size_t count = 0, n = 0;
	for (size_t i = 0; i < content->n_parties; i++)
		count += content->parties[i]->n_identifiers;
	_cleanup_(heap_free) struct claim *claims = calloc(count + 1, sizeof(*claims));
	if (!claims)
		return -ENOMEM;
	for (size_t i = 0; i < content->n_parties; i++) {
		const Dienstweg__Party *party = content->parties[i];
		for (size_t k = 0; k < party->n_identifiers; k++)
			claims[n++] = (struct claim){
				.scheme = BYTES_PB(party->identifiers[k]->scheme),
				.value = BYTES_PB(party->identifiers[k]->value),
				.owner = BYTES_PB(party->name)};
	}
	const struct claim *twice = claimed_twice(claims, count);
	if (!twice)
		return 0;
	return content_fail(check, "party %s: identifier %s:%s is given to another party, or twice",
		content_show(twice->owner).text, content_show(twice->scheme).text,
		content_show(twice->value).text);
}

static int check_parties(const struct content_check *check)
{
	if (check->content->n_parties < 1)
		return content_fail(check, "parties: there must be at least one");
	for (size_t i = 0; i < check->content->n_parties; i++) {
		int r = check_party(check, i);
		if (r)
			return r;
	}
	return check_identifiers_unique(check);
}

/* ---- services ---- */

static bool is_dvdv_prefix(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!(text.data[i] >= 'a' && text.data[i] <= 'z') &&
			!(text.data[i] >= '0' && text.data[i] <= '9'))
			return false;
	return text.len == 0 || text.len == 3;
}

static bool is_file_name(struct bytes name)
{
	return content_code_ok(name) && name.data[0] != '.' && !memchr(name.data, '/', name.len);
}

static int check_schema(
	const struct content_check *check, const Dienstweg__Service *service, const char *name)
{
	size_t count = service->n_schema_files;
	bool protobuf = service->schema_form == DIENSTWEG__SCHEMA_FORM__SCHEMA_FORM_PROTOBUF;
	if (service->schema_form > DIENSTWEG__SCHEMA_FORM__SCHEMA_FORM_PROTOBUF)
		return content_fail(check, "service %s: its form of schema is unknown", name);
	if ((count == 0) != (service->schema_form == DIENSTWEG__SCHEMA_FORM__SCHEMA_FORM_NONE))
		return content_fail(
			check, "service %s: a schema has a form and files, or neither", name);
	if (count > REGISTRY_SCHEMA_FILES_MAX || (protobuf && count != 1))
		return content_fail(check,
			"service %s: a schema has at most %d files, for protobuf one", name,
			REGISTRY_SCHEMA_FILES_MAX);
	if (protobuf ? !content_code_ok(BYTES_PB(service->schema_root))
		     : service->schema_root.len > 127)
		return content_fail(
			check, "service %s: protobuf needs the name of a message type", name);
	for (size_t f = 0; f < count; f++)
		if (!is_file_name(BYTES_PB(service->schema_files[f]->name)) ||
			service->schema_files[f]->digest.len != HASH_SIZE)
			return content_fail(check,
				"service %s: schema file %zu needs a plain name and a SHA-256",
				name, f + 1);
	return 0;
}

static int check_pattern(
	const struct content_check *check, const Dienstweg__Service *service, const char *name)
{
	bool enquiry = service->pattern == DIENSTWEG__PATTERN__PATTERN_ENQUIRY;
	if (service->pattern > DIENSTWEG__PATTERN__PATTERN_ENQUIRY)
		return content_fail(check, "service %s: its pattern is unknown", name);
	if (service->due_soon_ms != 0 && service->due_soon_ms >= service->overdue_ms)
		return content_fail(check,
			"service %s: the warning comes before the service's time is over: warn "
			"must "
			"be "
			"shorter than overdue",
			name);
	if (!enquiry && (service->answer_s != 0 || service->pending_max != 0))
		return content_fail(check,
			"service %s: answer_within and pending are for the pattern enquiry", name);
	if (!enquiry)
		return 0;
	if (service->event || service->overdue_ms != 0 || service->due_soon_ms != 0)
		return content_fail(check,
			"service %s: an enquiry is no event, and its answer_within is its only "
			"deadline: leave out event and overdue",
			name);
	if (service->answer_s < 1 || service->answer_s > REGISTRY_ANSWER_S_MAX ||
		service->pending_max < 1 || service->pending_max > REGISTRY_PENDING_MAX)
		return content_fail(check,
			"service %s: an enquiry is answered within 1 to %d seconds, and 1 to %d "
			"may "
			"be pending",
			name, REGISTRY_ANSWER_S_MAX, REGISTRY_PENDING_MAX);
	return 0;
}

static int check_service(const struct content_check *check, size_t i)
{
	const Dienstweg__Service *service = check->content->services[i];
	if (!text_is_name(BYTES_PB(service->name)))
		return content_fail(check, "service %s: the name must be 1 to 63 of a-z 0-9 . -",
			SHOW(service->name));
	struct content_shown shown = content_show(BYTES_PB(service->name));
	const char *name = shown.text;
	if (i > 0 && bytes_compare(BYTES_PB(check->content->services[i - 1]->name),
			     BYTES_PB(service->name)) >= 0)
		return content_fail(check, "service %s: given twice or out of order", name);
	if (!is_dvdv_prefix(BYTES_PB(service->dvdv_prefix)))
		return content_fail(check, "service %s: dvdv_prefix must be three of a-z 0-9", name);
	if (service->confidentiality > DIENSTWEG__CONFIDENTIALITY__CONFIDENTIALITY_BROKER_READABLE)
		return content_fail(check, "service %s: unknown confidentiality", name);
	if (!has_class(check->content, service->retention))
		return content_fail(check, "service %s: retention class %u does not exist", name,
			service->retention);
	if (service->attempts_max > REGISTRY_ATTEMPTS_MAX)
		return content_fail(
			check, "service %s: attempts go up to %d", name, REGISTRY_ATTEMPTS_MAX);
	for (size_t t = 0; t < service->n_message_types; t++)
		if (!content_code_ok(BYTES_PB(service->message_types[t])))
			return content_fail(
				check, "service %s: message type %zu must be 1 to 127 printable characters",
				name, t + 1);
	int r = check_schema(check, service, name);
	if (r == 0)
		r = check_pattern(check, service, name);
	return r ? r : check_title(check, "service", service->name, service->title);
}

static int check_types_unique(const struct content_check *check)
{
	const Dienstweg__RegistryContent *content = check->content;
	size_t count = 0, n = 0;
	for (size_t i = 0; i < content->n_services; i++)
		count += content->services[i]->n_message_types;
	_cleanup_(heap_free) struct claim *claims = calloc(count + 1, sizeof(*claims));
	if (!claims)
		return -ENOMEM;
	for (size_t i = 0; i < content->n_services; i++) {
		const Dienstweg__Service *service = content->services[i];
		for (size_t t = 0; t < service->n_message_types; t++)
			claims[n++] = (struct claim){.value = BYTES_PB(service->message_types[t]),
				.owner = BYTES_PB(service->name)};
	}
	const struct claim *twice = claimed_twice(claims, count);
	if (!twice)
		return 0;
	return content_fail(check,
		"service %s: message type %s means another service, or is given twice",
		content_show(twice->owner).text, content_show(twice->value).text);
}

static int check_services(const struct content_check *check)
{
	if (check->content->n_services < 1)
		return content_fail(check, "services: there must be at least one");
	for (size_t i = 0; i < check->content->n_services; i++) {
		int r = check_service(check, i);
		if (r)
			return r;
	}
	return check_types_unique(check);
}

/* ---- the whole ---- */

int registry_content_check(const Dienstweg__RegistryContent *content, char *reterr, size_t size)
{
	static int (*const steps[])(const struct content_check *) = {check_classes, check_parties,
		check_services, content_check_agreements, content_check_keys};
	struct content_check check = {.content = content, .reterr = reterr, .size = size};
	if (content->version != 0)
		return content_fail(&check, "format %u is unknown: a newer program is needed",
			content->version);
	if (!text_is_name(BYTES_PB(content->bus)))
		return content_fail(&check, "bus %s: the id must be 1 to 63 of a-z 0-9 . -",
			SHOW(content->bus));
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		int r = steps[i](&check);
		if (r)
			return r;
	}
	return 0;
}
