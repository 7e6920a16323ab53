/* SPDX-License-Identifier: EUPL-1.2 */

/* Who may put a registry in force, what may follow what, and the look-ups. */
#include "proto/registry/registry.h"

#include <pthread.h>
#include <stdio.h>

#include "proto/base/arena.h"
#include "proto/base/file.h"
#include "proto/registry/fixture.h"
#include "proto/registry/head.h"
#include "test/kit/check.h"

static struct registry_fixture *world(void)
{
	struct registry_fixture *f = registry_fixture_new("test.demo");
	registry_fixture_party(f, "city", NULL);
	registry_fixture_party(f, "jobcenter", NULL);
	registry_fixture_party(f, "tenant", "city");
	registry_fixture_service(f, "alg2.application");
	Dienstweg__Agreement *a = registry_fixture_agreement(f, "a1", "2021-07-01", NULL);
	registry_fixture_flow(f, a, "alg2.application", "city", "jobcenter", "05124");
	return f;
}

static int load(struct registry_fixture *f, struct bytes bytes, size_t quorum, const char *words)
{
	char why[512] = "";
	struct note_key roots[3];
	struct registry *registry = NULL;
	registry_fixture_roots(f, roots);
	int r = registry_load(bytes, roots, 3, quorum, &registry, why, sizeof(why));
	if (words && !strstr(why, words))
		CHECK_FAIL("\"%s\" lacks \"%s\"", why, words);
	CHECK((r == 0) == (registry != NULL));
	registry_unref(registry);
	return r;
}

static void two_of_three_roots_suffice(void)
{
	_cleanup_(registry_fixture_free) struct registry_fixture *f = world();
	struct bytes none = registry_fixture_compose(f, 1, NULL);
	struct bytes one = registry_fixture_sign(f, none, "root3");
	struct bytes two = registry_fixture_sign(f, one, "root1");
	struct bytes all = registry_fixture_sign(f, two, "root2");
	CHECK_INT(load(f, none, 2, "signed by 0 of the pinned 3 roots, 2 are needed"),
		REGISTRY_UNSIGNED);
	CHECK_INT(load(f, one, 2, "signed by 1 of the pinned 3"), REGISTRY_UNSIGNED);
	CHECK_INT(load(f, two, 2, NULL), 0);
	CHECK_INT(load(f, two, 3, "signed by 2"), REGISTRY_UNSIGNED);
	CHECK_INT(load(f, all, 3, NULL), 0);
}

static void the_same_root_twice_is_one(void)
{
	_cleanup_(registry_fixture_free) struct registry_fixture *f = world();
	struct bytes bytes = registry_fixture_compose(f, 1, NULL);
	bytes = registry_fixture_sign(f, bytes, "root1");
	bytes = registry_fixture_sign(f, bytes, "root1");
	CHECK_INT(load(f, bytes, 2, "signed by 1"), REGISTRY_UNSIGNED);
	/* nor when it is pinned under two names */
	struct note_key roots[3];
	char why[512];
	struct registry *registry = NULL;
	registry_fixture_roots(f, roots);
	CHECK_INT(note_key_init(&roots[1], BYTES_STR("root9"), roots[0].public), 0);
	CHECK_INT(registry_load(bytes, roots, 2, 2, &registry, why, sizeof(why)), REGISTRY_UNSIGNED);
}

static void strangers_do_not_count(void)
{
	_cleanup_(registry_fixture_free) struct registry_fixture *f = world();
	_cleanup_(registry_fixture_free) struct registry_fixture *other = world();
	struct bytes bytes = registry_fixture_compose(other, 1, NULL);
	bytes = registry_fixture_sign(other, bytes, "root1");
	bytes = registry_fixture_sign(other, bytes, "root2");
	CHECK_INT(load(other, bytes, 2, NULL), 0);
	CHECK_INT(load(f, bytes, 2, "signed by 0"), REGISTRY_UNSIGNED);
}

