/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Every rule is broken once, in content that is good otherwise; the sentence must name the culprit. The
 * good content is checked first, so no case can pass because of something else.
 */
#include "proto/registry/content.h"

#include "proto/registry/fixture.h"
#include "proto/registry/registry.h"
#include "test/kit/check.h"

struct world {
	struct registry_fixture *f;
	Dienstweg__RegistryContent *content;
	Dienstweg__Party *city, *jobcenter, *tenant;
	Dienstweg__Service *application, *status;
	Dienstweg__Agreement *agreement;
	Dienstweg__Flow *flow;
};

static ProtobufCBinaryData word(const char *text)
{
	return (ProtobufCBinaryData){.len = strlen(text), .data = (uint8_t *)(uintptr_t)text};
}

static struct world world_new(void)
{
	struct world w = {.f = registry_fixture_new("test.demo")};
	w.content = registry_fixture_content(w.f);
	w.city = registry_fixture_party(w.f, "city", NULL);
	w.jobcenter = registry_fixture_party(w.f, "jobcenter", NULL);
	w.tenant = registry_fixture_party(w.f, "tenant", "city");
	w.application = registry_fixture_service(w.f, "alg2.application");
	w.status = registry_fixture_service(w.f, "alg2.status");
	w.agreement = registry_fixture_agreement(w.f, "a1", "2021-07-01", "2030-01-01");
	w.flow = registry_fixture_flow(w.f, w.agreement, "alg2.application,alg2.status",
		"city,tenant", "jobcenter", "051,05124");
	registry_content_sort(w.content);
	return w;
}

static void expect(struct world *w, const char *words)
{
	char why[512] = "";
	int r = registry_content_check(w->content, why, sizeof(why));
	if (r != REGISTRY_INVALID)
		CHECK_FAIL("verdict %d (%s), expected a sentence with \"%s\"", r, why, words);
	if (!strstr(why, words))
		CHECK_FAIL("\"%s\" lacks \"%s\"", why, words);
	registry_fixture_free(w->f);
}

static void good_content_passes(void)
{
	char why[512] = "";
	struct world w = world_new();
	if (registry_content_check(w.content, why, sizeof(why)))
		CHECK_FAIL("%s", why);
	registry_fixture_free(w.f);
}

/* One broken rule per line: how, and what the sentence must say. */
#define BREAK(how, words)                                                                          \
	do {                                                                                       \
		struct world w = world_new();                                                      \
		how;                                                                               \
		expect(&w, words);                                                                 \
	} while (0)

static void names_and_order(void)
{
	BREAK(w.content->version = 1, "format 1");
	BREAK(w.content->bus = word("Test"), "bus Test");
	BREAK(w.city->name = word("City"), "party City");
	BREAK(w.city->name = word(""), "party");
	BREAK(w.city->name = registry_fixture_text(w.f, BYTES("cit\0y", 5)), "party cit?y");
	BREAK(w.jobcenter->name = word("city"), "given twice");
	BREAK(w.city->name = word("zoo"), "out of order");
	BREAK(w.status->name = word("alg2.application"), "service alg2.application: given twice");
	BREAK(w.agreement->id = word("A 1"), "agreement A?1");
	BREAK(w.city->title = word("a\nb"), "party city: title");
	BREAK(w.status->title = word("\xff"), "service alg2.status: title");
	BREAK(w.city->operated_by = word("nobody"), "operated-by names nobody");
	BREAK(w.city->operated_by = word("city"), "party city: operated-by");
	BREAK(w.jobcenter->operated_by = word("tenant"), "party jobcenter: operated-by");
	BREAK(w.content->n_parties = 0, "at least one");
	BREAK(w.content->n_services = 0, "at least one");
}

static void classes(void)
{
	BREAK(w.content->classes[0]->number = 17, "class 17");
	BREAK(w.content->classes[0]->number = 0, "class 0");
	BREAK(w.content->classes[0]->content_days = 0, "class 1: days");
	BREAK(w.content->classes[0]->record_days = 20, "class 1: days");
	BREAK(w.content->classes[0]->record_days = 40000, "class 1: days");
	BREAK(w.content->classes[0]->name = word("?"), "class 1: its name");
	BREAK(w.content->n_classes = 0, "1 to 16");
	BREAK(w.status->retention = 2, "retention class 2 does not exist");
}

