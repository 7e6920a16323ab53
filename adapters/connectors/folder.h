/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "adapters/connectors/letter.h"
#include "adapters/sdk/adapter.h"

/*
 * The folder connector as ops of an adapter (docs/folder.md): an agency adds its forms (struct
 * folder_agency) and calls these. In: JSON forms, alone or in a case folder with documents; official XML
 * documents, alone or with others beside them. Out: case folders, receipts, outcomes.
 *
 * Settings it knows (connector.settings):
 *   recipient.SERVICE  party for documents of a service that name no reader
 *   region.SERVICE     region for them
 *   region             region for forms that name neither recipient nor region
 */

/**
 * folder_check_agency() - check() of an adapter: its settings, and whether the folders are there and apart
 * @config:   read
 * @registry: knows the parties and services that the settings name
 * @reterr:   room for a sentence
 * @size:     of @reterr
 * Return: 0, or > 0 with the reason.
 */
int folder_check_agency(const struct config_adapter *config, const struct registry *registry,
	char *reterr, size_t size);

/**
 * folder_open_agency() - open() of an adapter
 * @adapter:     the SDK's
 * @config:      outlives the context
 * @agency:      outlives the context
 * @ret_context: for the other functions
 * Return: 0; negative errno, with the reason in the log.
 */
int folder_open_agency(struct dw_adapter *adapter, const struct config_adapter *config,
	const struct folder_agency *agency, void **ret_context);

/* The other ops, as they stand in struct dw_adapter_ops. */
int folder_from_agency(struct dw_adapter *adapter, void *context, bool *ret_more);
int folder_submitted(struct dw_adapter *adapter, void *context, struct bytes key,
	const struct dw_submitted *ids);
int folder_to_agency(struct dw_adapter *adapter, void *context, const struct dw_delivery *delivery,
	struct dw_verdict *ret);
int folder_report(struct dw_adapter *adapter, void *context, const struct dw_report *report);
int folder_watch_descriptor(void *context);
void folder_close(void *context);