/* Pinned roots signed, but the registry's own did not: those who come after them must agree. */
static void its_own_roots_must_sign_too(void)
{
	_cleanup_(registry_fixture_free) struct registry_fixture *f = world();
	struct bytes bytes = registry_fixture_compose(f, 1, NULL);
	Dienstweg__RegistryContent *content = registry_fixture_content(f);
	content->roots[0]->key = registry_fixture_key(f, "root4", KEY_ROOT);
	content->roots[0]->name = registry_fixture_text(f, BYTES_STR("root4"));
	content->roots[1]->key = registry_fixture_key(f, "root5", KEY_ROOT);
	content->roots[1]->name = registry_fixture_text(f, BYTES_STR("root5"));
	bytes = registry_fixture_compose(f, 2, NULL);
	bytes = registry_fixture_sign(f, bytes, "root1");
	bytes = registry_fixture_sign(f, bytes, "root2");
	CHECK_INT(load(f, bytes, 2, "signed by 0 of its own"), REGISTRY_UNSIGNED);
	bytes = registry_fixture_sign(f, bytes, "root4");
	CHECK_INT(load(f, bytes, 2, "signed by 1 of its own"), REGISTRY_UNSIGNED);
	bytes = registry_fixture_sign(f, bytes, "root5");
	CHECK_INT(load(f, bytes, 2, NULL), 0);
}

static void any_changed_byte_is_noticed(void)
{
	_cleanup_(registry_fixture_free) struct registry_fixture *f = world();
	struct bytes bytes = registry_fixture_compose(f, 1, NULL);
	bytes = registry_fixture_sign(f, bytes, "root1");
	bytes = registry_fixture_sign(f, bytes, "root2");
	_cleanup_(heap_free) uint8_t *copy = malloc(bytes.len);
	CHECK(copy);
	memcpy(copy, bytes.data, bytes.len);
	for (size_t i = 0; i < bytes.len; i++) {
		copy[i] ^= 0x20;
		if (load(f, BYTES(copy, bytes.len), 2, NULL) == 0)
			CHECK_FAIL("byte %zu changed, and loaded", i);
		copy[i] ^= 0x20;
	}
	for (size_t len = 0; len < bytes.len; len += 7)
		CHECK(load(f, BYTES(bytes.data, len), 2, NULL) != 0);
	CHECK_INT(load(f, BYTES(copy, bytes.len), 2, NULL), 0);
}

static void content_of_another_is_a_digest_error(void)
{
	_cleanup_(registry_fixture_free) struct registry_fixture *f = world();
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 20);
	struct bytes bytes = registry_fixture_compose(f, 1, NULL);
	Dienstweg__SignedRegistry *parts = dienstweg__signed_registry__unpack(
		arena_allocator(arena), bytes.len, bytes.data);
	uint8_t packed[65536];
	CHECK(parts && bytes.len < sizeof(packed));
	parts->content.data[3] ^= 1;
	size_t len = dienstweg__signed_registry__pack(parts, packed);
	CHECK_INT(load(f, BYTES(packed, len), 2, "content differs"), REGISTRY_DIGEST);
	_cleanup_(heap_free) uint8_t *large = calloc(1, REGISTRY_BYTES_MAX + 1);
	CHECK_INT(load(f, BYTES(large, REGISTRY_BYTES_MAX + 1), 2, "too large"), REGISTRY_MALFORMED);
}

/* ---- succession ---- */

static struct registry *sign_and_load(struct registry_fixture *f, uint64_t version,
	const struct registry *previous, const char *root, const char *other)
{
	struct note_key roots[3];
	char why[512] = "";
	struct registry *registry = NULL;
	struct bytes bytes = registry_fixture_compose(f, version, previous);
	bytes = registry_fixture_sign(f, bytes, root);
	bytes = registry_fixture_sign(f, bytes, other);
	registry_fixture_roots(f, roots);
	if (registry_load(bytes, roots, 3, 2, &registry, why, sizeof(why)))
		CHECK_FAIL("%s", why);
	return registry;
}

