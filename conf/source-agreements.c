/* SPDX-License-Identifier: EUPL-1.2 */

/* agreements.yaml: who may send what to whom. Days are written as people agree on them: both included. */
#include "conf/source-compile.h"

#include <errno.h>
#include <string.h>

#include "proto/base/clock.h"

#define DAY_MS UINT64_C(86400000)

static void init_agreement(void *message)
{
	dienstweg__agreement__init(message);
}

static void init_flow(void *message)
{
	dienstweg__flow__init(message);
}

static void init_contact(void *message)
{
	dienstweg__contact__init(message);
}

/* Where a flow stands, for complaints. */
struct place {
	const struct source *source;
	size_t agreement;
	size_t flow;
};

static struct source_field at(const struct place *place, const char *member, size_t n)
{
	if (n == 0)
		return source_field(
			"agreements[%zu].flows[%zu].%s", place->agreement, place->flow, member);
	return source_field(
		"agreements[%zu].flows[%zu].%s[%zu]", place->agreement, place->flow, member, n);
}

static bool has_service(const struct source *source, const char *name)
{
	for (size_t i = 0; i < source->content.n_services; i++)
		if (bytes_equal(BYTES_PB(source->content.services[i]->name), BYTES_STR(name)))
			return true;
	return false;
}

static int check_service(const struct place *place, const char *field, const char *name)
{
	if (has_service(place->source, name))
		return 0;
	return source_fail(place->source, SOURCE_AGREEMENTS, field,
		"%.80s is no service; add it to services.yaml or correct the name", name);
}

static int check_party(const struct place *place, const char *field, const char *name)
{
	if (source_has_party(place->source, name))
		return 0;
	return source_fail(place->source, SOURCE_AGREEMENTS, field,
		"%.80s is no party; add it to parties.yaml or correct the name", name);
}

static int check_region(const struct place *place, const char *field, const char *digits)
{
	size_t len = strlen(digits);
	if (len >= 2 && len <= 12 && strspn(digits, "0123456789") == len)
		return 0;
	return source_fail(place->source, SOURCE_AGREEMENTS, field,
		"\"%.40s\" is no region; write 2 to 12 digits of a region key (ARS), in quotes so "
		"that "
		"a leading 0 stays",
		digits);
}

