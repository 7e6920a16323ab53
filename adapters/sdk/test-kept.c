/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A policy of the first year and a registry of the tenth, whose roots the policy has never heard of: what
 * was kept in between leads from one to the other, and nothing else does.
 */
#include "adapters/sdk/follow.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "proto/base/file.h"
#include "proto/registry/fixture.h"
#include "test/kit/check.h"

enum { VERSIONS = 7 };

/* Seven versions; from each to the next one root leaves and another comes. */
struct chain {
	struct registry_fixture *fixture;
	struct policy policy; /* of the first three */
	struct registry *versions[VERSIONS];
	char state[512];
	struct kept kept;
};

static struct registry *load(struct bytes bytes)
{
	struct registry *registry = NULL;
	char why[512];
	if (registry_load_self(bytes, &registry, why, sizeof(why)))
		CHECK_FAIL("%s", why);
	return registry;
}

static struct bytes next_version(struct chain *chain, size_t i)
{
	char name[16], first[16], second[16];
	Dienstweg__RegistryContent *content = registry_fixture_content(chain->fixture);
	snprintf(name, sizeof(name), "root%zu", i + 3);
	snprintf(first, sizeof(first), "root%zu", i + 1);
	snprintf(second, sizeof(second), "root%zu", i + 2);
	registry_fixture_add_root(chain->fixture, name);
	snprintf(name, sizeof(name), "root%zu", i);
	for (size_t k = 0; k < content->n_roots; k++)
		if (bytes_equal(BYTES_PB(content->roots[k]->name), BYTES_STR(name)))
			content->roots[k]->key->state = DIENSTWEG__KEY_STATE__KEY_STATE_RETIRED;
	struct bytes bytes = registry_fixture_compose(chain->fixture, i + 1, chain->versions[i - 1]);
	bytes = registry_fixture_sign(chain->fixture, bytes, first);
	return registry_fixture_sign(chain->fixture, bytes, second);
}

static void chain_init(struct chain *chain, const char *name)
{
	*chain = (struct chain){.fixture = registry_fixture_new("test.demo")};
	registry_fixture_party(chain->fixture, "city", NULL);
	registry_fixture_party(chain->fixture, "jobcenter", NULL);
	registry_fixture_service(chain->fixture, "figures");
	Dienstweg__Agreement *agreement = registry_fixture_agreement(
		chain->fixture, "a", "2021-07-01", NULL);
	registry_fixture_flow(chain->fixture, agreement, "figures", "city", "jobcenter", NULL);
	registry_fixture_roots(chain->fixture, chain->policy.roots);
	chain->policy.roots_count = 3;
	chain->policy.root_quorum = 2;
	chain->versions[0] = registry_fixture_load(chain->fixture, 1, NULL);
	for (size_t i = 1; i < VERSIONS; i++)
		chain->versions[i] = load(next_version(chain, i));
	snprintf(chain->state, sizeof(chain->state), "%s/%s", check_memdir(), name);
	CHECK_INT(dir_make(chain->state, 0700), 0);
	CHECK_INT(kept_init(&chain->kept, chain->state), 0);
}

static void chain_deinit(struct chain *chain)
{
	for (size_t i = 0; i < VERSIONS; i++)
		registry_unref(chain->versions[i]);
	registry_fixture_free(chain->fixture);
}
DEFINE_CLEANUP_PTR(struct chain, chain_deinit);

static void keep(struct chain *chain, size_t from, size_t until)
{
	for (size_t i = from; i < until; i++)
		CHECK_INT(kept_put(&chain->kept, chain->versions[i]), 0);
}

static int leads(struct chain *chain, size_t i)
{
	return kept_leads_to(&chain->kept, &chain->policy, chain->versions[i]);
}

static void the_way_from_the_policy_is_found(void)
{
	_cleanup_(chain_deinit) struct chain chain;
	chain_init(&chain, "way");
	CHECK_INT(leads(&chain, 6), KEPT_BROKEN); /* nothing is kept */
	keep(&chain, 0, 5);
	CHECK_INT(leads(&chain, 4), 0);
	CHECK_INT(leads(&chain, 5), 0); /* it follows the last one */
	CHECK_INT(leads(&chain, 6), KEPT_BROKEN);
	keep(&chain, 5, 7);
	CHECK_INT(leads(&chain, 6), 0);
}

