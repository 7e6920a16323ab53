/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Sealed contents are nobody's to check but the two at the ends. What does not follow the schema does not leave
 * the sender, and does not reach the recipient's legacy system; neither tells more than the place.
 */
#include "adapters/sdk/test-world.h"
#include "proto/base/crypto.h"
#include "proto/base/file.h"
#include "test/kit/check.h"

static const char note_xsd[] = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'>"
			       "<xs:element name='note' type='xs:int'/></xs:schema>";
static uint8_t digest[HASH_SIZE];
static Dienstweg__SchemaFile file, *files[] = {&file};

static void put_schema(const struct world *world, const char *name)
{
	char path[600];
	CHECK_INT(path_join(path, sizeof(path), world->config.schemas, name), 0);
	CHECK_INT(file_replace(path, BYTES_STR(note_xsd), 0644), 0);
}

static Dienstweg__Service *find_service(const struct world *world, const char *name)
{
	const Dienstweg__RegistryContent *content = registry_fixture_content(world->fixture);
	for (size_t i = 0; i < content->n_services; i++)
		if (bytes_equal(BYTES_PB(content->services[i]->name), BYTES_STR(name)))
			return content->services[i];
	CHECK_FAIL("no service %s", name);
}

static void pin(const struct world *world, Dienstweg__Service *service)
{
	sha256_of(BYTES_STR(note_xsd), digest);
	dienstweg__schema_file__init(&file);
	file.name = registry_fixture_text(world->fixture, BYTES_STR("note.xsd"));
	file.digest = registry_fixture_text(world->fixture, BYTES(digest, sizeof(digest)));
	service->schema_form = DIENSTWEG__SCHEMA_FORM__SCHEMA_FORM_XSD;
	service->schema_files = files;
	service->n_schema_files = 1;
}

/* The schema's rows are this test's, and not the fixture's to free. */
static void unpin(Dienstweg__Service *service)
{
	service->schema_files = NULL;
	service->n_schema_files = 0;
}

/* A registry, version 2, in which both alg2 services pin the schema; on both sides. */
static struct world *world_with_schema(void)
{
	struct world *world = world_new();
	char *dir = strdup(check_subdir());
	Dienstweg__Service *application = find_service(world, "alg2.application");
	Dienstweg__Service *decision = find_service(world, "alg2.decision");
	CHECK(dir != NULL);
	world->config.schemas = dir;
	pin(world, application);
	pin(world, decision);
	struct registry *next = registry_fixture_load(world->fixture, 2, world->desk->registry);
	unpin(application);
	unpin(decision);
	registry_unref(world->desk->registry);
	world->desk->registry = next;
	CHECK_INT(file_replace(world->config.registry, registry_signed_bytes(next), 0644), 0);
	return world;
}

static void world_end(struct world *world)
{
	char *dir = (char *)(uintptr_t)world->config.schemas;
	world_free(world);
	free(dir);
}

static int submit(struct world *world, const char *key, const char *body, char why[512])
{
	int r = -1;
	world_submit(world,
		&(struct world_letter){.key = key, .body = BYTES_STR(body), .ret = &r, .why = why});
	world_until(world, r != -1);
	return r;
}

static void what_breaks_the_schema_does_not_leave(void)
{
	struct world *world = world_with_schema();
	char why[512] = "";
	put_schema(world, "any name");
	world_connect(world);
	CHECK_INT(submit(world, "k1", "<note>Meier</note>", why), DW_INVALID);
	CHECK(strstr(why, "body: the document does not follow the schema") &&
		strstr(why, "/note: it has a value") && !strstr(why, "Meier"));
	CHECK_INT(submit(world, "k2", "<note>5</note>", why), 0);
	world_until(world, world_saw(world, "recorded k2"));
	CHECK_INT(world->desk->messages_count, 1);
	world_end(world);
}

static uint64_t deliver(const struct world *world, const char *body)
{
	struct desk_letter letter = {.sender = "jobcenter",
		.recipient = "city",
		.service = "alg2.decision",
		.body = BYTES_STR(body)};
	return desk_deliver(world->desk, &letter);
}

static void what_breaks_the_schema_is_rejected_and_not_handed_over(void)
{
	struct world *world = world_with_schema();
	struct desk *desk = world->desk;
	put_schema(world, "note.xsd");
	world_connect(world);
	deliver(world, "<note>Meier</note>");
	world_until(world, desk->acks_count == 1);
	CHECK(!desk->acks[0].accepted && desk->acks[0].signature_ok);
	CHECK_STR(desk->acks[0].code, "schema");
	CHECK_INT(world_count(world, "delivery"), 0);
	deliver(world, "<note>5</note>");
	world_until(world, desk->acks_count == 2);
	CHECK(desk->acks[1].accepted);
	CHECK(world_saw(world, "delivery jobcenter <note>5</note>"));
	world_end(world);
}

static void without_its_schemas_it_does_not_start(void)
{
	struct world *world = world_with_schema();
	char why[512] = "";
	CHECK_INT(world_open(world, why, sizeof(why)), 1);
	CHECK(strstr(why, "note.xsd") && strstr(why, world->config.schemas));
	world_stop(world);
	world_end(world);
}

static void without_a_folder_nothing_is_checked(void)
{
	struct world *world = world_with_schema();
	const char *dir = world->config.schemas;
	char why[512] = "";
	world->config.schemas = NULL;
	world_connect(world);
	CHECK_INT(submit(world, "k1", "anything", why), 0);
	world_until(world, world_saw(world, "recorded k1"));
	world->config.schemas = dir;
	world_end(world);
}

CHECK_MAIN(CHECK_CASE(what_breaks_the_schema_does_not_leave),
	CHECK_CASE(what_breaks_the_schema_is_rejected_and_not_handed_over),
	CHECK_CASE(without_its_schemas_it_does_not_start),
	CHECK_CASE(without_a_folder_nothing_is_checked))
