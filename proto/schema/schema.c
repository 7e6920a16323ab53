/* SPDX-License-Identifier: EUPL-1.2 */

/* Which kind of schema it is, is decided once, so that nobody else needs to know that there are two. */
#include "proto/schema/schema.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "proto/schema/form.h"

struct schema {
	struct xsd *xsd; /* one of these */
	struct descriptor *descriptor;
};

void schema_pile_deinit(struct schema_pile *pile)
{
	for (size_t i = 0; i < SCHEMA_FILES_MAX; i++)
		free(pile->data[i]);
}

int schema_new(enum schema_form form, const struct schema_file *files, size_t count,
	struct bytes root, struct schema **ret, char reterr[SCHEMA_ERROR_SIZE])
{
	assert(count >= 1 && count <= SCHEMA_FILES_MAX);
	_cleanup_(schema_free) struct schema *schema = calloc(1, sizeof(*schema));
	if (!schema)
		return -ENOMEM;
	int r = form == SCHEMA_XSD ? xsd_new(files, count, root, &schema->xsd, reterr)
				   : descriptor_new(&files[0], root, &schema->descriptor, reterr);
	if (r != 0)
		return r;
	*ret = steal(&schema);
	return 0;
}

void schema_free(struct schema *schema)
{
	if (!schema)
		return;
	xsd_free(schema->xsd);
	descriptor_free(schema->descriptor);
	free(schema);
}

int schema_check(const struct schema *schema, struct bytes body, struct schema_fault *ret)
{
	return schema->xsd ? xsd_check(schema->xsd, body, ret)
			   : descriptor_check(schema->descriptor, body, ret);
}