static void a_gap_or_a_stranger_leads_nowhere(void)
{
	_cleanup_(chain_deinit) struct chain chain, other;
	char path[700];
	chain_init(&chain, "gap");
	chain_init(&other, "other");
	keep(&chain, 0, 3);
	keep(&chain, 4, 7);
	CHECK_INT(leads(&chain, 6), KEPT_BROKEN);
	/* The missing one of another bus of that name, then rubbish, then the right one. */
	CHECK_INT(kept_put(&chain.kept, other.versions[3]), 0);
	CHECK_INT(leads(&chain, 6), KEPT_BROKEN);
	CHECK_INT(kept_leads_to(&chain.kept, &chain.policy, other.versions[6]), KEPT_BROKEN);
	snprintf(path, sizeof(path), "%s/registries/4.signed", chain.state);
	CHECK_INT(file_replace(path, BYTES_STR("rubbish"), 0600), 0);
	CHECK_INT(leads(&chain, 6), KEPT_BROKEN);
	keep(&chain, 3, 4);
	CHECK_INT(leads(&chain, 6), 0);
	/* And the roots of the tenth year do not vouch for themselves. */
	keep(&other, 0, 7);
	CHECK_INT(kept_leads_to(&other.kept, &chain.policy, other.versions[6]), KEPT_BROKEN);
}

/* What a broker answers, without one. */
static int answer(struct follow *follow, const struct registry *registry)
{
	return follow_take(follow, registry_signed_bytes(registry));
}

static void write_policy(const struct chain *chain, const char *path)
{
	char text[1024], line[NOTE_VKEY_SIZE];
	size_t len = 0;
	for (size_t i = 0; i < 3; i++) {
		note_key_format(&chain->policy.roots[i], line);
		len += (size_t)snprintf(text + len, sizeof(text) - len, "root %s\n", line);
	}
	len += (size_t)snprintf(text + len, sizeof(text) - len, "root-quorum 2\nquorum none\n");
	CHECK_INT(file_replace(path, BYTES(text, len), 0644), 0);
}

static void an_adapter_walks_from_its_policy_to_roots_it_never_heard_of(void)
{
	_cleanup_(chain_deinit) struct chain chain;
	char policy[600], file[600], why[512] = "";
	struct follow follow;
	chain_init(&chain, "walk");
	snprintf(policy, sizeof(policy), "%s/policy", chain.state);
	snprintf(file, sizeof(file), "%s/registry.signed", chain.state);
	const struct follow_options options = {policy, file, chain.state, "test.demo"};
	write_policy(&chain, policy);
	CHECK_INT(file_replace(file, registry_signed_bytes(chain.versions[0]), 0644), 0);
	CHECK_INT(follow_init(&follow, &options, why, sizeof(why)), 0);
	follow_welcome(&follow, VERSIONS);
	/* The newest is signed by strangers: it asks for the second, and then on and on. */
	CHECK_INT(answer(&follow, chain.versions[6]), 0);
	for (size_t i = 1; i < VERSIONS; i++) {
		CHECK_INT(follow.number, i + 1);
		CHECK_INT(answer(&follow, chain.versions[i]), FOLLOW_ADOPTED);
	}
	CHECK(!follow.wanted);
	follow_deinit(&follow);
	/* It starts with that one, and not when the way was lost. */
	CHECK_INT(follow_init(&follow, &options, why, sizeof(why)), 0);
	CHECK_INT(registry_version(follow.registry), VERSIONS);
	follow_deinit(&follow);
	snprintf(file, sizeof(file), "%s/registries/4.signed", chain.state);
	CHECK_INT(unlink(file), 0);
	snprintf(file, sizeof(file), "%s/registry.signed", chain.state);
	CHECK(follow_init(&follow, &options, why, sizeof(why)) > 0);
	CHECK(strstr(why, "give an older registry that they signed") != NULL);
}

