/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <jansson.h>

#include "broker/audit/check-export.h"

/* What a proof proves and what it does not, for people and for programs. */

/**
 * check_words_proof() - print what a proof of an entry proves
 * @trust:   what was pinned
 * @checked: it holds
 */
void check_words_proof(const struct audit_trust *trust, const struct audit_checked *checked);

/* The same as members of an object. */
void check_json_proof(
	const struct audit_trust *trust, const struct audit_checked *checked, json_t *object);

/**
 * check_words_trees() - print what a consistency file proves
 * @trust: what was pinned
 * @trees: it holds
 */
void check_words_trees(const struct audit_trust *trust, const struct audit_checked_trees *trees);

/* The same as members of an object. */
void check_json_trees(
	const struct audit_trust *trust, const struct audit_checked_trees *trees, json_t *object);

/**
 * check_words_export() - print what an export proves
 * @trust:    what was pinned
 * @checked:  what was looked at
 * @findings: how many there are
 */
void check_words_export(
	const struct audit_trust *trust, const struct export_checked *checked, uint64_t findings);

/* The same as members of an object. */
void check_json_export(
	const struct audit_trust *trust, const struct export_checked *checked, json_t *object);
