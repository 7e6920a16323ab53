/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Whom the registry lists must be whom a checkpoint is judged by: a witness that is lost or kept by mistake
 * on the way into the policy makes a quorum of too few.
 */
#include "proto/note/cosignature.h"
#include "proto/registry/fixture.h"
#include "proto/registry/registry.h"
#include "test/kit/check.h"

static struct registry_fixture *world(void)
{
	struct registry_fixture *f = registry_fixture_new("test.demo");
	registry_fixture_party(f, "city", NULL);
	registry_fixture_service(f, "application");
	registry_fixture_witness(f, "city");
	registry_fixture_witness(f, "state");
	registry_fixture_witness(f, "jobcenter");
	registry_fixture_content(f)->witness_quorum = 2;
	return f;
}

static void they_judge_what_they_signed(void)
{
	_cleanup_(registry_fixture_free) struct registry_fixture *f = world();
	_cleanup_(registry_unref) struct registry *registry = registry_fixture_load(f, 1, NULL);
	const struct key_secret *log = registry_fixture_secret(f, "test.demo", KEY_LOG);
	struct policy policy;
	struct note_key log_key;
	struct cosignatures judged;
	struct checkpoint checkpoint = {.origin = "test.demo/0", .size = 7};
	uint8_t note[COSIGNED_NOTE_MAX], larger[COSIGNED_NOTE_MAX], line[COSIGNATURE_LINE_MAX];
	CHECK_INT(note_key_init(&log_key, BYTES_STR("test.demo/0"), log->pub.public), 0);
	size_t len = checkpoint_sign(&checkpoint, &log_key, log->ed25519, note);
	registry_witnesses(registry, &policy);
	CHECK_INT(policy.witnesses_count, 3);
	CHECK_INT(policy.witness_quorum, 2);
	for (size_t i = 0; i < 2; i++) {
		const char *name = policy.witnesses[i].name;
		const struct key_secret *secret = registry_fixture_secret(f, name, KEY_WITNESS);
		const uint8_t *end = memmem(note, len, "\n\n", 2);
		size_t line_len = cosignature_sign(BYTES(note, end - note + 1), 1000 + i,
			&policy.witnesses[i], secret->ed25519, line);
		CHECK_INT(cosignature_add(BYTES(note, len), BYTES(line, line_len), larger, &len), 0);
		memcpy(note, larger, len);
		CHECK_INT(cosignatures_judge(BYTES(note, len), &policy, &judged), 0);
		CHECK_INT(judged.count, i + 1);
		CHECK(judged.quorum == (i == 1));
	}
}

static void who_was_retired_witnesses_nothing_new(void)
{
	_cleanup_(registry_fixture_free) struct registry_fixture *f = world();
	struct policy policy;
	registry_fixture_content(f)->witnesses[0]->key->state = DIENSTWEG__KEY_STATE__KEY_STATE_RETIRED;
	_cleanup_(registry_unref) struct registry *registry = registry_fixture_load(f, 1, NULL);
	registry_witnesses(registry, &policy);
	CHECK_INT(policy.witnesses_count, 2);
}

CHECK_MAIN(
	CHECK_CASE(they_judge_what_they_signed), CHECK_CASE(who_was_retired_witnesses_nothing_new))