static void services(void)
{
	ProtobufCBinaryData types[2];
	BREAK(w.status->dvdv_prefix = word("UVS"), "dvdv_prefix");
	BREAK(w.status->dvdv_prefix = word("uvsx"), "dvdv_prefix");
	BREAK(w.status->attempts_max = 1001, "attempts");
	BREAK(w.status->pattern = (Dienstweg__Pattern)2, "pattern");
	BREAK(w.status->answer_s = 30, "service alg2.status: answer_within");
	BREAK(w.status->pending_max = 1, "for the pattern enquiry");
	BREAK(w.status->pattern = DIENSTWEG__PATTERN__PATTERN_ENQUIRY, "1 to 86400 seconds");
	BREAK((w.status->pattern = DIENSTWEG__PATTERN__PATTERN_ENQUIRY, w.status->answer_s = 86401,
		      w.status->pending_max = 1),
		"1 to 86400 seconds");
	BREAK((w.status->pattern = DIENSTWEG__PATTERN__PATTERN_ENQUIRY, w.status->answer_s = 1,
		      w.status->pending_max = 10001),
		"1 to 10000 may be pending");
	BREAK((w.status->pattern = DIENSTWEG__PATTERN__PATTERN_ENQUIRY, w.status->event = true),
		"an enquiry is no event");
	BREAK((w.status->pattern = DIENSTWEG__PATTERN__PATTERN_ENQUIRY, w.status->overdue_ms = 1000),
		"only deadline");
	BREAK((w.status->overdue_ms = 1000, w.status->due_soon_ms = 1000), "shorter than overdue");
	BREAK(w.status->due_soon_ms = 1, "shorter than overdue");
	BREAK(w.status->confidentiality = (Dienstweg__Confidentiality)7, "confidentiality");
	types[0] = word("has space");
	BREAK((w.status->n_message_types = 1, w.status->message_types = types), "message type 1");
	types[0] = types[1] = word("nachricht.0001");
	BREAK((w.status->n_message_types = 2, w.status->message_types = types),
		"nachricht.0001 means another service, or is given twice");
	BREAK((w.status->n_message_types = w.application->n_message_types = 1,
		      w.status->message_types = w.application->message_types = types),
		"nachricht.0001");
}

static void identifiers(void)
{
	Dienstweg__Identifier identifier, *list[] = {&identifier};
	dienstweg__identifier__init(&identifier);
	identifier.scheme = word("psw");
	identifier.value = word("05124000");
	BREAK((w.city->n_identifiers = w.jobcenter->n_identifiers = 1,
		      w.city->identifiers = w.jobcenter->identifiers = list),
		"psw:05124000");
	identifier.value = word("");
	BREAK((w.city->n_identifiers = 1, w.city->identifiers = list), "identifier psw:");
}

static void agreements(void)
{
	BREAK(w.agreement->valid_until_ms = w.agreement->valid_from_ms, "ends before it begins");
	BREAK(w.agreement->valid_from_ms += 1, "00:00 UTC");
	BREAK(w.agreement->n_flows = 0, "needs a flow");
	BREAK(w.flow->n_services = 0, "flow 1: needs services");
	BREAK(w.flow->n_from = 0, "flow 1: needs services and senders");
	BREAK(w.flow->services[0] = word("alg1.application"), "alg1.application is no service");
	BREAK(w.flow->from[1] = word("village"), "village is no party");
	BREAK(w.flow->to = word("nobody"), "to: nobody is no party");
	BREAK(w.flow->from[1] = word("city"), "given twice");
	BREAK(w.flow->regions[1] = word("0512x"), "region 0512x");
	BREAK(w.flow->regions[1] = word("0512400000001"), "region 0512400000001");
	BREAK((w.flow->n_regions = 1, w.flow->regions[0] = word("0")), "region 0 must");
	BREAK(w.agreement->legal_basis = word("\x01"), "legal basis");
}

