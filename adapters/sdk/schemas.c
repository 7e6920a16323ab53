/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * An adapter needs the schemas of the services that its own parties send or receive, and is not to be stopped by
 * somebody else's. One that starts without a file that it needs does not start; one that is running when a registry
 * with a new schema comes goes on with the other services.
 */
#include "adapters/sdk/schemas.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/base/log.h"

struct schemas {
	struct schema_library *library; /* NULL: nothing is checked */
	const struct parties *parties;
};

struct wish {
	const struct schemas *schemas;
	const struct registry *registry;
};

static bool is_ours(const struct schemas *schemas, ProtobufCBinaryData name)
{
	for (size_t i = 0; i < schemas->parties->count; i++)
		if (bytes_equal(BYTES_PB(name), BYTES_STR(schemas->parties->names[i])))
			return true;
	return false;
}

static bool flow_has(const Dienstweg__Flow *flow, ProtobufCBinaryData service)
{
	for (size_t i = 0; i < flow->n_services; i++)
		if (bytes_equal(BYTES_PB(flow->services[i]), BYTES_PB(service)))
			return true;
	return false;
}

static bool concerns_us(const struct schemas *schemas, const Dienstweg__Flow *flow)
{
	bool ours = is_ours(schemas, flow->to);
	for (size_t i = 0; !ours && i < flow->n_from; i++)
		ours = is_ours(schemas, flow->from[i]);
	return ours;
}

static bool wanted(void *context, const Dienstweg__Service *service)
{
	const struct wish *wish = context;
	const Dienstweg__RegistryContent *content = registry_content(wish->registry);
	for (size_t a = 0; a < content->n_agreements; a++)
		for (size_t f = 0; f < content->agreements[a]->n_flows; f++) {
			const Dienstweg__Flow *flow = content->agreements[a]->flows[f];
			if (flow_has(flow, service->name) && concerns_us(wish->schemas, flow))
				return true;
		}
	return false;
}

static int take(
	struct schemas *schemas, const struct registry *registry, char reterr[SCHEMA_ERROR_SIZE])
{
	struct wish wish = {schemas, registry};
	return schema_library_take(schemas->library, registry, wanted, &wish, reterr);
}

int schemas_open(const char *dir, const struct parties *parties, const struct registry *registry,
	struct schemas **ret, char *reterr, size_t size)
{
	char why[SCHEMA_ERROR_SIZE] = "";
	_cleanup_(schemas_free) struct schemas *schemas = calloc(1, sizeof(*schemas));
	if (!schemas)
		return -ENOMEM;
	schemas->parties = parties;
	int r = dir ? schema_library_new(dir, &schemas->library) : 0;
	if (r == 0 && dir)
		r = take(schemas, registry, why);
	if (r != 0)
		snprintf(reterr, size, "%s", r < 0 ? strerrordesc_np(-r) : why);
	else
		*ret = steal(&schemas);
	return r;
}

void schemas_free(struct schemas *schemas)
{
	if (!schemas)
		return;
	schema_library_free(schemas->library);
	free(schemas);
}

void schemas_follow(struct schemas *schemas, const struct registry *registry)
{
	char why[SCHEMA_ERROR_SIZE] = "";
	int r = schemas->library ? take(schemas, registry, why) : 0;
	if (r != 0)
		log_error("schemas",
			"ALARM: the new registry pins a schema that is not here: its "
			"service waits",
			F_STR("why", why), F_ERR(r < 0 ? r : 0));
}

int schemas_check(struct schemas *schemas, const struct registry *registry, struct bytes service,
	struct bytes body, struct schema_fault *ret)
{
	const Dienstweg__Service *known = registry_service(registry, service);
	*ret = (struct schema_fault){};
	if (!schemas->library || !known || !schema_is_pinned(known))
		return 0;
	const struct schema *schema = schema_library_find(schemas->library, known);
	return schema ? schema_check(schema, body, ret) : SCHEMA_ABSENT;
}
