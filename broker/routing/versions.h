/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/routing/rules.h"

/*
 * Every version of the rules that ever decided in a broker. Each entry names the version that decided it, and
 * replay asks that one, so a version stays here as long as there are journals of it. Whoever changes what the
 * rules decide, or what they leave in the state, once a version was released, gives the next number, and keeps
 * what the old one did: functions under names of their own, or where little differs a look at
 * rules->version. Of each released version a journal is stored for the tests (broker/audit/stored).
 */
struct rules_version {
	uint32_t version;
	int (*submit)(
		struct rules *rules, const struct submit_facts *facts, struct submit_decision *ret);
	bool (*refusal_is_final)(struct bytes code, struct bytes field);
	int (*acknowledge)(
		struct rules *rules, const struct ack_facts *facts, struct ack_decision *ret);
	int (*fail)(struct rules *rules, const struct rules_item *items, size_t count,
		const char *cause, uint32_t delay_ms, bool backoff, struct items_decision *ret);
	int (*expire)(struct rules *rules, const struct rules_item *items, size_t count,
		struct items_decision *ret);
	int (*tick)(struct rules *rules, size_t max, struct tick_cursor *announced_until,
		struct items_decision *ret);
	int (*confirm)(struct rules *rules, uint32_t party, uint64_t sequence);
	int (*hold)(struct rules *rules, const struct case_act *act, bool hold,
		struct items_decision *ret);
	int (*adopt_registry)(struct rules *rules);
	/* NULL in version 0, which had none of these. */
	int (*bury)(struct rules *rules, const struct rules_item *items, size_t count,
		const char *cause, struct items_decision *ret);
	int (*retry)(struct rules *rules, const struct rules_item *items, size_t count,
		const struct queue_act *act, struct items_decision *ret);
	int (*discard)(struct rules *rules, const struct rules_item *items, size_t count,
		const struct queue_act *act, struct items_decision *ret);
	int (*hold_items)(struct rules *rules, const struct rules_item *items, size_t count,
		const struct queue_act *act, bool hold, struct items_decision *ret);
	int (*remind)(struct rules *rules, const struct rules_item *items, size_t count,
		struct items_decision *ret);
	int (*warn)(struct rules *rules, const struct rules_item *items, size_t count,
		struct items_decision *ret);
	int (*hold_queue)(struct rules *rules, const struct queue_act *act, bool hold,
		struct items_decision *ret);
	int (*cancel)(struct rules *rules, const struct cancel_facts *facts,
		const struct rules_item *items, size_t count, struct cancel_decision *ret);
};

/**
 * rules_version_find() - the rules of a version
 * @version: as entries name it
 * Return: a constant; NULL when this program does not know it.
 */
const struct rules_version *rules_version_find(uint32_t version);
