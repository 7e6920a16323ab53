/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * People keep their source in an order that tells a story; the compiled form has the one order that the
 * rules demand, so that the same source always gives the same bytes.
 */
#include "proto/registry/content.h"

#include <stdlib.h>

/* First members of a message's pointers: sorted by the name that each begins with. */
#define BY_NAME(function, type, member)                                                            \
	static int function(const void *a, const void *b)                                          \
	{                                                                                          \
		const type *x = *(type *const *)a, *y = *(type *const *)b;                         \
		return bytes_compare(BYTES_PB(x->member), BYTES_PB(y->member));                    \
	}                                                                                          \
	struct needs_a_semicolon

BY_NAME(party_order, Dienstweg__Party, name);
BY_NAME(service_order, Dienstweg__Service, name);
BY_NAME(agreement_order, Dienstweg__Agreement, id);
BY_NAME(root_order, Dienstweg__Root, name);
BY_NAME(witness_order, Dienstweg__Witness, name);

static int class_order(const void *a, const void *b)
{
	const Dienstweg__RetentionClass *x = *(Dienstweg__RetentionClass *const *)a;
	const Dienstweg__RetentionClass *y = *(Dienstweg__RetentionClass *const *)b;
	return (x->number > y->number) - (x->number < y->number);
}

static int text_order(const void *a, const void *b)
{
	const ProtobufCBinaryData *x = a, *y = b;
	return bytes_compare(BYTES_PB(*x), BYTES_PB(*y));
}

static void sort(void *items, size_t count, size_t size, int (*order)(const void *, const void *))
{
	if (count > 1)
		qsort(items, count, size, order);
}

void registry_content_sort(Dienstweg__RegistryContent *content)
{
	sort(content->classes, content->n_classes, sizeof(void *), class_order);
	sort(content->parties, content->n_parties, sizeof(void *), party_order);
	sort(content->services, content->n_services, sizeof(void *), service_order);
	sort(content->agreements, content->n_agreements, sizeof(void *), agreement_order);
	sort(content->roots, content->n_roots, sizeof(void *), root_order);
	sort(content->witnesses, content->n_witnesses, sizeof(void *), witness_order);
	for (size_t i = 0; i < content->n_agreements; i++) {
		const Dienstweg__Agreement *agreement = content->agreements[i];
		for (size_t f = 0; f < agreement->n_flows; f++) {
			Dienstweg__Flow *flow = agreement->flows[f];
			sort(flow->services, flow->n_services, sizeof(*flow->services), text_order);
			sort(flow->from, flow->n_from, sizeof(*flow->from), text_order);
			sort(flow->regions, flow->n_regions, sizeof(*flow->regions), text_order);
		}
	}
}
