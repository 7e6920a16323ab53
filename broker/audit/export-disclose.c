/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Who is shown a record must be able to check it without trusting whoever shows it: so a disclosure is the
 * entry's proof, the bytes that were received, and the decision with its salt, each of which hashes into
 * the stub. The content of messages is not among them. What was disclosed is written down beside it,
 * because a folder that is copied on must say by itself what is in it.
 */
#include "broker/audit/exporter.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/audit/entry.h"
#include "broker/audit/prove.h"
#include "broker/audit/words.h"
#include "proto/base/clock.h"

enum { LEDGER_MAX = 1 << 20 };

static int put_part(struct exporter *e, uint64_t sequence, const char *suffix, struct bytes data)
{
	char path[EXPORT_PATH_MAX] = "disclosed/", index[EXPORT_PATH_MAX];
	export_index(sequence, index);
	int n = snprintf(path, sizeof(path), "disclosed/%s.%s", index, suffix);
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	return export_put(e->dir_fd, path, data, 0600);
}

static bool is_batch(uint8_t kind)
{
	return kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED ||
	       kind == DIENSTWEG__ENTRY_KIND__ENTRY_CANCELLED;
}

static int put_entry(struct exporter *e, struct arena *arena, uint64_t sequence)
{
	struct audit_proof proof;
	arena_reset(arena);
	int r = audit_prove(e->audit, sequence, NULL, arena, &proof, e->reterr, e->reterr_size);
	if (r)
		return r > 0 ? EXPORT_DAMAGED : r;
	if (!proof.entry.whole) {
		e->result->closed++;
		return 0;
	}
	r = put_part(e, sequence, "tlog-proof", proof.text);
	if (r == 0 && proof.original.len > 0)
		r = put_part(e, sequence, is_batch(proof.entry.stub[1]) ? "batch" : "header",
			proof.original);
	if (r == 0)
		r = put_part(e, sequence, "decision", proof.decision);
	e->result->disclosed += r == 0;
	return r;
}

/* A line more in the list of what the folder discloses. */
static int put_ledger(struct exporter *e, uint64_t now_ms)
{
	char *buf = arena_alloc(e->arena, LEDGER_MAX + 512), time[25];
	size_t len = 0;
	if (!buf)
		return -ENOMEM;
	int r = export_get(e->dir_fd, "disclosed/ranges", (uint8_t *)buf, LEDGER_MAX, &len);
	if (r > 0)
		return exporter_refuse(e, EXPORT_REFUSED,
			"%s/disclosed/ranges: too long: export to another folder", e->options->dir);
	if (r < 0 && r != -ENOENT)
		return r;
	clock_format_utc(now_ms, time);
	int n = snprintf(buf + len, 512,
		"%s: entries %" PRIu64 " to %" PRIu64 ": %" PRIu64
		" disclosed (proofs with identities, keys and times; headers and acknowledgements "
		"as "
		"received; decisions), %" PRIu64
		" not readable. Content of messages is not in here.\n",
		time, e->options->first, e->options->last, e->result->disclosed, e->result->closed);
	return export_put(e->dir_fd, "disclosed/ranges", BYTES(buf, len + (size_t)n), 0600);
}

int export_disclose(struct exporter *e)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(ENTRY_ARENA);
	if (e->options->last >= e->checkpoint.size || e->options->first > e->options->last)
		return exporter_refuse(e, EXPORT_REFUSED,
			"the range to be disclosed ends behind entry %" PRIu64
			", the last one exported",
			e->checkpoint.size - 1);
	int r = arena ? 0 : -ENOMEM;
	for (uint64_t i = e->options->first; r == 0 && i <= e->options->last; i++) {
		r = put_entry(e, arena, i);
		audit_report_progress(e->report, i - e->options->first + 1,
			e->options->last - e->options->first + 1);
	}
	return r ? r : put_ledger(e, clock_wall_ms(clock_system()));
}
