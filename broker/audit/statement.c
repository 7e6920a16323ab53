/* SPDX-License-Identifier: EUPL-1.2 */

/* Which keys count is said by what the auditor has pinned; of a registry, for logs of its own bus only. */
#include "broker/audit/statement.h"

#include <string.h>

/* Keys of a registry are those of its own bus's logs, in whatever epoch. */
static bool is_of_bus(const struct audit_trust *trust, const char *origin)
{
	if (!trust->chain.current)
		return true;
	struct bytes bus = registry_bus(trust->chain.current);
	return strncmp(origin, (const char *)bus.data, bus.len) == 0 && origin[bus.len] == '/';
}

int statement_check(const struct audit_trust *trust, struct bytes note, struct statement *ret,
	struct proof_fault *fault)
{
	struct note_key logs[NOTE_KEYS_MAX];
	char origin[CHECKPOINT_ORIGIN_MAX + 1];
	if (statement_origin(note, origin))
		return proof_fault(fault, PROOF_MALFORMED, "first line", "names no log");
	size_t count = is_of_bus(trust, origin) ? chain_log_keys(&trust->chain, origin, logs) : 0;
	int r = statement_open(note, logs, count, ret);
	if (r == NOTE_KEY_MALFORMED)
		return proof_fault(fault, PROOF_CHECKPOINT, "signature",
			"no key of the log %s is pinned: give --registry", origin);
	if (r)
		return proof_fault(fault, PROOF_CHECKPOINT, "signature",
			r == NOTE_MALFORMED ? "it is no signed note"
					    : "it is not signed by the log, or was changed since");
	return 0;
}
