/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Rules are enforced where a registry is loaded; here is what a careful colleague would ask about. Some
 * of it is right on purpose, so a finding is a question and not a refusal.
 */
#include "conf/cli/registry-findings.h"

#include <stdarg.h>
#include <stdio.h>

#include "proto/base/clock.h"

#define DAY_MS UINT64_C(86400000)
enum { SOON_DAYS = 60, OVERLAP_MAX = 2 /* an old and a new key of one use */ };
#define NAME(field) (int)(field).len, (const char *)(field).data

static void __attribute__((format(printf, 2, 3)))
found(struct findings *findings, const char *format, ...)
{
	char sentence[FINDING_SIZE];
	va_list args;
	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	findings->count++;
	findings->take(findings, sentence);
}

/* ---- regions ---- */

static bool shares(const ProtobufCBinaryData *a, size_t n_a, const ProtobufCBinaryData *b,
	size_t n_b, struct bytes *ret)
{
	for (size_t i = 0; i < n_a; i++)
		for (size_t k = 0; k < n_b; k++)
			if (bytes_equal(BYTES_PB(a[i]), BYTES_PB(b[k]))) {
				*ret = BYTES_PB(a[i]);
				return true;
			}
	return false;
}

static bool at_the_same_time(const Dienstweg__Agreement *a, const Dienstweg__Agreement *b)
{
	return (!a->valid_until_ms || b->valid_from_ms < a->valid_until_ms) &&
	       (!b->valid_until_ms || a->valid_from_ms < b->valid_until_ms);
}

static void compare_flows(const Dienstweg__Agreement *a, const Dienstweg__Flow *x,
	const Dienstweg__Agreement *b, const Dienstweg__Flow *y, struct findings *findings)
{
	struct bytes region, service, from;
	if (bytes_equal(BYTES_PB(x->to), BYTES_PB(y->to)) || !at_the_same_time(a, b))
		return;
	if (!shares(x->regions, x->n_regions, y->regions, y->n_regions, &region) ||
		!shares(x->services, x->n_services, y->services, y->n_services, &service) ||
		!shares(x->from, x->n_from, y->from, y->n_from, &from))
		return;
	found(findings,
		"%.*s for region %.*s from %.*s goes to both %.*s (%.*s) and %.*s (%.*s): it would "
		"be refused "
		"as ambiguous",
		NAME(service), NAME(region), NAME(from), NAME(x->to), NAME(a->id), NAME(y->to),
		NAME(b->id));
}

static void look_at_regions(const Dienstweg__RegistryContent *content, struct findings *findings)
{
	for (size_t i = 0; i < content->n_agreements; i++)
		for (size_t k = i; k < content->n_agreements; k++) {
			const Dienstweg__Agreement *a = content->agreements[i];
			const Dienstweg__Agreement *b = content->agreements[k];
			for (size_t x = 0; x < a->n_flows; x++)
				for (size_t y = i == k ? x + 1 : 0; y < b->n_flows; y++)
					compare_flows(a, a->flows[x], b, b->flows[y], findings);
		}
}

/* ---- time ---- */

static void look_at_time(const struct registry *registry, uint64_t now, struct findings *findings)
{
	const Dienstweg__RegistryContent *content = registry_content(registry);
	char day[25];
	clock_format_utc(registry_stale_after_ms(registry), day);
	if (registry_stale_after_ms(registry) < now)
		found(findings, "this version has been stale since %.10s: issue a new one", day);
	for (size_t i = 0; i < content->n_agreements; i++) {
		const Dienstweg__Agreement *agreement = content->agreements[i];
		uint64_t until = agreement->valid_until_ms;
		if (!until || until > now + SOON_DAYS * DAY_MS)
			continue;
		clock_format_utc(until - DAY_MS, day);
		found(findings,
			until <= now ? "agreement %.*s ended with %.10s"
				     : "agreement %.*s ends with %.10s",
			NAME(agreement->id), day);
	}
}

static void look_at_grounds(const Dienstweg__RegistryContent *content, struct findings *findings)
{
	for (size_t i = 0; i < content->n_agreements; i++)
		if (content->agreements[i]->legal_basis.len == 0)
			found(findings, "agreement %.*s names no legal basis",
				NAME(content->agreements[i]->id));
}

/* ---- names that nothing uses ---- */

static bool has(const ProtobufCBinaryData *list, size_t count, ProtobufCBinaryData name)
{
	struct bytes ignored;
	return shares(list, count, &name, 1, &ignored);
}

static bool any_flow(
	const Dienstweg__RegistryContent *content, ProtobufCBinaryData name, bool service)
{
	for (size_t i = 0; i < content->n_agreements; i++)
		for (size_t f = 0; f < content->agreements[i]->n_flows; f++) {
			const Dienstweg__Flow *flow = content->agreements[i]->flows[f];
			if (service ? has(flow->services, flow->n_services, name)
				    : has(flow->from, flow->n_from, name) || has(&flow->to, 1, name))
				return true;
		}
	return false;
}

static void look_at_names(const Dienstweg__RegistryContent *content, struct findings *findings)
{
	for (size_t i = 0; i < content->n_services; i++)
		if (!any_flow(content, content->services[i]->name, true))
			found(findings, "no agreement lets anybody send service %.*s",
				NAME(content->services[i]->name));
	for (size_t i = 0; i < content->n_parties; i++) {
		const Dienstweg__Party *party = content->parties[i];
		if (!any_flow(content, party->name, false))
			found(findings, "no agreement names party %.*s", NAME(party->name));
		if (!registry_party_key(party, KEY_SIGN) || !registry_party_key(party, KEY_SEAL))
			found(findings, "party %.*s has no active key to sign or to seal",
				NAME(party->name));
	}
}

/* ---- keys ---- */

static void look_at_owner(
	struct bytes owner, Dienstweg__Key *const *keys, size_t count, struct findings *findings)
{
	size_t active[KEY_ROOT + 1] = {0};
	for (size_t i = 0; i < count; i++) {
		const Dienstweg__Key *key = keys[i];
		bool is_active = key->state == DIENSTWEG__KEY_STATE__KEY_STATE_ACTIVE;
		active[key->use] += is_active;
		if (is_active && key->suspect_from != 0)
			found(findings,
				"a %s key of %.*s is under suspicion and still active: revoke it, "
				"and add another one",
				key_use_name((enum key_use)key->use), (int)owner.len,
				(const char *)owner.data);
	}
	for (size_t use = KEY_SIGN; use <= KEY_ROOT; use++)
		if (active[use] > OVERLAP_MAX)
			found(findings,
				"%zu %s keys of %.*s are active at once: retire those that are not "
				"used any more",
				active[use], key_use_name((enum key_use)use), (int)owner.len,
				(const char *)owner.data);
}

static void look_at_keys(const Dienstweg__RegistryContent *content, struct findings *findings)
{
	look_at_owner(BYTES_PB(content->bus), content->bus_keys, content->n_bus_keys, findings);
	for (size_t i = 0; i < content->n_parties; i++)
		look_at_owner(BYTES_PB(content->parties[i]->name), content->parties[i]->keys,
			content->parties[i]->n_keys, findings);
}

void registry_findings(const struct registry *registry, uint64_t now_ms, struct findings *findings)
{
	const Dienstweg__RegistryContent *content = registry_content(registry);
	look_at_regions(content, findings);
	look_at_time(registry, now_ms, findings);
	look_at_grounds(registry_content(registry), findings);
	look_at_names(content, findings);
	look_at_keys(content, findings);
}
