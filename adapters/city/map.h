/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "adapters/connectors/letter.h"

/*
 * The city's forms (docs/folder.md). Pure.
 *   in    application.json of the portal; status.json and decision.json of the city's own offices
 *   out   status.json and decision.json for the portal; application.json for the city's own offices
 */

/**
 * city_map_read() - a form of the city, as struct folder_agency has it
 * @form: the document; ended here
 * @file: its name in a case folder, or NULL
 * @ret:  the letter
 * Return: 0, FORM_BAD, -ENOMEM.
 */
int city_map_read(struct form *form, const char *file, struct letter *ret);

/**
 * city_map_write() - what came, as a form of the city, as struct folder_agency has it
 * @content:  the case
 * @ret_file: the form's name
 * @ret_json: new, or NULL when the city has no form for it
 * Return: 0, CASE_UNPRINTABLE, -ENOMEM.
 */
int city_map_write(const Dienstweg__Case *content, const char **ret_file, json_t **ret_json);
