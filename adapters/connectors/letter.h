/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "adapters/connectors/form.h"
#include "proto/base/crypto.h"
#include "proto/case.pb-c.h"

#define CASE_CONTENT_TYPE "application/vnd.dienstweg.case+protobuf"
#define CASE_SCHEMA       "dienstweg.case/0"
#define XML_CONTENT_TYPE  "application/xml"

/* What an agency's form says: the content, and what a message's header needs to know. */
struct letter {
	Dienstweg__Case *content; /* without documents */
	bool asks, answers;       /* an enquiry; the answer to one, which goes where it came from */
	const char *answer; /* NULL, or what of a case this is: "status", "decision"; then what is left
			       open below is taken from where the case came from */
	char *service;      /* NULL: of an answer */
	char *recipient;    /* NULL, NULL: of an answer, or the setting `region` */
	char *region;
	bool has_case, has_in_reply_to;
	uint8_t case_id[16];
	uint8_t in_reply_to[HASH_SIZE];
	uint32_t status; /* Status and Channel of envelope.proto */
	uint32_t channel;
};

/* What an agency adds to the folder connector: two pure functions between its form and the case. */
struct folder_agency {
	const char *const *main_files; /* of a case folder: JSON files of which one is the form; ends NULL */

	/* Read the form and end it. @file: its name in a case folder, NULL for a file of its own.
	   0, FORM_BAD, -ENOMEM; texts are in the form's arena. */
	int (*read)(struct form *form, const char *file, struct letter *ret);

	/* Write what came: 0 with a new reference and the name of its file, CASE_UNPRINTABLE, -ENOMEM.
	   @ret_json NULL: this agency has no form for such a content. */
	int (*write)(const Dienstweg__Case *content, const char **ret_file, json_t **ret_json);
};

/**
 * letter_is_question() - is this form a question or the answer to one? Those are forms of every agency
 * @form: the whole form
 * @file: its name in a case folder, or NULL: then it has "question" or "answer"
 * Return: whether letter_read_question() is to read it.
 */
bool letter_is_question(const struct form *form, const char *file);

/**
 * letter_read_question() - a question: service, recipient or region, case, reference, question, about, fields; or an
 *                          answer: case, in_reply_to, service, recipient, reference, answer, fields
 * @form: the whole form; ended here
 * @file: its name in a case folder, which must fit what it is; or NULL
 * @ret:  the letter
 * Return: 0, FORM_BAD, -ENOMEM.
 */
int letter_read_question(struct form *form, const char *file, struct letter *ret);

/**
 * letter_read_answer() - a status or decision: case, in_reply_to, service, recipient, reference, and what
 *                        case_form_answer() reads
 * @form: the whole form; ended here
 * @file: its name in a case folder, which must fit what it is; or NULL
 * @ret:  the letter
 * Return: 0, FORM_BAD, -ENOMEM.
 */
int letter_read_answer(struct form *form, const char *file, struct letter *ret);
