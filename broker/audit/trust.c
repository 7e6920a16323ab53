/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Trust comes from what the auditor pinned and from nowhere else: the log's key out of the policy, or out
 * of a registry that the policy's roots have signed. A registry that vouches for itself is refused here,
 * although a journal may hold such ones: in a journal another version can vouch for it, here it stands alone.
 */
#include "broker/audit/check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/file.h"
#include "proto/receipt/proof-check.h"

enum { REGISTRY_FILE_MAX = 32 << 20 };

static int read_registry(struct audit_trust *trust, const char *path, char *reterr, size_t size)
{
	_cleanup_(heap_free) uint8_t *data = NULL;
	char why[256] = "";
	size_t len;
	int r = file_read(path, REGISTRY_FILE_MAX, &data, &len);
	if (r == FILE_TOO_LARGE) {
		snprintf(reterr, size, "%s: too large for a signed registry", path);
		return AUDIT_REFUSED;
	}
	if (r) {
		snprintf(reterr, size, "%s: %s", path, strerrordesc_np(-r));
		return r;
	}
	r = chain_add(&trust->chain, 0, BYTES(data, len), why, sizeof(why));
	if (r < 0)
		return r;
	if (r > 0 || !trust->chain.anchored) {
		snprintf(reterr, size, "%s: %s", path,
			r > 0 ? why
			      : "is not signed by the roots of the policy: one of the two is of "
				"another "
				"bus, or of another time");
		return AUDIT_REFUSED;
	}
	return 0;
}

int audit_trust_open(const char *policy, const char *registry, struct audit_trust *ret,
	char *reterr, size_t size)
{
	char why[256];
	*ret = (struct audit_trust){};
	chain_init(&ret->chain, &ret->policy);
	int r = policy_read(policy, &ret->policy, why, sizeof(why));
	if (r) {
		snprintf(reterr, size, "%s: %s", policy, r > 0 ? why : strerrordesc_np(-r));
		return r > 0 ? AUDIT_REFUSED : r;
	}
	if (registry)
		return read_registry(ret, registry, reterr, size);
	if (ret->policy.logs_count == 0) {
		snprintf(reterr, size,
			"%s: pins no key of a log: name the signed registry with --registry, or "
			"add a "
			"line \"log <vkey>\"",
			policy);
		return AUDIT_REFUSED;
	}
	return 0;
}

void audit_trust_close(struct audit_trust *trust)
{
	chain_deinit(&trust->chain);
}

int audit_trust_checkpoint(const struct audit_trust *trust, struct bytes note, const char *origin,
	struct checkpoint *ret, struct cosignatures *ret_witnessed, struct proof_fault *fault)
{
	struct note_key keys[NOTE_KEYS_MAX];
	size_t count = chain_log_keys(&trust->chain, origin, keys);
	int r = proof_check_checkpoint(note, origin, keys, count, ret, fault);
	if (r)
		return r;
	*ret_witnessed = (struct cosignatures){};
	switch (cosignatures_judge(note, &trust->policy, ret_witnessed)) {
	case 0:
		return 0;
	case NOTE_BAD_SIGNATURE:
		return proof_fault(fault, PROOF_CHECKPOINT, "cosignature",
			"the line of a witness of the policy does not verify: it was changed");
	default:
		return proof_fault(fault, PROOF_CHECKPOINT, "checkpoint",
			"its signature lines have no possible form");
	}
}
