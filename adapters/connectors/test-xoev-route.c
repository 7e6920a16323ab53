/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A registry as the city has it, and documents for known and unknown offices.
 */
#include "adapters/connectors/xoev-route.h"

#include <stdio.h>

#include "proto/registry/fixture.h"
#include "test/kit/check.h"

struct world {
	struct registry_fixture *fixture;
	struct registry *registry;
	struct config_setting settings[4];
	struct config_adapter config;
	struct xoev_route route;
	char why[600];
};

static void identifier(
	struct world *world, Dienstweg__Party *party, const char *scheme, const char *value)
{
	Dienstweg__Identifier *one = calloc(1, sizeof(*one)), **list = calloc(1, sizeof(one));
	CHECK(one && list);
	dienstweg__identifier__init(one);
	one->scheme = registry_fixture_text(world->fixture, BYTES_STR(scheme));
	one->value = registry_fixture_text(world->fixture, BYTES_STR(value));
	list[0] = one;
	party->identifiers = list;
	party->n_identifiers = 1;
}

static void identifiers_free(struct world *world)
{
	Dienstweg__RegistryContent *content = registry_fixture_content(world->fixture);
	for (size_t i = 0; i < content->n_parties; i++) {
		if (content->parties[i]->n_identifiers == 0)
			continue;
		free(content->parties[i]->identifiers[0]);
		free(content->parties[i]->identifiers);
		content->parties[i]->n_identifiers = 0;
		content->parties[i]->identifiers = NULL;
	}
}

static void world_init(struct world *world)
{
	static const char *const operated[] = {"youthoffice"};
	*world = (struct world){.fixture = registry_fixture_new("test.demo")};
	struct registry_fixture *f = world->fixture;
	identifier(world, registry_fixture_party(f, "city", NULL), "psw", "11113110");
	identifier(world, registry_fixture_party(f, "youthoffice", "city"), "psw", "2");
	identifier(world, registry_fixture_party(f, "waterworks", NULL), "psw", "01003110");
	Dienstweg__Service *service = registry_fixture_service(f, "xwasser.receipt");
	ProtobufCBinaryData type = registry_fixture_text(
		f, BYTES_STR("administration.quittung.0020"));
	service->message_types = &type;
	service->n_message_types = 1;
	Dienstweg__Agreement *a = registry_fixture_agreement(f, "a1", "2021-07-01", NULL);
	registry_fixture_flow(f, a, "xwasser.receipt", "city", "waterworks", "05124");
	world->registry = registry_fixture_load(f, 1, NULL);
	service->message_types = NULL;
	service->n_message_types = 0;
	world->config = (struct config_adapter){.party = "city",
		.operates = {.items = operated, .count = 1},
		.connector = {.settings = world->settings}};
}

static void world_deinit(struct world *world)
{
	registry_unref(world->registry);
	identifiers_free(world);
	registry_fixture_free(world->fixture);
}
DEFINE_CLEANUP_PTR(struct world, world_deinit);

static struct xoev_head head_of(const char *reader, const char *author)
{
	struct xoev_head head = {.type = "administration.quittung.0020"};
	snprintf(head.reader.value, sizeof(head.reader.value), "%s", reader);
	snprintf(head.author.value, sizeof(head.author.value), "%s", author);
	if (*reader) {
		snprintf(head.reader.scheme, sizeof(head.reader.scheme), "psw");
		snprintf(head.reader.field, sizeof(head.reader.field),
			"nachrichtenkopf.g2g/leser/kennung");
	}
	snprintf(head.author.scheme, sizeof(head.author.scheme), "psw");
	return head;
}

static int route(struct world *world, const struct xoev_head *head)
{
	world->why[0] = '\0';
	return xoev_route(world->registry, &world->config, head, &world->route, world->why,
		sizeof(world->why));
}

static void setting(struct world *world, const char *name, const char *value)
{
	world->settings[world->config.connector.settings_count++] = (struct config_setting){
		.name = name, .value = value};
}

static bool is(struct bytes bytes, const char *text)
{
	return bytes_equal(bytes, BYTES_STR(text));
}

static void reader_and_author_are_found(void)
{
	_cleanup_(world_deinit) struct world world;
	world_init(&world);
	struct xoev_head head = head_of("01003110", "11113110");
	CHECK_INT(route(&world, &head), 0);
	CHECK(is(world.route.service, "xwasser.receipt") &&
		is(world.route.recipient, "waterworks"));
	CHECK(is(world.route.sender, "city") && world.route.region.len == 0);
	head = head_of("01003110", "2"); /* an office of the city sends */
	CHECK_INT(route(&world, &head), 0);
	CHECK(is(world.route.sender, "youthoffice"));
	head = head_of("01003110", "01003110"); /* somebody else's document: we are the sender */
	CHECK_INT(route(&world, &head), 0);
	CHECK_INT(world.route.sender.len, 0);
	head = head_of("01003110", "4711");
	CHECK_INT(route(&world, &head), 0);
	CHECK_INT(world.route.sender.len, 0);
}

static void unknown_is_never_guessed(void)
{
	_cleanup_(world_deinit) struct world world;
	world_init(&world);
	setting(&world, "recipient.xwasser.receipt", "waterworks");
	struct xoev_head head = head_of("4711", "11113110");
	CHECK_INT(route(&world, &head), ROUTE_BAD);
	CHECK(strstr(world.why, "nachrichtenkopf.g2g/leser/kennung: no party of the registry has"));
	CHECK(strstr(world.why, "scheme \"psw\"") && !strstr(world.why, "4711"));
	snprintf(head.type, sizeof(head.type), "unbekannt.0001");
	CHECK_INT(route(&world, &head), ROUTE_BAD);
	CHECK(strstr(world.why, "unbekannt.0001; add it to the message_types"));
}

static void settings_stand_in_for_a_reader(void)
{
	_cleanup_(world_deinit) struct world world;
	world_init(&world);
	struct xoev_head head = head_of("", "11113110");
	CHECK_INT(route(&world, &head), ROUTE_BAD);
	CHECK(strstr(world.why, "names no reader") &&
		strstr(world.why, "recipient.xwasser.receipt"));
	setting(&world, "region.xwasser.receipt", "051240000000");
	CHECK_INT(route(&world, &head), 0);
	CHECK(is(world.route.region, "051240000000") && world.route.recipient.len == 0);
	setting(&world, "recipient.xwasser.receipt", "waterworks");
	CHECK_INT(route(&world, &head), 0);
	CHECK(is(world.route.recipient, "waterworks") && world.route.region.len == 0);
}

static void municipality_stands_in_for_a_region(void)
{
	_cleanup_(world_deinit) struct world world;
	world_init(&world);
	struct xoev_head head = head_of("", "05124000");
	snprintf(head.author.scheme, sizeof(head.author.scheme), "ags");
	CHECK_INT(route(&world, &head), 0);
	CHECK(is(world.route.region, "05124"));
	snprintf(head.author.value, sizeof(head.author.value), "051240000000");
	CHECK_INT(route(&world, &head), 0);
	CHECK(is(world.route.region, "051240000000"));
	snprintf(head.author.value, sizeof(head.author.value), "0512400x");
	CHECK_INT(route(&world, &head), ROUTE_BAD);
	snprintf(head.author.value, sizeof(head.author.value), "05124");
	CHECK_INT(route(&world, &head), ROUTE_BAD);
}

CHECK_MAIN(CHECK_CASE(reader_and_author_are_found), CHECK_CASE(unknown_is_never_guessed),
	CHECK_CASE(settings_stand_in_for_a_reader), CHECK_CASE(municipality_stands_in_for_a_region))
