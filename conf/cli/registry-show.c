/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The registry in words, also before anybody signed it: this is what a root reads before signing. Who
 * would receive a message is answered by the routing decision itself, not by a second reading of the
 * agreements.
 */
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "conf/cli/cli.h"
#include "conf/cli/registry-file.h"
#include "conf/cli/registry-json.h"
#include "conf/param.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

static const char help[] =
	"usage: dienstweg registry show FILE [--policy FILE] [--json]\n"
	"       dienstweg registry show FILE --from PARTY --service SERVICE [--region ARS | --to "
	"PARTY]\n"
	"                               [--agreement ID] [--at DAY] [--policy FILE] [--json]\n"
	"\n"
	"Prints a registry, or who would receive a message and why.\n"
	"\n"
	"  --policy FILE      verify it by these pinned roots first; without, it is only shown\n"
	"  --from PARTY       the sender\n"
	"  --service SERVICE  what is sent\n"
	"  --region ARS       addressed by region\n"
	"  --to PARTY         addressed by name\n"
	"  --agreement ID     relying on this agreement only\n"
	"  --at DAY           on this day, like 2021-07-01; default today\n"
	"  --json             as JSON\n"
	"\n"
	"Exit codes: 0 shown, or it has a recipient; 1 a bad registry, or nobody would receive "
	"it.\n";

struct show {
	const char *file, *policy, *from, *service, *region, *to, *agreement, *at;
	bool json;
};

#define NAME(field) (int)(field).len, (const char *)(field).data

/* ---- the whole ---- */

static void print_keys(const Dienstweg__Party *party)
{
	static const char *const states[] = {"", " (retired)", " (revoked)"};
	printf("    keys:");
	for (size_t i = 0; i < party->n_keys; i++) {
		const Dienstweg__Key *key = party->keys[i];
		char id[2 * KEY_ID_SIZE + 1];
		text_hex(BYTES_PB(key->id), id);
		/* As much of the id as the source asks for. */
		printf("%s %s %.8s%s", i ? "," : "", key_use_name((enum key_use)key->use), id,
			states[key->state]);
		if (key->suspect_from)
			printf(" (suspect from entry %llu)", (unsigned long long)key->suspect_from);
	}
	printf("\n");
}

static void print_parties(const Dienstweg__RegistryContent *content)
{
	printf("\nParties\n");
	for (size_t i = 0; i < content->n_parties; i++) {
		const Dienstweg__Party *party = content->parties[i];
		printf("  %.*s", NAME(party->name));
		if (party->title.len)
			printf("  %.*s", NAME(party->title));
		printf("\n");
		if (party->operated_by.len)
			printf("    operated by %.*s\n", NAME(party->operated_by));
		for (size_t k = 0; k < party->n_identifiers; k++)
			printf("    %.*s:%.*s\n", NAME(party->identifiers[k]->scheme),
				NAME(party->identifiers[k]->value));
		print_keys(party);
	}
}

static void print_overdue(const Dienstweg__Service *service)
{
	char overdue[32], warn[32];
	param_unit(PARAM_TIME, service->overdue_ms, overdue, sizeof(overdue));
	param_unit(PARAM_TIME, service->due_soon_ms, warn, sizeof(warn));
	if (service->overdue_ms)
		printf("    overdue without a reply within %s%s%s\n", overdue,
			service->due_soon_ms ? ", warning before that: " : "",
			service->due_soon_ms ? warn : "");
}

static void print_services(const Dienstweg__RegistryContent *content)
{
	printf("\nServices\n");
	for (size_t i = 0; i < content->n_services; i++) {
		const Dienstweg__Service *service = content->services[i];
		printf("  %.*s", NAME(service->name));
		if (service->title.len)
			printf("  %.*s", NAME(service->title));
		printf("\n    %s, class %u%s\n",
			service->confidentiality ? "readable by the broker" : "end to end",
			service->retention, service->event ? ", event" : "");
		if (service->pattern == DIENSTWEG__PATTERN__PATTERN_ENQUIRY)
			printf("    enquiry, answered within %u s, at most %u pending\n",
				service->answer_s, service->pending_max);
		print_overdue(service);
		for (size_t t = 0; t < service->n_message_types; t++)
			printf("    means %.*s\n", NAME(service->message_types[t]));
		for (size_t f = 0; f < service->n_schema_files; f++)
			printf("    %s %.*s\n", f ? "     with" : "must follow",
				NAME(service->schema_files[f]->name));
	}
}

static void print_list(const char *before, const ProtobufCBinaryData *list, size_t count)
{
	printf("%s", before);
	for (size_t i = 0; i < count; i++)
		printf("%s%.*s", i ? ", " : "", NAME(list[i]));
}

static void print_agreement(const Dienstweg__Agreement *agreement)
{
	char from[25], until[25];
	clock_format_utc(agreement->valid_from_ms, from);
	clock_format_utc(
		agreement->valid_until_ms ? agreement->valid_until_ms - 86400000 : 0, until);
	printf("  %.*s  %.*s\n    from %.10s %s%.10s\n", NAME(agreement->id),
		NAME(agreement->title), from, agreement->valid_until_ms ? "to " : "on",
		agreement->valid_until_ms ? until : "");
	if (agreement->legal_basis.len)
		printf("    %.*s\n", NAME(agreement->legal_basis));
	for (size_t i = 0; i < agreement->n_flows; i++) {
		const Dienstweg__Flow *flow = agreement->flows[i];
		print_list("    ", flow->services, flow->n_services);
		print_list(": ", flow->from, flow->n_from);
		printf(" -> %.*s", NAME(flow->to));
		if (flow->n_regions)
			print_list(", regions ", flow->regions, flow->n_regions);
		printf("\n");
	}
}

