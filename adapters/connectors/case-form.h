/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "adapters/connectors/form.h"
#include "adapters/connectors/item.h"
#include "proto/base/arena.h"
#include "proto/case.pb-c.h"

/*
 * The parts of a canonical case as JSON objects (docs/folder.md), for the maps of agencies whose systems
 * speak JSON. Reading takes fields from an object that a map has opened and will end; writing makes new
 * JSON, with fields in a fixed order and empty ones left out. Pure.
 */
enum {
	CASE_HOUSEHOLD_MAX = 50,
	CASE_FIELDS_MAX = 500,
	CASE_AMOUNTS_MAX = 100,
	CASE_MISSING_MAX = 100,
	CASE_DOCUMENTS_MAX = ITEM_FILES_MAX,
	CASE_UNPRINTABLE = 1, /* a text in it is no UTF-8 */
};

/**
 * case_form_application() - applicant, household, fields, submitted_at
 * @form: the object that has them
 * @ret:  in the arena; `service` is left to the caller
 * Return: 0, FORM_BAD, -ENOMEM.
 */
int case_form_application(struct form *form, Dienstweg__Application **ret);

/* What a clerk answered: a status (it has "state") or a decision (it has "result"). */
struct case_answer {
	Dienstweg__Case *content;
	const char *what; /* "status" or "decision" */
	uint32_t status;  /* Status of envelope.proto, for the header */
};

/**
 * case_form_answer() - state, text, missing; or result, text, decided_on, amounts, remedy
 * @form: the object that has them
 * @ret:  in the arena
 * Return: 0, FORM_BAD, -ENOMEM.
 */
int case_form_answer(struct form *form, struct case_answer *ret);

/**
 * case_form_question() - question, about, fields; or of an answer: answer, fields
 * @form:   the object that has them
 * @answer: which
 * @ret:    in the arena
 * Return: 0, FORM_BAD, -ENOMEM.
 */
int case_form_question(struct form *form, bool answer, Dienstweg__Case **ret);

/**
 * case_form_documents() - the files of an item as documents of the case
 * @content: gets them
 * @item:    outlives @content
 * @main:    the form: left out
 * @arena:   owns the rest
 * Return: 0 or -ENOMEM.
 */
int case_form_documents(Dienstweg__Case *content, const struct item *item,
	const struct item_file *main, struct arena *arena);

/* The same, with @main in it as the first one. */
int case_form_documents_first(Dienstweg__Case *content, const struct item *item,
	const struct item_file *main, struct arena *arena);

/**
 * case_form_pack() - serialize
 * @content: the case
 * @arena:   owns the result
 * @ret:     the bytes
 * Return: 0 or -ENOMEM.
 */
int case_form_pack(const Dienstweg__Case *content, struct arena *arena, struct bytes *ret);

/* As JSON: 0 and a new reference, CASE_UNPRINTABLE, or -ENOMEM. The reference stands in front. */
int case_form_application_write(const Dienstweg__Case *content, json_t **ret);
int case_form_status_write(const Dienstweg__Case *content, json_t **ret);
int case_form_decision_write(const Dienstweg__Case *content, json_t **ret);
int case_form_question_write(const Dienstweg__Case *content, json_t **ret); /* or an answer */
