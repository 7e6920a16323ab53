/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Each version names the digest of the one before, so an adapter that was away for months cannot take the
 * newest at once: it asks for the newest, and when that does not follow, for the next one. The file is
 * replaced before the registry counts: after a crash no older one may come back. Whose signatures a newer one
 * needs is said by the one held, not by the policy: that is how roots are exchanged.
 */
#include "adapters/sdk/follow.h"

#include <stdio.h>
#include <string.h>

#include "proto/base/file.h"
#include "proto/base/log.h"

enum { PATIENCE_MS = 5000, LATER_MS = 1000, ERROR_SIZE = 512 };

/* Not signed by the pinned roots: then it must descend from one that is. */
static int unpinned_read(struct follow *follow, char *reterr, size_t size)
{
	char why[ERROR_SIZE] = "";
	int r = registry_read(follow->path, NULL, &follow->registry, why, sizeof(why));
	if (r == 0)
		r = kept_leads_to(&follow->kept, &follow->policy, follow->registry);
	if (r == KEPT_BROKEN) {
		size_t len = strlen(reterr);
		snprintf(reterr + len, size - len,
			"; and the versions in %s do not lead from those roots to it: give an "
			"older registry that they signed, the adapter follows the bus from there",
			follow->kept.dir);
	}
	return r;
}

static int files_read(
	struct follow *follow, const struct follow_options *options, char *reterr, size_t size)
{
	int r = kept_init(&follow->kept, options->state);
	if (r == 0)
		r = policy_read(options->policy, &follow->policy, reterr, size);
	if (r == 0)
		r = registry_read(
			options->registry, &follow->policy, &follow->registry, reterr, size);
	if (r == REGISTRY_UNSIGNED)
		r = unpinned_read(follow, reterr, size);
	if (r || bytes_equal(registry_bus(follow->registry), BYTES_STR(options->bus)))
		return r;
	snprintf(reterr, size, "registry %s is for another bus than %s", options->registry,
		options->bus);
	return FOLLOW_REFUSED;
}

int follow_init(
	struct follow *follow, const struct follow_options *options, char *reterr, size_t size)
{
	*follow = (struct follow){.path = options->registry};
	reterr[0] = '\0';
	int r = files_read(follow, options, reterr, size);
	if (r < 0 && !reterr[0])
		snprintf(reterr, size, "policy %s, registry %s, state %s: %s", options->policy,
			options->registry, options->state, strerrordesc_np(-r));
	if (r)
		follow_deinit(follow);
	return r;
}

void follow_deinit(struct follow *follow)
{
	registry_unref(follow->registry);
	follow->registry = NULL;
}

void follow_want(struct follow *follow)
{
	if (follow->wanted)
		return;
	follow->wanted = true;
	follow->asked_at_ns = 0;
	follow->number = 0;
}

void follow_welcome(struct follow *follow, uint64_t version)
{
	uint64_t ours = registry_version(follow->registry);
	follow->known = version;
	if (version > ours)
		follow_want(follow);
	else if (version < ours)
		log_warn("registry", "the broker has an older registry than this adapter",
			F_U64("ours", ours), F_U64("theirs", version));
}

static int refuse(struct follow *follow, const char *why)
{
	log_error("registry", "ALARM: a registry from the broker is refused, the old one stays",
		F_STR("why", why), F_U64("ours", registry_version(follow->registry)));
	follow->wanted = false;
	follow->refused++;
	return FOLLOW_REFUSED;
}

void follow_put_off(struct follow *follow, uint64_t now_ns)
{
	follow->asked_at_ns = 0;
	follow->not_before_ns = now_ns + LATER_MS * UINT64_C(1000000);
}

/* Long ago, and the broker has said other things since: of one that says nothing at all the session will tell. */
static bool is_unanswered(const struct follow *follow, const struct client *client, uint64_t now_ns)
{
	uint64_t patience_ns = PATIENCE_MS * UINT64_C(1000000);
	return now_ns - follow->asked_at_ns >= patience_ns &&
	       client_heard_ns(client) >= follow->asked_at_ns + patience_ns / 2;
}

int follow_step(struct follow *follow, struct client *client, uint64_t now_ns)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__GetRegistry question = DIENSTWEG__GET_REGISTRY__INIT;
	bool asked = follow->asked_at_ns != 0;
	if (!follow->wanted || now_ns < follow->not_before_ns ||
		(asked && !is_unanswered(follow, client, now_ns)))
		return 0;
	if (asked && follow->number != 0) {
		(void)refuse(follow, "it does not follow the one held, and the bus does not give "
				     "those in between: "
				     "get them from the registrar and install them one by one");
		return 0;
	}
	question.version = follow->number;
	frame.body_case = DIENSTWEG__FRAME__BODY_GET_REGISTRY;
	frame.get_registry = &question;
	int r = client_send(client, &frame);
	if (r == 0)
		follow->asked_at_ns = now_ns;
	return r < 0 ? r : 0;
}

static int adopt(struct follow *follow, const struct registry *next)
{
	int r = kept_put(&follow->kept, follow->registry);
	if (r == 0)
		r = kept_put(&follow->kept, next);
	if (r == 0)
		r = file_replace(follow->path, registry_signed_bytes(next), 0644);
	if (r)
		return r;
	log_info("registry", "a newer registry is in force",
		F_U64("version", registry_version(next)));
	registry_unref(follow->registry);
	follow->registry = registry_ref(next);
	follow->wanted = false;
	if (follow->known > registry_version(next)) {
		uint64_t further = follow->number ? registry_version(next) + 1 : 0;
		follow_want(follow);
		follow->number = further; /* one by one, once that was necessary */
	}
	return FOLLOW_ADOPTED;
}

/* @theirs is a claim, for nobody has vouched for it: it only decides what is asked for next. */
static int not_taken(struct follow *follow, int verdict, uint64_t theirs, const char *why)
{
	uint64_t ours = registry_version(follow->registry);
	/* Several behind, or its roots are not ours any more: those in between tell. */
	if ((verdict == REGISTRY_CONFLICT || verdict == REGISTRY_UNSIGNED) && theirs > ours + 1 &&
		follow->number == 0) {
		follow->number = ours + 1;
		follow->asked_at_ns = 0;
		return 0;
	}
	if (verdict == REGISTRY_OLDER)
		return refuse(follow, "it is older than the one held");
	if (verdict == REGISTRY_UNSIGNED)
		return refuse(follow, "too few roots of the one held have signed it");
	if (verdict == REGISTRY_CONFLICT)
		return refuse(follow, "it does not follow the one held: same version with other "
				      "content, another bus, or a broken chain");
	return refuse(follow, why);
}

int follow_take(struct follow *follow, struct bytes signed_bytes)
{
	char why[ERROR_SIZE] = "";
	_cleanup_(registry_unref) struct registry *next = NULL;
	uint64_t theirs;
	if (!follow->wanted)
		return 0;
	int r = registry_load_next(follow->registry, signed_bytes, &next, &theirs, why, sizeof(why));
	if (r < 0)
		return r;
	/* The answer to an earlier question: whoever asks a slow broker twice hears the same twice, and the second
	   time has asked for another one since. */
	if (follow->number != 0 && theirs != 0 && theirs != follow->number)
		return 0;
	if (r > 0)
		return not_taken(follow, r, theirs, why);
	if (next != follow->registry)
		return adopt(follow, next);
	follow->wanted = false;
	return FOLLOW_NEWEST;
}