static void print_text(struct bytes bytes, const struct registry_head *head,
	const Dienstweg__RegistryContent *content, bool verified)
{
	struct bytes names[3];
	char issued[25], stale[25];
	size_t signers = registry_file_signers(bytes, content, names);
	clock_format_utc(head->issued_ms, issued);
	clock_format_utc(head->stale_after_ms, stale);
	printf("Registry of %s, version %llu, issued %.10s, stale after %.10s\n", head->bus,
		(unsigned long long)head->version, issued, stale);
	printf("Signed by %zu of 3 roots", signers);
	for (size_t i = 0; i < signers; i++)
		printf("%s %.*s", i ? "," : ":", NAME(names[i]));
	printf("%s\n",
		verified ? "; verified by the policy" : "; not verified: no --policy was given");
	print_parties(content);
	print_services(content);
	printf("\nAgreements\n");
	for (size_t i = 0; i < content->n_agreements; i++)
		print_agreement(content->agreements[i]);
}

static int print_json(json_t *json)
{
	if (!json)
		return cli_fail(CLI_FAILED, "out of memory");
	json_dumpf(json, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
	printf("\n");
	json_decref(json);
	return 0;
}

static int show_all(const struct show *show, struct arena *arena)
{
	struct registry_head head;
	struct bytes bytes;
	Dienstweg__RegistryContent *content;
	if (show->policy) {
		_cleanup_(registry_unref) struct registry *registry = NULL;
		int bad = registry_file_load(show->file, show->policy, &registry, NULL, 0);
		if (bad)
			return bad;
	}
	int code = registry_file_peek(show->file, arena, &bytes, &head, &content);
	if (code)
		return code;
	if (show->json)
		code = print_json(registry_json(bytes, &head, content, show->policy != NULL));
	else
		print_text(bytes, &head, content, show->policy != NULL);
	return code ? code : cli_flush(CLI_DONE);
}

/* ---- who would receive it ---- */

static void print_route(const struct show *show, const struct resolve_result *result, int verdict)
{
	if (verdict) {
		printf("no: %s (%s): %s\n", result->code, result->field, result->detail);
		return;
	}
	for (size_t i = 0; i < result->count; i++) {
		const Dienstweg__Party *party = result->recipients[i];
		printf("%s from %s goes to %.*s%s%.*s%s\n", show->service, show->from,
			NAME(party->name), party->title.len ? " (" : "", NAME(party->title),
			party->title.len ? ")" : "");
	}
	printf("under agreement %.*s%s%.*s\n", NAME(result->agreement->id),
		result->agreement->legal_basis.len ? ", " : "",
		NAME(result->agreement->legal_basis));
}

static int show_route(const struct show *show)
{
	_cleanup_(registry_unref) struct registry *registry = NULL;
	struct resolve_result result;
	struct resolve_query query = {.sender = BYTES_STR(show->from),
		.service = BYTES_STR(show->service),
		.recipient = BYTES_STR(show->to ? show->to : ""),
		.region = BYTES_STR(show->region ? show->region : ""),
		.agreement = BYTES_STR(show->agreement ? show->agreement : ""),
		.at_ms = clock_wall_ms(clock_system())};
	if (show->at && clock_parse_date(show->at, &query.at_ms))
		return cli_fail(CLI_USAGE,
			"--at %s is no day of the calendar; write it like 2021-07-01", show->at);
	int code = show->policy ? registry_file_load(show->file, show->policy, &registry, NULL, 0)
				: registry_file_draft(show->file, &registry, NULL, 0);
	if (code)
		return code;
	int verdict = registry_resolve(registry, &query, &result);
	if (show->json)
		code = print_json(registry_route_json(&result, verdict));
	else
		print_route(show, &result, verdict);
	return code ? code : cli_flush(verdict ? CLI_NEGATIVE : CLI_DONE);
}

int registry_show_run(int argc, char **argv)
{
	struct show s = {0};
	struct cli_list words = {.items = &s.file, .max = 1};
	const struct cli_option options[] = {{"--policy", .value = &s.policy},
		{"--from", .value = &s.from}, {"--service", .value = &s.service},
		{"--region", .value = &s.region}, {"--to", .value = &s.to},
		{"--agreement", .value = &s.agreement}, {"--at", .value = &s.at},
		{"--json", .flag = &s.json}};
	const struct cli_verb verb = {"registry show", help, options, ARRAY_LEN(options), &words};
	int code;
	if (!cli_parse(&verb, argc, argv, &code))
		return code;
	bool route = s.from || s.service || s.region || s.to || s.agreement || s.at;
	if (!s.file)
		return cli_usage(&verb, "needs a registry file");
	if (route && (!s.from || !s.service))
		return cli_usage(&verb, "who would receive it depends on --from and --service");
	if (s.region && s.to)
		return cli_usage(&verb, "a message goes to a region or to a party, not both");
	if (route)
		return show_route(&s);
	struct arena *arena = arena_new(REGISTRY_MEMORY);
	code = arena ? show_all(&s, arena) : cli_fail(CLI_FAILED, "out of memory");
	arena_free(arena);
	return code;
}