static void versions_form_a_chain(void)
{
	_cleanup_(registry_fixture_free) struct registry_fixture *f = world();
	_cleanup_(registry_unref) struct registry *one = registry_fixture_load(f, 1, NULL);
	_cleanup_(registry_unref) struct registry *again = sign_and_load(
		f, 1, NULL, "root2", "root3");
	CHECK_INT(registry_check_successor(one, again), 0); /* same text, other signatures */
	registry_fixture_party(f, "ministry", NULL);
	_cleanup_(registry_unref) struct registry *two = registry_fixture_load(f, 2, one);
	_cleanup_(registry_unref) struct registry *fork = registry_fixture_load(f, 1, NULL);
	_cleanup_(registry_unref) struct registry *loose = registry_fixture_load(f, 2, NULL);
	_cleanup_(registry_unref) struct registry *three = registry_fixture_load(f, 3, two);
	CHECK_INT(registry_check_successor(one, two), 0);
	CHECK_INT(registry_check_successor(two, three), 0);
	CHECK_INT(registry_check_successor(two, one), REGISTRY_OLDER);
	CHECK_INT(registry_check_successor(one, fork), REGISTRY_CONFLICT);
	CHECK_INT(registry_check_successor(one, loose), REGISTRY_CONFLICT);
	CHECK_INT(registry_check_successor(one, three), REGISTRY_CONFLICT);
}

/* The next version has one new root: its signature and one old one are not enough. */
static void a_change_of_roots_needs_two_old_ones(void)
{
	_cleanup_(registry_fixture_free) struct registry_fixture *f = world();
	_cleanup_(registry_unref) struct registry *one = registry_fixture_load(f, 1, NULL);
	Dienstweg__RegistryContent *content = registry_fixture_content(f);
	content->roots[2]->key = registry_fixture_key(f, "root4", KEY_ROOT);
	content->roots[2]->name = registry_fixture_text(f, BYTES_STR("root4"));
	struct bytes bytes = registry_fixture_compose(f, 2, one);
	bytes = registry_fixture_sign(f, bytes, "root2");
	bytes = registry_fixture_sign(f, bytes, "root4");
	struct note_key pinned[2];
	char why[512] = "";
	_cleanup_(registry_unref) struct registry *two = NULL;
	const struct key_secret *root2 = registry_fixture_secret(f, "root2", KEY_ROOT);
	const struct key_secret *root4 = registry_fixture_secret(f, "root4", KEY_ROOT);
	CHECK_INT(note_key_init(&pinned[0], BYTES_STR("root2"), root2->pub.public), 0);
	CHECK_INT(note_key_init(&pinned[1], BYTES_STR("root4"), root4->pub.public), 0);
	CHECK_INT(registry_load(bytes, pinned, 2, 2, &two, why, sizeof(why)), 0);
	CHECK_INT(registry_check_successor(one, two), REGISTRY_UNSIGNED);
	bytes = registry_fixture_sign(f, bytes, "root1");
	_cleanup_(registry_unref) struct registry *agreed = NULL;
	CHECK_INT(registry_load(bytes, pinned, 2, 2, &agreed, why, sizeof(why)), 0);
	CHECK_INT(registry_check_successor(one, agreed), 0);
}

