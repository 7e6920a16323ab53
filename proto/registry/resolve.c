/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Broker and adapters run this very code: the adapter to know whom to seal for, the broker to decide,
 * replay to decide again years later. So it is pure, and where two answers were possible the order of
 * the tables (party, then agreement, both by name) picks one.
 *
 * An agreement that has ended is as if it were not there: it never shadows a valid one, whether that
 * one is for the same region or for a larger one. It only makes the refusal more helpful.
 */
#include "proto/registry/registry.h"

#include <stdarg.h>
#include <stdio.h>

#include "proto/base/clock.h"
#include "proto/registry/content.h"
#include "proto/registry/index.h"

struct resolving {
	const struct registry_index *index;
	const Dienstweg__RegistryContent *content;
	const struct resolve_query *query;
	struct resolve_result *ret;
	uint32_t service;
	uint32_t from;
	const Dienstweg__Agreement *ended; /* near misses: the last to end, the first to begin */
	const Dienstweg__Agreement *later;
};

#define SHOW(field) content_show(BYTES_PB(field)).text

static _printf_(3, 4) int refuse(struct resolve_result *ret, int verdict, const char *format, ...)
{
	static const struct {
		const char *code, *field;
	} wire[] = {
		[RESOLVE_UNKNOWN_SENDER] = {"unknown-party", "sender"},
		[RESOLVE_UNKNOWN_RECIPIENT] = {"unknown-party", "recipient"},
		[RESOLVE_UNKNOWN_SERVICE] = {"unknown-service", "service"},
		[RESOLVE_NO_AGREEMENT] = {"no-agreement", "agreement"},
		[RESOLVE_EXPIRED] = {"agreement-expired", "agreement"},
		[RESOLVE_NOT_YET] = {"agreement-not-yet-valid", "agreement"},
		[RESOLVE_REGION] = {"region-not-covered", "region"},
		[RESOLVE_AMBIGUOUS] = {"ambiguous", "region"},
		[RESOLVE_NO_SUBSCRIBER] = {"no-subscriber", "service"},
		[RESOLVE_TOO_MANY] = {"too-many-recipients", "service"},
	};
	va_list args;
	ret->count = 0;
	ret->agreement = NULL;
	ret->code = wire[verdict].code;
	ret->field = wire[verdict].field;
	va_start(args, format);
	vsnprintf(ret->detail, sizeof(ret->detail), format, args);
	va_end(args);
	return verdict;
}

/* ---- agreements ---- */

/* Does this agreement count for the query, and is it in force? Near misses are remembered. */
static const Dienstweg__Agreement *in_force(struct resolving *r, uint32_t number)
{
	const Dienstweg__Agreement *agreement = r->content->agreements[number];
	uint64_t at = r->query->at_ms;
	if (r->query->agreement.len && !bytes_equal(r->query->agreement, BYTES_PB(agreement->id)))
		return NULL;
	if (agreement->valid_until_ms && at >= agreement->valid_until_ms) {
		if (!r->ended || agreement->valid_until_ms > r->ended->valid_until_ms)
			r->ended = agreement;
		return NULL;
	}
	if (at < agreement->valid_from_ms) {
		if (!r->later || agreement->valid_from_ms < r->later->valid_from_ms)
			r->later = agreement;
		return NULL;
	}
	return agreement;
}

static int refuse_near_miss(const struct resolving *r)
{
	char day[25];
	if (r->ended) {
		clock_format_utc(r->ended->valid_until_ms, day);
		return refuse(r->ret, RESOLVE_EXPIRED,
			"agreement %s ended before %.10s: the registrar must enter its successor",
			SHOW(r->ended->id), day);
	}
	clock_format_utc(r->later->valid_from_ms, day);
	return refuse(r->ret, RESOLVE_NOT_YET,
		"agreement %s begins on %.10s: send again from then on", SHOW(r->later->id), day);
}

