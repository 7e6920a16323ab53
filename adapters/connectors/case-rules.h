/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>

#include "adapters/connectors/form.h"

/* The simple fields of a case's messages: names, order, forms. For case-form alone. */
struct case_rule {
	const char *name;
	size_t offset; /* of a char * in the message */
	enum form_need need;
	int (*read)(struct form *form, const char *name, enum form_need need, char **ret);
};

struct case_rules {
	const struct case_rule *all;
	size_t count;
};

extern const struct case_rules case_rules_address;
extern const struct case_rules case_rules_person;
extern const struct case_rules case_rules_field;
extern const struct case_rules case_rules_application;
extern const struct case_rules case_rules_status;
extern const struct case_rules case_rules_decision;
extern const struct case_rules case_rules_amount;
extern const struct case_rules case_rules_question;
extern const struct case_rules case_rules_reply;

/**
 * case_rules_read() - read the simple fields of a message
 * @form:    the object that has them
 * @rules:   of the message
 * @message: to fill
 * Return: 0, FORM_BAD, -ENOMEM.
 */
int case_rules_read(struct form *form, const struct case_rules *rules, void *message);

/* Write them, or one text; empty ones are left out. 0 or CASE_UNPRINTABLE. */
int case_rules_write(json_t *object, const struct case_rules *rules, const void *message);
int case_text_write(json_t *object, const char *name, const char *text);
