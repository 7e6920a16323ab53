/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Everything that depends on the registry and on settings is here, so that reading a head stays a
 * question to the document alone.
 */
#include "adapters/connectors/xoev-route.h"

#include <stdio.h>
#include <string.h>

enum {
	AGS_SIZE = 8,
	AGS_ARS_SHARED = 5, /* state, region and district stand in front of both keys */
	SETTING_SIZE = 80,
};

static const char *service_setting(
	const struct config_adapter *config, const char *what, struct bytes service)
{
	char name[SETTING_SIZE];
	snprintf(name, sizeof(name), "%s.%.*s", what, (int)service.len, (const char *)service.data);
	return config_adapter_setting(config, name);
}

static const Dienstweg__Party *party_of(
	const struct registry *registry, const struct xoev_party *party)
{
	return registry_party_by_identifier(
		registry, BYTES_STR(party->scheme), BYTES_STR(party->value));
}

static bool is_ours(const struct config_adapter *config, struct bytes name)
{
	if (bytes_equal(BYTES_STR(config->party), name))
		return true;
	for (size_t i = 0; i < config->operates.count; i++) {
		if (bytes_equal(BYTES_STR(config->operates.items[i]), name))
			return true;
	}
	return false;
}

static void sender_find(const struct registry *registry, const struct config_adapter *config,
	const struct xoev_head *head, struct xoev_route *ret)
{
	const Dienstweg__Party *author = party_of(registry, &head->author);
	if (author && is_ours(config, BYTES_PB(author->name)))
		ret->sender = BYTES_PB(author->name);
}

/* The municipality's key (AGS) and the region key (ARS) begin alike; the rest of it is not needed. */
static bool region_of_author(const struct xoev_head *head, struct xoev_route *ret)
{
	const struct xoev_party *author = &head->author;
	size_t len = strlen(author->value);
	if (strcmp(author->scheme, "ags") != 0 || strspn(author->value, "0123456789") != len ||
		(len != AGS_SIZE && len != ROUTE_REGION_SIZE - 1))
		return false;
	snprintf(ret->region_text, sizeof(ret->region_text), "%.*s",
		len == AGS_SIZE ? AGS_ARS_SHARED : ROUTE_REGION_SIZE - 1, author->value);
	ret->region = BYTES_STR(ret->region_text);
	return true;
}

static int without_reader(const struct config_adapter *config, const struct xoev_head *head,
	struct xoev_route *ret, char *reterr, size_t size)
{
	const char *recipient = service_setting(config, "recipient", ret->service);
	const char *region = service_setting(config, "region", ret->service);
	if (recipient)
		ret->recipient = BYTES_STR(recipient);
	else if (region)
		ret->region = BYTES_STR(region);
	else if (!region_of_author(head, ret)) {
		snprintf(reterr, size,
			"%s: names no reader; name one, or set recipient.%.*s or region.%.*s in "
			"connector.settings",
			head->reader.field[0] ? head->reader.field : "nachrichtenkopf",
			(int)ret->service.len, (const char *)ret->service.data,
			(int)ret->service.len, (const char *)ret->service.data);
		return ROUTE_BAD;
	}
	return 0;
}

int xoev_route(const struct registry *registry, const struct config_adapter *config,
	const struct xoev_head *head, struct xoev_route *ret, char *reterr, size_t size)
{
	const Dienstweg__Service *service = registry_service_by_type(
		registry, BYTES_STR(head->type));
	*ret = (struct xoev_route){};
	if (!service) {
		snprintf(reterr, size,
			"root element: no service of the registry has the message type %s; add it "
			"to the message_types of a service",
			head->type);
		return ROUTE_BAD;
	}
	ret->service = BYTES_PB(service->name);
	sender_find(registry, config, head, ret);
	if (!head->reader.value[0])
		return without_reader(config, head, ret, reterr, size);
	const Dienstweg__Party *reader = party_of(registry, &head->reader);
	if (!reader) {
		snprintf(reterr, size,
			"%s: no party of the registry has this identifier of scheme \"%s\"; add it "
			"to the party's identifiers, or correct the document",
			head->reader.field, head->reader.scheme);
		return ROUTE_BAD;
	}
	ret->recipient = BYTES_PB(reader->name);
	return 0;
}
