/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What stands beside the entries: the head, the table of registries, and whatever lies where nothing may
 * lie. A broker that starts on a journal believes these, so a false one is as bad as a false entry, although
 * every proof would still verify.
 */
#include <inttypes.h>

#include "broker/audit/verifier.h"

int verify_behind(struct verifier *v)
{
	static const struct {
		enum journal_table table;
		const char *name;
		uint64_t after; /* how far a number may lie behind the last entry's */
	} tables[] = {
		{JOURNAL_CHECKPOINT, "checkpoint", 1},
		{JOURNAL_STUB, "stub", 0},
		{JOURNAL_RECORD, "record", 0},
		{JOURNAL_CONTENT, "content", 0},
		{JOURNAL_TILE, "tile", 1},
		{JOURNAL_REGISTRY, "registry", 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		uint64_t number;
		int r = journal_read_primary(
			v->audit->reader, tables[i].table, v->size + tables[i].after, &number);
		if (r < 0)
			return r;
		if (r > 0)
			continue;
		if (tables[i].table == JOURNAL_CHECKPOINT)
			audit_report_finding(v->report, v->size, "entries-missing",
				"the journal ends after %" PRIu64
				" entries, but holds a checkpoint of %" PRIu64 ": it has been cut",
				v->size, number);
		else
			audit_report_finding(v->report, v->size, "row-beyond-end",
				"the journal ends after %" PRIu64
				" entries, but holds a row of the table %s behind them",
				v->size, tables[i].name);
	}
	return 0;
}

/* ---- registries ---- */

static int check_row(struct verifier *v, uint64_t sequence, struct bytes content)
{
	uint8_t digest[HASH_SIZE];
	struct bytes in_force;
	registry_note_digest(v->chain.current, digest);
	int r = journal_check_registry_row(
		v->audit->reader, sequence, chain_version(&v->chain), digest, content.len);
	if (r == 0)
		r = journal_read_registry(v->audit->reader, sequence, v->arena, &in_force);
	if (r > 0 || (r == 0 && !bytes_equal(content, in_force)))
		audit_report_finding(v->report, sequence, "registry-row",
			"the table of registries does not lead to this entry, or says something "
			"else of it");
	return r < 0 ? r : 0;
}

int verify_registry(struct verifier *v, uint64_t sequence)
{
	struct bytes content;
	char why[512];
	arena_reset(v->arena);
	int r = journal_read_content(v->audit->reader, sequence, v->arena, &content);
	if (r > 0)
		audit_report_finding(v->report, sequence, "content-missing",
			"the registry of this entry is missing or damaged");
	if (r)
		return r < 0 ? r : 0;
	r = chain_add(&v->chain, sequence, content, why, sizeof(why));
	if (r > 0)
		audit_report_finding(v->report, sequence, "registry-chain", "%s", why);
	if (r < 0)
		return r;
	return r == CHAIN_UNREADABLE ? 0 : check_row(v, sequence, content);
}

/* Rows in the table of registries that belong to no registry entry. */
static int check_registries(struct verifier *v)
{
	uint64_t sequence = 0;
	struct stub stub;
	int r;
	while ((r = journal_read_primary(v->audit->reader, JOURNAL_REGISTRY, sequence, &sequence)) ==
			0 &&
		sequence < v->size) {
		r = journal_read_stub(v->audit->reader, sequence, &stub);
		if (r < 0)
			return r;
		if (r == 0 && stub.kind != DIENSTWEG__ENTRY_KIND__ENTRY_REGISTRY)
			audit_report_finding(v->report, sequence, "registry-row",
				"the table of registries has a row for this entry, which is none");
		sequence++;
	}
	return r < 0 ? r : 0;
}

/* ---- the head ---- */

static void check_head(struct verifier *v, const struct journal_meta *meta)
{
	struct bytes bus = registry_bus(v->chain.current);
	if (!bytes_equal(BYTES_STR(meta->bus), bus))
		audit_report_finding(v->report, v->chain.sequence, "head-bus",
			"the journal's head names the bus %s, its registry %.*s", meta->bus,
			(int)bus.len, (const char *)bus.data);
	/* A journal that grew meanwhile may have newer ones. */
	if (meta->size != v->size)
		return;
	if (meta->registry_sequence != v->chain.sequence)
		audit_report_finding(v->report, v->chain.sequence, "head-registry",
			"the journal's head names another entry as that of the registry in force");
	if (v->time.known && meta->batch_ms < v->time.batch_ms)
		audit_report_finding(v->report, v->time.entry, "head-time",
			"the journal's head names a time of the last commit that lies before this "
			"entry's");
}

int verify_head(struct verifier *v)
{
	struct journal_meta meta;
	int r = journal_read_meta(v->audit->reader, &meta);
	if (r < 0)
		return r;
	if (r > 0)
		return 0; /* it was told at the beginning, or is damaged since */
	if (v->chain.current)
		check_head(v, &meta);
	if (meta.size == v->size)
		r = verify_epochs_head(v, meta.epoch);
	return r ? r : check_registries(v);
}