/* A content that nobody signed is not even parsed: this one is none. */
static void a_stranger_brings_nothing_to_the_parser(void)
{
	_cleanup_(registry_fixture_free) struct registry_fixture *f = world();
	_cleanup_(registry_unref) struct registry *one = registry_fixture_load(f, 1, NULL);
	struct bytes two = registry_fixture_compose(f, 2, one), unsigned_bytes, rubbish;
	struct registry *next = NULL;
	struct registry_head head = {.version = 2, .issued_ms = 1000, .stale_after_ms = 2000};
	char text[REGISTRY_HEAD_SIZE], why[512] = "";
	uint8_t buf[1024], content[] = {0xff, 0xff, 0xff};
	uint64_t version;
	Dienstweg__SignedRegistry parts = DIENSTWEG__SIGNED_REGISTRY__INIT;
	memcpy(head.bus, "test.demo", 10);
	registry_note_digest(one, head.previous);
	sha256_of(BYTES(content, sizeof(content)), head.content);
	parts.note.len = registry_head_format(&head, text);
	parts.note.data = (uint8_t *)text;
	parts.content = (ProtobufCBinaryData){.data = content, .len = sizeof(content)};
	rubbish = BYTES(buf, dienstweg__signed_registry__pack(&parts, buf));
	CHECK_INT(registry_load_self(rubbish, &next, why, sizeof(why)), REGISTRY_MALFORMED);
	CHECK_INT(registry_load_next(one, rubbish, &next, &version, why, sizeof(why)),
		REGISTRY_UNSIGNED);
	CHECK_INT(version, 2);
	/* Signed by two roots, it is parsed, and refused for what it is. */
	rubbish = registry_fixture_sign(f, registry_fixture_sign(f, rubbish, "root1"), "root2");
	CHECK_INT(registry_load_next(one, rubbish, &next, &version, why, sizeof(why)),
		REGISTRY_MALFORMED);
	/* The honest one, before and after. */
	unsigned_bytes = registry_fixture_sign(f, two, "root1");
	CHECK_INT(registry_load_next(one, unsigned_bytes, &next, &version, why, sizeof(why)),
		REGISTRY_UNSIGNED);
	two = registry_fixture_sign(f, unsigned_bytes, "root3");
	CHECK_INT(registry_load_next(one, two, &next, &version, why, sizeof(why)), 0);
	CHECK_INT(registry_version(next), 2);
	CHECK_INT(registry_load_next(
			  next, registry_signed_bytes(one), &next, &version, why, sizeof(why)),
		REGISTRY_OLDER);
	registry_unref(next);
	CHECK_INT(registry_load_next(
			  one, registry_signed_bytes(one), &next, &version, why, sizeof(why)),
		0);
	CHECK(next == one);
	registry_unref(next);
}

/* ---- look-ups ---- */

static void finds_what_is_there(void)
{
	_cleanup_(registry_fixture_free) struct registry_fixture *f = world();
	Dienstweg__RegistryContent *content = registry_fixture_content(f);
	ProtobufCBinaryData type = registry_fixture_text(f, BYTES_STR("antrag.01"));
	content->services[0]->n_message_types = 1;
	content->services[0]->message_types = &type;
	_cleanup_(registry_unref) struct registry *r = registry_fixture_load(f, 5, NULL);
	CHECK_INT(registry_version(r), 5);
	CHECK(registry_party(r, BYTES_STR("tenant")));
	CHECK(!registry_party(r, BYTES_STR("tenan")));
	CHECK(!registry_party(r, BYTES_STR("")));
	CHECK(registry_service(r, BYTES_STR("alg2.application")));
	CHECK(!registry_service(r, BYTES_STR("alg2.applicatio")));
	CHECK(registry_service_by_type(r, BYTES_STR("antrag.01")) ==
		registry_service(r, BYTES_STR("alg2.application")));
	CHECK(!registry_service_by_type(r, BYTES_STR("antrag.02")));
	CHECK(registry_class(r, 1) && !registry_class(r, 2));
	CHECK(registry_bus_key(r, KEY_LOG) && registry_bus_key(r, KEY_TRANSPORT));
	struct note_key logs[2];
	CHECK_INT(registry_log_keys(r, "test.demo/0", logs, 2), 1);
	CHECK_MEM(logs[0].public, registry_bus_key(r, KEY_LOG)->public_.data, 32);
}

static void speaking_for_others(void)
{
	_cleanup_(registry_fixture_free) struct registry_fixture *f = world();
	_cleanup_(registry_unref) struct registry *r = registry_fixture_load(f, 1, NULL);
	CHECK(registry_may_speak(r, BYTES_STR("city"), BYTES_STR("city")));
	CHECK(registry_may_speak(r, BYTES_STR("city"), BYTES_STR("tenant")));
	CHECK(!registry_may_speak(r, BYTES_STR("tenant"), BYTES_STR("city")));
	CHECK(!registry_may_speak(r, BYTES_STR("jobcenter"), BYTES_STR("tenant")));
	CHECK(!registry_may_speak(r, BYTES_STR(""), BYTES_STR("city")));
	CHECK(!registry_may_speak(r, BYTES_STR("nobody"), BYTES_STR("nobody")));
}