static int compile_words(const struct place *place, const char *member, const struct words *words,
	int (*check)(const struct place *, const char *, const char *), ProtobufCBinaryData **ret,
	size_t *ret_count)
{
	*ret_count = words->count;
	*ret = arena_zalloc(place->source->arena, (words->count + 1) * sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	for (size_t i = 0; i < words->count; i++) {
		struct source_field field = at(place, member, i + 1);
		int r = check(place, field.path, words->items[i]);
		if (r)
			return r;
		for (size_t k = 0; k < i; k++)
			if (strcmp(words->items[k], words->items[i]) == 0)
				return source_fail(place->source, SOURCE_AGREEMENTS, field.path,
					"%s is given twice; keep one", words->items[i]);
		(*ret)[i] = source_text(words->items[i]);
	}
	return 0;
}

static int compile_flow(
	const struct place *place, const struct yaml_flow *from, Dienstweg__Flow *flow)
{
	if (from->services.count == 0 || from->from.count == 0) {
		struct source_field field = at(place, from->services.count ? "from" : "services", 0);
		return source_fail(place->source, SOURCE_AGREEMENTS, field.path,
			"missing; a flow needs services, from and to");
	}
	int r = compile_words(place, "services", &from->services, check_service, &flow->services,
		&flow->n_services);
	if (r == 0)
		r = compile_words(
			place, "from", &from->from, check_party, &flow->from, &flow->n_from);
	if (r == 0)
		r = compile_words(place, "regions", &from->regions, check_region, &flow->regions,
			&flow->n_regions);
	flow->to = source_text(from->to);
	return r ? r : check_party(place, at(place, "to", 0).path, from->to);
}

static int compile_flows(struct source *source, const struct yaml_agreement *from, size_t n,
	Dienstweg__Agreement *agreement)
{
	if (from->flows_count == 0)
		return source_fail(source, SOURCE_AGREEMENTS, FIELD("agreements[%zu].flows", n),
			"missing; without a flow the agreement allows nothing");
	int r = source_list(
		source, from->flows_count, sizeof(Dienstweg__Flow), init_flow, &agreement->flows);
	agreement->n_flows = from->flows_count;
	for (size_t i = 0; r == 0 && i < from->flows_count; i++) {
		struct place place = {.source = source, .agreement = n, .flow = i + 1};
		r = compile_flow(&place, &from->flows[i], agreement->flows[i]);
	}
	return r;
}

static int compile_contacts(struct source *source, const struct yaml_agreement *from, size_t n,
	Dienstweg__Agreement *agreement)
{
	int r = source_list(source, from->contacts_count, sizeof(Dienstweg__Contact), init_contact,
		&agreement->contacts);
	agreement->n_contacts = from->contacts_count;
	for (size_t i = 0; r == 0 && i < from->contacts_count; i++) {
		const struct yaml_contact *contact = &from->contacts[i];
		struct source_field field = source_field("agreements[%zu].contacts[%zu]", n, i + 1);
		struct place place = {.source = source};
		r = check_party(&place, FIELD("%s.party", field.path), contact->party);
		if (r == 0)
			r = source_title(source, SOURCE_AGREEMENTS, FIELD("%s.role", field.path),
				contact->role);
		agreement->contacts[i]->party = source_text(contact->party);
		agreement->contacts[i]->role = source_text(contact->role);
	}
	return r;
}

static int read_day(struct source *source, const char *field, const char *word, uint64_t *ret)
{
	if (clock_parse_date(word, ret) == 0)
		return 0;
	return source_fail(source, SOURCE_AGREEMENTS, field,
		"\"%.40s\" is no day of the calendar; write it like 2021-07-01", word);
}

static int compile_validity(struct source *source, const struct yaml_agreement *from, size_t n,
	Dienstweg__Agreement *agreement)
{
	uint64_t last = 0;
	int r = read_day(source, FIELD("agreements[%zu].first_day", n), from->first_day,
		&agreement->valid_from_ms);
	if (r || !from->last_day)
		return r;
	r = read_day(source, FIELD("agreements[%zu].last_day", n), from->last_day, &last);
	if (r)
		return r;
	if (last < agreement->valid_from_ms)
		return source_fail(source, SOURCE_AGREEMENTS, FIELD("agreements[%zu].last_day", n),
			"%s lies before first_day; correct one of them", from->last_day);
	agreement->valid_until_ms = last + DAY_MS;
	return 0;
}

static int check_id(const struct source *source, const struct yaml_agreement *from, size_t n)
{
	struct source_field field = source_field("agreements[%zu].id", n);
	int r = source_name(source, SOURCE_AGREEMENTS, field.path, from->id);
	for (size_t i = 0; r == 0 && i < n - 1; i++)
		if (bytes_equal(BYTES_PB(source->content.agreements[i]->id), BYTES_STR(from->id)))
			return source_fail(source, SOURCE_AGREEMENTS, field.path,
				"%s is given twice; keep one", from->id);
	return r;
}

static int compile_agreement(struct source *source, const struct yaml_agreement *from, size_t n)
{
	Dienstweg__Agreement *agreement = source->content.agreements[n - 1];
	int r = check_id(source, from, n);
	agreement->id = source_text(from->id);
	agreement->title = source_text(from->title);
	agreement->legal_basis = source_text(from->legal_basis);
	if (r == 0)
		r = source_title(
			source, SOURCE_AGREEMENTS, FIELD("agreements[%zu].title", n), from->title);
	if (r == 0)
		r = source_title(source, SOURCE_AGREEMENTS, FIELD("agreements[%zu].legal_basis", n),
			from->legal_basis);
	if (r == 0)
		r = compile_validity(source, from, n, agreement);
	if (r == 0)
		r = source_number(source, SOURCE_AGREEMENTS,
			FIELD("agreements[%zu].quota_per_month", n), from->quota_per_month, 1,
			UINT64_MAX, &agreement->quota_messages);
	if (r == 0)
		r = compile_flows(source, from, n, agreement);
	return r ? r : compile_contacts(source, from, n, agreement);
}

int source_agreements(struct source *source)
{
	const struct yaml_agreements *list = source->data[SOURCE_AGREEMENTS];
	size_t count = list ? list->agreements_count : 0;
	int r = source_list(source, count, sizeof(Dienstweg__Agreement), init_agreement,
		&source->content.agreements);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = compile_agreement(source, &list->agreements[i], i + 1);
	source->content.n_agreements = count;
	return r;
}
