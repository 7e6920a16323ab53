/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The agreements are the access list and the routing table at once, so a typing mistake here is a
 * message at the wrong agency: every name must exist, nothing may be given twice, and lists are sorted
 * so that two compilations of the same source are the same bytes.
 */
#include "proto/registry/content.h"

#include "proto/base/text.h"
#include "proto/registry/index.h"

enum { DAY_MS = 86400000, REGION_MIN = 2, REGION_MAX = 12, YEAR_10000_DAYS = 2932897 };

#define SHOW(field) content_show(BYTES_PB(field)).text

static bool is_sorted(const ProtobufCBinaryData *items, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (bytes_compare(BYTES_PB(items[i - 1]), BYTES_PB(items[i])) >= 0)
			return false;
	return true;
}

static bool is_region(struct bytes text)
{
	if (text.len < REGION_MIN || text.len > REGION_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
	return true;
}

static int check_flow_names(const struct content_check *check, const char *id, size_t number,
	const Dienstweg__Flow *flow)
{
	for (size_t i = 0; i < flow->n_services; i++)
		if (content_service_number(check->content, BYTES_PB(flow->services[i])) == INDEX_NONE)
			return content_fail(check, "agreement %s, flow %zu: %s is no service", id,
				number, SHOW(flow->services[i]));
	for (size_t i = 0; i < flow->n_from; i++)
		if (content_party_number(check->content, BYTES_PB(flow->from[i])) == INDEX_NONE)
			return content_fail(check, "agreement %s, flow %zu: from: %s is no party",
				id, number, SHOW(flow->from[i]));
	if (content_party_number(check->content, BYTES_PB(flow->to)) == INDEX_NONE)
		return content_fail(check, "agreement %s, flow %zu: to: %s is no party", id, number,
			SHOW(flow->to));
	for (size_t i = 0; i < flow->n_regions; i++)
		if (!is_region(BYTES_PB(flow->regions[i])))
			return content_fail(check,
				"agreement %s, flow %zu: region %s must be %d to %d digits of a "
				"region key (ARS)",
				id, number, SHOW(flow->regions[i]), REGION_MIN, REGION_MAX);
	return 0;
}

static int check_flow(const struct content_check *check, const char *id, size_t number,
	const Dienstweg__Flow *flow)
{
	if (flow->n_services == 0 || flow->n_from == 0)
		return content_fail(
			check, "agreement %s, flow %zu: needs services and senders", id, number);
	if (!is_sorted(flow->services, flow->n_services) || !is_sorted(flow->from, flow->n_from) ||
		!is_sorted(flow->regions, flow->n_regions))
		return content_fail(
			check, "agreement %s, flow %zu: a service, sender or region is given twice or out of order",
			id, number);
	return check_flow_names(check, id, number, flow);
}

/* Days, because people agree on days; and none that the text of a report could not show. */
static bool is_day(uint64_t ms)
{
	return ms % DAY_MS == 0 && ms / DAY_MS < YEAR_10000_DAYS;
}

static int check_validity(
	const struct content_check *check, const char *id, const Dienstweg__Agreement *agreement)
{
	if (!is_day(agreement->valid_from_ms) || !is_day(agreement->valid_until_ms))
		return content_fail(
			check, "agreement %s: validity must begin and end at 00:00 UTC", id);
	if (agreement->valid_until_ms && agreement->valid_until_ms <= agreement->valid_from_ms)
		return content_fail(check, "agreement %s: ends before it begins", id);
	return 0;
}

static int check_contacts(
	const struct content_check *check, const char *id, const Dienstweg__Agreement *agreement)
{
	for (size_t i = 0; i < agreement->n_contacts; i++) {
		const Dienstweg__Contact *contact = agreement->contacts[i];
		if (content_party_number(check->content, BYTES_PB(contact->party)) == INDEX_NONE)
			return content_fail(check, "agreement %s, contact %zu: %s is no party", id,
				i + 1, SHOW(contact->party));
		if (!content_text_ok(BYTES_PB(contact->role), REGISTRY_TITLE_MAX))
			return content_fail(
				check, "agreement %s, contact %zu: needs a role", id, i + 1);
	}
	return 0;
}

static bool text_or_none(ProtobufCBinaryData text)
{
	return text.len == 0 || content_text_ok(BYTES_PB(text), REGISTRY_TITLE_MAX);
}

static int check_agreement(const struct content_check *check, size_t number)
{
	const Dienstweg__Agreement *agreement = check->content->agreements[number];
	struct content_shown shown = content_show(BYTES_PB(agreement->id));
	if (!text_is_name(BYTES_PB(agreement->id)))
		return content_fail(
			check, "agreement %s: the id must be 1 to 63 of a-z 0-9 . -", shown.text);
	if (number > 0 && bytes_compare(BYTES_PB(check->content->agreements[number - 1]->id),
				  BYTES_PB(agreement->id)) >= 0)
		return content_fail(check, "agreement %s: given twice or out of order", shown.text);
	if (!text_or_none(agreement->title) || !text_or_none(agreement->legal_basis))
		return content_fail(check,
			"agreement %s: title and legal basis must be text of at most %d bytes",
			shown.text, REGISTRY_TITLE_MAX);
	if (agreement->n_flows == 0)
		return content_fail(
			check, "agreement %s: allows nothing, it needs a flow", shown.text);
	for (size_t i = 0; i < agreement->n_flows; i++) {
		int r = check_flow(check, shown.text, i + 1, agreement->flows[i]);
		if (r)
			return r;
	}
	int r = check_validity(check, shown.text, agreement);
	return r ? r : check_contacts(check, shown.text, agreement);
}

/* Each factor is below 2^20 (a content has at most 900,000 bytes), so this cannot overflow. */
static size_t flow_permissions(const Dienstweg__Flow *flow)
{
	return flow->n_services * flow->n_from * (flow->n_regions ? flow->n_regions : 1);
}

int content_check_agreements(const struct content_check *check)
{
	size_t permissions = 0;
	for (size_t i = 0; i < check->content->n_agreements; i++) {
		const Dienstweg__Agreement *agreement = check->content->agreements[i];
		int r = check_agreement(check, i);
		if (r)
			return r;
		for (size_t f = 0; f < agreement->n_flows; f++)
			permissions += flow_permissions(agreement->flows[f]);
	}
	if (permissions > REGISTRY_PERMISSIONS_MAX)
		return content_fail(check,
			"agreements: %zu combinations of service, sender and region; at most %d "
			"are "
			"possible: name fewer per flow",
			permissions, REGISTRY_PERMISSIONS_MAX);
	return 0;
}