/* Many parties, so that the tables have chains of slots. */
static void finds_every_key(void)
{
	_cleanup_(registry_fixture_free) struct registry_fixture *f = world();
	for (int i = 0; i < 200; i++) {
		char name[32];
		snprintf(name, sizeof(name), "party-%03d", i);
		registry_fixture_party(f, name, NULL);
	}
	_cleanup_(registry_unref) struct registry *r = registry_fixture_load(f, 1, NULL);
	const Dienstweg__RegistryContent *content = registry_content(r);
	for (size_t i = 0; i < content->n_parties; i++) {
		const Dienstweg__Party *party = content->parties[i], *owner = NULL;
		for (size_t k = 0; k < party->n_keys; k++) {
			const Dienstweg__Key *key = party->keys[k];
			CHECK(registry_key(r, BYTES_PB(key->id), &owner) == key);
			CHECK(owner == party);
			bool transport = key->use == DIENSTWEG__KEY_USE__KEY_USE_TRANSPORT;
			CHECK((registry_transport_party(r, key->public_.data) == party) == transport);
		}
		CHECK(registry_party(r, BYTES_PB(party->name)) == party);
	}
	const Dienstweg__Party *owner = content->parties[0];
	CHECK(registry_key(r, BYTES_PB(content->bus_keys[0]->id), &owner) && !owner);
	CHECK(!registry_key(r, BYTES_STR("0123456789abcdef"), NULL));
	CHECK(!registry_key(r, BYTES_STR("short"), NULL));
}

static void retired_keys_do_not_connect(void)
{
	_cleanup_(registry_fixture_free) struct registry_fixture *f = world();
	Dienstweg__Party *city = registry_fixture_content(f)->parties[0];
	city->keys[2]->state = DIENSTWEG__KEY_STATE__KEY_STATE_RETIRED;
	city->keys[0]->state = DIENSTWEG__KEY_STATE__KEY_STATE_REVOKED;
	_cleanup_(registry_unref) struct registry *r = registry_fixture_load(f, 1, NULL);
	CHECK(!registry_transport_party(r, city->keys[2]->public_.data));
	const Dienstweg__Party *loaded = registry_party(r, BYTES_STR("city"));
	CHECK(!registry_party_key(loaded, KEY_SIGN));
	CHECK(registry_party_key(loaded, KEY_SEAL));
	CHECK(registry_key(r, BYTES_PB(city->keys[0]->id), NULL)); /* found, in its state */
}

static void identifiers_lead_to_parties(void)
{
	_cleanup_(registry_fixture_free) struct registry_fixture *f = world();
	Dienstweg__Identifier ids[3] = {DIENSTWEG__IDENTIFIER__INIT, DIENSTWEG__IDENTIFIER__INIT,
		DIENSTWEG__IDENTIFIER__INIT};
	Dienstweg__Identifier *list[] = {&ids[0], &ids[1], &ids[2]};
	static const char *const values[][2] = {{"psw", "1"}, {"ags", "1"}, {"psw", "11"}};
	for (size_t i = 0; i < 3; i++) {
		ids[i].scheme = registry_fixture_text(f, BYTES_STR(values[i][0]));
		ids[i].value = registry_fixture_text(f, BYTES_STR(values[i][1]));
	}
	Dienstweg__RegistryContent *content = registry_fixture_content(f);
	content->parties[0]->identifiers = list;
	content->parties[0]->n_identifiers = 2;
	content->parties[1]->identifiers = &list[2];
	content->parties[1]->n_identifiers = 1;
	_cleanup_(registry_unref) struct registry *r = registry_fixture_load(f, 1, NULL);
	CHECK(registry_party_by_identifier(r, BYTES_STR("ags"), BYTES_STR("1")) ==
		registry_party(r, BYTES_STR("city")));
	CHECK(registry_party_by_identifier(r, BYTES_STR("psw"), BYTES_STR("11")) ==
		registry_party(r, BYTES_STR("jobcenter")));
	CHECK(!registry_party_by_identifier(r, BYTES_STR("psw"), BYTES_STR("111")));
	CHECK(!registry_party_by_identifier(r, BYTES_STR("ags"), BYTES_STR("11")));
	CHECK(!registry_party_by_identifier(r, BYTES_STR(""), BYTES_STR("")));
}

