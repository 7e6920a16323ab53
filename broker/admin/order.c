/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What the broker decides only the broker can do: it alone writes the journal. So an order needs one that runs,
 * and says so where none does.
 */
#include "broker/admin/order.h"

#include <errno.h>
#include <string.h>

#include "broker/admin/ask.h"
#include "proto/base/file.h"
#include "proto/base/text.h"

enum { DOCUMENT_MAX = 64 << 20 };

int order_send(const struct folders *folders, const char *line, json_t **ret)
{
	_cleanup_(heap_free) char *answer = NULL;
	if (!folders->socket[0])
		return cli_fail(CLI_FAILED,
			"where is the broker? --config or --state tells where its socket is");
	int r = ask(folders->socket, line, &answer);
	if (r)
		return cli_fail(CLI_FAILED, "%s: the broker does not answer: %s: %s",
			folders->socket, strerrordesc_np(-r),
			r == -EACCES ? "this account may not order it"
				     : "start it, for it alone writes its journal");
	json_t *object = json_loads(answer, 0, NULL);
	const char *error = json_string_value(json_object_get(object, "error"));
	if (!json_is_object(object) || error) {
		int exit = cli_fail(CLI_FAILED, "the broker answers: %s",
			error ? error : "nothing that can be read: see its log");
		json_decref(object);
		return exit;
	}
	*ret = object;
	return 0;
}

int order_digest(const char *path, char hex[ORDER_DIGEST_SIZE])
{
	_cleanup_(heap_free) uint8_t *data = NULL;
	uint8_t digest[HASH_SIZE];
	size_t len = 0;
	int r = file_read(path, DOCUMENT_MAX, &data, &len);
	if (r)
		return cli_fail(CLI_FAILED, "%s: %s", path,
			r == FILE_TOO_LARGE ? "larger than 64 MiB: is this the document?"
					    : strerrordesc_np(-r));
	if (len == 0)
		return cli_fail(CLI_FAILED, "%s: is empty: name the document itself", path);
	sha256_of(BYTES(data, len), digest);
	text_hex(BYTES(digest, HASH_SIZE), hex);
	return 0;
}
