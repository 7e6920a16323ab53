/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The registry says which bytes a schema is. Whatever else lies in the folder, under whatever name, must neither be
 * used nor be in the way.
 */
#include "proto/schema/library.h"

#include "proto/base/crypto.h"
#include "proto/base/file.h"
#include "proto/registry/fixture.h"
#include "test/kit/check.h"

static const char note_xsd[] = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'>"
			       "<xs:element name='note' type='xs:int'/></xs:schema>";

struct town {
	struct registry_fixture *fixture;
	struct registry *registry;
	uint8_t digest[HASH_SIZE];
	Dienstweg__SchemaFile file;
	Dienstweg__SchemaFile *files[1];
	char dir[256];
};

static void town_init(struct town *town)
{
	*town = (struct town){.fixture = registry_fixture_new("test.demo")};
	registry_fixture_party(town->fixture, "city", NULL);
	registry_fixture_party(town->fixture, "ministry", NULL);
	Dienstweg__Service *service = registry_fixture_service(town->fixture, "figures");
	Dienstweg__Agreement *agreement = registry_fixture_agreement(
		town->fixture, "a1", "2021-07-01", NULL);
	registry_fixture_flow(town->fixture, agreement, "figures", "city", "ministry", NULL);
	sha256_of(BYTES_STR(note_xsd), town->digest);
	dienstweg__schema_file__init(&town->file);
	town->file.name = registry_fixture_text(town->fixture, BYTES_STR("note.xsd"));
	town->file.digest = registry_fixture_text(
		town->fixture, BYTES(town->digest, sizeof(town->digest)));
	town->files[0] = &town->file;
	service->schema_form = DIENSTWEG__SCHEMA_FORM__SCHEMA_FORM_XSD;
	service->schema_files = town->files;
	service->n_schema_files = 1;
	town->registry = registry_fixture_load(town->fixture, 1, NULL);
	service->schema_files = NULL;
	service->n_schema_files = 0;
	snprintf(town->dir, sizeof(town->dir), "%s", check_subdir());
}

static void town_deinit(struct town *town)
{
	registry_unref(town->registry);
	registry_fixture_free(town->fixture);
}
DEFINE_CLEANUP_PTR(struct town, town_deinit);

static void put(const struct town *town, const char *name, const char *text)
{
	char path[512];
	CHECK_INT(path_join(path, sizeof(path), town->dir, name), 0);
	CHECK_INT(file_replace(path, BYTES_STR(text), 0644), 0);
}

static const Dienstweg__Service *figures(const struct town *town)
{
	return registry_content(town->registry)->services[0];
}

static void a_file_is_found_by_its_bytes(void)
{
	_cleanup_(town_deinit) struct town town;
	_cleanup_(schema_library_free) struct schema_library *library = NULL;
	char error[SCHEMA_ERROR_SIZE] = "";
	struct schema_fault fault;
	town_init(&town);
	put(&town, "note.xsd", "<another/>");
	put(&town, "note-2026 (copy).xsd", note_xsd);
	CHECK_INT(schema_library_new(town.dir, &library), 0);
	CHECK(schema_library_find(library, figures(&town)) == NULL);
	if (schema_library_take(library, town.registry, NULL, NULL, error))
		CHECK_FAIL("%s", error);
	const struct schema *schema = schema_library_find(library, figures(&town));
	CHECK(schema != NULL);
	CHECK_INT(schema_check(schema, BYTES_STR("<note>5</note>"), &fault), 0);
	CHECK_INT(schema_check(schema, BYTES_STR("<note>five</note>"), &fault), SCHEMA_FAULT);
	CHECK_INT(schema_library_take(library, town.registry, NULL, NULL, error), 0);
	CHECK(schema_library_find(library, figures(&town)) == schema);
}

static void an_absent_file_is_named(void)
{
	_cleanup_(town_deinit) struct town town;
	_cleanup_(schema_library_free) struct schema_library *library = NULL, *none = NULL;
	char error[SCHEMA_ERROR_SIZE] = "";
	town_init(&town);
	put(&town, "note.xsd", "<another/>");
	CHECK_INT(schema_library_new(town.dir, &library), 0);
	CHECK_INT(schema_library_take(library, town.registry, NULL, NULL, error), SCHEMA_ABSENT);
	CHECK(strstr(error, "service figures") && strstr(error, "note.xsd") &&
		strstr(error, town.dir));
	CHECK(schema_library_find(library, figures(&town)) == NULL);
	CHECK_INT(schema_library_new(NULL, &none), 0);
	CHECK_INT(schema_library_take(none, town.registry, NULL, NULL, error), SCHEMA_ABSENT);
}

static bool never(void *context, const Dienstweg__Service *service)
{
	(void)context, (void)service;
	return false;
}

static void who_does_not_need_it_need_not_have_it(void)
{
	_cleanup_(town_deinit) struct town town;
	_cleanup_(schema_library_free) struct schema_library *library = NULL;
	char error[SCHEMA_ERROR_SIZE] = "";
	town_init(&town);
	CHECK_INT(schema_library_new(NULL, &library), 0);
	CHECK_INT(schema_library_take(library, town.registry, never, NULL, error), 0);
}

CHECK_MAIN(CHECK_CASE(a_file_is_found_by_its_bytes), CHECK_CASE(an_absent_file_is_named),
	CHECK_CASE(who_does_not_need_it_need_not_have_it))
