/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "adapters/connectors/letter.h"

/*
 * The jobcenter's forms (docs/folder.md). Pure.
 *   in    status.json and decision.json of its clerks
 *   out   application.json for its case system
 */

/**
 * jobcenter_map_read() - a form of the jobcenter, as struct folder_agency has it
 * @form: the document; ended here
 * @file: its name in a case folder, or NULL
 * @ret:  the letter
 * Return: 0, FORM_BAD, -ENOMEM.
 */
int jobcenter_map_read(struct form *form, const char *file, struct letter *ret);

/**
 * jobcenter_map_write() - what came, as a form of the jobcenter, as struct folder_agency has it
 * @content:  the case
 * @ret_file: the form's name
 * @ret_json: new, or NULL when the jobcenter has no form for it
 * Return: 0, CASE_UNPRINTABLE, -ENOMEM.
 */
int jobcenter_map_write(const Dienstweg__Case *content, const char **ret_file, json_t **ret_json);
