/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/audit/check.h"
#include "proto/note/statement.h"

/**
 * statement_check() - is a statement signed by a log key that counts?
 * @trust: open
 * @note:  untrusted; borrowed by the result
 * @ret:   what it says
 * @fault: filled for a verdict
 * Return: 0 or PROOF_*.
 */
int statement_check(const struct audit_trust *trust, struct bytes note, struct statement *ret,
	struct proof_fault *fault);
