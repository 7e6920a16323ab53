/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * An auditor, who comes while the broker does not run: also just after it was killed or lost power, in the middle of
 * whatever it was at. Sometimes the derived tables are made anew then, and the broker has to go on with those.
 */
#include <inttypes.h>

#include "broker/audit/rebuild.h"
#include "broker/audit/verify.h"
#include "test/kit/check.h"
#include "test/sim/town.h"

enum { PATH_BYTES = 512, REBUILD_CHANCE = 3 };

struct places {
	struct audit_paths paths;
	char journal[PATH_BYTES], keyring[PATH_BYTES];
};

static void places_of(const struct town *town, struct places *ret)
{
	const char *state = town->config->state;
	snprintf(ret->journal, sizeof(ret->journal), "%s/journal", state);
	snprintf(ret->keyring, sizeof(ret->keyring), "%s/keyring", state);
	ret->paths = (struct audit_paths){.journal = ret->journal,
		.keyring = ret->keyring,
		.master_key = town->config->master_key,
		.policy = town->config->policy};
}

static void finding(void *context, const struct audit_finding *finding)
{
	struct town *town = context;
	ledger_violate(&town->ledger, "audit: entry %" PRIu64 ": %s: %s", finding->sequence,
		finding->code, finding->reason);
}

/* What was committed in the last moment of a killed broker may not have been looked at yet. */
static void entries_check(struct town *town, uint64_t entries, bool ended)
{
	uint64_t known = town->ledger.count;
	if (entries < known || (ended && entries > known))
		ledger_violate(&town->ledger,
			"the audit saw %" PRIu64 " entries, the ledger %" PRIu64, entries, known);
}

static void look(struct town *town, const struct places *places, bool ended)
{
	char why[512] = "";
	struct audit_report report = {.finding = finding, .context = town};
	struct audit_verify_options verify = {.depth = AUDIT_FULL};
	struct audit_verify_result verified = {};
	struct audit_replay_options replay = {.work = town->bus.dir};
	struct audit_replay_result replayed = {};
	_cleanup_(audit_close) struct audit audit = {};
	int r = audit_open(&places->paths, &audit, why, sizeof(why));
	if (r == 0)
		r = audit_verify(&audit, &verify, &report, &verified);
	if (r == 0)
		r = audit_replay(&audit, &replay, &report, &replayed);
	if (r != 0)
		ledger_violate(&town->ledger, "the journal cannot be audited: %s (%d)", why, r);
	else if (!replayed.complete)
		ledger_violate(&town->ledger, "the journal was not replayed to its end");
	else
		entries_check(town, verified.entries, ended);
	if (r == 0)
		enclosures_audit(town, audit.reader, ended);
}

static void rebuild(struct town *town, const struct places *places)
{
	char why[512] = "";
	struct audit_report report = {.finding = finding, .context = town};
	struct audit_replay_options options = {.work = town->bus.dir};
	struct audit_replay_result result = {};
	int r = audit_rebuild(&places->paths, &options, &report, &result, why, sizeof(why));
	town_tell(town, "the journal's tables are made anew");
	if (r != 0 || !result.complete)
		ledger_violate(&town->ledger, "the tables cannot be made anew: %s (%d)", why, r);
}

void town_audit(struct town *town, bool ended)
{
	struct places places;
	places_of(town, &places);
	town->audit_due = false;
	town->audits++;
	town_tell(town, "the auditor is here");
	look(town, &places, ended);
	if (!ended && town->ledger.violation[0] == '\0' && machine_chance(REBUILD_CHANCE))
		rebuild(town, &places);
}

void auditor_act(struct town *town)
{
	if (town->audits >= AUDITS_MAX)
		return;
	town->audit_due = true;
	if (town->broker && machine_chance(2))
		reactor_drain(broker_reactor(town->broker));
}