/* A slow broker was asked for the newest twice: its second answer is none to what was asked for since, and no lie. */
static void an_answer_to_an_earlier_question_is_passed_over(void)
{
	_cleanup_(chain_deinit) struct chain chain;
	char policy[600], file[600], why[512] = "";
	struct follow follow;
	chain_init(&chain, "twice");
	snprintf(policy, sizeof(policy), "%s/policy", chain.state);
	snprintf(file, sizeof(file), "%s/registry.signed", chain.state);
	const struct follow_options options = {policy, file, chain.state, "test.demo"};
	write_policy(&chain, policy);
	CHECK_INT(file_replace(file, registry_signed_bytes(chain.versions[0]), 0644), 0);
	CHECK_INT(follow_init(&follow, &options, why, sizeof(why)), 0);
	follow_welcome(&follow, VERSIONS);
	CHECK_INT(answer(&follow, chain.versions[6]), 0);
	for (size_t i = 1; i < VERSIONS - 1; i++) {
		CHECK_INT(answer(&follow, chain.versions[6]), 0);
		CHECK_INT(answer(&follow, chain.versions[i - 1]), 0);
		CHECK_INT(follow.number, i + 1);
		CHECK_INT(answer(&follow, chain.versions[i]), FOLLOW_ADOPTED);
	}
	CHECK_INT(follow.refused, 0);
	/* But one that was asked for by its number, and does not follow, is a lie. */
	struct bytes other = registry_fixture_compose(chain.fixture, VERSIONS, chain.versions[0]);
	other = registry_fixture_sign(chain.fixture, other, "root7");
	other = registry_fixture_sign(chain.fixture, other, "root8");
	CHECK_INT(follow_take(&follow, other), FOLLOW_REFUSED);
	follow_deinit(&follow);
}

/* Whoever can write into the folder fills it; what is counted must not be what the folder happens to list first. */
static void a_full_folder_leads_there_all_the_same(void)
{
	_cleanup_(chain_deinit) struct chain chain;
	char policy[600], file[600], why[512] = "";
	struct follow follow;
	chain_init(&chain, "full");
	snprintf(policy, sizeof(policy), "%s/policy", chain.state);
	snprintf(file, sizeof(file), "%s/registry.signed", chain.state);
	const struct follow_options options = {policy, file, chain.state, "test.demo"};
	write_policy(&chain, policy);
	CHECK_INT(file_replace(file, registry_signed_bytes(chain.versions[6]), 0644), 0);
	for (int kept = 0; kept < 2; kept++) { /* some are listed before, others behind */
		for (int i = 0; i < KEPT_VERSIONS_MAX + 10; i++) {
			char junk[700];
			snprintf(junk, sizeof(junk), "%s/registries/%d.signed", chain.state,
				1000000 * (kept + 1) + i);
			CHECK(kept || i || dir_make(chain.kept.dir, 0700) == 0);
			_cleanup_(fd_close) int fd = creat(junk, 0600);
			CHECK(fd >= 0);
		}
		if (kept == 0)
			keep(&chain, 0, 6);
	}
	CHECK_INT(follow_init(&follow, &options, why, sizeof(why)), 0);
	follow_deinit(&follow);
}

/* The next one, but signed by the pinned roots instead of the ones held: they have left. */
static void roots_that_left_sign_nothing_any_more(void)
{
	_cleanup_(chain_deinit) struct chain chain;
	char policy[600], file[600], why[512] = "";
	struct follow follow;
	chain_init(&chain, "left");
	snprintf(policy, sizeof(policy), "%s/policy", chain.state);
	snprintf(file, sizeof(file), "%s/registry.signed", chain.state);
	const struct follow_options options = {policy, file, chain.state, "test.demo"};
	write_policy(&chain, policy);
	keep(&chain, 0, 7);
	CHECK_INT(file_replace(file, registry_signed_bytes(chain.versions[6]), 0644), 0);
	CHECK_INT(follow_init(&follow, &options, why, sizeof(why)), 0);
	struct bytes bytes = registry_fixture_compose(chain.fixture, 8, chain.versions[6]);
	bytes = registry_fixture_sign(chain.fixture, bytes, "root1");
	bytes = registry_fixture_sign(chain.fixture, bytes, "root2");
	follow_want(&follow);
	CHECK_INT(follow_take(&follow, bytes), FOLLOW_REFUSED);
	CHECK_INT(registry_version(follow.registry), 7);
	follow_deinit(&follow);
}

CHECK_MAIN(CHECK_CASE(the_way_from_the_policy_is_found),
	CHECK_CASE(a_gap_or_a_stranger_leads_nowhere),
	CHECK_CASE(an_adapter_walks_from_its_policy_to_roots_it_never_heard_of),
	CHECK_CASE(an_answer_to_an_earlier_question_is_passed_over),
	CHECK_CASE(roots_that_left_sign_nothing_any_more),
	CHECK_CASE(a_full_folder_leads_there_all_the_same))
