/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A registry of nearly a megabyte takes a while to verify and to index; the reactor does not stop for it. What is
 * found wrong before the journal sees it is said with the file's name, because a person has just put it there.
 */
#include "broker/transport/reload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "broker/transport/room.h"
#include "proto/base/log.h"

struct reload {
	struct errand errand; /* first */
	struct transport *transport;
	struct reload_asker asker; /* told NULL: nobody asked */
	/* found */
	int verdict; /* of registry_read() */
	struct registry *next;
	char why[SCHEMA_ERROR_SIZE];
};

static void tell(struct transport *transport, const struct reload_asker *asker,
	const struct reload_result *result)
{
	const char *file = transport->options.config->registry;
	if (result->end == RELOAD_REFUSED)
		log_error("broker", "the registry file is refused, the old registry stays",
			F_STR("file", file), F_STR("why", result->why));
	else if (result->end == RELOAD_SAME)
		log_info("broker", "the registry file holds the registry in force",
			F_U64("version", result->version));
	if (asker->told)
		asker->told(asker->context, asker->ticket, result);
}

static void refuse(struct transport *transport, const struct reload_asker *asker, const char *why)
{
	struct reload_result result = {
		.end = RELOAD_REFUSED,
		.version = registry_version(transport->registry),
	};
	snprintf(result.why, sizeof(result.why), "%s: %s", transport->options.config->registry, why);
	tell(transport, asker, &result);
}

static void next_look(struct transport *transport)
{
	bool again = transport->reload_again;
	transport->reloading = transport->reload_again = false;
	if (again)
		transport_reload(transport, NULL);
}

/* ---- back from the journal ---- */

static void committed(struct operator_act *act)
{
	struct transport *transport = act->context;
	const struct reload_asker *asker = act->asker;
	struct reload_result result = {
		.end = RELOAD_IN_FORCE,
		.version = registry_version(transport->registry),
		.sequence = act->sequence,
	};
	char why[200];
	snprintf(why, sizeof(why), "it %s", registry_verdict_text(act->verdict));
	if (act->verdict != 0)
		refuse(transport, asker, why);
	else
		tell(transport, asker, &result);
	next_look(transport);
}

/* Return: false when no parcel was free. */
static bool adopt(struct transport *transport, const struct reload *reload)
{
	struct parcel *parcel = parcel_take(transport->options.pool, PARCEL_REGISTRY);
	struct operator_act *act = parcel ? arena_zalloc(parcel->arena, sizeof(*act)) : NULL;
	struct reload_asker *asker = act ? arena_zalloc(parcel->arena, sizeof(*asker)) : NULL;
	if (!asker || transport->stopping) {
		parcel_give(transport->options.pool, parcel);
		return false;
	}
	*asker = reload->asker;
	act->done = committed;
	act->context = transport;
	act->asker = asker;
	parcel->act = act;
	parcel->registry = registry_ref(reload->next);
	transport_act(transport, parcel);
	return true;
}

/* ---- looking ---- */

static void look(struct errand *errand, struct journal_reader *reader)
{
	struct reload *reload = (struct reload *)errand;
	(void)reader;
	/* The one in force decides whose signatures count, not the policy: roots change over the years. */
	reload->verdict = registry_read(reload->transport->options.config->registry, NULL,
		&reload->next, reload->why, sizeof(reload->why));
	if (reload->verdict == 0)
		reload->verdict = schema_library_take(
			reload->transport->options.schemas, reload->next, NULL, NULL, reload->why);
	if (reload->verdict != 0 && !reload->why[0])
		snprintf(reload->why, sizeof(reload->why), "%s",
			reload->verdict < 0 ? strerrordesc_np(-reload->verdict)
					    : registry_verdict_text(reload->verdict));
}

/* Return: true when the journal has it now. */
static bool looked(struct transport *transport, const struct reload *reload)
{
	const struct registry *held = transport->registry;
	struct reload_result same = {.end = RELOAD_SAME, .version = registry_version(held)};
	char why[200];
	if (reload->errand.result != 0 || reload->verdict != 0) {
		refuse(transport, &reload->asker,
			reload->why[0] ? reload->why : "the journal cannot be read");
		return false;
	}
	int r = registry_check_successor(held, reload->next);
	if (r > 0) {
		snprintf(why, sizeof(why), "it %s", registry_verdict_text(r));
		refuse(transport, &reload->asker, why);
		return false;
	}
	if (registry_version(reload->next) == registry_version(held)) {
		tell(transport, &reload->asker, &same);
		return false;
	}
	if (adopt(transport, reload))
		return true;
	refuse(transport, &reload->asker, "too busy, or stopping: ask again in a while");
	return false;
}

static void look_done(struct errand *errand)
{
	struct reload *reload = (struct reload *)errand;
	if (!looked(reload->transport, reload))
		next_look(reload->transport);
	registry_unref(reload->next);
	free(reload);
}

void transport_reload(struct transport *transport, const struct reload_asker *asker)
{
	static const struct reload_asker nobody;
	const struct reload_asker *who = asker ? asker : &nobody;
	if (transport->reloading) {
		transport->reload_again |= !asker;
		if (asker)
			refuse(transport, who,
				"it is being looked at already: ask again in a while");
		return;
	}
	struct reload *reload = calloc(1, sizeof(*reload));
	if (reload) {
		reload->errand = (struct errand){.run = look, .done = look_done};
		reload->transport = transport;
		reload->asker = *who;
		transport->reloading = clerk_send(transport->options.clerk, &reload->errand) == 0;
	}
	if (transport->reloading)
		return;
	free(reload);
	refuse(transport, who, "too busy: ask again in a while");
}