static void contacts(void)
{
	Dienstweg__Contact contact, *list[] = {&contact};
	dienstweg__contact__init(&contact);
	contact.party = word("nobody");
	contact.role = word("service desk");
	BREAK((w.agreement->n_contacts = 1, w.agreement->contacts = list), "nobody is no party");
	contact.party = word("city");
	contact.role = word("");
	BREAK((w.agreement->n_contacts = 1, w.agreement->contacts = list), "needs a role");
}

static void keys(void)
{
	BREAK(w.city->keys[0]->id.len = 15, "wrong length");
	BREAK(w.city->keys[0]->id.data[0] ^= 1, "sign key of city");
	BREAK(w.city->keys[1]->public_.data[0] ^= 1, "seal key of city");
	BREAK(w.city->keys[2]->possession.data[5] ^= 1, "transport key of city");
	BREAK(w.city->keys[0]->use = DIENSTWEG__KEY_USE__KEY_USE_ROOT, "does not belong here");
	BREAK(w.city->keys[0]->use = DIENSTWEG__KEY_USE__KEY_USE_UNSPECIFIED, "does not belong");
	BREAK(w.city->keys[0]->use = (Dienstweg__KeyUse)33, "does not belong");
	BREAK(w.city->keys[0]->state = (Dienstweg__KeyState)9, "unknown state");
	BREAK(w.city->keys[0] = w.jobcenter->keys[0],
		"sign key of city"); /* possession names its owner */
	BREAK(w.city->keys[1] = w.city->keys[0], "every use of every owner");
	BREAK(w.content->bus_keys[0]->state = DIENSTWEG__KEY_STATE__KEY_STATE_RETIRED,
		"active log key");
	BREAK(w.content->n_bus_keys = 1, "active transport key");
}

/* The same seed for two uses: other ids, other public halves, one possession key. */
static void a_seed_used_twice(void)
{
	struct world w = world_new();
	const struct key_secret *sign = registry_fixture_secret(w.f, "city", KEY_SIGN);
	_cleanup_(key_secret_free) struct key_secret *seal = NULL;
	CHECK_INT(key_from_seed(KEY_SEAL, BYTES_STR("city"), sign->seed, &seal), 0);
	Dienstweg__Key *key = w.city->keys[1];
	memcpy(key->id.data, seal->pub.id, KEY_ID_SIZE);
	memcpy(key->public_.data, seal->pub.public, 32);
	memcpy(key->possession_key.data, seal->pub.possession_key, 32);
	memcpy(key->possession.data, seal->pub.possession, 64);
	expect(&w, "a key of city is also a key of city");
}

static void roots(void)
{
	BREAK(w.content->n_roots = 2, "2 are active");
	BREAK(w.content->roots[0]->key->state = DIENSTWEG__KEY_STATE__KEY_STATE_REVOKED,
		"2 are active");
	BREAK(w.content->roots[1] = w.content->roots[0], "root root1: given twice");
	BREAK(w.content->roots[0]->key = NULL, "root root1: has no key");
	BREAK(w.content->roots[0]->key = w.content->roots[1]->key, "root key of root1");
	BREAK(w.content->witness_quorum = 1, "quorum of 1 cannot be reached by 0");
}

static void too_many_combinations(void)
{
	struct world w = world_new();
	ProtobufCBinaryData many[1024];
	char texts[1024][16];
	for (size_t i = 0; i < 1024; i++) {
		snprintf(texts[i], sizeof(texts[i]), "%010zu", i);
		many[i] = word(texts[i]);
	}
	w.flow->n_regions = 1024;
	w.flow->regions = many;
	char why[512] = "";
	CHECK_INT(registry_content_check(w.content, why, sizeof(why)), 0);
	Dienstweg__Flow *flows[128];
	for (size_t i = 0; i < 128; i++)
		flows[i] = w.flow;
	w.agreement->n_flows = 128;
	w.agreement->flows = flows;
	expect(&w, "at most 262144");
}

CHECK_MAIN(CHECK_CASE(good_content_passes), CHECK_CASE(names_and_order), CHECK_CASE(classes),
	CHECK_CASE(services), CHECK_CASE(identifiers), CHECK_CASE(agreements), CHECK_CASE(contacts),
	CHECK_CASE(keys), CHECK_CASE(a_seed_used_twice), CHECK_CASE(roots),
	CHECK_CASE(too_many_combinations))