static void reads_from_a_file(void)
{
	_cleanup_(registry_fixture_free) struct registry_fixture *f = world();
	_cleanup_(registry_unref) struct registry *made = registry_fixture_load(f, 1, NULL);
	struct policy policy = {.roots_count = 3, .root_quorum = 2};
	registry_fixture_roots(f, policy.roots);
	char path[512], why[512] = "";
	CHECK_INT(path_join(path, sizeof(path), check_tmpdir(), "registry.signed"), 0);
	CHECK_INT(file_replace(path, registry_signed_bytes(made), 0644), 0);
	struct registry *read = NULL;
	CHECK_INT(registry_read(path, &policy, &read, why, sizeof(why)), 0);
	struct registry *more = registry_ref(read);
	registry_unref(read);
	CHECK(registry_party(more, BYTES_STR("city")));
	registry_unref(more);
	CHECK_INT(file_replace(path, BYTES_STR("no registry"), 0644), 0);
	CHECK_INT(registry_read(path, &policy, &read, why, sizeof(why)), REGISTRY_MALFORMED);
	CHECK(strstr(why, "registry.signed: "));
	CHECK(registry_read("/nowhere/registry", &policy, &read, why, sizeof(why)) < 0);
	CHECK(strstr(why, "/nowhere/registry: No such file"));
}

/* ---- threads ---- */

enum { THREADS = 4, ROUNDS = 2000 };

static void *hold_and_look(void *argument)
{
	struct registry *registry = argument; /* a reference of this thread's own */
	for (int i = 0; i < ROUNDS; i++) {
		struct registry *mine = registry_ref(registry);
		CHECK(registry_party(mine, BYTES_STR("city")));
		registry_unref(mine);
	}
	registry_unref(registry);
	return NULL;
}

/* Whoever drops the last reference frees; nobody looks into freed memory. */
static void shared_between_threads(void)
{
	_cleanup_(registry_fixture_free) struct registry_fixture *f = world();
	struct registry *registry = registry_fixture_load(f, 1, NULL);
	pthread_t threads[THREADS];
	for (int i = 0; i < THREADS; i++)
		CHECK_INT(pthread_create(&threads[i], NULL, hold_and_look, registry_ref(registry)),
			0);
	registry_unref(registry);
	for (int i = 0; i < THREADS; i++)
		CHECK_INT(pthread_join(threads[i], NULL), 0);
}

CHECK_MAIN(CHECK_CASE(two_of_three_roots_suffice), CHECK_CASE(the_same_root_twice_is_one),
	CHECK_CASE(strangers_do_not_count), CHECK_CASE(its_own_roots_must_sign_too),
	CHECK_CASE(any_changed_byte_is_noticed), CHECK_CASE(content_of_another_is_a_digest_error),
	CHECK_CASE(versions_form_a_chain), CHECK_CASE(a_change_of_roots_needs_two_old_ones),
	CHECK_CASE(a_stranger_brings_nothing_to_the_parser), CHECK_CASE(finds_what_is_there),
	CHECK_CASE(speaking_for_others), CHECK_CASE(finds_every_key),
	CHECK_CASE(retired_keys_do_not_connect), CHECK_CASE(identifiers_lead_to_parties),
	CHECK_CASE(reads_from_a_file), CHECK_CASE(shared_between_threads))