static int refuse_no_agreement(const struct resolving *r, const char *to)
{
	if (r->query->agreement.len)
		return refuse(r->ret, RESOLVE_NO_AGREEMENT,
			"agreement %s does not let %s send %s%s: name another, or none",
			content_show(r->query->agreement).text, content_show(r->query->sender).text,
			content_show(r->query->service).text, to);
	return refuse(r->ret, RESOLVE_NO_AGREEMENT,
		"no agreement lets %s send %s%s: the registrar must enter one",
		content_show(r->query->sender).text, content_show(r->query->service).text, to);
}

static int accept(struct resolving *r, uint32_t to, const Dienstweg__Agreement *agreement)
{
	r->ret->recipients[0] = r->content->parties[to];
	r->ret->count = 1;
	r->ret->agreement = agreement;
	return RESOLVE_OK;
}

/* ---- by name ---- */

/* First permission that is not before (service, from, to). */
static size_t permission_bound(
	const struct registry_index *index, uint32_t service, uint32_t from, uint32_t to)
{
	size_t low = 0, high = index->permissions_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct permission *p = &index->permissions[middle];
		bool before = p->service != service ? p->service < service
			      : p->from != from     ? p->from < from
						    : p->to < to;
		if (before)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int resolve_recipient(struct resolving *r)
{
	char to[100];
	uint32_t number = content_party_number(r->content, r->query->recipient);
	if (number == INDEX_NONE)
		return refuse(r->ret, RESOLVE_UNKNOWN_RECIPIENT,
			"%s is no party of this bus: check the name, or fetch a newer registry",
			content_show(r->query->recipient).text);
	bool back = r->query->answer &&
		    r->ret->service->pattern == DIENSTWEG__PATTERN__PATTERN_ENQUIRY;
	uint32_t from = back ? number : r->from, towards = back ? r->from : number;
	size_t i = permission_bound(r->index, r->service, from, towards);
	size_t end = permission_bound(r->index, r->service, from, towards + 1);
	for (; i < end; i++) {
		const Dienstweg__Agreement *agreement = in_force(
			r, r->index->permissions[i].agreement);
		if (agreement)
			return accept(r, number, agreement);
	}
	if (r->ended || r->later)
		return refuse_near_miss(r);
	snprintf(to, sizeof(to), " to %s", content_show(r->query->recipient).text);
	return refuse_no_agreement(r, to);
}

/* ---- by region ---- */

/* First row that is not before (service, from, region). */
static size_t regional_bound(
	const struct registry_index *index, uint32_t service, uint32_t from, uint64_t region)
{
	size_t low = 0, high = index->regions_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct regional *p = &index->regions[middle];
		bool before = p->service != service ? p->service < service
			      : p->from != from     ? p->from < from
						    : p->region < region;
		if (before)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int refuse_ambiguous(const struct resolving *r, uint32_t one, uint32_t other)
{
	return refuse(r->ret, RESOLVE_AMBIGUOUS,
		"region %s is served by both %s and %s: name the recipient, or the registrar must "
		"split the region",
		content_show(r->query->region).text, SHOW(r->content->parties[one]->name),
		SHOW(r->content->parties[other]->name));
}

/*
 * Those who serve exactly this prefix.
 * Return: -1 when none in force does, else the verdict.
 */
static int resolve_prefix(struct resolving *r, uint64_t prefix)
{
	const Dienstweg__Agreement *relied = NULL;
	uint32_t to = 0;
	size_t i = regional_bound(r->index, r->service, r->from, prefix);
	for (; i < r->index->regions_count; i++) {
		const struct regional *row = &r->index->regions[i];
		if (row->service != r->service || row->from != r->from || row->region != prefix)
			break;
		const Dienstweg__Agreement *agreement = in_force(r, row->agreement);
		if (agreement && !relied) {
			relied = agreement;
			to = row->to;
		} else if (agreement && row->to != to) {
			return refuse_ambiguous(r, to, row->to);
		}
	}
	return relied ? accept(r, to, relied) : -1;
}

/* May the sender send this service to anybody, whatever the region? */
static bool may_send(struct resolving *r)
{
	size_t i = permission_bound(r->index, r->service, r->from, 0);
	size_t end = permission_bound(r->index, r->service, r->from + 1, 0);
	for (; i < end; i++) {
		uint32_t number = r->index->permissions[i].agreement;
		if (!r->query->agreement.len ||
			bytes_equal(
				r->query->agreement, BYTES_PB(r->content->agreements[number]->id)))
			return true;
	}
	return false;
}

static int resolve_region(struct resolving *r)
{
	uint64_t region = region_pack(r->query->region);
	if (region == 0)
		return refuse(r->ret, RESOLVE_REGION,
			"region must be the digits of a region key (ARS), 2 to 12 of them");
	for (size_t len = r->query->region.len; len > 0; len--) {
		int v = resolve_prefix(r, region & ~UINT64_C(0) << (64 - 4 * len));
		if (v >= 0)
			return v;
	}
	if (r->ended || r->later)
		return refuse_near_miss(r);
	if (!may_send(r))
		return refuse_no_agreement(r, "");
	return refuse(r->ret,
		RESOLVE_REGION, "no agreement lets %s send %s for region %s: check the region key, or name the recipient",
		content_show(r->query->sender).text, content_show(r->query->service).text,
		content_show(r->query->region).text);
}

/* ---- events ---- */

static int resolve_event(struct resolving *r)
{
	struct resolve_result *ret = r->ret;
	uint32_t last = INDEX_NONE;
	size_t i = permission_bound(r->index, r->service, r->from, 0);
	size_t end = permission_bound(r->index, r->service, r->from + 1, 0);
	for (; i < end; i++) {
		const struct permission *p = &r->index->permissions[i];
		const Dienstweg__Agreement *agreement = in_force(r, p->agreement);
		if (!agreement || p->to == last || p->to == r->from)
			continue;
		if (ret->count == RESOLVE_MAX)
			return refuse(ret, RESOLVE_TOO_MANY,
				"more than %d parties subscribe to %s: split it by region",
				RESOLVE_MAX, content_show(r->query->service).text);
		if (!ret->agreement)
			ret->agreement = agreement;
		ret->recipients[ret->count++] = r->content->parties[p->to];
		last = p->to;
	}
	if (ret->count)
		return RESOLVE_OK;
	if (r->ended || r->later)
		return refuse_near_miss(r);
	return refuse(ret, RESOLVE_NO_SUBSCRIBER,
		"nobody subscribes to %s from %s: the registrar must enter an agreement",
		content_show(r->query->service).text, content_show(r->query->sender).text);
}

/* ---- the decision ---- */

int registry_resolve(const struct registry *registry, const struct resolve_query *query,
	struct resolve_result *ret)
{
	struct resolving r = {.index = registry_index(registry),
		.content = registry_content(registry),
		.query = query,
		.ret = ret};
	ret->count = 0;
	ret->agreement = NULL;
	ret->service = NULL;
	ret->code = ret->field = NULL;
	ret->detail[0] = 0;
	r.from = content_party_number(r.content, query->sender);
	if (r.from == INDEX_NONE)
		return refuse(ret, RESOLVE_UNKNOWN_SENDER,
			"%s is no party of this bus: check the name",
			content_show(query->sender).text);
	r.service = content_service_number(r.content, query->service);
	if (r.service == INDEX_NONE)
		return refuse(ret, RESOLVE_UNKNOWN_SERVICE,
			"%s is no service of this bus: check the name, or fetch a newer registry",
			content_show(query->service).text);
	ret->service = r.content->services[r.service];
	if (query->recipient.len)
		return resolve_recipient(&r);
	if (query->region.len)
		return resolve_region(&r);
	if (ret->service->event)
		return resolve_event(&r);
	return refuse(ret, RESOLVE_UNKNOWN_RECIPIENT,
		"%s is no event: name a recipient or a region", content_show(query->service).text);
}
